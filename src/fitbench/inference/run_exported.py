"""What an exported model says of images: python run_exported.py FOLDER IMAGES.npy LOGITS.npy BATCH FORBIDDEN..

A program of its own: it uses the folder's predict.py as the folder's owner would, where the modules that are FORBIDDEN
are not installed.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main(folder: str, images: str, logits: str, batch: str, *forbidden: str) -> None:
    """Write logits, float32 [N, classes], for images, uint8 [N, height, width, channels], some at a time."""
    modules: dict[str, Any] = sys.modules
    modules |= dict.fromkeys(forbidden)  # which makes an import of them fail
    spec = importlib.util.spec_from_file_location("predict", f"{folder}/predict.py")
    assert spec is not None and spec.loader is not None
    predict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(predict)
    read = predict.load(Path(folder))
    pixels, size = np.load(images, mmap_mode="r"), int(batch)
    parts = [read(np.ascontiguousarray(pixels[start : start + size])) for start in range(0, len(pixels), size)]
    np.save(logits, np.concatenate(parts))


if __name__ == "__main__":
    main(*sys.argv[1:])
