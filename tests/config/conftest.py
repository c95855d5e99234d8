"""Composed configurations, and their values with some of them changed."""

from typing import Any

import pytest

from fitbench.config import Config, from_values, plain

from .bases import CHANGED, COMPOSED, with_changes


@pytest.fixture(scope="session")
def bases(configure) -> dict[str, Config]:
    made = {name: configure(*overrides) for name, overrides in COMPOSED.items()}
    for name, changes in CHANGED.items():
        made[name] = from_values(with_changes(plain(made["default"]), changes))
    return made


@pytest.fixture
def values(bases):
    """Nested dictionaries of a configuration with some values changed: values("npz", {"data.path": 5})."""

    def made(base: str = "default", changes: dict[str, Any] | None = None) -> dict[str, Any]:
        return with_changes(plain(bases[base]), changes or {})

    return made
