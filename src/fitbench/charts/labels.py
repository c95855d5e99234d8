"""Texts of charts: as long as there is room for them, and apart from each other."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from fitbench.text import clean

FONT = "DejaVu Sans"  # comes with Matplotlib, so it is the same everywhere
SIZE = 8.0  # points
LONGEST = 150  # characters of a text that are looked at


def shortened(text: object, inches: float, size: float = SIZE) -> str:
    """The text without control characters, as long as fits into so many inches in a font of `size` points.

    A longer one loses its middle, since names differ at their ends.
    """
    text = clean(text)
    if len(text) <= LONGEST and length(text, size) <= inches:
        return text

    def cut(kept: int) -> str:
        return f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"

    most = min(LONGEST, len(text) - 1)
    return cut(max(0, bisect_right(range(most + 1), inches, key=lambda kept: length(cut(kept), size)) - 1))


def in_lines(text: str, inches: float) -> str:
    """A sentence in lines that fit into so many inches, broken between words; a longer word is shortened."""
    lines: list[str] = []
    for word in clean(text).split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and length(longer) <= inches:
            lines[-1] = longer
        else:
            lines.append(shortened(word, inches))
    return "\n".join(lines)


def in_two_lines(text: str, inches: float) -> str:
    """The text, broken at the space nearest to its middle where it does not fit into so many inches."""
    spaces = [i for i, character in enumerate(text) if character == " "]
    if not spaces or length(text) <= inches:
        return text
    at = min(spaces, key=lambda i: abs(i - len(text) / 2))
    return f"{text[:at]}\n{text[at + 1 :]}"


def broken(name: str, inches: float) -> list[str]:
    """The name of a key in lines, broken behind _ where it does not fit into so many inches."""
    lines = [""]
    for part in re.findall(r"[^_]+_*|_+", name):
        if lines[-1] and length(lines[-1] + part) > inches:
            lines.append("")
        lines[-1] += part
    return lines


def length(text: str, size: float = SIZE) -> float:
    """How long a line of text is in a font of `size` points, in inches."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont(FONT))
    font.set_size(size, 72)
    font.set_text(text, 0.0)
    return font.get_width_height()[0] / 64 / 72


def labels(texts: Sequence[object], inches: float, size: float = SIZE) -> list[str]:
    """The texts, shortened; those that would then be the same are numbered."""
    short = [shortened(text, inches, size) for text in texts]
    count, seen = Counter(short), Counter[str]()
    for i, text in enumerate(short):
        if count[text] > 1:
            seen[text] += 1
            short[i] = f"{shortened(text, inches - 0.25, size)} ({seen[text]})"
    return short
