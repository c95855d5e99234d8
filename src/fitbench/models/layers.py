"""The layers of 1989 to 1998 that Keras lacks: scaled tanh, trainable subsampling, tables of connections, RBF outputs.

They are registered with Keras under `fitbench>`. A saved model that has one of them is loaded with
`keras.saving.load_model` after `import fitbench.models.layers`, in a process with any backend.

'1998' below is LeCun, Bottou, Bengio and Haffner, 'Gradient-based learning applied to document recognition',
Proceedings of the IEEE 86(11), section II.B and appendix A.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

Shape = tuple[Any, ...]  # sizes as Keras has them: None is any size

registered = keras.saving.register_keras_serializable(package="fitbench")


@registered
def scaled_tanh(x: Any) -> Any:
    """1.7159 tanh(2x/3), for tensors of any shape: it takes -1 and 1 to themselves (1998, appendix A)."""
    return 1.7159 * ops.tanh(2 / 3 * x)


def uniform(fan_in: int) -> keras.initializers.Initializer:
    """Weights from the uniform distribution on ±2.4 / fan-in, the number of inputs of a unit (1998, appendix A)."""
    return keras.initializers.RandomUniform(-2.4 / fan_in, 2.4 / fan_in)


@registered
class Subsampling(keras.layers.Layer):
    """Halves maps: the sum of each 2x2 pixels, times a coefficient, plus a bias, squashed (1998, S2 and S4).

    Coefficient and bias are trained, one of each per output map; the coefficient starts within ±2.4 / 4 and so does
    the bias. [batch, height, width, maps] becomes [batch, height // 2, width // 2, maps * copies]: with `copies`, so
    many neighbouring output maps see the same input map.
    """

    def __init__(self, copies: int = 1, **settings: Any) -> None:
        super().__init__(**settings)
        self.copies = copies

    def build(self, input_shape: Shape) -> None:
        """Create the two weights of each map."""
        maps = (input_shape[-1] * self.copies,)
        self.coefficient = self.add_weight(shape=maps, initializer=uniform(4), name="coefficient")
        self.bias = self.add_weight(shape=maps, initializer=uniform(4), name="bias")

    def call(self, x: Any) -> Any:
        """The smaller maps."""
        sums = 4 * ops.average_pool(x, (2, 2), (2, 2), data_format="channels_last")
        if self.copies > 1:
            sums = ops.repeat(sums, self.copies, axis=-1)
        return scaled_tanh(sums * self.coefficient + self.bias)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Half the height and width, rounded down."""
        batch, height, width, maps = input_shape
        return batch, height and height // 2, width and width // 2, maps * self.copies

    def get_config(self) -> dict[str, Any]:
        """What the layer is made with."""
        return {**super().get_config(), "copies": self.copies}


@registered
class TableConv2D(keras.layers.Layer):
    """A squashed convolution without padding in which each output map sees some of the input maps (1998, table I).

    Its weights are those of the connections and no others: the kernel is [size², connections], in the order of
    `table`, beside one bias per output map. A product with a constant 0/1 matrix lays them out as an ordinary kernel
    with zeros elsewhere, because one dense convolution is faster than several small ones. Weights and biases start
    within ±2.4 / (size² * inputs of their map).

    Args:
        table: for each output map, the input maps that it sees, from 0.
        size: height and width of the kernels.
    """

    def __init__(self, table: Sequence[Sequence[int]], size: int = 5, **settings: Any) -> None:
        super().__init__(**settings)
        self.table = [list(inputs) for inputs in table]
        self.size = size

    def build(self, input_shape: Shape) -> None:
        """Create the weights of the connections.

        Raises:
            ValueError: the table names an input map that there is not, or one twice for the same output map.
        """
        maps = input_shape[-1]
        for inputs in self.table:
            if len(set(inputs)) != len(inputs) or not all(0 <= of < maps for of in inputs):
                raise ValueError(f"the table has {inputs} for an output map, of {maps} input maps")
        pairs = [(of, to) for to, inputs in enumerate(self.table) for of in inputs]
        self.places = np.zeros((len(pairs), maps, len(self.table)), np.float32)
        for connection, pair in enumerate(pairs):
            self.places[(connection, *pair)] = 1
        fans = np.array([self.size**2 * len(inputs) for inputs in self.table])
        self.kernel = self.add_weight(
            shape=(self.size**2, len(pairs)), initializer=_uniform(fans[[to for _, to in pairs]]), name="kernel"
        )
        self.bias = self.add_weight(shape=(len(self.table),), initializer=_uniform(fans), name="bias")

    def call(self, x: Any) -> Any:
        """The output maps."""
        places = ops.cast(ops.convert_to_tensor(self.places.reshape(len(self.places), -1)), self.compute_dtype)
        kernel = ops.reshape(ops.matmul(self.kernel, places), (self.size, self.size, *self.places.shape[1:]))
        return scaled_tanh(ops.conv(x, kernel, padding="valid", data_format="channels_last") + self.bias)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The image less a margin of size - 1."""
        batch, height, width, _ = input_shape
        less = self.size - 1
        return batch, height and height - less, width and width - less, len(self.table)

    def get_config(self) -> dict[str, Any]:
        """What the layer is made with."""
        return {**super().get_config(), "table": self.table, "size": self.size}


def _uniform(fans: np.ndarray) -> Any:
    """An initialiser that draws column i from the uniform distribution on ±2.4 / fans[i]."""

    def draw(shape: tuple[int, ...], dtype: Any = None) -> Any:
        return keras.initializers.RandomUniform(-2.4, 2.4)(shape, dtype=dtype) / ops.cast(fans, dtype)

    return draw


@registered
class RadialBasis(keras.layers.Layer):
    """Less the squared Euclidean distance from each of some fixed codes (1998, equation 7).

    [batch, length] becomes float32 [batch, codes]. `losses.MaximumAPosteriori` is the paper's loss for them (1998,
    equation 9). The softmax cross-entropy is the same without its constant j, which stands for images of no class.

    Args:
        codes: for each output a string of `length` characters, `#` for 1 and any other for -1.
    """

    def __init__(self, codes: Sequence[str], **settings: Any) -> None:
        super().__init__(**settings)
        self.codes = list(codes)
        self.centres = np.array([[1 if pixel == "#" else -1 for pixel in code] for code in self.codes], np.float32)

    def call(self, x: Any) -> Any:
        """-|x - w|² = 2 w·x - |x|² - |w|², whose product is one matrix product."""
        centres = ops.convert_to_tensor(self.centres)
        x = ops.cast(x, "float32")
        lengths = ops.sum(ops.square(x), axis=-1, keepdims=True) + self.centres.shape[1]
        return 2 * ops.matmul(x, ops.transpose(centres)) - lengths

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """One output per code."""
        return input_shape[0], len(self.codes)

    def get_config(self) -> dict[str, Any]:
        """What the layer is made with."""
        return {**super().get_config(), "codes": self.codes}


@registered
class AreaResize(keras.layers.Layer):
    """Makes images smaller, [batch, height, width, channels] to [batch, *size, channels]: each pixel is the mean of
    the area that it covers. In float32.
    """

    def __init__(self, size: Sequence[int], **settings: Any) -> None:
        super().__init__(**{"dtype": "float32", **settings})
        self.size = tuple(size)

    def call(self, x: Any) -> Any:
        """Rows, then columns, as two matrix products."""
        rows, columns = (_shares(old, new) for old, new in zip(x.shape[1:3], self.size, strict=True))
        return ops.einsum("bijc,hi,wj->bhwc", ops.cast(x, "float32"), rows, columns)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The new height and width."""
        return input_shape[0], *self.size, input_shape[-1]

    def get_config(self) -> dict[str, Any]:
        """What the layer is made with."""
        return {**super().get_config(), "size": list(self.size)}


def _shares(old: int, new: int) -> np.ndarray:
    """The share of each of `old` equal parts of a line in each of `new` equal parts of it, float32 [new, old]."""
    ends = np.arange(new + 1) * old / new
    low, high = ends[:-1, None], ends[1:, None]
    part = np.arange(old)
    covered = np.clip(np.minimum(high, part + 1) - np.maximum(low, part), 0, None)
    return (covered * new / old).astype(np.float32)


@registered
class Standardize(keras.layers.Layer):
    """(pixel - mean) / standard deviation, for each pixel and channel on its own, in float32.

    As scikit-learn's StandardScaler: the deviation is that of all images (divided by N), and a pixel that is the same
    in every image is only shifted. `adapt` sets both; they are saved with the model and not trained.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"dtype": "float32", **settings})

    def get_config(self) -> dict[str, Any]:
        """What the layer is made with. Without this method a saved model would lose the layer's name."""
        return super().get_config()

    def build(self, input_shape: Shape) -> None:
        """Create mean and deviation, [height, width, channels]."""
        shape = tuple(input_shape[1:])
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(shape=shape, initializer="ones", trainable=False, name="deviation")

    def adapt(self, images: Any) -> None:
        """Take mean and deviation from images, uint8 [N, height, width, channels]; exact, some images at a time."""
        sums = np.zeros((2, *images.shape[1:]), np.int64)
        for start in range(0, images.shape[0], 4096):
            chunk = np.asarray(images[start : start + 4096]).astype(np.int64)
            sums += np.stack([chunk.sum(axis=0), (chunk**2).sum(axis=0)])
        mean, square = sums / images.shape[0]
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        self.mean.assign(mean)
        self.deviation.assign(np.where(deviation < 1e-6, 1, deviation))

    def call(self, x: Any) -> Any:
        """The standardised images."""
        return (ops.cast(x, "float32") - self.mean) / self.deviation

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The same."""
        return tuple(input_shape)
