"""LiteRT: pip install ai-edge-litert."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def load(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Load the model: a function from images, uint8 [N, height, width, channels], to logits, float32 [N, classes]."""
    interpreter = Interpreter(model_path=str(folder / "model.tflite"))
    images_index, logits_index = (
        interpreter.get_input_details()[0]["index"],
        interpreter.get_output_details()[0]["index"],
    )

    def logits(images: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(images_index, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(images_index, images)
        interpreter.invoke()
        return interpreter.get_tensor(logits_index)

    return logits
