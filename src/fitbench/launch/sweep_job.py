"""One job of a sweep: what is launched, how its run has ended, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import InstantiationException

from fitbench.composition import by_folder, names_parent, quoted
from fitbench.config import Config
from fitbench.errors import FitbenchError
from fitbench.record.claims import Claimed
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.reading import lacking, read_result

Ends = tuple[int | None, int | None]  # when result.json and error.txt were written (ns), None for a missing one


@dataclass(frozen=True)
class Job:
    """One combination of a sweep.

    Attributes:
        overrides, config: of the combination.
        folder: of its run.
        ends: what had ended the run before the sweep began.
    """

    overrides: list[str]
    config: Config
    folder: Path
    ends: Ends = (None, None)

    @staticmethod
    def of(overrides: list[str], config: Config) -> Job:
        """Return the job of a configuration."""
        return Job(overrides, config, folder_of(config))

    def with_seed(self, seed: int) -> Job:
        """Return the same job with another seed. This is faster than composing its configuration."""
        config = self.config.model_copy(update={"seed": seed})
        return Job([*self.overrides, f"seed={seed}"], config, folder_of(config))

    def found(self) -> Job:
        """Return the job with the ends of its run as they are now."""
        return replace(self, ends=_ends(self.folder))

    def finished(self) -> bool:
        """Whether the run is finished with every metric of its configuration; with `force` since the sweep began."""
        ended_before = self.config.force and _ends(self.folder)[0] == self.ends[0]
        done = state_of(self.folder) is State.finished and not ended_before
        return done and not lacking(self.config, read_result(self.folder))

    def ended(self) -> bool:
        """Whether the run has finished or failed since the sweep began."""
        return any(now not in (None, before) for now, before in zip(_ends(self.folder), self.ends, strict=True))

    def failed(self) -> bool:
        """Whether the run has failed since the sweep began."""
        return state_of(self.folder) is State.failed and _ends(self.folder)[1] != self.ends[1]

    def launched(self, threads: int | None) -> list[str]:
        """Return the overrides for another process, which may compose them when other runs have finished.

        So the study has its name as it is here, which may hold the time, and earlier runs are named by their folders.

        Args:
            threads: CPU threads of the run, unless its configuration states them; None leaves them to the backend.
        """
        own_threads = [f"threads={threads}"] if threads is not None and self.config.threads == "auto" else []
        parent = self.config.parent
        overrides = [
            f"+continue={quoted(parent.folder)}" if parent and names_parent(override) else override
            for override in self.overrides
        ]
        return [*overrides, *by_folder(self.config), f"study='{self.config.study}'", *own_threads]


def _ends(folder: Path) -> Ends:
    return _written(folder / "result.json"), _written(folder / "error.txt")


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


@dataclass(frozen=True)
class Failure:
    """Why a job did not train its run: an error in one line, and whether it was that another process has the run."""

    error: str
    claimed: bool = False

    @staticmethod
    def of_job(result: JobReturn) -> Failure | None:
        """Return the failure of a job that Hydra has done; None if it has succeeded."""
        return None if result.status is not JobStatus.FAILED else Failure.of_error(result._return_value)

    @staticmethod
    def of_error(error: BaseException) -> Failure:
        """Return the failure of a job that has raised an exception."""
        return Failure(first_line(error), isinstance(error, Claimed))


def first_line(error: BaseException) -> str:
    """Return an error in one line. Its type is named if it is not an error of fitbench. Hydra's wrapper is removed."""
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, FitbenchError) else f"{type(error).__name__}: {lines[0]}"
