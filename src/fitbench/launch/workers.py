"""How many runs a launcher trains at a time, and how many CPU threads each of them gets."""

from __future__ import annotations

import os
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from fitbench.config import Config


@dataclass(frozen=True)
class Workers:
    """The workers of a launcher.

    Attributes:
        number: how many runs are trained at a time.
        threads: CPU threads of each run; None leaves the choice to the backend.
    """

    number: int
    threads: int | None

    @staticmethod
    def of(launcher: DictConfig) -> Workers:
        """Read the workers from the configuration of Hydra's launcher.

        joblib has `n_jobs` workers, which share the cores of this machine. submitit and Ray give each job
        `cpus_per_task` or `ray.remote.num_cpus` cores. Slurm trains `array_parallelism` runs at a time. The others
        train as many as there are cores for. These are the cores of this machine, also for a Ray cluster, whose size is
        unknown until Ray is connected.
        """
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        n_jobs = launcher.get("n_jobs")
        if n_jobs is not None:
            # in joblib, -1 means all cores, -2 all but one
            number = max(n_jobs if n_jobs > 0 else cores + 1 + n_jobs, 1)
            return Workers(number, max(cores // number, 1) if number > 1 else None)
        cores_per_job = launcher.get("cpus_per_task") or OmegaConf.select(launcher, "ray.remote.num_cpus")
        if not cores_per_job:
            return Workers(1, None)
        number = launcher.get("array_parallelism") or max(int(cores / cores_per_job), 1)
        return Workers(number, max(int(cores_per_job), 1))

    def overrides(self, config: Config) -> list[str]:
        """Return the additional overrides of a job: its threads, unless its configuration states them."""
        return [f"threads={self.threads}"] if self.threads is not None and config.threads == "auto" else []
