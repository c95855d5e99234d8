"""Reading table.yaml: its text, its schema, and what depends on the metric. Nothing in it is evaluated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fitbench import metrics
from fitbench.composition import read_yaml
from fitbench.config import validated
from fitbench.config.errors import located
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.tables.definition import FILE, Claim, Row, Table
from fitbench.tables.metric import find_metric
from fitbench.tables.schema import NONE_STATED, RowFile, TableFile
from fitbench.tables.units import Unit, units_of
from fitbench.untrusted import Unreadable

ROUNDING = 1e-9  # of a tolerance that is one example, relative
LARGEST = 50_000  # keys, values and items of a file
TOLERANCE = 0.005  # of a proportion whose table states none: half a percentage point


def read(folder: Path) -> Table:
    """The table that folder/table.yaml defines.

    Raises:
        RequestError: the file cannot be read, or a value is missing, misspelt or impossible; the message names the
            file, the row and the key.
    """
    with located(str(folder / FILE)):
        content = _content(folder / FILE)
        if isinstance(content.get("rows"), list):
            for number, row in enumerate(content["rows"], 1):
                with located(_row_name(number, row)):
                    validated(RowFile, row, top="a row")
        return _table(folder, validated(TableFile, content))


def _table(folder: Path, file: TableFile) -> Table:
    with located("metric"):
        part, metric = find_metric(file.metric, file.overrides)
    unit = _unit(file, metric, metrics.PARTS[part])
    rows = []
    for number, row in enumerate(file.rows, 1):
        with located(_row_name(number, row.model_dump())):
            rows.append(_row(file, row, part, metric, unit))
    return Table(
        folder=folder,
        title=file.title,
        about=file.about.strip(),
        study=file.study or folder.resolve().name,
        metric=metric,
        part=part,
        unit=unit,
        tolerance=_tolerance(file, metric, unit),
        overrides=tuple(file.overrides),
        rows=tuple(rows),
        config_dirs=() if file.config_dir is None else (_config_dir(folder, file.config_dir),),
    )


def _config_dir(folder: Path, config_dir: str) -> Path:
    """The folder of configurations that a table.yaml names relative to its own folder.

    Raises:
        RequestError: there is no such folder.
    """
    path = folder / config_dir
    if not path.is_dir():
        raise RequestError(f"config_dir is {config_dir!r}; there is no folder {path}; it is relative to {FILE}")
    return path


def _row_name(number: int, row: Any) -> str:
    """What messages call a row: its number and, if it has one, its label."""
    label = row.get("label") if isinstance(row, Mapping) else None
    return f"row {number}" + (f" ({' '.join(label.split())})" if isinstance(label, str) else "")


# -- the text ---------------------------------------------------------------------------------------------------------


def _content(path: Path) -> dict[str, Any]:
    """What the file holds."""
    try:
        content, _ = read_yaml(path, LARGEST)
    except FileNotFoundError as error:
        raise RequestError("there is no such file") from error
    except Unreadable as error:
        raise RequestError(str(error)) from error
    if not isinstance(content, dict):
        raise RequestError("expected keys such as title, metric, unit, seeds and rows")
    return content


# -- what depends on the metric ---------------------------------------------------------------------------------------


def _unit(file: TableFile, metric: Metric, part: str) -> Unit:
    units = units_of(metric)
    if file.unit not in units:
        choices = f"{'one of ' * (len(units) > 1)}{', '.join(units)}"
        raise RequestError(f"unit is {file.unit!r}; it must be {choices} for {part} {metric.label}")
    return units[file.unit]


def _tolerance(file: TableFile, metric: Metric, unit: Unit) -> float:
    """The tolerance in the metric's own values; of a proportion half a percentage point, or 1/N where that is more.

    Raises:
        RequestError: there is none, and the metric is no proportion; or it is smaller than one test example.
    """
    example = 1 / file.test_examples
    if file.tolerance is not None:
        tolerance = file.tolerance / unit.scale
        if metric.proportion and tolerance < example * (1 - ROUNDING):
            raise RequestError(
                f"tolerance is {file.tolerance:g}; it must be at least {unit.scale * example:.4g}, one of the "
                f"{file.test_examples:,} test examples"
            )
        return tolerance
    if metric.proportion:
        return max(TOLERANCE, example)
    raise RequestError(
        f"tolerance is missing; it must be the difference in {unit.heading} that does not matter: "
        f"{metric.label} has no default, because it is not a share of the examples"
    )


def _row(file: TableFile, row: RowFile, part: str, metric: Metric, unit: Unit) -> Row:
    if not (source := row.source or file.source):
        raise RequestError("source is missing; it must be a citation, here or at the top")
    seeds = row.seeds or (1 if row.deterministic else file.seeds)
    experiment = " ".join(row.experiment.split())
    return Row(
        label=row.label,
        claim=_claim(file, row, metric, unit),
        source=source,
        notes=" ".join(row.notes.split()),
        overrides=(*((f"+experiment={experiment}",) if experiment else ()), *row.overrides),
        seeds=tuple(range(seeds)) if row.measured else (),
        wanted=1 if row.deterministic else max(seeds, file.seeds),
        deterministic=row.deterministic,
        measured=row.measured,
        part=part if row.metric is None else _part(row.metric, metric),
        folds=(row.folds or file.folds) if row.measured else None,
    )


def _part(name: str, metric: Metric) -> str:
    """The part of a row's metric, which is the table's on another part: all rows have one unit."""
    part, metric_name = metrics.split(name)
    if part is None or metric_name != metric.name:
        names = ", ".join(metrics.join(part, metric.name) for part in metrics.PARTS)
        raise RequestError(f"metric is {name!r}; a row has the metric of the table, on a part of its own: {names}")
    return part


def _claim(file: TableFile, row: RowFile, metric: Metric, unit: Unit) -> Claim | None:
    """The claim of a row. A number that is printed as 0.92 stands for every value from 0.915 to 0.925."""
    if row.claimed == NONE_STATED:
        return None
    texts = row.claimed if isinstance(row.claimed, list) else [row.claimed]
    ends = [float(text) for text in texts]
    low, high = sorted(unit.value(end) for end in (ends[0], ends[-1]))
    if not metric.low <= low <= high <= metric.high or ends[0] > ends[-1]:
        expected = f"{unit.heading}{_range(metric, unit)}, the low end first"
        raise RequestError(f"claimed is {row.claimed!r}; it must be {expected}")
    if (metric.low, metric.high) == (0, 1) and unit.scale == 1 and any("." not in text for text in texts):
        raise RequestError(f"claimed is {row.claimed!r}; it must have the decimals of its source, such as '0.98'")
    deviation = None if row.deviation is None else float(row.deviation) / unit.scale
    if deviation is not None and deviation > metric.high - metric.low:
        raise RequestError(f"deviation is {row.deviation!r}; it must be in the unit of the table, {unit.heading}")
    lowest, highest = sorted(
        unit.value(end) for end in (ends[0] - _rounding(texts[0]), ends[-1] + _rounding(texts[-1]))
    )
    return Claim(
        printed=" to ".join(texts) + (f" ± {row.deviation}" if row.deviation is not None else ""),
        low=low,
        high=high,
        lowest=lowest,
        highest=highest,
        test_examples=row.test_examples or file.test_examples,
        test_set=row.test_set or file.test_set,
        trainings=row.trainings,
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
