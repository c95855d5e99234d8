"""`fitbench trash`: runs put away, listed, restored, and deleted for good."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fitbench.analysis.ancestry import descendants
from fitbench.analysis.chosen_runs import Choice, below, chosen_runs
from fitbench.columns import Column, Note, Table, column, print_tables
from fitbench.errors import FitbenchError, RequestError
from fitbench.record import trash
from fitbench.record.files import exists
from fitbench.record.naming import NAMED
from fitbench.record.trash import Trashed, trashed
from fitbench.text import age, check_format, clean, console, counted, first_of

LISTED = 10  # runs that are listed when they are moved or deleted
SEARCH = "search.json"
UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def put_away(choice: Choice) -> None:
    """Move runs to the trash, and say which, how large they are, and what brings them back.

    Raises:
        RequestError: no run is chosen, or one is being trained. Nothing has been moved.
        FitbenchError: a run cannot be moved.
    """
    if choice.is_empty:
        raise RequestError("which runs? name runs or a study, or select them with --where; --list shows the trash")
    of_outputs: dict[Path, list[Path]] = {}
    for folder in chosen_runs(choice):
        of_outputs.setdefault(trash.outputs_of_run(folder, choice.outputs), []).append(folder)
    for outputs, folders in of_outputs.items():
        runs = trash.put_away(outputs, folders)
        back = trash.restore_command(runs[0], runs[0].time)
        _print("Put in the trash", runs, f"{back} puts {'it' if len(runs) == 1 else 'them'} back")
        _say_effects(outputs, runs)


def _say_effects(outputs: Path, runs: Sequence[Trashed]) -> None:
    """Name what still needs the runs: runs that come from them, and searches."""
    heirs = descendants({run.home.name for run in runs}, outputs)
    for folder, how in heirs[:LISTED]:
        sys.stderr.write(f"fitbench: {clean(folder)} {clean(how)}; it cannot be trained again without that run\n")
    if len(heirs) > LISTED:
        sys.stderr.write(f"fitbench: and {len(heirs) - LISTED:,} more runs come from them\n")
    for study in sorted({run.home.parent for run in runs}):
        if exists(study / SEARCH):
            sys.stderr.write(
                f"fitbench: {clean(study / SEARCH)} keeps the trials of these runs; the search does not repeat them\n"
            )


def show(choice: Choice, format: str) -> None:
    """List the trash, or what is chosen of it: when each run was put away, and the space that it takes.

    Raises:
        RequestError: what is chosen is not in the trash, or the format is wrong.
    """
    check_format(format, ("table", "json"))
    runs = _in_trash(choice)
    sizes = [trash.size(run.folder) for run in runs]
    if format == "json":
        content = [
            {"name": run.name, "study": run.study, "run_id": run.home.name, "folder": str(run.folder),
             "trashed_at": None if run.when is None else f"{run.when:%Y-%m-%dT%H:%M:%SZ}", "bytes": size}
            for run, size in zip(runs, sizes, strict=True)
        ]  # fmt: skip
        print(json.dumps(content, indent=2))
        return
    if not runs:
        print(f"There is nothing in the trash of {clean(choice.outputs)}.")
        return
    total = f"{counted(len(runs), 'run')}, {_bytes(sum(sizes))}; --restore RUN puts one back, --empty deletes them all"
    print_tables(console(), [Table("", _columns(runs, sizes), [Note(total, "")])])


def restore(choice: Choice) -> None:
    """Put runs back from the trash to where they were.

    Raises:
        RequestError: no run is chosen, or there is a run in its place. Nothing has been moved.
        FitbenchError: a run cannot be moved.
    """
    if choice.is_empty:
        raise RequestError("which runs? name runs, a study or a time of fitbench trash --list, or select with --where")
    runs = _in_trash(choice)
    stay = trash.restore(runs)
    _print("Restored", runs, "", sizes=False)
    for path in stay:
        sys.stderr.write(f"fitbench: {clean(path)} stays in the trash: its study has such a file again\n")


def empty(choice: Choice, yes: bool) -> None:
    """Delete what is in the trash for good, or what is chosen of it; ask before.

    Raises:
        RequestError: what is chosen is not in the trash, or nobody can be asked.
        FitbenchError: the answer is no, or a file cannot be deleted.
    """
    runs = _in_trash(choice)
    folder = choice.outputs / trash.TRASH
    if not (folder.is_dir() if choice.is_empty else runs):
        print(f"There is nothing in the trash of {clean(choice.outputs)}.")
        return
    space = _bytes(trash.size(folder) if choice.is_empty else sum(trash.size(run.folder) for run in runs))
    if not yes:
        _confirm(f"Delete {counted(len(runs), 'run')} ({space}) for good?")
    trash.delete(choice.outputs, None if choice.is_empty else runs)
    print(f"Deleted {counted(len(runs), 'run')} for good; {space} are free.")


def _confirm(question: str) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise RequestError(f"{question} Nobody can be asked here; add --yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise FitbenchError("nothing was deleted")


# -- which runs of the trash ------------------------------------------------------------------------------------------


def _in_trash(choice: Choice) -> list[Trashed]:
    """The runs in the trash that are chosen; without a choice all of them.

    Raises:
        RequestError: a name fits no run there, or several; or the filter keeps none.
    """
    runs = trashed(choice.outputs)
    if choice.is_empty:
        return runs
    if not runs:
        raise RequestError(f"there is nothing in the trash of {choice.outputs}")
    if choice.names:
        named = [run for name in choice.names for run in _named(name, runs)]
        runs = list(dict.fromkeys(named))
    if choice.where is not None or choice.study is not None:
        fits = set(below([run.folder for run in runs], choice))
        runs = [run for run in runs if run.folder in fits]
    return runs


def _named(text: str, runs: Sequence[Trashed]) -> list[Trashed]:
    """The runs that a person means: all of a time or a study, or the only one that a name or a part of it fits."""
    wanted = text.strip("/")
    for prefix in (str(runs[0].trash), str(runs[0].trash.parent)):
        wanted = wanted.removeprefix(prefix.strip("/")).strip("/")
    groups = [run for run in runs if wanted in (run.time, str(run.place.parent), f"{run.time}/{run.place.parent}")]
    if groups:
        return groups
    for fits in (
        [run for run in runs if wanted in (run.name, str(run.place), run.home.name)],
        [run for run in runs if wanted in run.name],
    ):
        if len(fits) == 1:
            return fits
        if fits:
            lines = "".join(f"\n  {run.name}" for run in fits[:NAMED])
            more = f"\n  and {len(fits) - NAMED} more" if len(fits) > NAMED else ""
            raise RequestError(f"{text!r} fits {len(fits)} runs in the trash:{lines}{more}")
    raise RequestError(f"{text!r} fits none of the {counted(len(runs), 'run')} in the trash; --list shows them")


# -- what is printed --------------------------------------------------------------------------------------------------


def _print(what: str, runs: Sequence[Trashed], last: str, sizes: bool = True) -> None:
    """Which runs were moved: how many of which study, the first of them, and a last line."""
    studies = Counter(str(run.place.parent) for run in runs)
    space = [trash.size(run.folder) for run in runs] if sizes else []
    names = first_of([f"{count} of {study}" for study, count in studies.items()], LISTED)
    title = f"{what}: {counted(len(runs), 'run')}" + (f" ({names})" if len(studies) > 1 else "")
    shown = runs[:LISTED]
    columns = [_run_column(shown)] + ([_size_column(space[:LISTED])] if sizes else [])
    more = len(runs) - len(shown)
    total = f"{_bytes(sum(space))} in all" if sizes and len(runs) > 1 else ""
    notes = [f"and {more:,} more" if more else "", total, last]
    print_tables(console(), [Table(title, columns, [Note(text, "") for text in notes if text])])


def _columns(runs: Sequence[Trashed], sizes: Sequence[int]) -> list[Column]:
    now = datetime.now(UTC)
    ages = ["-" if run.when is None else age((now - run.when).total_seconds()) for run in runs]
    return [
        _run_column(runs),
        column("time", runs, lambda run: clean(run.time), right=False, spare=2),
        Column("age", ages, spare=1),
        _size_column(sizes),
    ]


def _run_column(runs: Sequence[Trashed]) -> Column:
    return column("run", runs, lambda run: clean(run.place), right=False, key=True)


def _size_column(sizes: Sequence[int]) -> Column:
    return Column("size", list(map(_bytes, sizes)))


def _bytes(count: int) -> str:
    """Bytes as people read them: 950 B, 4.1 kB, 12 MB."""
    for unit, size in UNITS:
        if count >= size:
            return f"{count / size:.{int(count < 10 * size)}f} {unit}"
    return f"{count} B"
