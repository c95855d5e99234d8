"""Python and the packages that fitbench's own metadata asks for: versions, conflicts, extras."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fitbench.doctor.finding import Finding, note, ok, problem
from fitbench.text import counted

if TYPE_CHECKING:
    from packaging.requirements import Requirement

GIVES = {  # by extra; those of developers are not listed
    "gpu": "TensorFlow on NVIDIA GPUs",
    "jax": "backend=jax",
    "submitit": "hydra/launcher=submitit_slurm",
    "ray": "hydra/launcher=ray",
    "search": "fitbench search",
    "serve": "fitbench serve",
    "tensorboard": "logger=tensorboard, publish --to tensorboard",
    "mlflow": "logger=mlflow, publish --to mlflow",
    "wandb": "logger=wandb",
    "onnx": "export --format onnx",
    "litert": "export --format litert",
    "parquet": "tables in Parquet files",
}
MANY = 5  # conflicts that are printed
REINSTALL = "pip install --force-reinstall fitbench"


def python(version: str | None = None) -> Finding:
    """Whether the running Python is one that fitbench allows.

    Args:
        version: such as 3.12.3; None for the running one.
    """
    from packaging.specifiers import SpecifierSet

    version = version or platform.python_version()
    allowed = importlib.metadata.metadata("fitbench")["Requires-Python"] or ""
    details = {"version": version, "allowed": allowed, "executable": sys.executable}
    if version in SpecifierSet(allowed, prereleases=True):
        return ok("Python", f"{version} (allowed: {allowed}), {sys.executable}", **details)
    return problem(
        "Python",
        f"{version}; fitbench needs {allowed}",
        "install fitbench into an environment of such a Python",
        **details,
    )


def needed() -> list[Finding]:
    """The packages that fitbench cannot do without: one finding for all that are right, one for each other."""
    right, findings, versions = [], [], {}
    for requirement in requirements():
        version = installed(requirement.name)
        versions[requirement.name] = {"version": version, "allowed": str(requirement.specifier)}
        if _fits(requirement):
            right.append(f"{requirement.name} {version}")
            continue
        have = "is not installed" if version is None else f"{version} is installed"
        wanted = f"; fitbench needs {requirement.specifier}" if str(requirement.specifier) else ""
        findings.append(problem("package", f"{requirement.name} {have}{wanted}", f"pip install {_quoted(requirement)}"))
    return [ok("packages", f"{counted(len(right), 'package')}: {', '.join(right)}", packages=versions), *findings]


def conflicts() -> Finding:
    """Whether the packages that fitbench uses get the versions of others that they ask for."""
    found = list(dict.fromkeys(_conflicts()))
    if not found:
        return ok("conflicts", "none between the packages that fitbench uses", conflicts=[])
    more = f"; {len(found) - MANY} more" if len(found) > MANY else ""
    return problem(
        "conflicts", "; ".join(found[:MANY]) + more, f"a fresh environment, or {REINSTALL}; pip check shows all",
        conflicts=found,
    )  # fmt: skip


def extras() -> list[Finding]:
    """Which extras are installed, what the others would give, and those of which a package has a wrong version."""
    offered = [name for name in GIVES if requirements(name)]
    there = [name for name in offered if all(map(_fits, requirements(name)))]
    missing = [name for name in offered if name not in there]
    findings = [ok("installed", ", ".join(there) or "none", extras={name: name in there for name in offered})]
    for name in missing:
        wrong = [each for each in requirements(name) if installed(each.name)]
        if len(wrong) == len(requirements(name)) and not all(each.extras for each in wrong):
            have = ", ".join(f"{each.name} {installed(each.name)}" for each in wrong if not _fits(each))
            needs = ", ".join(str(each) for each in requirements(name) if not _fits(each))
            findings.append(
                problem(name, f"{have}; the extra needs {_plain(needs)}", f"pip install 'fitbench[{name}]'")
            )
    if others := [name for name in missing if name not in {finding.name for finding in findings}]:
        given = ", ".join(f"{name} ({GIVES[name]})" for name in others)
        which = ", or some of them" if others[1:] else ""
        findings.append(note("not installed", given, f"pip install 'fitbench[{','.join(others)}]'{which}"))
    return findings


def requirements(extra: str = "") -> list[Requirement]:
    """What fitbench's metadata asks for on this machine: always, or for an extra alone."""
    return _required("fitbench", (extra,)) if extra else _required("fitbench")


def installed(name: str) -> str | None:
    """The installed version of a package, None if there is none or its metadata is damaged."""
    try:
        return importlib.metadata.version(name) or None
    except (importlib.metadata.PackageNotFoundError, KeyError):
        return None


def missing_of(name: str, extra: str) -> list[str]:
    """What an extra of an installed package asks for and is not installed in an allowed version."""
    return [each.name for each in _required(name, (extra,)) if not _fits(each)]


def _required(name: str, extras: Sequence[str] = ()) -> list[Requirement]:
    """The requirements of an installed package; with extras, those of the extras alone."""
    from packaging.requirements import Requirement

    every = [Requirement(text) for text in importlib.metadata.requires(name) or ()]
    always = [each for each in every if each.marker is None or each.marker.evaluate({"extra": ""})]
    if not extras:
        return always
    return [
        each
        for each in every
        if each not in always and any(each.marker and each.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def _fits(requirement: Requirement) -> bool:
    """Whether a package is installed in a version that is allowed, with the extras that are asked for."""
    version = installed(requirement.name)
    return (
        version is not None
        and requirement.specifier.contains(version, prereleases=True)
        and (not requirement.extras or all(map(_fits, _required(requirement.name, sorted(requirement.extras)))))
    )


def _conflicts() -> Iterator[str]:
    """Go through what the packages need that fitbench needs, always or for an extra that is installed."""
    seen = {"fitbench"}
    queue = [*requirements(), *(each for name in GIVES for each in requirements(name) if _fits(each))]
    while queue:
        name = queue.pop().name
        if name in seen or installed(name) is None:
            continue
        seen.add(name)
        for requirement in _required(name):
            if not _fits(requirement) and not requirement.extras:
                have = installed(requirement.name) or "nothing"
                yield f"{name} {installed(name)} needs {_plain(str(requirement))}, found {have}"
            queue.append(requirement)


def _plain(requirement: str) -> str:
    """Requirements without their markers."""
    return ", ".join(part.partition(";")[0].strip() for part in requirement.split(", "))


def _quoted(requirement: Requirement) -> str:
    return f"'{_plain(str(requirement))}'"
