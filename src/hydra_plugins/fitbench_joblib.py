"""Hydra's way to find a launcher: hydra-joblib-launcher's, which says in a line that a worker was killed."""

import re
import warnings
from collections.abc import Sequence

from hydra.core.utils import JobReturn

from fitbench.errors import FitbenchError
from fitbench.launch.plugins import PluginLauncher


class JoblibLauncher(PluginLauncher):
    """Shares the jobs among `n_jobs` worker processes on this machine."""

    choice, extra = "joblib", "joblib"
    of = ("hydra_plugins.hydra_joblib_launcher.joblib_launcher", "JoblibLauncher")

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """What became of the jobs, in their order.

        Raises:
            FitbenchError: a worker was killed, and joblib has ended the others.
        """
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        try:
            with warnings.catch_warnings():  # a worker that has grown by 300 MB, as with a larger data set, is replaced
                warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
                return self.plugin.launch(job_overrides, initial_job_idx)
        except TerminatedWorkerError as error:
            by = re.search(r"\{(.*)\}", str(error))
            how = f" ({by[1]})" if by else ""
            raise FitbenchError(f"a worker was killed{how}, perhaps because memory ran out") from error
