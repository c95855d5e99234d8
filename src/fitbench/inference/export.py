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
from fitbench.inference.card import input_card
from fitbench.inference.formats import FORMATS, Format, output_name
from fitbench.inference.programs import PROGRAMS, TEMPLATES
from fitbench.inference.reader import Reader, configuration, finished, open_run
from fitbench.metrics import join
from fitbench.record.files import writing
from fitbench.record.naming import find_run
from fitbench.record.result import utc_now
from fitbench.text import check_format, clean, counted, number


def export(run: str, outputs: Path, format: str, folder: Path, trust: bool) -> None:
    """Export the model of a run to a new folder, with README.md, model.json, predict.py and what it reads files with.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one.
        outputs: the folder that is searched for the run.
        format: one of FORMATS.
        folder: must not exist. It is written completely or not at all.
        trust: as in `open_run`.

    Raises:
        RequestError: no run or several runs match, packages for the format are missing, or the folder exists.
        FitbenchError: the model cannot be loaded or converted, the test part is not here, or the exported model does
            not agree with the original.
    """
    check_format(format, tuple(FORMATS))
    if folder.exists():
        raise RequestError(f"-o {folder}: already exists; expected a new folder")
    target = FORMATS[format]
    target.check_installed()
    run_folder = find_run(run, outputs, finished=True)
    result = finished(run_folder)
    if "keras" not in sys.modules:
        os.environ |= agreement.NO_GPU
    from fitbench.data.loading import load_recorded
    from fitbench.training import backend
    from fitbench.training.progress import notice

    backend.choose(Backend.tensorflow)  # before the data: what must be downloaded is downloaded by Keras
    purpose = "an export is checked on the test part of these data"
    data = load_recorded(configuration(result, run_folder).data, result, run_folder, trust, purpose)
    with notice(True, "loading the model"):
        reader = open_run(run_folder, trust, Backend.tensorflow)
    with _new_folder(folder) as new:
        with notice(True, f"converting to {format}"):
            _convert(reader, target, new / target.model)
        card = _write_program(new, target, reader)
        with notice(True, "checking on the test part"):
            found = agreement.check(reader, data, new, ["fitbench"] if format == "keras" else ["fitbench", "keras"])
        lines = _write_description(new, target, reader, card, found)
    print(f"{clean(folder)}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    print(f"checked on {found.description} against the original in Keras:", *lines, sep="\n  ")
    print(f"try it: python {clean(folder / 'predict.py')} {PROGRAMS[reader.inputs.kind].example}")


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder, which is renamed to `folder` when the block ends without an error."""
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fitbench-", dir=folder.parent) as temporary:
            new = Path(temporary) / folder.name
            new.mkdir()
            yield new
            new.rename(folder)


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
    primary, task = result["primary"], reader.task
    card = {
        "schema": 3,
        "format": target.name,
        "model": target.model,
        "task": task.name,
        "input": input_card(reader.inputs, result),
        "output": {"name": output_name(reader), "dtype": "float32", "shape": [None, len(reader.names)]},
        "names": list(reader.names),
        **({"threshold": reader.threshold} if task.has_threshold else {}),
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
    for name, source in PROGRAMS[reader.inputs.kind].files.items():
        shutil.copyfile(source, folder / name)
    return card


def _write_description(
    folder: Path, target: Format, reader: Reader, card: dict[str, Any], agreement: Agreement
) -> list[str]:
    """Write README.md, and model.json with the result of the check. Return lines that describe the agreement."""
    _write_card(folder, card | {"check": asdict(agreement)})
    lines = _lines(reader, agreement)
    if agreement.value is not None and card["test_value"] is not None:
        primary = reader.result["primary"]
        digits = quantities.from_info(primary, reader.result["metric_info"][primary]).digits
        value, recorded = number(agreement.value, digits), number(card["test_value"], digits)
        lines.append(f"{clean(card['metric'])} {value}, the run recorded {recorded}")
    program = PROGRAMS[reader.inputs.kind]
    packages = [*program.packages, *(("scipy",) if card["input"].get("lengths") == "cubic" else ())]
    readme = (
        (TEMPLATES / "README.md")
        .read_text(encoding="utf-8")
        .format(
            run_id=clean(card["run_id"]).replace("`", "'"),
            file=target.model,
            packages=" ".join(("numpy", *packages, *target.runtime)),
            example=program.example,
            input=card["input"]["name"],
            dtype=card["input"]["dtype"],
            shape=str(card["input"]["shape"]).replace("None", "N"),
            meaning=program.meaning,
            output=card["output"]["name"],
            count=len(card["names"]),
            included=program.included,
            examples=clean(agreement.description),
            lines="\n".join(f"- {line}" for line in lines),
        )
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return lines


def _lines(reader: Reader, agreement: Agreement) -> list[str]:
    """What the agreement was, in lines of text."""
    recorded, outputs = (f"{x:.1e}" if x else "0" for x in (agreement.recorded, agreement.outputs))
    name, noun, count = reader.task.outputs_name, reader.inputs.noun, agreement.decided_differently
    if count is None:
        return [f"{name} differ by at most {recorded}, relative to the largest of the target"]
    decided = "classified" if reader.task.has_classes else "labelled"
    return [
        f"{name} differ by at most {recorded}",
        f"logits differ by at most {outputs}, relative to the {noun}'s largest if that is above 1",
        f"{counted(count, noun) if count else f'no {reader.inputs.nouns}'} {decided} differently",
    ]


def _write_card(folder: Path, card: dict[str, Any]) -> None:
    content = json.dumps(card, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / "model.json").write_text(content + "\n", encoding="utf-8")
