"""The comparison of groups on the page: columns of `fitbench compare`, for each metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fitbench.analysis.comparison import Compared, compared
from fitbench.analysis.frame import in_known_groups
from fitbench.analysis.group_columns import differences, ranking
from fitbench.analysis.group_notes import footnotes, notes
from fitbench.analysis.groups import Group, group_each
from fitbench.analysis.in_short import warnings
from fitbench.analysis.series import axis_label, metric_label, with_capital
from fitbench.analysis.statistics import FEWEST
from fitbench.columns import Column
from fitbench.metrics import PARTS
from fitbench.quantities import Quantity
from fitbench.report.measures import Recorded, about, is_comparable
from fitbench.report.values import digits, fitting

if TYPE_CHECKING:
    import pandas as pd

COSTS = ("timing.fit_seconds", "metrics.best_epoch")  # that groups are compared in, besides metrics
FILTERED = "All runs count, whatever the filter."


def comparisons(
    frame: pd.DataFrame, ranked: Sequence[Group], names: Sequence[str], metric: Quantity, recorded: Recorded
) -> list[dict[str, Any]]:
    """The comparison of the groups by each quantity that some run has, `metric` first.

    Groups are given by their position in `ranked`, the ranking by `metric`, runs by their position in the frame;
    `names` are those of the groups in words. A group without a run of known task is left out.
    """
    keys = list(ranked[0].keys) if ranked else []
    run_at = {str(folder): run for run, folder in enumerate(frame["folder"].tolist())}
    place = {each.identity: i for i, each in enumerate(ranked)}
    offered = [metric, *(each for each in recorded.values() if each.metric), *(recorded[name] for name in COSTS)]
    found, known = [], in_known_groups(frame, keys)
    quantities = list(filter(is_comparable, dict.fromkeys(offered)))
    for quantity, groups in zip(quantities, group_each(known, keys, quantities), strict=True):
        if groups and groups[0].values:
            places = [place[each.identity] for each in groups]
            found.append(_comparison(compared(known, groups, quantity, keys), places, names, run_at))
    return found


def _comparison(of: Compared, places: Sequence[int], names: Sequence[str], run_at: Mapping[str, int]) -> dict[str, Any]:
    about_groups, about_differences = ranking(of), differences(of)
    names = [names[place] for place in places]
    return {
        "name": of.metric.column,
        "label": axis_label(of.metric),
        **about(of.metric),
        "columns": [_column(column, "") for column in _of_groups(of, about_groups)]
        + [_column(column, f"against {names[0]}") for column in _of_tests(of, about_differences)],
        "groups": places,
        "runs": [[run_at[folder] for folder in each.folders] for each in of.groups],
        "answer": _answer(of, [*about_groups, *about_differences], names),
        "method": _method(of),
        "details": [*notes(of), *footnotes(of, f"{PARTS['val']} {metric_label(of.metric)} (menu Metric)"), FILTERED],
    }


def _of_groups(of: Compared, columns: Sequence[Column]) -> list[Column]:
    """The columns about groups: without keys in which they agree, and without what a drawing of the runs shows."""
    drawn = {"best", "worst"} | ({"n"} if _are_single(of) else set())
    keys = [column for column in columns if column.key]
    telling = [column for column in keys if len(set(column.cells)) > 1] or keys
    shown = [column for column in columns if column.visible or "low" in column.values]
    kept = [column for column in shown if not drawn & set(column.values)]
    kept = [column for column in kept if not column.key or column in telling]
    if not _are_single(of):
        return kept
    heads = {"mean": of.metric.name, "low": "plot"}
    return [replace(column, head=heads.get(next(iter(column.values), ""), column.head)) for column in kept]


def _of_tests(of: Compared, columns: Sequence[Column]) -> list[Column]:
    """The columns about differences, none where nothing is tested."""
    is_tested = any(comparison and comparison.p_holm is not None for comparison in of.comparisons)
    return [column for column in columns if is_tested and column.values and "p" not in column.values]


def _are_single(of: Compared) -> bool:
    """Whether no group has two values."""
    return all(group.summary.n < 2 for group in of.groups)


def _method(of: Compared) -> str:
    """How the numbers were computed, and what a reader must be warned of, in a line."""
    if _are_single(of):
        line = "One run for each group, so there are no intervals and no tests"
    else:
        sizes = {group.sample.text for group in of.groups if group.values}
        line = f"Means over {sizes.pop()}{' each' * (len(of.groups) > 1)}" if len(sizes) == 1 else "Means"
        has_intervals = any(group.summary.interval for group in of.groups)
        line += ", with 95% intervals" if has_intervals else f"; an interval needs {FEWEST}"
        line += "; p is corrected after Holm" * bool(_of_tests(of, differences(of)))
    return ". ".join(with_capital(each) for each in (line, *warnings(of, more=""))) + "."


def _column(column: Column, title: str) -> dict[str, Any]:
    """A column with its cells, and the values that it is sorted by."""
    values = {name: [digits(value) for value in values] for name, values in column.values.items()}
    return {"head": column.head, "title": title, "key": column.key, "right": column.right, "cells": column.cells,
            "values": values}  # fmt: skip


def _answer(of: Compared, columns: Sequence[Column], names: Sequence[str]) -> str:
    """What the comparison comes to, in a sentence or two."""
    cells = {name: column.cells for column in columns for name in column.values}
    groups, metric = of.groups, of.metric
    if of.runs == 1:
        return f"{with_capital(axis_label(metric))}: {cells['mean'][0]}."
    which = "Highest" if metric.higher_is_better else "Lowest"
    runs = f"over {groups[0].sample.text}" if len(groups[0].values) > 1 else "in one run"
    first = f"{which} {axis_label(metric)}: {cells['mean'][0]} {runs}{f' with {names[0]}' * bool(of.keys)}."
    if len(groups) == 1 or not groups[1].values:
        return first
    p = cells["p_holm"][1]
    tested = "" if p == "-" else f", p {p}" if p.startswith("<") else f", p = {p}"
    tested = tested.replace("p ", "p\N{NO-BREAK SPACE}").replace("= ", "=\N{NO-BREAK SPACE}")
    return f"{first} Next: {names[1]} ({cells['difference'][1]}{tested})."


def names_of(groups: Sequence[Group], heads: Sequence[str]) -> list[str]:
    """A name for each group, as 'mlp, dropout 0.2': what it has in the keys that differ, texts without their heads.

    `heads` are the names of the keys. Where no key differs, the labels.
    """
    differ = [place for place in range(len(heads)) if len({each.texts[place] for each in groups}) > 1]
    named = []
    for each in groups:
        values = list(each.keys.values())
        parts = [
            each.texts[place] if isinstance(values[place], str) else f"{heads[place]} {each.texts[place]}"
            for place in differ
            if values[place] is not None
        ]
        named.append(", ".join(parts) or each.label)
    return named


def keys_of(groups: Sequence[Group]) -> list[list[Any]]:
    """The values of the keys of each group, as JSON holds them."""
    return [[fitting(value) for value in each.keys.values()] for each in groups]
