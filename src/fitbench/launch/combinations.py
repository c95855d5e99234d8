"""The combinations of a sweep: every value of each key with those of all others, keys that go together, and cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Any

from hydra.core.override_parser.types import Override

from fitbench.composition.overrides import in_grammar, refuse_several
from fitbench.config.errors import located
from fitbench.config.sweep_section import Sweep, is_of_sweep
from fitbench.errors import RequestError

MOST_JOBS = 100_000

Read = Callable[[Sequence[str]], list[Override]]  # reads overrides; a RequestError says what is wrong with one
Choices = list[tuple[str, ...]]  # overrides that are given together, of which each combination has one


@dataclass(frozen=True)
class Combinations:
    """Lists of overrides: each case with each combination of the choices. The last choice varies fastest."""

    cases: list[list[str]]
    choices: list[Choices]

    def __len__(self) -> int:
        return len(self.cases) * math.prod(map(len, self.choices))

    def overrides(self) -> list[list[str]]:
        """The overrides of each combination."""
        return [[*case, *chain.from_iterable(chosen)] for case in self.cases for chosen in product(*self.choices)]


def one_section(arguments: Sequence[str], read: Read) -> tuple[list[str], list[str]]:
    """The overrides of the section `sweep` among those of a command, and the others.

    Raises:
        RequestError: a key of the section has several values.
    """
    of_sweep = [text for text in arguments if is_of_sweep(text.partition("=")[0])]
    for override in read(of_sweep):
        if override.is_sweep_override():
            raise RequestError(
                f"{override.input_line}: the section sweep does not vary in a sweep; {_instead(override)}"
            )
    return of_sweep, [text for text in arguments if text not in of_sweep]


def _instead(override: Override) -> str:
    """What to write instead of several values of a key of the section `sweep`."""
    key, values = override.key_or_group, list(override.sweep_string_iterator())
    if grid := key.partition("sweep.grid.")[2]:
        return f"write {grid}=A,B in the command"
    if key == "sweep.zip" and not any("[" in value for value in values):
        return f"write 'sweep.zip=[[{','.join(values)}]]'"
    return f"give {key} one value"


def combinations(file: Sequence[str], command: Sequence[str], sweep: Sweep, read: Read) -> Combinations:
    """The combinations of a sweep.

    Args:
        file: overrides of `hydra.sweeper.params`, with one or several values each.
        command: those of the command without `sweep.*`. They take the place of those in `file` and of `sweep.grid` that
            have the same key.
        sweep: the section `sweep`.
        read: reads overrides.

    Raises:
        RequestError: a key has no values or an interval, or is given twice, keys cannot be zipped, a case is wrong, or
            there are too many combinations.
    """
    of_command = read(command)
    keys = {_key(override) for override in of_command}
    of_files = {"hydra.sweeper.params": read(file), "sweep.grid": _grid(sweep, read)}
    remaining = {place: [each for each in given if _key(each) not in keys] for place, given in of_files.items()}
    _check_given_once({**remaining, "the command": of_command})
    overrides = [*chain.from_iterable(remaining.values()), *of_command]
    for override in overrides:
        _check(override)
    cases = _cases(sweep.cases, read, {_key(override): override for override in overrides})
    combined = Combinations(cases, _choices(overrides, sweep.zip))
    if len(combined) > MOST_JOBS:
        raise RequestError(f"this sweep has {len(combined):,} jobs; it may have {MOST_JOBS:,}")
    return combined


def _grid(sweep: Sweep, read: Read) -> list[Override]:
    """The overrides of `sweep.grid`, whose texts are in Hydra's grammar."""
    overrides = []
    for key, value in sweep.grid.items():
        with located("sweep.grid"):
            [override] = read([f"{key}={value if isinstance(value, str) else in_grammar(value)}"])
            _check_of_job(override, "sweep.grid")
        overrides.append(override)
    return overrides


def _check_of_job(override: Override, place: str) -> None:
    """Refuse an override that no job has of its own, at this place."""
    if override.is_hydra_override() or is_of_sweep(override.key_or_group):
        raise RequestError(
            f"{override.input_line}: {override.key_or_group} applies to the whole sweep; remove it from {place}"
        )


def _key(override: Override) -> str:
    """The key of an override without the signs before it, and with its package."""
    return override.get_key_element().lstrip("+~")


def _check(override: Override) -> None:
    """Refuse an override that has no values which a sweep can try.

    Raises:
        RequestError: the message names it.
    """
    line = override.input_line
    if override.is_interval_sweep():
        raise RequestError(f"{line}: an interval is for fitbench search; a sweep has range(START,STOP,STEP) or A,B")
    if not _values(override):
        raise RequestError(f"{line}: no values, so this sweep has no jobs")


def _check_given_once(given: Mapping[str, Sequence[Override]]) -> None:
    """Refuse a key that is given twice and has several values, or that two places give: the last would hide the others.

    Args:
        given: the overrides, by the place where they stand.
    """
    found: dict[str, tuple[str, Override]] = {}
    for place, override in ((place, override) for place, overrides in given.items() for override in overrides):
        other, first = found.setdefault(_key(override), (place, override))
        several = first.is_sweep_override() or override.is_sweep_override()
        if first is not override and (several or other != place):
            raise RequestError(
                f"{_key(override)} is given twice, as {first.input_line} in {other} and as {override.input_line} in "
                f"{place}; leave out one of the two"
            )


def _values(override: Override) -> list[str]:
    """Each value of an override as an override."""
    if not override.is_sweep_override():
        return [str(override.input_line)]
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


# -- keys that go together --------------------------------------------------------------------------------------------


def _choices(overrides: Sequence[Override], together: Sequence[Sequence[str]]) -> list[Choices]:
    """The choices of these overrides, where keys that go together are one choice, in the place of its first key."""
    swept = {_key(override): override for override in overrides if override.is_sweep_override()}
    groups = [[key.lstrip("+") for key in keys] for keys in together]
    group_of: dict[str, list[str]] = {}
    for keys in groups:
        for key in keys:
            _check_zipped(key, swept, group_of)
            group_of[key] = keys
    choices: list[Choices] = []
    done: set[str] = set()
    for override in overrides:
        keys = group_of.get(_key(override), [])
        if not keys:
            choices.append([(value,) for value in _values(override)])
        elif keys[0] not in done:
            choices.append(_zipped([swept[key] for key in keys]))
            done.add(keys[0])
    return choices


def _check_zipped(key: str, swept: Mapping[str, Override], group_of: Mapping[str, Any]) -> None:
    if key not in swept:
        others = f"; this sweep has several values of {', '.join(swept)}" if swept else ""
        raise RequestError(f"sweep.zip: {key} has no list of values; give several, as {key}=A,B{others}")
    if key in group_of:
        raise RequestError(f"sweep.zip: {key} is listed twice; a key can be in one list only")


def _zipped(overrides: Sequence[Override]) -> Choices:
    """The first values of all, then the second of all.

    Raises:
        RequestError: they have different numbers of values.
    """
    values = [_values(override) for override in overrides]
    if len(set(map(len, values))) > 1:
        counts = ", ".join(
            f"{_key(override)} has {len(each)}" for override, each in zip(overrides, values, strict=True)
        )
        raise RequestError(f"sweep.zip: {counts} values; zipped keys need the same number of values")
    return list(zip(*values, strict=True))


# -- cases ------------------------------------------------------------------------------------------------------------


def _cases(
    cases: Iterable[Mapping[str, Any] | Sequence[str]], read: Read, others: Mapping[str, Override]
) -> list[list[str]]:
    """The overrides of each case; one without overrides where there are none.

    Args:
        cases: as `sweep.cases` has them.
        read: reads overrides.
        others: the overrides of the sweep by their keys, which no case may have.
    """
    return [_case(f"sweep.cases[{i}]", case, read, others) for i, case in enumerate(cases)] or [[]]


def _case(name: str, case: Mapping[str, Any] | Sequence[str], read: Read, others: Mapping[str, Override]) -> list[str]:
    texts = [f"{key}={in_grammar(value)}" for key, value in case.items()] if isinstance(case, Mapping) else list(case)
    keys: set[str] = set()
    with located(name):
        for override in read(texts):
            key = _key(override)
            refuse_several(override, "a case has one value of a key; another value is another case")
            _check_of_job(override, "this case")
            if key in keys:
                raise RequestError(f"{key} is given twice")
            if key in others:
                raise RequestError(f"{key} is also given as {others[key].input_line}; leave out one of the two")
            keys.add(key)
    return texts


def combinations_of(name: str, words: Sequence[str], others: Iterable[Override], read: Read) -> list[list[str]]:
    """The overrides of each combination of one set of overrides, which may have several values of a key.

    Args:
        name: what messages call the set.
        words: its overrides.
        others: the overrides of the whole sweep, whose keys it may not have.
        read: reads overrides.

    Raises:
        RequestError: a key has no values, is given twice, or applies to the whole sweep.
    """
    with located(name):
        overrides = read(words)
        of_sweep = {_key(override): override for override in others}
        for override in overrides:
            _check(override)
            _check_of_job(override, "this set")
            if (key := _key(override)) in of_sweep:
                raise RequestError(f"{key} is also given as {of_sweep[key].input_line}; leave out one of the two")
        _check_given_once({name: overrides})
        return Combinations([[]], _choices(overrides, [])).overrides()
