"""Lists the image files of a folder by part of the data set and by class."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fitbench.data.dataset import PARTS
from fitbench.data.image_formats import IMAGE_SUFFIXES
from fitbench.data.image_paths import Folder, LeftOut, Reason, image_paths, images_of, list_folder, nfc
from fitbench.data.parts import part_of
from fitbench.data.split import SPLIT_SEED, stratified_split
from fitbench.errors import DataError, RequestError
from fitbench.text import clean

LabelledPaths = tuple[list[Path], np.ndarray]  # image files and their labels, int32 [N]
Parts = dict[str, LabelledPaths]  # by 'train', 'test' and, if the folder has a validation part, 'val'
LAYOUTS = (
    "expected train/ and test/, and optionally val/, with one folder per class in each and data.test_fraction=null; "
    "or nothing but one folder per class, with data.test_fraction=0.2"
)


def list_parts(folder: Path, test_fraction: float | None, left_out: LeftOut) -> tuple[tuple[str, ...], Parts]:
    """List the classes, and the files of each part: from the folders of the parts, or by splitting one tree.

    Args:
        folder: holds the folders of the parts, or those of the classes.
        test_fraction: the fraction of each class that goes to the test part of a folder without parts; 0: there is no
            test part; None if there are parts.
        left_out: counts what is left out.

    Raises:
        RequestError: the folders do not match `test_fraction`.
        DataError: the folders are neither parts with the same classes nor classes.
    """
    whole = _list_folder(str(folder), left_out)
    folders = _folders_of_parts(whole)
    if not folders:
        _check_for_classes(whole, left_out)
        if test_fraction is None:
            raise RequestError(
                f"data.path={folder} has no train/ and test/ folders; if its folders are the classes, "
                "split off a test set with data.test_fraction=0.2"
            )
        return _split_tree(whole, test_fraction, left_out)
    names = ", ".join(f"{name}/" for name in folders.values())
    if not {"train", "test"} <= set(folders):
        raise RequestError(f"data.path={folder} has {names}, a usual name of a part of a data set; {LAYOUTS}")
    if test_fraction is not None:
        raise RequestError(f"data.path={folder} has the parts {names}; use data.test_fraction=null")
    for name in whole.folders:
        if name not in folders.values():
            left_out.add(Reason.NO_PART, name)
    listed = {
        part: _list_labelled(_list_folder(whole.path_of(name), left_out), left_out) for part, name in folders.items()
    }
    classes, (paths, labels) = listed["train"]
    for part, (others, _) in listed.items():
        if others != classes:
            different = _listed(sorted(set(classes) ^ set(others)))
            raise DataError(
                f"{folder}: {folders['train']}/ and {folders[part]}/ have different classes: {different} in only one "
                "of them. Both need the same folders."
            )
    return classes, {part: of for part, (_, of) in listed.items()} | {"train": _shuffled(paths, labels)}


def _shuffled(paths: list[Path], labels: np.ndarray) -> LabelledPaths:
    """The training examples in an order that is not sorted by class, because validation=last holds the last back."""
    order = np.random.RandomState(SPLIT_SEED).permutation(len(paths))
    return [paths[i] for i in order], labels[order]


def _check_for_classes(whole: Folder, left_out: LeftOut) -> None:
    """Refuse a folder without parts whose folders cannot be classes."""
    if not whole.folders:
        raise _no_images(whole, left_out)
    inner = whole.path_of(whole.folders[0])  # an archive is often unpacked into a folder in a folder
    if len(whole.folders) == 1 and {"train", "test"} <= set(_folders_of_parts(list_folder(inner, LeftOut()))):
        raise RequestError(
            f"data.path={whole.path} has no train/ and test/ folders, but its only folder has; set data.path={inner}"
        )


def _no_images(place: Folder, left_out: LeftOut) -> DataError:
    suffixes = " ".join(sorted(IMAGE_SUFFIXES))
    text = f"{place.path}: no images; expected one folder per class with image files ({suffixes})."
    return DataError(f"{text}{_hint(left_out)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(clean, names))


def _hint(left_out: LeftOut) -> str:
    return f" Left out: {left_out}." if str(left_out) else ""


def _list_folder(path: str, left_out: LeftOut) -> Folder:
    """List a folder that holds parts or classes. Images that are directly in it are left out."""
    place = list_folder(path, left_out)
    if place.error:
        raise DataError(f"{path}: cannot be listed ({place.error.strerror})")
    for name in images_of(place, left_out):
        left_out.add(Reason.OUTSIDE, os.path.basename(name))  # noqa: PTH119
    return place


def _folders_of_parts(whole: Folder) -> dict[str, str]:
    """Return the names of folders with a usual name of a part, by 'train', 'test' and 'val'.

    Raises:
        DataError: two folders are the same part.
    """
    folders: dict[str, str] = {}
    for name in whole.folders:
        part = part_of(name)
        if part is None:
            continue
        if part in folders:
            raise DataError(f"{whole.path}: {folders[part]}/ and {name}/ are the same part; {LAYOUTS}")
        folders[part] = name
    return {part: folders[part] for part in PARTS if part in folders}


def _split_tree(whole: Folder, test_fraction: float, left_out: LeftOut) -> tuple[tuple[str, ...], Parts]:
    classes, (paths, labels) = _list_labelled(whole, left_out)
    if test_fraction == 0:
        return classes, {"train": _shuffled(paths, labels)}
    single = [name for name, count in zip(classes, np.bincount(labels), strict=True) if count < 2]
    if single:
        raise DataError(f"{whole.path}: class {_listed(single)} has one image; a split needs two.")
    rows = dict(zip(("train", "test"), stratified_split(labels, test_fraction), strict=True))
    return classes, {part: ([paths[i] for i in of], labels[of]) for part, of in rows.items()}


def _list_labelled(place: Folder, left_out: LeftOut) -> tuple[tuple[str, ...], LabelledPaths]:
    folder, by_class = place.path, list_images(place, left_out)
    if not any(by_class.values()):
        raise _no_images(place, left_out)
    empty = [name for name, paths in by_class.items() if not paths]
    if empty:
        raise DataError(f"{folder}: no image in the class folder {_listed(empty)}. Fill or remove it.{_hint(left_out)}")
    for name, members in by_class.items():
        inner = {parts[0] for path in members if len(parts := _parts_below(place, path)[1:]) > 1}
        if found := sorted(filter(part_of, inner)):
            raise DataError(
                f"{clean(place.path_of(name))} has {found[0]}/, a usual name of a part of a data set, inside of a "
                f"class; {LAYOUTS}"
            )
    if len(by_class) < 2:
        raise DataError(f"{folder}: only one class folder, {_listed(by_class)}; expected at least two.")
    paths = [Path(path) for members in by_class.values() for path in members]
    labels = np.repeat(np.arange(len(by_class), dtype=np.int32), [len(members) for members in by_class.values()])
    return tuple(by_class), (paths, labels)


def list_images(place: Folder, left_out: LeftOut) -> dict[str, list[str]]:
    """List the image files of every class, `<folder>/<class>/**`, with classes and files in sorted order.

    Classes are named and sorted by NFC; see `image_paths.nfc`. Folders inside a class folder belong to that class.

    Raises:
        DataError: two folders have the same name in NFC, or a name is not UTF-8.
    """
    by_class: dict[str, list[str]] = {}
    for name in place.folders:
        if any(0xD800 <= ord(character) < 0xE000 for character in name):
            raise DataError(f"{place.path}: the name of the class folder '{clean(name)}' is not UTF-8; rename it.")
        if nfc(name) in by_class:
            raise DataError(
                f"{place.path}: two class folders are named {clean(name)}, written with different characters (Unicode "
                "NFC and NFD). Join them."
            )
        paths = image_paths(place.path_of(name), left_out)
        by_class[nfc(name)] = sorted(paths, key=lambda path: (list(map(nfc, _parts_below(place, path))), path))
    return by_class


def _parts_below(place: Folder, path: str) -> list[str]:
    """Return the names of the folders and of the file that lead from a folder to a path below it."""
    return path.removeprefix(place.path_of("")).split("/")
