"""The tables of the metrics: those that fitbench supplies, and the keys of one of the user's."""

import inspect
import math
import re
from typing import Any

from docs.generate.markdown import as_yaml, code, prose, table
from fitbench import metrics
from fitbench.errors import RequestError

TARGET = "the dotted name of a function (targets, outputs) -> number, or of the class of a Keras metric"


def supplied() -> str:
    """The metrics that fitbench supplies."""
    every = {name: metric for name, metric in metrics.for_task(None).items() if name != "loss"}
    every["top_K_accuracy"] = metrics.get("top_5_accuracy")
    rows = [
        (
            code(name),
            ", ".join(metric.tasks),
            "larger" if metric.direction == "max" else "smaller",
            f"{_end(metric.low)} to {_end(metric.high)}",
            prose(_first_line(metric.score)),
        )
        for name, metric in every.items()
    ]
    return table(("metric", "task", "better", "range", "what it is"), rows)


def own() -> str:
    """The keys of a metric of the user's."""
    defaults = metrics.description("NAME", {"direction": "max"}, "", RequestError)
    meanings = _attributes(metrics.Metric)
    rows = [("`_target_`", "required", prose(TARGET))]
    for key in metrics.DESCRIPTION:
        value = None if defaults[key] in (math.inf, -math.inf) else defaults[key]
        default = {"direction": "required", "label": "the name"}.get(key) or code(as_yaml(value))
        rows.append((code(key), default, prose(meanings[key])))
    rows.append(("any other key", "", "a keyword argument of the function or class"))
    return table(("key", "default", "meaning"), rows)


def _attributes(kind: type) -> dict[str, str]:
    """What the docstring of a class says of each attribute; several may stand together before one colon."""
    section = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
    texts: dict[str, str] = {}
    for names, text in re.findall(r"^    ([\w, ]+): (.+\n(?:        .+\n)*)", section + "\n", re.MULTILINE):
        texts |= {name.strip(): " ".join(text.split()).rstrip(".") for name in names.split(",")}
    return texts


def _first_line(score: Any) -> str:
    """The first line of the docstring of a scoring function."""
    function = getattr(score, "func", score)  # of functools.partial
    return (inspect.getdoc(function) or "").splitlines()[0]


def _end(limit: float) -> str:
    return "∞" if limit == math.inf else "-∞" if limit == -math.inf else f"{limit:g}"
