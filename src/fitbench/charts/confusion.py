"""The confusion matrix of one run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.axes import axis_of
from fitbench.analysis.palette import ERRORS, GREY, GRID, RIGHT
from fitbench.charts import paper
from fitbench.charts.labels import labels as fitting_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

NUMBERED = 30  # classes; with more, the cells hold no numbers
NAMED = 60  # classes at most
CELL = 0.42  # inches of a cell with a number
SIDE = (2.6, 10.0)  # inches of the matrix at least, and of one without numbers
NAME = 1.1  # inches of a class's name at most
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear red, green and blue (WCAG 2)


def draw_confusion(matrix: np.ndarray, classes: Sequence[str], path: Path, title: str) -> None:
    """Write a confusion matrix as a PNG: counts, and the errors coloured by their share of the true class.

    `matrix` is int [true classes, predicted classes]. The diagonal is grey, so that the errors are seen. The recall of
    each class stands at the right. With more than 30 classes there are no numbers.
    """
    from matplotlib.colors import LinearSegmentedColormap

    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    errors = np.ma.masked_array(share, np.eye(len(classes), dtype=bool))
    most = max(float(errors.max()), 0.01)
    colours = LinearSegmentedColormap.from_list("errors", ERRORS).with_extremes(bad=RIGHT)
    with paper.style():
        side = max(CELL * len(classes), SIDE[0]) if len(classes) <= NUMBERED else SIDE[1]
        figure = paper.empty(side + 1.6, side + 0.9)
        axes = figure.add_subplot()
        image = axes.imshow(errors, cmap=colours, vmin=0, vmax=most)
        _name_classes(axes, classes)
        if len(classes) <= NUMBERED:
            _number_cells(axes, matrix, colours(errors / most))
            _write_recall(axes, matrix)
        _draw_bar(axes, image, min(1.0, 3.0 / side), 0.02 if len(classes) > NUMBERED else 0.09 * 4.2 / side)
        paper.head(figure, title)
    paper.write(figure, path, paper.SCREEN_DPI)


def _name_classes(axes: Axes, classes: Sequence[str]) -> None:
    size = 7.5 if len(classes) <= NUMBERED else 6
    names = fitting_labels(classes, NAME, size)
    ticks = range(0, len(classes), max(1, len(classes) // NAMED))
    rotation = 90 if max(map(len, names)) > 3 else 0
    axes.set_xticks(ticks, [names[i] for i in ticks], fontsize=size, rotation=rotation)
    axes.set_yticks(ticks, [names[i] for i in ticks], fontsize=size)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.spines[:].set_visible(True)


def _number_cells(axes: Axes, matrix: np.ndarray, colours: np.ndarray) -> None:
    """Counts in the cells that are not 0, in black or white on the cells' colours [classes, classes, RGBA]."""
    luminance = np.where(colours <= 0.04, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)[..., :3] @ LUMINANCE
    digits = len(str(matrix.max()))
    size = 8.5 if digits <= 4 else 7 if digits == 5 else 5.5
    for row, column in zip(*matrix.nonzero(), strict=True):
        colour = "black" if luminance[row, column] > 0.179 else "white"
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=size, color=colour)
    between = np.arange(len(matrix) - 1) + 0.5
    for lines in (axes.hlines, axes.vlines):
        lines(between, -0.5, len(matrix) - 0.5, color=GRID, linewidth=0.5)


def _write_recall(axes: Axes, matrix: np.ndarray) -> None:
    """Write the recall of each true class at the right of its row; a class without examples has none."""
    place: dict[str, Any] = {
        "textcoords": "offset points", "annotation_clip": False, "fontsize": 7.5, "color": GREY, "ha": "left",
    }  # fmt: skip
    right = len(matrix) - 0.5
    axes.annotate("recall", (right, -0.5), (4, 2), va="bottom", **place)
    for row, (found, count) in enumerate(zip(matrix.diagonal(), matrix.sum(axis=1), strict=True)):
        text = f"{100 * found / count:.1f} %" if count else "-"
        axes.annotate(text, (right, row), (4, 0), va="center", gid="recall", **place)


def _draw_bar(axes: Axes, image: AxesImage, shrink: float, pad: float) -> None:
    """The bar that says which colour stands for which share."""
    assert axes.figure is not None
    bar = axes.figure.colorbar(
        image, ax=axes, shrink=shrink, aspect=25, pad=pad, format=lambda value, _: f"{100 * value:.3g} %",
        ticks=axis_of([0.0, image.get_clim()[1] or 1.0], margin=0.0).ticks(5),
    )  # fmt: skip
    bar.set_label("errors, share of the true class", color=GREY)
    bar.ax.tick_params(length=2, color=GREY, labelcolor=GREY)
    bar.outline.set_visible(False)
