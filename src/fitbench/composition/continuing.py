"""`+continue=RUN`: the configuration of the run that is continued, in the place of the defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from fitbench import selection
from fitbench.composition.overrides import refuse_several
from fitbench.config import OF_COMMAND, TOP_LEVEL, WITHOUT_EFFECT, from_values, plain
from fitbench.config.errors import did_you_mean, located, no_such_key
from fitbench.errors import RequestError
from fitbench.record.files import exists
from fitbench.record.parents import STATE, checksum, find_finished
from fitbench.record.reading import read_result

KEY = "continue"
_NAMED = re.compile(rf"\+{{0,2}}{KEY}=")
SEVERAL = "add -m to train each of them"
CHANGEABLE = {"training.epochs", *OF_COMMAND, *WITHOUT_EFFECT}


def names_parent(override: str) -> bool:
    """Whether the override names the run that is to be continued."""
    return _NAMED.match(override) is not None


def changeable(key: str) -> bool:
    """Whether a continued run can have a value of its own under this key."""
    return bool(CHANGEABLE & {key, key.partition(".")[0]})


def is_top_level(override: Override) -> bool:
    """Whether the override sets a value at the top level that a continued run can have of its own.

    `metrics` is a section, and is merged into that of the run that is continued.
    """
    key = override.key_or_group
    return key in CHANGEABLE and key in TOP_LEVEL and key != selection.KEY and not override.is_sweep_override()


def replace(composed: DictConfig, overrides: Sequence[Override]) -> None:
    """Replace the composed configuration by that of the run to be continued, and set the values that are given.

    Args:
        composed: of the defaults and of overrides at the top level, with Hydra's own section.
        overrides: all but those of Hydra's own keys.

    Raises:
        RequestError: the run is not finished or keeps no state, a value may not change, or there are no more epochs.
        FitbenchError: a file of the run is damaged.
    """
    [named, *others] = [override for override in overrides if override.key_or_group == KEY]
    refuse_several(named, SEVERAL)
    if others:
        raise RequestError(f"{others[0].input_line}: give one run, as +{KEY}=RUN")
    value = named.value()
    text = value if isinstance(value, str) else str(named.input_line).partition("=")[2]  # it may look like a number
    folder = find_finished(KEY, text, Path(composed.outputs))
    result = read_result(folder)
    with located(f"{folder}/result.json: config"):
        values = plain(from_values(result["config"]))
    given = [override for override in overrides if override is not named]
    for override in given:
        _check(override, folder, values)
    # What is of a command is not taken over from the run.
    kept = {*OF_COMMAND, *(override.key_or_group for override in given if is_top_level(override))}
    with open_dict(composed):
        for key, value in values.items():
            if key not in kept:
                composed[key] = value
        for override in sorted(given, key=_is_list, reverse=True):  # what sets single metrics adds to a list of them
            if _is_list(override):
                composed[selection.KEY] = selection.as_section(override.value())
            elif not is_top_level(override):
                OmegaConf.update(composed, override.key_or_group, override.value(), merge=True)
        composed.parent = _parent(folder, result, composed.training.epochs)


def _is_list(override: Override) -> bool:
    """Whether the override is a list of metrics, which replaces those of the run that is continued."""
    return override.key_or_group == selection.KEY and isinstance(override.value(), list)


def _check(override: Override, folder: Path, values: dict[str, Any]) -> None:
    """Refuse what would make the run, whose configuration has these values, another one."""
    refuse_several(override, SEVERAL)
    key = override.key_or_group
    section, _, name = key.rpartition(".")
    siblings = OmegaConf.select(OmegaConf.create(values), section) if section else values
    is_new = isinstance(siblings, Mapping) and name not in siblings
    if is_new and not changeable(key) and did_you_mean(name, list(siblings)):
        raise RequestError(no_such_key(key, section, list(siblings)))
    if override.is_delete() or not changeable(key):
        raise RequestError(
            f"{override.input_line}: a continued run keeps its configuration; beside training.epochs only what cannot "
            f"change the result may differ from {folder.name}, such as study and metrics"
        )


def _parent(folder: Path, result: dict[str, Any], epochs: Any) -> dict[str, str]:
    """The section `parent`, for a run of so many epochs."""
    trained = result["metrics"]["epochs"]
    if not trained:
        raise RequestError(f"{KEY}: {folder.name} is computed by a solver, so there are no epochs to go on from")
    if isinstance(epochs, int) and epochs <= trained:
        raise RequestError(
            f"training.epochs is {epochs}, but {folder.name} has trained {trained} epochs; give a larger number, such "
            f"as training.epochs={2 * trained}"
        )
    if not exists(folder / STATE):
        raise RequestError(
            f"{KEY}: {folder} has no {STATE}, the state of its last epoch; launch that run again with "
            "training.keep_state=true force=true, which trains it again and keeps the state"
        )
    return {
        "run_id": result["run_id"],
        "folder": str(folder),
        "config_id": result["config_id"],
        "sha256": checksum(folder, STATE),
    }
