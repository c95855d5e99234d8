"""What a configuration changes: the arguments with which `fitbench train` composes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fitbench.analysis.defaults import usual_choices
from fitbench.composition import conf_folder, quoted
from fitbench.composition.continuing import changeable
from fitbench.config import sweep_section
from fitbench.config.identity import HASHED_AS, NEUTRAL
from fitbench.tasks import TASKS
from fitbench.text import is_number
from fitbench.untrusted import parse_yaml

# Hydra's groups, the key that names the kind of a section, and whether the choice is listed even if it is the default.
GROUPS = {
    "data": ("source", True),
    "model": ("_target_", True),
    "optimizer": ("_target_", True),
    "optimizer/schedule": ("kind", False),
    "distortion": ("kind", False),
}
LAUNCH_ONLY = ("force", "progress", "logger")  # how a run was launched, not what it is


def changes(config: Mapping[str, Any]) -> list[str]:
    """The overrides, as in ['data=digits', 'model=mlp', 'training.epochs=5'], that lead to this configuration.

    Groups come first, then the values that differ from the defaults of the chosen groups. `config` is nested plain
    values; nothing of it is instantiated. A section of a user's own is named and all its values are listed. A run that
    continues another one has its configuration: the values that it can have of its own are listed, the number of epochs
    and the study always, the others where they differ from the defaults.
    """
    overrides = _from_defaults(config)
    if not isinstance(parent := config.get("parent"), Mapping):
        return overrides
    always = {
        "+continue": parent.get("folder"),
        "training.epochs": config["training"].get("epochs"),
        "study": config["study"],
    }
    own = [override for override in overrides if (key := override.partition("=")[0]) not in always and changeable(key)]
    return [*(f"{key}={value_text(value)}" for key, value in always.items()), *own]


def _from_defaults(config: Mapping[str, Any]) -> list[str]:
    """The overrides that lead from the defaults to this configuration."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    conf, usual = conf_folder(), usual_choices()
    chosen = {group: _choice(conf, group, _section(config, group)) for group in GROUPS}
    choices = [f"{group}={name}" for group, name in chosen.items() if name is not None]
    with initialize_config_dir(str(conf), version_base="1.3"):
        default: Any = OmegaConf.to_container(compose("config", overrides=choices), resolve=False)
    default.pop(sweep_section.KEY)  # no run has this section
    selected = config.get("metrics") or dict.fromkeys(default["metrics"])
    config, usual_metrics = _as_given(config), default.pop("metrics")
    path = config["data"].get("path")
    if default["data"].get("name") is None and path is not None:
        default["data"]["name"] = Path(str(path)).stem

    overrides = []
    for group, (kind, always) in GROUPS.items():
        if chosen[group] is None:
            _blank(_section(default, group), _section(config, group))
            section = _section(config, group)
            overrides.append(f"{group}={value_text(section.get('name', section.get(kind)))}")
        elif always or chosen[group] != usual.get(group):
            overrides.append(f"{group}={chosen[group]}")
    if list(selected) not in (usual_metrics, *(list(task.default_metrics) for task in TASKS.values())):
        overrides.append(f"metrics={value_text(list(selected))}")
    overrides += [f"metrics.{name}={value_text(entry)}" for name, entry in selected.items() if entry is not None]
    return [*overrides, *_differences(_of_run(config), _of_run(default))]


def _of_run(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in LAUNCH_ONLY}


def _as_given(config: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a person gives: a run to begin with by its folder, and neither the metrics nor the parent."""
    training = config["training"]
    if isinstance(start := training.get("start"), Mapping):
        training = {**training, "start": start.get("folder")}
    return {key: value for key, value in config.items() if key not in ("metrics", "parent")} | {"training": training}


def _section(config: Mapping[str, Any], group: str) -> Any:
    section: Any = config
    for key in group.split("/"):
        section = section.get(key) if isinstance(section, Mapping) else None
    return section if isinstance(section, Mapping) else {}


def _choice(conf: Path, group: str, section: Mapping[str, Any]) -> str | None:
    """The file of the group that the section comes from: of its kind, and of its name where there are several."""
    kind = GROUPS[group][0]
    names = sorted(path.stem for path in (conf / group).glob("*.yaml"))
    for name in sorted(names, key=lambda name: name != section.get("name")):
        values = parse_yaml((conf / group / f"{name}.yaml").read_bytes())
        if values.get(group, values).get(kind) == section.get(kind):
            return name
    return None


def _blank(default: dict[str, Any], section: Mapping[str, Any]) -> None:
    """Give a section of unknown defaults the keys of the configuration, and no values."""
    schedule = {"schedule": default["schedule"]} if "schedule" in default else {}
    default.clear()
    default.update(dict.fromkeys(section, _UNKNOWN) | schedule)


_UNKNOWN = object()


def _differences(config: Mapping[str, Any], default: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The changes of values. Runs of earlier versions lack keys, whose values are the neutral ones."""
    for key, value in config.items():
        name = f"{prefix}{key}"
        if key not in default:
            yield f"+{name}={value_text(value)}"
        elif isinstance(value, Mapping) and isinstance(default[key], Mapping):
            yield from _differences(value, default[key], f"{name}.")
        elif _hashed(name, value) != _hashed(name, default[key]):
            yield f"{name}={value_text(value)}"
    absent = [f"{prefix}{key}" for key in default if key not in config and default[key] is not None]
    yield from (f"~{key}" for key in absent if key not in NEUTRAL)


def _hashed(key: str, value: Any) -> Any:
    """The value that makes a run's identity: `auto` is what all runs had before there was a choice."""
    return HASHED_AS.get(key, {}).get(value, value) if isinstance(value, str) else value


def value_text(value: Any) -> str:
    """A value as Hydra's command line spells it: null, true, 0.001, [64,64], {a:1}, relu, 'two words'."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{value_text(key)}:{value_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(value_text, value)) + "]"
    if not isinstance(value, str):
        return str(value)
    reads_otherwise = is_number(value) or value.lower() in ("null", "true", "false")
    return quoted(value) if reads_otherwise or not re.fullmatch(r"[\w./+-]+", value, re.ASCII) else value
