"""The formats that a model is exported in: what each needs, how it is made, and what runs it.

SavedModel, ONNX and LiteRT are made of one TensorFlow function from images to logits, so that the code of the layers
is no longer needed. TensorFlow makes the first and, with the converter that it contains, LiteRT; tf2onnx makes ONNX.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import platform
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.reader import Reader

OPSET = 18  # of ONNX: ONNX Runtime has it from version 1.14 (2023) on


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: as --format has it.
        model: the name of the model's file or folder.
        runtime: the packages that run it, the first of all the runtime; NumPy and Pillow aside.
        needs: the packages, beside TensorFlow, that make and check it, each under the module that it brings.
        write: writes the model of a reader to a path.
    """

    name: str
    model: str
    runtime: tuple[str, ...]
    needs: dict[str, str]
    write: Callable[[Reader, Path], None]

    def check_installed(self) -> None:
        """Refuse what cannot be made here.

        Raises:
            RequestError: naming what is not installed, and how to install it.
        """
        missing = [package for module, package in self.needs.items() if importlib.util.find_spec(module) is None]
        if missing:
            raise RequestError(
                f"--format {self.name} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
                f"installed; pip install 'fitbench[{self.name}]'"
            )

    def versions(self) -> dict[str, str]:
        """The versions of Python and of the packages that make and run it."""
        packages = dict.fromkeys(("fitbench", "keras", "tensorflow", "numpy", *self.needs.values(), *self.runtime))
        return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}


def _serve(model: Any, reader: Reader) -> Any:
    """The model as a TensorFlow function from images, uint8 [N, height, width, channels], to {'logits': float32}."""
    import tensorflow as tf

    def serve(images: Any) -> dict[str, Any]:
        return {"logits": tf.cast(model(images, training=False), tf.float32)}

    signature = [tf.TensorSpec((None, *reader.shape), tf.uint8, name="images")]
    return tf.function(serve, input_signature=signature, autograph=False)


def _save(model: Any, reader: Reader, path: Path) -> None:
    """Write a SavedModel with one function, `serve`, and nothing of Keras."""
    import tensorflow as tf

    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    module.serve = _serve(model, reader)
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})


def _write_saved_model(reader: Reader, path: Path) -> None:
    _save(reader.model, reader, path)


def _write_onnx(reader: Reader, path: Path) -> None:
    import tf2onnx

    _check_float32(reader, "onnx")
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    serve = _serve(reader.model, reader)
    tf2onnx.convert.from_function(serve, serve.input_signature, opset=OPSET, output_path=str(path))


def _write_litert(reader: Reader, path: Path) -> None:
    import tensorflow as tf
    from tensorflow.lite.tools import flatbuffer_utils

    _check_float32(reader, "litert")
    source = path.with_name("saved_model")
    _save(_on_floats(reader), reader, source)
    try:
        made = tf.lite.TFLiteConverter.from_saved_model(str(source)).convert()
    except Exception as error:
        lacking = re.search(r"^TF Select ops: (.+)$", str(error), re.MULTILINE)
        if lacking is None:
            raise
        raise FitbenchError(
            f"{reader.run_id}: cannot be converted to litert, whose runtime lacks TensorFlow's {lacking[1]:.100} for "
            "such numbers; saved_model has all of TensorFlow"
        ) from error
    shutil.rmtree(source)
    model = flatbuffer_utils.convert_bytearray_to_object(made)
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        # The converter leaves -1 for the unknown side in shapes that come of einsum, where the runtime expects 1.
        if tensor.shape is not None and min(tensor.shape, default=0) < 0:
            tensor.shapeSignature, tensor.shape = tensor.shape, [max(side, 1) for side in tensor.shape]
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _on_floats(reader: Reader) -> Any:
    """The model with floats, of the same values, from its first layer on: LiteRT cannot pad uint8."""
    import keras

    try:
        model = keras.models.clone_model(reader.model, input_tensors=keras.Input(reader.shape, dtype="float32"))
    except ValueError:  # Keras clones no model of a class of its own; perhaps it does not pad
        return reader.model
    model.set_weights(reader.model.get_weights())
    images = keras.Input(reader.shape, dtype="uint8")
    return keras.Model(images, model(keras.ops.cast(images, "float32")))


def _check_float32(reader: Reader, name: str) -> None:
    policy = reader.result["config"]["training"].get("dtype_policy")
    if policy != "float32":
        raise FitbenchError(
            f"{reader.run_id}: computes in {policy}, whose rounding --format {name} does not reproduce; saved_model "
            "and keras do"
        )


def _write_keras(reader: Reader, path: Path) -> None:
    from fitbench.inference import safety
    from fitbench.models import layers

    reader.model.save(path)
    own = safety.foreign(path)
    if own:
        raise FitbenchError(
            f"--format keras: the model has code of its own ({safety.names(own)}), which a model.keras does not carry; "
            "the other formats do"
        )
    if safety.has_own_layers(path):
        shutil.copyfile(layers.__file__, path.with_name("fitbench_layers.py"))


FORMATS = {
    made.name: made
    for made in (
        Format("saved_model", "saved_model", ("tensorflow",), {}, _write_saved_model),
        Format(
            "onnx",
            "model.onnx",
            ("onnxruntime",),
            {"tf2onnx": "tf2onnx", "onnx": "onnx", "onnxruntime": "onnxruntime"},
            _write_onnx,
        ),
        Format("litert", "model.tflite", ("ai-edge-litert",), {"ai_edge_litert": "ai-edge-litert"}, _write_litert),
        Format("keras", "model.keras", ("keras", "tensorflow"), {}, _write_keras),
    )
}
