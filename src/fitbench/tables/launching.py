"""The runs of a table as one sweep over all of its rows and seeds: training what is missing, or what that would do."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.composition import quoted
from fitbench.config import NOT_IDENTITY, OF_ONE_RUN, Config, config_id, each_fold
from fitbench.errors import FitbenchError, RequestError, SweepFailed
from fitbench.record.files import write_whole
from fitbench.stderr import write_note
from fitbench.tables.committed import RunKey
from fitbench.tables.composing import overrides_of_runs
from fitbench.tables.definition import FILE, Table
from fitbench.tables.measured import is_measured, runs
from fitbench.tables.results_file import FILE as RESULTS
from fitbench.text import counted

if TYPE_CHECKING:
    from fitbench.launch.plan import Plan


def train(
    table: Table,
    configurations: Mapping[str, Config],
    overrides: Sequence[str] = (),
    left_out: Collection[RunKey] = (),
    own_process: bool = False,
) -> int:
    """Launch the runs of the table as one sweep, which skips finished runs; gives the exit status.

    The sweep prints to stderr. Nothing is launched if every run is finished and has the table's metric. The metric is
    added to those that the runs record. The runs `left_out` are not launched. In a process of its own the sweep may
    compute with another number of threads than this process.

    Raises:
        RequestError: an override would change the runs, or a configuration is wrong.
        SweepFailed: runs have failed.
    """
    jobs = _jobs(table, configurations, left_out)
    with _arguments(table, configurations, overrides, jobs) as arguments:
        if left_out:
            write_note(about_left_out(len(left_out)))
        forced = any(key_of(override) == "force" for override in overrides)
        if not jobs or not (forced or _any_to_train(table, configurations, left_out)):
            write_note("every run of this table is finished")
            return 0
        return _launch_elsewhere(arguments) if own_process else _launch(arguments)


def _launch(arguments: list[str]) -> int:
    from fitbench.launch.command import launch

    with contextlib.redirect_stdout(sys.stderr):
        return launch(arguments)


def _launch_elsewhere(arguments: list[str]) -> int:
    """Launch a sweep in a process of its own.

    Raises:
        SweepFailed: runs have failed, or the process has ended before the sweep.
    """
    from fitbench.launch.signals import Terminated, status_of, terminable
    from fitbench.launch.workers import Lost, share

    try:
        with terminable():
            [(_, outcome)] = share(_launch_or_explain, deque([arguments]), 1)
    except (KeyboardInterrupt, Terminated) as stop:
        return status_of(stop)
    if isinstance(outcome, int):
        return outcome
    raise SweepFailed(f"the process of the sweep {outcome.reason}" if isinstance(outcome, Lost) else outcome)


def _launch_or_explain(arguments: list[str]) -> int | str:
    """The exit status of a sweep, or its error, because an exception would end a worker."""
    try:
        return _launch(arguments)
    except FitbenchError as error:
        return str(error)


def dry_run(
    table: Table,
    configurations: Mapping[str, Config],
    overrides: Sequence[str],
    report_plan: Callable[[Plan], None],
    left_out: Collection[RunKey] = (),
) -> int:
    """Report what `train` would launch, and return the exit status. Nothing is written.

    The plan has no jobs if all runs are left out.

    Raises:
        RequestError: an override would change the runs, a configuration is wrong, or no row has runs.
    """
    from fitbench.launch import command, plan

    if not any(row.measured for row in table.rows):
        raise RequestError(f"{table.folder / FILE}: no row is measured, so there is nothing to train")
    jobs = _jobs(table, configurations, left_out)
    with _arguments(table, configurations, overrides, jobs) as arguments:
        if jobs:
            return command.dry_run(arguments, report_plan)
        report_plan(plan.Plan([]))
        return 0


def about_left_out(number: int) -> str:
    """What is said of so many runs that results.csv has, and that are therefore not trained."""
    return (
        f"{counted(number, 'run')} {'is' if number == 1 else 'are'} in {RESULTS} and not trained; --anew trains them "
        "too"
    )


def _jobs(table: Table, configurations: Mapping[str, Config], left_out: Collection[RunKey]) -> list[dict[str, Any]]:
    """The runs of the table but for those left out: the overrides of several jobs, and their seeds."""
    metrics: dict[str, dict[str, None]] = {}  # of rows with one configuration, which share their runs
    for row in table.rows:
        if row.measured:
            metrics.setdefault(config_id(configurations[row.label]), {})[row.measure.metric.name] = None
    jobs = []
    for row in table.configurations:
        config = configurations[row.label]
        for fold in each_fold(row.folds):
            if seeds := [seed for seed in row.seeds if (row.label, seed, fold) not in left_out]:
                overrides = [*overrides_of_runs(table, row, config, metrics[config_id(config)]), *_of_fold(fold)]
                jobs.append({"overrides": overrides, "seeds": seeds})
    return jobs


@contextlib.contextmanager
def _arguments(
    table: Table, configurations: Mapping[str, Config], overrides: Sequence[str], jobs: Sequence[Mapping[str, Any]]
) -> Iterator[list[str]]:
    """The arguments of `fitbench train` for these jobs of the table; a file that they name is there in this block.

    Raises:
        RequestError: an override would change the runs.
    """
    for override in overrides:
        _check(override)
    outputs = next((config.outputs for config in configurations.values()), "")
    with tempfile.TemporaryDirectory(prefix="fitbench-") as folder:
        path = Path(folder) / "jobs.json"
        write_whole(path, json.dumps(jobs))
        places = [quoted(f"file://{folder.absolute()}") for folder in table.config_dirs]
        yield [
            "-m",
            *overrides,
            f"hydra.sweeper.jobs={quoted(str(path))}",
            *([f"hydra.searchpath=[{','.join(places)}]"] if places else []),
            f"study={table.study}",
            f"outputs={quoted(outputs)}",
        ]


def _check(override: str) -> None:
    key = key_of(override)
    if key == "hydra.searchpath":
        raise RequestError(f"{override}: not allowed here; use --config-dir DIR for a folder of configurations")
    if "=" not in override or not (key.startswith(("hydra.", "hydra/")) or key in NOT_IDENTITY):
        raise RequestError(
            f"{override}: would not launch the runs of this table; put what changes them into table.yaml; give only "
            f"hydra/launcher=.., hydra.*=.. or one of {', '.join(sorted(CHANGEABLE))} here"
        )
    if key in ELSEWHERE:
        raise RequestError(f"{override}: not allowed here; use --seeds or --outputs, or study or folds in table.yaml")


def key_of(override: str) -> str:
    """The key that an override sets."""
    return override.split("=", 1)[0].lstrip("+~")


ELSEWHERE = (*OF_ONE_RUN, "study", "outputs")
CHANGEABLE = set(NOT_IDENTITY) - set(ELSEWHERE)


def _of_fold(fold: int | None) -> list[str]:
    return [] if fold is None else [f"fold={fold}"]


def _any_to_train(table: Table, configurations: Mapping[str, Config], left_out: Collection[RunKey]) -> bool:
    """Whether a run is not measured as its row is, and is not left out."""
    return any(
        (row.label, seed, fold) not in left_out and not is_measured(folder, row.measure.name, configurations[row.label])
        for row in table.rows
        if row.measured
        for seed, fold, folder in runs(configurations[row.label], row)
    )
