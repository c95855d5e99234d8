import numpy as np
import pytest

from fitbench.errors import DataError, RequestError
from fitbench.inference import labels
from fitbench.inference.arrays import ArrayFile
from fitbench.inference.sources import Batch

CLASSES = ("cat", "dog", "2")
ARRAY = ArrayFile("x.npz", np.zeros((3, 2, 2, 1), np.uint8))


@pytest.fixture
def csv(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(content: str) -> str:
        (tmp_path / "labels.csv").write_text(content)
        return "labels.csv"

    return write


@pytest.mark.parametrize(
    "content",
    [
        "a.png,cat\nb/c.png,2\n",
        "\ufeffpath,label\na.png,cat\nb/c.png,2\n",
        "id,Label,File\n1,cat,a.png\n2,2,b/c.png\n",
        'a.png,"cat"\r\n\r\n./b/../b/c.png, 2 \r\nd.png,\r\n',
        "path,label,true\na.png,dog,cat\nb/c.png,dog,2\n",
    ],
    ids=["plain", "header", "other columns", "odd", "output of predict"],
)
def test_csv_is_read_with_or_without_a_header(csv, content):
    loaded = labels.read(csv(content), CLASSES)
    assert loaded(Batch(["a.png", "./a.png", "b/c.png", "d.png", "e.png"])) == ["cat", "cat", "2", None, None]


def test_paths_in_a_csv_may_be_relative_to_its_folder(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "labels.csv").write_text("img/a.png,dog\n")
    monkeypatch.chdir(tmp_path)
    loaded = labels.read("set/labels.csv", CLASSES)
    assert loaded(Batch(["set/img/a.png", f"{tmp_path}/set/img/a.png", "set/../set/img/a.png"])) == ["dog"] * 3


def test_csv_may_label_rows_of_an_array(csv):
    loaded = labels.read(csv("x.npz[1],dog\n"), CLASSES)
    assert loaded(Batch(["x.npz[0]", "x.npz[1]"], ARRAY)) == [None, "dog"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "a.png,cat\nb.png,bird\n",
            r"labels\.csv, line 2: 'bird' is not a class of the run \(cat, dog, 2\)",
        ),
        ("a.png\n", "line 1: expected a path and a label"),
        ("", "has no labels"),
        ("path,label\n", "has no labels"),
    ],
)
def test_wrong_csv_is_refused(csv, content, message):
    with pytest.raises(RequestError, match=message):
        labels.read(csv(content), CLASSES)


def test_file_that_is_not_a_csv_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(b'"' + b"a" * 200_000)
    with pytest.raises(DataError, match="cannot be read as CSV"):
        labels.read(str(tmp_path / "x.csv"), CLASSES)
    with pytest.raises(
        RequestError, match=r"--labels is 'none\.csv'; expected a CSV file of paths and labels, or folder"
    ):
        labels.read("none.csv", CLASSES)


def test_labels_are_read_from_folder_names():
    loaded = labels.read("folder", CLASSES)
    assert loaded(Batch(["x/cat/a.png", "dog/b.png", "bird/c.png"])) == ["cat", "dog", None]
    assert loaded(Batch(["x.npz[0]"], ARRAY)) == [None]
