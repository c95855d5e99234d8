"""What the sentences below a comparison come to: a short line for each warning, and one about its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fitbench import metrics
from fitbench.analysis import statistics
from fitbench.analysis.comparison import Compared
from fitbench.analysis.names import short_name
from fitbench.text import clean, counted, first_of

EXPLAIN = "--explain"
COLUMNS = 2  # that a line about mixed groups names at most


def warnings(compared: Compared, more: str = f": {EXPLAIN}") -> list[str]:
    """What is not as it seems, a short line each; `group_notes.notes` names the groups and the runs.

    `more` is what says at the end of a line where they are named.
    """
    groups = compared.groups
    mixed = [group for group in groups if group.mixed]
    repeated = sum(len(group.repeated) for group in groups)
    grids = {group.sample.text for group in compared.with_folds}
    without = [group.sample.untestable for group in groups if not _few(group.summary.n)]
    untested = [
        comparison
        for comparison in compared.comparisons
        if comparison and comparison.difference.p is None and not _few(*comparison.difference.n)
    ]
    lines = [
        _not_counted(compared),
        f"{_groups(len(mixed))} {_mixed(compared)}" if mixed else "",
        f"{counted(repeated, 'run')} recorded more than once: the latest counts" if repeated else "",
        "means over different folds or runs" if len(grids) > 1 or (grids and compared.without_folds) else "",
        "folds or seeds are missing" if any(group.sample.missing for group in groups) else "",
        f"{compared.metric.name} was not measured on the same examples in all runs" if compared.other_data else "",
        f"no interval of {_groups(len(list(filter(None, without))))}" if any(without) else "",
        f"no test of {_groups(len(untested))}" if untested else "",
    ]
    return [clean(f"{line}{more}" if i else line) for i, line in enumerate(lines) if line]


def _groups(count: int) -> str:
    return counted(count, "group")


def _few(*sizes: int) -> bool:
    """Whether the column of intervals says why there is none."""
    return min(sizes) < statistics.FEWEST


def _not_counted(compared: Compared) -> str:
    counts: Counter[str] = Counter(compared.without_task)
    for group in compared.groups:
        counts.update(group.uncounted)
    return not_counted(counts)


def not_counted(counts: Counter[str]) -> str:
    """As 'not counted: 4 running, 1 failed'; '' for none."""
    return f"not counted: {', '.join(f'{count:,} {what}' for what, count in counts.items())}" if counts else ""


def _mixed(compared: Compared) -> str:
    """As 'mix runs that differ in learning_rate', the verb after the number of groups."""
    columns = dict.fromkeys(name for group in compared.groups for name in group.mixed)
    verb = "mix" if sum(bool(group.mixed) for group in compared.groups) > 1 else "mixes"
    return f"{verb} runs that differ in {first_of((short_name(columns, name) for name in columns), COLUMNS)}"


def footnote(comparisons: Iterable[Compared]) -> str:
    """What the intervals of all comparisons are over, how to choose a configuration, and how to read more."""
    comparisons = list(comparisons)
    over_seeds = any(group.summary.interval for each in comparisons for group in each.without_folds)
    with_folds = [group for each in comparisons for group in each.with_folds if group.summary.interval]
    all_seeds = all(group.sample.counts_seeds for group in with_folds)
    over = ["seeds"] * over_seeds + ["folds" if all_seeds else "folds of these seeds"] * bool(with_folds)
    ranked = {each.metric for each in comparisons if len(each.groups) > 1 and each.metric.part == "test"}
    choose = sorted(metrics.join("val", str(metric.metric)) for metric in ranked)
    parts = [
        *[f"intervals over {' or '.join(over)}"] * bool(over),
        *[f"to choose: --metric {' or '.join(choose)}"] * bool(choose),
        f"more: {EXPLAIN}",
    ]
    text = "; ".join(parts)
    return clean(text[:1].upper() + text[1:])
