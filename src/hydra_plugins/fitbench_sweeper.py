"""The sweeper, in the package where Hydra searches for plugins. `fitbench.launch` implements the sweep."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from fitbench.errors import RequestError


class FitbenchSweeper(BasicSweeper):
    """Hydra's basic sweeper for sweeps that can be resumed.

    The syntax and the order of the jobs are those of the basic sweeper. All jobs are composed and checked before the
    first one is launched. Jobs whose runs are finished are not launched.

    Args:
        max_batch_size: how many jobs a launcher for several machines gets at a time; None for all.
        params: the overrides of `hydra.sweeper.params`.
        jobs: a JSON file that lists configurations with their seeds, as
            [{"overrides": ["model=mlp"], "seeds": [0, 1]}]. The overrides of the command follow these.
    """

    def __init__(self, max_batch_size: int | None, params: Any = None, jobs: str | None = None) -> None:
        super().__init__(max_batch_size, params)
        self.jobs = jobs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep the task, which takes the jobs. Hydra calls this before `sweep`."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.task: Any = task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Give the jobs to the task, which launches those whose runs are not finished, or says what it would do.

        Raises:
            RequestError: the configuration of a job is wrong, or does not suit the launcher. Nothing was launched.
            SweepFailed: some of the runs failed.
        """
        from fitbench.composition import stop_clock
        from fitbench.launch.command import refuse_chdir
        from fitbench.launch.jobs import compose_jobs

        assert self.config is not None and self.hydra_context is not None
        refuse_chdir(self.config.hydra)
        stop_clock()  # so that all jobs have the same study
        entries = [{"overrides": [], "seeds": []}] if self.jobs is None else json.loads(Path(self.jobs).read_bytes())
        jobs = compose_jobs(
            self.config,
            self.hydra_context.config_loader,
            arguments,
            self._parse_config(),
            entries,
        )
        self.config.study = jobs[0].config.study
        name = self.config.hydra.runtime.choices["hydra/launcher"]
        launcher = None if name == "basic" else name
        self.task.sweep(jobs, self._training(jobs[0].config, len(jobs), launcher), launcher)

    def _training(self, settings: Any, jobs: int, launcher: str | None) -> Any:
        """Return the function that launches the jobs: on this machine, or through a launcher for several machines.

        Args:
            settings: the configuration of the first job.
            jobs: the number of jobs.
            launcher: the name of a launcher for several machines; None for this machine.

        Raises:
            RequestError: `workers` or `fail_fast` does not suit the launcher.
        """
        from fitbench.launch.cluster import threads_per_job, train_elsewhere
        from fitbench.launch.local import train_here, train_with_hydra

        assert self.config is not None and self.launcher is not None
        if launcher is None:
            return partial(train_here, partial(train_with_hydra, self.launcher), settings.workers)
        if settings.workers > 1:
            raise RequestError(
                f"workers={settings.workers} is for processes on this machine; hydra/launcher={launcher} has settings "
                "of its own, below hydra.launcher; leave out one of the two"
            )
        if settings.fail_fast and self.max_batch_size is None:
            raise RequestError(
                f"fail_fast=true: hydra/launcher={launcher} gets all jobs at once; add hydra.sweeper.max_batch_size=N, "
                "and the sweep stops after N jobs of which one has failed"
            )
        threads = threads_per_job(self.config.hydra.launcher)
        return partial(train_elsewhere, self.launcher, threads, self.max_batch_size or jobs)
