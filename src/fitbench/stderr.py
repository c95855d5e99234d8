"""Lines on stderr. In a terminal they stand above a live line, and all arrive while other output is held back."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TextIO

from fitbench.streams import writable

FEWEST = 20  # columns of a terminal that text is broken for
ERASE = "\r\x1b[K"  # the line that a terminal is in; perhaps one that another process has drawn


@dataclass
class _State:
    """What the threads of this process share.

    Attributes:
        live: the live line; empty if there is none.
        real: writes to the real stderr while file descriptor 2 is redirected and `sys.stderr` writes there.
        lock: held while something is written or redirected. A signal handler may write meanwhile.
    """

    live: str = ""
    real: TextIO | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)


_state = _State()
_wording: ContextVar[Callable[[str], str]] = ContextVar("wording", default=str)  # of notes, in this thread


def write_note(text: str) -> None:
    """Write a line of fitbench's, in a terminal with its words whole."""
    write_line(wrapped(f"fitbench: {_wording.get()(text)}"))


@contextlib.contextmanager
def reworded(change: Callable[[str], str]) -> Iterator[None]:
    """A block in which a function changes the notes of this thread, before those of blocks around it do."""
    outer = _wording.get()
    token = _wording.set(lambda text: outer(change(text)))
    try:
        yield
    finally:
        _wording.reset(token)


def wrapped(line: str) -> str:
    """A line that is written to stderr, broken between words where it is a terminal and too narrow."""
    stream = _state.real or sys.stderr
    if not stream.isatty():
        return line
    columns = os.get_terminal_size(stream.fileno()).columns
    own = line[: len(line) - len(line.lstrip())]
    parts = textwrap.wrap(
        line.lstrip(), max(columns - len(own), FEWEST), break_long_words=False, break_on_hyphens=False
    )
    return f"\n{own}".join([f"{own}{part}" for part in parts[:1]] + parts[1:])


def write_line(text: str) -> None:
    """Write a line, in a terminal above the live line."""
    with _state.lock:
        erase = ERASE if (_state.real or sys.stderr).isatty() else ""
        _write(f"{erase}{text}\n{_state.live}")


def show_live(text: str) -> None:
    """Draw the live line of a terminal in place of the one before. An empty text removes it."""
    with _state.lock:
        _state.live = text
        _write(f"{ERASE}{text}")


def _write(text: str) -> None:
    stream = _state.real or sys.stderr
    stream.write(text)
    stream.flush()


@contextlib.contextmanager
def redirected(file: int) -> Iterator[int]:
    """Redirect file descriptor 2 to another file in this block, but for the lines of this module.

    Args:
        file: its descriptor.

    Yields:
        a descriptor of the real stderr.
    """
    before = _state.real
    with _state.lock:
        sys.stderr.flush()
        descriptor = os.dup(2)
        if before is None and _is_standard(sys.stderr):
            _state.real = writable(descriptor, sys.stderr, "backslashreplace")
        os.dup2(file, 2)
    try:
        yield descriptor
    finally:
        with _state.lock:
            sys.stderr.flush()
            os.dup2(descriptor, 2)
            _state.real = before
            os.close(descriptor)


def _is_standard(stream: TextIO) -> bool:
    """Whether a stream writes to file descriptor 2."""
    try:
        return stream.fileno() == 2
    except (OSError, AttributeError):  # a stream without a descriptor, such as one of a notebook
        return False
