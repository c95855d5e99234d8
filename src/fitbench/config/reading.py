"""A checked `Config` from what Hydra composed, or from what a run recorded."""

import math
import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fitbench.config import builders, sweep_section
from fitbench.config.data_sections import Data, DataSection, Source
from fitbench.config.errors import validated
from fitbench.config.identity import NEUTRAL, with_current_names
from fitbench.config.interpolations import check_constant, check_extent
from fitbench.config.nested import leaves
from fitbench.config.schema import Config
from fitbench.config.sweep_section import Sweep
from fitbench.errors import RequestError
from fitbench.text import first_line

Checked = TypeVar("Checked", Config, DataSection)


def from_hydra(composed: DictConfig) -> Config:
    """The checked configuration of one job, from what Hydra composed.

    Raises:
        RequestError: a key is unknown or missing, or a value has the wrong type or is impossible.
    """
    return _finite(builders.checked(validated(Config, _values(composed))))


def data_from_hydra(composed: DictConfig) -> Data:
    """The checked section `data` of what Hydra composed. No other section is checked, nor whether its model takes it.

    Raises:
        RequestError: as `from_hydra`.
    """
    section = validated(DataSection, {"data": _values(composed)["data"]})
    return _finite(section.model_copy(update={"data": builders.checked_data(section.data)})).data


def sweep_from_hydra(composed: DictConfig) -> Sweep:
    """The checked section `sweep` of what Hydra composed.

    Raises:
        RequestError: as `from_hydra`.
    """
    stated = sweep_section.given(composed)
    values = resolved(composed[sweep_section.KEY]) if stated else {}
    return validated(Sweep, {key: values[key] for key in stated}, key=sweep_section.KEY)


def _values(composed: DictConfig) -> dict[Any, Any]:
    """What Hydra composed as plain nested values, without what is no part of a run: Hydra's own section and `sweep`."""
    sweep_section.refuse(composed)
    keys = [str(key) for key in composed if key not in ("hydra", sweep_section.KEY)]
    own = composed if len(keys) == len(composed) else OmegaConf.masked_copy(composed, keys)
    check_constant(own)
    check_extent(own)
    return brought_up_to_date(resolved(own))


def resolved(section: DictConfig) -> dict[Any, Any]:
    """The section as plain nested values.

    Raises:
        RequestError: a mandatory value is missing, or an interpolation has no value.
    """
    try:
        values = OmegaConf.to_container(section, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = error.full_key or "configuration"
        if "Missing mandatory value" in str(error):
            raise RequestError(f"{key} has no default; give it as {key}=VALUE") from error
        reason = first_line(error)
        variable = re.match(r"Interpolation key '(\w+)' not found", reason)
        hint = (
            f"; the environment variable is ${{oc.env:{variable[1]}}}" if variable and variable[1] in os.environ else ""
        )
        raise RequestError(f"{key}: {reason}{hint}") from error
    assert isinstance(values, dict)
    return values


def from_values(values: Mapping[Any, Any]) -> Config:
    """A `Config` from nested dictionaries, such as those that a run of any version recorded.

    The settings of the model are not checked against its builder, which may have changed since.

    Raises:
        RequestError: as `from_hydra`.
    """
    return _finite(validated(Config, brought_up_to_date(values)))


def brought_up_to_date(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """The values with keys that they lack and that have one possible value, and with the current names of functions."""
    current = _copied(values)
    for key, value in NEUTRAL.items():
        *sections, name = key.split(".")
        target: Any = current
        for section in sections:
            target = target.get(section) if isinstance(target, dict) else None
        if isinstance(target, dict):
            target.setdefault(name, value)
    if isinstance(data := current.get("data"), dict) and "_target_" in data:
        data.setdefault("source", Source.function)
    if isinstance(current.get("model"), dict):
        current["model"] = with_current_names(current["model"])
    return current


def _copied(values: Any) -> Any:
    """The values with dictionaries of their own."""
    return {key: _copied(value) for key, value in values.items()} if isinstance(values, Mapping) else values


def _finite(section: Checked) -> Checked:
    """The configuration or section, none of whose numbers is NaN or infinite, also where keys are free."""
    for key, value in leaves(section.model_dump(mode="json", warnings=False)):
        if isinstance(value, float) and not math.isfinite(value):
            raise RequestError(f"{key} is {value}; it must be a finite number")
    return section
