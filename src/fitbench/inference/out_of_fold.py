"""The out-of-fold predictions of a group of runs: each training example, predicted by the model that did not see it.

They are put together from the predictions.npz of the runs. No model is loaded.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.analysis.changes import changes, value_text
from fitbench.config import Config, RunName, from_values, parse_run_id, plain
from fitbench.config.errors import located
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.reader import configuration
from fitbench.record.folder import State, state_of
from fitbench.record.reading import (
    TRAIN_AGAIN,
    Predictions,
    has_test_part,
    output_names,
    read_config,
    read_predictions,
    read_result,
    read_validation_predictions,
)
from fitbench.record.run_group import Key, RunGroup
from fitbench.tasks import Task, task_of, threshold_of
from fitbench.text import counted, first_of

NAMED = 10  # runs that a message names at most
MOST_FOLDS = 100_000  # a larger number is taken for a damaged file


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """The predictions of a group of runs, one for each of S seeds and K folds, on N training examples.

    Attributes:
        group: the runs.
        config: that of the runs, with the seed and the fold of the first.
        task: of the runs.
        names: of the outputs.
        threshold: from which on a label counts as predicted; it is the same for all folds.
        data_sha256: of the data (hex).
        folds: K.
        targets: of the training examples, as the task has them, [N] or [N, outputs].
        places: where each of them is found, int [N]; `place_name` says what it counts, 'row' or 'example'.
        fold: the fold that each of them is in, int [N].
        by_seed: the recorded outputs of each seed, float32 [N, outputs].
        test_targets: of the test part; None where there is none.
        test: the mean of the outputs of all S * K models on the test part, float32 [examples, outputs].
    """

    group: RunGroup
    config: Config
    task: Task
    names: list[str]
    threshold: float
    data_sha256: str
    folds: int
    targets: np.ndarray
    places: np.ndarray
    place_name: str
    fold: np.ndarray
    by_seed: dict[int, np.ndarray]
    test_targets: np.ndarray | None
    test: np.ndarray | None

    @property
    def models(self) -> int:
        """S * K."""
        return self.folds * len(self.by_seed)


def averaged(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of the outputs of several models on the same examples, float32 [N, outputs]."""
    return np.stack(outputs).mean(axis=0, dtype=np.float64).astype(np.float32)


def read_out_of_fold(group: RunGroup) -> OutOfFold:
    """Read the predictions of a group.

    Raises:
        RequestError: its runs have no folds, or some have not finished; the message has the command that trains them.
            Or they were trained on different data.
        FitbenchError: a file is damaged; the message names it.
    """
    config = _configuration(group)
    folds = _number_of_folds(group, config)
    results = _results(group, config, folds)
    first = next(iter(results.values()))
    parts = {key: read_validation_predictions(group.runs[key], result) for key, result in results.items()}
    total = first["data"]["train"] + first["data"]["validation"]
    pooled = {seed: _pooled(group, seed, [parts[seed, fold] for fold in range(folds)], total) for seed in group.seeds}
    seed, examples = next(iter(pooled.items()))
    _check_same(group, pooled)
    fold_of = np.empty(total, np.int64)
    for fold in range(folds):
        fold_of[parts[seed, fold].examples] = fold
    test_targets, test = _test_part(group, results)
    return OutOfFold(
        group=group,
        config=config,
        task=task_of(first["task"]),
        names=output_names(first),
        threshold=threshold_of(first),
        data_sha256=examples.data_sha256,
        folds=folds,
        targets=examples.targets,
        places=examples.places,
        place_name=examples.place_name,
        fold=fold_of,
        by_seed={seed: of_seed.outputs for seed, of_seed in pooled.items()},
        test_targets=test_targets,
        test=test,
    )


# -- the results of the runs ------------------------------------------------------------------------------------------


def _number_of_folds(group: RunGroup, config: Config) -> int:
    if not group.has_folds:
        raise RequestError(
            f"{group.path}: its runs have no folds, so that they have no out-of-fold predictions; train them with "
            "training.validation=kfold training.folds=5 and -m 'fold=range(5)'"
        )
    folds = config.training.folds
    if folds is None or folds > MOST_FOLDS:
        raise FitbenchError(
            f"{group.path}: training.folds is {folds} in the configuration of its runs; expected 2 to {MOST_FOLDS:,}"
        )
    return folds


def _configuration(group: RunGroup) -> Config:
    """The checked configuration of the first run that has finished, or else of the first."""
    [folder, *_] = sorted(group.runs.values(), key=lambda folder: state_of(folder) is not State.finished)
    if state_of(folder) is State.finished:
        return configuration(read_result(folder), folder)
    with located(str(folder / "config.yaml")):
        return from_values(read_config(folder))


def _results(group: RunGroup, config: Config, folds: int) -> dict[Key, dict[str, Any]]:
    """The results of all folds of all seeds, which must be of one configuration and of the same data."""
    wanted: list[Key] = [(seed, fold) for seed in group.seeds for fold in range(folds)]
    states = {key: state_of(group.runs[key]).value if key in group.runs else "missing" for key in wanted}
    missing = {key: state for key, state in states.items() if state != State.finished.value}
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


def _not_finished(group: RunGroup, config: Config, missing: Mapping[Key, str], wanted: int) -> str:
    """The message about folds that have not finished."""
    names = first_of([f"s{seed}-f{fold} ({state})" for (seed, fold), state in missing.items()], NAMED)
    command = shlex.join(["fitbench", "train", "-m", *_overrides(config, list(missing))])
    return (
        f"{group.path}: {len(missing)} of {counted(wanted, 'run')} have not finished: {names}\n"
        f"this command trains them:\n  {command}"
    )


def _overrides(config: Config, keys: Sequence[Key]) -> list[str]:
    """The overrides that make the runs of these seeds and folds.

    Those that continue others have the seeds and the folds of these, which are of one configuration and lie in one
    folder.
    """
    words = [word for word in changes(plain(config)) if word.partition("=")[0] not in ("seed", "fold", "+continue")]
    if config.parent is not None:
        name = parse_run_id(config.parent.run_id)
        group = name.group if name else config.parent.run_id
        place = Path(config.parent.folder).parent
        parents = [value_text(str(place / str(RunName(group, *key)))) for key in keys]
        return [f"+continue={','.join(parents)}", *words]
    seeds, folds = (",".join(map(str, dict.fromkeys(numbers))) for numbers in zip(*keys, strict=True))
    return [*words, f"fold={folds}", f"seed={seeds}"]


# -- the predictions --------------------------------------------------------------------------------------------------


def _pooled(group: RunGroup, seed: int, parts: Sequence[Predictions], total: int) -> Predictions:
    """The predictions of all folds of a seed, in the order of the training arrays.

    Raises:
        FitbenchError: one of the `total` training examples is held back by no fold, or by several.
    """
    examples = np.concatenate([part.examples for part in parts if part.examples is not None])
    order = np.argsort(examples, kind="stable")
    if not np.array_equal(examples[order], np.arange(total)):
        once = int((np.bincount(examples, minlength=total) == 1).sum())
        raise FitbenchError(
            f"{group.path}: the folds of seed {seed} hold back {once:,} of {counted(total, 'training example')} "
            f"exactly once; expected all of them{TRAIN_AGAIN}"
        )
    rows = [part.rows for part in parts if part.rows is not None]
    return Predictions(
        targets=np.concatenate([part.targets for part in parts])[order],
        outputs=np.concatenate([part.outputs for part in parts])[order],
        data_sha256=parts[0].data_sha256,
        rows=np.concatenate(rows)[order] if len(rows) == len(parts) else None,
        examples=examples[order],
    )


def _check_same(group: RunGroup, pooled: Mapping[int, Predictions]) -> None:
    """Refuse seeds whose examples differ."""
    seed, examples = next(iter(pooled.items()))
    for other, of_other in pooled.items():
        same = np.array_equal(examples.targets, of_other.targets) and np.array_equal(examples.places, of_other.places)
        if not same:
            raise FitbenchError(f"{group.path}: seed {other} has other targets than seed {seed}{TRAIN_AGAIN}")


def _test_part(
    group: RunGroup, results: Mapping[Key, Mapping[str, Any]]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The targets of the test part, and the mean of all models on it; None where there is no test part."""
    targets: np.ndarray | None = None
    outputs = []
    for key, result in results.items():
        if not has_test_part(result):
            return None, None
        of_run = read_predictions(group.runs[key], result)
        targets = of_run.targets if targets is None else targets
        if not np.array_equal(targets, of_run.targets):
            raise FitbenchError(f"{group.runs[key]}/predictions.npz: has other test targets than the other folds")
        outputs.append(of_run.outputs)
    return targets, averaged(outputs)
