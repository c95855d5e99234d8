"""Optuna's storage of a search: a journal in the study's folder, or a database.

Errors of the storage become one line that names it. `reaching` does this for a database, the journal does it itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.job import cannot_write
from fitbench.launch.signals import in_one_piece
from fitbench.untrusted import append_only, naming

JOURNAL = "search.journal"
DEAD_LOCK_SECONDS = 10  # after which the journal's lock is taken from a process that was killed with it

optuna.logging.set_verbosity(optuna.logging.ERROR)


class StorageLost(FitbenchError):
    """The storage cannot be read or written. No trial has failed because of that."""


def open_storage(url: str | None, folder: Path) -> BaseStorage:
    """The database at this URL, or the journal in the study's folder where there is none.

    Raises:
        RequestError: the driver of the database is not installed.
        StorageLost: the storage cannot be reached or read.
        FitbenchError: the journal is no regular file.
        OSError: the journal cannot be created.
    """
    if url is None:
        with naming(folder / JOURNAL), open(folder / JOURNAL, "ab", opener=append_only):
            pass  # Optuna would wait for whoever writes to a FIFO
        return JournalStorage(_Journal(folder / JOURNAL))
    try:
        with reaching(url):
            return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    except ImportError as error:
        cause = error.__cause__ or error
        raise RequestError(f"search.storage={_without_password(url)} needs a driver: {cause}") from error


@contextlib.contextmanager
def reaching(url: str | None) -> Iterator[None]:
    """In this block errors of the database at this URL become one line that names it.

    Raises:
        StorageLost: it cannot be reached or read.
    """
    if url is None:  # the journal does it itself
        yield
        return
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        lines = str(cause or error).strip().splitlines() or [type(error).__name__]
        raise StorageLost(f"search.storage={_without_password(url)} does not answer: {lines[0]}") from error


def _without_password(url: str) -> str:
    from sqlalchemy.engine import make_url

    return make_url(url).render_as_string(hide_password=True)


class _Journal(JournalFileBackend):
    """Optuna's journal. A process that is killed at any moment leaves it readable for the next one."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Lock(str(path), grace_period=DEAD_LOCK_SECONDS))

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """The lines from this number on.

        Raises:
            StorageLost: the journal is damaged or cannot be read.
        """
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:  # not JSON, or not UTF-8
            raise StorageLost(f"{self._file_path}: the journal of the search is damaged ({error})") from error
        except OSError as error:
            raise StorageLost(f"{self._file_path}: cannot be read ({error.strerror})") from error

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append lines. Ctrl-C has to wait, since it would leave Optuna's lock behind.

        Raises:
            StorageLost: the disk is full, or the journal cannot be written.
        """
        try:
            with in_one_piece():
                super().append_logs(logs)
        except OSError as error:
            raise StorageLost(cannot_write(OSError(error.errno, error.strerror, self._file_path))) from error


class _Lock(JournalFileSymlinkLock):
    """Optuna's lock of the journal. Whoever takes it finds whole lines.

    A full disk, a power cut or SIGKILL can leave half of a line at the end. Optuna ignores it while it is the last one,
    but would append to it.
    """

    def acquire(self) -> bool:
        """Wait for the lock, then remove what follows the last whole line."""
        acquired = super().acquire()
        try:
            _remove_half_line(Path(self._lock_target_file))
        except BaseException:
            self.release()
            raise
        return acquired


def _remove_half_line(path: Path) -> None:
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        if file.read() not in (b"", b"\n"):
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
