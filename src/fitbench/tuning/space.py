"""The space of a search: what a trial may choose, and the overrides of its choices."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalChoiceType,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from fitbench.errors import RequestError

Params = dict[str, CategoricalChoiceType]


class Condition(NamedTuple):
    """A choice that a parameter depends on."""

    key: str
    choice: str

    def __str__(self) -> str:
        return f"{self.key}={self.choice}"


@dataclass(frozen=True)
class Parameter:
    """A key of the configuration, or a group of it, and what a trial may choose for it.

    Attributes:
        key: as in an override.
        distribution: what may be chosen.
        choices: the text of each choice in an override; empty where there is an interval or a range.
        only: the parameter belongs to trials with this choice of another parameter; None where it belongs to all.
        name: in trials: the key, followed by `only` where the same key has another space under another choice.
    """

    key: str
    distribution: BaseDistribution
    choices: Mapping[CategoricalChoiceType, str]
    only: Condition | None = None
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
        when = {"when": [str(self.only)]} if self.only else {}
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
                chosen[parameter.name] = trial._suggest(parameter.name, parameter.distribution)
        return chosen

    def overrides(self, chosen: Params) -> list[str]:
        """The same as overrides of the command."""
        return [parameter.override(chosen[parameter.name]) for parameter in self.parameters if parameter.name in chosen]

    def belongs(self, parameter: Parameter, chosen: Params) -> bool:
        """Whether a trial that has chosen this has that parameter too."""
        return parameter.only is None or any(
            other.key == parameter.only.key and other.choices.get(chosen[other.name]) == parameter.only.choice
            for other in self.parameters
            if other.name in chosen
        )

    def probes(self) -> list[Params]:
        """A few trials with every choice and every end of an interval. All of them must compose."""
        probes: list[Params] = []
        for parameter in self.parameters:
            others = next((probe for probe in probes if self.belongs(parameter, probe)), {})
            probes += [self._completed({**others, parameter.name: value}) for value in parameter.ends()]
        return probes

    def _completed(self, choices: Params) -> Params:
        """These choices where they belong to each other, and the first of each further parameter."""
        chosen: Params = {}
        for parameter in self.parameters:
            if self.belongs(parameter, chosen):
                chosen[parameter.name] = choices.get(parameter.name, parameter.ends()[0])
        return chosen

    def described(self) -> dict[str, dict[str, Any]]:
        """The space as JSON, by name."""
        return {parameter.name: parameter.described() for parameter in self.parameters}

    def configurations(self) -> int | None:
        """How many different configurations it has at most; None if a parameter has an interval."""
        values = [_values(parameter.distribution) for parameter in self.parameters]
        listed = [each for each in values if each is not None]
        return math.prod(map(len, listed)) if len(listed) == len(values) else None

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
