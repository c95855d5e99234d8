"""The networks of keras.applications, as a rule with weights that they were trained to elsewhere."""

import contextlib
import inspect
import socket
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from fitbench.errors import RequestError
from fitbench.models.annotations import Application, Fraction, ImageSize, PretrainedWeights
from fitbench.models.blocks import logits
from fitbench.text import first_line, nearest

FIXED = ("include_top", "weights", "input_tensor", "input_shape", "pooling", "classes", "classifier_activation", "name")
SERVER_SECONDS = 20  # that a server may be silent while weights are downloaded
ALL_LAYERS = "all"  # value of freeze: no layer of the network is trained


def pretrained(
    input_shape: tuple[int, int, int],
    outputs: int,
    application: Application,
    weights: PretrainedWeights | None,
    freeze: str | None,
    image_size: ImageSize | None,
    dropout: Fraction,
    arguments: dict[str, Any] | None,
) -> keras.Model:
    """A network of keras.applications without its top, global average pooling, dropout and a dense layer.

    The model takes images, uint8 [batch, height, width, 1 or 3], from 0 to 255. Its first layers resize them to
    `image_size` by bilinear interpolation, repeat grey three times, and do what the application's own
    `preprocess_input` does. Layers that are frozen keep their weights. Batch normalisation that is frozen uses its
    recorded mean and variance, in training too.

    Args:
        input_shape: [height, width, channels] of the images.
        outputs: how many the model has.
        application: its name in keras.applications.
        weights: imagenet: those that Keras downloads; the path of a file: those that `save_weights` or Keras's servers
            wrote, of the network without its top; None: random ones.
        freeze: all: no layer of the network is trained; the name of a layer: those up to this one are not, itself
            included; None: all are trained.
        image_size: [height, width] in pixels; None: that of the images.
        dropout: the fraction of the pooled features that is dropped in training.
        arguments: further arguments of the application, such as {alpha: 0.5} of MobileNetV2; None: none.

    Raises:
        ValueError: the images do not fit.
        RequestError: the weights cannot be read, downloaded, or are of another network; there is no such layer or
            argument; or layers with random weights are to be frozen.
    """
    if input_shape[-1] not in (1, 3):
        raise ValueError(f"it takes images of 1 or 3 channels; these have {input_shape[-1]}")
    if freeze is not None and weights is None:
        raise RequestError(
            f"model.freeze={freeze} would keep random weights, because model.weights is null; set model.freeze=null, "
            "or model.weights"
        )
    height, width = image_size or input_shape[:2]
    network = _network(application, (height, width, 3), weights, arguments or {})
    _freeze(network, application, freeze)
    images = keras.Input(input_shape, dtype="uint8", name="pixels")
    x = ops.cast(images, "float32")
    if (height, width) != tuple(input_shape[:2]):
        # a layer Resizing would have the whole model run as in training, unless its caller says otherwise
        x = ops.image.resize(x, (height, width), data_format="channels_last")
    if input_shape[-1] == 1:
        x = layers.Concatenate(dtype="float32", name="grey_repeated")([x, x, x])
    x = layers.GlobalAveragePooling2D()(network(preprocessed(x, application)))
    x = layers.Dropout(dropout)(x)
    return keras.Model(images, logits(outputs)(x), name="pretrained")


def preprocessed(x: Any, application: str) -> Any:
    """Images, float32 [batch, height, width, 3] from 0 to 255, as the application's `preprocess_input` gives them.

    Every such function multiplies each colour by a number and adds another, and some reverse the order of the colours.
    Its values for black, red, green and blue tell which.
    """
    module = sys.modules[getattr(keras.applications, application).__module__]
    black, *primaries = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)]
    images = np.array([black, *primaries], np.float32).reshape(4, 1, 1, 3)
    offset, *values = np.float64(module.preprocess_input(images)).reshape(4, 3)
    scales = (np.array(values) - offset) / 255  # [colour of the image, colour that preprocess_input gives]
    if scales[0, 0] == 0:
        x = ops.flip(x, axis=-1)
    scale = scales.sum(axis=0)
    if (scale == 1).all() and (offset == 0).all():
        return x  # the network begins with its own preprocessing
    return layers.Rescaling(scale.tolist(), offset.tolist(), dtype="float32", name="preprocessed")(x)


def _network(
    application: str, shape: tuple[int, int, int], weights: str | None, arguments: Mapping[str, Any]
) -> keras.Model:
    """The network without its top, for images of this shape."""
    builder = getattr(keras.applications, application)
    _check_arguments(
        application, [name for name in inspect.signature(builder).parameters if name not in FIXED], arguments
    )
    from_keras = "imagenet" if weights == "imagenet" else None
    try:
        # MobileNets warn of the size of images
        with _download_errors_explained(application), warnings.catch_warnings(action="ignore"):
            network = builder(include_top=False, weights=from_keras, input_shape=shape, **arguments)
    except ValueError as error:
        advice = "; set model.image_size=[height, width]" if str(error).startswith("Input size") else ""
        raise ValueError(f"{application}: {first_line(error).rstrip('.')}{advice}") from error
    if weights is not None and from_keras is None:
        _load(network, application, Path(weights))
    return network


def _check_arguments(application: str, allowed: list[str], arguments: Mapping[str, Any]) -> None:
    for name in arguments:
        if name not in allowed:
            raise RequestError(
                f"model.arguments.{name}: {application} has no such argument; it has {', '.join(allowed) or 'none'}"
            )


def _freeze(network: keras.Model, application: str, freeze: str | None) -> None:
    """Keep the weights of all layers, or of those up to the one of this name."""
    if freeze is None:
        return
    names = [layer.name for layer in network.layers]
    if freeze != ALL_LAYERS and freeze not in names:
        near = nearest(freeze, names)
        hint = f"did you mean {near[0]}?" if near else f"it ends with {', '.join(names[-3:])}"
        raise RequestError(f"model.freeze={freeze}: {application} has no layer of this name; {hint}")
    for layer in network.layers if freeze == ALL_LAYERS else network.layers[: names.index(freeze) + 1]:
        layer.trainable = False


def _load(network: keras.Model, application: str, path: Path) -> None:
    """Give the network the weights of a file, all of them.

    Raises:
        RequestError: it has others, or cannot be read.
    """
    if not path.is_file():
        raise RequestError(f"model.weights={path}: there is no such file")
    if path.suffix not in (".h5", ".keras"):
        raise RequestError(f"model.weights={path} must be a file of weights, .weights.h5 or .h5, or of a model, .keras")
    weights = [weight for weight in network.weights if "float" in str(weight.dtype)]
    for weight in weights:
        weight.assign(np.full(weight.shape, np.nan))  # Keras only warns of some layers that a file does not have
    try:
        with warnings.catch_warnings(action="ignore"):
            network.load_weights(path)
        if any(bool(ops.any(ops.isnan(weight))) for weight in weights):
            raise ValueError("some layers have no numbers there")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        raise RequestError(
            f"model.weights={path} has no weights of {application} without its top (include_top=False) and with these "
            f"arguments: {first_line(error).partition('. Example error')[0]:.300}"
        ) from error


@contextlib.contextmanager
def _download_errors_explained(application: str) -> Iterator[None]:
    """Explain in one line why Keras could not download weights within this block.

    Output of the download goes to stderr.

    Raises:
        RequestError: a download in the block failed; the message says where Keras looks for the file.
    """
    files: Any = sys.modules[keras.utils.get_file.__module__]
    get_file = files.get_file

    def downloaded(fname: str, origin: str, *others: Any, cache_subdir: str = "datasets", **settings: Any) -> str:
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(SERVER_SECONDS)
        try:
            with contextlib.redirect_stdout(sys.stderr):  # Keras tells of the download there
                return get_file(fname, origin, *others, cache_subdir=cache_subdir, **settings)
        except Exception as error:  # Keras raises this very class
            place = Path(files.config.keras_home()).absolute() / cache_subdir / fname
            raise RequestError(
                f"model.weights=imagenet: the weights of {application} cannot be downloaded "
                f"({first_line(error):.300}); save the file as {place}, or save it "
                "elsewhere and set model.weights to its path"
            ) from error
        finally:
            socket.setdefaulttimeout(before)

    files.get_file = downloaded
    try:
        yield
    finally:
        files.get_file = get_file
