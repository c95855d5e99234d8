"""One trial: the runs of its configuration, its value, and whether it is pruned."""

from __future__ import annotations

import errno
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from fitbench.composition import Composer
from fitbench.config import Config
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.job import completed, recorded
from fitbench.launch.sweep_job import first_line
from fitbench.record.claims import Claimed
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import read_history
from fitbench.record.log import logged
from fitbench.tuning.folds import runs_of
from fitbench.tuning.objectives import Objective, check_trial, with_objectives
from fitbench.tuning.storage import StorageLost
from fitbench.tuning.study import Study, Turn

WAIT_SECONDS = 1.0  # between two checks of a run that another process works on
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
REFUSALS = (errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class Recipe:
    """How a trial's choices become a configuration.

    Attributes:
        composer: composes the configurations.
        overrides: those of every trial; the trial's own stand behind them.
        study: the name of the study.
        threads: of a run whose configuration has `auto`; None to leave that.
        objectives: the runs record their metrics.
    """

    composer: Composer
    overrides: Sequence[str]
    study: str
    threads: int | None
    objectives: list[Objective]

    def configuration(self, of_trial: Sequence[str]) -> Config:
        """The checked configuration of a trial's first run.

        Raises:
            RequestError: it does not compose.
        """
        config = self.composer.configuration([*self.overrides, *of_trial, f"study={self.study}"])
        threads = self.threads if self.threads is not None and config.threads == "auto" else config.threads
        selected = with_objectives(config.metrics, self.objectives)
        return config.model_copy(update={"threads": threads, "progress": False, "metrics": selected})

    def composes(self, words: Sequence[str]) -> bool:
        """Whether these overrides make a configuration; options among them do not count."""
        try:
            self.composer.configuration([word for word in words if not word.startswith("--")])
        except RequestError:
            return False
        return True


@dataclass(frozen=True)
class Ended:
    """How a trial ended: its state, and the values of its objectives or an error."""

    state: TrialState
    values: list[float] | None
    error: str | None = None


def work(study: Study, recipe: Recipe) -> None:
    """Work on trials until the search is over.

    Raises:
        FitbenchError: too many trials in a row have failed, or the storage does not answer.
        OSError: run folders cannot be written. The current trial stays open and is continued by the next launch.
    """
    while (turn := study.next()) is not None:
        with turn.claim:
            ended = run_trial(study, recipe, turn)
            study.note(turn.trial, error=ended.error)
            study.tell(turn.trial, ended.state, ended.values)


def run_trial(study: Study, recipe: Recipe, turn: Turn) -> Ended:
    """Train the configuration that the trial has chosen.

    A trial fails if an objective is undefined in one of its runs: such a trial is never better than another. So does
    one whose metric is defined otherwise than in earlier trials, such as a function of the user's that has changed.

    Raises:
        StorageLost: the storage does not answer.
        OSError: its folder cannot be written.
    """
    wanted = study.objectives
    chosen = study.choose(turn.trial)
    try:
        first = recipe.configuration(study.space.overrides(chosen))
        check_trial(first, wanted)
        configs = runs_of(first, study.settings)
        study.note(turn.trial, run_ids=[folder_of(config).name for config in configs])
        values = []
        for i, config in enumerate(configs):
            judge = _Judge(study, turn.trial, reports=i == 0)
            result = _result(config, turn.trial.number, judge)
            if result is None:
                return Ended(TrialState.PRUNED, [wanted[0].best(judge.values)])
            values.append([_value(study, objective, result, config) for objective in wanted])
    except StorageLost:
        raise
    except Exception as error:
        if isinstance(error, OSError) and _stops_recording(error, study.folder):
            raise
        return Ended(TrialState.FAIL, None, first_line(error))  # error.txt has the traceback
    means = [statistics.fmean(of_objective) for of_objective in zip(*values, strict=True)]
    return Ended(TrialState.COMPLETE, means)


def _stops_recording(error: OSError, folder: Path) -> bool:
    """Whether an error says that the study's folder cannot be written: its disk is full or broken, or it is read-only.

    An error of `open` names its file, an error of `write` names none.
    """
    if isinstance(error.filename, str | bytes):
        path = Path(os.fsdecode(error.filename)).absolute()
        return error.errno in (*DISK_ERRORS, *REFUSALS) and path.is_relative_to(folder.absolute())
    return error.errno in DISK_ERRORS


class _Judge:
    """Reports the epochs of a trial's first run, and decides after each of them whether the trial is pruned.

    `values` are those of the objective, epoch by epoch. An epoch without a value, where the metric is undefined, is not
    reported: it neither improves a trial nor prunes it.
    """

    def __init__(self, study: Study, trial: optuna.Trial, reports: bool) -> None:
        self.study = study
        self.trial = trial
        self.objective = study.objectives[0]
        self.reports = reports and len(study.objectives) == 1
        self.steps = set(study.trials()[trial.number].intermediate_values)
        self.last = max(self.steps, default=-1)
        self.values: list[float] = []

    def __call__(self, epoch: dict[str, Any]) -> bool:
        """Whether the trial ends after this epoch."""
        value = self.objective.of_epoch(epoch)
        if not self.reports or value is None:
            return False
        self.values.append(value)
        step = epoch["epoch"] - 1
        with self.study.reaching():
            if step not in self.steps:
                self.trial.report(value, step)
            return step >= self.last and self.trial.should_prune()  # earlier epochs have survived


def _result(config: Config, number: int, judge: _Judge) -> dict[str, Any] | None:
    """The result of a run, recorded or trained now; None if it was pruned.

    A run that another process works on is waited for. A recorded run that lacks a metric is evaluated.
    """
    folder = folder_of(config)
    while True:
        result = recorded(config)
        try:
            if result is not None:
                for epoch in read_history(folder):
                    judge(epoch)
                return completed(config, result)
            from fitbench.training.run import Trial, train

            with logged(folder):
                return train(config, folder, Trial(number, judge), needs_trackers=False)
        except Claimed:
            while state_of(folder) is State.running:
                time.sleep(WAIT_SECONDS)


def _value(study: Study, objective: Objective, result: dict[str, Any], config: Config) -> float:
    """The value of an objective in a finished run.

    Raises:
        FitbenchError: the run lacks it, it is undefined, or its metric is defined otherwise than in earlier trials.
    """
    name, run = objective.name, folder_of(config).name
    if not objective.recorded_in(result):
        raise FitbenchError(f"{run} has no {name}")
    if (value := objective.of_result(result)) is None:
        raise FitbenchError(f"{name} is undefined in {run} (null in result.json)")
    if objective.metric is not None:
        definition = result["metric_info"][objective.metric.name]["definition"]
        if definition != (earlier := study.definition(objective.metric.name, definition)):
            advice = (
                f"; search.objective=val_{result['primary']} compares them" if objective.metric.name == "loss" else ""
            )
            raise FitbenchError(
                f"{name} is defined as {definition!r} in {run}, and as {earlier!r} in earlier trials{advice}"
            )
    return float(value)
