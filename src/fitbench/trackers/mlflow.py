"""Runs in MLflow, through its client: a server, or a database such as sqlite:///mlflow.db."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import posixpath
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fitbench.record.folder import State
from fitbench.text import clean, encodable, first_line, without_password
from fitbench.trackers.description import Description
from fitbench.trackers.lock import locked
from fitbench.trackers.same_run import same_run
from fitbench.trackers.tracker import Epoch, Tracker, TrackerError

DEFAULT = "sqlite:///mlflow.db"  # in the current folder
SQLITE = "sqlite:///"
ARTIFACTS = "mlartifacts"  # a folder beside a database of SQLite

KEY = "fitbench.run"  # the tag that names a run of ours
FOLDER = "fitbench.folder"  # the run folder that it was sent from
HOST = "fitbench.host"  # the name of the machine that has sent it
STATE = "fitbench.state"
FILES = "fitbench.files"  # the SHA-256 of each file that was sent, as JSON
NOTED = "fitbench.note"  # the note that was sent; a person may have written another one in MLflow
NOTE = "mlflow.note.content"  # MLflow's own tag for the description that its page shows
TAGS = "tags"
OWN_TAGS = {"git_commit": "mlflow.source.git.commit"}  # facts that MLflow's page shows in a column of its own
STATUS = {
    State.finished: "FINISHED",
    State.failed: "FAILED",
    State.running: "RUNNING",
    State.interrupted: "KILLED",
    State.pruned: "KILLED",
}

LONGEST_KEY = 250  # characters; MLflow's limits
LONGEST_PARAMETER = 6000
LONGEST_TAG = 5000
MOST_PARAMETERS, MOST_METRICS = 100, 1000  # of one request
SETTINGS = {  # of MLflow, where the user has set none
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",  # a server may ask for hours
}
LEVELS = {  # of loggers: one tells each step of a new database, the other each attempt to reach a server
    "mlflow.store.db.utils": logging.CRITICAL,
    "urllib3.connectionpool": logging.ERROR,
}


@dataclass(frozen=True)
class _Held:
    """A run that MLflow has, as it was when it was found, or created."""

    client: Any
    run: Any

    @property
    def id(self) -> str:
        return str(self.run.info.run_id)

    @property
    def folder(self) -> str | None:
        return self.tags.get(FOLDER)

    @property
    def host(self) -> str | None:
        return self.tags.get(HOST)

    @property
    def finished_at(self) -> str | None:
        return self.tags.get("finished_at")

    @property
    def tags(self) -> Mapping[str, str]:
        return self.run.data.tags

    def losses(self) -> dict[int, float | None]:
        points = self.client.get_metric_history(self.id, "loss")
        return {point.step: None if math.isnan(point.value) else point.value for point in points}


class MlflowTracker(Tracker):
    """One run of MLflow, whose tag `fitbench.run` is `<study>/<run_id>`; see `same_run` for several of them.

    A metric of an epoch has the number of the epoch as its step. A value that is undefined is NaN in MLflow. A name
    that MLflow does not allow has `_` in the place of other characters.

    Args:
        run: what MLflow is told of the run.
        uri: of the server or the database; None: that of MLFLOW_TRACKING_URI, or else sqlite:///mlflow.db.
        experiment: the name of the experiment; None: the name of the study.

    Raises:
        TrackerError: nothing answers there.
    """

    name = "mlflow"
    modules = ("mlflow", "sqlalchemy")  # mlflow-skinny lacks the second

    def __init__(self, run: Description, uri: str | None = None, experiment: str | None = None) -> None:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        for name, level in LEVELS.items():
            logging.getLogger(name).setLevel(level)
        self.run = run
        address = uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT
        self.artifacts = _artifacts(address, experiment or run.study)
        self.where = without_password(address)
        with self._client_errors():
            with _alone(address):
                self.client = MlflowClient(address)
            self.experiment_id = self._experiment(experiment or run.study)
            self.held = same_run(run, self._candidates(), self.is_same)

    @classmethod
    def for_training(cls, run: Description, folder: Path, settings: Any) -> MlflowTracker:
        """See `Tracker`."""
        return cls(run, settings.uri, settings.experiment)

    @classmethod
    def for_publishing(cls, run: Description, uri: str | None) -> MlflowTracker:
        """See `Tracker`. The run is in the experiment that its logger was set to, or else in that of its study."""
        return cls(run, uri, run.logged_text(cls.name, "experiment"))

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run, None if it has none."""
        return self.held.id if self.held else None

    def _experiment(self, name: str) -> str:
        """The id of the experiment, which is created if there is none."""
        from mlflow.exceptions import MlflowException

        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return str(self.client.create_experiment(name, artifact_location=self.artifacts))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another run of the sweep has created it
                    raise
                experiment = self.client.get_experiment_by_name(name)
        if experiment.lifecycle_stage == "deleted":
            raise TrackerError(
                f"mlflow at {self.where}: the experiment {name} is deleted; restore it with "
                f"'mlflow experiments restore -x {experiment.experiment_id}', or set another name"
            )
        return str(experiment.experiment_id)

    def _candidates(self) -> list[_Held]:
        """The runs of MLflow with the key of this run, the latest first."""
        key = _quotable(self.run.key)
        order = ["attributes.start_time DESC"]
        found = self.client.search_runs([self.experiment_id], f"tags.`{KEY}` = '{key}'", order_by=order)
        return [_Held(self.client, run) for run in found]

    def losses(self) -> dict[int, float | None]:
        """See `Tracker`."""
        with self._client_errors():
            return self.held.losses() if self.held else {}

    def finished_at(self) -> str | None:
        """See `Tracker`."""
        return self.held.finished_at if self.held else None

    def restart(self) -> None:
        """Move MLflow's run to its deleted runs, where `mlflow runs restore` finds it. One of another machine stays."""
        with self._client_errors():
            if self.held and self.held.host in (None, self.run.host):
                self.client.delete_run(self.held.id)
        self.held = None

    def describe(self) -> None:
        """See `Tracker`. Parameters that MLflow has are left as they are: it never changes one."""
        from mlflow.entities import Param

        with self._client_errors():
            held = self.held = self.held or self._created()
            lacking = {_key(key): value for key, value in self.run.parameters.items()}
            parameters = [
                Param(key, str(value)[:LONGEST_PARAMETER])
                for key, value in lacking.items()
                if key not in held.run.data.params
            ]
            for batch in _batches(parameters, MOST_PARAMETERS):
                self.client.log_batch(held.id, params=batch)
            self.sent["parameters"] += len(parameters)
        has_moved = held.folder is None or not os.path.exists(held.folder)  # noqa: PTH110 - it may be any text
        is_unknown = held.host is None and held.folder == self.run.folder  # as an earlier version leaves it
        place = {FOLDER: self.run.folder, HOST: encodable(self.run.host)} if self.run.folder else {}
        self._set_tags(self.run.facts | (place if has_moved or is_unknown else {}))
        self._set_tags({TAGS: ", ".join(self.run.tags) or None})
        self._set_note(held.tags.get(NOTED), self.run.note or None)

    def _set_note(self, before: str | None, note: str | None) -> None:
        """Set another note than was sent before. One that a person wrote in MLflow gives way only to a new one."""
        assert self.held
        if note != before:
            is_ours = self.held.tags.get(NOTE) == before
            self._set_tags({NOTED: note} | ({NOTE: note} if note or is_ours else {}))

    def _created(self) -> _Held:
        began = None if self.run.began is None else round(self.run.began * 1000)
        tags = {KEY: _quotable(self.run.key), "mlflow.source.name": "fitbench", "mlflow.source.type": "LOCAL"}
        self.sent["runs"] += 1
        created = self.client.create_run(self.experiment_id, start_time=began, run_name=self.run.run_id, tags=tags)
        return _Held(self.client, created)

    def _set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Set the tags that MLflow does not have, and remove those that are None."""
        from mlflow.entities import RunTag

        assert self.held
        texts = {_key(key): None if text is None else encodable(text)[:LONGEST_TAG] for key, text in tags.items()}
        changed = {key: text for key, text in texts.items() if text != self.held.tags.get(key)}
        with self._client_errors():
            new = [RunTag(key, text) for key, text in changed.items() if text is not None]
            for batch in _batches(new, MOST_PARAMETERS):
                self.client.log_batch(self.held.id, tags=batch)
            for key in (key for key, text in changed.items() if text is None):
                self.client.delete_tag(self.held.id, key)
        self.sent["tags"] += len(changed)

    def epoch(self, epoch: Epoch) -> None:
        """See `Tracker`."""
        self.epochs([epoch])

    def epochs(self, epochs: Sequence[Epoch]) -> None:
        """See `Tracker`. A request has whole epochs: one that fails leaves none of which a part is there."""
        widest = max((len(epoch.values) for epoch in epochs), default=0)
        for batch in _batches(epochs, max(1, MOST_METRICS // max(1, widest))):
            self._log([point for epoch in batch for point in _points(epoch.values, epoch.number, epoch.ended)])
            self.sent["epochs"] += len(batch)

    def result(self, values: Mapping[str, float], ended: float) -> None:
        """See `Tracker`. They are of no epoch: with step 0, MLflow draws bars of them, one for each run."""
        assert self.held
        held = self.held.run.data.metrics
        keyed = {_key(key): value for key, value in values.items()}  # of two names that become one, the last
        new = {key: value for key, value in keyed.items() if held.get(key) != value}
        self._log(_points(new, 0, ended))
        self.sent["metrics"] += len(new)

    def facts(self, facts: Mapping[str, str | None]) -> None:
        """See `Tracker`. They are tags."""
        self._set_tags({**facts, **{name: facts[key] for key, name in OWN_TAGS.items() if key in facts}})

    def _log(self, metrics: Sequence[Any]) -> None:
        assert self.held
        with self._client_errors():
            for batch in _batches(metrics, MOST_METRICS):
                self.client.log_batch(self.held.id, metrics=batch)

    def file(self, path: Path) -> None:
        """See `Tracker`. A tag has the checksums of the files that were sent."""
        assert self.held
        files = self.files()
        with self._client_errors():
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            if files.get(path.name) == sha256:
                return
            self.client.log_artifact(self.held.id, str(path))
            self.client.set_tag(self.held.id, FILES, json.dumps(files | {path.name: sha256}))
            self.held = _Held(self.client, self.client.get_run(self.held.id))
        self.sent["files"] += 1

    def files(self) -> dict[str, str]:
        """The SHA-256 of each file that MLflow has, by its name."""
        try:
            files = json.loads(self.held.tags.get(FILES, "{}")) if self.held else {}
        except ValueError:
            return {}
        return files if isinstance(files, dict) else {}

    def state(self, state: State, since: float) -> None:
        """See `Tracker`. Interrupted and pruned runs are KILLED in MLflow; the tag `fitbench.state` differs."""
        assert self.held
        self._set_tags({STATE: state.value})
        with self._client_errors():
            if self.held.run.info.status != STATUS[state] or self.sent["epochs"]:
                if state is State.running:
                    self.client.update_run(self.held.id, status=STATUS[state])
                else:
                    self.client.set_terminated(self.held.id, STATUS[state], end_time=round(since * 1000))
            if +self.sent:
                self.held = _Held(self.client, self.client.get_run(self.held.id))

    def close(self) -> None:
        """See `Tracker`. The client sends everything at once."""

    @contextmanager
    def _client_errors(self) -> Iterator[None]:
        """Raise what the client raises as a `TrackerError`."""
        from mlflow.exceptions import MlflowException
        from requests import RequestException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError, ModuleNotFoundError) as error:
            if isinstance(error.__context__, RequestException):
                raise TrackerError(f"mlflow at {self.where} does not answer") from error
            of_database = getattr(error.__cause__ or error, "orig", None)  # what SQLAlchemy's error is about
            raise TrackerError(f"mlflow at {self.where}: {first_line(of_database or error)}") from error


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Hold a lock on the folder of a database of SQLite: two processes that create its tables at once would fail.

    A file that is no database is refused at once, which MLflow would try to open for minutes.
    """
    if not uri.startswith(SQLITE):
        yield
        return
    path = _path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA schema_version")
        yield


def _path(uri: str) -> Path:
    """The file of a database of SQLite."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]).absolute()


def _artifacts(uri: str, experiment: str) -> str | None:
    """Where the files of an experiment go: beside a database of SQLite, else where the server keeps them."""
    if not uri.startswith(SQLITE):
        return None
    return (_path(uri).parent / ARTIFACTS / quote(experiment, safe="")).as_uri()


def _batches(items: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    for first in range(0, len(items), most):
        yield items[first : first + most]


def _points(values: Mapping[str, float | None], step: int, ended: float) -> list[Any]:
    from mlflow.entities import Metric

    numbers = {_key(key): math.nan if value is None else float(value) for key, value in values.items()}
    return [Metric(key, number, round(ended * 1000), step) for key, number in numbers.items()]


def _quotable(text: str) -> str:
    """A text that stands between quotes in a filter of MLflow."""
    return re.sub(r"['\"`\\]", "_", clean(text))


def _key(name: str) -> str:
    """A name as MLflow allows it: letters, digits and _ - . / : and spaces, of a path that is not '.' or '..'."""
    key = re.sub(r"[^\w\-. /:]", "_", clean(name))[:LONGEST_KEY]
    return key if key == posixpath.normpath(key) and not key.startswith("..") else re.sub(r"[./]", "_", key) or "_"
