"""The runs that a run comes from: the one it continues or begins with the weights of, and those before that one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fitbench.errors import FitbenchError
from fitbench.record.folder import run_folders
from fitbench.record.reading import read_result

MOST = 100  # ancestors that are looked for


class Ancestor(NamedTuple):
    """An earlier run.

    Attributes:
        relation: what the run after it does: 'continues' or 'weights from'.
        run_id: of the earlier run.
        folder: where it is; None if it is not found.
        epochs: how many it has trained; None if it is not found.
    """

    relation: str
    run_id: str
    folder: str | None
    epochs: int | None

    def __str__(self) -> str:
        if self.folder is None:
            return f"{self.relation} {self.run_id} (it is not here)"
        return f"{self.relation} {self.run_id}" + (f" ({self.epochs} epochs)" if self.relation == CONTINUES else "")


CONTINUES, BEGINS = "continues", "weights from"


def ancestors(config: Mapping[str, Any], places: Sequence[Path]) -> list[Ancestor]:
    """The ancestors of a run, the last one first, as far as they are found.

    They are looked for by their run_ids alone: the paths that a recorded configuration names are not read.

    Args:
        config: of the run, nested plain values, which may be a stranger's.
        places: folders that are searched for runs.
    """
    found: list[Ancestor] = []
    runs: dict[str, str] = {}
    current: Mapping[str, Any] | None = config
    while current is not None and len(found) < MOST:
        relation, run_id = _before(current)
        if run_id is None:
            break
        runs = runs or {Path(folder).name: folder for folder in run_folders([str(place) for place in places], [])}
        result = _result(runs.get(run_id))
        epochs = None if result is None else result["metrics"]["epochs"]
        found.append(Ancestor(relation, run_id, None if result is None else runs[run_id], epochs))
        current = None if result is None else result["config"]
    return found


def _before(config: Mapping[str, Any]) -> tuple[str, str | None]:
    """How a run comes from the one before it, and its run_id. A run that is continued has begun before that."""
    for relation, section in ((CONTINUES, config.get("parent")), (BEGINS, config["training"].get("start"))):
        if isinstance(section, Mapping) and isinstance(section.get("run_id"), str):
            return relation, section["run_id"]
    return "", None


def _result(folder: str | None) -> dict[str, Any] | None:
    try:
        return None if folder is None else read_result(Path(folder))
    except FitbenchError:  # not finished any more, or damaged: `fitbench runs` says which
        return None
