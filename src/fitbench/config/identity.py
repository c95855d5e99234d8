"""A run's identity: what makes two configurations the same run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fitbench import metrics
from fitbench.config.run_names import RunName
from fitbench.config.training_section import AUTO
from fitbench.tasks import TASKS

if TYPE_CHECKING:
    from fitbench.config.schema import Config

# Which run of a configuration it is.
OF_ONE_RUN = ("seed", "fold")

# Of a command, and not of the run that it launches.
OF_COMMAND = ("outputs", "force", "code", "retry_failed", "fail_fast", "workers", "progress", "logger")

# Which states of earlier runs a run has begun with or continues. What is hashed of them is `training.start.sha256`, and
# the config_id of the parent, whose seed and fold the run has.
OF_EARLIER_RUNS = (
    "training.start.run_id",
    "training.start.folder",
    "parent.folder",
    "parent.run_id",
    "parent.sha256",
)

# Where a data set lies. Configurations that differ in this alone are the same run, see `paths`.
PATHS = ("data.path", "data.test_path")

# What cannot change the result. A data set's path is among them: its name is not, and its checksum is compared before a
# recorded result is reused from another path. There are two exceptions, which `covered` hashes: metrics that are
# watched after each epoch, and the steps between two calls of callbacks.
WITHOUT_EFFECT = (
    "study",
    "device",
    "threads",
    "metrics",
    *PATHS,
    "training.checkpoint_seconds",
    "training.steps_per_execution",
    "training.keep_state",
)

# The keys that are no part of a run's identity.
NOT_IDENTITY = (*OF_ONE_RUN, *OF_COMMAND, *OF_EARLIER_RUNS, *WITHOUT_EFFECT)

# Keys that are newer than some recorded runs. A run without the key had this value. The value is not hashed, so that a
# new key renames no run. Null and empty values are hashed only as arguments of a function that returns the data.
NEUTRAL: dict[str, Any] = {
    "threads": "auto",
    "code": "recorded",
    "workers": 1,
    "metrics": ["accuracy"],
    "task": "auto",
    "data.preprocess": None,
    "training.targets": None,
    "training.class_weight": None,
    "training.standardize_targets": False,
    "training.threshold": 0.5,
    "fold": None,
    "training.folds": None,
    "training.fold_seed": 0,
    "training.fold_order": "drawn",
    "training.start": None,
    "training.freeze": [],
    "training.keep_state": False,
    "training.early_stopping.start_from_epoch": 0,
    "training.early_stopping.baseline": None,
    "training.early_stopping.in_folds": False,
}

# Lists whose order means nothing.
UNORDERED = ("data.drop", "data.categorical", "training.freeze")

# Values that are hashed as another, which they stand for in all runs that were recorded before they existed.
HASHED_AS: dict[str, dict[Any, Any]] = {"training.loss": {"auto": "cross_entropy"}}

# What every epoch measures, whichever metrics are selected.
ALWAYS_MEASURED = {"loss", *(name for task in TASKS.values() for name in task.step_metrics)}

# Functions that have moved, and the names under which they are hashed and which older configurations have.
FORMER = {
    "fitbench.models.dense.softmax": "fitbench.training.models.softmax",
    "fitbench.models.dense.mlp": "fitbench.training.models.mlp",
    "fitbench.models.dense.logistic_ovr": "fitbench.training.models.logistic_ovr",
    "fitbench.models.dense.nearest_mean": "fitbench.training.models.nearest_mean",
    "fitbench.models.dense.solve_nearest_mean": "fitbench.training.models.solve_nearest_mean",
    "fitbench.models.convolutional.lenet5": "fitbench.training.models.lenet5",
    "fitbench.models.convolutional.lenet5_max": "fitbench.training.models.lenet5_max",
    "fitbench.models.convolutional.convnet": "fitbench.training.models.convnet",
    "fitbench.models.convolutional.conv_pool": "fitbench.training.models.conv_pool",
    "fitbench.models.lenets.lenet1": "fitbench.training.lenets.lenet1",
    "fitbench.models.lenets.lenet4": "fitbench.training.lenets.lenet4",
    "fitbench.models.lenets.lenet5_1998": "fitbench.training.lenets.lenet5_1998",
    "fitbench.models.lenets.simard": "fitbench.training.lenets.simard",
}
_CURRENT = {former: current for current, former in FORMER.items()}


def with_current_names(model: Mapping[str, Any]) -> dict[str, Any]:
    """The section `model` of a configuration of any version, with the names that fitbench's functions have now."""
    return {key: _CURRENT.get(value, value) if isinstance(value, str) else value for key, value in model.items()}


def with_former_names(model: Mapping[str, Any]) -> dict[str, Any]:
    """The section `model` with the names that are hashed."""
    return {key: FORMER.get(value, value) if isinstance(value, str) else value for key, value in model.items()}


def plain(config: Config) -> dict[str, Any]:
    """The configuration as nested dictionaries of JSON's own types, the sections first."""
    return config.model_dump(mode="json", warnings=False)


def config_id(config: Config) -> str:
    """The first 8 hex digits of the SHA-256 of the canonical JSON of what can change the result.

    Seed and fold do not count.
    """
    text = json.dumps(covered(config), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def covered(config: Config) -> dict[str, Any]:
    """What can change the result, as it is hashed: nested dictionaries without null, empty and neutral values."""
    hashed = _hashed(plain(config), "")
    hashed["data"] |= _verbatim(getattr(config.data, "settings", {}))  # arguments of a function of the user's
    if watched := _watched_metrics(config):
        hashed["watched_metrics"] = watched
    if config.training.callbacks and config.training.steps_per_execution != AUTO:
        hashed["training"]["steps_per_execution"] = config.training.steps_per_execution
    return hashed


def paths(config: Config) -> dict[str, str | None]:
    """Where the data set lies, by key: absolute paths, and None for a key that the data set does not have."""
    return absolute({key: getattr(config.data, key.removeprefix("data."), None) for key in PATHS})


def absolute(places: Mapping[str, str | None]) -> dict[str, str | None]:
    """The same places as absolute paths without symbolic links."""
    return {key: value and os.path.realpath(value) for key, value in places.items()}


def differing_path(config: Config, other: Config) -> str:
    """The key of the first path in which two configurations of one run differ; '' where they differ in none."""
    theirs = paths(other)
    return next((key for key, path in paths(config).items() if path != theirs[key]), "")


def run_id(config: Config) -> str:
    """`<data>-<model>-<optimizer>-<config_id>-s<seed>`, and `-f<fold>` where there are folds."""
    names = (config.data.name, config.model["name"], config.optimizer["name"])
    return str(RunName(f"{'-'.join(names)}-{config_id(config)}", config.seed, config.fold))


def _watched_metrics(config: Config) -> dict[str, Any]:
    """Target, direction and arguments of each metric of the user's that early stopping or the schedule watches.

    Also of all metrics that callbacks watch: an epoch tells callbacks only of the metrics that are selected.
    """
    names = {metrics.split(watched.name)[1] for watched in config.monitors}
    monitors = [callback.get("monitor") for callback in config.training.callbacks.values()]
    of_callbacks = {metrics.split(monitor)[1] for monitor in monitors if isinstance(monitor, str)} - ALWAYS_MEASURED
    shown = {*metrics.DESCRIPTION} - {"direction"}
    return {
        name: {key: _verbatim(value) for key, value in (entry or {}).items() if key not in shown}
        for name, entry in config.metrics.items()
        if name in of_callbacks or (name in names and entry is not None)
    }


def other_argument(config: Config, recorded: Mapping[str, Any]) -> str:
    """The first argument of the user's code that a recorded configuration of the same identity has otherwise.

    Null, empty and absent arguments are hashed alike, but a function can tell them apart. Gives '' if there is none.
    """
    before, now = (_own_arguments(values) for values in (recorded, plain(config)))
    for key in {**before, **now}:
        texts = [json.dumps(each[key], sort_keys=True) if key in each else "absent" for each in (before, now)]
        if texts[0] != texts[1]:
            return f"{key} {texts[0]:.200} in place of {texts[1]:.200}"
    return ""


def has_own_arguments(config: Config) -> bool:
    """Whether the configuration has arguments that `other_argument` compares."""
    return bool(_own_arguments(plain(config)))


def _own_arguments(section: Mapping[str, Any], key: str = "") -> dict[str, Any]:
    """The arguments of what a configuration trains with that is not fitbench's, by their full keys.

    Optimizers of Keras are left out: later versions of their files may have further keys that are null.
    """
    target = section.get("_target_")
    if isinstance(target, str) and not target.startswith(("fitbench.", "keras.optimizers.")):
        return {f"{key}.{name}": _verbatim(value) for name, value in section.items()}
    found: dict[str, Any] = {}
    for name, value in section.items():
        if isinstance(value, Mapping) and (key or name in ("model", "optimizer", "training")):
            found |= _own_arguments(value, f"{key}.{name}" if key else name)
    return found


def _verbatim(value: Any) -> Any:
    """Arguments of a function of the user's as they are hashed: null and empty values say something, as all others."""
    if isinstance(value, list):
        return [_verbatim(item) for item in value]
    if isinstance(value, dict):
        return {name: _verbatim(item) for name, item in value.items()}
    return _number(value)


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value  # 1 and 1.0 are the same setting


def _hashed(value: Any, key: str) -> Any:
    """The part of a value that is hashed. `key` is its full key."""
    if isinstance(value, str):
        return HASHED_AS.get(key, FORMER).get(value, value)
    if isinstance(value, list):
        return [_hashed(item, key) for item in (sorted(value) if key in UNORDERED else value)]
    if not isinstance(value, dict):
        return _number(value)
    items = {}
    for name, item in value.items():
        full_key = f"{key}.{name}" if key else name
        if full_key not in NOT_IDENTITY and not _is_neutral(full_key, item):
            items[name] = _hashed(item, full_key)
    return {name: item for name, item in items.items() if item not in (None, {}, [])}


def _is_neutral(key: str, value: Any) -> bool:
    if key not in NEUTRAL or isinstance(value, bool) != isinstance(NEUTRAL[key], bool):  # 0 and false are two values
        return False
    return value == NEUTRAL[key]
