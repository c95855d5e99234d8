"""Loads the data set that a configuration names."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fitbench.config import (
    AUTO,
    ArrayFiles,
    Data,
    FileData,
    ImageFolder,
    OwnData,
    PackagedTable,
    Series,
    Source,
    TableFile,
    UcrSeries,
)
from fitbench.config.code import code_of
from fitbench.data.arrays import dataset_of_arrays
from fitbench.data.builtin import BUILTIN, locate, read_builtin
from fitbench.data.checks import build_dataset
from fitbench.data.dataset import Dataset
from fitbench.data.files import read_idx_folder
from fitbench.data.fingerprint import fingerprint
from fitbench.data.image_folder import read_image_folder
from fitbench.data.known_tables import read_known_table
from fitbench.data.npz import read_npz
from fitbench.data.own_function import read_own
from fitbench.data.series import read_series
from fitbench.data.split import shuffled_rows
from fitbench.data.table import dataset_of
from fitbench.data.table_file import read_table
from fitbench.data.ucr import find_ucr
from fitbench.errors import DataError, FitbenchError, NotTrustedError, RequestError
from fitbench.kinds import IMAGES
from fitbench.stderr import write_note
from fitbench.text import clean, counted

log = logging.getLogger(__name__)
_latest: dict[str, Dataset] = {}  # the data set that was read last, for the next run of this process
_first: dict[str, tuple[str, tuple[str, ...]]] = {}  # checksum and names that a function of the user's gave first


def load(data: Data, task: str = AUTO, steps: int | None = None, whole: bool = False) -> Dataset:
    """Read and check the data set that the configuration names. Its arrays are read-only.

    `task` is that of the configuration; with `auto` the targets decide it. Series are interpolated to
    `steps`, if they are interpolated; by default to `data.steps`, or to the longest of the training part. If `whole`,
    both parts are all series of the one file, in its order.

    Files that have not changed since this process last read them are not read again. A function of the user's with the
    same arguments and code is not called again, unless a file has changed that its arguments name or that its arrays
    are mapped from. What was done with the data, and what is left out of a folder, is logged each time, and written to
    stderr when the files are read.

    Raises:
        RequestError: the configuration is wrong: a path that does not exist, an impossible size.
        DataError: the data are missing, damaged or not a data set; the message names the file.
    """
    paths = _places(data)
    now = fingerprint(*paths) if paths else None
    code = code_of(data.model_dump(mode="json")) if isinstance(data, OwnData) else {}
    key = f"{paths} {now} {code} {task} {steps} {whole} {data.model_dump_json(exclude={'preprocess'}, warnings=False)}"
    is_new = key not in _latest or (isinstance(data, OwnData) and _latest[key].has_changed)
    if is_new:
        _latest.clear()  # two data sets may not fit into memory
        if isinstance(data, OwnData):
            _latest[key] = _read_repeatable(data, task, key)
            code_of(data.model_dump(mode="json"))  # notes which modules are loaded, so that a reload is noticed
        else:
            _latest[key] = _read(data, task, steps, whole, paths, now)
    dataset = _latest[key]
    for notice in _notices(dataset):
        log.info(notice)
        if is_new:
            write_note(notice)
    return dataset


def _read_repeatable(data: OwnData, task: str, key: str) -> Dataset:
    """The data of a function of the user's, which must give the same ones whenever a process calls it.

    The first time it is called twice, because a function that gives other arrays at each call makes runs that nobody
    can resume or repeat. One copy of the arrays is held at a time. `key` is that of `_latest`.
    """

    def content(dataset: Dataset) -> tuple[str, tuple[str, ...]]:
        return dataset.sha256, dataset.names

    dataset = read_own(data, task)
    key = f"{key} {dataset.fingerprint}"
    if key not in _first:
        _first[key] = content(dataset)
        del dataset
        dataset = read_own(data, task)
    if _first[key] != content(dataset):
        before, now = _first[key][0], dataset.sha256
        change = f"SHA-256 {before[:8]} and then {now[:8]}" if before != now else "other names of classes"
        raise DataError(
            f"{data.target} gives other arrays at each call ({change}); make it give the same ones, for instance with "
            "numpy.random.default_rng(0) in place of an unseeded generator"
        )
    return dataset


def forget() -> None:
    """Free the memory of the data set that was read last, unless it is in use."""
    _latest.clear()


def is_here(data: Data) -> bool:
    """Whether reading the data set downloads nothing. Its files may still be missing.

    Raises:
        RequestError: $FITBENCH_DATA is not a folder.
    """
    name = data.source.value
    return name not in BUILTIN or locate(name) is not None


def load_recorded(data: Data, result: Mapping[str, Any], folder: Path, trust: bool, purpose: str) -> Dataset:
    """Load the data of a recorded run, which may be a stranger's. All code that reads run folders calls this function.

    Args:
        data: the section of the recorded configuration.
        result: that of the run.
        folder: that of the run.
        trust: whether the user trusts the origin of the run.
        purpose: what needs the data, for messages: 'an export is checked on the data of its run'.

    Raises:
        NotTrustedError: the data come from a function and `trust` is false: a run may name any function.
        FitbenchError: the data are not here, or are not those of the run.
    """
    if isinstance(data, OwnData) and not trust:
        raise NotTrustedError(
            f"{folder}: its data come from the function {clean(data.target)}, and {purpose}. Such code could do "
            "anything on this computer. If you trust the origin of the run, add --trust"
        )
    try:
        found = load(data, result["task"])
    except (DataError, RequestError) as error:
        raise FitbenchError(f"{str(error).splitlines()[0]}\n{purpose}, which must be here") from error
    if found.sha256 != (recorded := result["data"]["sha256"]):
        text = f"these data have SHA-256 {found.sha256[:8]}, the run was tested with {recorded:.8}"
        raise FitbenchError(f"{found.source}: {text}; {purpose}")
    return found


def _notices(dataset: Dataset) -> Iterator[str]:
    """What the reader did with the data, and which files of the folder are no part of them, a line each."""
    source, skipped = clean(dataset.source), len(dataset.skipped)
    for note in dataset.notes:
        yield f"{source}: {note}"
    if dataset.left_out:
        yield f"{source}: left out: {dataset.left_out}"
    if skipped:
        yield f"{source}: left out: {counted(skipped, 'unreadable image')}, such as {clean(dataset.skipped[0])}"


def _read(data: Data, task: str, steps: int | None, whole: bool, paths: list[Path], now: str | None) -> Dataset:
    if isinstance(data, PackagedTable):
        return read_known_table(data, task)
    if not isinstance(data, Series | FileData):
        return read_builtin(data.source.value, data.name)
    read = read_series(data, paths, task, steps, whole) if isinstance(data, Series) else _read_files(data, task, paths)
    return replace(read, files=tuple(paths), fingerprint=now)


def _read_files(data: FileData, task: str, paths: list[Path]) -> Dataset:
    if isinstance(data, TableFile):
        return _read_table_file(data, task)
    path = paths[0]
    if isinstance(data, ImageFolder):
        return read_image_folder(data, path)
    if isinstance(data, ArrayFiles):
        return dataset_of_arrays(data, read_npz(path), str(path), task)
    return build_dataset(data.name, read_idx_folder(path), str(path), max_value=data.max_value, task=task)


def _read_table_file(data: TableFile, task: str) -> Dataset:
    where = dict(zip(("train", "test"), data.paths, strict=False))
    frames = {part: read_table(Path(file)) for part, file in where.items()}
    if "test" in frames:  # otherwise the rows are shuffled when the test part is drawn
        frames["train"] = frames["train"].iloc[shuffled_rows(len(frames["train"]), data.split_seed)]
    return dataset_of(data, frames, where, task)


EXPECTED = {
    Source.npz: "an .npz file, or a folder of .npy files",
    Source.idx: "a folder of four IDX files",
    Source.image_folder: "a folder with one folder of images per class",
    Source.csv: "a CSV, TSV or Parquet file",
    Source.signals: "a .ts, .tsv or .txt file",
}
FILES = (Source.csv, Source.signals)  # that are no folders
FOLDERS = (Source.idx, Source.image_folder)


def _places(data: Data) -> list[Path]:
    """The files and folders that a data set is read from; none if it comes with a package or is not here."""
    if isinstance(data, OwnData):
        return []
    if isinstance(data, UcrSeries):
        return find_ucr(data.name)
    if isinstance(data, FileData):
        keys = zip(("path", "test_path"), data.paths, strict=False)
        places = [_existing(key, path, data.source) for key, path in keys]
        if len(places) > 1 and places[0].samefile(places[1]):
            raise RequestError(f"data.test_path={places[1]} is the file of data.path; the test part must be another")
        return places
    path = locate(data.source.value) if data.kind == IMAGES else None
    return [path] if path is not None else []


def _existing(key: str, text: str, source: Source) -> Path:
    path, expected = Path(text), EXPECTED[source]
    if key == "test_path":
        expected += " with the test part"
        if source is Source.signals:
            expected += ", which is beside a file with TRAIN in its name"
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = "no such file or folder" if isinstance(error, FileNotFoundError) else reason
        raise RequestError(f"data.{key}={text}: {problem}; expected {expected}") from error
    is_folder = stat.S_ISDIR(mode)
    if source in (FILES if is_folder else FOLDERS) or not (is_folder or stat.S_ISREG(mode)):
        kind = "a folder" if is_folder else "a file" if stat.S_ISREG(mode) else "no regular file"
        raise RequestError(f"data.{key}={text} is {kind}; expected {expected}")
    if is_folder and path.resolve() == Path("/"):
        raise RequestError(f"data.{key}={text} is the whole file system; expected {expected}")
    return path
