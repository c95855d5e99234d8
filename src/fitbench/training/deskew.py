"""The deskewed training images of a run, which are prepared once and not again in every epoch."""

import dataclasses
from typing import Any

import keras
import numpy as np

from fitbench.config import Preprocess
from fitbench.data.dataset import Dataset
from fitbench.data.memory import take
from fitbench.models.deskew import deskewing
from fitbench.training.evaluate import batch_size


class Deskewed:
    """Images that stay where they are, and are deskewed when they are asked for."""

    def __init__(self, images: Any) -> None:
        self.images = images
        self.shape, self.dtype = images.shape, np.dtype(np.uint8)
        self.model = deskewing(images.shape[1:])

    def __getitem__(self, index: Any) -> np.ndarray:
        return _through(self.model, np.asarray(self.images[index]))


_kept: dict[str, np.ndarray] = {}  # the deskewed training images of the last data set, under its SHA-256


def prepared(data: Dataset, preprocess: Preprocess | None) -> Dataset:
    """The data set with its training images prepared; the test images stay raw.

    Images that fit into memory are prepared once for all runs of a process on the same data, others whenever they are
    read.
    """
    if preprocess is None:
        return data
    if data.sha256 not in _kept:
        _kept.clear()
        images = take(data.x_train, np.arange(len(data.y_train)))
        if type(images) is not np.ndarray:  # too large for memory
            streamed: Any = Deskewed(images)
            return dataclasses.replace(data, x_train=streamed)
        _kept[data.sha256] = _through(deskewing(images.shape[1:]), images)
        _kept[data.sha256].setflags(write=False)
    return dataclasses.replace(data, x_train=_kept[data.sha256])


def _through(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What the model makes of images, uint8, a batch at a time."""
    done = np.empty(images.shape, np.uint8)
    size = batch_size(images.shape[1:])
    for start in range(0, len(images), size):
        done[start : start + size] = model.predict_on_batch(images[start : start + size])
    return done
