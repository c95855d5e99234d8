"""Metrics of the user, which the configuration names: functions on NumPy arrays, or Keras metrics.

Nothing here imports Keras itself. `load` imports what the configuration names, and is called only where a run trains.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fitbench import metrics
from fitbench.errors import FitbenchError, RequestError
from fitbench.metrics import Metric
from fitbench.text import clean, first_line
from fitbench.untrusted import LONGEST_TEXT
from fitbench.user_code import load_object

SOURCE = " sha256:"  # in a definition, between target with arguments and the checksum of the source


def from_config(name: str, entry: Mapping[str, Any] | None) -> Metric:
    """The metric that an entry of the configuration describes; nothing is imported, so it cannot score yet.

    Args:
        name: the entry's name. Without an `entry` it is one of ours.
        entry: plain values. `_target_` is the dotted name of a function (targets, outputs) -> number, or of a Keras
            metric's class. `direction` is 'max' or 'min'. `low`, `high`, `label`, `digits`, `unit` and `proportion` may
            follow, as in `Metric`. All other keys are keyword arguments of the function or class.

    Raises:
        RequestError: the entry is wrong; the message names the key.
    """
    if entry is None:
        return metrics.get(name)
    where = f"metrics.{name}"
    metrics.check_name(name, where, RequestError)
    if metrics.supplied(name) is not None:
        raise RequestError(f"{where}: fitbench has a metric of this name; give yours another name")
    if not isinstance(entry, Mapping):
        raise RequestError(f"{where} is {entry!r:.80}; expected a section with _target_ and direction")
    target = entry.get("_target_")
    if not isinstance(target, str) or not all(part.isidentifier() for part in target.split(".")) or "." not in target:
        raise RequestError(f"{where}._target_ is {target!r:.80}; expected a dotted name such as mine.kappa")
    try:
        json.dumps(dict(entry), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RequestError(f"{where}: {error}; expected finite numbers, texts, lists and sections") from None
    return Metric(name, **metrics.description(name, entry, where, RequestError))


def load(name: str, entry: Mapping[str, Any] | None) -> Metric:
    """As `from_config`, with the user's function or Keras metric imported: the metric can score.

    A function is called with the targets and the outputs (float64) of the whole part, as read-only arrays:

    - classification: labels, int [N], and probabilities [N, classes];
    - regression: targets and values [N, targets], both in the units of the targets;
    - several labels: labels, int [N, labels] of 0 and 1, and probabilities [N, labels], without any threshold.

    So many functions of scikit-learn can be named as they are, such as sklearn.metrics.median_absolute_error. An
    instance of a metric's class gets the same arrays, with the outputs as float32, in one `update_state`. In place of
    labels [N], classes of Keras that do not take these, such as keras.metrics.F1Score, get one-hot rows [N, classes].
    Both may return None or NaN for an undefined value.

    Raises:
        RequestError: the entry is wrong, or its target cannot be imported or does not take the settings.
    """
    metric = from_config(name, entry)
    if entry is None:
        return metric
    target, where = entry["_target_"], f"metrics.{name}._target_"
    settings = _settings(entry)
    function = load_object(target, where)
    _check_callable(function, settings, f"{where} is {target}")
    return replace(
        metric,
        definition=_definition(target, settings, function),
        score=partial(_user_score, name, target, function, settings),
    )


def _settings(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of the function or class that an entry names."""
    return {key: value for key, value in entry.items() if key not in ("_target_", *metrics.DESCRIPTION)}


def _check_callable(function: Any, settings: Mapping[str, Any], what: str) -> None:
    """Refuse what is neither a function nor the class of a Keras metric, or does not take these settings."""
    is_class = inspect.isclass(function)
    if not callable(function) or (is_class and not all(hasattr(function, of) for of in ("update_state", "result"))):
        raise RequestError(f"{what}, which is neither a function nor the class of a Keras metric")
    if is_class and list(inspect.signature(function.update_state).parameters)[2:3] == ["sample_weight"]:
        raise RequestError(f"{what}, which compares no outputs with targets; expected a metric of both")
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C have none; the call itself will tell
        return
    try:
        signature.bind(*(() if is_class else (None, None)), **settings)
    except TypeError as error:
        arguments = ", ".join([*(() if is_class else ("targets", "outputs")), *settings]) or "nothing"
        raise RequestError(f"{what}, which cannot be called with {arguments}: {error}") from None


def _definition(target: str, settings: Mapping[str, Any], function: Any) -> str:
    """The target, its settings, and the SHA-256 of the source file of the module that defines it.

    Version 0.1 gave labels to every class, and keras.metrics.CategoricalAccuracy a wrong value.
    """
    has_module = inspect.isroutine(function) or inspect.isclass(function)
    module = (function.__module__ if has_module else None) or target.rpartition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None)
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else "none"
    rows = " one-hot" if _takes_rows(function, settings) else ""
    source = f"{SOURCE}{digest}{rows}"
    return f"{target} {settings_text(settings, LONGEST_TEXT - len(target) - 1 - len(source))}{source}"


def settings_text(settings: Mapping[str, Any], longest: int) -> str:
    """Settings as a definition has them: JSON, or its SHA-256 if it has more characters than the longest."""
    text = json.dumps(settings, sort_keys=True)
    return text if len(text) <= longest else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def redefined(selected: Mapping[str, Any], definitions: Mapping[str, str]) -> str:
    """The metrics of the user's whose target or arguments differ from recorded ones, with both; empty if there is none.

    Their source is not compared: `record.code` does it. Nothing is imported.

    Args:
        selected: `metrics` of a configuration.
        definitions: recorded ones, as `Metric.definition`, by the metrics' names.
    """
    differences = []
    for name, entry in selected.items():
        if entry is None or name not in definitions:
            continue
        before = definitions[name].rpartition(SOURCE)[0]
        now, shortened = (f"{entry['_target_']} {settings_text(_settings(entry), longest)}" for longest in (10**9, 0))
        if before not in (now, shortened):
            differences.append(f"the metric {name} was {clean(before):.500} and is {clean(now):.500} now")
    return "; ".join(differences)


def _takes_rows(function: Any, settings: Mapping[str, Any]) -> bool:
    """Whether it is a class of Keras's that takes one-hot rows where the targets are labels."""
    if not inspect.isclass(function) or not function.__module__.startswith("keras."):
        return False
    return not settings.get("sparse_y_true", function.__name__.startswith(("Sparse", "IoU", "MeanIoU", "BinaryIoU")))


def _user_score(
    name: str, target: str, function: Any, settings: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
) -> float | None:
    """What a user's function, or an instance of a Keras metric's class, gives for a whole part."""
    if targets.ndim == 1 and _takes_rows(function, settings):
        targets = np.eye(outputs.shape[1], dtype=np.float32)[targets]
    targets, outputs = targets.view(), outputs.view()
    for array in (targets, outputs):
        array.setflags(write=False)  # other metrics see the same arrays
    try:
        if inspect.isclass(function):
            metric: Any = function(**settings)
            metric.update_state(targets, outputs.astype(np.float32))  # what Keras's functions take
            value = metric.result()
        else:
            value = function(targets, outputs, **settings)
        if value is None:
            return None
        if isinstance(value, (bool, np.bool_, str, bytes)) or np.ndim(value):
            raise TypeError(f"it returned {value!r:.80}")
        return float(value)
    except Exception as error:
        raise FitbenchError(
            f"metrics.{name}: {target} failed: {first_line(error)}; expected one number for targets of shape "
            f"{targets.shape} and outputs of shape {outputs.shape}"
        ) from error
