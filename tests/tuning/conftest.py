"""Searches in this process, and what they leave behind."""

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fitbench.composition import Composer

NEED_OPTUNA = ["test_kill.py", "test_requests.py", "test_search.py", "test_space.py", "test_study.py"]
collect_ignore = [] if find_spec("optuna") else NEED_OPTUNA

RATE = "optimizer.learning_rate=tag(log,interval(1e-3,1e-1))"


@dataclass(frozen=True)
class Found:
    """What a search has left: its exit status, the study's folder, and what search.json holds."""

    status: int
    folder: Path
    record: dict[str, Any]

    @property
    def trials(self) -> list[dict[str, Any]]:
        """Of each trial what must be the same again, whenever and in however many attempts it is made."""
        wanted = ("number", "state", "params", "values", "run_ids", "epochs", "history", "error")
        return [{key: trial[key] for key in wanted} for trial in self.record["trials"]]

    def states(self) -> list[str]:
        return [trial["state"] for trial in self.record["trials"]]

    def run(self, number: int, which: int = 0) -> Path:
        """A run's folder of a trial."""
        return self.folder / self.record["trials"][number]["run_ids"][which]


Search = Callable[..., Found]


@functools.cache
def composer(*folders: str) -> Composer:
    """One for all searches of a process: what they compose is much the same."""
    return Composer(folders)


@pytest.fixture
def composed_once(tmp_path, monkeypatch):
    """Searches in this process begin in a folder of the test's own, and share what they compose."""
    with sharing(tmp_path, monkeypatch):
        yield


@contextmanager
def sharing(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    from fitbench.tuning import request as module

    patch.chdir(folder)
    patch.setattr(module, "Composer", lambda folders: composer(*folders))
    yield


@pytest.fixture
def search(composed_once, monkeypatch) -> Search:
    """Runs `fitbench search` in this process on the digits; gives what it has left in <outputs>/mine."""
    return search_with(monkeypatch)


def search_with(patch: pytest.MonkeyPatch) -> Search:
    """The same, for fixtures that several tests share."""
    from fitbench.tuning import search as module

    patch.setattr(module, "write_plots", lambda record, folder: [])  # they have tests of their own

    def run(*words: str, outputs: str = "outputs") -> Found:
        folder = Path(outputs).absolute() / "mine"
        common = ["data=digits", "model=softmax", "progress=false", "study=mine", f"outputs={outputs}"]
        try:
            status = module.search([*common, *words])
        except BaseException:
            run.left = left(folder)  # type: ignore[attr-defined]
            raise
        return left(folder, status)

    return run


def left(folder: Path, status: int = 0) -> Found:
    """What the search in this folder has left up to now."""
    path = folder / "search.json"
    return Found(status, folder, json.loads(path.read_text()) if path.exists() else {"trials": []})
