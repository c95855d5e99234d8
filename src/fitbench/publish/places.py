"""The trackers that runs are published to, opened by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench.errors import FitbenchError, RequestError
from fitbench.record.files import exists, write_whole
from fitbench.text import either
from fitbench.trackers.mlflow import MlflowTracker
from fitbench.trackers.tensorboard import TensorBoardTracker
from fitbench.trackers.tracker import Description, Tracker, same_run

if TYPE_CHECKING:
    from fitbench.trackers.wandb import WandbTracker

Open = Callable[[Description, str | None], Tracker]

FOLDER_OF_RUN = "run_folder.txt"  # beside the event files: the run folder that they were made from
LONGEST_NAME = 200  # characters of a folder


def opener(name: str) -> Open:
    """What opens the tracker of this name for a run, at an address or folder; None: at its default.

    Raises:
        RequestError: there is no such tracker.
    """
    if name not in PLACES:
        raise RequestError(f"--to is {name!r}; it must be {either(list(PLACES))}")
    return PLACES[name]


@dataclass(frozen=True)
class _Events:
    """A folder of event files that runs were published to."""

    tracker: TensorBoardTracker

    @property
    def folder(self) -> str | None:
        path = self.tracker.folder / FOLDER_OF_RUN
        return path.read_text("utf-8") if path.exists() else None

    def losses(self) -> Mapping[int, float | None]:
        return self.tracker.losses()


def _tensorboard(run: Description, uri: str | None) -> TensorBoardTracker:
    """The event files of a run in `<uri>/<study>/<run_id>`, or `<run_id>-2` if they are of another run of that name."""
    folders = _folders(Path(uri or "tensorboard") / _name(run.study) / _name(run.run_id))
    held = []
    for folder in folders:
        if not exists(folder):
            break
        held.append(_Events(TensorBoardTracker(run, folder)))
    found = same_run(run, held, TensorBoardTracker.is_same)
    tracker = found.tracker if found else TensorBoardTracker(run, folder)
    if found is None or not exists(found.folder or ""):
        try:
            tracker.folder.mkdir(parents=True, exist_ok=True)
            write_whole(tracker.folder / FOLDER_OF_RUN, run.folder)
        except OSError as error:
            raise FitbenchError(f"{tracker.folder}: cannot be written ({error.strerror})") from error
    return tracker


def _folders(first: Path) -> Iterator[Path]:
    yield first
    number = 2
    while True:
        yield first.with_name(f"{first.name}-{number}")
        number += 1


def _name(text: str) -> str:
    """A name as that of a folder. It may be a stranger's."""
    name = "".join(c if c.isalnum() or c in "-_.+= " else "_" for c in text)[:LONGEST_NAME]
    return f"_{name[1:]}" if name[:1] in ("", ".") else name


def _mlflow(run: Description, uri: str | None) -> MlflowTracker:
    """The run in the experiment that its logger was set to, or else in that of its study."""
    logger = run.config.get("logger")
    settings = logger.get("mlflow") if isinstance(logger, dict) else None
    experiment = settings.get("experiment") if isinstance(settings, dict) else None
    return MlflowTracker(run, uri, str(experiment)[:LONGEST_NAME] if experiment else None)


def _wandb(run: Description, uri: str | None) -> WandbTracker:
    from fitbench.trackers.wandb import WandbTracker

    return WandbTracker(run, Path(uri or "."))


PLACES: Mapping[str, Open] = {"mlflow": _mlflow, "tensorboard": _tensorboard, "wandb": _wandb}
