"""What `fitbench train --dry-run` prints: a table of the jobs, how many there are in each state, and the time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench.columns import Column, Note, Table, column, print_tables, selected, width
from fitbench.config import parse_run_id
from fitbench.launch.estimate import Estimate, Records
from fitbench.launch.plan import Plan, Planned, count, remarks
from fitbench.launch.summary import studies_of
from fitbench.text import clean, console, counted, is_number

if TYPE_CHECKING:
    from rich.console import Console

OTHER_LINES = 6  # the frame and the head of the table, how many more there are, and the next prompt
FEWEST = 5  # jobs in the table of a terminal, however low it is


def print_plan(plan: Plan) -> None:
    """Print the jobs of `fitbench train`, their states, and the estimated time."""
    out = console()
    planned = plan.planned
    title = studies_of(each.job.folder for each in planned)
    columns = [*_varying(planned), *_states(planned)]
    whole = _runs(planned)
    fits = not out.is_terminal or width([*columns, whole]) <= out.width
    columns.append(whole if fits else _short_runs(planned))
    outputs = dict.fromkeys(Path(each.job.config.outputs) for each in planned)
    notes = plan_notes(plan, Records(*outputs).estimate(planned))
    most = _most_rows(out, [title, *(note.text for note in notes)]) if out.is_terminal else len(planned)
    if (more := len(planned) - most) > 0:
        columns = selected(columns, range(most))
        notes = [Note(f"and {more:,} more; --dry-run | cat shows all"), *notes]
    print_tables(out, [Table(title, columns, notes)])


def _most_rows(out: Console, texts: Sequence[str]) -> int:
    """How many jobs a terminal has room for, so that all of the table and the texts around it are on the screen."""
    lines = sum(-(-max(len(text), 1) // out.width) for text in texts)
    return max(out.height - lines - OTHER_LINES, FEWEST)


def plan_notes(plan: Plan, estimate: Estimate) -> list[Note]:
    """What stands below a table of jobs: why some are refused, how many there are in each state, and the time."""
    refused = [f"refused: {_where(each)}" for each in plan.planned if each.error is not None]
    texts = [*refused, *_counts(plan.planned), estimate.text(plan.workers, plan.launcher)]
    return [Note(text, style="") for text in texts]


def _where(refused: Planned) -> str:
    """The folder of a job and why it is refused. A reason that begins with the folder, or its name, says it once."""
    folder, reason = refused.job.folder, str(refused.error)
    if reason.startswith(str(folder)):
        return reason
    return f"{folder.parent}/{reason}" if reason.startswith(folder.name) else f"{folder}: {reason}"


def _counts(planned: Sequence[Planned]) -> list[str]:
    """How many jobs there are, and in which states: '60 jobs: 12 finished, 2 failed, 46 new'. Then what is special."""
    numbers = ", ".join(f"{number:,} {state}" for state, number in count(planned).items() if number)
    skipped = sum(each.skipped for each in planned)
    special = [*([f"failed runs that retry_failed=false skips: {skipped}"] if skipped else []), *remarks(planned)]
    return [f"{counted(len(planned), 'job')}: {numbers}", *special]


def _varying(planned: Sequence[Planned]) -> list[Column]:
    """A column for each key of the overrides that has not the same value in all jobs."""
    values = [dict(_parted(override) for override in each.job.overrides) for each in planned]
    keys = dict.fromkeys(key for of_job in values for key in of_job)
    columns = []
    for key in keys:
        cells = [clean(of_job.get(key, "-")) for of_job in values]
        if len(set(cells)) > 1:
            columns.append(Column(clean(key), cells, right=all(map(is_number, cells)), key=True))
    return columns


def _parted(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+"), value


def _states(planned: Sequence[Planned]) -> list[Column]:
    return [
        column("state", planned, lambda each: each.state, right=False),
        column("epochs", planned, _epochs),
    ]


def _epochs(planned: Planned) -> str:
    """The epochs of a finished run, those of a new one, or '3 of 20'."""
    done, whole = planned.epochs_done(), planned.job.config.training.epochs
    if planned.epochs is not None:
        return str(done)
    return f"{done} of {whole}" if done else str(whole)


def _runs(planned: Sequence[Planned]) -> Column:
    return column("run", planned, lambda each: clean(each.job.folder.name), right=False, key=True)


def _short_runs(planned: Sequence[Planned]) -> Column:
    """The ends of the run_ids, which name the runs too: '1a2b3c4d-s0'."""
    return column("run", planned, lambda each: _end(each.job.folder.name), right=False, key=True)


def _end(run_id: str) -> str:
    name = parse_run_id(run_id)
    return run_id if name is None else name.short
