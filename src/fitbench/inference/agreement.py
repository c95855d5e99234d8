"""Compares an exported model with the original on the test part of the run, or on the training part without one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench import metrics
from fitbench.errors import FitbenchError
from fitbench.inference import run_exported
from fitbench.inference.reader import Reader
from fitbench.text import clean, plural

if TYPE_CHECKING:
    from fitbench.data.dataset import Dataset

TOLERANCE = 1e-4
NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}  # both models run on the CPU, because a GPU rounds differently


@dataclass(frozen=True)
class Agreement:
    """The largest differences between an exported model and the original.

    Attributes:
        examples: the number of examples.
        description: how messages describe the examples.
        outputs: the largest difference of an output, divided by the largest output of its example if that exceeds 1; of
            a regression, divided by the largest value of its target.
        recorded: the largest difference of what is recorded, such as a probability. Of a regression it is `outputs`.
        decided_differently: the number of examples with another predicted class, or other labels; None where nothing
            is decided.
        value: the run's primary metric of the exported model; None for a user's metric.
    """

    examples: int
    description: str
    outputs: float
    recorded: float
    decided_differently: int | None
    value: float | None

    @property
    def passed(self) -> bool:
        """Whether the models agree within `TOLERANCE`. NaN never agrees."""
        return self.outputs <= TOLERANCE and self.recorded <= TOLERANCE


def check(reader: Reader, data: Dataset, folder: Path, forbidden: Sequence[str]) -> Agreement:
    """Run the exported model in `folder` in a new process, in which some modules cannot be imported, and compare.

    Raises:
        FitbenchError: the exported model cannot be run or does not agree with the original, or the outputs of the
            original are not finite.
    """
    examples, targets = (data.x_test, data.y_test) if data.has_test_part else (data.x_train, data.y_train)
    part = "test" if data.has_test_part else "training"
    description = f"all {len(targets):,} {part} {plural(reader.inputs.noun)} of {clean(data.name)}"
    original = reader.outputs(examples)
    if not_finite := int((~np.isfinite(original)).any(axis=1).sum()):
        raise FitbenchError(
            f"{reader.run_id}: the outputs of the original model are not finite for {not_finite:,} of {description}; "
            "an export cannot be checked against it"
        )
    exported = _run(folder, examples, reader, forbidden)
    if exported.shape != original.shape:
        raise FitbenchError(f"the exported model gives outputs of {exported.shape}; expected {original.shape}")
    agreement = compare(reader, description, targets, original, exported)
    if not agreement.passed:
        raise FitbenchError(
            f"{reader.run_id}: the exported model does not agree with the original on {description}: "
            f"{reader.task.outputs_name} differ by {agreement.recorded:.1e}, outputs by {agreement.outputs:.1e}; "
            f"allowed is {TOLERANCE:.0e}. "
            "Nothing was written; --format saved_model reproduces rounding inside the model"
        )
    return agreement


def _run(folder: Path, inputs: Any, reader: Reader, forbidden: Sequence[str]) -> np.ndarray:
    """Compute outputs, float32 [N, outputs], in a new process, as many examples at a time as the original does."""
    size = reader.batch_size
    with tempfile.TemporaryDirectory(prefix="fitbench-") as name:
        inputs_path, outputs_path = f"{name}/inputs.npy", f"{name}/outputs.npy"
        copy = np.lib.format.open_memmap(inputs_path, "w+", reader.inputs.dtype, inputs.shape)
        for start in range(0, len(inputs), size):
            copy[start : start + size] = inputs[start : start + size]
        copy.flush()
        # -P: import no files beside the program; -B: write no __pycache__ into the folder
        program = [sys.executable, "-P", "-B", run_exported.__file__]
        command = [*program, str(folder), inputs_path, outputs_path, str(size), *forbidden]
        environment = {**os.environ, **NO_GPU}
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=environment)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise FitbenchError(f"the exported model cannot be run: {clean(lines[-1]):.300}")
        return np.load(outputs_path, allow_pickle=False)


def compare(
    reader: Reader, description: str, targets: np.ndarray, original: np.ndarray, exported: np.ndarray
) -> Agreement:
    """Compare the raw outputs of two models, float32 [N, outputs], for examples with these targets."""
    task, threshold = reader.task, reader.threshold
    of_values = task.has_values
    scale = np.abs(original).max(axis=0) if of_values else np.maximum(np.abs(original).max(axis=1, keepdims=True), 1)
    difference = float((np.abs(exported - original) / np.where(scale > 0, scale, 1)).max())
    recorded, own = reader.recorded(exported), reader.recorded(original)
    metric, value = metrics.supplied(reader.result["primary"]), None
    if metric is not None and metric.score is not None:
        value = task.score([metric], targets, recorded, threshold)[metric.name]
    return Agreement(
        examples=len(original),
        description=description,
        outputs=difference,
        recorded=difference if of_values else float(np.abs(recorded - own).max()),
        decided_differently=None if of_values else _decided_differently(reader, (original, own), (exported, recorded)),
        value=value,
    )


def _decided_differently(
    reader: Reader, original: tuple[np.ndarray, np.ndarray], exported: tuple[np.ndarray, np.ndarray]
) -> int:
    """For how many examples the first answer differs: the predicted class, or the labels that apply."""
    before, after = (
        [answer[0] for answer in reader.task.answers(reader.names, *outputs, reader.threshold)]
        for outputs in (original, exported)
    )
    return sum(one != other for one, other in zip(before, after, strict=True))
