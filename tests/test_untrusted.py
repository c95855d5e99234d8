"""Files that may be a stranger's."""

import json
import os
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbench.untrusted import (
    DEEPEST,
    LONGEST_TEXT,
    Unreadable,
    append_only,
    check_texts,
    guarded,
    open_file,
    parse_json,
    parse_yaml,
    read_arrays,
    read_file,
)

from .fuzzing import fuzz


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


NOT_FILES = {
    "a FIFO": _fifo,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a socket": _socket,
}


@pytest.mark.parametrize("kind", NOT_FILES)
def test_what_is_no_regular_file_is_not_opened(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    NOT_FILES[kind](Path("x"))
    with pytest.raises(Unreadable, match=f"{kind}, not a regular file"):
        open_file("x")
    Path("y").symlink_to("x")
    with pytest.raises(Unreadable, match=f"{kind}, not a regular file"):
        read_file("y")


def test_links_may_lead_anywhere_within_the_given_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/file").write_bytes(b"inside")
    (tmp_path / "out").write_bytes(b"outside")
    (tmp_path / "in/a").symlink_to("file")
    (tmp_path / "in/b").symlink_to("../out")
    (tmp_path / "in/loop").symlink_to("loop")
    assert read_file(tmp_path / "in/a", within=tmp_path / "in") == b"inside"
    assert read_file(tmp_path / "in/b") == b"outside"
    with pytest.raises(Unreadable, match=r"a link to .*out, which is outside of .*in"):
        read_file(tmp_path / "in/b", within=tmp_path / "in")
    with pytest.raises(Unreadable, match=r"cannot be read \(Too many levels of symbolic links\)"):
        read_file(tmp_path / "in/loop")


def test_files_are_read_up_to_a_size(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_file(path, largest=5) == b"12345"
    with pytest.raises(Unreadable, match="has 5 bytes; fitbench reads files of up to 4 bytes here"):
        read_file(path, largest=4)
    with pytest.raises(Unreadable, match="has more than 100 bytes"):
        read_file("/proc/self/mountinfo" if Path("/proc/self/mountinfo").exists() else path, largest=100)
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "absent")


def test_json():
    assert parse_json(b'{"a": [1, null]}') == {"a": [1, None]}
    assert parse_json(json.dumps([{}] * 1000)) == [{}] * 1000
    assert parse_json("[" * DEEPEST + "]" * DEEPEST)
    for depth in (DEEPEST + 2, 900, 100_000):
        with pytest.raises(Unreadable, match="nested"):
            parse_json("[" * depth + "]" * depth)
    for content in ("[" + "1," * 200_000 + "1]", b"{}" * 300_000):
        with pytest.raises(Unreadable, match="more than 200,000 values"):
            parse_json(content)
    for value in ([',[{"\\' * 100, {'\\",': "∀,"}], [[",,"] * 40] * 2):
        text = json.dumps(value, ensure_ascii=False)
        assert parse_json(text, 100) == parse_json(text.encode("utf-16"), 100) == value
        with pytest.raises(Unreadable, match="more than 1 values"):
            parse_json(text, 1)
    for content in (b"", b"{", b"\xff\xfe\x00", b"1" * 10_000):
        with pytest.raises(Unreadable, match="not JSON"):
            parse_json(content)


def test_aliases_are_read_where_they_may_stand_for_so_many_values():
    assert parse_yaml("a: &a [x, y]\nb: {<<: {c: *a}}", largest=20) == {"a": ["x", "y"], "b": {"c": ["x", "y"]}}
    deep = "a0: &a0 [x]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}]\n" for i in range(100))
    for content, message in {
        "a: &a [x, x]\nb: &b [*a, *a]": "holds too many values: more than 10 up to line 2",
        deep: rf"line 63: nested more than {DEEPEST} levels deep",
        "a: &a {b: *a}": r"line 1 holds an alias of what it stands in \(\*a\)",
        "a: !!int 1" + ":59" * 400: "line 1 holds a number of 1,201 characters",
    }.items():
        with pytest.raises(Unreadable, match=message):
            parse_yaml(content, largest=10_000 if content is deep else 10)


def test_yaml():
    assert parse_yaml("a: [1, x]\nb: 1:30") == {"a": [1, "x"], "b": 90}
    assert parse_yaml('a: "\\udcff"') == {"a": "\udcff"}  # as a path that is not UTF-8
    assert parse_yaml("a: " + "x" * 5000) == {"a": "x" * 5000}
    bomb = "a: &a [x, x]\nb: &b [*a, *a]"
    for content, message in {
        bomb: r"line 2 holds an alias \(\*a\)",
        "a: 1\nb: 1" + ":59" * 200_000: "line 2 holds a number of 600,001 characters",
        "a: " + "9" * 5000: "line 1 holds a number of 5,000 characters",
        "[" * 100 + "]" * 100: f"nested more than {DEEPEST} levels deep",
        "[" * 100_000: "nested more than|not YAML",
        'a: !!int ""': "cannot be read",
        'a: !!float ""': "cannot be read",
        "a: [": "not YAML",
        "a: !!python/object:os.system x": "not YAML",
        b"\xff\xff": "not YAML|cannot be read",
        "? [1]\n: 2\n": "not YAML",
        "a: [" + "1," * 50_000 + "]": "too many values",
        'a: "\\ud800"\nb: [' + "1," * 6_000 + "]": "too many values",
        "a: 2001-99-99": r"cannot be read \(month must be in 1..12\)",
    }.items():
        with pytest.raises(Unreadable, match=message):
            parse_yaml(content)


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="[]{}:,-#&*!|>'\"%@ \n\tab10.e~", max_size=200)))
@fuzz(200)
def test_parsing_gives_a_value_or_says_why_not(content):
    for parse in (parse_json, parse_yaml):
        try:
            parse(content)
        except Unreadable as error:
            assert str(error)


def test_arrays(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, a=np.arange(3), b=np.zeros(1_000_000), c="text", d=np.array([None]))
    read = read_arrays(path, ["a", "c"])
    assert read["a"].tolist() == [0, 1, 2]
    assert read["c"] == "text"
    for names, message in {
        ("x",): "no array x",
        ("b",): "its arrays have 8,000,128 bytes",
        ("d",): "Object arrays",
    }.items():
        with pytest.raises(Unreadable, match=message):
            read_arrays(path, names, largest=100_000)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(Unreadable, match=r"not an \.npz file"):
        read_arrays(path, ["a"])


def test_an_array_that_claims_more_than_its_file_holds_takes_no_memory(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(tmp_path / "small.npz", a=np.zeros(3))
    with zipfile.ZipFile(tmp_path / "small.npz") as small, zipfile.ZipFile(path, "w") as archive:
        header = small.read("a.npy").replace(b"(3,), }" + b" " * 13, b"(3000000000000,), }" + b" ")
        assert b"(3000000000000,)" in header
        archive.writestr("a.npy", header)
    with pytest.raises(Unreadable, match=r"a.npy claims 24,000,000,000,000 bytes and has 152"):
        read_arrays(path, ["a"])


def test_damaged_members_of_an_array_file_are_unreadable(tmp_path):
    path = tmp_path / "x.npz"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3, 4".ljust(118) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        archive.writestr("b.npy", b"x" * 1000, zipfile.ZIP_LZMA)
        archive.writestr("c.npy", b"x" * 1000, zipfile.ZIP_DEFLATED)
        places = [archive.getinfo(name).header_offset + 30 + len(name) for name in ("b.npy", "c.npy")]
    content = bytearray(path.read_bytes())
    for place in places:
        content[place + 4 : place + 20] = b"\xff" * 16
    path.write_bytes(content)
    for name in "abc":
        with pytest.raises(Unreadable):
            read_arrays(path, [name])


@pytest.mark.parametrize("error", [OSError("x"), RecursionError(), MemoryError(), OverflowError(), UnicodeError("x")])
def test_errors_of_damaged_content_are_one_kind(error):
    with pytest.raises(Unreadable), guarded():
        raise error


@pytest.mark.parametrize("kind", NOT_FILES)
def test_nothing_but_regular_files_is_appended_to(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    NOT_FILES[kind](Path("x"))
    for mode in ("ab", "a+b"):
        with pytest.raises(Unreadable, match=r"not a regular file"):
            open("x", mode, opener=append_only)  # noqa: SIM115


def test_a_link_is_not_appended_to_and_a_new_file_is_made(tmp_path):
    (tmp_path / "mine").write_bytes(b"1")
    (tmp_path / "link").symlink_to("mine")
    with pytest.raises(Unreadable, match="a link, not a regular file"):
        open(tmp_path / "link", "ab", opener=append_only)  # noqa: SIM115
    for _ in range(2):
        with open(tmp_path / "new", "ab", opener=append_only) as file:
            file.write(b"x")
    assert (tmp_path / "mine").read_bytes() == b"1"
    assert (tmp_path / "new").read_bytes() == b"xx"


def test_what_the_system_refuses_to_append_to_is_its_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        open(tmp_path / "absent" / "x", "ab", opener=append_only)  # noqa: SIM115
    if Path("/dev/full").exists():
        with pytest.raises(Unreadable, match="a device, not a regular file"):
            open("/dev/full", "ab", opener=append_only)  # noqa: SIM115


def test_texts_and_keys_have_a_longest_length():
    check_texts({"a": ["x" * LONGEST_TEXT]})
    for value in ({"a": ["x" * (LONGEST_TEXT + 1)]}, [{"x" * (LONGEST_TEXT + 1): 1}]):
        with pytest.raises(Unreadable, match="a text of 10,001 characters"):
            check_texts(value)


def test_a_wrong_program_is_not_taken_for_damaged_content():
    with pytest.raises(NameError), guarded():
        raise NameError("x")
