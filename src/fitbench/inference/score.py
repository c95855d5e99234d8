"""Prints how well labelled examples were classified, given their confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fitbench.analysis import scores
from fitbench.analysis.drawings import per_class_table
from fitbench.analysis.statistics import wilson
from fitbench.columns import print_columns
from fitbench.text import counted

if TYPE_CHECKING:
    from rich.console import Console


def print_scores(out: Console, matrix: np.ndarray, classes: Sequence[str], noun: str = "image") -> None:
    """Print accuracy with its interval, and precision, recall and F1 of each class.

    Args:
        out: the console.
        matrix: the confusion matrix, int [true classes, predicted classes], with at least one example.
        classes: the names of the classes.
        noun: what an example is called.
    """
    correct, examples = int(matrix.trace()), int(matrix.sum())
    low, high = wilson(correct, examples)
    share = f"{correct:,} of {counted(examples, noun)}"
    text = f"accuracy {correct / examples:.4f}, 95% interval {low:.4f} to {high:.4f}: {share}"
    out.print(text, style="bold", soft_wrap=True)
    print_columns(out, per_class_table(scores.per_class(matrix, classes)).columns)
