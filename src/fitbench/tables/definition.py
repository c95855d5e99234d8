"""A published table: its claims, and the configurations that should reproduce them. `reading` reads table.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from fitbench import metrics
from fitbench.config import fold_overrides
from fitbench.metrics import Metric
from fitbench.tables.units import Unit

FILE = "table.yaml"
FOLDER = Path("experiments")
ROUNDING = 1e-9  # relative, that a difference may exceed a tolerance by: floats are rounded
CHOICES = ("source", "validation", "first guess")  # how an open setting of a row was chosen


@dataclass(frozen=True)
class Claim:
    """A published number or range, in the metric's own values.

    Attributes:
        printed: the number, the range, or the number with its deviation, with the digits of the source and in the unit
            of the table.
        low: the number, or the low end of the range.
        high: the number, or the high end of the range.
        lowest: the least value that is printed as `low`.
        highest: the largest value that is printed as `high`.
        test_examples: how many examples it was measured on.
        test_set: 'same' or 'other' than the test examples of our runs, or the first digits of the data's SHA-256.
        trainings: how many trainings it is the mean of.
        deviation: their standard deviation, None where the source states none.
    """

    printed: str
    low: float
    high: float
    lowest: float
    highest: float
    test_examples: int
    test_set: str = "same"
    trainings: int = 1
    deviation: float | None = None

    @property
    def digits(self) -> int:
        """Decimals of the printed numbers."""
        return max(len(part.partition(".")[2]) for part in self.printed.split())


@dataclass(frozen=True)
class Measure:
    """What a row states: a metric on a part of the data, in a unit.

    Attributes:
        metric: the metric.
        part: what it is measured on: 'test', 'val' or 'train'.
        unit: how it is stated.
        tolerance: the difference that does not matter, in the metric's own values.
    """

    metric: Metric
    part: str
    unit: Unit
    tolerance: float

    @property
    def name(self) -> str:
        """The name in `metrics` of result.json, as 'test_macro_f1'."""
        return metrics.join(self.part, self.metric.name)

    @property
    def heading(self) -> str:
        """The part and the metric with its unit, as in 'test macro F1, %'."""
        return f"{metrics.PARTS[self.part]} {self.unit.heading}"

    @property
    def printed_tolerance(self) -> str:
        """The tolerance in the unit, with six significant digits and without zeros at its end."""
        return f"{Decimal(f'{self.unit.scale * self.tolerance:.6g}'):f}"


@dataclass(frozen=True)
class Explanation:
    """The row with the same claim that explains why a row is better or worse.

    Attributes:
        label: of the other row.
        group: the name of the group of settings in which the two rows may differ, as 'the recipe of its source'.
        keys: the settings of the group: keys of the configuration, each with all that stands below it.
    """

    label: str
    group: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One row of a table: a claim about a metric of a configuration.

    A configuration of which several metrics are claimed has a row for each of them, with the same label and number.

    Attributes:
        number: the place in table.yaml, from 1.
        label: the name of the configuration.
        measure: what is stated.
        claim: None where the source states none.
        source, notes: of the claim.
        overrides: those of this row, in Hydra's syntax.
        seeds: those that are trained; they can be fewer than the table wants. A deterministic row has one seed.
        wanted: how many seeds the table asks for.
        deterministic: whether the seed cannot change the result.
        measured: whether it has runs. If not, it only quotes the claim, and has no configuration.
        folds: how many runs each seed has, whose mean is its value; None for a single run.
        cell: where it stands in a matrix: the names of its line and its column.
        explanation: the row that explains a verdict 'better' or 'worse'.
        chosen: how open settings were chosen: a key of the configuration, and a text that begins with one of `CHOICES`.
    """

    number: int
    label: str
    measure: Measure
    claim: Claim | None
    source: str
    notes: str
    overrides: tuple[str, ...]
    seeds: tuple[int, ...]
    wanted: int
    deterministic: bool
    measured: bool
    folds: int | None = None
    cell: tuple[str, str] | None = None
    explanation: Explanation | None = None
    chosen: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What no other row has: the label and the name of the metric."""
        return self.label, self.measure.name

    @property
    def runs_per_seed(self) -> int:
        """How many runs a seed has."""
        return self.folds or 1

    @property
    def digits(self) -> int:
        """Decimals of measured values: those of the unit, or those of the claim or the tolerance if they have more."""
        first_of_tolerance = -Decimal(self.measure.printed_tolerance).adjusted()
        of_claim = 0 if self.claim is None else self.claim.digits
        return max(self.measure.unit.digits, of_claim, first_of_tolerance)


@dataclass(frozen=True)
class Matrix:
    """How the rows of a table are laid out: lines down, columns across.

    Attributes:
        down, across: what lines and columns are, as 'network' and 'data set'.
        lines, columns: their names, in the order of table.yaml.
    """

    down: str
    across: str
    lines: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A published table. `config_dirs` are searched for configurations besides conf/."""

    folder: Path
    title: str
    about: str
    study: str
    overrides: tuple[str, ...]
    rows: tuple[Row, ...]
    matrix: Matrix | None = None
    config_dirs: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.resolve().name

    @property
    def measures(self) -> list[Measure]:
        """What the rows state, without repetition."""
        return list(dict.fromkeys(row.measure for row in self.rows))

    @property
    def heading(self) -> str:
        """The parts and the metrics with their units, as in 'validation and test macro F1, %'."""
        return heading(self.measures)

    @property
    def configurations(self) -> list[Row]:
        """A row for each configuration, in their order: the first one of each label that is measured."""
        return list({row.label: row for row in reversed(self.rows) if row.measured}.values())[::-1]

    def measures_of(self, label: str) -> list[Measure]:
        """What is stated of a configuration."""
        return [row.measure for row in self.rows if row.label == label]

    def overrides_of(self, row: Row) -> list[str]:
        """The overrides that a run of this row is launched with, without study, seed and fold.

        The row's own come after those of the table, and what makes folds comes last.
        """
        experiment = [override for override in row.overrides if override.startswith("+experiment=")]
        own = [override for override in row.overrides if override not in experiment]
        return [*experiment, *self.overrides, *own, *fold_overrides(row.folds)]


def heading(measures: Iterable[Measure]) -> str:
    """The parts and the metrics with their units, as in 'validation and test macro F1, %'."""
    parts: dict[str, dict[str, None]] = {}
    for measure in measures:
        parts.setdefault(measure.unit.heading, {})[metrics.PARTS[measure.part]] = None
    return "; ".join(f"{' and '.join(of_unit)} {unit}" for unit, of_unit in parts.items())
