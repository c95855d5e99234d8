"""The launcher for submitit on one machine, in the package where Hydra searches for plugins."""

import os
from collections.abc import Sequence

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from fitbench.launch.plugins import PluginLauncher


class LocalLauncher(PluginLauncher):
    """Distributes jobs over processes of submitit: as many as the machine has `cpus_per_task` for."""

    choice, extra = "submitit_local", "submitit"
    wraps = ("hydra_plugins.hydra_submitit_launcher.submitit_launcher", "LocalLauncher")

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Store the settings. Hydra calls this before the first launch."""
        self.settings = config.hydra.launcher
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs, and return their results in order.

        Raises:
            FitbenchError: a process was lost. The other processes have done the remaining jobs.
        """
        from submitit import LocalExecutor

        from fitbench.launch.local import share
        from fitbench.launch.workers import Workers

        executor = LocalExecutor(self.settings.submitit_folder, max_num_timeout=0)
        executor.update_parameters(timeout_min=self.settings.timeout_min)
        singletons = Singleton.get_state()  # the state of Hydra, which its workers restore
        jobs = [
            (list(overrides), "hydra.sweep.dir", number, f"job_id_for_{number}", singletons)
            for number, overrides in enumerate(job_overrides, initial_job_idx)
        ]
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES")
        return share(executor, self.plugin, jobs, Workers.of(self.settings).number, gpus)
