"""One run for a person to look at: the summary after training, and all that `fitbench show` prints."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench import metrics
from fitbench.analysis.drawings import ABSENT, DRAWINGS, Section
from fitbench.analysis.series import axis_label, limits_of, metrics_of, primary_of
from fitbench.columns import Column, print_columns
from fitbench.errors import FitbenchError, RequestError
from fitbench.metrics import Metric
from fitbench.record import evaluations, reading
from fitbench.record.folder import State, state_of
from fitbench.tasks import Task, task_of
from fitbench.text import check_format, clean, console, number, span, table

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

PARTS = (("test", "test"), ("validation", "val"), ("train", "train"))  # key of `data`, prefix of a recorded value
PANEL_WIDTH, PANEL_HEIGHT, GAP = (38, 78), (8, 12), 4  # of learning curves in a terminal, at least and at most
DIGITS = 4  # of metrics that the run does not describe


@dataclass
class RunFiles:
    """What the files of a run hold. `predictions` is None without predictions.npz.

    `metrics` are those that the result, or pruned.json, describes; the primary one comes first.
    """

    folder: Path
    state: State
    config: dict[str, Any]
    history: list[dict[str, Any]]
    changed: list[str]
    result: dict[str, Any] | None = None
    pruned: dict[str, Any] | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    predictions: reading.Predictions | None = None
    plots: list[Path] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The run_id of a finished run, else the name of its folder."""
        return self.result["run_id"] if self.result else self.folder.name

    @property
    def primary(self) -> str:
        """The name of the primary metric."""
        return self.result["primary"] if self.result else primary_of(self.config)

    @property
    def best_epoch(self) -> int | None:
        """The best epoch of a finished or pruned run, if it has one."""
        ended = self.result or self.pruned
        return ended["metrics"]["best_epoch"] if ended else None

    @property
    def drawings(self) -> tuple[str, ...]:
        """The names of the drawings of the run's task, which need its predictions."""
        return task_of(self.result["task"]).drawings if self.result and self.predictions is not None else ()

    @property
    def classes(self) -> list[str]:
        """The names of the classes of a finished run."""
        return self.result["data"]["classes"] if self.result else []

    def panels(self, metric: str | None = None) -> list[tuple[str, str]]:
        """What learning curves show: the loss, and a metric (None: the primary one), as pairs of name and label."""
        names = dict.fromkeys(("loss", metric or self.primary))
        return [(name, label_of(name, self.metrics)) for name in names]


def label_of(name: str, described: Mapping[str, Metric]) -> str:
    """What an axis calls a metric that the run describes, or fitbench supplies; else its name."""
    metric = described.get(name) or metrics.supplied(name)
    return axis_label(metric) if metric else name.replace("_", " ")


def read_run(folder: Path) -> RunFiles:
    """Read all that the folder holds of a run.

    Raises:
        FitbenchError: a file of the run is damaged.
    """
    from fitbench.analysis.changes import changes

    state = state_of(folder)
    result = reading.read_result(folder) if state is State.finished else None
    pruned = reading.read_pruned(folder) if state is State.pruned else None
    config = result["config"] if result else reading.read_config(folder)
    run = RunFiles(folder, state, config, reading.read_history(folder), changes(config), result, pruned)
    try:
        run.metrics = metrics_of(result or pruned or {"metric_info": {}}, run.primary)
    except FitbenchError as error:
        raise FitbenchError(f"{folder / ('result.json' if result else 'pruned.json')}: {error}") from None
    if result:
        run.evaluations = evaluations.read(folder, result)
        if (folder / "predictions.npz").exists():
            run.predictions = reading.read_predictions(folder, result)
    return run


def print_summary(folder: Path, reused: bool) -> None:
    """Print the result of a finished run, where it is recorded and what to do next.

    Raises:
        FitbenchError: result.json is damaged.
    """
    result = reading.read_result(folder)
    out = console()
    out.print(_results(out, result))
    out.print(clean(folder), soft_wrap=True)
    if reused:
        out.print("It was finished before, so nothing was trained; force=true trains it again.", soft_wrap=True)
    drawn = _pictures(folder, task_of(result["task"]))
    name = folder.name if folder.parent.parent == Path("outputs") else str(folder)
    if drawn:
        out.print(f"Drawn there: {', '.join(drawn)}", soft_wrap=True)
    out.print(f"More: fitbench show {clean(shlex.quote(name))}", soft_wrap=True)


def _pictures(folder: Path, task: Task) -> list[str]:
    """The pictures in the folder that are not older than the result."""
    recorded = (folder / "result.json").stat().st_mtime
    names = [f"{name}.png" for name in ("curves", *task.drawings)]
    return [name for name in names if (folder / name).exists() and (folder / name).stat().st_mtime >= recorded]


def show(
    run: str,
    outputs: Path,
    format: str,
    draw: Callable[[RunFiles], list[Path]] | None = None,
    metric: str | None = None,
) -> None:
    """Print one run: its state, results, configuration, learning curves, and what its task draws.

    Args:
        run: a run folder, a run_id, or an unambiguous part of one, looked for in `outputs`.
        draw: draws pictures of the run into its folder, before it is printed; gives their paths.
        format: 'table', or 'json' for one JSON object with everything.
        metric: the metric whose curves are shown beside the loss; None: the primary one.

    Raises:
        RequestError: no run or several runs fit, the format is unknown, or the history lacks the metric.
        FitbenchError: a file of the run is damaged.
    """
    check_format(format, ("table", "json"))
    content = read_run(reading.find_run(run, outputs))
    if metric is not None:
        metric = _in_history(metric, content.history)
    if draw is not None:
        content.plots = draw(content)
    if format == "json":
        _print_json(content)
    else:
        _print(content, metric)


def _in_history(name: str, history: Sequence[Mapping[str, Any]]) -> str:
    """The metric that is meant by 'kappa' or 'val_kappa'."""
    recorded = dict.fromkeys(metrics.split(key)[1] for epoch in history for key in epoch if key not in metrics.RESERVED)
    metric = name if name in recorded else metrics.split(name)[1]
    if metric not in recorded:
        raise RequestError(f"--metric: the history has no {name!r}; {metrics.hint(metric, recorded)}")
    return metric


# -- JSON -------------------------------------------------------------------------------------------------------------


def _print_json(run: RunFiles) -> None:
    content: dict[str, Any] = {
        "run_id": run.name,
        "folder": str(run.folder),
        "state": run.state.value,
        "changed": run.changed,
        "result": run.result,
        "pruned": run.pruned,
        "history": run.history,
        **ABSENT,
        "error": _last_error(run.folder) if run.state is State.failed else None,
        "evaluations": run.evaluations,
        "plots": [str(path) for path in run.plots],
    }
    for name in run.drawings:
        assert run.predictions is not None
        content |= DRAWINGS[name].content(run.predictions, run.classes)
    try:
        print(json.dumps(content, indent=2, allow_nan=False))
    except ValueError:
        path = run.folder / ("pruned.json" if run.pruned else "result.json")
        raise FitbenchError(f"{path}: holds NaN or Infinity, which JSON does not have") from None


# -- the terminal -----------------------------------------------------------------------------------------------------


def _print(run: RunFiles, metric: str | None) -> None:
    out = console()
    out.print(clean(run.name), style="bold", soft_wrap=True)
    out.print(clean(run.folder), style="dim", soft_wrap=True)
    if run.result:
        result = run.result
        attempts = f" in {result['attempts']} attempts" if result["attempts"] > 1 else ""
        trial = f", trial {clean(result['trial'])} of a search" if result.get("trial") is not None else ""
        out.print(f"finished {clean(result['finished_at'])}{attempts}{trial}\n", soft_wrap=True)
        out.print(_results(out, result))
    else:
        _print_unfinished(out, run)

    _heading(out, "Configuration")
    for change in run.changed:
        out.print(f"  {clean(change)}", soft_wrap=True)
    _print_curves(out, run, metric)
    if run.predictions is not None:
        predictions, classes = run.predictions, run.classes
        _print_sections(out, [s for name in run.drawings for s in DRAWINGS[name].sections(out, predictions, classes)])
    elif run.result:
        out.print(f"\n{clean(run.folder)} has no predictions.npz, which its task draws from.", soft_wrap=True)
    if run.evaluations:
        _print_evaluations(out, run)
    if run.plots:
        out.print()
    for path in run.plots:
        out.print(f"drew {clean(path)}", soft_wrap=True)


def _heading(out: Console, text: str) -> None:
    out.print(f"\n{text}", style="bold")


def _results(out: Console, result: Mapping[str, Any]) -> RenderableType:
    """Every recorded metric on the three parts of the data, and what the run took."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from fitbench.text import duration

    values, timing = result["metrics"], result["timing"]
    facts = {}
    if values["best_epoch"] is not None:
        facts["best epoch"] = f"{values['best_epoch']} of {values['epochs']}"
    facts["time"] = duration(timing["seconds"])
    if (fit := timing["fit_seconds"]) is not None:
        facts["time"] += f", of which epochs {f'{fit:.1f} s' if fit < 10 else duration(fit)}"
    if timing["examples_per_second"] is not None:
        facts["speed"] = f"{timing['examples_per_second']:,.0f} examples/s"
    facts["parameters"] = f"{result['parameters']:,}"
    facts["device"] = clean(result["device"])
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        grid.add_row(Text(f" {name}" if out.is_terminal else name, style="dim"), value)
    return Group(_metric_table(out, result["metrics"], metrics_of(result, result["primary"]), result["data"]), grid)


def _metric_table(
    out: Console, values: Mapping[str, Any], described: Mapping[str, Metric], counts: Mapping[str, int]
) -> Table:
    """A row for each metric, the first one bold, and a column for each part that has a value.

    `values` are `metrics` of a result or pruned.json, `described` the metrics by name, and `counts` the numbers of
    examples by part, if they are recorded.
    """

    def of(metric: str, part: str) -> float | None:
        return values.get(metrics.join(part, metric))

    parts = [(title, part) for title, part in PARTS if any(of(name, part) is not None for name in described)]
    titles = [title for title, _ in parts]
    rows = table(out, "", *titles, right=titles)
    for i, (name, metric) in enumerate(described.items()):
        style = "" if i else "bold"
        rows.add_row(axis_label(metric), *(number(of(name, part), metric.digits) for _, part in parts), style=style)
    if counts:
        rows.add_row("examples", *(f"{counts[title]:,}" for title in titles))
    return rows


def _print_unfinished(out: Console, run: RunFiles) -> None:
    """The state of a run without a result, its last epoch, and the command that continues it."""
    from fitbench.text import describe

    epochs = clean(run.config["training"].get("epochs"))
    if run.pruned:
        _print_pruned(out, run, run.pruned, epochs)
    else:
        out.print(run.state.value, style="bold red" if run.state is State.failed else "bold yellow")
    if run.state is State.failed:
        out.print(f"  {clean(_last_error(run.folder))}", soft_wrap=True)
        out.print(f"  the traceback is in {clean(run.folder / 'error.txt')}", soft_wrap=True)
    if run.history and not run.pruned:
        last = {"seconds": 0.0} | {key: value for key, value in run.history[-1].items() if value is not None}
        out.print(f"  epoch {last['epoch']} of {epochs}: {describe(last)}", soft_wrap=True)
    elif not run.history:
        out.print("  no epoch is recorded yet")
    if run.state is State.running:
        out.print(f"  it is being trained now; see {clean(run.folder / 'train.log')}", soft_wrap=True)
        return
    command = " ".join(["fitbench train", *(shlex.quote(change) for change in run.changed)])
    start = "its checkpoint" if (run.folder / "checkpoint").is_dir() else "the start"
    to_the_end = ", to the end" if run.pruned else ""
    out.print(f"  this command trains it from {start}{to_the_end}:", soft_wrap=True)
    out.print(f"    {clean(command)}", soft_wrap=True)


def _print_pruned(out: Console, run: RunFiles, pruned: Mapping[str, Any], epochs: str) -> None:
    """Which trial ended the run, when, and its metrics."""
    values = pruned["metrics"]
    done = f"pruned by trial {pruned['trial']} after epoch {values['epochs']}"
    out.print(f"{done} of {epochs}, and so never tested", style="bold magenta", soft_wrap=True)
    out.print(_metric_table(out, values, run.metrics, {}))
    if values["best_epoch"] is not None:
        out.print(f"  its best epoch was {values['best_epoch']}", soft_wrap=True)


def _last_error(folder: Path) -> str:
    """The last line of error.txt that is not empty: the error itself."""
    text = (folder / "error.txt").read_bytes().decode("utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "error.txt is empty"


def _print_curves(out: Console, run: RunFiles, metric: str | None) -> None:
    from fitbench.analysis import textplot

    if not run.history:
        return
    _heading(out, "Learning curves")
    if len(run.history) == 1:
        out.print("  there is one epoch so far; a curve needs two")
        return
    if not out.encoding.lower().startswith("utf"):
        out.print(f"  {out.encoding} has no characters for curves; --plots writes curves.png")
        return
    room = out.width if out.is_terminal else 80
    side_by_side = room >= 2 * PANEL_WIDTH[0] + GAP
    width = min((room - GAP) // 2 if side_by_side else room, PANEL_WIDTH[1])
    epochs = [epoch["epoch"] for epoch in run.history]
    panels, has_train, has_validation = [], False, False
    for name, label in run.panels(metric):
        train, validation = ([epoch.get(metrics.history_key(part, name)) for epoch in run.history]
                             for part in ("train", "val"))  # fmt: skip
        has = [any(value is not None for value in values) for values in (train, validation)]
        has_train, has_validation = has_train or has[0], has_validation or has[1]
        if any(has):
            height = PANEL_HEIGHT[room >= 120]
            limits = limits_of(name, run.metrics)
            panels.append(textplot.panel(clean(label), epochs, train, validation, run.best_epoch, width, height, limits))
        else:
            out.print(f"  the history has no {clean(label)}", soft_wrap=True)
    if side_by_side and len(panels) == 2:
        panels = [textplot.beside(panels[0], panels[1], GAP)]
    for line in (line for panel in panels for line in panel):
        out.print(line, no_wrap=True)
    out.print(textplot.legend(has_train, has_validation, run.best_epoch))


def _print_evaluations(out: Console, run: RunFiles) -> None:
    """The metrics of the run on other data, each with its interval where one is recorded."""
    records = run.evaluations
    columns = [
        Column("data", [clean(record["data"]["name"]) for record in records], right=False, key=True),
        Column("part", [clean(record["data"]["part"]) for record in records], right=False),
    ]
    names = dict.fromkeys(name for record in records for name in record["metrics"])
    for name in sorted(names, key=lambda name: (name != run.primary, name == "loss")):
        digits = run.metrics[name].digits if name in run.metrics else DIGITS
        values = [number(record["metrics"].get(name), digits) for record in records]
        columns.append(Column(label_of(name, run.metrics), values))
        if any(f"{name}_interval" in record for record in records):
            intervals = [span(record.get(f"{name}_interval"), digits) for record in records]
            columns.append(Column("95% interval", intervals))
    columns.append(Column("examples", [f"{record['data']['count']:,}" for record in records]))
    _heading(out, "Evaluated on")
    print_columns(out, columns)


def _print_sections(out: Console, sections: Sequence[Section]) -> None:
    """Tables under their headings, next to each other as far as the terminal is wide enough."""
    from rich.table import Table
    from rich.text import Text

    rows: list[list[Section]] = []
    room = 0
    for section in sections:
        width = out.measure(section[1]).maximum + GAP
        if rows and out.is_terminal and width <= room:
            rows[-1].append(section)
        else:
            rows.append([section])
            room = out.width + GAP
        room -= width
    for row in rows:
        grid = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
        grid.add_row(*(Text(f"\n{heading}", style="bold") for heading, _ in row))
        grid.add_row(*(content for _, content in row))
        if len(row) > 1:
            out.print(grid)
        else:
            _heading(out, row[0][0])
            out.print(row[0][1])
