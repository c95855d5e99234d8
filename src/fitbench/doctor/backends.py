"""The backends, and whether the packages that fitbench needs can be imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from fitbench.doctor.finding import Finding, note, ok, problem
from fitbench.doctor.packages import installed

BACKENDS = ("tensorflow", "jax")


def present() -> list[str]:
    """The backends that are installed, perhaps damaged."""
    return [name for name in BACKENDS if find_spec(name) or installed(name)]


def backend(name: str, answer: Mapping[str, Any] | None) -> Finding:
    """Whether a backend that is installed works.

    Args:
        name: tensorflow or jax.
        answer: what its probe said; None if it was not asked.
    """
    version = installed(name)
    details = {"version": version, **(answer or {})}
    if answer is None:
        return ok(name, f"{version}, not imported (--fast)", **details)
    if error := answer.get("error"):
        if answer.get("late"):
            return note(
                name, f"{version}: {error}; importing it is slow here",
                "wait for other processes, or move the environment to a local disk; --fast leaves it out", **details,
            )  # fmt: skip
        return problem(name, f"{version} cannot be used: {error}", _remedy(name, error), **details)
    return ok(name, f"{version}, imported with Keras {installed('keras')} in {answer['seconds']:.0f} s", **details)


def _remedy(name: str, error: str) -> str:
    if "SIGILL" in error:
        return f"the processor lacks instructions that {name} was built with; use another machine or build"
    if "SIGKILL" in error:
        return "memory has probably run out; end other programs, or ask for more memory"
    return f"pip install --force-reinstall {name}; python -c 'import {name}' shows the whole error"


def imports(answer: Mapping[str, Any]) -> list[Finding]:
    """Whether the packages that fitbench needs can be imported: one finding if all can, one for each that cannot."""
    if error := answer.get("error"):
        text, remedy = f"the packages could not be imported: {error}", "run fitbench doctor again; --fast leaves it out"
        return [note("imports", text, remedy) if answer.get("late") else problem("imports", text, remedy)]
    broken = [
        problem("import", f"{name} is broken: {error}", f"pip install --force-reinstall {name}")
        for name, error in answer["errors"].items()
    ]
    return broken or [ok("imports", "the packages besides the backends can be imported")]
