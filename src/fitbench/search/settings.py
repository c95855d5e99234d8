"""The settings of a search: the keys under `search` of its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fitbench.errors import RequestError


class Sampler(Enum):
    """What proposes the next trial."""

    tpe = "tpe"
    random = "random"
    gp = "gp"
    grid = "grid"


class Pruner(Enum):
    """What ends a trial early."""

    auto = "auto"
    median = "median"
    hyperband = "hyperband"
    none = "none"


@dataclass
class Settings:
    """The keys of `search`, which conf/search/default.yaml explains."""

    trials: int
    timeout: float | None
    sampler: Sampler
    seed: int
    startup_trials: int
    pruner: Pruner
    objective: Any  # a name, or a list of names
    direction: Any  # likewise, or "auto"
    seeds: int
    max_failures: int
    storage: str | None
    space: dict[str, Any]
    when: dict[str, Any]


DIRECTIONS = ("maximize", "minimize")


def read_settings(section: DictConfig) -> Settings:
    """The checked settings.

    Raises:
        RequestError: a key is unknown, or a value has the wrong type or is impossible.
    """
    try:
        settings = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Settings), section))
    except OmegaConfBaseException as error:
        key = f"search.{error.full_key}" if error.full_key else "search"
        raise RequestError(f"{key}: {str(error.msg or error).splitlines()[0]}") from error
    assert isinstance(settings, Settings)
    for key, least in (("trials", 1), ("seeds", 1), ("max_failures", 1), ("startup_trials", 0)):
        if getattr(settings, key) < least:
            raise RequestError(f"search.{key} is {getattr(settings, key)}; it must be at least {least}")
    if not 0 <= settings.seed < 2**32:
        raise RequestError(f"search.seed is {settings.seed}; it must be from 0 to 4294967295")
    if settings.timeout is not None and settings.timeout <= 0:
        raise RequestError(f"search.timeout is {settings.timeout}; it must be above 0 seconds, or null")
    if settings.storage is not None:
        _check_url(settings.storage)
    return settings


def _check_url(url: str) -> None:
    """Refuse what cannot be the URL of a database. The message does not repeat it, since it may hold a password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(url).get_dialect()
    except (ArgumentError, ValueError) as error:
        raise RequestError("search.storage must be a URL such as postgresql://user@host/database") from error
