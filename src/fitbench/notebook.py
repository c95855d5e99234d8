"""A line in the output of a notebook's cell that is replaced in place, where this process is the kernel of a notebook.

Without a front end, as when a notebook is executed by a program, it works too. IPython is no dependency: a kernel has
imported it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from html import escape
from typing import Any

from fitbench.text import clean

UPDATE_SECONDS = 0.2  # between two updates, at least
BAR = '<progress max="1" value="{share:.3f}" style="width: 10em; margin-right: 0.8em"></progress>'
STYLE = "white-space: pre-wrap; font-variant-numeric: tabular-nums"


class Line:
    """A line with a bar, which ends as a line of text.

    Attributes:
        execution: the number of the execution of its cell.
    """

    def __init__(self, execution: int) -> None:
        self.execution = execution
        self.handle: Any = None  # IPython's, from the first display on
        self.next = 0.0  # when the next update may be sent

    def show(self, parts: Sequence[str], share: float | None = None) -> None:
        """Replace the line, unless it was replaced a moment ago.

        Args:
            parts: texts, of which empty ones are left out.
            share: what is done, from 0 to 1; None: unknown.
        """
        if (now := time.monotonic()) >= self.next:
            self.next = now + UPDATE_SECONDS
            self._replace(parts, "" if share is None else BAR.format(share=share))

    def clear(self) -> None:
        """Empty the line; what comes next is shown at once."""
        self.next = 0.0
        self._replace((), "")

    def close(self, parts: Sequence[str]) -> None:
        """Replace the line by its final text."""
        global _open  # noqa: PLW0603 - a process has one running cell
        _open = None
        self._replace(parts, "")

    def _replace(self, parts: Sequence[str], bar: str) -> None:
        text = "  ".join(clean(part) for part in parts if part)
        content = {"text/plain": text, "text/html": f'<div style="{STYLE}">{bar}{escape(text)}</div>'}
        if self.handle is None:
            from IPython.display import display

            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)


_open: Line | None = None


def is_kernel() -> bool:
    """Whether this process is the kernel of a notebook."""
    return getattr(_shell(), "kernel", None) is not None


def line() -> Line | None:
    """The open line of the running cell, perhaps a new one; None where this process is no kernel of a notebook."""
    global _open  # noqa: PLW0603 - a process has one running cell
    if not is_kernel():
        return None
    execution = _shell().execution_count
    if _open is None or _open.execution != execution:
        _open = Line(execution)
    return _open


def _shell() -> Any:
    """IPython's shell, if there is one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
