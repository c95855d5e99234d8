"""Keras 3, on any backend: pip install keras tensorflow."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported: errors only
import keras


def load(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Load the model: a function from images, uint8 [N, height, width, channels], to logits, float32 [N, classes]."""
    if (folder / "fitbench_layers.py").exists():  # layers that Keras does not have
        sys.path.insert(0, str(folder))
        importlib.import_module("fitbench_layers")
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    return model.predict_on_batch
