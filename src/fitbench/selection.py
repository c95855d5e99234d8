"""Which metrics a configuration selects: both of its forms, its checks, and the order. Free of Keras.

A list, `[accuracy, macro_f1]`, replaces what was selected before. A section, `{kappa: {_target_: mine.kappa, direction:
max}}`, adds to it. In a composed configuration `metrics` is a section: a name with null is a metric of fitbench, a name
with a section of its own is the user's. The name `default` stands for the default metrics of the task, which the data
may have to decide. The first metric is primary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fitbench import metrics, user_metrics
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.tasks import Task
from fitbench.text import hint

KEY = "metrics"  # of the configuration
DEFAULT = "default"  # the name that stands for the default metrics of the task
LIST = "_list_"  # of `metrics` while a configuration is composed; no metric can have this name


def as_section(value: Any) -> dict[str, Any]:
    """Either form as a section: names and entries in order.

    Raises:
        RequestError: it is neither a list of names nor a section, or a list names a metric twice.
    """
    if isinstance(value, Mapping):
        return {str(name): entry for name, entry in value.items()}
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise RequestError(f"{KEY} is {value!r:.80}; it must be a list of names such as [accuracy,macro_f1]")
    twice = sorted({name for name in value if value.count(name) > 1})
    if twice:
        raise RequestError(f"{KEY} is [{', '.join(value)}]; it names {', '.join(twice)} more than once")
    return dict.fromkeys(value)


def joined(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section that a section with a list under `LIST` stands for: the list's names first, then the others.

    An entry of the user's for a name of the list stands at the name's place.

    Raises:
        RequestError: as `as_section`.
    """
    others = {str(name): entry for name, entry in section.items() if name != LIST}
    return as_section(section[LIST]) | others if LIST in section else others


def resolved(selected: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """The selection with the default metrics of the task at the place of `default`."""
    section: dict[str, Any] = {}
    for name, entry in selected.items():
        names = task.default_metrics if name == DEFAULT and entry is None else (name,)
        section |= {each: selected.get(each) if name == DEFAULT else entry for each in names}
    return section


def check(selected: Mapping[str, Any], task: Task | None) -> None:
    """Refuse a selection that no run of this task could record. Nothing of the user's is imported.

    Without a task, which the data then decide, metrics of any task are accepted.

    Raises:
        RequestError: there is no such metric (the message names the nearest), it is of another task, or an entry of
            the user's is wrong.
    """
    if not selected:
        raise RequestError(f"{KEY} is empty; it must name at least one metric, such as [accuracy], or default")
    for name, entry in selected.items():
        if name == DEFAULT and entry is None:
            continue
        if name == "loss" and entry is None:
            raise RequestError(f"{KEY}: the loss is recorded in any case; leave it out of the list")
        try:
            of_task = None if task is None else task.name
            metric = metrics.get(name, of_task) if entry is None else user_metrics.from_config(name, entry)
        except RequestError as error:
            raise RequestError(str(error) if str(error).startswith(KEY) else f"{KEY}: {error}") from None
        if task is not None and not metric.is_for(task.name):
            raise RequestError(
                f"{KEY}: {name} is a metric of {' and '.join(metric.tasks)}, but the task is {task.name}, which has "
                f"{', '.join(metrics.names_for(task.name))}"
            )


def monitored(name: str, selected: Mapping[str, Any], task: Task) -> tuple[str, Metric]:
    """Part ('train' or 'val') and metric that early stopping watches after each epoch under this name.

    Every metric of the task has a validation value, as 'val_macro_f1'. On the training part epochs measure the loss and
    what `Task.step_metrics` names, as 'accuracy' or 'train_accuracy'. A metric that fitbench supplies need not be
    selected.

    Raises:
        RequestError: epochs do not measure it; the message names what can be watched.
    """
    part, metric_name = metrics.split(name)
    if part == "test":
        raise RequestError(f"{name!r} cannot be monitored: the test part is read once, after training; use val_")
    described = {name: user_metrics.from_config(name, entry) for name, entry in resolved(selected, task).items()}
    metric = described.get(metric_name) or metrics.supplied(metric_name)
    measured = ("loss", *task.step_metrics)
    if metric is None or not metric.is_for(task.name):
        names = [*measured, *(metrics.join("val", key) for key in {**metrics.for_task(task.name), **described})]
        raise RequestError(f"{name!r} cannot be monitored; {hint(name, names)}")
    if part != "val" and metric_name not in measured:
        raise RequestError(
            f"{name!r} cannot be monitored: on the training part epochs measure {' and '.join(measured)}; use "
            f"val_{metric_name}"
        )
    return part or "train", metric


def recorded(
    selected: Mapping[str, Any],
    monitors: Iterable[str],
    task: Task,
    of: Callable[[str, Mapping[str, Any] | None], Metric] = user_metrics.from_config,
) -> dict[str, Metric]:
    """The metrics that a run records besides the loss, by name: those selected, and what is watched after each epoch.

    Args:
        selected: `metrics` of the configuration.
        monitors: what is watched after each epoch, by early stopping and by the schedule.
        task: of the run.
        of: `user_metrics.load` where the metrics must score.
    """
    wanted = resolved(selected, task)
    for monitor in monitors:
        _, metric = monitored(monitor, selected, task)
        if metric.name != "loss":
            wanted.setdefault(metric.name, None)
    return {name: of(name, entry) for name, entry in wanted.items()}
