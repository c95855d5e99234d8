"""Each tracker with the real package: what a run sends, in several attempts, and after it was trained again."""

import math
import re
import sys
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typer.main import get_command

from fitbench.cli import app
from fitbench.config.logger_section import Logger
from fitbench.errors import RequestError
from fitbench.record.folder import State
from fitbench.trackers import wandb_files
from fitbench.trackers.description import Description
from fitbench.trackers.mlflow import MlflowTracker
from fitbench.trackers.opening import TRACKERS, opened, opener
from fitbench.trackers.sender import Sender
from fitbench.trackers.tensorboard import TensorBoardTracker
from fitbench.trackers.tracker import TrackerError
from fitbench.trackers.wandb import WandbTracker

from .. import tracking

CONFIG = {
    "data": {"name": "digits"},
    "model": {"name": "mlp", "hidden": [30, 20]},
    "optimizer": {"name": "adam", "learning_rate": 0.1},
    "training": {"epochs": 4},
    "seed": 1,
    "fold": 2,
    "workers": 3,
}
METRICS = {"test_accuracy": 0.5, "val_loss": 0.25, "val_accuracy": None, "best_epoch": 2, "epochs": 4}
LOSSES = [2.0, 0.1, 1 / 3, 0.25]


def described(name: str, folder: Path) -> Description:
    return Description(name, "digits-mlp-adam-0123abcd-s1-f2", CONFIG, folder=str(folder / name))


@pytest.fixture(scope="module")
def alone(tmp_path_factory, mlflow_database):
    with tracking.alone(tmp_path_factory.mktemp("trackers"), mlflow_database) as folder:
        yield folder


def history(losses: list[float]) -> list[dict]:
    return [
        {"epoch": number, "seconds": 0.5, "loss": loss, "val_loss": None} for number, loss in enumerate(losses, start=1)
    ]


def attempt(tracker, epochs: list[dict], state: State, result: dict | None = None) -> None:
    """Send what one attempt of a run sends."""
    sender = Sender(tracker)
    tracker.state(State.running, 1000.0)
    for number in range(1, len(epochs) + 1):
        sender.send(epochs[:number], 1000.0 + number)
    sender.end(epochs, result, state, 1010.0)
    tracker.close()


OPEN = {
    "mlflow": lambda run, folder: MlflowTracker(run),
    "tensorboard": lambda run, folder: TensorBoardTracker(run, folder / run.study / "events"),
    "wandb": lambda run, folder: WandbTracker(run, folder / run.study),
}
LOOK = {
    "mlflow": lambda study, folder: tracking.in_mlflow(study)[1],
    "tensorboard": lambda study, folder: tracking.in_tensorboard(folder / study / "events"),
    "wandb": lambda study, folder: tracking.in_wandb(folder / study)[0],
}


@pytest.mark.parametrize("name", OPEN)
def test_each_epoch_is_sent_once_over_attempts(alone, name):
    """The second attempt begins before the end of the first one, as after a kill, and the third has nothing to add."""
    run = described(f"attempts-{name}", alone)
    attempt(OPEN[name](run, alone), history(LOSSES[:3]), State.interrupted)
    for _ in range(2):
        attempt(OPEN[name](run, alone), history(LOSSES), State.finished, {"metrics": METRICS})
    points = LOOK[name](run.study, alone)
    assert [step for step, _ in points["loss"]] == [1, 2, 3, 4]
    assert [value for _, value in points["loss"]] == pytest.approx(LOSSES, rel=1e-6)
    if name == "wandb":
        points |= {key: [(4, value)] for key, value in tracking.in_wandb(alone / run.study)[1].items()}
    assert {key: [value for _, value in points[key]] for key in ("test_accuracy", "final_val_loss", "best_epoch")} == {
        "test_accuracy": [0.5], "final_val_loss": [0.25], "best_epoch": [2]
    }  # fmt: skip
    assert "final_val_accuracy" not in points


@pytest.mark.parametrize("name", OPEN)
def test_a_run_that_was_trained_again_takes_the_place_of_the_former(alone, name):
    run = described(f"again-{name}", alone)
    attempt(OPEN[name](run, alone), history(LOSSES), State.finished, {"metrics": METRICS})
    other = [2.0, 0.1, 0.5]
    attempt(OPEN[name](run, alone), history(other), State.finished, {"metrics": METRICS})
    if name == "wandb":  # W&B removes nothing: it is another run
        steps, _ = wandb_files.read(OPEN[name](run, alone)._files())
        points = {"loss": [(step, values["loss"]) for step, values in steps.items()]}
    else:
        points = LOOK[name](run.study, alone)
    assert [step for step, _ in points["loss"]] == [1, 2, 3]
    assert [value for _, value in points["loss"]] == pytest.approx(other, rel=1e-6)


def test_fewer_epochs_than_before_are_another_training(alone):
    run = described("fewer", alone)
    attempt(OPEN["tensorboard"](run, alone), history(LOSSES), State.finished)
    attempt(OPEN["tensorboard"](run, alone), history(LOSSES[:2]), State.finished)
    assert [step for step, _ in tracking.in_tensorboard(alone / "fewer" / "events")["loss"]] == [1, 2]


def test_mlflow_has_parameters_tags_and_times(alone):
    run = described("parameters", alone)
    attempt(OPEN["mlflow"](run, alone), history(LOSSES), State.pruned, {"metrics": METRICS})
    found, points = tracking.in_mlflow("parameters")
    assert all(math.isnan(value) for _, value in points["val_loss"])
    assert found.data.params == {
        "data.name": "digits", "model.name": "mlp", "model.hidden": "[30, 20]", "optimizer.name": "adam",
        "optimizer.learning_rate": "0.1", "training.epochs": "4", "seed": "1", "fold": "2",
    }  # fmt: skip
    tags = {"study": "parameters", "seed": "1", "fold": "2", "config_id": "0123abcd", "fitbench.state": "pruned"}
    assert tags.items() <= found.data.tags.items()
    assert (found.info.status, found.info.end_time) == ("KILLED", 1010_000)


def test_a_torn_event_file_ends_before_the_record_that_was_being_written(alone):
    run = described("torn", alone)
    attempt(OPEN["tensorboard"](run, alone), history(LOSSES[:2]), State.interrupted)
    tracker = OPEN["tensorboard"](run, alone)
    [path] = tracker.folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"val_loss", whole.index(b"val_loss") + 1)])  # within the second epoch
    assert set(OPEN["tensorboard"](run, alone).losses()) == {1}
    attempt(OPEN["tensorboard"](run, alone), history(LOSSES), State.finished)
    assert [step for step, _ in tracking.in_tensorboard(tracker.folder)["loss"]] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "module"),
    [("mlflow", "mlflow"), ("mlflow", "sqlalchemy"), ("tensorboard", "tensorboard"), ("wandb", "wandb")],
)
def test_a_missing_package_is_refused_with_the_command_that_installs_it(alone, configure, name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    refused = rf"{name} needs pip install 'fitbench\[{name}\]': the package {module} is not installed"
    with pytest.raises(RequestError, match=f"^logger={refused}"):
        next(opened(configure(f"logger={name}"), alone))
    with pytest.raises(RequestError, match=f"^--to {refused}"):
        opener(name, None)


def test_the_configuration_and_the_command_have_the_same_trackers():
    [to] = [each for each in get_command(app).commands["publish"].params if each.name == "to"]
    assert set(TRACKERS) == set(Logger.model_fields) == set(re.findall(r"\w+", to.help)) - {"or"}


@pytest.mark.parametrize("name", OPEN)
def test_a_finished_run_that_is_trained_again_is_another_run_from_its_first_epoch(alone, name):
    """As with force=true: without its result, a run is not finished. Its first epochs may be the same as before."""
    run = described(f"forced-{name}", alone)
    result = {"metrics": METRICS, "finished_at": "2026-01-02T03:04:05Z"}
    attempt(OPEN[name](run, alone), history(LOSSES), State.finished, result)
    sender = Sender(OPEN[name](run, alone))
    sender.send(history(LOSSES[:1]), 1000.0)
    sender.tracker.close()
    again = OPEN[name](run, alone)
    assert (set(again.losses()), again.finished_at()) == ({1}, None)


def test_a_run_of_another_machine_with_the_same_path_is_not_deleted(alone):
    (alone / "machines").mkdir()
    first = replace(described("machines", alone), host="first")
    second = replace(first, host="second")
    for run, losses in ((first, [0.5, 0.25]), (second, [0.75, 0.5]), (first, [1.0]), (second, [0.75, 0.5, 0.25])):
        attempt(MlflowTracker(run), history(losses), State.interrupted)
    from mlflow import MlflowClient

    client = MlflowClient("sqlite:///mlflow.db")
    found = client.search_runs([client.get_experiment_by_name("machines").experiment_id])
    assert {run.data.tags["fitbench.host"]: run.data.metrics["loss"] for run in found} == {"first": 1.0, "second": 0.25}
    assert len(found) == 2


def test_wandb_asks_for_no_key(alone):
    with pytest.raises(RequestError, match="mode of W&B is online, but it has no key"):
        WandbTracker(described("no-key", alone), alone / "no-key", mode="online")
    assert not (alone / "no-key").exists()


def test_a_file_that_is_no_database_is_refused_at_once(alone):
    """MLflow itself would try it for minutes."""
    (alone / "none.db").write_bytes(b"no database" * 1000)
    with pytest.raises(TrackerError, match=r"^mlflow at sqlite:///none\.db: file is not a database$"):
        MlflowTracker(described("none", alone), "sqlite:///none.db")


def test_a_server_that_asks_to_wait_for_an_hour_holds_no_run(alone, monkeypatch):
    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(429)
            self.send_header("Retry-After", "3600")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(TrackerError, match="does not answer"):
            MlflowTracker(described("busy", alone), f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_wandbs_mode_may_be_disabled_and_a_wrong_one_is_refused(alone, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (alone / "picture.png").write_bytes(b"picture")
    tracker = WandbTracker(described("disabled", alone), alone / "disabled")
    tracker.file(alone / "picture.png")
    tracker.close()
    assert not (alone / "disabled").exists()
    monkeypatch.setenv("WANDB_MODE", "sometimes")
    with pytest.raises(RequestError, match="WANDB_MODE is 'sometimes'; it must be online, offline or disabled"):
        WandbTracker(described("wrong", alone), alone / "wrong")


def test_damaged_notes_do_not_fail_a_run_that_has_a_logger(alone, configure, capsys):
    (alone / "notes.json").write_text('{"schema": 1, "tags": "x"}')
    [tracker] = opened(configure("logger=tensorboard"), alone)
    tracker.close()
    assert "without its tags and note: " in (said := capsys.readouterr().err)
    assert f"{alone}/notes.json: tags is 'x'" in said
