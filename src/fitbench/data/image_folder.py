"""A folder of folders of images as a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fitbench.config import ImageFolder
from fitbench.data.dataset import Dataset, sha256_of
from fitbench.data.image_files import IMAGE_SUFFIXES, list_images, read_images
from fitbench.data.memory import memory_limit
from fitbench.data.split import SPLIT_SEED, stratified_split
from fitbench.errors import DataError, RequestError


def read_image_folder(data: ImageFolder, folder: Path) -> Dataset:
    """Read and check the images of the folder.

    Raises:
        RequestError: the size, or the fraction for the test, is impossible.
        DataError: images are missing or cannot be read; the message names them.
    """
    shape = _image_shape(data)
    classes, (train, y_train), (test, y_test) = _image_paths(folder, data.test_fraction)
    in_memory = (len(train) + len(test)) * int(np.prod(shape)) <= memory_limit()
    x_train, bad_train = read_images(train, shape, skip_bad=data.skip_bad, in_memory=in_memory)
    x_test, bad_test = read_images(test, shape, skip_bad=data.skip_bad, in_memory=in_memory)
    y_train, y_test = np.delete(y_train, bad_train), np.delete(y_test, bad_test)
    for part, labels in (("train", y_train), ("test", y_test)):
        emptied = [name for label, name in enumerate(classes) if label not in labels]
        if emptied:
            raise DataError(
                f"{folder}: class {', '.join(emptied)} has no readable {part} image left. "
                "Repair the images, or remove the class's folder."
            )
    skipped = [str(train[i]) for i in bad_train] + [str(test[i]) for i in bad_test]
    sha256 = sha256_of(x_train, y_train, x_test, y_test)
    return Dataset(data.name, x_train, y_train, x_test, y_test, classes, sha256, str(folder), tuple(skipped))


def _image_shape(data: ImageFolder) -> tuple[int, int, int]:
    size = list(data.image_size)
    if len(size) != 2 or min(size) < 1:
        raise RequestError(f"data.image_size={size}: expected [height, width] in pixels, each at least 1")
    shape = (size[0], size[1], 3 if data.color else 1)
    if np.prod(shape, dtype=object) > min(memory_limit(), 2**31 - 1):
        raise RequestError(f"data.image_size={size}: one such image does not fit into the memory available")
    return shape


Labelled = tuple[list[Path], np.ndarray]  # image files, and their labels int32 [N]


def _image_paths(folder: Path, test_fraction: float | None) -> tuple[tuple[str, ...], Labelled, Labelled]:
    """The classes, and the training and test files, of train/ and test/ or split off one tree."""
    has_parts = (folder / "train").is_dir() and (folder / "test").is_dir()
    if test_fraction is None:
        if not has_parts:
            raise RequestError(
                f"data.path={folder} has no train/ and test/ folder; if its folders are the classes, "
                "data.test_fraction=0.2 splits off a test set"
            )
        classes, train = _labelled(folder / "train")
        test_classes, test = _labelled(folder / "test")
        if classes != test_classes:
            raise DataError(
                f"{folder}: train/ and test/ have different classes: "
                f"{', '.join(sorted(set(classes) ^ set(test_classes)))} in only one of them. "
                "Both need the same folders."
            )
        paths, labels = train
        shuffled = np.random.RandomState(SPLIT_SEED).permutation(len(paths))  # the last of them may be held back
        return classes, ([paths[i] for i in shuffled], labels[shuffled]), test
    if not 0 < test_fraction < 1:
        raise RequestError(f"data.test_fraction={test_fraction}: expected a number between 0 and 1, or null")
    if has_parts:
        raise RequestError(f"data.path={folder} has train/ and test/ folders already; use data.test_fraction=null")
    classes, (paths, labels) = _labelled(folder)
    single = [name for name, count in zip(classes, np.bincount(labels), strict=True) if count < 2]
    if single:
        raise DataError(f"{folder}: class {', '.join(single)} has one image; a split into train and test needs two.")
    train_at, test_at = stratified_split(labels, test_fraction)
    return (
        classes,
        ([paths[i] for i in train_at], labels[train_at]),
        ([paths[i] for i in test_at], labels[test_at]),
    )


def _labelled(folder: Path) -> tuple[tuple[str, ...], Labelled]:
    found = list_images(folder)
    if not any(found.values()):
        raise DataError(
            f"{folder}: no images; expected one folder per class with image files ({' '.join(sorted(IMAGE_SUFFIXES))})."
        )
    empty = [name for name, paths in found.items() if not paths]
    if empty:
        raise DataError(f"{folder}: no image in the class folder {', '.join(empty)}. Fill or remove it.")
    if len(found) < 2:
        raise DataError(f"{folder}: only one class folder, {next(iter(found))}; expected at least two.")
    paths = [path for members in found.values() for path in members]
    labels = np.repeat(np.arange(len(found), dtype=np.int32), [len(members) for members in found.values()])
    return tuple(found), (paths, labels)
