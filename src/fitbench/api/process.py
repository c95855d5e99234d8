"""What all functions that train or use a model share: one call at a time, in a process that is left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def alone() -> Iterator[None]:
    """A block of which one runs at a time."""
    yield
