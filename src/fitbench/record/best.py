"""The best run of a study, by the primary metric on the validation part. The test part is not looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fitbench.errors import FitbenchError, RequestError
from fitbench.metrics import join
from fitbench.quantities import from_info
from fitbench.record.reading import read_result
from fitbench.record.result import moment
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


def best_run(folders: Sequence[str], study: str) -> tuple[str, str]:
    """The folder of the best finished run, and a sentence that says of which runs it is the best.

    Runs of other tasks, data sets or primary metrics than the newest of these runs do not count, nor do runs without a
    validation part. Of equal runs it is the first by name.

    Args:
        folders: of the finished runs of a study, at least one.
        study: its name, for the sentence.

    Raises:
        RequestError: no run has a value of the metric.
    """
    results, ends = {}, {}
    for folder in sorted(folders):
        try:
            result = read_result(Path(folder))
            results[folder], ends[folder] = result, moment(result["finished_at"])
        except FitbenchError as error:
            write_note(f"left out {clean(error)}")
    if not results:
        raise RequestError(f"none of the finished runs of {study} can be read")
    last = max(results, key=lambda folder: ends[folder])
    kind = _kind(results[last])
    values = {folder: validation_value(result, result["primary"])
              for folder, result in results.items() if _kind(result) == kind}  # fmt: skip
    with_value = {folder: value.value for folder, value in values.items() if value.value is not None}
    of = f"of {counted(len(values), 'finished run')} of {study} on {kind[1]}"
    if not with_value:
        raise RequestError(
            f"none {of} has a {values[last].name}, by which the best is found; name a run, or STUDY/@best"
        )
    sign = 1 if values[last].larger_is_better else -1
    best = max(with_value, key=lambda folder: sign * with_value[folder])
    equal = sum(math.isclose(value, with_value[best], rel_tol=0) for value in with_value.values()) - 1
    tie = f"; {counted(equal, 'other run')} {'has' if equal == 1 else 'have'} the same value" if equal else ""
    return best, f"{values[best].name} {values[best].text} is the best {of}{tie}"


def _kind(result: Mapping[str, Any]) -> tuple[Any, ...]:
    """What runs must have in common for their values to be compared."""
    primary = result["primary"]
    return result["task"], result["data"]["name"], primary, result["metric_info"][primary]
