"""Hydra's way to find a launcher: hydra-ray-launcher's, with which a lost run does not end the sweep."""

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from fitbench.launch.plugins import PluginLauncher

OBJECT_STORE_BYTES = 80 * 2**20  # a run gets no more than its overrides, and gives no more than its configuration


class RayLauncher(PluginLauncher):
    """Hands each job to Ray as a task, and waits for all of them."""

    choice, extra = "ray", "ray"
    of = ("hydra_plugins.hydra_ray_launcher.ray_launcher", "RayLauncher")

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """What Hydra calls before the first launch."""
        self.outputs = Path(config.outputs).absolute()
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """What became of the jobs, in their order; a job that was lost, as often as Ray tried it, has failed.

        Raises:
            FitbenchError: Ray did not start, or there is no cluster at the address.
        """
        import ray

        from fitbench.launch.signals import Terminated

        outputs = QuotedString(str(self.outputs), Quote.single).with_quotes()
        overrides = [[*job, f"outputs={outputs}"] for job in job_overrides]  # the workers of a cluster start anywhere
        _connect(self.plugin.ray_cfg.init)
        try:
            with contextlib.redirect_stdout(sys.stderr), _lost_jobs_as_failures():  # Ray says on stdout what goes wrong
                return self.plugin.launch(overrides, initial_job_idx)
        except BaseException as error:
            ray.shutdown()  # the runs end with it
            if isinstance(error, SystemExit):  # Ray makes its own of what our handler of SIGTERM raises
                raise Terminated(128 + signal.SIGTERM) from error
            raise


def _connect(settings: DictConfig) -> None:
    """Start Ray, or connect to it. Our handler of SIGTERM stays: Ray's would abort this process.

    Raises:
        FitbenchError: Ray did not start, or there is no cluster at the address.
    """
    import ray

    from fitbench.errors import FitbenchError
    from fitbench.launch.sweep import first_line

    if ray.is_initialized():
        return
    given: Any = OmegaConf.to_container(settings, resolve=True)
    if given["address"] == "local":
        given.setdefault("object_store_memory", OBJECT_STORE_BYTES)  # else Ray sets aside a third of the memory
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**given)
    except Exception as error:  # Ray has many
        raise FitbenchError(f"Ray did not start: {first_line(error)}") from error
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextlib.contextmanager
def _lost_jobs_as_failures() -> Iterator[None]:
    """In this block `ray.get` gives a failed `JobReturn` for a job that was lost; the plugin would end the sweep."""
    import ray

    from fitbench.errors import FitbenchError
    from fitbench.launch.sweep import first_line

    get = ray.get

    def get_or_failure(job: Any) -> Any:
        try:
            return get(job)
        except ray.exceptions.RayError as error:
            failed = JobReturn(status=JobStatus.FAILED)
            failed.return_value = FitbenchError(f"Ray lost it: {first_line(getattr(error, 'cause', None) or error)}")
            return failed

    ray.get = get_or_failure  # type: ignore[assignment]
    try:
        yield
    finally:
        ray.get = get
