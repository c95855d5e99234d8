"""The keys of a pydantic model, with what each allows and means."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from docs.generate.markdown import as_yaml
from fitbench.config.describe import NAMES, describe
from fitbench.config.errors import annotation_of


@dataclass(frozen=True)
class Key:
    """A key of a section.

    Attributes:
        name: dotted, from the section on.
        allowed: what it may be, in words.
        required: whether the schema has no default for it.
        default: as YAML writes it; empty where there is none.
        meaning: its description.
    """

    name: str
    allowed: str
    required: bool
    default: str
    meaning: str


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[Key]:
    """The keys of a model in their order. The keys of a section of its own follow their section."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        annotation = annotation_of(field)
        default = "" if field.is_required() or field.default is None else as_yaml(field.default)
        allowed = describe(annotation).replace(NAMES[dict], "a section")
        sections = _sections(annotation)
        meaning = field.description or "".join(about(section) for section in sections)
        yield Key(key, allowed, field.is_required(), default, meaning)
        for section in sections:
            yield from keys_of(section, f"{key}.")


def about(model: type[BaseModel]) -> str:
    """The first paragraph of the model's docstring, in one line."""
    return " ".join((model.__doc__ or "").split("\n\n")[0].split()).rstrip(".")


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """The models that a value of this type is checked by."""
    if get_origin(annotation) is Annotated or get_origin(annotation) in (Union, UnionType):
        return [section for part in get_args(annotation) for section in _sections(part)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
