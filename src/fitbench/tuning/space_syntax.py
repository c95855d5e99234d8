"""Reading the space of a search, which is stated in Hydra's override syntax."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalChoiceType,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from fitbench.composition import Composer
from fitbench.config import NOT_IDENTITY
from fitbench.config.errors import located
from fitbench.errors import RequestError
from fitbench.text import first_line
from fitbench.tuning.space import Condition, Parameter, Space

ROUNDING = Decimal("1e-9")  # of a range, in steps: Hydra's `sort` computes its ends with floats


def read_space(
    texts: Sequence[str],
    listed: Mapping[str, Any],
    when: Mapping[str, Any],
    composer: Composer,
    fixed: Sequence[str] = (),
) -> Space:
    """The space of the overrides of a command, and of `space` and `when` in a file under conf/search/.

    If both state a key, the command counts, whether it states a space or, in `fixed`, one value. In the second case
    the space that the file has under that value is searched. Spaces under choices that the command leaves out are not.
    A key may have several spaces, under choices that exclude each other.

    Args:
        texts: overrides with several values.
        listed: `space` of the file, by key.
        when: `when` of the file: spaces by key, by condition.
        composer: reads overrides, and finds the choices of `glob`.
        fixed: overrides with one value.

    Raises:
        RequestError: a part of it is empty, impossible, or no space.
    """
    given = [_parameter(composer.parse(text)) for text in texts]
    with located("search.space"):
        of_file = [_parameter(composer.parse(f"{key}={space}")) for key, space in listed.items()]
    varied = {parameter.key for parameter in given}
    left_out = _choices([parameter for parameter in of_file if parameter.key in varied]) - _choices(given)
    for text, spaces in when.items():
        only = _condition(text, spaces)
        with located(f"search.when: {text}"):
            of_file += [_parameter(composer.parse(f"{key}={space}"), only) for key, space in spaces.items()]
    values = {key: value for key, _, value in (word.partition("=") for word in fixed)}
    possible = _possible([parameter for parameter in of_file if parameter.key not in varied], values, left_out)
    parameters = [*given, *(parameter for parameter in possible if parameter.key not in values)]
    if not parameters:
        raise RequestError(
            "there is nothing to search: state a space, such as 'optimizer.learning_rate=tag(log,interval(1e-4,1e-1))' "
            "or optimizer=adam,sgd, or name a file of conf/search/ with search=NAME"
        )
    _check_conditions(parameters)
    return Space(_in_order(_named(parameters)))


# -- parameters that depend on a choice -------------------------------------------------------------------------------


def _condition(text: str, spaces: Any) -> Condition:
    key, _, value = (word.strip() for word in str(text).partition("="))
    if not (key and value):
        raise RequestError(f"search.when: {text!r} must be KEY=VALUE, such as optimizer=sgd")
    if not isinstance(spaces, Mapping):
        raise RequestError(f"search.when: {text}: expected KEY: SPACE, found {spaces!r}")
    return Condition(key, value)


def _choices(parameters: Sequence[Parameter]) -> set[Condition]:
    """All choices, as what others may depend on."""
    return {Condition(parameter.key, text) for parameter in parameters for text in parameter.choices.values()}


def _possible(
    parameters: Sequence[Parameter], values: Mapping[str, str], left_out: Collection[Condition]
) -> list[Parameter]:
    """The parameters that a trial can have, without the conditions that the fixed values decide.

    `values` are fixed, by key; '' is the value of a key that no trial has. `left_out` are choices that no trial makes.
    """
    kept = [
        parameter
        for parameter in parameters
        if (only := parameter.only) is None
        or (values.get(only.key, only.choice) == only.choice and only not in left_out)
    ]
    if len(kept) < len(parameters):
        gone = {parameter.key for parameter in parameters} - {parameter.key for parameter in kept}
        return _possible(kept, {**dict.fromkeys(gone, ""), **values}, left_out)  # what depends on these is gone, too
    return [
        replace(parameter, only=None) if parameter.only and parameter.only.key in values else parameter
        for parameter in kept
    ]


def _check_conditions(parameters: Sequence[Parameter]) -> None:
    """Refuse a parameter that depends on a choice which the space does not have.

    Raises:
        RequestError: the message names the condition and the choices that there are.
    """
    choices: dict[str, list[str]] = {}
    for parameter in parameters:
        choices.setdefault(parameter.key, []).extend(parameter.choices.values())
    for only in (parameter.only for parameter in parameters if parameter.only):
        if only.key not in choices:
            raise RequestError(f"search.when: {only}: {only.key} is no choice of this space")
        if only.choice not in choices[only.key]:
            texts = ", ".join(dict.fromkeys(choices[only.key])) or "numbers"
            raise RequestError(f"search.when: {only}: {only.key} chooses from {texts}")


def _named(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Each with its name.

    Raises:
        RequestError: a trial could have a key twice.
    """
    named = []
    for parameter in parameters:
        others = [other for other in parameters if other.key == parameter.key and other is not parameter]
        if not all(_exclude(parameter.only, other.only) for other in others):
            raise RequestError(f"{parameter.key} stands in the space more than once, for the same trials")
        named.append(replace(parameter, name=f"{parameter.key} ({parameter.only})" if others else parameter.key))
    return named


def _exclude(first: Condition | None, second: Condition | None) -> bool:
    """Whether no trial fulfils both conditions, because they are different choices of the same key."""
    return first is not None and second is not None and first.key == second.key and first.choice != second.choice


def _in_order(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """The parameters, each behind those that it depends on.

    Raises:
        RequestError: two keys depend on each other.
    """
    sorter = TopologicalSorter(dict.fromkeys(range(len(parameters)), ()))
    for i, parameter in enumerate(parameters):
        needed = parameter.only.key if parameter.only else None
        sorter.add(i, *(j for j, other in enumerate(parameters) if other.key == needed))
    try:
        return tuple(parameters[i] for i in sorter.static_order())
    except CycleError as error:
        keys = dict.fromkeys(parameters[i].key for i in error.args[1])
        raise RequestError(f"search.when: {' and '.join(keys)} depend on each other") from error


# -- one parameter ----------------------------------------------------------------------------------------------------


def _parameter(override: Override, only: Condition | None = None) -> Parameter:
    """The parameter that an override with several values states.

    Raises:
        RequestError: it is no such override, or nothing can be chosen.
    """
    try:
        _check_key(override)
        distribution, choices = _allowed(override)
    except ValueError as error:  # Optuna's distributions raise ValueErrors, too
        raise RequestError(f"{override.input_line}: {first_line(error)}") from error
    return Parameter(override.get_key_element(), distribution, choices, only)


def _check_key(override: Override) -> None:
    if not override.is_sweep_override():
        raise ValueError("nothing to choose; expected interval(a,b), range(a,b), choice(a,b) or a,b")
    if override.is_add() or override.is_delete():
        raise ValueError("a key of the space stands without + or ~")
    key = override.get_key_element()
    if key in NOT_IDENTITY or key.partition(".")[0] in NOT_IDENTITY:
        also = REPEATED.get(key, "")
        raise ValueError(f"{key} makes no other configuration, so there is nothing to choose{also}")


REPEATED = {
    "seed": "; search.seeds=N trains each trial with N seeds",
    "fold": "; search.folds=N trains each trial on N folds",
}


def _allowed(override: Override) -> tuple[BaseDistribution, dict[CategoricalChoiceType, str]]:
    """What may be chosen, and the text of each choice; no texts of an interval or a range.

    Raises:
        ValueError: it is empty, has a wrong tag, or a logarithm does not exist.
    """
    value: Any = override.value()
    tags: set[str] = getattr(value, "tags", set())
    is_interval = isinstance(value, IntervalSweep)
    texts = [] if is_interval else list(override.sweep_string_iterator())
    is_range = isinstance(value, RangeSweep) and not value.shuffle and len(texts) > 1
    if unknown := tags - ({"log", "int"} if is_interval else {"log"} if is_range else set()):
        raise ValueError(f"there is no tag {', '.join(sorted(unknown))} here; intervals have log and int, ranges log")
    if is_interval:
        return _interval(value.start, value.end, tags), {}
    if is_range:
        return _range(value, [_plain(text) for text in texts], "log" in tags), {}
    if not texts:
        raise ValueError("there is nothing to choose from")
    choices = {_plain(text): text for text in ({"True": "true", "False": "false"}.get(text, text) for text in texts)}
    return CategoricalDistribution(list(choices)), choices


def _plain(text: str) -> CategoricalChoiceType:
    """A choice as a number if its text is one, else its text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _interval(start: Any, end: Any, tags: Collection[str]) -> BaseDistribution:
    if not (abs(start) < math.inf and abs(end) < math.inf):
        raise ValueError("both ends of an interval must be finite")
    if start == end:
        raise ValueError("the interval is empty; its first number must be below the second")
    if "int" not in tags and not isinstance(start, int):
        return FloatDistribution(start, end, log="log" in tags)
    if start != int(start) or end != int(end):
        raise ValueError("an interval of whole numbers has whole ends")
    return IntDistribution(int(start), int(end), log="log" in tags)


def _range(stated: RangeSweep, values: Sequence[Any], log: bool) -> BaseDistribution:
    """The distribution of a range, of which Hydra gives these values.

    Those with fractions are computed from what is stated: a step that is the difference of two floats, such as
    0.10000000000000003, does not divide the range, and then Optuna leaves out the last value.
    """
    low, high, step = min(values), max(values), abs(values[1] - values[0])
    if isinstance(low, int) and isinstance(step, int):
        return IntDistribution(low, high, log=log, step=step)
    start, stop, apart = (Decimal(str(number)) for number in (stated.start, stated.stop, stated.step))
    last = start + (math.ceil((stop - start) / apart - ROUNDING) - 1) * apart
    return FloatDistribution(float(min(start, last)), float(max(start, last)), log=log, step=float(abs(apart)))
