"""What surrounds a process: variables, limits of the shell, the terminal, a cluster."""

from __future__ import annotations

import locale
import os
import resource
import shutil
import sys
from collections.abc import Mapping

from fitbench.doctor.finding import Finding, note, ok, problem
from fitbench.doctor.packages import installed
from fitbench.errors import RequestError
from fitbench.project.settings import find_settings
from fitbench.training.variables import variables

FEWEST_FILES, FEWEST_PROCESSES, NARROW = 1024, 1000, 80
SHELL_LIMITS = {  # by the letter of ulimit: the resource, its name, the fewest that are enough
    "-n": (resource.RLIMIT_NOFILE, "open files", FEWEST_FILES),
    "-u": (resource.RLIMIT_NPROC, "processes and threads", FEWEST_PROCESSES),
    "-f": (resource.RLIMIT_FSIZE, "blocks of a file", None),
    "-t": (resource.RLIMIT_CPU, "seconds of processor time", None),
}


def changing_variables(environ: Mapping[str, str] = os.environ) -> Finding:
    """The variables that change how a backend computes, and so may change results."""
    found = variables(environ)
    if not found:
        return ok("variables", "none that change results", variables={})
    text = ", ".join(f"{name}={value}" for name, value in found.items())
    return note(
        "variables", f"may change results: {text}", "unset them, or keep them the same for all runs", variables=found
    )


def limits(soft: Mapping[str, int] | None = None) -> Finding:
    """The limits of the shell that a run may reach.

    Args:
        soft: the limits by the letter of ulimit, -1 for none; None for those of this process.
    """
    if soft is None:
        soft = {letter: resource.getrlimit(which)[0] for letter, (which, _, _) in SHELL_LIMITS.items()}
    low = [
        (letter, f"{soft[letter]:,} {name}")
        for letter, (_, name, fewest) in SHELL_LIMITS.items()
        if soft[letter] != resource.RLIM_INFINITY and (fewest is None or soft[letter] < fewest)
    ]
    details = {name: None if soft[letter] == -1 else soft[letter] for letter, (_, name, _) in SHELL_LIMITS.items()}
    if not low:
        return ok("limits", f"{'any number of' if soft['-n'] == -1 else format(soft['-n'], ',')} open files", **details)
    text = f"the shell allows {', '.join(text for _, text in low)}; a run may reach that"
    return note("limits", text, "; ".join(f"ulimit {letter} unlimited" for letter, _ in low), **details)


def encoding(name: str | None = None) -> Finding:
    """Whether names that are not ASCII can be read and printed.

    Args:
        name: the encoding of the locale; None for that of this process.
    """
    name = name or locale.getpreferredencoding(False)
    if name.upper().replace("_", "-") in ("UTF-8", "UTF8"):
        return ok("text", "UTF-8", encoding=name)
    return note(
        "text",
        f"the locale's encoding is {name}, which cannot print all names",
        "export LC_ALL=C.UTF-8",
        encoding=name,
    )


def terminal(columns: int | None = None) -> Finding:
    """Whether tables fit into the terminal.

    Args:
        columns: its width; None for that of this process, if it has one.
    """
    if columns is None and sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns
    if columns is None:
        return ok("terminal", "the output goes to no terminal", columns=None)
    if columns >= NARROW:
        return ok("terminal", f"{columns} columns", columns=columns)
    text = f"{columns} columns; tables leave out columns below {NARROW}"
    return note("terminal", text, "widen the window", columns=columns)


def cluster(sbatch: str | None, environ: Mapping[str, str] = os.environ) -> Finding:
    """Whether Slurm is here, and what sends jobs to it.

    Args:
        sbatch: the path of the command, None without one.
        environ: the environment, which says whether this is a job.
    """
    if job := environ.get("SLURM_JOB_ID"):
        return ok("Slurm", f"this is job {job}", sbatch=sbatch)
    if sbatch is None:
        return ok("Slurm", "no sbatch here", sbatch=None)
    if installed("hydra-submitit-launcher"):
        return ok("Slurm", f"{sbatch}; -m hydra/launcher=submitit_slurm sends jobs there", sbatch=sbatch)
    return note("Slurm", f"{sbatch}, but no launcher for it", "pip install 'fitbench[submitit]'", sbatch=sbatch)


def project() -> Finding:
    """The folders that the `[tool.fitbench]` of the current folder names."""
    try:
        settings = find_settings()
    except RequestError as error:
        return problem("project", str(error), "correct the table [tool.fitbench]")
    if settings.file is None:
        return ok("project", "no pyproject.toml with [tool.fitbench] here or above", file=None)
    named = ", ".join(map(str, (*settings.config_dirs, *settings.sources)))
    return ok("project", f"{settings.file}: {named or 'names no folders'}", file=str(settings.file))
