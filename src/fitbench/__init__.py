"""fitbench: from a configuration to a recorded Keras run, a sweep, a comparison, a published table."""

from typing import TYPE_CHECKING, Any

from fitbench.version import __version__

if TYPE_CHECKING:
    from fitbench.analysis.frame import load_history, load_runs

__all__ = ["__version__", "load_history", "load_runs"]


def __getattr__(name: str) -> Any:
    """`load_runs` and `load_history`, imported when they are first asked for: pandas takes half a second."""
    if name in ("load_history", "load_runs"):
        from fitbench.analysis import frame

        return getattr(frame, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
