"""What a configuration is given in Python: texts, dictionaries and keyword arguments become overrides of Hydra."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fitbench.composition.overrides import in_grammar, shown
from fitbench.config.folder import conf_folder
from fitbench.errors import RequestError

Overrides = str | Mapping[str, Any] | Sequence["Overrides"]  # of one configuration
Sets = str | Mapping[str, Any] | Iterable[Overrides]  # of a sweep
Folders = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
ADDED = ("experiment", "continue")  # keys that Hydra takes with + alone
DATA = "data"  # the section in which a file, function.yaml, is for what is the user's
OF_ARRAYS = ("x_", "y_", "w_")  # what the names of arrays of a data set begin with
CHOOSING = ("source", "name")  # keys of a section whose value may be the name of a file of its group


def words_of(overrides: Iterable[Overrides], values: Mapping[str, Any], folders: Sequence[Path]) -> list[str]:
    """The overrides as texts, in their order; those of keyword arguments come last.

    Args:
        overrides: texts KEY=VALUE in Hydra's grammar; dictionaries, nested or with dotted keys, whose values are
            Python's; or sequences of these.
        values: keyword arguments: top-level keys and groups.
        folders: the user's folders of configurations, in which the files of groups are looked for beside conf/.

    Raises:
        RequestError: something is none of these.
    """
    places = [conf_folder(), *folders]
    return [word for each in (*overrides, values) for word in _words(each, places)]


def sets_of(given: Sets | None, folders: Sequence[Path]) -> list[list[str]]:
    """The sets of overrides of a sweep: one for each element of a list, or one of a text or a dict; None: no sets.

    Raises:
        RequestError: as `words_of`; or there are none in a list, which would not mean one run with the defaults.
    """
    if given is None:
        return []
    if not isinstance(given, Iterable):
        raise RequestError(f"{shown(given)}: expected a list of sets of overrides")
    sets = [words_of([each], {}, folders) for each in ([given] if isinstance(given, str | Mapping) else given)]
    if not sets:
        raise RequestError("the list of sets is empty, so there is nothing to train; leave it out for a sweep of lists")
    return sets


def varied(values: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Keyword arguments of a sweep or search: the overrides of those that are several values, and the others.

    Raises:
        RequestError: one has no values.
    """
    several, single = [], {}
    for key, value in values.items():
        if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | os.PathLike):
            several.append(f"{'+' * (key in ADDED)}{key}={choice(key, value)}")
        else:
            single[key] = value
    return several, single


def choice(key: str, values: Iterable[Any]) -> str:
    """Several values in Hydra's grammar.

    Raises:
        RequestError: there are none.
    """
    texts = [in_grammar(value) for value in values]
    if not texts:
        raise RequestError(f"{key}: no values to choose from; give at least one")
    return f"choice({','.join(texts)})"


def folders_of(config_dir: Folders | None) -> list[Path]:
    """The folders of an argument `config_dir`: a path, or several."""
    given = [] if config_dir is None else [config_dir] if isinstance(config_dir, str | os.PathLike) else config_dir
    return [Path(folder) for folder in given]


def _words(given: Overrides, places: Sequence[Path]) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, Mapping):
        for key, value in given.items():
            yield from _of_key(key, value, places)
    elif isinstance(given, Sequence):
        for each in given:
            yield from _words(each, places)
    else:
        raise RequestError(f"{shown(given)}: expected overrides: a text KEY=VALUE, a dict, or a list of these")


def _of_key(key: Any, value: Any, places: Sequence[Path]) -> Iterator[str]:
    if not isinstance(key, str):
        raise RequestError(f"{shown(key)}: a key of a dict of overrides is a text, such as 'training.epochs'")
    if isinstance(value, Mapping) and "." not in key and "/" not in key:
        yield from _of_section(key, value, places)
    else:
        yield _override(key, value, is_open=False)


def _of_section(section: str, values: Mapping[str, Any], places: Sequence[Path]) -> Iterator[str]:
    """The overrides of a section: first the choice of a file of its group, if it names one, then its values.

    A section with a `_target_` and no file, which describes something of the user's, takes the place of the default.
    """
    settings = dict(values)
    if section == DATA and (array := next((key for key in settings if str(key).startswith(OF_ARRAYS)), None)):
        raise RequestError(
            f"{DATA}.{array}: arrays are given by the argument data of the call, as data={{'x_train': ..}}"
        )
    chosen = next((key for key in CHOOSING if _has_file(section, settings.get(key), places)), None)
    target = settings.get("_target_")
    if chosen is not None:
        yield f"{section}={in_grammar(settings.pop(chosen))}"
    elif target is not None and section == DATA:
        yield f"{DATA}=function"
    elif target is not None:
        yield f"~{section}"
        yield _override(section, {"name": str(target).rpartition(".")[2], **settings}, is_open=True)
        return
    for key, value in settings.items():
        name = str(key).lstrip("+~")
        yield _override(f"{str(key).removesuffix(name)}{section}.{name}", value, target is not None)


def _override(key: str, value: Any, is_open: bool) -> str:
    """An override. In an open section, and where the value is a dict, keys may be new."""
    is_new = (is_open or isinstance(value, Mapping)) and key[:1] not in "+~"
    return f"{'+' * (key in ADDED)}{'++' * is_new}{key}={in_grammar(value)}"


def _has_file(group: str, name: Any, places: Sequence[Path]) -> bool:
    return isinstance(name, str) and any((place / group / f"{name}.yaml").is_file() for place in places)
