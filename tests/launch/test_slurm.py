"""Sweeps on a real Slurm of one node (tests/slurm/cluster.py), some of whose jobs are disturbed, and without Slurm."""

import os
import re
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fitbench.errors import FitbenchError, RequestError
from fitbench.launch import slurm as jobs
from fitbench.launch.command import launch
from fitbench.record.folder import State, state_of
from fitbench.record.history import read_history
from fitbench.record.reading import read_result

from .recorded import record

cluster = runpy.run_path(str(Path(__file__).parents[1] / "slurm" / "cluster.py"))
SWEEP = [
    "-m", "data=digits", "model=mlp", "seed=0,1,2", "training.epochs=40", "training.early_stopping=null",
    "+training.callbacks.slow={_target_: slow.Slow}",
]  # fmt: skip
SLOW = """
import time
import keras

class Slow(keras.callbacks.Callback):
    # Without it, the run would end before its job can be requeued.
    def on_epoch_end(self, epoch, logs=None):
        time.sleep(0.1)
"""
SLURM = ["hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1"]
PATIENCE = 300  # seconds, for a busy machine


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[dict[str, str]]:
    """Return the environment of a Slurm with two CPUs."""
    pytest.importorskip("submitit", reason="needs pip install 'fitbench[submitit]'")
    if reason := cluster["missing"]():
        pytest.skip(reason)
    with cluster["slurm"](tmp_path_factory.mktemp("slurm") / "slurm", cpus=2) as environment:
        yield environment


def train(outputs: Path, environment: dict[str, str], *more: str) -> subprocess.Popen:
    """Start a process with the sweep of this module."""
    (outputs / "slow.py").write_text(SLOW)
    command = [sys.executable, "-m", "fitbench", "train", *SWEEP, *more, f"outputs={outputs}"]
    environment = {**environment, "PYTHONPATH": str(outputs)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ask(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


def when(condition: Callable[[], Any], sweep: subprocess.Popen) -> Any:
    """Wait until the condition is true, and return its value. The sweep must not end before."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert sweep.poll() is None, sweep.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def folders_by_seed(study: Path) -> dict[int, Path]:
    """Return the run folders of a study by their seed."""
    return {int(folder.name.rpartition("-s")[2]): folder for folder in study.glob("digits-*")}


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> Iterator[Callable[[], dict[int, Any]]]:
    """Return a function that waits for the records of the basic launcher, which trains at the same time as Slurm."""
    outputs = tmp_path_factory.mktemp("basic")
    sweep = train(outputs, dict(os.environ))

    def records() -> dict[int, Any]:
        assert sweep.wait(timeout=PATIENCE) == 0
        return {seed: record(folder) for seed, folder in folders_by_seed(outputs / "default").items()}

    yield records
    sweep.kill()
    sweep.communicate()


@pytest.fixture(scope="module")
def disturbed(slurm, expected, tmp_path_factory) -> Iterator[tuple[Path, int, str]]:
    """Run the sweep on Slurm. The job of seed 0 is cancelled, that of seed 1 is requeued in the middle of its run.

    Yields the folder of the study, and the exit status and the summary of the sweep.
    """
    study = tmp_path_factory.mktemp("disturbed") / "default"
    sweep = train(study.parent, slurm, *SLURM)
    try:
        queue = when(lambda: ask(["squeue", "-h", "-r", "-o", "%i"], slurm).split(), sweep)
        array = queue[0].partition("_")[0]
        ask(["scancel", f"{array}_0"], slurm)
        when(lambda: len(read_history(folders_by_seed(study).get(1, study))) >= 3, sweep)
        ask(["scontrol", "requeue", f"{array}_1"], slurm)
        folder = folders_by_seed(study)[1]
        when(lambda: not (folder / "claim.json").exists(), sweep)
        assert state_of(folder) is State.interrupted
        assert len(list((folder / "checkpoint").glob("*.npz"))) == 1
        summary, _ = sweep.communicate(timeout=PATIENCE)
        yield study, sweep.returncode, summary
    finally:
        sweep.kill()
        sweep.communicate()


def test_runs_on_slurm_also_a_requeued_one_equal_those_of_the_basic_launcher(disturbed, expected):
    folders = folders_by_seed(disturbed[0])
    records = expected()
    for seed, attempts in {1: 2, 2: 1}.items():
        assert record(folders[seed]) == records[seed]
        assert read_result(folders[seed])["attempts"] == attempts
    log = (folders[1] / "train.log").read_text()
    [epoch] = re.findall(r" going on after epoch (\d+)$", log, re.MULTILINE)
    assert 3 <= int(epoch) < 40


def test_cancelled_job_is_reported_as_failed(disturbed):
    _, status, summary = disturbed
    assert status == 1
    assert {"2 finished", "1 failed"} <= {line.strip() for line in summary.splitlines()}
    assert re.search(r"^failed: \S*-s0: Slurm job \d+_0 ended without a result; ", summary, re.M)


@pytest.mark.long
def test_cancelled_job_is_trained_when_the_sweep_is_launched_again(disturbed, expected, slurm):
    study, _, _ = disturbed
    again = train(study.parent, slurm, *SLURM)
    summary, stderr = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, stderr
    assert {"1 finished", "2 skipped, finished before"} <= {line.strip() for line in summary.splitlines()}
    assert {seed: record(folder) for seed, folder in folders_by_seed(study).items()} == expected()


# -- without Slurm ----------------------------------------------------------------------------------------------------


@pytest.fixture
def arguments(process_state_restored, tmp_path):
    """Return the arguments that launch the sweep in this process."""
    return [*SWEEP, *SLURM, f"outputs={tmp_path}"]


def test_error_about_the_missing_plugin_says_what_to_install(arguments, monkeypatch):
    monkeypatch.setitem(sys.modules, "hydra_plugins.hydra_submitit_launcher.submitit_launcher", None)
    with pytest.raises(RequestError, match=r"pip install 'fitbench\[submitit\]'"):
        launch(arguments)


def test_sweep_without_slurm_is_refused_and_nothing_begins(arguments, monkeypatch, tmp_path, capsys):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FitbenchError, match=r"the jobs could not be submitted to Slurm: .*srun") as caught:
        launch(arguments)
    assert caught.value.exit_status == 1
    assert "3 not begun" in capsys.readouterr().err


def test_outputs_folder_that_slurm_would_rename_is_refused_before_a_job_is_submitted(arguments, tmp_path):
    pytest.importorskip("submitit")
    with pytest.raises(RequestError, match=r"outputs=.*/50%j: Slurm replaces what follows a % .*; choose a folder"):
        launch([*arguments, f"outputs='{tmp_path}/50%j'"])
    assert list(tmp_path.iterdir()) == []


def test_job_is_lost_after_some_time_out_of_the_queue_but_not_while_squeue_fails(tmp_path, monkeypatch):
    squeue = tmp_path / "squeue"
    clock = [1000.0]
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(jobs.time, "monotonic", lambda: clock[0])
    queue = jobs.Queue()

    def lost(script: str, seconds: float) -> list[bool]:
        """Whether the jobs 7_0 and 7_1 are lost, so many seconds later, when squeue is this script."""
        squeue.write_text(f"#!/bin/sh\n{script}\n")
        squeue.chmod(0o755)
        clock[0] += seconds
        return [queue.has_lost(job) for job in ("7_0", "7_1")]

    assert lost("printf '7_0\\n7_1\\n'", 0) == [False, False]
    assert lost("exit 1", 600) == [False, False]
    assert lost("printf '7_1\\n'", 60) == [False, False]
    assert lost("printf '7_1\\n'", 60) == [True, False]
    assert lost("printf '7_0\\n7_1\\n'", 60) == [False, False]  # 7_0 had been requeued meanwhile
    assert lost("true", 60) == [False, False]
    assert lost("true", 60) == [True, True]
