"""The runs of a table as one sweep over all of its rows and seeds: training what is missing, or what that would do."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench import selection
from fitbench.composition import quoted
from fitbench.config import NOT_IDENTITY, OF_ONE_RUN, Config, each_fold
from fitbench.errors import RequestError
from fitbench.record.files import write_whole
from fitbench.record.folder import State, state_of
from fitbench.tables.definition import FILE, Row, Table
from fitbench.tables.measured import has_value, runs

if TYPE_CHECKING:
    from fitbench.launch.plan import Plan


def train(table: Table, configurations: Mapping[str, Config], overrides: Sequence[str] = ()) -> int:
    """Launch every run of the table as one sweep, which skips finished runs; gives the exit status.

    The sweep prints to stderr. Nothing is launched if every run is finished and has the table's metric. The metric is
    added to those that the runs record.

    Raises:
        RequestError: an override would change the runs, or a configuration is wrong.
        SweepFailed: runs have failed.
    """
    with _arguments(table, configurations, overrides) as arguments:
        forced = any(_key(override) == "force" for override in overrides)
        if not forced and all(_finished(configurations[row.label], row) for row in table.rows if row.measured):
            sys.stderr.write("fitbench: every run of this table is finished\n")
            return 0
        from fitbench.launch.command import launch

        with contextlib.redirect_stdout(sys.stderr):
            return launch(arguments)


def dry_run(
    table: Table, configurations: Mapping[str, Config], overrides: Sequence[str], report_plan: Callable[[Plan], None]
) -> int:
    """Report what `train` would launch, and return the exit status. Nothing is written.

    Raises:
        RequestError: an override would change the runs, a configuration is wrong, or no row has runs.
    """
    from fitbench.launch import command

    if not any(row.measured for row in table.rows):
        raise RequestError(f"{table.folder / FILE}: no row is measured, so there is nothing to train")
    with _arguments(table, configurations, overrides) as arguments:
        return command.dry_run(arguments, report_plan)


@contextlib.contextmanager
def _arguments(table: Table, configurations: Mapping[str, Config], overrides: Sequence[str]) -> Iterator[list[str]]:
    """The arguments of `fitbench train` for all runs of the table; a file that they name is there in this block.

    Raises:
        RequestError: an override would change the runs.
    """
    for override in overrides:
        _check(override)
    jobs = [
        {"overrides": [*_overrides(table, row, configurations[row.label]), *_of_fold(fold)], "seeds": row.seeds}
        for row in table.configurations
        for fold in each_fold(row.folds)
    ]
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
    key = _key(override)
    if key == "hydra.searchpath":
        raise RequestError(f"{override}: not allowed here; use --config-dir DIR for a folder of configurations")
    if "=" not in override or not (key.startswith(("hydra.", "hydra/")) or key in NOT_IDENTITY):
        raise RequestError(
            f"{override}: would not launch the runs of this table; put what changes them into table.yaml; give only "
            f"hydra/launcher=.., hydra.*=.. or one of {', '.join(sorted(CHANGEABLE))} here"
        )
    if key in ELSEWHERE:
        raise RequestError(f"{override}: not allowed here; use --seeds or --outputs, or study or folds in table.yaml")


def _key(override: str) -> str:
    return override.split("=", 1)[0].lstrip("+~")


ELSEWHERE = (*OF_ONE_RUN, "study", "outputs")
CHANGEABLE = set(NOT_IDENTITY) - set(ELSEWHERE)


def _overrides(table: Table, row: Row, config: Config) -> list[str]:
    """The overrides of a row's runs, which record what the table states of them; `loss` is always recorded."""
    task = config.known_task
    selected = config.metrics if task is None else selection.resolved(config.metrics, task)
    names = dict.fromkeys(measure.metric.name for measure in table.measures_of(row.label))
    added = [f"metrics.{name}=null" for name in names if name not in selected and name != "loss"]
    return [*table.overrides_of(row), *added]


def _of_fold(fold: int | None) -> list[str]:
    return [] if fold is None else [f"fold={fold}"]


def _finished(config: Config, row: Row) -> bool:
    name = row.measure.name
    return all(state_of(folder) is State.finished and has_value(folder, name) for _, _, folder in runs(config, row))
