"""Classify images with the exported model beside this file: python predict.py IMAGE.."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fitbench.inference.templates.runtime_onnx import load

HERE = Path(__file__).resolve().parent
MODEL = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
HEIGHT, WIDTH, CHANNELS = MODEL["input"]["shape"][1:]


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


def softmax(logits: np.ndarray) -> np.ndarray:
    """Convert logits, [N, classes], to probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def main(paths: list[str]) -> int:
    """Print the three most probable classes of each image. The exit status is 1 if an image cannot be read."""
    if not paths:
        sys.exit("usage: python predict.py IMAGE..")
    logits: Callable[[np.ndarray], np.ndarray] = load(HERE)
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
        probabilities = softmax(logits(image[np.newaxis]))[0]
        best = np.argsort(-probabilities, kind="stable")[:3]
        print(path, *(f"{classes[i]} {probabilities[i]:.4f}" for i in best), sep="\t")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
