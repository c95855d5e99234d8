"""Imports functions and classes of dotted names, which the configuration has, and says why one cannot be used."""

from __future__ import annotations

import importlib.util
import inspect
import traceback
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from fitbench.errors import RequestError
from fitbench.text import clean, first_line, nearest

ON_PATH = "the folder of a module of your own must be on PYTHONPATH, or be the source of a project in pyproject.toml"


def load_object(target: str, where: str) -> Any:
    """The function or class of a dotted name, whose module is imported.

    Args:
        target: the dotted name, such as 'mine.load' or 'mine.Loss.of_labels'.
        where: the key of the configuration, for messages: 'training.loss'.

    Raises:
        RequestError: its module fails or is not found, has no such name, or what it names cannot be called.
    """
    what, names = f"{where} is {target}", target.split(".")
    found: Any = None
    for count, name in enumerate(names, 1):
        module = ".".join(names[:count])
        try:
            found = getattr(found, name) if hasattr(found, name) else importlib.import_module(module)
        except Exception as error:
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            if missing and found is not None and f"{module}.".startswith(f"{missing}."):
                raise RequestError(f"{what}: {without(found, name)}") from error
            advice = f"; {ON_PATH}" if missing else ""
            raise RequestError(f"{what}, which cannot be loaded: {failure(error, module)}{advice}") from error
    if not callable(found):
        raise RequestError(f"{what}, which is an object of the type {type(found).__name__}; it must be a function")
    return found


def load_signature(target: str, where: str) -> inspect.Signature:
    """What the function or class takes, as `load_object` gives it.

    Raises:
        RequestError: as `load_object`; or it is one of those written in C that have no signature.
    """
    try:
        return inspect.signature(load_object(target, where))
    except ValueError as error:
        raise RequestError(f"{where} is {target}, which cannot be used: {first_line(error)}") from error


def without(found: Any, name: str) -> str:
    """The end of a message about a name that a module, or a class, lacks: the nearest function or class."""
    names = [other for other, value in vars(found).items() if callable(value) and not other.startswith("_")]
    near = nearest(name, names)
    kind = "module " if isinstance(found, ModuleType) else ""
    return f"{kind}{found.__name__} has no {name!r}" + (f"; did you mean {near[0]}?" if near else "")


def failure(error: Exception, *modules: str | None) -> str:
    """The type and the text of what the user's code raised, and the last line of these modules that led to it."""
    specs = [spec_of(module) for module in modules if module]
    files = [spec.origin for spec in specs if spec is not None]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    line = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {clean(first_line(error))}{line}"


def spec_of(module: str) -> ModuleSpec | None:
    """Where a module is. Python's own `find_spec` imports the packages that it lies in; this does not."""
    first, *others = module.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        return None
    for name in others:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec
