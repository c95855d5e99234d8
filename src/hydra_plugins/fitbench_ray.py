"""The Ray launcher, in the package where Hydra searches for plugins. A lost run does not end the sweep."""

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

OBJECT_STORE_BYTES = 80 * 2**20  # enough: a run receives its overrides and returns its configuration


class RayLauncher(PluginLauncher):
    """Submits each job to Ray as a task and waits for all of them, with hydra-ray-launcher."""

    choice, extra = "ray", "ray"
    wraps = ("hydra_plugins.hydra_ray_launcher.ray_launcher", "RayLauncher")

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Store the outputs folder. Hydra calls this before the first launch."""
        self.outputs = Path(config.outputs).absolute()
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs, and return their results in order. A job that Ray lost at every attempt has failed.

        Raises:
            FitbenchError: Ray did not start, or there is no cluster at the address.
        """
        import ray

        from fitbench.launch.signals import Terminated

        outputs = QuotedString(str(self.outputs), Quote.single).with_quotes()
        overrides = [[*job, f"outputs={outputs}"] for job in job_overrides]  # workers start in any folder
        _connect(self.plugin.ray_cfg.init)
        try:
            with contextlib.redirect_stdout(sys.stderr), _lost_jobs_as_failures():  # Ray writes errors to stdout
                return self.plugin.launch(overrides, initial_job_idx)
        except BaseException as error:
            ray.shutdown()  # ends the runs
            if isinstance(error, SystemExit):  # Ray replaces our handler's Terminated by its own SystemExit
                raise Terminated(128 + signal.SIGTERM) from error
            raise


def _connect(settings: DictConfig) -> None:
    """Start Ray, or connect to it. Our SIGTERM handler stays, because that of Ray would abort this process.

    Raises:
        FitbenchError: Ray did not start, or there is no cluster at the address.
    """
    import ray

    from fitbench.errors import FitbenchError
    from fitbench.launch.sweep_job import first_line

    if ray.is_initialized():
        return
    options: Any = OmegaConf.to_container(settings, resolve=True)
    if options["address"] == "local":
        options.setdefault("object_store_memory", OBJECT_STORE_BYTES)  # the default is a third of the memory
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises errors of many types
        raise FitbenchError(f"Ray did not start: {first_line(error)}") from error
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextlib.contextmanager
def _lost_jobs_as_failures() -> Iterator[None]:
    """In this block, `ray.get` returns a failed `JobReturn` for a lost job. Its error would end the sweep."""
    import ray

    from fitbench.errors import FitbenchError
    from fitbench.launch.sweep_job import first_line

    get = ray.get

    def get_or_failure(job: Any) -> Any:
        try:
            return get(job)
        except ray.exceptions.RayError as error:
            failed = JobReturn(status=JobStatus.FAILED)
            failed.return_value = FitbenchError(
                f"Ray lost the run: {first_line(getattr(error, 'cause', None) or error)}"
            )
            return failed

    ray.get = get_or_failure  # type: ignore[assignment]
    try:
        yield
    finally:
        ray.get = get
