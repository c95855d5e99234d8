"""Launchers for several machines: their cores, launchers that fail, and launchers that are not installed."""

import os
import site
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

import fitbench
from fitbench.errors import FitbenchError
from fitbench.launch.cluster import threads_per_job, train_elsewhere
from fitbench.launch.command import launch
from fitbench.launch.sweep import run_sweep
from fitbench.launch.sweep_job import Job
from fitbench.record.folder import folder_of
from fitbench.record.history import append_history, write_history
from fitbench.record.result import write_result


@pytest.mark.parametrize(
    ("settings", "threads"),
    [
        ({}, None),
        ({"cpus_per_task": None}, None),
        ({"cpus_per_task": 6}, 6),
        ({"ray": {"remote": {"num_cpus": 0.5}}}, 1),
        ({"ray": {"init": {}}}, None),
    ],
)
def test_run_has_as_many_threads_as_its_job_has_cores(settings, threads):
    assert threads_per_job(OmegaConf.create(settings)) == threads


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
        run_sweep(jobs, partial(train_elsewhere, launcher, None, 4), print)
    assert [len(batch) for batch in launcher.batches] == [4, 3, 3, 2, 2, 2]
    printed = capsys.readouterr()
    assert printed.err.count("RuntimeError: the cluster is gone; the remaining runs are launched again\n") == 5
    assert "     3 finished\n     1 failed\n" in printed.out
    assert f"failed: {jobs[1].folder}: ValueError: no luck\n" in printed.out


@pytest.mark.parametrize("states", [["nothing"], ["epoch1", "nothing"]])
def test_launcher_that_fails_without_progress_ends_the_sweep_with_its_summary(jobs, states, capsys):
    with pytest.raises(FitbenchError, match=r"^the launcher failed: RuntimeError: the cluster is gone$"):
        run_sweep(jobs, partial(train_elsewhere, FailingLauncher(states), None, 4), print)
    assert "     4 in all; results in " in capsys.readouterr().out


def test_failure_of_an_earlier_sweep_does_not_count_as_progress(jobs, capsys):
    FailingLauncher.write(jobs[0].folder, "failed")
    os.utime(jobs[0].folder / "error.txt", (0, 0))
    with pytest.raises(FitbenchError, match="the launcher failed"):
        run_sweep(jobs, partial(train_elsewhere, FailingLauncher(["nothing"]), None, 4), print)
    assert f"failed: {jobs[0].folder}: ValueError: no luck\n" in capsys.readouterr().out


# -- a plugin that is not installed -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "extra"), [("ray", "ray"), ("submitit_slurm", "submitit")])
def test_error_about_a_missing_plugin_says_what_to_install(name, extra, tmp_path):
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
    assert done.stderr == f"fitbench: hydra/launcher={name} needs pip install 'fitbench[{extra}]'\n"
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "outputs").exists()


@pytest.mark.skipif(find_spec("hydra_plugins.hydra_ray_launcher") is None, reason="needs pip install 'fitbench[ray]'")
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("workers=2", "workers=2 is for processes on this machine; hydra/launcher=ray has settings of its own"),
        (
            "fail_fast=true",
            "fail_fast=true: hydra/launcher=ray gets all jobs at once; add hydra.sweeper.max_batch_size",
        ),
    ],
)
def test_setting_that_does_not_suit_the_launcher_is_refused(setting, message, tmp_path, process_state_restored):
    with pytest.raises(FitbenchError, match=f"^{message}"):
        launch(["-m", "seed=0,1", "hydra/launcher=ray", setting, f"outputs={tmp_path / 'outputs'}"])
    assert not (tmp_path / "outputs").exists()
