"""fitbench: from a configuration to a recorded Keras run, a sweep, a comparison, a published table."""

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fitbench import errors
from fitbench.errors import DataError, FitbenchError, NotTrustedError, RequestError, SweepFailed
from fitbench.version import __version__

if TYPE_CHECKING:
    from fitbench.analysis.frame import load_history, load_runs
    from fitbench.api.run import Run
    from fitbench.api.search import search
    from fitbench.api.tables import compare, runs
    from fitbench.api.train import sweep, train

__all__ = [
    "DataError",
    "FitbenchError",
    "NotTrustedError",
    "RequestError",
    "Run",
    "SweepFailed",
    "__version__",
    "compare",
    "errors",
    "load_history",
    "load_runs",
    "runs",
    "search",
    "sweep",
    "train",
]

_PLACES = {  # of what is imported when it is first asked for, because pandas and Hydra take half a second each
    "Run": "fitbench.api.run",
    "compare": "fitbench.api.tables",
    "load_history": "fitbench.analysis.frame",
    "load_runs": "fitbench.analysis.frame",
    "runs": "fitbench.api.tables",
    "sweep": "fitbench.api.train",
    "train": "fitbench.api.train",
}


class _Search(ModuleType):
    # The package `fitbench.search`, which is also the function `fitbench.search`, with its signature and docstring.

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._function(*arguments, **options)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._function.__doc__

    @property
    def __signature__(self) -> Any:
        return import_module("inspect").signature(self._function)

    @property
    def _function(self) -> Callable[..., Any]:
        return import_module("fitbench.api.search").search


class _Fitbench(ModuleType):
    """This package. Python binds `search` to the package of that name when anything imports it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "search" and isinstance(value, ModuleType):
            value.__class__ = _Search
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Fitbench


def __getattr__(name: str) -> Any:
    """What `__all__` names and is imported late."""
    if name == "search":
        return import_module("fitbench.search")
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What completion offers: what is documented."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
