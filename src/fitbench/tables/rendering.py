"""A table as text: for a terminal, Markdown, LaTeX, HTML, CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fitbench import metrics
from fitbench.analysis.statistics import Interval
from fitbench.columns import Column, Note, as_csv, column, print_tables, records
from fitbench.columns import Table as Printed
from fitbench.errors import RequestError
from fitbench.formats import DOCUMENTS, EVERYTHING, Look
from fitbench.markdown import markdown
from fitbench.tables.cells import claimed, difference, ends, mean_sd, seconds
from fitbench.tables.definition import Claim, Measure, Table
from fitbench.tables.matrix import Block, Side, blocks
from fitbench.tables.matrix_tables import CLAIMED, MEASURED, PUBLISHED, matrix_tables
from fitbench.tables.outcome import Outcome, about_committed, counts, expected_false_verdicts, judged_by_chance
from fitbench.tables.remarks import remarks, remarks_on_rows
from fitbench.tables.results_file import Record
from fitbench.tables.units import Unit
from fitbench.tables.verdict import FALSE_VERDICT_RATE
from fitbench.text import clean, console, number


def print_table(table: Table, results: Sequence[Outcome], format: str, look: Look = EVERYTHING) -> None:
    """Print the table to stdout in one of `formats.FORMATS`."""
    out = console()
    if format == "table":
        print_tables(out, _printed(table, results, format, look, bold=out.is_terminal))
    else:
        print(text(table, results, format, look), end="")


def text(table: Table, results: Sequence[Outcome], format: str, look: Look = EVERYTHING) -> str:
    """The table in one of `formats.FORMATS` other than 'table', each with a line end behind the last line.

    CSV and JSON have a record for each row, also of a matrix. They do not depend on the look.
    """
    if format == "csv":
        return as_csv(columns(table, results), clean)
    if format == "json":
        return as_json(table, results)
    return DOCUMENTS[format](_printed(table, results, format, look)).rstrip("\n") + "\n"


def matrix_markdown(table: Table, results: Sequence[Outcome]) -> str:
    """The matrices of a table that is one, in Markdown: each below its metric if there are several, and the legend."""
    made = matrix_tables(table, results, "markdown")
    titles = [block.heading for block in blocks(table, results)] if len(made) > 1 else [""]
    return markdown([replace(each, title=title) for each, title in zip(made, titles, strict=True)])


INTERVAL = "95% interval"  # the head of the column with the interval of the mean

# -- columns ----------------------------------------------------------------------------------------------------------

Value = Callable[[Outcome], Any]


def columns(table: Table, results: Sequence[Outcome], numbered: bool = False) -> list[Column]:
    """The columns of the table: clean cells, and the values of CSV and JSON in full and in the unit of the table.

    `numbered`: the numbers of the rows in table.yaml are visible, as they are where verdicts may name them.
    """
    numbered = numbered or any(one.row.explanation for one in results)

    def add(head: str, cell: Callable[[Outcome], str], values: dict[str, Value], **options: Any) -> Column:
        return column(head, results, cell, values, **options)

    return [
        Column("#", [str(one.row.number) for one in results], spare=0, visible=numbered),
        *_naming_columns(table, results),
        add("claimed", lambda one: claimed(one.row.claim), _claim_values()),
        add("measured", mean_sd, {
            "mean": lambda one: _number(one, one.judgement.measured.mean),
            "sd": lambda one: _converted(one.judgement.measured.sd, lambda sd: one.row.measure.unit.scale * sd),
        }),
        _interval_column(INTERVAL, "mean", results, lambda one: one.judgement.measured.interval, Unit.number, "",
                         spare=5),
        add("difference", difference, {
            "difference": lambda one: _converted(one.judgement.difference, one.row.measure.unit.difference),
        }, spare=3),
        _interval_column("interval of the difference", "difference", results, lambda one: one.judgement.interval,
                         Unit.difference, "+z", spare=0),
        add("seeds", lambda one: one.seeds, {
            "seeds": lambda one: len(one.values),
            "seeds_wanted": lambda one: one.wanted,
            "seeds_needed": lambda one: one.judgement.seeds_needed,
        }, spare=1),
        add("verdict", lambda one: one.verdict, VERDICT_VALUES, right=False, folded=True),
        add("parameters", lambda one: number(one.parameters, 0), {"parameters": lambda one: one.parameters}, spare=2),
        add("per run", lambda one: seconds(one.seconds), {"seconds": lambda one: one.seconds}, spare=4),
        add("", lambda one: "", OTHER_VALUES, visible=False),
    ]  # fmt: skip


def chosen(table: Table, every: Sequence[Column], heads: Sequence[str]) -> list[Column]:
    """Of all columns of the table those that name the rows, and those with these heads, in the order of the heads.

    Raises:
        RequestError: the table is a matrix, or has no such column.
    """
    if table.matrix:
        raise RequestError(f"--columns is for lists of rows; {table.name} is a matrix")
    by_head = {column.head: column for column in every if column.visible or column.head == "#"}
    naming = list(by_head)[1 : list(by_head).index("claimed")]
    known = list(filter(None, by_head))
    for head in heads:
        if head not in known:
            raise RequestError(f"--columns: there is no column {head!r}; there are {', '.join(known)}")
    numbered = "verdict" in heads and by_head["#"].visible  # a verdict names rows by their numbers
    first = ["#"] * ("#" in heads or numbered)
    return [replace(by_head[head], spare=None, visible=True) for head in dict.fromkeys([*first, *naming, *heads])]


CELL_VALUES: dict[str, Value] = {  # of a matrix
    "line": lambda one: one.row.cell and one.row.cell[0],
    "column": lambda one: one.row.cell and one.row.cell[1],
}
VERDICT_VALUES: dict[str, Value] = {
    "verdict": lambda one: one.judgement.verdict.value,
    "complete": lambda one: one.complete,
    "explained_by": lambda one: one.row.explanation and one.row.explanation.label,
    "explained": lambda one: one.explained,
    "differs_in": lambda one: one.row.explanation and one.row.explanation.group,
}
OTHER_VALUES: dict[str, Value] = {  # that people do not see in the table
    "source": lambda one: one.row.source,
    "unit": lambda one: one.row.measure.unit.name,
    "tolerance": lambda one: _rounded(one.row.measure.unit.scale * one.row.measure.tolerance),
    "folds": lambda one: one.row.folds,
}


def _naming_columns(table: Table, results: Sequence[Outcome]) -> list[Column]:
    """The labels, and what tells rows of one label apart where that differs."""
    several = len({(measure.metric.name, measure.unit) for measure in table.measures}) > 1
    parts = not several and len({measure.part for measure in table.measures}) > 1
    return [
        column("", results, lambda one: clean(one.row.label), {"label": lambda one: one.row.label}, right=False,
               folded=True),
        *([column("", results, lambda one: "", CELL_VALUES, visible=False)] if table.matrix else []),
        column("metric", results, lambda one: one.row.measure.heading, {"metric": lambda one: one.row.measure.name},
               right=False, visible=several, folded=True),
        column("part", results, lambda one: metrics.PARTS[one.row.measure.part], right=False, visible=parts),
    ]  # fmt: skip


def _claim_values() -> dict[str, Value]:
    """The values of a claim; None where the source states none."""

    def of_claim(value: Callable[[Claim, Unit], Any]) -> Value:
        return lambda one: None if one.row.claim is None else value(one.row.claim, one.row.measure.unit)

    return {
        "claimed": of_claim(lambda claim, unit: claim.printed),
        "claimed_low": of_claim(lambda claim, unit: _rounded(ends((claim.low, claim.high), unit)[0])),
        "claimed_high": of_claim(lambda claim, unit: _rounded(ends((claim.low, claim.high), unit)[1])),
        "claimed_deviation": of_claim(
            lambda claim, unit: _converted(claim.deviation, lambda sd: _rounded(unit.scale * sd))
        ),
        "claimed_trainings": of_claim(lambda claim, unit: claim.trainings),
    }


def _interval_column(
    head: str,
    name: str,
    results: Sequence[Outcome],
    interval: Callable[[Outcome], Interval | None],
    convert: Callable[[Unit, float], float],
    sign: str,
    spare: int | None,
) -> Column:
    """An interval in the unit of each row, the lower number first; its ends are NAME_low and NAME_high in CSV and JSON.

    `sign` is the format of the sign of a number.
    """
    pairs = [
        sorted(convert(one.row.measure.unit, end) for end in found) if (found := interval(one)) else None
        for one in results
    ]
    cells = [
        " to ".join(f"{end:{sign}.{one.row.digits}f}" for end in pair) if pair else "-"
        for pair, one in zip(pairs, results, strict=True)
    ]
    values = {f"{name}_{end}": [pair and pair[place] for pair in pairs] for place, end in enumerate(("low", "high"))}
    return Column(head, cells, spare=spare, values=values)


def _number(outcome: Outcome, value: float | None) -> float | None:
    """A value of the metric in the unit of the row."""
    return _converted(value, outcome.row.measure.unit.number)


def _converted(value: float | None, convert: Callable[[float], float]) -> float | None:
    return None if value is None else convert(value)


def _rounded(value: float) -> float:
    """The value without the rounding of floats, which unit conversions add."""
    return float(f"{value:.10g}")


# -- title and notes --------------------------------------------------------------------------------------------------


def rule(table: Table, results: Sequence[Outcome], intervals: bool = True) -> str:
    """The rule of the verdict, and how many false verdicts to expect. `intervals`: whether the table shows any."""
    judged = len(judged_by_chance(results))
    text = (
        f"Measured: mean ± standard deviation over the seeds{', and the 95% interval of the mean' * intervals}. "
        "Verdict: from the 95% interval of the difference between the mean and the claim, and from the tolerance. A "
        "printed claim stands for all values that round to it; the difference is the distance from the nearest of "
        "them. The claim is taken for one more result of the same training unless its source states otherwise. "
        f"{_tolerances(table)} Better or worse: the interval excludes zero and reaches beyond the tolerance. "
        "Reproduced: it lies inside the tolerance, or it contains zero with a half-width of at most the tolerance. "
        "Inconclusive: neither."
    )
    if judged:
        expected = expected_false_verdicts(results)
        text += (
            f" Even if every claim is true, {FALSE_VERDICT_RATE:.0%} of the judged rows are 'better' or 'worse' by "
            f"chance: of these {judged}, {expected:.1f} on average."
        )
    return text


def _tolerances(table: Table) -> str:
    """The sentence on the tolerance of each metric and unit; a row may have a larger one."""
    least: dict[str, Measure] = {}
    for measure in table.measures:
        known = least.setdefault(measure.unit.heading, measure)
        least[measure.unit.heading] = min(known, measure, key=lambda each: each.tolerance)
    larger = {
        measure.unit.heading for measure in table.measures if measure.tolerance > least[measure.unit.heading].tolerance
    }
    texts = [
        f"{measure.printed_tolerance}{f' ({heading})' * (len(least) > 1)}"
        f"{', or one test example where that is more' * (heading in larger)}"
        for heading, measure in least.items()
    ]
    return f"The tolerance is {'; '.join(texts)}."


# -- formats ----------------------------------------------------------------------------------------------------------


def _printed(
    table: Table,
    results: Sequence[Outcome],
    format: str,
    look: Look,
    bold: bool = True,
) -> list[Printed]:
    """The matrices of the table, or its columns, under the title; below the last one the notes."""
    shown: list[Column] = []
    if table.matrix:
        made = matrix_tables(table, results, format, bold)
    else:
        every = columns(table, results, numbered=format == "markdown")
        shown = every if look.columns is None else chosen(table, every, look.columns)
        made = [Printed(f"{table.title} ({table.heading})", shown, shortened=True)]
    below = [
        *made[-1].notes,
        Note(f"{counts(results)}.", "bold"),
        *(Note(f"{text}.", "") for text in (about_committed(results),) if text and format not in PUBLISHED),
        *(Note(f"{remark}.", "yellow") for remark in remarks(results)),
        Note(rule(table, results, intervals=any(column.head == INTERVAL for column in shown))),
    ]
    made[-1] = replace(made[-1], notes=below)
    return list(map(look.of, made))


def as_json(table: Table, results: Sequence[Outcome]) -> str:
    """The table as JSON.

    Its keys are `title`, `expected_false_verdicts`, `rows` (the values of the columns, the `notes` of table.yaml, and
    the seeds' own values in `runs`), `remarks` (one text for each row and remark) and, of a matrix, `matrices`.
    """
    rows = [
        {**values, "notes": outcome.row.notes, "runs": [_run(outcome, record) for record in outcome.records]}
        for values, outcome in zip(records(columns(table, results)), results, strict=True)
    ]
    content = {
        "title": table.title,
        "expected_false_verdicts": _rounded(expected_false_verdicts(results)),
        "rows": rows,
        "remarks": [f"{outcome.name}: {remark}" for outcome, remark in remarks_on_rows(results)],
        **({"matrices": [_matrix(table, block) for block in blocks(table, results)]} if table.matrix else {}),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _matrix(table: Table, block: Block) -> dict[str, Any]:
    """The lines and columns of a matrix, and the average rank of each line with the columns that it is over."""
    assert table.matrix is not None

    def ranks(side: Side) -> dict[str, Any]:
        return {
            "columns": [block.columns[place] for place in side.ranked],
            "average_ranks": dict(zip(block.lines, side.averages, strict=True)),
        }

    return {
        "heading": block.heading,
        "metrics": list(dict.fromkeys(outcome.row.measure.name for outcome in block.outcomes)),
        "down": table.matrix.down,
        "across": table.matrix.across,
        "lines": block.lines,
        "columns": block.columns,
        CLAIMED: ranks(block.claimed),
        MEASURED: ranks(block.measured),
    }


def _run(outcome: Outcome, record: Record) -> dict[str, Any]:
    return {
        "seed": record.seed,
        "fold": record.fold,
        "state": record.state,
        "value": _number(outcome, record.value),
        "reason": record.reason or None,
        "committed": record.committed,
    }
