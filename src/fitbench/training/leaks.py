"""Validation examples that a model has been trained on: by an earlier run whose weights it has, or as copies."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.config import Config, from_values
from fitbench.config.errors import located
from fitbench.config.parents import Start
from fitbench.data.repeated import count_repeated
from fitbench.data.split import divided
from fitbench.errors import FitbenchError, RequestError
from fitbench.kinds import KINDS
from fitbench.record.files import outputs_of
from fitbench.record.folder import run_folders
from fitbench.record.parents import MODEL, checksum
from fitbench.record.reading import read_result
from fitbench.text import clean, counted, plural
from fitbench.training.notes import note
from fitbench.training.parts import Parts

log = logging.getLogger(__name__)
KEY = "training.start"
MOST_RUNS = 100  # earlier runs that are looked for
MOST_EXAMPLES, MOST_BYTES = 50_000, 2**27  # in which copies are looked for, which takes about a tenth of a second


def check(parts: Parts) -> None:
    """Refuse a fold, or note a validation part, whose examples earlier runs were trained on; note copies in a fold.

    Raises:
        RequestError: the weights that the run begins with come from a run that was trained on examples of the fold.
        FitbenchError: the result of such a run is damaged.
    """
    if len(parts.held_back):
        for run_id, result in _earlier(parts.config):
            _check_earlier(parts, run_id, result)
    if parts.config.fold is not None:
        _note_copies(parts)


def _earlier(config: Config) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The run that `training.start` names, the one whose weights that run began with, and so on, with their results.

    The last result is None if the run is not found. A run that continues another one has its data, its division of
    them, and its `training.start`, so that the other one need not be looked at. Only `training.start` of the run itself
    says where a run is. The others are looked for by their run_ids: their paths are a stranger's, perhaps.
    """
    start, places = config.training.start, [Path(config.outputs)]
    if start is not None:
        places.append(outputs_of(start.folder)())
    found = [start.folder] if start is not None and config.parent is None else None
    for _ in range(MOST_RUNS):
        if start is None:
            return
        candidates = found or [
            path for path in run_folders(list(map(str, places)), []) if Path(path).name == start.run_id
        ]
        result, found = _result(candidates, start), None
        yield start.run_id, result
        if result is None:
            return
        start = _config(result).training.start


def _config(result: dict[str, Any]) -> Config:
    with located(f"{result['run_id']}: result.json: config"):
        return from_values(result["config"])


def _result(folders: list[str], start: Start) -> dict[str, Any] | None:
    """The result of the run that still has the weights that were taken from it; None if none of the folders has it."""
    for folder in map(Path, folders):
        try:
            if checksum(folder, MODEL) == start.sha256:
                return read_result(folder)
        except FitbenchError as error:  # not finished any more, or damaged
            log.info("%s: %s", start.run_id, error)
    return None


def _check_earlier(parts: Parts, run_id: str, result: dict[str, Any] | None) -> None:
    """Compare the examples that an earlier run was trained on with those that are held back."""
    data, fold = parts.data, parts.config.fold
    name = clean(run_id)
    if result is None:
        note(
            f"{KEY}: {name}, from which the weights come, is not found, or has changed; whether it was trained on the "
            "validation examples of this run is not known"
        )
        return
    if result["data"]["sha256"] != data.sha256:
        if data.fingerprint is not None and result["data"].get("fingerprint") == data.fingerprint:
            note(
                f"{KEY}: {name}, from which the weights come, was trained on examples of the same files, which it "
                "divides or reads in another way; if these are validation or test examples of this run, its values "
                "are too good"
            )
        return
    earlier = _config(result)
    kept, _ = divided(data, earlier.training, earlier.seed, earlier.fold)
    count = len(np.intersect1d(kept, parts.held_back))
    if not count:
        return
    examples = f"{count:,} of the {counted(len(parts.held_back), f'validation {KINDS[data.kind].noun}')}"
    if fold is None:
        note(
            f"{KEY}: {name}, from which the weights come, was trained on {examples} of this run, so the values of "
            "the validation part are too good; a run with its seed and its validation settings holds back the same "
            f"{plural(KINDS[data.kind].noun)}"
        )
        return
    raise RequestError(
        f"{KEY}: {name}, from which the weights come, was trained on {examples} of fold {fold}; begin each fold with "
        f"the run of the same fold of a sweep with the same folds, as in '{KEY}=RUN-f${{fold}}'"
    )


def _note_copies(parts: Parts) -> None:
    """Note examples of the fold with exactly the inputs of examples that are trained on, where that is soon found."""
    inputs, config = parts.data.x_train, parts.config
    if type(inputs) is not np.ndarray or len(inputs) > MOST_EXAMPLES or inputs.nbytes > MOST_BYTES:
        return
    count, _ = count_repeated((inputs[row] for row in parts.kept), (inputs[row] for row in parts.held_back))
    if not count:
        return
    nouns = plural(KINDS[parts.data.kind].noun)
    log.info("%d of %d %s of the fold are copies", count, len(parts.held_back), nouns)
    advice = ", or name what they have in common as data.group" if hasattr(config.data, "group") else ""
    note(
        f"the fold that is held back has {nouns} with exactly the inputs of {nouns} that the model trains on; "
        f"train.log counts them. If they are copies, remove them{advice}"
    )
