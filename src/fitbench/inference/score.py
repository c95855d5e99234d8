"""Counts the predictions for labelled images, and prints accuracy and metrics per class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fitbench.analysis import scores
from fitbench.analysis.statistics import wilson
from fitbench.inference.row_files import writing
from fitbench.text import clean, table

if TYPE_CHECKING:
    from rich.console import Console

TABLE_CLASSES = 40  # of more classes, those with the lowest F1 are listed


class Scores:
    """The confusion matrix, `matrix`: int64 [true classes, predicted classes]."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = classes
        self.positions = {name: i for i, name in enumerate(classes)}
        self.matrix = np.zeros((len(classes), len(classes)), np.int64)

    def add(self, labels: Sequence[str], predicted: Sequence[str]) -> None:
        """Count images by their true and predicted classes."""
        true, predicted_positions = (
            np.array([self.positions[name] for name in names], np.int64) for names in (labels, predicted)
        )
        self.matrix += scores.confusion(true, predicted_positions, len(self.classes))

    @property
    def images(self) -> int:
        """The number of counted images."""
        return int(self.matrix.sum())

    def show(self, out: Console) -> None:
        """Print accuracy with its interval, and precision, recall and F1 of each class."""
        correct, images = int(self.matrix.trace()), self.images
        low, high = wilson(correct, images)
        text = (
            f"accuracy {correct / images:.4f}, 95% interval {low:.4f} to {high:.4f}: {correct:,} of {images:,} images"
        )
        out.print(text, style="bold", soft_wrap=True)
        classes = scores.per_class(self.matrix, self.classes)
        omitted = len(classes) - TABLE_CLASSES
        if omitted > 0:
            classes = sorted(classes, key=lambda score: -1.0 if score["f1"] is None else score["f1"])[:TABLE_CLASSES]
        numbers = ("precision", "recall", "F1", "images")
        rows = table(out, "class", *numbers, right=numbers, flexible=("class",))
        for score in classes:
            cells = ("-" if score[key] is None else f"{score[key]:.4f}" for key in ("precision", "recall", "f1"))
            rows.add_row(clean(score["class"]), *cells, f"{score['support']:,}")
        out.print(rows)
        if omitted > 0:
            out.print(f"and {omitted} classes with a higher F1", soft_wrap=True)

    def draw(self, path: Path, title: str) -> None:
        """Write the confusion matrix as a PNG.

        Raises:
            FitbenchError: it cannot be written.
        """
        from fitbench.charts.confusion import draw_confusion

        labels, predicted = (np.repeat(side.ravel(), self.matrix.ravel()) for side in np.indices(self.matrix.shape))
        with writing(path):
            draw_confusion(labels, predicted, self.classes, path, title)
