"""The study of a search: its trials, and which process works on which of them.

Optuna stores the trials. The claims in the study's folder (`.search/`) record which process works on a trial, as the
claims of runs do. A trial whose process has died is `running` in the storage and is not claimed; the next process that
looks for work continues it. So a search may have any number of processes, and each may be killed at any moment.
"""

from __future__ import annotations

import contextlib
import math
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from fitbench.config import Config
from fitbench.errors import FitbenchError, RequestError
from fitbench.record.claims import Claimed, claim, holder
from fitbench.record.files import exists, make_folder, read_bytes, write_whole
from fitbench.record.history import read_history
from fitbench.tuning.identity import differences, identity
from fitbench.tuning.objectives import Objective
from fitbench.tuning.pruning import create_pruner
from fitbench.tuning.samplers import create_sampler
from fitbench.tuning.settings import Sampler, Settings
from fitbench.tuning.space import Params, Space
from fitbench.tuning.storage import JOURNAL, open_storage, reaching, read_journal

CLAIMS = ".search"
IDENTITY, DEFINITIONS = "search", "definitions"  # attributes of the study
POLL_SECONDS = 0.02
WAIT_SECONDS = 0.5  # between two checks of trials that other processes work on


@dataclass(frozen=True)
class Turn:
    """A trial to work on, new or begun earlier. `claim` is held until it is closed."""

    trial: optuna.Trial
    claim: contextlib.ExitStack


@dataclass
class Study:
    """A search that is open in this process.

    Attributes:
        study: Optuna's study.
        folder: of the runs: outputs/<study>.
        settings, space, objectives: of the search.
        where: names the claims in this folder. Trials that were begun on other outputs, in the same storage, have
            another name and are not touched.
        began: when this launch began (seconds since the epoch).
    """

    study: optuna.Study
    folder: Path
    settings: Settings
    space: Space
    objectives: list[Objective]
    where: str
    began: float = field(default_factory=time.time)

    @property
    def claims(self) -> Path:
        """Where trials are claimed."""
        return self.folder / CLAIMS

    def reaching(self) -> contextlib.AbstractContextManager[None]:
        """A block in which errors of the database become `StorageLost`."""
        return reaching(self.settings.storage)

    def trials(self) -> list[FrozenTrial]:
        """All trials, by number."""
        with self.reaching():
            return self.study.get_trials(deepcopy=False)

    def ended(self) -> int:
        """How many trials have ended."""
        return sum(trial.state.is_finished() for trial in self.trials())

    # -- work ---------------------------------------------------------------------------------------------------------

    def next(self) -> Turn | None:
        """The next trial for this process; None if the search, or the time of this launch, is over.

        While other processes work on the last trials it waits, because they may be killed.

        Raises:
            FitbenchError: too many trials have failed in a row.
        """
        while True:
            with locked(self.claims):
                trials = self.trials()
                if self.over(trials):
                    return None
                turn = self._abandoned(trials) or self._new(trials)
            if turn is not None:
                return turn
            time.sleep(WAIT_SECONDS)

    def wanted(self) -> int:
        """How many trials the search has in the end."""
        return trials_wanted(self.settings, self.space)

    def over(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether this launch begins no more trials.

        Raises:
            FitbenchError: too many trials have failed in a row.
        """
        failed = self._last_failed(trials)
        if len(failed) >= self.settings.max_failures:
            why = failed[0].user_attrs.get("error", "of unknown causes")
            raise FitbenchError(f"{len(failed)} trials in a row have failed (search.max_failures), the last: {why}")
        late = self.settings.timeout is not None and time.time() - self.began > self.settings.timeout
        return late or sum(trial.state.is_finished() for trial in trials) >= self.wanted()

    def _last_failed(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """The trials since this launch began that failed and after which none ended otherwise, the last first."""
        ends = [(trial.datetime_complete.timestamp(), trial) for trial in trials if trial.datetime_complete]
        ended = sorted((end for end in ends if end[0] > self.began), key=lambda end: end[0], reverse=True)
        return [trial for _, trial in takewhile(lambda end: end[1].state is TrialState.FAIL, ended)]

    def _abandoned(self, trials: Sequence[FrozenTrial]) -> Turn | None:
        """A trial of this folder that was begun and that no process works on."""
        for begun in trials:
            here = begun.state is TrialState.RUNNING and begun.user_attrs.get("where", self.where) == self.where
            if here and (held := self._claimed(begun.number)) is not None:
                with self.reaching():
                    if not self.study._storage.get_trial(begun._trial_id).state.is_finished():
                        self._draw_for(begun.number)
                        return Turn(optuna.Trial(self.study, begun._trial_id), held)
                held.close()  # it has ended in the meantime
        return None

    def _new(self, trials: Sequence[FrozenTrial]) -> Turn | None:
        """A new trial, or one that somebody has asked Optuna for; None if there are enough."""
        waiting = [trial.number for trial in trials if trial.state is TrialState.WAITING]
        if not waiting and len(trials) >= self.wanted():
            return None
        with self.reaching():
            self._draw_for(min(waiting, default=len(trials)))
            trial = self.study.ask()
            trial.set_user_attr("where", self.where)
        self.choose(trial)
        held = self._claimed(trial.number)
        assert held is not None  # no other process has seen it yet
        return Turn(trial, held)

    def _claimed(self, number: int) -> contextlib.ExitStack | None:
        """A claim of this trial for this process; None if another process has it."""
        folder = self.claims / str(number)
        make_folder(folder)
        held = contextlib.ExitStack()
        held.callback(_remove_empty, folder)
        try:
            held.enter_context(claim(folder))
        except (Claimed, FileNotFoundError):  # or it has just been released, and the folder removed
            return None
        return held

    def trial_of(self, pid: int) -> FrozenTrial | None:
        """The trial that a process of this machine has claimed; None if there is none."""
        running = (trial for trial in self.trials() if trial.state is TrialState.RUNNING)
        return next((trial for trial in running if holder(self.claims / str(trial.number)) == pid), None)

    def epochs_of(self, trial: FrozenTrial) -> int:
        """How many epochs the runs of a trial have recorded."""
        return sum(len(read_history(self.folder / name)) for name in trial.user_attrs.get("run_ids", []))

    def fail(self, begun: FrozenTrial, error: str) -> None:
        """End a trial whose process is dead, unless another process works on it by now."""
        held = self._claimed(begun.number)
        if held is not None:
            with held:
                trial = optuna.Trial(self.study, begun._trial_id)
                self.note(trial, error=error)
                self.tell(trial, TrialState.FAIL, None)

    # -- one trial ----------------------------------------------------------------------------------------------------

    def choose(self, trial: optuna.Trial) -> Params:
        """The choices of a trial. Those that a killed process has made stay.

        Raises:
            FitbenchError: the sampler needs a package that cannot be imported.
        """
        try:
            with self.reaching():
                return self.space.suggest(trial, lambda index: self._draw_for(trial.number, index + 1))
        except ImportError as error:
            raise FitbenchError(f"search.sampler={self.settings.sampler.value} cannot be used: {error}") from error

    def _draw_for(self, number: int, draw: int = 0) -> None:
        """Set the sampler up for one draw of a trial, with random numbers of its own."""
        self.study.sampler = create_sampler(self.settings, self.space, number, draw)

    def note(self, trial: optuna.Trial, **attributes: Any) -> None:
        """Store attributes of a trial that has not ended."""
        with self.reaching(), contextlib.suppress(UpdateFinishedTrialError):
            for key, value in attributes.items():
                trial.set_user_attr(key, value)

    def tell(self, trial: optuna.Trial, state: TrialState, values: Sequence[float] | None) -> None:
        """Store how a trial ended. The value of a pruned trial is its best.

        If another process took the trial over and stored its end first, that stays.
        """
        with self.reaching(), contextlib.suppress(UpdateFinishedTrialError):
            self.study._storage.set_trial_state_values(trial._trial_id, state, values)

    # -- the definitions of metrics -----------------------------------------------------------------------------------

    def definitions(self) -> dict[str, str]:
        """The definitions of the objectives' metrics in the runs of this study, by the metrics' names."""
        with self.reaching():
            return self.study.user_attrs.get(DEFINITIONS, {})

    def definition(self, name: str, definition: str) -> str:
        """The definition of a metric in the first run of this study. If there was none yet, it is this one."""
        if name not in self.definitions():
            with locked(self.claims), self.reaching():
                if name not in (stored := self.definitions()):
                    self.study.set_user_attr(DEFINITIONS, {**stored, name: definition})
        return self.definitions()[name]


def trials_wanted(settings: Settings, space: Space) -> int:
    """How many trials a search has in the end.

    Raises:
        RequestError: the sampler goes through all values of the space, which has an interval.
    """
    if settings.sampler is not Sampler.grid:
        return settings.trials
    return min(settings.trials, math.prod(len(values) for values in space.grid().values()))


def recorded_trials(settings: Settings, space: Space, config: Config, wanted: list[Objective]) -> list[FrozenTrial]:
    """The trials of this search as its journal has them, by number; none if there is no such study.

    Nothing is written. The arguments are those of `open_study`. There must be no database.

    Raises:
        RequestError: the journal holds a search of another space or objective; the message has the difference.
        StorageLost: it cannot be read.
    """
    folder = Path(config.outputs) / config.study
    if not exists(folder / JOURNAL):
        return []
    try:
        study = optuna.load_study(study_name=config.study, storage=read_journal(folder))
    except KeyError:  # the process that began it was killed before it wrote a whole line
        return []
    _check_identity(study, identity(settings.seeds, space, config, wanted))
    return study.get_trials(deepcopy=False)


def open_study(settings: Settings, space: Space, config: Config, wanted: list[Objective]) -> Study:
    """The study of this search, created if it does not exist.

    Args:
        settings, space: of the search.
        config: what its trials have in common.
        wanted: the objectives.

    Raises:
        RequestError: the storage holds a search of another space or objective; the message has the difference. Or the
            sampler does not suit the space, or the storage or the sampler needs what is not installed.
        StorageLost: the storage cannot be reached or read.
        OSError: the study's folder cannot be written.
    """
    create_sampler(settings, space)  # it may refuse the space
    folder = Path(config.outputs) / config.study
    new = not folder.exists()
    (folder / CLAIMS).mkdir(parents=True, exist_ok=True)
    try:
        return _open(settings, space, config, wanted, folder)
    except FitbenchError:
        if new:
            _remove_empty(folder / CLAIMS / "lock", folder / CLAIMS, folder)
        raise


def _open(settings: Settings, space: Space, config: Config, wanted: list[Objective], folder: Path) -> Study:
    with locked(folder / CLAIMS), reaching(settings.storage):
        storage = open_storage(settings.storage, folder)
        about: Any = {"study_name": config.study, "storage": storage}
        about["pruner"] = create_pruner(settings, wanted, _most_epochs(space, config))
        try:
            study = optuna.load_study(**about)
        except KeyError:
            directions = [StudyDirection[objective.direction.upper()] for objective in wanted]
            study = optuna.create_study(**about, directions=directions)
        now = identity(settings.seeds, space, config, wanted)
        _check_identity(study, now)
        if IDENTITY not in study.user_attrs:
            study.set_user_attr(IDENTITY, now)
        where = _where(folder / CLAIMS)
    return Study(study, folder, settings, space, wanted, where)


def _most_epochs(space: Space, config: Config) -> int:
    """The most epochs that a trial can have, where the space chooses them."""
    ends = [parameter.ends() for parameter in space.parameters if parameter.key == "training.epochs"]
    return max([config.training.epochs, *(end for each in ends for end in each if isinstance(end, int))])


def _check_identity(study: optuna.Study, now: dict[str, Any]) -> None:
    if changed := differences(study.user_attrs.get(IDENTITY, now), now):
        raise RequestError(
            f"study {study.study_name} is another search already: {'; '.join(changed)}. "
            "Nothing was changed; study=NAME makes a search of its own"
        )


def _where(claims: Path) -> str:
    """The permanent name of this folder of claims."""
    path = claims / "where"
    if not path.exists():
        write_whole(path, uuid.uuid4().hex)
    return read_bytes(claims, path.name, 1000).decode(errors="replace")


def _remove_empty(*folders: Path) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # it is not empty, or in use
            folder.rmdir()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the search's lock: at most one process at a time looks for work or creates the study."""
    lock = folder / "lock"
    lock.mkdir(exist_ok=True)
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(claim(lock))
                break
            except Claimed:
                time.sleep(POLL_SECONDS)
        yield
