"""What `fitbench search --dry-run` prints: the space, the trials that are recorded and those to come, and the time."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fitbench.analysis.search_record import STATES, read_search
from fitbench.columns import Column, Note, Table, column, print_tables
from fitbench.composition import stop_clock
from fitbench.config import Config
from fitbench.launch.estimate import Estimate, Records
from fitbench.launch.plan import JobState, Planned
from fitbench.launch.sweep_job import Job
from fitbench.text import clean, console, counted, rough_duration
from fitbench.tuning.folds import runs_of
from fitbench.tuning.pruning import pruner
from fitbench.tuning.record import described_trial
from fitbench.tuning.request import Request, read_request
from fitbench.tuning.samplers import create_sampler
from fitbench.tuning.settings import Pruner
from fitbench.tuning.study import CLAIMS, recorded_trials, trials_wanted
from fitbench.tuning.summary import value_text

ENDED = ("finished", "pruned", "failed")


def print_plan(arguments: list[str]) -> None:
    """Print what `fitbench search ARGUMENTS` would do. Nothing is written.

    Raises:
        FitbenchError: the request was wrong, or what is recorded of the search cannot be read.
    """
    stop_clock()
    request = read_request(arguments)
    create_sampler(request.settings, request.space)  # it may refuse the space
    folder = Path(request.config.outputs) / request.config.study
    trials = _recorded_trials(request, folder)
    wanted = trials_wanted(request.settings, request.space)
    counts = Counter(trial["state"] for trial in trials)
    to_come = max(wanted - sum(counts[state] for state in ENDED), 0)
    counted_trials = _counts_text(counts, wanted)
    notes = [*_settings(request), *filter(None, [request.repetition]), counted_trials, _time(request, trials, to_come)]
    title = f"{folder}: {'a search that has begun' if trials else 'a new search'}"
    table = Table(title, _columns(request.space.described()), [Note(text, style="") for text in notes])
    print_tables(console(), [table])


def _recorded_trials(request: Request, folder: Path) -> list[dict[str, Any]]:
    """The trials as search.json describes them: from the journal, or from search.json where there is a database."""
    if request.settings.storage is not None:
        record = read_search(folder)
        return record["trials"] if record else []
    trials = recorded_trials(request.settings, request.space, request.config, request.recipe.objectives)
    return [described_trial(trial, folder / CLAIMS) for trial in trials]


# -- what is printed --------------------------------------------------------------------------------------------------


def _columns(space: Mapping[str, Mapping[str, Any]]) -> list[Column]:
    names = list(space)
    return [
        column("parameter", names, clean, right=False),
        column("values", names, lambda name: _values_text(space[name]), right=False, folded=True),
    ]


def _values_text(parameter: Mapping[str, Any]) -> str:
    """The choices, or the interval, of a parameter as the record describes it."""
    if parameter["kind"] == "choice":
        return ", ".join(map(value_text, parameter["values"]))
    step = f", step {parameter['step']:g}" if parameter["step"] not in (None, 1) else ""
    whole = ", whole numbers" if parameter["kind"] == "int" else ""
    return f"{parameter['low']:g} to {parameter['high']:g}{', log' if parameter['log'] else ''}{whole}{step}"


def _settings(request: Request) -> list[str]:
    settings, wanted = request.settings, request.recipe.objectives
    runs = _runs_per_trial(request)
    lines = [
        f"objective: {', '.join(f'{objective.direction} {objective.name}' for objective in wanted)}",
        f"sampler: {settings.sampler.value}, pruner: {pruner(settings, wanted).value}",
    ]
    if runs > 1:
        folds = f", {settings.folds} folds of each" if settings.folds is not None else ""
        lines.append(f"runs of a trial: {runs} ({counted(settings.seeds, 'seed')}{folds})")
    if settings.timeout is not None:
        lines.append(f"search.timeout: no trial begins after {rough_duration(settings.timeout)}")
    if settings.storage is not None:
        lines.append("the database of search.storage is not opened; trials are counted as search.json has them")
    return lines


def _runs_per_trial(request: Request) -> int:
    return len(runs_of(request.config, request.settings))


def _counts_text(counts: Mapping[str, int], wanted: int) -> str:
    """How many trials there are in each state, as '40 trials: 10 finished, 2 pruned, 28 new'."""
    states = {state: counts[state] for state in STATES} | {"new": max(wanted - sum(counts.values()), 0)}
    texts = [f"{number:,} {state}" for state, number in states.items() if number]
    return f"{counted(max(wanted, sum(counts.values())), 'trial')}: {', '.join(texts)}"


# -- the time ---------------------------------------------------------------------------------------------------------


def _time(request: Request, trials: list[dict[str, Any]], to_come: int) -> str:
    """The time of the trials to come: from those that have ended, or else from runs of the same model and data."""
    if not to_come:
        return "nothing to train: the search is over"
    workers = min(request.config.workers, to_come)
    seconds = [trial["ended"] - trial["began"] for trial in trials if trial["state"] in ("finished", "pruned")]
    if seconds:
        median = statistics.median(seconds)
        origin = f"{counted(len(seconds), 'recorded trial')} of this search"
        return Estimate(median, median, jobs=1, unknown=0, origin=origin).scaled(to_come).text(workers)
    configs = [request.recipe.configuration(request.space.overrides(probe)) for probe in request.space.probes()]
    estimate = _estimate_from_runs(configs)
    if estimate.unknown:
        return "no recorded run of this model and data tells how long a trial takes"
    several_epochs = any(config.training.epochs > 1 for config in configs)  # the last epoch prunes no trial
    prunes = several_epochs and pruner(request.settings, request.recipe.objectives) is not Pruner.none
    return estimate.scaled(to_come * _runs_per_trial(request), ("pruning",) if prunes else ()).text(workers)


def _estimate_from_runs(configs: Sequence[Config]) -> Estimate:
    """The time of one run of each of these configurations, which have one outputs folder."""
    planned = [Planned(Job.of([], config), JobState.NEW, launched=True) for config in configs]
    return Records(Path(configs[0].outputs)).estimate(planned)
