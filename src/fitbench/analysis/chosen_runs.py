"""The runs that `note` and `trash` are about: those that are named, all of a folder, or those that fit a filter."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fitbench.analysis.frame import load_runs, say_unread
from fitbench.analysis.studies import Which, fitting, of_named_studies
from fitbench.errors import RequestError
from fitbench.record.folder import LeftOut, is_run, run_folders
from fitbench.record.naming import check_name, find_folder
from fitbench.text import counted


@dataclass(frozen=True)
class Choice:
    """How a person chooses runs on the command line.

    Attributes:
        names: run folders, run_ids or parts of them, and folders and studies, which stand for all runs in them.
        which: a filter of these runs and their study; without names, of all runs in `outputs`.
        outputs: where the names of runs are looked for.
    """

    names: Sequence[str]
    which: Which
    outputs: Path

    @property
    def is_empty(self) -> bool:
        """Whether nothing is chosen."""
        return not self.names and not self.is_filtered

    @property
    def is_filtered(self) -> bool:
        """Whether runs are selected by their values."""
        return self.which.where is not None or self.which.study is not None


def chosen_runs(choice: Choice) -> list[Path]:
    """The folders of the runs, each once, sorted. Those that a filter cannot read are named on stderr.

    Without a filter no run is read, so that damaged ones can be chosen, too.

    Raises:
        RequestError: a name fits no run or several, the filter is wrong, or no run remains.
    """
    choice.which.check()
    names = [check_name(name) for name in choice.names]
    folders = [find_folder(name, choice.outputs) for name in names]
    return below(folders or [choice.outputs], choice)


def below(folders: Sequence[Path], choice: Choice) -> list[Path]:
    """The runs below these folders that fit the filter and the study.

    Raises:
        RequestError: there are none.
    """
    if not choice.is_filtered:
        left_out: LeftOut = []
        found = [folder for each in folders for folder in _runs_below(each, left_out)]
        return sorted({os.path.realpath(folder): Path(folder) for folder in found}.values())
    frame = load_runs(*folders)
    say_unread(frame)
    fits = fitting(frame, choice.which)
    if fits.empty:
        many = counted(len(of_named_studies(frame, choice.which)), "run")
        raise RequestError(f"--where {choice.which.where!r} keeps none of the {many}")
    return sorted(map(Path, fits["folder"]))


def _runs_below(folder: Path, left_out: LeftOut) -> list[str]:
    found = [str(folder)] if is_run(folder) else list(run_folders([str(folder)], left_out))
    if not found:
        raise RequestError(f"{folder} holds no runs")
    return found
