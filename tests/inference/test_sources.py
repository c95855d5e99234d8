import errno
import io
import os

import numpy as np
import pytest
from PIL import Image

from fitbench.data.image_paths import LeftOut
from fitbench.errors import DataError, RequestError
from fitbench.inference.sources import batches, open_arrays


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Create image files in folders, and other files that must not be listed."""
    for name in (
        "a/2.png",
        "a/10.PNG",
        "a/deep/x.jpg",
        "b.png",
        "b/1.tif",
        ".hidden.png",
        "a/.cache/y.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(path, "PNG")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def set_stdin(monkeypatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def names(*arguments: str, null: bool = False) -> list[str]:
    return [name for batch in batches(arguments, {}, 2, null, LeftOut()) for name in batch.names]


IN_A = ["a/10.PNG", "a/2.png", "a/deep/x.jpg"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a"], IN_A),
        (["a/"], IN_A),
        (["./a"], IN_A),
        (["a/deep/.."], ["a/deep/../10.PNG", "a/deep/../2.png", "a/deep/../deep/x.jpg"]),
        (["."], ["b.png", *IN_A, "b/1.tif"]),
        (["b.png", "a"], ["b.png", *IN_A]),
        (["notes.txt"], ["notes.txt"]),
        (["../" + "{parent}" + "/b.png"], ["../{parent}/b.png"]),
    ],
)
def test_files_and_folders_are_listed_in_order(folder, arguments, expected):
    arguments, expected = ([text.format(parent=folder.name) for text in texts] for texts in (arguments, expected))
    assert open_arrays(arguments, None) == {}
    assert names(*arguments) == expected


def test_folder_with_several_links_is_listed_once(folder):
    for name in "xy":
        (folder / "b" / name).symlink_to(folder / "a" / "deep")
    assert names("b") == ["b/1.tif", "b/x/x.jpg"]


def test_paths_are_read_from_stdin(folder, monkeypatch):
    set_stdin(monkeypatch, b"b.png\n\na/2.png\nnot here.png\nb\n")
    assert names("-") == ["b.png", "a/2.png", "not here.png", "b/1.tif"]
    reading, writing = os.pipe()
    os.write(writing, b"two\nlines.png\0b.png\0a/2.png")
    os.close(writing)
    monkeypatch.setattr("sys.stdin", os.fdopen(reading))
    assert names("-", null=True) == ["two\nlines.png", "b.png", "a/2.png"]


def test_windows_line_ends_are_accepted(folder, monkeypatch):
    set_stdin(monkeypatch, b"b.png\r\n\r\nb\r\nnot here.png\r\n")
    assert names("-") == ["b.png", "b/1.tif", "not here.png"]


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_empty_stdin_is_refused(folder, monkeypatch, content):
    set_stdin(monkeypatch, content)
    with pytest.raises(RequestError, match="stdin has no paths of images"):
        names("-")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("none.png", "none.png: there is no such file or folder"),
        ("a/../none", "a/../none: there is no such file or folder"),
        ("empty", "empty: no image in this folder; expected files with .apng .bmp .gif"),
    ],
)
def test_argument_without_images_is_refused(folder, argument, message):
    (folder / "empty").mkdir()
    with pytest.raises(RequestError, match=message):
        open_arrays(["b.png", argument], None)


def test_what_is_left_out_of_folders_is_counted_once(folder):
    (folder / "a" / "root").symlink_to("/")
    os.mkfifo(folder / "a" / "fifo.png")
    left_out = LeftOut()
    assert open_arrays(["a", "."], None) == {}
    listed = [name for batch in batches(["a", "a"], {}, 2, False, left_out) for name in batch.names]
    assert listed == [*IN_A, *IN_A]
    assert str(left_out) == (
        "2 hidden or system entries (.cache), 2 pipes or devices (fifo.png), "
        "4 links to folders above them or listed already (loop, root)"
    )


def test_folder_with_nothing_but_other_files_is_refused_with_their_names(folder):
    (folder / "a" / "deep" / "x.jpg").write_bytes(b"")
    (folder / "a" / "deep" / "x.jpg").rename(folder / "a" / "deep" / "x.heic")
    with pytest.raises(RequestError, match=r"no image in .*; left out: 1 file of no known image format \(x\.heic\)"):
        open_arrays(["a/deep"], None)


def test_array_file_that_is_a_pipe_is_refused_at_once(folder):
    for name in ("x.npy", "x.npz"):
        os.mkfifo(folder / name)
        with pytest.raises(DataError, match=rf"{name}: a FIFO, not a regular file"):
            open_arrays([name], None)


def test_folder_that_cannot_be_listed_is_yielded_itself(folder, monkeypatch):
    scandir = os.scandir

    def scan(path):
        if str(path) == "a/deep":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)  # root may list every folder
    assert names("a") == ["a/10.PNG", "a/2.png", "a/deep"]


def test_arrays_are_opened(folder):
    np.save("x.npy", np.zeros((5, 4, 4), np.uint8))
    arrays = open_arrays(["b.png", "x.npy", "a"], None)
    assert list(arrays) == ["x.npy"]
    assert arrays["x.npy"].shape == (5, 4, 4, 1)
    (folder / "bad.npy").write_bytes(b"\x93NUMPY broken")
    with pytest.raises(DataError, match=r"^bad\.npy: damaged"):
        open_arrays(["b.png", "bad.npy"], None)


def test_batches_end_where_files_end_and_arrays_begin(folder):
    np.save("x.npy", np.arange(5 * 16, dtype=np.uint8).reshape(5, 4, 4))
    arguments = ["a", "b/1.tif", "x.npy", "b.png"]
    all_batches = list(batches(arguments, open_arrays(arguments, None), 2, False, LeftOut()))
    assert [batch.names for batch in all_batches] == [
        ["a/10.PNG", "a/2.png"],
        ["a/deep/x.jpg", "b/1.tif"],
        ["x.npy[0]", "x.npy[1]"],
        ["x.npy[2]", "x.npy[3]"],
        ["x.npy[4]"],
        ["b.png"],
    ]
    assert all_batches[3].pixels[0, 0, 0, 0] == 32
