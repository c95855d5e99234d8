"""Image files: decoded one by one, read as an array of a data set, found in folders."""

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

THREADS = min(16, os.cpu_count() or 1)  # that decode images
T = TypeVar("T")
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"})
# What Pillow is asked to recognise, whatever a file is called: it knows others that run programs, such as PostScript.
IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
# What Pillow raises on damaged files, as its documentation and fuzzing its decoders show.
IMAGE_ERRORS = (OSError, EOFError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)


def read_image(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """An image file as uint8 [height, width, channels], `shape`: `shown`, then `fitted`.

    Raises DataError that names the file if it cannot be decoded.
    """
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as file:
            return fitted(shown(file), shape)
    except IMAGE_ERRORS as error:
        raise DataError(
            f"{path}: not a readable image ({why_unreadable(error)}). Repair or remove it; data.skip_bad=true leaves "
            "it out."
        ) from error


def shown(file: Image.Image) -> Image.Image:
    """What an opened image file shows: upright as its EXIF data says, on white where it is transparent, in 8 bits.

    16-bit grey is scaled; of an animation this is the first frame. Raises one of `IMAGE_ERRORS`.
    """
    file.load()
    image = ImageOps.exif_transpose(file) if file.info else file  # without metadata nothing says that it lies
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers")
    if image.mode.startswith("I"):
        image = _to_8_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image


def fitted(image: Image.Image, shape: tuple[int, int, int]) -> np.ndarray:
    """An image as uint8 [height, width, channels], `shape`: grey for 1 channel, RGB for 3.

    Converted, then resized (bilinear with antialiasing) without keeping its proportions.
    """
    height, width, channels = shape
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(shape)


def why_unreadable(error: Exception) -> str:
    """What is wrong with an image file, by one of `IMAGE_ERRORS`; without the path, which Pillow repeats."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a known image format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """A 16-bit grey image (Pillow's modes I;16 and I) in 8 bits: scaled, where Pillow would clip."""
    pixels = np.asarray(image)
    if pixels.size and (pixels.min() < 0 or pixels.max() > 65535):
        raise ValueError(f"its pixels are {pixels.min()}..{pixels.max()}, more than 16 bits")
    return Image.fromarray(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))


class ImageFiles:
    """Image files as a read-only array, uint8 [N, height, width, channels], that decodes what is asked for.

    `images[i]` is one image; a slice, an index array or a boolean mask gives a decoded array of those images.
    Ask for a batch at a time: nothing is kept. `sha256` is that of all the decoded bytes, in order. Raises
    DataError that names the file if one has become unreadable.
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
    """What `task` returns for every path, in order."""
    # A few paths at a time: handing over every small image takes longer than decoding it.
    step = min(32, -(-len(paths) // THREADS)) or 1
    groups = [paths[start : start + step] for start in range(0, len(paths), step)]
    for results in pool.map(lambda group: [task(path) for path in group], groups):
        yield from results


def read_images(
    paths: Sequence[Path], shape: tuple[int, int, int], *, skip_bad: bool, in_memory: bool
) -> tuple[np.ndarray | ImageFiles, list[int]]:
    """Decode every file once: the images [N, *shape] uint8, and the positions in `paths` that were bad.

    In memory the images are an array; otherwise they are `ImageFiles`, after a pass that has shown that
    every file decodes. A bad file raises DataError, or with `skip_bad` is left out of the images.
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
    """The image files of every class: `folder/<class>/**`, classes and files in sorted order.

    An image is what has an image file's suffix; hidden files and folders are ignored. Folders inside a
    class folder belong to that class. Links are followed, each folder once.
    """
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")
    return {name: sorted(_walk(folder / name)) for name in classes}


def _walk(folder: Path) -> Iterator[Path]:
    seen = {folder.resolve()}  # a link may lead back to where it lies
    for here, folders, names in os.walk(folder, followlinks=True):
        for name in sorted(folders):
            target = (Path(here) / name).resolve()
            if name[0] == "." or target in seen:
                folders.remove(name)
            seen.add(target)
        for name in names:
            if name[0] != "." and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(here) / name
