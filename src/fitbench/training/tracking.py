"""Tells the trackers of `logger` about a run while it is trained. No Keras here: it begins before the data are read."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fitbench.config import Config
from fitbench.record.claims import Claimed
from fitbench.record.folder import State
from fitbench.record.history import read_history
from fitbench.record.reading import read_pruned, read_result
from fitbench.trackers.lock import locked
from fitbench.trackers.opening import check_installed, opened, refusal
from fitbench.trackers.sender import Sender
from fitbench.trackers.tracker import TrackerError
from fitbench.training.notes import note

PATIENCE = 2.0  # seconds that a tracker has to answer before a signal, to be told how the run ended


class Tracking:
    """Sends the epochs of a run, and how it ends. A tracker that fails in between is left out; the run goes on.

    Args:
        folder: of the run.
        needed: whether a tracker that fails at the beginning refuses the run, which else goes on without it as well.
    """

    def __init__(self, folder: Path, needed: bool = True) -> None:
        self.folder = folder
        self.needed = needed
        self.config: Config | None = None
        self.senders: list[Sender] = []
        self.interrupted: list[Sender] = []  # during whose sending Ctrl-C or another signal came
        self.publishing: dict[str, str] = {}

    def begin(self, config: Config) -> None:
        """Open the trackers of the configuration.

        Raises:
            RequestError: one is not installed, lacks a setting, or is needed and does not answer.
        """
        if config.logger is None:
            return
        self.config = config
        self.publishing = config.logger.publishing()
        check_installed(self.publishing)
        with locked(self.folder):  # while `fitbench publish` sends it
            for name in self.publishing:
                try:
                    self._begin(config, name)
                except TrackerError as error:
                    if self.needed:
                        raise refusal(error) from error
                    self._note(name, error)

    def _begin(self, config: Config, name: str) -> None:
        for tracker in opened(config, self.folder, name):
            try:
                sender = Sender(tracker)
                tracker.state(State.running, time.time())
            except TrackerError:
                with contextlib.suppress(TrackerError):  # it is being told
                    tracker.close()
                raise
            self.senders.append(sender)

    def epochs(self, history: list[dict[str, Any]]) -> None:
        """Send what the trackers lack of the epochs so far."""
        self._each(lambda sender: sender.send(history, time.time()))

    def end(self, state: State | None) -> None:
        """Send what the run has recorded, and its state; None: another process has the run now."""
        if state is not None:
            self._open_again()
        if state is not None and self.senders:
            history = read_history(self.folder)
            result = self._result(state)
            self._each(lambda sender: sender.end(history, result, state, time.time()))
        self._each(lambda sender: sender.tracker.close())

    def _result(self, state: State) -> dict[str, Any] | None:
        if state is State.finished:
            return read_result(self.folder)
        return read_pruned(self.folder) if state is State.pruned else None

    def _open_again(self) -> None:
        """Open the trackers that were interrupted: only they know what they got of what was being sent."""
        senders, self.interrupted = self.interrupted, []
        for sender in senders:
            assert self.config
            try:
                sender.tracker.close()
                self.senders += [Sender(tracker) for tracker in opened(self.config, self.folder, sender.tracker.name)]
            except TrackerError as error:
                self._note(sender.tracker.name, error)

    def _each(self, action: Callable[[Sender], None]) -> None:
        for sender in [*self.senders]:
            began = time.monotonic()
            try:
                action(sender)
            except TrackerError as error:
                self.senders.remove(sender)
                self._note(sender.tracker.name, error)
                with contextlib.suppress(TrackerError):  # it has been told
                    sender.tracker.close()
            except BaseException:  # a signal; a tracker that does not answer is not asked again
                self.senders.remove(sender)
                if time.monotonic() - began < PATIENCE:
                    self.interrupted.append(sender)
                raise

    def _note(self, name: str, error: TrackerError) -> None:
        options, run_id = self.publishing[name], self.folder.name
        note(f"{error}; {run_id} goes on without it, and 'fitbench publish {run_id} {options}' sends what it lacks")


@contextlib.contextmanager
def tracked(config: Config, folder: Path, needed: bool = True) -> Iterator[Tracking]:
    """Send what the run in this block records to the trackers of its configuration, and how the block has ended.

    Args:
        config: of the run.
        folder: of the run.
        needed: as in `Tracking`.

    Raises:
        RequestError: as `Tracking.begin`.
    """
    tracking = Tracking(folder, needed)
    state: State | None = State.interrupted
    try:
        tracking.begin(config)
        yield tracking
        state = State.pruned  # unless it has a result, see below
    except Claimed:
        state = None
        raise
    except Exception:
        state = State.failed
        raise
    except SystemExit as error:
        state = State.failed if type(error) is SystemExit else state  # a signal raises a subclass
        raise
    finally:
        if state is not None and (folder / "result.json").exists():  # with force=true perhaps still an earlier one
            state = State.finished
        tracking.end(state)
