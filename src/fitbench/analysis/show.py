"""One run for a person to look at: the summary after training, its pictures, and all that `fitbench show` prints."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis import scores
from fitbench.errors import FitbenchError
from fitbench.record import evaluations, reading
from fitbench.record.folder import State, state_of
from fitbench.text import check_format, clean, console, table

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

PICTURES = ("curves.png", "confusion.png", "mistakes.png")
PAIRS = 10  # confused pairs that are listed
MISTAKES = 10  # mistakes that are listed
CLASSES = 40  # with more, the classes with the lowest F1 are listed
PANEL_WIDTH, PANEL_HEIGHT, GAP = (38, 78), (8, 12), 4  # of learning curves in a terminal, at least and at most


def print_summary(folder: Path, result: dict[str, Any], reused: bool) -> None:
    """Print what a finished run came to, where it is recorded and what to do next. Nulls are left out."""
    out = console()
    out.print(_results(out, result))
    out.print(clean(folder), soft_wrap=True)
    if reused:
        out.print("It was finished before, so nothing was trained; force=true trains it again.", soft_wrap=True)
    recorded = (folder / "result.json").stat().st_mtime
    drawn = [name for name in PICTURES if (folder / name).exists() and (folder / name).stat().st_mtime >= recorded]
    name = folder.name if folder.parent.parent == Path("outputs") else str(folder)
    if drawn:
        out.print(f"Drawn there: {', '.join(drawn)}", soft_wrap=True)
    out.print(f"More: fitbench show {clean(shlex.quote(name))}", soft_wrap=True)


def show(run: str, outputs: Path, format: str, draw: Callable[[Seen], list[Path]] | None = None) -> None:
    """Print one run: its state, results, configuration, learning curves, and its errors by class, pair and image.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one, looked for in `outputs`.
        draw: draws pictures of the run into its folder, before it is printed; gives their paths.
        format: 'table', or 'json' for one JSON object with everything.

    Raises:
        RequestError: no run or several runs fit, or the format is unknown.
        FitbenchError: a file of the run is damaged.
    """
    check_format(format, ("table", "json"))
    folder = reading.find_run(run, outputs)
    seen = _look(folder)
    if draw is not None:
        seen.plots = draw(seen)
    if format == "json":
        _print_json(seen)
    else:
        _print(seen)


@dataclass
class Seen:
    """What the files of a run say. Without predictions.npz there is no `predictions` and no `matrix`."""

    folder: Path
    state: State
    config: dict[str, Any]
    history: list[dict[str, Any]]
    changed: list[str]
    result: dict[str, Any] | None = None
    pruned: dict[str, Any] | None = None
    predictions: reading.Predictions | None = None
    matrix: np.ndarray | None = None
    plots: list[Path] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """The names of the classes of a finished run."""
        return self.result["data"]["classes"] if self.result else []

    @property
    def best_epoch(self) -> int | None:
        """The best epoch of a finished or pruned run, if it has one."""
        ended = self.result or self.pruned
        return ended["metrics"]["best_epoch"] if ended else None


def _look(folder: Path) -> Seen:
    from fitbench.analysis.changes import changes

    state = state_of(folder)
    result = reading.read_result(folder) if state is State.finished else None
    pruned = reading.read_pruned(folder) if state is State.pruned else None
    config = result["config"] if result else reading.read_config(folder)
    seen = Seen(folder, state, config, reading.read_history(folder), changes(config), result, pruned)
    if result:
        seen.evaluations = evaluations.read(folder, result)
    if result and (folder / "predictions.npz").exists():
        seen.predictions = reading.read_predictions(folder, result)
        seen.matrix = scores.confusion(seen.predictions.labels, seen.predictions.predicted, len(seen.classes))
    return seen


# -- JSON -------------------------------------------------------------------------------------------------------------


def _print_json(seen: Seen) -> None:
    content = {
        "run_id": seen.result["run_id"] if seen.result else seen.folder.name,
        "folder": str(seen.folder),
        "state": seen.state.value,
        "changed": seen.changed,
        "result": seen.result,
        "pruned": seen.pruned,
        "history": seen.history,
        "per_class": None,
        "confusion": None,
        "confused": None,
        "mistakes": None,
        "error": _last_error(seen.folder) if seen.state is State.failed else None,
        "evaluations": seen.evaluations,
        "plots": [str(path) for path in seen.plots],
    }
    if seen.matrix is not None:
        content |= {
            "per_class": scores.per_class(seen.matrix, seen.classes),
            "confusion": seen.matrix.tolist(),
            "confused": scores.confused_pairs(seen.matrix, seen.classes, PAIRS),
            "mistakes": _mistakes(seen),
        }
    try:
        print(json.dumps(content, indent=2, allow_nan=False))
    except ValueError:
        path = seen.folder / ("pruned.json" if seen.pruned else "result.json")
        raise FitbenchError(f"{path}: holds NaN or Infinity, which JSON does not have") from None


def _mistakes(seen: Seen) -> list[dict[str, Any]]:
    """The most confident mistakes: position in the test set, true and predicted class, probability or None."""
    assert seen.predictions is not None
    labels, probabilities = seen.predictions.labels, seen.predictions.probabilities
    return [
        {
            "image": int(i),
            "true": seen.classes[labels[i]],
            "predicted": seen.classes[seen.predictions.predicted[i]],
            "probability": float(probabilities[i].max()) if np.isfinite(probabilities[i]).all() else None,
        }
        for i in scores.mistakes(labels, probabilities)[:MISTAKES]
    ]


# -- the terminal -----------------------------------------------------------------------------------------------------


def _print(seen: Seen) -> None:
    out = console()
    out.print(clean(seen.result["run_id"] if seen.result else seen.folder.name), style="bold", soft_wrap=True)
    out.print(clean(seen.folder), style="dim", soft_wrap=True)
    if seen.result:
        result = seen.result
        attempts = f" in {result['attempts']} attempts" if result["attempts"] > 1 else ""
        trial = f", trial {clean(result['trial'])} of a search" if result.get("trial") is not None else ""
        out.print(f"finished {clean(result['finished_at'])}{attempts}{trial}\n", soft_wrap=True)
        out.print(_results(out, result))
    else:
        _print_unfinished(out, seen)

    _heading(out, "Configuration")
    for change in seen.changed:
        out.print(f"  {clean(change)}", soft_wrap=True)
    _print_curves(out, seen)
    if seen.matrix is not None:
        _print_errors(out, seen)
    elif seen.result:
        out.print(f"\n{clean(seen.folder)} has no predictions.npz: nothing to say about classes.", soft_wrap=True)
    if seen.evaluations:
        _print_evaluations(out, seen.evaluations)
    if seen.plots:
        out.print()
    for path in seen.plots:
        out.print(f"drew {clean(path)}", soft_wrap=True)


def _heading(out: Console, text: str) -> None:
    out.print(f"\n{text}", style="bold")


def _results(out: Console, result: Mapping[str, Any]) -> RenderableType:
    """Accuracy and loss on the three parts of the data, and what the run took."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from fitbench.text import duration

    metrics, timing, data = result["metrics"], result["timing"], result["data"]
    names = list(result["metric_info"])
    made = table(out, "", *map(clean, names), "images", right=(*map(clean, names), "images"))
    for title, part, style in (("test", "test", "bold"), ("validation", "val", ""), ("train", "train", "")):
        values = [metrics.get(f"{part}_{name}") for name in names]
        if any(value is not None for value in values):
            made.add_row(title, *map(_number, values), f"{data[title]:,}", style=style)
    facts = {}
    if metrics["best_epoch"] is not None:
        facts["best epoch"] = f"{metrics['best_epoch']} of {metrics['epochs']}"
    facts["time"] = duration(timing["seconds"])
    if (fit := timing["fit_seconds"]) is not None:
        facts["time"] += f", of which epochs {f'{fit:.1f} s' if fit < 10 else duration(fit)}"
    if timing["examples_per_second"] is not None:
        facts["speed"] = f"{timing['examples_per_second']:,.0f} images/s"
    facts["parameters"] = f"{result['parameters']:,}"
    facts["device"] = clean(result["device"])
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        grid.add_row(Text(f" {name}" if out.is_terminal else name, style="dim"), value)
    return Group(made, grid)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _print_unfinished(out: Console, seen: Seen) -> None:
    """The state of a run without a result, how far it came, and how it goes on."""
    from fitbench.text import describe

    epochs = clean(seen.config["training"].get("epochs"))
    if seen.pruned:
        _print_pruned(out, seen.pruned, epochs)
    else:
        out.print(seen.state.value, style="bold red" if seen.state is State.failed else "bold yellow")
    if seen.state is State.failed:
        out.print(f"  {clean(_last_error(seen.folder))}", soft_wrap=True)
        out.print(f"  the traceback is in {clean(seen.folder / 'error.txt')}", soft_wrap=True)
    if seen.history and not seen.pruned:
        last = {"seconds": 0.0} | {key: value for key, value in seen.history[-1].items() if value is not None}
        out.print(f"  epoch {last['epoch']} of {epochs}: {describe(last)}", soft_wrap=True)
    elif not seen.history:
        out.print("  no epoch is recorded yet")
    if seen.state is State.running:
        out.print(f"  it is being trained now; {clean(seen.folder / 'train.log')} says how it goes", soft_wrap=True)
        return
    command = " ".join(["fitbench train", *(shlex.quote(change) for change in seen.changed)])
    goes_on = "this goes on from its checkpoint" if (seen.folder / "checkpoint").is_dir() else ""
    to_the_end = ", to the end" if seen.pruned else ""
    out.print(f"  {goes_on or 'this trains it from the start'}{to_the_end}:", soft_wrap=True)
    out.print(f"    {clean(command)}", soft_wrap=True)


def _print_pruned(out: Console, pruned: Mapping[str, Any], epochs: str) -> None:
    """Who ended the run, when, and what it had come to."""
    metrics = pruned["metrics"]
    done = f"pruned by trial {pruned['trial']} after epoch {metrics['epochs']}"
    out.print(f"{done} of {epochs}, and so never tested", style="bold magenta", soft_wrap=True)
    made = table(out, "", "accuracy", "loss", right=("accuracy", "loss"))
    for name, part in (("validation", "val"), ("train", "train")):
        made.add_row(name, _number(metrics.get(f"{part}_accuracy")), _number(metrics.get(f"{part}_loss")))
    out.print(made)
    if metrics["best_epoch"] is not None:
        out.print(f"  its best epoch was {metrics['best_epoch']}", soft_wrap=True)


def _last_error(folder: Path) -> str:
    """The last line of error.txt that is not empty: the error itself."""
    text = (folder / "error.txt").read_bytes().decode("utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "error.txt is empty"


def _print_curves(out: Console, seen: Seen) -> None:
    from fitbench.analysis import textplot

    if not seen.history:
        return
    _heading(out, "Learning curves")
    if len(seen.history) == 1:
        out.print("  one epoch so far: nothing to draw")
        return
    if not out.encoding.lower().startswith("utf"):
        out.print(f"  not to be drawn in {out.encoding}; --plots writes curves.png")
        return
    room = out.width if out.is_terminal else 80
    side_by_side = room >= 2 * PANEL_WIDTH[0] + GAP
    width = min((room - GAP) // 2 if side_by_side else room, PANEL_WIDTH[1])
    height = PANEL_HEIGHT[room >= 120]
    epochs = [epoch["epoch"] for epoch in seen.history]
    panels = []
    for name in ("loss", "accuracy"):
        train, validation = ([epoch.get(key) for epoch in seen.history] for key in (name, f"val_{name}"))
        if any(value is not None for value in (*train, *validation)):
            panels.append(textplot.panel(name, epochs, train, validation, seen.best_epoch, width, height))
    if side_by_side and len(panels) == 2:
        panels = [textplot.beside(panels[0], panels[1], GAP)]
    for line in (line for panel in panels for line in panel):
        out.print(line, no_wrap=True)
    has_validation = any(epoch.get("val_loss") is not None for epoch in seen.history)
    out.print(textplot.legend(has_validation, seen.best_epoch))


def _print_errors(out: Console, seen: Seen) -> None:
    assert seen.matrix is not None
    classes = scores.per_class(seen.matrix, seen.classes)
    shown = classes
    if len(classes) > CLASSES:
        shown = sorted(classes, key=lambda score: -1.0 if score["f1"] is None else score["f1"])[:CLASSES]
    _heading(out, "Per class" if shown is classes else f"Per class, the {CLASSES} of {len(classes)} with the lowest F1")
    figures = ("precision", "recall", "F1", "images")
    made = table(out, "class", *figures, right=figures, flexible=("class",))
    for score in shown:
        made.add_row(clean(score["class"]), *map(_number, _figures(score)), f"{score['support']:,}")
    made.add_section()
    made.add_row(
        "mean of classes",
        *map(_number, _figures(scores.macro_average(classes))),
        f"{seen.matrix.sum():,}",
        style="bold",
    )
    out.print(made)

    mistaken = _mistakes(seen)
    if not mistaken:
        out.print("\nNo test image is misclassified.")
        return
    pairs = table(out, "true", "read as", "times", "share", right=("times", "share"), flexible=("true", "read as"))
    for pair in scores.confused_pairs(seen.matrix, seen.classes, PAIRS):
        pairs.add_row(clean(pair["true"]), clean(pair["predicted"]), str(pair["count"]), f"{100 * pair['share']:.1f} %")
    worst = table(
        out, "image", "true", "read as", "probability", right=("image", "probability"), flexible=("true", "read as")
    )
    for mistake in mistaken:
        worst.add_row(
            str(mistake["image"]), clean(mistake["true"]), clean(mistake["predicted"]), _number(mistake["probability"])
        )
    _side_by_side(out, ("Most confused", pairs), ("Most confident mistakes", worst))


def _print_evaluations(out: Console, records: list[dict[str, Any]]) -> None:
    _heading(out, "Evaluated on")
    figures = ("accuracy", "95% interval", "loss", "images")
    made = table(out, "data", "part", *figures, right=figures, flexible=("data",))
    for record in records:
        data, metrics = record["data"], record["metrics"]
        low, high = record["accuracy_interval"]
        interval, images = f"{low:.4f} to {high:.4f}", f"{data['count']:,}"
        numbers = (_number(metrics["accuracy"]), interval, _number(metrics["loss"]), images)
        made.add_row(clean(data["name"]), clean(data["part"]), *numbers)
    out.print(made)


def _figures(score: Mapping[str, float | None]) -> tuple[float | None, ...]:
    return score["precision"], score["recall"], score["f1"]


def _side_by_side(out: Console, *parts: tuple[str, Table]) -> None:
    """Tables under their headings, next to each other where the terminal is wide enough for all of them."""
    from rich.table import Table
    from rich.text import Text

    widths = [out.measure(made).maximum for _, made in parts]
    if not out.is_terminal or sum(widths) + GAP * (len(parts) - 1) > out.width:
        for heading, made in parts:
            _heading(out, heading)
            out.print(made)
        return
    grid = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    grid.add_row(*(Text(f"\n{heading}", style="bold") for heading, _ in parts))
    grid.add_row(*(made for _, made in parts))
    out.print(grid)
