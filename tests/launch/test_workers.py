"""How many workers a launcher has, and how many threads each of them gets."""

import pytest
from omegaconf import OmegaConf

from fitbench.launch.workers import Workers


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))


@pytest.mark.parametrize(
    ("launcher", "number", "threads"),
    [
        ({}, 1, None),
        ({"n_jobs": 1}, 1, None),
        ({"n_jobs": 3}, 3, 2),
        ({"n_jobs": 20}, 20, 1),
        ({"n_jobs": -1}, 8, 1),
        ({"n_jobs": -5}, 4, 2),
        ({"n_jobs": -20}, 1, None),
        ({"cpus_per_task": 6}, 1, 6),
        ({"cpus_per_task": None}, 1, None),
        ({"cpus_per_task": 2}, 4, 2),
        ({"cpus_per_task": 2, "array_parallelism": 256}, 256, 2),
        ({"ray": {"remote": {"num_cpus": 0.5}}}, 16, 1),
        ({"ray": {"init": {}}}, 1, None),
    ],
)
def test_cores_are_divided_among_workers(configure, launcher, number, threads):
    workers = Workers.of(OmegaConf.create(launcher))
    assert (workers.number, workers.threads) == (number, threads)
    assert workers.overrides(configure()) == ([] if threads is None else [f"threads={threads}"])
    assert workers.overrides(configure("threads=4")) == []
