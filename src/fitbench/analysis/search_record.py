"""Reading search.json, which describes a search, without Optuna. The file may be a stranger's, and is checked.

`fitbench.search.record` writes it: objectives, space, trials, the best of them, and the importances.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any, Literal

from fitbench import metrics
from fitbench.errors import FitbenchError
from fitbench.quantities import Quantity, from_info, quantities
from fitbench.record.files import read_object
from fitbench.record.reading import is_number
from fitbench.text import duration

FILE = "search.json"
SCHEMA = 1
STATES = ("finished", "pruned", "failed", "running", "interrupted")
DIRECTIONS = ("maximize", "minimize")
DIGITS = 4  # of an objective that nothing describes
REACH = 3  # times the distance from the best value to the median: what an axis shows, if that is far less than all
MOST_BYTES = 64 * 2**20  # of a file that is read

Record = dict[str, Any]


def window(values: Sequence[float], maximize: bool, others: Sequence[float] = ()) -> tuple[float, float]:
    """The range that an axis shows of the values of finished trials, and of `others`: both ends among the values.

    A few trials far below the rest would leave no room to tell the good ones apart. So the axis ends at `REACH` times
    the distance from the best value to the median, if that is less than half of the whole range.
    """
    best = max(values) if maximize else min(values)
    everything = [*values, *others]
    worst = min(everything) if maximize else max(everything)
    end = best + REACH * (median(values) - best)
    if end != best and abs(worst - best) > 2 * abs(end - best):
        inside = [value for value in everything if (value >= end if maximize else value <= end)]
        worst = min(inside) if maximize else max(inside)
    return min(worst, best), max(worst, best)


def read_search(folder: Path) -> Record | None:
    """What search.json of a study holds, with every value in its place and of its type; None if there is none.

    Raises:
        FitbenchError: it is damaged, or no such file; the message says where.
    """
    path = folder / FILE
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FitbenchError(f"{FILE}: larger than {MOST_BYTES // 2**20} MB")
        record = read_object(str(path), FILE, SCHEMA)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FitbenchError(f"{FILE}: cannot be read ({error.strerror})") from None
    _check(record)
    return record


def parted(name: str) -> tuple[str, str]:
    """A parameter's key, and the choices that it belongs to where the key has several parameters; else ''.

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
        chosen = [choice.partition("=")[2] for choice in condition.split(" and ") if choice]
        last[name] = " ".join([key.replace("/", ".").rpartition(".")[2], *(f"({choice})" for choice in chosen)])
    counts = Counter(last.values())
    return {name: short if counts[short] == 1 else name for name, short in last.items()}


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
    if "info" in objective:
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


def quantity_text(quantity: Quantity, value: float | None) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    return duration(value) if quantity.unit == "s" else f"{value:,.{quantity.digits}f}"


def metric_text(name: str, value: float | None) -> str:
    """The value of an objective of this name as people read it."""
    return quantity_text(objective_quantity({"name": name, "direction": DIRECTIONS[0]}), value)


# -- the file ---------------------------------------------------------------------------------------------------------


def _check(record: Record) -> None:
    """Refuse what a report or a chart could not do with.

    Raises:
        FitbenchError: a value is missing or of another kind; the message names it.
    """
    for key in ("study", "sampler", "pruner"):
        _is(record, key, _text)
    _is(record, "seed", _whole)
    _is(record, "objectives", lambda value: _list(value) and 0 < len(value) <= 20)
    for i, objective in enumerate(record["objectives"]):
        _is(record["objectives"], i, _section)
        _is(objective, "name", _text, f"objectives[{i}].")
        _is(objective, "direction", lambda value: value in DIRECTIONS, f"objectives[{i}].")
        if "info" in objective:
            _check_info(objective, i)
    names = [objective["name"] for objective in record["objectives"]]
    _is(record, "objectives", lambda _: len(set(names)) == len(names))
    _is(record, "space", lambda value: _section(value) and len(value) > 0)
    for key, parameter in record["space"].items():
        _is(record["space"], key, _section, "space.")
        _is(parameter, "kind", lambda value: value in ("float", "int", "choice"), f"space.{key}.")
        if parameter["kind"] == "choice":
            _is(parameter, "values", lambda value: _list(value) and all(map(_value, value)), f"space.{key}.")
        else:
            for name in ("low", "high"):
                _is(parameter, name, is_number, f"space.{key}.")
            _is(parameter, "log", lambda value: isinstance(value, bool), f"space.{key}.")
            least = sys.float_info.min if parameter["log"] else -math.inf
            if not least <= parameter["low"] <= parameter["high"]:
                raise FitbenchError(f"{FILE}: space.{key}: low cannot be {parameter['low']!r:.80}")
    _is(record, "trials", _list)
    for i, trial in enumerate(record["trials"]):
        _is(record["trials"], i, _section, "trials.")
        _check_trial(trial, i, len(names), record["space"])
    finished = {trial["number"] for trial in record["trials"] if trial["state"] == "finished"}
    _is(record, "best", lambda value: _list(value) and all(_whole(number) and number in finished for number in value))
    _is(record, "importance", lambda value: _section(value) and set(value) <= set(names))
    for name, shares in record["importance"].items():
        _is(record["importance"], name, _section, "importance.")
        for key in shares:
            _is(shares, key, lambda share: is_number(share) and share >= 0, f"importance.{name}.")


def _check_info(objective: Mapping[str, Any], place: int) -> None:
    try:
        from_info(metrics.split(objective["name"])[1], objective["info"])
    except FitbenchError as error:
        raise FitbenchError(f"{FILE}: objectives[{place}].info: {error}") from None


def _check_trial(trial: Mapping[str, Any], number: int, objectives: int, space: Mapping[str, Any]) -> None:
    where = f"trials[{number}]."
    _is(trial, "number", lambda value: _whole(value) and value == number, where)
    _is(trial, "state", lambda value: value in STATES, where)
    values = trial.get("values")
    numbers = isinstance(values, list) and len(values) == objectives and all(map(is_number, values))
    _is(trial, "values", lambda value: numbers or (value is None and trial["state"] != "finished"), where)
    _is(trial, "params", lambda value: _section(value) and set(value) <= set(space), where)
    for key in trial["params"]:
        wanted = _value if space[key]["kind"] == "choice" else is_number
        _is(trial["params"], key, wanted, f"{where}params.")
        if space[key].get("log"):
            _is(trial["params"], key, lambda value: value > 0, f"{where}params.")
    _is(trial, "run_ids", lambda value: _list(value) and all(map(_text, value)), where)
    _is(trial, "epochs", lambda value: value is None or _whole(value), where)
    _is(trial, "error", lambda value: value is None or _text(value), where)
    for key in ("began", "ended"):
        _is(trial, key, lambda value: value is None or is_number(value), where)


def _is(place: Any, key: Any, wanted: Callable[[Any], bool], where: str = "") -> None:
    """Refuse what does not stand where it should, or is not what is wanted there."""
    if isinstance(place, dict) and key not in place:
        raise FitbenchError(f"{FILE}: {where}{key} is missing")
    if not wanted(place[key]):
        raise FitbenchError(f"{FILE}: {where}{key} cannot be {place[key]!r:.80}")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _list(value: Any) -> bool:
    return isinstance(value, list)


def _section(value: Any) -> bool:
    return isinstance(value, dict)


def _value(value: Any) -> bool:
    return isinstance(value, (str, bool)) or is_number(value)
