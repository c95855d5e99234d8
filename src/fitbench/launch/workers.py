"""How many runs a launcher has in hand at a time, and what of the machine each of them gets."""

from __future__ import annotations

import os
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from fitbench.config import Config


@dataclass(frozen=True)
class Workers:
    """So many runs at a time, with so many CPU threads each; None leaves the threads to the backend."""

    number: int
    threads: int | None

    @staticmethod
    def of(launcher: DictConfig) -> Workers:
        """What Hydra's launcher is configured for.

        joblib has `n_jobs` workers on this machine, among which its cores are divided. submitit and Ray give each job
        `cpus_per_task` or `ray.remote.num_cpus` of theirs; Slurm has `array_parallelism` in hand, the others as many as
        there are cores for (of this machine: how large a Ray cluster is, is not known before).
        """
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        n_jobs = launcher.get("n_jobs")
        if n_jobs is not None:
            number = max(
                n_jobs if n_jobs > 0 else cores + 1 + n_jobs, 1
            )  # joblib counts -1, -2, .. from the cores down
            return Workers(number, max(cores // number, 1) if number > 1 else None)
        given = launcher.get("cpus_per_task") or OmegaConf.select(launcher, "ray.remote.num_cpus")
        if not given:
            return Workers(1, None)
        return Workers(launcher.get("array_parallelism") or max(int(cores / given), 1), max(int(given), 1))

    def overrides(self, config: Config) -> list[str]:
        """What a job is told in addition, unless its configuration says so itself."""
        return [f"threads={self.threads}"] if self.threads is not None and config.threads == "auto" else []
