"""Runs an exported model on images: python run_exported.py FOLDER IMAGES.npy LOGITS.npy BATCH FORBIDDEN..

It uses predict.py of the folder as if the FORBIDDEN modules were not installed.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main(folder: str, images: str, logits: str, batch: str, *forbidden: str) -> None:
    """Write logits, float32 [N, classes], for images, uint8 [N, height, width, channels], in batches."""
    modules: dict[str, Any] = sys.modules
    modules |= dict.fromkeys(forbidden)  # None makes an import fail
    spec = importlib.util.spec_from_file_location("predict", f"{folder}/predict.py")
    assert spec is not None and spec.loader is not None
    predict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(predict)
    compute = predict.load(Path(folder))
    pixels, size = np.load(images, mmap_mode="r"), int(batch)
    parts = [compute(np.ascontiguousarray(pixels[start : start + size])) for start in range(0, len(pixels), size)]
    np.save(logits, np.concatenate(parts))


if __name__ == "__main__":
    main(*sys.argv[1:])
