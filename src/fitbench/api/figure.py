"""The learning curves of a run as a figure of Matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fitbench.analysis.run_files import in_history, read_run
from fitbench.errors import RequestError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run_figure(folder: Path, metric: str | None) -> Figure:
    """The curves of the run in this folder, as `fitbench show --plots` draws them; see `Run.plot`."""
    from fitbench.charts import paper
    from fitbench.charts.run_curves import figure_of_run_curves

    content = read_run(folder)
    if not content.history:
        raise RequestError(f"{content.name}: no epoch is recorded, so there are no curves")
    name = None if metric is None else in_history(metric, content.history, "metric")
    figure = figure_of_run_curves(content.history, content.panels(name), content.name, content.best_epoch)
    figure.set_dpi(paper.SCREEN_DPI)
    return figure
