import unicodedata

import numpy as np
import pytest

from fitbench.errors import DataError, RequestError
from fitbench.inference import labels
from fitbench.inference.sources import Batch

CLASSES = ("cat", "dog", "2")
PIXELS = np.zeros((2, 2, 2, 1), np.uint8)


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
        "path,label\na.png,cat\nb/c.png,2\n",
        '\ufeffid,label,path\r\n1,"cat",a.png\r\n\r\n2, 2 ,./b/../b/c.png\r\n3,,d.png\r\n',
        "path,label,true\na.png,dog,cat\nb/c.png,dog,2\n",
    ],
    ids=["plain", "odd", "output of predict"],
)
def test_columns_are_found_by_the_header(csv, content):
    loaded = labels.read(csv(content), CLASSES)
    assert loaded(Batch(["a.png", "./a.png", "b/c.png", "d.png", "e.png"])) == ["cat", "cat", "2", None, None]


def test_paths_in_a_csv_may_be_relative_to_its_folder(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "labels.csv").write_text("path,label\nimg/a.png,dog\n")
    monkeypatch.chdir(tmp_path)
    loaded = labels.read("set/labels.csv", CLASSES)
    assert loaded(Batch(["set/img/a.png", f"{tmp_path}/set/img/a.png", "set/../set/img/a.png"])) == ["dog"] * 3


def test_csv_may_label_rows_of_an_array(csv):
    loaded = labels.read(csv("path,label\nx.npz[1],dog\n"), CLASSES)
    assert loaded(Batch(["x.npz[0]", "x.npz[1]"], PIXELS)) == [None, "dog"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "path,label\na.png,cat\nb.png,bird\n",
            r"labels\.csv, line 3: 'bird' is not a class of the run \(cat, dog, 2\)",
        ),
        ("a.png,cat\n", "the first line is 'a.png,cat'; expected the columns path and label"),
        ("", "the first line is ''; expected the columns"),
        ("path,label\na.png\n", "has no labels"),
    ],
)
def test_wrong_csv_is_refused(csv, content, message):
    with pytest.raises(RequestError, match=message):
        labels.read(csv(content), CLASSES)


def test_file_that_is_not_a_csv_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(b'path,label\n"' + b"a" * 200_000)
    with pytest.raises(DataError, match="cannot be read as CSV"):
        labels.read(str(tmp_path / "x.csv"), CLASSES)
    with pytest.raises(
        RequestError, match=r"--labels is 'none\.csv'; expected a CSV file of paths and labels, or folder"
    ):
        labels.read("none.csv", CLASSES)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_classes_and_paths_are_compared_in_nfc(csv, form):
    """macOS writes 'Ä' as two characters; the run, the CSV file and the file system may each have either form."""
    classes = (unicodedata.normalize(form, "Äpfel"), "pears")
    content = "path,label\nÄ/1.png,Äpfel\n2.png,A\u0308pfel\nA\u0308/3.png,pears\n"
    loaded = labels.read(csv(content), classes)
    assert loaded(Batch(["A\u0308/1.png", "2.png", "Ä/3.png"])) == [classes[0], classes[0], "pears"]
    by_folder = labels.read("folder", classes)
    assert by_folder(Batch(["x/Äpfel/1.png", "x/A\u0308pfel/2.png"])) == [classes[0]] * 2


def test_labels_are_read_from_folder_names():
    loaded = labels.read("folder", CLASSES)
    assert loaded(Batch(["x/cat/a.png", "dog/b.png", "bird/c.png"])) == ["cat", "dog", None]
    assert loaded(Batch(["x.npz[0]"], PIXELS[:1])) == [None]
