"""The sweeper, in the package where Hydra searches for plugins. `fitbench.launch` implements the sweep."""

import json
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class FitbenchSweeper(BasicSweeper):
    """Hydra's basic sweeper for sweeps that can be resumed.

    The syntax and the order of the jobs are those of the basic sweeper. All jobs are composed and checked before the
    first one is launched. Jobs whose runs are finished are not launched.

    Args:
        max_batch_size: how many jobs the launcher gets at a time; None for all.
        params: the overrides of `hydra.sweeper.params`.
        jobs: a JSON file that lists configurations with their seeds, as
            [{"overrides": ["model=mlp"], "seeds": [0, 1]}]. The overrides of the command follow these.
    """

    def __init__(self, max_batch_size: int | None, params: Any = None, jobs: str | None = None) -> None:
        super().__init__(max_batch_size, params)
        self.jobs = jobs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep the task, which takes the summary. Hydra calls this before `sweep`."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.task: Any = task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Launch the jobs whose runs are not finished. The summary becomes the attribute `summary` of the task.

        Raises:
            RequestError: the configuration of a job is wrong. Nothing was launched.
            SweepFailed: some of the runs failed.
        """
        from fitbench.launch.sweep import run_sweep
        from fitbench.launch.workers import Workers

        assert self.config is not None and self.launcher is not None
        jobs = self._compose_jobs(arguments)
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        workers = Workers.of(self.config.hydra.launcher)
        return run_sweep(jobs, self.launcher, self.max_batch_size, workers, report=self._keep)

    def _keep(self, summary: Any) -> None:
        self.task.summary = summary

    def _compose_jobs(self, arguments: list[str]) -> list[Any]:
        """Compose the jobs of the sweep.

        Raises:
            RequestError: a configuration is wrong.
        """
        from fitbench.composition import Composer
        from fitbench.launch.sweep import Job

        assert self.config is not None and self.hydra_context is not None
        loader = self.hydra_context.config_loader
        overrides = OverridesParser.create(config_loader=loader).parse_overrides([*self._parse_config(), *arguments])
        [combinations] = self.split_arguments(overrides, None)
        entries = [{"overrides": [], "seeds": []}] if self.jobs is None else json.loads(Path(self.jobs).read_bytes())
        composer = Composer(path=loader.get_search_path(), name=self.config.hydra.job.config_name)
        jobs = []
        for entry in entries:
            for combination in combinations:
                job_overrides = [*entry["overrides"], *combination]
                job = Job.of(job_overrides, composer.configuration(job_overrides))
                jobs += [job.with_seed(seed) for seed in entry["seeds"]] or [job]
        return jobs
