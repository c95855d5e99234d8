"""Which table is meant, and which part of it."""

import pytest

from fitbench.errors import RequestError
from fitbench.tables.choosing import find, part


def test_a_table_is_found_by_folder_file_and_name(define, monkeypatch):
    folder = define()
    monkeypatch.chdir(folder.parents[1])
    for name in ("small", "experiments/small", "experiments/small/table.yaml", str(folder)):
        assert find(name).resolve() == folder
    with pytest.raises(RequestError, match=r"Did you mean experiments/small\?"):
        find("smal")
    with pytest.raises(
        RequestError, match=r"continue=lenet5: the folder of a table is expected here; overrides follow"
    ):
        find("+continue=lenet5")


def test_rows_are_chosen_by_parts_of_their_labels(small):
    assert [row.label for row in part(small, "SOFT, hum", None).rows] == ["softmax", "human"]
    with pytest.raises(RequestError, match="'conv' is in no label"):
        part(small, "mlp,conv", None)
    with pytest.raises(RequestError, match="--rows is empty"):
        part(small, ",", None)


def test_fewer_seeds_are_the_first_ones(small):
    assert part(small, None, 2).rows[0].seeds == (0, 1)
    assert part(small, None, 2).rows[0].wanted == 2
    with pytest.raises(RequestError, match=r"--seeds is 6; .* has 1 to 5"):
        part(small, None, 6)
