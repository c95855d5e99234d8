"""What a search wants of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trial:
    """The number of a trial, which is recorded with its run, and what may end the run after an epoch.

    `prune` is called with each epoch's line of the history, of earlier attempts too, and says whether to end.
    """

    number: int
    prune: Callable[[dict[str, Any]], bool]
