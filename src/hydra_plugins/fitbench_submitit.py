"""The Slurm launcher, in the package where Hydra searches for plugins. A lost job does not end the sweep."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.plugins import PluginLauncher
from fitbench.launch.slurm import waiting_for_every_job


class SlurmLauncher(PluginLauncher):
    """Submits jobs to Slurm as an array and waits for all of them, with hydra-submitit-launcher."""

    choice, extra = "submitit_slurm", "submitit"
    wraps = ("hydra_plugins.hydra_submitit_launcher.submitit_launcher", "SlurmLauncher")

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Check the folder of the jobs' output. Hydra calls this before the first launch.

        Raises:
            RequestError: Slurm would replace a part of the folder's name.
        """
        outputs = str(Path(config.outputs).absolute())
        if "%" in outputs and str(Path(self.plugin.params["submitit_folder"]).absolute()).startswith(outputs):
            raise RequestError(
                f"outputs={config.outputs}: Slurm replaces what follows a % in the names of the jobs' folders, and "
                f"{outputs} has one; choose a folder without it"
            )
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs, and return their results in order. A lost job has failed.

        Raises:
            FitbenchError: Slurm refused the jobs, or there is no Slurm.
        """
        try:
            with waiting_for_every_job():
                return self.plugin.launch(job_overrides, initial_job_idx)
        except RuntimeError as error:  # the base of all errors of submitit
            raise FitbenchError(f"the jobs could not be submitted to Slurm: {str(error).strip()}") from error
