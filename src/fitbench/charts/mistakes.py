"""The examples that one run classified wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis import palette
from fitbench.charts import paper
from fitbench.charts.labels import shortened
from fitbench.kinds import ARRAYS, IMAGES, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRID = 5  # examples in a row and in a column
SIDE, ACROSS, DOWN, HEAD = 1.12, 1.4, 1.58, 0.5  # inches of an example, of its place, and of the title
KEY = 0.17  # inches of the line below the title that says what the colours of lines are
SEARCHED = 1000  # training series of a class, among which the nearest is looked for
TRUE, READ = palette.BLACK, palette.SERIES[9].light  # no lines have these colours
CHANNELS = [colour.light for colour in (*palette.SERIES[:2], *palette.SERIES[3:6])]  # none is TRUE or READ
NEAREST = "grey: the nearest training example of the predicted class"
COLOURED = len(CHANNELS)  # channels that have a colour each; more have one colour


@dataclass(frozen=True, eq=False)
class Mistakes:
    """Wrongly classified examples, the most confident first.

    Attributes:
        places: the position of each example in the test part, int [N], as `fitbench show` lists them.
        examples: [N, ...], as the data set has them.
        labels, predicted: int [N], positions in `classes`.
        confidence: float [N], the probability of the prediction, perhaps NaN.
        classes: the names of the classes.
        nearest: of each example, one of the predicted class that is like it, [N, ...]; None: there are none.
    """

    places: np.ndarray
    examples: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    classes: Sequence[str]
    nearest: np.ndarray | None = None


def can_draw(kind: str, shape: Sequence[int]) -> bool:
    """Whether mistakes on examples of this kind and shape can be drawn: images, series, and arrays of [steps]."""
    return kind in DRAWN and (kind != ARRAYS or len(shape) == 1)


def nearest(examples: np.ndarray, predicted: np.ndarray, x_train: Any, y_train: np.ndarray) -> np.ndarray:
    """For each series, the training series of the predicted class with the least squared difference.

    At most 1,000 of a class are looked at. Every class is in the training part.

    Args:
        examples: numbers, [N, steps, ...].
        predicted: the predicted classes, int [N].
        x_train: the training part, [M, steps, ...], or what gives such arrays when it is indexed.
        y_train: its classes, int [M].
    """
    found = np.empty_like(examples)
    for label in np.unique(predicted):
        candidates = np.asarray(x_train[np.flatnonzero(y_train == label)[:SEARCHED]])
        for i in np.flatnonzero(predicted == label):
            differences = candidates.astype(np.float64) - examples[i]  # of integers they may be none of the type
            distances = np.square(differences).reshape(len(candidates), -1).sum(axis=1)
            found[i] = candidates[distances.argmin()]
    return found


def draw_mistakes(kind: str, mistakes: Mistakes, path: Path, title: str) -> None:
    """Write up to 25 wrongly classified examples as a PNG, five in a row, with truth, prediction and probability.

    It has 1400 x 1680 pixels with 25 images, is less high with fewer rows, and higher where colours have a key. Images
    are uint8 [N, height, width, 1 or 3]. Series [N, steps, channels], and arrays [N, steps], are drawn as lines, each
    in its own range; the nearest one is grey, where there is one channel.
    """
    count, key = min(len(mistakes.examples), GRID * GRID), _key(kind, mistakes)
    head = HEAD + KEY * bool(key)
    width, height = GRID * ACROSS, head - (-count // GRID) * DOWN
    with paper.style():
        figure = paper.empty(width, height, layout=False)
        for i in range(count):
            row, column = divmod(i, GRID)
            left, bottom = column * ACROSS + (ACROSS - SIDE) / 2, height - head - (row + 1) * DOWN + 0.25
            axes = figure.add_axes((left / width, bottom / height, SIDE / width, SIDE / height))
            DRAWN[kind](axes, mistakes.examples[i], None if mistakes.nearest is None else mistakes.nearest[i])
            for above, text, colour in zip((0.18, 0.04), _texts(mistakes, i), (TRUE, READ), strict=True):
                at = (left + SIDE / 2) / width, (bottom + SIDE + above) / height
                figure.text(*at, text, ha="center", va="bottom", fontsize=7.5, color=colour)
            at = (left + SIDE / 2) / width, (bottom - 0.025) / height
            figure.text(*at, f"example {mistakes.places[i]}", ha="center", va="top", fontsize=6, color=palette.GREY)
        paper.head(figure, title)
        for place, (text, colour) in enumerate(key):
            at = (0.04 + 0.75 * place) / width, 1 - 0.42 / height
            figure.text(*at, text, ha="left", va="bottom", fontsize=7, color=colour)
    paper.write(figure, path, paper.SCREEN_DPI)


def _texts(mistakes: Mistakes, i: int) -> tuple[str, str]:
    """The true class of an example; and the predicted one with its probability."""
    share = f"{mistakes.confidence[i]:.3f}" if np.isfinite(mistakes.confidence[i]) else "-"
    true, read = mistakes.classes[mistakes.labels[i]], mistakes.classes[mistakes.predicted[i]]
    return f"true {shortened(true, 0.8)}", f"read {shortened(read, 0.6)}  {share}"


def _key(kind: str, mistakes: Mistakes) -> list[tuple[str, str]]:
    """What lines of a colour are, and the colour."""
    if mistakes.nearest is not None:
        return [(NEAREST, palette.OTHERS.light)]
    channels = 0 if kind == IMAGES else mistakes.examples[0].size // len(mistakes.examples[0])
    if not 1 < channels <= COLOURED:
        return []
    return [(f"channel {place + 1}", CHANNELS[place]) for place in range(channels)]


def _draw_image(axes: Axes, image: np.ndarray, _: np.ndarray | None) -> None:
    grey = image.shape[-1] == 1
    picture = image[..., 0] if grey else image
    axes.imshow(picture, cmap="gray" if grey else None, vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()


def _draw_lines(axes: Axes, series: np.ndarray, nearest: np.ndarray | None) -> None:
    channels = series.reshape(len(series), -1).T
    if nearest is not None:
        axes.plot(nearest.reshape(len(nearest), -1), color=palette.OTHERS.light, linewidth=0.7)
    for place, channel in enumerate(channels):
        many = len(channels) > COLOURED
        colour, thickness = (palette.MAIN, 0.4) if many else (CHANNELS[place], 0.8)
        axes.plot(channel, color=colour, linewidth=thickness, alpha=0.7 if many else 1.0)
    axes.margins(x=0, y=0.06)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color=palette.GRID, linewidth=0.6)


DRAWN: Mapping[str, Callable[[Axes, np.ndarray, np.ndarray | None], None]] = {
    IMAGES: _draw_image,
    SERIES: _draw_lines,
    ARRAYS: _draw_lines,
}
