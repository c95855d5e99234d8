"""`fitbench train`: Hydra composes each job's configuration, and the job is trained unless it is recorded already."""

import difflib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fitbench import runs
from fitbench.config import Config, from_hydra, run_id
from fitbench.errors import DataError, FitbenchError, RequestError

SIGTERM_STATUS = 143


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
    OmegaConf.register_new_resolver("run_id", lambda *, _root_: _run_id(_root_), replace=True)
    multirun = any(argument in ("-m", "--multirun") for argument in arguments)
    sys.argv = ["fitbench train", *arguments]
    verbose = os.environ.setdefault("HYDRA_FULL_ERROR", "1") != "1"  # Hydra then raises its errors, for us to show

    def job(composed: DictConfig) -> None:
        config = from_hydra(composed)
        result, reused = run(config)
        _report(config, result, reused, plots=not multirun)

    entry = hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")(job)
    try:
        with _terminable():
            entry()
    except (HydraException, OmegaConfBaseException) as error:
        if verbose:
            raise
        raise RequestError(explain(error)) from error
    except OSError as error:
        raise FitbenchError(_cannot_write(error)) from error
    return 0


def _run_id(root: Any) -> str:
    """The resolver `${run_id:}`. It checks the whole configuration, so a bad one is refused before a folder is made."""
    return run_id(from_hydra(_without_hydra(root)))


def _without_hydra(root: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(root, [key for key in root if key != "hydra"])


def run(config: Config) -> tuple[dict[str, Any], bool]:
    """The result of this configuration, and whether it was recorded already; otherwise the run is trained now."""
    folder = runs.folder_of(config)
    if runs.state(folder) is runs.State.finished and not config.force:
        result = runs.read_result(folder)
        _check_data(config, result, folder)
        return result, True
    from fitbench.training.run import train

    return train(config, folder), False


def _check_data(config: Config, result: dict[str, Any], folder: Path) -> None:
    """A data set's path is no part of a run's identity: at another path there must be the same data."""
    path = getattr(config.data, "path", None)
    recorded = result["config"]["data"].get("path")
    if path is None or path == recorded:
        return
    from fitbench.training.data import load

    found = load(config.data).sha256
    if found != result["data"]["sha256"]:
        raise RequestError(
            f"{folder.name} is recorded with other data: {recorded} had SHA-256 {result['data']['sha256'][:8]}, "
            f"{path} has {found[:8]}; give this data set a name of its own, such as data.name=other"
        )


def _report(config: Config, result: dict[str, Any], reused: bool, plots: bool) -> None:
    from fitbench.analysis.show import print_summary, write_plots

    folder = runs.folder_of(config)
    if plots and not reused:
        write_plots(folder)
    print_summary(folder, result, reused)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM and SIGUSR1 end the process in order, as Ctrl-C does: the run's state is written first."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(SIGTERM_STATUS)

    previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _cannot_write(error: OSError) -> str:
    what = error.strerror or str(error)
    return f"{error.filename or 'outputs'}: {what}; runs are recorded below outputs=FOLDER, which must be writable"


def explain(error: BaseException) -> str:
    """Hydra's or OmegaConf's error in one or two lines, with the nearest key or choice where one was misspelt."""
    cause: BaseException | None = error
    while cause is not None:  # the resolver's own refusal is the message, where there is one
        if isinstance(cause, RequestError):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error.__cause__, OmegaConfBaseException) and error.__cause__.full_key:
        nearest = _nearest(error.__cause__.full_key)
        lines = [lines[0], f"Did you mean {nearest}?"] if nearest else lines
    return "\n".join(lines[:2]) if "Available options" not in str(error) else " ".join(lines)


def _nearest(key: str) -> str:
    """The keys of the default configuration that look like this one."""
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        default = OmegaConf.to_container(compose("config", return_hydra_config=False), resolve=False)
    near = difflib.get_close_matches(key, list(_keys(default)), n=2, cutoff=0.6)
    return " or ".join(near)


def _keys(values: Any, prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield prefix + key
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")
