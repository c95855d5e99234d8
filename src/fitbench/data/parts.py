"""The names by which people call the parts of a data set: training, validation and test."""

from __future__ import annotations

import re

_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_PART_OF = {f"{name}{ending}": part for part, names in _NAMES.items() for name in names for ending in ("", "set")}


def part_of(name: str) -> str | None:
    """Return 'train', 'val' or 'test' for a usual name of such a part, such as 'Training' or 'test_set'; else None."""
    return _PART_OF.get(re.sub(r"[\W_]", "", name).casefold())
