"""Use the exported model beside this file: python predict.py FILE.."""

import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
MODEL = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
INPUT, OUTPUT = MODEL["input"]["name"], MODEL["output"]["name"]
BATCH = 1000


def load(folder: Path) -> Callable[[np.ndarray], Any]:
    """Load the model: a function from inputs [N, ..] to outputs, float32 [N, outputs], as model.json describes them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported: errors only
    loaders = {"saved_model": load_saved_model, "onnx": load_onnx, "litert": load_litert, "keras": load_keras}
    return loaders[MODEL["format"]](folder / MODEL["model"])


def load_saved_model(path: Path) -> Callable[[np.ndarray], Any]:
    """Load a SavedModel with TensorFlow, without Keras: pip install tensorflow."""
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    return lambda inputs: model.serve(tf.constant(inputs))[OUTPUT].numpy()


def load_onnx(path: Path) -> Callable[[np.ndarray], Any]:
    """Load a model with ONNX Runtime: pip install onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run([OUTPUT], {INPUT: inputs})[0]


def load_litert(path: Path) -> Callable[[np.ndarray], Any]:
    """Load a model with LiteRT: pip install ai-edge-litert."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))

    def compute(inputs: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], inputs.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], inputs)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return compute


def load_keras(path: Path) -> Callable[[np.ndarray], Any]:
    """Load a model with Keras 3, on any backend: pip install keras tensorflow."""
    import keras

    sys.path.insert(0, str(path.parent))
    importlib.import_module("fitbench_layers")  # layers that Keras does not have
    return keras.saving.load_model(path, compile=False).predict_on_batch


def describe(outputs: np.ndarray) -> list[str]:
    """What the outputs of an example say: its three best classes, its value of each target, or its labels."""
    names = ["".join(c if c.isprintable() else "?" for c in name) for name in MODEL["names"]]
    if MODEL["task"] == "regression":
        return [f"{name} {value:.6g}" for name, value in zip(names, outputs, strict=True)]
    if MODEL["task"] == "multilabel":
        shares = (1 / (1 + np.exp(-outputs.astype(np.float64)))).astype(np.float32)
        applying = [name for name, share in zip(names, shares, strict=True) if share >= np.float32(MODEL["threshold"])]
        return [", ".join(applying) or "-", *(f"{name} {share:.4f}" for name, share in zip(names, shares, strict=True))]
    powers = np.exp(outputs - outputs.max())
    shares = powers / powers.sum()
    return [f"{names[i]} {shares[i]:.4f}" for i in np.argsort(-shares, kind="stable")[:3]]


def main(paths: list[str]) -> int:
    """Print what the model says of each example. The exit status is 1 if one cannot be read."""
    if not paths:
        sys.exit("usage: python predict.py FILE..")
    read = importlib.import_module("inputs").read  # the file beside this one
    model = load(HERE)
    status = 0
    for path in paths:
        names, inputs, errors, notes = read(path)
        print(*notes, *errors, sep="\n", end="\n" if notes or errors else "", file=sys.stderr)
        status = 1 if errors else status
        for start in range(0, len(names), BATCH):
            outputs = model(inputs[start : start + BATCH])
            for name, output in zip(names[start:], outputs, strict=False):
                print(name, *describe(output), sep="\t")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
