"""Reading search.json, which describes a search, without Optuna. The file may be a stranger's, and is checked.

`fitbench.tuning.record` writes it: objectives, space, trials, the best of them, and the importances.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from fitbench import metrics
from fitbench.analysis.series import quantity_text
from fitbench.quantities import Quantity, quantities
from fitbench.record.files import read_object
from fitbench.record.schemas import Search, TrialState, check
from fitbench.record.trash import SEARCH

FILE = SEARCH
SCHEMA = 1
FEWEST = 10  # finished trials from which importances are computed
MOST_VALUES = 2_000_000  # in a file: 10,000 trials of 200 epochs
STATES = get_args(TrialState)
DIGITS = 4  # of an objective that nothing describes

Record = dict[str, Any]


def read_search(folder: Path) -> Record | None:
    """What search.json of a study holds, with every value in its place and of its type; None if there is none.

    Raises:
        FitbenchError: it is damaged, or no such file; the message names it.
    """
    try:
        record = read_object(folder, FILE, SCHEMA, most=MOST_VALUES, depth=1)
    except FileNotFoundError:
        return None
    check(Search, record, f"{folder}/{FILE}: ")
    return record


def parted(name: str) -> tuple[str, str]:
    """A parameter's key, and the choice that it belongs to where the key has several parameters; else ''.

    'optimizer.learning_rate (optimizer=sgd)' becomes 'optimizer.learning_rate' and 'optimizer=sgd'.
    """
    key, _, condition = name.partition(" (")
    return key, condition.removesuffix(")")


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The last part of each parameter's key, or all of it where that means several.

    'optimizer.learning_rate (optimizer=sgd)' becomes 'learning_rate (sgd)'.
    """
    last = {}
    for name in names:
        key, condition = parted(name)
        choice = condition.partition("=")[2]
        last[name] = key.replace("/", ".").rpartition(".")[2] + (f" ({choice})" if choice else "")
    counts = Counter(last.values())
    return {name: short if counts[short] == 1 else name for name, short in last.items()}


def why_unrated(record: Record) -> str:
    """Why the importances of the parameters are not known."""
    finished = sum(trial["state"] == "finished" for trial in record["trials"])
    if finished < FEWEST:
        have = "has" if finished == 1 else "have"
        return f"not known: that takes {FEWEST} finished trials, and {finished} {have} finished"
    if len(record["trials"]) < (record.get("total") or 0):
        return "computed when the launch ends"
    return "not known: all finished trials have the same value, or no parameter that all of them have varies"


def objective_quantity(
    objective: Mapping[str, Any], available: Mapping[str, Quantity] = MappingProxyType({})
) -> Quantity:
    """What an objective of search.json measures, with the direction in which the search went.

    An objective may carry the metric's `info`, as `metric_info` of result.json has it. Else it is one of the
    quantities that the study's runs record, then a metric that fitbench supplies.

    Args:
        objective: an entry of `objectives`, as `read_search` gives it.
        available: the quantities of the study's runs by column, where they are known.
    """
    name = objective["name"]
    direction: Literal["max", "min"] = "max" if objective["direction"] == "maximize" else "min"
    part, metric_name = metrics.split(name)
    supplied = metrics.supplied(metric_name)
    if objective.get("info") is not None:
        candidates = quantities([{metric_name: objective["info"]}])
    else:
        candidates = quantities([{metric_name: supplied.info()}] if supplied else []) | dict(available)
    by_name = {quantity.name: quantity for quantity in candidates.values()}
    part = part or "train"
    quantity = by_name.get(name) or by_name.get(metrics.join(part, metric_name))
    if quantity is None:
        label = f"{metrics.PARTS[part]} {metric_name.replace('_', ' ')}"
        quantity = Quantity(name, label, direction, -math.inf, digits=DIGITS, metric=metric_name, part=part)
    return replace(quantity, direction=direction)


def objective_text(objective: Mapping[str, Any], value: float | None) -> str:
    """The value of an objective of search.json as people read it."""
    return quantity_text(objective_quantity(objective), value)
