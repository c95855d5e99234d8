"""The whole configuration as dataclasses: its types, its checks, and a run's identity."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Source(Enum):
    """Where a data set's images come from."""

    mnist_5k = "mnist_5k"
    mnist = "mnist"
    fashion_mnist = "fashion_mnist"
    digits = "digits"
    npz = "npz"
    idx = "idx"
    image_folder = "image_folder"


@dataclass
class Data:
    """A data set that fitbench knows by name."""

    name: str
    source: Source


@dataclass
class FileData(Data):
    """One .npz file, or a folder of four IDX files."""

    path: str


@dataclass
class ImageFolder(FileData):
    """Folders of image files, one folder per class."""

    image_size: list[int]  # [height, width] in pixels
    color: bool
    test_fraction: float | None  # None: there are train/ and test/ folders
    skip_bad: bool
