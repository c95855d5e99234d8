"""A matrix for people: of each line a row with claimed and a row with measured values, and the legend of the signs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from fitbench.columns import Column, Mark, Note
from fitbench.columns import Table as Printed
from fitbench.tables.cells import mean_sd
from fitbench.tables.definition import Matrix, Table
from fitbench.tables.matrix import Block, Side, blocks
from fitbench.tables.outcome import Outcome
from fitbench.tables.verdict import JUDGED, Verdict
from fitbench.text import clean, counted, number

CLAIMED, MEASURED = "claimed", "measured"
SPANNED = ("latex", "html")  # formats in which a text can stand over several columns
RANKS = "J. Demšar (2006), Journal of Machine Learning Research 7, 1-30"


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


EXPLAINED = ", explained by another row"


def sign(outcome: Outcome) -> Sign:
    """How the verdict on a row is shown in its cell."""
    verdict = outcome.judgement.verdict
    if verdict not in JUDGED:
        return Sign("", "", "dim" if verdict is Verdict.not_run else "")
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
    over = table.matrix.across if format in SPANNED else ""
    return [
        Printed(
            f"{table.title} ({block.heading})",
            _columns(block, table.matrix, over, bold, padded=format == "table"),
            [Note(text) for text in legend(made, table.matrix, bold)] if block is made[-1] else [],
            wrapped=True,
            together=2,
        )
        for block in made
    ]


# -- columns ----------------------------------------------------------------------------------------------------------


def _columns(block: Block, matrix: Matrix, over: str, bold: bool, padded: bool) -> list[Column]:
    places = range(len(block.lines))
    return [
        Column(clean(matrix.down), _rows(lambda line: (clean(block.lines[line]), ""), places), right=False, key=True),
        Column("", _rows(lambda line: (CLAIMED, MEASURED), places), right=False, key=True),
        *(_column(block, place, clean(over), bold, padded) for place in range(len(block.columns))),
        *([_ranks(block, bold)] if block.has_ranks else []),
    ]


def _rows(of: Callable[[int], tuple[str, str]], lines: Sequence[int]) -> list[str]:
    """A text for both rows of each line."""
    return list(chain.from_iterable(map(of, lines)))


def _column(block: Block, place: int, over: str, bold: bool, padded: bool) -> Column:
    cells = [line[place] for line in block.cells]
    signs = [None if cell is None else sign(cell) for cell in cells]
    texts = [text for cell in cells for text in cell_texts(cell, block.digits)]
    best = [side.best(line, place) and bold for line in range(len(cells)) for side in (block.claimed, block.measured)]
    styles = [style for each in signs for style in ("", each.style if each else "")]
    return Column(
        clean(block.columns[place]),
        _padded(texts) if padded else texts,
        styles=[f"{'bold ' * marked}{style}".strip() for marked, style in zip(best, styles, strict=True)],
        marks=_marks(best),
        signs=[text for each in signs for text in ("", each.text if each else "")],
        over=over,
    )


def cell_texts(cell: Outcome | None, digits: int) -> tuple[str, str]:
    """What is claimed and what is measured in a cell, '-' for none; 'not run' where nothing is measured yet."""
    if cell is None:
        return "-", "-"
    claim = "-" if cell.row.claim is None else cell.row.claim.printed
    not_run = cell.row.measured and cell.judgement.measured.mean is None
    return claim, "not run" if not_run else mean_sd(cell, digits)


def _padded(cells: Sequence[str]) -> list[str]:
    """The cells with spaces behind a number without deviation, so that it stands below the numbers that have one."""
    room = max(len(behind) + len(sep) for cell in cells for _, sep, behind in [cell.partition(" ± ")])
    return [cell + " " * room if " " not in cell and cell != "-" else cell for cell in cells]


def _marks(best: Sequence[bool]) -> list[Mark]:
    return [Mark.BOLD if each else Mark.NONE for each in best] if any(best) else []


def _ranks(block: Block, bold: bool) -> Column:
    claimed, measured = block.claimed.averages, block.measured.averages
    texts = _rows(lambda line: (number(claimed[line], 2), number(measured[line], 2)), range(len(block.lines)))
    found = [sorted({each for each in side if each is not None}) for side in (claimed, measured)]
    best = [
        bold and len(ranks) > 1 and rank == ranks[0]
        for pair in zip(claimed, measured, strict=True)
        for rank, ranks in zip(pair, found, strict=True)
    ]
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
        f"theirs ({RANKS})."
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
