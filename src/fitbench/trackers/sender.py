"""Sends what a run has recorded to a tracker, each epoch once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fitbench.record.folder import State
from fitbench.text import encodable
from fitbench.trackers.ending import final_facts, final_values
from fitbench.trackers.tracker import Epoch, Tracker


class Sender:
    """Sends the epochs of a run to a tracker, each of them once.

    An epoch that the tracker has is not sent again. If the tracker has the result of another training, another loss for
    an epoch, or epochs that the run does not have in the end, the run is trained again: then the tracker restarts and
    gets all epochs.

    Args:
        tracker: opened for the run.

    Raises:
        TrackerError: the client failed, as in its methods.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        if tracker.finished_at() not in (None, tracker.run.finished_at):
            tracker.restart()
        self.held = tracker.losses()
        self.compared = 0  # epochs of the history that the tracker has
        tracker.describe()

    def send(self, history: Sequence[Mapping[str, Any]], ended: float, is_over: bool = False) -> None:
        """Send the epochs that the tracker lacks.

        Args:
            history: all epochs of the run so far, in order.
            ended: when the last of them ended, in seconds since 1970.
            is_over: whether no epoch follows.
        """
        if self._is_other(history, is_over):
            self.tracker.restart()
            self.tracker.describe()
            self.held, self.compared = {}, 0
        epochs = _epochs(history, ended)[self.compared :]
        if lacking := [epoch for epoch in epochs if epoch.number not in self.held]:
            self.tracker.epochs(lacking)
        self.compared = len(history)

    def end(
        self,
        history: Sequence[Mapping[str, Any]],
        result: Mapping[str, Any] | None,
        state: State,
        ended: float,
        error: str | None = None,
    ) -> None:
        """Send all that there is of a run that does not go on now.

        Args:
            history: all its epochs.
            result: what result.json or pruned.json holds, None if there is neither.
            state: of the run.
            ended: when it ended, in seconds since 1970.
            error: the line that says why it failed.
        """
        self.send(history, ended, is_over=state in (State.finished, State.pruned))
        if result is not None:
            self.tracker.result(final_values(result), ended)
        self.tracker.facts(final_facts(result or {}) | {"error": error})
        self.tracker.state(state, ended)

    def _is_other(self, history: Sequence[Mapping[str, Any]], is_over: bool) -> bool:
        """Whether the tracker has epochs of another training of the run."""
        for line in history[self.compared :]:
            number = line["epoch"]
            if number in self.held and not self.tracker.is_same(self.held[number], line.get("loss")):
                return True
        last = max((line["epoch"] for line in history), default=0)
        return is_over and any(number > last for number in self.held)


def _epochs(history: Sequence[Mapping[str, Any]], ended: float) -> list[Epoch]:
    """The lines of a history with the times at which the epochs ended, by the seconds that each took."""
    epochs = []
    for line in reversed(history):
        values = {encodable(key): value for key, value in line.items() if key != "epoch"}
        epochs.append(Epoch(line["epoch"], values, ended))
        ended -= line.get("seconds") or 0.0
    return epochs[::-1]
