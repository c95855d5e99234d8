"""How often something may be done that takes long, so that it takes a small share of the time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 20  # what takes a second is done once in so many seconds at most


class Budget:
    """Whether something may be done again: what it took last, `SHARE` times, has passed since."""

    def __init__(self) -> None:
        self._next = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether it may be done now."""
        return time.monotonic() >= self._next

    @contextmanager
    def spent(self) -> Iterator[None]:
        """A block in which it is done."""
        began = time.monotonic()
        try:
            yield
        finally:
            ended = time.monotonic()
            self._next = ended + (SHARE - 1) * (ended - began)
