"""Random distortions of the training images: layers that act while training and pass images through otherwise.

A distortion says where each pixel of the new image comes from; `resample` does the rest. All that is random comes from
the state of a seed generator, which is one of the layer's variables: the same state gives the same images.
"""

import math
from typing import Any

import keras
from keras import layers, ops

from fitbench.config import Affine, Distortion, Elastic, LeCun
from fitbench.models.elastic import displacement_factor
from fitbench.models.resampling import fused, resample


def distorted(model: keras.Model, input_shape: tuple[int, int, int], distortion: Distortion, seed: int) -> keras.Model:
    """A model that distorts its images and hands them to `model`, whose weights are its own.

    Between the two, pixels are whole values from 0 to 255, as they come from a file; what moves in from outside of the
    image is 0.
    """
    images = keras.Input(input_shape, dtype="uint8", name="pixels")
    layer = distorting(distortion, seed)
    x = images if layer is None else layer(images)
    return keras.Model(images, model(x), name=f"trained_{model.name}")


def distorting(distortion: Distortion, seed: int) -> layers.Layer | None:
    """The layer of a distortion, whose random numbers begin with this seed; None for no distortion."""
    match distortion:
        case Affine(rotation=rotation, translation=translation, zoom=zoom):
            return RandomAffine(rotation=rotation, shift=translation, width=zoom, height=zoom, seed=seed)
        case LeCun(shift=shift, scale=scale, skew=skew, compression=compression):
            return RandomAffine(shift=shift, scale=scale, skew=skew, compression=compression, seed=seed)
        case Elastic(sigma=sigma, alpha=alpha):
            return RandomElastic(sigma, alpha, seed)
    return None


class RandomResampling(layers.Layer):
    """A layer that resamples images, [batch, height, width, channels], each at random positions, while training.

    It gives float32 of whole values from 0 to 255. A subclass draws its random numbers and turns them into positions.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(dtype="float32", autocast=False)
        self.random = keras.random.SeedGenerator(seed)
        self.resampled = fused(lambda images, drawn: resample(images, *self.positions(drawn, images.shape)))

    def call(self, images: Any, training: bool = False) -> Any:
        """The images, resampled if `training`."""
        if not training:
            return ops.cast(images, "float32")
        return self.resampled(images, self.drawn(ops.shape(images)))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """That of the images."""
        return input_shape

    def drawn(self, shape: tuple) -> Any:
        """New random numbers for images of this shape."""
        raise NotImplementedError

    def positions(self, drawn: Any, shape: tuple) -> tuple[Any, Any]:
        """The rows and the columns, float32 [batch, height, width], where each pixel comes from."""
        raise NotImplementedError


class RandomAffine(RandomResampling):
    """Affine maps about the middle of the image, their amounts uniform between minus and plus these maxima.

    Around the middle, [x, y] moves to R S [x, y] + t, where S squeezes, scales and skews and R rotates.

    Args:
        rotation: degrees.
        shift: t, as fractions of the width and the height.
        width, height: the width is multiplied by 1 + one amount, the height by 1 + another.
        scale: width and height are multiplied by 1 + the amount.
        compression: the width is multiplied and the height divided by 1 + the amount: 'squeezing (simultaneous
            horizontal compression and vertical elongation, or the reverse)', LeCun et al. 1998, section III.A.
        skew: a horizontal shear, columns for each row.
        seed: of the random numbers.
    """

    def __init__(
        self,
        *,
        rotation: float = 0,
        shift: float = 0,
        width: float = 0,
        height: float = 0,
        scale: float = 0,
        compression: float = 0,
        skew: float = 0,
        seed: int,
    ) -> None:
        super().__init__(seed)
        self.maxima = (math.radians(rotation), shift, shift, width, height, scale, compression, skew)

    def drawn(self, shape: tuple) -> Any:
        """One amount for each image and maximum, float32 [maxima, batch, 1, 1]."""
        return keras.random.uniform((len(self.maxima), shape[0], 1, 1), -1, 1, seed=self.random)

    def positions(self, drawn: Any, shape: tuple) -> tuple[Any, Any]:
        """By the inverse of the map, as for every new pixel it is asked where that comes from."""
        amounts = [drawn[number] * maximum for number, maximum in enumerate(self.maxima)]
        angle, right, down, wider, higher, scale, compression, skew = amounts
        _, height, width, _ = shape
        middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
        y = ops.reshape(ops.arange(height, dtype="float32"), (1, -1, 1)) - middle_row - down * height
        x = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, -1)) - middle_column - right * width
        cos, sin = ops.cos(angle), ops.sin(angle)
        x, y = cos * x + sin * y, cos * y - sin * x
        x = x - skew * y
        x = x / ((1 + wider) * (1 + scale) * (1 + compression))
        y = y / ((1 + higher) * (1 + scale)) * (1 + compression)
        return y + middle_row, x + middle_column


class RandomElastic(RandomResampling):
    """Elastic distortions (Simard, Steinkraus and Platt 2003, section 2), see `elastic`.

    Args:
        sigma: the standard deviation of the Gaussian that smooths the displacements, in pixels.
        alpha: what the smoothed displacements are multiplied by.
        seed: of the random numbers.
    """

    def __init__(self, sigma: float, alpha: float, seed: int) -> None:
        super().__init__(seed)
        self.sigma = sigma
        self.alpha = alpha

    def build(self, input_shape: tuple) -> None:
        """The factors of the displacements' covariance, for images of this size."""
        _, height, width, _ = input_shape
        self.down = displacement_factor(height, self.sigma, self.alpha).T
        self.across = displacement_factor(width, self.sigma, self.alpha).T
        self.built = True

    def drawn(self, shape: tuple) -> Any:
        """Displacements in pixels, float32 [batch, 2, height, width]."""
        batch, height, width, _ = shape
        (ranks, _), (wide, _) = self.down.shape, self.across.shape
        noise = keras.random.normal((batch * 2 * wide, ranks), seed=self.random)
        columns = ops.reshape(ops.matmul(noise, self.down), (batch * 2, wide, height))
        columns = ops.reshape(ops.transpose(columns, (0, 2, 1)), (batch * 2 * height, wide))
        return ops.reshape(ops.matmul(columns, self.across), (batch, 2, height, width))

    def positions(self, drawn: Any, shape: tuple) -> tuple[Any, Any]:
        """The pixels' own positions and the displacements."""
        rows = ops.reshape(ops.arange(shape[1], dtype="float32"), (1, -1, 1))
        columns = ops.reshape(ops.arange(shape[2], dtype="float32"), (1, 1, -1))
        return rows + drawn[:, 0], columns + drawn[:, 1]
