"""What compared runs were made with, and where runs of one group differ in it.

Runs of one configuration and of several seeds should differ in nothing but the seed. Other code of the user's, other
versions of packages, another device or another number of threads can change their results too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("code", "versions.fitbench", "versions.keras", "versions.tensorflow", "versions.jax"),
    *("device", "threads"),
)


def code_text(code: Mapping[str, str]) -> str | None:
    """Return `code` of a result.json as the value of a column, such as 'mine 3f2a1b2c, layers 9c8d7e6f'.

    None stands for no code of the user's, or for a run that did not record it.
    """
    return ", ".join(f"{name} {sha256[:8]}" for name, sha256 in sorted(code.items())) or None


def varying(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the columns of `COLUMNS` in which the runs of a frame differ, as plain values by row, None if missing.

    A frame without some of the columns is as one whose runs have not recorded them.
    """
    found: dict[str, list[Any]] = {}
    for name in COLUMNS:
        if name in frame and frame[name].nunique() > 1:
            missing = frame[name].isna()
            found[name] = [
                None if is_missing else value for value, is_missing in zip(frame[name], missing, strict=True)
            ]
    return found


def mixed(columns: Mapping[str, Sequence[Any]], rows: Sequence[int]) -> dict[str, tuple[Any, ...]]:
    """Return the columns in which some runs differ, each with its sorted values.

    A value that a run has not recorded is no difference.

    Args:
        columns: as `varying` gives them.
        rows: the places of the runs in the frame.
    """
    found = {name: {values[row] for row in rows} - {None} for name, values in columns.items()}
    return {name: tuple(sorted(values)) for name, values in found.items() if len(values) > 1}
