"""The series of a history: which quantity each column of history.jsonl measures, and what axes call it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fitbench import metrics, quantities
from fitbench.metrics import Metric
from fitbench.quantities import Quantity
from fitbench.text import duration, number

EPOCH_PARTS = ("val", "train")  # what epochs measure


def series(available: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """The quantities that epochs can measure, by their column of history.jsonl: 'val_macro_f1', 'loss'."""
    return {
        metrics.history_key(quantity.part, quantity.metric): quantity
        for quantity in available.values()
        if quantity.metric is not None and quantity.part in EPOCH_PARTS
    }


def axis_label(of: Quantity | Metric) -> str:
    """What an axis or a heading calls it, with its unit: 'training time (s)'."""
    return f"{of.label} ({of.unit})" if of.unit else of.label


def metric_label(quantity: Quantity) -> str:
    """What a heading calls a metric without its part: 'macro F1' of 'test macro F1'."""
    return axis_label(quantity).removeprefix(f"{metrics.PARTS[quantity.part or 'test']} ")


def quantity_text(quantity: Quantity, value: float | None) -> str:
    """A value as people read it, '-' for None."""
    return duration(value) if value is not None and quantity.unit == "s" else number(value, quantity.digits)


def with_capital(text: str) -> str:
    """The text with a capital at its beginning; str.capitalize would change 'ROC AUC'."""
    return text[:1].upper() + text[1:]


def metrics_of(infos: Mapping[str, Any], primary: str) -> dict[str, Metric]:
    """The metrics of the `metric_info` of a run by name, the primary one first and the loss last.

    Raises:
        FitbenchError: an entry of `metric_info` is damaged; the message names the key.
    """
    described = {name: quantities.from_info(name, info) for name, info in infos.items()}
    order = sorted(described, key=lambda name: (name != primary, name == "loss"))
    return {name: described[name] for name in order}
