"""`fitbench export`: converts the model of a run for another runtime, and checks it there against the original."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fitbench.config import Backend
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference import agreement, export_files
from fitbench.inference.classes import class_names
from fitbench.inference.formats import FORMATS, Format
from fitbench.inference.reader import Reader, finished, open_run
from fitbench.record.reading import find_run
from fitbench.text import check_format, clean


def export(run: str, outputs: Path, format: str, folder: Path, check: str, trust: bool) -> None:
    """Export the model of a run to a new folder, with README.md, model.json and predict.py.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one.
        outputs: the folder that is searched for the run.
        format: one of FORMATS.
        folder: must not exist. It is written completely or not at all.
        check: 'test' checks on the test images of the run, 'random' on noise.
        trust: as in `open_run`.

    Raises:
        RequestError: no run or several runs match, it has no classes, packages for the format are missing, or the
            folder exists.
        FitbenchError: the model cannot be loaded or converted, the test images are not here, or the exported model does
            not agree with the original.
    """
    check_format(format, tuple(FORMATS))
    if check not in ("test", "random"):
        raise RequestError(f"--check is {check!r}; it must be test or random")
    if folder.exists():
        raise RequestError(f"-o {folder}: already exists; expected a new folder")
    target = FORMATS[format]
    target.check_installed()
    run_folder = find_run(run, outputs)
    result = finished(run_folder)
    class_names(result, "fitbench export")
    if "keras" not in sys.modules:
        os.environ |= agreement.NO_GPU
    from fitbench.training import backend
    from fitbench.training.progress import notice

    backend.choose(Backend.tensorflow)  # before the data: what must be downloaded is downloaded by Keras
    test_images = agreement.test_images(result, run_folder) if check == "test" else None
    with notice(True, "loading the model"):
        reader = open_run(run_folder, trust, Backend.tensorflow)
    images = test_images or agreement.random_images(reader.shape)
    with _new_folder(folder) as new:
        with notice(True, f"converting to {format}"):
            _convert(reader, target, new / target.model)
        card = export_files.write_program(new, target, reader)
        with notice(True, f"checking on {images.description}"):
            found = agreement.check(reader, images, new, ["fitbench"] if format == "keras" else ["fitbench", "keras"])
        lines = export_files.write_description(new, target, card, found)
    print(f"{clean(folder)}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    print(f"checked on {found.description} against the original in Keras:", *lines, sep="\n  ")
    print(f"try it: python {clean(folder / 'predict.py')} IMAGE..")


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder, which is renamed to `folder` when the block ends without an error."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fitbench-", dir=folder.parent) as temporary:
            new = Path(temporary) / folder.name
            new.mkdir()
            yield new
            new.rename(folder)
    except OSError as error:
        raise FitbenchError(f"-o {folder}: cannot be written ({error.strerror or error})") from error


def _convert(reader: Reader, target: Format, path: Path) -> None:
    from fitbench.training import backend

    try:
        with backend.quiet():  # converters print a lot
            target.write(reader, path)
    except FitbenchError:
        raise
    except Exception as error:  # converters raise errors of many types
        reason = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]:.200}"
        raise FitbenchError(f"{reader.run_id}: cannot be converted to {target.name} ({reason})") from error
