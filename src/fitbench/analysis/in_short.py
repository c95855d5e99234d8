"""What the sentences below a comparison come to: a short line for each warning, and one about its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fitbench import metrics
from fitbench.analysis import statistics
from fitbench.analysis.comparison import Compared
from fitbench.analysis.groups import Group, also_differ
from fitbench.analysis.names import short_name
from fitbench.analysis.telling import short_texts
from fitbench.text import clean, counted, first_of

EXPLAIN = "--explain"
COLUMNS = 2  # that a line about mixed groups names at most
VALUES = 4  # of a setting that a line names at most


def warnings(compared: Compared, more: str = f": {EXPLAIN}") -> list[str]:
    """The warnings about a comparison, a short line each; `group_notes.notes` names the groups and the runs.

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
    differing = also_differ(groups, compared.keys)
    explained = [
        f"{_groups(len(mixed))} {_mixed(compared)}" if mixed else "",
        f"{counted(repeated, 'run')} recorded more than once: the latest counts" if repeated else "",
        "means over different folds or runs" if len(grids) > 1 or (grids and compared.without_folds) else "",
        "folds or seeds are missing" if compared.missing else "",
        *(f"{name} was not measured on the same examples in all runs" for name in compared.on_other_data),
        f"no interval of {_groups(len(list(filter(None, without))))}" if any(without) else "",
        f"no test of {_groups(len(untested))}" if untested else "",
    ]
    lines = [
        not_counted(uncounted(compared)),
        f"also differ between the groups: {settings(differing)}" if differing else "",
        *(f"{line}{more}" for line in explained if line),
    ]
    return [clean(line) for line in lines if line]


def _groups(count: int) -> str:
    return counted(count, "group")


def _few(*sizes: int) -> bool:
    """Whether the column of intervals says why there is none."""
    return min(sizes) < statistics.FEWEST


def uncounted(compared: Compared) -> Counter[str]:
    """How many runs of a comparison do not count, by the reason."""
    return sum(compared.uncounted, Counter(compared.without_task))


def not_counted(counts: Counter[str]) -> str:
    """As 'not counted: 4 running, 1 failed'; '' for none."""
    return f"not counted: {', '.join(f'{count:,} {what}' for what, count in counts.items())}" if counts else ""


def _mixed(compared: Compared) -> str:
    """As 'mix runs that differ in learning_rate', the verb after the number of groups."""
    columns = dict.fromkeys(name for group in compared.groups for name in group.mixed)
    verb = "mix" if sum(bool(group.mixed) for group in compared.groups) > 1 else "mixes"
    return f"{verb} runs that differ in {first_of(in_words(columns), COLUMNS)}"


def in_words(columns: Iterable[str]) -> list[str]:
    """The names of columns in which the runs of a group differ, as short as they tell."""
    names = list(columns)
    return ["training data" if name == "dataset.sha256" else short_name(names, name) for name in names]


def settings(values: Mapping[str, Sequence[Any]]) -> str:
    """Settings with their values, as in 'learning_rate 0.01, 0.001; batch_size 32, 64'."""
    named = zip(in_words(values), values.values(), strict=True)
    return "; ".join(f"{name} {first_of(short_texts(of), VALUES)}" for name, of in named)


def over_runs(groups: Iterable[Group]) -> list[str]:
    """What the intervals of groups without folds are over: seeds, or runs that a group mixes."""
    mixed = {bool(group.mixed) for group in groups if group.summary.interval}
    return ["seeds"] * (False in mixed) + ["the mixed runs of a group"] * (True in mixed)


def _over_folds(groups: Iterable[Group]) -> list[str]:
    """What the intervals of groups with folds are over."""
    having = [group for group in groups if group.summary.interval]
    unmixed = [group for group in having if not group.mixed]
    all_seeds = all(group.sample.counts_seeds for group in unmixed)
    over = ["folds" if all_seeds else "folds of these seeds"] * bool(unmixed)
    return over + ["folds of mixed runs"] * (len(unmixed) < len(having))


def footnote(comparisons: Iterable[Compared], hints: bool = True) -> str:
    """What the intervals of all comparisons are over, or ''; with hints also which options select and explain."""
    comparisons = list(comparisons)
    over = over_runs(group for each in comparisons for group in each.without_folds)
    over += _over_folds(group for each in comparisons for group in each.with_folds)
    ranked = {each.metric for each in comparisons if len(each.groups) > 1 and each.metric.part == "test"}
    choose = sorted(metrics.join("val", str(metric.metric)) for metric in ranked)
    sentences = [
        *[f"Intervals over {' or '.join(over)}."] * bool(over),
        *[f"To select a configuration, rank by --metric {' or '.join(choose)}."] * bool(choose and hints),
        *[f"{EXPLAIN} says more."] * hints,
    ]
    return clean(" ".join(sentences))
