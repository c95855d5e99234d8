"""Files that are whole or absent."""

import errno
import os
import resource
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from fitbench.record.files import make_folder, replacing, sync_folder, write_whole

from .other_processes import names, processes


@pytest.mark.parametrize("content", ["grün\n", b"\x00\xff"])
def test_file_is_replaced_as_a_whole(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_text("something much longer than the new content")
    write_whole(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(tmp_path) == {"a.txt"}


def write_too_much(number: int, path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as on a full disk, writing fails halfway
    with pytest.raises(OSError, match="File too large"):
        write_whole(path, b"x" * 5000)


@pytest.mark.parametrize("old", ["old", None])
def test_write_that_fails_leaves_the_old_content_and_no_litter(tmp_path, old):
    path = tmp_path / "a.txt"
    if old:
        path.write_text(old)
    assert processes(1, write_too_much, path) == [0]
    assert names(tmp_path) == ({"a.txt"} if old else set())
    assert not old or path.read_text() == old


def test_block_that_fails_replaces_nothing(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"half of it")
        assert path.read_text() == "old"
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert names(tmp_path) == {"a.npz"}


def test_file_system_that_cannot_flush_a_folder_is_used_all_the_same():
    folder = Path("/proc/self")  # which says EINVAL, as some network and FUSE file systems do
    descriptor = os.open(folder, os.O_RDONLY)
    with pytest.raises(OSError, match="Invalid argument"):
        os.fsync(descriptor)
    os.close(descriptor)
    sync_folder(folder)


@pytest.mark.parametrize(
    ("number", "ignored"),
    [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False), (errno.ENOSPC, False)],
)
def test_no_other_error_of_a_flush_is_ignored(tmp_path, monkeypatch, number, ignored):
    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fitbench.record.files.os.fsync", fail)
    if ignored:
        sync_folder(tmp_path)
    else:
        with pytest.raises(OSError, match=os.strerror(number)):
            sync_folder(tmp_path)


def test_folder_that_another_thread_removes_all_the_time_can_be_made(tmp_path):
    folder, over = tmp_path / "lock", threading.Event()

    def remove() -> None:
        while not over.is_set():
            with suppress(FileNotFoundError):
                folder.rmdir()

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        for _ in range(20_000):  # mkdir(exist_ok=True) fails in some of them
            make_folder(folder)
    finally:
        over.set()
        remover.join()
