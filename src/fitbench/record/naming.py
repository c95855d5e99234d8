"""From what a person types to a run folder: a path, a name or a part of one, @latest or @best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from fitbench.errors import RequestError
from fitbench.record.best import best_run
from fitbench.record.candidates import listed
from fitbench.record.files import exists
from fitbench.record.folder import LeftOut, absent, is_run, run_folders, state_of
from fitbench.record.matching import fits
from fitbench.record.newest import newest
from fitbench.stderr import write_note
from fitbench.text import clean, counted, first_of, hint, nearest

LATEST, BEST = "@latest", "@best"
NAMED = 10  # folders that a message names at most


def is_chosen(text: str) -> bool:
    """Whether the text is `@latest` or the like, alone or behind `STUDY/`, and no path of a run."""
    return text.startswith("@") or ("/@" in text and not is_run(Path(text)))


def check_name(text: str) -> str:
    """The text, which is refused if it is empty or white space: the path '' is the current folder.

    Raises:
        RequestError: with what a name is.
    """
    if not text.strip():
        raise RequestError(f"{text!r} names no run; give a run folder, a run_id or a part of one")
    return text


def find_run(text: str, outputs: Path, finished: bool = False) -> Path:
    """The run folder that is meant.

    It is named by its path, its run_id, `STUDY/RUN_ID`, the words at the end of these such as `1a2b3c4d-s0`, or any
    other part of them that fits one run; or by `@latest` or `@best`, or one of these behind `STUDY/`, see `_chosen`.

    Args:
        text: what a person types.
        outputs: the folder that is searched.
        finished: whether only a finished run is of use. It is meant if it is the only one among several that fit.

    Raises:
        RequestError: no run or several runs fit; the message names what was searched, or the candidates.
    """
    chosen = is_chosen(check_name(text))
    if not chosen and is_run(Path(text)):
        return Path(text)
    if not outputs.is_dir():
        raise RequestError(f"{text!r} is no run folder, and there is no folder {outputs} to search for it")
    left_out: LeftOut = []
    below = len(f"{outputs}/")
    runs = {folder[below:]: folder for folder in run_folders([str(outputs)], left_out)}
    wanted = text.removeprefix(f"{outputs}/").strip("/")
    if chosen:
        return _chosen(wanted, runs, outputs, finished)
    for names in fits(wanted, runs):
        with_result = [name for name in names if exists(f"{runs[name]}/result.json")]
        if len(names) == 1 or (finished and len(with_result) == 1):
            return Path(runs[(with_result or names)[0]])
        if names:
            raise RequestError(_several(text, wanted, names, runs))
    links = "".join(f"\nleft out {folder}: {why}" for folder, why in left_out[:NAMED])
    raise RequestError(_no_run(text, wanted, runs, outputs) + links)


def find_folder(text: str | Path, outputs: Path) -> Path:
    """The folder of runs that is meant: a path, the name of a study in `outputs`, or a run as `find_run` finds it.

    A path below which no runs are is not meant if there is such a study. A study has no name that begins with a dot.

    Raises:
        RequestError: no folder fits, or several runs do.
    """
    text = str(text)
    study = outputs / text
    is_study = study.is_dir() and not any(part.startswith(".") for part in Path(text).parts)
    if Path(text).is_dir() and not (is_study and next(iter(run_folders([text], [])), None) is None):
        return Path(text)
    return study if is_study else find_run(text, outputs)


def _several(text: str, wanted: str, names: Sequence[str], runs: Mapping[str, str]) -> str:
    """Which runs a text fits that must fit one."""
    of_study = [run for run in runs if run.rpartition("/")[0] == wanted]
    if of_study:
        many = counted(len(of_study), "run")
        return f"{text!r} is a study of {many}: give {wanted}/NAME, or {wanted}/{BEST}, the best of it"
    return f"{text!r} fits {len(names):,} runs:{listed(names, runs)}\ngive one of these names, or {LATEST}"


def _no_run(text: str, wanted: str, runs: Mapping[str, str], outputs: Path) -> str:
    """Why a text fits no run."""
    if "/" in text and not exists(text) and exists(Path(text).parts[0]):
        studies = sorted({run.rpartition("/")[0] for run in runs} - {""})
        there = f"; the studies in {outputs} are {first_of(studies)}" * bool(studies)
        return absent(text, f"give a run folder, a run_id or a part of one{there}")
    found = f"{text!r} fits none of the {len(runs):,} runs in {outputs}, and no study"
    if "*" in text:
        return f"{found}; * stands for nothing here: give a part of the run_id that fits one run"
    near = _nearest(wanted, runs)
    return f"{found}\nDid you mean {' or '.join(near)}?" if near else f"{found}; fitbench runs --all lists them"


def _nearest(wanted: str, names: Iterable[str]) -> list[str]:
    """The run_ids, or beginnings or parts of them, or the studies, that look most like the text."""
    pool: dict[str, None] = {}
    for name in names:
        study, _, run_id = name.rpartition("/")
        parts = run_id.split("-")
        pool.update(
            dict.fromkeys([run_id, study, *("-".join(parts[:count]) for count in range(1, len(parts))), *parts])
        )
    return nearest(wanted, pool, most=2)


# -- @latest and @best ------------------------------------------------------------------------------------------------


def _chosen(wanted: str, runs: Mapping[str, str], outputs: Path, finished: bool) -> Path:
    """The run that `@latest` or `@best` means, which is said on stderr once.

    `@latest` is the run that changed last: that ended last, or is being trained. `@best` is the best run of the
    newest study that has a finished run with a value on the validation part, see `best_run`. The newest study is the
    one in which a run finished last.

    Args:
        wanted: one of them, or one behind `STUDY/`.
        runs: the folders of all runs by `STUDY/RUN_ID`.
        outputs: where they are.
        finished: whether only finished runs count; for `@best` they alone do.
    """
    study, _, name = wanted.rpartition("/")
    if name not in (LATEST, BEST):
        raise RequestError(f"{wanted!r} is no name of a run; {LATEST} and {BEST} are, also as STUDY/{BEST}")
    folders = [folder for run, folder in runs.items() if study in ("", run.rpartition("/")[0])]
    if study and not folders:
        studies = sorted({run.rpartition("/")[0] for run in runs})
        raise RequestError(f"{wanted!r}: there are no runs in {outputs / study}; {hint(study, studies)}")
    if finished or name == BEST:
        folders = [folder for folder in folders if exists(f"{folder}/result.json")]
    if name == BEST:
        return _best(wanted, folders, outputs)
    folder = newest(folders)
    if folder is None:
        raise RequestError(f"{wanted!r}: there is no {'finished ' * finished}run in {outputs / study}")
    _say(f"{wanted} is {clean(folder)} ({state_of(Path(folder)).value})")
    return Path(folder)


def _best(wanted: str, folders: Sequence[str], outputs: Path) -> Path:
    """The best run of the newest study that has a value, of these finished runs."""
    remaining, without = list(folders), list[str]()
    while (last := newest(remaining)) is not None:
        place = Path(last).parent
        beside = [each for each in remaining if Path(each).parent == place]
        study = str(place.relative_to(outputs)) if place != outputs else str(outputs)
        if (found := best_run(beside, study)) is not None:
            passed = f"; without a value on the validation part: {first_of(without)}" if without else ""
            _say(f"{wanted} is {clean(found[0])}: its {found[1]}{passed}")
            return Path(found[0])
        without.append(study)
        remaining = [each for each in remaining if Path(each).parent != place]
    reason = "has a value of its primary metric on the validation part, by which the best is found"
    if without:
        raise RequestError(f"{wanted!r}: no finished run of {first_of(without)} {reason}; name a run")
    raise RequestError(f"{wanted!r}: there is no finished run in {outputs / wanted.rpartition('/')[0]}")


@cache
def _say(text: str) -> None:
    write_note(text)
