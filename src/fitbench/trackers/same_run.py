"""Finds a run again among those that a tracker has under its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from fitbench.record.files import exists
from fitbench.trackers.description import Description


class _Held(Protocol):
    """A run that a place has under the key of a run of ours."""

    @property
    def folder(self) -> str | None:
        """The run folder that it was sent from."""

    @property
    def host(self) -> str | None:
        """The machine that it was sent from; None if that is unknown."""

    @property
    def finished_at(self) -> str | None:
        """See `Tracker.finished_at`."""

    def losses(self) -> Mapping[int, float | None]:
        """See `Tracker.losses`."""


Held = TypeVar("Held", bound=_Held)


def same_run(run: Description, candidates: Sequence[Held], is_same: Callable[[Any, Any], bool]) -> Held | None:
    """Which of the runs that a place has under the key of a run is this run; None: none of them.

    Two outputs folders may have runs of the same study and run_id. A run is that which was sent from the same folder,
    by this machine if there are several: others may share the folder, or have another one of this path. Else it is one
    with the same losses in all common epochs, if there are any, whose folder was copied or moved: both have the same
    `finished_at`, or one is not finished and the folder that it was sent from is gone.

    Args:
        run: the run.
        candidates: those with its `key`.
        is_same: see `Tracker.is_same`.
    """
    of_folder = [each for each in candidates if each.folder == run.folder]
    if of_folder:
        return min(of_folder, key=lambda each: each.host != run.host)
    for each in candidates:
        ends = {each.finished_at, run.finished_at}
        is_copy, is_moved = len(ends - {None}) == 1 == len(ends), None in ends and not exists(each.folder or "")
        losses = each.losses() if is_copy or is_moved else {}
        common = losses.keys() & run.losses.keys()
        if common and all(is_same(losses[epoch], run.losses[epoch]) for epoch in common):
            return each
    return None
