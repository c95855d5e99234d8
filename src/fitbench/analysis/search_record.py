"""A search as search.json has it, checked, and the names in it: without Optuna, from a stranger's file too.

`fitbench.search.record` writes the file: objectives, space, trials, the best of them, and what mattered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, get_args

from fitbench.errors import FitbenchError
from fitbench.record.files import read_object
from fitbench.record.schemas import Search, TrialState, check
from fitbench.text import duration

FILE = "search.json"
SCHEMA = 1
STATES = get_args(TrialState)
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
    check(Search, record, f"{FILE}: ")
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
