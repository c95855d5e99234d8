"""Says how series of different lengths are interpolated."""

from __future__ import annotations

from collections.abc import Sequence

from fitbench.text import counted


def span_of(lengths: Sequence[int]) -> str:
    """The lengths of series, as in '20 steps' and '7 to 29 steps'."""
    shortest, longest = min(lengths), max(lengths)
    return counted(longest, "step") if shortest == longest else f"{shortest:,} to {longest:,} steps"


def interpolated_note(count: int, lengths: Sequence[int], method: str, steps: int) -> str:
    """The line that says that `count` of the series, which have these lengths, are interpolated to so many steps."""
    verb, have = ("is", "has") if len(lengths) == 1 else ("are", "have")
    start = f"{count:,} of {len(lengths):,} series, which {have} {span_of(lengths)}"
    return f"{start}, {verb} interpolated ({method}) to {steps:,} steps"
