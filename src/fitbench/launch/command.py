"""`fitbench train`: Hydra composes each job's configuration, and the job is trained unless it is recorded already."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from fitbench.composition import conf_folder, explain, hydra_with_metrics
from fitbench.config import Config, from_hydra
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.job import cannot_write, run
from fitbench.launch.signals import Terminated, status_of, terminable
from fitbench.record.folder import folder_of

Report = Callable[[Path, dict[str, Any], bool], None]


def launch(arguments: list[str], report: Report | None = None) -> int:
    """Run what `fitbench train ARGUMENTS` asks for; gives the exit status.

    Args:
        arguments: overrides, and flags of Hydra.
        report: is called with the folder and the result of a single run, and whether it was recorded before.

    Raises:
        FitbenchError: the request was wrong, or a run failed for a known reason.
    """
    in_front = sorted(arguments, key=lambda word: word not in ("-m", "--multirun"))  # between overrides, argparse fails
    sys.argv = ["fitbench train", *in_front]
    full_errors = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors, and we say what they mean
    task = Task()
    entry = hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")(task)
    try:
        with terminable(), hydra_with_metrics():
            entry()
            if task.outcome is not None and report is not None:
                report(*task.outcome)
    except (KeyboardInterrupt, Terminated) as stop:
        return status_of(stop)
    except (HydraException, OmegaConfBaseException, ValueError) as error:  # Hydra's own are ValueErrors too
        if full_errors:
            raise
        raise RequestError(explain(error)) from error
    except BrokenPipeError:  # whoever read our output has had enough
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends, right now
        return 128 + signal.SIGPIPE
    except OSError as error:
        raise FitbenchError(cannot_write(error)) from error
    finally:
        if not full_errors:
            del os.environ["HYDRA_FULL_ERROR"]
    if task.failure is not None:
        raise task.failure
    return 0


class Task:
    """What Hydra calls with each job's configuration.

    In a sweep a failure is raised, for the sweeper to collect, perhaps from another process. A single run's is kept in
    `failure`, because Hydra would print the overrides before it. `outcome` is a single run's folder, its result, and
    whether the result was recorded before.
    """

    __name__ = "train"

    def __init__(self) -> None:
        self.failure: FitbenchError | None = None
        self.outcome: tuple[Path, dict[str, Any], bool] | None = None

    def __call__(self, composed: DictConfig) -> None:
        """Train the job unless it is recorded."""
        config = from_hydra(composed)
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            with terminable():  # a launcher may call us in a process of its own
                run(config.model_copy(update={"progress": False}))  # the sweep shows it
            return
        try:
            result, reused = run(config)
        except FitbenchError as error:
            self.failure = error
            if isinstance(error, RequestError):
                _forget(folder_of(config))
        except Exception as error:  # noqa: BLE001 - said in one line here; error.txt has the traceback
            self.failure = _failed(config, error)
        else:
            self.outcome = folder_of(config), result, reused


def _forget(folder: Path) -> None:
    """Remove the folder of a run that was refused before it began, if it holds nothing but the refusal."""
    refusal = {".hydra", "config.yaml", "error.txt", "train.log"}
    if folder.exists() and {path.name for path in folder.iterdir()} <= refusal:
        shutil.rmtree(folder)


def _failed(config: Config, error: Exception) -> FitbenchError:
    """What is said of a run that failed for a reason that fitbench does not know."""
    folder = folder_of(config)
    recorded = folder / "error.txt"
    where = f"the traceback is in {recorded}" if recorded.exists() else "and that could not be recorded"
    return FitbenchError(f"{folder.name} failed: {type(error).__name__}: {error}; {where}")
