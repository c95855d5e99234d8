"""The learning curves of one run: training and validation, a panel for each metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.axes import LARGEST
from fitbench.analysis.palette import GREY, TRAIN, VALIDATION
from fitbench.analysis.run_files import Panel
from fitbench.analysis.series import with_capital
from fitbench.charts import paper
from fitbench.metrics import history_key
from fitbench.text import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 2.8  # inches
TICKS = 6  # of each axis, about
MARKED_EPOCHS = 30  # with more, single epochs get no marker
PARTS = (("train", "train", TRAIN, "-", "o"), ("val", "validation", VALIDATION, "--", "s"))


def draw_run_curves(
    history: Sequence[Mapping[str, Any]], panels: Sequence[Panel], path: Path, title: str, best_epoch: int | None
) -> None:
    """Write metrics over the epochs as a PNG of 1400 x 560 pixels, training and validation in each panel.

    `history` has one entry or more, as `reading.read_history` gives them; what is null or absent is not drawn.
    """
    with paper.style():
        figure = paper.empty(paper.WIDTHS["full"], HEIGHT)
        places: Any = figure.subplots(1, len(panels), squeeze=False)
        for axes, panel in zip(places[0], panels, strict=True):
            _draw_panel(axes, history, panel, best_epoch)
        paper.head(figure, title)
    paper.write(figure, path, paper.SCREEN_DPI)


def _draw_panel(axes: Axes, history: Sequence[Mapping[str, Any]], panel: Panel, best_epoch: int | None) -> None:
    epochs = [epoch["epoch"] for epoch in history]
    drawn: list[float] = []
    for part, label, colour, line, marker in PARTS:
        values = np.array([epoch.get(history_key(part, panel.name)) for epoch in history], dtype=float)
        values[np.abs(values) > LARGEST] = np.nan
        if np.isfinite(values).any():
            size = 3 if len(epochs) <= MARKED_EPOCHS else 0
            axes.plot(epochs, values, line, label=label, color=colour, marker=marker, markersize=size)
            drawn += values.tolist()
    if best_epoch is not None and len(epochs) > 1:
        axes.axvline(best_epoch, color=GREY, linewidth=0.8, linestyle=":", zorder=0, label=f"best epoch, {best_epoch}")
    paper.over_epochs(axes, epochs[0], epochs[-1], TICKS)
    paper.fit(axes.yaxis, drawn, panel.limits, most=TICKS)
    axes.set_title(with_capital(clean(panel.label)), loc="left")
    if axes.lines:
        axes.legend()
