"""An image made ready for a model: only resized, or a photo or scan of a digit turned into what MNIST looks like.

MNIST's authors describe its making at http://yann.lecun.com/exdb/mnist/: the digits were size-normalised to fit in a
20x20 box, keeping their proportions, which with antialiasing gave grey levels; then placed in a 28x28 field so that
their centre of mass lies in its centre. They are light on dark. In the files it is the pixel (14, 14) that the centre
of mass lies on, after shifting by whole pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
from PIL import Image

from fitbench.data.image_files import fitted

LARGEST = 256  # pixels of a side that are looked at: a digit is to have 20
POINTS = 3000  # pixels that a surface is laid through
BOX = 20 / 28  # of the sides is for the digit
FAINTEST = 20  # grey levels between paper and pen, at least
STROKE = 2.0  # pixels that a stroke in the box is wide, at least; of half of MNIST's they are more
LINE = 0.05  # of the image's side, which a line of a form is thick at most
LENGTH = 0.85  # of the image's side, which it is longer than
SPECK = 0.03  # of the largest piece of ink; what is smaller is none of the digit

AROUND = np.ones((3, 3))


class Prepare(Enum):
    """What is done to an image before a model sees it. What colour models see is resized and no more."""

    auto = "auto"
    none = "none"


def usual(result: Mapping[str, Any]) -> Prepare:
    """What suits a run, by its result.json: `auto` for models of MNIST's digits, `none` for others."""
    return Prepare.auto if str(result["data"]["name"]).startswith("mnist") else Prepare.none


def prepared(image: Image.Image, shape: tuple[int, int, int], how: Prepare) -> np.ndarray:
    """An image as a model takes it: uint8 [height, width, channels], `shape`.

    Args:
        image: as `images.decode` gives it.
        shape: of the model's images.
        how: `none` converts to grey or RGB and resizes, as reading a data set of image files does. `auto` makes it look
            like MNIST where the model takes grey images, and is `none` where it takes colour. An image that looks so
            already stays as it is; one of nothing is black.
    """
    height, width, channels = shape
    if how is Prepare.none or channels != 1:
        return fitted(image, shape)
    if image.size == (width, height):
        return prepared_all(fitted(image, shape)[np.newaxis], how)[0]
    grey = image if image.mode == "L" else image.convert("L")
    return _like_mnist(grey, height, width).reshape(shape)


def prepared_all(images: np.ndarray, how: Prepare) -> np.ndarray:
    """The same of many images that have the model's size already: uint8 [N, height, width, channels]."""
    if how is Prepare.none or images.shape[3] != 1:
        return images
    made = images.copy()
    normal = _is_normal(images[..., 0])
    inverted = ~normal & _is_normal(255 - images[..., 0])
    made[inverted] = 255 - images[inverted]
    for i in np.flatnonzero(~(normal | inverted)):
        made[i, ..., 0] = _like_mnist(Image.fromarray(images[i, ..., 0]), *images.shape[1:3])
    return made


def _is_normal(images: np.ndarray) -> np.ndarray:
    """Which images, uint8 [N, height, width], are light on black, as large as the box and in the middle: bool [N]."""
    normal = images.max(axis=(1, 2)) >= 0.9 * 255
    spare = []  # pixels of the box that are left free
    for axis, side in ((2, images.shape[1]), (1, images.shape[2])):
        mass = images.sum(axis=axis, dtype=np.float32)
        inked = mass > 0
        spare.append(round(BOX * side) - (side - inked.argmax(axis=1) - inked[:, ::-1].argmax(axis=1)))
        centre = mass @ np.arange(side, dtype=np.float32) / np.maximum(mass.sum(axis=1), 1)
        normal &= np.abs(centre - side / 2) <= 0.55
    least = np.minimum(*spare)
    return normal & (least >= 0) & (least <= 1)


def _like_mnist(grey: Image.Image, height: int, width: int) -> np.ndarray:
    """Light on dark, the digit as large as the box and in the middle: uint8 [height, width]."""
    factor = -(-max(grey.size) // LARGEST)
    if factor > 1:
        grey = grey.reduce(factor)
    ink = _cleaned(*_ink(np.asarray(grey)))
    if not ink.any():
        return np.zeros((height, width), np.uint8)
    return _centred(_scaled(ink, round(BOX * height), round(BOX * width)), height, width)


# -- paper and ink ----------------------------------------------------------------------------------------------------


def _ink(grey: np.ndarray) -> tuple[np.ndarray, float]:
    """How much each pixel, uint8, differs from the paper, float32 from 0 to 255, and the noise of the paper.

    Ink is dark on light paper or light on dark. Paper is what most of the border is.
    """
    counts = np.bincount(_border(grey, 0.12), minlength=256)
    level = int(counts.argmax())
    if counts[level] > 0.6 * counts.sum():  # a drawing or a clean scan
        off, noise = grey.astype(np.float32) - level, 0.0
        is_light = level == 0 or (level < 255 and off.sum() > 0)
    else:
        off, noise, is_light = _off_paper(grey.astype(np.float32))
    return np.maximum(off if is_light else -off, 0), noise


def _off_paper(grey: np.ndarray) -> tuple[np.ndarray, float, bool]:
    """How far each pixel of a photo is off the paper, the standard deviation of the paper, whether ink is lighter.

    Paper is lit unevenly, and so a quadratic surface. It begins as one level or as a plane through the border, with the
    least absolute deviations, which ink on a smaller part of it does not move: whichever makes ink and paper come out
    further apart.
    """
    step = max(1, round(np.sqrt(grey.size / POINTS)))
    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in grey.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    some, values = terms[::step, ::step], grey[::step, ::step]
    flat, level = _border(some[..., :3], 0.12), _border(values, 0.12)
    weights = np.ones_like(level)
    for _ in range(8):
        plane = _fit(flat, level, weights)
        weights = 1 / (np.abs(level - flat @ plane) + 1)
    found = [_paper(some, values, off) for off in (values, values - some[..., :3] @ plane)]
    _, surface, noise, is_light = max(found, key=lambda one: one[0])
    return grey - terms @ surface, noise, is_light


def _paper(terms: np.ndarray, values: np.ndarray, off: np.ndarray) -> tuple[float, np.ndarray, float, bool]:
    """How far ink is from paper in standard deviations of it; its surface, deviation, and whether ink is lighter.

    What is `off` a first guess, [height, width], falls into two classes, of which one is paper.
    """
    for _ in range(2):
        above = off > _threshold(off)
        is_light = _share(above) < 0.5
        paper = ~above if is_light else above
        surface = _fit(terms[paper], values[paper], np.ones(int(paper.sum()), np.float32))
        off = values - terms @ surface
    noise = max(1.0, float(off[paper].std()))
    apart = abs(float(off[~paper].mean())) / noise if not paper.all() else 0.0
    if apart < 4:  # two halves of the paper
        noise = max(1.0, float(off.std()))
    return apart, surface, noise, is_light


def _share(above: np.ndarray) -> float:
    """How much of the border is in a class. Where that leaves doubt, as in a tight crop, of its outermost pixels."""
    share = float(_border(above, 0.12).mean())
    return share if not 0.25 < share < 0.75 else float(_border(above, 0).mean())


def _border(pixels: np.ndarray, width: float) -> np.ndarray:
    """What lies within this part of the smaller side from the edge, but at least one pixel: [N, ..]."""
    ring = max(1, round(width * min(pixels.shape[:2])))
    inside = slice(ring, -ring)
    return np.concatenate([
        part.reshape(-1, *pixels.shape[2:])
        for part in (pixels[:ring], pixels[ring:][-ring:], pixels[inside, :ring], pixels[inside, ring:][:, -ring:])
    ])  # fmt: skip


def _threshold(values: np.ndarray) -> float:
    """What best divides the values into two classes: that with the largest variance between them (Otsu 1979)."""
    counts, edges = np.histogram(values, 128)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    sums = np.cumsum(counts * middles)
    above = values.size - below
    between = (sums[:-1] * values.size - sums[-1] * below) ** 2 / np.maximum(below * above, 1)
    return float(edges[1 + int(between.argmax())])


def _fit(terms: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Coefficients [K] of the terms [N, K] with the least weighted squares of deviations from the values [N]."""
    weighted = terms * weights[:, None]
    return np.linalg.solve(weighted.T @ terms + 1e-3 * np.eye(terms.shape[1], dtype=np.float32), weighted.T @ values)


# -- the digit --------------------------------------------------------------------------------------------------------


def _cleaned(ink: np.ndarray, noise: float) -> np.ndarray:
    """The ink without noise, specks and the lines of a form; the darkest of it is 255."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(ink, 0.7) if noise else ink
    most = float(smooth.max())
    if most < max(FAINTEST, 5 * noise):
        return np.zeros_like(ink)
    marks = _without_lines(smooth > max(0.25 * most, 3 * noise))
    pieces, count = ndimage.label(marks, AROUND)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    sizes[np.setdiff1d(np.arange(count + 1), pieces[smooth > max(0.4 * most, 4 * noise)])] = 0
    inside = _inner(pieces, ink.shape, 0.08)
    sizes[np.bincount(inside.ravel(), minlength=count + 1) < 0.1 * sizes] = 0  # what is along the edge of the image
    for number, place in enumerate(ndimage.find_objects(pieces), 1):
        if sizes[number] and _is_box(pieces[place] == number, ink.shape):
            sizes[number] = 0
    if not sizes.any():
        return np.zeros_like(ink)
    digit = (sizes >= max(1, SPECK * sizes.max()))[pieces]
    level = float(np.percentile(smooth[digit], 80))
    soft = np.where(ndimage.binary_dilation(digit, AROUND), smooth, 0)
    return np.minimum(soft * (255 / level), 255)


def _without_lines(marks: np.ndarray) -> np.ndarray:
    """Marks, bool [height, width], without lines that go through all of the image, but where something crosses them.

    A line may be tilted a little: it is a chain of straight runs, thin and almost as long as the image.
    """
    from scipy import ndimage

    for axis in (0, 1):
        along = marks if axis == 1 else marks.T
        height, width = along.shape
        if np.count_nonzero(along.any(axis=0)) <= LENGTH * width:
            continue
        runs = ndimage.binary_opening(along, np.ones((1, max(3, width // 4))))
        pieces, _ = ndimage.label(runs, AROUND)
        for number, place in enumerate(ndimage.find_objects(pieces), 1):
            piece = pieces[place] == number
            thickness = piece.sum() / width
            if piece.shape[1] > LENGTH * width and thickness < max(2, LINE * height):
                line = ndimage.binary_dilation(pieces == number, AROUND)
                thicker = ndimage.binary_opening(along, np.ones((round(thickness) + 3, 1)))
                along = along & ~(line & ~thicker)
        marks = along if axis == 1 else along.T
    return marks


def _is_box(piece: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether a piece of ink is a box of a form: large, and all along the sides of a rectangle."""
    if any(size < 0.5 * side for size, side in zip(piece.shape, shape, strict=True)):
        return False
    return bool(_inner(piece, shape, 0.06).sum() < 0.1 * piece.sum())


def _inner(pixels: np.ndarray, shape: tuple[int, ...], rim: float) -> np.ndarray:
    """What is further from the edge of the pixels than this part of an image's sides."""
    rows, columns = (max(1, round(rim * side)) for side in shape)
    return pixels[rows:-rows, columns:-columns]


# -- its size and place -----------------------------------------------------------------------------------------------


def _scaled(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """The ink as large as fits into so many pixels, keeping its proportions; strokes not too thin to be seen."""
    from scipy import ndimage

    (top, bottom), (left, right) = _bounds(ink) or ((0, 1), (0, 1))
    ink = ink[top:bottom, left:right]
    scale = min(height / ink.shape[0], width / ink.shape[1])
    # The mean distance from the edge of a stroke is a quarter of its width.
    stroke = 4 * float(ndimage.distance_transform_edt(np.pad(ink > 127, 1)).sum()) / max(1, int((ink > 127).sum()))
    missing = STROKE / scale - stroke
    if missing > 1:
        side = round(missing / 2)
        ink = np.pad(ink, side)
        ink = ndimage.grey_dilation(ink, (2 * side + 1, 2 * side + 1))
        scale = min(height / ink.shape[0], width / ink.shape[1])
    size = (max(1, round(scale * ink.shape[1])), max(1, round(scale * ink.shape[0])))
    small = Image.fromarray(ink).resize(size, Image.Resampling.BICUBIC)
    values = np.clip(np.asarray(small), 0, None)
    return np.minimum(values * (255 / max(1.0, float(values.max()))), 255)


def _centred(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """The ink, shifted by whole pixels so that its centre of mass lies in the middle: uint8 [height, width]."""
    field = np.zeros((3 * height, 3 * width), np.float32)
    top, left = (round(side + side / 2 - at) for side, at in zip((height, width), _centre(ink), strict=True))
    field[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return np.rint(field[height : 2 * height, width : 2 * width]).astype(np.uint8)


def _centre(ink: np.ndarray) -> tuple[float, float]:
    """The centre of mass, as a row and a column."""
    mass = float(ink.sum())
    rows, columns = (float(ink.sum(axis=1 - axis) @ np.arange(ink.shape[axis])) / mass for axis in (0, 1))
    return rows, columns


def _bounds(ink: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The first row with ink and the one behind the last, the same of the columns; None where there is no ink."""
    sides = []
    for axis in (1, 0):
        at = np.flatnonzero(ink.any(axis=axis))
        if not len(at):
            return None
        sides.append((int(at[0]), int(at[-1]) + 1))
    return sides[0], sides[1]
