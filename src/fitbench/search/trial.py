"""One trial: the runs of its configuration, its value, and whether it is worth going on with."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from optuna.trial import TrialState

from fitbench.composition import Composer, explain
from fitbench.config import Config
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.job import recorded
from fitbench.launch.sweep import first_line
from fitbench.record.claims import Claimed
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import read_history
from fitbench.search.settings import Objective, Pruner, check_trial, objectives, pruner
from fitbench.search.study import StorageLost, Study, Turn, reaching

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"
WAIT_SECONDS = 1.0  # between two looks at a run that another process works on


@dataclass(frozen=True)
class Recipe:
    """How a trial's choices become a configuration: behind these overrides, with this study and folder."""

    composer: Composer
    overrides: Sequence[str]
    study: str
    threads: int | None  # of a run, unless its configuration says so itself

    def configuration(self, of_trial: Sequence[str]) -> Config:
        """The checked configuration of a trial's first run.

        Raises:
            RequestError: it does not compose.
        """
        try:
            config = self.composer.configuration([*self.overrides, *of_trial, f"study={self.study}"])
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise RequestError(explain(error)) from error
        threads = self.threads if self.threads is not None and config.threads == "auto" else config.threads
        return config.model_copy(update={"threads": threads, "progress": False})


@dataclass(frozen=True)
class Ended:
    """How a trial ended: with which values, or with which error."""

    state: TrialState
    values: list[float] | None
    error: str | None = None


def work(study: Study, recipe: Recipe) -> None:
    """Work on trials until the search is over.

    Raises:
        FitbenchError: too many trials in a row have failed, or the storage does not answer.
        OSError: run folders cannot be written. The trial at hand stays open.
    """
    while (turn := study.next()) is not None:
        with turn.claim:
            ended = run_trial(study, recipe, turn)
            study.note(turn.trial, error=ended.error)
            study.tell(turn.trial, ended.state, ended.values)


def run_trial(study: Study, recipe: Recipe, turn: Turn) -> Ended:
    """Train what the trial has chosen.

    Raises:
        StorageLost: the storage does not answer.
        OSError: its folder cannot be written.
    """
    wanted = objectives(study.settings)
    chosen = study.choose(turn.trial)
    try:
        first = recipe.configuration(study.space.overrides(chosen))
        check_trial(first, wanted)
        configs = [first.model_copy(update={"seed": (first.seed + i) % 2**32}) for i in range(study.settings.seeds)]
        study.note(turn.trial, run_ids=[folder_of(config).name for config in configs])
        values = []
        for i, config in enumerate(configs):
            judge = _Judge(study, turn.trial, wanted, reports=i == 0)
            result = _result(config, turn.trial.number, judge)
            if result is None:
                return Ended(TrialState.PRUNED, [wanted[0].best(judge.seen)])
            values.append([_value(one, result, config) for one in wanted])
    except (StorageLost, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - the trial has failed of it; error.txt has the traceback
        return Ended(TrialState.FAIL, None, first_line(error))
    return Ended(TrialState.COMPLETE, [statistics.fmean(of_one) for of_one in zip(*values, strict=True)])


class _Judge:
    """Reports the epochs of a trial's first run, and says after each of them whether the trial is pruned."""

    def __init__(self, study: Study, trial: optuna.Trial, wanted: Sequence[Objective], reports: bool) -> None:
        self.study = study
        self.trial = trial
        self.objective = wanted[0]
        self.reports = reports and len(wanted) == 1
        self.prunes = self.reports and pruner(study.settings) is not Pruner.none
        with reaching(study.settings):
            self.reported = set(study.study.get_trials(deepcopy=False)[trial.number].intermediate_values)
        self.last = max(self.reported, default=-1)
        self.seen: list[float] = []

    def __call__(self, epoch: dict[str, Any]) -> bool:
        """Whether the trial ends after this epoch."""
        value = self.objective.of_epoch(epoch)
        if not self.reports or value is None:
            return False
        self.seen.append(value)
        step = epoch["epoch"] - 1
        with reaching(self.study.settings):
            if step not in self.reported:
                self.trial.report(value, step)
            return self.prunes and step >= self.last and self.trial.should_prune()  # the epochs before it did survive


def _result(config: Config, number: int, judge: _Judge) -> dict[str, Any] | None:
    """The result of a run, recorded or trained now; None if it was pruned.

    A run that another process works on is waited for.
    """
    folder = folder_of(config)
    while True:
        result = recorded(config)
        if result is not None:
            for epoch in read_history(folder):
                judge(epoch)
            return result
        from fitbench.training.run import Trial, train

        try:
            with _logged(folder):
                return train(config, folder, Trial(number, judge))
        except Claimed:
            while state_of(folder) is State.running:
                time.sleep(WAIT_SECONDS)


@contextmanager
def _logged(folder: Path) -> Iterator[None]:
    """What the training logs in this block goes to the run's train.log, as it does where Hydra launches the run."""
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / "train.log", encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()


def _value(objective: Objective, result: dict[str, Any], config: Config) -> float:
    value = objective.of_result(result)
    if value is None:
        raise FitbenchError(f"{folder_of(config).name} has no {objective.name}")
    return float(value)
