"""The learning curves of a run as a figure of Matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fitbench.analysis.run_files import in_history, read_run
from fitbench.errors import RequestError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fitbench.api.run import Run


def run_figure(run: Run, metric: str | None) -> Figure:
    """The curves of the loss and of a metric, as `fitbench show --plots` draws them; see `Run.plot`."""
    from fitbench.charts import paper
    from fitbench.charts.run_curves import figure_of_run_curves

    content = read_run(run.folder)
    if not content.history:
        raise RequestError(f"{content.name}: no epoch is recorded, so there are no curves")
    name = None if metric is None else in_history(metric, content.history, "metric")
    figure = figure_of_run_curves(content.history, content.panels(name), content.name, content.best_epoch)
    figure.set_dpi(paper.SCREEN_DPI)
    return figure
