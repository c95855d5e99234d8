"""Hydra's way to find a launcher: hydra-joblib-launcher's, which says in a line that a worker was killed."""

import re
import warnings
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class JoblibLauncher(Launcher):
    """Shares the jobs among `n_jobs` worker processes on this machine. Its parameters are the plugin's.

    Raises:
        RequestError: the plugin is not installed.
    """

    def __init__(self, **parameters: Any) -> None:
        try:
            from hydra_plugins.hydra_joblib_launcher import joblib_launcher
        except ModuleNotFoundError as error:
            from fitbench.errors import RequestError

            raise RequestError("hydra/launcher=joblib needs pip install 'fitbench[joblib]'") from error
        self.plugin = joblib_launcher.JoblibLauncher(**parameters)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """What Hydra calls before the first launch."""
        self.plugin.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """What became of the jobs, in their order.

        Raises:
            FitbenchError: a worker was killed, and joblib has ended the others.
        """
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        from fitbench.errors import FitbenchError

        try:
            with warnings.catch_warnings():  # a worker that has grown by 300 MB, as with a larger data set, is replaced
                warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
                return self.plugin.launch(job_overrides, initial_job_idx)
        except TerminatedWorkerError as error:
            by = re.search(r"\{(.*)\}", str(error))
            how = f" ({by[1]})" if by else ""
            raise FitbenchError(f"a worker was killed{how}, perhaps because memory ran out") from error
