"""The displacements of elastic distortions (Simard, Steinkraus and Platt 2003), drawn without smoothing any noise.

The source draws, for every pixel and both directions, a number that is uniform in [-1, 1], convolves these fields
with a Gaussian of standard deviation sigma (in pixels) and multiplies them by alpha. For MNIST, 28x28 pixels, sigma 4
and alpha 34 were best.

- What alpha multiplies: here the field convolved with a Gaussian whose weights sum to 1. A displacement then has the
  standard deviation alpha / (sqrt(3) 2 sqrt(pi) sigma), 1.38 pixels for MNIST. The source speaks of fields normalised
  to a norm of 1, as it explains what sigma does; read so, it would be alpha / 28, 1.21 pixels.
- What happens at the edges is not said. Here the noise goes on outside of the image, so that pixels at the edges move
  as much as others.
- A smoothed value is the weighted sum of about 4 pi sigma^2 = 200 independent numbers, normal in all but name. So a
  field is drawn as a normal one of the same covariance. That is the product of a covariance of rows and one of
  columns, C = F F', and F Z F' with a few standard normal numbers Z has it: 49 for MNIST in place of 784.
"""

import numpy as np

VARIANCE_KEPT = 0.999  # of the displacements, by the number of columns of a factor


def displacement_factor(pixels: int, sigma: float, alpha: float) -> np.ndarray:
    """F of a row or column of so many pixels, float32 [pixels, rank].

    For standard normal Z [rank, rank], `F_rows @ Z @ F_columns.T` are displacements of an image, in pixels.
    """
    reach = int(np.ceil(4 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    smoothing = np.zeros((pixels, pixels + 2 * reach))
    for pixel in range(pixels):
        smoothing[pixel, pixel : pixel + len(kernel)] = kernel / kernel.sum()
    left, values, _ = np.linalg.svd(smoothing, full_matrices=False)
    kept = np.cumsum(values**2) / np.sum(values**2)
    rank = int(np.searchsorted(kept, VARIANCE_KEPT)) + 1
    left *= np.where(left[0] < 0, -1, 1)  # a sign is free, and should not depend on the machine
    amplitude = np.sqrt(alpha / np.sqrt(3))  # the standard deviation of a number that is uniform in [-1, 1]: 1/sqrt(3)
    return (left[:, :rank] * values[:rank] * amplitude).astype(np.float32)
