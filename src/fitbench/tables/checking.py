"""`fitbench table --check`: one seed of each row is trained anew, and compared with what is recorded of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fitbench.columns import Column, Note, column
from fitbench.columns import Table as Printed
from fitbench.config import Config, each_fold
from fitbench.errors import RequestError, SweepFailed
from fitbench.formats import print_as
from fitbench.record.folder import State
from fitbench.stderr import write_note
from fitbench.tables import launching
from fitbench.tables.committed import RunKey
from fitbench.tables.definition import FILE, ROUNDING, Row, Table
from fitbench.tables.measured import read_runs
from fitbench.tables.results_file import Record
from fitbench.tables.units import Unit
from fitbench.text import clean, counted, number

SUFFIX = "-check"  # of the study of the runs that are trained for the comparison
FIRST_FOLDS = (None, 0)  # of a seed, the run without folds or the first fold
SAME, WITHIN, DIFFERS, NOT_RECORDED = "the same", "within the tolerance", "differs", "nothing recorded"
CONFIRMED = (SAME, WITHIN, NOT_RECORDED)  # results after which the exit status is 0


@dataclass(frozen=True)
class Comparison:
    """A row, the record of one of its seeds, and that of the same run trained anew; None where there is none."""

    row: Row
    recorded: Record | None
    anew: Record | None

    @property
    def difference(self) -> float | None:
        """The new value less the recorded one, in the metric's own values."""
        if self.recorded is None or self.anew is None or self.recorded.value is None or self.anew.value is None:
            return None
        return self.anew.value - self.recorded.value

    @property
    def result(self) -> str:
        """How the values compare, or the state of the new run where it has not finished."""
        if self.recorded is None or self.anew is None:
            return NOT_RECORDED
        if self.difference is None:
            return self.anew.state
        if self.difference == 0:
            return SAME
        return WITHIN if abs(self.difference) <= self.row.measure.tolerance * (1 + ROUNDING) else DIFFERS

    @property
    def sentence(self) -> str:
        """The result with the difference in the unit of the row, as 'differs by 0.12, within the tolerance'."""
        if self.difference is None or self.result == SAME:
            reason = self.anew.reason if self.anew is not None else ""
            return self.result + (f" ({reason})" if reason and self.result != SAME else "")
        text = f"differs by {_amount(self.difference, self.row.measure.unit)}"
        return f"{text}, {WITHIN}" if self.result == WITHIN else text

    @property
    def hint(self) -> str:
        """What else differs from the record, where the values do: versions, threads, device and data."""
        if self.recorded is None or self.anew is None or self.difference in (None, 0):
            return ""
        return "; ".join(_differences(self.recorded, self.anew))


def check(
    table: Table, configurations: Mapping[str, Config], records: Sequence[Record], overrides: Sequence[str], format: str
) -> int:
    """Train the first seed of each row that has a finished record anew, and print how the values compare.

    The runs are recorded in the study STUDY-check, so nothing that is recorded changes. They compute with the recorded
    number of threads, unless the overrides state one. With folds, the first fold of the seed is trained.

    Args:
        table: the table.
        configurations: of each measured row by its label.
        records: those of its runs.
        overrides: further ones of the launch, such as `workers=2`.
        format: one of `formats.FORMATS`.

    Returns:
        the exit status: 1 if a value differs by more than the tolerance of its row, or a new run has none.

    Raises:
        RequestError: no run of these rows is finished, or an override would change the runs.
        SweepFailed: runs have failed.
    """
    recorded = _first_recorded(table, records)
    if not recorded:
        raise RequestError(f"{table.folder / FILE}: no run is finished, so there is nothing to compare; add --run")
    anew = _apart(table, recorded)
    composed = {label: config.model_copy(update={"study": anew.study}) for label, config in configurations.items()}
    outputs = Path(next(iter(composed.values())).outputs)
    write_note(f"one seed of {counted(len(anew.configurations), 'row')} is trained anew in {outputs / anew.study}")
    parts = _by_threads(anew, recorded, overrides)
    failures: list[str] = []
    for threads, part in parts.items():
        of_launch = [*overrides, "force=true", *([f"threads={threads}"] if threads else [])]
        try:
            if status := launching.train(part, composed, of_launch, _other_folds(part), own_process=len(parts) > 1):
                return status
        except SweepFailed as error:
            failures.append(str(error))
    comparisons = _compared(table, recorded, read_runs(anew, composed))
    _print(table, comparisons, format)
    if failures:
        raise SweepFailed("; ".join(failures))
    return int(any(each.result not in CONFIRMED for each in comparisons))


# -- what is trained --------------------------------------------------------------------------------------------------


def _first_recorded(table: Table, records: Sequence[Record]) -> dict[tuple[str, str], Record]:
    """The records of one seed by the keys of the rows: the first seed that has the most metrics of its row."""
    finished: dict[str, dict[int, dict[tuple[str, str], Record]]] = {}
    for record in records:
        if record.state == State.finished.value and record.fold in FIRST_FOLDS:
            of_seed = finished.setdefault(record.row, {}).setdefault(record.seed, {})
            of_seed[record.row, record.metric] = record
    labels = [row.label for row in table.configurations if row.label in finished]
    return {key: record for label in labels for key, record in max(finished[label].values(), key=len).items()}


def _apart(table: Table, recorded: Mapping[tuple[str, str], Record]) -> Table:
    """The recorded rows as a table with one seed each and a study of its own."""
    rows = tuple(replace(row, seeds=(recorded[row.key].seed,)) for row in table.rows if row.key in recorded)
    return replace(table, study=f"{table.study}{SUFFIX}", rows=rows)


def _by_threads(table: Table, recorded: Mapping[tuple[str, str], Record], overrides: Sequence[str]) -> dict[str, Table]:
    """The rows by the number of threads that their runs are trained with; '' where the launch decides."""
    stated = any(launching.key_of(override) == "threads" for override in overrides)
    rows: dict[str, list[Row]] = {}
    threads_of = {label: record.threads for (label, _), record in recorded.items()}
    for row in table.rows:
        rows.setdefault("" if stated else threads_of[row.label], []).append(row)
    return {threads: replace(table, rows=tuple(of_threads)) for threads, of_threads in rows.items()}


def _other_folds(table: Table) -> set[RunKey]:
    """The runs of the table that are not of the first fold."""
    return {
        (row.label, seed, fold)
        for row in table.rows
        for seed in row.seeds
        for fold in each_fold(row.folds)
        if fold not in FIRST_FOLDS
    }


# -- the comparison ---------------------------------------------------------------------------------------------------


def _compared(table: Table, recorded: Mapping[tuple[str, str], Record], records: Sequence[Record]) -> list[Comparison]:
    anew = {(record.row, record.metric): record for record in records if record.fold in FIRST_FOLDS}
    return [Comparison(row, recorded.get(row.key), anew.get(row.key)) for row in table.rows if row.measured]


def _differences(recorded: Record, anew: Record) -> list[str]:
    """What of versions, threads, device and data differs from the record, or is not recorded."""
    before, now = (set(record.versions.split(", ")) for record in (recorded, anew))
    pairs = {
        "versions": (", ".join(sorted(before - now)), ", ".join(sorted(now - before))),
        "threads": (recorded.threads, anew.threads),
        "device": (recorded.device, anew.device),
        "data": (recorded.data_sha256[:16], anew.data_sha256[:16]),
    }
    texts = [
        f"{name}: {here or 'none'} here, {there or 'none'} recorded"
        for name, (there, here) in pairs.items()
        if there != here and (there or name != "threads")
    ]
    return texts if recorded.threads else [*texts, "threads: not recorded"]


def _amount(difference: float, unit: Unit) -> str:
    """The size of a difference with two significant digits, in the unit of the row."""
    size = unit.scale * abs(difference)
    return f"{size:.2g}" if size < 99.5 else f"{size:.0f}"


def _print(table: Table, comparisons: Sequence[Comparison], format: str) -> None:
    columns = _columns(table, comparisons)
    numbers = Counter(each.result for each in comparisons)
    counts = ", ".join(f"{many} {result}" for result, many in numbers.items())
    notes = [Note(f"{counted(len(comparisons), 'row')}: {counts}.", "bold")]
    print_as(format, [Printed(f"{table.title}, one seed of each row trained anew", columns, notes)], columns)


def _columns(table: Table, comparisons: Sequence[Comparison]) -> list[Column]:
    def value(record: Record | None, row: Row) -> float | None:
        return None if record is None or record.value is None else row.measure.unit.number(record.value)

    def difference(one: Comparison) -> float | None:
        return None if one.difference is None else one.row.measure.unit.difference(one.difference)

    def cell(record: Record | None, row: Row) -> str:
        return number(value(record, row), row.digits)

    return [
        column("", comparisons, lambda one: clean(one.row.label), {"label": lambda one: one.row.label}, right=False,
               folded=True),
        column("metric", comparisons, lambda one: one.row.measure.heading,
               {"metric": lambda one: one.row.measure.name}, right=False, visible=len(table.measures) > 1,
               folded=True),
        column("seed", comparisons, lambda one: "-" if one.recorded is None else str(one.recorded.seed), {
            "seed": lambda one: one.recorded and one.recorded.seed,
            "fold": lambda one: one.recorded and one.recorded.fold,
        }),
        column("recorded", comparisons, lambda one: cell(one.recorded, one.row),
               {"recorded": lambda one: value(one.recorded, one.row)}),
        column("anew", comparisons, lambda one: cell(one.anew, one.row),
               {"anew": lambda one: value(one.anew, one.row)}),
        column("result", comparisons, lambda one: clean(one.sentence), {
            "difference": difference,
            "result": lambda one: one.result,
        }, right=False, folded=True),
        column("what else differs", comparisons, lambda one: clean(one.hint) or "-", {"hint": lambda one: one.hint},
               right=False, folded=True, visible=any(one.hint for one in comparisons)),
    ]  # fmt: skip
