"""`fitbench evaluate`: evaluates the model of a finished run on other data, and records the metrics beside the run."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench import user_metrics
from fitbench.analysis import scores
from fitbench.analysis.statistics import wilson
from fitbench.config import Config, Data, ImageFolder
from fitbench.data.image_paths import nfc
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.comparison import compare, describe
from fitbench.inference.reader import Reader, backend_of, configuration, finished, open_run
from fitbench.inference.score import print_scores
from fitbench.metrics import Metric, get
from fitbench.record import evaluations, reading
from fitbench.record.files import naming, outputs_of, replacing, write_whole
from fitbench.record.result import utc_now
from fitbench.tasks import THRESHOLD
from fitbench.text import check_format, clean, console, counted, number
from fitbench.untrusted import check_within

if TYPE_CHECKING:
    from fitbench.data.dataset import Dataset

PARTS = ("test", "train")


def evaluate(run: str, outputs: Path, data: str, overrides: Sequence[str], part: str, format: str, trust: bool) -> None:
    """Evaluate the model of a run on one part of a data set, and record and print the metrics of the run.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one.
        outputs: the folder that is searched for the run.
        data: a choice of the group conf/data.
        overrides: overrides data.KEY=VALUE.
        part: the part of the data set, 'test' or 'train'.
        format: 'table', or 'json' for the record with metrics per class and the confusion matrix.
        trust: as in `open_run`. Without it, metrics that are the user's own functions are left out.

    Raises:
        RequestError: no run or several runs match, or the data do not have the shape or the classes of the run.
        DataError: the data are missing or damaged.
        FitbenchError: the model cannot be loaded, or the run was trained again meanwhile.
    """
    check_format(format, ("table", "json"))
    if part not in PARTS:
        raise RequestError(f"--part is {part!r}; it must be {' or '.join(PARTS)}")
    folder = reading.find_run(run, outputs)
    result = finished(folder)
    config, data_config = configuration(result, folder), _compose(data, overrides)
    from fitbench.training import backend
    from fitbench.training.progress import notice

    backend.choose(backend_of(result, folder))  # first, because loading the data may import Keras for a download
    dataset = _load(data_config)
    images, labels = (dataset.x_test, dataset.y_test) if part == "test" else (dataset.x_train, dataset.y_train)
    labels, matched = _match_classes(dataset, labels, result["data"]["classes"])
    with notice(True, "loading the model"):
        reader = open_run(folder, trust)
    _check_shape(reader, images.shape[1:], dataset, data_config)
    metrics = _load_metrics(reader, config, trust)
    with notice(True, f"reading {counted(len(labels), 'image')}"), backend.on("auto") as device:
        logits = reader.logits(images)
    origin, measured = _origin(reader, dataset, data_config), _measure(reader, config, metrics, labels, logits)
    record = {**origin, **measured, "device": device}
    record["data"] |= {"part": part, "count": len(labels), "matched": matched}
    path = _write(reader, record, labels, logits)
    matrix = scores.confusion(labels, logits.argmax(axis=1), len(reader.classes))
    _report(format, reader, metrics, record, path, matrix)


def _compose(data: str, overrides: Sequence[str]) -> Data:
    """Compose the section `data` of `fitbench train data=DATA OVERRIDES`."""
    for override in overrides:
        if not override.startswith("data.") or "=" not in override:
            raise RequestError(f"{override}: only overrides data.KEY=VALUE are allowed, such as data.path=FOLDER")
        if override.startswith("data.preprocess="):
            raise RequestError(f"{override}: not allowed here; the model preprocesses its images itself")
    from fitbench.composition import Composer

    return Composer().configuration([f"data={data}", *overrides]).data


def _load(config: Data) -> Dataset:
    """Load the data set, with a notice in the terminal while it is read."""
    from fitbench.data.loading import load
    from fitbench.training.progress import notice

    with notice(True, f"reading {config.name}"):
        return load(config)


def _match_classes(data: Dataset, labels: np.ndarray, own: Sequence[str]) -> tuple[np.ndarray, str]:
    """Return labels, int32 [N], as positions in the classes of the run, and whether they match by 'name' or 'position'.

    Classes are matched by name, in any order. If the names on one side are only the numbers 0, 1, 2, .., classes are
    matched by position, and a notice says so.

    Raises:
        RequestError: the data set has other classes than the run.
    """
    own, theirs, numbers = list(map(nfc, own)), list(map(nfc, data.names)), [str(i) for i in range(len(own))]
    if len(own) != len(theirs):
        raise RequestError(
            f"{data.source}: has {len(theirs)} classes ({_shorten(theirs)}); the run has {len(own)} ({_shorten(own)})"
        )
    if set(own) == set(theirs):
        positions = np.array([own.index(class_name) for class_name in theirs], np.int32)
        return positions[labels], "name"
    if numbers not in (list(own), list(theirs)):
        unknown = [class_name for class_name in theirs if class_name not in own]
        raise RequestError(
            f"{data.source}: its classes {_shorten(unknown)} are not classes of the run ({_shorten(own)}); rename them"
        )
    sys.stderr.write(
        f"fitbench: classes are matched by position: {data.name} has {_shorten(theirs)}; the run has {_shorten(own)}\n"
    )
    return labels, "position"


def _shorten(names: Sequence[str]) -> str:
    more = f", .. {clean(names[-1])}" if len(names) > 4 else ""
    return ", ".join(map(clean, names[: 3 if more else 4])) + more


def _check_shape(reader: Reader, shape: tuple[int, ...], data: Dataset, config: Data) -> None:
    if shape == reader.shape:
        return
    (height, width, channels), advice = reader.shape, ""
    if isinstance(config, ImageFolder):
        advice = f"; add 'data.image_size=[{height},{width}]' data.color={'true' if channels == 3 else 'false'}"
    theirs, own = ("x".join(map(str, sides)) for sides in (shape, reader.shape))
    raise RequestError(f"{data.source}: images are {theirs}; the model of the run takes {own}{advice}")


def _load_metrics(reader: Reader, config: Config, trust: bool) -> dict[str, Metric]:
    """Load the metrics of a run and the default metrics of its task, by name, without the loss."""
    own = [name for name, entry in config.metrics.items() if entry is not None]
    if own and not trust:
        sys.stderr.write(f"fitbench: without --trust, these metrics are left out: {clean(', '.join(own))}\n")
    entries = dict.fromkeys(reader.task.default_metrics) | config.metrics
    return {name: user_metrics.load(name, entry) for name, entry in entries.items() if trust or name not in own}


# -- the record -------------------------------------------------------------------------------------------------------


def _origin(reader: Reader, data: Dataset, config: Data) -> dict[str, Any]:
    """Return what the record says of the run, the data and the program."""
    from fitbench.training.environment import git_state, versions

    return {
        "schema": evaluations.SCHEMA,
        "run_id": reader.run_id,
        "run_finished_at": reader.result["finished_at"],
        "data": {
            "name": data.name,
            "source": config.source.value,
            "path": getattr(config, "path", None),
            "sha256": data.sha256,
            "classes": list(data.names),
            "skipped": len(data.skipped),
        },
        "versions": versions(backend_of(reader.result, reader.folder)),
        "git": git_state(),
        "evaluated_at": utc_now(),
    }


def _measure(
    reader: Reader, config: Config, metrics: Mapping[str, Metric], labels: np.ndarray, logits: np.ndarray
) -> dict[str, Any]:
    """Return the loss and the metrics, and the 95% intervals of those that are proportions of the examples."""
    from fitbench.training.measures import Measures
    from fitbench.training.objective import Objective

    objective = Objective(reader.task, config.training, reader.classes)
    loss = objective.value(labels, logits, None)
    measures = Measures(dict(metrics), reader.task, objective.name, THRESHOLD, None, get("loss"), None)
    values, count = measures.score(metrics, labels, logits, THRESHOLD), len(labels)
    return {
        "metrics": {"loss": loss if math.isfinite(loss) else None, **values},
        **{
            f"{name}_interval": list(wilson(round(value * count), count))
            for name, value in values.items()
            if metrics[name].proportion and value is not None
        },
    }


def _write(reader: Reader, record: dict[str, Any], labels: np.ndarray, logits: np.ndarray) -> Path:
    """Write the predictions in the format of predictions.npz, then the record. Return the path of the record."""
    data, task = record["data"], reader.task
    path = evaluations.path_of(reader.folder, data["name"], data["sha256"], data["part"])
    if finished(reader.folder)["finished_at"] != record["run_finished_at"]:
        raise FitbenchError(f"{reader.folder}: the run was trained again meanwhile; evaluate it again")
    arrays: dict[str, Any] = {
        task.targets_name: labels,
        task.outputs_name: reader.recorded(logits),
        "data_sha256": np.array(data["sha256"]),
    }
    if path.parent.is_symlink():
        with naming(path.parent):
            check_within(path.parent, [outputs_of(reader.folder)()])
    try:
        path.parent.mkdir(exist_ok=True)
        with replacing(path.with_suffix(".npz")) as file:
            np.savez(file, **arrays)
        write_whole(path, json.dumps(record, indent=2, allow_nan=False, ensure_ascii=False) + "\n")
    except OSError as error:
        raise FitbenchError(f"{path}: cannot be written ({error.strerror})") from error
    return path


def _report(
    format: str, reader: Reader, metrics: Mapping[str, Metric], record: dict[str, Any], path: Path, matrix: np.ndarray
) -> None:
    """Print the record as JSON, or the metrics as text. Both compare with the run's own test images."""
    result, data = reader.result, record["data"]
    primary = metrics.get(result["primary"]) or metrics[reader.task.default_metrics[0]]
    compared = compare(result, record, primary)
    if format == "json":
        per_class = scores.per_class(matrix, reader.classes)
        derived = {"path": str(path), "compared": compared, "per_class": per_class, "confusion": matrix.tolist()}
        print(json.dumps(record | derived, indent=2, allow_nan=False))
        return
    out = console()
    out.print(f"{clean(reader.run_id)} on the {data['part']} images of {clean(data['name'])}", soft_wrap=True)
    print_scores(out, matrix, reader.classes)
    described = {"loss": get("loss")} | {name: metric for name, metric in metrics.items() if name != "accuracy"}
    lines = [f"{metric.label} {number(record['metrics'][name], metric.digits)}" for name, metric in described.items()]
    if compared:
        lines += describe(compared, result, primary)
    if data["sha256"] == result["data"]["sha256"] and data["part"] == "test":
        lines.append("these are the run's own test images")
    elif data["sha256"] == result["data"]["sha256"]:
        lines.append("the model was trained on these images; the metrics do not apply to new images")
    if data["skipped"]:
        lines.append(f"left out: {counted(data['skipped'], 'unreadable image')}")
    for line in (*lines, clean(path)):
        out.print(line, soft_wrap=True)
