"""The progress of `fitbench predict` in the terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any


class Progress:
    """A live line on stderr, if it is a terminal: images, images per second, remaining time.

    Args:
        count: returns the number of images, or None if it is unknown. It may take long, so a thread calls it.
    """

    def __init__(self, count: Callable[[], int | None]) -> None:
        self.count = count
        self.bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def begin(self, images: int) -> None:
        """Show the line. `images` is the number of images that an earlier process has recorded."""
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self.bar = Bar(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4)
        self.task = self.bar.add_task("", total=None, completed=images, rate="")
        self.first, self.began = images, time.perf_counter()
        self.bar.start()
        threading.Thread(target=self._set_total, daemon=True).start()

    def _set_total(self) -> None:
        self.bar.update(self.task, total=self.count())

    def advance(self, images: int) -> None:
        """Set the number of finished images."""
        if self.bar:
            rate = (images - self.first) / max(time.perf_counter() - self.began, 1e-9)
            self.bar.update(self.task, completed=images, rate=f"{rate:,.0f} images/s")
