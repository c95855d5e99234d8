"""The history of a search: each trial's value by its number, and the best so far as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fitbench.analysis.axes import number
from fitbench.analysis.palette import ACCENT
from fitbench.analysis.series import quantity_text
from fitbench.charts import paper
from fitbench.charts.trials import WIDTH, Trials, draw_trials, objective_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONG = 1e6  # a best value from here on is written as on an axis


def draw_history(search: Trials) -> Figure:
    """The figure of a search with one objective, of which two trials or more have finished."""
    with paper.style():
        figure = paper.empty(WIDTH, 2.7)
        axes = figure.add_subplot()
        better = np.maximum if search.maximizes(0) else np.minimum
        numbers = [trial["number"] for trial in search.finished]
        so_far = better.accumulate(search.values(search.finished))
        last = search.all[-1]["number"]
        objective_axis(axes, search, 0)
        (line,) = axes.plot(
            [*numbers, last], [*so_far, so_far[-1]], color=ACCENT, drawstyle="steps-post", linewidth=1.1, gid="best"
        )
        legend = {"best so far": line, **draw_trials(axes, search, lambda trial: trial["number"])}
        best = search.best[0]
        (height,) = search.values([best])
        text = quantity_text(search.objectives[0], height) if abs(height) < LONG else number(height)
        axes.annotate(
            f"{text}\ntrial {best['number']}", (1, height), (5, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", color=ACCENT, fontsize=7.5, annotation_clip=False,
        )  # fmt: skip
        paper.fit(axes.xaxis, [0, last], margin=0.02, log=False, whole=True)
        axes.xaxis.grid(False)
        axes.set_xlabel("trial")
        paper.legend_above(figure, list(legend.values()), list(legend), search.heading)
    return figure
