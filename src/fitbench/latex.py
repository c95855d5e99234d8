"""Tables in LaTeX, with booktabs and siunitx."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil

from fitbench.columns import Column, Mark, Table, fitting, visible
from fitbench.tex import lacking, tex
from fitbench.text import clean, sentences

PACKAGES = "% \\usepackage{array,booktabs,graphicx,longtable,siunitx}, and textcomp where LaTeX is older than 2020\n"
# What S columns need. A deviation is text behind its number: as an uncertainty in such a column, siunitx 3.2 sets it
# with a gap, and half of it in bold.
SETUP = "detect-weight, retain-explicit-plus, group-digits=none, group-separator={,}, table-align-text-after=false"
FITTED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{"  # a wide table becomes smaller
LINES = 45  # lines of a table that a page has room for; one with more is a longtable
PAGE = 100  # characters of a line in the smallest letters that are easy to read; columns beyond are left out
FOLDED = 22  # characters of a line of a folded column
EM = 0.5  # of an average character
LINE, BETWEEN = 345, 12  # points: a line of the class article, and what is between two columns
SIZES = {"normalsize": 5.0, "small": 4.6, "footnotesize": 4.2, "scriptsize": 3.8, "tiny": 3.4}  # points of a character


def latex(tables: Sequence[Table]) -> str:
    """Tables as LaTeX with booktabs and siunitx, to \\input into a document."""
    return PACKAGES + "\n".join(map(latex_table, tables))


def latex_table(table: Table) -> str:
    """One table, with the columns that people see.

    Columns of numbers are aligned at the point, and long texts go on in the next line. A table of up to `LINES`
    lines is a table environment, no wider than the text. A longer one is a longtable, in letters that are as small as
    its width demands. Where columns may be left out, those that a page has no room for are, as in a terminal; a comment
    names them. Without a caption there is no environment around the table, so that it can stand in one.
    """
    every = visible(table.columns)
    kept, dropped = fitting(every, PAGE) if table.shortened else (every, [])
    made = [_Cells(column) for column in kept]
    rows = list(map(_row, zip(*(each.cells for each in made), strict=True)))
    below = sentences([note.text for note in table.notes])
    parts = _Parts(
        preamble=f"{{@{{}}{''.join(each.alignment for each in made)}@{{}}}}\n",
        setup=f"  \\sisetup{{{SETUP}}}\n" if any(each.numbers for each in made) else "",
        caption=f"  \\caption{{{tex(table.title)}}}" if table.title else "",
        head=f"  \\toprule\n{_spanning([each.column.over for each in made])}"
        f"{_row([each.head for each in made])}  \\midrule\n",
        body="  \\addlinespace\n".join(map("".join, table.groups(rows))),
        notes=f"{{\\raggedright\\footnotesize {tex(below)}\\par}}" if below else "",
    )
    lines = sum(map(max, zip(*(each.lines for each in made), strict=True)))
    left_out = ", ".join(clean(column.head) for column in reversed(dropped))
    comment = f"% A page has no room for: {left_out}\n" * bool(dropped)
    cells = [text for column in kept for text in (column.over, column.head, *column.cells)]
    unknown = lacking([table.title, *cells, below])
    comment += f"% LaTeX's usual fonts lack: {unknown}; they are ? here\n" * bool(unknown)
    return comment + (_floating(parts) if lines <= LINES else _long(parts, _size(made)))


@dataclass(frozen=True)
class _Parts:
    """The LaTeX of a table: the columns, what siunitx needs, the caption, the heads, the rows, and what is below."""

    preamble: str
    setup: str
    caption: str
    head: str
    body: str
    notes: str


def _floating(parts: _Parts) -> str:
    tabular = (
        f"{parts.setup}  {FITTED}\\begin{{tabular}}{parts.preamble}{parts.head}{parts.body}"
        "  \\bottomrule\n  \\end{tabular}}\n"
    )
    notes = f"\n  \\medskip{parts.notes}\n" * bool(parts.notes)
    if not parts.caption:
        return f"{{%\n{tabular}{notes}}}\n"
    return f"\\begin{{table}}\n  \\centering\n{parts.caption}\n  \\medskip\n{tabular}{notes}\\end{{table}}\n"


def _long(parts: _Parts, size: str) -> str:
    """The heads stand on every page, and the rule below the rows of each."""
    return (
        f"{{\\{size}\n{parts.setup}\\begin{{longtable}}{parts.preamble}"
        + f"{parts.caption} \\\\\n" * bool(parts.caption)
        + f"{parts.head}  \\endfirsthead\n{parts.head}  \\endhead\n  \\bottomrule\n  \\endfoot\n"
        + f"{parts.body}\\end{{longtable}}}}\n"
        + f"{parts.notes}\n" * bool(parts.notes)
    )


def _size(made: Sequence[_Cells]) -> str:
    """The largest size of letters in which a line has room for these columns; else the smallest."""
    room = LINE - BETWEEN * (len(made) - 1)
    characters = sum(each.characters for each in made)
    return next((size for size, width in SIZES.items() if characters * width <= room), list(SIZES)[-1])


def _row(cells: Sequence[str]) -> str:
    return f"  {' & '.join(cells)} \\\\\n"


def _spanning(overs: Sequence[str]) -> str:
    """The row of the texts that stand over several columns, and the rules below them; '' without any."""
    if not any(overs):
        return ""
    cells, rules, first = [], "", 1
    for over, members in groupby(overs):
        count = len(list(members))
        cells += [f"\\multicolumn{{{count}}}{{c}}{{{tex(over)}}}"] if over else [""] * count
        rules += f" \\cmidrule(lr){{{first}-{first + count - 1}}}" * bool(over)
        first += count
    return f"{_row(cells)} {rules}\n"


# -- cells ------------------------------------------------------------------------------------------------------------

_DEVIATION = r"(?: ± (?P<deviation>\d[\d.]*))?"
_NUMBER = re.compile(rf"(?P<sign>[+-]?)(?P<whole>\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.(?P<part>\d+))?{_DEVIATION}")
_NO_NUMBERS = {"", "-", "not run"}  # what a column of numbers can hold besides
_MARKED = {Mark.NONE: "{}", Mark.BOLD: r"\textbf{{{}}}", Mark.UNDERLINE: r"\underline{{{}}}"}


class _Cells:
    """A column as LaTeX.

    Attributes:
        column: the column.
        numbers: whether it is an S column of siunitx, because its cells are numbers, with deviations or without.
        alignment: for the preamble of the table.
        characters: those of its longest line.
        lines: how many lines each cell takes.
        head, cells: LaTeX code.
    """

    def __init__(self, column: Column) -> None:
        self.column = column
        marks = column.marks or [Mark.NONE] * len(column.cells)
        found = [_NUMBER.fullmatch(cell) for cell in column.cells]
        texts = {cell for cell, number in zip(column.cells, found, strict=True) if number is None}
        numbers = [number for number in found if number is not None]
        self.numbers = column.right and bool(numbers) and texts <= _NO_NUMBERS
        self.head = _tex_cell(column.head)
        self.characters = max(map(len, (column.head, *column.cells)))
        folded = column.folded and self.characters > FOLDED
        self.lines = [ceil(len(cell) / FOLDED) if folded and cell else 1 for cell in column.cells]
        signs = column.signs or [""] * len(column.cells)
        if self.numbers:
            behind = [_behind(number, sign) for number, sign in zip(found, signs, strict=True)]
            self.alignment, self.head = _s_column(numbers, _widest(behind)), f"{{{self.head}}}"
            self.cells = [
                f"{{{_tex_cell(cell)}{text}}}" * bool(cell) if number is None else _number(number, text, mark)
                for cell, number, text, mark in zip(column.cells, found, behind, marks, strict=True)
            ]
        else:
            self.alignment = "r" if column.right else "l"
            if folded:
                self.alignment = rf">{{\raggedright\arraybackslash}}p{{{EM * FOLDED:g}em}}"
                self.characters = FOLDED
            self.cells = [_MARKED[mark].format(_tex_cell(cell)) + _sign(sign)
                          for cell, sign, mark in zip(column.cells, signs, marks, strict=True)]  # fmt: skip


def _s_column(numbers: Sequence[re.Match[str]], behind: str) -> str:
    """An S column of siunitx that has room for these numbers, and for this text behind them."""
    whole = max(len(number["whole"].replace(",", "")) for number in numbers)
    part = max(len(number["part"] or "") for number in numbers)
    sign = max((number["sign"] for number in numbers), key=["", "+", "-"].index)  # - is wider in small letters
    options = f"table-format={sign}{whole}" + f".{part}" * bool(part)
    if any("," in number["whole"] for number in numbers):
        options += ", group-digits=integer, group-minimum-digits=4"
    return f"\n    S[{options}{f', table-space-text-post={{{behind}}}' if behind else ''}]"


def _behind(number: re.Match[str] | None, sign: str) -> str:
    """What stands behind the number of a cell: its deviation and its sign."""
    return (rf"\,$\pm$\,{number['deviation']}" if number and number["deviation"] else "") + _sign(sign)


def _sign(sign: str) -> str:
    """A sign behind a cell, as '(-)'; those of arithmetic are set as such."""
    return rf"\;{re.sub('[-+=]', lambda match: f'${match[0]}$', tex(sign))}" if sign else ""


def _widest(behind: Sequence[str]) -> str:
    """The widest of these texts: that with the most characters to be seen, a sign of arithmetic counting more."""
    return max(behind, key=lambda text: (len(re.sub(r"\\.|\$", "", text)), text.count("$")))


def _number(number: re.Match[str], behind: str, mark: Mark) -> str:
    """A number in an S column. The line below it is drawn behind it, because \\underline would hide it from siunitx."""
    bare = number[0].partition(" ")[0].replace(",", "")
    if mark is Mark.UNDERLINE:
        behind += rf"\llap{{\underline{{\phantom{{\num{{{bare}}}{behind}}}}}}}"
    return r"\bfseries " * (mark is Mark.BOLD) + bare + f" {{{behind}}}" * bool(behind)


_SIGNED = re.compile(r"(?<!\S)([+-]\d(?:[\d.,]*\d)?(?:e[+-]?\d+)?)(?!\S)")
_POWER = re.compile(r"e([+-]?)0*(\d+)")


def _tex_cell(text: str) -> str:
    """A cell. A sign before a number is set as one, and not as a hyphen."""
    if text == "-":
        return "--"
    parts = _SIGNED.split(text)  # a number with its sign stands at every odd place
    return "".join(_signed(part) if i % 2 else tex(part) for i, part in enumerate(parts))


def _signed(number: str) -> str:
    """A number with its sign, as '-1.8e-05', in mathematics."""
    power = _POWER.sub(r"{\\times}10^{\1\2}", number.replace(",", "{,}"))
    return f"${power.replace('^{+', '^{')}$"
