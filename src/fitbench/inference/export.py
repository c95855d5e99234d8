"""`fitbench export`: a run's model for another runtime, checked there against the original before it is handed over."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fitbench.config import Backend
from fitbench.errors import DataError, FitbenchError, RequestError
from fitbench.inference import run_exported
from fitbench.inference.formats import FORMATS, Format
from fitbench.inference.reader import Reader, configuration, finished, open_run
from fitbench.record import reading
from fitbench.record.result import utc_now
from fitbench.text import check_format, clean

TOLERANCE = 1e-4
RANDOM_IMAGES = 1000
NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}  # its roundings are others than those of a CPU, on which both models run here
TEMPLATES = Path(__file__).parent / "templates"
CHECKS = ("test", "random")
HINT = dict.fromkeys(
    ("onnx", "litert"),
    ";\na model that rounds within, as deskew does, needs the same additions in the same order: --format saved_model",
)
LISTED = 100  # classes that the README lists


@dataclass(frozen=True)
class Images:
    """What an exported model is checked on: images, uint8 [N, height, width, channels], and perhaps labels, int [N]."""

    pixels: Any
    labels: np.ndarray | None
    named: str


@dataclass(frozen=True)
class Check:
    """How far an exported model is from the original on some images.

    `logits` is the largest difference of a logit, over the largest logit of its image where that is larger than 1;
    `probabilities` that of a probability; `read_differently` counts images; `accuracy` is the exported model's.
    """

    images: int
    named: str
    logits: float
    probabilities: float
    read_differently: int
    accuracy: float | None

    @property
    def passed(self) -> bool:
        """Whether they agree; what is no number agrees with nothing."""
        return self.logits <= TOLERANCE and self.probabilities <= TOLERANCE


def export(run: str, outputs: Path, format: str, folder: Path, check: str, trust: bool) -> None:
    """Write a run's model in a format, with a README, model.json and predict.py, to a new folder.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one, looked for in `outputs`.
        format: one of FORMATS.
        folder: must not exist, or be empty. It is made whole or not at all.
        check: 'test', on the run's test images; 'random', where these are not on this machine.
        trust: as in `open_run`.

    Raises:
        RequestError: no run or several runs fit, the format cannot be made here, or the folder holds something.
        FitbenchError: the model cannot be loaded or converted, the test images are not here, or the exported model does
            not agree with the original.
    """
    check_format(format, tuple(FORMATS))
    if check not in CHECKS:
        raise RequestError(f"--check is {check!r}; it must be {' or '.join(CHECKS)}")
    _check_new(folder)
    made = FORMATS[format]
    made.check_installed()
    found = reading.find_run(run, outputs)
    result = finished(found)
    if "keras" not in sys.modules:
        os.environ |= NO_GPU
    from fitbench.training import backend
    from fitbench.training.progress import notice

    backend.choose(Backend.tensorflow)  # before the data: what must be downloaded is downloaded by Keras
    test_images = _test_images(result, found) if check == "test" else None
    with notice(True, "loading the model"):
        reader = open_run(found, trust, Backend.tensorflow)
    images = test_images or _random_images(reader)
    with _new_folder(folder) as new:
        with notice(True, f"converting to {format}"):
            _convert(reader, made, new / made.model)
        card = _card(reader, made)
        _write(new, made, card)
        with notice(True, f"checking on {images.named}"):
            agreement = _check(reader, images, new, ["fitbench"] if format == "keras" else ["fitbench", "keras"])
        if not agreement.passed:
            raise FitbenchError(
                f"{reader.run_id}: the exported model does not agree with the original on {images.named}: "
                f"probabilities differ by {agreement.probabilities:.1e}, logits by {agreement.logits:.1e}; allowed is "
                f"{TOLERANCE:.0e}. Nothing was written{HINT.get(format, '')}"
            )
        card["check"] = vars(agreement)
        _write(new, made, card)
    _print(folder, reader, agreement)


def _check_new(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"-o {folder}: is a file; expected a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise RequestError(f"-o {folder}: there is something in this folder; expected a new or empty one")
    if folder.is_dir() and folder.samefile(Path.cwd()):
        raise RequestError(f"-o {folder}: is the folder that you are in, which cannot be replaced; expected a new one")


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder to be filled, which becomes `folder` when the block has ended without an error."""
    folder = folder.absolute()
    above = next(parent for parent in folder.parents if parent.is_dir())
    new = above / f".{os.getpid()}.new.{folder.name}"
    try:
        new.mkdir()
        yield new
        folder.parent.mkdir(parents=True, exist_ok=True)
        new.replace(folder.resolve())
    except OSError as error:
        raise FitbenchError(f"-o {folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _convert(reader: Reader, made: Format, path: Path) -> None:
    from fitbench.training import backend

    failure: Exception | None = None
    with backend.quiet():  # converters say much
        try:
            made.write(reader, path)
        except Exception as error:  # noqa: BLE001 - whatever a converter raises of a model that it cannot take
            failure = error
    if isinstance(failure, FitbenchError):
        raise failure
    if failure is not None:
        lines = str(failure).strip().splitlines() or [""]
        raise FitbenchError(
            f"{reader.run_id}: cannot be converted to {made.name} ({type(failure).__name__}: {lines[0]:.200})"
        ) from failure


# -- the check --------------------------------------------------------------------------------------------------------


def _test_images(result: dict[str, Any], folder: Path) -> Images:
    from fitbench.data.loading import load

    recorded = result["data"]
    otherwise = "--check random checks on random images instead"
    config = configuration(result, folder)
    try:
        data = load(config.data)
    except (DataError, RequestError) as error:
        where = "fitbench data says where data sets are looked for"
        raise FitbenchError(f"{str(error).splitlines()[0]}\n{where}; {otherwise}") from error
    if data.sha256 != recorded["sha256"]:
        raise FitbenchError(
            f"{data.source}: these data have SHA-256 {data.sha256[:8]}, the run was tested with "
            f"{recorded['sha256']:.8}; {otherwise}"
        )
    return Images(data.x_test, data.y_test, f"all {len(data.y_test):,} test images of {clean(data.name)}")


def _random_images(reader: Reader) -> Images:
    """Noise of every brightness and contrast, the same every time."""
    random = np.random.default_rng(0)
    shape = (RANDOM_IMAGES, 1, 1, 1)
    ends = np.sort(random.integers(0, 256, (2, *shape)), axis=0)
    noise = random.random((RANDOM_IMAGES, *reader.shape))
    pixels = np.rint(ends[0] + noise * (ends[1] - ends[0])).astype(np.uint8)
    return Images(pixels, None, f"{RANDOM_IMAGES:,} random images")


def _check(reader: Reader, images: Images, folder: Path, forbidden: list[str]) -> Check:
    """Run the exported model in a process of its own, in which some modules cannot be imported, and compare."""
    count, size = images.pixels.shape[0], reader.batch_size
    with tempfile.TemporaryDirectory(prefix="fitbench-") as name:
        pixels_path, logits_path = Path(name) / "images.npy", Path(name) / "logits.npy"
        pixels = np.lib.format.open_memmap(pixels_path, "w+", np.uint8, (count, *reader.shape))
        original = np.empty((count, len(reader.classes)), np.float32)
        for start in range(0, count, size):
            batch = slice(start, start + size)
            pixels[batch] = images.pixels[batch]
            original[batch] = reader.logits(pixels[batch])
        pixels.flush()
        unfit = int((~np.isfinite(original)).any(axis=1).sum())
        if unfit:
            raise FitbenchError(
                f"{reader.run_id}: the model's own outputs are not finite for {unfit:,} of {images.named}; there is "
                "nothing to check an export against"
            )
        _run(folder, pixels_path, logits_path, str(size), *forbidden)
        exported = np.load(logits_path, allow_pickle=False)
    if exported.shape != original.shape:
        raise FitbenchError(f"the exported model gives outputs of {exported.shape}; expected {original.shape}")
    return compare(original, exported, images)


def _run(*arguments: str | Path) -> None:
    # -P: what lies beside the program is not imported; -B: nothing is left in the folder
    command = [sys.executable, "-P", "-B", run_exported.__file__, *map(str, arguments)]
    environment = {**os.environ, **NO_GPU}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=environment)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise FitbenchError(f"the exported model cannot be run: {clean(lines[-1]):.300}")


def compare(original: np.ndarray, exported: np.ndarray, images: Images) -> Check:
    """How far two models' logits, float32 [N, classes], are from each other."""
    from fitbench.metrics import accuracy
    from fitbench.tasks import softmax

    scale = np.maximum(np.abs(original).max(axis=1, keepdims=True), 1)
    return Check(
        len(original),
        images.named,
        float((np.abs(exported - original) / scale).max()),
        float(np.abs(softmax(exported) - softmax(original)).max()),
        int((exported.argmax(axis=1) != original.argmax(axis=1)).sum()),
        None if images.labels is None else accuracy(images.labels, exported),
    )


# -- what lies beside the model ---------------------------------------------------------------------------------------


def _card(reader: Reader, made: Format) -> dict[str, Any]:
    """What model.json says before the check."""
    result = reader.result
    return {
        "schema": 1,
        "format": made.name,
        "model": made.model,
        "input": {"name": "images", "dtype": "uint8", "shape": [None, *reader.shape]},
        "output": {"name": "logits", "dtype": "float32", "shape": [None, len(reader.classes)]},
        "classes": list(reader.classes),
        "run_id": reader.run_id,
        "config_id": result["config_id"],
        "data": {"name": result["data"]["name"], "sha256": result["data"]["sha256"], "test": result["data"]["test"]},
        "test_accuracy": result["metrics"].get("test_accuracy"),
        "versions": made.versions(),
        "exported_at": utc_now(),
        "check": None,
    }


def _write(folder: Path, made: Format, card: dict[str, Any]) -> None:
    """Write model.json, and predict.py and README.md of their templates."""
    content = json.dumps(card, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / "model.json").write_text(content + "\n", encoding="utf-8")
    (folder / "predict.py").write_text(_program(made), encoding="utf-8")
    if card["check"]:
        (folder / "README.md").write_text(_readme(made, card), encoding="utf-8")


def _program(made: Format) -> str:
    """predict.py, with the code of the format's runtime in the place of its import."""
    program = (TEMPLATES / "predict.py").read_text(encoding="utf-8")
    before, _, after = program.partition("from fitbench.inference.templates")
    runtime = (TEMPLATES / f"runtime_{made.name}.py").read_text(encoding="utf-8").partition('"""\n\n')[2]
    imported = {line for line in before.splitlines() if line.startswith(("import ", "from "))}
    code = "\n".join(line for line in runtime.splitlines() if line not in imported)
    code = re.sub(r"\n{3,}(?!def )", "\n\n", code.strip())
    return f"{before}{code}\n\n\n{after.partition(chr(10))[2].lstrip()}"


def _readme(made: Format, card: dict[str, Any]) -> str:
    _, height, width, channels = card["input"]["shape"]
    check, data, accuracy = card["check"], card["data"], card["test_accuracy"]
    classes = card["classes"][:LISTED]
    left_out = len(card["classes"]) - len(classes)
    listed = [f"    {number:4} {clean(name)}" for number, name in enumerate(classes)]
    return (
        (TEMPLATES / "README.md")
        .read_text(encoding="utf-8")
        .format(
            file=made.model,
            run_id=_code(card["run_id"]),
            config_id=_code(card["config_id"]),
            packages=" ".join(made.runtime),
            height=height,
            width=width,
            channels=channels,
            colour="grey" if channels == 1 else "RGB",
            turned="grey" if channels == 1 else "to RGB",
            count=len(card["classes"]),
            data=_code(data["name"]),
            sha256=_code(data["sha256"]),
            tested=f"{data['test']:,}",
            accuracy="none" if accuracy is None else f"{accuracy:.4f}",
            versions=", ".join(f"{package} {version}" for package, version in card["versions"].items()),
            checked="; ".join(_checked(check)),
            classes="\n".join(listed + ([f"    and {left_out:,} more"] if left_out else [])),
        )
    )


def _code(text: str) -> str:
    """A text from a run, such that in Markdown's `..` in a table it stays a text."""
    return clean(text).replace("`", "'").replace("|", "\\|")


def _checked(check: dict[str, Any]) -> list[str]:
    """The check in a few lines."""
    other = check["read_differently"]
    lines = [
        f"on {check['named']} against the original in Keras",
        f"probabilities differ by {_small(check['probabilities'])} at most",
        f"logits by {_small(check['logits'])}, relative to the image's largest where that is above 1",
        f"{other or 'no'} image{'' if other in (0, 1) else 's'} read differently",
    ]
    if check["accuracy"] is None:
        return [*lines, "these are not the test images, which were not at hand: they are noise"]
    return [*lines, f"accuracy {check['accuracy']:.4f}"]


def _small(number: float) -> str:
    return f"{number:.1e}" if number else "0"


def _print(folder: Path, reader: Reader, check: Check) -> None:
    recorded = reader.result["metrics"].get("test_accuracy")
    print(f"{clean(folder)}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    first, *lines = _checked(vars(check))
    if check.accuracy is not None and recorded is not None:
        lines[-1] += f", the run recorded {recorded:.4f}"
    print(f"checked {first}:", *lines, sep="\n  ")
    print(f"try it: python {clean(folder / 'predict.py')} IMAGE..")
