"""`fitbench search`: this process, or workers, make the trials of a request."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fitbench import notebook
from fitbench.charts.search import write_plots
from fitbench.composition import by_folder, stop_clock
from fitbench.errors import FitbenchError
from fitbench.launch.job import cannot_write
from fitbench.launch.signals import Terminated, status_of, terminable
from fitbench.launch.workers import Lost, share
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.reading import has_test_part, read_result
from fitbench.record.trash import in_trash_of
from fitbench.stderr import write_note
from fitbench.trackers.opening import check_answers
from fitbench.tuning import folds
from fitbench.tuning.progress import SearchProgress
from fitbench.tuning.record import write_record
from fitbench.tuning.request import Request, read_request
from fitbench.tuning.study import Study, open_study, recorded_trials, trials_wanted
from fitbench.tuning.summary import ON_ALL, print_summary, train_commands
from fitbench.tuning.trial import work


@dataclass(frozen=True)
class Conclusion:
    """A search at the end of a launch, also of one that was interrupted.

    Attributes:
        folder: of the study.
        record: the content of search.json.
        drawn: the plots in that folder.
        best: the overrides of the best trial, with those of all trials; none without a finished trial.
        commands: what trains the best, as `train_commands` gives it.
    """

    folder: Path
    record: dict[str, Any]
    drawn: list[str]
    best: list[str]
    commands: dict[str, str]


def search(arguments: list[str]) -> int:
    """Run `fitbench search ARGUMENTS`; gives the exit status.

    Raises:
        FitbenchError: as `run_search`; or the folder of the study cannot be written.
    """
    try:
        run_search(arguments, _print)
    except (KeyboardInterrupt, Terminated) as stop:
        return status_of(stop)
    except OSError as error:
        raise FitbenchError(cannot_write(error)) from error
    return 0


def _print(conclusion: Conclusion) -> None:
    drawn = f"Drawn in {conclusion.folder}: {', '.join(conclusion.drawn)}" if conclusion.drawn else None
    print_summary(conclusion.record, conclusion.commands, drawn)


def run_search(arguments: list[str], report: Callable[[Conclusion], None]) -> None:
    """Make the trials that the search lacks.

    Args:
        arguments: overrides, and the options of `fitbench search`.
        report: called when the launch ends, also by an exception, once the study is open.

    Raises:
        FitbenchError: the request was wrong, the storage does not answer, or trial after trial has failed.
    """
    stop_clock()
    request = read_request(arguments)
    _check_trackers(request)
    study = open_study(request.settings, request.space, request.config, request.recipe.objectives)
    if not notebook.is_kernel():  # whose cell has the study in its result
        write_note(f"study {request.config.study} in {study.folder}")
    for text in filter(None, (request.repetition, in_trash_of(study.folder))):
        write_note(text)
    try:
        with terminable(), SearchProgress(study, request.config.progress):
            if request.config.workers == 1:
                work(study, request.recipe)
            else:
                pins = [*by_folder(request.config), f"study={study.folder.name}"]
                _share(study, [*arguments, *pins], request.config.workers)
    finally:
        report(_conclude(study, request))


def _check_trackers(request: Request) -> None:
    """Refuse a search that lacks trials and whose trackers do not answer now. Those that fail later end no trial.

    Raises:
        RequestError: one does not answer, is not installed, or lacks a setting.
    """
    if request.config.logger is None:
        return
    settings, space, config = request.settings, request.space, request.config
    known = settings.storage is None  # a database is not asked how many trials there are
    trials = recorded_trials(settings, space, config, request.recipe.objectives) if known else []
    if sum(trial.state.is_finished() for trial in trials) < trials_wanted(settings, space):
        check_answers(config, folder_of(config))


def _conclude(study: Study, request: Request) -> Conclusion:
    """Write search.json and the plots."""
    record = write_record(study, importances=True)
    drawn = write_plots(record, study.folder)
    if not record["best"]:
        return Conclusion(study.folder, record, drawn, [], {})
    chosen = request.space.overrides(record["trials"][record["best"][0]]["params"])
    of_folds = folds.overrides(request.settings)
    own = [word for word in request.recipe.overrides if word not in of_folds]
    best = [*own, *chosen]
    words = [*(f"--config-dir={folder}" for folder in request.config_dirs), *best]
    number = request.settings.folds
    on_all = number is not None and _is_tested(study, record) and request.recipe.composes([*words, *ON_ALL])
    commands = train_commands(words, request.config.study, number, on_all)
    return Conclusion(study.folder, record, drawn, best, commands)


def _is_tested(study: Study, record: dict[str, Any]) -> bool:
    """Whether the first run of the best trial is there and has a test part, which only folds can do without."""
    [run_id, *_] = record["trials"][record["best"][0]]["run_ids"]
    folder = study.folder / run_id
    return state_of(folder) is State.finished and has_test_part(read_result(folder))


# -- processes --------------------------------------------------------------------------------------------------------


def _share(study: Study, arguments: list[str], workers: int) -> None:
    """Let worker processes work on the search until it is over. A worker that is lost is replaced.

    A trial fails if its worker is lost twice and its runs have recorded no epoch between.

    Raises:
        FitbenchError: a worker gave up, or `search.max_failures` workers were lost and no trial has ended meanwhile.
    """
    tasks = deque([arguments] * workers)
    lost, ended = 0, study.ended()
    epochs: dict[int, int] = {}  # of trials whose worker was lost
    for _, outcome in share(partial(_work, study.began), tasks, workers):
        if isinstance(outcome, Lost):
            write_note(f"a worker {outcome.reason}")
            trial = study.trial_of(outcome.pid)
            if trial is not None:
                before = epochs.get(trial.number)
                epochs[trial.number] = study.epochs_of(trial)
                if before == epochs[trial.number]:
                    study.fail(trial, f"its worker {outcome.reason}, twice without an epoch between")
            before, ended = ended, study.ended()
            lost = lost + 1 if ended == before else 1
            if lost >= study.settings.max_failures:
                raise FitbenchError(f"a worker {outcome.reason}; no trial has ended since {lost} workers were lost")
            tasks.append(arguments)
        elif outcome is not None:
            raise FitbenchError(outcome)


def _work(began: float, arguments: list[str]) -> str | None:
    """Work on a search in a worker process; gives the error for which the worker gave up.

    Args:
        began: when the search was launched (seconds since the epoch).
        arguments: of the command.
    """
    try:
        request = read_request(arguments)
        study = open_study(request.settings, request.space, request.config, request.recipe.objectives)
        study.began = began
        work(study, request.recipe)
    except FitbenchError as error:
        return str(error)
    except OSError as error:
        return cannot_write(error)
    return None
