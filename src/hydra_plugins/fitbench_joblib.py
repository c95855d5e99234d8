"""The joblib launcher, in the package where Hydra searches for plugins. It reports a killed worker in one line."""

import re
import warnings
from collections.abc import Sequence

from hydra.core.utils import JobReturn

from fitbench.errors import FitbenchError
from fitbench.launch.plugins import PluginLauncher


class JoblibLauncher(PluginLauncher):
    """Distributes jobs over `n_jobs` worker processes on this machine, with hydra-joblib-launcher."""

    choice, extra = "joblib", "joblib"
    wraps = ("hydra_plugins.hydra_joblib_launcher.joblib_launcher", "JoblibLauncher")

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs, and return their results in order.

        Raises:
            FitbenchError: a worker was killed. joblib has then ended the others.
        """
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        try:
            with warnings.catch_warnings():  # loky replaces a worker that has grown by 300 MB, as large data sets do
                warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
                return self.plugin.launch(job_overrides, initial_job_idx)
        except TerminatedWorkerError as error:
            signals = re.search(r"\{(.*)\}", str(error))
            detail = f" ({signals[1]})" if signals else ""
            raise FitbenchError(f"a worker was killed{detail}, perhaps because memory ran out") from error
