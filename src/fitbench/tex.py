"""Texts that LaTeX sets as they are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from fitbench.text import clean

TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\ttfamily\char34}", "'": r"{'}", "`": r"\textasciigrave{}", "±": r"$\pm$",
    "≥": r"$\geq$", "≤": r"$\leq$", "≈": r"$\approx$", "≠": r"$\neq$", "∞": r"$\infty$", "√": r"$\surd$",
    "→": r"$\rightarrow$", "←": r"$\leftarrow$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "·": r"$\cdot$",
    "•": r"\textbullet{}", "€": r"\texteuro{}", "\N{MINUS SIGN}": r"$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{EN DASH}": "--", "\N{EM DASH}": "---", "…": r"\dots{}",
    "[": "{[}", "]": "{]}", "°": r"\textdegree{}", "µ": r"\textmu{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "`", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``", "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
}  # fmt: skip
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
FORMS = {"<super": "$^{{{}}}$", "<sub": "$_{{{}}}$", "<fraction": "{}"}  # of Unicode
LATIN = ("\N{LATIN CAPITAL LETTER A WITH GRAVE}", "\N{LATIN SMALL LETTER Z WITH CARON}")
_OPENING = re.compile(r"(?<![^\s(])'(?=\S)")  # the first of two quotation marks


def tex(text: str) -> str:
    """Text that LaTeX sets as it is. Characters that its usual fonts lack, such as Cyrillic letters, become '?'."""
    text = _OPENING.sub("\N{LEFT SINGLE QUOTATION MARK}", clean(text))
    return re.sub("--+|.", lambda match: _spelled(match[0]) or "?", text)


def lacking(texts: Iterable[str]) -> str:
    """The characters of these texts that become '?'."""
    return "".join(dict.fromkeys(each for text in texts for each in clean(text) if _spelled(each) is None))


def _spelled(text: str) -> str | None:
    """A character, or hyphens that would become a dash, in LaTeX; None for a character that its usual fonts lack.

    What Unicode has as a form of other characters, as the square of 2, is set as these.
    """
    if text in TEX:
        return TEX[text]
    if text.startswith("--"):
        return "{-}" * len(text)
    if text in GREEK or text.isascii() or LATIN[0] <= text <= LATIN[1]:
        return GREEK.get(text, text)
    form, _, rest = unicodedata.decomposition(text).rpartition("> ")
    if form not in FORMS:
        return None
    parts = "".join(chr(int(code, 16)) for code in rest.split()).replace("\N{FRACTION SLASH}", "/")
    return FORMS[form].format(parts) if parts.isascii() else None
