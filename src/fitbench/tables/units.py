"""The units in which a table states its metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
        return self.scale * (-difference if self.of_errors else difference) + 0.0  # no -0.0


def units_of(metric: Metric) -> dict[str, Unit]:
    """The units in which a metric can be stated, by name.

    A proportion can be stated as 'accuracy' and, where a larger one is better, as 'error_percent'. Another metric can
    be stated as 'value', and every metric from 0 to 1 as 'percent'.
    """
    label, digits, digits_of_percent = metric.label, metric.digits, max(metric.digits - 2, 0)
    units = []
    if metric.proportion:
        units.append(Unit("accuracy", label, 1, False, digits))
    if metric.proportion and metric.higher_is_better:
        error = label.replace("accuracy", "error") if "accuracy" in label else f"1 - {label}"
        units.append(Unit("error_percent", f"{error}, %", 100, True, digits_of_percent))
    if (metric.low, metric.high) == (0, 1):
        units.append(Unit("percent", f"{label}, %", 100, False, digits_of_percent))
    if not metric.proportion:
        units.append(Unit("value", f"{label}, {metric.unit}" if metric.unit else label, 1, False, digits))
    return {unit.name: unit for unit in units}
