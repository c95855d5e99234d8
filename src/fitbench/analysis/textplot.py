"""Learning curves in a terminal, drawn with braille characters: each holds 2 x 4 dots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

TRAIN, VALIDATION, AXIS = "cyan", "yellow", "dim"
DOT_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of a braille character, by column and row
MARGIN = 8  # characters left of a plot, for its numbers

Values = Sequence[float | None]


def panel(
    title: str,
    epochs: Sequence[int],
    train: Values,
    validation: Values,
    best_epoch: int | None,
    width: int,
    height: int,
) -> list[Text]:
    """One plot as lines of `width` characters: title, `height` rows, axis, epochs. Training is a full line,
    validation a dashed one, and a mark on the axis is the best epoch. `epochs` are two or more.
    """
    from rich.text import Text

    columns = width - MARGIN
    low, high = _limits([value for value in (*train, *validation) if value is not None])
    cells: dict[tuple[int, int], int] = {}
    colours: dict[tuple[int, int], str] = {}
    for values, colour, dash in ((train, TRAIN, (1, 0)), (validation, VALIDATION, (3, 3))):
        points = [
            None
            if value is None
            else (
                round((epoch - epochs[0]) / (epochs[-1] - epochs[0]) * (2 * columns - 1)),
                round((high - value) / (high - low) * (4 * height - 1)),
            )
            for epoch, value in zip(epochs, values, strict=True)
        ]
        for i, (x, y) in enumerate(_dots(points)):
            if i % sum(dash) < dash[0]:
                cell = (x // 2, y // 4)
                cells[cell] = cells.get(cell, 0) | DOT_BITS[x % 2][y % 4]
                colours[cell] = colour

    lines = [Text(" " * MARGIN + title, style="bold")]
    for row in range(height):
        number = {0: high, height // 2: high - (high - low) * (height // 2 * 4 + 2) / (4 * height - 1), height - 1: low}
        label = _short(number[row]) if row in number else ""
        line = Text(f"{label:>{MARGIN - 2}} ", style=AXIS).append("┤" if label else "│")
        for column in range(columns):
            bits = cells.get((column, row), 0)
            line.append(chr(0x2800 + bits) if bits else " ", style=f"not dim {colours[column, row]}" if bits else "")
        lines.append(line)
    axis = ["─"] * columns
    if best_epoch is not None:
        axis[min(columns - 1, round((best_epoch - epochs[0]) / (epochs[-1] - epochs[0]) * (2 * columns - 1)) // 2)] = (
            "▲"
        )
    lines.append(Text(" " * (MARGIN - 1) + "└" + "".join(axis), style=AXIS))
    first, last = str(epochs[0]), str(epochs[-1])
    lines.append(Text(" " * MARGIN + first + last.rjust(columns - len(first)), style=AXIS))
    for line in lines:
        line.pad_right(width - line.cell_len)
    return lines


def _dots(points: Sequence[tuple[int, int] | None]) -> Iterator[tuple[int, int]]:
    """The dots of straight lines from point to point; a missing point leaves a gap."""
    before = None
    for point in points:
        if point is not None:
            x, y = before or point
            steps = max(abs(point[0] - x), abs(point[1] - y))
            if before is None:
                yield point
            for step in range(1, steps + 1):
                yield (x + round((point[0] - x) * step / steps), y + round((point[1] - y) * step / steps))
        before = point


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest value, a little apart where both are equal."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    apart = 0.0 if high > low else max(abs(high) * 0.05, 1e-3)
    return low - apart, high + apart


def _short(value: float) -> str:
    """A number in at most six characters."""
    if value and not 1e-3 <= abs(value) < 1e4:
        return f"{value:.0e}"
    for digits in (3, 2, 1):
        text = f"{value:.{digits}f}"
        if len(text) <= MARGIN - 2:
            return text
    return f"{value:.0f}"


def beside(first: Sequence[Text], second: Sequence[Text], gap: int) -> list[Text]:
    """Two plots of equal height next to each other."""
    from rich.text import Text

    return [Text.assemble(a, " " * gap, b) for a, b in zip(first, second, strict=True)]


def legend(has_train: bool, has_validation: bool, best_epoch: int | None) -> Text:
    """What the lines of the plots mean."""
    from rich.text import Text

    entries = []
    if has_train:
        entries.append(Text.assemble(("━━━ ", TRAIN), ("train", AXIS)))
    if has_validation:
        entries.append(Text.assemble(("╍╍╍ ", VALIDATION), ("validation", AXIS)))
    if best_epoch is not None:
        entries.append(Text(f"▲ best epoch, {best_epoch}", style=AXIS))
    return Text(" " * MARGIN).append(Text("   ").join(entries))
