"""Image files: finding them in folders, decoding one, reading many as an array."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageOps

from fitbench.data.files import CHUNK_BYTES
from fitbench.data.scale import check_scale
from fitbench.errors import DataError

THREADS = min(16, os.cpu_count() or 1)  # for decoding images
T = TypeVar("T")
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"})
# Pillow recognises formats by content. It is limited to these because others, such as PostScript, run programs.
IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
# Pillow raises these on damaged files, according to its documentation and to fuzzing of its decoders.
IMAGE_ERRORS = (OSError, EOFError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)


def read_image(path: Path, shape: tuple[int, int, int], max_value: float | None = None) -> np.ndarray:
    """Read an image file as uint8 [height, width, channels], `shape`. See `displayed` and `fitted`.

    Raises:
        DataError: the file cannot be decoded; the message names it.
    """
    return _decode(path, shape, max_value).pixels


@dataclass(frozen=True)
class _Decoded:
    """A decoded image file: its pixels, uint8 [height, width, channels]; its largest value, and white, in the file."""

    pixels: np.ndarray
    largest: float
    white: float


def _decode(path: Path, shape: tuple[int, int, int], max_value: float | None) -> _Decoded:
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as file:
            image = _upright(file)
            return _Decoded(
                fitted(_opaque(_to_8_bits(image, max_value)), shape), _extremes(image)[1], _white(image, max_value)
            )
    except IMAGE_ERRORS as error:
        raise DataError(
            f"{path}: not a readable image ({why_unreadable(error)}). Repair or remove it, or leave it "
            "out with data.skip_bad=true."
        ) from error


def displayed(file: Image.Image, max_value: float | None = None) -> Image.Image:
    """Decode an opened image file as a viewer displays it, in 8 bits.

    The image is turned upright according to its EXIF data, and transparent pixels are on white. An animation gives its
    first frame. `max_value` is the value of white in the file; None stands for 65535 in an image of 16 bits and for
    255 in others. In images of 8 bits, white is never above 255.

    Raises:
        One of `IMAGE_ERRORS`: the file cannot be decoded.
    """
    return _opaque(_to_8_bits(_upright(file), max_value))


def _upright(file: Image.Image) -> Image.Image:
    file.load()
    return ImageOps.exif_transpose(file) if file.info else file  # without metadata there is no orientation


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _white(image: Image.Image, max_value: float | None) -> float:
    """Return the value of white in an image."""
    if image.mode == "F":
        if max_value is None:
            raise ValueError(
                "its pixels are floating-point numbers; set data.max_value to the value of white, such as 1"
            )
        return max_value
    if image.mode.startswith("I"):
        return max_value or 65535
    return 255 if image.mode == "1" else min(max_value or 255, 255)


def _extremes(image: Image.Image) -> tuple[float, float]:
    """Return the smallest and the largest value of the pixels of an image, of any colour."""
    if image.mode == "F" or image.mode.startswith("I"):
        pixels = np.asarray(image)
        return pixels.min().item(), pixels.max().item()
    colours = image if image.mode in ("L", "RGB") else image.convert("RGB")
    extremes = np.array(colours.getextrema())
    return extremes.min().item(), extremes.max().item()


def _to_8_bits(image: Image.Image, max_value: float | None) -> Image.Image:
    """Scale the pixels from 0..white to 0..255; Pillow's own conversion clips. Transparency stays.

    Raises:
        ValueError: the pixels are not between 0 and white.
    """
    white = _white(image, max_value)
    if white == 255 and image.mode != "F" and not image.mode.startswith("I"):
        return image
    smallest, largest = _extremes(image)
    if not 0 <= smallest <= largest <= white:  # also true of NaN
        raise ValueError(f"its pixels range over {smallest:g}..{largest:g}; white is {white:g}, see data.max_value")
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(np.rint(np.asarray(image) * np.float64(255 / white)).astype(np.uint8))
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    table = [min(255, round(value * 255 / white)) for value in range(256)]
    has_alpha = image.mode.endswith("A")
    return image.point(table * (len(image.getbands()) - has_alpha) + list(range(256)) * has_alpha)


def fitted(image: Image.Image, shape: tuple[int, int, int]) -> np.ndarray:
    """Convert and resize an image to uint8 [height, width, channels], `shape`: grey for 1 channel, RGB for 3.

    The resizing is bilinear with antialiasing and does not keep the proportions.
    """
    height, width, channels = shape
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(shape)


def why_unreadable(error: Exception) -> str:
    """Describe one of `IMAGE_ERRORS` without the path, which Pillow repeats."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a known image format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)


class ImageFiles:
    """Image files as a read-only array, uint8 [N, height, width, channels], that decodes an image when it is indexed.

    `images[i]` is one image. A slice, an index array or a boolean mask gives an array of images. Decoded images are
    not kept, so index a batch at a time. `sha256` is the checksum of all decoded bytes, in order.

    Raises:
        DataError: while indexing, a file has become unreadable; the message names it.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self, paths: Sequence[Path], shape: tuple[int, int, int], sha256: str, max_value: float | None = None
    ) -> None:
        self.paths = tuple(paths)
        self.max_value = max_value
        self.shape = (len(self.paths), *shape)
        self.sha256 = sha256

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> np.ndarray:
        chosen = np.arange(len(self))[index]
        image_shape = self.shape[1:]
        if chosen.ndim == 0:
            return read_image(self.paths[int(chosen)], image_shape, self.max_value)
        images = np.empty((len(chosen), *image_shape), np.uint8)
        paths = [self.paths[i] for i in chosen]
        with ThreadPoolExecutor(THREADS) as pool:
            for i, image in enumerate(_map(pool, lambda path: read_image(path, image_shape, self.max_value), paths)):
                images[i] = image
        return images


def _map(pool: ThreadPoolExecutor, task: Callable[[Path], T], paths: Sequence[Path]) -> Iterator[T]:
    """Yield the result of `task` for every path, in order."""
    # Paths are handed over in groups: for a small image, the handover takes longer than decoding.
    step = min(32, -(-len(paths) // THREADS)) or 1
    groups = [paths[start : start + step] for start in range(0, len(paths), step)]
    for results in pool.map(lambda group: [task(path) for path in group], groups):
        yield from results


def read_images(
    paths: Sequence[Path],
    shape: tuple[int, int, int],
    *,
    skip_bad: bool,
    in_memory: bool,
    max_value: float | None = None,
    where: str = "the images",
) -> tuple[np.ndarray | ImageFiles, list[int]]:
    """Decode every file once, and return the images, uint8 [N, *shape], and the positions of bad files in `paths`.

    Args:
        paths: the image files.
        shape: [height, width, channels] of every image.
        skip_bad: leave unreadable files out instead of raising an error.
        in_memory: return an array; otherwise return `ImageFiles`, which decode again when they are indexed.
        max_value: the value of white; see `displayed`.
        where: what messages call the images.

    Raises:
        DataError: a file cannot be decoded, and `skip_bad` is false; or all images are so dark that white is probably
            another value.
    """

    def attempt(path: Path) -> _Decoded | DataError:
        try:
            return _decode(path, shape, max_value)
        except DataError as error:
            return error

    decoded = np.empty((len(paths) if in_memory else 0, *shape), np.uint8)
    digest = hashlib.sha256()
    good: list[Path] = []
    bad: list[int] = []
    largest: dict[float, float] = {}  # by the value of white, which depends on the format of a file
    step = max(THREADS, CHUNK_BYTES // int(np.prod(shape)))
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(paths), step):
            chunk = paths[start : start + step]
            for position, image in enumerate(_map(pool, attempt, chunk), start):
                if isinstance(image, DataError):
                    if not skip_bad:
                        raise image
                    bad.append(position)
                    continue
                if in_memory:
                    decoded[len(good)] = image.pixels
                else:
                    digest.update(image.pixels.data)
                good.append(paths[position])
                largest[image.white] = max(largest.get(image.white, 0), image.largest)
    for white, value in largest.items():
        check_scale(0, value, white, max_value, where)
    return (decoded[: len(good)] if in_memory else ImageFiles(good, shape, digest.hexdigest(), max_value)), bad


def list_images(folder: Path) -> dict[str, list[Path]]:
    """List the image files of every class, `folder/<class>/**`, with classes and files in sorted order.

    Files are recognised by their suffix. Hidden files and folders are ignored. Folders inside a class folder belong
    to that class. Links are followed, but each folder is visited once.
    """
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")
    return {name: sorted(_walk(folder / name)) for name in classes}


def _walk(folder: Path) -> Iterator[Path]:
    visited = {folder.resolve()}  # a link may point to a folder above itself
    for parent, folders, names in os.walk(folder, followlinks=True):
        for name in sorted(folders):
            target = (Path(parent) / name).resolve()
            if name[0] == "." or target in visited:
                folders.remove(name)
            visited.add(target)
        for name in names:
            if name[0] != "." and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(parent) / name
