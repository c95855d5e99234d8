"""Models that were never trained, as the models of finished runs."""

from pathlib import Path

from fitbench.config import Backend
from fitbench.inference.reader import Reader
from fitbench.kinds import TOKENS
from fitbench.metrics import CLASSIFICATION, supplied
from fitbench.record.inputs import Inputs
from fitbench.training import backend


def untrained(inputs: Inputs, **data: object) -> Reader:
    """A run `made-up` with the classes a, b, c, whose outputs are random linear functions of the inputs.

    `data` is the section of its configuration.
    """
    backend.load(Backend.tensorflow)
    import keras

    from fitbench.inference.footprint import compile_model

    layers = [keras.layers.Embedding(inputs.vocabulary, 4)] if inputs.kind == TOKENS else []
    flat = [*layers, keras.layers.Flatten(), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input(inputs.shape, dtype=inputs.dtype), *flat])
    result = {
        "run_id": "made-up",
        "task": CLASSIFICATION,
        "data": {"sha256": "", "name": "made up"},
        "primary": "accuracy",
        "metric_info": {"accuracy": supplied("accuracy").info()},
        "metrics": {"test_accuracy": 0.5},
        "parameters": model.count_params(),
        "config": {"data": data, "model": {"name": "linear"}, "training": {"loss": "cross_entropy"}},
    }
    compiled = compile_model(model, inputs.shape, inputs.dtype)
    return Reader(Path(), result, model, inputs, ("a", "b", "c"), compiled)
