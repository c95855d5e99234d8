import hashlib
import os
from pathlib import Path

import pytest

from fitbench.data.fingerprint import fingerprint


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "set"
    for name in ("cat/1.png", "cat/deep/2.png", "dog/3.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def add(folder: Path) -> None:
    (folder / "cat" / "deep" / "4.png").write_bytes(b"new")


def overwrite(folder: Path) -> None:
    """Change a file in place, and restore its size and the time of its last change."""
    path = folder / "cat" / "deep" / "2.png"
    status = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def remove(folder: Path) -> None:
    (folder / "dog" / "3.png").unlink()


def move(folder: Path) -> None:
    (folder / "dog" / "3.png").rename(folder / "cat" / "3.png")


def rename_class(folder: Path) -> None:
    (folder / "dog").rename(folder / "emu")


@pytest.mark.parametrize("change", [add, overwrite, remove, move, rename_class])
def test_every_change_below_a_folder_gives_another_fingerprint(tree, change):
    before = fingerprint(tree)
    assert fingerprint(tree) == before
    change(tree)
    assert fingerprint(tree) != before


def test_a_file_has_a_fingerprint_and_what_is_gone_has_none(tree):
    path = tree / "dog" / "3.png"
    before = fingerprint(path)
    path.write_bytes(b"changed")
    assert fingerprint(path) not in (before, None)
    path.unlink()
    assert fingerprint(path) is None


def test_linked_files_count_and_loops_and_dangling_links_do_not_matter(tree, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "5.png").write_bytes(b"five")
    (tree / "dog" / "linked").symlink_to(tmp_path / "elsewhere")
    (tree / "dog" / "again").symlink_to(tree)
    (tree / "dog" / "nothing.png").symlink_to(tmp_path / "gone.png")
    before = fingerprint(tree)
    (tmp_path / "elsewhere" / "5.png").write_bytes(b"FIVE!")
    assert fingerprint(tree) != before


def test_hidden_files_are_no_part_of_the_data(tree):
    before = fingerprint(tree)
    (tree / ".DS_Store").write_bytes(b"x")
    (tree / "cat" / ".cache").mkdir()
    (tree / "cat" / ".cache" / "1.png").write_bytes(b"x")
    assert fingerprint(tree) == before


def test_fingerprint_is_the_one_that_earlier_versions_recorded(tree):
    lines = ""
    for name in ("cat/1.png", "cat/deep/2.png", "dog/3.png"):
        status = (tree / name).stat()
        lines += f"{name}\0{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}\n"
    assert fingerprint(tree) == hashlib.sha256(lines.encode()).hexdigest()
