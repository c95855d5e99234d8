"""The trials of search.json as they are drawn: their values, their marks, and the axis of an objective."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.axes import LARGEST, Ends, window
from fitbench.analysis.palette import ACCENT, BLACK, GREY, MAIN, OTHERS
from fitbench.analysis.search_record import objective_quantity, short_names
from fitbench.analysis.series import axis_label
from fitbench.charts import paper
from fitbench.charts.from_best import FromBest, fit_from_best, from_best
from fitbench.charts.labels import shortened

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

WIDTH = paper.WIDTHS["full"]
MARGIN = 0.06  # of an objective's axis
TICKS = 4  # of it, about

Trial = Mapping[str, Any]  # as search.json holds it
Place = Callable[[Trial], float]  # of a trial across, NaN where it has none

# Of a mark by its kind: marker, colour, times the usual size, which lies on top.
LOOKS = {
    "finished": ("o", MAIN, 1.0, 2.2),
    "pruned": ("x", OTHERS.light, 1.0, 2.1),
    "outside": ("v", GREY, 1.0, 2.1),
    "failed": ("s", BLACK, 0.75, 2.3),
    "best": ("o", ACCENT, 1.3, 2.4),
}


class Trials:
    """The content of search.json."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.space = record["space"]
        self.short = short_names(list(self.space))
        self.names = [objective["name"] for objective in record["objectives"]]
        self.objectives = [objective_quantity(objective) for objective in record["objectives"]]
        self.labels = [axis_label(objective) for objective in self.objectives]
        self.importance = record["importance"]
        self.all: list[Trial] = record["trials"]
        self.finished = [trial for trial in self.all if trial["state"] == "finished"]
        self.pruned = [trial for trial in self.all if trial["state"] == "pruned" and trial["values"]]
        self.failed = [trial for trial in self.all if trial["state"] == "failed"]
        self.best = [self.all[number] for number in record["best"]]
        self.size = 4.0 if len(self.all) <= 30 else 3.2 if len(self.all) <= 100 else 2.6  # of a mark, in points
        counts = Counter(trial["state"] for trial in self.all)
        states = ", ".join(f"{counts[state]:,} {state}" for state in dict.fromkeys(("finished", "pruned", *counts))
                           if counts[state])  # fmt: skip
        self.heading = f"{shortened(record['study'], WIDTH / 3)}: {len(self.all):,} trials, {states}"

    def parameters(self) -> list[str]:
        """The parameters that some finished trial has, those first that matter most for the first objective."""
        share = self.importance.get(self.names[0], {})
        had = [key for key in self.space if any(key in trial["params"] for trial in self.finished)]
        return sorted(had, key=lambda key: -share.get(key, 0))

    def maximizes(self, objective: int) -> bool:
        """Whether the search wants an objective to be high."""
        return self.objectives[objective].higher_is_better

    def values(self, trials: Sequence[Trial], objective: int = 0) -> np.ndarray:
        """An objective of trials that have it, float [N]."""
        return np.array([trial["values"][objective] for trial in trials], float).clip(-LARGEST, LARGEST)

    def scale(self, objective: int) -> FromBest | None:
        """The scale of an axis of an objective; None for one whose steps are equal, or have equal ratios."""
        if self.objectives[objective].metric is None:
            return None
        return from_best(self.values(self.finished, objective).tolist(), self.maximizes(objective))

    def range(self, objective: int = 0) -> Ends:
        """The ends of what an axis shows of an objective: all of a cost, the better values of a metric."""
        finished, pruned = (self.values(trials, objective).tolist() for trials in (self.finished, self.pruned))
        return window(finished, self.maximizes(objective), pruned, whole=self.objectives[objective].metric is None)


def objective_axis(axes: Axes, search: Trials, objective: int) -> None:
    """Let the y axis show an objective."""
    quantity = search.objectives[objective]
    limits, scale = (quantity.low, quantity.high), search.scale(objective)
    if scale:
        fit_from_best(axes, scale, limits, MARGIN, TICKS + 2)
    else:
        paper.fit(axes.yaxis, search.range(objective), limits, MARGIN, most=TICKS)
    axes.set_ylabel(search.labels[objective])


def draw_trials(axes: Axes, search: Trials, place: Place, objective: int = 0) -> dict[str, Artist]:
    """A mark for each trial, at the end of the axis where its value is beyond; gives what a legend says, by text."""
    low, high = axes.get_ylim()
    maximize = search.maximizes(objective)
    end, beyond = (low, "v") if maximize else (high, "^")
    legend: dict[str, Artist] = {}
    outside = 0
    for trials, kind, text in (
        (search.finished, "finished", "finished"),
        (search.pruned, "pruned", "pruned, at its best epoch"),
    ):
        places = [(place(trial), y) for trial, y in zip(trials, search.values(trials, objective).tolist(), strict=True)]
        here = [(x, y) for x, y in places if math.isfinite(x)]
        there = [(x, end) for x, y in here if not low <= y <= high]
        handle = draw_marks(axes, search, [(x, y) for x, y in here if low <= y <= high], kind)
        beside = draw_marks(axes, search, there, "outside", marker=beyond, color=LOOKS[kind][1])
        outside += len(there)
        if here:
            legend[text] = beside if len(there) == len(here) else handle
    if outside:
        legend[f"{'below' if maximize else 'above'} the axis"] = draw_marks(axes, search, [], "outside", marker=beyond)
    failed = [(x, end) for x in map(place, search.failed) if math.isfinite(x)]
    if failed:
        legend["failed"] = draw_marks(axes, search, failed, "failed")
    return legend


def draw_marks(axes: Axes, search: Trials, places: Sequence[tuple[float, float]], kind: str, **changed: Any) -> Artist:
    """Draw marks of a kind at these places, with changed properties of a line; gives one for a legend."""
    from matplotlib.lines import Line2D

    marker, colour, times, order = LOOKS[kind]
    cross = marker == "x"
    look: dict[str, Any] = {
        "marker": marker, "color": colour, "markersize": times * search.size, "zorder": order,
        "markeredgewidth": 0.9 if cross else 0.5 if marker == "o" else 0,
        "markeredgecolor": colour if cross else "white",
    }  # fmt: skip
    line = Line2D(
        [x for x, _ in places], [y for _, y in places], linestyle="", clip_on=False, gid=kind, **look | changed
    )
    if places:  # an empty line would count as one at 0, 0 where the figure is laid out
        axes.add_line(line)
    return line
