"""`fitbench search`: this process, or workers, make the trials of a request."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

from fitbench.charts.search import write_plots
from fitbench.composition import by_folder, stop_clock
from fitbench.errors import FitbenchError
from fitbench.launch.job import cannot_write
from fitbench.launch.signals import Terminated, status_of, terminable
from fitbench.launch.workers import Lost, share
from fitbench.record.folder import State, state_of
from fitbench.record.reading import has_test_part, read_result
from fitbench.record.trash import in_trash_of
from fitbench.search import folds
from fitbench.search.progress import SearchProgress
from fitbench.search.record import write_record
from fitbench.search.request import Request, read_request
from fitbench.search.study import Study, open_study
from fitbench.search.summary import ON_ALL, print_summary, train_commands
from fitbench.search.trial import work
from fitbench.stderr import write_note


def search(arguments: list[str]) -> int:
    """Run `fitbench search ARGUMENTS`; gives the exit status.

    Raises:
        FitbenchError: the request was wrong, the storage does not answer, or trial after trial has failed.
    """
    try:
        stop_clock()
        request = read_request(arguments)
        study = open_study(request.settings, request.space, request.config, request.recipe.objectives)
        write_note(f"study {request.config.study} in {study.folder}")
        if text := in_trash_of(study.folder):
            write_note(text)
        try:
            with terminable(), SearchProgress(study, request.config.progress):
                if request.config.workers == 1:
                    work(study, request.recipe)
                else:
                    pins = [*by_folder(request.config), f"study={study.folder.name}"]
                    _share(study, [*arguments, *pins], request.config.workers)
        finally:
            _conclude(study, request)
    except (KeyboardInterrupt, Terminated) as stop:
        return status_of(stop)
    except OSError as error:
        raise FitbenchError(cannot_write(error)) from error
    return 0


def _conclude(study: Study, request: Request) -> None:
    """Write search.json and the plots, and print the summary."""
    record = write_record(study, importances=True)
    drawn = write_plots(record, study.folder)
    commands: dict[str, str] = {}
    if record["best"]:
        chosen = request.space.overrides(record["trials"][record["best"][0]]["params"])
        of_folds = folds.overrides(request.settings)
        own = [word for word in request.recipe.overrides if word not in of_folds]
        words = [*(f"--config-dir={folder}" for folder in request.config_dirs), *own, *chosen]
        number = request.settings.folds
        on_all = number is not None and _is_tested(study, record) and request.recipe.composes([*words, *ON_ALL])
        commands = train_commands(words, request.config.study, number, on_all)
    print_summary(record, commands, f"Drawn in {study.folder}: {', '.join(drawn)}" if drawn else None)


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
