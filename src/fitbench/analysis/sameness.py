"""What of two runs is the same to the last bit: metrics, history, predictions, weights."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from fitbench.analysis.run_files import RunFiles
from fitbench.errors import FitbenchError
from fitbench.record.files import outputs_of
from fitbench.record.tested_on import same_examples
from fitbench.stderr import write_note
from fitbench.text import clean
from fitbench.untrusted import guarded, naming, open_file, open_member

WEIGHTS = "model.weights.h5"  # in model.keras
CHUNK = 1 << 20  # bytes of weights that are compared at once


@dataclass(frozen=True)
class Sameness:
    """What of two runs is the same to the last bit; None where that cannot be said.

    `epochs` counts how many epochs agree from the first on.
    """

    metrics: bool | None
    history: bool | None
    predictions: bool | None
    weights: bool | None
    epochs: int


def sameness(a: RunFiles, b: RunFiles) -> Sameness:
    """Compare the files of two runs. Predictions or weights that cannot be read are named on stderr, and left out."""
    ours, theirs = _without_seconds(a.history), _without_seconds(b.history)
    agreeing = 0
    while agreeing < min(len(ours), len(theirs)) and ours[agreeing] == theirs[agreeing]:
        agreeing += 1
    if a.result is None or b.result is None:
        return Sameness(None, None, None, None, agreeing)
    return Sameness(
        metrics=a.result["metrics"] == b.result["metrics"],
        history=ours == theirs,
        predictions=_same_predictions(a, b),
        weights=_same_weights(a.folder / "model.keras", b.folder / "model.keras"),
        epochs=agreeing,
    )


def _without_seconds(history: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in epoch.items() if key != "seconds"} for epoch in history]


def _same_predictions(a: RunFiles, b: RunFiles) -> bool | None:
    """Whether the outputs for the test examples are the same bytes.

    None where the examples differ, or a file is absent or damaged.
    """
    try:
        ours, theirs = a.predictions, b.predictions
    except FitbenchError as error:
        write_note(clean(error))
        return None
    if ours is None or theirs is None or ours.outputs.shape != theirs.outputs.shape:
        return None
    assert a.result is not None and b.result is not None
    if ours.data_sha256 != theirs.data_sha256 and not same_examples(a.result, b.result):
        return None
    return ours.outputs.dtype == theirs.outputs.dtype and ours.outputs.tobytes() == theirs.outputs.tobytes()


def _same_weights(a: Path, b: Path) -> bool | None:
    """Whether the weights in two .keras files are the same bytes. None where a file is absent or damaged."""
    if not a.exists() or not b.exists():
        return None
    try:
        return all(ours == theirs for ours, theirs in zip_longest(_weights(a), _weights(b)))
    except FitbenchError as error:
        write_note(clean(error))
        return None


def _weights(path: Path) -> Iterator[bytes]:
    with (
        naming(f"{path}: its weights"),
        guarded(),
        open_file(path, outputs_of(path.parent)) as content,
        zipfile.ZipFile(content) as archive,
        open_member(archive, WEIGHTS) as file,
    ):
        while chunk := file.read(CHUNK):
            yield chunk
