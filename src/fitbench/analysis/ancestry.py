"""The runs that a run comes from: the one it continues or begins with the weights of; and those that come from it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fitbench.errors import FitbenchError
from fitbench.record.files import read_bytes
from fitbench.record.folder import State, run_folders, state_of
from fitbench.record.reading import LARGEST_CONFIG, read_config, read_result

MOST = 100  # ancestors that are looked for
CONTINUES, BEGINS = "continues", "weights_from"  # how a run comes from an earlier one
TEXTS = {CONTINUES: "continues", BEGINS: "weights from"}
_RUN_ID = re.compile(rb"\brun_id: (\S+)")
MISSING, DAMAGED = "missing", "damaged"


class Ancestor(NamedTuple):
    """An earlier run.

    Attributes:
        relation: what the run after it does: `CONTINUES` or `BEGINS` with its weights.
        run_id: of the earlier run.
        folder: where it is; None if it is not found.
        state: that of the run; `DAMAGED` if it is finished and cannot be read, `MISSING` if it is not found.
        epochs: how many it has trained; None unless it is finished.
    """

    relation: str
    run_id: str
    folder: str | None
    state: str
    epochs: int | None

    def __str__(self) -> str:
        text = f"{TEXTS[self.relation]} {self.run_id}"
        if self.state == MISSING:
            return f"{text} (it is not here)"
        if self.state != State.finished.value:
            return f"{text} ({self.state})"
        return text + (f" ({self.epochs} epochs)" if self.relation == CONTINUES else "")


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
        folder = runs.get(run_id)
        state, result = _read(folder)
        epochs = None if result is None else result["metrics"]["epochs"]
        found.append(Ancestor(relation, run_id, folder, state, epochs))
        current = None if result is None else result["config"]
    return found


def descendants(run_ids: Collection[str], outputs: Path) -> list[tuple[str, str]]:
    """The runs below a folder that come from one of these runs: their folders, and how, as in 'continues RUN'."""
    wanted = {run_id.encode() for run_id in run_ids}
    found = []
    for folder in run_folders([str(outputs)], []):
        try:
            content = read_bytes(folder, "config.yaml", LARGEST_CONFIG)
            if wanted.isdisjoint(_RUN_ID.findall(content)):  # most configurations name no run, and parsing takes longer
                continue
            relation, run_id = _before(read_config(Path(folder)))
        except (FileNotFoundError, FitbenchError):  # other commands say what is wrong with it
            continue
        if run_id in run_ids:
            found.append((folder, f"{TEXTS[relation]} {run_id}"))
    return found


def _before(config: Mapping[str, Any]) -> tuple[str, str | None]:
    """How a run comes from the one before it, and its run_id. A run that is continued has begun before that."""
    for relation, section in ((CONTINUES, config.get("parent")), (BEGINS, config["training"].get("start"))):
        if isinstance(section, Mapping) and isinstance(section.get("run_id"), str):
            return relation, section["run_id"]
    return "", None


def _read(folder: str | None) -> tuple[str, dict[str, Any] | None]:
    """The state of a run, and its result if it is finished and can be read."""
    if folder is None:
        return MISSING, None
    try:
        state = state_of(Path(folder))
        return state.value, read_result(Path(folder)) if state is State.finished else None
    except FitbenchError:  # `fitbench show` of that run says what is wrong
        return DAMAGED, None
