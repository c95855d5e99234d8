"""Reads image files as the model beside this file takes them."""

import json
from pathlib import Path

import numpy as np
from image_pixels import IMAGE_FORMATS, ScaleError, displayed, fitted  # type: ignore[import-not-found]  # beside this file
from PIL import Image

INPUT = json.loads((Path(__file__).resolve().parent / "model.json").read_text(encoding="utf-8"))["input"]


def read_image(path: str) -> np.ndarray:
    """Read an image file as uint8 [height, width, channels], resized to the size that the model was trained on."""
    with Path(path).open("rb") as opened, Image.open(opened, formats=IMAGE_FORMATS) as file:
        return fitted(displayed(file, INPUT["max_value"]), tuple(INPUT["shape"][1:]))


def read(path: str) -> tuple[list[str], np.ndarray, list[str], list[str]]:
    """Read an image file: its name, uint8 [1, height, width, channels], why it cannot be read, and no notes."""
    try:
        return [path], read_image(path)[np.newaxis], [], []
    except ScaleError as error:
        return [], np.empty(0), [f"{path}: not a readable image ({error})"], []
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "damaged, too large, or of an unknown format"
        return [], np.empty(0), [f"{path}: not a readable image ({reason})"], []
