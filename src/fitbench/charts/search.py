"""The pictures of a search, drawn as PNG files in the study's folder from search.json, without Optuna."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fitbench.charts import paper
from fitbench.charts.search_history import draw_history
from fitbench.charts.search_plane import draw_planes
from fitbench.charts.search_slices import draw_slices
from fitbench.charts.trials import Trials


def write_plots(record: dict[str, Any], folder: Path) -> list[str]:
    """Write search_history.png and search_slices.png; gives the names of those that are drawn.

    `record` is what search.json holds. Where fewer than two trials have finished, the files of an earlier search are
    removed.
    """
    search = Trials(record)
    history = draw_planes if len(search.names) > 1 else draw_history
    plots = {"search_history.png": history, "search_slices.png": draw_slices}
    if len(search.finished) < 2:
        for name in plots:
            (folder / name).unlink(missing_ok=True)
        return []
    for name, draw in plots.items():
        paper.write(draw(search), folder / name)
    return list(plots)
