"""One of two runs that `fitbench diff` compares: what its files say, as flat values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fitbench.analysis.rows import plain
from fitbench.analysis.run_files import RunFiles, read_run
from fitbench.config import parse_run_id
from fitbench.config.nested import leaves
from fitbench.config.reading import brought_up_to_date

LAUNCH_ONLY = ("force", "progress", "retry_failed", "fail_fast", "outputs")  # how a run was launched, not what it is
ENVIRONMENT = ("versions", "git", "device", "threads", "environment", "code")  # keys of result.json
DATASET = ("sha256", "train", "validation", "test", "classes", "skipped")
TIMING = ("fit_seconds", "seconds", "examples_per_second")

Flat = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One of the two runs. Keys are dotted; null and empty values are left out. Unfinished, it has no results."""

    run: RunFiles
    config: Flat
    environment: Flat
    results: Flat

    @property
    def config_id(self) -> str:
        """The identity of the configuration; '' where the name of the folder does not have it."""
        name = parse_run_id(self.run.name)
        return (name and name.config_id) or ""


def read_side(folder: Path) -> Side:
    """The run in this folder.

    Raises:
        FitbenchError: a file of it cannot be read; the message names it.
    """
    run = read_run(folder)
    whole = brought_up_to_date(run.config)
    config = {name: value for name, value in whole.items() if name not in (*LAUNCH_ONLY, "metrics")}
    environment, results = {}, {}
    if run.result:
        environment = {name: run.result.get(name) for name in ENVIRONMENT}
        environment["dataset"] = {name: run.result["data"].get(name) for name in DATASET}
        recorded = run.result["metrics"] | run.result["timing"] | run.result
        names = (*run.result["metrics"], *TIMING, "parameters", "attempts")
        results = {name: recorded[name] for name in names if recorded[name] is not None}
    return Side(run, _flat(config), _flat(environment), results)


def _flat(section: Mapping[str, Any]) -> Flat:
    """The values under dotted keys. Null, [] and {} are left out: to a run's identity they are the same as no key."""
    return {key: plain(value) for key, value in leaves(section, lists=False) if value not in (None, [])}
