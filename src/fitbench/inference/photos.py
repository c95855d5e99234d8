"""Turns a photo or scan of a digit into an image like those of MNIST.

http://yann.lecun.com/exdb/mnist/ describes how MNIST was made. The digits were size-normalised to fit into a 20x20 box,
keeping their proportions; antialiasing gave grey levels. They were then placed in a 28x28 field so that their centre of
mass lies in its centre. Digits are light on dark. In the files, they were shifted by whole pixels, and their centre of
mass lies on the pixel (14, 14).
"""

from __future__ import annotations

import numpy as np
from PIL import Image

MAX_SIDE = 256  # pixels; larger images are reduced first, since a digit gets only 20
SURFACE_POINTS = 3000  # pixels that a surface is fitted to
BOX = 20 / 28  # size of the digit, as a fraction of the sides
EDGE = 0.08  # pieces of ink that lie along the edge are removed; its width as a fraction of the sides
MIN_CONTRAST = 20  # grey levels between paper and ink
MIN_STROKE = 2.0  # pixels, width of a stroke in the box; half of MNIST's strokes are wider
SPECK = 0.03  # smaller pieces, relative to the largest piece of ink, are removed

NEIGHBOURS = np.ones((3, 3))


def like_mnist(grey: Image.Image, height: int, width: int) -> np.ndarray:
    """Return the digit light on black, as large as the box, and centred: uint8 [height, width]."""
    factor = -(-max(grey.size) // MAX_SIDE)
    if factor > 1:
        grey = grey.reduce(factor)
    ink = _clean(*_ink(np.asarray(grey)))
    if not ink.any():
        return np.zeros((height, width), np.uint8)
    return _centre(_scale(ink, round(BOX * height), round(BOX * width)), height, width)


# -- paper and ink ----------------------------------------------------------------------------------------------------


def _ink(grey: np.ndarray) -> tuple[np.ndarray, float]:
    """Return how much each pixel, uint8, differs from the paper, float32 from 0 to 255, and the noise of the paper.

    Ink is dark on light paper, or light on dark paper. Most of the border of the image is paper.
    """
    counts = np.bincount(_border(grey), minlength=256)
    level = int(counts.argmax())
    if counts[level] > 0.6 * counts.sum():  # a drawing or a clean scan
        deviation, noise = grey.astype(np.float32) - level, 0.0
        is_light = level == 0 or (level < 255 and deviation.sum() > 0)
    else:
        deviation, noise, is_light = _deviation(grey.astype(np.float32))
    return np.maximum(deviation if is_light else -deviation, 0), noise


def _deviation(grey: np.ndarray) -> tuple[np.ndarray, float, bool]:
    """Return the deviation of each pixel of a photo from the paper, the noise of the paper, and whether ink is lighter.

    Paper is lit unevenly, so it is modelled as a quadratic surface. The first guess is a plane through the outermost
    pixels with the least absolute deviations, which ink on less than half of them does not move.
    """
    step = max(1, round(np.sqrt(grey.size / SURFACE_POINTS)))
    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in grey.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    border_terms, border = _border(terms[..., :3]), _border(grey)
    weights = np.ones_like(border)
    for _ in range(8):
        plane = _fit(border_terms, border, weights)
        weights = 1 / (np.abs(border - border_terms @ plane) + 1)
    sample, values = terms[::step, ::step], grey[::step, ::step]
    deviation = values - sample[..., :3] @ plane
    for _ in range(2):  # two classes: paper and ink
        above = deviation > _threshold(deviation)
        is_light = _border(above).mean() < 0.5
        paper = ~above if is_light else above
        surface = _fit(sample[paper], values[paper], np.ones(int(paper.sum()), np.float32))
        deviation = values - sample @ surface
    noise = max(1.0, float(deviation[paper].std()))
    if paper.all() or abs(float(deviation[~paper].mean())) < 4 * noise:  # both classes are paper
        noise = max(1.0, float(deviation.std()))
    return grey - terms @ surface, noise, bool(is_light)


def _border(pixels: np.ndarray) -> np.ndarray:
    """Return the outermost pixels, [N, ..], of pixels [height, width, ..]."""
    is_border = np.ones(pixels.shape[:2], bool)
    is_border[1:-1, 1:-1] = False
    return pixels[is_border]


def _threshold(values: np.ndarray) -> float:
    """Return the threshold that divides values into two classes with the largest variance between them (Otsu 1979)."""
    counts, edges = np.histogram(values, 128)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    sums = np.cumsum(counts * middles)
    above = values.size - below
    between = (sums[:-1] * values.size - sums[-1] * below) ** 2 / np.maximum(below * above, 1)
    return float(edges[1 + int(between.argmax())])


def _fit(terms: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fit values [N] by terms [N, K] with weighted least squares. Return the coefficients [K]."""
    weighted = terms * weights[:, None]
    return np.linalg.solve(weighted.T @ terms + 1e-3 * np.eye(terms.shape[1], dtype=np.float32), weighted.T @ values)


# -- the digit --------------------------------------------------------------------------------------------------------


def _clean(ink: np.ndarray, noise: float) -> np.ndarray:
    """Remove noise, specks and pieces along the edge from ink, and scale its maximum to 255."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(ink, 0.7) if noise else ink
    peak = float(smooth.max())
    if peak < max(MIN_CONTRAST, 5 * noise):
        return np.zeros_like(ink)
    pieces, count = ndimage.label(smooth > max(0.25 * peak, 3 * noise), NEIGHBOURS)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    sizes[np.setdiff1d(np.arange(count + 1), pieces[smooth > max(0.4 * peak, 4 * noise)])] = 0
    rows, columns = (max(1, round(EDGE * side)) for side in ink.shape)
    inside = np.bincount(pieces[rows:-rows, columns:-columns].ravel(), minlength=count + 1)
    sizes[inside < 0.1 * sizes] = 0  # such as the edge of the paper
    if not sizes.any():
        return np.zeros_like(ink)
    digit = (sizes >= max(1, SPECK * sizes.max()))[pieces]
    level = float(np.percentile(smooth[digit], 80))
    antialiased = np.where(ndimage.binary_dilation(digit, NEIGHBOURS), smooth, 0)
    return np.minimum(antialiased * (255 / level), 255)


def _scale(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale ink to fit into height x width pixels, keeping its proportions. Strokes that are too thin are widened."""
    from scipy import ndimage

    ink = ink[ndimage.find_objects(ink > 0, max_label=1)[0]]
    scale = min(height / ink.shape[0], width / ink.shape[1])
    # the mean distance of a stroke's pixels from its edge is a quarter of its width
    stroke = 4 * float(ndimage.distance_transform_edt(np.pad(ink > 127, 1)).sum()) / max(1, int((ink > 127).sum()))
    missing = MIN_STROKE / scale - stroke
    if missing > 1:
        side = round(missing / 2)
        ink = np.pad(ink, side)
        ink = ndimage.grey_dilation(ink, (2 * side + 1, 2 * side + 1))
        scale = min(height / ink.shape[0], width / ink.shape[1])
    size = (max(1, round(scale * ink.shape[1])), max(1, round(scale * ink.shape[0])))
    small = Image.fromarray(ink).resize(size, Image.Resampling.BICUBIC)
    values = np.clip(np.asarray(small), 0, None)
    return np.minimum(values * (255 / max(1.0, float(values.max()))), 255)


def _centre(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Shift ink by whole pixels so that its centre of mass lies in the middle: uint8 [height, width]."""
    from scipy import ndimage

    field = np.zeros((3 * height, 3 * width), np.float32)
    row, column = ndimage.center_of_mass(ink)
    top, left = round(1.5 * height - row), round(1.5 * width - column)
    field[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return np.rint(field[height : 2 * height, width : 2 * width]).astype(np.uint8)
