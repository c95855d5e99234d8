"""Lines on stderr arrive while other output is held back, and stand above the live line of a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress

import pytest

from fitbench import stderr
from fitbench.launch.display import Display
from fitbench.stderr import show_live, write_line, write_note
from fitbench.training import backend


@contextmanager
def standard_error() -> Iterator[None]:
    """Let `sys.stderr` write to file descriptor 2, as outside of pytest. pytest undoes what a fixture sets."""
    with open(2, "w", closefd=False) as stream, redirect_stderr(stream):
        yield


def chunks(master: int) -> Iterator[bytes]:
    """What waits in a terminal that does not block."""
    with suppress(BlockingIOError):
        while True:
            yield os.read(master, 10_000)


@contextmanager
def terminal() -> Iterator[Callable[[], str]]:
    """Let `sys.stderr` be a terminal; gives what has been written to it."""
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as stream, redirect_stderr(stream):
        os.set_blocking(master, False)
        yield lambda: b"".join(chunks(master)).decode()
    os.close(master)


def in_thread(write) -> None:
    thread = threading.Thread(target=write)
    thread.start()
    thread.join()


def test_lines_of_another_thread_arrive_while_libraries_are_quiet(capfd):
    with standard_error():
        with backend.quiet():
            os.write(2, b"a library\n")
            print("a library of Python", file=sys.stderr)
            in_thread(lambda: write_line("[1/2] a run"))
            with backend.quiet():
                write_note("a note")
        write_line("[2/2] a run")
    assert capfd.readouterr().err == "[1/2] a run\nfitbench: a note\n[2/2] a run\n"


def test_what_libraries_write_is_shown_if_they_fail(capfd):
    with standard_error():

        def fail() -> None:
            with backend.quiet():
                os.write(2, b"a library\n")
                write_line("a line")
                raise ValueError

        with pytest.raises(ValueError):
            fail()
    assert capfd.readouterr().err == "a line\na library\n"


class Counting(Display):
    """Shows a live line that says how many lines it has written, and a line for each look until there are three."""

    count = 0

    def ended(self) -> list[str]:
        self.count = min(self.count + 1, 3)
        return [f"run {self.count}"] if self.count < 3 else []

    def parts(self, width: int) -> list[str]:
        return [f"{self.count} runs"]

    def counts(self) -> tuple[int, int]:
        return self.count, 3


def test_notes_stand_above_the_live_line_and_the_last_one_is_removed():
    with terminal() as written:
        display = Counting(visible=True)
        display.began = 0
        display._show()
        in_thread(lambda: write_note("a note"))
        show_live("")
        assert written() == (
            "\r\x1b[Krun 1\r\n"  # the live line, which there is none of yet, is erased before each line
            "\r\x1b[K1 runs"
            "\r\x1b[Kfitbench: a note\r\n1 runs"
            "\r\x1b[K"
        )


def test_a_display_leaves_no_live_line():
    with terminal() as written:
        with Counting(visible=True):
            pass
        write_line("summary")
        assert written().endswith("1 runs\r\x1b[K\r\x1b[Ksummary\r\n")


def test_a_note_of_another_process_erases_the_live_line_of_this_one():
    with terminal() as written:
        show_live("3/30 runs")
        code = "from fitbench.stderr import write_note; write_note('a note')"
        subprocess.run([sys.executable, "-c", code], check=True, stderr=sys.stderr)
        show_live("")
        assert "3/30 runs\r\x1b[Kfitbench: a note\r\n" in written()


def test_a_note_in_a_terminal_is_broken_between_words_and_paths_stay_whole(monkeypatch):
    text = "study grid-of-many-models, the newest; --all adds 71 runs of outputs/a/very/long/path-of-a-folder"
    ours, theirs = pty.openpty()
    os.set_inheritable(theirs, False)
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patched:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        patched.setattr(sys, "stderr", terminal)
        lines = stderr.wrapped(f"  {text}").splitlines()
    os.close(ours)
    assert max(map(len, lines)) <= 40
    assert all(line.startswith("  ") for line in lines)
    assert "".join(line.strip() + " " for line in lines).split() == text.split()


def test_a_note_in_a_file_is_one_line(capsys):
    stderr.write_note("word " * 60)
    assert capsys.readouterr().err.count("\n") == 1
