"""The keys of the configuration that name files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from fitbench.config.annotations import NamesFile
from fitbench.config.schema import Config


@cache
def keys_of_files() -> frozenset[str]:
    """The full keys whose values are paths, as 'data.path'. A path says where a file is, and not what is in it."""
    return frozenset(_keys("", Config, ()))


def _keys(key: str, annotation: Any, metadata: Sequence[Any]) -> Iterator[str]:
    if any(isinstance(each, NamesFile) for each in metadata):
        yield key
    elif get_origin(annotation) is Annotated:
        kind, *further = get_args(annotation)
        yield from _keys(key, kind, further)
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _keys(key, member, ())
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from _keys(f"{key}.{field.alias or name}".removeprefix("."), field.annotation, field.metadata)
