"""A search as search.json has it, checked, and the names in it: without Optuna, from a stranger's file too.

`fitbench.search.record` writes the file: objectives, space, trials, the best of them, and what mattered.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.record.files import read_object
from fitbench.record.reading import is_number
from fitbench.text import duration

FILE = "search.json"
SCHEMA = 1
STATES = ("finished", "pruned", "failed", "running", "interrupted")
DIRECTIONS = ("maximize", "minimize")
COSTS = ("parameters", "fit_seconds", "seconds")  # objectives whose whole range matters
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
        chosen = [one.partition("=")[2] for one in condition.split(" and ") if one]
        last[name] = " ".join([key.replace("/", ".").rpartition(".")[2], *(f"({one})" for one in chosen)])
    counts = Counter(last.values())
    return {name: short if counts[short] == 1 else name for name, short in last.items()}


def metric_text(name: str, value: float | None) -> str:
    """An objective's value as people read it."""
    if value is None:
        return "-"
    if name.endswith("seconds"):
        return duration(value)
    return f"{value:,.0f}" if name == "parameters" else f"{value:.4f}"


# -- the file ---------------------------------------------------------------------------------------------------------


def _check(record: Record) -> None:
    """Refuse what a report or a chart could not do with.

    Raises:
        FitbenchError: a value is missing or of another kind; the message names it.
    """
    for key in ("study", "sampler", "pruner"):
        _is(record, key, _text)
    _is(record, "seed", _whole)
    _is(record, "objectives", lambda found: _list(found) and 0 < len(found) <= 20)
    for i, one in enumerate(record["objectives"]):
        _is(record["objectives"], i, _section)
        _is(one, "name", _text, f"objectives[{i}].")
        _is(one, "direction", lambda found: found in DIRECTIONS, f"objectives[{i}].")
    names = [one["name"] for one in record["objectives"]]
    _is(record, "objectives", lambda _: len(set(names)) == len(names))
    _is(record, "space", lambda found: _section(found) and len(found) > 0)
    for key, one in record["space"].items():
        _is(record["space"], key, _section, "space.")
        _is(one, "kind", lambda found: found in ("float", "int", "choice"), f"space.{key}.")
        if one["kind"] == "choice":
            _is(one, "values", lambda found: _list(found) and all(map(_value, found)), f"space.{key}.")
        else:
            for name in ("low", "high"):
                _is(one, name, is_number, f"space.{key}.")
            _is(one, "log", lambda found: isinstance(found, bool), f"space.{key}.")
            least = sys.float_info.min if one["log"] else -math.inf
            if not least <= one["low"] <= one["high"]:
                raise FitbenchError(f"{FILE}: space.{key}: low cannot be {one['low']!r:.80}")
    _is(record, "trials", _list)
    for i, trial in enumerate(record["trials"]):
        _is(record["trials"], i, _section, "trials.")
        _check_trial(trial, i, len(names), record["space"])
    finished = {trial["number"] for trial in record["trials"] if trial["state"] == "finished"}
    _is(record, "best", lambda found: _list(found) and all(_whole(one) and one in finished for one in found))
    _is(record, "importance", lambda found: _section(found) and set(found) <= set(names))
    for name, found in record["importance"].items():
        _is(record["importance"], name, _section, "importance.")
        for key in found:
            _is(found, key, lambda share: is_number(share) and share >= 0, f"importance.{name}.")


def _check_trial(trial: Mapping[str, Any], number: int, objectives: int, space: Mapping[str, Any]) -> None:
    where = f"trials[{number}]."
    _is(trial, "number", lambda found: _whole(found) and found == number, where)
    _is(trial, "state", lambda found: found in STATES, where)
    known = trial.get("values")
    numbers = isinstance(known, list) and len(known) == objectives and all(map(is_number, known))
    _is(trial, "values", lambda found: numbers or (found is None and trial["state"] != "finished"), where)
    _is(trial, "params", lambda found: _section(found) and set(found) <= set(space), where)
    for key in trial["params"]:
        wanted = _value if space[key]["kind"] == "choice" else is_number
        _is(trial["params"], key, wanted, f"{where}params.")
        if space[key].get("log"):
            _is(trial["params"], key, lambda found: found > 0, f"{where}params.")
    _is(trial, "run_ids", lambda found: _list(found) and all(map(_text, found)), where)
    _is(trial, "epochs", lambda found: found is None or _whole(found), where)
    _is(trial, "error", lambda found: found is None or _text(found), where)
    for key in ("began", "ended"):
        _is(trial, key, lambda found: found is None or is_number(found), where)


def _is(place: Any, key: Any, wanted: Callable[[Any], bool], where: str = "") -> None:
    """Refuse what does not stand where it should, or is not what is wanted there."""
    if isinstance(place, dict) and key not in place:
        raise FitbenchError(f"{FILE}: {where}{key} is missing")
    if not wanted(place[key]):
        raise FitbenchError(f"{FILE}: {where}{key} cannot be {place[key]!r:.80}")


def _text(found: Any) -> bool:
    return isinstance(found, str)


def _whole(found: Any) -> bool:
    return type(found) is int and 0 <= found < 2**53


def _list(found: Any) -> bool:
    return isinstance(found, list)


def _section(found: Any) -> bool:
    return isinstance(found, dict)


def _value(found: Any) -> bool:
    return isinstance(found, (str, bool)) or is_number(found)
