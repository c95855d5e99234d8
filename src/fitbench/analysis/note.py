"""`fitbench note`: the tags and the notes of runs, shown or changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fitbench.analysis.chosen_runs import Choice, chosen_runs
from fitbench.analysis.frame import say_left_out, without_folder
from fitbench.columns import Note, Table, column, print_tables
from fitbench.errors import FitbenchError, RequestError
from fitbench.record.files import exists
from fitbench.record.naming import find_run
from fitbench.record.notes import Notes, change_notes, check_tags, read_notes
from fitbench.stderr import write_note
from fitbench.text import check_format, clean, console, counted, hint

LISTED = 10  # changed runs that are listed
PATHS = ("", ".", "..", "~")  # what a path begins with


@dataclass(frozen=True)
class Change:
    """What is changed: the note unless it is None ('' removes it), and tags that are added and removed."""

    note: str | None
    add: Sequence[str]
    remove: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is changed."""
        return self.note is None and not self.add and not self.remove

    def write(self, folders: Sequence[Path]) -> None:
        """Change the notes of these runs.

        Raises:
            FitbenchError: a file cannot be written.
        """
        try:
            change_notes(folders, lambda noted: noted.changed(self.note, self.add, self.remove))
        except OSError as error:
            raise FitbenchError(f"{error.filename or 'notes.json'}: cannot be written ({error.strerror})") from error


def note(
    choice: Choice,
    text: str | None,
    add: Sequence[str],
    remove: Sequence[str],
    format: str,
    replace_notes: bool = False,
) -> None:
    """Change the tags and the note of runs, or show them if nothing is to be changed.

    Args:
        choice: the runs. Its last name is the note if `is_text` says so.
        text: the note; '' removes it, None keeps it.
        add, remove: tags, each text may hold several with commas.
        format: 'table', or 'json' for a list of objects.
        replace_notes: whether notes of several runs may be replaced. That of a single run always may.

    Raises:
        RequestError: the runs, a tag or the format are wrong. Nothing is changed.
        FitbenchError: a notes.json is damaged, or cannot be written.
    """
    check_format(format, ("table", "json"))
    if text is None and is_text(choice):
        *names, text = choice.names
        choice = replace(choice, names=names)
    change = Change(text, _tags("--add", add), _tags("--remove", remove))
    if both := {*change.add} & {*change.remove}:
        raise RequestError(f"--add and --remove both name {', '.join(sorted(both))}")
    if choice.is_empty and not change.is_empty:
        raise RequestError("which runs? name them before the text, or select them with --where or --study")
    folders = _runs(choice, with_text=text is not None)
    if change.is_empty:
        shown = _readable(folders)
        _print_json(shown) if format == "json" else _show(shown)
        return
    before = {folder: read_notes(folder) for folder in folders}
    _check_removed(change.remove, list(before.values()))
    if not replace_notes:
        _check_replaced(change.note, list(before.values()))
    change.write(folders)
    after = {folder: read_notes(folder) for folder in folders}
    _print_json(after) if format == "json" else _say_changed(before, after)
    _say_replaced(before, after)


def is_text(choice: Choice) -> bool:
    """Whether the last of the names is a note: it has white space, is no path, and other words choose the runs.

    A run_id has no white space. So a run that is misspelt is never taken for a note.

    Raises:
        RequestError: it has white space and may be meant as a run nevertheless.
    """
    if not choice.names or (len(choice.names) == 1 and not choice.is_filtered):
        return False
    last = choice.names[-1]
    if last == "":
        return True
    stripped = last.strip()
    is_word = len(stripped.split()) < 2
    begin = stripped.partition("/")[0]
    is_name = is_word or begin in PATHS or exists(begin) or exists(choice.outputs / begin)
    if (is_name and last != stripped) or (stripped.startswith("@") and not is_word):
        raise RequestError(f"{last!r}: a run or a note? A run has no white space; a note of this kind needs --text")
    return not is_name and not _names_a_run(last, choice.outputs)


def _names_a_run(text: str, outputs: Path) -> bool:
    try:
        find_run(text, outputs)
    except RequestError:
        return False
    return True


def _runs(choice: Choice, with_text: bool) -> list[Path]:
    """The chosen runs. If the last of several names fits no run, it may be a note of one word."""
    try:
        return chosen_runs(choice)
    except RequestError as error:
        one_word = not with_text and choice.names and (len(choice.names) > 1 or choice.is_filtered)
        if not one_word or exists(choice.names[-1]) or repr(choice.names[-1]) not in str(error):
            raise
        raise RequestError(f"{error}\nA note of one word needs --text {choice.names[-1]}") from error


def _tags(option: str, texts: Sequence[str]) -> list[str]:
    """The tags of an option, each once."""
    for text in texts:
        if not text.strip(", \t\n"):
            raise RequestError(f"{option} {text!r} names no tag; give TAG or TAG,TAG")
    tags = list(dict.fromkeys(tag for text in texts for tag in map(str.strip, text.split(",")) if tag))
    check_tags(tags)
    return tags


def _check_removed(tags: Sequence[str], before: Sequence[Notes]) -> None:
    """Refuse a tag that none of the runs has, as a misspelt one."""
    there = sorted({tag for noted in before for tag in noted.tags})
    for tag in tags:
        if tag not in there:
            runs = counted(len(before), "run")
            raise RequestError(f"--remove {tag}: none of the {runs} has this tag; {hint(tag, there)}")


def _check_replaced(note: str | None, before: Sequence[Notes]) -> None:
    """Refuse to replace or remove notes of several runs."""
    count = sum(noted.note not in ("", note) for noted in before)
    if note is not None and len(before) > 1 and count:
        what = "1 of these runs has another note already; --replace replaces it"
        if count > 1:
            what = f"{count:,} of these runs have another note already; --replace replaces them"
        raise RequestError(what)


def _readable(folders: Sequence[Path]) -> dict[Path, Notes]:
    """The notes of the runs; those that are damaged are named on stderr."""
    notes, unread = {}, []
    for folder in folders:
        try:
            notes[folder] = read_notes(folder)
        except FitbenchError as error:
            unread.append((str(folder), without_folder(error, str(folder))))
    if unread and not notes:
        raise FitbenchError("; ".join(f"{folder}: {why}" for folder, why in unread[:LISTED]))
    say_left_out(unread)
    return notes


# -- what is printed --------------------------------------------------------------------------------------------------


def _print_json(notes: Mapping[Path, Notes]) -> None:
    runs = [{"folder": str(folder), **noted.content()} for folder, noted in notes.items()]
    print(json.dumps(runs, indent=2))


def _show(notes: Mapping[Path, Notes]) -> None:
    """Print everything about one run, or a line for each of several runs that has tags or a note."""
    out = console()
    if len(notes) == 1:
        [(folder, only)] = notes.items()
        out.print(clean(folder), style="dim", soft_wrap=True)
        if only == Notes():
            out.print("no tags and no note")
        if only.tags:
            out.print(f"tags {', '.join(only.tags)}", style="cyan", soft_wrap=True)
        for line in only.note.splitlines():
            out.print(clean(line), soft_wrap=True)
        return
    noted = [(folder, each) for folder, each in notes.items() if each != Notes()]
    without = len(notes) - len(noted)
    count = f"{counted(len(noted), 'run')} with tags or a note" + (f", {without:,} without" if without else "")
    print_tables(out, [_table("", noted, [count])])


def _say_changed(before: Mapping[Path, Notes], after: Mapping[Path, Notes]) -> None:
    """The runs whose notes are now others, and how many were as wanted before."""
    changed = [(folder, noted) for folder, noted in after.items() if noted != before[folder]]
    unchanged = len(after) - len(changed)
    title = f"Noted {counted(len(changed), 'run')}" + (f"; {unchanged:,} had this before" if unchanged else "")
    more = len(changed) - LISTED
    notes = [f"and {more:,} more"] * (more > 0)
    print_tables(console(), [_table(title, changed[:LISTED], notes)])


def _say_replaced(before: Mapping[Path, Notes], after: Mapping[Path, Notes]) -> None:
    """Every note that was replaced, with its run, as it is kept nowhere else."""
    for folder, old in before.items():
        if old.note and old.note != after[folder].note:
            write_note(f"the note of {clean(_name(folder))} was: {clean(old.note)}")


def _name(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def _table(title: str, runs: Sequence[tuple[Path, Notes]], notes: Sequence[str]) -> Table:
    columns = [
        column("run", runs, lambda run: clean(_name(run[0])), right=False, key=True),
        column("tags", runs, lambda run: ", ".join(run[1].tags), right=False, key=True),
        column("note", runs, lambda run: clean(" ".join(run[1].note.split())), right=False, key=True),
    ]
    return Table(title, [each for each in columns if any(each.cells)], [Note(text, "") for text in notes])
