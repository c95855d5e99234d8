import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fitbench.record.history import append_history, write_history
from fitbench.record.reading import read_history


@pytest.fixture
def with_files(make_run) -> Callable[..., Path]:
    """Writes the folder of a run that has a model and its pictures; what is not there would be drawn, slowly."""

    def make(*overrides: str, **options) -> Path:
        folder = make_run(*overrides, **options)
        for name, value in (("curves.png", 40), ("confusion.png", 200)):
            if name == "curves.png" or options.get("finished", True):
                (folder / name).write_bytes(png(value))
        (folder / "model.keras").write_bytes(b"weights of " + folder.name.encode())
        return folder

    return make


def png(value: int) -> bytes:
    """A picture of 3 x 2 grey pixels."""
    content = io.BytesIO()
    Image.new("RGB", (3, 2), (value, value, value)).save(content, "png")
    return content.getvalue()


def trained_again(folder: Path, loss: float, finished_at: str = "2026-01-05T03:04:05Z", epochs: int = 4) -> None:
    """Give a run the files of another training, with these losses in the first epochs."""
    history = read_history(folder)[:epochs]
    write_history(folder, [line | {"loss": loss / line["epoch"]} for line in history])
    metrics = json.loads((folder / "result.json").read_text())["metrics"]
    (folder / "curves.png").write_bytes(png(int(loss)))
    change_result(folder, finished_at=finished_at, metrics=metrics | {"epochs": epochs, "train_loss": loss / epochs})


def change_result(folder: Path, **changes: object) -> None:
    """Write result.json with other values, to which the pictures fit."""
    path = folder / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    for picture in folder.glob("*.png"):
        picture.touch()


def goes_on(folder: Path, **values: float) -> None:
    """Give a run a sixth epoch, and a picture of it."""
    append_history(folder, {"epoch": 6, "seconds": 0.5, **values})
    (folder / "curves.png").touch()
