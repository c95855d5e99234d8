"""What fitbench asks of a place that shows runs."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from fitbench.config.identity import NOT_IDENTITY
from fitbench.config.nested import leaves
from fitbench.config.run_names import parse_run_id
from fitbench.errors import FitbenchError, RequestError
from fitbench.record.files import exists
from fitbench.record.folder import State
from fitbench.text import encodable


class TrackerError(FitbenchError):
    """The client of a tracker has failed, as when its server does not answer."""


@dataclass(frozen=True)
class Description:
    """What a tracker is told of a run before its values.

    Attributes:
        study: of the run.
        run_id: of the run.
        config: the resolved configuration, nested, as config.yaml and result.json hold it.
        tags: further texts by name, as a person gave them to the run.
        note: a person's remark, empty if there is none.
        folder: the absolute path of the run folder.
        began: when the run began, in seconds since 1970; None: now.
        losses: the training loss of each epoch that is recorded so far, None where it is undefined.
        finished_at: of result.json; None if there is none yet.
    """

    study: str
    run_id: str
    config: Mapping[str, Any]
    tags: Sequence[str] = ()
    note: str = ""
    folder: str = ""
    began: float | None = None
    losses: Mapping[int, float | None] = field(default_factory=dict)
    finished_at: str | None = None

    @property
    def key(self) -> str:
        """What names the run in every tracker, in each attempt and when it is published: `<study>/<run_id>`."""
        return f"{self.study}/{self.run_id}"

    @property
    def facts(self) -> dict[str, str]:
        """Texts by which a tracker finds and groups runs: study, data, model, optimizer, seed, fold, config_id."""
        name = parse_run_id(self.run_id)
        facts = {
            "study": self.study,
            **{section: self.config[section].get("name") for section in ("data", "model", "optimizer")},
            "seed": self.config.get("seed"),
            "fold": self.config.get("fold"),
            "config_id": None if name is None else name.config_id,
        }
        return {key: encodable(str(value)) for key, value in facts.items() if value is not None}

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the configuration that make the run what it is, by their full keys, the seed and fold too."""
        left_out = set(NOT_IDENTITY) - {"seed", "fold"}
        return {
            encodable(key): encodable(value) if isinstance(value, str) else value
            for key, value in leaves(self.config, lists=False)
            if key not in left_out and key.split(".")[0] not in left_out and value not in (None, {}, [])
        }


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
        where: an address or a folder, for messages.
        run: what it is told of the run.
    """

    name: ClassVar[str]
    where: str
    run: Description

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


class Sender:
    """Sends the epochs of a run to a tracker, each of them once.

    An epoch that the tracker has is not sent again. If it has another loss for one of them, or epochs that the run does
    not have in the end, the run was trained again: then the tracker restarts and gets all epochs.

    Args:
        tracker: opened for the run.

    Raises:
        TrackerError: the client failed, as in its methods.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.held = tracker.losses()
        self.compared = 0  # epochs of the history that the tracker has
        tracker.describe()

    def send(
        self,
        history: Sequence[Mapping[str, Any]],
        ended: float,
        is_over: bool = False,
        finished_at: str | None = None,
    ) -> None:
        """Send the epochs that the tracker lacks.

        Args:
            history: all epochs of the run so far, in order.
            ended: when the last of them ended, in seconds since 1970.
            is_over: whether no epoch follows.
            finished_at: of the result, if there is one.
        """
        if self._is_other(history, is_over, finished_at):
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
        is_over = state in (State.finished, State.pruned)
        self.send(history, ended, is_over, (result or {}).get("finished_at"))
        if result is not None:
            self.tracker.result(final_values(result), ended)
        self.tracker.facts(final_facts(result or {}) | {"error": error})
        self.tracker.state(state, ended)

    def _is_other(self, history: Sequence[Mapping[str, Any]], is_over: bool, finished_at: str | None) -> bool:
        """Whether the tracker has epochs, or the result, of another training of the run."""
        if None not in (finished_at, before := self.tracker.finished_at()) and finished_at != before:
            return True
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


def final_values(result: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that a run ends with, by their names in a tracker; those that are null are left out.

    These are the metrics of result.json or pruned.json. Those of the validation part, whose names are in every epoch,
    too, begin with `final_`. Beside them are the number of weights and the seconds of training.

    Args:
        result: what result.json or pruned.json holds.
    """
    timing = result.get("timing") or {}
    values = {f"final_{key}" if key.startswith("val_") else key: value for key, value in result["metrics"].items()}
    values |= {"parameters": result.get("parameters"), "fit_seconds": timing.get("fit_seconds")}
    return {key: value for key, value in values.items() if value is not None}


def final_facts(result: Mapping[str, Any]) -> dict[str, str | None]:
    """Texts that tell how a run was made: data, commit, device, versions, and when it finished; what is unknown lacks.

    Args:
        result: what result.json or pruned.json holds.
    """
    git = result.get("git") or {}
    facts = {
        "data_sha256": (result.get("data") or {}).get("sha256"),
        "git_commit": git.get("commit"),
        "git_dirty": git.get("dirty"),
        "device": result.get("device"),
        "finished_at": result.get("finished_at"),
        **{f"versions.{name}": version for name, version in (result.get("versions") or {}).items()},
    }
    return {encodable(key): encodable(str(value)) for key, value in facts.items() if value is not None}


class _Held(Protocol):
    """A run that a place has under the key of a run of ours."""

    @property
    def folder(self) -> str | None:
        """The run folder that it was sent from."""

    @property
    def finished_at(self) -> str | None:
        """See `Tracker.finished_at`."""

    def losses(self) -> Mapping[int, float | None]:
        """See `Tracker.losses`."""


Held = TypeVar("Held", bound=_Held)


def same_run(run: Description, candidates: Sequence[Held], is_same: Callable[[Any, Any], bool]) -> Held | None:
    """Which of the runs that a place has under the key of a run is this run; None: none of them.

    Two outputs folders may have runs of the same study and run_id. A run is that which was sent from the same folder.
    Else it is one with the same losses in all common epochs, if there are any, whose folder was copied or moved: both
    have the same `finished_at`, or one is not finished and the folder that it was sent from is gone.

    Args:
        run: the run.
        candidates: those with its `key`.
        is_same: see `Tracker.is_same`.
    """
    for each in candidates:
        if each.folder == run.folder:
            return each
    for each in candidates:
        ends = {each.finished_at, run.finished_at}
        is_copy, is_moved = len(ends - {None}) == 1 == len(ends), None in ends and not exists(each.folder or "")
        losses = each.losses() if is_copy or is_moved else {}
        common = losses.keys() & run.losses.keys()
        if common and all(is_same(losses[epoch], run.losses[epoch]) for epoch in common):
            return each
    return None


def without_password(address: str) -> str:
    """An address for a message."""
    return re.sub(r"(?<=://)([^/@]*):[^/@]*@", r"\1:***@", address)


def needs(name: str, key: str) -> RequestError:
    """The error of a tracker whose package is not installed; `key` is what asks for it, such as `logger=mlflow`."""
    return RequestError(f"{key} needs pip install 'fitbench[{name}]'")
