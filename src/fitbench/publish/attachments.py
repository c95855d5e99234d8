"""The files of a run that are published: its model, and the pictures of what its task draws."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fitbench.analysis.run_files import RunFiles
from fitbench.charts.pictures import FROM_DATA, draw_pictures, picture_names
from fitbench.record.files import outputs_of
from fitbench.untrusted import naming, open_file

MODEL = "model.keras"
SOURCES = ("result.json", "history.jsonl")  # a picture that is older than one of these shows an earlier state


def model_of(run: RunFiles) -> Path | None:
    """The model of a finished run, if it is there.

    Raises:
        FitbenchError: it is no regular file, or a link that leaves the outputs folder.
    """
    path = run.folder / MODEL
    return path if run.result is not None and _is_file(run, path) else None


def recorded_pictures(run: RunFiles) -> list[Path]:
    """The pictures in the folder of a run that show its present state, by name.

    Raises:
        FitbenchError: one is no regular file, or a link that leaves the outputs folder.
    """
    names = [*picture_names(run), *(name for name in run.drawings if name in FROM_DATA)]
    paths = [run.folder / f"{name}.png" for name in names]
    return [path for path in paths if _is_file(run, path) and _is_recent(path)]


def lacking_pictures(run: RunFiles, has: Collection[str]) -> list[str]:
    """The names of the pictures that can be drawn of a run and are not among files such as 'curves.png'.

    Raises:
        FitbenchError: predictions.npz is damaged.
    """
    return [name for name in picture_names(run) if f"{name}.png" not in has]


@contextmanager
def drawn_pictures(run: RunFiles, has: Collection[str]) -> Iterator[list[Path]]:
    """The `lacking_pictures`, drawn without the data set into a folder that is removed after the block.

    Raises:
        FitbenchError: predictions.npz is damaged.
    """
    lacking = lacking_pictures(run, has)
    with TemporaryDirectory(prefix="fitbench-") as folder:
        yield draw_pictures(run, Path(folder), lacking) if lacking else []


def _is_file(run: RunFiles, path: Path) -> bool:
    try:
        with naming(path), open_file(path, outputs_of(run.folder)):
            return True
    except FileNotFoundError:
        return False


def _is_recent(path: Path) -> bool:
    sources = (path.with_name(name) for name in SOURCES)
    return path.stat().st_mtime >= max((source.stat().st_mtime for source in sources if source.exists()), default=0)
