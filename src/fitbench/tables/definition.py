"""table.yaml: published claims, and the configurations that should reproduce them."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fitbench import metrics
from fitbench.config import NAME
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.record.reading import is_number
from fitbench.tables import units
from fitbench.tables.metric import DEFAULT, find_metric
from fitbench.tables.units import Unit, unit_of

FILE = "table.yaml"
FOLDER = Path("experiments")
NONE_STATED = "none stated"


@dataclass(frozen=True)
class Claim:
    """A published number or range, in the metric's own values.

    Attributes:
        printed: the number, or the range, with the digits of the source and in the unit of the table.
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

    `claim` is None where the source states none. `overrides` are those of this row, as Hydra has them; `seeds` those
    that are trained, which can be fewer than the table wants. A deterministic row has one seed. A row that is not
    `measured` has no configuration: it only quotes.
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


@dataclass(frozen=True)
class Table:
    """A published table.

    `metric` is that of `part`, 'test', 'val' or 'train', and is stated in `unit`. `tolerance` is the difference that
    does not matter, in the metric's own values.
    """

    folder: Path
    title: str
    about: str
    study: str
    part: str
    metric: Metric
    unit: Unit
    tolerance: float
    overrides: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.resolve().name

    @property
    def recorded_name(self) -> str:
        """The metric's name in `metrics` of result.json, as in 'test_macro_f1'."""
        return metrics.join(self.part, self.metric.name)

    @property
    def heading(self) -> str:
        """The part and the metric with its unit, as in 'test macro F1, %'."""
        return f"{metrics.PARTS[self.part]} {self.unit.heading}"

    def overrides_of(self, row: Row) -> list[str]:
        """The overrides that a run of this row is launched with, without study and seed. The row's own come last."""
        experiment = [override for override in row.overrides if override.startswith("+experiment=")]
        return [*experiment, *self.overrides, *(override for override in row.overrides if override not in experiment)]


# -- which table, which part of it ------------------------------------------------------------------------------------


def find(name: str) -> Path:
    """The folder of a table: its path, the path of its table.yaml, or its name below experiments/.

    Raises:
        RequestError: there is no such table.
    """
    for folder in (Path(name), Path(name).parent if Path(name).name == FILE else FOLDER / name):
        if (folder / FILE).is_file():
            return folder
    known = sorted(path.parent.name for path in FOLDER.glob(f"*/{FILE}"))
    near = difflib.get_close_matches(Path(name).name, known, n=1)
    hint = f"did you mean {FOLDER / near[0]}?" if near else f"there are {', '.join(known) or 'none'} in {FOLDER}"
    raise RequestError(f"{name}: no {FILE} there; {hint}")


def part(table: Table, rows: str | None, seeds: int | None) -> Table:
    """The table with those rows whose labels contain one of the texts (with commas between them), and fewer seeds.

    Raises:
        RequestError: no row fits a text, or there are not so many seeds.
    """
    chosen = table.rows
    if rows is not None:
        texts = [text.strip().casefold() for text in rows.split(",") if text.strip()]
        fits = [[row for row in table.rows if text in row.label.casefold()] for text in texts]
        for text, found in zip(texts, fits, strict=True):
            if not found:
                labels = "\n  ".join(row.label for row in table.rows)
                raise RequestError(f"--rows: {text!r} is in no label of {table.folder / FILE}; there are\n  {labels}")
        chosen = tuple(row for row in table.rows if any(row in found for found in fits))
        if not chosen:
            raise RequestError("--rows is empty; give a part of a label, or several with commas between them")
    if seeds is not None:
        most = max(row.wanted for row in table.rows)
        if not 1 <= seeds <= most:
            raise RequestError(f"--seeds is {seeds}; {table.folder / FILE} has 1 to {most}")
        chosen = tuple(replace(row, seeds=row.seeds[:seeds], wanted=min(row.wanted, seeds)) for row in chosen)
    return replace(table, rows=chosen)


# -- reading ----------------------------------------------------------------------------------------------------------


def read(folder: Path) -> Table:
    """The table that folder/table.yaml defines.

    Raises:
        RequestError: the file cannot be read, or a value is missing, misspelt or impossible; the message names the
            file, the row and the key.
    """
    import yaml

    path = folder / FILE
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = path.read_bytes()
        content = yaml.load(text, loader)
        repeated = _repeated(yaml.compose(text, loader))
    except OSError as error:
        raise RequestError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, ValueError) as error:
        raise RequestError(f"{path}: no YAML ({' '.join(str(error).split())})") from error
    if repeated is not None:
        line = repeated.start_mark.line + 1
        raise RequestError(f"{path}: {repeated.value}: stands there twice, again in line {line}; leave one")
    if not isinstance(content, dict):
        raise RequestError(f"{path}: expected title, source, metric, unit, seeds and rows")
    return _table(folder, _Section(str(path), content, TABLE_KEYS))


def _repeated(node: Any) -> Any:
    """A key that a mapping in this YAML node has a second time, where YAML itself would take the last value."""
    found, left = set(), [node]
    while left:
        node = left.pop(0)
        if node is None or node.id == "scalar" or id(node) in found:
            continue
        found.add(id(node))  # by an alias, it may be part of itself
        if node.id == "sequence":
            left += node.value
            continue
        keys = set()
        for key, value in node.value:
            if key.value in keys:
                return key
            keys.add(key.value)
            left.append(value)
    return None


TABLE_KEYS = (
    "title", "about", "source", "study", "metric", "unit", "tolerance", "test_examples", "test_set", "seeds",
    "overrides", "rows",
)  # fmt: skip
ROW_KEYS = (
    "label", "claimed", "deviation", "trainings", "test_examples", "test_set", "source", "notes", "experiment",
    "overrides", "seeds", "deterministic", "measured",
)  # fmt: skip
TEST_SET = re.compile(r"same|other|[0-9a-f]{8,64}")
PRINTED = re.compile(r"-?\d+(\.\d+)?")


class _Section:
    """The keys of the table or of a row, each read with the type that it must have."""

    def __init__(self, where: str, values: Mapping[Any, Any], known: Sequence[str]) -> None:
        self.where, self.values = where, values
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise self.wrong(key, f"there is no such key; {hint}")

    def wrong(self, key: object, what: str) -> RequestError:
        return RequestError(f"{self.where}: {key}: {what}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.wrong(key, _but("a text", value))
        return " ".join(value.split()) if key != "about" else value.strip()

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        value = self.values.get(key, default)
        if value not in choices:
            raise self.wrong(key, _but(f"one of {', '.join(choices)}", value))
        return str(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, _but("true or false", value))
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self.values.get(key, default)
        if not is_number(value) or value < 0:
            raise self.wrong(key, _but("a number of at least 0", value))
        return float(value)

    def count(self, key: str, default: int | None = None) -> int:
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.wrong(key, _but("a whole number of at least 1", value))
        return value

    def test_set(self, default: str | None = None) -> str:
        value = self.values.get("test_set", default)
        if not isinstance(value, str) or not TEST_SET.fullmatch(value):
            expected = (
                "same or other: whether the claim was measured on the test examples of our data set; or the first 8 "
                "to 64 digits of the data's SHA-256, in quotes"
            )
            raise self.wrong("test_set", _but(expected, value))
        return value

    def printed(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or not PRINTED.fullmatch(value):
            raise self.wrong(
                key,
                _but("a number in quotes, such as '8.40': YAML drops the last zero of a number without them", value),
            )
        return value

    def overrides(self) -> tuple[str, ...]:
        value = self.values.get("overrides", [])
        fits = isinstance(value, list) and all(isinstance(one, str) and "=" in one for one in value)
        if not fits:
            raise self.wrong("overrides", _but("a list of texts such as model=mlp", value))
        for one in value:
            key = one.split("=", 1)[0].lstrip("+~")
            if key in ("seed", "study", "outputs", "force") or key.startswith("hydra"):
                raise self.wrong("overrides", f"{one}: not here; seeds and study have keys of their own")
        return tuple(value)


def _but(expected: str, found: Any) -> str:
    return f"expected {expected}, found {'nothing' if found is None else repr(found)[:80]}"


def _table(folder: Path, top: _Section) -> Table:
    name = folder.resolve().name
    study = top.text("study", name)
    if not NAME.fullmatch(study):
        raise top.wrong("study", f"{study!r} is no name of letters, digits and . _ + -")
    part, metric = _metric(top)
    unit = _unit(top, metrics.PARTS[part], metric)
    defaults = _Defaults(metric, unit, top.count("test_examples"), top.test_set(), top.text("source", ""))
    seeds = top.count("seeds")
    listed = top.values.get("rows")
    if not isinstance(listed, list) or not listed:
        raise top.wrong("rows", _but("a list of rows", listed))
    rows = [_row(top.where, i, values, defaults, seeds) for i, values in enumerate(listed, 1)]
    labels = [row.label for row in rows]
    for label in labels:
        if labels.count(label) > 1:
            raise top.wrong("rows", f"{labels.count(label)} rows have the label {label!r}")
    return Table(
        folder=folder,
        title=top.text("title"),
        about=top.text("about", ""),
        study=study,
        part=part,
        metric=metric,
        unit=unit,
        tolerance=_tolerance(top, defaults),
        overrides=top.overrides(),
        rows=tuple(rows),
    )


def _metric(top: _Section) -> tuple[str, Metric]:
    try:
        return find_metric(top.text("metric", DEFAULT), top.overrides())
    except RequestError as error:
        raise top.wrong("metric", str(error)) from error


def _unit(top: _Section, part: str, metric: Metric) -> Unit:
    fitting = [name for name in units.NAMES if units.fits(name, metric)]
    name = top.values.get("unit")
    if name not in fitting:
        raise top.wrong("unit", _but(f"one of {', '.join(fitting)} for {part} {metric.label}", name))
    return unit_of(name, metric)


TOLERANCE = 0.005  # of a proportion whose table states none: half a percentage point


@dataclass(frozen=True)
class _Defaults:
    """What the top of table.yaml states for every row."""

    metric: Metric
    unit: Unit
    test_examples: int
    test_set: str
    source: str


def _tolerance(top: _Section, defaults: _Defaults) -> float:
    """The tolerance in the metric's own values; of a proportion half a percentage point, or 1/N where that is more.

    Raises:
        RequestError: there is none, and the metric is no proportion.
    """
    if defaults.metric.proportion and "tolerance" not in top.values:
        return max(TOLERANCE, 1 / defaults.test_examples)
    if "tolerance" not in top.values:
        label = defaults.metric.label
        expected = f"the difference in {defaults.unit.heading} that does not matter; {label} has no default,"
        raise top.wrong("tolerance", _but(expected + " because it is not a share of the examples", None))
    return top.number("tolerance") / defaults.unit.scale


def _row(file: str, number: int, values: Any, defaults: _Defaults, seeds: int) -> Row:
    where = f"{file}: row {number}"
    if not isinstance(values, dict):
        raise RequestError(f"{where}: {_but('keys such as label and claimed', values)}")
    if isinstance(values.get("label"), str):
        where += f" ({' '.join(values['label'].split())})"
    row = _Section(where, values, ROW_KEYS)
    label = row.text("label")
    deterministic, measured = row.flag("deterministic", False), row.flag("measured", True)
    if not (own_source := row.text("source", defaults.source)):
        raise row.wrong("source", "expected a citation, here or at the top")
    own = row.count("seeds", 1 if deterministic else seeds)
    if deterministic and own != 1:
        raise row.wrong("seeds", f"a deterministic row has one seed, found {own}")
    experiment = row.text("experiment", "")
    overrides = (*((f"+experiment={experiment}",) if experiment else ()), *row.overrides())
    if measured and not overrides:
        raise row.wrong(
            "overrides", "expected overrides or an experiment; a row that is only quoted has measured: false"
        )
    if not measured and overrides:
        raise row.wrong("measured", "is false, so there can be neither overrides nor an experiment")
    return Row(
        label=label,
        claim=_claim(row, defaults),
        source=own_source,
        notes=row.text("notes", ""),
        overrides=overrides,
        seeds=tuple(range(own)) if measured else (),
        wanted=1 if deterministic else max(own, seeds),
        deterministic=deterministic,
        measured=measured,
    )


def _claim(row: _Section, defaults: _Defaults) -> Claim | None:
    """What the row claims. A number that is printed as 0.92 stands for every value from 0.915 to 0.925."""
    unit = defaults.unit
    value = row.values.get("claimed")
    if value == NONE_STATED:
        return None
    texts: list[Any] = value if isinstance(value, list) else [value]
    if value is None or len(texts) not in (1, 2):
        raise row.wrong("claimed", _but(f"a number, a range ['low', 'high'] or '{NONE_STATED}'", value))
    texts = [row.printed("claimed", text) for text in texts]
    ends = [float(text) for text in texts]
    low, high = sorted(unit.value(end) for end in (ends[0], ends[-1]))
    if not defaults.metric.low <= low <= high <= defaults.metric.high or ends[0] > ends[-1]:
        expected = f"{unit.heading}{_range(defaults.metric, unit)}, the low end first"
        raise row.wrong("claimed", _but(expected, value))
    lowest, highest = sorted(
        unit.value(end) for end in (ends[0] - _rounding(texts[0]), ends[-1] + _rounding(texts[-1]))
    )
    deviation = row.values.get("deviation")
    trainings = row.count("trainings", 1)
    if deviation is not None:
        deviation = float(row.printed("deviation", deviation)) / unit.scale
        if deviation < 0:
            raise row.wrong("deviation", _but("a number of at least 0", row.values["deviation"]))
        if trainings < 2:
            raise row.wrong("trainings", "expected 2 or more, the number of trainings that the deviation is of")
        if len(texts) > 1:
            raise row.wrong("deviation", "goes with one number, and not with a range")
    return Claim(
        printed=" to ".join(texts),
        low=low,
        high=high,
        lowest=lowest,
        highest=highest,
        test_examples=row.count("test_examples", defaults.test_examples),
        test_set=row.test_set(defaults.test_set),
        trainings=trainings,
        deviation=deviation,
    )


def _range(metric: Metric, unit: Unit) -> str:
    """The range of a metric in a unit, as ' from 0 to 100'; '' where both ends are infinite."""
    low, high = sorted(unit.number(end) for end in (metric.low, metric.high))
    if math.isfinite(low) and math.isfinite(high):
        return f" from {low:g} to {high:g}"
    return f" of at least {low:g}" if math.isfinite(low) else f" of at most {high:g}" if math.isfinite(high) else ""


def _rounding(printed: str) -> float:
    """Half a unit of the last digit: 0.005 of '0.92'."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])
