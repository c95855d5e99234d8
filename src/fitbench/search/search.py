"""`fitbench search`: the request, and the processes that work on it."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import open_dict
from omegaconf.errors import OmegaConfBaseException

from fitbench.charts.search import write_plots
from fitbench.composition import Composer, explain
from fitbench.config import Config, from_hydra
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.job import cannot_write
from fitbench.launch.signals import Terminated, status_of, terminable
from fitbench.launch.workers import Lost, share, threads_per_worker
from fitbench.search.identity import identity
from fitbench.search.objectives import check_trial, objectives
from fitbench.search.progress import SearchProgress
from fitbench.search.pruning import pruner
from fitbench.search.record import write_record
from fitbench.search.settings import Settings, read_settings
from fitbench.search.space import Space
from fitbench.search.space_syntax import read_space
from fitbench.search.study import Study, open_study
from fitbench.search.summary import print_summary, train_command
from fitbench.search.trial import Recipe, work


@dataclass(frozen=True)
class Request:
    """A checked request. `config` is what the trials have in common, with the study's name."""

    settings: Settings
    space: Space
    config: Config
    recipe: Recipe
    config_dirs: list[str]


def search(arguments: list[str]) -> int:
    """Run `fitbench search ARGUMENTS`; gives the exit status.

    Raises:
        FitbenchError: the request was wrong, the storage does not answer, or trial after trial has failed.
    """
    try:
        request = read_request(arguments)
        study = open_study(request.settings, request.space, request.config)
        sys.stderr.write(f"fitbench: study {request.config.study} in {study.folder}\n")
        try:
            with terminable(), SearchProgress(study, request.config.progress):
                if request.config.workers == 1:
                    work(study, request.recipe)
                else:
                    _share(study, arguments, request.config.workers)
        finally:
            _conclude(study, request)
    except (KeyboardInterrupt, Terminated) as stop:
        return status_of(stop)
    except OSError as error:
        raise FitbenchError(cannot_write(error)) from error
    return 0


def read_request(arguments: Sequence[str]) -> Request:
    """The request of these arguments, with every choice of the space composed and checked once.

    Raises:
        RequestError: an argument is wrong; no trial has begun.
    """
    folders, words = _config_dirs(arguments)
    composer = Composer(folders)
    fixed, varied, chosen = [], [], []
    for word in map(_quoted, words):
        override = _parsed(word, composer)
        key = override.get_key_element().lstrip("+~")
        if key == "search" or key.startswith("search."):
            chosen.append(f"+{word}" if key == "search" and not word.startswith("+") else word)
        elif key.startswith(("hydra.", "hydra/")):
            raise RequestError(f"{word}: a search is not launched by Hydra; workers=N starts processes")
        elif override.is_sweep_override():
            varied.append(word)
        else:
            fixed.append(word)
    group = [] if any(word.startswith("+search=") for word in chosen) else ["+search=default"]
    try:
        composed = composer.composed_with([*fixed, *group, *chosen])
        settings = read_settings(composed.search)
        with open_dict(composed):
            del composed["search"]
        common = from_hydra(composed)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise RequestError(explain(error)) from error
    if common.force:
        raise RequestError("force=true: a search takes recorded results; leave it out, or give another study=NAME")
    wanted = objectives(settings, common)
    pruner(settings, wanted)
    space = read_space(varied, settings.space, settings.when, composer.loader, fixed)
    own = [word for word in fixed if not word.startswith("study=")]
    named = any(word.startswith("study=") for word in fixed)
    study = common.study if named else f"search-{_digest(identity(settings, space, common))}"
    recipe = Recipe(composer, own, study, threads_per_worker(common.workers), wanted)
    for probe in space.probes():
        overrides = space.overrides(probe)
        try:
            check_trial(recipe.configuration(overrides), wanted)
        except RequestError as error:
            broken = "a whole number" in str(error) and any(isinstance(value, float) for value in probe.values())
            hint = "; an interval of whole numbers is tag(int,interval(a,b))" if broken else ""
            raise RequestError(f"with {' '.join(overrides)}: {error}{hint}") from error
    return Request(settings, space, common.model_copy(update={"study": study}), recipe, folders)


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
            raise RequestError(f"{word}: fitbench search has no such option; it takes overrides, and --config-dir DIR")
        else:
            words.append(word)
    return folders, words


def _quoted(word: str) -> str:
    """search.storage=URL as Hydra reads it: quoted, whatever characters the URL has."""
    key, _, url = word.partition("=")
    if key != "search.storage" or "://" not in url or url[0] in "'\"":
        return word
    escaped = url.replace("'", "\\'")
    return f"{key}='{escaped}'"


def _parsed(word: str, composer: Composer) -> Override:
    try:
        [override] = OverridesParser.create(config_loader=composer.loader).parse_overrides([word])
    except HydraException as error:
        raise RequestError(f"{word}: {str(error).splitlines()[0]}") from error
    return override


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def _conclude(study: Study, request: Request) -> None:
    """Write search.json and the plots, and print the summary."""
    record = write_record(study, importances=True)
    write_plots(record, study.folder)
    command = None
    if record["best"]:
        chosen = request.space.overrides(record["trials"][record["best"][0]]["params"])
        own = [*(f"--config-dir={folder}" for folder in request.config_dirs), *request.recipe.overrides]
        command = train_command(own, chosen, request.config.study)
    drawn = sorted(path.name for path in study.folder.glob("search_*.png"))
    print_summary(record, command, f"Drawn in {study.folder}: {', '.join(drawn)}" if drawn else None)


# -- processes --------------------------------------------------------------------------------------------------------


def _share(study: Study, arguments: list[str], workers: int) -> None:
    """Let worker processes work on the search until it is over. A worker that is lost is replaced.

    A trial fails if its worker is lost twice and its runs have recorded no epoch between.

    Raises:
        FitbenchError: a worker gave up, or `search.max_failures` workers were lost and no trial has ended meanwhile.
    """
    tasks = deque([arguments] * workers)
    lost, ended = 0, study.ended()
    epochs: dict[int, int] = {}  # of trials whose worker was lost
    for _, outcome in share(partial(_work, study.began), tasks, workers):
        if isinstance(outcome, Lost):
            sys.stderr.write(f"fitbench: a worker {outcome.reason}\n")
            trial = study.trial_of(outcome.pid)
            if trial is not None:
                before = epochs.get(trial.number)
                epochs[trial.number] = study.epochs_of(trial)
                if before == epochs[trial.number]:
                    study.fail(trial, f"its worker {outcome.reason}, twice without an epoch between")
            before, ended = ended, study.ended()
            lost = lost + 1 if ended == before else 1
            if lost >= study.settings.max_failures:
                raise FitbenchError(f"a worker {outcome.reason}; no trial has ended since {lost} workers were lost")
            tasks.append(arguments)
        elif outcome is not None:
            raise FitbenchError(outcome)


def _work(began: float, arguments: list[str]) -> str | None:
    """Work on a search in a worker process; gives the error for which the worker gave up.

    Args:
        began: when the search was launched (seconds since the epoch).
        arguments: of the command.
    """
    try:
        request = read_request(arguments)
        study = open_study(request.settings, request.space, request.config)
        study.began = began
        work(study, request.recipe)
    except FitbenchError as error:
        return str(error)
    except OSError as error:
        return cannot_write(error)
    return None
