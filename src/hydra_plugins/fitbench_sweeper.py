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

        assert self.config is not None
        refuse_chdir(self.config.hydra)
        stop_clock()  # so that all jobs have the same study
        jobs = self._compose_jobs(arguments)
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
        from fitbench.launch.local import train_here

        assert self.config is not None and self.launcher is not None
        if launcher is None:
            return partial(train_here, self.launcher, settings.workers)
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

    def _compose_jobs(self, arguments: list[str]) -> list[Any]:
        """Compose the jobs of the sweep.

        Raises:
            RequestError: a configuration is wrong, or there are no jobs.
        """
        from fitbench.composition import Composer, read_overrides
        from fitbench.config import sweep_from_hydra, sweep_section
        from fitbench.launch.combinations import combinations, one_section
        from fitbench.launch.sweep_job import Job

        assert self.config is not None and self.hydra_context is not None
        loader = self.hydra_context.config_loader
        read = partial(read_overrides, loader=loader)
        of_sweep, arguments = one_section(arguments, read)
        sweep = sweep_from_hydra(self.config)
        combined = combinations(self._parse_config(), arguments, sweep, read).overrides()
        entries = [{"overrides": [], "seeds": []}] if self.jobs is None else json.loads(Path(self.jobs).read_bytes())
        composer = Composer(
            path=loader.get_search_path(),
            name=self.config.hydra.job.config_name,
            of_hydra=self.config.hydra.overrides.hydra,
            of_sweep=of_sweep,
            combined=sweep_section.given(self.config),
        )
        jobs = []
        for entry in entries:
            for overrides in combined:
                job_overrides = [*entry["overrides"], *overrides]
                job = Job.of(job_overrides, composer.configuration(job_overrides))
                jobs += [job.with_seed(seed) for seed in entry["seeds"]] or [job]
        if sweep.exclude:
            from fitbench.exclusion import kept  # needs pandas

            folders = kept({job.folder: job.config for job in jobs}, sweep.exclude)
            jobs = [job for job in jobs if job.folder in folders]
        return jobs
