"""What a model says of images, and how good that is."""

from typing import Any

import keras
import numpy as np

BATCH = 1000


def predict(model: keras.Model, images: Any) -> np.ndarray:
    """The model's logits, float32 [N, classes], for images, uint8 [N, height, width, channels]."""
    starts = range(0, images.shape[0], BATCH)
    batches = [model.predict_on_batch(np.asarray(images[start : start + BATCH])) for start in starts]
    return np.concatenate(batches).astype(np.float32)


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """The share of images whose largest logit is that of their label; of equal logits the first counts."""
    return float(np.mean(logits.argmax(axis=1) == labels))
