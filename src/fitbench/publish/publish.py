"""`fitbench publish`: recorded runs sent to a tracker, each of them once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from fitbench.analysis.chosen_runs import Choice, chosen_runs
from fitbench.analysis.frame import load_runs, say_unread
from fitbench.analysis.studies import newest_studies
from fitbench.publish.outcome import Outcome, print_outcomes
from fitbench.publish.sending import look, send
from fitbench.stderr import show_live, write_note
from fitbench.text import check_format, clean, counted
from fitbench.trackers.description import Description
from fitbench.trackers.opening import opener
from fitbench.trackers.tracker import Tracker

MOST_REFUSALS = 2  # by the tracker, one after the other, behind which nothing more is tried


def publish(
    choice: Choice, to: str, uri: str | None, with_model: bool = True, dry_run: bool = False, format: str = "table"
) -> int:
    """Send recorded runs to a tracker, and print what became of each; gives the exit status.

    Args:
        choice: the runs; an empty one stands for the newest study.
        to: the name of the tracker.
        uri: where it is; None: its default.
        with_model: whether models are sent.
        dry_run: whether the runs are only listed; then the tracker is not asked what it has.
        format: 'table', or 'json' for a list of objects.

    Raises:
        RequestError: the choice, the tracker or the format is wrong, or the package of the tracker is not installed.
    """
    check_format(format, ("table", "json"))
    open_tracker = opener(to, uri)
    folders = _newest_study(choice.outputs) if choice.is_empty else chosen_runs(choice)
    if dry_run:
        outcomes = [look(folder, with_model) for folder in folders]
    else:
        outcomes = list(_sent(folders, to, open_tracker, with_model))
    print_outcomes(outcomes, to, uri, format, dry_run)
    return int(any(outcome.reason for outcome in outcomes))


def _newest_study(outputs: Path) -> list[Path]:
    """The runs of the newest study, which is said on stderr if there are others."""
    frame = load_runs(outputs)
    say_unread(frame)
    studies = newest_studies(frame)
    if len(studies) > 1:
        others = counted(len(studies) - 1, "other study") if len(studies) == 2 else f"{len(studies) - 1} other studies"
        write_note(f"study {clean(studies[0])}, the newest; 'fitbench publish {clean(outputs)}' adds {others}")
    return [Path(folder) for folder in frame[frame["study"] == studies[0]]["folder"]] if studies else []


def _sent(
    folders: Sequence[Path], to: str, open_tracker: Callable[[Description], Tracker], with_model: bool
) -> Iterator[Outcome]:
    """What became of each run. Where the tracker refuses several in turn, the others are not tried."""
    refusals = 0
    for number, folder in enumerate(folders, 1):
        if refusals == MOST_REFUSALS:
            yield Outcome(folder, reason="not tried")
            continue
        if sys.stderr.isatty():
            show_live(f"publishing run {number:,} of {len(folders):,}: {clean(folder.name)}")
        outcome = send(folder, to, open_tracker, with_model)
        refusals = refusals + 1 if outcome.is_refused else 0
        yield outcome
    if sys.stderr.isatty():
        show_live("")
