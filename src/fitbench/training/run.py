"""One run: seed, data, model, compile, fit, evaluate, write."""

from __future__ import annotations

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
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import OmegaConf

from fitbench.config import Backend, Config, config_id, plain, run_id
from fitbench.data.dataset import Dataset
from fitbench.data.loading import load
from fitbench.data.memory import take
from fitbench.data.split import training_rows
from fitbench.errors import RequestError
from fitbench.metrics import PARTS
from fitbench.record.claims import Claimed, claim
from fitbench.record.code import check_interrupted, note
from fitbench.record.files import beside, check_fence, replacing, write_whole
from fitbench.record.folder import tidy
from fitbench.record.history import write_history
from fitbench.record.reading import read_result
from fitbench.record.result import SCHEMA, utc_now, write_pruned, write_result
from fitbench.training import backend, gpus
from fitbench.training.environment import git_state, versions
from fitbench.training.measures import Measures, arranged
from fitbench.training.progress import Display, notice

if TYPE_CHECKING:
    from fitbench.training.parts import Parts

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
    with claim(folder, wait=True):
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
        except Claimed:  # another process has taken the run over, and error.txt would be its
            raise
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
    check_fence(folder / "result.json")
    for name in ("checkpoint", "evaluations"):
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    for name in ("result.json", "error.txt", "pruned.json", "history.jsonl", "predictions.npz", "model.keras"):
        (folder / name).unlink(missing_ok=True)


def _attempts(folder: Path) -> int:
    path = folder / "train.log"
    return len(re.findall(rb" attempt \d+ of ", path.read_bytes())) if path.exists() else 0


def _train(config: Config, folder: Path, attempts: int, trial: Trial | None) -> dict[str, Any] | None:
    began = time.perf_counter()
    code = check_interrupted(config, folder)  # before modules of the user's are imported
    backend.choose(config.backend)  # before the data: what must be downloaded is downloaded by Keras
    measures = load_measures(config)
    data = load(config.data)
    if data.skipped:
        log.warning("%d unreadable images are left out, such as %s", len(data.skipped), data.skipped[0])
    settings = config.training
    kept, held_back = training_rows(data, settings, config.seed)
    start_backend(config)
    from hydra.utils import get_method

    from fitbench.models.deskew import from_raw
    from fitbench.training import checkpoint, deskew, networks
    from fitbench.training.parts import Parts

    with backend.on(config.device) as device:
        prepared = deskew.prepared(data, config.data.preprocess)
        parts = Parts(config, data, prepared, kept, held_back, measures)
        seed(config, shared=networks.is_kept(config, data))
        network = networks.network(config, prepared, len(kept))
        resumed = checkpoint.read(folder)
        _check_resumed(resumed, data, folder)
        note(folder, code)
        history: list[dict[str, Any]] = []
        fit_seconds, pruned = None, False
        if settings.epochs:
            history, fit_seconds, pruned = _fit(parts, network, folder, resumed, began, trial)
        else:
            get_method(config.model["solver"])(network.model, take(prepared.x_train, kept), prepared.y_train[kept])
        model = from_raw(network.model, data.x_test.shape[1:], config.data.preprocess)
        if trial is not None and pruned:
            _write_model(model, folder / "model.keras")
            networks.keep(network)
            write_history(folder, history)
            write_pruned(folder, _pruned(config, measures, trial, history, fit_seconds))
            return None
        values = measures.of_epochs(history)
        values |= parts.missing_values(network.model, values)
        values |= _test(parts, model, folder)
        parameters = sum(math.prod(weight.shape) for weight in model.trainable_weights)
        networks.keep(network)
        threads = backend.cpu_threads()

    data.check_unchanged()
    speeds = [len(kept) / epoch["seconds"] for epoch in history]
    timing = {
        "fit_seconds": fit_seconds,
        "seconds": time.perf_counter() - began + (resumed.seconds if resumed else 0.0),
        "examples_per_second": float(np.median(speeds)) if speeds else None,
    }
    result = _result(parts, values, timing) | {
        "parameters": parameters, "device": device, "threads": threads, "attempts": attempts, "code": code,
        **({} if trial is None else {"trial": trial.number}),
    }  # fmt: skip
    if history:
        write_history(folder, history)  # whole, whatever has happened to the file meanwhile
    write_result(folder, result)
    checkpoint.remove(folder)
    return result


def load_measures(config: Config) -> Measures:
    """The metrics of a run, ready to score. The backend is started first if there is a module of the user's to import.

    Raises:
        RequestError: a metric of the user's cannot be imported.
    """
    if any(entry is not None for entry in config.metrics.values()):
        start_backend(config)  # the module may import Keras
    return Measures.of(config)


def start_backend(config: Config) -> None:
    """Import Keras with the backend, the device and the threads of the configuration, if that has not been done."""
    with notice(config.progress, f"{run_id(config)}: starting {config.backend.value}"):
        gpus.take(config.device)
        backend.load(config.backend, config.threads)


def _check_resumed(resumed: Any, data: Dataset, folder: Path) -> None:
    """Refuse a checkpoint of other data."""
    if resumed and resumed.data_sha256 != data.sha256:
        raise RequestError(
            f"{folder.name} was interrupted with other data (SHA-256 {resumed.data_sha256[:8]}, now "
            f"{data.sha256[:8]}); data.name=other makes another run, and without {folder}/checkpoint it begins anew"
        )


def _result(parts: Parts, values: dict[str, float | None], timing: dict[str, float | None]) -> dict[str, Any]:
    """What result.json holds, but for what only the end of the attempt knows."""
    config, data, measures = parts.config, parts.data, parts.measures
    return {
        "schema": SCHEMA,
        "run_id": run_id(config),
        "config_id": config_id(config),
        "seed": config.seed,
        "fold": None,
        "study": config.study,
        "config": plain(config),
        "task": measures.task.name,
        "primary": next(iter(config.metrics)),
        "metrics": arranged(values, measures.metrics, PARTS),
        "metric_info": measures.info,
        "timing": timing,
        "data": {
            "name": data.name,
            "sha256": data.sha256,
            "fingerprint": data.fingerprint,
            "train": len(parts.kept),
            "validation": len(parts.held_back),
            "test": len(data.y_test),
            "classes": list(data.classes),
            "skipped": len(data.skipped),
        },
        "versions": versions(config.backend),
        "git": git_state(),
        "environment": {},
        "finished_at": utc_now(),
    }


def seed(config: Config, shared: bool) -> None:
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
    parts: Parts, network: Any, folder: Path, resumed: Any, began: float, trial: Trial | None
) -> tuple[list[dict[str, Any]], float, bool]:
    """Fit the network; gives the history, the seconds that it took, over all attempts, and whether it was pruned."""
    from fitbench.training.building import callbacks
    from fitbench.training.callbacks import EarlyStopping, Pruning, Recorder
    from fitbench.training.checkpoint import Checkpoints
    from fitbench.training.fit import fit

    config, settings, measures = parts.config, parts.config.training, parts.measures
    training, validation = parts.examples()
    history = resumed.history if resumed else []
    first = resumed.epoch if resumed else 0
    if resumed:
        log.info("going on after epoch %d", first)
    write_history(folder, history)
    stopping = settings.early_stopping
    states = [EarlyStopping(measures.monitor or "", measures.monitored, stopping)] if stopping else []
    states += callbacks(settings.callbacks)
    with Display(config.progress, settings.epochs, len(parts.kept)) as display:
        recorder = Recorder(folder, history, display, {"loss", measures.monitor or "loss"})
        checkpoints = Checkpoints(
            folder, settings.checkpoint_seconds, states, history, resumed, began, parts.data.sha256
        )
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
                batch_size=settings.batch_size or len(parts.kept),
                epochs=settings.epochs,
                initial_epoch=settings.epochs if over else first,
                steps_per_execution=None if settings.steps_per_execution == "auto" else settings.steps_per_execution,
                callbacks=[*states, recorder, checkpoints, *([pruning] if pruning else [])],
                progress=display.advance,
                score=parts.score_of_epochs(),
            )
        finally:  # also when it has ended: what comes after may be interrupted too
            checkpoints.write()
    return history, checkpoints.fit_seconds(), pruning is not None and pruning.pruned


def _pruned(
    config: Config, measures: Measures, trial: Trial, history: list[dict[str, Any]], fit_seconds: float | None
) -> dict[str, Any]:
    """What pruned.json holds: the metrics are those of the epochs up to now. Of the others none is measured."""
    return {
        "schema": SCHEMA,
        "run_id": run_id(config),
        "trial": trial.number,
        "metrics": arranged(measures.of_epochs(history), measures.metrics, ("train", "val")),
        "metric_info": measures.info,
        "timing": {"fit_seconds": fit_seconds},
        "pruned_at": utc_now(),
    }


def _test(parts: Parts, model: Any, folder: Path) -> dict[str, float | None]:
    """Evaluate the model on the test part, and write the model and its predictions; gives the values."""
    from fitbench.training.evaluate import predict

    data, measures = parts.data, parts.measures
    outputs = predict(model, data.x_test)
    values = parts.values("test", measures.missing("test", {}), data.y_test, outputs)
    _write_model(model, folder / "model.keras")
    arrays: dict[str, Any] = {
        measures.task.targets_name: data.y_test,
        measures.task.outputs_name: measures.task.recorded(outputs, measures.loss),
        "data_sha256": np.array(data.sha256),
    }
    with replacing(folder / "predictions.npz") as file:
        np.savez(file, **arrays)
    return values


def _write_model(model: Any, path: Path) -> None:
    with beside(path) as new, backend.quiet():  # on JAX, saving makes Keras look for TensorFlow
        model.save(new)
