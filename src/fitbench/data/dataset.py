"""The data set that a run trains on, and its checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fitbench.data.fingerprint import fingerprint
from fitbench.data.image_arrays import ImageFiles
from fitbench.data.memory import Joined, chunks, joined
from fitbench.errors import DataError

PARTS = ("train", "test", "val")  # in the order of the checksum; a data set may lack the last one
Images = np.ndarray | ImageFiles


@dataclass(frozen=True, eq=False)
class Dataset:
    """The data set that a run trains on.

    The examples are in the order of their source, which may be sorted by class. Those of an image folder are shuffled.
    Every class of the other parts is also in the training part. A validation part of the data set's own stands at the
    end of the training arrays.

    Attributes:
        name: the name, as in the run_id.
        x_train, x_test: images, uint8 [N, height, width, channels], 0 to 255: an array, a read-only memmap, or
            `ImageFiles` or `Joined`, which read the images that they are indexed with.
        y_train, y_test: labels, int32 [N], positions in `classes`.
        classes: the names of the classes.
        sha256: see `sha256_of`.
        source: the file or folder that the examples were read from.
        skipped: the unreadable image files that were left out.
        left_out: what of an image folder is not read, in one line; see `image_paths.LeftOut`.
        validation: how many examples at the end of the training arrays are the validation part; 0 if it has none.
        fingerprint: see `fingerprint.fingerprint`; taken before `source` was read. None for a built-in data set.
    """

    name: str
    x_train: Images | Joined = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_test: Images = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    classes: tuple[str, ...]
    sha256: str
    source: str
    skipped: tuple[str, ...] = ()
    left_out: str = ""
    validation: int = 0
    fingerprint: str | None = None

    def check_unchanged(self) -> None:
        """Refuse images that were read from files throughout a training if the files have changed meanwhile.

        Raises:
            DataError: the images of the training may not be those that `sha256` is of.
        """
        if self.fingerprint is None or all(type(images) is np.ndarray for images in (self.x_train, self.x_test)):
            return
        if fingerprint(Path(self.source)) != self.fingerprint:
            raise DataError(
                f"{self.source}: its files have changed while the run read them, so the result is not recorded. "
                "Launch the run again; it continues if the images are still the same."
            )


def assembled(
    name: str,
    images: Mapping[str, Images],
    labels: Mapping[str, np.ndarray],
    classes: tuple[str, ...],
    source: str,
    skipped: tuple[str, ...] = (),
) -> Dataset:
    """Make a data set of checked parts: images and labels by 'train', 'test' and perhaps 'val', as in `Dataset`."""
    for array in (*images.values(), *labels.values()):
        if isinstance(array, np.ndarray):
            array.setflags(write=False)  # the next run of this process may get the same arrays
    sha256 = sha256_of(*(array for part in PARTS if part in images for array in (images[part], labels[part])))
    x_train, y_train = images["train"], labels["train"]
    if "val" in images:
        x_train, y_train = joined(x_train, images["val"]), np.concatenate([y_train, labels["val"]])
    validation = len(y_train) - len(labels["train"])
    dataset = Dataset(name, x_train, y_train, images["test"], labels["test"], classes, sha256, source, skipped)
    return replace(dataset, validation=validation)


def sha256_of(*arrays: Images) -> str:
    """Return the checksum of a data set: the SHA-256 (hex) of a line for each array.

    The arrays are x_train, y_train, x_test, y_test, and x_val, y_val if the data set has a validation part.

    A line is `<dtype> <shape> <SHA-256 of the bytes>` and a newline, for instance `uint8 60000x28x28x1 ba89...`. The
    bytes are in C order, little-endian. The checksum does not depend on the file format. Computing it takes the memory
    of one chunk. `ImageFiles` bring their inner SHA-256, which was computed when all of them were decoded.
    """
    whole = hashlib.sha256()
    for array in arrays:
        line = f"{array.dtype.name} {'x'.join(map(str, array.shape))} {_content_sha256(array)}\n"
        whole.update(line.encode())
    return whole.hexdigest()


def _content_sha256(array: Images) -> str:
    if isinstance(array, ImageFiles):
        return array.sha256
    digest = hashlib.sha256()
    for rows in chunks(array):
        digest.update(np.ascontiguousarray(array[rows], array.dtype.newbyteorder("<")).data)
    return digest.hexdigest()
