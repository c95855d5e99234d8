"""Reads the files in which Weights & Biases records a run: run-ID.wandb, a log of records in LevelDB's format."""

from __future__ import annotations

import json
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

FILE_HEADER = 7  # bytes at the beginning of a file
BLOCK = 32768  # bytes; a block's last bytes are empty if no header fits
HEADER = struct.Struct("<IHB")  # of a piece: checksum, length, kind
WHOLE, LAST = 1, 4  # kinds of the pieces that end a record


def run_files(folders: Collection[Path], run_id: str) -> list[Path]:
    """The files of a run, one for each attempt, in order of time.

    Args:
        folders: that hold `wandb/`.
        run_id: W&B's id.
    """
    files = [path for folder in folders for path in folder.glob(f"wandb/*run-*/run-{run_id}.wandb")]
    return sorted(files, key=lambda path: path.parent.name.removeprefix("offline-"))


def read(files: list[Path]) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
    """The values of each step, and the last value of each key of the summary."""
    from wandb.proto.wandb_internal_pb2 import Record

    steps: dict[int, dict[str, Any]] = {}
    summary: dict[str, Any] = {}
    for path in files:
        for content in _records(path.read_bytes()):
            record = Record.FromString(content)
            if record.HasField("history"):
                steps[record.history.step.num] = _items(record.history.item)
            elif record.HasField("summary"):
                summary |= _items(record.summary.update)
    return steps, summary


def is_ended(path: Path) -> bool:
    """Whether a file is complete: W&B writes the last record a moment after `finish` has returned."""
    from wandb.proto.wandb_internal_pb2 import Record

    return path.exists() and any(Record.FromString(content).HasField("exit") for content in _records(path.read_bytes()))


def _items(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(content: bytes) -> Iterator[bytes]:
    """The records of a file, up to one that is not complete, which a killed run leaves."""
    position, record = FILE_HEADER, b""
    while position + HEADER.size <= len(content):
        rest = BLOCK - position % BLOCK
        if rest < HEADER.size:
            position += rest
            continue
        _, length, kind = HEADER.unpack_from(content, position)
        position += HEADER.size
        if kind == 0 or position + length > len(content):
            return
        record += content[position : position + length]
        position += length
        if kind in (WHOLE, LAST):
            yield record
            record = b""
