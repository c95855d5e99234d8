"""The Keras callbacks of every run: early stopping, and the history that is recorded and shown."""

import hashlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fitbench.config import EarlyStopping as Settings
from fitbench.errors import FitbenchError
from fitbench.record.history import append_history
from fitbench.text import describe
from fitbench.training.measures import Monitor
from fitbench.training.progress import Display

log = logging.getLogger(__name__)


class Diverged(FitbenchError):
    """The loss became NaN or infinite."""


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras's early stopping, for which the metric decides what is better; an undefined value (NaN) never is.

    Args:
        monitor: what it watches.
        settings: of the configuration.
    """

    def __init__(self, monitor: Monitor, settings: Settings) -> None:
        super().__init__(
            monitor=monitor.key,
            mode=monitor.metric.direction,
            patience=settings.patience,
            min_delta=settings.min_delta,
            restore_best_weights=settings.restore_best_weights,
            start_from_epoch=settings.start_from_epoch,
            baseline=settings.baseline,
        )
        self.metric = monitor.metric
        self.least_change = settings.min_delta

    def _is_improvement(self, monitor_value: float, reference_value: float | None) -> bool:
        return self.metric.is_better(monitor_value, reference_value, self.least_change)


class Fingerprints(keras.callbacks.Callback):
    """Keeps the SHA-256 of the weights that each epoch was validated with, or ended with where nothing is validated.

    Callbacks of the user's may change the weights at any time after that. So it must stand before them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.of_epochs: dict[str, str] = {}  # by the number of the epoch, as text: it goes into checkpoints as JSON

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note which epoch is validated next."""
        self.epoch = str(epoch + 1)

    def on_test_end(self, logs: dict | None = None) -> None:
        """The validation of an epoch has ended."""
        self.of_epochs[self.epoch] = fingerprint(self.model)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """An epoch has ended, perhaps without a validation."""
        if self.epoch not in self.of_epochs:
            self.of_epochs[self.epoch] = fingerprint(self.model)


def fingerprint(model: keras.Model) -> str:
    """The SHA-256 of the values of a model's weights."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


class Pruning(keras.callbacks.Callback):
    """Ends a trial after an epoch for which `prune` says so. It must stand behind what records and keeps the epoch.

    A run that is over with this epoch is not pruned.
    """

    def __init__(self, prune: Callable[[dict[str, Any]], bool], history: list[dict[str, Any]], epochs: int) -> None:
        super().__init__()
        self.prune = prune
        self.history = history
        self.epochs = epochs
        self.pruned = False

    def look_back(self, over: bool) -> bool:
        """Look at the epochs of earlier attempts; whether the trial ends there. `over`: its training had ended."""
        judged = [self.prune(epoch) for epoch in self.history]  # all of them are reported
        self.pruned = any(judged) and not over
        return self.pruned

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Look at the epoch, and stop."""
        over = bool(self.model.stop_training) or epoch + 1 >= self.epochs
        if self.prune(self.history[-1]) and not over:
            self.pruned = self.model.stop_training = True


class Recorder(keras.callbacks.Callback):
    """Appends every epoch to `history` and to history.jsonl, logs and shows it, and ends a run that diverges.

    Args:
        folder: of the run.
        history: of its epochs.
        display: that shows them.
        needed: keys that every epoch must have.
        first: keys of metrics in the order in which they are recorded; all others follow.
    """

    def __init__(
        self, folder: Path, history: list[dict[str, Any]], display: Display, needed: set[str], first: Sequence[str]
    ) -> None:
        super().__init__()
        self.needed = needed
        self.first = first
        self.folder = folder
        self.history = history
        self.display = display

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Start the clock of the display."""
        self.display.begin(len(self.history))

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start the clock of the epoch, and see what learning rate it begins with."""
        self.learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.began = time.perf_counter()
        self.display.begin_epoch(epoch + 1)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Record the epoch.

        Raises:
            FitbenchError: a value in `needed` is missing: the model's own training or test step does not return it.
            Diverged: a loss is NaN or infinite; the epoch is recorded, with null for such values.
        """
        values = {name: float(value) for name, value in (logs or {}).items()}
        if missing := self.needed - set(values):
            raise FitbenchError(
                f"the model's training gives {', '.join(values) or 'nothing'}, without {', '.join(sorted(missing))}; "
                "its train_step and test_step must return it"
            )
        line = {
            "epoch": epoch + 1,
            "seconds": time.perf_counter() - self.began,
            "learning_rate": self.learning_rate,
            **{name: values[name] for name in self.first if name in values},
            **{name: value for name, value in values.items() if name != "learning_rate"},
        }
        recorded = {name: value if math.isfinite(value) else None for name, value in line.items()}
        self.history.append(recorded)
        append_history(self.folder, recorded)
        log.info("epoch %d: %s", epoch + 1, describe(recorded))
        self.display.end_epoch(recorded, bool(self.model.stop_training))
        for name in ("loss", "val_loss"):
            if not math.isfinite(values.get(name, 0.0)):
                raise Diverged(
                    f"{self.folder.name} diverged: {name} is {values[name]} after epoch {epoch + 1}; "
                    "try a smaller optimizer.learning_rate"
                )
