"""Hydra's way to find a sweeper: a class in the package `hydra_plugins`. What it does stands in `fitbench.launch`."""

import json
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf


class FitbenchSweeper(BasicSweeper):
    """Hydra's basic sweeper, for sweeps that are launched again until every run is finished.

    The syntax and the order of the jobs are the basic sweeper's. All jobs are composed and checked before the first is
    launched; those whose runs are finished are not launched. `jobs` can name a JSON file that lists configurations with
    their seeds, as [{"overrides": ["model=mlp"], "seeds": [0, 1]}]; the overrides of the command come behind these.
    """

    def __init__(self, max_batch_size: int | None, params: Any = None, jobs: str | None = None) -> None:
        super().__init__(max_batch_size, params)
        self.jobs = jobs

    def sweep(self, arguments: list[str]) -> Any:
        """Run the jobs that are left.

        Raises:
            RequestError: a job's configuration is wrong; nothing was launched.
            SweepFailed: some of the runs failed.
        """
        from fitbench.composition import Composer
        from fitbench.launch.sweep import Job, run_sweep
        from fitbench.launch.workers import Workers

        assert self.config is not None and self.launcher is not None and self.hydra_context is not None
        loader = self.hydra_context.config_loader
        overrides = OverridesParser.create(config_loader=loader).parse_overrides([*self._parse_config(), *arguments])
        [combinations] = self.split_arguments(overrides, None)
        listed = [{"overrides": [], "seeds": []}] if self.jobs is None else json.loads(Path(self.jobs).read_bytes())
        composer = Composer(path=loader.get_search_path(), name=self.config.hydra.job.config_name)
        jobs = []
        for one in listed:
            for combination in combinations:
                job = [*one["overrides"], *combination]
                composed = Job.of(job, composer.configuration(job))
                jobs += [composed.with_seed(seed) for seed in one["seeds"]] or [composed]
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        return run_sweep(jobs, self.launcher, self.max_batch_size, Workers.of(self.config.hydra.launcher))
