"""Writes the files beside an exported model: model.json, predict.py and README.md."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fitbench import quantities
from fitbench.inference.agreement import Agreement
from fitbench.inference.formats import Format
from fitbench.inference.reader import Reader
from fitbench.metrics import join
from fitbench.record.result import utc_now
from fitbench.text import clean

TEMPLATES = Path(__file__).parent / "templates"
IMPORT = "from fitbench.inference.templates.runtime_onnx import load\n"


def write_program(folder: Path, target: Format, reader: Reader) -> dict[str, Any]:
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
    (folder / "predict.py").write_text(program(target), encoding="utf-8")
    return card


def program(target: Format) -> str:
    """Return predict.py, with the code of the format's runtime in place of its import."""
    before, after = (TEMPLATES / "predict.py").read_text(encoding="utf-8").split(IMPORT)
    runtime = (TEMPLATES / f"runtime_{target.name}.py").read_text(encoding="utf-8").partition('"""\n\n')[2]
    code = "".join(line for line in runtime.splitlines(keepends=True) if line not in before or line.isspace())
    return f"{before}{code.lstrip()}\n{after}"


def write_description(folder: Path, target: Format, card: dict[str, Any], agreement: Agreement) -> list[str]:
    """Write README.md, and model.json with the result of the check. Return lines that describe the agreement."""
    _write_card(folder, card | {"check": asdict(agreement)})
    lines = _describe(agreement, clean(card["metric"]), card["test_value"])
    _, height, width, channels = card["input"]["shape"]
    template = (TEMPLATES / "README.md").read_text(encoding="utf-8")
    readme = template.format(
        run_id=clean(card["run_id"]).replace("`", "'"),
        file=target.model,
        packages=" ".join(target.runtime),
        shape=f"[N, {height}, {width}, {channels}]",
        size=f"{height} x {width}",
        colour="grey" if channels == 1 else "RGB",
        count=len(card["classes"]),
        images=clean(agreement.description),
        lines="\n".join(f"- {line}" for line in lines),
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return lines


def _describe(agreement: Agreement, metric: str, recorded: float | None) -> list[str]:
    probabilities, logits = (f"{x:.1e}" if x else "0" for x in (agreement.probabilities, agreement.logits))
    count = agreement.classified_differently
    lines = [
        f"probabilities differ by at most {probabilities}",
        f"logits differ by at most {logits}, relative to the image's largest if that is above 1",
        f"{count or 'no'} image{'' if count in (0, 1) else 's'} classified differently",
    ]
    if agreement.value is not None and recorded is not None:
        lines.append(f"{metric} {agreement.value:.4f}, the run recorded {recorded:.4f}")
    return lines


def _write_card(folder: Path, card: dict[str, Any]) -> None:
    content = json.dumps(card, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / "model.json").write_text(content + "\n", encoding="utf-8")
