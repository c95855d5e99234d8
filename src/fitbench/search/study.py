"""The study of a search in Optuna's storage: its identity, its trials, and which process works on which trial.

Optuna stores the trials. The claims in the study's folder (`.search/`) record which process works on a trial, as the
claims of runs do. A trial whose process has died is `running` in the storage and is not claimed; the next process that
looks for work continues it. So a search may have any number of processes, and each may be killed at any moment.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, GridSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from fitbench.config import NOT_IDENTITY, Config, plain, with_former_names
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.signals import in_one_piece
from fitbench.record.claims import Claimed, claim, claimed
from fitbench.record.files import write_whole
from fitbench.search.objectives import Objective, objectives, pruner
from fitbench.search.settings import Pruner, Sampler, Settings
from fitbench.search.space import Params, Space

JOURNAL = "search.journal"
CLAIMS = ".search"
DEFINITIONS = "definitions"  # an attribute of the study
DEAD_LOCK_SECONDS = 10  # after which the journal's lock is taken from a process that was killed with it
POLL_SECONDS = 0.02
WAIT_SECONDS = 0.5  # between two checks of trials that other processes work on
WARMUP_EPOCHS = 1  # before the median pruner looks

optuna.logging.set_verbosity(optuna.logging.ERROR)


class StorageLost(FitbenchError):
    """The storage stopped answering; no trial has failed of that."""


@dataclass(frozen=True)
class Turn:
    """A trial to work on, new or begun earlier. `claim` is held until it is closed."""

    trial: optuna.Trial
    claim: contextlib.ExitStack


@dataclass
class Study:
    """A search that is open in this process."""

    study: optuna.Study
    storage: BaseStorage
    folder: Path  # of the study: outputs/<study>
    settings: Settings
    space: Space
    objectives: list[Objective]
    epochs: int  # of a run, at most
    where: str  # names these claims: trials that were begun on other outputs, in the same storage, are not touched
    began: float = field(default_factory=time.time)

    @property
    def claims(self) -> Path:
        """Where trials are claimed."""
        return self.folder / CLAIMS

    def trials(self) -> list[FrozenTrial]:
        """All trials, by number."""
        with reaching(self.settings):
            return self.study.get_trials(deepcopy=False)

    def ended(self) -> int:
        """How many trials have ended."""
        return sum(trial.state.is_finished() for trial in self.trials())

    def next(self) -> Turn | None:
        """The next trial for this process; None if the search, or the time of this launch, is over.

        While other processes work on the last trials it waits, because they may be killed.
        """
        while True:
            with locked(self.claims):
                trials = self.trials()
                if self.over(trials):
                    return None
                for begun in trials:
                    here = begun.state is TrialState.RUNNING and begun.user_attrs.get("where", self.where) == self.where
                    if here and (claim := self._claimed(begun.number)) is not None:
                        with reaching(self.settings):
                            if self.storage.get_trial(begun._trial_id).state.is_finished():  # meanwhile
                                claim.close()
                                continue
                            self._draw_for(begun.number)
                            return Turn(optuna.Trial(self.study, begun._trial_id), claim)
                asked_for = [trial.number for trial in trials if trial.state is TrialState.WAITING]  # of Optuna itself
                if asked_for or len(trials) < self.wanted():
                    with reaching(self.settings):
                        self._draw_for(min(asked_for, default=len(trials)))
                        trial = self.study.ask()
                        trial.set_user_attr("where", self.where)
                    self.choose(trial)
                    new = self._claimed(trial.number)
                    assert new is not None  # no other process has seen it yet
                    return Turn(trial, new)
            time.sleep(WAIT_SECONDS)

    def wanted(self) -> int:
        """How many trials the search has in the end."""
        if self.settings.sampler is not Sampler.grid:
            return self.settings.trials
        return min(self.settings.trials, int(np.prod([len(values) for values in self.space.grid().values()])))

    def over(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether this launch begins no more trials.

        Raises:
            FitbenchError: too many trials have failed in a row.
        """
        last = self.failed_in_a_row(trials)
        if len(last) >= self.settings.max_failures:
            why = last[-1].user_attrs.get("error", "of unknown causes")
            raise FitbenchError(f"{len(last)} trials in a row have failed (search.max_failures), the last: {why}")
        late = self.settings.timeout is not None and time.time() - self.began > self.settings.timeout
        return late or sum(trial.state.is_finished() for trial in trials) >= self.wanted()

    def failed_in_a_row(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """The last trials that ended since this launch began, as far as they failed."""
        ended = [
            trial for trial in trials if trial.datetime_complete and trial.datetime_complete.timestamp() > self.began
        ]
        ended.sort(key=lambda trial: trial.datetime_complete or 0)
        last: list[FrozenTrial] = []
        for trial in reversed(ended):
            if trial.state is not TrialState.FAIL:
                break
            last.insert(0, trial)
        return last

    def choose(self, trial: optuna.Trial) -> Params:
        """The choices of a trial. Those that a killed process has made stay."""
        with reaching(self.settings):
            return self.space.suggest(trial, lambda index: self._draw_for(trial.number, index + 1))

    def note(self, trial: optuna.Trial, **attributes: Any) -> None:
        """Store attributes of a trial that has not ended."""
        with reaching(self.settings), contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            for key, value in attributes.items():
                trial.set_user_attr(key, value)

    def tell(self, trial: optuna.Trial, state: TrialState, values: Sequence[float] | None) -> None:
        """Store how a trial ended. The value of a pruned trial is its best.

        If another process took the trial over and stored its end first, that stays.
        """
        with reaching(self.settings), contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            number = self.storage.get_trial_id_from_study_id_trial_number(self.study._study_id, trial.number)
            self.storage.set_trial_state_values(number, state, values)

    def definitions(self) -> dict[str, str]:
        """The definitions of the objectives' metrics in the runs of this study, by the metrics' names."""
        with reaching(self.settings):
            return self.study.user_attrs.get(DEFINITIONS, {})

    def definition(self, name: str, definition: str) -> str:
        """The definition of a metric in the first run of this study. If there was none yet, it is this one."""
        if name not in self.definitions():
            with locked(self.claims), reaching(self.settings):
                if name not in (stored := self.definitions()):
                    self.study.set_user_attr(DEFINITIONS, {**stored, name: definition})
        return self.definitions()[name]

    def is_claimed(self, number: int) -> bool:
        """Whether a process works on a running trial."""
        return claimed(self.claims / str(number))

    def _draw_for(self, number: int, draw: int = 0) -> None:
        """Set the sampler up for one draw of a trial, with random numbers of its own."""
        self.study.sampler = _sampler(self.settings, self.space, number, draw)

    def _claimed(self, number: int) -> contextlib.ExitStack | None:
        """A claim of this trial for this process; None if another process has it."""
        folder = self.claims / str(number)
        folder.mkdir(exist_ok=True)
        held = contextlib.ExitStack()
        held.callback(_remove_empty, folder)
        try:
            held.enter_context(claim(folder))
        except (Claimed, FileNotFoundError):  # or it has just been released, and the folder removed
            return None
        return held


def open_study(settings: Settings, space: Space, config: Config) -> Study:
    """The study of this search, created if it does not exist. `config` is what its trials have in common.

    Raises:
        RequestError: the storage holds a search of another space or objective; the message has the difference.
        FitbenchError: the storage cannot be reached or read, or the sampler needs what is not installed.
    """
    _sampler(settings, space)  # it may refuse the space
    folder = Path(config.outputs) / config.study
    new = not folder.exists()
    (folder / CLAIMS).mkdir(parents=True, exist_ok=True)
    try:
        return _open(settings, space, config, folder)
    except FitbenchError:
        if new:
            _remove_empty(folder / CLAIMS / "lock", folder / CLAIMS, folder)
        raise


def _open(settings: Settings, space: Space, config: Config, folder: Path) -> Study:
    wanted = objectives(settings, config)
    with locked(folder / CLAIMS), reaching(settings):
        storage = _storage(settings, folder)
        study = optuna.create_study(
            storage=storage,
            study_name=config.study,
            directions=[StudyDirection[objective.direction.upper()] for objective in wanted],
            pruner=_pruner(settings, wanted, config.training.epochs),
            load_if_exists=True,
        ) if not _exists(storage, config.study) else optuna.load_study(
            study_name=config.study, storage=storage, pruner=_pruner(settings, wanted, config.training.epochs)
        )  # fmt: skip
        now = identity(settings, space, config)
        recorded = study.user_attrs.get("search")
        if recorded is None:
            study.set_user_attr("search", now)
        elif differences := _differences(recorded, now):
            raise RequestError(
                f"study {config.study} is another search already: {'; '.join(differences)}. "
                "Nothing was changed; study=NAME makes a search of its own"
            )
        drawn = {"sampler": settings.sampler.value, "seed": settings.seed, "pruner": pruner(settings, wanted).value}
        for key, value in {**drawn, "optuna": optuna.__version__}.items():
            if study.user_attrs.get(key) != value:
                study.set_user_attr(key, value)
        where = _where(folder / CLAIMS)
    return Study(study, storage, folder, settings, space, wanted, config.training.epochs, where)


def _where(claims: Path) -> str:
    """The permanent name of this folder of claims."""
    path = claims / "where"
    if not path.exists():
        write_whole(path, uuid.uuid4().hex)
    return path.read_text()


def _remove_empty(*folders: Path) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # it is not empty, or in use
            folder.rmdir()


def _exists(storage: BaseStorage, name: str) -> bool:
    try:
        storage.get_study_id_from_name(name)
    except KeyError:
        return False
    return True


def identity(settings: Settings, space: Space, config: Config) -> dict[str, Any]:
    """The identity of a search as JSON: space, objectives, seeds, and what its trials have in common.

    For an objective of the user's own it has the entry of the configuration, too.
    """
    wanted = objectives(settings, config)
    own = {
        objective.metric.name: config.metrics[objective.metric.name]
        for objective in wanted
        if objective.metric is not None and config.metrics.get(objective.metric.name) is not None
    }
    parts = {
        "space": space.described(),
        "objective": {objective.name: objective.direction for objective in wanted},
        "seeds": settings.seeds,
        "configuration": _common(config, space),
        **({"metrics": own} if own else {}),
    }
    return json.loads(json.dumps(parts))


def _common(config: Config, space: Space) -> dict[str, Any]:
    """The configuration that the trials have in common, by dotted key, without what the space decides."""
    keys = [parameter.key.replace("/", ".") for parameter in space.parameters]
    excluded = [*keys, *(key for key in NOT_IDENTITY if key != "seed")]
    values = plain(config)
    values["model"] = with_former_names(values["model"])  # a search of an earlier version stays the same search
    return {
        key: value
        for key, value in _flat(values).items()
        if not any(key == other or key.startswith(f"{other}.") for other in excluded)
    }


def _flat(values: Any, key: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {key: values}
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{key}.{name}" if key else str(name))
    return flat


def _differences(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Where the recorded search and this one differ, as 'KEY is A there and B here'."""
    old, new = _flat(recorded), _flat(now)
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]

    def text(values: dict[str, Any], key: str) -> str:
        return json.dumps(values[key]) if key in values else "absent"

    return [f"{key} is {text(old, key)} there and {text(new, key)} here" for key in changed[:6]] + (
        [f"and {len(changed) - 6} more"] if len(changed) > 6 else []
    )


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


@contextlib.contextmanager
def reaching(settings: Settings) -> Iterator[None]:
    """In this block errors of the storage become one line that names it.

    Raises:
        StorageLost: it cannot be reached, or cannot be read.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError, ImportError) as error:
        cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
        lines = str(cause or error).strip().splitlines() or [type(error).__name__]
        raise StorageLost(f"search.storage={_shown(settings.storage)} does not answer: {lines[0]}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StorageLost(f"{JOURNAL} in the study's folder is damaged: {error}") from error


def _shown(url: str | None) -> str:
    """A storage's URL without its password."""
    from sqlalchemy.engine import make_url

    return JOURNAL if url is None else make_url(url).render_as_string(hide_password=True)


class _Journal(JournalFileBackend):
    """Optuna's journal, without the half of a line that a full disk or a power cut can leave at its end."""

    def __init__(self, path: Path) -> None:
        lock = JournalFileSymlinkLock(str(path), grace_period=DEAD_LOCK_SECONDS)
        super().__init__(str(path), lock)
        self.path = path
        with self._lock_of_file():
            self._cut()

    @contextlib.contextmanager
    def _lock_of_file(self) -> Iterator[None]:
        with in_one_piece():  # Ctrl-C would leave Optuna's lock behind
            self._lock.acquire()
            try:
                yield
            finally:
                self._lock.release()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append lines: all of them or, if that fails, none."""
        try:
            with in_one_piece():
                super().append_logs(logs)
        except OSError:
            with self._lock_of_file():
                self._cut()
            raise

    def _cut(self) -> None:
        """Remove what follows the last whole line."""
        with self.path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            at = size
            while at > 0:
                at = max(at - 4096, 0)
                file.seek(at)
                newline = file.read(min(4096, size - at)).rfind(b"\n")
                if newline >= 0:
                    at += newline + 1
                    break
            if at < size:
                file.truncate(at)


def _storage(settings: Settings, folder: Path) -> BaseStorage:
    if settings.storage is None:
        return JournalStorage(_Journal(folder / JOURNAL))
    return RDBStorage(settings.storage, engine_kwargs={"pool_pre_ping": True})


def _sampler(settings: Settings, space: Space, number: int = 0, draw: int = 0) -> BaseSampler:
    """The sampler for one draw of a trial: its random numbers depend on the search's seed and on these numbers alone.

    Raises:
        RequestError: the space does not suit it, or it needs what is not installed.
    """
    seed = int(np.random.SeedSequence([settings.seed, number, draw]).generate_state(1)[0])
    if settings.sampler is Sampler.random:
        return RandomSampler(seed=seed)
    if settings.sampler is Sampler.grid:
        return GridSampler(space.grid(), seed=settings.seed)
    if settings.sampler is Sampler.gp:
        if find_spec("torch") is None:
            raise RequestError("search.sampler=gp needs PyTorch: pip install torch")
        return GPSampler(seed=seed, n_startup_trials=settings.startup_trials)
    return TPESampler(seed=seed, n_startup_trials=settings.startup_trials, constant_liar=True)


def _pruner(settings: Settings, wanted: Sequence[Objective], epochs: int) -> BasePruner:
    chosen = pruner(settings, wanted)
    if chosen is Pruner.median:
        return MedianPruner(n_startup_trials=5, n_warmup_steps=WARMUP_EPOCHS)
    if chosen is Pruner.hyperband:
        return HyperbandPruner(min_resource=1, max_resource=max(epochs, 1))
    return NopPruner()
