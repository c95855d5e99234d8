"""fitbench: from a configuration to a recorded Keras run, a sweep, a comparison, a published table."""

from importlib import import_module
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
    "search": "fitbench.api.search",
    "sweep": "fitbench.api.train",
    "train": "fitbench.api.train",
}


def __getattr__(name: str) -> Any:
    """What `__all__` names and is imported late."""
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What completion offers: what is documented."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
