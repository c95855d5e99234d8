"""A search as search.json has it, checked, and what a report shows of it: without Optuna, from a stranger's file too.

`fitbench.search.record` writes the file: objectives, space, trials, the best of them, and what mattered.
"""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from fitbench import runs
from fitbench.analysis.charts import title
from fitbench.analysis.loading import is_number
from fitbench.errors import FitbenchError
from fitbench.search.summary import short_names

FILE = "search.json"
SCHEMA = 1
STATES = ("finished", "pruned", "failed", "running", "interrupted")
DIRECTIONS = ("maximize", "minimize")
COSTS = ("parameters", "fit_seconds", "seconds")  # objectives whose whole range matters
REACH = 3  # times the distance from the best value to the median: what an axis shows, if that is far less than all
MOST_BYTES = 64 * 2**20  # of a file that is read
TRIALS = 5_000  # that a page shows
BEST = 100  # of further ones
PARAMETERS = 40  # that a page shows

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
        record = runs.read_object(str(path), FILE, SCHEMA)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FitbenchError(f"{FILE}: cannot be read ({error.strerror})") from None
    _check(record)
    return record


# -- the page ---------------------------------------------------------------------------------------------------------


def collect(
    folders: Sequence[str], paths: Sequence[str | Path], left_out: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The searches of the studies that hold these run folders, as JSON holds them; damaged ones join `left_out`.

    A study is looked into if one of the paths holds it, and not only a run of it.
    """
    given = {os.path.normpath(path) for path in paths}
    studies = dict.fromkeys(os.path.dirname(folder) for folder in folders if os.path.normpath(folder) not in given)  # noqa: PTH120
    run_at = {folder: run for run, folder in enumerate(folders)}
    found = []
    for study in studies:
        try:
            record = read_search(Path(study))
        except FitbenchError as error:
            left_out.append((study, str(error)))
        else:
            if record is not None:
                found.append(_collected(record, study, run_at))
    return found


def _collected(record: Record, study: str, run_at: Mapping[str, int]) -> dict[str, Any]:
    """A search for page/search.js: lists that are about trials are in their order, and so are positions of trials."""
    every = record["trials"]
    kept = sorted({*range(min(len(every), TRIALS)), *record["best"][:BEST]})
    trials = [every[number] for number in kept]
    place = {number: i for i, number in enumerate(kept)}
    names = [one["name"] for one in record["objectives"]]
    shares = [record["importance"].get(name, {}) for name in names]
    keys = sorted(record["space"], key=lambda key: -shares[0].get(key, 0))[:PARAMETERS]
    labels = short_names(list(record["space"]))
    said = [_said(record)]
    if len(trials) < len(every):
        said.append(f"{len(trials):,} of the trials are shown.")
    if len(keys) < len(record["space"]):
        said.append(f"{len(keys)} of {len(record['space'])} parameters are shown.")
    return {
        "study": record["study"],
        "said": " ".join(said),
        "objectives": [_objective(record, i, trials) for i in range(len(names))],
        "parameters": [_parameter(record["space"][key], key, labels[key], trials) for key in keys],
        "importance": [[(i, share[key]) for i, key in enumerate(keys) if key in share] for share in shares],
        "numbers": kept,
        "states": [trial["state"] for trial in trials],
        "epochs": [trial["epochs"] for trial in trials],
        "seconds": [_seconds(trial) for trial in trials],
        "errors": [trial["error"] for trial in trials],
        "runs": [next((run_at[f"{study}{os.sep}{name}"] for name in trial["run_ids"]
                       if f"{study}{os.sep}{name}" in run_at), None) for trial in trials],
        "best": [place[number] for number in record["best"] if number in place],
    }  # fmt: skip


def _said(record: Record) -> str:
    """How many trials there are and how they ended, and how the search was made."""
    counts = Counter(trial["state"] for trial in record["trials"])
    states = ", ".join(f"{counts[state]:,} {state}" for state in STATES if counts[state])
    seeds = record.get("seeds")
    runs = f", the mean of {seeds} runs each" if isinstance(seeds, int) and seeds > 1 else ""
    pruner = "no pruner" if record["pruner"] == "none" else f"{record['pruner']} pruner"
    return (
        f"{len(record['trials']):,} trials{runs}: {states or 'none'}. "
        f"Sampler {record['sampler']} with seed {record['seed']}, {pruner}."
    )


def _objective(record: Record, number: int, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    name, direction = (record["objectives"][number][key] for key in ("name", "direction"))
    finished = [trial["values"][number] for trial in record["trials"] if trial["state"] == "finished"]
    pruned = [trial["values"][number] for trial in record["trials"] if trial["state"] == "pruned" and trial["values"]]
    low, high = 0.0, 1.0
    if name in COSTS and finished + pruned:
        low, high = min(finished + pruned), max(finished + pruned)
    elif finished + pruned:
        low, high = window(finished or pruned, direction == "maximize", pruned)
    return {
        "name": name,
        "label": title(name),
        "kind": "integer" if name == "parameters" else "seconds" if name.endswith("seconds") else "metric",
        "better": "higher" if direction == "maximize" else "lower",
        "low": low,
        "high": high,
        "log": name in COSTS and low > 0 and high >= 10 * low,
        "values": [_value_of(trial, number) for trial in trials],
    }


def _value_of(trial: Mapping[str, Any], objective: int) -> float | None:
    return trial["values"][objective] if trial["values"] and trial["state"] in ("finished", "pruned") else None


def _parameter(of: Record, key: str, label: str, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    from fitbench.analysis.groups import text

    values = [trial["params"].get(key) for trial in trials]
    about = {"name": key, "label": label}
    if of["kind"] == "choice":
        texts = [None if value is None else text(value) for value in values]
        order = [one for one in dict.fromkeys(map(text, of["values"])) if one in set(texts)]
        rest = [one for one in dict.fromkeys(texts) if one is not None and one not in order]
        return about | {"kind": "text", "choices": [*order, *rest], "values": texts}
    return about | {"kind": "short", "log": of["log"], "low": of["low"], "high": of["high"], "values": values}


def _seconds(trial: Mapping[str, Any]) -> float | None:
    began, ended = trial["began"], trial["ended"]
    return None if began is None or ended is None else round(max(ended - began, 0), 3)


# -- the file ---------------------------------------------------------------------------------------------------------


def _check(record: Record) -> None:
    """Refuse what the rest of this module, or a chart, could not do with.

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
