"""`fitbench export`: converts the model of a run for another runtime, and checks it there against the original."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fitbench import quantities
from fitbench.config import Backend
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference import agreement
from fitbench.inference.agreement import Agreement
from fitbench.inference.formats import FORMATS, Format
from fitbench.inference.reader import Reader, finished, open_run
from fitbench.metrics import join
from fitbench.record.reading import find_run
from fitbench.record.result import utc_now
from fitbench.text import check_format, clean

TEMPLATES = Path(__file__).parent / "templates"


def export(run: str, outputs: Path, format: str, folder: Path, trust: bool) -> None:
    """Export the model of a run to a new folder, with README.md, model.json and predict.py.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one.
        outputs: the folder that is searched for the run.
        format: one of FORMATS.
        folder: must not exist. It is written completely or not at all.
        trust: as in `open_run`.

    Raises:
        RequestError: no run or several runs match, it has no classes, packages for the format are missing, or the
            folder exists.
        FitbenchError: the model cannot be loaded or converted, the test images are not here, or the exported model does
            not agree with the original.
    """
    check_format(format, tuple(FORMATS))
    if folder.exists():
        raise RequestError(f"-o {folder}: already exists; expected a new folder")
    target = FORMATS[format]
    target.check_installed()
    run_folder = find_run(run, outputs)
    result = finished(run_folder)
    if "keras" not in sys.modules:
        os.environ |= agreement.NO_GPU
    from fitbench.training import backend
    from fitbench.training.progress import notice

    backend.choose(Backend.tensorflow)  # before the data: what must be downloaded is downloaded by Keras
    data = agreement.load_data(result, run_folder)
    with notice(True, "loading the model"):
        reader = open_run(run_folder, trust, Backend.tensorflow)
    with _new_folder(folder) as new:
        with notice(True, f"converting to {format}"):
            _convert(reader, target, new / target.model)
        card = _write_program(new, target, reader)
        with notice(True, "checking on the test images"):
            found = agreement.check(reader, data, new, ["fitbench"] if format == "keras" else ["fitbench", "keras"])
        lines = _write_description(new, target, card, found)
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


# -- the files beside the model ------------------------------------------------------------------------------------


def _write_program(folder: Path, target: Format, reader: Reader) -> dict[str, Any]:
    """Write predict.py, and model.json without the result of the check. Return the content of model.json."""
    result = reader.result
    primary = result["primary"]
    card = {
        "schema": 2,
        "format": target.name,
        "model": target.model,
        "input": {"name": "images", "dtype": "uint8", "shape": [None, *reader.shape]},
        "output": {"name": "logits", "dtype": "float32", "shape": [None, len(reader.classes)]},
        "classes": list(reader.classes),
        "run_id": reader.run_id,
        "config_id": result["config_id"],
        "data": {key: result["data"][key] for key in ("name", "sha256", "test")},
        "metric": quantities.from_info(primary, result["metric_info"][primary]).label,
        "test_value": result["metrics"].get(join("test", primary)),
        "versions": target.versions(),
        "exported_at": utc_now(),
    }
    _write_card(folder, card)
    shutil.copyfile(TEMPLATES / "predict.py", folder / "predict.py")
    return card


def _write_description(folder: Path, target: Format, card: dict[str, Any], agreement: Agreement) -> list[str]:
    """Write README.md, and model.json with the result of the check. Return lines that describe the agreement."""
    _write_card(folder, card | {"check": asdict(agreement)})
    probabilities, logits = (f"{x:.1e}" if x else "0" for x in (agreement.probabilities, agreement.logits))
    count = agreement.classified_differently
    lines = [
        f"probabilities differ by at most {probabilities}",
        f"logits differ by at most {logits}, relative to the image's largest if that is above 1",
        f"{count or 'no'} image{'' if count in (0, 1) else 's'} classified differently",
    ]
    if agreement.value is not None and card["test_value"] is not None:
        recorded = card["test_value"]
        lines.append(f"{clean(card['metric'])} {agreement.value:.4f}, the run recorded {recorded:.4f}")
    readme = (
        (TEMPLATES / "README.md")
        .read_text(encoding="utf-8")
        .format(
            run_id=clean(card["run_id"]).replace("`", "'"),
            file=target.model,
            packages=" ".join(target.runtime),
            shape=str(card["input"]["shape"]).replace("None", "N"),
            count=len(card["classes"]),
            images=clean(agreement.description),
            lines="\n".join(f"- {line}" for line in lines),
        )
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return lines


def _write_card(folder: Path, card: dict[str, Any]) -> None:
    content = json.dumps(card, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / "model.json").write_text(content + "\n", encoding="utf-8")
