"""The units in which a table states its metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from fitbench.metrics import Metric

UnitName = Literal["accuracy", "error_percent", "percent", "value"]


@dataclass(frozen=True)
class Unit:
    """How a table states a metric: `scale` times the value v or, `of_errors`, `scale` times 1 - v.

    Attributes:
        name: as in table.yaml.
        heading: the metric with its unit, as in 'macro F1, %'.
        scale: what a value is multiplied by.
        of_errors: whether the table states 1 - v.
        digits: decimals that a table shows.
    """

    name: str
    heading: str
    scale: float
    of_errors: bool
    digits: int

    def number(self, value: float) -> float:
        """The number that states a value of the metric."""
        return self.scale * (1 - value if self.of_errors else value)

    def value(self, number: float) -> float:
        """The value of the metric that a number states."""
        return 1 - number / self.scale if self.of_errors else number / self.scale

    def difference(self, difference: float) -> float:
        """A difference of values in this unit: a higher accuracy is a lower error."""
        return self.scale * (-difference if self.of_errors else difference)


def _percent(name: str, metric: Metric, label: str, of_errors: bool) -> Unit:
    return Unit(name, f"{label}, %", 100, of_errors, max(metric.digits - 2, 0))


def _accuracy(metric: Metric) -> Unit:
    return Unit("accuracy", metric.label, 1, False, metric.digits)


def _error_percent(metric: Metric) -> Unit:
    label = metric.label.replace("accuracy", "error") if "accuracy" in metric.label else f"1 - {metric.label}"
    return _percent("error_percent", metric, label, True)


def _value(metric: Metric) -> Unit:
    return Unit("value", f"{metric.label}, {metric.unit}" if metric.unit else metric.label, 1, False, metric.digits)


_UNITS: dict[UnitName, Callable[[Metric], Unit]] = {
    "accuracy": _accuracy,
    "error_percent": _error_percent,
    "percent": lambda metric: _percent("percent", metric, metric.label, False),
    "value": _value,
}
NAMES: tuple[UnitName, ...] = get_args(UnitName)


def fits(name: UnitName, metric: Metric) -> bool:
    """Whether a metric can be stated in the unit of this name.

    'accuracy' and 'error_percent' are for proportions, the second for those of which a larger one is better. 'percent'
    is for every metric from 0 to 1. 'value' is for metrics that are no proportions.
    """
    if name == "percent":
        return (metric.low, metric.high) == (0, 1)
    if name == "value":
        return not metric.proportion
    return metric.proportion and (name == "accuracy" or metric.higher_is_better)


def unit_of(name: UnitName, metric: Metric) -> Unit:
    """The unit of this name for a metric that it fits."""
    return _UNITS[name](metric)
