"""The result of a run in a few lines, as training prints it at the end."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench import metrics
from fitbench.analysis.series import axis_label, metrics_of
from fitbench.columns import Column, print_columns
from fitbench.metrics import Metric
from fitbench.record import reading
from fitbench.record.folder import is_run
from fitbench.tasks import Task, task_of
from fitbench.text import clean, console, duration, number

if TYPE_CHECKING:
    from rich.console import Console

PARTS = {"test": "test", "validation": "val", "train": "train"}  # key of `data`: prefix of a recorded value


def print_summary(folder: Path, reused: bool) -> None:
    """Print the result of a finished run, where it is recorded and what to do next.

    Raises:
        FitbenchError: result.json is damaged.
    """
    result = reading.read_result(folder)
    out = console()
    print_result(out, result)
    out.print(clean(folder), soft_wrap=True)
    if reused:
        out.print("It was finished before, so nothing was trained; force=true trains it again.", soft_wrap=True)
    drawn = _pictures(folder, task_of(result["task"]))
    if drawn:
        out.print(f"Drawn there: {', '.join(drawn)}", soft_wrap=True)
    out.print(f"More: fitbench show {clean(shlex.quote(_name(folder)))}", soft_wrap=True)


def _name(folder: Path) -> str:
    """The shortest of run_id, STUDY/RUN_ID and path by which a command finds the run."""
    outputs = folder.parent.parent
    if outputs != Path("outputs"):
        return str(folder)
    others = (study / folder.name for study in outputs.iterdir() if study != folder.parent)
    return str(folder.relative_to(outputs)) if any(map(is_run, others)) else folder.name


def _pictures(folder: Path, task: Task) -> list[str]:
    """The pictures in the folder that are not older than the result."""
    recorded = (folder / "result.json").stat().st_mtime
    names = [f"{name}.png" for name in ("curves", *task.drawings)]
    return [name for name in names if (folder / name).exists() and (folder / name).stat().st_mtime >= recorded]


def print_result(out: Console, result: Mapping[str, Any]) -> None:
    """Print every recorded metric on the three parts of the data, and what the run took."""
    described = metrics_of(result["metric_info"], result["primary"])
    print_columns(out, metric_columns(result["metrics"], described, result["data"]))
    for name, fact in result_facts(result).items():
        out.print(f"{' ' * out.is_terminal}{name:<10}  {fact}", soft_wrap=True)


def result_facts(result: Mapping[str, Any]) -> dict[str, str]:
    """What the run took, and which epoch its metrics are of, under what each line is called. The texts are clean."""
    values, timing = result["metrics"], result["timing"]
    fit, speed = timing["fit_seconds"], timing["examples_per_second"]
    epochs = "" if fit is None else f", of which epochs {f'{fit:.1f} s' if fit < 10 else duration(fit)}"
    training = result["config"]["training"]
    facts = {
        **epoch_fact(values, training, result["metric_info"]),
        "train loss": "weighted by training.class_weight; the others are not" if training.get("class_weight") else None,
        "time": duration(timing["seconds"]) + epochs,
        "speed": None if speed is None else f"{speed:,.0f} examples/s in the median epoch",
        "parameters": f"{result['parameters']:,}",
        "device": clean(result["device"]),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def fold_text(config: Mapping[str, Any]) -> str:
    """Which fold a run with this configuration is of, as ', fold 2 of 5 (0 to 4)'; '' without folds."""
    fold, folds = config.get("fold"), config["training"].get("folds")
    if not (reading.is_number(fold) and reading.is_number(folds)):
        return ""
    return f", fold {fold} of {folds} (0 to {folds - 1})"


def epoch_fact(
    values: Mapping[str, Any], training: Mapping[str, Any], metric_info: Mapping[str, Any]
) -> dict[str, str]:
    """Which epoch the values are of, under what the line is called; empty without epochs.

    Args:
        values: `metrics` of a result or pruned.json.
        training: the section of the run's configuration.
        metric_info: of the same file.
    """
    best, epochs, stopping = values["best_epoch"], values["epochs"], training.get("early_stopping")
    if best is None:
        return {}
    if best == epochs or (stopping or {}).get("restore_best_weights"):
        return {"best epoch": f"{best} of {epochs}"}
    default = "val_loss" if values.get("val_loss") is not None else "loss"
    part, name = metrics.split(stopping["monitor"] if stopping else default)
    label = metric_info[name]["label"] if name in metric_info else name
    return {"epoch": f"{epochs}, the last; {metrics.PARTS[part or 'train']} {clean(label)} was best in {best}"}


def metric_columns(
    values: Mapping[str, Any], described: Mapping[str, Metric], counts: Mapping[str, int]
) -> list[Column]:
    """A row for each metric, the first one bold, and a column for each part that has a value.

    Args:
        values: `metrics` of a result or pruned.json.
        described: the metrics by name.
        counts: the numbers of examples by part; empty if they are not recorded.
    """
    styles = ["" if place else "bold" for place in range(len(described))] + [""] * bool(counts)
    columns = [
        Column("", [*map(axis_label, described.values()), *["examples"] * bool(counts)], right=False, styles=styles)
    ]
    for title, part in PARTS.items():
        found = {name: values.get(metrics.join(part, name)) for name in described}
        if any(value is not None for value in found.values()):
            cells = [number(value, described[name].digits) for name, value in found.items()]
            columns.append(Column(title, cells + ([f"{counts[title]:,}"] if counts else []), styles=styles))
    return columns
