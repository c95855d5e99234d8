"""Optuna's storage of a search: a journal in the study's folder, or a database.

Errors of the storage become one line that names it. `reaching` does this for a database, the journal does it itself.
"""

from __future__ import annotations

import contextlib
import logging
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
from fitbench.text import first_line
from fitbench.untrusted import append_only, naming, open_file

JOURNAL = "search.journal"
DEAD_LOCK_SECONDS = 10  # after which the journal's lock is taken from a process that was killed with it
FIRST_RECORD = b'{"op_code":0,'  # how the line that creates the study begins; before it there are no trials
INAPPLICABLE = (  # what Optuna raises of a line that it did not write
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip

log = logging.getLogger(__name__)
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
        return _ReplayedJournal(folder / JOURNAL)
    try:
        with reaching(url):
            return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    except ImportError as error:
        cause = error.__cause__ or error
        raise RequestError(f"search.storage={_without_password(url)} needs a driver: {cause}") from error


def read_journal(folder: Path) -> BaseStorage:
    """The journal in the study's folder, which exists, to be read.

    Raises:
        StorageLost: it cannot be read.
        FitbenchError: it is no regular file.
    """
    with naming(folder / JOURNAL), open_file(folder / JOURNAL):
        pass
    return _ReplayedJournal(folder / JOURNAL)


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


def _damaged(path: str | Path, line: int, reason: str) -> StorageLost:
    return StorageLost(
        f"{path}: damaged, line {line} ({reason:.200}); move the file away to begin a new search, "
        "which reuses the recorded runs"
    )


class _ReplayedJournal(JournalStorage):
    """Optuna's storage in a journal. A line that Optuna cannot apply is named."""

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(_Journal(path))

    def _sync_with_backend(self) -> None:
        """Apply the lines that were not read yet.

        Raises:
            StorageLost: the journal is damaged or cannot be read.
        """
        replayed = self._replay_result
        for record in self._backend.read_logs(replayed.log_number_read):
            try:
                replayed.apply_logs([record])
                self._check_values(record)
            except INAPPLICABLE as error:
                if isinstance(record, dict) and record.get("worker_id") == replayed.worker_id:
                    raise  # Optuna refuses what this process asks for
                line, replayed.log_number_read = replayed.log_number_read, replayed.log_number_read - 1
                reason = f"no record of Optuna's: {type(error).__name__}: {first_line(error)}"
                raise _damaged(self._path, line, reason) from error

    def _check_values(self, record: dict[str, Any]) -> None:
        """Refuse values of a trial that are not a number for each objective, which Optuna takes as they are.

        Raises:
            TypeError, ValueError: they are not.
        """
        replayed, values = self._replay_result, record.get("values")
        study = replayed._studies.get(replayed._trial_id_to_study_id.get(record.get("trial_id", -1), -1))
        if study is not None and values is not None and len(values) != len(study.directions):
            raise ValueError(f"{len(values)} values for {len(study.directions)} objectives")
        for value in (*(values or ()), record.get("intermediate_value", 0), record.get("step", 0)):
            if not isinstance(value, int | float):
                raise TypeError(f"a value is {value!r:.80}")


class _Journal(JournalFileBackend):
    """Optuna's journal. A process that is killed at any moment leaves it readable for the next one."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Lock(str(path), grace_period=DEAD_LOCK_SECONDS))

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """The lines from this number on.

        Raises:
            StorageLost: the journal is damaged or cannot be read.
        """
        line = log_number_from + 1
        try:
            for record in super().read_logs(log_number_from):
                yield record
                line += 1
        except RecursionError as error:
            raise _damaged(self._file_path, line, "nested too deeply") from error
        except ValueError as error:  # not JSON, or not UTF-8
            raise _damaged(self._file_path, line, f"not JSON: {first_line(error)}") from error
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
        """Wait for the lock, then remove what follows the last whole line.

        Raises:
            StorageLost: the last whole line is no record, or there is none and what there is does not begin a journal.
        """
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
        file.seek(max(size - 2, 0))
        if file.read() in (b"", b"}\n"):
            return
        file.seek(0)
        content = file.read()
        whole, lines = content.rfind(b"\n") + 1, content.count(b"\n")
        half = content[whole:]
        if not half or not (whole or _begins_journal(half)):
            raise _damaged(path, max(lines, 1), "no record of Optuna's")
        if b"\0" in half:
            reason = "a power cut leaves such bytes in place of the last records"
            log.warning("%s: %d bytes with NULs behind line %d are cut off; %s", path, len(half), lines, reason)
        file.truncate(whole)


def _begins_journal(half: bytes) -> bool:
    """Whether half of a line is one of the first record, so that no trial is lost with it."""
    return b"\0" not in half and (half.startswith(FIRST_RECORD) or FIRST_RECORD.startswith(half))
