"""The values in a nested configuration, by their full keys."""

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


def has_key(values: Any, key: str) -> bool:
    """Whether nested dictionaries have a key such as 'optimizer.learning_rate', which may also be a section."""
    name, _, below = key.partition(".")
    return isinstance(values, Mapping) and name in values and (not below or has_key(values[name], below))


def keys_of(values: Mapping[str, Any]) -> list[str]:
    """The full keys of all sections and values of nested dictionaries."""
    keys: dict[str, None] = {}
    for leaf, _ in leaves(values, lists=False):
        parts = leaf.split(".")
        keys |= dict.fromkeys(".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return list(keys)
