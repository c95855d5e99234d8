"""The values in a nested configuration, and the full keys of all values and sections."""

from collections.abc import Iterator, Mapping
from typing import Any


def leaves(value: Any, key: str = "", lists: bool = True) -> Iterator[tuple[str, Any]]:
    """Yield the full key and the value of everything that is no section and, with `lists`, no list.

    The key of an item of a list ends in its position, as in `model.hidden.0`.
    """
    if isinstance(value, Mapping):
        items = [(str(name), item) for name, item in value.items()]
    elif lists and isinstance(value, list):
        items = [(str(position), item) for position, item in enumerate(value)]
    else:
        yield key, value
        return
    for name, item in items:
        yield from leaves(item, f"{key}.{name}" if key else name, lists)


def keys_of(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the full keys of all sections and values of nested dictionaries."""
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from keys_of(value, f"{prefix}{name}.")
