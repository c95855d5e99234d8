"""notes.json: the tags and the note that people give a run. Training neither reads nor removes the file."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from fitbench.errors import RequestError
from fitbench.record.claims import Claimed, claim
from fitbench.record.files import exists, make_folder, read_object, write_whole
from fitbench.record.schemas import LONGEST_TAG, MOST_TAGS, NotesFile, check, is_tag

FILE = "notes.json"
SCHEMA = 1
LOCK = ".notes"  # a folder in the study, while notes of its runs are written
MOST_VALUES = 1_000  # in a file
LONGEST_NOTE = 5_000  # characters
POLL_SECONDS = 0.02
ATTEMPTS = 3  # to write a file: training removes unfinished files when it begins
ADVICE = "; move the file away, then the run can have other tags and another note"


@dataclass(frozen=True)
class Notes:
    """What people noted of a run: tags in alphabetical order, and a note, '' without one."""

    tags: tuple[str, ...] = ()
    note: str = ""

    def changed(self, note: str | None, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Notes:
        """With these tags added and removed, and with another note unless that is None."""
        tags = ({*self.tags} | {*add}) - {*remove}
        return Notes(tuple(sorted(tags)), self.note if note is None else note)

    def content(self) -> dict[str, Any]:
        """As JSON has them; the note is null without one."""
        return {"tags": list(self.tags), "note": self.note or None}


def read_notes(folder: str | Path) -> Notes:
    """What people noted of a run; empty if there is no notes.json.

    Raises:
        FitbenchError: the file is damaged; the message names it and the key.
    """
    if not exists(f"{folder}/{FILE}"):
        return Notes()
    try:
        content = read_object(folder, FILE, SCHEMA, ADVICE, MOST_VALUES)
    except FileNotFoundError:
        return Notes()
    checked = check(NotesFile, content, f"{folder}/{FILE}: ", ADVICE)
    return Notes(tuple(sorted({*checked.tags})), checked.note or "")


def check_tags(tags: Iterable[str]) -> None:
    """Refuse what cannot be a tag.

    Raises:
        RequestError: with what a tag is.
    """
    for tag in tags:
        if not is_tag(tag):
            raise RequestError(
                f"{tag!r:.80} is no tag; a tag begins with a letter or digit and has up to {LONGEST_TAG} letters, "
                "digits and _ - . : / + @"
            )


def change_notes(folders: Sequence[Path], change: Callable[[Notes], Notes]) -> None:
    """Change what is noted of runs. What another process notes of them at the same time is kept.

    Args:
        folders: of the runs.
        change: gives the new notes from those that are there.

    Raises:
        RequestError: a run has gone, or would have too many tags or too long a note.
        FitbenchError: a notes.json is damaged.
        OSError: a file cannot be written.
    """
    for study, runs in groupby(sorted(folders), key=lambda folder: folder.parent):
        with _locked(study):
            for folder in runs:
                before = read_notes(folder)
                if (after := change(before)) != before:
                    _write(folder, after)


def _write(folder: Path, notes: Notes) -> None:
    if len(notes.tags) > MOST_TAGS:
        raise RequestError(f"{folder}: would have {len(notes.tags)} tags; a run has up to {MOST_TAGS}")
    if len(notes.note) > LONGEST_NOTE:
        raise RequestError(f"{folder}: the note has {len(notes.note):,} characters; it may have {LONGEST_NOTE:,}")
    if notes == Notes():
        (folder / FILE).unlink(missing_ok=True)
        return
    content = {"schema": SCHEMA, **notes.content()}
    for attempt in range(ATTEMPTS):
        try:
            write_whole(folder / FILE, json.dumps(content, indent=1) + "\n")
        except FileNotFoundError:
            if not exists(folder):
                raise RequestError(f"{folder} has gone; another process has moved it meanwhile") from None
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return


@contextlib.contextmanager
def _locked(study: Path) -> Iterator[None]:
    """In this block no other process changes notes of the runs in this folder."""
    lock = study / LOCK
    with contextlib.ExitStack() as held:
        held.callback(_remove_empty, lock)
        while True:
            try:
                make_folder(lock)
                held.enter_context(claim(lock))
                break
            except (Claimed, FileNotFoundError):  # held, or just released and the folder removed
                if not exists(study):
                    raise RequestError(f"{study} has gone; another process has moved it meanwhile") from None
                time.sleep(POLL_SECONDS)
        yield


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # another process has taken the lock
        folder.rmdir()
