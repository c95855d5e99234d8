"""`training.start` and `training.freeze`: weights of an earlier run, and layers that are not trained."""

from __future__ import annotations

import difflib
import fnmatch
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from fitbench.config import Config
from fitbench.errors import RequestError
from fitbench.record import safety
from fitbench.record.parents import MODEL, check_same
from fitbench.record.reading import output_names, read_result
from fitbench.text import clean, counted
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
        layers: the names of the layers that have its weights.
        left_out: the names of the layers that keep their new weights.
    """

    run_id: str
    layers: list[str]
    left_out: list[str]


def start(model: keras.Model, config: Config, names: Sequence[str]) -> Started | None:
    """Give the layers of a new model the weights that layers of the same name and shapes have in an earlier run.

    Layers that are adapted to the data (with a method `adapt`) keep what they have of the new data. The statistics of
    batch normalisation are taken. What is left out is logged, and noted on stderr.

    Args:
        model: as it is built.
        config: of the run. A run that continues another one takes everything from there.
        names: of the outputs: the classes, targets or labels of the data.

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
    saved = {layer.name: layer for layer in _with_weights(_saved_model(folder))}
    taken, left_out = [], {}
    for layer in _with_weights(model):
        shapes = _shapes(layer)
        if layer.name not in saved:
            left_out[layer.name] = "it has no such layer"
        elif shapes != (theirs := _shapes(saved[layer.name])):
            left_out[layer.name] = f"its shapes are {_text(theirs)}, here they are {_text(shapes)}"
        else:
            layer.set_weights(saved[layer.name].get_weights())
            taken.append(layer.name)
    if not taken:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
        raise RequestError(f"{KEY}: no layer of this model fits one of {earlier.run_id}: {clean(reasons)}")
    _note(earlier.run_id, taken, left_out)
    others = output_names(read_result(folder))
    if others != list(names) and len(others) == len(names) and not left_out:
        note(
            f"{earlier.run_id} has the outputs {_listed(others)}, this run has {_listed(names)}; the last layer begins "
            "with the weights of the former"
        )
    return Started(earlier.run_id, taken, list(left_out))


def freeze(model: keras.Model, patterns: Sequence[str]) -> None:
    """Let the layers whose names fit one of these patterns keep their weights. `*` stands for any characters.

    Raises:
        RequestError: a pattern fits no layer, or no weight is left to train.
    """
    layers = {layer.name: layer for layer in _all_layers(model)}
    for pattern in patterns:
        fitting = fnmatch.filter(layers, pattern)
        if not fitting:
            near = difflib.get_close_matches(pattern, layers, n=1)
            hint = f"did you mean {near[0]}? The" if near else "the"
            raise RequestError(f"training.freeze: no layer fits {pattern!r}; {hint} model has {_listed(list(layers))}")
        for name in fitting:
            layers[name].trainable = False
    if patterns and not model.trainable_weights:
        raise RequestError(f"training.freeze: {_listed(patterns)} leaves no weight to train; leave out some layers")


def _saved_model(folder: Path) -> keras.Model:
    """The model of a run, none of whose code is executed."""
    path = folder / MODEL
    if own_code := safety.foreign(path):
        raise RequestError(
            f"{KEY}: {path} needs {safety.names(own_code)}, code of your own; weights are taken only from models that "
            "consist of layers of Keras and fitbench"
        )
    return load_model(path, safety.check(path, trust=False).numbers)


def _all_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers of a model, also of the models in it, at any depth; these models themselves before their layers."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _all_layers(layer)


def _with_weights(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers, at any depth, that have weights and are not adapted to the data."""
    for layer in _all_layers(model):
        if not isinstance(layer, keras.Model) and layer.weights and not hasattr(layer, "adapt"):
            yield layer


def _shapes(layer: keras.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]


def _text(shapes: Sequence[tuple[int, ...]]) -> str:
    return " and ".join("x".join(map(str, shape)) or "a number" for shape in shapes)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return clean(", ".join(names[:LISTED])) + more


def _note(run_id: str, taken: Sequence[str], left_out: dict[str, str]) -> None:
    """Log which layers begin with the weights of an earlier run, and note which do not."""
    log.info("weights of %s: %s", run_id, _listed(taken))
    for name, reason in left_out.items():
        log.info("the layer %s begins with new weights; of %s, %s", name, run_id, reason)
    if left_out:
        note(
            f"weights of {run_id}: {counted(len(taken), 'layer')}; begun with new ones: "
            f"{_listed([*left_out])}; train.log has the reasons"
        )
