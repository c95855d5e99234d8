"""What `fitbench table --dry-run` prints: for each row how many runs are in which state, and the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fitbench.columns import Column, column
from fitbench.columns import Table as Printed
from fitbench.config import Config
from fitbench.formats import print_as
from fitbench.launch.estimate import Estimate, Records, approximately
from fitbench.launch.plan import JobState, Plan, Planned, count
from fitbench.launch.plan_table import plan_notes
from fitbench.tables import launching
from fitbench.tables.definition import Row, Table
from fitbench.tables.measured import runs
from fitbench.text import clean


@dataclass(frozen=True)
class PlannedRow:
    """A row of a table, what a launch does with its runs, and how long it takes."""

    row: Row
    planned: list[Planned]
    estimate: Estimate

    @property
    def seconds(self) -> float | None:
        """The time of all runs to train, one after another; None where it cannot be estimated."""
        return None if self.estimate.unknown else self.estimate.seconds


def dry_run(table: Table, configurations: Mapping[str, Config], overrides: Sequence[str], format: str) -> int:
    """Print in one of `formats.FORMATS` what `fitbench table --run` would launch, and return the exit status.

    Raises:
        RequestError: as `launching.dry_run`.
    """
    return launching.dry_run(
        table, configurations, overrides, lambda whole: _print_plan(whole, table, configurations, format)
    )


def _print_plan(whole: Plan, table: Table, configurations: Mapping[str, Config], format: str) -> None:
    by_name = {each.job.folder.name: each for each in whole.planned}
    first = whole.planned[0].job
    records = Records(Path(first.config.outputs))
    rows = []
    for row in table.configurations:
        planned = [by_name[folder.name] for _, _, folder in runs(configurations[row.label], row)]
        rows.append(PlannedRow(row, planned, records.estimate(planned)))
    columns = _columns(rows)
    notes = plan_notes(whole, records.estimate(whole.planned))
    print_as(format, [Printed(str(first.folder.parent), columns, notes)], columns)


def _columns(rows: Sequence[PlannedRow]) -> list[Column]:
    present = {state for one in rows for state, number in count(one.planned).items() if number}
    return [
        column("", rows, lambda one: clean(one.row.label), {"label": lambda one: one.row.label}, right=False, key=True),
        column("runs", rows, lambda one: str(len(one.planned)), {"runs": lambda one: len(one.planned)}),
        *(_of_state(state, rows, visible=state in present) for state in JobState),
        column("time", rows, _time, {"seconds": lambda one: one.seconds}),
    ]


def _of_state(state: JobState, rows: Sequence[PlannedRow], visible: bool) -> Column:
    numbers = [count(one.planned)[state] for one in rows]
    cells = [str(number) if number else "-" for number in numbers]
    return Column(state, cells, values={state.replace(" ", "_"): numbers}, visible=visible)


def _time(one: PlannedRow) -> str:
    """Such as 'about 12 min'; '-' where nothing is trained, '?' where no similar run is recorded."""
    if not one.estimate.jobs:
        return "-"
    return "?" if one.seconds is None else approximately(one.seconds)
