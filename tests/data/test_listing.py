import json

import numpy as np
import pytest

from fitbench.data.listing import list_data
from fitbench.errors import RequestError


@pytest.fixture(autouse=True)
def only_here(tmp_path, monkeypatch):
    """No data set but those of the installed packages, and what a test puts into FITBENCH_DATA."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path))


def test_the_known_sets_are_listed_with_place_and_size(capsys):
    assert list_data(format="json", verify=False) == 0
    sets = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert set(sets) == {"mnist_5k", "mnist", "fashion_mnist", "digits"}
    assert sets["mnist_5k"]["path"].endswith("mnist_5k.csv.gz")
    assert sets["mnist_5k"]["bytes"] > 1_000_000
    assert (sets["digits"]["train"], sets["digits"]["test"], sets["digits"]["verified"]) == (1438, 359, None)
    assert len(sets["mnist"]["sha256"]) == 64


def test_the_sizes_that_are_said_are_those_of_the_sets():
    from fitbench.data import loading
    from fitbench.data.listing import KNOWN

    for name in ("mnist_5k", "digits"):
        found = loading.verify(name)
        assert (len(found.x_train), len(found.x_test), found.x_train.shape[1:3]) == KNOWN[name][:3]


def test_a_set_that_is_not_here_comes_with_how_to_get_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path))
    list_data(format="table", verify=False)
    text = capsys.readouterr().out
    assert "FITBENCH_DATA/mnist" in text
    assert "8f3bbc48" in text
    for own in ("data=npz data.path=", "data=idx data.path=", "data=image_folder data.path="):
        assert own in text


def test_a_verified_set_is_right_or_wrong(capsys, tmp_path):
    (tmp_path / "mnist").mkdir()
    images, labels = np.zeros((20, 28, 28), np.uint8), np.arange(20) % 10
    np.savez(tmp_path / "mnist" / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert list_data(format="table", verify=True) == 1
    text = capsys.readouterr().out
    assert "wrong" in text
    assert "this is not mnist" in text
    assert list_data(format="json", verify=True) == 1
    verified = {one["name"]: one["verified"] for one in json.loads(capsys.readouterr().out)}
    assert (verified["mnist"], verified["digits"], verified["mnist_5k"]) == (False, True, True)


def test_an_unknown_format_is_refused():
    with pytest.raises(RequestError, match="table or json"):
        list_data(format="xml", verify=False)
