"""The state of a search as plain data, and the file search.json in the study's folder that holds it.

Reports and plots read that file and need no Optuna. It is written again from the storage whenever a trial ends, and at
the end of a launch with the importances of the parameters.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from fitbench.analysis.search_record import FEWEST, FILE, SCHEMA
from fitbench.record.claims import claimed
from fitbench.record.files import write_whole
from fitbench.tuning.objectives import Objective
from fitbench.tuning.pruning import pruner
from fitbench.tuning.study import Study
from fitbench.untrusted import LONGEST_TEXT

STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def write_record(study: Study, importances: bool = False) -> dict[str, Any]:
    """Write search.json, with or without the importances; gives its content."""
    record = described(study, importances)
    write_whole(study.folder / FILE, json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    return record


def described(study: Study, importances: bool) -> dict[str, Any]:
    """The search as JSON: objectives, space, trials by number, the best of them, importances by objective."""
    wanted, stored = study.objectives, study.trials()
    finished = [trial for trial in stored if trial.state is TrialState.COMPLETE] if importances else []
    return {
        "schema": SCHEMA,
        "study": study.study.study_name,
        "objectives": [_objective(study, objective) for objective in wanted],
        "space": study.space.described(),
        "sampler": study.settings.sampler.value,
        "pruner": pruner(study.settings, wanted).value,
        "seed": study.settings.seed,
        "seeds": study.settings.seeds,
        "folds": study.settings.folds,
        "versions": {"optuna": optuna.__version__},
        "total": study.wanted(),
        "trials": [described_trial(trial, study.claims) for trial in stored],
        "best": _best(study, stored),
        "importance": {objective.name: _importance(study, finished, i) for i, objective in enumerate(wanted)},
    }


def _best(study: Study, trials: Sequence[FrozenTrial]) -> list[int]:
    """The numbers of the finished trials, the best first; with several objectives those of the Pareto front alone."""
    finished = {trial.number: trial.values for trial in trials if trial.state is TrialState.COMPLETE}
    if len(study.objectives) > 1:
        with study.reaching():
            front = [trial.number for trial in study.study.best_trials]
        finished = {number: finished[number] for number in front if number in finished}  # others may have just ended
    signs = [1 if objective.direction == "minimize" else -1 for objective in study.objectives]

    def key(number: int) -> tuple[list[float], int]:
        return [sign * value for sign, value in zip(signs, finished[number], strict=True)], number

    return sorted(finished, key=key)


def _objective(study: Study, objective: Objective) -> dict[str, Any]:
    """Name, direction and label of an objective, and the metric's `info` as in `metric_info` of result.json.

    `info` is absent if the objective is no metric, or a user's own metric whose definition no run has recorded yet.
    """
    described: dict[str, Any] = {
        "name": objective.name,
        "direction": objective.direction,
        "label": objective.label,
    }
    metric = objective.metric
    if metric is not None and (definition := metric.definition or study.definitions().get(metric.name)):
        described["info"] = replace(metric, definition=definition).info()
    return described


def described_trial(trial: FrozenTrial, claims: Path) -> dict[str, Any]:
    """A trial as JSON; `claims` is the folder in which processes claim the trials that they work on."""
    state = STATES.get(trial.state) or ("running" if claimed(claims / str(trial.number)) else "interrupted")
    steps, error = sorted(trial.intermediate_values.items()), trial.user_attrs.get("error")
    return {
        "number": trial.number,
        "state": state,
        "values": trial.values,
        "params": trial.params,
        "run_ids": trial.user_attrs.get("run_ids", []),
        "epochs": steps[-1][0] + 1 if steps else None,
        "history": [value for _, value in steps],
        "error": error if error is None else error[:LONGEST_TEXT],  # readers refuse a longer text
        "began": trial.datetime_start.timestamp() if trial.datetime_start else None,
        "ended": trial.datetime_complete.timestamp() if trial.datetime_complete else None,
    }


def _importance(study: Study, finished: Sequence[FrozenTrial], index: int) -> dict[str, float]:
    """The importance of parameters for an objective, by PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023).

    The parameters are those that every finished trial has. Empty if there are too few trials.
    """
    shared = set.intersection(*(set(trial.params) for trial in finished)) if finished else set()
    varying = [key for key in sorted(shared) if len({repr(trial.params[key]) for trial in finished}) > 1]
    if len(finished) < FEWEST or not varying or len({trial.values[index] for trial in finished}) < 2:
        return {}
    sign = -1 if study.objectives[index].direction == "maximize" else 1  # the evaluator takes low values for good ones
    # It imports scikit-learn, which takes a second and is not needed by small searches and refusals.
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    with study.reaching(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it is experimental, and of the sign
        shares = get_param_importances(
            study.study,
            evaluator=PedAnovaImportanceEvaluator(),
            params=varying,
            target=lambda trial: sign * trial.values[index],
        )
    return {key: float(value) for key, value in shares.items()}
