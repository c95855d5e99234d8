"""`fitbench train`: Hydra composes the configuration of each job, and the job is trained unless it is recorded."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from fitbench.composition import conf_folder, configuration_of, explained_errors, hydra_with_metrics
from fitbench.config import Config
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.job import cannot_write, run
from fitbench.launch.longer import advice
from fitbench.launch.plan import Plan, plan
from fitbench.launch.signals import Terminated, status_of, terminable
from fitbench.launch.single import train_one, without_refused
from fitbench.launch.summary import SweepSummary
from fitbench.launch.sweep_job import Job
from fitbench.project.settings import find_settings, nearest_project
from fitbench.record.folder import folder_of
from fitbench.stderr import write_note

if TYPE_CHECKING:
    from fitbench.launch.sweep import Train

ReportRun = Callable[[Path, dict[str, Any], bool], None]
ReportSweep = Callable[[SweepSummary], None]
ReportPlan = Callable[[Plan], None]

DRY_RUN = "--dry-run"


def write_to_stderr(summary: SweepSummary) -> None:
    """Write the summary of a sweep to stderr, as the last lines of its progress."""
    print(summary, file=sys.stderr)


def dry_run(arguments: list[str], report_plan: ReportPlan) -> int:
    """Run `fitbench train ARGUMENTS --dry-run`, which writes nothing, and return the exit status.

    Args:
        arguments: overrides, and flags of Hydra.
        report_plan: called with what a launch would do. It may look at more files.

    Raises:
        FitbenchError: the request was wrong.
    """
    task = DryRun()
    try:
        with terminable(), _explained_errors(), tempfile.TemporaryDirectory(prefix="fitbench-") as folder:
            _call_hydra(task, [*arguments, f"hydra.run.dir={folder}"])  # which Hydra creates for a single run
            if task.failure is not None:
                raise task.failure
            if task.plan is None:  # a flag of Hydra's such as --cfg, which prints something else
                return 0
            report_plan(task.plan)
            return task.plan.status
    except (KeyboardInterrupt, Terminated) as stop:
        return status_of(stop)
    except OSError as error:
        raise FitbenchError(cannot_write(error)) from error


def launch(
    arguments: list[str], report_run: ReportRun | None = None, report_sweep: ReportSweep = write_to_stderr
) -> int:
    """Run `fitbench train ARGUMENTS`, and return the exit status.

    Args:
        arguments: overrides, and flags of Hydra.
        report_run: called with the folder and the result of a single run, and whether it was recorded before.
        report_sweep: called with the summary of a sweep, also if the sweep failed or was interrupted.

    Raises:
        FitbenchError: the request was wrong, or a run failed.
    """
    task = Training()
    try:
        with _explained_errors(), terminable():
            try:
                _call_hydra(task, arguments)
            finally:
                if task.summary is not None:
                    report_sweep(task.summary)
            if task.outcome is not None and report_run is not None:
                report_run(*task.outcome)
    except (KeyboardInterrupt, Terminated) as stop:
        return status_of(stop)
    except OSError as error:
        raise FitbenchError(cannot_write(error)) from error
    if task.failure is not None:
        raise task.failure
    return 0


def _call_hydra(task: Task, arguments: list[str]) -> None:
    sys.argv = ["fitbench train", *_overrides_first(arguments)]
    with hydra_with_metrics():
        settings = find_settings()
        changed = any("=" in word for word in arguments)  # then whoever asks knows what is trained
        if not changed and settings.file is None and (project := nearest_project(sorted(Path().iterdir()))):
            write_note(
                f"this folder is in no project, so fitbench's own defaults count; {project}/ is a project: enter it"
            )
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=settings.config_name)(task)()


def _overrides_first(arguments: list[str]) -> list[str]:
    """The arguments with the overrides before Hydra's options, because its parser takes those of one place only.

    Raises:
        RequestError: there is no such option, it lacks its value or stands twice, or it is --shell-completion.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    following = [*arguments, ""][1:]  # the parser would take an override behind --info for its value
    arguments = [
        "--info=all" if word in ("--info", "-i") and "=" in after else word
        for word, after in zip(arguments, following, strict=True)
    ]
    try:
        parsed, others = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise RequestError(f"{error}; fitbench train --hydra-help lists the options") from error
    if parsed.shell_completion:  # its script calls this program without the command train
        raise RequestError(
            "--shell-completion: the completion of Hydra does not work with fitbench; fitbench train --help lists the "
            "keys and the choices"
        )
    if sum(word == "-cd" or word.startswith(("--config-dir", "-cd=")) for word in arguments) > 1:
        raise RequestError(
            "--config-dir stands more than once, and fitbench train takes one folder; config_dir of [tool.fitbench] in "
            "pyproject.toml names several"
        )
    for word in others:
        if word.startswith("-"):
            raise RequestError(
                f"{word}: fitbench train has no such option; a value is set with KEY=VALUE, such as training.epochs=5"
            )
    overrides = {*parsed.overrides, *others}
    return sorted(arguments, key=lambda word: word not in overrides)


@contextmanager
def _explained_errors() -> Iterator[None]:
    """Turn errors of Hydra and OmegaConf into a `RequestError`, unless the user has set HYDRA_FULL_ERROR=1."""
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        yield
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises its errors instead of printing them
    try:
        with explained_errors():
            yield
    finally:
        del os.environ["HYDRA_FULL_ERROR"]


class Task(ABC):
    """The task function of `fitbench train`: Hydra calls it for a single run, and the sweeper gives it a sweep's jobs.

    Attributes:
        failure: the error of a single run. It is kept, because Hydra would print the overrides before it.
    """

    __name__ = "train"

    def __init__(self) -> None:
        self.failure: FitbenchError | None = None

    def __call__(self, composed: DictConfig) -> None:
        """Take a single run."""
        try:
            self.take(configuration_of(composed))
        except FitbenchError as error:
            self.failure = error
        except OSError as error:
            self.failure = FitbenchError(cannot_write(error))

    def take(self, config: Config) -> None:
        """Take a single run with this configuration. `hydra.job.chdir=true` is refused."""
        refuse_chdir(HydraConfig.get())
        if text := advice(config):
            write_note(text)
        self.single(config)

    @abstractmethod
    def single(self, config: Config) -> None:
        """Take a single run with this configuration."""

    @abstractmethod
    def sweep(self, jobs: Sequence[Job], train: Train, launcher: str | None) -> None:
        """Take the jobs of a sweep.

        Args:
            jobs: all of them, at least one.
            train: launches jobs.
            launcher: the name of a launcher of other machines; None for this machine.
        """


def refuse_chdir(settings: DictConfig | HydraConf) -> None:
    """Refuse hydra.job.chdir=true among Hydra's settings.

    Raises:
        RequestError: it is there.
    """
    if settings.job.chdir:
        raise RequestError(
            "hydra.job.chdir=true: a run does not change the folder; write ${run_dir:} in the paths of callbacks"
        )


class DryRun(Task):
    """The task function of a dry run.

    Attributes:
        plan: what a launch would do; None before it is known.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plan: Plan | None = None

    def single(self, config: Config) -> None:
        """Plan a single run, which is tried again whatever happened before."""
        self.plan = Plan(plan([Job.of([], config.model_copy(update={"retry_failed": True}))]))

    def sweep(self, jobs: Sequence[Job], train: Train, launcher: str | None) -> None:
        """Plan the jobs."""
        self.plan = Plan(plan(jobs), jobs[0].config.workers, launcher)


class Training(Task):
    """The task function that trains.

    In a sweep a launcher calls it for each job, and a failure is raised. The sweep collects it, perhaps from another
    process.

    Attributes:
        outcome: the folder of a single run, its result, and whether the result was recorded before.
        summary: the summary of a sweep.
    """

    def __init__(self) -> None:
        super().__init__()
        self.outcome: tuple[Path, dict[str, Any], bool] | None = None
        self.summary: SweepSummary | None = None

    def __call__(self, composed: DictConfig) -> None:
        """Train the job unless it is recorded."""
        if OmegaConf.is_interpolation(composed, "study"):  # the time, which Hydra has resolved for the run's folder
            composed.study = Path(HydraConfig.get().runtime.output_dir).parent.name
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            config = configuration_of(composed).model_copy(update={"progress": False})  # the sweep has its own progress
            with terminable():  # a launcher may call the task in another process
                run(config, needs_trackers=False)
            return
        super().__call__(composed)

    def take(self, config: Config) -> None:
        """Train the run unless it is recorded or refused."""
        with without_refused(HydraConfig.get().runtime.cwd / folder_of(config)):
            super().take(config)

    def single(self, config: Config) -> None:
        """Train the run unless it is recorded."""
        self.outcome = train_one(config)

    def sweep(self, jobs: Sequence[Job], train: Train, launcher: str | None) -> None:
        """Launch the jobs whose runs are not finished. The summary is kept, also if the sweep fails."""
        from fitbench.launch.sweep import run_sweep

        run_sweep(jobs, train, report=partial(setattr, self, "summary"))
