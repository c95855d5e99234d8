"""Made-up image files, folders, array files and labels: a data set or one error of ours, and nothing left out unseen.

`FITBENCH_FUZZ=100` tries a hundred times as many; see tests/fuzzing.py.
"""

import gzip
import io
import math
import os
import resource
import shutil
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from fitbench.config import ArrayFiles, IdxFolder, ImageFolder, Source
from fitbench.data import loading
from fitbench.data.image_formats import HEAD_BYTES, begins_like_an_image
from fitbench.data.image_paths import LeftOut, image_paths, is_litter
from fitbench.data.parts import part_of
from fitbench.errors import DataError, FitbenchError
from fitbench.inference import arrays, labels
from fitbench.inference.decoding import decode, decode_images
from fitbench.inference.prepare import Prepare
from fitbench.inference.sources import Batch

from ..fuzzing import fuzz

SHAPE = (6, 8, 1)
NOISE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


@pytest.fixture(scope="module", autouse=True)
def bounded_memory():
    """No input of this module takes more than 500 MB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


def encoded(format: str, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(file, format, **options)
    return file.getvalue()


EXIF = Image.Exif()
EXIF[0x0112] = 6
IMAGES = [
    *[encoded(format) for format in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")],
    *[encoded("PNG", mode) for mode in ("1", "P", "LA", "I;16")],
    *[encoded("TIFF", mode) for mode in ("F", "I;16", "CMYK")],
    *[encoded("TIFF", compression=method) for method in ("tiff_lzw", "jpeg", "packbits")],
    *[encoded("PPM", mode) for mode in ("1", "F")],
    *[encoded(format, exif=EXIF) for format in ("JPEG", "PNG", "WEBP", "TIFF")],
    encoded("GIF", "P", transparency=3),
    encoded("GIF", save_all=True, append_images=[Image.fromarray(NOISE[::-1])]),
    b"P2 2 2 255 0 1 2 3\n",
]
TEXTS = [b"", b"hello", b"BMW", b"P1 patient", b"\0" * 100, b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n"]


@st.composite
def mutated(draw: st.DrawFn, contents: list[bytes]) -> bytes:
    """One of the contents, with some pieces replaced, and perhaps cut short."""
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(content)))
        content[start : start + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    if draw(st.booleans()):
        del content[draw(st.integers(0, len(content))) :]
    return bytes(content)


def with_checksums(png: bytes) -> bytes:
    """The same PNG with right checksums, so that its decoder looks at what was changed."""
    content, start = bytearray(png), 8
    while start + 12 <= len(content):
        end = start + 8 + int.from_bytes(content[start : start + 4], "big")
        content[end : end + 4] = struct.pack(">I", zlib.crc32(content[start + 4 : end]))
        start = end + 4
    return bytes(content)


image_bytes = mutated(IMAGES) | mutated([each for each in IMAGES if each[1:4] == b"PNG"]).map(with_checksums)


# --- one file


@given(content=image_bytes)
@fuzz(150)
def test_image_file_is_decoded_or_one_error_names_it(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    try:
        image = decode(path, "a.png", max_value=255)
    except DataError as error:
        assert str(error).startswith("a.png: not a readable image (")
        assert "\n" not in str(error)
    else:
        assert image.width * image.height > 0
        assert begins_like_an_image(content[:HEAD_BYTES], "")  # else a file without a suffix would be left out
    pixels, errors = decode_images([str(path)], SHAPE, Prepare.none, max_value=255)
    assert pixels.shape == (1, *SHAPE)
    assert set(errors) <= {0}


# --- folders

SUFFIXES = ["", ".png", ".JPG", ".jfif", ".jpe", ".txt", ".nef", ".heic", ".jpg.1", ".db"]
STEMS = ["a", "b", "0", "\u00c4", "A\u0308", "._a", ".DS_Store", "Thumbs", "desktop", "x y", "\udce9", "c\nd"]
FOLDERS = [
    *["train", "test", "val", "Training", "valid", "cat", "dog", "\u00c4", "A\u0308", "\udce9", ".hidden"],
    *["@eaDir", "__MACOSX", "lost+found", "a.png", "e\nf"],
]
KINDS = ["file"] * 6 + ["fifo", "link to nothing", "link to /", "link to a folder above", "link to itself", "folder"]


@st.composite
def entries(draw: st.DrawFn) -> dict[str, tuple[str, bytes]]:
    """What a folder holds: kind and content by path."""
    tree = {}
    for _ in range(draw(st.integers(1, 12))):
        folders = draw(st.lists(st.sampled_from(FOLDERS), max_size=3))
        name = draw(st.sampled_from(STEMS)) + draw(st.sampled_from(SUFFIXES))
        content = draw(st.sampled_from(IMAGES) | st.sampled_from(TEXTS) | mutated(IMAGES))
        tree["/".join([*folders, name])] = (draw(st.sampled_from(KINDS)), content)
    return tree


def make(folder: Path, tree: dict[str, tuple[str, bytes]]) -> Path:
    """Make the entries of a tree in an empty folder. One whose place is taken is left out."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, (kind, content) in tree.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                path.write_bytes(content)
            elif kind == "fifo":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            else:
                targets = {"link to nothing": "nothing", "link to /": "/", "link to a folder above": "."}
                path.symlink_to(targets.get(kind, path.name))
        except OSError:  # a file is where a folder should be, or the other way round
            continue
    return folder


def count(folder: Path) -> int:
    """How many entries are in the folders that are not litter, without these folders themselves."""
    total = 0
    for parent, folders, names in os.walk(folder):
        for name in list(folders):
            if is_litter(name):
                folders.remove(name)
                total += 1
        total += len(names) + sum(Path(parent, name).is_symlink() for name in folders)
    return total


@given(tree=entries())
@fuzz(40)
def test_every_entry_of_a_folder_is_listed_or_counted(tmp_path, tree):
    folder, left_out = make(tmp_path / "set", tree), LeftOut()
    paths = list(image_paths(str(folder), left_out))
    assert len(paths) + left_out.counts.total() == count(folder)
    assert len(set(paths)) == len(paths)
    assert str(left_out).isprintable()


@st.composite
def data_sets(draw: st.DrawFn) -> dict[str, tuple[str, bytes]]:
    """What an image folder holds that would be a data set without some further entries."""
    parts = draw(st.sampled_from([("",), ("train/", "test/"), ("train/", "test/", "val/")]))
    images = {
        f"{part}{label}/{i}{draw(st.sampled_from(SUFFIXES[:5]))}": ("file", encoded("PNG"))
        for part in parts
        for label in ("cat", "dog")
        for i in range(2)
    }
    further = draw(entries())
    return images | {name: further[name] for name in draw(st.lists(st.sampled_from(sorted(further)), max_size=4))}


@given(tree=data_sets() | data_sets() | entries(), skip_bad=st.booleans())
@fuzz(40)
def test_image_folder_is_a_data_set_or_refused_and_no_image_is_lost(tmp_path, tree, skip_bad):
    folder = make(tmp_path / "set", tree)
    fraction = None if (folder / "train").exists() else 0.5
    data = ImageFolder(
        name="a", source=Source.image_folder, preprocess=None, path=str(folder), image_size=[6, 8], color=False,
        test_fraction=fraction, skip_bad=skip_bad, max_value=255,
    )  # fmt: skip
    try:
        dataset = loading.load(data)
    except FitbenchError as error:
        assert str(error).count("\n") <= 1
        return
    left_out = LeftOut()
    images = [path.removeprefix(f"{folder}/").split("/") for path in image_paths(str(folder), left_out)]
    places = {part_of(names[0]) for names in images} - {None}
    depth = 2 if places else 1  # of the folders of images
    used = [names for names in images if len(names) > depth and (part_of(names[0]) or not places)]
    assert len(dataset.y_train) + len(dataset.y_test) + len(dataset.skipped) == len(used)
    if len(used) < len(images):
        assert "outside of the class folders" in dataset.left_out or "no part of the data set" in dataset.left_out


# --- array files

ARRAYS = {"x_train": NOISE[..., 0].reshape(2, 4, 6), "y_train": [0, 1], "x_test": NOISE[..., 1].reshape(2, 4, 6)}


def saved(save: object) -> bytes:
    file = io.BytesIO()
    save(file, **ARRAYS, y_test=[1, 0])
    return file.getvalue()


def header(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


numbers = st.sampled_from([-8, -1, 0, 1, 2, 3, 4, 6, 8, 2**31, 2**32 - 1, 2**63, 10**12, 10**30])
shapes = st.lists(numbers, max_size=4).map(
    lambda sides: f"({', '.join(map(str, sides))}{',' if len(sides) == 1 else ''})"
)
dtypes = st.sampled_from(
    [
        "|u1",
        "<f8",
        ">f4",
        "<i8",
        "|b1",
        "|O",
        "<U3",
        "|V0",
        "<U0",
        "|S2",
        "<M8[s]",
        "<c16",
        "u1,u1",
        "x",
        "|V9999999999",
    ]
)


@st.composite
def members(draw: st.DrawFn) -> bytes:
    """A .npy file whose header states a made-up shape and dtype."""
    text = f"{{'descr': {draw(dtypes)!r}, 'fortran_order': {draw(st.booleans())}, 'shape': {draw(shapes)}, }}".encode()
    text = draw(st.just(text) | mutated([text]))
    version = draw(st.sampled_from([b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"]))
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text + bytes(range(draw(st.sampled_from([0, 1, 2, 16, 48]))))


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """An .npz file in which some arrays are made up."""
    arrays = {name: header(np.asarray(array)) for name, array in ARRAYS.items()}
    arrays["y_test"] = header(np.array([0, 1]))
    for name in draw(st.lists(st.sampled_from([*arrays, "classes", "x_val", "y_val"]), min_size=1, max_size=2)):
        arrays[name] = draw(members() | mutated([header(np.asarray(ARRAYS.get(name, ["a", "b"])))]))
    file = io.BytesIO()
    method = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]))
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def load(path: Path, source: Source) -> None:
    section = ArrayFiles if source is Source.npz else IdxFolder
    data = section(name="a", source=source, preprocess=None, path=str(path))
    try:
        dataset = loading.load(data)
    except FitbenchError as error:
        assert str(error).count("\n") <= 1
        return
    assert len(dataset.x_train) == len(dataset.y_train)
    assert dataset.kind != "images" or dataset.x_train.dtype == np.uint8


@given(content=archives() | mutated([saved(np.savez), saved(np.savez_compressed)]))
@fuzz(120)
def test_npz_is_a_data_set_or_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    load(path, Source.npz)
    try:
        images = arrays.read_images(path, "x_train")
    except FitbenchError as error:
        assert str(path) in str(error)
    else:
        assert images.ndim == 4


@given(content=members())
@fuzz(120)
def test_npy_holds_images_or_is_refused(tmp_path, content):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    try:
        images = arrays.read_images(path, None)
    except FitbenchError as error:
        assert str(path) in str(error)
    else:
        assert images.ndim == 4


def idx(*sides: int, data: bytes, kind: int = 8) -> bytes:
    return struct.pack(f">BBBB{len(sides)}I", 0, 0, kind, len(sides), *sides) + data


IDX = {
    "train-images-idx3-ubyte": idx(2, 4, 6, data=NOISE.tobytes()[:48]),
    "train-labels-idx1-ubyte": idx(2, data=b"\0\1"),
    "t10k-images-idx3-ubyte": idx(2, 4, 6, data=NOISE.tobytes()[48:96]),
    "t10k-labels-idx1-ubyte": idx(2, data=b"\1\0"),
}
words = st.sampled_from([0, 1, 2, 2, 4, 6, 255, 2**16, 2**31, 2**32 - 1])


@st.composite
def idx_files(draw: st.DrawFn, dimensions: int) -> bytes:
    """An IDX file whose header states made-up sizes, with about as many bytes."""
    sides = draw(st.lists(words, min_size=dimensions, max_size=dimensions))
    count = min(math.prod(sides), 200) + draw(st.sampled_from([0, 0, 0, -1, 1]))
    return idx(*sides, data=bytes(i % 3 * (127 if dimensions == 3 else 1) for i in range(max(count, 0))))


@given(name=st.sampled_from(sorted(IDX)), drawn=st.data(), is_packed=st.booleans())
@fuzz(100)
def test_idx_folder_is_a_data_set_or_refused(tmp_path, name, drawn, is_packed):
    content = drawn.draw(idx_files(3 if "images" in name else 1) | mutated([IDX[name]]))
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        for each, whole in IDX.items():
            Path(folder, each).write_bytes(whole)
        Path(folder, name).write_bytes(gzip.compress(content) if is_packed else content)
        load(Path(folder), Source.idx)


@given(name=st.sampled_from(sorted(IDX)), content=mutated([gzip.compress(content) for content in IDX.values()]))
@fuzz(50)
def test_gzipped_idx_file_that_is_damaged_is_read_or_refused(tmp_path, name, content):
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        for each, whole in IDX.items():
            Path(folder, each).write_bytes(whole)
        Path(folder, name).write_bytes(content)
        load(Path(folder), Source.idx)


# --- labels

CSV = [
    b"path,label\na.png,cat\nb.png,dog\n",
    b'\xef\xbb\xbfpath,true\r\n"a.png",cat\r\n',
    b"path,label\n\xff.png,cat\n",
]


@given(content=mutated(CSV) | st.binary(max_size=60).map(lambda rest: b"path,label\n" + rest))
@example(content=b"path,label\na.png\0,cat\n")
@fuzz(100)
def test_labels_are_read_or_refused(tmp_path, content):
    (tmp_path / "labels.csv").write_bytes(content)
    try:
        read = labels.read(str(tmp_path / "labels.csv"), ("cat", "dog"))
    except FitbenchError as error:
        assert "\n" not in str(error)
    else:
        assert set(read(Batch(["a.png", "b.png", "\udcff.png"]))) <= {"cat", "dog", None}
