"""What values a type allows, in words."""

from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import GroupedMetadata
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fitbench.config.annotations import Allowed
from fitbench.text import in_sentence

NAMES = {int: "a whole number", float: "a number", str: "text", dict: "a section with keys of its own"}


def describe(annotation: Any) -> str:
    """What a value of this annotated type must be: 'a number of at least 0 and below 1, or null'."""
    choices = list(dict.fromkeys(_choices(annotation)))
    null = ", or null" if "null" in choices else ""
    choices = [choice for choice in choices if choice != "null"]
    if len(choices) < 2:
        return "".join(choices) + null if choices else "null"
    if all(" " not in choice for choice in choices):
        return ("" if {"true", "false"} <= set(choices) else "one of ") + _listed(choices) + null
    return " or ".join(choices) + null


def _listed(choices: list[str]) -> str:
    if {"true", "false"} <= set(choices):
        return in_sentence(choices) if len(choices) > 2 else "true or false"
    return ", ".join(choices)


def _choices(annotation: Any) -> list[str]:
    """Each alternative: a choice by its name, or a phrase."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _annotated(annotation)
    if origin in (Union, UnionType):
        return [choice for member in get_args(annotation) for choice in _choices(member)]
    if origin is Literal:
        return [str(value.value if isinstance(value, Enum) else value) for value in get_args(annotation)]
    if annotation in (None, NoneType):
        return ["null"]
    if annotation is bool:
        return ["true", "false"]
    if annotation is Any:
        return ["a value"]
    kind = origin or annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [NAMES[dict]]
    if kind in (list, tuple, set, frozenset):
        items = [item for item in get_args(annotation) if item is not Ellipsis]
        each = f", each item {describe(items[0])}" if items and len(set(map(str, items))) == 1 else ""
        return [f"a list{each}"]
    return [NAMES.get(kind) or f"a value of the type {getattr(kind, '__name__', kind)}"]


def _annotated(annotation: Any) -> list[str]:
    kind, *metadata = get_args(annotation)
    constraints = list(_flat(metadata))
    for constraint in reversed(constraints):
        if isinstance(constraint, Allowed):
            return [constraint.text]
    phrases = _choices(kind)
    limits = _range(constraints)
    if limits and len(phrases) == 1:
        return [phrases[0] + (" of " if limits.startswith("at ") else " ") + limits]
    return phrases


def _flat(metadata: Any) -> Any:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from _flat(item.metadata)
        elif isinstance(item, GroupedMetadata):
            yield from _flat(item)
        else:
            yield item


def _range(constraints: list[Any]) -> str:
    """The limits in words, such as 'at least 0 and below 1'."""
    limits = {
        name: getattr(item, name) for item in constraints for name in ("ge", "gt", "le", "lt") if hasattr(item, name)
    }
    if limits.keys() == {"ge", "le"}:
        return f"from {limits['ge']} to {limits['le']}"
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    return " and ".join(f"{words[name]} {limits[name]}" for name in words if name in limits)
