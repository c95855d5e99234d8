"""What a search was asked for: the settings under `search`, checked, and the configuration that its trials share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fitbench.config import Config
from fitbench.errors import RequestError


class Sampler(Enum):
    """Who proposes the next trial."""

    tpe = "tpe"
    random = "random"
    gp = "gp"
    grid = "grid"


class Pruner(Enum):
    """Who ends a trial early."""

    auto = "auto"
    median = "median"
    hyperband = "hyperband"
    none = "none"


@dataclass
class Settings:
    """The keys of `search`; conf/search/default.yaml says what they mean."""

    trials: int
    timeout: float | None
    workers: int
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


PER_EPOCH = {
    "val_accuracy": "val_accuracy",
    "val_loss": "val_loss",
    "train_accuracy": "accuracy",
    "train_loss": "loss",
}  # objectives that each line of a history has, and under which name
AT_THE_END = ("parameters", "fit_seconds", "seconds")
DIRECTIONS = ("maximize", "minimize")


@dataclass(frozen=True)
class Objective:
    """What a search makes large or small: a name as in `metrics`, `timing` or the result itself."""

    name: str
    direction: str

    def of_result(self, result: dict[str, Any]) -> float | None:
        """Its value of a finished run."""
        if self.name in PER_EPOCH:
            return result["metrics"].get(self.name)
        return result["parameters"] if self.name == "parameters" else result["timing"][self.name]

    def of_epoch(self, epoch: dict[str, Any]) -> float | None:
        """Its value after an epoch, from the line of the history; None where epochs do not measure it."""
        return epoch.get(PER_EPOCH.get(self.name, ""))

    def best(self, values: list[float]) -> float:
        """The best of these."""
        return max(values) if self.direction == "maximize" else min(values)


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
    for key, least in (("trials", 1), ("workers", 1), ("seeds", 1), ("max_failures", 1), ("startup_trials", 0)):
        if getattr(settings, key) < least:
            raise RequestError(f"search.{key} is {getattr(settings, key)}; it must be at least {least}")
    if not 0 <= settings.seed < 2**32:
        raise RequestError(f"search.seed is {settings.seed}; it must be from 0 to 4294967295")
    if settings.timeout is not None and settings.timeout <= 0:
        raise RequestError(f"search.timeout is {settings.timeout}; it must be above 0 seconds, or null")
    objectives(settings)
    pruner(settings)
    if settings.storage is not None:
        _check_url(settings.storage)
    return settings


def _check_url(url: str) -> None:
    """Refuse what no database can have as its URL; no message shows it, for a password may stand in it."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(url).get_dialect()
    except (ArgumentError, ValueError) as error:
        raise RequestError("search.storage must be a URL such as postgresql://user@host/database") from error


def objectives(settings: Settings) -> list[Objective]:
    """What is made large or small.

    Raises:
        RequestError: it does not exist, is of the test set, or does not fit the direction.
    """
    names = settings.objective if isinstance(settings.objective, list) else [settings.objective]
    given = settings.direction if isinstance(settings.direction, list) else [settings.direction] * len(names)
    known = [*PER_EPOCH, *AT_THE_END]
    if not names or len(set(map(str, names))) < len(names):
        raise RequestError(f"search.objective is {settings.objective}; it must be one of {', '.join(known)}, or a list")
    for name in names:
        if str(name).startswith("test"):
            raise RequestError(
                f"search.objective={name}: a search that looks at the test set makes its results worthless; "
                "val_accuracy and val_loss are there for choosing"
            )
        if name not in known:
            raise RequestError(f"search.objective={name}: there is no such objective; there are {', '.join(known)}")
    if len(given) != len(names) or not all(one in ("auto", *DIRECTIONS) for one in given):
        each = f", one for each of {', '.join(names)}" if len(names) > 1 else ""
        raise RequestError(f"search.direction is {settings.direction}; it must be auto, maximize or minimize{each}")
    auto = {name: DIRECTIONS[0] if name.endswith("accuracy") else DIRECTIONS[1] for name in known}
    return [Objective(name, auto[name] if one == "auto" else one) for name, one in zip(names, given, strict=True)]


def pruner(settings: Settings) -> Pruner:
    """Who ends trials early, with `auto` decided.

    Raises:
        RequestError: a pruner is asked for where no epoch measures the objective.
    """
    wanted = objectives(settings)
    measured = len(wanted) == 1 and wanted[0].name in PER_EPOCH
    if settings.pruner is Pruner.auto:
        return Pruner.median if measured else Pruner.none
    if settings.pruner is not Pruner.none and not measured:
        why = "several objectives" if len(wanted) > 1 else f"{wanted[0].name}, which no epoch measures"
        raise RequestError(f"search.pruner={settings.pruner.value} cannot prune by {why}; search.pruner=none")
    return settings.pruner


def check_trial(config: Config, wanted: list[Objective]) -> None:
    """Refuse a configuration whose runs have no such objective.

    Raises:
        RequestError: there is no validation set, or nothing is trained by epochs.
    """
    for one in wanted:
        if one.name.startswith("val_") and not config.training.validation_split:
            raise RequestError(f"search.objective={one.name} needs a validation set; training.validation_split is 0")
        if one.name in PER_EPOCH and "solver" in config.model and one.name.startswith("val_"):
            raise RequestError(
                f"search.objective={one.name}: model={config.model['name']} is computed and has no validation"
            )
