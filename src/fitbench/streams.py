"""The standard streams of a process, which may be closed, full, or read by nobody: no run is lost because of them."""

from __future__ import annotations

import codecs
import io
import os
import select
import signal
import sys
from typing import Any

from fitbench.errors import FitbenchError


class _Output(io.FileIO):
    """The file of stdout or stderr. Writing to it raises nothing; `error` is the first error."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write bytes, and return their number also if they are lost."""
        try:
            while (written := super().write(data)) is None:  # another program has made the terminal non-blocking
                select.select([], [self], [])
            return written
        except OSError as error:
            self.error = self.error or error
            return memoryview(data).nbytes


def open_standard_streams() -> None:
    """Make stdin, stdout and stderr usable, in this process and in those that it starts.

    A stream that is closed becomes /dev/null; else the next file that is opened would take its number. What cannot be
    written is lost, and stdout remembers that; see `check_stdout`. Streams that a caller has replaced stay as they are.
    """
    for number in range(3):
        _open_if_closed(number)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for as long as the process lives
    if sys.stdout is sys.__stdout__:
        sys.stdout = writable(1, sys.stdout, ERRORS)
    if sys.stderr is sys.__stderr__:
        sys.stderr = writable(2, sys.stderr, "backslashreplace")


def _open_if_closed(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
        os.set_inheritable(opened, True)


def writable(number: int, stream: Any, errors: str) -> io.TextIOWrapper:
    """A text stream on the file of this number, buffered as `stream` is, which is None if it was closed.

    Writing to it raises nothing.
    """
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(number, "w", closefd=False)),
        encoding=stream.encoding if stream else "utf-8",
        errors=errors,
        line_buffering=stream.line_buffering if stream else False,
        write_through=stream.write_through if stream else False,
    )


ERRORS = "fitbench.stdout"  # the name of `_as_bytes_or_question_mark` among Python's error handlers


def _as_bytes_or_question_mark(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write the bytes of a path that is no text in the file system's encoding, and '?' for what stdout's lacks."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("replace")(error)


codecs.register_error(ERRORS, _as_bytes_or_question_mark)


def check_stdout() -> None:
    """Write what stdout holds back, and raise if any of the output is lost.

    Raises:
        SystemExit: the process that reads stdout, such as head, has ended. The status is that of SIGPIPE.
        FitbenchError: stdout cannot be written.
    """
    file = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(file, _Output):  # the caller's own stream, which raises
        return
    sys.stdout.flush()
    error = file.error
    if isinstance(error, BrokenPipeError):
        sys.exit(128 + signal.SIGPIPE)
    if error is not None:
        raise FitbenchError(f"stdout: cannot be written ({(error.strerror or str(error)).lower()})") from error
