"""Hydra's way to find a launcher: hydra-submitit-launcher's for Slurm, with which a lost job does not end the sweep."""

from collections.abc import Sequence

from hydra.core.utils import JobReturn

from fitbench.errors import FitbenchError
from fitbench.launch.plugins import PluginLauncher
from fitbench.launch.slurm import every_job_awaited


class SlurmLauncher(PluginLauncher):
    """Hands jobs to Slurm as an array, and waits for all of them."""

    choice, extra = "submitit_slurm", "submitit"
    of = ("hydra_plugins.hydra_submitit_launcher.submitit_launcher", "SlurmLauncher")

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """What became of the jobs, in their order; a job that was lost has failed.

        Raises:
            FitbenchError: Slurm refuses the jobs, or there is no Slurm.
        """
        try:
            with every_job_awaited():
                return self.plugin.launch(job_overrides, initial_job_idx)
        except RuntimeError as error:  # all of submitit's are
            raise FitbenchError(f"the jobs could not be handed to Slurm: {str(error).strip()}") from error
