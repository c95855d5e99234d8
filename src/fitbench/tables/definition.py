"""A published table: its claims, and the configurations that should reproduce them. `reading` reads table.yaml."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from fitbench import metrics
from fitbench.config import fold_overrides
from fitbench.config.errors import nearest
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.tables.units import Unit

FILE = "table.yaml"
FOLDER = Path("experiments")


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


@dataclass(frozen=True)
class Row:
    """One row of a table.

    `claim` is None where the source states none. `overrides` are those of this row, in Hydra's syntax. `seeds` are
    trained; they can be fewer than the table wants. A deterministic row has one seed. A row that is not `measured` has
    no configuration: it only quotes the claim. `part` is what the metric is measured on: 'test', 'val' or 'train'. With
    `folds`, each seed has so many runs, and its value is their mean.
    """

    label: str
    claim: Claim | None
    source: str
    notes: str
    overrides: tuple[str, ...]
    seeds: tuple[int, ...]
    wanted: int
    deterministic: bool
    measured: bool
    part: str = "test"
    folds: int | None = None

    @property
    def runs_per_seed(self) -> int:
        """How many runs a seed has."""
        return self.folds or 1


@dataclass(frozen=True)
class Table:
    """A published table.

    `metric` is stated in `unit`, on `part` unless a row says that it is on another one. `tolerance` is the difference
    that does not matter, in the metric's own values. `config_dirs` are searched for configurations besides conf/.
    """

    folder: Path
    title: str
    about: str
    study: str
    metric: Metric
    part: str
    unit: Unit
    tolerance: float
    overrides: tuple[str, ...]
    rows: tuple[Row, ...]
    config_dirs: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.resolve().name

    @property
    def parts(self) -> list[str]:
        """What the parts are called that the rows are measured on, as in ['test', 'validation']."""
        return [metrics.PARTS[part] for part in dict.fromkeys(row.part for row in self.rows)]

    @property
    def heading(self) -> str:
        """The parts and the metric with its unit, as in 'test macro F1, %'."""
        return f"{' and '.join(self.parts)} {self.unit.heading}"

    def recorded_name(self, row: Row) -> str:
        """The name of a row's metric in `metrics` of result.json, as in 'test_macro_f1'."""
        return metrics.join(row.part, self.metric.name)

    def overrides_of(self, row: Row) -> list[str]:
        """The overrides that a run of this row is launched with, without study, seed and fold.

        The row's own come after those of the table, and what makes folds comes last.
        """
        experiment = [override for override in row.overrides if override.startswith("+experiment=")]
        own = [override for override in row.overrides if override not in experiment]
        return [*experiment, *self.overrides, *own, *fold_overrides(row.folds)]


# -- which table, which part of it ------------------------------------------------------------------------------------


def find(name: str) -> Path:
    """The folder of a table: its path, the path of its table.yaml, or its name below experiments/.

    Raises:
        RequestError: there is no such table.
    """
    for folder in (Path(name), Path(name).parent if Path(name).name == FILE else FOLDER / name):
        if (folder / FILE).is_file():
            return folder
    if "=" in name:
        raise RequestError(f"{name}: the folder of a table is expected here; overrides follow it, after --run")
    names = sorted(path.parent.name for path in FOLDER.glob(f"*/{FILE}"))
    near = nearest(Path(name).name, names, f"{FOLDER}/")
    raise RequestError(f"{name}: no {FILE} there" + (near or f"; there are {', '.join(names) or 'none'} in {FOLDER}"))


def part(table: Table, rows: str | None, seeds: int | None) -> Table:
    """The table with those rows whose labels contain one of the texts (with commas between them), and fewer seeds.

    Raises:
        RequestError: no row fits a text, or there are not so many seeds.
    """
    chosen = table.rows if rows is None else _with_labels(table, rows)
    if seeds is not None:
        most = max(row.wanted for row in table.rows)
        if not 1 <= seeds <= most:
            raise RequestError(f"--seeds is {seeds}; {table.folder / FILE} has 1 to {most}")
        chosen = tuple(replace(row, seeds=row.seeds[:seeds], wanted=min(row.wanted, seeds)) for row in chosen)
    return replace(table, rows=chosen)


def _with_labels(table: Table, rows: str) -> tuple[Row, ...]:
    texts = [text.strip().casefold() for text in rows.split(",") if text.strip()]
    if not texts:
        raise RequestError("--rows is empty; give a part of a label, or several with commas between them")
    for text in texts:
        if not any(text in row.label.casefold() for row in table.rows):
            labels = "\n  ".join(row.label for row in table.rows)
            raise RequestError(f"--rows: {text!r} is in no label of {table.folder / FILE}; there are\n  {labels}")
    return tuple(row for row in table.rows if any(text in row.label.casefold() for text in texts))
