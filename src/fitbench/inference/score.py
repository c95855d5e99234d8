"""How right a model is on images whose class is known: counted as they come, and printed at the end."""

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

CLASSES = 40  # with more, the classes with the lowest F1 are listed


class Scores:
    """How often images of each class were read as each: `matrix`, int [classes, classes], true classes in rows."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = classes
        self.places = {name: i for i, name in enumerate(classes)}
        self.matrix = np.zeros((len(classes), len(classes)), np.int64)

    def add(self, labels: Sequence[str], predicted: Sequence[str]) -> None:
        """Count images, by their true and their predicted class."""
        true, read = (np.array([self.places[name] for name in names], np.int64) for names in (labels, predicted))
        self.matrix += scores.confusion(true, read, len(self.classes))

    @property
    def images(self) -> int:
        """How many are counted."""
        return int(self.matrix.sum())

    def show(self, out: Console) -> None:
        """Print accuracy with its interval, and precision, recall and F1 of each class."""
        right, images = int(self.matrix.trace()), self.images
        low, high = wilson(right, images)
        text = f"accuracy {right / images:.4f}, 95% interval {low:.4f} to {high:.4f}: {right:,} of {images:,} images"
        out.print(text, style="bold", soft_wrap=True)
        classes = scores.per_class(self.matrix, self.classes)
        left = len(classes) - CLASSES
        if left > 0:
            classes = sorted(classes, key=lambda score: -1.0 if score["f1"] is None else score["f1"])[:CLASSES]
        figures = ("precision", "recall", "F1", "images")
        made = table(out, "class", *figures, right=figures, flexible=("class",))
        for score in classes:
            shares = ("-" if score[key] is None else f"{score[key]:.4f}" for key in ("precision", "recall", "f1"))
            made.add_row(clean(score["class"]), *shares, f"{score['support']:,}")
        out.print(made)
        if left > 0:
            out.print(f"and {left} classes with a higher F1", soft_wrap=True)

    def draw(self, path: Path, title: str) -> None:
        """Write the confusion matrix as a PNG.

        Raises:
            FitbenchError: it cannot be written.
        """
        from fitbench.charts.pictures import draw_confusion

        labels, predicted = (np.repeat(side.ravel(), self.matrix.ravel()) for side in np.indices(self.matrix.shape))
        with writing(path):
            draw_confusion(labels, predicted, self.classes, path, title)
