"""What has changed since a page asked last: the answers of the server of the live page.

An answer to /changes is a JSON object:

    token       what the page gives with its next question; `full` is true where the answer holds everything
    now         the server's time, in seconds since 1970
    studies     those that have changed: name; kind (runs, sweep or search); total (runs of the sweep or trials of the
                search, null where it is not known); finished, failed, pruned, interrupted and running (how many runs,
                of a sweep its own; of a search how many trials have ended so, and how many runs are interrupted and
                running); left (seconds until all is done, counted from `newest`; null where it is not known); newest
                (when a run changed last); report (a revision, see `reports`; 0 without a finished run)
    runs        those that have changed: folder; run_id; study; label (what tells it from the others of its study);
                state; epoch (the last one); epochs (how many it has unless something ends it sooner); left (seconds,
                counted from `updated`); metric (the primary one: label, value, digits, and better, which is higher,
                lower or null); updated (when it changed last); error (the line that says what failed)
    gone        folders of runs that are not there any more

Values that are not known are null. A run that is running, or has ended since the page was opened, also has what the
page lacks of its curve:

    curve       from (the position of the first epoch that is given; those from there on are replaced), epoch (a list of
                numbers) and values (a list for each column of history.jsonl, such as loss and val_loss)
    series      what these columns measure, the primary metric first: name (without val_), label, kind, digits, low and
                high, as in the report
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fitbench.analysis.frame import without_folder
from fitbench.analysis.rows import Row
from fitbench.analysis.studies import Which
from fitbench.live.labels import labels
from fitbench.live.records import record
from fitbench.live.reports import Report, Reports
from fitbench.live.run import Run
from fitbench.live.studies import StudyFolder, Summary, summary
from fitbench.live.watch import Watch
from fitbench.record.folder import LeftOut, State
from fitbench.report.studies import Wanted, page_content, title_of
from fitbench.text import encodable

DIGITS = 16  # of the number in a token at most
SOON = 200  # runs whose report is collected before a page is answered


class Changes:
    """The runs of a request, and what has changed of them. Its methods may be called from several threads."""

    def __init__(self, which: Which, by: str | None = None, metric: str | None = None) -> None:
        self._watch = Watch(which)
        self._reports = Reports(Wanted(by, metric, recorded=True), which.paths)
        self._folders: dict[str, StudyFolder] = {}
        self._runs: dict[str, list[Run]] = {}  # by study
        self._summaries: dict[str, Summary] = {}  # by study
        self._changed: dict[str, int] = {}  # by study: the revision of its summary
        self._labelled: dict[str, object] = {}  # by study: the runs that its labels are of
        self._revision = 0
        self._name = secrets.token_hex(4)  # of this server
        self._paths = which.paths
        self._lock = threading.Lock()

    # -- looking ------------------------------------------------------------------------------------------------------

    def scan(self) -> None:
        """Look at all runs once."""
        with self._lock:
            revision = self._revision + 1
            changed = self._watch.scan(revision)
            if changed:
                self._runs = self._by_study()
                self._label(revision)
            changed = self._look_at_folders() or changed
            if changed or self._reports.are_waiting:
                changed = self._summarize(revision) or changed
            self._revision += changed

    def _by_study(self) -> dict[str, list[Run]]:
        studies: dict[str, list[Run]] = defaultdict(list)
        for run in self._watch.runs.values():
            if run.row is not None:
                studies[encodable(run.row["study"])].append(run)
        return dict(studies)

    def _label(self, revision: int) -> None:
        """Label the runs of studies in which runs have come or gone."""
        for study, runs in self._runs.items():
            rows = _rows(runs)
            of = [(row["folder"], row["config_id"]) for row in rows]
            if self._labelled.get(study) == of:
                continue
            self._labelled[study] = of
            for run, label in zip(runs, labels(rows), strict=True):
                if run.label != label:
                    run.label, run.changed = label, revision

    def _look_at_folders(self) -> bool:
        """Look at what lies beside the runs; gives whether that has changed."""
        self._folders = {folder: self._folders.get(folder) or StudyFolder(folder) for folder in self._watch.folders}
        return sum(folder.look() for folder in self._folders.values()) > 0

    def _summarize(self, revision: int) -> bool:
        """Summarize all studies; gives whether a summary has changed."""
        folders: dict[str, list[StudyFolder]] = defaultdict(list)
        studies = {run.parent: study for study, runs in self._runs.items() for run in runs}
        for folder in self._folders.values():
            if folder.search is not None or folder.sweep is not None:
                folders[studies.get(folder.folder) or encodable(Path(folder.folder).name)].append(folder)
        changed = False
        for study in dict.fromkeys([*self._runs, *folders, *self._summaries]):
            runs = self._runs.get(study, [])
            about = summary(study, runs, folders[study])
            ended = frozenset((run.folder, run.read_in) for run in runs if not run.is_running)
            is_finished = any(run.state is State.finished for run in runs)
            about["report"] = self._reports.revision(study, ended, is_finished)
            if about != self._summaries.get(study):
                self._summaries[study], self._changed[study] = about, revision
                changed = True
        return changed

    # -- answering ----------------------------------------------------------------------------------------------------

    def since(self, token: str | None) -> dict[str, Any]:
        """What has changed since an answer with this token; everything if it is none of this server's."""
        with self._lock:
            known = self._known(token)
            newer = -1 if known is None else known
            return {
                "token": f"{self._name}.{self._revision}",
                **({"full": True} if known is None else {}),
                "now": round(time.time(), 3),
                "studies": [about for name, about in self._summaries.items() if self._changed[name] > newer],
                "runs": [record(run, known) for runs in self._runs.values() for run in runs if run.changed > newer],
                "gone": []
                if known is None
                else [encodable(of) for of, when in self._watch.gone.items() if when > known],
            }

    def _known(self, token: str | None) -> int | None:
        """The revision of a token; None if it is none of this server's."""
        name, _, number = (token or "").partition(".")
        is_ours = name == self._name and number.isascii() and number.isdecimal() and len(number) < DIGITS
        return int(number) if is_ours else None

    def page(self) -> dict[str, Any]:
        """The content of the page, without `live`.

        Reports that have been collected are in it, and that of the newest study unless it takes long. The page asks for
        any other one when it shows it.
        """
        with self._lock:
            newest = sorted(self._summaries.values(), key=lambda about: (about["newest"], about["name"]), reverse=True)
            names = [about["name"] for about in newest]
            first = next((about["name"] for about in newest if about["report"]), None)
            left_out = [*self._watch.left_out, *self._problems()]
        if first is not None and len(self._runs.get(first, [])) <= SOON:
            self._report(first)
        reports = sorted(self._reports.collected(), key=lambda report: names.index(report.content["name"]))
        left_out += [reason for report in reports for reason in report.left_out]
        content = page_content([report.content for report in reports], self._paths, left_out)
        return {**content, "title": title_of(names)}

    def _problems(self) -> LeftOut:
        """The records of searches and sweeps that cannot be read."""
        return [
            (each.folder, without_folder(each.problem, each.folder)) for each in self._folders.values() if each.problem
        ]

    def study(self, name: str) -> dict[str, Any] | None:
        """What the page holds of a study; None if it has no finished run."""
        report = self._report(name)
        return None if report is None else report.content

    def _report(self, study: str) -> Report | None:
        with self._lock:
            about = self._summaries.get(study)
            if about is None or not about["report"]:
                return None
        return self._reports.get(study, lambda: self._rows(study))

    def _rows(self, study: str) -> list[Row]:
        with self._lock:
            return _rows(self._runs.get(study, []))


def _rows(runs: Sequence[Run]) -> list[Row]:
    return [run.row for run in runs if run.row is not None]
