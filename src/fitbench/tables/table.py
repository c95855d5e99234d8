"""`fitbench table`: a published table, claimed beside measured, with a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fitbench.config import Config
from fitbench.errors import FitbenchError, RequestError
from fitbench.formats import EVERYTHING, FORMATS, Look
from fitbench.tables import checking, choosing, explaining, launching, planning, rendering
from fitbench.tables.committed import committed_runs, with_committed, with_kept
from fitbench.tables.composing import configurations
from fitbench.tables.definition import Table
from fitbench.tables.measured import read_runs
from fitbench.tables.options import Options
from fitbench.tables.outcome import outcomes
from fitbench.tables.reading import read
from fitbench.tables.results_file import Record
from fitbench.tables.sampling import with_deviations
from fitbench.text import check_format

OUTPUTS = Path("outputs")  # the default, which need not be there


def table(
    name: str,
    rows: Sequence[str] | None = None,
    seeds: int | None = None,
    outputs: Path = OUTPUTS,
    format: str = "table",
    overrides: Sequence[str] = (),
    config_dirs: Sequence[Path] = (),
    look: Look = EVERYTHING,
    **options: bool,
) -> int:
    """Print a table from the run folders and results.csv; gives the exit status.

    Args:
        name: the folder of the table, or its name below experiments/.
        rows: numbers, parts of labels or patterns, which select rows; None for all.
        seeds: how many seeds; None for those of the table.
        outputs: where runs are recorded.
        format: one of `formats.FORMATS`.
        overrides: further overrides of the launch, such as `workers=2`; none that changes the runs.
        config_dirs: folders that are searched for configurations, before that of the table.
        look: what people see of the table.
        options: see `Options`.

    Raises:
        RequestError: table.yaml or an option is wrong.
        FitbenchError: runs have failed, results.csv is damaged, or something cannot be written.
    """
    asked = Options(**options)
    check_format(format, FORMATS)
    asked.refuse_contradictions(format, look, rows, seeds, overrides)
    trained = asked.run or asked.dry_run or asked.check
    if not (trained or outputs == OUTPUTS or outputs.is_dir()):
        raise RequestError(f"--outputs {outputs}: there is no such folder; leave it out to see the committed results")
    folder = choosing.find(name)
    if asked.write:
        choosing.refuse_shipped(folder)
    whole = read(folder)
    whole = replace(whole, config_dirs=(*config_dirs, *whole.config_dirs))
    if look.columns is not None:
        rendering.chosen(whole, rendering.columns(whole, []), look.columns)
    view = _view(whole, rows, seeds, outputs, asked)
    wanted, composed = view.wanted, view.configurations
    if asked.check:
        return checking.check(wanted, composed, _records(view), overrides, format)
    launched = (asked.run or asked.dry_run) and not asked.anew
    left_out = committed_runs(wanted, composed) if launched else set()
    if asked.dry_run:
        return planning.dry_run(wanted, composed, overrides, format, left_out)
    if asked.run:
        try:
            if status := launching.train(wanted, composed, overrides, left_out):
                return status
        except RequestError:
            raise
        except FitbenchError as failure:  # runs have failed; the others count
            try:
                _show(view, format, look)
            except FitbenchError as error:
                raise FitbenchError(f"{failure}\n{error}") from failure
            raise
    _show(view, format, look)
    return 0


@dataclass(frozen=True)
class _View:
    """What of a table is shown, and where it is recorded.

    Attributes:
        wanted: the table with the rows and seeds that are asked for.
        needed: the same with the rows that explain others.
        configurations: of its measured rows, by their labels.
        asked: the options.
    """

    wanted: Table
    needed: Table
    configurations: Mapping[str, Config]
    asked: Options


def _view(table: Table, rows: Sequence[str] | None, seeds: int | None, outputs: Path, asked: Options) -> _View:
    whole = table if seeds is None else choosing.with_seeds(table, seeds)
    wanted = whole if rows is None else choosing.with_rows(whole, rows)
    needed = explaining.with_explaining(whole, wanted)
    return _View(wanted, needed, configurations(needed, outputs), asked)


def _records(view: _View) -> list[Record]:
    table, composed = view.needed, view.configurations
    records = with_deviations(table, read_runs(table, composed), composed)
    return records if view.asked.anew else with_committed(table, records, composed)


def _show(view: _View, format: str, look: Look) -> None:
    records = _records(view)
    wanted = {row.key for row in view.wanted.rows}
    results = [one for one in outcomes(view.needed, records) if one.row.key in wanted]
    rendering.print_table(view.wanted, results, format, look)
    if view.asked.write:
        from fitbench.tables.record import write_record

        write_record(view.wanted, with_kept(view.wanted, records, view.configurations))
