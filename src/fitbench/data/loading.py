"""Loads the data set that a configuration names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fitbench.config import Data, FileData, ImageFolder, Source
from fitbench.data.builtin import SHA256, read_builtin
from fitbench.data.checks import build_dataset
from fitbench.data.dataset import Dataset
from fitbench.data.files import read_idx_folder, read_npz
from fitbench.data.image_folder import read_image_folder
from fitbench.errors import RequestError


def load(data: Data) -> Dataset:
    """Read and check the data set that the configuration names.

    Raises:
        RequestError: the configuration is wrong: a path that does not exist, an impossible size.
        DataError: the data are missing, damaged or not a data set; the message names the file.
    """
    match data:
        case ImageFolder(source=Source.image_folder):
            folder = _existing(data.path, Path.is_dir, "a folder with one folder of images per class")
            return read_image_folder(data, folder)
        case FileData(source=Source.npz):
            path = _existing(data.path, Path.is_file, "an .npz file")
            return build_dataset(data.name, read_npz(path), str(path))
        case FileData(source=Source.idx):
            path = _existing(data.path, Path.is_dir, "a folder of four IDX files")
            return build_dataset(data.name, read_idx_folder(path), str(path))
        case Data() if data.source.value in SHA256:
            return read_builtin(data.name, data.source.value)
    raise RequestError(f"data.source={data.source.value} needs data.path, which this configuration lacks")


def verify(name: str) -> Dataset:
    """Read a built-in data set.

    Raises:
        DataError: the set is missing, or its arrays have a wrong SHA-256.
    """
    return load(Data(name=name, source=Source(name), preprocess=None))


def _existing(path: str, is_right: Callable[[Path], bool], expected: str) -> Path:
    expanded = Path(path).expanduser()
    if not expanded.exists():
        raise RequestError(f"data.path={path}: no such file or folder; expected {expected}")
    if not is_right(expanded):
        kind = "folder" if expanded.is_dir() else "file"
        raise RequestError(f"data.path={path} is a {kind}; expected {expected}")
    return expanded
