"""The metric of a table: one that fitbench supplies, or one that the overrides of the table define."""

from __future__ import annotations

from collections.abc import Sequence

from fitbench import metrics, user_metrics
from fitbench.composition import Composer
from fitbench.config.reading import resolved
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.text import hint, sentences

DEFAULT = "test_accuracy"
DEFINE = "A metric of your own is defined in overrides, as metrics.NAME={_target_: mine.function, direction: max}"


def find_metric(name: str, overrides: Sequence[str]) -> tuple[str, Metric]:
    """Part ('train', 'val' or 'test') and metric of a name such as 'macro_f1' (of the test part) or 'val_accuracy'.

    A metric of the user's is not imported, so it cannot score.

    Args:
        name: as in table.yaml.
        overrides: those of the whole table.

    Raises:
        RequestError: there is no such metric, or its definition is wrong.
    """
    part, metric_name = metrics.split(name)
    metric = metrics.supplied(metric_name)
    if metric is None:
        own = _defined(overrides)
        if metric_name not in own:
            names = [*metrics.for_task(None), "top_5_accuracy", *own]
            unknown = f"there is no metric {metric_name!r}; {hint(metric_name, names)}"
            raise RequestError(sentences([unknown, DEFINE]))
        metric = own[metric_name]
    return part or "test", metric


def _defined(overrides: Sequence[str]) -> dict[str, Metric]:
    """The metrics of the user's in these overrides, by name. The rows decide the task, so it is not checked here."""
    chosen = [override for override in overrides if override.lstrip("+").startswith(("metrics.", "metrics="))]
    if not chosen:
        return {}
    entries = resolved(Composer().composed_with(chosen).metrics)
    return {name: user_metrics.from_config(name, entry) for name, entry in entries.items() if entry is not None}
