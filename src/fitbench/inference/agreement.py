"""Compares an exported model with the original on the test images of the run."""

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
from fitbench.errors import DataError, FitbenchError, RequestError
from fitbench.inference import run_exported
from fitbench.inference.reader import Reader, configuration
from fitbench.text import clean

if TYPE_CHECKING:
    from fitbench.data.dataset import Dataset

TOLERANCE = 1e-4
NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}  # both models run on the CPU, because a GPU rounds differently


@dataclass(frozen=True)
class Agreement:
    """The largest differences between an exported model and the original.

    Attributes:
        images: the number of images.
        description: how messages describe the images.
        logits: the largest difference of a logit, divided by the largest logit of its image if that exceeds 1.
        probabilities: the largest difference of a probability.
        classified_differently: the number of images with another predicted class.
        value: the run's primary metric of the exported model; None for a user's metric.
    """

    images: int
    description: str
    logits: float
    probabilities: float
    classified_differently: int
    value: float | None

    @property
    def passed(self) -> bool:
        """Whether the models agree within `TOLERANCE`. NaN never agrees."""
        return self.logits <= TOLERANCE and self.probabilities <= TOLERANCE


def load_data(result: dict[str, Any], folder: Path) -> Dataset:
    """Load the data of a run.

    Raises:
        FitbenchError: they are not here, or are not those of the run.
    """
    from fitbench.data.loading import load

    advice = "an export is checked on the test images of the run"
    try:
        data = load(configuration(result, folder).data)
    except (DataError, RequestError) as error:
        raise FitbenchError(f"{str(error).splitlines()[0]}\n{advice}, which must be here") from error
    if data.sha256 != (recorded := result["data"]["sha256"]):
        text = f"these data have SHA-256 {data.sha256[:8]}, the run was tested with {recorded:.8}"
        raise FitbenchError(f"{data.source}: {text}; {advice}")
    return data


def check(reader: Reader, data: Dataset, folder: Path, forbidden: Sequence[str]) -> Agreement:
    """Run the exported model in `folder` in a new process, in which some modules cannot be imported, and compare.

    Raises:
        FitbenchError: the exported model cannot be run or does not agree with the original, or the outputs of the
            original are not finite.
    """
    description = f"all {len(data.y_test):,} test images of {clean(data.name)}"
    original = reader.logits(data.x_test)
    if not_finite := int((~np.isfinite(original)).any(axis=1).sum()):
        raise FitbenchError(
            f"{reader.run_id}: the outputs of the original model are not finite for {not_finite:,} of {description}; "
            "an export cannot be checked against it"
        )
    exported = _run(folder, data.x_test, reader.batch_size, forbidden)
    if exported.shape != original.shape:
        raise FitbenchError(f"the exported model gives outputs of {exported.shape}; expected {original.shape}")
    agreement = compare(reader, description, data.y_test, original, exported)
    if not agreement.passed:
        raise FitbenchError(
            f"{reader.run_id}: the exported model does not agree with the original on {description}: probabilities "
            f"differ by {agreement.probabilities:.1e}, logits by {agreement.logits:.1e}; allowed is {TOLERANCE:.0e}. "
            "Nothing was written; --format saved_model reproduces rounding inside the model"
        )
    return agreement


def _run(folder: Path, images: Any, size: int, forbidden: Sequence[str]) -> np.ndarray:
    """Compute logits, float32 [N, classes], in a new process, `size` images at a time."""
    with tempfile.TemporaryDirectory(prefix="fitbench-") as name:
        pixels_path, logits_path = f"{name}/images.npy", f"{name}/logits.npy"
        pixels = np.lib.format.open_memmap(pixels_path, "w+", np.uint8, images.shape)
        for start in range(0, len(images), size):
            pixels[start : start + size] = images[start : start + size]
        pixels.flush()
        # -P: import no files beside the program; -B: write no __pycache__ into the folder
        command = [sys.executable, "-P", "-B", run_exported.__file__, str(folder), pixels_path, logits_path, str(size)]
        environment = {**os.environ, **NO_GPU}
        done = subprocess.run(
            [*command, *forbidden], capture_output=True, text=True, errors="replace", check=False, env=environment
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise FitbenchError(f"the exported model cannot be run: {clean(lines[-1]):.300}")
        return np.load(logits_path, allow_pickle=False)


def compare(
    reader: Reader, description: str, labels: np.ndarray, original: np.ndarray, exported: np.ndarray
) -> Agreement:
    """Compare the logits of two models, float32 [N, classes], for images with labels, int [N]."""
    scale = np.maximum(np.abs(original).max(axis=1, keepdims=True), 1)
    probabilities = reader.recorded(exported)
    metric, value = metrics.supplied(reader.result["primary"]), None
    if metric is not None and metric.score is not None:
        value = reader.task.score([metric], labels, probabilities)[metric.name]
    return Agreement(
        len(original),
        description,
        float((np.abs(exported - original) / scale).max()),
        float(np.abs(probabilities - reader.recorded(original)).max()),
        int((exported.argmax(axis=1) != original.argmax(axis=1)).sum()),
        value,
    )
