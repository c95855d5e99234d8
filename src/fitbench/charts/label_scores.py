"""How well a run predicts each label: F1, precision and recall, a row for each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fitbench.analysis.palette import ACCENT, EDGE, FAINT, MAIN
from fitbench.charts import paper

ROW_INCHES = 0.2
LABEL_INCHES = 1.6
LOOKS: Mapping[str, dict[str, Any]] = {  # by the names in `scores.per_label`
    "precision": {"color": ACCENT, "marker": "<", "markersize": 4},
    "recall": {"color": EDGE, "marker": ">", "markersize": 4},
    "f1": {"color": MAIN, "marker": "o", "markersize": 5},
}
NAMES = {"precision": "precision", "recall": "recall", "f1": "F1"}


def draw_label_scores(scored: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """Write the scores of labels, as `scores.per_label` gives them, as a PNG, the first label on top.

    The line of a label reaches from its precision to its recall; F1 lies between them.
    """
    from matplotlib.lines import Line2D

    with paper.style():
        figure = paper.empty(paper.WIDTHS["full"] * 0.75, 0.7 + ROW_INCHES * max(len(scored), 3))
        axes = figure.add_subplot()
        for place, score in enumerate(scored):
            if score["precision"] is not None and score["recall"] is not None:
                axes.plot([score["precision"], score["recall"]], [place, place], color=FAINT, linewidth=3, zorder=2)
        for key, look in LOOKS.items():
            found = [(score[key], place) for place, score in enumerate(scored) if score[key] is not None]
            axes.plot([x for x, _ in found], [y for _, y in found], linestyle="", gid=key, clip_on=False, **look)
        paper.name_rows(axes, [f"{score['label']} ({score['support']:,})" for score in scored], LABEL_INCHES)
        paper.fit(axes.xaxis, [0.0, 1.0], (0.0, 1.0), log=False)
        axes.set_xlabel("score (beside names: examples that have the label)")
        handles = [Line2D([], [], linestyle="", **look) for look in LOOKS.values()]
        paper.legend_above(figure, handles, [NAMES[key] for key in LOOKS], title)
    paper.write(figure, path, paper.SCREEN_DPI)
