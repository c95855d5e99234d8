"""Image files: finding them in folders, decoding one, reading many as an array."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageOps

from fitbench.data.files import CHUNK_BYTES
from fitbench.errors import DataError

THREADS = min(16, os.cpu_count() or 1)  # for decoding images
T = TypeVar("T")
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"})
# Pillow recognises formats by content. It is limited to these because others, such as PostScript, run programs.
IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
# Pillow raises these on damaged files, according to its documentation and to fuzzing of its decoders.
IMAGE_ERRORS = (OSError, EOFError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)


def read_image(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Read an image file as uint8 [height, width, channels], `shape`. See `displayed` and `fitted`.

    Raises:
        DataError: the file cannot be decoded; the message names it.
    """
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as file:
            return fitted(displayed(file), shape)
    except IMAGE_ERRORS as error:
        raise DataError(
            f"{path}: not a readable image ({why_unreadable(error)}). Repair or remove it, or leave it "
            "out with data.skip_bad=true."
        ) from error


def displayed(file: Image.Image) -> Image.Image:
    """Decode an opened image file as a viewer displays it, in 8 bits.

    The image is turned upright according to its EXIF data, and transparent pixels are on white. 16-bit grey is scaled.
    An animation gives its first frame.

    Raises:
        One of `IMAGE_ERRORS`: the file cannot be decoded.
    """
    file.load()
    image = ImageOps.exif_transpose(file) if file.info else file  # without metadata there is no orientation
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers")
    if image.mode.startswith("I"):
        image = _to_8_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image


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


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale a 16-bit grey image (Pillow's modes I;16 and I) to 8 bits; Pillow's own conversion clips."""
    pixels = np.asarray(image)
    if pixels.size and (pixels.min() < 0 or pixels.max() > 65535):
        raise ValueError(f"its pixels range over {pixels.min()}..{pixels.max()}, more than 16 bits")
    return Image.fromarray(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))


class ImageFiles:
    """Image files as a read-only array, uint8 [N, height, width, channels], that decodes an image when it is indexed.

    `images[i]` is one image. A slice, an index array or a boolean mask gives an array of images. Decoded images are
    not kept, so index a batch at a time. `sha256` is the checksum of all decoded bytes, in order.

    Raises:
        DataError: while indexing, a file has become unreadable; the message names it.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, paths: Sequence[Path], shape: tuple[int, int, int], sha256: str) -> None:
        self.paths = tuple(paths)
        self.shape = (len(self.paths), *shape)
        self.sha256 = sha256

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> np.ndarray:
        chosen = np.arange(len(self))[index]
        image_shape = self.shape[1:]
        if chosen.ndim == 0:
            return read_image(self.paths[int(chosen)], image_shape)
        images = np.empty((len(chosen), *image_shape), np.uint8)
        paths = [self.paths[i] for i in chosen]
        with ThreadPoolExecutor(THREADS) as pool:
            for i, image in enumerate(_map(pool, lambda path: read_image(path, image_shape), paths)):
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
    paths: Sequence[Path], shape: tuple[int, int, int], *, skip_bad: bool, in_memory: bool
) -> tuple[np.ndarray | ImageFiles, list[int]]:
    """Decode every file once, and return the images, uint8 [N, *shape], and the positions of bad files in `paths`.

    Args:
        paths: the image files.
        shape: [height, width, channels] of every image.
        skip_bad: leave unreadable files out instead of raising an error.
        in_memory: return an array; otherwise return `ImageFiles`, which decode again when they are indexed.

    Raises:
        DataError: a file cannot be decoded, and `skip_bad` is false.
    """

    def attempt(path: Path) -> np.ndarray | DataError:
        try:
            return read_image(path, shape)
        except DataError as error:
            return error

    decoded = np.empty((len(paths) if in_memory else 0, *shape), np.uint8)
    digest = hashlib.sha256()
    good: list[Path] = []
    bad: list[int] = []
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
                    decoded[len(good)] = image
                else:
                    digest.update(image.data)
                good.append(paths[position])
    return (decoded[: len(good)] if in_memory else ImageFiles(good, shape, digest.hexdigest())), bad


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
