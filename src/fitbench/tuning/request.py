"""The request of `fitbench search`: its words become settings, a space, and the configuration of the trials."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fitbench.composition import Composer, by_folder, names_parent, quoted
from fitbench.config import Config
from fitbench.data.loading import load
from fitbench.errors import RequestError
from fitbench.launch.workers import threads_per_worker
from fitbench.tasks import Task, task_of
from fitbench.text import counted
from fitbench.tuning import folds
from fitbench.tuning.identity import identity
from fitbench.tuning.objectives import check_trial, objectives
from fitbench.tuning.pruning import pruner
from fitbench.tuning.settings import Sampler, Settings, read_settings
from fitbench.tuning.space import Params, Space
from fitbench.tuning.space_syntax import read_space
from fitbench.tuning.trial import Recipe


@dataclass(frozen=True)
class Request:
    """A checked request. `config` is the configuration of a first trial with the study's name, for what all share."""

    settings: Settings
    space: Space
    config: Config
    recipe: Recipe
    config_dirs: list[str]

    @property
    def repetition(self) -> str:
        """The note that trials repeat, because there are more of them than configurations; '' if they need not."""
        number, trials = self.space.configurations(), self.settings.trials
        if number is None or number >= trials or self.settings.sampler is Sampler.grid:
            return ""
        some_depend = any(parameter.only for parameter in self.space.parameters)  # which a grid refuses
        advice = "" if some_depend else ". search.sampler=grid tries each once"
        return (
            f"the space has {counted(number, 'configuration')} and search.trials is {trials}: trials of the same "
            f"configuration take its recorded result{advice}"
        )


def read_request(arguments: Sequence[str]) -> Request:
    """The request of these arguments, with every choice of the space composed and checked once.

    Raises:
        RequestError: an argument is wrong; no trial has begun.
        DataError: the data, which decide the task, are missing or damaged.
    """
    config_dirs, words = _config_dirs(arguments)
    composer = Composer(config_dirs)
    fixed, varied, of_search = _sorted(words, composer)
    composed = composer.composed_with([*fixed, *of_search])
    settings = read_settings(composed.search)
    folds.check(settings, [composer.parse(word).get_key_element().lstrip("+~") for word in (*fixed, *varied)], composed)
    if of_folds := folds.overrides(settings):
        fixed = [*fixed, *of_folds]
        composed = composer.composed_with([*fixed, *of_search])
    space = read_space(varied, settings.space, settings.when, composer, fixed)
    common = _first(composer, fixed, space)
    if common.force:
        raise RequestError("force=true: a search takes recorded results; leave it out, or give another study=NAME")
    wanted = objectives(settings, common, _task(common))
    pruner(settings, wanted)
    named = any(word.startswith("study=") for word in fixed)
    pins = by_folder(common)
    given = ("study=", "training.start=") if pins else "study="
    own = [*(word for word in fixed if not word.startswith(given)), *pins]
    study = common.study if named else f"search-{_digest(identity(settings.seeds, space, common, wanted))}"
    recipe = Recipe(composer, own, study, threads_per_worker(common.workers), wanted)
    _try_out(space, recipe)
    return Request(settings, space, common.model_copy(update={"study": study}), recipe, config_dirs)


def _first(composer: Composer, fixed: Sequence[str], space: Space) -> Config:
    """The configuration of the first trial that is tried out.

    The fixed overrides alone may be none that can be trained: a default, such as that of `model`, need not fit the data
    if the space has other choices.

    Raises:
        RequestError: it is wrong; the message has the choices unless the fixed overrides are wrong by themselves.
    """
    probe = space.probes()[0]
    try:
        with _with_choices(space, probe):
            return composer.configuration([*fixed, *space.overrides(probe)])
    except RequestError as error:
        refusal = composer.refusal(fixed)
        raise (RequestError(refusal) if refusal == str(error.__cause__) else error) from error.__cause__


def _task(config: Config) -> Task:
    """The task of a configuration, for which its data are read where their targets decide it.

    Raises:
        DataError: the data are missing or damaged.
    """
    return config.known_task or task_of(load(config.data, config.task).task)


def _config_dirs(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The folders of --config-dir, and the other words."""
    folders, words, remaining = [], [], list(arguments)
    while remaining:
        word = remaining.pop(0)
        if word in ("--config-dir", "-cd") and remaining:
            folders.append(remaining.pop(0))
        elif word.startswith("--config-dir="):
            folders.append(word.partition("=")[2])
        elif word.startswith("-"):
            raise RequestError(
                f"{word}: fitbench search has no such option; it takes overrides, --config-dir DIR and --dry-run"
            )
        else:
            words.append(word)
    return folders, words


def _sorted(words: Sequence[str], composer: Composer) -> tuple[list[str], list[str], list[str]]:
    """The overrides with one value, those with several, and those of the search's settings.

    Raises:
        RequestError: one is not in Hydra's syntax, is for Hydra itself, or names a run to continue.
    """
    fixed, varied, of_search = [], [], []
    for word in map(_with_quoted_url, words):
        override = composer.parse(word)
        key = override.get_key_element().lstrip("+~")
        if key == "search":
            of_search.append(f"+{word.lstrip('+')}")
        elif key.startswith("search."):
            of_search.append(word)
        elif key.startswith(("hydra.", "hydra/")):
            raise RequestError(f"{word}: a search is not launched by Hydra; workers=N starts processes")
        elif names_parent(word):
            raise RequestError(
                f"{word}: a search cannot continue a run; training.start=RUN begins each trial with its weights"
            )
        elif override.is_sweep_override():
            varied.append(word)
        else:
            fixed.append(word)
    if not any(word.startswith("+search=") for word in of_search):
        of_search.insert(0, "+search=default")
    return fixed, varied, of_search


def _with_quoted_url(word: str) -> str:
    """search.storage=URL as Hydra reads it: quoted, whatever characters the URL has."""
    key, _, url = word.partition("=")
    return f"{key}={quoted(url)}" if key == "search.storage" and "://" in url and url[0] not in "'\"" else word


def _try_out(space: Space, recipe: Recipe) -> None:
    """Compose and check a few trials that have every choice and every end of an interval.

    Raises:
        RequestError: a configuration is wrong; the message has the choices.
    """
    for probe in space.probes():
        with _with_choices(space, probe):
            config = recipe.configuration(space.overrides(probe))
            config.check_for(_task(config))
            check_trial(config, recipe.objectives)


@contextmanager
def _with_choices(space: Space, probe: Params) -> Iterator[None]:
    """In this block the message of a `RequestError` begins with the overrides of a trial."""
    try:
        yield
    except RequestError as error:
        broken = "a whole number" in str(error) and any(isinstance(value, float) for value in probe.values())
        hint = "; an interval of whole numbers is tag(int,interval(a,b))" if broken else ""
        raise RequestError(f"with {' '.join(space.overrides(probe))}: {error}{hint}") from error


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
