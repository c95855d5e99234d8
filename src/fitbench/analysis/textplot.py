"""Learning curves in a terminal, drawn with braille characters: each holds 2 x 4 dots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fitbench.analysis.axes import SMALLEST, UNLIMITED, Ends, axis_of, tick_texts
from fitbench.analysis.palette import TERMINAL

if TYPE_CHECKING:
    from rich.text import Text

AXIS = "dim"
DASHES = {"train": (1, 0), "validation": (3, 3)}  # dots that are drawn and left out
DOT_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of a braille character, by column and row
MARGIN = 8  # characters left of a plot, for its numbers
ROWS, COLUMNS = 2, 10  # for each tick, about

Values = Sequence[float | None]
Place = Callable[[float], int]  # the dot of a value, from 0


def panel(
    title: str,
    epochs: Sequence[int],
    train: Values,
    validation: Values,
    best_epoch: int | None,
    width: int,
    height: int,
    limits: Ends = UNLIMITED,
) -> list[Text]:
    """One plot as lines of `width` characters: title, `height` rows, axis, epochs. Training is a full line,
    validation a dashed one, and a mark on the axis is the best epoch. `epochs` are two or more; `limits` are the range
    of the metric.
    """
    from rich.text import Text

    columns = width - MARGIN
    across = axis_of(epochs, margin=0.0, log=False)
    up = axis_of([value for value in (*train, *validation) if value is not None], limits, margin=0.0)

    def x(epoch: float) -> int:
        return round(across.place(epoch) * (2 * columns - 1))

    def y(value: float) -> int:  # one that no axis shows, as of a training that diverged, stands at its end
        return round((1 - up.place(min(max(value, up.low), up.high))) * (4 * height - 1))

    cells = _cells(epochs, {"train": train, "validation": validation}, x, y, up.log)
    ticks = up.ticks(height // ROWS)
    numbers = dict(zip((y(tick) // 4 for tick in ticks), tick_texts(ticks, up.log), strict=True))
    lines = [Text(" " * MARGIN + title, style="bold")]
    for row in range(height):
        number = numbers.get(row, "").rjust(MARGIN - 2).ljust(MARGIN - 1)[: MARGIN - 1]
        line = Text(number, style=AXIS).append("┤" if row in numbers else "│")
        for column in range(columns):
            bits, colour = cells.get((column, row), (0, ""))
            line.append(chr(0x2800 + bits) if bits else " ", style=f"not dim {colour}" if bits else "")
        lines.append(line)
    axis = ["─"] * columns
    if best_epoch is not None and across.low <= best_epoch <= across.high:
        axis[x(best_epoch) // 2] = "▲"
    lines.append(Text(" " * (MARGIN - 1) + "└" + "".join(axis), style=AXIS))
    lines.append(Text(" " * MARGIN + _under(across.ticks(columns // COLUMNS, whole=True), x, columns), style=AXIS))
    for line in lines:
        line.pad_right(width - line.cell_len)
    return lines


def _cells(
    epochs: Sequence[int], series: Mapping[str, Values], x: Place, y: Place, log: bool
) -> dict[tuple[int, int], tuple[int, str]]:
    """The bits and the colour of each braille character, by its column and row."""
    cells: dict[tuple[int, int], tuple[int, str]] = {}
    for name, values in series.items():
        on, off = DASHES[name]
        points = [
            None if value is None or (log and value <= SMALLEST) else (x(epoch), y(value))
            for epoch, value in zip(epochs, values, strict=True)
        ]
        for i, (across, down) in enumerate(_dots(points)):
            if i % (on + off) < on:
                cell = (across // 2, down // 4)
                bits, _ = cells.get(cell, (0, ""))
                cells[cell] = (bits | DOT_BITS[across % 2][down % 4], TERMINAL[name])
    return cells


def _under(ticks: Sequence[float], x: Place, columns: int) -> str:
    """The numbers of the epochs below their places."""
    line = ""
    for tick in ticks:
        text = f"{tick:.0f}"
        at = min(x(tick) // 2, columns - len(text))
        if at >= len(line) + bool(line):
            line = line.ljust(at) + text
    return line


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


def legend(has_train: bool, has_validation: bool, best_epoch: int | None) -> Text:
    """What the lines of the plots mean."""
    from rich.text import Text

    entries = []
    if has_train:
        entries.append(Text.assemble(("━━━ ", TERMINAL["train"]), ("train", AXIS)))
    if has_validation:
        entries.append(Text.assemble(("╍╍╍ ", TERMINAL["validation"]), ("validation", AXIS)))
    if best_epoch is not None:
        entries.append(Text(f"▲ best epoch, {best_epoch}", style=AXIS))
    return Text(" " * MARGIN).append(Text("   ").join(entries))
