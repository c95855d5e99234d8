"""What a run was made with: versions of packages, the state of the source tree."""

import importlib.metadata
import platform
import subprocess
from typing import Any

from fitbench.config import Backend
from fitbench.version import __version__


def versions(backend: Backend) -> dict[str, str]:
    """The versions of Python, fitbench and the packages that compute."""
    packages = ("keras", backend.value, "numpy", "hydra-core")
    return {
        "python": platform.python_version(),
        "fitbench": __version__,
        **{package: importlib.metadata.version(package) for package in packages},
    }


def git_state() -> dict[str, Any]:
    """The commit of the source tree that the run was launched in and whether it had changes; nulls outside of one."""
    try:
        commit = _git("rev-parse", "HEAD").strip()
        dirty = bool(_git("status", "--porcelain", "--untracked-files=no").strip())
    except (OSError, subprocess.CalledProcessError):  # no git, no repository, no commit yet
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": dirty}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout
