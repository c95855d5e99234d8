"""`training.start` and `training.freeze`: weights of an earlier run, and layers that are not trained."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from fitbench.config import Config
from fitbench.data.dataset import Dataset
from fitbench.errors import RequestError
from fitbench.record import dataset, safety
from fitbench.record.parents import MODEL, check_same
from fitbench.record.reading import output_names, read_result
from fitbench.text import clean, counted, first_of, nearest
from fitbench.training.layer_paths import built, layers, partner, with_weights
from fitbench.training.notes import note
from fitbench.training.saved_model import load_model

log = logging.getLogger(__name__)
KEY = "training.start"
LISTED = 20  # names of layers that a message lists at most


@dataclass(frozen=True)
class Started:
    """What a model has taken from an earlier run.

    Attributes:
        run_id: of that run.
        layers: the paths of the layers that have its weights; see `layer_paths`.
        left_out: the paths of the layers that keep their new weights.
    """

    run_id: str
    layers: list[str]
    left_out: list[str]


def start(model: keras.Model, config: Config, data: Dataset) -> Started | None:
    """Give the layers of a new model the weights that layers of the same path and shapes have in an earlier run.

    Layers that are adapted to the data (with a method `adapt`) keep what they have of the new data. The statistics of
    batch normalisation are taken. What is left out is logged, and noted on stderr, and so is what the layers that are
    taken were trained for, where it differs.

    Args:
        model: as it is built.
        config: of the run. A run that continues another one takes everything from there.
        data: of the run.

    Returns:
        what was taken; None if the run begins with new weights.

    Raises:
        RequestError: that run has changed, has code of the user's, or no layer fits.
        FitbenchError: its files cannot be read.
    """
    earlier = config.training.start
    if earlier is None or config.parent is not None:
        return None
    folder = check_same(KEY, earlier.folder, MODEL, earlier.sha256)
    result = read_result(folder)
    ours, theirs = with_weights(model), with_weights(built(_saved_model(folder), result["config"]))
    taken, left_out = [], {}
    for path, layer in ours:
        other = partner(path, ours, theirs)
        if isinstance(other, str):
            left_out[path] = other
        elif _shapes(layer) != _shapes(other):
            left_out[path] = f"its shapes are {_text(_shapes(other))}, here they are {_text(_shapes(layer))}"
        else:
            layer.set_weights(other.get_weights())
            taken.append(path)
    if not taken:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in list(left_out.items())[:3])
        raise RequestError(f"{KEY}: no layer of this model fits one of {earlier.run_id}: {clean(reasons)}")
    _note(earlier.run_id, taken, left_out)
    _note_columns(folder, earlier.run_id, data)
    if ours[-1][0] in taken:
        _note_outputs(result, config, data)
    return Started(earlier.run_id, taken, list(left_out))


def _note_columns(folder: Path, run_id: str, data: Dataset) -> None:
    """Note the first column that the earlier run did not have at this place."""
    recorded = dataset.read(folder)
    if recorded is not None and (difference := recorded.other_column(data.columns)):
        note(f"{run_id} was trained with other columns ({clean(difference)}); its weights are for those")


def _note_outputs(result: Mapping[str, Any], config: Config, data: Dataset) -> None:
    """Note how the outputs differ from those of the earlier run, whose last layer is taken."""
    run_id, others = result["run_id"], output_names(result)
    if others != list(data.names):
        note(
            f"{run_id} has the outputs {first_of(others, LISTED)}, this run has {first_of(data.names, LISTED)}; the "
            "last layer begins with the weights of the former"
        )
    standardized = bool(result["config"]["training"].get("standardize_targets"))
    if standardized != config.training.standardize_targets:
        note(
            f"{run_id} has training.standardize_targets={str(standardized).lower()}, this run has "
            f"{str(not standardized).lower()}; the last layer begins with weights for targets of the former scale"
        )


def freeze(model: keras.Model, patterns: Sequence[str]) -> None:
    """Let all layers whose names or paths fit one of these patterns keep their weights. `*` stands for any characters.

    Raises:
        RequestError: a pattern fits no layer, or no weight is left to train.
    """
    named = layers(model) if patterns else []
    for pattern in patterns:
        fitting = [layer for path, layer in named if fnmatch.filter([layer.name, path], pattern)]
        if not fitting:
            paths = [path for path, _ in named]
            near = nearest(pattern, paths)
            hint = f"did you mean {near[0]}? The" if near else "the"
            raise RequestError(
                f"training.freeze: no layer fits {pattern!r}; {hint} model has {first_of(paths, LISTED)}"
            )
        for layer in fitting:
            layer.trainable = False
    if patterns and not model.trainable_weights:
        raise RequestError(
            f"training.freeze: {first_of(patterns, LISTED)} leaves no weight to train; leave out some layers"
        )


def _saved_model(folder: Path) -> keras.Model:
    """The model of a run, none of whose code is executed."""
    path = folder / MODEL
    if own_code := safety.foreign(path):
        raise RequestError(
            f"{KEY}: {path} needs {safety.names(own_code)}, code of your own; weights are taken only from models that "
            "consist of layers of Keras and fitbench"
        )
    return load_model(path, safety.check(path, trust=False).numbers)


def _shapes(layer: keras.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]


def _text(shapes: Sequence[tuple[int, ...]]) -> str:
    return " and ".join("x".join(map(str, shape)) or "a number" for shape in shapes)


def _note(run_id: str, taken: Sequence[str], left_out: dict[str, str]) -> None:
    """Log which layers begin with the weights of an earlier run, and note which do not."""
    log.info("weights of %s: %s", run_id, first_of(taken, LISTED))
    for name, reason in left_out.items():
        log.info("the layer %s begins with new weights; of %s, %s", name, run_id, reason)
    if left_out:
        note(
            f"weights of {run_id}: {counted(len(taken), 'layer')}; layers with new weights: "
            f"{first_of(left_out, LISTED)}; train.log has the reasons"
        )
