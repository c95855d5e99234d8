"""The out-of-fold predictions of a group of runs: each training example, predicted by the model that did not see it.

They are put together from the predictions.npz of the runs. No model is loaded.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fitbench.analysis.changes import changes
from fitbench.config import Config, from_values, plain
from fitbench.config.errors import located
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.reader import configuration
from fitbench.record.folder import State, state_of
from fitbench.record.groups import Group, Key
from fitbench.record.reading import (
    NAMED,
    TRAIN_AGAIN,
    Predictions,
    output_names,
    read_config,
    read_predictions,
    read_result,
    read_validation_predictions,
)
from fitbench.tasks import Task, task_of, threshold_of
from fitbench.text import counted


@dataclass(frozen=True, eq=False)
class Predicted:
    """What models say of N examples.

    Attributes:
        outputs: the recorded outputs, or the mean of those of several models, float32 [N, outputs].
        thresholds: what decides each example, float64 [N, 1]: the threshold of the model that predicts it, or the mean
            of the thresholds of several models.
    """

    outputs: np.ndarray
    thresholds: np.ndarray


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """The predictions of a group of runs, one for each of S seeds and K folds, on N training examples.

    Attributes:
        group: the runs.
        config: that of the runs, with the seed and the fold of the first.
        task: of the runs.
        names: of the outputs.
        data_sha256: of the data (hex).
        folds: K.
        targets: of the training examples, as the task has them, [N] or [N, outputs].
        places: where each of them is found, int [N]; `place_name` says what it counts, 'row' or 'example'.
        fold: the fold that each of them is in, int [N].
        by_seed: the out-of-fold predictions of each seed.
        test_targets: of the test part; None where there is none.
        test: the mean of all S * K models on the test part.
    """

    group: Group
    config: Config
    task: Task
    names: list[str]
    data_sha256: str
    folds: int
    targets: np.ndarray
    places: np.ndarray
    place_name: str
    fold: np.ndarray
    by_seed: dict[int, Predicted]
    test_targets: np.ndarray | None
    test: Predicted | None

    @property
    def models(self) -> int:
        """S * K."""
        return self.folds * len(self.by_seed)


def mean(predicted: Sequence[Predicted]) -> Predicted:
    """The mean of the outputs of several models on the same examples, and of their thresholds."""
    outputs = np.mean([each.outputs for each in predicted], axis=0, dtype=np.float64)
    return Predicted(outputs.astype(np.float32), np.mean([each.thresholds for each in predicted], axis=0))


def read_out_of_fold(group: Group) -> OutOfFold:
    """Read the predictions of a group.

    Raises:
        RequestError: its runs have no folds, or some have not finished; the message has the command that trains them.
            Or they were trained on different data.
        FitbenchError: a file is damaged; the message names it.
    """
    if not group.has_folds:
        raise RequestError(
            f"{group.path}: its runs have no folds, so that they have no out-of-fold predictions; train them with "
            "training.validation=kfold training.folds=5 and -m 'fold=range(5)'"
        )
    config = _configuration(group)
    folds = config.training.folds
    if folds is None:
        raise FitbenchError(f"{group.path}: the configuration of its runs has no folds{TRAIN_AGAIN}")
    results = _results(group, config, folds)
    first = next(iter(results.values()))
    read = {key: read_validation_predictions(group.runs[key], result) for key, result in results.items()}
    rows = {seed: [read[seed, fold] for fold in range(folds)] for seed in group.seeds}
    order = {seed: _order(group, seed, parts, first) for seed, parts in rows.items()}
    pooled = {seed: _pooled(parts, order[seed]) for seed, parts in rows.items()}
    of_first, parts = pooled[group.seeds[0]], rows[group.seeds[0]]
    for seed, other in pooled.items():
        if not np.array_equal(of_first.targets, other.targets) or not np.array_equal(of_first.places, other.places):
            raise FitbenchError(f"{group.path}: seed {seed} has other targets than seed {group.seeds[0]}{TRAIN_AGAIN}")
    numbers = np.repeat(np.arange(folds), [len(part.targets) for part in parts])[order[group.seeds[0]]]
    by_seed = {
        seed: Predicted(pooled[seed].outputs, _thresholds(results, seed, rows[seed])[order[seed]])
        for seed in group.seeds
    }
    targets, test = _test_part(group, results)
    return OutOfFold(
        group, config, task_of(first["task"]), output_names(first), of_first.data_sha256, folds, of_first.targets,
        of_first.places, of_first.place_name, numbers, by_seed, targets, test,
    )  # fmt: skip


# -- the results of the runs ------------------------------------------------------------------------------------------


def _configuration(group: Group) -> Config:
    """The checked configuration of the first run that has one."""
    [folder, *_] = sorted(group.runs.values(), key=lambda folder: state_of(folder) is not State.finished)
    if state_of(folder) is State.finished:
        return configuration(read_result(folder), folder)
    with located(str(folder / "config.yaml")):
        return from_values(read_config(folder))


def _results(group: Group, config: Config, folds: int) -> dict[Key, dict[str, Any]]:
    """The results of all folds of all seeds, which must be of one configuration and of the same data."""
    wanted: list[Key] = [(seed, fold) for seed in group.seeds for fold in range(folds)]
    missing = {key: _state(group, key) for key in wanted if _state(group, key) != State.finished.value}
    if missing:
        raise RequestError(_not_finished(group, config, missing, len(wanted)))
    results: dict[Key, dict[str, Any]] = {}
    for key in wanted:
        folder = group.runs[key]
        result = read_result(folder)
        if result["run_id"] != folder.name or (result["seed"], result["fold"]) != key:
            raise FitbenchError(f"{folder}/result.json: is that of another run, {result['run_id']!r:.80}")
        first = next(iter(results.values()), result)
        if (found := result["config"]["training"].get("folds")) != folds:
            raise FitbenchError(
                f"{folder}/result.json: config.training.folds is {found!s:.20}; other folds have {folds}"
            )
        for name in ("sha256", "test"):
            if result["data"][name] != first["data"][name]:
                raise RequestError(
                    f"{folder}: trained on other data (data.{name} is {result['data'][name]!s:.8}) than "
                    f"{first['run_id']} ({first['data'][name]!s:.8}); train the folds on the same data with force=true"
                )
        results[key] = result
    return results


def _state(group: Group, key: Key) -> str:
    return state_of(group.runs[key]).value if key in group.runs else "missing"


def _not_finished(group: Group, config: Config, missing: Mapping[Key, str], wanted: int) -> str:
    """The message about folds that have not finished."""
    names = ", ".join(f"s{seed}-f{fold} ({state})" for (seed, fold), state in list(missing.items())[:NAMED])
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    seeds, folds = (",".join(map(str, dict.fromkeys(numbers))) for numbers in zip(*missing, strict=True))
    words = [word for word in changes(plain(config)) if word.partition("=")[0] not in ("seed", "fold")]
    command = shlex.join(["fitbench", "train", "-m", *words, f"fold={folds}", f"seed={seeds}"])
    return (
        f"{group.path}: {len(missing)} of {counted(wanted, 'run')} have not finished: {names}{more}\n"
        f"this command trains them:\n  {command}"
    )


# -- the predictions --------------------------------------------------------------------------------------------------


def _order(group: Group, seed: int, parts: Sequence[Predictions], result: Mapping[str, Any]) -> np.ndarray:
    """What brings the examples of all folds, one fold behind the other, into the order of the training arrays.

    Raises:
        FitbenchError: an example is held back by no fold, or by several.
    """
    examples = np.concatenate([part.examples for part in parts if part.examples is not None])
    order = np.argsort(examples, kind="stable")
    total = result["data"]["train"] + result["data"]["validation"]
    if not np.array_equal(examples[order], np.arange(total)):
        once = int((np.bincount(examples, minlength=total) == 1).sum())
        raise FitbenchError(
            f"{group.path}: the folds of seed {seed} hold back {once:,} of {counted(total, 'training example')} "
            f"exactly once; expected all of them{TRAIN_AGAIN}"
        )
    return order


def _pooled(parts: Sequence[Predictions], order: np.ndarray) -> Predictions:
    """The predictions of all folds in this order."""
    rows = [part.rows for part in parts if part.rows is not None]
    return Predictions(
        targets=np.concatenate([part.targets for part in parts])[order],
        outputs=np.concatenate([part.outputs for part in parts])[order],
        data_sha256=parts[0].data_sha256,
        rows=np.concatenate(rows)[order] if len(rows) == len(parts) else None,
        examples=np.arange(len(order)),
    )


def _thresholds(results: Mapping[Key, Mapping[str, Any]], seed: int, parts: Sequence[Predictions]) -> np.ndarray:
    """The threshold of the model of each example, one fold behind the other, float64 [N, 1]."""
    values = [threshold_of(results[seed, fold]) for fold in range(len(parts))]
    return np.repeat(values, [len(part.targets) for part in parts])[:, None]


def _test_part(group: Group, results: Mapping[Key, Mapping[str, Any]]) -> tuple[np.ndarray | None, Predicted | None]:
    """The targets of the test part, and the mean of all models on it; None where there is no test part."""
    targets: np.ndarray | None = None
    predicted = []
    for key, result in results.items():
        if not result["data"]["test"]:
            return None, None
        of_run = read_predictions(group.runs[key], result)
        targets = of_run.targets if targets is None else targets
        if not np.array_equal(targets, of_run.targets):
            raise FitbenchError(f"{group.runs[key]}/predictions.npz: has other test targets than the other folds")
        predicted.append(Predicted(of_run.outputs, np.full((len(targets), 1), threshold_of(result))))
    return targets, mean(predicted)
