"""Settings of models and data, checked against the signatures of their functions, of which nothing is imported."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, TypeAdapter, create_model

from fitbench.config.annotations import Requires, Shares, Takes
from fitbench.config.data_sections import Data, OwnData
from fitbench.config.errors import validated
from fitbench.config.identity import HASHED_AS, plain
from fitbench.config.schema import Config
from fitbench.config.signatures import Parameter, Signature, signature_of
from fitbench.errors import RequestError
from fitbench.kinds import ARRAYS, IMAGES, KINDS, SERIES, TABLE, TOKENS
from fitbench.text import in_sentence

# What fitbench supplies from the data. `classes` is the former name of outputs.
SUPPLIED = ("input_shape", "outputs", "columns", "inputs", "classes")
MODELS = {  # that messages name for examples of a kind
    IMAGES: ("lenet5", "mlp"),
    TABLE: ("mlp", "linear"),
    SERIES: ("fcn", "lstm"),
    TOKENS: ("lstm",),
    ARRAYS: ("mlp", "linear"),
}
SECTION = ("_target_", "name", "solver")  # keys of the section `model` that no builder is given


def checked(config: Config) -> Config:
    """The configuration with the settings of its functions checked, and converted to the types of their annotations.

    They are those of the model, and of a function of the user's that returns the data. Where a signature cannot be read
    from its source, the settings are checked only when the function is called.

    Raises:
        RequestError: a setting is unknown, missing, or not what its annotation allows, or the model does not take
            examples of the kind of the data.
    """
    if config.data.kind is not None:
        check_takes(config.model, config.data.kind, config.data.name)
    config = config.model_copy(update={"data": checked_data(config.data)})
    schema = settings_schema(config.model["_target_"], _unchecked(config.model))
    config = config.model_copy(update={"model": _settings(schema, config.model, "model")})
    if signature := signature_of(config.model["_target_"]):
        _check_requirements(config, signature)
    return config


def checked_data(data: Data) -> Data:
    """The data set with the settings of a function of the user's that returns it checked, and converted.

    Raises:
        RequestError: as `checked`.
    """
    if not isinstance(data, OwnData):
        return data
    if signature := signature_of(data.target):
        check_names(data, [parameter.name for parameter in signature.parameters])
    values = data.model_dump(mode="json")
    valid = _settings(settings_schema(data.target, _unchecked(values), data.own_keys(), ()), values, "data")
    return data.model_copy(update={key: valid[key] for key in data.settings})


def check_names(data: OwnData, parameters: Iterable[str]) -> None:
    """Refuse a function of the user's with a parameter that could never be given, because it is a key of `data`.

    Raises:
        RequestError: with the first such parameter.
    """
    if taken := [name for name in parameters if name in data.own_keys()]:
        raise RequestError(f"{data.target} has a parameter `{taken[0]}`, which is a key of data; rename the parameter")


def _unchecked(section: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(key for key, value in section.items() if _holds_target(value))


def _settings(schema: type[BaseModel] | None, section: dict[str, Any], key: str) -> dict[str, Any]:
    """The section that has this key, with its settings converted to the types of their annotations."""
    if schema is None:
        return section
    try:
        valid = validated(schema, section, key).model_dump(mode="json", by_alias=True, exclude_unset=True)
    except TypeError as error:  # such as Annotated[list, Ge(0)]
        raise RequestError(f"{key}._target_ is {section['_target_']}; an annotation is wrong: {error}") from error
    return {name: valid[name] for name in section}


def is_ours(target: str) -> bool:
    """Whether a dotted name is that of a function of fitbench, about whose models more is known."""
    return target.startswith("fitbench.")


def check_takes(model: Mapping[str, Any], kind: str, data: str) -> None:
    """Refuse a model of fitbench for examples of a kind that it does not take.

    The annotation of its parameter `inputs` names the kinds; without one it takes images. A builder of the user's takes
    whatever it is given.

    Args:
        model: the section `model`.
        kind: a name in `kinds.KINDS`.
        data: the name of the data set.

    Raises:
        RequestError: the message names models that take the examples.
    """
    taken = kinds_taken(model["_target_"])
    if taken is None or kind in taken:
        return
    ways = [f"model={name}" for name in MODELS[kind]]
    if kind == TOKENS and ARRAYS in taken:
        ways.append("data.inputs=arrays, if the numbers are not tokens")
    raise RequestError(
        f"model={model['name']} takes {in_sentence([KINDS[each].plural for each in taken])}, but the examples of "
        f"{data} are {KINDS[kind].plural}; set {in_sentence(ways)}"
    )


def kinds_taken(target: str) -> tuple[str, ...] | None:
    """The kinds of examples that a model of fitbench takes; None for a builder of the user's.

    Args:
        target: the dotted name of its builder.
    """
    signature = signature_of(target) if is_ours(target) else None
    if signature is None:
        return None
    for parameter in signature.parameters:
        if parameter.name == "inputs":
            for item in get_args(parameter.annotation):
                if isinstance(item, Takes):
                    return item.kinds
    return (IMAGES,)


def records_shares(model: Mapping[str, Any]) -> bool:
    """Whether the shares of a model's outputs are recorded as probabilities, as its builder declares with `Shares`.

    Args:
        model: the section `model`.
    """
    signature = signature_of(model["_target_"])
    return signature is not None and any(
        item.value == _value_of(parameter, model)
        for parameter in signature.parameters
        for item in get_args(parameter.annotation)
        if isinstance(item, Shares)
    )


@lru_cache(maxsize=1000)
def settings_schema(
    target: str,
    unchecked: frozenset[str] = frozenset(),
    section: tuple[str, ...] = SECTION,
    supplied: tuple[str, ...] = SUPPLIED,
) -> type[BaseModel] | None:
    """The schema of a section that names a function; None if the function's signature cannot be read from its source.

    Args:
        target: the dotted name of the function.
        unchecked: settings whose values may be anything.
        section: keys of the section that the function is not given, `_target_` first.
        supplied: parameters that fitbench supplies.
    """
    signature = signature_of(target)
    if signature is None:
        return None
    fields: dict[str, Any] = {f"key_{place}": (Any, Field(None, alias=key)) for place, key in enumerate(section)}
    for parameter in signature.parameters:
        if parameter.name in (*supplied, *section):
            continue
        annotation = Any if parameter.name in unchecked else _usable(parameter.annotation)
        required = parameter.required and not (supplied and parameter.name == "examples")  # which fitbench supplies too
        default = ... if required else None
        fields[f"setting_{len(fields)}"] = (annotation, Field(default, alias=parameter.name))
    settings = ConfigDict(
        extra="allow" if signature.takes_others else "forbid", allow_inf_nan=False, ser_json_inf_nan="constants"
    )
    return create_model("Settings", __config__=settings, **fields)


def _usable(annotation: Any) -> Any:
    """The annotation, or `Any` where pydantic cannot check such values."""
    try:
        TypeAdapter(annotation)
    except (PydanticUserError, TypeError, ImportError):
        return Any
    return annotation


def _holds_target(value: Any) -> bool:
    """Whether a setting is, or holds, an object that Hydra creates from a `_target_` when the model is built."""
    if isinstance(value, Mapping):
        return "_target_" in value or any(map(_holds_target, value.values()))
    return isinstance(value, list) and any(map(_holds_target, value))


def _check_requirements(config: Config, signature: Signature) -> None:
    for parameter in signature.parameters:
        for item in _requirements(parameter.annotation):
            if _value_of(parameter, config.model) != item.value:
                continue
            value: Any = plain(config)
            for part in item.key.split("."):
                value = value[part]
            if isinstance(value, str):
                value = HASHED_AS.get(item.key, {}).get(value, value)
            if value != item.needed and not (isinstance(value, dict) and value.get("_target_") in item.instead):
                ways = in_sentence([str(item.needed), *item.instead])
                raise RequestError(f"model.{parameter.name}={item.value} goes with {item.key}={ways}: {item.reason}")


def _value_of(parameter: Parameter, model: Mapping[str, Any]) -> Any:
    """What a builder gets for a parameter: the value of the section, or else the default if it is a literal."""
    if parameter.name in model:
        return model[parameter.name]
    try:
        return ast.literal_eval(parameter.default or "None")
    except ValueError:
        return None


def _requirements(annotation: Any) -> Iterator[Requires]:
    """What an annotated type requires, also where it is one of several."""
    for part in get_args(annotation):
        if isinstance(part, Requires):
            yield part
        else:
            yield from _requirements(part)
