"""`fitbench train`: Hydra composes each job's configuration, and the job is trained unless it is recorded already."""

import difflib
import math
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from fitbench import runs
from fitbench.config import Config, from_hydra, run_id
from fitbench.errors import FitbenchError, RequestError

# The launchers in conf/ have the names of their plugins' schemas, which Hydra 1.3 checks them against, with a warning.
warnings.filterwarnings("ignore", r"\s*'hydra/launcher/\w+' is validated against ConfigStore schema")
OmegaConf.register_new_resolver("run_id", lambda *, _root_: _run_id(_root_), replace=True)


class Terminated(SystemExit):
    """The process was asked to end by a signal; its exit status is `code`."""


def conf_folder() -> Path:
    """Where conf/ lies: beside the package in an installed wheel, else at the top of the source tree."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def launch(arguments: list[str]) -> int:
    """Run what `fitbench train ARGUMENTS` asks for; gives the exit status.

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
        with terminable():
            entry()
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


def status_of(stop: KeyboardInterrupt | Terminated) -> int:
    """Say that the command was interrupted; gives its exit status."""
    sys.stderr.write("fitbench: interrupted; the same command goes on from here\n")
    return 130 if isinstance(stop, KeyboardInterrupt) else int(str(stop.code))


class Task:
    """What Hydra calls with each job's configuration.

    In a sweep a failure is raised, for the sweeper to collect, perhaps from another process. A single run's is kept in
    `failure`, because Hydra would print the overrides before it.
    """

    __name__ = "train"

    def __init__(self) -> None:
        self.failure: FitbenchError | None = None

    def __call__(self, composed: DictConfig) -> None:
        """Train the job, or report its recorded result."""
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
                _forget(runs.folder_of(config))
        except Exception as error:  # noqa: BLE001 - said in one line here; error.txt has the traceback
            self.failure = _failed(config, error)
        else:
            _report(config, result, reused)


def _forget(folder: Path) -> None:
    """Remove the folder of a run that was refused before it began, if it holds nothing but the refusal."""
    refusal = {".hydra", "config.yaml", "error.txt", "train.log"}
    if folder.exists() and {path.name for path in folder.iterdir()} <= refusal:
        shutil.rmtree(folder)


def _failed(config: Config, error: Exception) -> FitbenchError:
    """What is said of a run that failed for a reason that fitbench does not know."""
    folder = runs.folder_of(config)
    recorded = folder / "error.txt"
    where = f"the traceback is in {recorded}" if recorded.exists() else "and that could not be recorded"
    return FitbenchError(f"{folder.name} failed: {type(error).__name__}: {error}; {where}")


def _run_id(root: Any) -> str:
    """The resolver `${run_id:}`. It checks the whole configuration, so a bad one is refused before a folder is made."""
    return run_id(from_hydra(root))


def run(config: Config) -> tuple[dict[str, Any], bool]:
    """The result of this configuration, and whether it was recorded already; otherwise the run is trained now."""
    result = recorded(config)
    if result is not None:
        return result, True
    from fitbench.training.run import train

    trained = train(config, runs.folder_of(config))
    assert trained is not None  # only a search's trials are pruned
    return trained, False


def recorded(config: Config) -> dict[str, Any] | None:
    """The recorded result of this configuration, None if it is to be trained.

    Raises:
        FitbenchError: result.json is damaged.
        RequestError: the run was recorded with other data.
    """
    folder = runs.folder_of(config)
    if config.force or runs.state(folder) is not runs.State.finished:
        return None
    _tidy(folder)
    from fitbench.analysis.loading import read_result

    result = read_result(folder)
    _check_data(config, result, folder)
    return result


def _tidy(folder: Path) -> None:
    """Remove what a process left that was killed between the result and its last system call."""
    if (folder / "claim.json").exists() or any(folder.glob(runs.UNFINISHED)):
        with suppress(runs.Claimed, OSError), runs.claim(folder):
            runs.tidy(folder)


def _check_data(config: Config, result: dict[str, Any], folder: Path) -> None:
    """A data set's path is no part of a run's identity: at another path, or changed, it must be the same data."""
    path = getattr(config.data, "path", None)
    recorded = result["config"]["data"].get("path")
    if path is None or (path == recorded and not _changed_since(Path(path), result["finished_at"])):
        return
    from fitbench.training.data import load

    found = load(config.data).sha256
    if found != result["data"]["sha256"]:
        raise RequestError(
            f"{folder.name} is recorded with other data: {recorded} had SHA-256 {result['data']['sha256'][:8]}, "
            f"{path} has {found[:8]}; give this data set a name of its own, such as data.name=other"
        )


def _changed_since(path: Path, finished_at: str) -> bool:
    """Whether a file, or what lies directly in a folder, was written after that time; of what is gone, no."""
    if not path.exists():
        return False
    newest = max(part.stat().st_mtime for part in [path, *(path.iterdir() if path.is_dir() else ())])
    return newest > datetime.fromisoformat(finished_at).timestamp()


def _report(config: Config, result: dict[str, Any], reused: bool) -> None:
    from fitbench.analysis.show import print_summary, write_plots

    folder = runs.folder_of(config)
    if not reused:
        write_plots(folder)
    print_summary(folder, result, reused)


SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)  # what Slurm and clouds send before they kill
ENDING_SECONDS = 20  # how long a process that was asked to end may take before another signal counts


class _Ending:
    """What such a signal does: it ends the process, unless that is ending already.

    Slurm sends a job that it requeues more than one SIGTERM (its own and that of `srun`), and the second must not
    break off the writing of the checkpoint.
    """

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        self.began = -math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() - self.began > ENDING_SECONDS:
            self.by = signal.Signals(number)
            self.began = time.monotonic()
            raise Terminated(128 + number)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM, SIGUSR1 and SIGUSR2 end the process in order, as Ctrl-C does: the run's state is written first.

    Whoever else waits for SIGUSR1 or SIGUSR2 has it then: submitit requeues the job, whose time is nearly up. Outside
    of the main thread, where signals cannot be handled, and inside of such a block nothing changes.
    """
    if threading.current_thread() is not threading.main_thread() or isinstance(signal.getsignal(SIGNALS[0]), _Ending):
        yield
        return
    ending = _Ending()
    previous = {number: signal.signal(number, ending) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if ending.by not in (None, signal.SIGTERM) and callable(handler := previous[ending.by]):
            handler(ending.by, None)


@contextmanager
def in_one_piece() -> Iterator[None]:
    """Ctrl-C and the signals of `terminable` wait until this block, which must be short, has ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    previous = {one: signal.signal(one, lambda number, _: waiting.append(number)) for one in (signal.SIGINT, *SIGNALS)}
    try:
        yield
    finally:
        for one, handler in previous.items():
            signal.signal(one, signal.SIG_DFL if handler is None else handler)
        for number in waiting:
            signal.raise_signal(number)


def cannot_write(error: OSError) -> str:
    """What is said of an error of the file system."""
    what = error.strerror or str(error)
    return f"{error.filename or 'outputs'}: {what}; runs are recorded below outputs=FOLDER, which must be writable"


def explain(error: BaseException) -> str:
    """Hydra's or OmegaConf's error in one or two lines, with the nearest key or choice where one was misspelt."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for link in chain:  # our own refusal inside of a resolver says it best
        if isinstance(link, RequestError):
            return str(link)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        near = _nearest(name, error.options)
        return f"{group}={name}: there is no such choice; {group} has {', '.join(error.options)}{near}"
    for link in chain:
        if isinstance(link, ConfigAttributeError | ConfigKeyError) and isinstance(link.parent_node, DictConfig):
            section, _, key = str(link.full_key).rpartition(".")
            keys = [str(key) for key in link.parent_node if key not in ("hydra", "_target_")]
            prefix = f"{section}." if section else ""
            has = f"{section or 'the top level'} has {', '.join(keys)}"
            return f"{link.full_key}: there is no such key" + (_nearest(key, keys, prefix) or f"; {has}")
    if "Could not override 'experiment'" in str(error):
        return "an experiment is added with a plus sign: +experiment=NAME"
    if str(error).startswith("Ambiguous value for argument"):
        return f"{str(error).splitlines()[0]}; add -m to train each of the values, or write a list as [a,b]"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines and lines[0].startswith("Error merging override") and error.__cause__ is not None:
        lines = [f"{lines[0].removeprefix('Error merging override ')}: {str(error.__cause__).splitlines()[0]}"]
    return "\n".join(lines[:2])


def _nearest(name: str, names: Iterable[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f". Did you mean {prefix}{near[0]}?" if near else ""
