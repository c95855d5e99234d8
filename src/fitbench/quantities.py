"""What recorded runs can be ranked, filtered and compared by, read from `metric_info` of their result.json."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fitbench import metrics
from fitbench.errors import FitbenchError, RequestError
from fitbench.metrics import Metric
from fitbench.text import hint

# -- metrics of recorded runs -----------------------------------------------------------------------------------------


def from_info(name: str, info: Any) -> Metric:
    """The metric that a run recorded in `metric_info`, without a scoring function. The file may be a stranger's.

    Raises:
        FitbenchError: it is not what `Metric.info` gives; the message names the key, and the caller adds the file.
    """
    where = f"metric_info.{name}"
    metrics.check_name(name, where, FitbenchError)
    if not isinstance(info, Mapping):
        raise FitbenchError(f"{where} is {info!r:.80}; expected direction, range and definition")
    ends = info.get("range")
    if not isinstance(ends, list) or len(ends) != 2:
        raise FitbenchError(f"{where}.range is {ends!r:.80}; expected [low, high], with null for an infinite end")
    definition = info.get("definition")
    if not isinstance(definition, str) or not definition:
        raise FitbenchError(f"{where}.definition is {definition!r:.80}; expected a text")
    values = {**info, "low": ends[0], "high": ends[1]}
    return Metric(name, definition=definition, **metrics.description(name, values, where, FitbenchError))


def of_schema_1() -> dict[str, dict[str, Any]]:
    """The `metric_info` of the results of schema 1 (fitbench 0.1), which record accuracy and loss without it."""
    return {name: metrics.get(name).info() for name in ("accuracy", "loss")}


# -- columns ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quantity:
    """A recorded number of a run: a metric of a part, an epoch, a time or a size.

    Attributes:
        column: as in 'metrics.test_macro_f1', 'timing.fit_seconds' or 'parameters'.
        label: for tables and axes, as in 'test macro F1'.
        direction, low, high, digits, unit, proportion: as in `Metric`.
        metric, part: the metric's name and 'train', 'val' or 'test'; None for what is not a metric.
        definitions: the definitions that the runs record for the metric. More than one cannot be aggregated.
    """

    column: str
    label: str
    direction: Literal["max", "min"]
    low: float = 0.0
    high: float = math.inf
    digits: int = 0
    unit: str = ""
    proportion: bool = False
    metric: str | None = None
    part: str | None = None
    definitions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The column without its section, as in 'test_macro_f1'."""
        return self.column.rpartition(".")[2]

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is better."""
        return self.direction == "max"


_FIXED = (
    Quantity("metrics.best_epoch", "best epoch", "min"),
    Quantity("metrics.epochs", "epochs", "min"),
    Quantity("timing.fit_seconds", "training time", "min", unit="s", digits=2),
    Quantity("timing.seconds", "time of the run", "min", unit="s", digits=2),
    Quantity("timing.examples_per_second", "training speed", "max", unit="examples/s"),
    Quantity("parameters", "parameters", "min"),
)


def quantities(infos: Iterable[Mapping[str, Any]]) -> dict[str, Quantity]:
    """The quantities of some runs by column: every metric of theirs in each part, and what every run has.

    Args:
        infos: `metric_info` of each run (`of_schema_1` for a result of schema 1). Of several, label and digits are
            those of the first.

    Raises:
        FitbenchError: an entry is not what `Metric.info` gives.
    """
    recorded: dict[str, list[Mapping[str, Any]]] = {}
    for run in infos:
        for name, info in run.items():
            if info not in (entries := recorded.setdefault(name, [])):
                entries.append(info)
    columns = []
    for name, entries in recorded.items():
        variants = [from_info(name, info) for info in entries]
        definitions = tuple(dict.fromkeys(map(_identity, variants)))
        columns += [_quantity(part, variants[0], definitions) for part in metrics.PARTS]
    return {quantity.column: quantity for quantity in (*columns, *_FIXED)}


def with_task(infos: Mapping[str, Any], task: str) -> dict[str, Any]:
    """The `metric_info` of a run, with the task in its definitions: runs of two tasks then have no metric in common.

    A loss, or macro F1, of one task says nothing about that of another one.
    """
    return {name: {**info, "definition": f"{info['definition']} of {task}"} for name, info in infos.items()}


def _identity(metric: Metric) -> str:
    """All that two runs must agree on for their values to be aggregated."""
    about = f"{metric.direction}, {metric.low:g} to {metric.high:g}"
    return ", ".join([metric.definition, about, *([metric.unit] * bool(metric.unit))])


def _quantity(part: str, metric: Metric, definitions: tuple[str, ...]) -> Quantity:
    return Quantity(
        column=f"metrics.{metrics.join(part, metric.name)}",
        label=f"{metrics.PARTS[part]} {metric.label}",
        direction=metric.direction,
        low=metric.low,
        high=metric.high,
        digits=metric.digits,
        unit=metric.unit,
        proportion=metric.proportion,
        metric=metric.name,
        part=part,
        definitions=definitions,
    )


def find(name: str, available: Mapping[str, Quantity]) -> Quantity:
    """The quantity of this name, with or without its section: 'test_accuracy' is 'metrics.test_accuracy'.

    The name of a metric alone means the test part: 'accuracy' is 'metrics.test_accuracy'.

    Raises:
        RequestError: the runs do not record it (the message names the nearest), or with different definitions.
    """
    names: dict[str, Quantity] = {}
    names.update((str(quantity.metric), quantity) for quantity in available.values() if quantity.part == "test")
    names.update((quantity.name, quantity) for quantity in available.values())
    names.update(available)
    if name not in names:
        known = [quantity.name for quantity in available.values()]
        raise RequestError(f"the runs do not record a metric {name!r}; {hint(name, known)}")
    check_definition(names[name])
    return names[name]


def check_definition(quantity: Quantity) -> None:
    """Refuse a metric that has different definitions in the runs, whose values cannot be aggregated.

    Raises:
        RequestError: it has; the message lists the definitions.
    """
    if len(quantity.definitions) > 1:
        texts = "".join(f"\n  {text!r:.200}" for text in quantity.definitions)
        raise RequestError(f"{quantity.name} has different definitions in these runs; select runs of one:{texts}")
