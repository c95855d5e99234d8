"""The data set that a run trains on, and its checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from fitbench.data.fingerprint import fingerprint
from fitbench.data.image_arrays import ImageFiles
from fitbench.data.memory import Joined, chunks, file_behind, joined
from fitbench.errors import DataError
from fitbench.kinds import IMAGES
from fitbench.metrics import CLASSIFICATION
from fitbench.record.dataset import Column
from fitbench.record.inputs import Inputs

PARTS = ("train", "test", "val")  # in the order of the checksum; a data set may lack the last one
Images = np.ndarray | ImageFiles
Arrays = Images  # or rows of a table, series, tokens


@dataclass(frozen=True, eq=False)
class Dataset:
    """The data set that a run trains on.

    The examples are in the order of their source, which may be sorted by class, unless `is_shuffled`. Those of an image
    folder and the training examples of tables and of files of series are shuffled.
    Every class of the other parts is also in the training part. A validation part of the data set's own stands at the
    end of the training arrays.

    Attributes:
        name: the name, as in the run_id.
        x_train, x_test: images, uint8 [N, height, width, channels], 0 to 255: an array, a read-only memmap, or
            `ImageFiles`, `Joined` or `Converted`, which read what they are indexed with. Or the rows of a table,
            float32 [N, columns], as `columns` describes them; a missing number is NaN. Or examples of another kind, as
            `record.inputs.Inputs` describes them. Without a test part, x_test has no examples.
        y_train, y_test: classification: labels, int32 [N], positions in `names`; regression: float32 [N, targets];
            several labels: int8 [N, labels], 0 or 1.
        names: the names of the outputs: of classes, targets or labels.
        sha256: see `sha256_of`.
        source: the file or folder that the examples were read from.
        skipped: the unreadable image files that were left out.
        left_out: what of an image folder is not read, in one line; see `image_paths.LeftOut`.
        validation: how many examples at the end of the training arrays are the validation part; 0 if it has none.
        files: the files or folders that the arrays are read from; () where that is not known, or they are built in.
        fingerprint: that of `files`, see `fingerprint.fingerprint`; taken before they were read. None without files.
        task: the name of the task, which the targets or the configuration decided.
        kind: of the examples, a name in `kinds.KINDS`.
        columns: of a table, in the order of the input; empty for other kinds.
        vocabulary: of tokens: how many there are; None for other kinds.
        w_train, w_test: the weight of each example in the loss, float32 [N]; None: all weigh 1.
        groups: a number for the group of each training example, int [N]: those of one group go to the training or to
            the validation part together. None: there are none.
        is_shuffled: whether the reader has shuffled the training examples, so that they are not in the order of their
            source. Their order is that of `rows_train`, or there is none.
        rows_train: of tables and of files of series, the row of the file that each training example is, int64 [N],
            counted from 1: below the names of the columns, or among the series. None: the examples are no rows.
        rows_test: of a table, the row of the file that each test example is, counted likewise. None: the examples are
            no rows.
        notes: what the reader did with the data, for people, a line each.
        test_inputs_sha256: the `sha256_of` x_test; None without a test part.
    """

    name: str
    x_train: Images | Joined = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_test: Images = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    names: tuple[str, ...]
    sha256: str
    source: str
    skipped: tuple[str, ...] = ()
    left_out: str = ""
    validation: int = 0
    files: tuple[Path, ...] = ()
    fingerprint: str | None = None
    task: str = CLASSIFICATION
    kind: str = IMAGES
    columns: tuple[Column, ...] = ()
    vocabulary: int | None = None
    w_train: np.ndarray | None = field(default=None, repr=False)
    w_test: np.ndarray | None = field(default=None, repr=False)
    groups: np.ndarray | None = field(default=None, repr=False)
    is_shuffled: bool = False
    rows_train: np.ndarray | None = field(default=None, repr=False)
    rows_test: np.ndarray | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    test_inputs_sha256: str | None = None

    @property
    def inputs(self) -> Inputs:
        """What a model of the training examples takes."""
        return Inputs(
            kind=self.kind,
            shape=tuple(self.x_train.shape[1:]),
            dtype=str(self.x_train.dtype),
            columns=self.columns,
            vocabulary=self.vocabulary,
        )

    @property
    def has_test_part(self) -> bool:
        """Whether there are test examples. Folds can do without them."""
        return len(self.y_test) > 0

    @cached_property
    def test_sha256(self) -> str | None:
        """The `sha256_of` the targets of the test part; before them its rows, after them its weights, if it has any.

        Other columns of a table and other sizes of images do not change it. None without a test part.
        """
        arrays = [array for array in (self.rows_test, self.y_test, self.w_test) if array is not None]
        return sha256_of(*arrays) if self.has_test_part else None

    @property
    def has_changed(self) -> bool:
        """Whether the files have changed since they were read."""
        return self.fingerprint is not None and fingerprint(*self.files) != self.fingerprint

    def check_unchanged(self) -> None:
        """Refuse examples that were read from files throughout a training if the files have changed meanwhile.

        Raises:
            DataError: the examples of the training may not be those that `sha256` is of.
        """
        arrays = (self.x_train, self.x_test, self.y_train, self.y_test)
        if any(type(array) is not np.ndarray or file_behind(array) for array in arrays) and self.has_changed:
            raise DataError(
                f"{self.source}: its files have changed while the run read them, so the result is not recorded. "
                "Launch the run again; it continues if the data are still the same."
            )


def assembled(
    name: str,
    inputs: Mapping[str, Arrays],
    targets: Mapping[str, np.ndarray],
    names: tuple[str, ...],
    source: str,
    skipped: tuple[str, ...] = (),
    weights: Mapping[str, np.ndarray] | None = None,
    groups: np.ndarray | None = None,
) -> Dataset:
    """Make a data set of checked parts: inputs, targets and perhaps weights by 'train', 'test' and perhaps 'val'.

    They and the groups are as in `Dataset`. A part without weights, where another part has some, weighs 1. Without
    'test', the arrays of the test part are empty.

    Raises:
        DataError: all weights of a part are 0.
    """
    if weights:
        weights = {part: weights.get(part, np.ones(len(targets[part]), np.float32)) for part in targets}
        for part, values in weights.items():
            if not values.any():
                raise DataError(f"{source}: all weights of the {part} part are 0; expected one above 0.")
    arrays = [by_part[part] for part in PARTS if part in inputs for by_part in (inputs, targets, weights) if by_part]
    arrays += [] if groups is None else [groups]
    for array in arrays:
        if isinstance(array, np.ndarray):
            array.setflags(write=False)  # the next run of this process may get the same arrays
    x_train, y_train, w_train = inputs["train"], targets["train"], weights["train"] if weights else None
    x_test = inputs["test"] if "test" in inputs else np.empty((0, *x_train.shape[1:]), x_train.dtype)
    y_test = targets.get("test", y_train[:0])
    w_test = weights.get("test", np.empty(0, np.float32)) if weights else None
    if "val" in inputs:
        x_train, y_train = joined(x_train, inputs["val"]), np.concatenate([y_train, targets["val"]])
        w_train = np.concatenate([weights["train"], weights["val"]]) if weights else None
    lines = [_line(array) for array in arrays]
    of_test = [line for array, line in zip(arrays, lines, strict=True) if array is x_test][:1]
    return Dataset(
        *(name, x_train, y_train, x_test, y_test, names, _sha256_of_lines(lines), source, skipped),
        test_inputs_sha256=_sha256_of_lines(of_test) if of_test else None,
        validation=len(y_train) - len(targets["train"]),
        w_train=w_train,
        w_test=w_test,
        groups=groups,
    )


def sha256_of(*arrays: Images) -> str:
    """Return the checksum of a data set: the SHA-256 (hex) of a line for each array.

    The arrays are x_train, y_train, x_test, y_test, and x_val, y_val if the data set has a validation part; a test part
    that it does not have is left out. Where the examples have weights, those of a part follow its targets. Groups are
    the last array.

    A line is `<dtype> <shape> <SHA-256 of the bytes>` and a newline, for instance `uint8 60000x28x28x1 ba89...`. The
    bytes are in C order, little-endian. The checksum does not depend on the file format. Computing it takes the memory
    of one chunk. `ImageFiles` bring their inner SHA-256, which was computed when all of them were decoded.
    """
    return _sha256_of_lines(map(_line, arrays))


def _sha256_of_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _line(array: Images) -> str:
    return f"{array.dtype.name} {'x'.join(map(str, array.shape))} {_content_sha256(array)}\n"


def _content_sha256(array: Images) -> str:
    if isinstance(array, ImageFiles):
        return array.sha256
    digest = hashlib.sha256()
    for rows in chunks(array):
        digest.update(np.ascontiguousarray(array[rows], array.dtype.newbyteorder("<")).data)
    return digest.hexdigest()
