"""The launchers for one machine: a sweep that is interrupted and resumed has the results of an undisturbed one."""

import os
import re
import shutil
import signal
import site
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus

import fitbench
from fitbench.errors import FitbenchError
from fitbench.launch.sweep import Job, run_sweep
from fitbench.launch.workers import Workers
from fitbench.record.claims import claim
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import append_history, read_history, write_history
from fitbench.record.result import write_result

from .recorded import holders, record

# lenet5 needs larger images than the digits: two of the six runs fail
SWEEP = (
    *("data=digits", "model=softmax,mlp,lenet5", "seed=0,1", "training.epochs=60", "training.early_stopping=null"),
    "threads=1",
)
HALF = max(len(os.sched_getaffinity(0)) // 2, 1)  # two processes at a time
QUIET = r"fitbench: |\[\d/6\] "  # the lines that stderr may have
LAUNCHERS = {
    "joblib": ("hydra_joblib_launcher", "joblib", "hydra.launcher.n_jobs=2"),
    "submitit_local": ("hydra_submitit_launcher", "submitit", f"hydra.launcher.cpus_per_task={HALF}"),
    "ray": ("hydra_ray_launcher", "ray", "hydra.launcher.ray.init.num_cpus=2"),
}


def start(outputs: Path, *overrides: str) -> subprocess.Popen[str]:
    """Start a process that launches the sweep, with its output in files beside the folder."""
    command = [sys.executable, "-m", "fitbench", "train", "-m", *SWEEP, f"outputs={outputs}", *overrides]
    with outputs.with_suffix(".out").open("w") as out, outputs.with_suffix(".err").open("w") as err:
        return subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True, text=True)


def wait_until_ended(process: subprocess.Popen[str], outputs: Path) -> tuple[int, dict[str, int], list[str], list[str]]:
    """Wait for a process, and return its exit status, the counts and failures of the summary, and stderr's lines."""
    status = process.wait(180)
    out = outputs.with_suffix(".out").read_text().splitlines()
    counts = [line.split(maxsplit=1) for line in out if not line.startswith("failed: ")]
    failed = [line for line in out if line.startswith("failed: ")]
    err = outputs.with_suffix(".err").read_text().splitlines()
    return status, {state.split(";")[0]: int(count) for count, state in counts}, failed, err


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str] | None, seconds: float = 120) -> None:
    """Wait until the condition holds, while the process runs."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and (process is None or process.poll() is None) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert holds


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


@pytest.fixture(scope="module")
def basic(tmp_path_factory):
    """Return the study of the sweep, trained with the basic launcher of Hydra, in one process."""
    outputs = tmp_path_factory.mktemp("basic") / "outputs"
    status, counts, _, _ = wait_until_ended(start(outputs), outputs)
    assert (status, counts["finished"], counts["failed"]) == (1, 4, 2)
    return outputs / "default"


@pytest.fixture(params=LAUNCHERS)
def launcher(request) -> tuple[str, ...]:
    """Return the overrides that choose a launcher."""
    plugin, extra, setting = LAUNCHERS[request.param]
    if find_spec(f"hydra_plugins.{plugin}") is None:
        pytest.skip(f"{plugin} is not installed: pip install 'fitbench[{extra}]'")
    return f"hydra/launcher={request.param}", setting


def test_resumed_sweep_has_the_results_of_the_basic_launcher(launcher, basic, tmp_path):
    outputs = tmp_path / "outputs"
    study = outputs / "default"
    finished, theirs = (study / run.name for pattern in ("*-mlp*-s0", "*-softmax*-s1") for run in basic.glob(pattern))
    shutil.copytree(basic / finished.name, finished)
    stamp = (finished / "result.json").stat().st_mtime_ns
    theirs.mkdir()
    # only the processes of submitit write the state of their runs when the sweep is interrupted
    epochs = 2 if "submitit" in launcher[0] else 0

    with claim(theirs):  # by this process
        process = start(outputs, *launcher)
        wait_for(lambda: any(len(read_history(run)) >= epochs for run in holders(study).values()), process)
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
    ended_before = {
        run for run in study.glob("*-s?") if (run / "result.json").exists()
    }  # while the signal was on its way
    begun = [run for run in set(study.glob("*-s?")) - ended_before if read_history(run)]
    assert begun or len(ended_before) > 1 or not epochs

    process = start(outputs, *launcher)
    if "joblib" in launcher[0]:
        wait_for(lambda: any(read_history(run) for run in holders(study).values()), process)
        os.kill(next(iter(holders(study))), signal.SIGKILL)
    status, counts, failed, err = wait_until_ended(process, outputs)
    assert status == 1
    assert (counts["finished"], counts["failed"]) == (4 - len(ended_before), 2)
    assert counts["skipped, finished before"] == len(ended_before)
    assert all("lenet5 takes images of 10x10 pixels or more" in line for line in failed)
    assert [line for line in err if not re.match(QUIET, line)] == []
    assert any("was killed" in line for line in err) is ("joblib" in launcher[0])
    assert (finished / "result.json").stat().st_mtime_ns == stamp
    if epochs:
        assert all("going on after epoch " in (run / "train.log").read_text() for run in begun)
    for folder in basic.glob("*-s?"):
        assert state_of(study / folder.name) is state_of(folder)
        if state_of(folder) is State.finished:
            assert record(study / folder.name) == record(folder), folder.name


# -- a launcher that fails --------------------------------------------------------------------------------------------


class FailingLauncher:
    """A launcher that fails at every launch, after its first run has reached a state; with the state `all` it succeeds.

    `states` has the state for each launch.
    """

    def __init__(self, states: Sequence[str]) -> None:
        self.states = list(states)
        self.batches: list[list[list[str]]] = []

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        self.batches.append([list(job) for job in job_overrides])
        state = self.states.pop(0)
        if state == "all":
            for job in job_overrides:
                self.write(Path(job[0]), "finished")
            return [JobReturn(status=JobStatus.COMPLETED) for _ in job_overrides]
        self.write(Path(job_overrides[0][0]), state)
        raise RuntimeError("the cluster is gone\nand more")

    @staticmethod
    def write(folder: Path, state: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if state == "finished":
            write_history(folder, [{"epoch": epoch, "loss": 1.0} for epoch in range(1, 6)])
            write_result(folder, {"schema": 1, "metrics": {}})
        elif state == "failed":
            (folder / "error.txt").write_text("Traceback ...\nValueError: no luck\n")
        elif state.startswith("epoch"):
            append_history(folder, {"epoch": int(state.removeprefix("epoch")), "loss": 1.0})


@pytest.fixture
def jobs(configure, tmp_path):
    configs = [configure("data=digits", "progress=false", f"outputs={tmp_path}", f"seed={seed}") for seed in range(4)]
    return [Job([str(folder_of(config))], config, folder_of(config)) for config in configs]


def test_launcher_that_fails_is_used_again_as_long_as_there_is_progress(jobs, capsys):
    launcher = FailingLauncher(["finished", "epoch1", "failed", "epoch1", "epoch2", "all"])
    with pytest.raises(FitbenchError, match="1 of 4 runs failed"):
        run_sweep(jobs, launcher, None, Workers(1, None), print)
    assert [len(batch) for batch in launcher.batches] == [4, 3, 3, 2, 2, 2]
    printed = capsys.readouterr()
    assert printed.err.count("RuntimeError: the cluster is gone; the remaining runs are launched again\n") == 5
    assert "     3 finished\n     1 failed\n" in printed.out
    assert f"failed: {jobs[1].folder}: ValueError: no luck\n" in printed.out


@pytest.mark.parametrize("states", [["nothing"], ["epoch1", "nothing"]])
def test_launcher_that_fails_without_progress_ends_the_sweep_with_its_summary(jobs, states, capsys):
    with pytest.raises(FitbenchError, match=r"^the launcher failed: RuntimeError: the cluster is gone$"):
        run_sweep(jobs, FailingLauncher(states), None, Workers(1, None), print)
    assert "     4 in all; results in " in capsys.readouterr().out


def test_failure_of_an_earlier_sweep_does_not_count_as_progress(jobs, capsys):
    FailingLauncher.write(jobs[0].folder, "failed")
    os.utime(jobs[0].folder / "error.txt", (0, 0))
    with pytest.raises(FitbenchError, match="the launcher failed"):
        run_sweep(jobs, FailingLauncher(["nothing"]), None, Workers(1, None), print)
    assert f"failed: {jobs[0].folder}: ValueError: no luck\n" in capsys.readouterr().out


# -- a plugin that is not installed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAUNCHERS)
def test_error_about_a_missing_plugin_says_what_to_install(name, tmp_path):
    packages = tmp_path / "packages"  # all installed packages except plugins of Hydra
    packages.mkdir()
    for folder in site.getsitepackages():
        for path in Path(folder).iterdir():
            if "hydra_plugins" not in path.name and not (packages / path.name).exists():
                (packages / path.name).symlink_to(path)
    source = Path(fitbench.__file__).parents[1]
    command = [sys.executable, "-S", "-m", "fitbench", "train", "-m", "seed=0,1", f"hydra/launcher={name}"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(packages)])}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    extra = LAUNCHERS[name][1]
    assert done.stderr == f"fitbench: hydra/launcher={name} needs pip install 'fitbench[{extra}]'\n"
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "outputs").exists()
