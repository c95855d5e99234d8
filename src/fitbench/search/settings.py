"""The settings of a search: the keys under `search` of its configuration."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from annotated_types import Ge, Len, Lt
from omegaconf import DictConfig
from pydantic import AfterValidator, BeforeValidator

from fitbench.config import Section, validated
from fitbench.config.annotations import WHOLE_NUMBER, Allowed, Count, Positive
from fitbench.config.errors import Explained
from fitbench.config.reading import resolved


class Sampler(StrEnum):
    """What proposes the next trial."""

    tpe = "tpe"
    random = "random"
    gp = "gp"
    grid = "grid"


class Pruner(StrEnum):
    """What ends a trial early."""

    auto = "auto"
    median = "median"
    hyperband = "hyperband"
    none = "none"


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _check_url(url: str) -> str:
    """Refuse what cannot be the URL of a database. The message does not repeat it, since it may hold a password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(url).get_dialect()
    except (ArgumentError, ValueError) as error:  # ValueError: the port is no number
        raise Explained("search.storage must be a URL such as postgresql://user@host/database") from error
    return url


Names = Annotated[list[str], BeforeValidator(_listed), Len(1), Allowed("the name of an objective, or a list of names")]
Directions = Annotated[
    list[Literal["auto", "maximize", "minimize"]],
    BeforeValidator(_listed),
    Len(1),
    Allowed("auto, maximize or minimize, or a list of these"),
]
URL = Annotated[str, AfterValidator(_check_url)]


class Settings(Section):
    """The keys of `search`, which conf/search/default.yaml explains."""

    trials: Count
    timeout: Positive | None
    sampler: Sampler
    seed: Annotated[int, Ge(0), Lt(2**32), WHOLE_NUMBER]
    startup_trials: Annotated[int, Ge(0), WHOLE_NUMBER]
    pruner: Pruner
    objective: Names
    direction: Directions
    seeds: Count
    max_failures: Count
    storage: URL | None
    space: dict[str, Any]
    when: dict[str, Any]


def read_settings(section: DictConfig) -> Settings:
    """The checked settings.

    Raises:
        RequestError: a key is unknown, or a value has the wrong type or is impossible.
    """
    return validated(Settings, resolved(section), key="search")
