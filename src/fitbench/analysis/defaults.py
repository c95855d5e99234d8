"""The values that a run has if a person chooses its data, model, optimizer and the like, and gives no other value.

They are read from the files of conf/ without Hydra, whose import takes as long as listing a thousand runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fitbench.analysis.rows import columns_of_configuration
from fitbench.config.folder import conf_folder
from fitbench.untrusted import parse_yaml

# Sections of which conf/ has several files, and the keys that name what a file holds.
CHOICES = {
    "data": "source", "model": "name", "optimizer": "name", "optimizer.schedule": "kind", "distortion": "kind",
}  # fmt: skip
NAMED = ("data.name", "model.name", "optimizer.name")
_POWER = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")  # a number that YAML 1.1 takes for a text


def default_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by the columns of `load_runs`, without those of sections that come from a file of the user's own.

    Args:
        values: of a run, by these columns.
    """
    conf = conf_folder()
    found = _flat(_read(conf / "config.yaml"), "") | _flat(_read(conf / "training/default.yaml"), "training")
    for section, key in CHOICES.items():
        found |= _files(section, key).get(values.get(f"{section}.{key}"), {})
    usual = usual_choices()
    kinds = [section for section, key in CHOICES.items() if key == "kind"]
    return found | {f"{section}.kind": usual[section.replace(".", "/")] for section in kinds}


def different(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a configuration that make its identity and are not the default ones, by their columns.

    What names the data, the model and the optimizer is among them in any case.
    """
    values = columns_of_configuration(config)
    default = default_values(values)
    return {name: value for name, value in values.items() if name in NAMED or value != default.get(name)}


@cache
def usual_choices() -> dict[str, str]:
    """The file of each of Hydra's groups that is chosen by default, as in {'optimizer/schedule': 'constant'}."""
    entries = parse_yaml((conf_folder() / "config.yaml").read_bytes())["defaults"]
    return {group: name for entry in entries if isinstance(entry, dict) for group, name in entry.items()}


@cache
def _files(section: str, key: str) -> dict[Any, dict[str, Any]]:
    """The values of each file of a section, by the value under its key."""
    by_value: dict[Any, dict[str, Any]] = {}
    for path in sorted((conf_folder() / section.replace(".", "/")).glob("*.yaml")):
        content = _read(path)
        flat = _flat(content, "" if section in content else section)
        by_value.setdefault(flat.get(f"{section}.{key}"), flat)
    return by_value


def _flat(content: Mapping[str, Any], section: str) -> dict[str, Any]:
    nested = content
    for part in reversed(section.split(".") if section else []):
        nested = {part: nested}
    return {
        name: float(value) if isinstance(value, str) and _POWER.fullmatch(value) else value
        for name, value in columns_of_configuration(nested).items()
    }


@cache
def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = parse_yaml(path.read_bytes())
    return {key: value for key, value in content.items() if key not in ("defaults", "hydra")}
