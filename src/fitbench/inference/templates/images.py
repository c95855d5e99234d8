"""Reads image files as the model beside this file takes them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

MODEL = json.loads((Path(__file__).resolve().parent / "model.json").read_text(encoding="utf-8"))
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


def read(path: str) -> tuple[list[str], np.ndarray, list[str], list[str]]:
    """Read an image file: its name, uint8 [1, height, width, channels], why it cannot be read, and no notes."""
    try:
        return [path], read_image(path)[np.newaxis], [], []
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "damaged, too large, or of an unknown format"
        return [], np.empty(0), [f"{path}: not a readable image ({reason})"], []
