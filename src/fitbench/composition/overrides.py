"""Overrides, KEY=VALUE in Hydra's grammar: reading them, and explaining what is wrong with one."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Optional

import numpy as np
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.core.override_parser.types import Override, RangeSweep, Sweep
from hydra.errors import HydraException

from fitbench.config import expanded
from fitbench.config.errors import unknown_key
from fitbench.errors import RequestError
from fitbench.text import clean, first_line

MOST_VALUES = 100_000  # of one key
KEY = re.compile(r"(~|\+{0,2})[A-Za-z_$][\w$-]*([./][\w$-]+)*(@[\w$.:]*)?", re.ASCII)
LONGEST_KEY = 200
WORD = re.compile(r"(?!(null|true|false|inf|nan)$)[a-z_][\w.-]*", re.ASCII | re.IGNORECASE)
USAGE = {
    "range": "range(STOP) or range(START,STOP,STEP), of numbers",
    "interval": "interval(LOW,HIGH), of numbers",
    "choice": "choice(A,B,..)",
    "glob": "glob(PATTERN), such as glob(lenet*)",
    "tag": "tag(log,interval(LOW,HIGH)) or tag(int,interval(LOW,HIGH))",
    "shuffle": "shuffle(A,B,..) or shuffle(range(STOP))",
    "sort": "sort(A,B,..)",
}
SEVERAL = "several values"


def read_overrides(overrides: Sequence[str], loader: ConfigLoader | None = None) -> list[Override]:
    """Overrides as Hydra reads them.

    Two things are ours: `choice` takes null, too, and ~ at the beginning of a value is the user's folder.

    Args:
        overrides: KEY=VALUE each.
        loader: finds the choices of `glob`.

    Raises:
        RequestError: one is not in Hydra's grammar, or stands for too many values.
    """
    return [_read(override, loader) for override in overrides]


def _read(text: str, loader: ConfigLoader | None) -> Override:
    key, equals, value = text.partition("=")
    if not KEY.fullmatch(key) or len(key) > LONGEST_KEY or not (equals or key.startswith("~")):
        raise RequestError(_about_key(text))
    try:
        override: Override = _parser().parse_rule(_with_quoted_filter(_with_home(text)), "override")
        _check_values(override.value())
    except RecursionError as error:
        raise RequestError(f"{_short(text)}: nested too deeply") from error
    except HydraException as error:
        raise RequestError(_about_value(key, value, error)) from error
    except (ValueError, OverflowError) as error:  # a number of too many digits, and what `_check_values` refuses
        raise RequestError(f"{_short(text)}: {first_line(error).partition('; use sys')[0]}") from error
    override.config_loader = loader
    return override


@cache
def _parser() -> OverridesParser:
    functions = create_functions()
    choice = functions.definitions["choice"]
    [values] = choice.parameters.values()
    functions.definitions["choice"] = choice.replace(
        parameters=[values.replace(annotation=Optional[values.annotation])]  # noqa: UP045 - Hydra reads this form
    )
    return OverridesParser(functions)


def _with_home(text: str) -> str:
    """KEY=~/x with the user's folder in place of ~. Hydra's grammar has no other use for ~ there."""
    key, _, value = text.partition("=")
    parts = value.split(",")
    if not any(part == "~" or part.startswith("~/") for part in parts):
        return text
    return f"{key}=" + ",".join(quoted(expanded(part)) if part.startswith("~") else part for part in parts)


def _with_quoted_filter(text: str) -> str:
    """sweep.exclude=FILTER as Hydra reads it: in quotation marks, unless it is one or several filters in them."""
    key, _, value = text.partition("=")
    if key.lstrip("+") != "sweep.exclude":
        return text
    try:
        _parser().parse_rule(text, "override")
    except HydraException:
        return f"{key}={quoted(value)}"
    return text


def _check_values(value: Any) -> None:
    """Refuse values that would not end, and those that Hydra would not choose from.

    Raises:
        ValueError: with the reason.
    """
    if isinstance(value, RangeSweep):
        assert value.start is not None and value.stop is not None
        if value.step == 0 or not all(abs(number) < math.inf for number in (value.start, value.stop, value.step)):
            raise ValueError(f"expected {USAGE['range']}; a step is not 0")
        if (value.stop - value.start) // value.step > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES:,} values")
    if isinstance(value, list | dict) and _holds_sweep(value):
        raise ValueError("choices cannot stand inside of a list or a section; give them to a key of their own")


def _holds_sweep(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, Sweep) or any(map(_holds_sweep, items))


def refuse_several(override: Override, remedy: str) -> None:
    """Refuse an override with several values where a key must have one.

    Args:
        override: of any kind.
        remedy: what to do, such as 'add -m to train each of them'.

    Raises:
        RequestError: it has several values. The message also says how to write a list, and a text with a comma.
    """
    if not override.is_sweep_override():
        return
    line = override.input_line or ""
    key, _, value = line.partition("=")
    if override.is_interval_sweep():
        raise RequestError(f"{line}: an interval is for fitbench search")
    if not getattr(override.value(), "simple_form", False):
        raise RequestError(f"{line}: {SEVERAL}; {remedy}")
    raise RequestError(
        f"{_short(line)}: {SEVERAL}; {remedy}; a list is written {shlex.quote(f'{key}=[{value}]')}, "
        f"a text {_ready_to_copy(key, value)}"
    )


# -- quoting ----------------------------------------------------------------------------------------------------------


def quoted(text: str, mark: str = "'") -> str:
    """Return a text in Hydra's grammar: in quotation marks, with those inside of it escaped."""
    return mark + re.sub(rf"(\\*)({mark}|$)", lambda found: found[1] * 2 + f"\\{mark}" * bool(found[2]), text) + mark


def in_grammar(value: Any) -> str:
    """A value of Python in Hydra's grammar. A text is quoted unless it is a word that stands for itself.

    Args:
        value: None, a boolean, a number, a text or a path; one of NumPy's; a mapping, sequence or set of these.

    Raises:
        RequestError: it is something else.
    """
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{in_grammar(item)}" for key, item in value.items()) + "}"
    if isinstance(value, np.ndarray | np.generic):
        value = _of_numpy(value)
    if isinstance(value, list | tuple | range | set | frozenset):
        return "[" + ",".join(map(in_grammar, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return value if WORD.fullmatch(value) else quoted(value)
    if isinstance(value, int | float):
        return str(value)
    raise RequestError(
        f"{shown(value)} is a {type(value).__name__}; expected None, a boolean, a number, a text, a path, or a list or "
        "dict of these"
    )


def _of_numpy(value: np.ndarray | np.generic) -> Any:
    """A number or an array of NumPy as Python's. float32(0.1) is 0.1: the shortest decimal number that it stands for.

    So it is the same configuration as that with Python's number.
    """
    is_short = value.dtype.kind == "f" and value.dtype.itemsize < np.dtype(float).itemsize
    return value.astype(str).astype(float).tolist() if is_short else value.tolist()


def shown(value: Any) -> str:
    """A value of Python for a message."""
    return _short(repr(value))


def _ready_to_copy(key: str, value: str) -> str:
    """An override whose value is this text, as it is typed in a shell."""
    return shlex.quote(f"{key}=" + quoted(value, mark='"'))


def for_own_data(path: str) -> str:
    """The overrides that train on a file or folder of the user's; empty if the text is the path of neither."""
    given = f"data.path={path}" if re.fullmatch(r"[\w./+~-]+", path, re.ASCII) else _ready_to_copy("data.path", path)
    suffix = Path(path).suffix.lower()
    if suffix in (".csv", ".tsv", ".parquet"):
        return f"data=csv {given} data.target=COLUMN model=mlp"
    if suffix == ".npz":
        return f"data=npz {given}"
    return f"data=image_folder {given}" if os.path.isdir(path) else ""  # noqa: PTH112 - false if it may not be read


# -- explaining -------------------------------------------------------------------------------------------------------


def _short(text: str) -> str:
    shown = clean(text)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


def _about_key(text: str) -> str:
    key, equals, _ = text.partition("=")
    if not equals and (own := for_own_data(text)):
        return f"{_short(text)!r}: expected KEY=VALUE; for data of your own: {own}"
    if not equals:
        return f"{_short(text)!r}: expected KEY=VALUE in one word, such as model=mlp or training.epochs=5"
    if key != key.strip():
        return f"{_short(text)!r}: expected KEY=VALUE without a space before ="
    if re.fullmatch(r"[\w.]+\[\d+\]", key):
        return f"{_short(text)}: write the whole list, such as model.hidden=[300,100]"
    return f"{_short(text)}: {_short(key)!r} is no key; a key is made of names with dots, such as training.epochs"


def _about_value(key: str, value: str, error: HydraException) -> str:
    text = _short(f"{key}={value}")
    if unknown := unknown_key(key.lstrip("+~")):
        return unknown
    if key.lstrip("+") == "sweep.cases":
        return (
            f"{text}: Hydra cannot read this; a case is {{model:mlp,optimizer:adam}}, or with each KEY=VALUE in "
            'quotation marks, ["model=mlp","optimizer=adam"]'
        )
    function = re.match(r"\w+ while evaluating '(\w+)", str(error))
    if function and function[1] in USAGE:
        return f"{text}: expected {USAGE[function[1]]}"
    if function and "Unknown function" in str(error):
        return (
            f"{text}: there is no function {function[1]}; there are {', '.join(USAGE)}; "
            f"a text with brackets needs quotation marks: {_ready_to_copy(key, value)}"
        )
    if function:
        return f"{text}: {first_line(error.__cause__ or error)}"
    if value.startswith("="):
        return f"{text}: write {_short(key + value)}, with one ="
    if re.fullmatch(r"\([^()]*\)", value):
        return f"{text}: a list has square brackets: {shlex.quote(f'{key}=[{value[1:-1]}]')}"
    if re.match(r"[\[{]|\w+\(", value) and any(value.count(a) != value.count(b) for a, b in ("[]", "{}", "()")):
        return (
            f"{text}: a bracket is not closed; a word with spaces needs quotation marks, as 'model.hidden=[300, 100]'"
        )
    if re.search(r"\s[A-Za-z_][\w./]*=", value):
        return f"{text}: these are several overrides in one word; leave out the quotation marks around them"
    if value.startswith(",") or value.endswith(","):
        return f"{text}: a value is missing beside a comma"
    if not value.isprintable() or len(value) > LONGEST_KEY:
        return f"{text}: Hydra cannot read this value; put it in quotation marks"
    bare = value.strip("\"'")
    return f"{text}: Hydra reads some of these characters as signs; in quotation marks: {_ready_to_copy(key, bare)}"
