"""The runs of one configuration in one study, which differ in their seed and fold alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fitbench.config import parse_run_id
from fitbench.errors import RequestError
from fitbench.record.folder import is_run, run_folders
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
    wanted = _name_of(text.removeprefix(f"{outputs}/").strip("/"))
    if text and (is_run(path) or "/" in text):
        place = path if path.name else path.absolute()
        for group in _groups(_runs_in(place.parent)):
            if group.name == _name_of(place.name):
                return group
    groups = _groups(map(Path, run_folders([str(outputs)], []))) if outputs.is_dir() else []
    for fits in (
        [group for group in groups if wanted in (group.name, str(group.path.relative_to(outputs)))],
        [group for group in groups if any(wanted in str(run.relative_to(outputs)) for run in group.runs.values())],
    ):
        with_folds = [group for group in fits if group.has_folds]
        if len(fits) == 1 or len(with_folds) == 1:
            return (with_folds or fits)[0]
        if fits:
            names = [f"{group.path.relative_to(outputs)} ({len(group.runs)} runs)" for group in fits]
            raise RequestError(f"{text!r} fits {len(fits)} configurations:{lines_of(names, NAMED)}")
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
