"""`fitbench table`: a published table, claimed beside measured, with a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fitbench.analysis.studies import OF_SCRIPTS
from fitbench.config import Config
from fitbench.errors import FitbenchError, RequestError
from fitbench.formats import FORMATS
from fitbench.tables import choosing, launching, planning, rendering
from fitbench.tables.composing import configurations
from fitbench.tables.definition import Table
from fitbench.tables.measured import read_runs, with_committed
from fitbench.tables.outcome import outcomes
from fitbench.tables.reading import read
from fitbench.tables.sampling import with_deviations
from fitbench.text import check_format


def table(
    name: str,
    run: bool = False,
    write: bool = False,
    rows: Sequence[str] | None = None,
    seeds: int | None = None,
    outputs: Path = Path("outputs"),
    format: str = "table",
    overrides: Sequence[str] = (),
    config_dirs: Sequence[Path] = (),
    dry_run: bool = False,
    caption: bool = True,
    notes: bool = True,
) -> int:
    """Print a table from the run folders; gives the exit status.

    Args:
        name: the folder of the table, or its name below experiments/.
        run: train what is missing first.
        write: bring README.md, results.csv and the plot beside table.yaml up to date.
        rows: numbers, parts of labels or patterns, which select rows; None for all.
        seeds: how many seeds; None for those of the table.
        outputs: where runs are recorded.
        format: one of `formats.FORMATS`.
        overrides: further overrides of the launch, such as `workers=2`; none that changes the runs.
        config_dirs: folders that are searched for configurations, before that of the table.
        dry_run: print what `run` would launch, and write nothing.
        caption, notes: whether the title stands above the table, and the notes below it, in a format for people.

    Raises:
        RequestError: table.yaml or an option is wrong.
        FitbenchError: runs have failed, or something cannot be written.
    """
    check_format(format, FORMATS)
    if format in OF_SCRIPTS and not (caption and notes):
        raise RequestError(f"--no-caption and --no-notes are for people's formats; --format is {format}")
    if not (run or dry_run) and overrides:
        raise RequestError(f"{overrides[0]} is for what --run launches; add --run")
    if write and dry_run:
        raise RequestError("--dry-run writes nothing; leave out --write")
    if write and (rows is not None or seeds is not None):
        raise RequestError("--write records the whole table; leave out --rows and --seeds")
    wanted = choosing.part(read(choosing.find(name)), rows, seeds)
    wanted = replace(wanted, config_dirs=(*config_dirs, *wanted.config_dirs))
    composed = configurations(wanted, outputs)
    if dry_run:
        return planning.dry_run(wanted, composed, overrides, format)
    if run:
        try:
            if status := launching.train(wanted, composed, overrides):
                return status
        except RequestError:
            raise
        except FitbenchError:  # runs have failed; the others count
            _show(wanted, composed, format, write, caption, notes)
            raise
    _show(wanted, composed, format, write, caption, notes)
    return 0


def _show(
    table: Table, configurations: Mapping[str, Config], format: str, write: bool, caption: bool, notes: bool
) -> None:
    records = with_committed(table, with_deviations(table, read_runs(table, configurations), configurations))
    rendering.print_table(table, outcomes(table, records), format, caption, notes)
    if write:
        from fitbench.tables.record import write_record

        write_record(table, records)
