"""The settings of a search: the keys under `search` of its configuration."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from annotated_types import Ge, Len, Lt
from omegaconf import DictConfig
from pydantic import AfterValidator, BeforeValidator, Field

from fitbench.config import Section, validated
from fitbench.config.annotations import WHOLE_NUMBER, Allowed, Count, CountFrom0, Folds, Positive
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
    """The keys of `search`; conf/search/default.yaml has their defaults."""

    trials: Count = Field(
        description="trials that have ended, over all launches and workers, before the search is over"
    )
    timeout: Positive | None = Field(description="seconds after which this launch begins no more trials; null: never")
    sampler: Sampler = Field(description="what proposes the next trial; gp needs PyTorch")
    seed: Annotated[int, Ge(0), Lt(2**32), WHOLE_NUMBER] = Field(
        description="of the sampler: with one worker the same trials come again"
    )
    startup_trials: CountFrom0 = Field(description="trials that tpe and gp draw at random, before they learn from them")
    pruner: Pruner = Field(
        description="what ends a trial early; auto: median, where there is one objective and every epoch measures it"
    )
    objective: Names = Field(
        description="auto: the first of `metrics` on the validation part; val_ or train_ and any metric, parameters, "
        "fit_seconds or seconds; or a list of these. A trial whose objective is undefined has failed"
    )
    direction: Directions = Field(description="auto: the direction of the metric; parameters and times are minimized")
    seeds: Count = Field(
        description="runs of a trial; the objective is their mean. If the first is pruned, there are no others"
    )
    folds: Folds | None = Field(
        description="runs of each seed of a trial, each of which holds back another fold of the training examples; the "
        "objective is their mean, and the first alone can be pruned; null: one run, as training.validation says"
    )
    max_failures: Count = Field(description="trials that fail in a row before the search gives up")
    storage: URL | None = Field(
        description="the URL of a database, such as postgresql://user@host/database; null: the file search.journal in "
        "the folder of the study"
    )
    space: dict[str, Any] = Field(
        description="KEY: what would follow KEY= in the command, such as tag(log,interval(1e-5,1e-1))"
    )
    when: dict[str, Any] = Field(
        description="KEY=VALUE of a choice: a space of its own, for the trials with that choice"
    )


def read_settings(section: DictConfig) -> Settings:
    """The checked settings.

    Raises:
        RequestError: a key is unknown, or a value has the wrong type or is impossible.
    """
    return validated(Settings, resolved(section), key="search")
