"""Says how series of different lengths are interpolated."""

from __future__ import annotations

from collections.abc import Sequence

from fitbench.text import counted


def interpolated_note(count: int, total: int, lengths: Sequence[int], method: str, steps: int) -> str:
    """The line that says that `count` of so many series, of these lengths, are interpolated to so many steps."""
    shortest, longest = min(lengths), max(lengths)
    span = counted(longest, "step") if shortest == longest else f"{shortest:,} to {longest:,} steps"
    verb, have = ("is", "has") if total == 1 else ("are", "have")
    return f"{count:,} of {total:,} series, which {have} {span}, {verb} interpolated ({method}) to {steps:,} steps"
