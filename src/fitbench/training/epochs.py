"""The epochs of a run: fitted from its checkpoint on, with its callbacks, its history and its display."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from fitbench.data.memory import take
from fitbench.errors import RequestError
from fitbench.record.history import write_history
from fitbench.training import target_scale
from fitbench.training.averaging import AveragedWeights
from fitbench.training.callbacks import EarlyStopping, Fingerprints, Pruning, Recorder, fingerprint
from fitbench.training.checkpoint import Checkpoint
from fitbench.training.checkpointing import Checkpoints
from fitbench.training.fit import fit
from fitbench.training.networks import Network
from fitbench.training.notes import note
from fitbench.training.parts import Parts
from fitbench.training.plateau import Plateau
from fitbench.training.progress import Display
from fitbench.training.tracking import Tracking
from fitbench.training.trial import Trial
from fitbench.training.user_callbacks import user_callbacks
from fitbench.user_code import load_object

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """What training gave. A model that is computed by its solver has no epochs and no seconds.

    Attributes:
        history: a line for each epoch.
        fit_seconds: in `fit`, over all attempts.
        pruned: whether a search ended the run.
        measured: whether the history has the values of the weights that the model has, in the line of `kept_epoch`.
            A callback of the user's may have changed them.
    """

    history: list[dict[str, Any]]
    fit_seconds: float | None
    pruned: bool
    measured: bool


def train(
    parts: Parts,
    network: Network,
    folder: Path,
    resumed: Checkpoint | None,
    began: float,
    trial: Trial | None,
    tracking: Tracking,
) -> Trained:
    """Fit the network, and record its epochs and its checkpoints.

    Args:
        parts: of the data.
        network: what is trained.
        folder: of the run.
        resumed: what it goes on from.
        began: the `time.perf_counter()` at which this attempt began.
        trial: of a search, which may end the run early.
        tracking: is told of each epoch.
    """
    _notice(parts)
    settings, measures = parts.config.training, parts.measures
    history = resumed.history if resumed else []
    fingerprints = None if network.is_ours else Fingerprints()
    states = _callbacks(parts, fingerprints) + user_callbacks(settings.callbacks, folder, len(history))
    if resumed:
        log.info("going on after epoch %d", resumed.epoch)
    write_history(folder, history)
    checkpoints = _checkpoints(parts, folder, states, history, resumed, began)
    pruning = Pruning(trial.prune, history, settings.epochs) if trial is not None else None
    over = resumed is not None and (resumed.stopped or resumed.epoch >= settings.epochs)
    over = (pruning is not None and pruning.look_back(over)) or over
    first = settings.epochs if over else len(history)
    with Display(parts.config.progress, settings.epochs, len(parts.kept), measures.primary) as display:
        recorder = Recorder(folder, history, display, measures.needed, measures.step_keys)
        tracked = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: tracking.epochs(history))
        callbacks = [*states, recorder, checkpoints, tracked]
        if pruning is not None:
            callbacks.append(pruning)
        try:
            _fit(parts, network, first, callbacks, display)
        finally:  # also when it has ended: what comes after may be interrupted too
            checkpoints.write()
    measured = _is_measured(network, fingerprints, measures.kept_epoch(history)["epoch"])
    return Trained(history, checkpoints.fit_seconds(), pruning is not None and pruning.pruned, measured)


def _checkpoints(
    parts: Parts,
    folder: Path,
    states: list[keras.callbacks.Callback],
    history: list[dict[str, Any]],
    resumed: Checkpoint | None,
    began: float,
) -> Checkpoints:
    seconds, sha256 = parts.config.training.checkpoint_seconds, parts.data.sha256
    definitions = {name: metric.definition for name, metric in parts.measures.metrics.items()}
    names = list(parts.config.training.callbacks)
    return Checkpoints(folder, seconds, states, history, resumed, began, sha256, definitions, names)


def _is_measured(network: Network, fingerprints: Fingerprints | None, epoch: int) -> bool:
    """Whether the model has the weights that were validated in this epoch."""
    assert network.loops is not None
    return fingerprints is None or fingerprints.of_epochs.get(str(epoch)) == fingerprint(network.loops.model)


def _notice(parts: Parts) -> None:
    """Note what may surprise in the training of these data."""
    target_scale.notice(parts)
    if parts.config.training.is_without_stopping:
        note(
            "early stopping is off, because it would choose the epoch by the fold that is measured; "
            "training.early_stopping.in_folds=true turns it on"
        )


def _callbacks(parts: Parts, fingerprints: Fingerprints | None) -> list[keras.callbacks.Callback]:
    """Our callbacks that have a state, in the order in which they must see an epoch: first what changes the weights."""
    optimizer, measures = parts.config.optimizer, parts.measures
    callbacks: list[keras.callbacks.Callback] = [AveragedWeights()] if optimizer.get("use_ema") else []
    if fingerprints is not None:
        callbacks.append(fingerprints)
    if measures.stopping and measures.monitor:
        callbacks.append(EarlyStopping(measures.monitor, measures.stopping))
    if measures.plateau:
        callbacks.append(Plateau(measures.plateau, optimizer["schedule"]))
    return callbacks


def solve(parts: Parts, network: Network) -> Trained:
    """Compute the weights of a model that has a solver, from all training examples.

    The solver is called with the model, the inputs, and the labels or the values, standardised where that is asked for.

    Raises:
        RequestError: there is no such solver, or the examples have weights.
    """
    target = parts.config.model["solver"]
    if parts.data.w_train is not None:
        raise RequestError(
            f"model={parts.config.model['name']} is computed by {target}, which takes no weights, but the examples of "
            f"{parts.data.name} have weights"
        )
    solver = load_object(target, "model.solver")
    targets = parts.data.y_train[parts.kept]
    if parts.objective.scale is not None:
        targets = parts.objective.standardized(targets)
    solver(network.model, take(parts.prepared.x_train, parts.kept), targets)
    return Trained([], None, False, measured=True)


def _fit(
    parts: Parts, network: Network, first: int, callbacks: list[keras.callbacks.Callback], display: Display
) -> None:
    assert network.loops is not None
    settings = parts.config.training
    training, validation = parts.examples()
    fit(
        network.loops,
        training,
        validation,
        seed=parts.config.seed,
        batch_size=settings.batch_size or len(parts.kept),
        epochs=settings.epochs,
        initial_epoch=first,
        steps_per_execution=None if settings.steps_per_execution == "auto" else settings.steps_per_execution,
        callbacks=callbacks,
        progress=display.advance,
        score=parts.score_of_epochs(),
    )
