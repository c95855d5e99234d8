"""The Slurm launcher, in the package where Hydra searches for plugins. A lost job does not end the sweep."""

from collections.abc import Sequence

from hydra.core.utils import JobReturn

from fitbench.errors import FitbenchError
from fitbench.launch.plugins import PluginLauncher
from fitbench.launch.slurm import waiting_for_every_job


class SlurmLauncher(PluginLauncher):
    """Submits jobs to Slurm as an array and waits for all of them, with hydra-submitit-launcher."""

    choice, extra = "submitit_slurm", "submitit"
    wraps = ("hydra_plugins.hydra_submitit_launcher.submitit_launcher", "SlurmLauncher")

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
