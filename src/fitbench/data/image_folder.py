"""Reads a folder with one folder of images per class as a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fitbench.config import ImageFolder
from fitbench.data.dataset import Dataset, assembled
from fitbench.data.image_files import IMAGE_SUFFIXES, list_images, read_images
from fitbench.data.memory import memory_limit
from fitbench.data.split import SPLIT_SEED, stratified_split
from fitbench.errors import DataError, RequestError


def read_image_folder(data: ImageFolder, folder: Path) -> Dataset:
    """Read and check the images of the folder.

    Raises:
        RequestError: the folders do not match `test_fraction`.
        DataError: images are missing or cannot be read; the message names them.
    """
    height, width = data.image_size
    shape = (height, width, 3 if data.color else 1)
    classes, (train, y_train), (test, y_test) = _image_paths(folder, data.test_fraction)
    in_memory = (len(train) + len(test)) * int(np.prod(shape)) <= memory_limit()
    x_train, bad_train = read_images(train, shape, skip_bad=data.skip_bad, in_memory=in_memory)
    x_test, bad_test = read_images(test, shape, skip_bad=data.skip_bad, in_memory=in_memory)
    y_train, y_test = np.delete(y_train, bad_train), np.delete(y_test, bad_test)
    for part, labels in (("train", y_train), ("test", y_test)):
        empty = [name for label, name in enumerate(classes) if label not in labels]
        if empty:
            raise DataError(
                f"{folder}: class {', '.join(empty)} has no readable {part} image. "
                "Repair the images, or remove the folder of the class."
            )
    skipped = [str(train[i]) for i in bad_train] + [str(test[i]) for i in bad_test]
    images, labels = {"train": x_train, "test": x_test}, {"train": y_train, "test": y_test}
    return assembled(data.name, images, labels, classes, str(folder), tuple(skipped))


LabelledPaths = tuple[list[Path], np.ndarray]  # image files and their labels, int32 [N]


def _image_paths(folder: Path, test_fraction: float | None) -> tuple[tuple[str, ...], LabelledPaths, LabelledPaths]:
    """List the classes, and the files for training and test: from train/ and test/, or by splitting one tree."""
    has_parts = (folder / "train").is_dir() and (folder / "test").is_dir()
    if test_fraction is None:
        if not has_parts:
            raise RequestError(
                f"data.path={folder} has no train/ and test/ folders; if its folders are the classes, "
                "split off a test set with data.test_fraction=0.2"
            )
        classes, train = _list_labelled(folder / "train")
        test_classes, test = _list_labelled(folder / "test")
        if classes != test_classes:
            raise DataError(
                f"{folder}: train/ and test/ have different classes: "
                f"{', '.join(sorted(set(classes) ^ set(test_classes)))} in only one of them. "
                "Both need the same folders."
            )
        paths, labels = train
        # validation=last holds the last examples back, so they must not be sorted by class
        order = np.random.RandomState(SPLIT_SEED).permutation(len(paths))
        return classes, ([paths[i] for i in order], labels[order]), test
    if has_parts:
        raise RequestError(f"data.path={folder} has train/ and test/ folders; use data.test_fraction=null")
    classes, (paths, labels) = _list_labelled(folder)
    single = [name for name, count in zip(classes, np.bincount(labels), strict=True) if count < 2]
    if single:
        raise DataError(f"{folder}: class {', '.join(single)} has one image; a split needs two.")
    train_rows, test_rows = stratified_split(labels, test_fraction)
    return (
        classes,
        ([paths[i] for i in train_rows], labels[train_rows]),
        ([paths[i] for i in test_rows], labels[test_rows]),
    )


def _list_labelled(folder: Path) -> tuple[tuple[str, ...], LabelledPaths]:
    by_class = list_images(folder)
    if not any(by_class.values()):
        raise DataError(
            f"{folder}: no images; expected one folder per class with image files ({' '.join(sorted(IMAGE_SUFFIXES))})."
        )
    empty = [name for name, paths in by_class.items() if not paths]
    if empty:
        raise DataError(f"{folder}: no image in the class folder {', '.join(empty)}. Fill or remove it.")
    if len(by_class) < 2:
        raise DataError(f"{folder}: only one class folder, {next(iter(by_class))}; expected at least two.")
    paths = [path for members in by_class.values() for path in members]
    labels = np.repeat(np.arange(len(by_class), dtype=np.int32), [len(members) for members in by_class.values()])
    return tuple(by_class), (paths, labels)
