"""Tables in LaTeX, with booktabs and siunitx."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from fitbench.columns import Column, Mark, Table, visible
from fitbench.text import clean, sentences

PACKAGES = "% \\usepackage{booktabs,graphicx,siunitx}, and textcomp where LaTeX is older than 2020\n"
# What S columns need. A deviation is text behind its number: as an uncertainty in such a column, siunitx 3.2 sets it
# with a gap, and half of it in bold.
SETUP = "detect-weight, retain-explicit-plus, group-digits=none, group-separator={,}, table-align-text-after=false"
TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\ttfamily\char34}", "'": r"{'}", "`": r"\textasciigrave{}", "±": r"$\pm$",
    "≥": r"$\geq$",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{EN DASH}": "--", "\N{EM DASH}": "---", "…": r"\dots{}",
    "[": "{[}", "]": "{]}", "°": r"\textdegree{}", "µ": r"\textmu{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "`", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``", "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
}  # fmt: skip
FITTED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{"  # a wide table becomes smaller
GREEK = {
    chr(first + place): rf"$\{name}$"
    for first, names in (
        (0x3B1, "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi - pi rho varsigma sigma tau "
                "upsilon phi chi psi omega"),
        (0x391, "- - Gamma Delta - - - Theta - - Lambda - - Xi - Pi - - Sigma - Upsilon Phi - Psi Omega"),
    )
    for place, name in enumerate(names.split())
    if name != "-"
}  # fmt: skip
LATIN = ("\N{LATIN CAPITAL LETTER A WITH GRAVE}", "\N{LATIN SMALL LETTER Z WITH CARON}")


def latex(tables: Sequence[Table]) -> str:
    """Tables as LaTeX with booktabs and siunitx, to \\input into a document."""
    return PACKAGES + "\n".join(map(latex_table, tables))


def latex_table(table: Table) -> str:
    """One table environment, no wider than the text, with every column that people see.

    Columns of numbers are aligned at the point.
    """
    made = [_Cells(column) for column in visible(table.columns)]
    caption, notes = table.title, [note.text for note in table.notes]
    rows = list(map(_row, zip(*(each.cells for each in made), strict=True)))
    body = "  \\addlinespace\n".join(map("".join, table.groups(rows)))
    return (
        "\\begin{table}\n  \\centering\n"
        + (f"  \\caption{{{tex(caption)}}}\n" if caption else "")
        + (f"  \\sisetup{{{SETUP}}}\n" if any(each.numbers for each in made) else "")
        + f"  {FITTED}\\begin{{tabular}}{{@{{}}{''.join(each.alignment for each in made)}@{{}}}}\n  \\toprule\n"
        + _spanning([each.column.over for each in made])
        + f"{_row([each.head for each in made])}  \\midrule\n{body}  \\bottomrule\n  \\end{{tabular}}}}\n"
        + (f"\n  \\medskip\\raggedright\\footnotesize {tex(sentences(notes))}\n" if notes else "")
        + "\\end{table}\n"
    )


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
            self.cells = [_MARKED[mark].format(_tex_cell(cell)) + _sign(sign)
                          for cell, sign, mark in zip(column.cells, signs, marks, strict=True)]  # fmt: skip


def _s_column(numbers: Sequence[re.Match[str]], behind: str) -> str:
    """An S column of siunitx that has room for these numbers, and for this text behind them."""
    whole = max(len(number["whole"].replace(",", "")) for number in numbers)
    part = max(len(number["part"] or "") for number in numbers)
    sign = "+" if any(number["sign"] for number in numbers) else ""
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


def tex(text: str) -> str:
    """Text that LaTeX sets as it is. Letters that its usual fonts lack, such as Cyrillic ones, become '?'."""
    return re.sub("--+|.", lambda match: _tex(match[0]), clean(text))


def _tex(text: str) -> str:
    """A character, or hyphens that would become a dash."""
    if text in TEX:
        return TEX[text]
    if text.startswith("--"):
        return "{-}" * len(text)
    return GREEK.get(text) or (text if text.isascii() or LATIN[0] <= text <= LATIN[1] else "?")


_SIGNED = re.compile(r"((?<!\S)[+-]\d[\d.,]*\d|(?<!\S)[+-]\d)(?!\S)")


def _tex_cell(text: str) -> str:
    """A cell. A sign before a number is set as one, and not as a hyphen."""
    if text == "-":
        return "--"
    parts = _SIGNED.split(text)  # a number with its sign stands at every odd place
    return "".join(f"${part.replace(',', '{,}')}$" if i % 2 else tex(part) for i, part in enumerate(parts))
