"""What the page knows of every quantity that the runs record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fitbench.analysis.series import axis_label, metric_label
from fitbench.quantities import Quantity

PARTS = ("test", "val", "train")  # of metrics, in the order of the table's columns

Recorded = Mapping[str, Quantity]  # what the runs record, by column


def in_order(available: Recorded, primary: Sequence[str]) -> Recorded:
    """The quantities in the order of the page: metrics of the test part first, primary ones first in
    their order, the loss last.
    """

    ranks = {name: rank for rank, name in enumerate(primary)}

    def place(quantity: Quantity) -> tuple[bool, int, int, bool]:
        part = PARTS.index(quantity.part) if quantity.part else 0
        return quantity.metric is None, part, ranks.get(quantity.metric or "", len(ranks)), quantity.metric == "loss"

    return {quantity.column: quantity for quantity in sorted(available.values(), key=place)}


def is_comparable(quantity: Quantity) -> bool:
    """Whether all runs mean the same by the name."""
    return len(quantity.definitions) <= 1


def about(quantity: Quantity) -> dict[str, Any]:
    """What the page asks a quantity: its name, which direction is better, its range, and how it is written.

    `kind` says how values are written (page/data.js).
    """
    is_count = quantity.metric is None and quantity.digits == 0
    return {
        "title": axis_label(quantity),
        "kind": "seconds" if quantity.unit == "s" else "integer" if is_count else "metric",
        "better": ("higher" if quantity.higher_is_better else "lower") if is_comparable(quantity) else None,
        "digits": quantity.digits,
        "low": quantity.low if math.isfinite(quantity.low) else None,
        "high": quantity.high if math.isfinite(quantity.high) else None,
    }


def metrics(recorded: Recorded) -> list[dict[str, Any]]:
    """The metrics that runs record, each once: its name, its label without a part, and what `about` says."""
    first: dict[str, Quantity] = {}
    for quantity in recorded.values():
        if quantity.metric is not None:
            first.setdefault(quantity.metric, quantity)
    return [{"name": name, "label": metric_label(quantity), **about(quantity)} for name, quantity in first.items()]


def mixed(recorded: Recorded) -> list[str]:
    """A sentence for each metric that has several definitions."""
    names = dict.fromkeys(quantity.metric for quantity in recorded.values() if not is_comparable(quantity))
    return [
        f"{name} has different definitions in these runs. Its values are listed and not compared." for name in names
    ]
