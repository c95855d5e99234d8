"""`fitbench show`: one run for a person to look at."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench import metrics
from fitbench.analysis.ancestry import Ancestor, ancestors
from fitbench.analysis.drawings import ABSENT, DRAWINGS
from fitbench.analysis.rows import UNREAD_NOTES
from fitbench.analysis.run_files import RunFiles, in_history, read_run
from fitbench.analysis.summary import epoch_fact, fold_text, metric_columns, print_result
from fitbench.columns import Column, Table, print_columns, print_tables
from fitbench.errors import FitbenchError
from fitbench.record.failure import error_line
from fitbench.record.folder import State
from fitbench.record.naming import find_run
from fitbench.record.notes import Notes, read_notes
from fitbench.text import check_format, clean, console, describe, number, span

if TYPE_CHECKING:
    from rich.console import Console

PANEL_WIDTH, PANEL_HEIGHT, GAP = (38, 78), (8, 12), 4  # of learning curves in a terminal, at least and at most
DIGITS = 4  # of metrics that the run does not describe


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
    content = read_run(find_run(run, outputs))
    earlier = ancestors(content.config, [content.folder.absolute().parent.parent, outputs])
    if metric is not None:
        metric = in_history(metric, content.history, "--metric")
    plots = draw(content) if draw is not None else []
    if format == "json":
        _print_json(content, earlier, plots)
    else:
        _print(content, earlier, metric, plots)


def _noted(run: RunFiles) -> dict[str, Any]:
    """The tags and the note; with the reason under `unread_notes` if they cannot be read."""
    try:
        return read_notes(run.folder).content()
    except FitbenchError as error:
        return {**Notes().content(), UNREAD_NOTES: str(error)}


# -- JSON -------------------------------------------------------------------------------------------------------------


def _print_json(run: RunFiles, earlier: Sequence[Ancestor], plots: Sequence[Path]) -> None:
    content: dict[str, Any] = {
        "run_id": run.name,
        "folder": str(run.folder),
        "state": run.state.value,
        "changed": run.changed,
        "ancestors": [ancestor._asdict() for ancestor in earlier],
        **_noted(run),
        "result": run.result,
        "pruned": run.pruned,
        "history": run.history,
        **ABSENT,
        "error": error_line(run.folder) if run.state is State.failed else None,
        "evaluations": run.evaluations,
        "plots": [str(path) for path in plots],
    }
    for name in run.drawings:
        assert run.predictions is not None
        content |= DRAWINGS[name].content(run.predictions, run.names, run.threshold)
    try:
        print(json.dumps(content, indent=2, allow_nan=False))
    except ValueError:
        path = run.folder / ("pruned.json" if run.pruned else "result.json")
        raise FitbenchError(f"{path}: holds NaN or Infinity, which JSON does not have") from None


# -- the terminal -----------------------------------------------------------------------------------------------------


def _print(run: RunFiles, earlier: Sequence[Ancestor], metric: str | None, plots: Sequence[Path]) -> None:
    out = console()
    predictions, evaluated = run.predictions, run.evaluations  # a damaged file is named before anything is printed
    out.print(clean(run.name), style="bold", soft_wrap=True)
    out.print(clean(run.folder), style="dim", soft_wrap=True)
    for ancestor in earlier:
        out.print(clean(ancestor), soft_wrap=True)
    _print_notes(out, run)
    if run.result:
        result = run.result
        attempts = f" in {result['attempts']} attempts" if result["attempts"] > 1 else ""
        trial = f", trial {clean(result['trial'])} of a search" if result.get("trial") is not None else ""
        finished = f"finished {clean(result['finished_at'])}{attempts}{trial}{fold_text(run.config)}"
        out.print(finished, soft_wrap=True)
    else:
        _print_unfinished(out, run)

    _heading(out, "Configuration")
    for change in run.changed:
        out.print(f"  {clean(change)}", soft_wrap=True)
    _print_curves(out, run, metric)
    if predictions is not None:
        for name in run.drawings:
            out.print()
            print_tables(out, DRAWINGS[name].tables(predictions, run.names, run.threshold))
    elif run.has_test_part:
        out.print(f"\n{clean(run.folder)} has no predictions.npz, which its task draws from.", soft_wrap=True)
    if evaluated:
        _print_evaluations(out, run)
    if plots:
        out.print()
    for path in plots:
        out.print(f"drew {clean(path)}", soft_wrap=True)
    if run.result:  # last, where a terminal stops
        _heading(out, "Result")
        print_result(out, run.result)


def _print_notes(out: Console, run: RunFiles) -> None:
    noted = _noted(run)
    if noted["tags"]:
        out.print(f"tags {clean(', '.join(noted['tags']))}", style="cyan", soft_wrap=True)
    for line in (noted["note"] or "").splitlines():
        out.print(clean(line), style="italic", soft_wrap=True)
    if UNREAD_NOTES in noted:
        out.print(clean(noted[UNREAD_NOTES]), style="red", soft_wrap=True)


def _heading(out: Console, text: str) -> None:
    out.print(f"\n{text}", style="bold")


def _print_unfinished(out: Console, run: RunFiles) -> None:
    """The state of a run without a result, its last epoch, and the command that continues it."""
    epochs = clean(run.config["training"].get("epochs"))
    if run.pruned:
        _print_pruned(out, run, run.pruned, epochs)
    else:
        style = "bold red" if run.state is State.failed else "bold yellow"
        out.print(f"{run.state.value}{fold_text(run.config)}", style=style)
    if run.state is State.failed:
        out.print(f"  {clean(error_line(run.folder))}", soft_wrap=True)
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
    out.print(f"{done} of {epochs}{fold_text(run.config)}, and so never tested", style="bold magenta", soft_wrap=True)
    print_columns(out, metric_columns(values, run.metrics, {}))
    for name, fact in epoch_fact(values, run.config["training"], run.metric_info).items():
        out.print(f"  {name} {fact}", soft_wrap=True)


def _print_curves(out: Console, run: RunFiles, metric: str | None) -> None:
    from rich.text import Text

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
    for name, label, limits in run.panels(metric):
        train, validation = ([epoch.get(metrics.history_key(part, name)) for epoch in run.history]
                             for part in ("train", "val"))  # fmt: skip
        has = [any(value is not None for value in values) for values in (train, validation)]
        has_train, has_validation = has_train or has[0], has_validation or has[1]
        if any(has):
            height = PANEL_HEIGHT[room >= 120]
            panels.append(
                textplot.panel(clean(label), epochs, train, validation, run.best_epoch, width, height, limits)
            )
        else:
            out.print(f"  the history has no {clean(label)}", soft_wrap=True)
    if side_by_side and len(panels) == 2:
        panels = [[Text.assemble(a, " " * GAP, b) for a, b in zip(*panels, strict=True)]]
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
        columns.append(Column(run.panel(name).label, values))
        if any(f"{name}_interval" in record for record in records):
            intervals = [span(record.get(f"{name}_interval"), digits) for record in records]
            columns.append(Column("95% interval", intervals))
    columns.append(Column("examples", [f"{record['data']['count']:,}" for record in records]))
    out.print()
    print_tables(out, [Table("Evaluated on", columns)])
