"""The matrices of `fitbench compare --pivot` as tables for people, CSV and JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from fitbench.analysis import ranks
from fitbench.analysis.group_columns import decimals, mean_sd
from fitbench.analysis.in_short import in_words, not_counted, settings
from fitbench.analysis.pivot import Block, Cell, Pivot
from fitbench.analysis.sample import Sample
from fitbench.analysis.statistics import SIGNIFICANT
from fitbench.analysis.telling import key_text, short_texts
from fitbench.columns import Column, Mark, Note, Table, records, selected, stacked
from fitbench.formats import Look, mark_words, print_as
from fitbench.text import clean, counted, first_of, in_sentence, number

NAMED = 5  # cells that a line names at most


def print_pivots(pivots: Sequence[Pivot], limit: int | None, usual: int, format: str, look: Look) -> None:
    """Print matrices on stdout in one of `formats.FORMATS`, with `limit` rows at most.

    Without a limit, CSV and JSON have all rows, and the formats for people the `usual` number at most.
    """
    if format == "json":
        print(json.dumps(_as_json(pivots, limit), indent=2, allow_nan=False, default=str))
    else:
        shown = [each for each in pivots if _has_values(each)]
        tables = [_table(_with_values(each), limit or usual, format) for each in shown]
        below = [_without_values(each) for each in pivots if each not in shown]
        tables += [Table("", [], below)] * bool(below)
        print_as(
            format,
            list(map(look.of, tables)),
            stacked([_with_task_and_data(each, values(each, limit)) for each in pivots]),
        )


# -- for people -------------------------------------------------------------------------------------------------------


def _has_values(pivot: Pivot) -> bool:
    return any(cell.rank is not None for _, cell in _cells(pivot))


def _without_values(pivot: Pivot) -> Note:
    """A matrix of which no cell has a value, in a line."""
    of = f" on {pivot.of}" if pivot.of else ""
    return Note(f"Nothing to compare{of}; {not_counted(pivot.uncounted) or 'no run has finished'}", "yellow")


def _with_values(pivot: Pivot) -> Pivot:
    """The matrix without the rows and columns in which no cell has a value by any metric."""

    def has(row: int, place: int) -> bool:
        return any((cell := block.cells[row][place]) is not None and cell.rank is not None for block in pivot.blocks)

    every = range(len(pivot.rows)), range(len(pivot.values))
    rows = [row for row in every[0] if any(has(row, place) for place in every[1])]
    places = [place for place in every[1] if any(has(row, place) for row in rows)]
    return replace(
        pivot,
        rows=[pivot.rows[row] for row in rows],
        texts=[pivot.texts[row] for row in rows],
        values=[pivot.values[place] for place in places],
        differing=[pivot.differing[row] for row in rows],
        blocks=[
            Block(
                block.metric,
                [block.columns[place] for place in places],
                [[block.cells[row][place] for place in places] for row in rows],
            )
            for block in pivot.blocks
        ],
    )


def _table(pivot: Pivot, limit: int, format: str) -> Table:
    cut, (bold, underlined) = len(pivot.rows) - limit, mark_words(format)
    more = [f"and {counted(cut, 'more row')}" + f"; --limit {len(pivot.rows)} shows them" * (format == "table")]
    legend = [_about_folds(pivot), _legend(pivot, bold, underlined), *_about_ranks(pivot)]
    below = [
        *(Note(text, "yellow") for text in [*more * (cut > 0), *_notes(pivot)]),
        *map(Note, filter(None, legend)),
    ]
    return Table(_title(pivot), selected(columns(pivot), range(min(limit, len(pivot.rows)))), below, wrapped=True)


def _title(pivot: Pivot) -> str:
    about = [
        f"{block.metric.label} ({'higher' if block.metric.higher_is_better else 'lower'} is better"
        + (f", in {block.metric.unit})" if block.metric.unit else ")")
        for block in pivot.blocks
    ]
    several = any(cell.group.summary.sd is not None for _, cell in _cells(pivot))
    mean = "mean ± standard deviation" if several else "mean"
    title = f"{mean} over {_over(pivot)} of {in_sentence(about, 'and')}, {', '.join(pivot.heads)} by {pivot.head}"
    return f"{pivot.of}: {title}" if pivot.of else title[0].upper() + title[1:]


def _over(pivot: Pivot) -> str:
    """What the means and deviations are over, as '3 runs', '3 folds x 2 seeds' or '2 to 3 folds or 5 runs'."""
    samples = _samples(pivot)
    texts = {sample.text for sample in samples}
    if len(texts) == 1 and not any(sample.mixed for sample in samples):
        return texts.pop()
    sizes: dict[str, list[int]] = {}
    for sample in samples:
        sizes.setdefault(sample.noun, []).append(len(sample.members))
    ranges = [
        f"{min(of)} to {max(of)} {noun}s" if min(of) < max(of) else counted(of[0], noun) for noun, of in sizes.items()
    ]
    return " or ".join(ranges) or "no runs"


def _samples(pivot: Pivot) -> list[Sample]:
    """What the mean of each cell with a value is over."""
    return [cell.group.sample for _, cell in _cells(pivot) if cell.rank is not None]


def _about_folds(pivot: Pivot) -> str:
    """How a fold of several runs counts; '' without any."""
    several = any(len(sample.seeds) > len(sample.members) for sample in _samples(pivot))
    return "The value of a fold is the mean of its runs." if several else ""


def columns(pivot: Pivot) -> list[Column]:
    """The keys of the rows, and for each metric the columns of the matrix and the average ranks."""
    made = [
        Column(head, [clean(texts[place]) for texts in pivot.texts], right=False, key=True)
        for place, head in enumerate(pivot.heads)
    ]
    heads = list(map(clean, short_texts(pivot.values)))
    for block in pivot.blocks:
        over = block.metric.label if len(pivot.blocks) > 1 else ""
        for place, head in enumerate(heads):
            cells = [row[place] for row in block.cells]
            digits = decimals(block.metric, block.columns[place].groups)
            made.append(Column(head, [_text(cell, digits) for cell in cells], marks=list(map(_mark, cells)), over=over))
        if _has_ranks(pivot) and block.complete:
            made.append(_rank_column(block, over))
    return made


def _text(cell: Cell | None, digits: int) -> str:
    return "-" if cell is None else mean_sd(cell.group, digits)


def _mark(cell: Cell | None) -> Mark:
    if cell is None:
        return Mark.NONE
    return Mark.BOLD if cell.best else Mark.UNDERLINE if cell.as_good else Mark.NONE


def _has_ranks(pivot: Pivot) -> bool:
    """Whether average ranks say something that the cells do not."""
    return len(pivot.rows) > 1 and len(pivot.values) > 1


def _rank_column(block: Block, over: str) -> Column:
    averages = block.average_ranks
    marks = [Mark.BOLD if best else Mark.NONE for best in ranks.best(averages)]
    return Column("rank", [number(rank, 2) for rank in averages], marks=marks, over=over)


# -- sentences --------------------------------------------------------------------------------------------------------


def _legend(pivot: Pivot, bold: str, underlined: str) -> str:
    """What the marks mean, and how it was tested; '' without marks."""
    cells = [cell for _, cell in _cells(pivot) if cell.rank is not None]
    if not any(cell.best for cell in cells):
        return ""
    tested = [cell for cell in cells if cell.p is not None]
    text = f"{bold}: the best of its column."
    reasons = Counter(cell.comparison.difference.note for cell in cells if cell.comparison and cell.p is None)
    if not tested:
        because = [f"{reason} ({counted(count, 'cell')})" for reason, count in reasons.items()]
        return f"{text} No differences are tested: {'; '.join(because)}."
    tests = " or ".join(dict.fromkeys(cell.comparison.difference.test for cell in tested if cell.comparison))
    text += (
        f" {underlined.capitalize()}: not significantly different from it (p ≥ {SIGNIFICANT}; {tests} test, corrected "
        "after Holm for each column)."
    )
    return text + "".join(f" Not tested, {reason}: {counted(count, 'cell')}." for reason, count in reasons.items())


def _about_ranks(pivot: Pivot) -> list[str]:
    if not _has_ranks(pivot):
        return []
    ranked = [block for block in pivot.blocks if block.complete]
    lines = [f"Rank: the mean of the ranks in the columns, equal means sharing theirs ({ranks.SOURCE})."] * bool(ranked)
    for block in pivot.blocks:
        complete = block.complete
        if not complete:
            of = f" of {block.metric.label}" if len(pivot.blocks) > 1 else ""
            lines.append(f"No ranks{of}: no column has a value in every row.")
            continue
        if left_out := [place for place in range(len(pivot.values)) if place not in complete]:
            missing = [
                f"{_label(pivot, row)} in {key_text(pivot.values[place])}"
                for place in left_out
                for row, cells in enumerate(block.cells)
                if (cell := cells[place]) is None or cell.rank is None
            ]
            of = f" of {block.metric.label}" if len(pivot.blocks) > 1 else ""
            count = f"{len(complete)} of {counted(len(pivot.values), 'column')}"
            lines.append(f"Ranks{of} are over {count}, as there is no value of {first_of(missing, NAMED, '; ')}.")
    return lines


def _notes(pivot: Pivot) -> list[str]:
    """Warnings: runs that do not count, cells of several configurations, columns of several data."""
    lines = []
    if pivot.uncounted:
        text = not_counted(Counter(dict(sorted(pivot.uncounted.items()))))
        lines.append(f"{text[0].upper()}{text[1:]}.")
    repeated = {folder for _, cell in _cells(pivot) for folder in cell.group.repeated}
    if repeated:
        lines.append(f"{counted(len(repeated), 'run')} recorded more than once: the latest counts.")
    mixed = {
        name: f"{name} ({', '.join(in_words(cell.group.mixed))})" for name, cell in _cells(pivot) if cell.group.mixed
    }
    if mixed:
        lines.append(
            f"Mixed, as the runs of a cell differ in more than the keys: {first_of(mixed.values(), NAMED, '; ')}."
        )
    rows = [f"{_label(pivot, row)} ({settings(found)})" for row, found in enumerate(pivot.differing) if found]
    if rows:
        lines.append(f"The columns of a row also differ in other settings: {first_of(rows, NAMED, '; ')}.")
    partly = dict.fromkeys(name for name, cell in _cells(pivot) if cell.group.sample.missing)
    if partly and "fold" not in (*pivot.keys, pivot.pivot):
        lines.append(f"Folds are missing: {first_of(partly, NAMED, '; ')}.")
    other = {
        key_text(value): None
        for block in pivot.blocks
        for value, of in zip(pivot.values, block.columns, strict=True)
        if of.other_data
    }
    if other:
        lines.append(f"Not measured on the same examples in all runs of a column: {', '.join(other)}.")
    return lines


def _cells(pivot: Pivot) -> Iterable[tuple[str, Cell]]:
    """The cells that are there, with their names."""
    for block in pivot.blocks:
        for row, cells in enumerate(block.cells):
            for value, cell in zip(pivot.values, cells, strict=True):
                if cell is not None:
                    yield f"{_label(pivot, row)} in {key_text(value)}", cell


def _label(pivot: Pivot, row: int) -> str:
    return ", ".join(pivot.texts[row]) or "all runs"


# -- CSV and JSON -----------------------------------------------------------------------------------------------------


def values(pivot: Pivot, limit: int | None) -> list[Column]:
    """A row for each cell that is there, with its keys, metric and numbers in full.

    `limit` is how many rows of the matrix count at most, the first ones; None: all.
    """
    rows = [
        {
            **dict(zip(pivot.keys, keys, strict=True)),
            pivot.pivot: value,
            "metric": block.metric.column,
            **_numbers(cell),
            "average_rank": average,
        }
        for block in pivot.blocks
        for keys, cells, average in list(zip(pivot.rows, block.cells, block.average_ranks, strict=True))[:limit]
        for value, cell in zip(pivot.values, cells, strict=True)
        if cell is not None
    ]
    return [Column(name, [], values={name: [row[name] for row in rows]}) for name in (rows[0] if rows else {})]


def _with_task_and_data(pivot: Pivot, columns: Sequence[Column]) -> list[Column]:
    """The columns of a matrix for CSV, which has the rows of all matrices, after those that tell the matrices apart.

    The names are those of the groups without --pivot. A key of the same name stays as it is.
    """
    rows = max((len(of) for column in columns for of in column.values.values()), default=0)
    about = {"task": pivot.task} | ({} if pivot.data is None else {"data": pivot.data})
    return [*(Column(name, [], values={name: [value] * rows}) for name, value in about.items()), *columns]


def _numbers(cell: Cell) -> dict[str, Any]:
    summary, interval = cell.group.summary, cell.group.summary.interval or (None, None)
    return {
        "n": summary.n,
        "mean_over": cell.group.sample.text,
        "mean": summary.mean,
        "sd": summary.sd,
        "low": interval[0],
        "high": interval[1],
        "rank": cell.rank,
        "best": cell.best,
        "as_good": cell.as_good,
        "p_holm": cell.p,
        "test": cell.comparison.difference.test if cell.comparison else None,
        "uncounted": sum(cell.group.uncounted.values()),
        "repeated": len(cell.group.repeated),
        "mixed": " ".join(cell.group.mixed),
    }


def _as_json(pivots: Sequence[Pivot], limit: int | None) -> dict[str, Any]:
    return {
        "matrices": [_matrix_as_json(each, limit) for each in pivots],
        "left_out": [{"folder": folder, "reason": reason} for folder, reason in pivots[0].left_out],
    }


def _matrix_as_json(pivot: Pivot, limit: int | None) -> dict[str, Any]:
    return {
        "of": pivot.of,
        "task": pivot.task,
        "data": pivot.data,
        "by": pivot.keys,
        "pivot": pivot.pivot,
        "columns": pivot.values,
        "rows": [dict(zip(pivot.keys, row, strict=True)) for row in pivot.rows[:limit]],
        "metrics": [
            {
                "metric": block.metric.column,
                "higher_is_better": block.metric.higher_is_better,
                "ranked_columns": [pivot.values[place] for place in block.complete],
            }
            for block in pivot.blocks
        ],
        "significant": SIGNIFICANT,
        "cells": records(values(pivot, limit)),
        "notes": list(map(clean, _notes(pivot))),
    }
