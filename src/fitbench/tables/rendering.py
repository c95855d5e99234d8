"""A table as text: for a terminal, Markdown, LaTeX, HTML, CSV and JSON."""

from __future__ import annotations

import csv
import html
import io
import json
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fitbench.analysis.statistics import Interval
from fitbench.columns import LATEX_PACKAGES, Column, as_markdown, escaped, latex_table, print_columns
from fitbench.tables.definition import Claim, Table
from fitbench.tables.outcome import Outcome, counts, expected_false_verdicts, remarks
from fitbench.tables.schema import NONE_STATED
from fitbench.tables.units import Unit
from fitbench.text import clean, console, number

NARROWEST = 13  # characters of a label or a verdict in a terminal
WIDE = 100  # characters of a terminal in which labels rather break than that intervals are left out
FORMATS = ("table", "markdown", "latex", "html", "csv", "json")


def print_table(table: Table, results: Sequence[Outcome], format: str) -> None:
    """Print the table to stdout in one of `FORMATS`."""
    if format == "table":
        _print(table, results)
    else:
        render = {"markdown": markdown, "latex": latex, "html": as_html, "csv": as_csv, "json": as_json}
        console()  # so that stdout takes every character
        print(render[format](table, results), end="")


# -- cells ------------------------------------------------------------------------------------------------------------


def claimed(claim: Claim | None) -> str:
    """A claim with the digits of its source: '0.9203', '0.92 to 0.93', '84.3 ± 1.5', or 'none stated'."""
    return NONE_STATED if claim is None else claim.printed


def _plain(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def span(interval: Interval | None, unit: Unit) -> str:
    """An interval in the unit of the table, the lower number first."""
    return "-" if interval is None else " to ".join(f"{value:.{unit.digits}f}" for value in ends(interval, unit))


def ends(interval: Interval, unit: Unit) -> tuple[float, float]:
    """An interval in the unit of the table, the lower number first."""
    low, high = sorted(map(unit.number, interval))
    return low, high


def mean_sd(outcome: Outcome, unit: Unit) -> str:
    """The mean and the standard deviation over the seeds, '-' where none has finished."""
    summary = outcome.judgement.measured
    if summary.mean is None:
        return "-"
    spread = "" if summary.sd is None else f" ± {unit.scale * summary.sd:.{unit.digits}f}"
    return f"{unit.number(summary.mean):.{unit.digits}f}{spread}"


def difference(outcome: Outcome, unit: Unit) -> str:
    """The measured mean less the claim, in the unit of the table."""
    value = outcome.judgement.difference
    return "-" if value is None else f"{unit.difference(value):+z.{unit.digits}f}"


def difference_interval(outcome: Outcome, unit: Unit) -> str:
    """The 95% interval of the difference, in the unit of the table, the lower number first."""
    interval = outcome.judgement.interval
    if interval is None:
        return "-"
    low, high = sorted(map(unit.difference, interval))
    return f"{low:+z.{unit.digits}f} to {high:+z.{unit.digits}f}"


def seconds(value: float | None) -> str:
    """A time as '12 s' or '1.2 h'."""
    if value is None:
        return "-"
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.0f} min" if value < 6000 else f"{value / 3600:.1f} h"


def columns(table: Table, results: Sequence[Outcome]) -> list[Column]:
    """The columns of the table, their texts clean."""
    unit = table.unit
    return [
        Column("#", [str(i) for i in range(1, len(results) + 1)]),
        Column("", [clean(outcome.row.label) for outcome in results], right=False, key=True),
        Column("claimed", [claimed(outcome.row.claim) for outcome in results]),
        Column("measured", [mean_sd(outcome, unit) for outcome in results]),
        Column("95% interval", [span(outcome.judgement.measured.interval, unit) for outcome in results], spare=5),
        Column("difference", [difference(outcome, unit) for outcome in results], spare=3),
        Column("its 95% interval", [difference_interval(outcome, unit) for outcome in results], spare=1),
        Column("seeds", [outcome.seeds for outcome in results]),
        Column("verdict", [outcome.verdict for outcome in results], right=False),
        Column("parameters", [number(outcome.parameters, 0) for outcome in results], spare=2),
        Column("per run", [seconds(outcome.seconds) for outcome in results], spare=4),
    ]


def caption(table: Table) -> str:
    """The title, and the metric with its unit."""
    return f"{table.title} ({table.heading})"


def rule(table: Table, results: Sequence[Outcome]) -> str:
    """The rule of the verdict, and how many false verdicts to expect."""
    tolerance = _plain(table.unit.scale * table.tolerance)
    judged = sum(outcome.judgement.half_width is not None for outcome in results)
    text = (
        "Measured: mean ± standard deviation over the seeds, and the 95% interval of the mean. Verdict: from the 95% "
        "interval of the difference between the mean and the claim, and from the tolerance. A printed claim stands for "
        "all values that round to it; the difference is the distance from the nearest of them. The claim is taken for "
        f"one more result of the same training unless its source states otherwise. The tolerance is {tolerance}. "
        "Better or worse: the interval excludes zero and reaches beyond the tolerance. Reproduced: it lies inside the "
        "tolerance, or it contains zero with a half-width of at most the tolerance. Inconclusive: neither."
    )
    if judged:
        expected = expected_false_verdicts(results)
        text += (
            f" If all claims are true, about {expected:.1f} of {judged} judged rows are 'better' or 'worse' by chance."
        )
    return text


# -- terminal ---------------------------------------------------------------------------------------------------------


def _print(table: Table, results: Sequence[Outcome]) -> None:
    out = console()
    visible = columns(table, results)[1:]
    out.print(clean(caption(table)), style="bold")
    dropped = print_columns(out, _wrapped(visible, out.width) if out.is_terminal else visible)
    out.print(clean(counts(results)), style="bold")
    for remark in remarks(table, results):
        out.print(clean(remark), style="yellow")
    out.print(rule(table, results), style="dim")
    if dropped:
        out.print(f"Too narrow here for: {', '.join(dropped)}.", style="dim")


def _wrapped(visible: Sequence[Column], width: int) -> list[Column]:
    """The columns with labels and verdicts on several lines where the terminal is too narrow for them on one."""
    needed = [column for column in visible if column.spare is None or (column.spare == 1 and width >= WIDE)]
    rooms = [max(len(text) for text in (column.head, *column.cells)) for column in needed]
    excess = sum(room + 3 for room in rooms) + 1 - width
    cut = {}
    for column, room in reversed(list(zip(needed, rooms, strict=True))):
        if excess > 0 and not column.right:
            cut[column.head] = max(NARROWEST, room - excess)
            excess -= room - min(room, cut[column.head])
    texts = [[textwrap.wrap(text, cut.get(column.head, 1000)) or [""] for text in column.cells] for column in visible]
    heights = [max(len(cells[i]) for cells in texts) for i in range(len(visible[0].cells))]
    return [
        replace(
            column,
            cells=[
                line
                for cell, height in zip(cells, heights, strict=True)
                for line in (*cell, *[""] * (height - len(cell)))
            ],
        )
        for column, cells in zip(visible, texts, strict=True)
    ]


# -- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(table: Table, results: Sequence[Outcome]) -> str:
    """The table in GitHub's Markdown, with counts, remarks and the rule of the verdict below it."""
    notes = "".join(f"- {escaped(remark)}\n" for remark in remarks(table, results))
    parts = [f"**{escaped(caption(table))}**\n", markdown_rows(table, results) + "\n", f"{escaped(counts(results))}.\n"]
    return "\n".join([*parts, *([notes] if notes else []), f"{escaped(rule(table, results))}\n"])


def markdown_rows(table: Table, results: Sequence[Outcome]) -> str:
    """The rows alone, with their heading."""
    return as_markdown(columns(table, results))


# -- LaTeX ------------------------------------------------------------------------------------------------------------


def latex(table: Table, results: Sequence[Outcome]) -> str:
    """The table as LaTeX with booktabs, to \\input into a document."""
    visible = [column for column in columns(table, results) if column.head not in ("#", "95% interval")]
    notes = [f"{remark}." for remark in [counts(results), *remarks(table, results)]]
    return LATEX_PACKAGES + latex_table(visible, f"{caption(table)}. {rule(table, results)}", notes)


# -- HTML, CSV, JSON --------------------------------------------------------------------------------------------------


def as_html(table: Table, results: Sequence[Outcome]) -> str:
    """The table as one HTML element, without scripts and styles."""
    visible = columns(table, results)

    def cell(tag: str, column: Column, text: str) -> str:
        align = ' align="right"' if column.right else ""
        return f"<{tag}{align}>{html.escape(clean(text))}</{tag}>"

    head = "".join(cell("th", column, column.head) for column in visible)
    body = "".join(
        f"<tr>{''.join(cell('td', column, text) for column, text in zip(visible, row, strict=True))}</tr>\n"
        for row in zip(*(column.cells for column in visible), strict=True)
    )
    texts = (counts(results), *remarks(table, results), rule(table, results))
    notes = "".join(f"<p>{html.escape(clean(text))}</p>" for text in texts)
    return (
        f"<table>\n<caption>{html.escape(clean(caption(table)))}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f'<tbody>\n{body}</tbody>\n<tfoot><tr><td colspan="{len(visible)}">{notes}</td></tr></tfoot>\n</table>\n'
    )


def _flat(table: Table, outcome: Outcome) -> dict[str, Any]:
    unit, judgement = table.unit, outcome.judgement
    claim, summary = outcome.row.claim, judgement.measured
    none = (None, None)
    low, high = ends((claim.low, claim.high), unit) if claim else none
    mean_low, mean_high = ends(summary.interval, unit) if summary.interval else none
    least, most = sorted(map(unit.difference, judgement.interval)) if judgement.interval else none
    return {
        "label": outcome.row.label,
        "claimed": claim.printed if claim else None,
        "claimed_low": _rounded(low),
        "claimed_high": _rounded(high),
        "claimed_deviation": _rounded(unit.scale * claim.deviation) if claim and claim.deviation is not None else None,
        "claimed_trainings": claim.trainings if claim else None,
        "mean": None if summary.mean is None else unit.number(summary.mean),
        "sd": None if summary.sd is None else unit.scale * summary.sd,
        "mean_low": mean_low,
        "mean_high": mean_high,
        "difference": None if judgement.difference is None else unit.difference(judgement.difference),
        "difference_low": least,
        "difference_high": most,
        "seeds": len(outcome.values),
        "seeds_wanted": outcome.wanted,
        "seeds_needed": judgement.seeds_needed,
        "verdict": judgement.verdict.value,
        "complete": outcome.complete,
        "parameters": outcome.parameters,
        "seconds": outcome.seconds,
        "source": outcome.row.source,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 10)


def as_csv(table: Table, results: Sequence[Outcome]) -> str:
    """One line for each row of the table, numbers in full and in the unit of the table."""
    rows = [_flat(table, outcome) for outcome in results]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: clean(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows
    )
    return out.getvalue()


def as_json(table: Table, results: Sequence[Outcome]) -> str:
    """The same as JSON, with the seeds' own values."""
    rows = [
        {
            **_flat(table, outcome),
            "notes": outcome.row.notes,
            "runs": [
                {
                    "seed": record.seed,
                    "state": record.state,
                    "value": None if record.value is None else table.unit.number(record.value),
                    "reason": record.reason or None,
                }
                for record in outcome.records
            ],
        }
        for outcome in results
    ]
    content = {
        "title": table.title,
        "metric": table.recorded_name,
        "unit": table.unit.name,
        "tolerance": _rounded(table.unit.scale * table.tolerance),
        "expected_false_verdicts": _rounded(expected_false_verdicts(results)),
        "rows": rows,
        "remarks": remarks(table, results),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
