"""The progress of a sweep or a search in a terminal or a notebook, read from what its processes record."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

from fitbench import notebook
from fitbench.errors import FitbenchError
from fitbench.stderr import show_live, write_line
from fitbench.text import duration

POLL_SECONDS = 0.5  # at least, between two looks
POLL_SHARE = 0.05  # of the time is spent on looking, at most
WIDE = 160  # columns that a line in a notebook may have


class Display(ABC):
    """Shows on stderr, while its block lasts, a line for whatever ends. In a terminal there is also a live line.

    In a notebook there is a live line alone, in the output of the cell, which stays.

    A subclass reads what has ended. It works in a thread of its own.

    Attributes:
        began: when the block began (seconds since the epoch).
        ended_before: how many runs or trials had ended then.
    """

    def __init__(self, visible: bool) -> None:
        self.visible = visible
        self.cell = notebook.line() if visible else None
        self.live = visible and not self.cell and sys.stderr.isatty()
        self.stop = threading.Event()

    @abstractmethod
    def ended(self) -> list[str]:
        """Return a line for each run or trial that has ended since the last call."""

    @abstractmethod
    def parts(self, width: int) -> Sequence[str]:
        """Return the parts of the live line for a terminal of `width` columns, the most important one first."""

    @abstractmethod
    def counts(self) -> tuple[int, int]:
        """Return how many runs or trials have ended, and how many there are in all."""

    def time_left(self) -> str:
        """Return the time that the others need at the pace of this block; empty if it is unknown or all have ended."""
        ended, total = self.counts()
        if ended == self.ended_before or ended >= total:
            return ""
        seconds = (time.time() - self.began) / (ended - self.ended_before)
        return f"{duration(seconds * (total - ended))} left"

    def __enter__(self) -> Self:
        self.ended_before, _ = self.counts()
        self.began = time.time()
        self.thread = threading.Thread(target=self._poll, name="fitbench-progress", daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _poll(self) -> None:
        seconds = 0.0
        while not self.stop.wait(max(POLL_SECONDS, seconds / POLL_SHARE)):
            began = time.perf_counter()
            self._update()
            seconds = time.perf_counter() - began
        self._update()
        if self.live:
            show_live("")
        if self.cell:
            self.cell.close([self.line(WIDE), duration(time.time() - self.began)])

    def _update(self) -> None:
        try:
            self._show()
        except (FitbenchError, OSError):  # the command reports what is wrong, when it needs it
            return

    def _show(self) -> None:
        lines = self.ended()
        if self.cell:
            ended, total = self.counts()
            self.cell.show([self.line(WIDE)], min(ended / total, 1.0))
            return
        if self.visible:
            for line in lines:
                write_line(line)
        if self.live:
            show_live(self.line(shutil.get_terminal_size((80, 24)).columns))

    def line(self, width: int) -> str:
        """Return the live line: its parts, of which the last ones are left out if they do not fit."""
        parts = [part for part in self.parts(width) if part]
        while len(parts) > 1 and len("  ".join(parts)) >= width:
            del parts[-1]
        return "  ".join(parts)[: width - 1]
