"""Fixtures: a typical run, LeNet-5 trained for a few epochs on digits that need no download, and a server."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fitbench.config import Backend, Config
from fitbench.metrics import CLASSIFICATION, MULTILABEL, REGRESSION
from fitbench.record.folder import folder_of
from fitbench.training import backend
from fitbench.training.run import train

from .flats import flats, write


@pytest.fixture(scope="session")
def trained(configure, once) -> Path:
    """Return the folder of a finished run, LeNet-5 on mnist_5k. Copy it before changing it."""
    backend.load(Backend.tensorflow)

    def run_below(outputs: Path) -> Config:
        return configure(f"outputs={outputs}", "model=lenet5", "training.epochs=3", "progress=false")

    return folder_of(run_below(once("trained", lambda outputs: train_all(run_below(outputs)))))


def train_all(*configs: Config) -> None:
    """Train each run in its folder."""
    for config in configs:
        train(config, folder_of(config))


@pytest.fixture(scope="session")
def flats_csv(once) -> Path:
    """Return a CSV file of flats. Copy it before changing it."""
    return once("flats", lambda folder: write(folder / "flats.csv", flats())) / "flats.csv"


@pytest.fixture(scope="session")
def table_runs(configure, flats_csv, once) -> dict[str, Path]:
    """Return the folders of finished runs of tables, one of each task, by its name. Copy one before changing it."""
    backend.load(Backend.tensorflow)
    of_flats = ["data=csv", f"data.path={flats_csv}", "data.missing=mean"]
    choices = {
        CLASSIFICATION: [*of_flats, "data.target=kind", "data.drop=[large,central]"],
        MULTILABEL: [*of_flats, "data.target=[large,central]", "data.drop=[kind]", "training.threshold=0.4"],
        REGRESSION: ["data=boston_housing", "training.standardize_targets=true"],
    }
    common = ["model=mlp", "training.epochs=4", "training.batch_size=16", "progress=false"]

    def runs_below(folder: Path) -> dict[str, Config]:
        return {task: configure(f"outputs={folder / task}", *common, *own) for task, own in choices.items()}

    folder = once("tables", lambda folder: train_all(*runs_below(folder).values()))
    return {task: folder_of(config) for task, config in runs_below(folder).items()}


class Server:
    """`fitbench serve` in a thread of this process."""

    def __init__(self, service) -> None:
        from fitbench.inference.server import make_app
        from fitbench.web.server import make_server

        listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        self.server = make_server(make_app(service))
        self.thread = threading.Thread(target=self.server.run, args=([listener],))
        self.thread.start()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()


@pytest.fixture(scope="module")
def start_server() -> Iterator:
    """Return a function that serves a `Service` until the tests of the module end."""
    started = []

    def start(service) -> Server:
        started.append(Server(service))
        return started[-1]

    yield start
    for server in started:
        server.stop()
