"""How long jobs will take, from recorded runs of the same configuration, or else of the same model and data."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fitbench.config import Config, parse_run_id
from fitbench.errors import FitbenchError
from fitbench.launch.plan import Planned
from fitbench.record.files import exists
from fitbench.record.folder import run_folders
from fitbench.record.reading import read_result
from fitbench.text import counted, rough_duration

MOST = 30  # recorded runs that the time of one run is estimated from, the newest
LOOKED_AT = 10 * MOST  # of which others were trained elsewhere


@dataclass(frozen=True)
class Past:
    """A finished run: its folder, the seconds that it took, those of them in training, and its epochs."""

    folder: Path
    seconds: float
    fit_seconds: float
    epochs: int

    def seconds_for(self, share: float) -> float:
        """The seconds that the run would have taken with this share of its epochs."""
        return self.seconds - self.fit_seconds * (1 - share)


@dataclass(frozen=True)
class Estimate:
    """The time of several runs, one after another.

    Attributes:
        seconds: of those runs that recorded ones tell about.
        longest: of them, seconds.
        jobs: how many runs are to be trained.
        unknown: how many of them no recorded run tells about.
        same: the recorded runs of the same configurations that it is made of.
        alike: those of the same model and data.
        at_most: whether early stopping may make it shorter.
    """

    seconds: float
    longest: float
    jobs: int
    unknown: int
    same: frozenset[Path]
    alike: frozenset[Path]
    at_most: bool

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
        sources = [(len(self.same), "the same configurations"), (len(self.alike), "the same model and data")]
        origin = " and ".join(f"{counted(number, 'recorded run')} of {kind}" for number, kind in sources if number)
        time = rough_duration(max(self.seconds / workers, self.longest))
        at_once = f" with workers={workers}" if workers > 1 else ""
        if launcher is not None:
            at_once = " of training, one run after another"
        known = f" for {self.jobs - self.unknown:,} of {self.jobs:,} runs" if self.unknown else ""
        rest = "; of the others nothing comparable is recorded" if self.unknown else ""
        return f"{'at most' if self.at_most else 'about'} {time}{known}{at_once}, from {origin}{rest}"


class Records:
    """The finished runs in an outputs folder, read as they are asked for."""

    def __init__(self, outputs: Path) -> None:
        self.by_config_id: dict[str, list[Path]] = defaultdict(list)
        self.folders: list[Path] = []
        for folder in map(Path, run_folders([str(outputs)], []) if exists(outputs) else ()):
            name = parse_run_id(folder.name)
            if name is not None and name.config_id is not None:
                self.by_config_id[name.config_id].append(folder)
                self.folders.append(folder)
        self.runs = cache(self._runs)

    def estimate(self, planned: Sequence[Planned]) -> Estimate:
        """The time of those jobs that a launch trains; an interrupted run counts with what remains of it."""
        seconds: list[float] = []
        same: set[Path] = set()
        alike: set[Path] = set()
        at_most, trained = False, [each for each in planned if each.trained]
        for each in trained:
            config, done = each.job.config, each.epochs_done()
            if runs := self._same(config, each.job.folder):
                shares = [1 - done / run.epochs if run.epochs else 1.0 for run in runs]
                same |= {run.folder for run in runs}
            elif runs := self._alike(config):
                to_do = config.training.epochs - done
                shares = [to_do / run.epochs if run.epochs else 1.0 for run in runs]
                alike |= {run.folder for run in runs}
                at_most = at_most or config.training.early_stopping is not None
            else:
                continue
            of_runs = [run.seconds_for(max(share, 0.0)) for run, share in zip(runs, shares, strict=True)]
            seconds.append(statistics.median(of_runs))
        unknown = len(trained) - len(seconds)
        longest = max(seconds, default=0.0)
        return Estimate(sum(seconds), longest, len(trained), unknown, frozenset(same), frozenset(alike), at_most)

    def _same(self, config: Config, folder: Path) -> list[Past]:
        """The runs of a configuration; `folder` is that of one of them."""
        name = parse_run_id(folder.name)
        assert name is not None
        return self.runs(name.config_id, "", _place(config))

    def _alike(self, config: Config) -> list[Past]:
        return self.runs(None, f"{config.data.name}-{config.model['name']}-", _place(config))

    def _runs(self, config_id: str | None, beginning: str, place: tuple[str, ...]) -> list[Past]:
        """The newest runs of a configuration, or those whose name has this beginning, on one device."""
        named = self.folders if config_id is None else self.by_config_id.get(config_id, [])
        written = {
            folder: (folder / "result.json").stat().st_mtime_ns
            for folder in named
            if folder.name.startswith(beginning) and exists(folder / "result.json")
        }
        found: list[Past] = []
        device = None
        for folder in sorted(written, key=lambda folder: written[folder], reverse=True)[:LOOKED_AT]:
            result = _result(folder, place, beginning)
            if result is None or (device or result["device"]) != result["device"]:
                continue
            device = result["device"]  # that of the newest run
            timing, epochs = result["timing"], result["metrics"]["epochs"]
            found.append(Past(folder, timing["seconds"], timing["fit_seconds"] or 0.0, epochs))
            if len(found) == MOST:
                break
        return found


def _place(config: Config) -> tuple[str, str]:
    """What a run is trained with."""
    return config.backend.value, config.device


def _result(folder: Path, place: tuple[str, ...], beginning: str) -> dict[str, Any] | None:
    """The result of a run with this backend and device setting, and this data and model; None of any other run."""
    try:
        result = read_result(folder)
    except FitbenchError:  # a damaged result says nothing about time, and the launch does not need it
        return None
    config = result["config"]
    names = f"{config['data'].get('name')}-{config['model'].get('name')}-"
    fits = (config.get("backend"), config.get("device")) == place and beginning in ("", names)
    return result if fits else None
