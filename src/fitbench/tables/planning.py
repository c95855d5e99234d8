"""What `fitbench table --dry-run` prints: for each row how many runs are in which state, and the time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fitbench.columns import Column, Note, column
from fitbench.columns import Table as Printed
from fitbench.config import Config
from fitbench.formats import print_as
from fitbench.launch.estimate import Estimate, Records, approximately
from fitbench.launch.plan import JobState, Plan, Planned, count
from fitbench.launch.plan_table import plan_notes
from fitbench.record.folder import folder_of
from fitbench.tables import launching
from fitbench.tables.committed import RunKey
from fitbench.tables.definition import Row, Table
from fitbench.tables.measured import runs
from fitbench.text import clean


@dataclass(frozen=True)
class PlannedRow:
    """A row of a table, what a launch does with its runs, how many are left out, and how long it takes."""

    row: Row
    planned: list[Planned]
    committed: int
    estimate: Estimate

    @property
    def runs(self) -> int:
        """How many runs the row has."""
        return len(self.planned) + self.committed

    @property
    def seconds(self) -> float | None:
        """The time of all runs to train, one after another; None where it cannot be estimated."""
        return None if self.estimate.unknown else self.estimate.seconds


def dry_run(
    table: Table,
    configurations: Mapping[str, Config],
    overrides: Sequence[str],
    format: str,
    committed: Collection[RunKey] = (),
) -> int:
    """Print in one of `formats.FORMATS` what `fitbench table --run` would launch, and return the exit status.

    Args:
        table: the table.
        configurations: of each measured row by its label.
        overrides: further ones of the launch.
        format: how it is printed.
        committed: the runs that are left out because results.csv has them.

    Raises:
        RequestError: as `launching.dry_run`.
    """

    def report(whole: Plan) -> None:
        _print_plan(whole, table, configurations, format, committed)

    return launching.dry_run(table, configurations, overrides, report, committed)


def _print_plan(
    whole: Plan, table: Table, configurations: Mapping[str, Config], format: str, committed: Collection[RunKey]
) -> None:
    by_name = {each.job.folder.name: each for each in whole.planned}
    first = next(iter(configurations.values()))
    records = Records(Path(first.outputs))
    rows = []
    for row in table.configurations:
        of_row = runs(configurations[row.label], row)
        planned = [by_name[path.name] for seed, fold, path in of_row if (row.label, seed, fold) not in committed]
        rows.append(PlannedRow(row, planned, len(of_row) - len(planned), records.estimate(planned)))
    columns = _columns(rows)
    notes = plan_notes(whole, records.estimate(whole.planned)) if whole.planned else [Note("nothing to train", "")]
    if committed:
        notes.append(Note(launching.about_left_out(len(committed)), ""))
    print_as(format, [Printed(str(folder_of(first).parent), columns, notes)], columns)


def _columns(rows: Sequence[PlannedRow]) -> list[Column]:
    present = {state for one in rows for state, number in count(one.planned).items() if number}
    return [
        column("", rows, lambda one: clean(one.row.label), {"label": lambda one: one.row.label}, right=False, key=True),
        column("runs", rows, lambda one: str(one.runs), {"runs": lambda one: one.runs}),
        _of_state("committed", [one.committed for one in rows], visible=any(one.committed for one in rows)),
        *(
            _of_state(state, [count(one.planned)[state] for one in rows], visible=state in present)
            for state in JobState
        ),
        column("time", rows, _time, {"seconds": lambda one: one.seconds}),
    ]


def _of_state(state: str, numbers: list[int], visible: bool) -> Column:
    cells = [str(number) if number else "-" for number in numbers]
    return Column(state, cells, values={state.replace(" ", "_"): numbers}, visible=visible)


def _time(one: PlannedRow) -> str:
    """Such as 'about 12 min'; '-' where nothing is trained, '?' where no similar run is recorded."""
    if not one.estimate.jobs:
        return "-"
    return "?" if one.seconds is None else approximately(one.seconds)
