"""Turns recorded runs into runs of schema 1, as fitbench 0.1 wrote them, or of schema 2 with metrics of one's own."""

import json
from pathlib import Path
from typing import Any

from fitbench.quantities import of_schema_1

KAPPA = {  # fitbench supplies no metric of this name
    "label": "Cohen's kappa", "direction": "min", "range": [-1, 1], "digits": 3, "unit": "", "proportion": False,
    "definition": "mine.kappa {} sha256:00",
}  # fmt: skip
SCHEMA_2 = {
    "schema": 2, "fold": None, "task": "classification", "primary": "accuracy", "threads": None, "environment": {},
    "code": {},
}  # fmt: skip


def as_schema_1(folder: Path, name: str = "result.json") -> None:
    """Make result.json (or pruned.json) one of schema 1: accuracy and loss, and nothing that says what they are."""
    content = json.loads((folder / name).read_text())
    content["schema"] = 1
    for key in (*(key for key in SCHEMA_2 if key != "schema"), "metric_info"):
        content.pop(key, None)
    _rename(content["timing"], "examples_per_second", "images_per_second")
    (folder / name).write_text(json.dumps(content))


def as_schema_2(
    folder: Path,
    name: str = "result.json",
    info: dict[str, Any] | None = None,
    primary: str = "accuracy",
    **metrics: Any,
) -> None:
    """Make result.json (or pruned.json) one of schema 2, which records further metrics.

    Args:
        folder: the run.
        name: the file.
        info: `metric_info` of the further metrics.
        primary: the primary metric.
        metrics: values that are changed or added, as test_kappa=0.5. Parts that a metric of `info` lacks are null.
    """
    content = json.loads((folder / name).read_text())
    content |= SCHEMA_2 | {"primary": primary, "metric_info": of_schema_1() | (info or {})}
    _rename(content["timing"], "images_per_second", "examples_per_second")
    parts = ("train", "val", "test") if name == "result.json" else ("train", "val")
    content["metrics"] |= {f"{part}_{metric}": None for part in parts for metric in info or {}} | metrics
    (folder / name).write_text(json.dumps(content))


def _rename(section: dict[str, Any], old: str, new: str) -> None:
    if old in section:
        section[new] = section.pop(old)
