"""What became of runs that were published, as people and scripts read it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fitbench.columns import Note, Table, column, print_tables
from fitbench.publish.recorded import Recorded
from fitbench.text import clean, console, counted, first_of, without_password

NEW, UPDATED, UNCHANGED, LOGGED, FAILED = "new", "updated", "unchanged", "logged", "failed"
COUNTED = ("epochs", "files", "tags", "metrics", "parameters")
SHOWN = ("epochs", "files", "tags")  # those that people see; JSON has all
NAMED = 2  # runs of which a failure is said
LISTED = 20  # with more runs, those that are unchanged are counted and not listed


@dataclass
class Outcome:
    """What became of a run.

    Attributes:
        folder: of the run.
        run: what was read of it; None if it could not be read.
        sent: how many epochs, metrics, tags and files the tracker got, by these words.
        is_new: whether the tracker did not have the run, or had another training of it.
        reason: why it was not sent, or not as a whole; '' if it was.
        is_refused: whether the tracker is the reason.
        is_logged: whether the run was left out, because it is being trained and its logger sends it.
    """

    folder: Path
    run: Recorded | None = None
    sent: Counter[str] = field(default_factory=Counter)
    is_new: bool = False
    reason: str = ""
    is_refused: bool = False
    is_logged: bool = False

    @property
    def kind(self) -> str:
        """'new', 'updated', 'unchanged', 'logged' or 'failed'."""
        if self.reason or self.is_logged:
            return FAILED if self.reason else LOGGED
        return NEW if self.is_new else UPDATED if +self.sent else UNCHANGED

    @property
    def content(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "folder": str(self.folder),
            "study": self.run and self.run.description.study,
            "run_id": self.run.description.run_id if self.run else self.folder.name,
            "state": self.run and self.run.run.state.value,
            "outcome": self.kind,
            "sent": {name: self.sent[name] for name in COUNTED},
            "error": self.reason or None,
        }


def print_outcomes(outcomes: Sequence[Outcome], to: str, uri: str | None, format: str, dry_run: bool) -> None:
    """Print what became of runs, or in a dry run what would be sent.

    Args:
        outcomes: of the runs.
        to: the name of the tracker.
        uri: where it is; None: its default.
        format: 'table' or 'json'.
        dry_run: whether nothing was sent.
    """
    if format == "json":
        print(json.dumps([outcome.content for outcome in outcomes], indent=2))
        return
    kinds = Counter(outcome.kind for outcome in outcomes)
    count = ", ".join(f"{kinds[kind]:,} {kind}" for kind in (NEW, UPDATED, UNCHANGED, LOGGED, FAILED) if kinds[kind])
    place = f" at {without_password(uri)}" if uri else ""
    notes = [f"{counted(len(outcomes), 'run')} to {to}{place}: {count}"]
    if kinds[LOGGED]:
        notes.append(
            f"logged: being trained; logger={to} sends the epochs, and publish the rest when the run has ended"
        )
    if dry_run:
        notes = [f"{counted(len(outcomes), 'run')}; nothing is sent, and {to} is not asked what it has already"]
    listed = [each for each in outcomes if len(outcomes) <= LISTED or each.kind != UNCHANGED]
    print_tables(console(), [_table(listed, dry_run, [*_reasons(listed), *notes])])


def _reasons(outcomes: Sequence[Outcome]) -> list[str]:
    """Why runs failed, each reason once with the first runs that it is about."""
    failed: dict[str, list[str]] = {}
    for each in outcomes:
        if each.reason:
            failed.setdefault(each.reason, []).append(each.folder.name)
    return [f"{first_of(names, NAMED)}: {reason}" for reason, names in failed.items()]


def _table(outcomes: Sequence[Outcome], dry_run: bool, notes: Sequence[str]) -> Table:
    is_one_study = len({each.folder.parent for each in outcomes}) < 2
    texts: list[tuple[str, Callable[[Outcome], str]]] = [
        ("run", lambda each: clean("" if is_one_study else f"{each.folder.parent.name}/") + clean(each.folder.name)),
        ("state", lambda each: each.run.run.state.value if each.run else ""),
        *[("outcome", lambda each: each.kind)] * (not dry_run),
    ]
    columns = [
        *(column(name, outcomes, cell, right=False, key=name == "run") for name, cell in texts),
        *(column(name, outcomes, partial(_count, name)) for name in SHOWN),
    ]
    return Table("", [each for each in columns if any(each.cells)], [Note(text, "") for text in notes])


def _count(name: str, outcome: Outcome) -> str:
    return f"{outcome.sent[name]:,}" if outcome.sent[name] else ""
