"""How long jobs will take, from recorded runs of the same configuration, or else of the same model and data."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from fitbench.config import Config, parse_run_id
from fitbench.errors import FitbenchError
from fitbench.launch.plan import Planned
from fitbench.launch.sweep_job import Job
from fitbench.record.files import exists
from fitbench.record.folder import run_folders
from fitbench.record.history import read_history
from fitbench.record.reading import read_result
from fitbench.record.remaining import shared_by
from fitbench.text import counted, in_sentence, rough_duration

MOST = 30  # recorded runs that the time of one run is estimated from, the newest
LOOKED_AT = 10 * MOST  # of which others were trained elsewhere
FEW_SECONDS = 10


@dataclass(frozen=True)
class Past:
    """A finished run: its folder, the seconds of its training, and its epochs.

    A model that is computed by its solver has no epochs. Its seconds are those of the whole run.
    """

    folder: Path
    seconds: float
    epochs: int

    def seconds_for(self, epochs: int) -> float:
        """The seconds that the run would have taken with this number of epochs."""
        if epochs == self.epochs or not self.epochs:
            return self.seconds
        if self.later_epoch is None:
            return self.seconds / self.epochs * epochs
        once = self.seconds - self.later_epoch * self.epochs
        return max(once, 0.0) + self.later_epoch * epochs

    @cached_property
    def later_epoch(self) -> float | None:
        """The median seconds of the epochs after the first one, which compiles the network.

        None if the run has no such epochs, or if history.jsonl is missing or damaged.
        """
        try:
            history = read_history(self.folder)
        except FitbenchError:
            return None
        seconds = [epoch.get("seconds") for epoch in history[1:]]
        later = [each for each in seconds if type(each) is float and 0 <= each <= self.seconds]
        return statistics.median(later) if later and len(later) == self.epochs - 1 else None


@dataclass(frozen=True)
class Estimate:
    """The time of the training of several runs, one after another.

    The start of the processes, the reading of the data and the evaluation after the training are not in it.

    Attributes:
        seconds: of those runs that recorded ones tell about.
        longest: of them, seconds.
        jobs: how many runs are to be trained.
        unknown: how many of them no recorded run tells about.
        origin: what it is estimated from, such as '2 recorded runs of the same configurations'.
        endings: what may end runs sooner, such as 'early stopping'.
        from_first_epochs: whether the time of a run is that of recorded first epochs alone. Later epochs are faster.
    """

    seconds: float
    longest: float
    jobs: int
    unknown: int
    origin: str
    endings: tuple[str, ...] = ()
    from_first_epochs: bool = False

    def scaled(self, jobs: int, endings: Sequence[str] = ()) -> Estimate:
        """The time of so many runs like these, which may also be ended by `endings`. All runs must be known."""
        seconds = self.seconds / self.jobs * jobs
        return replace(self, seconds=seconds, jobs=jobs, endings=(*self.endings, *endings))

    def text(self, workers: int = 1, launcher: str | None = None) -> str:
        """A sentence for people: the time, and what it is estimated from.

        Args:
            workers: processes that share the runs.
            launcher: the name of a launcher of other machines. How many runs it trains at a time is not known.
        """
        if not self.jobs:
            return "nothing to train"
        if self.unknown == self.jobs:
            subject = "it takes" if self.jobs == 1 else "they take"
            return f"no recorded run of this model and data tells how long {subject}"
        at_once = f" with workers={workers}" if workers > 1 else ""
        if launcher is not None:
            workers, at_once = 1, ", one run after another"
        time = approximately(shared_by(workers, self.seconds, self.longest))
        slower = ", some of one epoch, which takes longer than later ones" if self.from_first_epochs else ""
        sooner = f" ({in_sentence(self.endings)} may end it sooner)" if self.endings else ""
        known = f" for {self.jobs - self.unknown:,} of {self.jobs:,} runs" if self.unknown else ""
        rest = "; no similar run is recorded for the others" if self.unknown else ""
        return f"{time} of training{known}{at_once}{sooner}, plus starting up; from {self.origin}{slower}{rest}"


def approximately(seconds: float) -> str:
    """An estimate in words: 'about 25 min', or 'a few seconds' for what is shorter than 10 s."""
    return "a few seconds" if seconds < FEW_SECONDS else f"about {rough_duration(seconds)}"


class Records:
    """The finished runs in outputs folders, read as they are asked for."""

    def __init__(self, *outputs: Path) -> None:
        self.by_config_id: dict[str, list[Path]] = defaultdict(list)
        self.folders: list[Path] = []
        for folder in map(Path, run_folders([str(path) for path in outputs if exists(path)], [])):
            name = parse_run_id(folder.name)
            if name is not None and name.config_id is not None:
                self.by_config_id[name.config_id].append(folder)
                self.folders.append(folder)
        self._found: dict[tuple[str, ...], list[Past]] = {}

    def estimate(self, planned: Sequence[Planned]) -> Estimate:
        """The time of those jobs that a launch trains; an interrupted run counts with what remains of it."""
        seconds: list[float] = []
        same: set[Path] = set()
        alike: set[Path] = set()
        stops_early, from_first_epochs = False, False
        trained = [each for each in planned if each.trained]
        for each in trained:
            config, done = each.job.config, each.epochs_done()
            if runs := self._same(each.job):
                of_runs = [run.seconds_for(max(run.epochs - done, 0)) for run in runs]
                same |= {run.folder for run in runs}
            elif runs := self._alike(config):
                to_do = max(config.training.epochs - done, 0)
                of_runs = [run.seconds_for(to_do) for run in runs]
                alike |= {run.folder for run in runs}
                stops_early = stops_early or config.training.may_stop_early
                from_first_epochs |= to_do > 1 and all(run.epochs == 1 for run in runs)
            else:
                continue
            seconds.append(statistics.median(of_runs))
        sources = [(len(same), "the same configurations"), (len(alike), "the same model and data")]
        return Estimate(
            seconds=sum(seconds),
            longest=max(seconds, default=0.0),
            jobs=len(trained),
            unknown=len(trained) - len(seconds),
            origin=" and ".join(f"{counted(number, 'recorded run')} of {kind}" for number, kind in sources if number),
            endings=("early stopping",) if stops_early else (),
            from_first_epochs=from_first_epochs,
        )

    def _same(self, job: Job) -> list[Past]:
        """The runs of the job's configuration, trained as it will be."""
        name = parse_run_id(job.folder.name)
        assert name is not None and name.config_id is not None
        key = (name.config_id, *_place(job.config))
        if key not in self._found:
            place = _place(job.config)
            self._found[key] = _newest(self.by_config_id.get(name.config_id, []), lambda its: _place_of(its) == place)
        return self._found[key]

    def _alike(self, config: Config) -> list[Past]:
        """The runs of the same model and data, trained as those of this configuration will be.

        Runs of one epoch, which do not tell how long a later one takes, count if there are no others.
        """
        wanted = (config.data.name, config.model["name"], *_place(config))
        if wanted not in self._found:
            beginning = f"{config.data.name}-{config.model['name']}-"
            named = [folder for folder in self.folders if folder.name.startswith(beginning)]

            def fits(its: Mapping[str, Any]) -> bool:
                return (*_names_of(its), *_place_of(its)) == wanted

            self._found[wanted] = _newest(named, fits, least_epochs=2) or _newest(named, fits)
        return self._found[wanted]


def _newest(folders: Iterable[Path], fits: Callable[[Mapping[str, Any]], bool], least_epochs: int = 0) -> list[Past]:
    """The newest finished runs in these folders whose recorded configuration fits, all on the device of the newest.

    Those with fewer epochs than `least_epochs` are left out, but for models that have none.
    """
    written = {path.parent: path.stat().st_mtime_ns for path in _results(folders)}
    found: list[Past] = []
    device = None
    for folder in sorted(written, key=lambda folder: written[folder], reverse=True)[:LOOKED_AT]:
        result = _result(folder)
        if result is None or not fits(result["config"]) or (device or result["device"]) != result["device"]:
            continue
        device = result["device"]
        timing, epochs = result["timing"], result["metrics"]["epochs"]
        if 0 < epochs < least_epochs:
            continue
        seconds = timing["seconds"] if timing["fit_seconds"] is None else timing["fit_seconds"]
        found.append(Past(folder, seconds, epochs))
        if len(found) == MOST:
            break
    return found


def _results(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders if exists(path := folder / "result.json")]


def _result(folder: Path) -> dict[str, Any] | None:
    """The result of a run; None if it is damaged: it says nothing about time, and the launch does not need it."""
    try:
        return read_result(folder)
    except FitbenchError:
        return None


def _place(config: Config) -> tuple[str, str]:
    """What a run is trained with."""
    return config.backend.value, config.device


def _place_of(config: Mapping[str, Any]) -> tuple[Any, Any]:
    """The same of a recorded configuration."""
    return config.get("backend"), config.get("device")


def _names_of(config: Mapping[str, Any]) -> tuple[Any, Any]:
    """The data and the model of a recorded configuration."""
    return config["data"].get("name"), config["model"].get("name")
