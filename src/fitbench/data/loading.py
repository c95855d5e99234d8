"""From a configuration to a checked data set, whatever file format or package it comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fitbench.config import Data, FileData, ImageFolder, Source
from fitbench.data.checks import checked
from fitbench.data.dataset import Dataset
from fitbench.data.files import read_idx_folder, read_npz
from fitbench.data.image_folder import read_image_folder
from fitbench.data.known import SHA256, read_known
from fitbench.errors import RequestError


def load(data: Data) -> Dataset:
    """Read and check the data set that the configuration names.

    Raises RequestError where the configuration is wrong (a path that does not exist, an impossible size), and
    DataError where the data are missing, damaged or not what they should be; both name the file.
    """
    match data:
        case ImageFolder(source=Source.image_folder):
            folder = _existing(data.path, Path.is_dir, "a folder of folders of images")
            return read_image_folder(data, folder)
        case FileData(source=Source.npz):
            path = _existing(data.path, Path.is_file, "an .npz file")
            return checked(data.name, read_npz(path), str(path))
        case FileData(source=Source.idx):
            path = _existing(data.path, Path.is_dir, "a folder of four IDX files")
            return checked(data.name, read_idx_folder(path), str(path))
        case Data() if data.source.value in SHA256:
            return read_known(data.name, data.source.value)
    raise RequestError(f"data.source={data.source.value} needs data.path, which this configuration lacks")


def verify(name: str) -> Dataset:
    """Read a data set that is known by name; raises DataError unless its arrays have the right SHA-256."""
    return load(Data(name=name, source=Source(name), preprocess=None))


def _existing(path: str, is_right: Callable[[Path], bool], expected: str) -> Path:
    found = Path(path).expanduser()
    if not found.exists():
        raise RequestError(f"data.path={path}: no such file or folder; expected {expected}")
    if not is_right(found):
        kind = "folder" if found.is_dir() else "file"
        raise RequestError(f"data.path={path} is a {kind}; expected {expected}")
    return found
