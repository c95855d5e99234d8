"""The pictures of a search, drawn as PNG files in the study's folder from search.json, without Optuna."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.search_record import objective_quantity, parted, quantity_text, short_names, window
from fitbench.analysis.series import axis_label
from fitbench.charts import paper
from fitbench.charts.charts import LARGEST
from fitbench.charts.paper import COLOURS, GREY, WIDTHS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

BLUE, VERMILION, BLACK = COLOURS[0], COLOURS[3], COLOURS[2]
PALE = "#8a8a8a"
WIDTH = WIDTHS["full"]
ACROSS = 4  # slices beside each other
PANELS = 24  # slices at most, of the parameters that matter most
SLICE, ABOVE = 1.4, 0.27  # inches that one is high, and that its name takes
LEFT, RIGHT, BETWEEN = 0.72, 0.08, 0.14  # inches beside slices, and between two of them
AXIS = 0.75  # inches between two axes of the parallel coordinates at least
TICKS = 30  # choices of a parameter that are named
SPREAD = 0.5  # of the room of a choice, over which its trials stand in their order
ROTATED = 0.85  # inches of a choice's name that stands upright


def write_plots(record: dict[str, Any], folder: Path) -> None:
    """Write search_history.png, search_importance.png, search_slices.png and search_parallel.png.

    `record` is what search.json holds. Where there is nothing to draw, because fewer than two trials have finished or
    no importance is known, the file of an earlier search is removed.
    """
    search = _Search(record)
    draw = {
        "search_history.png": _plane if len(search.names) > 1 else _history,
        "search_importance.png": _importance,
        "search_slices.png": _slices,
        "search_parallel.png": _parallel,
    }
    for name, figure_of in draw.items():
        figure = figure_of(search)
        if figure is None:
            (folder / name).unlink(missing_ok=True)
        else:
            paper.write(figure, folder / name)


class _Search:
    """The content of search.json as it is drawn."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.space = record["space"]
        self.short = short_names(list(self.space))
        self.names = [objective["name"] for objective in record["objectives"]]
        self.objectives = [objective_quantity(objective) for objective in record["objectives"]]
        self.labels = [axis_label(objective) for objective in self.objectives]
        self.maximize = [objective.higher_is_better for objective in self.objectives]
        self.importance = record["importance"]
        self.trials = record["trials"]
        self.finished = [trial for trial in self.trials if trial["state"] == "finished"]
        self.pruned = [trial for trial in self.trials if trial["state"] == "pruned" and trial["values"]]
        self.failed = [trial for trial in self.trials if trial["state"] == "failed"]
        self.best = record["best"]
        self.size = 4.0 if len(self.trials) <= 30 else 3.2 if len(self.trials) <= 100 else 2.6  # of a mark, in points
        counts = Counter(trial["state"] for trial in self.trials)
        states = ", ".join(f"{counts[state]:,} {state}" for state in dict.fromkeys(("finished", "pruned", *counts))
                           if counts[state])  # fmt: skip
        study = paper.shortened(record["study"], WIDTH / 3)
        self.heading = f"{study}: {len(self.trials):,} trials, {states}"

    def parameters(self) -> list[str]:
        """The parameters that some finished trial has, those first that matter most for the first objective."""
        share = self.importance.get(self.names[0], {})
        had = [key for key in self.space if any(key in trial["params"] for trial in self.finished)]
        return sorted(had, key=lambda key: -share.get(key, 0))

    def is_cost(self, objective: int) -> bool:
        """Whether an objective is a size or a time, of which an axis shows the whole range."""
        return self.objectives[objective].metric is None

    def values(self, trials: Sequence[Mapping[str, Any]], objective: int = 0) -> np.ndarray:
        """An objective of trials that have it, float [N]."""
        return np.array([trial["values"][objective] for trial in trials], float).clip(-LARGEST, LARGEST)

    def range(self, objective: int = 0) -> tuple[float, float]:
        """The ends of what an axis shows of an objective."""
        finished = self.values(self.finished, objective).tolist()
        pruned = self.values(self.pruned, objective).tolist()
        if self.is_cost(objective):
            return min(finished + pruned), max(finished + pruned)
        return window(finished, self.maximize[objective], pruned)


# -- the history ------------------------------------------------------------------------------------------------------


def _history(search: _Search) -> Figure | None:
    """Each trial's value by its number, and the best so far as a line."""
    if len(search.finished) < 2:
        return None
    with paper.style():
        figure = paper.empty(WIDTH, 2.7)
        axes = figure.add_subplot()
        better = np.maximum if search.maximize[0] else np.minimum
        numbers = [trial["number"] for trial in search.finished]
        so_far = better.accumulate(search.values(search.finished))
        last = search.trials[-1]["number"]
        _objective_axis(axes, search, 0)
        handles: list[Any] = axes.plot(
            [*numbers, last], [*so_far, so_far[-1]], color=VERMILION, drawstyle="steps-post", linewidth=1.1, gid="best"
        )
        texts = ["best so far"]
        for drawn, text in _draw_trials(axes, search, lambda trial: trial["number"]):
            handles.append(drawn)
            texts.append(text)
        best = search.trials[search.best[0]]
        (height,) = search.values([best])
        text = quantity_text(search.objectives[0], height) if abs(height) < 1e6 else paper.number(height)
        axes.annotate(
            f"{text}\ntrial {best['number']}",
            (1, height), (5, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center", color=VERMILION, fontsize=7.5, annotation_clip=False,
        )  # fmt: skip
        _whole_numbers(axes)
        apart = max(0.5, 0.015 * last)
        axes.set_xlim(-apart, last + apart)
        axes.set_xlabel("trial")
        paper.legend_above(figure, handles, texts, search.heading)
    return figure


Place = Callable[[Mapping[str, Any]], float]  # of a trial across, NaN where it has none


def _draw_trials(axes: Axes, search: _Search, place: Place, objective: int = 0) -> list[tuple[Artist, str]]:
    """A mark for each trial, at the end of the axis where its value is beyond; gives what a legend says."""
    low, high = search.range(objective)
    end = axes.get_ylim()[0 if search.maximize[objective] else 1]
    beyond = "v" if search.maximize[objective] else "^"
    legend: list[tuple[Artist, str]] = []
    outside = 0
    for trials, text, marker, color in (
        (search.finished, "finished", "o", BLUE),
        (search.pruned, "pruned, at its best epoch", "x", PALE),
    ):
        values = search.values(trials, objective).tolist()
        places = [(place(trial), y) for trial, y in zip(trials, values, strict=True)]
        here = [(x, y) for x, y in places if math.isfinite(x)]
        there = [(x, end) for x, y in here if not low <= y <= high]
        handle = _mark(
            axes, search, [(x, y) for x, y in here if low <= y <= high], text.partition(",")[0], marker, color
        )
        _mark(axes, search, there, "outside", beyond, color)
        outside += len(there)
        if here:
            legend.append((handle, text))
    if outside:
        handle = _mark(axes, search, [], "outside", beyond, GREY)
        legend.append((handle, f"{'below' if search.maximize[objective] else 'above'} the axis"))
    failed = [(x, end) for x in map(place, search.failed) if math.isfinite(x)]
    if failed:
        legend.append((_mark(axes, search, failed, "failed", "s", BLACK, 0.75), "failed"))
    return legend


def _mark(
    axes: Axes, search: _Search, places: Sequence[tuple[float, float]], gid: str, marker: str, color: str,
    times: float = 1,
) -> Artist:  # fmt: skip
    """Draw marks of so many times the usual size at these places; gives one for a legend."""
    from matplotlib.lines import Line2D

    cross = marker == "x"
    line = Line2D(
        [x for x, _ in places], [y for _, y in places], linestyle="", marker=marker, color=color,
        markersize=times * search.size, markeredgewidth=0.9 if cross else 0.5 if marker == "o" else 0,
        markeredgecolor=color if cross else "white", clip_on=False, gid=gid,
        zorder={"pruned": 2.1, "outside": 2.1, "finished": 2.2, "failed": 2.3}.get(gid, 2.4),
    )  # fmt: skip
    if places:  # an empty line would count as one at 0, 0 where the figure is laid out
        axes.add_line(line)
    return line


def _objective_axis(axes: Axes, search: _Search, objective: int) -> None:
    """Let the y axis show an objective: its range with a margin, logarithmic where a cost spans a factor of 10."""
    low, high = search.range(objective)
    quantity = search.objectives[objective]
    margin = 0.06
    if search.is_cost(objective) and paper.wide(np.array([low, high])):
        axes.set_yscale("log")
        ratio = (high / low) ** margin
        axes.set_ylim(low / ratio, high * ratio)
        _log_ticks(axes.yaxis, low, high)
    else:
        apart = margin * (high - low) or 0.05 * abs(high) or 0.5
        inside = quantity.low <= low <= high <= quantity.high
        limits = (quantity.low, quantity.high) if inside else (-math.inf, math.inf)
        axes.set_ylim(paper.within((low - apart, high + apart), limits))
    if max(abs(low), abs(high)) >= 1e4:
        paper.short_numbers(axes.yaxis)
    axes.set_ylabel(search.labels[objective])
    axes.grid(axis="y")


def _log_ticks(axis: Axis, low: float, high: float) -> None:
    """Few ticks at round numbers on a logarithmic axis."""
    from matplotlib.ticker import LogLocator, NullLocator

    span = high / low
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < 30 else (1, 3) if span < 100 else (1,), numticks=4))
    axis.set_minor_locator(NullLocator())
    paper.short_numbers(axis)


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def _plane(search: _Search) -> Figure | None:
    """The trials by two objectives, the first one up, with the Pareto front; a plane for each of further objectives."""
    from fitbench.charts.scatter import Axis as ScatterAxis
    from fitbench.charts.scatter import Point, draw_scatter

    if len(search.finished) < 2:
        return None
    low, high = search.range()
    front = set(search.best)
    drawn = [trial for trial in search.finished if low <= trial["values"][0] <= high or trial["number"] in front]
    heading = search.heading
    if beyond := len(search.finished) - len(drawn):
        side = "below" if search.maximize[0] else "above"
        end = low if search.maximize[0] else high
        heading += f"; {beyond:,} with {search.labels[0]} {side} {paper.number(end)} not shown"
    if len(search.names) > 2:
        return _planes(search, drawn, heading)
    points = [Point(f"trial {trial['number']}", trial["values"][1], trial["values"][0]) for trial in drawn]
    up, across = (ScatterAxis(label, quantity.higher_is_better, quantity.low, quantity.high)
                  for label, quantity in zip(search.labels, search.objectives, strict=True))  # fmt: skip
    return draw_scatter(points, across, up, "full", heading)


def _planes(search: _Search, trials: Sequence[Mapping[str, Any]], heading: str) -> Figure:
    with paper.style():
        across = len(search.names) - 1
        figure = paper.empty(max(WIDTH, 2.2 * across), 2.4)
        front = set(search.best)
        rows: Any = figure.subplots(1, across, sharey=True, squeeze=False)
        handles: list[Artist] = []
        for other, axes in enumerate(rows[0], 1):
            for on, look in ((False, {"markerfacecolor": "white", "color": GREY}), (True, {"color": VERMILION})):
                these = [trial for trial in trials if (trial["number"] in front) == on]
                drawn = axes.plot(
                    search.values(these, other), search.values(these), linestyle="", marker="o", markersize=4,
                    gid="front" if on else "dominated", clip_on=False, **look,
                )  # fmt: skip
                handles += drawn if other == 1 else []
            x = search.values(trials, other)
            axes.margins(0.08)
            if paper.wide(x):
                paper.logarithmic(axes, x)
            elif x.max() >= 1e4:
                paper.short_numbers(axes.xaxis)
            axes.set_xlabel(search.labels[other])
            axes.grid()
        rows[0, 0].set_ylabel(search.labels[0])
        texts = ["no other trial is better in every objective", "dominated"]
        paper.legend_above(figure, handles[::-1], texts, heading)
    return figure


# -- importances ------------------------------------------------------------------------------------------------------


def _importance(search: _Search) -> Figure | None:
    """A bar for each parameter's share in what makes trials good, and a panel for each objective."""
    rated = {label: search.importance[name] for name, label in zip(search.names, search.labels, strict=True)
             if search.importance.get(name)}  # fmt: skip
    keys = [key for key in search.parameters() if any(key in shares for shares in rated.values())]
    if not keys or len(search.finished) < 2:
        return None
    with paper.style():
        width = WIDTH if len(rated) > 1 else WIDTHS["column"] + 1.2
        figure = paper.empty(width, 0.75 + 0.21 * max(len(keys), 2))
        panels: Any = figure.subplots(1, len(rated), sharey=True, squeeze=False)
        for axes, (label, of_label) in zip(panels[0], rated.items(), strict=True):
            shares = [of_label.get(key, 0) for key in keys]
            axes.barh(range(len(keys)), shares, height=0.66, color=BLUE)
            for place, share in enumerate(shares):
                axes.annotate(
                    f"{share:.2f}", (share, place), (3, 0), textcoords="offset points", va="center", fontsize=7.5
                )
            axes.set_xlim(0, max(shares) * (1 + 0.1 * len(rated)))
            axes.set_ylim(len(keys) - 0.4, -0.6)
            axes.set_xlabel(f"importance for {label}")
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="x")
        panels[0, 0].set_yticks(range(len(keys)), paper.labels([search.short[key] for key in keys], 0.35 * width))
        _head(figure, search.heading)
    return figure


def _head(figure: Figure, text: str) -> None:
    text = paper.shortened(text, figure.get_figwidth() - 0.1)
    figure.suptitle(text, x=0.04 / figure.get_figwidth(), ha="left", fontsize=8, color=GREY)


# -- slices -----------------------------------------------------------------------------------------------------------


def _slices(search: _Search) -> Figure | None:
    """A panel for each parameter, its values against the objective; rows of panels for each further objective."""
    if len(search.finished) < 2:
        return None
    every = search.parameters()
    keys = every[: max(1, PANELS // len(search.names))]
    across = min(ACROSS, max(len(keys), 2))
    wide = (WIDTH - LEFT - RIGHT - (across - 1) * BETWEEN) / across
    width = WIDTH if len(keys) > 1 else LEFT + wide + RIGHT
    rows = [(objective, keys[at : at + across]) for objective in range(len(search.names))
            for at in range(0, len(keys), across)]  # fmt: skip
    with paper.style():
        choices = {key: _Choices(search, key, wide) for key in keys if search.space[key]["kind"] == "choice"}
        below = [max([0.2, *(choices[key].high for key in row if key in choices)]) for _, row in rows]
        high = sum(below) + len(rows) * (ABOVE + SLICE)
        figure = paper.empty(width, high)
        figure.set_layout_engine("none")  # it takes a second for many panels
        legend: dict[str, Artist] = {}
        places = []
        for (objective, row), room in zip(rows, below, strict=True):
            high -= ABOVE + SLICE + room
            for column, key in enumerate(row):
                axes = figure.add_axes((0, 0, 1, 1))
                places.append((axes, LEFT + column * (wide + BETWEEN), high + room))
                for handle, text in _draw_slice(axes, search, key, objective, choices.get(key), wide, column == 0):
                    legend.setdefault(text, handle)
        heading = search.heading
        if len(keys) < len(every):
            heading += f"; the {len(keys)} parameters of {len(every)} that matter most"
        if any(search.importance.values()):
            heading += "; beside names: importance"
        paper.legend_above(figure, list(legend.values()), list(legend), heading)
        tall = figure.get_figheight()
        for axes, x, y in places:
            axes.set_position((x / width, y / tall, wide / width, SLICE / tall))
    return figure


def _draw_slice(
    axes: Axes, search: _Search, key: str, objective: int, choices: _Choices | None, wide: float, first: bool
) -> list[tuple[Artist, str]]:
    _objective_axis(axes, search, objective)
    if not first:
        axes.set_ylabel("")
        axes.tick_params(axis="y", labelleft=False)
    of = search.space[key]

    def place(trial: Mapping[str, Any]) -> float:
        if key not in trial["params"]:
            return math.nan
        return choices.place(trial) if choices else _drawable(trial["params"][key], of)

    drawn = _draw_trials(axes, search, place, objective)
    front = search.best if len(search.names) > 1 else search.best[:1]
    best = [search.trials[number] for number in front if key in search.trials[number]["params"]]
    low, high = search.range(objective)
    heights = search.values(best, objective).clip(low, high).tolist()
    if best:
        handle = _mark(axes, search, list(zip(map(place, best), heights, strict=True)), "best", "o", VERMILION, 1.3)
        drawn.insert(0, (handle, "Pareto front" if len(search.names) > 1 else "best"))
    if choices:
        axes.set_xlim(-0.5, len(choices.texts) - 0.5)
        choices.name(axes)
    else:
        _number_axis(axes, of)
    share = search.importance.get(search.names[objective], {}).get(key)
    name = paper.shortened(search.short[key], wide - (0 if share is None else 0.4))
    axes.set_title(f"{name}  {share:.2f}" if share is not None else name, loc="left", pad=5)
    return drawn


def _number_axis(axes: Axes, of: Mapping[str, Any]) -> None:
    """Let the x axis show all of an interval, logarithmic where the space says so."""
    from matplotlib.ticker import MaxNLocator

    low, high = _drawable(of["low"], of), _drawable(of["high"], of)
    axes.tick_params(axis="x", labelsize=7)
    if of["log"]:
        axes.set_xscale("log")
        margin = (high / low) ** 0.05
        axes.set_xlim(low / margin, high * margin)
        _log_ticks(axes.xaxis, low, high)
    else:
        margin = 0.05 * (high - low) or 0.5
        axes.set_xlim(low - margin, high + margin)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=of["kind"] == "int", steps=[1, 2, 2.5, 5, 10]))
        if max(abs(low), abs(high)) >= 1e4:
            paper.short_numbers(axes.xaxis)


def _drawable(value: float, of: Mapping[str, Any]) -> float:
    """A number of an interval as far as an axis has it."""
    return min(max(float(value), paper.SMALLEST if of["log"] else -LARGEST), LARGEST)


class _Choices:
    """The choices of a parameter that trials have made, in the order of the space, and where each trial stands.

    `high` is how many inches their names take below an axis that is `wide` inches wide.
    """

    def __init__(self, search: _Search, key: str, wide: float) -> None:
        self.texts: list[str] = []
        members: dict[str, list[int]] = {}
        chosen = [trial for trial in search.trials if key in trial["params"] and trial["state"] != "running"]
        for value in search.space[key]["values"]:
            text = _choice(value)
            members[text] = [trial["number"] for trial in chosen if _choice(trial["params"][key]) == text]
            if members[text] and text not in self.texts:
                self.texts.append(text)
        self.places = {
            number: i + SPREAD * ((rank + 0.5) / len(members[text]) - 0.5)
            for i, text in enumerate(self.texts)
            for rank, number in enumerate(members[text])
        }
        every = -(-len(self.texts) // TICKS)
        self.at = range(0, len(self.texts), every)
        self.size = 7 if len(self.at) <= 15 else 5
        self.names = paper.labels([self.texts[i] for i in self.at], ROTATED, self.size)
        lengths = [paper.length(name, self.size) for name in self.names]
        self.upright = max(lengths, default=0) > wide / max(len(self.texts), 1) - 0.05
        self.high = max(lengths, default=0) + 0.12 if self.upright else 0.2

    def place(self, trial: Mapping[str, Any]) -> float:
        """Where this trial stands, NaN for one that has not made the choice."""
        return self.places.get(trial["number"], math.nan)

    def name(self, axes: Axes) -> None:
        """Put the names below the axis, upright where there is no room."""
        axes.set_xticks(self.at, self.names, fontsize=self.size, rotation=90 if self.upright else 0)
        axes.tick_params(axis="x", length=0)


def _choice(value: Any) -> str:
    """A choice as people write it."""
    from fitbench.analysis.groups import text

    return text(value)


# -- parallel coordinates ---------------------------------------------------------------------------------------------


def _parallel(search: _Search) -> Figure | None:
    """A line per finished trial, through its parameters and further objectives to the first one."""
    from fitbench.charts.parallel import draw_parallel, scale

    if len(search.finished) < 2:
        return None
    low, high = search.range()
    values = search.values(search.finished)
    metric = values.clip(low, high)
    columns = []
    for key in search.parameters():
        of = search.space[key]
        chosen = [trial["params"].get(key) for trial in search.finished]
        texts = None
        if of["kind"] == "choice":
            texts = list(dict.fromkeys(map(_choice, of["values"])))
        else:
            chosen = [None if value is None else _drawable(value, of) for value in chosen]
        name, condition = parted(key)
        if condition:  # says more than the key's first part, and takes its place
            name = f"{condition}.{name.rpartition('.')[2]}"
        column = scale(name, chosen, metric, of.get("log"), texts)
        columns.append(replace(column, ticks=column.ticks[:: -(-len(column.ticks) // TICKS)]))
    for other, label in enumerate(search.labels[1:], 1):
        columns.append(scale(label, search.values(search.finished, other).tolist(), metric))
    heading = search.heading
    if outside := int((metric != values).sum()):
        side = f"below {paper.number(low)}" if search.maximize[0] else f"above {paper.number(high)}"
        heading += f"; {outside:,} {side} stand{'s'[: outside == 1]} at the end of the axis"
    with paper.style():
        width = max(WIDTH, AXIS * (len(columns) + 1))
        figure = draw_parallel(columns, metric, search.labels[0], search.maximize[0], width)
        _head(figure, heading)
    return figure
