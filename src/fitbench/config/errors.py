"""One line for a person from what pydantic found wrong."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from fitbench.config.annotations import WHOLE
from fitbench.config.describe import describe
from fitbench.config.nested import keys_of
from fitbench.config.schema import Config
from fitbench.config.section import SectionOf
from fitbench.errors import RequestError
from fitbench.text import clean, nearest

Schema = TypeVar("Schema", bound=BaseModel)
NOT_GIVEN = ("parent",)  # keys of the top level that fitbench sets
HIDDEN = ("hydra", "_target_", "solver")  # keys that messages do not list, because a file sets them


class Explained(ValueError):
    """What a validator raises whose message names its key, and so stands as it is."""


@contextmanager
def located(where: str) -> Iterator[None]:
    """In this block the message of a `RequestError` begins with `where`, such as `table.yaml`."""
    try:
        yield
    except RequestError as error:
        raise RequestError(f"{where}: {error}") from error


def validated(schema: type[Schema], values: Any, key: str = "", top: str = "the top level") -> Schema:
    """The values as an instance of a schema.

    Args:
        schema: what to check them against.
        values: nested dictionaries.
        key: the key that has these values, such as `model`; empty for the top level.
        top: what the message calls the values where `key` is empty.

    Raises:
        RequestError: one is wrong; see `explain`.
    """
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise RequestError(explain(error, schema, values, key, top)) from error


def explain(
    error: ValidationError, schema: type[BaseModel], values: Any, key: str = "", top: str = "the top level"
) -> str:
    """The first thing that is wrong with `values`: its key, the value, what is allowed, and the nearest known key.

    The arguments are those of `validated`. A misspelt key comes before a missing one, which it explains. The message
    of a validator of a whole section stands as it is: it names its keys itself.
    """
    details = error.errors(include_url=False)
    first = min(details, key=lambda detail: detail["type"] not in ("extra_forbidden", "invalid_key"))
    line = _line(first, schema, values, key, top)
    return line + _also_missing(first, details) if first["type"] == "missing" else line


def _also_missing(first: Any, details: Sequence[Any]) -> str:
    """The names of the keys that are missing beside the first one, in the same section."""
    others = [each for each in details if each["type"] == "missing" and each is not first]
    names = [str(each["loc"][-1]) for each in others if each["loc"][:-1] == first["loc"][:-1]]
    return f"; {', '.join(names)} {'is' if len(names) == 1 else 'are'} missing too" if names else ""


def _line(detail: Any, schema: Any, values: Any, key: str, top: str) -> str:
    annotation, value, section, keys = schema, values, key, list[str]()
    parts = list(detail["loc"])
    while parts:
        part = parts.pop(0)
        models = _models(annotation)
        if len(models) > 1:  # pydantic puts the choice that it made into the location
            annotation = _chosen(models, value)
        elif _is_branch(annotation, part, value):
            annotation = models[0] if models else annotation
        elif models and not _has_other_branches(annotation):
            fields = fields_of(models[0])
            section, keys = key, list(fields)
            key = _joined(key, part)
            annotation = annotation_of(fields[part]) if part in fields else _further(models[0])
            value = _item(value, part)
        elif (inside := _inside(annotation)) is not None and isinstance(value, Mapping | list | tuple):
            key = _joined(key, part)
            annotation, value = inside, _item(value, part)
        else:
            parts = [part]
            break
    if detail["type"] == "extra_forbidden":
        near = deeper(key, values) if schema is Config and not section else []
        text = f"{key}: there is no such key. Did you mean {' or '.join(near)}?" if near else ""
        return text or no_such_key(key, section, [name for name in keys if name not in NOT_GIVEN], top)
    if detail["type"] == "missing":
        return f"{key} is missing; it must be {describe(annotation)}"
    if detail["type"] == "string_unicode":  # a key, as pydantic takes any other text
        return f"{key} has the key {_shown(detail['input'])}; it must be Unicode text"
    if detail["type"] == "invalid_key":
        return f"{section or top} has the key {_shown(detail['input'])}; a key must be text"
    models = _models(annotation)
    if detail["type"] == "value_error" and (models or isinstance(detail["ctx"]["error"], Explained)):
        return str(detail["ctx"]["error"])
    if models and detail["type"].startswith("union_tag"):
        tag = _tag(models)
        choices: Any = Literal[
            tuple(choice for model in models for choice in get_args(model.model_fields[tag].annotation))
        ]
        return f"{key}.{tag} is {_shown(value.get(tag))}; it must be {describe(choices)}"
    found = value if parts else detail["input"]
    is_whole = isinstance(found, float) and found.is_integer() and detail["msg"].endswith(WHOLE)
    return refusal(key or "it", found, describe(annotation)) + (f"; write {found:.0f}" if is_whole else "")


def refusal(key: str, value: Any, allowed: str) -> str:
    """The line about a value that is not allowed."""
    return f"{key} is {_shown(value)}; it must be {allowed}"


def _joined(key: str, part: int | str) -> str:
    """The key of what is at a place or under a name, which may be a stranger's, in what has this key."""
    if isinstance(part, int):
        return f"{key}[{part}]"
    return f"{key}.{clean(part):.80}" if key else f"{clean(part):.80}"


def _item(values: Any, part: Any) -> Any:
    """The value at a place, or under a name; None if `values` is no section. Pydantic replaces lone surrogates."""
    if not isinstance(values, Mapping):
        return values[part] if isinstance(part, int) else None
    if part in values:
        return values[part]
    names = {str(key).encode("utf-8", "surrogatepass").decode("utf-8", "replace"): key for key in values}
    return values.get(names.get(part))


def no_such_key(key: str, section: str, keys: Sequence[str], top: str = "the top level") -> str:
    """The line about a key that does not exist: the nearest key, or all keys of its section.

    Args:
        key: the full key.
        section: the key of the section that it is in; empty for the top level.
        keys: what the section has.
        top: what the message calls the top level.
    """
    near = did_you_mean(key.removeprefix(f"{section}."), keys, f"{section}." if section else "")
    listed = [name for name in keys if name not in HIDDEN]
    return f"{key}: there is no such key" + (near or f"; {section or top} has {', '.join(listed) or 'no keys'}")


def deeper(key: str, values: Any) -> list[str]:
    """How the keys below the top level whose last name is `key` are given; `values` are those of the top level."""
    found = [full for full in keys_of(values) if full.endswith(f".{key}")]
    return ["optimizer/schedule" if full == "optimizer.schedule" else full for full in found]


def unknown_key(key: str) -> str | None:
    """The line about a key of a section if no kind of this section has it; None for all other keys."""
    section, _, name = key.partition(".")
    models = _models(annotation_of(Config.model_fields[section])) if section in Config.model_fields else []
    known = {known: None for model in models for known in fields_of(model)}
    if not known or name.partition(".")[0] in known or any(model.model_config["extra"] == "allow" for model in models):
        return None
    return no_such_key(key, section, list(known))


def did_you_mean(name: str, names: Sequence[str], prefix: str = "") -> str:
    """The sentence that asks whether the name most like this one was meant; empty if none is like it.

    Initials are like a name of several words, as lr is like learning_rate.
    """
    folded = {other.casefold(): other for other in reversed(names)}
    initials = {"".join(word[:1] for word in other.split("_")): other for other in folded if "_" in other}
    near = [initials[name]] if name in initials else nearest(name.casefold(), folded)
    return f". Did you mean {prefix}{folded[near[0]]}?" if near else ""


def _shown(value: Any) -> str:
    text = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else _repr(value)
    assert text is not None
    return text if len(text) <= 80 else f"{text[:77]}..."


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except RecursionError:
        return "nested too deeply"


# -- schemas ----------------------------------------------------------------------------------------------------------


def fields_of(schema: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a schema under the keys that files have for them."""
    return {field.alias or name: field for name, field in schema.model_fields.items()}


def annotation_of(field: FieldInfo) -> Any:
    """The annotated type of a field; pydantic keeps type and metadata apart."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _further(schema: type[BaseModel]) -> Any:
    """The type of the values under keys that are not fields of a schema."""
    further = vars(schema).get("__annotations__", {}).get("__pydantic_extra__")
    return get_args(further)[1] if further is not None else Any


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The schemas that a value of this type may have: none for a value that is no section."""
    origin = get_origin(annotation)
    if origin is Annotated:
        kind, *metadata = get_args(annotation)
        sections = [item.schema for item in metadata if isinstance(item, SectionOf)]
        return _models(sections[0] if sections else kind)
    if origin in (Union, UnionType):
        return [model for member in get_args(annotation) for model in _models(member)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


def _has_other_branches(annotation: Any) -> bool:
    """Whether a value may be a section or something else that is not null."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    return len([member for member in members if member is not NoneType]) > 1


def _is_branch(annotation: Any, part: int | str, value: Any) -> bool:
    """Whether a part of a location is the branch that pydantic tried, and no key or place of the value."""
    if not isinstance(value, Mapping):
        return isinstance(value, list) and isinstance(part, str)
    models = _models(annotation)
    named = part == models[0].__name__ if models else part not in value
    return named and _has_other_branches(annotation)


def _tag(models: list[type[BaseModel]]) -> str:
    """The key by whose value the schemas differ."""
    return next(
        name
        for name in models[0].model_fields
        if all(get_origin(model.model_fields[name].annotation) is Literal for model in models)
    )


def _chosen(models: list[type[BaseModel]], value: Any) -> type[BaseModel]:
    tag = _tag(models)
    return next(model for model in models if value[tag] in get_args(model.model_fields[tag].annotation))


def mapping_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the full keys of values that may be a mapping with names of a person's own, or something else.

    As training.class_weight, which is null, balanced or a section of weights by the names of the classes. No section of
    a schema is among them: its keys are known.
    """
    for name, field in fields_of(schema).items():
        annotation, key = annotation_of(field), f"{prefix}{name}"
        models = _models(annotation)
        if not models and _inside(annotation) is not None and _has_other_branches(annotation):
            yield key
        for model in models:
            yield from mapping_keys(model, f"{key}.")


def _inside(annotation: Any) -> Any:
    """The type of the values of a dictionary, or of the sections of a list; None for anything else."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _inside(arguments[0])
    if origin in (Union, UnionType):
        return next(filter(None, map(_inside, arguments)), None)
    if origin is dict:
        return arguments[1]
    return arguments[0] if origin in (list, tuple) and _models(arguments[0]) else None
