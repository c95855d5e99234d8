"""A matrix for people: of each line a row with claimed and a row with measured values, and the legend of the signs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from fitbench.analysis import ranks
from fitbench.columns import Column, Mark, Note
from fitbench.columns import Table as Printed
from fitbench.tables.cells import mean_sd
from fitbench.tables.definition import Matrix, Table
from fitbench.tables.matrix import Block, Side, blocks
from fitbench.tables.outcome import Outcome
from fitbench.tables.verdict import JUDGED, Verdict
from fitbench.text import clean, counted, number

CLAIMED, MEASURED = "claimed", "measured"
PUBLISHED = ("latex", "html")  # formats of papers and pages: texts span columns, and no option is named

Item = TypeVar("Item")


@dataclass(frozen=True)
class Sign:
    """How a verdict is shown in a cell.

    Attributes:
        sign: a character, '' where there is no verdict.
        meaning: the verdict in words.
        style: Rich's style of the cell.
        preliminary: whether missing seeds may change the verdict.
    """

    sign: str
    meaning: str
    style: str
    preliminary: bool = False

    @property
    def text(self) -> str:
        """The sign, in parentheses where it is preliminary."""
        return f"({self.sign})" if self.preliminary else self.sign


SIGNS = {
    Verdict.reproduced: ("=", "green"),
    Verdict.better: ("+", "cyan"),
    Verdict.worse: ("-", "red"),
    Verdict.inconclusive: ("?", "yellow"),
}
NO_MEAN = (Verdict.not_run, Verdict.no_value)
EXPLAINED = ", explained by another row"


def sign(outcome: Outcome | None) -> Sign:
    """How the verdict on a row is shown in its cell; without a sign in an empty cell."""
    if outcome is None:
        return Sign("", "", "")
    verdict = outcome.judgement.verdict
    if verdict not in JUDGED:
        return Sign("", "", "dim" if verdict in NO_MEAN else "")
    character, style = SIGNS[verdict]
    if outcome.explained:
        return Sign(f"{character}*", f"{verdict.value}{EXPLAINED}", "magenta", not outcome.complete)
    return Sign(character, verdict.value, style, not outcome.complete)


def matrix_tables(table: Table, results: Sequence[Outcome], format: str, bold: bool = True) -> list[Printed]:
    """The matrices of a table, one for each metric, each under its title; the legend is below the last one.

    `bold`: the best of a column are bold. `format`: one of `formats.FORMATS` that people read.
    """
    assert table.matrix is not None
    made = blocks(table, results)
    look = _Look(clean(table.matrix.across) if format in PUBLISHED else "", bold, padded=format == "table")
    return [
        Printed(
            f"{table.title} ({block.heading})",
            _columns(block, table.matrix, look),
            [Note(text) for text in legend(made, table.matrix, bold)] if block is made[-1] else [],
            wrapped=True,
            together=2,
        )
        for block in made
    ]


# -- columns ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Look:
    """What differs between the formats.

    Attributes:
        over: what stands over the columns.
        bold: whether the best of a column are bold.
        padded: whether spaces align numbers with and without deviation.
    """

    over: str
    bold: bool
    padded: bool


def _columns(block: Block, matrix: Matrix, look: _Look) -> list[Column]:
    empty = [""] * len(block.lines)
    return [
        Column(clean(matrix.down), _both(map(clean, block.lines), empty), right=False, key=True),
        Column("", [CLAIMED, MEASURED] * len(block.lines), right=False, key=True),
        *(_column(block, place, look) for place in range(len(block.columns))),
        *([_ranks(block, look)] if block.has_ranks else []),
    ]


def _both(claimed: Iterable[Item], measured: Iterable[Item]) -> list[Item]:
    """The items of each line in turn: what its row of claims has, and what its row of measurements has."""
    return list(chain.from_iterable(zip(claimed, measured, strict=True)))


def _column(block: Block, place: int, look: _Look) -> Column:
    cells = [line[place] for line in block.cells]
    texts = list(chain.from_iterable(cell_texts(cell, block.digits) for cell in cells))
    signs, empty = list(map(sign, cells)), [""] * len(cells)
    best = [look.bold and each for each in _both(block.claimed.best(place), block.measured.best(place))]
    styles = _both(empty, [each.style for each in signs])
    return Column(
        clean(block.columns[place]),
        _padded(texts) if look.padded else texts,
        styles=[f"{'bold ' * marked}{style}".strip() for marked, style in zip(best, styles, strict=True)],
        marks=_marks(best),
        signs=_both(empty, [each.text for each in signs]),
        over=look.over,
    )


def cell_texts(cell: Outcome | None, digits: int) -> tuple[str, str]:
    """What is claimed and what is measured in a cell, '-' for none; the verdict where no seed has a value."""
    if cell is None:
        return "-", "-"
    claim = "-" if cell.row.claim is None else cell.row.claim.printed
    verdict = cell.judgement.verdict
    return claim, verdict.value if verdict in NO_MEAN else mean_sd(cell, digits)


def _padded(cells: Sequence[str]) -> list[str]:
    """The cells with spaces behind a number without deviation, so that it stands below the numbers that have one."""
    room = max(len(behind) + len(sep) for cell in cells for _, sep, behind in [cell.partition(" ± ")])
    return [cell + " " * room if " " not in cell and cell != "-" else cell for cell in cells]


def _marks(best: Sequence[bool]) -> list[Mark]:
    return [Mark.BOLD if each else Mark.NONE for each in best] if any(best) else []


def _ranks(block: Block, look: _Look) -> Column:
    sides = block.claimed.averages, block.measured.averages
    best = [look.bold and each for each in _both(*map(ranks.best, sides))]
    texts = [number(rank, 2) for rank in _both(*sides)]
    return Column("rank", texts, styles=["bold" * each for each in best], marks=_marks(best))


# -- legend -----------------------------------------------------------------------------------------------------------


def legend(made: Sequence[Block], matrix: Matrix, bold: bool) -> list[str]:
    """What the signs and the bold cells mean, and what the ranks are over; a sentence or two in each text."""
    found = {each for block in made for outcome in block.outcomes if (each := sign(outcome)).sign}
    meanings = {each.sign: each.meaning for each in found}
    order = [character for character, _ in SIGNS.values()]
    texts = [f"{text} {meanings[text]}" for text in sorted(meanings, key=lambda text: (order.index(text[0]), text))]
    about = f"Signs: {', '.join(texts)}" * bool(texts)
    about += "; in parentheses: so far, because seeds are missing" * any(each.preliminary for each in found)
    lines = [
        f"{about}." * bool(about),
        "Bold: the best of its column, among the claimed and among the measured values." * bold,
        *_about_ranks(made, matrix),
    ]
    return [line for line in lines if line]


def _about_ranks(made: Sequence[Block], matrix: Matrix) -> list[str]:
    """What the ranks are, and in which matrices they leave out columns or lines."""
    if not any(block.has_ranks for block in made):
        return []
    lines = [
        f"Rank: the mean of the ranks in the columns in which every {matrix.down} has a value, equal values sharing "
        f"theirs ({ranks.SOURCE})."
    ]
    for block in made:
        of = f" of {block.heading}" if len(made) > 1 else ""
        texts = {name: _coverage(getattr(block, name), block) for name in (CLAIMED, MEASURED) if block.has_ranks}
        if len(set(texts.values())) == 1:
            texts = {f"{CLAIMED} and {MEASURED}": next(iter(texts.values()))}
        lines += [f"{name.capitalize()} ranks{of}: {text}." for name, text in texts.items() if text]
    return lines


def _coverage(side: Side, block: Block) -> str:
    """Over which columns and lines ranks are, '' where over all."""
    if not side.ranked:
        return "none, because no column is complete"
    without = [block.lines[line] for line in side.without]
    left_out = f", without {', '.join(without)}" if without else ""
    if len(side.ranked) == len(block.columns):
        return f"over all columns{left_out}" if without else ""
    return f"over {len(side.ranked)} of {counted(len(block.columns), 'column')}{left_out}"
