"""Reading table.yaml: its text, its schema, and what depends on the metric. Nothing in it is evaluated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from fitbench import metrics
from fitbench.composition import read_yaml
from fitbench.config import validated
from fitbench.config.errors import located
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.tables import explaining
from fitbench.tables.definition import FILE, ROUNDING, Claim, Explanation, Measure, Row, Table
from fitbench.tables.layout import check_parts, matrix_of, row_name, rows_of
from fitbench.tables.metric import DEFAULT, find_metric
from fitbench.tables.schema import NONE_STATED, RowFile, TableFile
from fitbench.tables.units import Unit, units_of
from fitbench.untrusted import Unreadable

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
        check_parts(content)
        return _table(folder, validated(TableFile, content))


def _table(folder: Path, file: TableFile) -> Table:
    measures = _measures(file)
    rows: list[Row] = []
    for number, (row, cell) in enumerate(rows_of(file), 1):
        with located(row_name(number, row.model_dump())):
            rows += _rows(file, number, row, cell, measures)
    explaining.check(rows)
    return Table(
        folder=folder,
        title=file.title,
        about=file.about.strip(),
        study=file.study or folder.resolve().name,
        overrides=tuple(file.overrides),
        rows=tuple(rows),
        matrix=matrix_of(file),
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


def _measures(file: TableFile) -> dict[str, Measure]:
    """What the table states, by the names in table.yaml."""
    if file.metrics is None:
        name = file.metric or DEFAULT
        return {name: _measure(file, name, file.unit, file.tolerance)}
    measures: dict[str, Measure] = {}
    for place, entry in enumerate(file.metrics):
        with located(f"metrics[{place}]"):
            measure = _measure(file, entry.metric, entry.unit, entry.tolerance)
            if measure.name in {other.name for other in measures.values()}:
                raise RequestError(f"metric is {entry.metric!r}, as in another entry")
            measures[entry.metric] = measure
    return measures


def _measure(file: TableFile, name: str, unit_name: str, tolerance: float | None) -> Measure:
    with located("metric"):
        part, metric = find_metric(name, file.overrides)
    units = units_of(metric)
    if unit_name not in units:
        choices = f"{'one of ' * (len(units) > 1)}{', '.join(units)}"
        raise RequestError(f"unit is {unit_name!r}; it must be {choices} for {metrics.PARTS[part]} {metric.label}")
    unit = units[unit_name]
    return Measure(metric, part, unit, _tolerance(tolerance, file.test_examples, metric, unit))


def _tolerance(stated: float | None, examples: int, metric: Metric, unit: Unit) -> float:
    """The tolerance in the metric's own values; of a proportion half a percentage point, or 1/N where that is more.

    Raises:
        RequestError: there is none, and the metric is no proportion; or it is smaller than one test example.
    """
    example = 1 / examples
    if stated is not None:
        tolerance = stated / unit.scale
        if metric.proportion and tolerance < example * (1 - ROUNDING):
            raise RequestError(
                f"tolerance is {stated:g}; it must be at least {unit.scale * example:.4g}, one of the "
                f"{examples:,} test examples"
            )
        return tolerance
    if metric.proportion:
        return max(TOLERANCE, example)
    raise RequestError(
        f"tolerance is missing; it must be the difference in {unit.heading} that does not matter: "
        f"{metric.label} has no default, because it is not a share of the examples"
    )


def _rows(
    file: TableFile, number: int, row: RowFile, cell: tuple[str, str] | None, measures: Mapping[str, Measure]
) -> list[Row]:
    """The rows of a configuration, one for each metric that is claimed of it."""
    if not (source := row.source or file.source):
        raise RequestError("source is missing; it must be a citation, here or at the top")
    seeds = row.seeds or (1 if row.deterministic else file.seeds)
    experiment = " ".join(row.experiment.split())
    return [
        Row(
            number=number,
            label=row.label,
            measure=measure,
            claim=_claim(file, row, claimed, measure),
            source=source,
            notes=" ".join(row.notes.split()),
            overrides=(*((f"+experiment={experiment}",) if experiment else ()), *row.overrides),
            seeds=tuple(range(seeds)) if row.measured else (),
            wanted=1 if row.deterministic else max(seeds, file.seeds),
            deterministic=row.deterministic,
            measured=row.measured,
            folds=(row.folds or file.folds) if row.measured else None,
            cell=cell,
            explanation=_explanation(file, row),
            chosen=tuple({**file.chosen, **row.chosen}.items()) if row.measured else (),
        )
        for measure, claimed in _claims(row, measures)
        for measure in [_with_examples(measure, row.test_examples or file.test_examples)]
    ]


def _with_examples(measure: Measure, examples: int) -> Measure:
    """The measure with a tolerance of at least one of a row's test examples, below which nothing can be measured."""
    if not measure.metric.proportion:
        return measure
    return replace(measure, tolerance=max(measure.tolerance, 1 / examples))


def _claims(row: RowFile, measures: Mapping[str, Measure]) -> list[tuple[Measure, Any]]:
    """What is stated of a row, and what is claimed of it."""
    if not isinstance(row.claimed, dict):
        if len(measures) > 1:
            names = ", ".join(f"{name}: .." for name in measures)
            raise RequestError(f"claimed is {row.claimed!r}; this table has several metrics; write {{{names}}}")
        [measure] = measures.values()
        return [(measure if row.metric is None else _on_part(row.metric, measure), row.claimed)]
    if row.metric is not None:
        raise RequestError(f"metric is {row.metric!r}; the metrics of this row are the keys of claimed")
    if row.deviation is not None:
        example = f"{{{next(iter(row.claimed))}: '84.3 ± 1.5'}}"
        raise RequestError(f"deviation is {row.deviation!r}; it stands in claimed where that has metrics: {example}")
    for name in row.claimed:
        if name not in measures:
            raise RequestError(f"claimed has the metric {name!r}; the table has {', '.join(measures)}")
    return [(measures[name], claimed) for name, claimed in row.claimed.items()]


def _on_part(name: str, measure: Measure) -> Measure:
    """The table's metric on another part: all rows have one unit."""
    part, metric_name = metrics.split(name)
    metric = measure.metric
    if part is None or metric_name != metric.name:
        names = ", ".join(metrics.join(part, metric.name) for part in metrics.PARTS)
        raise RequestError(f"metric is {name!r}; a row has the metric of the table, on a part of its own: {names}")
    return replace(measure, part=part)


def _explanation(file: TableFile, row: RowFile) -> Explanation | None:
    """The explanation of a row, with the keys of its group.

    Raises:
        RequestError: there is no such group.
    """
    if (by := row.explained_by) is None:
        return None
    if by.with_ not in file.settings:
        groups = ", ".join(map(repr, file.settings)) or "none"
        raise RequestError(
            f"explained_by.with is {by.with_!r}; it must be a group of settings at the top, which has {groups}"
        )
    return Explanation(by.row, by.with_, tuple(file.settings[by.with_]))


def _claim(file: TableFile, row: RowFile, claimed: Any, measure: Measure) -> Claim | None:
    """The claim of a row. A number that is printed as 0.92 stands for every value from 0.915 to 0.925."""
    if claimed == NONE_STATED:
        return None
    metric, unit = measure.metric, measure.unit
    numbers, deviation = _with_deviation(row, claimed)
    ends = [float(text) for text in numbers]
    low, high = sorted(unit.value(end) for end in (ends[0], ends[-1]))
    if not metric.low <= low <= high <= metric.high or ends[0] > ends[-1]:
        expected = f"{unit.heading}{_range(metric, unit)}"
        if isinstance(claimed, list):
            expected = f"two numbers, the low end first: {expected}"
        raise RequestError(f"claimed is {claimed!r}; it must be {expected}")
    if (metric.low, metric.high) == (0, 1) and unit.scale == 1 and any("." not in text for text in numbers):
        raise RequestError(f"claimed is {claimed!r}; it must have the decimals of its source, such as '0.98'")
    if metric.higher_is_better and unit.name == "percent" and 0 < ends[-1] < 1:
        stated = " to ".join(map(_times_100, numbers)) + (
            f" ± {_times_100(deviation)}" if deviation is not None else ""
        )
        raise RequestError(
            f"claimed is {claimed!r}, which is less than one percent; write {stated}, or choose another unit"
        )
    trainings = row.trainings or file.trainings
    lowest, highest = sorted(
        unit.value(end) for end in (ends[0] - _rounding(numbers[0]), ends[-1] + _rounding(numbers[-1]))
    )
    return Claim(
        printed=" to ".join(numbers) + (f" ± {deviation}" if deviation is not None else ""),
        low=low,
        high=high,
        lowest=lowest,
        highest=highest,
        test_examples=row.test_examples or file.test_examples,
        test_set=row.test_set or file.test_set,
        trainings=trainings,
        deviation=None if deviation is None else _deviation(deviation, trainings, measure),
    )


def _times_100(number: str) -> str:
    """A number as it is printed in percent, with the digits that it has."""
    return format(Decimal(number).scaleb(2), "f")


def _with_deviation(row: RowFile, claimed: Any) -> tuple[list[str], str | None]:
    """The printed number, or both ends of a range, and the printed deviation.

    Raises:
        RequestError: the deviation stands in two places, or beside a range.
    """
    if isinstance(claimed, list):
        if row.deviation is not None:
            raise RequestError("deviation goes with one claimed number, and not with a range")
        return claimed, None
    number, _, deviation = (part.strip() for part in claimed.partition("±"))
    if deviation and row.deviation is not None:
        raise RequestError(f"claimed is {claimed!r}, so deviation must be left out")
    return [number], deviation or row.deviation


def _deviation(printed: str, trainings: int, measure: Measure) -> float:
    """A printed deviation in the metric's own values."""
    deviation = float(printed) / measure.unit.scale
    if deviation < 0:
        raise RequestError(f"deviation is {printed!r}; it must be at least 0")
    if trainings < 2:
        raise RequestError(
            f"trainings is {trainings}; it must be 2 or more, the number of trainings that the deviation is of, here "
            "or at the top"
        )
    if deviation > measure.metric.high - measure.metric.low:
        raise RequestError(f"deviation is {printed!r}; it must be in the unit of the table, {measure.unit.heading}")
    return deviation


def _range(metric: Metric, unit: Unit) -> str:
    """The range of a metric in a unit, as ' from 0 to 100'; '' where both ends are infinite."""
    low, high = sorted(unit.number(end) for end in (metric.low, metric.high))
    if math.isfinite(low) and math.isfinite(high):
        return f" from {low:g} to {high:g}"
    return f" of at least {low:g}" if math.isfinite(low) else f" of at most {high:g}" if math.isfinite(high) else ""


def _rounding(printed: str) -> float:
    """Half a unit of the last digit: 0.005 of '0.92'."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])
