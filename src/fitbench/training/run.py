"""One run: seed, data, model, compile, fit, evaluate, write."""

import contextlib
import logging
import math
import random
import re
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from fitbench.config import Backend, Config, EarlyStopping, config_id, plain, run_id
from fitbench.data.dataset import Dataset
from fitbench.data.loading import load
from fitbench.data.memory import take
from fitbench.data.split import split
from fitbench.errors import RequestError
from fitbench.record.claims import claim
from fitbench.record.files import beside, replacing, write_whole
from fitbench.record.folder import tidy
from fitbench.record.history import write_history
from fitbench.record.result import SCHEMA, read_result, utc_now, write_pruned, write_result
from fitbench.training import backend, gpus
from fitbench.training.environment import git_state, versions
from fitbench.training.progress import Display, notice

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """What a search wants of a run: its number is recorded with it, and it may end after an epoch.

    `prune` is called with each epoch's line of the history, of earlier attempts too, and says whether to end.
    """

    number: int
    prune: Callable[[dict[str, Any]], bool]


def train(config: Config, folder: Path, trial: Trial | None = None) -> dict[str, Any] | None:
    """Train, evaluate and record one run in its folder, going on from its checkpoint where there is one.

    Returns:
        the result, as result.json holds it; None if the trial was pruned.

    Raises:
        Claimed: another process works on the run.
        FitbenchError: the run failed for a reason that the message explains. Whatever it fails of, error.txt holds
            the traceback.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with claim(folder):
        tidy(folder)
        if config.force and ((folder / "result.json").exists() or (folder / "error.txt").exists()):
            clear(folder)  # but what was interrupted goes on: a forced run may be killed as any other
        elif (folder / "result.json").exists():  # another process has finished it a moment ago
            return read_result(folder)
        (folder / "error.txt").unlink(missing_ok=True)
        (folder / "pruned.json").unlink(missing_ok=True)  # if it is pruned again, it goes on to the same epoch
        attempts = _attempts(folder) + 1
        log.info("attempt %d of %s", attempts, folder.name)
        write_whole(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(plain(config))))
        try:
            result = _train(config, folder, attempts, trial)
        except Exception as error:
            log.info("failed: %s", error)
            with contextlib.suppress(OSError):  # on a full disk the error itself must still be heard
                write_whole(folder / "error.txt", traceback.format_exc())
            raise
        except BaseException as error:
            log.info("interrupted by %s", type(error).__name__)
            raise
        log.info("pruned" if result is None else "finished: %s", *([] if result is None else [result["metrics"]]))
    return result


def clear(folder: Path) -> None:
    """Remove what earlier attempts recorded, but for the log."""
    for name in ("checkpoint", "evaluations"):
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    for name in ("result.json", "error.txt", "pruned.json", "history.jsonl", "predictions.npz", "model.keras"):
        (folder / name).unlink(missing_ok=True)


def _attempts(folder: Path) -> int:
    path = folder / "train.log"
    return len(re.findall(r" attempt \d+ of ", path.read_text(encoding="utf-8"))) if path.exists() else 0


def _train(config: Config, folder: Path, attempts: int, trial: Trial | None) -> dict[str, Any] | None:
    began = time.perf_counter()
    backend.choose(config.backend)  # before the data: what must be downloaded is downloaded by Keras
    data = load(config.data)
    if data.skipped:
        log.warning("%d unreadable images are left out, such as %s", len(data.skipped), data.skipped[0])
    settings = config.training
    kept, held_back = split(data.y_train, settings.validation_split, settings.validation, config.seed)

    with notice(config.progress, f"{run_id(config)}: starting {config.backend.value}"):
        gpus.take(config.device)
        backend.load(config.backend, config.threads)
    from fitbench.models.deskew import from_raw
    from fitbench.training import checkpoint, deskew, networks, objective
    from fitbench.training.evaluate import accuracy, predict, softmax

    with backend.on(config.device) as device:
        prepared = deskew.prepared(data, config.data.preprocess)
        _seed(config, shared=networks.is_kept(config, data))
        network = networks.network(config, prepared, len(kept))
        resumed = checkpoint.read(folder)
        if resumed and resumed.data_sha256 != data.sha256:
            raise RequestError(
                f"{folder.name} was interrupted with other data (SHA-256 {resumed.data_sha256[:8]}, now "
                f"{data.sha256[:8]}); data.name=other makes another run, and without {folder}/checkpoint it begins anew"
            )
        if settings.epochs:
            history, fit_seconds, pruned = _fit(
                network, config, prepared, kept, held_back, folder, resumed, began, trial
            )
            if trial is not None and pruned:
                model = from_raw(network.model, data.x_test.shape[1:], config.data.preprocess)
                _write_model(model, folder / "model.keras")
                networks.keep(network)
                write_pruned(folder, _pruned(config, trial, history, fit_seconds))
                return None
            metrics = _recorded(history, settings.early_stopping)
        else:
            history, fit_seconds = [], None
            metrics = _solve(network.model, config, prepared)
        model = from_raw(network.model, data.x_test.shape[1:], config.data.preprocess)
        logits = predict(model, data.x_test)
        targets = objective.targets(data.y_test, len(data.classes), settings)
        metrics["test_loss"] = float(objective.loss(settings)(targets, logits))
        metrics["test_accuracy"] = accuracy(logits, data.y_test)
        _write_model(model, folder / "model.keras")
        with replacing(folder / "predictions.npz") as file:
            np.savez(file, labels=data.y_test, probabilities=softmax(logits), data_sha256=np.array(data.sha256))
        parameters = sum(math.prod(weight.shape) for weight in model.trainable_weights)
        networks.keep(network)

    speeds = [len(kept) / epoch["seconds"] for epoch in history]
    seconds = time.perf_counter() - began
    result = {
        "schema": SCHEMA,
        "run_id": run_id(config),
        "config_id": config_id(config),
        "seed": config.seed,
        "study": config.study,
        "config": plain(config),
        "metrics": {name: _finite(value) for name, value in metrics.items()},
        "timing": {
            "fit_seconds": fit_seconds,
            "seconds": seconds + (resumed.seconds if resumed else 0.0),
            "images_per_second": float(np.median(speeds)) if speeds else None,
        },
        "parameters": parameters,
        "data": {
            "name": data.name,
            "sha256": data.sha256,
            "train": len(kept),
            "validation": len(held_back),
            "test": len(data.y_test),
            "classes": list(data.classes),
            "skipped": len(data.skipped),
        },
        "versions": versions(config.backend),
        "git": git_state(),
        "device": device,
        "attempts": attempts,
        "finished_at": utc_now(),
        **({} if trial is None else {"trial": trial.number}),
    }
    write_result(folder, result)
    checkpoint.remove(folder)
    return result


def _seed(config: Config, shared: bool) -> None:
    """Begin with the same random state in every run of this seed, whatever this process did before.

    `shared`: the run takes over the network of the last one. Then TensorFlow keeps what it has made of its loops, which
    both `clear_session` and a seed for TensorFlow would throw away; all that is random in it are variables.
    """
    import keras

    random.seed(config.seed)  # all of Keras's own seeds come from here
    np.random.seed(config.seed)
    if shared:
        return
    keras.utils.clear_session()
    keras.config.set_dtype_policy(config.training.dtype_policy.value)
    if config.backend is Backend.tensorflow:
        keras.utils.set_random_seed(config.seed)


def _fit(
    network: Any,
    config: Config,
    data: Dataset,
    kept: np.ndarray,
    held_back: np.ndarray,
    folder: Path,
    resumed: Any,
    began: float,
    trial: Trial | None,
) -> tuple[list[dict[str, Any]], float, bool]:
    """Fit the network; gives the history, the seconds that it took, over all attempts, and whether it was pruned."""
    from fitbench.training import objective
    from fitbench.training.building import callbacks
    from fitbench.training.callbacks import Pruning, Recorder, early_stopping
    from fitbench.training.checkpoint import Checkpoints
    from fitbench.training.fit import Examples, fit

    settings = config.training
    targets = objective.targets(data.y_train, len(data.classes), settings)
    training = Examples(take(data.x_train, kept), targets[kept])
    validation = Examples(take(data.x_train, held_back), targets[held_back]) if len(held_back) else None

    history = resumed.history if resumed else []
    first = resumed.epoch if resumed else 0
    if resumed:
        log.info("going on after epoch %d", first)
    write_history(folder, history)
    stopping = early_stopping(settings.early_stopping)
    states = [*stopping, *callbacks(settings.callbacks)]
    with Display(config.progress, settings.epochs, len(kept)) as display:
        monitor = settings.early_stopping.monitor.value if settings.early_stopping else "loss"
        recorder = Recorder(folder, history, display, {"loss", monitor})
        checkpoints = Checkpoints(folder, settings.checkpoint_seconds, states, history, resumed, began, data.sha256)
        pruning = Pruning(trial.prune, history, settings.epochs) if trial is not None else None
        over = resumed is not None and (resumed.stopped or resumed.epoch >= settings.epochs)
        if pruning is not None:
            over = pruning.look_back(over) or over
        try:
            fit(
                network.loops,
                training,
                validation,
                seed=config.seed,
                batch_size=settings.batch_size or len(kept),
                epochs=settings.epochs,
                initial_epoch=settings.epochs if over else first,
                steps_per_execution=None if settings.steps_per_execution == "auto" else settings.steps_per_execution,
                callbacks=[*states, recorder, checkpoints, *([pruning] if pruning else [])],
                progress=display.advance,
            )
        finally:  # also when it has ended: what comes after may be interrupted too
            checkpoints.write()
    return history, checkpoints.fit_seconds(), pruning is not None and pruning.pruned


def _pruned(config: Config, trial: Trial, history: list[dict[str, Any]], fit_seconds: float) -> dict[str, Any]:
    """What pruned.json holds: the metrics are those of the epochs up to now, as a result's are."""
    return {
        "schema": SCHEMA,
        "run_id": run_id(config),
        "trial": trial.number,
        "metrics": _recorded(history, config.training.early_stopping),
        "timing": {"fit_seconds": fit_seconds},
        "pruned_at": utc_now(),
    }


def _solve(model: Any, config: Config, data: Dataset) -> dict[str, float | None]:
    """Compute the weights of a model that is not trained by epochs; gives the metrics on its training images."""
    from hydra.utils import get_method

    from fitbench.training import objective
    from fitbench.training.evaluate import accuracy, predict

    get_method(config.model["solver"])(model, data.x_train, data.y_train)
    logits = predict(model, data.x_train)
    targets = objective.targets(data.y_train, len(data.classes), config.training)
    return {
        "train_loss": float(objective.loss(config.training)(targets, logits)),
        "train_accuracy": accuracy(logits, data.y_train),
        "val_loss": None,
        "val_accuracy": None,
        "best_epoch": None,
        "epochs": 0,
    }


def _recorded(history: list[dict[str, Any]], stopping: EarlyStopping | None) -> dict[str, float | None]:
    """The metrics of the epoch whose weights the model has, from the history; losses with any regularisation.

    `best_epoch` is the epoch with the best value of what early stopping watches, else of the validation loss, else of
    the loss; it is the epoch of the weights where the best weights are restored.
    """
    monitor = stopping.monitor.value if stopping else "val_loss" if "val_loss" in history[-1] else "loss"
    best = _best(history, monitor, stopping.min_delta if stopping else 0.0)
    of_weights = best if stopping and stopping.restore_best_weights else history[-1]
    return {
        "train_loss": of_weights["loss"],
        "train_accuracy": of_weights.get("accuracy"),
        "val_loss": of_weights.get("val_loss"),
        "val_accuracy": of_weights.get("val_accuracy"),
        "best_epoch": best["epoch"],
        "epochs": history[-1]["epoch"],
    }


def _best(history: list[dict[str, Any]], monitor: str, min_delta: float) -> dict[str, Any]:
    """The best epoch as Keras's early stopping counts: a change of no more than `min_delta` is none."""
    sign = -1 if monitor.endswith("accuracy") else 1
    best = history[0]
    for epoch in history[1:]:
        if sign * epoch[monitor] + min_delta < sign * best[monitor]:
            best = epoch
    return best


def _write_model(model: Any, path: Path) -> None:
    with beside(path) as new, backend.quiet():  # on JAX, saving makes Keras look for TensorFlow
        model.save(new)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
