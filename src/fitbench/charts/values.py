"""What a regression predicts: predicted against true values, and the errors, a panel for each target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.axes import LARGEST
from fitbench.analysis.palette import ACCENT, MAIN
from fitbench.charts import paper
from fitbench.charts.labels import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = 6  # targets that are drawn
ACROSS = 3  # panels in a row
SIDE = 2.5  # inches of a panel
POINTS = 5_000  # examples that a panel shows
SEED = 0  # of the choice of them
TICKS = 5

Points = tuple[np.ndarray, np.ndarray]  # true and predicted values, float64 [N], all finite
DrawPanel = Callable[["Axes", Points, str], None]  # the text is the name of the target, as axes have it


def draw_predicted(targets: np.ndarray, outputs: np.ndarray, names: Sequence[str], path: Path, title: str) -> None:
    """Write predicted against true values as a PNG, with the line on which they are equal.

    There is a panel for each of the first 6 targets, with 5,000 examples at most, drawn at random and the same every
    time. `targets` and `outputs` are float [N, targets]; what is no finite number is not drawn.
    """
    _write(targets, outputs, names, path, title, _draw_predicted)


def draw_residuals(targets: np.ndarray, outputs: np.ndarray, names: Sequence[str], path: Path, title: str) -> None:
    """Write the errors, predicted - true, against predicted values as a PNG; the rest is as in `draw_predicted`."""
    _write(targets, outputs, names, path, title, _draw_residuals)


def chosen(examples: int, most: int) -> np.ndarray:
    """The positions of so many examples at most, in order: drawn at random, and the same every time."""
    if examples <= most:
        return np.arange(examples)
    return np.sort(np.random.default_rng(SEED).choice(examples, most, replace=False))


def _write(
    targets: np.ndarray, outputs: np.ndarray, names: Sequence[str], path: Path, title: str, draw: DrawPanel
) -> None:
    shown = min(len(names), PANELS)
    across = min(shown, ACROSS)
    down = -(-shown // across)
    examples = chosen(len(targets), POINTS)
    remarks = [f"{shown} of {len(names):,} targets"] * (shown < len(names))
    remarks += [f"{len(examples):,} of {len(targets):,} examples"] * (len(examples) < len(targets))
    with paper.style():
        figure = paper.empty(max(across * SIDE, 3.4), down * SIDE + 0.3)
        panels: Any = figure.subplots(down, across, squeeze=False)
        for place, axes in enumerate(panels.flat):
            if place >= shown:
                axes.remove()
                continue
            target = shortened(names[place], SIDE - 1.2)
            points = _finite(targets[examples, place], outputs[examples, place])
            draw(axes, points, target)
            if missing := len(examples) - len(points[0]):
                axes.set_title(f"{missing:,} of {len(examples):,} are no finite numbers", loc="left")
        paper.head(figure, ", ".join([title, *remarks]))
    paper.write(figure, path, paper.SCREEN_DPI)


def _finite(true: np.ndarray, predicted: np.ndarray) -> Points:
    true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    finite = (np.abs(true) <= LARGEST) & (np.abs(predicted) <= LARGEST)
    return true[finite], predicted[finite]


def _draw_predicted(axes: Axes, points: Points, target: str) -> None:
    true, predicted = points
    paper.fit(axes.xaxis, [*true, *predicted], log=False, most=TICKS)
    shown = paper.fit(axes.yaxis, [*true, *predicted], log=False, most=TICKS)
    axes.plot([shown.low, shown.high], [shown.low, shown.high], color=ACCENT, linewidth=1.0, gid="equal", zorder=2.4)
    _draw_points(axes, true, predicted)
    axes.set_aspect("equal")
    axes.set_xlabel(f"true {target}")
    axes.set_ylabel(f"predicted {target}")


def _draw_residuals(axes: Axes, points: Points, target: str) -> None:
    true, predicted = points
    errors = predicted - true
    paper.fit(axes.xaxis, predicted, log=False, most=TICKS)
    paper.fit(axes.yaxis, [0.0, *errors], log=False, most=TICKS)
    axes.axhline(0, color=ACCENT, linewidth=1.0, gid="equal", zorder=2.4)
    _draw_points(axes, predicted, errors)
    axes.set_xlabel(f"predicted {target}")
    axes.set_ylabel("predicted - true")


def _draw_points(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Dots that are smaller and paler where there are many, so that dense places are seen."""
    few = len(x) <= 300
    axes.plot(
        x, y, "o", color=MAIN, markersize=3 if few else 2, alpha=0.7 if few else 0.3, markeredgewidth=0, gid="example"
    )
