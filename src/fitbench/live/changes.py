"""What has changed since a page asked last: the answers of the server of the live page.

An answer to /changes is a JSON object:

    token       what the page gives with its next question; `full` is true where the answer holds everything
    now         the server's time, in seconds since 1970
    studies     those that have changed: name; kind (runs or search); finished, failed, pruned, interrupted, running and
                waiting (how many runs of the study, or trials of the search, are in that state, and how many have not
                begun); total (the sum of these); beside (the same counts of runs that are of no trial of the search;
                null without such runs); runs (how many there are); active (how many run); reached (the part of what
                runs that is done, from 0 to 1, the mean); done (whether all has ended); left (seconds until then,
                counted from `newest`; null where it is not known); best (the best trial, a text; null without one);
                newest (when a run changed last); report (a revision, see `reports`; 0 without a finished run)
    runs        those that have changed: folder; run_id; study; label (what tells it from the others of its study);
                state; epoch (the last one); epochs (how many it has unless something ends it sooner); left (seconds,
                counted from `updated`); metric (the primary one: label, value, digits); updated (when it changed last);
                error (the line that says what failed)
    gone        folders of runs that are not there any more
    ended       names of studies that are not there any more
    left_out    what cannot be read, and why, in pairs; only if that has changed

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
from fitbench.live.studies import Summary, summary
from fitbench.live.study_folder import StudyFolder
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
        self._beside: dict[str, list[StudyFolder]] = {}  # by study: its folders that have a search or sweep
        self._runs: dict[str, list[Run]] = {}  # by study
        self._summaries: dict[str, Summary] = {}  # by study
        self._changed: dict[str, int] = {}  # by study: the revision of its summary
        self._ended: dict[str, int] = {}  # by study: the revision in which it had gone
        self._labelled: dict[str, object] = {}  # by study: the runs that its labels are of
        self._left_out: LeftOut = []
        self._left_out_in = 0  # the revision in which that has changed
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
            changed = self._look_at_folders() or changed
            if changed:
                self._beside = self._find_folders()
                self._label(revision)
            if changed or self._reports.are_waiting:
                changed = self._summarize(revision) or changed
            if (left_out := self._find_left_out()) != self._left_out:
                self._left_out, self._left_out_in, changed = left_out, revision, True
            self._revision += changed

    def _by_study(self) -> dict[str, list[Run]]:
        studies: dict[str, list[Run]] = defaultdict(list)
        for run in self._watch.runs.values():
            if run.row is not None:
                studies[encodable(run.row["study"])].append(run)
        return dict(studies)

    def _label(self, revision: int) -> None:
        """Label the runs of studies in which runs have come or gone."""
        self._labelled = {study: of for study, of in self._labelled.items() if study in self._runs}
        for study, runs in self._runs.items():
            rows = _rows(runs)
            searched = {key for folder in self._beside.get(study, []) for key in folder.searched}
            of = [*((row["folder"], row["config_id"]) for row in rows), *sorted(searched)]
            if self._labelled.get(study) == of:
                continue
            self._labelled[study] = of
            for run, label in zip(runs, labels(rows, searched), strict=True):
                if run.label != label:
                    run.label, run.changed = label, revision

    def _look_at_folders(self) -> bool:
        """Look at what lies beside the runs; gives whether that has changed."""
        self._folders = {folder: self._folders.get(folder) or StudyFolder(folder) for folder in self._watch.folders}
        return sum(folder.look() for folder in self._folders.values()) > 0

    def _find_folders(self) -> dict[str, list[StudyFolder]]:
        """The folders that have a search or sweep of the request, by study.

        None with a filter: whether trials, and runs that have not begun, fit it is not known.
        """
        folders: dict[str, list[StudyFolder]] = defaultdict(list)
        studies = {run.parent: run.row["study"] for run in self._watch.every.values() if run.row is not None}
        for folder in self._folders.values() if self._watch.which.where is None else ():
            study = studies.get(folder.folder) or Path(folder.folder).name
            if (folder.search is not None or folder.sweep is not None) and self._watch.is_of_study(study):
                folders[encodable(study)].append(folder)
        return dict(folders)

    def _find_left_out(self) -> LeftOut:
        """What cannot be read: runs, the records of searches and sweeps, and what reports say."""
        records = [
            (each.folder, without_folder(each.problem, each.folder)) for each in self._folders.values() if each.problem
        ]
        reports = [reason for report in self._reports.collected() for reason in report.left_out]
        found = dict.fromkeys([*self._watch.left_out, *records, *reports])
        return [(encodable(str(of)), encodable(str(why))) for of, why in found]

    def _summarize(self, revision: int) -> bool:
        """Summarize all studies; gives whether a summary has changed."""
        changed = False
        for study in self._summaries.keys() - {*self._runs, *self._beside}:
            del self._summaries[study]
            self._reports.revision(study, None, is_finished=False)
            self._ended[study], changed = revision, True
        for study in dict.fromkeys([*self._runs, *self._beside]):
            self._ended.pop(study, None)
            runs = self._runs.get(study, [])
            about = summary(study, runs, self._beside.get(study, []), self._watch.every.keys())
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
                "gone": [encodable(of) for of, when in self._watch.gone.items() if known is not None and when > known],
                "ended": [of for of, when in self._ended.items() if known is not None and when > known],
                **({"left_out": self._left_out} if self._left_out_in > newer else {}),
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
        if first is not None and len(self._runs.get(first, [])) <= SOON:
            self._report(first)
        named = {report.content["name"]: report for report in self._reports.collected()}
        with self._lock:
            left_out = self._find_left_out()
        content = page_content([named[name].content for name in names if name in named], self._paths, left_out)
        return {**content, "title": title_of(names)}

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
