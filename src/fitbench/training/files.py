"""Readers of file formats: IDX, .npz, gzipped CSV, and folders of images.

Each returns what the file holds, memory-mapped where that is possible. What the arrays must look like to be
a data set is checked in `data`.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageOps

from fitbench.errors import DataError

CHUNK_BYTES = 16 * 1024 * 1024  # how much is read, decoded or hashed at a time
THREADS = min(16, os.cpu_count() or 1)  # that decode images
T = TypeVar("T")

PARTS = ("x_train", "y_train", "x_test", "y_test")
IDX_STEMS = {
    "x_train": ("train-images", 3),
    "y_train": ("train-labels", 1),
    "x_test": ("t10k-images", 3),
    "y_test": ("t10k-labels", 1),
}
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"})
# What Pillow is asked to recognise, whatever a file is called: it knows others that run programs, such as PostScript.
IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_UNZIP_ERRORS = (OSError, EOFError, zlib.error)
# What Pillow raises on damaged files, as its documentation and fuzzing its decoders show.
IMAGE_ERRORS = (OSError, EOFError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)


# --- IDX ----------------------------------------------------------------------------------------------


def find_idx(folder: Path) -> dict[str, Path]:
    """Which of a data set's four IDX files lie in `folder`, by `PARTS`; missing ones have no entry.

    The names are those of MNIST: `train-images-idx3-ubyte`, also with '.' before 'idx', gzipped or not. A
    plain file is preferred to a gzipped one, because it can be memory-mapped.
    """
    found = {}
    for part, (stem, dimensions) in IDX_STEMS.items():
        names = [f"{stem}{dot}idx{dimensions}-ubyte{gz}" for gz in ("", ".gz") for dot in "-."]
        paths = [folder / name for name in names if (folder / name).is_file()]
        if paths:
            found[part] = paths[0]
    return found


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The uint8 array of `dimensions` axes in an IDX file: memory-mapped, or unpacked if gzipped.

    Raises DataError if the file is cut short, damaged, not IDX, or not of the size its header says.
    """
    expected = bytes([0, 0, 8, dimensions])
    header_size = 4 + 4 * dimensions
    try:
        with path.open("rb") as file:
            head = file.read(header_size)
        # Decided by content: browsers and mirrors unpack .gz files without renaming them.
        content = gzip.decompress(path.read_bytes()) if head[:2] == b"\x1f\x8b" else None
        size = path.stat().st_size if content is None else len(content)
    except _UNZIP_ERRORS as error:
        raise DataError(
            f"{path}: damaged or cut short ({error}); expected a gzipped IDX file. Remove it and fetch it again."
        ) from error
    if content is not None:
        head = content[:header_size]
    if head[:4] != expected or len(head) < header_size:
        raise DataError(
            f"{path}: begins with the bytes {head[:4].hex(' ') or '(none)'}; expected {expected.hex(' ')}, "
            f"which is IDX: unsigned bytes, dimensions: {dimensions}, gzipped or not. Fetch it again."
        )
    shape = struct.unpack(f">{dimensions}I", head[4:])
    count = int(np.prod(shape, dtype=object))
    if size - header_size != count:
        raise DataError(
            f"{path}: its header says {_times(shape)} = {count:,} bytes of data, but it holds "
            f"{size - header_size:,}. Fetch it again."
        )
    if content is not None:
        return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)
    if count == 0:  # which cannot be mapped
        return np.zeros(shape, np.uint8)
    return np.memmap(path, np.uint8, "r", offset=header_size, shape=shape)


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def read_idx_folder(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a folder of four IDX files, by `PARTS`.

    Images are uint8 [N, height, width], labels uint8 [N]. Raises DataError if one of the files is
    missing or damaged.
    """
    paths = find_idx(folder)
    missing = [f"{stem}-idx{n}-ubyte" for part, (stem, n) in IDX_STEMS.items() if part not in paths]
    if missing:
        raise DataError(
            f"{folder}: no {' and no '.join(missing)} (with or without .gz); "
            "expected four IDX files named as MNIST's are."
        )
    return {part: read_idx(paths[part], IDX_STEMS[part][1]) for part in PARTS}


# --- .npz ---------------------------------------------------------------------------------------------


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays x_train, y_train, x_test, y_test of an .npz file, and `classes` if it names its classes.

    The class names are looked for under `classes` and `class_names`. An array that is stored uncompressed is
    memory-mapped after its checksum has been verified. Raises DataError if the file is damaged, lacks an
    array, or would need pickle to be read.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an .npz file, or cut short. Expected what numpy.savez writes.")
    arrays = {}
    key = ""
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [part for part in PARTS if part not in archive.files]
            if missing:
                raise DataError(
                    f"{path}: has no {', '.join(missing)}; found {', '.join(archive.files) or 'nothing'}. "
                    f"Expected {', '.join(PARTS)}."
                )
            names = [key for key in ("classes", "class_names") if key in archive.files][:1]
            for key in [*PARTS, *names]:
                mapped = map_member(path, archive.zip, f"{key}.npy")
                arrays["classes" if key in names else key] = archive[key] if mapped is None else mapped
    except (*_UNZIP_ERRORS, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        what = f"its array '{key}'" if key else "it"
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: {what} holds Python objects, which are never unpickled. "
                "Save plain numbers (for class names: strings)."
            ) from error
        raise DataError(f"{path}: {what} cannot be read ({error}). Save or fetch it again.") from error
    return arrays


def map_member(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray | None:
    """An uncompressed .npy member of a zip file as a read-only memmap; None if it cannot be mapped."""
    if name not in archive.namelist() or archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        return None
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        if version not in {(1, 0), (2, 0)}:
            return None
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(member)
        header_size = member.tell()
        if dtype.hasobject or 0 in shape or shape == ():
            return None
        while member.read(CHUNK_BYTES):  # to the end: that is where zipfile compares the checksum
            pass
        length = member.tell() - header_size
    if length != int(np.prod(shape, dtype=object)) * dtype.itemsize:
        raise ValueError(f"{length:,} bytes for an array of {_times(shape)} {dtype}")
    start = archive.getinfo(name).header_offset
    with path.open("rb") as file:
        file.seek(start + 26)  # the lengths of the two fields after the 30 bytes of the local header
        name_length, extra_length = struct.unpack("<HH", file.read(4))
    offset = start + 30 + name_length + extra_length + header_size
    return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")


# --- CSV ----------------------------------------------------------------------------------------------


def read_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 [N, pixels] and labels int32 [N], the last column, of a gzipped CSV without a header.

    Raises DataError if the file is cut short, damaged or not such a table.
    """
    try:
        table = np.loadtxt(path, np.uint8, delimiter=",", ndmin=2)
    except (*_UNZIP_ERRORS, ValueError) as error:
        raise DataError(
            f"{path}: not a readable CSV of whole numbers 0..255 ({error}). Install its package again."
        ) from error
    return table[:, :-1], table[:, -1].astype(np.int32)


# --- image files --------------------------------------------------------------------------------------


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
