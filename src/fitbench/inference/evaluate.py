"""`fitbench evaluate`: evaluates the model of a finished run on other data, and records the metrics beside the run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench import selection, user_metrics
from fitbench.analysis import scores
from fitbench.analysis.statistics import wilson
from fitbench.config import Config
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.comparison import compare, describe
from fitbench.inference.evaluated import PARTS, WHOLE, OtherData
from fitbench.inference.inputs import recorded_inputs
from fitbench.inference.other_data import Wanted, check_shape
from fitbench.inference.reader import Reader, backend_of, configuration, finished, open_run
from fitbench.inference.score import print_scores
from fitbench.metrics import Metric
from fitbench.record import dataset, evaluations, reading
from fitbench.record.files import naming, outputs_of, replacing, write_whole, writing
from fitbench.record.naming import find_run
from fitbench.record.result import utc_now
from fitbench.record.run_group import find_group
from fitbench.stderr import write_note
from fitbench.tasks import task_of
from fitbench.text import check_format, clean, console, counted, number, plural
from fitbench.untrusted import check_within

if TYPE_CHECKING:
    from fitbench.tasks import Task
    from fitbench.training.objective import Objective

OF_FOLDS = "--out-of-fold evaluates the recorded predictions of all folds together"


def evaluate(
    run: str,
    outputs: Path,
    data: str | None,
    overrides: Sequence[str],
    part: str,
    format: str,
    trust: bool,
    config_dirs: Sequence[Path] = (),
) -> None:
    """Evaluate the model of a run on one part of a data set, and record and print the metrics of the run.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one.
        outputs: the folder that is searched for the run.
        data: a choice of the group conf/data. None is refused, with what is missing.
        overrides: overrides data.KEY=VALUE.
        part: the part of the data set, 'test' or 'train'.
        format: 'table', or 'json' for the record with metrics per class and the confusion matrix.
        trust: as in `open_run`. Without it, metrics and a loss that are the user's own functions are left out.
        config_dirs: folders with data/ of the user's own, which are searched besides conf/.

    Raises:
        RequestError: no run or several runs match, or the data do not have the shape or the classes of the run.
        DataError: the data are missing or damaged.
        FitbenchError: the model cannot be loaded, or the run was trained again meanwhile.
    """
    check_format(format, ("table", "json"))
    if part not in PARTS:
        raise RequestError(f"--part is {part!r}; it must be {' or '.join(PARTS)}")
    if data is None:
        raise RequestError(
            f"--data is missing; give a data set as in fitbench train, such as --data csv data.path=FILE; {OF_FOLDS}"
        )
    folder = _find(run, outputs)
    result = finished(folder)
    config, task = configuration(result, folder), task_of(result["task"])
    wanted = Wanted(config, task, reading.output_names(result), recorded_inputs(folder), result)
    from fitbench.training import backend
    from fitbench.training.progress import notice

    backend.choose(backend_of(result, folder))  # first, because loading the data may import Keras for a download
    other = wanted.read(data, overrides, part, config_dirs)
    with notice(True, "loading the model"):
        reader = open_run(folder, trust)
    check_shape(reader, other)
    metrics = load_metrics(config, task, trust)
    with notice(True, f"reading {counted(len(other.targets), reader.inputs.noun)}"), backend.on("auto") as device:
        raw = reader.outputs(other.inputs)
    measured = _measure(reader, _objective(reader, config, trust), metrics, other, raw)
    record = {**_origin(reader, other), **measured, "device": device}
    path = _write(reader, record, other.targets, raw)
    _report(format, reader, metrics, record, path, other.targets, raw)


def evaluate_examples(reader: Reader, inputs: np.ndarray, targets: np.ndarray, trust: bool) -> dict[str, float | None]:
    """The loss and the metrics of a run on N examples in memory. Nothing is recorded.

    Args:
        reader: of the run.
        inputs: as its model takes them, [N, *shape].
        targets: as its task has them.
        trust: as in `evaluate`.

    Raises:
        RequestError: a metric of the user cannot be imported.
        FitbenchError: a file of the run is damaged.
    """
    config = configuration(reader.result, reader.folder)
    metrics = load_metrics(config, reader.task, trust)
    other = OtherData(inputs, targets, None, "y", {})
    return _measure(reader, _objective(reader, config, trust), metrics, other, reader.outputs(inputs))["metrics"]


def _find(run: str, outputs: Path) -> Path:
    """The folder of the run that is meant.

    Raises:
        RequestError: no run or several runs match. The message says what evaluates folds.
    """
    try:
        return find_run(run, outputs, finished=True)
    except RequestError as error:
        advice = f"\n--data needs one of these runs; {OF_FOLDS}" if _are_folds(run, outputs) else ""
        raise RequestError(f"{error}{advice}") from None


def _are_folds(run: str, outputs: Path) -> bool:
    """Whether the text is of a group of runs with folds."""
    try:
        return find_group(run, outputs).has_folds
    except RequestError:
        return False


def load_metrics(config: Config, task: Task, trust: bool) -> dict[str, Metric]:
    """Load the metrics of a run and the default metrics of its task, by name, without the loss.

    Without `trust`, those that are the user's own functions are left out, and stderr names them.

    Raises:
        RequestError: a metric of the user cannot be imported.
    """
    own = [name for name, entry in config.metrics.items() if entry is not None]
    if own and not trust:
        write_note(f"without --trust, these metrics are left out: {clean(', '.join(own))}")
    entries = dict.fromkeys(task.default_metrics) | selection.resolved(config.metrics, task)
    return {name: user_metrics.load(name, entry) for name, entry in entries.items() if trust or name not in own}


def _objective(reader: Reader, config: Config, trust: bool) -> Objective | None:
    """What training of the run made small. Its targets have the scale that dataset.json of the run records.

    None without trust if its loss is neither Keras's nor ours: the run may name any function.
    """
    from fitbench.training import own_loss
    from fitbench.training.objective import Objective, Scale

    loss = config.training.loss
    if isinstance(loss, Mapping) and not trust and not own_loss.is_known(loss):
        write_note(f"without --trust, the loss {clean(loss['_target_'])} is left out")
        return None
    scale = None
    if config.training.standardize_targets:
        record = dataset.read(reader.folder)
        if record is None or [target.name for target in record.targets or ()] != list(reader.names):
            raise FitbenchError(
                f"{reader.folder}/{dataset.NAME}: its targets are not those of result.json; train the run again with "
                "force=true"
            )
        pairs = np.array([(target.mean, target.deviation) for target in record.targets or ()], np.float64)
        scale = Scale(pairs[:, 0], pairs[:, 1])
    return Objective.of_parts(config, reader.task, reader.names, scale)


# -- the record -------------------------------------------------------------------------------------------------------


def _origin(reader: Reader, other: OtherData) -> dict[str, Any]:
    """Return what the record says of the run, the data and the program."""
    from fitbench.training.environment import git_state, versions

    return {
        "schema": evaluations.SCHEMA,
        "run_id": reader.run_id,
        "run_finished_at": reader.result["finished_at"],
        "data": other.about,
        "versions": versions(backend_of(reader.result, reader.folder)),
        "git": git_state(),
        "evaluated_at": utc_now(),
    }


def _measure(
    reader: Reader, objective: Objective | None, metrics: Mapping[str, Metric], other: OtherData, raw: np.ndarray
) -> dict[str, Any]:
    """Return the loss and the metrics, and the 95% intervals of those that are proportions of the examples."""
    from fitbench.training.measures import Measures

    measures = Measures(dict(metrics), reader.task, reader.threshold)
    values, count = measures.score(metrics, other.targets, raw, reader.threshold), len(other.targets)
    return {
        "metrics": {"loss": _loss(reader, objective, other, raw), **values},
        **{
            f"{name}_interval": list(wilson(round(value * count), count))
            for name, value in values.items()
            if metrics[name].proportion and value is not None
        },
    }


def _loss(reader: Reader, objective: Objective | None, other: OtherData, raw: np.ndarray) -> float | None:
    """Return the loss; None if it is left out, is not finite, or lacks the weights of examples that the run has."""
    if objective is None:
        return None
    column, weighted = reader.result["config"]["data"].get("weight"), reader.result["data"].get("weighted")
    if other.weights is None and (weighted or column is not None):
        lacking = "weights of examples" if column is None else f"the column {clean(column)} with the weights"
        write_note(f"{clean(other.source)}: lacks {lacking} in the loss; the loss is not computed")
        return None
    loss = objective.value(other.targets, raw, other.weights)
    return loss if math.isfinite(loss) else None


def _write(reader: Reader, record: dict[str, Any], targets: np.ndarray, raw: np.ndarray) -> Path:
    """Write the predictions in the format of predictions.npz, then the record. Return the path of the record."""
    data, task = record["data"], reader.task
    path = evaluations.path_of(reader.folder, data["name"], data["sha256"], data["part"])
    if finished(reader.folder)["finished_at"] != record["run_finished_at"]:
        raise FitbenchError(f"{reader.folder}: the run was trained again meanwhile; evaluate it again")
    arrays: dict[str, Any] = {
        task.targets_name: targets,
        task.outputs_name: reader.recorded(raw),
        "data_sha256": np.array(data["sha256"]),
    }
    if path.parent.is_symlink():
        with naming(path.parent):
            check_within(path.parent, [outputs_of(reader.folder)()])
    with writing(path):
        path.parent.mkdir(exist_ok=True)
        with replacing(path.with_suffix(".npz")) as file:
            np.savez(file, **arrays)
        write_whole(path, json.dumps(record, indent=2, allow_nan=False, ensure_ascii=False) + "\n")
    return path


def _report(
    format: str,
    reader: Reader,
    metrics: Mapping[str, Metric],
    record: dict[str, Any],
    path: Path,
    targets: np.ndarray,
    raw: np.ndarray,
) -> None:
    """Print the record as JSON, or the metrics as text. Both compare with the run's own test part."""
    primary = metrics.get(reader.result["primary"]) or metrics[reader.task.default_metrics[0]]
    compared = compare(reader.result, record, primary)
    undefined = int(np.isnan(raw).any(axis=1).sum())
    matrix = scores.confusion(targets, raw) if reader.task.has_classes and not undefined else None
    if format == "json":
        derived: dict[str, Any] = {"path": str(path), "compared": compared}
        if matrix is not None:
            derived |= {"per_class": scores.per_class(matrix, reader.names), "confusion": matrix.tolist()}
        print(json.dumps(record | derived, indent=2, allow_nan=False))
        return
    out, data, noun = console(), record["data"], reader.inputs.noun
    out.print(f"{clean(reader.run_id)} on {_part(data, noun)} of {clean(data['name'])}", soft_wrap=True)
    if matrix is not None:
        print_scores(out, matrix, reader.names, noun)
    described = {name: metric for name, metric in metrics.items() if matrix is None or name != "accuracy"}
    lines = [f"{reader.result['metric_info']['loss'].get('label') or 'loss'} {number(record['metrics']['loss'], 4)}"]
    lines += [f"{metric.label} {number(record['metrics'][name], metric.digits)}" for name, metric in described.items()]
    if compared:
        lines += describe(compared, reader.result, primary, noun)
    if undefined:
        lines.append(f"the model gave NaN for {undefined:,} of {counted(len(raw), noun)}: the metrics are undefined")
    for line in (*lines, *_remarks(reader.result, data, noun), clean(path)):
        out.print(line, soft_wrap=True)


def _part(data: Mapping[str, Any], noun: str) -> str:
    """Which examples were evaluated, such as 'all 392 rows'."""
    if data["part"] == WHOLE:
        return f"all {counted(data['count'], noun)}"
    return f"the {counted(data['count'], data['part'] + ' ' + noun)}"


def _trained_on(result: Mapping[str, Any], noun: str) -> str:
    """What is to be known of the run's own training and validation examples, which are evaluated together."""
    fold, trained, held_back = result["fold"], result["data"]["train"], result["data"]["validation"]
    if not held_back:
        return f"the model was trained on these {plural(noun)}; the metrics do not apply to new {plural(noun)}"
    part = "the validation part" if fold is None else f"fold {fold}, which the run held back"
    return (
        f"the model was trained on {trained:,} of these {plural(noun)}, so the metrics do not apply to new ones; the "
        f"other {held_back:,} are {part}: its metrics are the val_ metrics of the run"
    )


def _remarks(result: Mapping[str, Any], data: Mapping[str, Any], noun: str) -> list[str]:
    """What a person should know about the data of an evaluation, a line each."""
    remarks = []
    if data["sha256"] == result["data"]["sha256"]:
        remarks.append(
            f"these are the run's own test {plural(noun)}" if data["part"] == "test" else _trained_on(result, noun)
        )
    if data["skipped"]:
        remarks.append(f"left out: {counted(data['skipped'], f'unreadable {noun}')}")
    return remarks
