"""One run: seed, data, model, compile, fit, evaluate, write."""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fitbench.config import Config, plain
from fitbench.config.code import code_of_run
from fitbench.data.dataset import Dataset
from fitbench.data.loading import load
from fitbench.errors import FitbenchError, RequestError, interruption
from fitbench.record.claims import Claimed, claim
from fitbench.record.code import check_interrupted, check_interrupted_arguments, note
from fitbench.record.files import check_fence, remove, write_whole
from fitbench.record.folder import tidy
from fitbench.record.history import write_history
from fitbench.record.parents import STATE, check_checkpoints, check_parent
from fitbench.record.reading import read_result
from fitbench.record.result import write_pruned, write_result
from fitbench.tasks import all_picture_names, task_of
from fitbench.training import attempts, backend, measures
from fitbench.training.measures import Measures
from fitbench.training.randomness import seed
from fitbench.training.tracking import Tracking, tracked
from fitbench.training.trial import Trial

log = logging.getLogger(__name__)
RECORDED = ("history.jsonl", "dataset.json", "predictions.npz", "model.keras", STATE)  # files that an attempt writes


def train(
    config: Config, folder: Path, trial: Trial | None = None, needs_trackers: bool = True
) -> dict[str, Any] | None:
    """Train, evaluate and record one run in its folder, going on from its checkpoint where there is one.

    Args:
        config: of the run.
        folder: of the run.
        trial: the trial of a search that the run is of.
        needs_trackers: whether the run is refused if a tracker of `logger` does not answer at its beginning. A run of a
            sweep or search goes on without it: these have asked before their first run.

    Returns:
        the result, as result.json holds it; None if the trial was pruned.

    Raises:
        Claimed: another process works on the run.
        FitbenchError: the run failed for a reason that the message explains; error.txt holds the traceback.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with claim(folder, wait=True):
        tidy(folder)
        if not _is_recorded(folder):
            _forget_failure(config, folder)
        elif not config.force:  # another process has finished it a moment ago
            return read_result(folder)
        _check_names(folder)
        check_checkpoints(config, folder)
        check_interrupted_arguments(config, folder)
        attempt = 1 if _is_recorded(folder) else _begin(config, folder)
        try:
            with tracked(config, folder, needs_trackers) as tracking:
                result = _train(config, folder, attempt, trial, tracking)
        except Claimed:  # another process has taken the run over, and error.txt would be its
            raise
        except Exception as error:
            if stop := interruption(error):
                log.info("interrupted by %s", type(stop).__name__)
                raise stop from None
            log.info("failed: %s", error)
            with contextlib.suppress(OSError):  # on a full disk the error itself must still be heard
                _record_failure(folder, error)
            raise
        except BaseException as error:
            if type(error) is SystemExit:  # of the user's code; a signal raises a subclass
                log.info("failed: sys.exit(%s)", error.code)
                _record_failure(folder, error)
                raise FitbenchError(f"the code of the run called sys.exit({error.code!r})") from error
            log.info("interrupted by %s", type(error).__name__)
            raise
        log.info("pruned" if result is None else "finished: %s", *([] if result is None else [result["metrics"]]))
    return result


def _is_recorded(folder: Path) -> bool:
    """Whether the folder has a result: of this attempt, or, with `force`, still of an earlier one."""
    return (folder / "result.json").exists()


def _forget_failure(config: Config, folder: Path) -> None:
    """Remove how the last attempt ended, and with `force` all that failed attempts have recorded."""
    if config.force and (folder / "error.txt").exists():
        clear(folder)  # but what was interrupted goes on: a forced run may be killed as any other
    remove(folder / "error.txt")
    remove(folder / "pruned.json")  # if it is pruned again, it goes on to the same epoch


def _begin(config: Config, folder: Path) -> int:
    """Record that an attempt begins, and with which configuration; gives its number."""
    attempt = attempts.begin(folder)
    log.info("attempt %d of %s", attempt, folder.name)
    write_whole(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(plain(config))))
    return attempt


def _record_failure(folder: Path, error: BaseException) -> None:
    """Record the exception that is being handled. A result of an earlier attempt stays what the run has."""
    if _is_recorded(folder):
        return
    write_whole(folder / "error.txt", traceback.format_exc())
    if isinstance(error, RequestError):
        attempts.withdraw(folder)


def clear(folder: Path) -> None:
    """Remove what earlier attempts recorded, and the pictures of it. The log stays."""
    check_fence(folder / "result.json")
    pictures = [f"{name}.png" for name in all_picture_names()]
    for name in ("checkpoint", "evaluations", "result.json", "error.txt", "pruned.json", *RECORDED, *pictures):
        remove(folder / name)


def _check_names(folder: Path) -> None:
    """Refuse a folder of a file's name, which would fail the run when it is written, and a `checkpoint` that is none.

    Raises:
        FitbenchError: the message names it.
    """
    for name in ("config.yaml", *RECORDED):
        path = folder / name
        if path.is_dir() and not path.is_symlink():  # a link is replaced
            raise FitbenchError(f"{path}: is a folder, where the run writes a file; move it away")
    path = folder / "checkpoint"
    if not path.is_dir() and (path.exists() or path.is_symlink()):
        raise FitbenchError(f"{path}: is no folder, where the run writes its checkpoints; move it away")


def _train(
    config: Config, folder: Path, attempt: int, trial: Trial | None, tracking: Tracking
) -> dict[str, Any] | None:
    """The attempt from top to bottom; gives the result, None if the trial was pruned.

    With `force`, a recorded result is removed right before the first epoch: until then the request may be refused.
    """
    began = time.perf_counter()
    check_parent(config)
    code = check_interrupted(config, folder)  # before modules of the user's are imported
    backend.choose(config.backend)  # before the data: what must be downloaded is downloaded by Keras
    data, measured = _read(config)
    backend.start(config)

    from fitbench.training import checkpoint, epochs, leaks, networks, outcome, rehearsal, resuming
    from fitbench.training.parts import Parts

    with backend.on(config.device) as device:
        parts = Parts.of(config, data, measured)
        leaks.check(parts)
        resumed = resuming.resumable(config, folder, data)  # before dataset.json is that of these data
        seed(config, shared=networks.is_kept(parts))
        network = networks.network(parts)
        model = networks.saved_model(network.model, parts)
        rehearsal.rehearse(parts, model, folder)
        if _is_recorded(folder):
            clear(folder)
            _begin(config, folder)
        outcome.write_dataset(parts, folder)
        note(folder, code)
        if code:
            code_of_run(plain(config))  # notes which modules are loaded now, so that a later reload is noticed
        if config.training.epochs:
            trained = epochs.train(parts, network, folder, resumed, began, trial, tracking)
        else:
            trained = epochs.solve(parts, network)
        outcome.write_model(model, folder)
        if trial is not None and trained.pruned:
            networks.keep(network)
            write_history(folder, trained.history)
            write_pruned(folder, outcome.pruned(parts, trial, network, trained))
            return None
        if config.training.keep_state:
            checkpoint.keep(folder, len(trained.history))
        threshold = parts.threshold(outcome.raw_outputs(parts, network))
        values = outcome.values(parts, network, model, trained, folder, threshold)
        networks.keep(network)
        result = outcome.result(parts, model, values, outcome.timing(parts, trained, began, resumed), threshold)
    data.check_unchanged()
    result |= {"device": device, "attempts": attempt, "code": code} | ({} if trial is None else {"trial": trial.number})
    if network.started is not None:
        result["start"] = asdict(network.started)
    _record(folder, result, trained.history)
    return result


def _read(config: Config) -> tuple[Dataset, Measures]:
    """The data, and what the run measures.

    Raises:
        RequestError: a part of the configuration does not go with the data.
        DataError: the data cannot be read.
    """
    measured = None if config.known_task is None else measures.of(config, config.known_task)
    data = load(config.data, config.task)
    if measured is None or measured.task.name != data.task:  # the targets have decided the task
        config.check_for(task_of(data.task))
        measured = measures.of(config, task_of(data.task))
    config.check_for_kind(data.kind)
    return data, measured


def _record(folder: Path, result: dict[str, Any], history: list[dict[str, Any]]) -> None:
    """Write what ends the run, and remove what it would have gone on from."""
    if history:
        write_history(folder, history)  # whole, whatever has happened to the file meanwhile
    write_result(folder, result)
    remove(folder / "checkpoint")
