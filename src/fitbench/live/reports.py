"""What the report shows of each study, collected again when runs have ended, for a small share of the time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fitbench.analysis.frame import frame_of
from fitbench.analysis.rows import Row
from fitbench.errors import RequestError
from fitbench.live.budget import Budget
from fitbench.record.folder import LeftOut
from fitbench.report.studies import Wanted, sets_of


@dataclass
class Report:
    """What a study holds on the page.

    Attributes:
        revision: rises when runs have ended since the content was collected; 0 without a finished run.
        risen: the last revision that it has had.
        ended: what this revision is of, which is equal as long as no run has ended.
        is_waiting: whether runs have ended since.
        content: an element of `studies` of the page's content, of the revision `collected`.
        left_out: what cannot be read of the study, and why.
    """

    revision: int = 0
    risen: int = 0
    ended: object = None
    is_waiting: bool = False
    collected: int = 0
    content: dict[str, Any] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=list)


class Reports:
    """The reports of all studies, by name.

    Args:
        wanted: what a person asks for.
        paths: those that were given.
    """

    def __init__(self, wanted: Wanted, paths: Sequence[str | Path]) -> None:
        self._wanted = wanted
        self._paths = paths
        self._reports: dict[str, Report] = {}
        self._budget = Budget()
        self._lock = threading.Lock()

    def revision(self, study: str, ended: object, is_finished: bool) -> int:
        """The revision of a report, which rises when there is time to collect it.

        Args:
            study: its name.
            ended: what changes when a run of the study ends.
            is_finished: whether a run has finished.
        """
        report = self._reports.setdefault(study, Report())
        if not is_finished:
            report.revision, report.ended = 0, None
        elif report.ended != ended and self._budget.is_ready:
            report.risen += 1
            report.revision, report.ended = report.risen, ended
        report.is_waiting = is_finished and report.ended != ended
        return report.revision

    @property
    def are_waiting(self) -> bool:
        """Whether a revision will rise when there is time."""
        return any(report.is_waiting for report in self._reports.values())

    def collected(self) -> list[Report]:
        """The reports that have content, which need not be of their revision."""
        return [report for report in [*self._reports.values()] if report.collected and report.revision]

    def get(self, study: str, rows: Callable[[], Sequence[Row]]) -> Report:
        """The report of a study, collected if it is not of its revision.

        Args:
            study: its name, one that `revision` knows.
            rows: gives its runs.
        """
        report = self._reports[study]
        with self._lock:
            if (revision := report.revision) != report.collected:
                _import_libraries()
                with self._budget.spent():
                    self._collect(study, report, revision, rows())
        return report

    def _collect(self, study: str, report: Report, revision: int, rows: Sequence[Row]) -> None:
        left_out: LeftOut = []
        try:
            sets = [content for _, content in sets_of(frame_of(rows, []), study, self._wanted, self._paths, left_out)]
        except RequestError as error:
            sets = []
            left_out.append((study, str(error)))
        report.content = {"name": study, "sets": sets, "report": revision}
        report.left_out, report.collected = left_out, revision


def _import_libraries() -> None:
    """Import what collecting imports first: that takes a second once, and would delay the second report by twenty."""
    import pandas  # noqa: F401
    import scipy.stats  # noqa: F401
