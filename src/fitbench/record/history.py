"""history.jsonl: one JSON object for each epoch of a run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.record.files import check_fence, read_bytes, write_whole
from fitbench.untrusted import Unreadable, append_only, naming, parse_json

FILE = "history.jsonl"
MOST_VALUES = 5_000_000  # of all epochs together; with their names, as many fill a file of `LARGEST_BYTES`


def append_history(folder: Path, epoch: dict[str, Any]) -> None:
    """Append one epoch to history.jsonl, on a line of its own even behind a torn one.

    Raises:
        Claimed: this process had a claim on the folder and has lost it.
        FitbenchError: history.jsonl is no regular file.
    """
    path = folder / FILE
    line = json.dumps(epoch, allow_nan=False).encode() + b"\n"
    check_fence(path)
    with naming(path), open(path, "a+b", opener=append_only) as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The epochs of a run in order. Of two lines for one epoch the later counts; a torn line is ignored.

    Raises:
        FitbenchError: history.jsonl cannot be read, or has too many values; the message names it.
    """
    epochs: dict[int, dict[str, Any]] = {}
    try:
        content = read_bytes(folder, FILE)
    except FileNotFoundError:
        return []
    if sum(map(content.count, (b"\n", b"{", b"[", b","))) > MOST_VALUES:
        raise FitbenchError(f"{folder}/{FILE}: has more than {MOST_VALUES:,} values")
    for line in content.splitlines():
        if (epoch := parse_epoch(line)) is not None:
            epochs[epoch["epoch"]] = epoch
    return [epochs[number] for number in sorted(epochs)]


def parse_epoch(line: bytes) -> dict[str, Any] | None:
    """What a line says of an epoch, whose number is in it; None if it is torn, or says nothing of one."""
    try:
        epoch = parse_json(line)
    except Unreadable:
        return None
    return epoch if isinstance(epoch, dict) and type(epoch.get("epoch")) is int else None  # no truth value


def write_history(folder: Path, history: list[dict[str, Any]]) -> None:
    """Write history.jsonl anew, as a whole: empty, or what a checkpoint remembers."""
    lines = (json.dumps(epoch, allow_nan=False) + "\n" for epoch in history)
    write_whole(folder / FILE, "".join(lines))
