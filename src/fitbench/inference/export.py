"""`fitbench export`: converts the model of a run for another runtime, and checks it there against the original."""

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
NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}  # both models run on the CPU, because a GPU rounds differently
TEMPLATES = Path(__file__).parent / "templates"
CHECKS = ("test", "random")
HINT = dict.fromkeys(
    ("onnx", "litert"),
    ";\na model that rounds inside, as with deskew, needs the same additions in the same order: --format saved_model",
)
README_CLASSES = 100  # the README lists at most this many


@dataclass(frozen=True)
class Images:
    """The images that an exported model is checked on.

    Attributes:
        pixels: uint8 [N, height, width, channels].
        labels: int [N], or None.
        description: how messages describe the images.
    """

    pixels: Any
    labels: np.ndarray | None
    description: str


@dataclass(frozen=True)
class Check:
    """The largest differences between an exported model and the original.

    Attributes:
        images: the number of images.
        named: how messages describe the images.
        logits: the largest difference of a logit, divided by the largest logit of its image if that exceeds 1.
        probabilities: the largest difference of a probability.
        read_differently: the number of images with another predicted class.
        accuracy: the accuracy of the exported model; None without labels.
    """

    images: int
    named: str
    logits: float
    probabilities: float
    read_differently: int
    accuracy: float | None

    @property
    def passed(self) -> bool:
        """Whether the models agree within `TOLERANCE`. NaN never agrees."""
        return self.logits <= TOLERANCE and self.probabilities <= TOLERANCE


def export(run: str, outputs: Path, format: str, folder: Path, check: str, trust: bool) -> None:
    """Export the model of a run to a new folder, with README.md, model.json and predict.py.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one.
        outputs: the folder that is searched for the run.
        format: one of FORMATS.
        folder: must not exist or be empty. It is written completely or not at all.
        check: 'test' checks on the test images of the run, 'random' on noise.
        trust: as in `open_run`.

    Raises:
        RequestError: no run or several runs match, packages for the format are missing, or the folder is not empty.
        FitbenchError: the model cannot be loaded or converted, the test images are not here, or the exported model does
            not agree with the original.
    """
    check_format(format, tuple(FORMATS))
    if check not in CHECKS:
        raise RequestError(f"--check is {check!r}; it must be {' or '.join(CHECKS)}")
    _check_new(folder)
    target = FORMATS[format]
    target.check_installed()
    run_folder = reading.find_run(run, outputs)
    result = finished(run_folder)
    if "keras" not in sys.modules:
        os.environ |= NO_GPU
    from fitbench.training import backend
    from fitbench.training.progress import notice

    backend.choose(Backend.tensorflow)  # before the data: what must be downloaded is downloaded by Keras
    test_images = _test_images(result, run_folder) if check == "test" else None
    with notice(True, "loading the model"):
        reader = open_run(run_folder, trust, Backend.tensorflow)
    images = test_images or _random_images(reader)
    with _new_folder(folder) as new:
        with notice(True, f"converting to {format}"):
            _convert(reader, target, new / target.model)
        card = _card(reader, target)
        _write(new, target, card)
        with notice(True, f"checking on {images.description}"):
            agreement = _check(reader, images, new, ["fitbench"] if format == "keras" else ["fitbench", "keras"])
        if not agreement.passed:
            raise FitbenchError(
                f"{reader.run_id}: the exported model does not agree with the original on {images.description}: "
                f"probabilities differ by {agreement.probabilities:.1e}, logits by {agreement.logits:.1e}; allowed is "
                f"{TOLERANCE:.0e}. Nothing was written{HINT.get(format, '')}"
            )
        card["check"] = vars(agreement)
        _write(new, target, card)
    _print(folder, reader, agreement)


def _check_new(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"-o {folder}: is a file; expected a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise RequestError(f"-o {folder}: this folder is not empty; expected a new or empty one")
    if folder.is_dir() and folder.samefile(Path.cwd()):
        raise RequestError(f"-o {folder}: is the current folder, which cannot be replaced; expected a new one")


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder, which is renamed to `folder` when the block ends without an error."""
    folder = folder.absolute()
    existing_parent = next(parent for parent in folder.parents if parent.is_dir())
    new = existing_parent / f".{os.getpid()}.new.{folder.name}"
    try:
        new.mkdir()
        yield new
        folder.parent.mkdir(parents=True, exist_ok=True)
        new.replace(folder.resolve())
    except OSError as error:
        raise FitbenchError(f"-o {folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _convert(reader: Reader, target: Format, path: Path) -> None:
    from fitbench.training import backend

    failure: Exception | None = None
    with backend.quiet():  # converters print a lot
        try:
            target.write(reader, path)
        except Exception as error:  # noqa: BLE001 - converters raise errors of many types
            failure = error
    if isinstance(failure, FitbenchError):
        raise failure
    if failure is not None:
        lines = str(failure).strip().splitlines() or [""]
        raise FitbenchError(
            f"{reader.run_id}: cannot be converted to {target.name} ({type(failure).__name__}: {lines[0]:.200})"
        ) from failure


# -- the check --------------------------------------------------------------------------------------------------------


def _test_images(result: dict[str, Any], folder: Path) -> Images:
    from fitbench.data.loading import load

    recorded = result["data"]
    alternative = "--check random checks on random images instead"
    config = configuration(result, folder)
    try:
        data = load(config.data)
    except (DataError, RequestError) as error:
        listing = "fitbench data lists the data sets that are here"
        raise FitbenchError(f"{str(error).splitlines()[0]}\n{listing}; {alternative}") from error
    if data.sha256 != recorded["sha256"]:
        raise FitbenchError(
            f"{data.source}: these data have SHA-256 {data.sha256[:8]}, the run was tested with "
            f"{recorded['sha256']:.8}; {alternative}"
        )
    return Images(data.x_test, data.y_test, f"all {len(data.y_test):,} test images of {clean(data.name)}")


def _random_images(reader: Reader) -> Images:
    """Generate noise of varying brightness and contrast, always the same."""
    random = np.random.default_rng(0)
    shape = (RANDOM_IMAGES, 1, 1, 1)
    low, high = np.sort(random.integers(0, 256, (2, *shape)), axis=0)
    noise = random.random((RANDOM_IMAGES, *reader.shape))
    pixels = np.rint(low + noise * (high - low)).astype(np.uint8)
    return Images(pixels, None, f"{RANDOM_IMAGES:,} random images")


def _check(reader: Reader, images: Images, folder: Path, forbidden: list[str]) -> Check:
    """Run the exported model in a new process, in which the `forbidden` modules cannot be imported, and compare."""
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
        not_finite = int((~np.isfinite(original)).any(axis=1).sum())
        if not_finite:
            raise FitbenchError(
                f"{reader.run_id}: the outputs of the original model are not finite for {not_finite:,} of "
                f"{images.description}; an export cannot be checked against it"
            )
        _run(folder, pixels_path, logits_path, str(size), *forbidden)
        exported = np.load(logits_path, allow_pickle=False)
    if exported.shape != original.shape:
        raise FitbenchError(f"the exported model gives outputs of {exported.shape}; expected {original.shape}")
    return compare(original, exported, images)


def _run(*arguments: str | Path) -> None:
    # -P: import no files beside the program; -B: write no __pycache__ into the folder
    command = [sys.executable, "-P", "-B", run_exported.__file__, *map(str, arguments)]
    environment = {**os.environ, **NO_GPU}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=environment)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise FitbenchError(f"the exported model cannot be run: {clean(lines[-1]):.300}")


def compare(original: np.ndarray, exported: np.ndarray, images: Images) -> Check:
    """Compare the logits of two models, float32 [N, classes]."""
    from fitbench.metrics import accuracy
    from fitbench.tasks import softmax

    scale = np.maximum(np.abs(original).max(axis=1, keepdims=True), 1)
    return Check(
        len(original),
        images.description,
        float((np.abs(exported - original) / scale).max()),
        float(np.abs(softmax(exported) - softmax(original)).max()),
        int((exported.argmax(axis=1) != original.argmax(axis=1)).sum()),
        None if images.labels is None else accuracy(images.labels, exported),
    )


# -- the files beside the model ---------------------------------------------------------------------------------------


def _card(reader: Reader, target: Format) -> dict[str, Any]:
    """Return the content of model.json, without the result of the check."""
    result = reader.result
    return {
        "schema": 1,
        "format": target.name,
        "model": target.model,
        "input": {"name": "images", "dtype": "uint8", "shape": [None, *reader.shape]},
        "output": {"name": "logits", "dtype": "float32", "shape": [None, len(reader.classes)]},
        "classes": list(reader.classes),
        "run_id": reader.run_id,
        "config_id": result["config_id"],
        "data": {"name": result["data"]["name"], "sha256": result["data"]["sha256"], "test": result["data"]["test"]},
        "test_accuracy": result["metrics"].get("test_accuracy"),
        "versions": target.versions(),
        "exported_at": utc_now(),
        "check": None,
    }


def _write(folder: Path, target: Format, card: dict[str, Any]) -> None:
    """Write model.json and predict.py, and after the check also README.md."""
    content = json.dumps(card, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / "model.json").write_text(content + "\n", encoding="utf-8")
    (folder / "predict.py").write_text(_program(target), encoding="utf-8")
    if card["check"]:
        (folder / "README.md").write_text(_readme(target, card), encoding="utf-8")


def _program(target: Format) -> str:
    """Return predict.py, with the code of the format's runtime in place of its import."""
    program = (TEMPLATES / "predict.py").read_text(encoding="utf-8")
    before, _, after = program.partition("from fitbench.inference.templates")
    runtime = (TEMPLATES / f"runtime_{target.name}.py").read_text(encoding="utf-8").partition('"""\n\n')[2]
    imported = {line for line in before.splitlines() if line.startswith(("import ", "from "))}
    code = "\n".join(line for line in runtime.splitlines() if line not in imported)
    code = re.sub(r"\n{3,}(?!def )", "\n\n", code.strip())
    return f"{before}{code}\n\n\n{after.partition(chr(10))[2].lstrip()}"


def _readme(target: Format, card: dict[str, Any]) -> str:
    _, height, width, channels = card["input"]["shape"]
    check, data, accuracy = card["check"], card["data"], card["test_accuracy"]
    class_lines = [f"    {number:4} {clean(name)}" for number, name in enumerate(card["classes"][:README_CLASSES])]
    omitted = len(card["classes"]) - len(class_lines)
    class_lines += [f"    and {omitted:,} more"] if omitted else []
    return (
        (TEMPLATES / "README.md")
        .read_text(encoding="utf-8")
        .format(
            file=target.model,
            run_id=_code(card["run_id"]),
            config_id=_code(card["config_id"]),
            packages=" ".join(target.runtime),
            height=height,
            width=width,
            channels=channels,
            colour="grey" if channels == 1 else "RGB",
            conversion="grey" if channels == 1 else "RGB",
            count=len(card["classes"]),
            data=_code(data["name"]),
            sha256=_code(data["sha256"]),
            tested=f"{data['test']:,}",
            accuracy="none" if accuracy is None else f"{accuracy:.4f}",
            versions=", ".join(f"{package} {version}" for package, version in card["versions"].items()),
            checked="; ".join(_check_lines(check)),
            classes="\n".join(class_lines),
        )
    )


def _code(text: str) -> str:
    """Escape a text of a run for `..` in a table of Markdown."""
    return clean(text).replace("`", "'").replace("|", "\\|")


def _check_lines(check: dict[str, Any]) -> list[str]:
    """Describe a check in a few lines."""
    different = check["read_differently"]
    lines = [
        f"on {check['named']} against the original in Keras",
        f"probabilities differ by at most {_scientific(check['probabilities'])}",
        f"logits differ by at most {_scientific(check['logits'])}, relative to the image's largest if that is above 1",
        f"{different or 'no'} image{'' if different in (0, 1) else 's'} classified differently",
    ]
    if check["accuracy"] is None:
        return [*lines, "these images are noise, because the test images were not available"]
    return [*lines, f"accuracy {check['accuracy']:.4f}"]


def _scientific(number: float) -> str:
    return f"{number:.1e}" if number else "0"


def _print(folder: Path, reader: Reader, check: Check) -> None:
    recorded = reader.result["metrics"].get("test_accuracy")
    print(f"{clean(folder)}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    first, *lines = _check_lines(vars(check))
    if check.accuracy is not None and recorded is not None:
        lines[-1] += f", the run recorded {recorded:.4f}"
    print(f"checked {first}:", *lines, sep="\n  ")
    print(f"try it: python {clean(folder / 'predict.py')} IMAGE..")
