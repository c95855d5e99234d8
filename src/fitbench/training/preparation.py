"""The training examples of a run as its model takes them, which are prepared once and not again in every epoch.

Images may be deskewed, and series standardised. The saved model begins with the same operations.
"""

import dataclasses
import math
from typing import Any

import keras
import numpy as np

from fitbench.config import Data, Preprocess, Standardization
from fitbench.data.dataset import Dataset
from fitbench.data.memory import chunks, take
from fitbench.data.memory_limit import memory_limit
from fitbench.models.deskew import deskewing
from fitbench.models.standardization import of_channels, of_series
from fitbench.training.evaluate import batch_size


class PreparedWhenRead:
    """Examples that stay where they are, and are prepared when they are asked for."""

    def __init__(self, examples: Any, model: keras.Model) -> None:
        self.examples, self.model = examples, model
        self.shape, self.dtype = examples.shape, np.dtype(model.outputs[0].dtype)

    def __getitem__(self, index: Any) -> np.ndarray:
        return _through(self.model, np.asarray(self.examples[index]))


# The training examples that were prepared last, by the checksum of the data and the name of the model, which depends on
# nothing but the values, the type and the shape of the examples. The checksum covers these.
_kept: dict[tuple[str, str], np.ndarray] = {}


def prepare_training_examples(data: Dataset, settings: Data) -> tuple[Dataset, keras.Model | None]:
    """The data set with its training examples prepared, and the model that prepares raw ones; None: nothing is done.

    The test examples stay raw. Examples that fit into memory, raw and prepared, are prepared once for all runs of a
    process on the same data, others whenever they are read.
    """
    model = _model(data, settings)
    if model is None:
        return data, None
    key = (data.sha256, model.name)
    if key not in _kept:
        _kept.clear()
        examples = take(data.x_train, np.arange(len(data.y_train)))
        fits = math.prod(examples.shape) * np.dtype(model.outputs[0].dtype).itemsize < memory_limit()
        if type(examples) is not np.ndarray or not fits:
            streamed: Any = PreparedWhenRead(examples, model)
            return dataclasses.replace(data, x_train=streamed), model
        _kept[key] = _through(model, examples)
        _kept[key].setflags(write=False)
    return dataclasses.replace(data, x_train=_kept[key]), model


def _model(data: Dataset, settings: Data) -> keras.Model | None:
    """The model that prepares raw examples; None if they are taken as they are.

    The mean and deviation of each channel are those of the training examples, in float64. A validation part of the data
    set's own is left out. Examples that `training.validation_split` holds back count, as they do for tables.
    """
    if settings.preprocess is Preprocess.deskew:
        return deskewing(data.inputs.shape)
    match getattr(settings, "standardize", None):
        case Standardization.series:
            return of_series(data.inputs)
        case Standardization.channel:
            return of_channels(data.inputs, *_channels(data.x_train, len(data.y_train) - data.validation))
    return None


def _channels(series: Any, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the deviation (divided by N) of each channel of the first N examples, float64 [channels].

    Args:
        series: N or more examples, [.., .., channels].
        examples: N.
    """
    sums = np.zeros((2, series.shape[-1]))
    shift = np.asarray(series[np.arange(1)]).reshape(-1, series.shape[-1])[0].astype(np.float64)
    for start, stop in ((rows.start, min(rows.stop, examples)) for rows in chunks(series) if rows.start < examples):
        values = np.asarray(series[start:stop], np.float64).reshape(-1, series.shape[-1]) - shift
        sums += [values.sum(axis=0), (values**2).sum(axis=0)]
    count = examples * np.prod(series.shape[1:-1])
    mean = sums[0] / count
    return mean + shift, np.sqrt(np.maximum(sums[1] / count - mean**2, 0))


def _through(model: keras.Model, examples: np.ndarray) -> np.ndarray:
    """What the model makes of examples, a batch at a time."""
    done = np.empty(examples.shape, model.outputs[0].dtype)
    size = batch_size(examples.shape[1:])
    for start in range(0, len(examples), size):
        done[start : start + size] = model.predict_on_batch(examples[start : start + size])
    return done
