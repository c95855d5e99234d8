"""A table as text: for a terminal, Markdown, LaTeX, HTML, CSV and JSON."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fitbench.analysis.statistics import Interval
from fitbench.columns import Column, as_markdown, escaped, print_columns
from fitbench.tables.definition import NONE_STATED, Claim, Table, Unit
from fitbench.tables.lines import Line, counts, remarks
from fitbench.text import clean, console, number

NARROWEST = 13  # characters of a label or a verdict in a terminal
WIDE = 100  # characters of a terminal in which labels rather break than that intervals are left out
FORMATS = ("table", "markdown", "latex", "html", "csv", "json")


def printed(table: Table, made: Sequence[Line], format: str) -> None:
    """Print the table to stdout in one of `FORMATS`."""
    if format == "table":
        _print(table, made)
    else:
        made_by = {"markdown": markdown, "latex": latex, "html": as_html, "csv": as_csv, "json": as_json}
        console()  # so that stdout takes every character
        print(made_by[format](table, made), end="")


# -- cells ------------------------------------------------------------------------------------------------------------


def claimed(claim: Claim | None, unit: Unit) -> str:
    """A claim as its source has it: '0.9203', '0.92 to 0.93', or 'none stated'."""
    if claim is None:
        return NONE_STATED
    ends = sorted({claim.low, claim.high}, reverse=unit.of_errors)
    return " to ".join(_as_stated(unit.shown(end)) for end in ends)


def _as_stated(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def span(interval: Interval | None, unit: Unit) -> str:
    """An interval of accuracies in the unit of the table, the lower number first."""
    return "-" if interval is None else " to ".join(f"{value:.{unit.digits}f}" for value in ends(interval, unit))


def ends(interval: Interval, unit: Unit) -> tuple[float, float]:
    """An interval of accuracies in the unit of the table, the lower number first."""
    low, high = sorted(map(unit.shown, interval))
    return low, high


def mean_sd(line: Line, unit: Unit) -> str:
    """The mean and the standard deviation over the seeds, '-' where none has finished."""
    summary = line.judged.measured
    if summary.mean is None:
        return "-"
    spread = "" if summary.sd is None else f" ± {unit.scale * summary.sd:.{unit.digits}f}"
    return f"{unit.shown(summary.mean):.{unit.digits}f}{spread}"


def difference(line: Line, unit: Unit) -> str:
    """The measured mean less the claim, in the unit of the table."""
    value = line.judged.difference
    return "-" if value is None else f"{unit.difference(value):+z.{unit.digits}f}"


def seconds(value: float | None) -> str:
    """A time as '12 s' or '1.2 h'."""
    if value is None:
        return "-"
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.0f} min" if value < 6000 else f"{value / 3600:.1f} h"


def columns(table: Table, made: Sequence[Line]) -> list[Column]:
    """The columns of the table, their texts clean."""
    unit = table.unit
    return [
        Column("#", [str(i) for i in range(1, len(made) + 1)]),
        Column("", [clean(line.row.label) for line in made], right=False, key=True),
        Column("claimed", [claimed(line.row.claim, unit) for line in made]),
        Column("its 95% interval", [span(line.judged.claimed, unit) for line in made], spare=5),
        Column("measured", [mean_sd(line, unit) for line in made]),
        Column("95% interval", [span(line.judged.measured.interval, unit) for line in made], spare=1),
        Column("difference", [difference(line, unit) for line in made], spare=3),
        Column("seeds", [line.seeds for line in made]),
        Column("verdict", [line.verdict for line in made], right=False),
        Column("parameters", [number(line.parameters, 0) for line in made], spare=2),
        Column("per run", [seconds(line.seconds) for line in made], spare=4),
    ]


def caption(table: Table) -> str:
    """Title, metric and unit."""
    return f"{table.title} ({quantity(table)})"


def quantity(table: Table) -> str:
    """What the numbers are, as 'test error, %'."""
    return f"{table.metric.replace('_accuracy', '')} {table.unit.heading}"


def rule(table: Table) -> str:
    """How a verdict is made, in a few words."""
    margin = f" by more than {_as_stated(table.unit.scale * table.margin)}" if table.margin else ""
    return (
        "Measured: mean ± standard deviation over the seeds and the 95% interval of the mean. Verdict: from the 95% "
        "interval of the difference, in which the claim carries Wilson's interval for its test images. Better or "
        f"worse: it shows a difference{margin}; reproduced: none, and more seeds with this mean would show none; "
        "too few seeds: they would, or there are fewer than 3."
    )


# -- terminal ---------------------------------------------------------------------------------------------------------


def _print(table: Table, made: Sequence[Line]) -> None:
    out = console()
    shown = columns(table, made)[1:]
    out.print(clean(caption(table)), style="bold")
    dropped = print_columns(out, _wrapped(shown, out.width) if out.is_terminal else shown)
    out.print(clean(counts(made)), style="bold")
    for remark in remarks(table, made):
        out.print(clean(remark), style="yellow")
    out.print(rule(table), style="dim")
    if dropped:
        out.print(f"Too narrow here for: {', '.join(dropped)}.", style="dim")


def _wrapped(shown: Sequence[Column], width: int) -> list[Column]:
    """The columns with labels and verdicts on several lines where the terminal is too narrow for them on one."""
    needed = [column for column in shown if column.spare is None or (column.spare == 1 and width >= WIDE)]
    rooms = [max(len(text) for text in (column.head, *column.cells)) for column in needed]
    excess = sum(room + 3 for room in rooms) + 1 - width
    cut = {}
    for column, room in reversed(list(zip(needed, rooms, strict=True))):
        if excess > 0 and not column.right:
            cut[column.head] = max(NARROWEST, room - excess)
            excess -= room - min(room, cut[column.head])
    texts = [[textwrap.wrap(text, cut.get(column.head, 1000)) or [""] for text in column.cells] for column in shown]
    heights = [max(len(cells[i]) for cells in texts) for i in range(len(shown[0].cells))]
    return [
        replace(
            column,
            cells=[
                one
                for cell, height in zip(cells, heights, strict=True)
                for one in (*cell, *[""] * (height - len(cell)))
            ],
        )
        for column, cells in zip(shown, texts, strict=True)
    ]


# -- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(table: Table, made: Sequence[Line]) -> str:
    """The table in GitHub's Markdown, with what has to be said below it."""
    said = "".join(f"- {escaped(remark)}\n" for remark in remarks(table, made))
    parts = [f"**{escaped(caption(table))}**\n", markdown_rows(table, made) + "\n", f"{escaped(counts(made))}.\n"]
    return "\n".join([*parts, *([said] if said else []), f"{escaped(rule(table))}\n"])


def markdown_rows(table: Table, made: Sequence[Line]) -> str:
    """The rows alone, with their heading."""
    return as_markdown(columns(table, made))


# -- LaTeX ------------------------------------------------------------------------------------------------------------

TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"{'}", "`": r"\textasciigrave{}", "±": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{EN DASH}": "--", "\N{EM DASH}": "---", "…": r"\dots{}",
    "[": "{[}", "]": "{]}", "°": r"\textdegree{}", "µ": r"\textmu{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "`", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``", "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
}  # fmt: skip
LATIN = ("\N{LATIN CAPITAL LETTER A WITH GRAVE}", "\N{LATIN SMALL LETTER Z WITH CARON}")


def tex(text: str) -> str:
    """Text that LaTeX sets as it is. Letters beyond Latin, which its usual fonts lack, become '?'."""
    return re.sub("--+|.", lambda found: _tex(found[0]), clean(text))


def _tex(text: str) -> str:
    """A character, or hyphens that would become a dash."""
    if text in TEX:
        return TEX[text]
    if text.startswith("--"):
        return "{-}" * len(text)
    return text if text.isascii() or LATIN[0] <= text <= LATIN[1] else "?"


def latex(table: Table, made: Sequence[Line]) -> str:
    """The table as LaTeX with booktabs, to \\input into a document."""
    shown = [column for column in columns(table, made) if column.head not in ("#", "its 95% interval")]
    alignment = "".join("r" if column.right else "l" for column in shown)

    def row(cells: Sequence[str]) -> str:
        return f"  {' & '.join(map(_tex_cell, cells))} \\\\\n"

    body = "".join(row(cells) for cells in zip(*(column.cells for column in shown), strict=True))
    said = " ".join(f"{remark}." for remark in [counts(made), *remarks(table, made)])
    return (
        "% \\usepackage{booktabs}, and textcomp where LaTeX is older than 2020\n"
        f"\\begin{{table}}\n  \\centering\n  \\caption{{{tex(caption(table))}. {tex(rule(table))}}}\n"
        f"  \\begin{{tabular}}{{@{{}}{alignment}@{{}}}}\n  \\toprule\n"
        f"{row([column.head for column in shown])}  \\midrule\n{body}  \\bottomrule\n  \\end{{tabular}}\n\n"
        f"  \\medskip\\footnotesize {tex(said)}\n\\end{{table}}\n"
    )


def _tex_cell(text: str) -> str:
    """A cell; a sign before a number is one, and not a hyphen."""
    signed = re.fullmatch(r"([+-])(\d[\d.]*)", text)
    return f"${signed[1]}{signed[2]}$" if signed else "--" if text == "-" else tex(text)


# -- HTML, CSV, JSON --------------------------------------------------------------------------------------------------


def as_html(table: Table, made: Sequence[Line]) -> str:
    """The table as one HTML element, without scripts and styles."""
    shown = columns(table, made)

    def cell(tag: str, column: Column, text: str) -> str:
        align = ' align="right"' if column.right else ""
        return f"<{tag}{align}>{html.escape(clean(text))}</{tag}>"

    head = "".join(cell("th", column, column.head) for column in shown)
    body = "".join(
        f"<tr>{''.join(cell('td', column, text) for column, text in zip(shown, row, strict=True))}</tr>\n"
        for row in zip(*(column.cells for column in shown), strict=True)
    )
    said = "".join(f"<p>{html.escape(clean(text))}</p>" for text in (counts(made), *remarks(table, made), rule(table)))
    return (
        f"<table>\n<caption>{html.escape(clean(caption(table)))}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f'<tbody>\n{body}</tbody>\n<tfoot><tr><td colspan="{len(shown)}">{said}</td></tr></tfoot>\n</table>\n'
    )


def _flat(table: Table, line: Line) -> dict[str, Any]:
    unit, judged = table.unit, line.judged
    claim, summary = line.row.claim, judged.measured
    none = (None, None)
    low, high = ends((claim.low, claim.high), unit) if claim else none
    around_low, around_high = ends(judged.claimed, unit) if judged.claimed else none
    mean_low, mean_high = ends(summary.interval, unit) if summary.interval else none
    least, most = sorted(map(unit.difference, judged.bounds)) if judged.bounds else none
    return {
        "label": line.row.label,
        "claimed_low": _rounded(low),
        "claimed_high": _rounded(high),
        "claimed_interval_low": around_low,
        "claimed_interval_high": around_high,
        "mean": None if summary.mean is None else unit.shown(summary.mean),
        "sd": None if summary.sd is None else unit.scale * summary.sd,
        "mean_low": mean_low,
        "mean_high": mean_high,
        "difference": None if judged.difference is None else unit.difference(judged.difference),
        "difference_low": least,
        "difference_high": most,
        "seeds": len(line.finished),
        "seeds_wanted": line.wanted,
        "verdict": judged.verdict.value,
        "complete": line.complete,
        "parameters": line.parameters,
        "seconds": line.seconds,
        "source": line.row.source,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 10)


def as_csv(table: Table, made: Sequence[Line]) -> str:
    """One line for each row of the table, numbers in full and in the unit of the table."""
    rows = [_flat(table, line) for line in made]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: clean(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows
    )
    return out.getvalue()


def as_json(table: Table, made: Sequence[Line]) -> str:
    """The same as JSON, with the seeds' own values."""
    rows = [
        {
            **_flat(table, line),
            "notes": line.row.notes,
            "runs": [
                {
                    "seed": record.seed,
                    "state": record.state,
                    "value": None if record.value is None else table.unit.shown(record.value),
                    "reason": record.reason or None,
                }
                for record in line.records
            ],
        }
        for line in made
    ]
    content = {
        "title": table.title,
        "metric": table.metric,
        "unit": table.unit.name,
        "margin": table.unit.scale * table.margin,
        "rows": rows,
        "remarks": remarks(table, made),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
