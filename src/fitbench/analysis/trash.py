"""`fitbench trash`: runs put away, listed, restored, and deleted for good."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from fitbench.analysis.ancestry import descendants
from fitbench.analysis.chosen_runs import Choice, below, chosen_runs
from fitbench.analysis.search_record import FILE as SEARCH
from fitbench.analysis.studies import Which
from fitbench.columns import Column, Note, Table, column, print_tables
from fitbench.errors import FitbenchError, RequestError
from fitbench.record import trash, trash_moves
from fitbench.record.files import exists
from fitbench.record.matching import fits
from fitbench.record.naming import NAMED, check_name
from fitbench.record.sweeps import FILE as SWEEP
from fitbench.record.trash import Trashed, trashed
from fitbench.stderr import write_note
from fitbench.text import age, check_format, clean, console, counted, first_of, lines_of

LISTED = 10  # runs that are listed when they are moved or deleted
UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def put_away(choice: Choice) -> None:
    """Move runs to the trash, and say which, how large they are, and what brings them back.

    Raises:
        RequestError: no run is chosen, or one is being trained or lies elsewhere. Nothing has been moved.
        FitbenchError: a run cannot be moved.
    """
    if choice.is_empty:
        raise RequestError("which runs? name runs or a study, or select them with --where; --list shows the trash")
    moved = trash_moves.put_away(_chosen(choice), choice.outputs)
    for folder, group in groupby(moved, key=lambda run: run.trash):
        runs = list(group)
        back = trash.restore_command(runs[0], runs[0].time)
        _print("Put in the trash", runs, f"{back} puts {'it' if len(runs) == 1 else 'them'} back")
        _say_effects(folder.parent, runs)


def _chosen(choice: Choice) -> list[Path]:
    """The chosen runs; the error about a name that fits none says whether such a run is in the trash."""
    try:
        return chosen_runs(choice)
    except RequestError as error:
        name = next((name for name in choice.names if name in str(error)), "")
        try:
            [twin, *_] = _in_trash(replace(choice, names=[name], which=Which()))
        except RequestError:
            raise error from None
        back = trash.restore_command(twin, twin.time)
        raise RequestError(f"{error}\n{twin.place} is in the trash; {back} puts it back") from error


def _say_effects(outputs: Path, runs: Sequence[Trashed]) -> None:
    """Name what was moved beside the runs, and what still needs them: runs that come from them, and searches."""
    heirs = descendants({run.home.name for run in runs}, outputs)
    for folder, how in heirs[:LISTED]:
        write_note(f"{clean(folder)} {clean(how)}; it cannot be trained again without that run")
    if len(heirs) > LISTED:
        write_note(f"and {len(heirs) - LISTED:,} more runs come from them")
    for home, in_trash in sorted({run.study_home: run.study_folder for run in runs}.items()):
        if exists(home / SEARCH):
            write_note(f"{clean(home / SEARCH)} keeps the trials of these runs; the search does not repeat them")
        if files := [path for path in trash.study_files(in_trash) if path.name != SWEEP]:
            names = first_of(clean(path.name) for path in files)
            write_note(
                f"the search of {clean(home)} is in the trash with its runs ({names}); a search there is a new one"
            )


def show(choice: Choice, format: str) -> None:
    """List the trash, or what is chosen of it: when each run was put away, and the space that it takes.

    Raises:
        RequestError: what is chosen is not in the trash, or the format is wrong.
    """
    check_format(format, ("table", "json"))
    runs = _in_trash(choice)
    sizes = [run.bytes for run in runs]
    if format == "json":
        content = [
            {"name": run.name, "study": run.study, "run_id": None if run.is_search else run.home.name,
             "folder": str(run.folder), "trashed_at": f"{run.when:%Y-%m-%dT%H:%M:%SZ}", "bytes": size}
            for run, size in zip(runs, sizes, strict=True)
        ]  # fmt: skip
        print(json.dumps(content, indent=2))
        return
    if not runs:
        print(f"There is nothing in the trash of {clean(choice.outputs)}.")
        return
    total = f"{_counted(runs)}, {_bytes(sum(sizes))}; --restore RUN puts one back, --empty deletes them all"
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
    stay = trash_moves.restore(runs)
    stayed = {path.parent for path in stay}
    restored = [run for run in runs if not (run.is_search and run.folder in stayed)]
    if restored:
        _print("Restored", restored, "", sizes=False)
    for path in stay:
        write_note(f"{clean(path)} stays in the trash: its study has such a file again")


def empty(choice: Choice, yes: bool) -> None:
    """Delete what is in the trash for good, or what is chosen of it; ask before.

    Raises:
        RequestError: what is chosen is not in the trash, the trash is a link, or nobody can be asked.
        FitbenchError: the answer is no, or a file cannot be deleted.
    """
    runs = _in_trash(choice)
    folder = choice.outputs / trash.TRASH
    if not (folder.is_dir() if choice.is_empty else runs):
        print(f"There is nothing in the trash of {clean(choice.outputs)}.")
        return
    space = _bytes(sum(run.bytes for run in runs) + trash.size(folder / trash.DELETED))
    if not yes:
        _confirm(f"Delete {_counted(runs)} ({space}) for good?")
    unknown = trash_moves.delete(choice.outputs, runs)
    print(f"Deleted {_counted(runs)} for good; {space} are free.")
    for path in unknown:
        write_note(f"{clean(path)} stays: it holds no run and no search that fitbench has put there")


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
    trash.check_trash(choice.outputs)
    runs = trashed(choice.outputs)
    if choice.is_empty:
        return runs
    if not runs:
        raise RequestError(f"there is nothing in the trash of {choice.outputs}")
    if choice.names:
        named = [run for name in choice.names for run in _named(name, runs)]
        runs = list(dict.fromkeys(named))
    if choice.is_filtered:
        kept = set(below([run.folder for run in runs if not run.is_search], choice))
        runs = [run for run in runs if run.folder in kept]
    return runs


def _named(text: str, runs: Sequence[Trashed]) -> list[Trashed]:
    """The runs that a person means: all of a time or a study, or the only one that a name or a part of it fits."""
    wanted = check_name(text).strip("/")
    for prefix in (str(runs[0].trash), str(runs[0].trash.parent)):
        wanted = f"{wanted}/".removeprefix(f"{prefix.strip('/')}/").strip("/")
    time, _, rest = wanted.partition("/")
    if of_time := [run for run in runs if run.time == time]:
        runs, wanted = of_time, rest
    if of_study := [run for run in runs if wanted in ("", run.study)]:
        return of_study
    for names in fits(wanted, {str(run.place) for run in runs if not run.is_search}):
        fitting = [run for run in runs if str(run.place) in names]
        if len(fitting) > 1:
            lines = lines_of([run.name for run in fitting], NAMED)
            raise RequestError(f"{text!r} fits {len(fitting)} runs in the trash:{lines}")
        if fitting:
            return fitting
    raise RequestError(f"{text!r} fits none of the {_counted(runs)} in the trash; --list shows them")


# -- what is printed --------------------------------------------------------------------------------------------------


def _print(what: str, runs: Sequence[Trashed], last: str, sizes: bool = True) -> None:
    """Which runs were moved: how many of which study, the first of them, and a last line."""
    studies = Counter(run.study for run in runs)
    space = [run.bytes for run in runs] if sizes else []
    names = first_of([f"{count} of {study}" for study, count in studies.items()], LISTED)
    title = f"{what}: {_counted(runs)}" + (f" ({names})" if len(studies) > 1 else "")
    shown = runs[:LISTED]
    columns = [_run_column(shown)] + ([_size_column(space[:LISTED])] if sizes else [])
    more = len(runs) - len(shown)
    total = f"{_bytes(sum(space))} in all" if sizes and len(runs) > 1 else ""
    notes = [f"and {more:,} more" if more else "", total, last]
    print_tables(console(), [Table(title, columns, [Note(text, "") for text in notes if text])])


def _columns(runs: Sequence[Trashed], sizes: Sequence[int]) -> list[Column]:
    now = datetime.now(UTC)
    ages = [age((now - run.when).total_seconds()) for run in runs]
    return [
        _run_column(runs),
        column("time", runs, lambda run: clean(run.time), right=False, spare=2),
        Column("age", ages, spare=1),
        _size_column(sizes),
    ]


def _run_column(runs: Sequence[Trashed]) -> Column:
    return column("run", runs, lambda run: clean(run.place) + " (search)" * run.is_search, right=False, key=True)


def _size_column(sizes: Sequence[int]) -> Column:
    return Column("size", list(map(_bytes, sizes)))


def _counted(runs: Sequence[Trashed]) -> str:
    """How many runs, and of how many searches there are files without runs."""
    searches = sum(run.is_search for run in runs)
    texts = [counted(len(runs) - searches, "run")] * (len(runs) > searches or not runs)
    return " and ".join(texts + [f"the files of {counted(searches, 'search')}"] * (searches > 0))


def _bytes(count: int) -> str:
    """Bytes as people read them: 950 B, 4.1 kB, 12 MB."""
    for unit, size in UNITS:
        if count >= size:
            return f"{count / size:.{int(count < 10 * size)}f} {unit}"
    return f"{count} B"
