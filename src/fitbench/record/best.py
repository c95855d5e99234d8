"""The best run of a study, by the primary metric on the validation part. The test part is not looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fitbench.errors import FitbenchError
from fitbench.metrics import join
from fitbench.quantities import from_info
from fitbench.record.reading import read_result
from fitbench.record.result import moment
from fitbench.record.tested_on import connected, signs, values_of
from fitbench.stderr import write_note
from fitbench.text import clean, counted, number


class Value(NamedTuple):
    """The primary metric of a run on the validation part."""

    name: str  # as 'val_accuracy'
    value: float | None
    text: str  # as '0.9312', '-' without a value
    larger_is_better: bool


def validation_value(recorded: Mapping[str, Any], primary: str) -> Value:
    """The primary metric of a run on the validation part.

    Args:
        recorded: what `read_result` or `read_pruned` gives.
        primary: the name of the metric.
    """
    metric = from_info(primary, recorded["metric_info"][primary])
    name = join("val", primary)
    value = recorded["metrics"].get(name)
    return Value(name, value, number(value, metric.digits), metric.direction == "max")


def best_run(folders: Sequence[str], study: str) -> tuple[str, str] | None:
    """The folder of the best finished run, and a sentence that says of which runs it is the best.

    Runs count that may be compared with the newest run that has a value: those of its task and primary metric that were
    tested on the same examples, see `tested_on.signs`. Of equal runs it is the first by name. None if no run has a
    value of its primary metric on the validation part.

    Args:
        folders: of the finished runs of a study. One that cannot be read is named on stderr and does not count.
        study: its name, for the sentence.
    """
    results = _results(folders)
    values = {folder: validation_value(result, result["primary"]) for folder, result in results.items()}
    valued = {folder: value.value for folder, value in values.items() if value.value is not None}
    if not valued:
        return None
    last = max(valued, key=lambda folder: moment(results[folder]["finished_at"]))
    beside = _comparable(last, results)
    candidates = {folder: value for folder, value in valued.items() if folder in beside}
    sign = 1 if values[last].larger_is_better else -1
    best = max(candidates, key=lambda folder: sign * candidates[folder])
    equal = sum(math.isclose(value, candidates[best], rel_tol=0) for value in candidates.values()) - 1
    text = f"{values[best].name} {values[best].text} is the best of {counted(len(beside), 'finished run')} of {study}"
    text += f" on {results[last]['data']['name']}"
    if others := len(results) - len(beside):
        left_out = f"{counted(others, 'run')} on other data, or of another task or metric"
        text += f", compared with its newest run; {left_out} {'does' if others == 1 else 'do'} not count"
    if equal:
        text += f"; {counted(equal, 'other run')} {'has' if equal == 1 else 'have'} the same value"
    return best, text


def _results(folders: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The results that can be read, by folder, sorted."""
    results = {}
    for folder in sorted(folders):
        try:
            result = read_result(Path(folder))
            moment(result["finished_at"])
            results[folder] = result
        except FitbenchError as error:
            write_note(f"left out {clean(error)}")
    return results


def _comparable(folder: str, results: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The runs that may be compared with this one, and this one."""
    firsts = dict(zip(results, connected([signs(values_of(result)) for result in results.values()]), strict=True))
    kinds = {each: (first, *_measured(results[each])) for each, first in firsts.items()}
    return {each for each, kind in kinds.items() if kind == kinds[folder]}


def _measured(result: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the value of a run is."""
    primary = result["primary"]
    return result["task"], primary, result["metric_info"][primary]
