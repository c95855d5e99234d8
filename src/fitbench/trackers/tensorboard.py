"""Runs in TensorBoard: what it is told of them, in event files."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fitbench.record.folder import State
from fitbench.text import clean
from fitbench.trackers.description import Description
from fitbench.trackers.event_files import TEXT, Held, begin, files, is_same, single
from fitbench.trackers.event_folders import folder_below
from fitbench.trackers.tracker import Epoch, Tracker, TrackerError

FOLDER = "tensorboard"  # in a run folder, and the folder below which runs are published
SESSION_START, SESSION_END = "_hparams_/session_start_info", "_hparams_/session_end_info"
PICTURES = (".png",)


class TensorBoardTracker(Tracker):
    """One folder of event files, to which each attempt adds one, if it has something to say.

    An epoch is one record of a file: a killed run has written all of its values or none. TensorBoard keeps numbers in
    single precision. Its tab HPARAMS has the parameters. It has no other states than finished and not finished.

    Args:
        run: what TensorBoard is told of the run.
        folder: of the event files.

    Raises:
        TrackerError: the event files cannot be read.
    """

    name = "tensorboard"
    modules = ("tensorboard",)

    def __init__(self, run: Description, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self.where = str(folder)
        self.file_of_events: Any = None  # of this attempt, once something is written
        self.texts: dict[str, str] = {}  # that are known of the run
        with self._client_errors():
            self.held = Held.of(folder)

    @classmethod
    def for_training(cls, run: Description, folder: Path, settings: Any) -> TensorBoardTracker:
        """See `Tracker`."""
        return cls(run, folder / FOLDER if settings.folder is None else folder_below(run, Path(settings.folder)))

    @classmethod
    def for_publishing(cls, run: Description, uri: str | None) -> TensorBoardTracker:
        """See `Tracker`. By default, a run whose folder has event files gets what these lack."""
        own = Path(run.folder) / FOLDER
        has_own = uri is None and not own.is_symlink() and bool(files(own))
        return cls(run, own if has_own else folder_below(run, Path(uri or FOLDER)))

    def losses(self) -> dict[int, float | None]:
        """See `Tracker`."""
        return self.held.losses

    @staticmethod
    def is_same(held: float | None, loss: float | None) -> bool:
        """See `Tracker`."""
        return is_same(held, loss)

    def restart(self) -> None:
        """Remove the event files."""
        self.close()
        with self._client_errors():
            for path in files(self.folder):
                path.unlink()
        self.held = Held()

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
        new = {key: value for key, value in values.items() if self.held.scalars.get(key) != single(value)}
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
        """See `Tracker`."""
        return self.held.finished_at

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
                self.file_of_events = begin(self.folder)
            self.file_of_events.write(Event(wall_time=ended, step=step, summary=summary).SerializeToString())
            self.file_of_events.flush()

    @contextmanager
    def _client_errors(self) -> Iterator[None]:
        """Raise what reading and writing raises as a `TrackerError`."""
        try:
            yield
        except OSError as error:
            raise TrackerError(f"{error.filename or self.where}: {error.strerror or error}") from error


def _scalars(values: Mapping[str, float | None]) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    numbers = {key: math.nan if value is None else value for key, value in values.items()}
    return Summary(value=[Summary.Value(tag=key, simple_value=value) for key, value in numbers.items()])


def _plain(value: Any) -> Any:
    """A parameter as TensorBoard takes it: a number, true or false, or text."""
    is_number = isinstance(value, int | float) and abs(value) <= sys.float_info.max
    return value if isinstance(value, bool | str) or is_number else str(value)
