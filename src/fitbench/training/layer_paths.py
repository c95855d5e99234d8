"""The layers of a model by their paths: the names of the models that they lie in, then their own, as left/features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras

from fitbench.config.builders import records_shares

Layers = list[tuple[str, keras.Layer]]


def layers(model: keras.Model) -> Layers:
    """The layers with their paths, each once, also of the models in it; these models before their layers."""
    found: dict[int, tuple[str, keras.Layer]] = {}
    for path, layer in _walk(model, ""):
        found.setdefault(id(layer), (path, layer))
    return list(found.values())


def _walk(model: keras.Model, prefix: str) -> Iterator[tuple[str, keras.Layer]]:
    for layer in model.layers:
        path = f"{prefix}{layer.name}"
        yield path, layer
        if isinstance(layer, keras.Model):
            yield from _walk(layer, f"{path}/")


def with_weights(model: keras.Model) -> Layers:
    """The layers that have weights and are not adapted to the data (with a method `adapt`)."""
    return [
        (path, layer)
        for path, layer in layers(model)
        if not isinstance(layer, keras.Model) and layer.weights and not hasattr(layer, "adapt")
    ]


def partner(path: str, ours: Layers, theirs: Layers) -> keras.Layer | str:
    """The layer of another model that a layer stands for, or the reason why there is none.

    It has the same path. If there is none, it is the only layer of the same name, where both models have one only.
    """
    name = _name(path)
    of_path = [layer for other, layer in theirs if other == path]
    of_name = [layer for other, layer in theirs if _name(other) == name]
    if len(of_path) == 1 and sum(other == path for other, _ in ours) == 1:
        return of_path[0]
    if not of_name:
        return "it has no such layer"
    if len(of_name) == 1 and sum(_name(other) == name for other, _ in ours) == 1:
        return of_name[0]
    return "no layer has this path, and several have this name"


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def built(saved: keras.Model, config: Mapping[str, Any]) -> keras.Model:
    """The model that the builder returned, in a saved one, which may prepare examples and scale outputs around it.

    Args:
        saved: as `networks.saved_model` makes it.
        config: of its run, as recorded.
    """
    data, training = config["data"], config["training"]
    prepares = bool(data.get("preprocess") or data.get("standardize"))
    scales = bool(training.get("standardize_targets")) or records_shares(config["model"])
    for _ in range(prepares + scales):
        if models := [layer for layer in saved.layers if isinstance(layer, keras.Model)]:
            saved = models[-1]  # behind the model that prepares the examples
    return saved
