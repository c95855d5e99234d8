"""Hydra's way to find a launcher: hydra-submitit-launcher's for Slurm, with which a lost job does not end the sweep."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SlurmLauncher(Launcher):
    """Hands jobs to Slurm as an array, and waits for all of them. Its parameters are the plugin's.

    Raises:
        RequestError: the plugin is not installed.
    """

    def __init__(self, **parameters: Any) -> None:
        try:
            from hydra_plugins.hydra_submitit_launcher import submitit_launcher
        except ModuleNotFoundError as error:
            from fitbench.errors import RequestError

            raise RequestError("hydra/launcher=submitit_slurm needs pip install 'fitbench[submitit]'") from error
        self.plugin = submitit_launcher.SlurmLauncher(**parameters)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """What Hydra calls before the first launch."""
        self.plugin.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """What became of the jobs, in their order; a job that was lost has failed.

        Raises:
            FitbenchError: Slurm refuses the jobs, or there is no Slurm.
        """
        from fitbench.errors import FitbenchError
        from fitbench.sweeps.slurm import every_job_awaited

        try:
            with every_job_awaited():
                return self.plugin.launch(job_overrides, initial_job_idx)
        except RuntimeError as error:  # all of submitit's are
            raise FitbenchError(f"the jobs could not be handed to Slurm: {str(error).strip()}") from error
