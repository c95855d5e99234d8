"""history.jsonl: one JSON object for each epoch of a run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from fitbench.record.files import check_fence, write_whole


def append_history(folder: Path, epoch: dict[str, Any]) -> None:
    """Append one epoch to history.jsonl, on a line of its own even behind a torn one.

    Raises:
        Claimed: this process had a claim on the folder and has lost it.
    """
    path = folder / "history.jsonl"
    line = json.dumps(epoch, allow_nan=False).encode() + b"\n"
    check_fence(path)
    with path.open("a+b") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The epochs of a run in order. Of two lines for one epoch the later counts; a torn line is ignored."""
    epochs: dict[int, dict[str, Any]] = {}
    path = folder / "history.jsonl"
    if not path.exists():
        return []
    for line in path.read_bytes().splitlines():
        try:
            epoch = json.loads(line)
        except ValueError:
            continue
        if isinstance(epoch, dict) and isinstance(epoch.get("epoch"), int):
            epochs[epoch["epoch"]] = epoch
    return [epochs[number] for number in sorted(epochs)]


def write_history(folder: Path, history: list[dict[str, Any]]) -> None:
    """Write history.jsonl anew, as a whole: empty, or what a checkpoint remembers."""
    lines = (json.dumps(epoch, allow_nan=False) + "\n" for epoch in history)
    write_whole(folder / "history.jsonl", "".join(lines))
