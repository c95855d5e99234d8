"""What several tests share: composed configurations, and the data that CI has."""

import compileall
import fcntl
import gc
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import fitbench
from fitbench import cli
from fitbench.composition import Composer, stop_clock
from fitbench.config import Config

from .browser import browser  # noqa: F401 - a fixture
from .run_folders import _compositions, composed, composed_once, make_fold, make_run  # noqa: F401 - fixtures


def pytest_configure() -> None:
    """Started in the background by a script, this process and its children would ignore Ctrl-C, which tests press.

    While tests are collected, there is no garbage. Python may have been told to write no bytecode: then each process of
    the tests would compile fitbench, and each worker all tests.
    """
    gc.disable()
    sys.dont_write_bytecode = False
    if "PYTEST_XDIST_WORKER" not in os.environ:
        compileall.compile_dir(Path(fitbench.__file__).parent, quiet=1)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


FIRST = (
    "launch/test_kill",
    "docs/test_commands",
    "launch/test_interrupted_sweeps",
    "training/test_run",
    "launch/test_slurm",
    "tuning/test_kill",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files. One that began last would run alone in the end. Skip long tests by default."""
    items.sort(key=lambda item: not any(name in item.path.as_posix() for name in FIRST))
    if os.environ.get("FITBENCH_LONG", "0") == "0":
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes long: set FITBENCH_LONG=1"))


def _keep_streams_of_pytest_open() -> None:
    """absl's log handler holds the stderr of the moment when Keras was imported, which may be a stream of pytest.

    Configuring logging, as every launch does, would have absl close it.
    """
    if "absl.logging" in sys.modules:
        sys.modules["absl.logging"].get_absl_handler().python_handler.stream = sys.__stderr__


def pytest_collection_finish() -> None:
    _keep_streams_of_pytest_open()
    gc.freeze()  # each full collection would go through all tests and all of TensorFlow
    gc.enable()
    sys.dont_write_bytecode = bool(
        os.environ.get("PYTHONDONTWRITEBYTECODE")
    )  # a test may write a module twice in a second


@pytest.fixture(autouse=True)
def _logging_of_this_test_alone():
    """A launch within the process gives the root logger a level and handlers, whose streams end with their test."""
    _keep_streams_of_pytest_open()
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    for handler in [handler for handler in root.handlers if not type(handler).__module__.startswith("_pytest")]:
        root.removeHandler(handler)


@pytest.fixture(autouse=True)
def _weights_of_this_test_alone():
    """Draw the same initial weights in each session and each order of tests: some weights of chance sum to nearly 0."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(1)


@pytest.fixture
def process_state_restored(monkeypatch):
    """Restore the root logger, to which Hydra adds handlers, and sys.argv, which `launch` changes."""
    monkeypatch.setattr(sys, "argv", ["pytest"])
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@cache
def _composer() -> Composer:
    """One for all tests: it reads each file of conf/ once."""
    stop_clock()
    return Composer()


def configure(*overrides: str) -> Config:
    """The configuration that `fitbench train` would have with these overrides."""
    return _composer().configuration(overrides)


@pytest.fixture(scope="session", name="configure")
def _configure():
    return configure


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Return a function that gives the folder of a name. Of all processes of the suite, the first one fills it."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder_once(name: str, fill: Callable[[Path], None]) -> Path:
        folder = base / name
        with (base / f"{name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (base / f"{name}.filled").exists():
                folder.mkdir()
                fill(folder)
                (base / f"{name}.filled").touch()
        return folder

    return folder_once


@pytest.fixture(scope="session")
def mlflow_database(once) -> Path:
    """An empty database of MLflow's. MLflow takes seconds to make one, and no time to open a copy of it."""

    def fill(folder: Path) -> None:
        from mlflow import MlflowClient

        MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()

    return once("mlflow_database", fill) / "mlflow.db"


@pytest.fixture
def mlflow_uri(mlflow_database, tmp_path) -> str:
    """The address of an empty database of MLflow's in the folder of the test."""
    shutil.copy(mlflow_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The folder that FITBENCH_DATA names, with mnist/ in it."""
    folder = os.environ.get("FITBENCH_DATA")
    if not folder or not (Path(folder) / "mnist").is_dir():
        pytest.skip("needs MNIST: set FITBENCH_DATA to a folder with mnist/ in it")
    return Path(folder).resolve()


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Calls `fitbench ARGUMENTS` in the test's folder, or another; gives exit status, stdout and stderr."""

    def call_main(*arguments: object, folder: Path = tmp_path) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["fitbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        printed = capsys.readouterr()
        return int(caught.value.code or 0), printed.out, printed.err

    return call_main


@pytest.fixture
def tree(tmp_path) -> Callable[[], dict[Path, tuple[int, int]]]:
    """Gives the times and sizes of all files in the test's folder, which would show that something was written.

    The time of a claim is left out: a test that holds one writes its heartbeat.
    """

    def stats() -> dict[Path, tuple[int, int]]:
        found = {path: path.stat() for path in (tmp_path, *tmp_path.rglob("*"))}
        return {
            path: (status.st_mtime_ns * (path.name != "claim.json"), status.st_size) for path, status in found.items()
        }

    return stats


@pytest.fixture
def dry_call(call, tree):
    """The same as `call`, for a command that must write nothing."""

    def call_main(*arguments: object) -> tuple[int, str, str]:
        before = tree()
        result = call(*arguments)
        assert tree() == before
        return result

    return call_main
