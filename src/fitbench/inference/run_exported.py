"""Runs an exported model: python run_exported.py FOLDER INPUTS.npy OUTPUTS.npy BATCH FORBIDDEN..

It uses predict.py of the folder as if the FORBIDDEN modules were not installed.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main(folder: str, inputs: str, outputs: str, batch: str, *forbidden: str) -> None:
    """Write outputs, float32 [N, outputs], for inputs [N, ..], in batches."""
    modules: dict[str, Any] = sys.modules
    modules |= dict.fromkeys(forbidden)  # None makes an import fail
    spec = importlib.util.spec_from_file_location("predict", f"{folder}/predict.py")
    assert spec is not None and spec.loader is not None
    predict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(predict)
    compute = predict.load(Path(folder))
    examples, size = np.load(inputs, mmap_mode="r"), int(batch)
    parts = [compute(np.ascontiguousarray(examples[start : start + size])) for start in range(0, len(examples), size)]
    np.save(outputs, np.concatenate(parts))


if __name__ == "__main__":
    main(*sys.argv[1:])
