"""Runs in MLflow, through its client: a server, or a database such as sqlite:///mlflow.db."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fitbench.record.folder import State
from fitbench.text import first_line
from fitbench.trackers.tracker import Description, Epoch, Tracker, TrackerError, needs

DEFAULT = "sqlite:///mlflow.db"  # in the current folder
KEY = "fitbench.run"  # the tag that names a run of ours
STATE = "fitbench.state"
NOTE = "mlflow.note.content"  # MLflow's own tag for the description that its page shows
STATUS = {
    State.finished: "FINISHED",
    State.failed: "FAILED",
    State.running: "RUNNING",
    State.interrupted: "KILLED",
    State.pruned: "KILLED",
}
LONGEST_PARAMETER = 6000  # characters; MLflow's limits
LONGEST_TAG = 5000
MOST_PARAMETERS = 100  # of one request
SETTINGS = {  # of MLflow, where the user has set none
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds
}


class MlflowTracker(Tracker):
    """One run of MLflow, whose tag `fitbench.run` is `<study>/<run_id>`.

    A metric of an epoch has the number of the epoch as its step. A value that is undefined is NaN in MLflow.

    Args:
        run: what MLflow is told of the run.
        uri: of the server or the database; None: that of MLFLOW_TRACKING_URI, or else sqlite:///mlflow.db.
        experiment: the name of the experiment; None: the name of the study.

    Raises:
        RequestError: mlflow is not installed.
        TrackerError: nothing answers there.
    """

    name = "mlflow"

    def __init__(self, run: Description, uri: str | None = None, experiment: str | None = None) -> None:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            from mlflow import MlflowClient
        except ModuleNotFoundError as error:
            raise needs(self.name, f"logger={self.name}") from error
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it logs each step of a new database
        self.run = run
        self.where = uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT
        with self._client_errors():
            self.client = MlflowClient(self.where)
            self.experiment_id = self._experiment(experiment or run.study)
            self.run_id = self._found()

    def _experiment(self, name: str) -> str:
        """The id of the experiment, which is created if there is none."""
        from mlflow.exceptions import MlflowException

        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return str(self.client.create_experiment(name))
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

    def _found(self) -> str | None:
        """MLflow's id of the run, None if it has none."""
        key = self.run.key.replace("'", "\\'")
        found = self.client.search_runs(
            [self.experiment_id], f"tags.`{KEY}` = '{key}'", max_results=1, order_by=["attributes.start_time DESC"]
        )
        return found[0].info.run_id if found else None

    def losses(self) -> dict[int, float | None]:
        """See `Tracker`."""
        if self.run_id is None:
            return {}
        with self._client_errors():
            points = self.client.get_metric_history(self.run_id, "loss")
        return {point.step: None if math.isnan(point.value) else point.value for point in points}

    def restart(self) -> None:
        """Move MLflow's run to its deleted runs, where `mlflow runs restore` finds it."""
        with self._client_errors():
            if self.run_id is not None:
                self.client.delete_run(self.run_id)
        self.run_id = None

    def describe(self) -> None:
        """See `Tracker`. Parameters that MLflow has are left as they are: it never changes one."""
        from mlflow.entities import Param, RunTag

        tags = {KEY: self.run.key, **self.run.facts}
        if self.run.tags:
            tags["tags"] = ", ".join(self.run.tags)
        if self.run.note:
            tags[NOTE] = self.run.note
        with self._client_errors():
            if self.run_id is None:
                created = self.client.create_run(self.experiment_id, run_name=self.run.run_id, tags={KEY: self.run.key})
                self.run_id = created.info.run_id
            held = self.client.get_run(self.run_id).data
            new_tags = [RunTag(key, text[:LONGEST_TAG]) for key, text in tags.items()]
            parameters = [
                Param(key, str(value)[:LONGEST_PARAMETER])
                for key, value in self.run.parameters.items()
                if key not in held.params
            ]
            new_tags = [tag for tag in new_tags if held.tags.get(tag.key) != tag.value]
            for first in range(0, max(len(parameters), bool(new_tags)), MOST_PARAMETERS):
                batch = parameters[first : first + MOST_PARAMETERS]
                self.client.log_batch(self.run_id, params=batch, tags=[] if first else new_tags)

    def epoch(self, epoch: Epoch) -> None:
        """See `Tracker`."""
        self._log(epoch.values, epoch.number, epoch.ended)

    def result(self, values: Mapping[str, float], ended: float) -> None:
        """See `Tracker`."""
        with self._client_errors():
            held = self.client.get_run(self.run_id).data.metrics
        self._log({key: value for key, value in values.items() if held.get(key) != value}, 0, ended)

    def _log(self, values: Mapping[str, float | None], step: int, ended: float) -> None:
        from mlflow.entities import Metric

        milliseconds = round(ended * 1000)
        metrics = [
            Metric(key, math.nan if value is None else float(value), milliseconds, step)
            for key, value in values.items()
        ]
        with self._client_errors():
            if metrics:
                self.client.log_batch(self.run_id, metrics=metrics)

    def file(self, path: Path) -> None:
        """See `Tracker`."""
        raise NotImplementedError

    def state(self, state: State, since: float) -> None:
        """See `Tracker`. Interrupted and pruned runs are KILLED in MLflow; the tag `fitbench.state` differs."""
        with self._client_errors():
            held = self.client.get_run(self.run_id)
            if held.data.tags.get(STATE) != state.value:
                self.client.set_tag(self.run_id, STATE, state.value)
            if held.info.status == STATUS[state]:
                return
            if state is State.running:
                self.client.update_run(self.run_id, status=STATUS[state])
            else:
                self.client.set_terminated(self.run_id, STATUS[state], end_time=round(since * 1000))

    def close(self) -> None:
        """See `Tracker`. The client sends everything at once."""

    @contextmanager
    def _client_errors(self) -> Iterator[None]:
        """Raise what the client raises as a `TrackerError`."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError) as error:
            raise TrackerError(f"mlflow at {self.where}: {first_line(error)}") from error
