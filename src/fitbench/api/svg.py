"""Learning curves of one run as SVG, for an HTML page whose ground may be light or dark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from fitbench.analysis.axes import LARGEST, SMALLEST, Axis, axis_of, enclosed, number, tick_texts
from fitbench.analysis.mean_curves import thinned
from fitbench.analysis.run_files import Panel
from fitbench.analysis.series import with_capital
from fitbench.metrics import history_key
from fitbench.text import clean

WIDTH, HEIGHT = 340, 190  # CSS pixels, which shrink where there is less room
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 26, 30  # between the plot and the edges
TICKS = {"x": 6, "y": 5}  # of an axis, about
POINTS = 200  # epochs of a curve at most, evenly spaced
MARKED_EPOCHS = 30  # with more, single epochs get no mark that tells their value
NAMES = {"train": "train", "val": "validation"}  # of the curves, by part
DASHES = {"train": "none", "val": "5 3"}

Point = tuple[int, float]  # an epoch, and the value of the metric there


def curves(history: Sequence[Mapping[str, Any]], panel: Panel, best_epoch: int | None) -> str:
    """A metric over the epochs as an `svg` element, training as a line and validation dashed; '' without any value.

    The colours are the custom properties --fitbench-train and --fitbench-validation, and that of the text around it.

    Args:
        history: the epochs, one or more; what is null or absent is not drawn.
        panel: the metric. Its label may be any text.
        best_epoch: gets a dotted line.
    """
    by_part = {part: _runs(history, history_key(part, panel.name)) for part in NAMES}
    values = [value for runs in by_part.values() for run in runs for _, value in run]
    if not values:
        return ""
    up = axis_of(values, panel.limits)
    up, ticks = enclosed(up, values, panel.limits, TICKS["y"])
    plot = _Plot(axis_of([history[0]["epoch"], history[-1]["epoch"]], margin=0.02, log=False), up)
    title = escape(with_capital(clean(panel.label)))
    best = "" if best_epoch is None or len(history) == 1 else plot.best(best_epoch)
    lines = "".join(plot.curve(part, runs) for part, runs in by_part.items())
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{title} by epoch">'
        f'<text x="{LEFT}" y="14" class="fitbench-title">{title}</text>{plot.axes(ticks)}{best}{lines}</svg>'
    )


def _runs(history: Sequence[Mapping[str, Any]], name: str) -> list[list[Point]]:
    """The values of a series of the history: the epochs between two gaps, for as many gaps as there are."""
    runs: list[list[Point]] = [[]]
    for place in thinned(len(history), POINTS).tolist():
        value = history[place].get(name)
        if value is None or not abs(value) <= LARGEST:
            runs.append([])
        else:
            runs[-1].append((history[place]["epoch"], value))
    return [run for run in runs if run]


class _Plot:
    """Where the values of two axes stand in the picture."""

    def __init__(self, across: Axis, up: Axis) -> None:
        self.across, self.up = across, up

    def x(self, epoch: float) -> str:
        return f"{LEFT + self.across.place(epoch) * (WIDTH - LEFT - RIGHT):.1f}"

    def y(self, value: float) -> str:
        return f"{TOP + (1 - self.up.place(value)) * (HEIGHT - TOP - BOTTOM):.1f}"

    def axes(self, ticks: Sequence[float]) -> str:
        """Lines at the ticks of the values, and the numbers of both axes."""
        rows = zip(map(self.y, ticks), tick_texts(ticks, self.up.log), strict=True)
        lines = "".join(
            f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" class="fitbench-grid"/>'
            f'<text x="{LEFT - 6}" y="{y}" dy="0.35em" text-anchor="end">{text}</text>'
            for y, text in rows
        )
        below = HEIGHT - BOTTOM + 15
        epochs = self.across.ticks(TICKS["x"], whole=True)
        texts = zip(map(self.x, epochs), tick_texts(epochs), strict=True)
        numbers = "".join(f'<text x="{x}" y="{below}" text-anchor="middle">{text}</text>' for x, text in texts)
        middle = (LEFT + WIDTH - RIGHT) / 2
        return f'{lines}{numbers}<text x="{middle:.0f}" y="{HEIGHT - 2}" text-anchor="middle">epoch</text>'

    def best(self, epoch: int) -> str:
        x = self.x(epoch)
        return f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" class="fitbench-best"><title>best epoch {epoch}</title></path>'

    def curve(self, part: str, runs: Sequence[Sequence[Point]]) -> str:
        """The curve of a part; where there are few epochs, each has a mark that tells its value."""
        kept = [[point for point in run if not self.up.log or point[1] > SMALLEST] for run in runs]
        path = "".join(map(self._path, kept))
        marks = "".join(self._marks(part, kept)) if sum(map(len, kept)) <= MARKED_EPOCHS else ""
        return (
            f'<g style="color: var(--fitbench-{NAMES[part]})">'
            f'<path d="{path}" class="fitbench-curve" stroke-dasharray="{DASHES[part]}"/>{marks}</g>'
        )

    def _path(self, run: Sequence[Point]) -> str:
        places = [f"{self.x(epoch)} {self.y(value)}" for epoch, value in run]
        return f"M{'L'.join(places)}h0" if places else ""  # h0: a single point is a dot

    def _marks(self, part: str, runs: Sequence[Sequence[Point]]) -> Iterator[str]:
        for epoch, value in (point for run in runs for point in run):
            title = f"epoch {epoch}: {NAMES[part]} {number(value)}"
            yield f'<circle cx="{self.x(epoch)}" cy="{self.y(value)}" r="2.5"><title>{title}</title></circle>'
