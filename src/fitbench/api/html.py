"""One run as a piece of HTML for a notebook: its state, its metrics, its learning curves and its settings.

What stands in a run folder may come from a stranger: it is text here, never markup. There are no scripts, and nothing
is loaded. The style is for the elements of a run alone, on a light and on a dark ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from fitbench import metrics
from fitbench.analysis.defaults import different
from fitbench.analysis.palette import SERIES, Colour
from fitbench.analysis.run_files import RunFiles, read_run
from fitbench.analysis.summary import epoch_fact, fold_text, metric_columns, result_facts
from fitbench.api import svg
from fitbench.columns import Column
from fitbench.errors import FitbenchError
from fitbench.html import on_grounds
from fitbench.html import text as _text
from fitbench.record.failure import error_line
from fitbench.text import counted, number

TABLE = '<table class="fitbench-table">'
DIGITS = 4  # of metrics that the run does not describe
ERROR = Colour("#b3261e", "#ff8a80")


def run_html(folder: Path) -> str:
    """The run in this folder as one `div` element. If its files are damaged, it is the message that says so."""
    try:
        content = read_run(folder)
        parts = [_head(content), _numbers(content), _curves(content), _settings(content)]
    except FitbenchError as error:
        parts = [_line(error, "error")]
    where = folder.absolute()
    where = where.relative_to(Path.cwd()) if where.is_relative_to(Path.cwd()) else where
    return f'<div class="fitbench-run"><style>{_style()}</style>{"".join(parts)}{_line(where, "small")}</div>'


def _line(text: object, kind: str) -> str:
    return f'<p class="fitbench-{kind}">{_text(text)}</p>'


# -- what the run is --------------------------------------------------------------------------------------------------


def _head(run: RunFiles) -> str:
    """The name of the run and its state; of one that has not finished, how far it came."""
    state = run.state.value
    name = f'<strong>{_text(run.name)}</strong><span class="fitbench-state fitbench-{state}">{state}</span>'
    head = f"<p>{name}{_text(fold_text(run.config))}</p>"
    if run.result:
        return head
    error = error_line(run.folder) if state == "failed" else None
    return head + (_line(error, "error") if error else "") + _line(_how_far(run), "text")


def _how_far(run: RunFiles) -> str:
    epochs = run.config["training"].get("epochs")
    if run.pruned:
        done = f"after epoch {run.pruned['metrics']['epochs']} of {epochs}"
        return f"Trial {run.pruned['trial']} of a search ended it {done}. It was never tested."
    return f"Epoch {run.history[-1]['epoch']} of {epochs}." if run.history else "No epoch is recorded yet."


# -- its numbers ------------------------------------------------------------------------------------------------------


def _numbers(run: RunFiles) -> str:
    """The metrics as a table and beside it what the run took; '' of a run without any epoch."""
    if run.result:
        columns = metric_columns(run.result["metrics"], run.metrics, run.result["data"])
        facts = result_facts(run.result)
    elif run.pruned:
        columns = metric_columns(run.pruned["metrics"], run.metrics, {})
        facts = epoch_fact(run.pruned["metrics"], run.config["training"], run.metric_info)
    else:
        columns, facts = _last_epoch(run), {}
    rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(fact)}</dd>" for name, fact in facts.items())
    table = _table(columns)
    return f'<div class="fitbench-row">{table}{f"<dl>{rows}</dl>" if rows else ""}</div>' if table else ""


def _last_epoch(run: RunFiles) -> list[Column]:
    """The values of the last epoch, of what the curves show."""
    if not run.history:
        return []
    last, panels = run.history[-1], run.panels()[::-1]  # the primary metric comes first, as in a result
    columns = [Column("", [panel.label for panel in panels])]
    for part in ("val", "train"):
        keys = [metrics.history_key(part, panel.name) for panel in panels]
        digits = [metric.digits if (metric := metrics.supplied(panel.name)) else DIGITS for panel in panels]
        if any(last.get(key) is not None for key in keys):
            cells = [number(last.get(key), decimals) for key, decimals in zip(keys, digits, strict=True)]
            columns.append(Column(metrics.EXAMPLES[part], cells))
    return columns


def _table(columns: Sequence[Column]) -> str:
    """A table whose first column names the rows; '' without rows."""
    heads = "".join(f"<th>{_text(column.head)}</th>" for column in columns)
    lines = list(zip(*(column.cells for column in columns), strict=True))
    rows = "".join(_row(line, ' class="fitbench-first"' * (not place)) for place, line in enumerate(lines))
    return f"{TABLE}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""


def _row(cells: Sequence[object], attributes: str = "") -> str:
    name, *values = cells
    return f"<tr{attributes}><th>{_text(name)}</th>{''.join(f'<td>{_text(value)}</td>' for value in values)}</tr>"


# -- its curves and its settings --------------------------------------------------------------------------------------


def _curves(run: RunFiles) -> str:
    """The loss and the primary metric over the epochs, with what the lines mean; '' without epochs."""
    pictures = [svg.curves(run.history, panel, run.best_epoch) for panel in run.panels()] if run.history else []
    if not any(pictures):
        return ""
    names = [name for part, name in svg.NAMES.items() if any(_has(run, part, panel.name) for panel in run.panels())]
    legend = "".join(f'<span class="fitbench-{name}"></span>{name}' for name in names)
    return f"<figure>{''.join(pictures)}<figcaption>{legend}</figcaption></figure>"


def _has(run: RunFiles, part: str, metric: str) -> bool:
    key = metrics.history_key(part, metric)
    return any(epoch.get(key) is not None for epoch in run.history)


def _settings(run: RunFiles) -> str:
    """The settings that are not the default ones, and what names the data, the model and the optimizer."""
    settings = different(run.config)
    rows = "".join(map(_row, settings.items()))
    title = f"{counted(len(settings), 'chosen setting')}; all others have their default values"
    return f"<details><summary>{title}</summary>{TABLE}<tbody>{rows}</tbody></table></details>" if rows else ""


# -- the style --------------------------------------------------------------------------------------------------------


@cache
def _style() -> str:
    """The rules of run.css, and the colours on both grounds."""
    colours = {"train": SERIES[0], "validation": SERIES[1], "error": ERROR}
    grounds = on_grounds(".fitbench-run", {name: (colour.light, colour.dark) for name, colour in colours.items()})
    return f"{grounds}\n{Path(__file__).with_name('run.css').read_text('utf-8')}"
