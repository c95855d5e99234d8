"""The space of a search in Hydra's override syntax: what a trial may choose, and the overrides of its choices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalChoiceType,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from fitbench.config import NOT_IDENTITY
from fitbench.errors import RequestError

Params = dict[str, CategoricalChoiceType]


@dataclass(frozen=True)
class Parameter:
    """A key of the configuration, or a group of it, and what a trial may choose for it.

    `choices` has each choice's text in an override, where there are choices. `only` names choices of other parameters:
    the parameter belongs to trials with all of these choices. `name` is its name in trials: its key, followed by `only`
    where the same key has another space under another choice.
    """

    key: str
    distribution: BaseDistribution
    choices: Mapping[CategoricalChoiceType, str]
    only: tuple[tuple[str, str], ...] = ()
    name: str = ""

    def override(self, value: CategoricalChoiceType) -> str:
        """KEY=VALUE, as Hydra reads it."""
        return f"{self.key}={self.choices[value] if self.choices else repr(value)}"

    def ends(self) -> list[CategoricalChoiceType]:
        """All choices, or the two ends of an interval. They are composed before the first trial."""
        if isinstance(self.distribution, CategoricalDistribution):
            return list(self.distribution.choices)
        assert isinstance(self.distribution, FloatDistribution | IntDistribution)
        return [self.distribution.low, self.distribution.high]

    def described(self) -> dict[str, Any]:
        """The parameter as JSON: kind (float, int or choice), its bounds or values, and `when`."""
        when = {"when": [f"{key}={text}" for key, text in self.only]} if self.only else {}
        if isinstance(self.distribution, CategoricalDistribution):
            return {"kind": "choice", "values": list(self.distribution.choices), **when}
        of = self.distribution
        assert isinstance(of, FloatDistribution | IntDistribution)
        kind = "int" if isinstance(of, IntDistribution) else "float"
        return {"kind": kind, "low": of.low, "high": of.high, "log": of.log, "step": of.step, **when}


@dataclass(frozen=True)
class Space:
    """The parameters, each behind those that it depends on."""

    parameters: tuple[Parameter, ...]

    def suggest(self, trial: Trial, before: Callable[[int], object] = lambda index: None) -> Params:
        """The choices of this trial by name. Earlier choices stay.

        `before` is called with the index of each parameter that is chosen next.
        """
        chosen: Params = {}
        for index, parameter in enumerate(self.parameters):
            if self.belongs(parameter, chosen):
                before(index)
                chosen[parameter.name] = _suggest(trial, parameter.name, parameter.distribution)
        return chosen

    def overrides(self, chosen: Params) -> list[str]:
        """The same as overrides of the command."""
        return [parameter.override(chosen[parameter.name]) for parameter in self.parameters if parameter.name in chosen]

    def belongs(self, parameter: Parameter, chosen: Params) -> bool:
        """Whether a trial that has chosen this has that parameter too."""
        chosen_overrides = self.overrides(chosen)
        return all(f"{key}={text}" in chosen_overrides for key, text in parameter.only)

    def probes(self) -> list[Params]:
        """A few trials with every choice and every end of an interval. All of them must compose."""
        probes = []
        for parameter in self.parameters:
            for value in parameter.ends():
                probes.append(self._first({**self._needed(parameter), parameter.name: value}))
        return probes

    def described(self) -> dict[str, dict[str, Any]]:
        """The space as JSON, by name."""
        return {parameter.name: parameter.described() for parameter in self.parameters}

    def grid(self) -> dict[str, list[CategoricalChoiceType]]:
        """All values of each parameter.

        Raises:
            RequestError: a parameter has an interval, or depends on another.
        """
        grid = {}
        for parameter in self.parameters:
            values = _values(parameter.distribution)
            if values is None or parameter.only:
                why = "depends on another choice" if parameter.only else "has an interval"
                raise RequestError(
                    f"search.sampler=grid goes through all values, and {parameter.key} {why}; use choices"
                )
            grid[parameter.name] = values
        return grid

    def _needed(self, parameter: Parameter) -> Params:
        """The choices that a parameter depends on, and those that they depend on themselves."""
        needed: Params = {}
        for key, text in parameter.only:
            other = next(other for other in self.parameters if other.key == key and text in other.choices.values())
            needed |= self._needed(other)
            needed[other.name] = next(value for value, its in other.choices.items() if its == text)
        return needed

    def _first(self, fixed: Params) -> Params:
        """These choices, and the first of each other parameter that belongs to them."""
        chosen: Params = {}
        for parameter in self.parameters:
            if parameter.name in fixed:
                chosen[parameter.name] = fixed[parameter.name]
            elif self.belongs(parameter, chosen):
                chosen[parameter.name] = parameter.ends()[0]
        return chosen


def read_space(
    texts: Sequence[str],
    listed: Mapping[str, Any],
    when: Mapping[str, Any],
    loader: ConfigLoader | None,
    fixed: Sequence[str] = (),
) -> Space:
    """The space of the overrides of a command, and of `space` and `when` in a file under conf/search/.

    If both state a key, the command counts, whether it states a space or, in `fixed`, one value. In the second case
    the space that the file has under that value is searched. Spaces under choices that the command leaves out are not.
    A key may have several spaces, under choices that exclude each other. `loader` finds the choices of `glob`.

    Raises:
        RequestError: a part of it is empty, impossible, or no space.
    """
    parser = OverridesParser.create(config_loader=loader)
    parts: list[_Part] = [(key, value, ()) for key, value in listed.items()]
    for condition, part in when.items():
        parts += [(key, value, (_condition(condition),)) for key, value in _part(condition, part).items()]
    given = [_parameter(parser, text, ()) for text in texts]
    values = {key: value for key, _, value in (word.partition("=") for word in fixed)}
    varied = {parameter.key for parameter in given}
    of_file = [_parameter(parser, f"{key}={value}", ()) for key, value in listed.items() if key in varied]
    left_out = _conditions(of_file) - _conditions(given)
    possible = _possible([part for part in parts if part[0] not in varied], values, left_out)
    open_parts = [part for part in possible if part[0] not in values]
    parameters = [*given, *(_parameter(parser, f"{key}={value}", only) for key, value, only in open_parts)]
    if not parameters:
        raise RequestError(
            "there is nothing to search: state a space, such as 'optimizer.learning_rate=tag(log,interval(1e-4,1e-1))' "
            "or optimizer=adam,sgd, or name a file of conf/search/ with search=NAME"
        )
    return Space(_in_order(_named(parameters)))


def is_part_of_a_space(override: Override) -> bool:
    """Whether an override leaves a trial something to choose."""
    return override.is_sweep_override()


_Part = tuple[str, Any, tuple[tuple[str, str], ...]]  # of a file: a key, its space, and what it depends on


def _conditions(parameters: Sequence[Parameter]) -> set[tuple[str, str]]:
    """All choices, as what others may depend on."""
    return {(parameter.key, text) for parameter in parameters for text in parameter.choices.values()}


def _possible(parts: Sequence[_Part], values: Mapping[str, str], left_out: Collection[tuple[str, str]]) -> list[_Part]:
    """The parts that a trial can have with these values, without the conditions that the values decide.

    `left_out` are choices that no trial makes.
    """
    never = [
        part
        for part in parts
        if any(values.get(condition[0], condition[1]) != condition[1] or condition in left_out for condition in part[2])
    ]
    if never:  # and so what depends on them
        kept = [part for part in parts if part not in never]
        gone = {key for key, _, _ in never} - {key for key, _, _ in kept}
        return _possible(kept, {**dict.fromkeys(gone, ""), **values}, left_out)
    return [
        (key, value, tuple(condition for condition in only if condition[0] not in values)) for key, value, only in parts
    ]


def _part(condition: str, part: Any) -> Mapping[str, Any]:
    if not isinstance(part, Mapping):
        raise RequestError(f"search.when: {condition}: expected KEY: SPACE, found {part!r}")
    return part


def _condition(text: str) -> tuple[str, str]:
    key, equals, value = str(text).partition("=")
    if not (key and equals and value):
        raise RequestError(f"search.when: {text!r} must be KEY=VALUE, such as optimizer=sgd")
    return key.strip(), value.strip()


def _named(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Each with its name.

    Raises:
        RequestError: a trial could have a key twice.
    """
    named = []
    for parameter in parameters:
        others = [other for other in parameters if other.key == parameter.key and other is not parameter]
        if not all(_exclude(parameter, other) for other in others):
            raise RequestError(f"{parameter.key} stands in the space more than once, for the same trials")
        condition = " and ".join(f"{key}={text}" for key, text in parameter.only)
        named.append(replace(parameter, name=f"{parameter.key} ({condition})" if others else parameter.key))
    return named


def _exclude(first: Parameter, second: Parameter) -> bool:
    """Whether no trial can have both parameters, because they depend on different choices of the same key."""
    return any(
        key == other_key and text != other_text for key, text in first.only for other_key, other_text in second.only
    )


def _in_order(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """The parameters, each behind those that it depends on, else in their order.

    Raises:
        RequestError: a parameter depends on a choice that the space does not have.
    """
    remaining: list[Parameter] = list(parameters)
    ordered: list[Parameter] = []
    while remaining:
        waiting = {parameter.key for parameter in remaining}
        choices: dict[str, list[str]] = {}
        for parameter in ordered:
            choices.setdefault(parameter.key, []).extend(parameter.choices.values())
        fit = [
            parameter
            for parameter in remaining
            if all(key in choices and key not in waiting for key, _ in parameter.only)
        ]
        if not fit:
            conditions = [condition for parameter in remaining for condition in parameter.only]
            key, text = next((condition for condition in conditions if condition[0] not in choices), conditions[0])
            raise RequestError(f"search.when: {key}={text}: {key} is no choice of this space")
        for parameter in fit:
            for key, text in parameter.only:
                if text not in choices[key]:
                    texts = ", ".join(dict.fromkeys(choices[key])) or "numbers"
                    raise RequestError(f"search.when: {key}={text}: {key} chooses from {texts}")
            remaining.remove(parameter)
            ordered.append(parameter)
    return tuple(ordered)


def _parameter(parser: OverridesParser, text: str, only: tuple[tuple[str, str], ...]) -> Parameter:
    try:
        [override] = parser.parse_overrides([text])
    except HydraException as error:
        raise RequestError(f"{text}: {str(error).splitlines()[0]}") from error
    if not is_part_of_a_space(override):
        raise RequestError(f"{text}: nothing to choose; expected interval(a,b), range(a,b), choice(a,b) or a,b")
    if override.is_add() or override.is_delete():
        raise RequestError(f"{text}: a key of the space stands without + or ~")
    key = override.get_key_element()
    if key in NOT_IDENTITY or key.partition(".")[0] in NOT_IDENTITY:
        also = "; search.seeds=N trains each trial with N seeds" if key == "seed" else ""
        raise RequestError(f"{text}: {key} makes no other configuration, so there is nothing to choose{also}")
    value = override.value()
    if isinstance(value, IntervalSweep):
        return Parameter(key, _interval(text, value), {}, only)
    tags: set[str] = getattr(value, "tags", set())
    texts = [{"True": "true", "False": "false"}.get(item, item) for item in override.sweep_string_iterator()]
    if isinstance(value, RangeSweep) and not value.shuffle and len(texts) > 1 and tags <= {"log"}:
        return Parameter(key, _range(text, texts, "log" in tags), {}, only)
    if tags:
        raise RequestError(f"{text}: there is no tag {', '.join(sorted(tags))} here; tags are for intervals")
    if not texts:
        raise RequestError(f"{text}: there is nothing to choose from")
    choices = {_plain(choice): choice for choice in texts}
    return Parameter(key, CategoricalDistribution(list(choices)), choices, only)


def _plain(text: str) -> CategoricalChoiceType:
    """A choice as a number if its text is one, else its text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _interval(text: str, value: IntervalSweep) -> BaseDistribution:
    unknown = value.tags - {"log", "int"}
    if unknown:
        raise RequestError(f"{text}: there is no tag {', '.join(sorted(unknown))}; tags are log and int")
    start, end = value.start, value.end
    assert start is not None and end is not None
    log = "log" in value.tags
    if not start < end:
        raise RequestError(f"{text}: the interval is empty; its first number must be below the second")
    if log and start <= 0:
        raise RequestError(f"{text}: a logarithmic interval must begin above 0")
    if "int" in value.tags or isinstance(start, int):
        if start != int(start) or end != int(end):
            raise RequestError(f"{text}: an interval of whole numbers has whole ends")
        return IntDistribution(int(start), int(end), log=log)
    return FloatDistribution(start, end, log=log)


def _range(text: str, texts: Sequence[str], log: bool) -> BaseDistribution:
    values = [_plain(item) for item in texts]
    first, second, last = values[0], values[1], values[-1]
    assert isinstance(first, int | float) and isinstance(second, int | float) and isinstance(last, int | float)
    low, high, step = min(first, last), max(first, last), abs(second - first)
    if log and (low <= 0 or step != 1):
        raise RequestError(f"{text}: a logarithmic range begins above 0 and has steps of 1")
    if isinstance(low, int) and isinstance(step, int):
        return IntDistribution(low, int(high), log=log, step=step)
    if log:
        raise RequestError(f"{text}: a logarithmic range has whole numbers")
    return FloatDistribution(low, high, step=step)


def _values(distribution: BaseDistribution) -> list[CategoricalChoiceType] | None:
    """All values of a distribution, None if there are too many to list."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    assert isinstance(distribution, FloatDistribution)
    if distribution.step is None:
        return None
    count = round((distribution.high - distribution.low) / distribution.step) + 1
    return [min(distribution.low + i * distribution.step, distribution.high) for i in range(count)]


def _suggest(trial: Trial, key: str, of: BaseDistribution) -> CategoricalChoiceType:
    if isinstance(of, CategoricalDistribution):
        return trial.suggest_categorical(key, of.choices)
    if isinstance(of, IntDistribution):
        return trial.suggest_int(key, of.low, of.high, step=of.step, log=of.log)
    assert isinstance(of, FloatDistribution)
    return trial.suggest_float(key, of.low, of.high, step=of.step, log=of.log)
