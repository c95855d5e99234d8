"""Lists the image files of a folder by part of the data set and by class."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fitbench.data.dataset import PARTS
from fitbench.data.image_files import IMAGE_SUFFIXES
from fitbench.data.parts import part_of
from fitbench.data.split import SPLIT_SEED, stratified_split
from fitbench.errors import DataError, RequestError

LabelledPaths = tuple[list[Path], np.ndarray]  # image files and their labels, int32 [N]
Parts = dict[str, LabelledPaths]  # by 'train', 'test' and, if the folder has a validation part, 'val'
LAYOUTS = (
    "expected train/ and test/, and optionally val/, with one folder per class in each and data.test_fraction=null; "
    "or nothing but one folder per class, with data.test_fraction=0.2"
)


def list_parts(folder: Path, test_fraction: float | None) -> tuple[tuple[str, ...], Parts]:
    """List the classes, and the files of each part: from the folders of the parts, or by splitting one tree.

    Args:
        folder: holds the folders of the parts, or those of the classes.
        test_fraction: the fraction of each class that goes to the test part of a folder without parts; None if there
            are parts.

    Raises:
        RequestError: the folders do not match `test_fraction`.
        DataError: the folders are neither parts with the same classes nor classes.
    """
    folders = _folders_of_parts(folder)
    if not folders:
        if test_fraction is None:
            raise RequestError(
                f"data.path={folder} has no train/ and test/ folders; if its folders are the classes, "
                "split off a test set with data.test_fraction=0.2"
            )
        return _split_tree(folder, test_fraction)
    names = ", ".join(f"{path.name}/" for path in folders.values())
    if not {"train", "test"} <= set(folders):
        raise RequestError(f"data.path={folder} has {names}, a usual name of a part of a data set; {LAYOUTS}")
    if test_fraction is not None:
        raise RequestError(f"data.path={folder} has the parts {names}; use data.test_fraction=null")
    listed = {part: _list_labelled(path) for part, path in folders.items()}
    classes, (paths, labels) = listed["train"]
    for part, (others, _) in listed.items():
        if others != classes:
            raise DataError(
                f"{folder}: {folders['train'].name}/ and {folders[part].name}/ have different classes: "
                f"{', '.join(sorted(set(classes) ^ set(others)))} in only one of them. Both need the same folders."
            )
    # validation=last holds the last examples back, so they must not be sorted by class
    order = np.random.RandomState(SPLIT_SEED).permutation(len(paths))
    shuffled = [paths[i] for i in order], labels[order]
    return classes, {part: of for part, (_, of) in listed.items()} | {"train": shuffled}


def _folders_of_parts(folder: Path) -> dict[str, Path]:
    """Return the folders with a usual name of a part, by 'train', 'test' and 'val'.

    Raises:
        DataError: two folders are the same part.
    """
    folders: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        part = part_of(path.name)
        if part is None or path.name[0] == "." or not path.is_dir():
            continue
        if part in folders:
            raise DataError(f"{folder}: {folders[part].name}/ and {path.name}/ are the same part; {LAYOUTS}")
        folders[part] = path
    return {part: folders[part] for part in PARTS if part in folders}


def _split_tree(folder: Path, test_fraction: float) -> tuple[tuple[str, ...], Parts]:
    classes, (paths, labels) = _list_labelled(folder)
    single = [name for name, count in zip(classes, np.bincount(labels), strict=True) if count < 2]
    if single:
        raise DataError(f"{folder}: class {', '.join(single)} has one image; a split needs two.")
    rows = dict(zip(("train", "test"), stratified_split(labels, test_fraction), strict=True))
    return classes, {part: ([paths[i] for i in of], labels[of]) for part, of in rows.items()}


def _list_labelled(folder: Path) -> tuple[tuple[str, ...], LabelledPaths]:
    by_class = list_images(folder)
    if not any(by_class.values()):
        raise DataError(
            f"{folder}: no images; expected one folder per class with image files ({' '.join(sorted(IMAGE_SUFFIXES))})."
        )
    empty = [name for name, paths in by_class.items() if not paths]
    if empty:
        raise DataError(f"{folder}: no image in the class folder {', '.join(empty)}. Fill or remove it.")
    for name, members in by_class.items():
        inner = {path.relative_to(folder / name).parts[0] for path in members if path.parent != folder / name}
        if parts := sorted(filter(part_of, inner)):
            raise DataError(
                f"{folder / name} has {parts[0]}/, a usual name of a part of a data set, inside of a class; {LAYOUTS}"
            )
    if len(by_class) < 2:
        raise DataError(f"{folder}: only one class folder, {next(iter(by_class))}; expected at least two.")
    paths = [path for members in by_class.values() for path in members]
    labels = np.repeat(np.arange(len(by_class), dtype=np.int32), [len(members) for members in by_class.values()])
    return tuple(by_class), (paths, labels)


def list_images(folder: Path) -> dict[str, list[Path]]:
    """List the image files of every class, `folder/<class>/**`, with classes and files in sorted order.

    Files are recognised by their suffix. Hidden files and folders are ignored. Folders inside a class folder belong
    to that class. Links are followed, but each folder is visited once.
    """
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")
    return {name: sorted(_walk(folder / name)) for name in classes}


def _walk(folder: Path) -> Iterator[Path]:
    visited = {folder.resolve()}  # a link may point to a folder above itself
    for parent, folders, names in os.walk(folder, followlinks=True):
        for name in sorted(folders):
            target = (Path(parent) / name).resolve()
            if name[0] == "." or target in visited:
                folders.remove(name)
            visited.add(target)
        for name in names:
            if name[0] != "." and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(parent) / name
