"""One recorded run sent to a tracker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from fitbench.errors import FitbenchError
from fitbench.publish.attachments import drawn_pictures, lacking_pictures, model_of, recorded_pictures
from fitbench.publish.outcome import Outcome
from fitbench.publish.recorded import Recorded, read_recorded
from fitbench.record.claims import claimed
from fitbench.trackers.description import Description
from fitbench.trackers.ending import final_values
from fitbench.trackers.lock import locked
from fitbench.trackers.sender import Sender
from fitbench.trackers.tracker import Tracker, TrackerError


def look(folder: Path, with_model: bool) -> Outcome:
    """What a tracker that has nothing of a run would get."""
    outcome = Outcome(folder, is_new=True)
    try:
        recorded = outcome.run = read_recorded(folder)
        files = _files(recorded, with_model)
        lacking = lacking_pictures(recorded.run, [path.name for path in files])
        values = final_values(recorded.result) if recorded.result else {}
        outcome.sent.update(
            parameters=len(recorded.description.parameters), epochs=len(recorded.run.history), metrics=len(values),
            files=len(files) + len(lacking),
        )  # fmt: skip
    except FitbenchError as error:
        outcome.reason = str(error)
    return outcome


def send(folder: Path, to: str, open_tracker: Callable[[Description], Tracker], with_model: bool) -> Outcome:
    """Send a run, unless it is being trained and its logger sends it to this tracker.

    Another process that publishes the run waits. Why the run could not be read or sent, or not as a whole, is the
    `reason` of the outcome.
    """
    outcome = Outcome(folder)
    try:
        with locked(folder):
            is_claimed = claimed(folder)  # before it is read: it may end in between
            outcome.run = read_recorded(folder)
            outcome.is_logged = is_claimed and bool(outcome.run.description.logger(to))
            if not outcome.is_logged:
                with contextlib.closing(open_tracker(outcome.run.description)) as tracker:
                    outcome.sent = tracker.sent
                    _send(outcome.run, tracker, with_model)
    except FitbenchError as error:
        outcome.reason, outcome.is_refused = str(error), isinstance(error, TrackerError)
    except OSError as error:
        outcome.reason = f"{error.filename or folder}: {error.strerror or error}"
    outcome.is_new = bool(outcome.sent.pop("runs", 0))
    return outcome


def _send(recorded: Recorded, tracker: Tracker, with_model: bool) -> None:
    run = recorded.run
    Sender(tracker).end(run.history, recorded.result, run.state, recorded.ended, recorded.error)
    has_other_values = bool(tracker.sent["epochs"] or tracker.sent["metrics"])
    files = _files(recorded, with_model)
    for path in files:
        tracker.file(path)
    held = () if has_other_values else tracker.files()
    with drawn_pictures(run, [*held, *(path.name for path in files)]) as drawn:
        for path in drawn:
            tracker.file(path)


def _files(recorded: Recorded, with_model: bool) -> list[Path]:
    """What the folder of a run has of its model and its pictures."""
    model = model_of(recorded.run) if with_model else None
    return [*([] if model is None else [model]), *recorded_pictures(recorded.run)]
