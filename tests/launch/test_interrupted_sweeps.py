"""Sweeps of several processes that are interrupted and resumed have the results of an undisturbed one."""

import os
import re
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from fitbench.record.claims import claim
from fitbench.record.folder import State, state_of
from fitbench.record.history import read_history

from .recorded import attempts, holders, record
from .sweeps import is_gone, start, wait_for, wait_until_ended

RAY = ("hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=1")
QUIET = r"fitbench: |\[\d/6\] "  # the lines that stderr may have


@pytest.fixture(scope="module")
def basic_sweep(tmp_path_factory):
    """Return the study of the sweep, trained in one process without interruption."""
    outputs = tmp_path_factory.mktemp("basic") / "outputs"
    status, counts, _, _ = wait_until_ended(start(outputs), outputs)
    assert (status, counts["finished"], counts["failed"]) == (1, 4, 2)
    return outputs / "default"


@pytest.mark.long
def test_sweep_whose_workers_and_parent_are_killed_has_the_results_of_an_undisturbed_one(basic_sweep, tmp_path):
    outputs = tmp_path / "outputs"
    study = outputs / "default"

    def at_work(process: subprocess.Popen[str], fewest: int = 1) -> dict[int, Path]:
        """Wait until so many workers have recorded epochs of their runs; gives the runs by process id.

        While a worker starts, the other one may finish all other runs.
        """
        workers: dict[int, Path] = {}

        def enough() -> bool:
            workers.clear()
            workers.update({pid: run for pid, run in holders(study).items() if not is_gone(pid)})
            return len(workers) >= fewest and all(map(read_history, workers.values()))

        wait_for(enough, process)
        return workers

    process = start(outputs, "workers=2")
    workers = at_work(process, fewest=2)
    assert process.pid not in workers
    pid = min(workers, key=lambda pid: len(read_history(workers[pid])))
    os.kill(pid, signal.SIGKILL)  # a worker
    wait_for(lambda: "fitbench: a worker was killed by SIGKILL" in outputs.with_suffix(".err").read_text(), process)
    assert f"; its run {workers[pid].name} is launched again" in outputs.with_suffix(".err").read_text()
    workers = at_work(process)
    assert pid not in workers
    process.kill()  # the parent
    process.wait()
    wait_for(lambda: all(is_gone(pid) for pid in workers), None, 20)
    interrupted = [run for run in study.glob("*-s?") if state_of(run) is State.interrupted]
    assert interrupted
    assert any("interrupted by Terminated" in (run / "train.log").read_text() for run in interrupted)

    status, counts, failed, _ = wait_until_ended(start(outputs), outputs)
    assert status == 1
    assert (counts["in all"], counts["failed"]) == (6, 2)
    assert all("lenet5 takes images of 10x10 pixels or more" in line for line in failed)
    for folder in basic_sweep.glob("*-s?"):
        assert state_of(study / folder.name) is state_of(folder)
        if state_of(folder) is State.finished:
            assert record(study / folder.name) == record(folder), folder.name
    assert max(attempts(study / folder.name) for folder in basic_sweep.glob("*-s?")) > 1


def terminate_on_ray(outputs: Path, theirs: Path) -> None:
    """Terminate the sweep on Ray while it trains, and while this process holds one of its runs."""
    study = outputs / "default"
    theirs.mkdir()
    with claim(theirs):  # by this process
        process = start(outputs, *RAY)
        wait_for(lambda: holders(study), process)
        workers = set(holders(study))
        assert process.pid not in workers
        process.terminate()
        status, counts, _, err = wait_until_ended(process, outputs)
        assert status == 128 + signal.SIGTERM
        assert counts["skipped, finished before"] == counts["running elsewhere"] == 1
        assert counts["interrupted"] >= 1
        assert counts["in all"] == 6
        assert err[-1] == "fitbench: interrupted; run the same command again to resume"
        assert [line for line in err if not re.match(QUIET, line)] == []
        wait_for(lambda: all(is_gone(pid) for pid in workers), None, 20)
        assert not (theirs / "config.yaml").exists()


@pytest.mark.parametrize("is_terminated", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.skipif(find_spec("hydra_plugins.hydra_ray_launcher") is None, reason="needs pip install 'fitbench[ray]'")
@pytest.mark.long
def test_sweep_on_ray_that_is_disturbed_has_the_results_of_an_undisturbed_one(basic_sweep, tmp_path, is_terminated):
    outputs = tmp_path / "outputs"
    study = outputs / "default"
    finished, theirs = (
        study / run.name for pattern in ("*-mlp*-s0", "*-softmax*-s1") for run in basic_sweep.glob(pattern)
    )
    shutil.copytree(basic_sweep / finished.name, finished)
    stamp = (finished / "result.json").stat().st_mtime_ns
    if is_terminated:
        terminate_on_ray(outputs, theirs)
    ended_before = {run for run in study.glob("*-s?") if (run / "result.json").exists()}

    process = start(outputs, *RAY)
    at_work: list[int] = []

    def is_at_work() -> bool:
        at_work[:] = [pid for pid, run in holders(study).items() if not is_gone(pid) and read_history(run)]
        return bool(at_work)

    wait_for(is_at_work, process)
    os.kill(at_work[0], signal.SIGKILL)  # Ray starts the run again
    status, counts, failed, _ = wait_until_ended(process, outputs)
    assert status == 1
    assert (counts["finished"], counts["failed"]) == (4 - len(ended_before), 2)
    assert counts["skipped, finished before"] == len(ended_before)
    assert all("lenet5 takes images of 10x10 pixels or more" in line for line in failed)
    assert (finished / "result.json").stat().st_mtime_ns == stamp
    for folder in basic_sweep.glob("*-s?"):
        assert state_of(study / folder.name) is state_of(folder)
        if state_of(folder) is State.finished:
            assert record(study / folder.name) == record(folder), folder.name
