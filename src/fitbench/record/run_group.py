"""The runs of one configuration in one study, which differ in their seed and fold alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from fitbench.config import parse_run_id
from fitbench.errors import RequestError
from fitbench.record.folder import is_run, run_folders
from fitbench.record.matching import fits
from fitbench.record.naming import NAMED, find_run, is_chosen
from fitbench.text import lines_of

Key = tuple[int, int | None]  # seed and fold; without folds None


@dataclass(frozen=True)
class RunGroup:
    """The runs of a configuration.

    Attributes:
        study: the folder that the runs are in.
        name: what their names begin with, as in 'cars-mlp-adam-1a2b3c4d'.
        runs: the folder of each run, in whichever state, by seed and fold.
    """

    study: Path
    name: str
    runs: dict[Key, Path]

    @property
    def path(self) -> Path:
        """What names the group on the command line. There is no such file."""
        return self.study / self.name

    @property
    def has_folds(self) -> bool:
        """Whether the runs are those of folds."""
        return any(fold is not None for _, fold in self.runs)

    @property
    def seeds(self) -> list[int]:
        """The seeds of the runs, ascending."""
        return sorted({seed for seed, _ in self.runs})


def find_group(text: str, outputs: Path) -> RunGroup:
    """The group that is meant: its path, its name, one of its runs, or an unambiguous part of `<study>/<run_id>`.

    Of several groups that fit, the only one with folds is meant.

    Raises:
        RequestError: no group or several groups fit; the message names what was searched, or the candidates.
    """
    if is_chosen(text):
        text = str(find_run(text, outputs))
    path = Path(text)
    wanted = text.removeprefix(f"{outputs}/").strip("/")
    of_group = _name_of(wanted)
    if text and (is_run(path) or "/" in text):
        place = path if path.name else path.absolute()
        for group in _groups(_runs_in(place.parent)):
            if group.name == _name_of(place.name):
                return group
    groups = _groups(map(Path, run_folders([str(outputs)], []))) if outputs.is_dir() else []
    by_name = {str(run.relative_to(outputs)): group for group in groups for run in group.runs.values()}
    same = [group for group in groups if of_group in (group.name, str(group.path.relative_to(outputs)))]
    of_runs = ([by_name[name] for name in names] for part in (wanted, of_group) for names in fits(part, by_name))
    for found in chain([same], of_runs):
        fitting = list({group.path: group for group in found}.values())
        with_folds = [group for group in fitting if group.has_folds]
        if len(fitting) == 1 or len(with_folds) == 1:
            return (with_folds or fitting)[0]
        if fitting:
            listed = [f"{group.path.relative_to(outputs)} ({len(group.runs)} runs)" for group in fitting]
            raise RequestError(f"{text!r} fits {len(fitting)} configurations:{lines_of(listed, NAMED)}")
    run = find_run(text, outputs)  # it says why there is none
    raise RequestError(f"{run}: the name of the folder does not end with -s and the seed, as that of a run does")


def _name_of(name: str) -> str:
    """The name of the group that a run of this name belongs to; another name as it is."""
    run = parse_run_id(name)
    return run.group if run else name


def _runs_in(study: Path) -> list[Path]:
    """The run folders in a folder, by name; none if it cannot be listed."""
    try:
        return sorted(folder for folder in study.iterdir() if is_run(folder))
    except OSError:
        return []


def _groups(folders: Iterable[Path]) -> list[RunGroup]:
    """The groups that these run folders form, by study and name."""
    runs: dict[tuple[Path, str], dict[Key, Path]] = {}
    for folder in folders:
        if name := parse_run_id(folder.name):
            runs.setdefault((folder.parent, name.group), {})[name.seed, name.fold] = folder
    return [RunGroup(study, name, runs[study, name]) for study, name in sorted(runs)]
