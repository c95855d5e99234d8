"""The section `sweep`: which combinations of values a sweep trains. It is a part of no run's configuration."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Len
from omegaconf import DictConfig, Node, OmegaConf
from pydantic import BeforeValidator, Field, WithJsonSchema

from fitbench.config.annotations import Allowed
from fitbench.config.section import Section
from fitbench.errors import RequestError

KEY = "sweep"


def is_of_sweep(key: str) -> bool:
    """Whether an override with this key, which may begin with signs, is of the section, or chooses its file."""
    return key.lstrip("+~").partition("@")[0].partition(".")[0] == KEY


def _list_of_lists(keys: Any) -> Any:
    return [keys] if isinstance(keys, list) and keys and all(isinstance(key, str) for key in keys) else keys


def _filters(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


KEYS = {"type": "array", "items": {"type": "string"}}
Value = Annotated[
    str | int | float | bool | None,
    Allowed(
        'a text such as "0.1,0.01" or range(5), or one value; a key with points is written '
        "'sweep.grid={training.epochs:\"5,10\"}'"
    ),
]
Together = Annotated[list[str], Len(2), Allowed("a list of two or more keys")]
Case = Annotated[
    dict[str, Any] | list[str],
    Allowed("a section such as {model: mlp, optimizer: adam}, or a list of texts KEY=VALUE"),
]


class Sweep(Section):
    """Which combinations of values a sweep trains."""

    grid: dict[str, Value] = Field(
        {},
        description='KEY: what would follow KEY= in the command, as `{seed: "range(5)", '
        'optimizer.learning_rate: "0.1,0.01"}`; a KEY=VALUE of the command takes its place',
    )
    zip: Annotated[
        list[Together],
        BeforeValidator(_list_of_lists),
        WithJsonSchema({"anyOf": [KEYS, {"type": "array", "items": KEYS}]}),
        Allowed("a list of lists of two or more keys, such as [[model.width,optimizer.learning_rate]]"),
    ] = Field(
        [],
        description="lists of keys whose values are taken together: the first of each, then the second of each, as "
        "`[[model.width, optimizer.learning_rate]]`",
    )
    exclude: Annotated[
        list[str],
        BeforeValidator(_filters),
        WithJsonSchema({"anyOf": [{"type": "string"}, KEYS]}),
        Allowed("a filter such as \"model == 'mlp' and seed > 0\", or a list of filters"),
    ] = Field(
        [],
        description="filters as those of `fitbench runs --where`, as `model == 'mlp' and seed > 0`; the combinations "
        "that one of them fits are left out",
    )
    cases: list[Case] = Field(
        [],
        description="each is a section KEY: VALUE, or a list of texts KEY=VALUE, and is combined with all else, as "
        "`[{model: mlp, optimizer: sgd}, {model: softmax}]`",
    )


def given(composed: DictConfig) -> dict[Any, Any]:
    """What the section of a composed configuration states: its keys that have a value, which may be an interpolation.

    Raises:
        RequestError: it is no section.
    """
    section = composed._get_node(KEY) if KEY in composed.keys() else None  # noqa: SIM118 - "in" passes over some values
    if section is None or (isinstance(section, Node) and section._is_none()):
        return {}
    if not isinstance(section, DictConfig):
        raise RequestError(f"{KEY} is {section!s:.80}; it must be a section with keys of its own")
    values = OmegaConf.to_container(section)
    assert isinstance(values, dict)
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}


def refuse(composed: DictConfig) -> None:
    """Refuse combinations where one configuration is wanted.

    Raises:
        RequestError: the section states something.
    """
    if keys := given(composed):
        named = ", ".join(f"{KEY}.{key}" for key in keys)
        raise RequestError(
            f"{named}: only a sweep, fitbench train -m, has combinations; leave them out of any other command"
        )
