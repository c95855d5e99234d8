"""Runs in TensorBoard: event files of its own package, without TensorFlow."""

from __future__ import annotations

import math
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fitbench.record.folder import State
from fitbench.text import clean
from fitbench.trackers.tracker import Description, Epoch, Tracker, TrackerError, needs

PREFIX = "events.out.tfevents."  # of the names of event files; TensorBoard reads them in alphabetical order
FOLDER = "tensorboard"  # in a run folder
VERSION = "brain.Event:2"  # of event files
SESSION_START, SESSION_END = "_hparams_/session_start_info", "_hparams_/session_end_info"
PICTURES = (".png",)
TEXT = "run"  # the tag of the text about the run


class TensorBoardTracker(Tracker):
    """One folder of event files, to which each attempt adds one, if it has something to say.

    An epoch is one record of a file: a killed run has written all of its values or none. TensorBoard keeps numbers in
    single precision. Its tab HPARAMS has the parameters. It has no other states than finished and not finished.

    Args:
        run: what TensorBoard is told of the run.
        folder: of the event files.

    Raises:
        RequestError: tensorboard is not installed.
        TrackerError: the event files cannot be read.
    """

    name = "tensorboard"

    def __init__(self, run: Description, folder: Path) -> None:
        try:
            import tensorboard  # noqa: F401
        except ModuleNotFoundError as error:
            raise needs(self.name, f"logger={self.name}") from error
        self.run = run
        self.folder = folder
        self.where = str(folder)
        self.file_of_events: Any = None  # of this attempt, once something is written
        self.texts: dict[str, str] = {}  # that are known of the run
        with self._client_errors():
            self.held = _Held.of(folder)

    def losses(self) -> dict[int, float | None]:
        """See `Tracker`."""
        return self.held.losses

    @staticmethod
    def is_same(held: float | None, loss: float | None) -> bool:
        """See `Tracker`."""
        return held is loss if held is None or loss is None else held == _single(loss)

    def restart(self) -> None:
        """Remove the event files."""
        self.close()
        with self._client_errors():
            for path in _files(self.folder):
                path.unlink()
        self.held = _Held()

    def describe(self) -> None:
        """See `Tracker`."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        if SESSION_START not in self.held.tags:
            values = {key: _plain(value) for key, value in self.run.parameters.items()}
            began = time.time() if self.run.began is None else self.run.began
            self._write(hparams_pb(values, trial_id=self.run.key, start_time_secs=began), 0, began)
            self.sent.update(runs=1, parameters=len(values))

    def epoch(self, epoch: Epoch) -> None:
        """See `Tracker`."""
        self._write(_scalars(epoch.values), epoch.number, epoch.ended)
        self.held.last = max(self.held.last, epoch.number)
        self.sent["epochs"] += 1

    def result(self, values: Mapping[str, float], ended: float) -> None:
        """See `Tracker`. The values have the number of epochs as their step."""
        new = {key: value for key, value in values.items() if self.held.scalars.get(key) != _single(value)}
        if new:
            self._write(_scalars(new), self.held.last, ended)
            self.sent["metrics"] += len(new)

    def facts(self, facts: Mapping[str, str | None]) -> None:
        """See `Tracker`. `state` writes them."""
        self.texts = {key: text for key, text in facts.items() if text is not None}

    def file(self, path: Path) -> None:
        """See `Tracker`. TensorBoard shows pictures; other files are not sent."""
        from PIL import Image
        from tensorboard.compat.proto.summary_pb2 import Summary

        if path.suffix not in PICTURES:
            return
        with self._client_errors():
            content = path.read_bytes()
            with Image.open(path) as image:
                width, height = image.size
        if self.held.pictures.get(path.stem) != content:
            self.sent["files"] += 1
            picture = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=content)
            self._write(Summary(value=[Summary.Value(tag=path.stem, image=picture)]), self.held.last, time.time())

    def finished_at(self) -> str | None:
        """See `Tracker`. The text about the run has it."""
        found = re.search(r"^\| finished_at \| (.+) \|$", self.held.texts.get(TEXT, b"").decode(), re.MULTILINE)
        return found and found[1]

    def files(self) -> list[str]:
        """See `Tracker`."""
        return [f"{name}{PICTURES[0]}" for name in self.held.pictures]

    def state(self, state: State, since: float) -> None:
        """See `Tracker`. It is a part of the text about the run.

        Of TensorBoard's own states only the end of the run is written, as it takes the first one that it finds.
        """
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

        self._write_text(state, since)
        if state not in (State.finished, State.pruned) or SESSION_END in self.held.tags:
            return
        info = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=since)
        described = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
        value = Summary.Value(tag=SESSION_END, metadata=described, tensor=metadata.NULL_TENSOR)
        self._write(Summary(value=[value]), self.held.last, since)

    def _write_text(self, state: State, since: float) -> None:
        """Write what is known of the run as a table, which TensorBoard shows in its tab TEXT."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING
        from tensorboard.plugins.text.metadata import create_summary_metadata

        noted = {"tags": ", ".join(self.run.tags), "note": self.run.note}
        texts = {"state": state.value} | self.run.facts | noted | self.texts
        rows = [f"| {clean(key)} | {clean(text).replace('|', '&#124;')} |" for key, text in texts.items() if text]
        content = "\n".join(["| | |", "|---|---|", *rows]).encode()
        if self.held.texts.get(TEXT) != content:
            described = create_summary_metadata(display_name=TEXT, description="")
            tensor = TensorProto(dtype=DT_STRING, string_val=[content])
            self._write(Summary(value=[Summary.Value(tag=TEXT, metadata=described, tensor=tensor)]), 0, since)
            self.sent["tags"] += len(rows)

    def close(self) -> None:
        """See `Tracker`."""
        if self.file_of_events is not None:
            self.file_of_events.close()
            self.file_of_events = None

    def _write(self, summary: Any, step: int, ended: float) -> None:
        """Append a record to the event file of this attempt, which is then on its way to the disk."""
        from tensorboard.compat.proto.event_pb2 import Event

        with self._client_errors():
            if self.file_of_events is None:
                self.file_of_events = _begin(self.folder)
            self.file_of_events.write(Event(wall_time=ended, step=step, summary=summary).SerializeToString())
            self.file_of_events.flush()

    @contextmanager
    def _client_errors(self) -> Iterator[None]:
        """Raise what reading and writing raises as a `TrackerError`."""
        try:
            yield
        except OSError as error:
            raise TrackerError(f"{error.filename or self.where}: {error.strerror or error}") from error


class _Held:
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
    def of(cls, folder: Path) -> _Held:
        """Read the event files of a folder."""
        held = cls()
        for path in _files(folder):
            for event in _events(path):
                for value in event.summary.value:
                    held._take(value, event.step)
        held.last = max(held.losses, default=0)
        return held

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


def _files(folder: Path) -> list[Path]:
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


def _begin(folder: Path) -> Any:
    """A writer of a new event file, whose name is behind those of all others."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder.mkdir(parents=True, exist_ok=True)
    latest = [int(path.name[len(PREFIX) :].partition(".")[0]) for path in _files(folder)]
    second = max([int(time.time()), *(number + 1 for number in latest)])
    path = folder / f"{PREFIX}{second:010d}.{socket.gethostname()}.{os.getpid()}.0"
    writer = RecordWriter(path.open("xb"))
    writer.write(Event(wall_time=time.time(), file_version=VERSION).SerializeToString())
    return writer


def _scalars(values: Mapping[str, float | None]) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    numbers = {key: math.nan if value is None else value for key, value in values.items()}
    return Summary(value=[Summary.Value(tag=key, simple_value=value) for key, value in numbers.items()])


def _single(value: float) -> float:
    """A number in single precision, infinite where it is too large."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _plain(value: Any) -> Any:
    """A parameter as TensorBoard takes it: a number, true or false, or text."""
    is_number = isinstance(value, int | float) and abs(value) <= sys.float_info.max
    return value if isinstance(value, bool | str) or is_number else str(value)
