"""Which table is meant, and which part of it."""

from pathlib import Path

import pytest

from fitbench.composition import conf_folder
from fitbench.errors import RequestError
from fitbench.tables.choosing import find, shipped, with_rows, with_seeds
from fitbench.tables.reading import read


def test_a_table_is_found_by_folder_file_and_name(define, monkeypatch):
    folder = define()
    monkeypatch.chdir(folder.parents[1])
    for name in ("small", "experiments/small", "experiments/small/table.yaml", str(folder)):
        assert find(name).resolve() == folder
    with pytest.raises(RequestError, match=r"Did you mean small\?"):
        find("smal")
    with pytest.raises(
        RequestError, match=r"continue=lenet5: the folder of a table is expected here; overrides follow"
    ):
        find("+continue=lenet5")


def test_a_name_means_a_table_of_ones_own_before_one_that_ships(define, monkeypatch):
    folder = define()
    monkeypatch.chdir(folder.parents[1])
    assert find("tutorials") == shipped() / "tutorials"
    assert find("experiments/tutorials") == shipped() / "tutorials"
    assert find("tutorials").is_relative_to(conf_folder().parent)
    folder.rename(folder.with_name("tutorials"))
    assert find("tutorials") == Path("experiments/tutorials")
    with pytest.raises(RequestError, match=r"fashion: no table\.yaml there\. Did you mean fashion_mnist\?"):
        find("fashion")
    with pytest.raises(RequestError, match=r"x: no table\.yaml there; there are fashion_mnist, "):
        find("x")


LABELS = ["LeNet-5, distortions", "LeNet-1", "softmax", "softmax, pixels 0 to 1", "300 units"]


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["3"], [3]),
        (["5,1"], [1, 5]),
        (["2-4"], [2, 3, 4]),
        (["1, 3-4"], [1, 3, 4]),
        (["LENET"], [1, 2]),
        (["5, dist"], [1]),  # the comma is part of the label
        (["softmax, pixels"], [4]),
        (["softmax"], [3, 4]),
        (["softmax, *"], [4]),
        (["lenet-[0-9]"], [2]),
        (["?ofTmax"], [3]),
        (["*1"], [2, 4]),
        (["300 u"], [5]),
        (["300 units", "1", "softmax, pixels"], [1, 4, 5]),
    ],
    ids=str,
)
def test_rows_are_chosen_by_numbers_parts_of_labels_and_patterns(define, texts, numbers):
    rows = [{"label": label, "claimed": "8.4", "overrides": ["model=mlp"]} for label in LABELS]
    assert [row.number for row in with_rows(read(define(rows=rows)), texts).rows] == numbers


@pytest.mark.parametrize("text", ["conv", "soft, hum", "", ",", "4", "0", "4-9", "soft*x?", "3-1", "[", "x*", "1,4"])
def test_rows_that_are_not_there_are_refused_with_those_that_are(small, text):
    with pytest.raises(RequestError) as refusal:
        with_rows(small, ["mlp", text])
    message = str(refusal.value)
    assert message.startswith("--rows: no row of ")
    assert message.endswith(f"fits {text!r}; there are\n  1. softmax\n  2. mlp\n  3. human")


def test_fewer_seeds_are_the_first_ones(small):
    assert with_seeds(small, 2).rows[0].seeds == (0, 1)
    assert with_seeds(small, 2).rows[0].wanted == 2
    with pytest.raises(RequestError, match=r"--seeds is 6; .* has 1 to 5"):
        with_seeds(small, 6)
