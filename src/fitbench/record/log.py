"""train.log: what is logged while a run is trained, over all its attempts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from fitbench.stderr import write_line, write_note
from fitbench.untrusted import append_only, naming

NAME = "train.log"
FORMAT = "%(asctime)s %(levelname)s %(message)s"  # as conf/hydra/job_logging/fitbench.yaml has it


class LogFile(logging.FileHandler):
    """A handler that appends to a regular file: anything else in its place could block, or belong to somebody else.

    Raises:
        FitbenchError: when the first message is written, if the file is none.
    """

    def _open(self) -> TextIOWrapper:
        path, encoding, errors = self.baseFilename, self.encoding, self.errors or "backslashreplace"
        with naming(path):
            return open(path, self.mode, encoding=encoding, errors=errors, opener=append_only)  # type: ignore[return-value]


class TerminalHandler(logging.Handler):
    """A handler that writes messages to stderr: those of fitbench as its notes, others as they are formatted."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message, in a terminal above the live line."""
        try:
            if record.name.partition(".")[0] == "fitbench":
                write_note(record.getMessage())
            else:
                write_line(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler: a message that cannot be written ends no run
            self.handleError(record)


@contextmanager
def logged(folder: Path) -> Iterator[None]:
    """In this block what is logged goes to the run's train.log, as where Hydra launches the run.

    What goes elsewhere is as before: handlers of the root logger are given no more, and without any, warnings are
    written to stderr.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handler = LogFile(folder / NAME, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    as_before = _AtLevel(level)
    for other in handlers:
        other.addFilter(as_before)
    added = [handler] if handlers or logging.lastResort is None else [handler, TerminalHandler(logging.WARNING)]
    for own in added:
        root.addHandler(own)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        for own in added:
            root.removeHandler(own)
        root.setLevel(level)
        for other in handlers:
            other.removeFilter(as_before)
        handler.close()


class _AtLevel(logging.Filter):
    """Passes the records that a root logger of this level would give to its handlers."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self.level = level

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the level lets the record pass, or its logger has a level of its own."""
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None and logger.parent is not None:
            if logger.level:
                return True
            logger = logger.parent
        return record.levelno >= self.level
