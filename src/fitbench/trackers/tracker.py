"""What fitbench asks of a place that shows runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from fitbench.errors import FitbenchError
from fitbench.record.folder import State
from fitbench.trackers.description import Description


class TrackerError(FitbenchError):
    """The client of a tracker has failed, as when its server does not answer."""


@dataclass(frozen=True)
class Epoch:
    """One line of history.jsonl, for a tracker.

    Attributes:
        number: of the epoch, from 1.
        values: by the names that history.jsonl has, None where undefined.
        ended: when the epoch ended, in seconds since 1970.
    """

    number: int
    values: Mapping[str, float | None]
    ended: float


class Tracker(ABC):
    """A place that shows runs, opened for one run. The exceptions of its client are raised as `TrackerError`.

    Opening sends nothing, and finds the run again if the place has it. Epochs are sent by a `Sender`.

    Attributes:
        name: of the place, as in `logger=NAME`, `--to NAME` and fitbench[NAME].
        modules: those that it imports of its package, and of what that needs.
        where: an address or a folder, for messages.
        run: what it is told of the run.
    """

    name: ClassVar[str]
    modules: ClassVar[tuple[str, ...]]
    where: str
    run: Description

    @classmethod
    @abstractmethod
    def for_training(cls, run: Description, folder: Path, settings: Any) -> Tracker:
        """Open it for a run that is trained now.

        Args:
            run: the run.
            folder: of the run.
            settings: what the section `logger` of the configuration has for this tracker.
        """

    @classmethod
    @abstractmethod
    def for_publishing(cls, run: Description, uri: str | None) -> Tracker:
        """Open it for a recorded run, at an address or in a folder; None: where the run is by default."""

    @cached_property
    def sent(self) -> Counter[str]:
        """How many runs, parameters, tags, epochs, metrics and files the place did not have, by these words."""
        return Counter()

    @abstractmethod
    def losses(self) -> dict[int, float | None]:
        """The training loss of each epoch, from 1, that the place has of this run; None where it is undefined."""

    @abstractmethod
    def restart(self) -> None:
        """Put away what the place has of this run, which was trained again: it begins with no epochs."""

    @abstractmethod
    def describe(self) -> None:
        """Send the description. Where the place has it, nothing changes."""

    @abstractmethod
    def epoch(self, epoch: Epoch) -> None:
        """Send an epoch that the place does not have."""

    def epochs(self, epochs: Sequence[Epoch]) -> None:
        """Send epochs that the place does not have, in order."""
        for epoch in epochs:
            self.epoch(epoch)

    @abstractmethod
    def result(self, values: Mapping[str, float], ended: float) -> None:
        """Send what a run ends with, and when, in seconds since 1970. Where the place has it, nothing changes."""

    @abstractmethod
    def facts(self, facts: Mapping[str, str | None]) -> None:
        """Send texts about the run by their names; None removes one. Where the place has them, nothing changes."""

    def finished_at(self) -> str | None:
        """The `finished_at` of the result that the place has; None if it has none, or keeps no such thing."""
        return None

    @abstractmethod
    def file(self, path: Path) -> None:
        """Send a file, such as the model or a picture, under its name. Where the place has it, nothing changes."""

    def files(self) -> Collection[str]:
        """The names of the files that the place is known to have of this run."""
        return ()

    @abstractmethod
    def state(self, state: State, since: float) -> None:
        """Say in which state the run is, and since when, in seconds since 1970. The same state changes nothing."""

    @abstractmethod
    def close(self) -> None:
        """Wait until everything is sent, and let the place go."""

    @staticmethod
    def is_same(held: float | None, loss: float | None) -> bool:
        """Whether a loss that the place holds is this one, in the precision of the place."""
        return held == loss
