"""One of two runs that `fitbench diff` compares: what its files say, as flat values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.record import reading
from fitbench.record.folder import State, state_of

LAUNCH_ONLY = ("force", "progress", "retry_failed", "fail_fast", "outputs")  # how a run was launched, not what it is
DATASET = ("sha256", "train", "validation", "test", "classes", "skipped")
TIMING = ("fit_seconds", "seconds", "examples_per_second")

Flat = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One of the two runs. Keys are dotted; null and empty values are left out. Unfinished, it has no `result`.

    `info` is the `metric_info` of a finished or pruned run.
    """

    folder: Path
    state: State
    run_id: str
    config: Flat
    history: list[dict[str, Any]]
    environment: Flat = field(default_factory=dict)
    results: Flat = field(default_factory=dict)
    result: dict[str, Any] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


def read_side(folder: Path) -> Side:
    """The run in this folder.

    Raises:
        FitbenchError: a file of it cannot be read; the message names it.
    """
    try:
        state = state_of(folder)
        history = reading.read_history(folder)
        if state is State.finished:
            return _finished(folder, history)
        info = reading.read_pruned(folder)["metric_info"] if state is State.pruned else {}
        return Side(folder, state, folder.name, _config(reading.read_config(folder)), history, info=info)
    except RecursionError:
        raise FitbenchError(f"{folder}: its configuration or result is nested too deeply") from None
    except OSError as error:
        raise FitbenchError(f"{error.filename}: cannot be read ({error.strerror})") from None


def _finished(folder: Path, history: list[dict[str, Any]]) -> Side:
    result = reading.read_result(folder)
    environment = {
        "versions": result.get("versions"),
        "git": result.get("git"),
        "device": result["device"],
        "threads": result["threads"],
        "environment": result["environment"],
        "code": result["code"],
        "dataset": {name: result["data"].get(name) for name in DATASET},
    }
    results = {
        **result["metrics"],
        **{name: result["timing"][name] for name in TIMING},
        **{name: result[name] for name in ("parameters", "attempts")},
    }
    return Side(
        folder=folder,
        state=State.finished,
        run_id=result["run_id"],
        config=_config(result["config"]),
        history=history,
        environment=dict(_flat(environment)),
        results={name: value for name, value in results.items() if value is not None},
        result=result,
        info=result["metric_info"],
    )


def _config(config: Mapping[str, Any]) -> Flat:
    return dict(_flat({name: value for name, value in config.items() if name not in (*LAUNCH_ONLY, "metrics")}))


def _flat(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values under dotted keys. Null, [] and {} are left out: to a run's identity they are the same as no key."""
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value not in (None, []):
            yield f"{prefix}{key}", _plain(value)


def _plain(value: Any) -> Any:
    """A value as identity counts it: 1.0 is 1, but neither '1' nor true is. A stranger's NaN becomes text."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {str(key): _plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value
