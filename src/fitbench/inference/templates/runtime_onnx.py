"""ONNX Runtime: pip install onnxruntime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime


def load(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Load the model: a function from images, uint8 [N, height, width, channels], to logits, float32 [N, classes]."""
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return lambda images: session.run(["logits"], {"images": images})[0]
