"""What differs between two runs: the columns of their settings, and of the numbers that they record."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fitbench import metrics
from fitbench.analysis.series import series
from fitbench.analysis.side import TIMING, Flat, Side
from fitbench.columns import Column, column
from fitbench.config import NOT_IDENTITY, OF_ONE_RUN
from fitbench.quantities import Quantity, quantities, with_task
from fitbench.text import clean, number

RATIOS = (*TIMING, "parameters")  # whose ratio says more than their difference
PARTS = ("test", "val", "train")  # in the order of the results
HASHES = ("git.commit", "dataset.sha256")
OF_ANOTHER_RUN = (*OF_ONE_RUN, "parent.run_id", "parent.sha256")  # not hashed, and yet another run
DIGITS = 4  # of numbers that no quantity describes
HEX = 12  # digits of a hash that are shown


# -- configuration and environment ------------------------------------------------------------------------------------


def differing(a: Flat, b: Flat) -> list[str]:
    """The keys whose values differ, in the order of `a`."""
    return [key for key in dict.fromkeys([*a, *b]) if json.dumps(a.get(key)) != json.dumps(b.get(key))]


def with_identities(a: Side, b: Side) -> tuple[Side, Side]:
    """Both with the key config_id if they differ in it, and in no key of the configuration that it covers.

    Some of what it covers is no such key, as the arguments of a metric that early stopping watches.
    """
    known = [key for key in differing(a.config, b.config) if is_identity(key) and key not in OF_ANOTHER_RUN]
    if known or a.config_id == b.config_id:
        return a, b
    first, second = (replace(side, config={**side.config, "config_id": side.config_id}) for side in (a, b))
    return first, second


def is_identity(key: str) -> bool:
    """Whether a key of the configuration is a part of a run's identity, or the seed, the fold or the run's parent."""
    return key in OF_ANOTHER_RUN or key not in NOT_IDENTITY


def setting_columns(keys: Sequence[str], a: Flat, b: Flat) -> list[Column]:
    """The values of these keys. A key that is no part of a run's identity is marked with *."""

    def of(side: str, values: Flat) -> Column:
        def cell(key: str) -> str:
            value = values.get(key, "-")
            text = clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            return text[:HEX] if key in HASHES else text

        return column(side.upper(), keys, cell, {side: values.get}, right=False, folded=True)

    names = column("", keys, lambda key: clean(key) + " *" * (not is_identity(key)), {"key": str}, right=False)
    return [names, of("a", a), of("b", b)]


# -- results ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A number that both runs, or one of them, record."""

    name: str
    a: float | None
    b: float | None
    quantity: Quantity | None

    @property
    def definitions(self) -> tuple[str, ...]:
        """The definitions of the metric, if there are several."""
        definitions = self.quantity.definitions if self.quantity else ()
        return definitions if len(definitions) > 1 else ()

    @property
    def difference(self) -> float | None:
        """B - A, None where one is missing, definitions differ, or the numbers are too large to tell."""
        if self.a is None or self.b is None or self.definitions:
            return None
        try:
            difference = self.b - self.a
            return difference if math.isfinite(difference) else None
        except OverflowError:
            return None

    @property
    def better(self) -> str | None:
        """'a' or 'b' for a metric, None where the values are equal or cannot be compared."""
        if not self.difference or self.quantity is None or self.quantity.metric is None:
            return None
        return "b" if (self.difference > 0) == self.quantity.higher_is_better else "a"


def result_rows(a: Side, b: Side) -> list[Row]:
    """The metrics of either run, those of the test part first, and all other results of the two."""
    by_name = {quantity.name: quantity for quantity in _quantities(a, b).values()}
    recorded = dict.fromkeys([*a.results, *b.results])
    measured = [name for part in PARTS for name in by_name if by_name[name].part == part and name in recorded]
    names = dict.fromkeys([*measured, *recorded])
    return [Row(name, a.results.get(name), b.results.get(name), by_name.get(name)) for name in names]


def epoch_rows(a: Side, b: Side, both: tuple[Flat, Flat]) -> list[Row]:
    """What both runs recorded of one epoch; the learning rate comes last."""
    by_name = series(_quantities(a, b))
    names = [name for name in dict.fromkeys([*both[0], *both[1]]) if name not in ("epoch", "seconds")]
    names.sort(key=lambda name: name == "learning_rate")
    return [Row(name, both[0].get(name), both[1].get(name), by_name.get(name)) for name in names]


def last_common_epoch(a: Side, b: Side) -> tuple[Flat, Flat] | None:
    """The last epoch that both runs have, as each recorded it."""
    epochs = {epoch["epoch"]: epoch for epoch in a.run.history}
    both = [(epochs[epoch["epoch"]], epoch) for epoch in b.run.history if epoch["epoch"] in epochs]
    return both[-1] if both else None


def _quantities(a: Side, b: Side) -> dict[str, Quantity]:
    """The quantities of both runs. Metrics that only an unfinished run has are those that fitbench supplies."""
    names = {metrics.split(key)[1] for side in (a, b) for epoch in side.run.history for key in epoch}
    supplied = [metrics.supplied(name) for name in sorted(names - a.run.metric_info.keys() - b.run.metric_info.keys())]
    described = {metric.name: metric.info() for metric in supplied if metric is not None}
    infos = [a.run.metric_info, b.run.metric_info]
    if a.run.task != b.run.task and a.run.task and b.run.task:
        infos = [with_task(side.run.metric_info, side.run.task) for side in (a, b)]
    return quantities([*infos, described])


def number_columns(rows: Sequence[Row]) -> list[Column]:
    """The values of these rows, and how far they are apart."""
    return [
        column("", rows, lambda row: clean(row.name), {"key": lambda row: row.name}, right=False),
        column("A", rows, lambda row: _number(row, row.a), {"a": lambda row: row.a}),
        column("B", rows, lambda row: _number(row, row.b), {"b": lambda row: row.b}),
        column("B - A", rows, _gap, {"difference": lambda row: row.difference}),
        column("better", rows, lambda row: (row.better or "").upper(), {"better": lambda row: row.better}, right=False),
    ]


def _number(row: Row, value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) and (row.quantity is None or row.quantity.metric is None):
        return f"{value:,}"
    if row.name == "learning_rate":
        return f"{value:.4g}"
    if row.quantity is not None and row.quantity.unit == "s":
        return f"{value:,.1f}" if value == 0 or abs(value) >= 0.05 else f"{value:.1g}"
    digits = row.quantity.digits if row.quantity is not None else DIGITS
    smallest = 10.0 ** (1 - digits)
    return number(value, digits) if digits == 0 or value == 0 or abs(value) >= smallest else f"{value:.1e}"


def _gap(row: Row) -> str:
    """How far B is from A, as +0.0123 or as +41,696 (x1.69)."""
    if row.definitions:
        return "not compared"
    if row.difference is None:
        return ""
    if row.difference == 0:
        return "same"
    ratio = f" (x{row.b / row.a:.2f})" if row.name in RATIOS and row.a and row.b else ""
    return ("+" if row.difference > 0 else "-") + _number(row, abs(row.difference)) + ratio
