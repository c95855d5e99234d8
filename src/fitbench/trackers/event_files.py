"""Event files of TensorBoard, read and begun by its own package without TensorFlow."""

from __future__ import annotations

import math
import os
import re
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PREFIX = "events.out.tfevents."  # of the names of event files; TensorBoard reads them in alphabetical order
VERSION = "brain.Event:2"  # of event files
TEXT = "run"  # the tag of the text about the run


class Held:
    """What the event files of a folder have.

    Attributes:
        losses: of each epoch, None where undefined.
        last: the number of the last epoch.
        tags: of all values.
        scalars: the last number of each tag.
        pictures: the last content of each tag.
        texts: the last content of each tag.
    """

    def __init__(self) -> None:
        self.losses: dict[int, float | None] = {}
        self.last = 0
        self.tags: set[str] = set()
        self.scalars: dict[str, float] = {}
        self.pictures: dict[str, bytes] = {}
        self.texts: dict[str, bytes] = {}

    @classmethod
    def of(cls, folder: Path) -> Held:
        """Read the event files of a folder."""
        held = cls()
        for path in files(folder):
            for event in _events(path):
                for value in event.summary.value:
                    held._take(value, event.step)
        held.last = max(held.losses, default=0)
        return held

    @property
    def finished_at(self) -> str | None:
        """See `Tracker`. The text about the run has it."""
        found = re.search(r"^\| finished_at \| (.+) \|$", self.texts.get(TEXT, b"").decode(), re.MULTILINE)
        return found and found[1]

    def _take(self, value: Any, step: int) -> None:
        self.tags.add(value.tag)
        if value.HasField("image"):
            self.pictures[value.tag] = value.image.encoded_image_string
        elif value.HasField("tensor") and value.tensor.string_val:
            self.texts[value.tag] = value.tensor.string_val[0]
        elif value.HasField("simple_value"):
            self.scalars[value.tag] = value.simple_value
            if value.tag == "loss":
                self.losses[step] = None if math.isnan(value.simple_value) else value.simple_value


def files(folder: Path) -> list[Path]:
    """The event files of a folder, in the order in which TensorBoard reads them."""
    return sorted(folder.glob(f"{PREFIX}*"))


def _events(path: Path) -> Iterator[Any]:
    """The records of an event file, up to a torn one, which a killed run leaves."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.tensorflow_stub import errors
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    reader = PyRecordReader_New(str(path))
    while True:
        try:
            reader.GetNext()
        except (errors.OutOfRangeError, errors.DataLossError):
            return
        yield Event.FromString(reader.record())


def begin(folder: Path) -> Any:
    """A writer of a new event file, whose name is behind those of all others."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder.mkdir(parents=True, exist_ok=True)
    latest = [int(path.name[len(PREFIX) :].partition(".")[0]) for path in files(folder)]
    second = max([int(time.time()), *(number + 1 for number in latest)])
    path = folder / f"{PREFIX}{second:010d}.{socket.gethostname()}.{os.getpid()}.0"
    writer = RecordWriter(path.open("xb"))
    writer.write(Event(wall_time=time.time(), file_version=VERSION).SerializeToString())
    return writer


def single(value: float) -> float:
    """A number in single precision, infinite where it is too large."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def is_same(held: float | None, loss: float | None) -> bool:
    """See `Tracker`."""
    return held is loss if held is None or loss is None else held == single(loss)
