"""Classify images with the exported model beside this file: python predict.py IMAGE.."""

import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).resolve().parent
MODEL = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
HEIGHT, WIDTH, CHANNELS = MODEL["input"]["shape"][1:]


def load(folder: Path) -> Callable[[np.ndarray], Any]:
    """Load the model: a function from images, uint8 [N, height, width, channels], to logits, float32 [N, classes]."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported: errors only
    loaders = {"saved_model": load_saved_model, "onnx": load_onnx, "litert": load_litert, "keras": load_keras}
    return loaders[MODEL["format"]](folder / MODEL["model"])


def load_saved_model(path: Path) -> Callable[[np.ndarray], Any]:
    """Load a SavedModel with TensorFlow, without Keras: pip install tensorflow."""
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    return lambda images: model.serve(tf.constant(images))["logits"].numpy()


def load_onnx(path: Path) -> Callable[[np.ndarray], Any]:
    """Load a model with ONNX Runtime: pip install onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(["logits"], {"images": images})[0]


def load_litert(path: Path) -> Callable[[np.ndarray], Any]:
    """Load a model with LiteRT: pip install ai-edge-litert."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))

    def logits(images: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return logits


def load_keras(path: Path) -> Callable[[np.ndarray], Any]:
    """Load a model with Keras 3, on any backend: pip install keras tensorflow."""
    import keras

    sys.path.insert(0, str(path.parent))
    importlib.import_module("fitbench_layers")  # layers that Keras does not have
    return keras.saving.load_model(path, compile=False).predict_on_batch


def read_image(path: str) -> np.ndarray:
    """Read an image file as uint8 [height, width, channels], resized to the size that the model was trained on."""
    with Image.open(path) as file:
        image: Image.Image = ImageOps.exif_transpose(file)
        if image.mode.startswith("I"):  # 16 bits
            image = Image.fromarray(((np.asarray(image).astype(np.int64) + 128) // 257).astype(np.uint8))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("L" if CHANNELS == 1 else "RGB")
        image = image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
        return np.asarray(image, np.uint8).reshape(HEIGHT, WIDTH, CHANNELS)


def main(paths: list[str]) -> int:
    """Print the three most probable classes of each image. The exit status is 1 if an image cannot be read."""
    if not paths:
        sys.exit("usage: python predict.py IMAGE..")
    model = load(HERE)
    classes = ["".join(c if c.isprintable() else "?" for c in name) for name in MODEL["classes"]]
    status = 0
    for path in paths:
        try:
            image = read_image(path)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or "damaged, too large, or of an unknown format"
            print(f"{path}: not a readable image ({reason})", file=sys.stderr)
            status = 1
            continue
        logits = model(image[np.newaxis])[0]
        powers = np.exp(logits - logits.max())
        probabilities = powers / powers.sum()
        best = np.argsort(-probabilities, kind="stable")[:3]
        print(path, *(f"{classes[i]} {probabilities[i]:.4f}" for i in best), sep="\t")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
