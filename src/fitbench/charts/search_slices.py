"""The slices of a search: a panel for each parameter, its values against the objective."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fitbench.analysis.axes import LARGEST, SMALLEST
from fitbench.analysis.palette import FAINT
from fitbench.analysis.telling import text
from fitbench.charts import paper
from fitbench.charts.labels import labels, length, shortened
from fitbench.charts.trials import WIDTH, Trial, Trials, draw_marks, draw_trials, objective_axis

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 4  # panels beside each other
PANELS = 24  # at most, of the parameters that matter most
WIDE, HIGH = 0.85 * WIDTH / ACROSS, 1.75  # inches of a panel, and of one with its name and ticks
TICKS = 5  # of an interval at most
NAMED = 30  # choices of a parameter that are named
SPREAD = 0.5  # of the room of a choice, over which its trials stand in their order
UPRIGHT = 0.85  # inches of a choice's name that stands upright


def draw_slices(search: Trials) -> Figure:
    """Rows of panels for each objective, of a search of which two trials or more have finished."""
    every = search.parameters()
    keys = every[: max(1, PANELS // len(search.names))]
    across = min(ACROSS, len(keys))
    down = -(-len(keys) // across)
    with paper.style():
        figure = paper.empty(max(across, 2) * WIDTH / ACROSS, len(search.names) * down * HIGH)
        panels: Any = figure.subplots(len(search.names) * down, across, squeeze=False)
        legend: dict[str, Artist] = {}
        for objective in range(len(search.names)):
            places = panels[objective * down : (objective + 1) * down].flat
            for i, axes in enumerate(places):
                if i >= len(keys):
                    axes.remove()
                    continue
                legend = _draw_slice(axes, search, keys[i], objective) | legend
                if i % across:
                    axes.set_ylabel("")
                    axes.tick_params(axis="y", labelleft=False)
        figure.set_figheight(figure.get_figheight() + sum(max(map(_below, row)) for row in panels))
        heading = search.heading
        if len(keys) < len(every):
            heading += f"; the {len(keys)} parameters of {len(every)} that matter most"
        if any(search.space[key]["kind"] == "choice" for key in keys):
            heading += "; trials of the same choice stand side by side"
        if any(search.importance.values()):
            heading += "; beside names: importance"
        paper.legend_above(figure, list(legend.values()), list(legend), heading)
    return figure


def _below(axes: Axes) -> float:
    """The inches that names below a panel take, more than numbers would."""
    upright = [text for text in axes.get_xticklabels() if text.get_rotation()]
    return max((length(text.get_text(), float(text.get_fontsize())) for text in upright), default=0.0)


def _draw_slice(axes: Axes, search: Trials, key: str, objective: int) -> dict[str, Artist]:
    """Draw the trials by a parameter, under its name and importance; gives what a legend says, by text."""
    objective_axis(axes, search, objective)
    places = _places(axes, search, key)

    def place(trial: Trial) -> float:
        return places.get(trial["number"], math.nan)

    legend = draw_trials(axes, search, place, objective)
    several = len(search.names) > 1
    best = [trial for trial in (search.best if several else search.best[:1]) if trial["number"] in places]
    if best:
        heights = search.values(best, objective).clip(*axes.get_ylim()).tolist()
        handle = draw_marks(axes, search, list(zip(map(place, best), heights, strict=True)), "best")
        legend = {"Pareto front" if several else "best": handle, **legend}
    axes.xaxis.grid(False)
    share = search.importance.get(search.names[objective], {}).get(key)
    name = shortened(search.short[key], WIDE - (0 if share is None else 0.4))
    axes.set_title(name if share is None else f"{name}  {share:.2f}", loc="left")
    return legend


def _places(axes: Axes, search: Trials, key: str) -> dict[int, float]:
    """Make the x axis that of a parameter; gives where each trial that has it stands, by its number."""
    of = search.space[key]
    chosen = {trial["number"]: trial["params"][key] for trial in search.all
              if key in trial["params"] and trial["state"] != "running"}  # fmt: skip
    if of["kind"] == "choice":
        return _places_of_choices(axes, {number: text(value) for number, value in chosen.items()}, of["values"])
    least = 10 * SMALLEST if of["log"] else -LARGEST
    low, high, *values = (min(max(float(value), least), LARGEST) for value in (of["low"], of["high"], *chosen.values()))
    paper.fit(axes.xaxis, [low, high], log=of["log"], whole=of["kind"] == "int", most=TICKS)
    axes.tick_params(axis="x", labelsize=7)
    return dict(zip(chosen, values, strict=True))


def _places_of_choices(axes: Axes, chosen: dict[int, str], order: list[Any]) -> dict[int, float]:
    """The same of choices, in the order of the space: the trials of each one stand beside each other."""
    ranks = {name: i for i, name in enumerate(map(text, order))}
    names = sorted(set(chosen.values()), key=lambda name: ranks.get(name, len(ranks)))
    members = {name: [number for number in chosen if chosen[number] == name] for name in names}
    shown = range(0, len(names), -(-len(names) // NAMED) or 1)
    size = 7 if len(shown) <= 15 else 5
    short = labels([names[i] for i in shown], UPRIGHT, size)
    room = WIDE / max(len(names), 1) - 0.05
    upright = any(length(name, size) > room for name in short)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_xticks(shown, short, fontsize=size, rotation=90 if upright else 0)
    axes.tick_params(axis="x", length=0)
    for i in range(1, len(names)):
        axes.axvline(i - 0.5, color=FAINT, linewidth=0.5, gid="between choices")
    return {
        number: i + SPREAD * ((rank + 0.5) / len(members[name]) - 0.5)
        for i, name in enumerate(names)
        for rank, number in enumerate(members[name])
    }
