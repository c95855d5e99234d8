"""The formats of exported models: the packages that each needs, and the function that writes it.

SavedModel, ONNX and LiteRT are written from one TensorFlow function from inputs to outputs, so the code of the layers
is no longer needed. TensorFlow writes SavedModel and, with its converter, LiteRT. tf2onnx writes ONNX.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.reader import Reader

ONNX_OPSET = 18  # supported by ONNX Runtime since version 1.14 (2023)


@dataclass(frozen=True)
class Format:
    """A format of exported models.

    Attributes:
        name: the value of --format.
        model: the name of the model's file or folder.
        runtime: the packages that run the model, the runtime first, without NumPy and Pillow.
        needs: the packages, besides TensorFlow, that write and check the format.
        write: writes the model of a reader to a path.
    """

    name: str
    model: str
    runtime: tuple[str, ...]
    needs: tuple[str, ...]
    write: Callable[[Reader, Path], None]

    def check_installed(self) -> None:
        """Check that the packages of the format are installed.

        Raises:
            RequestError: a package is missing; the message says how to install it.
        """
        missing = [package for package in self.needs if find_spec(package.replace("-", "_")) is None]
        if missing:
            raise RequestError(f"--format {self.name} needs {', '.join(missing)}: pip install 'fitbench[{self.name}]'")

    def versions(self) -> dict[str, str]:
        """Return the versions of Python and of the packages that write and run the format."""
        packages = dict.fromkeys(("fitbench", "keras", "tensorflow", "numpy", *self.needs, *self.runtime))
        return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}


def _serve(reader: Reader) -> Any:
    """Return a TensorFlow function from inputs [N, *shape] to the outputs, float32, under their name."""
    import tensorflow as tf

    def serve(inputs: Any) -> dict[str, Any]:
        return {output_name(reader): tf.cast(reader.model(inputs, training=False), tf.float32)}

    signature = [tf.TensorSpec((None, *reader.inputs.shape), reader.inputs.dtype, name=reader.inputs.nouns)]
    return tf.function(serve, input_signature=signature, autograph=False)


def output_name(reader: Reader) -> str:
    """What the outputs of an exported model are called: values of a regression, else logits."""
    return reader.task.outputs_name if reader.task.has_values else "logits"


def _write_saved_model(reader: Reader, path: Path) -> None:
    """Write a SavedModel with one function, `serve`, and without Keras."""
    import tensorflow as tf

    module = tf.Module()
    module.weights = [weight.value for weight in reader.model.weights]
    module.serve = _serve(reader)
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})


def _write_onnx(reader: Reader, path: Path) -> None:
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    serve = _serve(reader)
    tf2onnx.convert.from_function(serve, serve.input_signature, opset=ONNX_OPSET, output_path=str(path))


def _write_litert(reader: Reader, path: Path) -> None:
    import tensorflow as tf
    from tensorflow.lite.tools import flatbuffer_utils

    model = _with_float_inputs(reader)
    with tempfile.TemporaryDirectory(prefix="fitbench-") as source, _unrolled(model):
        _write_saved_model(replace(reader, model=model), Path(source))
        content = tf.lite.TFLiteConverter.from_saved_model(source).convert()
    converted = flatbuffer_utils.convert_bytearray_to_object(content)
    for tensor in (tensor for graph in converted.subgraphs for tensor in graph.tensors):
        # For einsum, the converter writes -1 for the unknown side of a shape. The runtime expects 1.
        if tensor.shape is not None and min(tensor.shape, default=0) < 0:
            tensor.shapeSignature, tensor.shape = tensor.shape, [max(side, 1) for side in tensor.shape]
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(converted))


@contextlib.contextmanager
def _unrolled(model: Any) -> Iterator[None]:
    """Have a copy of recurrent layers for each step, because LiteRT has no loop for batches of any size."""
    import keras

    recurrent = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN)]
    before = [layer.unroll for layer in recurrent]
    try:
        for layer in recurrent:
            layer.unroll = True
        yield
    finally:
        for layer, unroll in zip(recurrent, before, strict=True):
            layer.unroll = unroll


def _with_float_inputs(reader: Reader) -> Any:
    """Return the model with a cast to float32 before its first layer, because LiteRT cannot pad uint8."""
    import keras

    inputs = reader.inputs
    if inputs.dtype == "float32":
        return reader.model
    try:
        model = keras.models.clone_model(reader.model, input_tensors=keras.Input(inputs.shape, dtype="float32"))
    except ValueError:  # Keras cannot clone a subclassed model; it may not need the cast
        return reader.model
    model.set_weights(reader.model.get_weights())
    images = keras.Input(inputs.shape, dtype=inputs.dtype)
    return keras.Model(images, model(keras.ops.cast(images, "float32")))


def _write_keras(reader: Reader, path: Path) -> None:
    from fitbench.models import layers
    from fitbench.record import safety

    reader.model.save(path)
    own_code = safety.foreign(path)
    if own_code:
        raise FitbenchError(
            f"--format keras: the model has code of its own ({safety.names(own_code)}), which a model.keras does not "
            "contain; use another format"
        )
    shutil.copyfile(layers.__file__, path.with_name("fitbench_layers.py"))


_FORMATS = (
    Format("saved_model", "saved_model", ("tensorflow",), (), _write_saved_model),
    Format("onnx", "model.onnx", ("onnxruntime",), ("tf2onnx", "onnx", "onnxruntime"), _write_onnx),
    Format("litert", "model.tflite", ("ai-edge-litert",), ("ai-edge-litert",), _write_litert),
    Format("keras", "model.keras", ("keras", "tensorflow"), (), _write_keras),
)
FORMATS = {format.name: format for format in _FORMATS}
