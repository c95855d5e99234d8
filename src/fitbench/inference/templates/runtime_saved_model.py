"""TensorFlow without Keras: pip install tensorflow."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported: errors only
import tensorflow as tf


def load(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Load the model: a function from images, uint8 [N, height, width, channels], to logits, float32 [N, classes]."""
    model = tf.saved_model.load(str(folder / "saved_model"))
    return lambda images: model.serve(tf.constant(images))["logits"].numpy()
