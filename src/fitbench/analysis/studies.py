"""Which of several studies a command is about: those that are named, all of them, or the newest."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench.analysis.filters import parse, select
from fitbench.analysis.frame import plain_values
from fitbench.errors import RequestError
from fitbench.formats import OF_SCRIPTS
from fitbench.record.naming import find_folder
from fitbench.record.newest import last_change
from fitbench.stderr import write_note
from fitbench.text import clean, counted, hint

if TYPE_CHECKING:
    import pandas as pd

RUN_AND_END = ("study", "folder", "finished_at")


@dataclass(frozen=True)
class Which:
    """Which runs a command is about.

    Attributes:
        paths: folders, or names of studies and runs, see `located`; none: outputs/.
        where: a filter, see `filters`.
        study: the study of which the runs must be, or several with commas between them.
        every: whether runs of all studies count. If not, and no study is named, the command is about the newest, unless
            there are several paths, the path is the folder of a study or a run, or the filter asks for the `study`.
    """

    paths: Sequence[str | Path] = ()
    where: str | None = None
    study: str | None = None
    every: bool = False

    def located(self, outputs: Path = Path("outputs")) -> Which:
        """The same request with folders in the place of names of studies and runs in `outputs`.

        Raises:
            RequestError: a path is no folder and no name, see `find_folder`.
        """
        return replace(self, paths=[find_folder(path, outputs) for path in self.paths])

    def of_every_study(self) -> Which:
        """The same request, not narrowed to the newest study."""
        return self if self.study is not None else replace(self, every=True)

    def printed_as(self, format: str) -> Which:
        """The same request for output of this format. CSV and JSON are not narrowed to the newest study."""
        return self.of_every_study() if format in OF_SCRIPTS else self

    def check(self) -> None:
        """Refuse a request that cannot be met, before runs are read.

        Raises:
            RequestError: --study and --all are both given, or the filter does not parse.
        """
        if self.study is not None and self.every:
            raise RequestError("--study and --all exclude each other; leave one out")
        if self.where is not None:
            parse(self.where)

    def of_all_studies(self, frame: pd.DataFrame) -> bool:
        """Whether the request does not narrow these runs to the newest study."""
        return self.every or len(self.paths) > 1 or self._filters_studies() or self._is_of_one_folder(frame)

    def _filters_studies(self) -> bool:
        nodes = ast.walk(parse(self.where)) if self.where is not None else ()
        return any(isinstance(node, ast.Name) and node.id == "study" for node in nodes)

    def _is_of_one_folder(self, frame: pd.DataFrame) -> bool:
        """Whether the path is a run, or a folder of runs alone. Runs may be moved into the folder of another study."""
        if not self.paths:
            return False
        path = Path(self.paths[0])
        return all(path in (Path(folder), Path(folder).parent) for folder in frame["folder"].tolist())


def of_named_studies(frame: pd.DataFrame, which: Which) -> pd.DataFrame:
    """The runs of a frame from `load_runs` that are of the studies that are named; without one all.

    Raises:
        RequestError: no run is of a study that is named; the message names the nearest.
    """
    if which.study is None:
        return frame
    studies = frame["study"].unique().tolist()
    names = [which.study] if which.study in studies else [name.strip() for name in which.study.split(",")]
    for name in names:
        if name not in studies:
            known = hint(name, sorted(studies))
            raise RequestError(f"--study {which.study}: there is no study {name!r} here; {known}")
    return frame[frame["study"].isin(names)]


def fitting(frame: pd.DataFrame, which: Which) -> pd.DataFrame:
    """The runs of a frame that are of the studies that are named, and fit the filter.

    Raises:
        RequestError: as `of_named_studies` and `filters.select`.
    """
    frame = of_named_studies(frame, which)
    return select(frame, which.where) if which.where is not None else frame


def narrowed(frame: pd.DataFrame, which: Which, finished: bool = False) -> pd.DataFrame:
    """The runs of the newest study of a frame; all if they are of one, or the request is not about the newest alone.

    If runs are left out, a line on stderr says so.

    Args:
        frame: from `load_runs`, or a part of it.
        which: the request.
        finished: whether the newest study is the newest that has a finished run, see `newest_studies`.
    """
    studies = frame["study"].nunique()
    if which.study is not None or studies < 2 or which.of_all_studies(frame):
        return frame
    newest = newest_studies(frame, finished)[0]
    chosen = frame[frame["study"] == newest]
    more = counted(len(frame) - len(chosen), "run")
    others = "1 other study" if studies == 2 else f"{studies - 1} other studies"
    kind = "the newest" if newest == newest_studies(frame)[0] else "the newest with a finished run"
    write_note(f"study {clean(newest)}, {kind}; --study NAME shows another, --all adds {more} of {others}")
    return chosen


def newest_studies(frame: pd.DataFrame, finished: bool = False) -> list[str]:
    """The studies of a frame, the newest first.

    The newest study is that of the run that changed last: that ended last, or is being trained. Commands that need
    finished runs count these alone. Studies without a finished run then come behind the others.
    """
    latest: dict[str, tuple[bool, float]] = {}
    for study, folder, ended in zip(*(plain_values(frame[name]) for name in RUN_AND_END), strict=True):
        time = (finished and bool(ended), ended.timestamp() if ended else last_change(folder))
        latest[study] = max(latest.get(study, time), time)
    return sorted(latest, key=lambda name: (latest[name], name), reverse=True)
