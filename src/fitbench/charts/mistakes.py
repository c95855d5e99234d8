"""The images that one run classified wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fitbench.analysis.palette import TRAIN, VALIDATION
from fitbench.charts import paper
from fitbench.charts.labels import shortened

GRID = 5  # images in a row and in a column
SIDE, ACROSS, DOWN, HEAD = 1.12, 1.4, 1.58, 0.5  # inches of an image, of its place, and of the title


def draw_mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    confidence: np.ndarray,
    classes: Sequence[str],
    path: Path,
    title: str,
) -> None:
    """Write up to 25 wrongly classified images as a PNG, five in a row, with truth, prediction and probability.

    It has 1400 x 1680 pixels with 25 images, and is less high with fewer rows. `images` are uint8
    [N, height, width, 1 or 3]; `labels` and `predicted` int [N], positions in `classes`; `confidence` float [N], the
    probability of the prediction, perhaps NaN.
    """
    count = min(len(images), GRID * GRID)
    width, height = GRID * ACROSS, HEAD - (-count // GRID) * DOWN
    with paper.style():
        figure = paper.empty(width, height, layout=False)
        for i in range(count):
            row, column = divmod(i, GRID)
            left, bottom = column * ACROSS + (ACROSS - SIDE) / 2, height - HEAD - (row + 1) * DOWN + 0.25
            axes = figure.add_axes((left / width, bottom / height, SIDE / width, SIDE / height))
            grey = images.shape[-1] == 1
            picture = images[i, ..., 0] if grey else images[i]
            axes.imshow(picture, cmap="gray" if grey else None, vmin=0, vmax=255, interpolation="nearest")
            axes.set_axis_off()
            share = f"{confidence[i]:.3f}" if np.isfinite(confidence[i]) else "-"
            truth = f"true {shortened(classes[labels[i]], 0.8)}"
            read = f"read {shortened(classes[predicted[i]], 0.6)}  {share}"
            for above, text, colour in ((0.18, truth, TRAIN), (0.04, read, VALIDATION)):
                at = (left + SIDE / 2) / width, (bottom + SIDE + above) / height
                figure.text(*at, text, ha="center", va="bottom", fontsize=7.5, color=colour)
        paper.head(figure, title)
    paper.write(figure, path, paper.SCREEN_DPI)
