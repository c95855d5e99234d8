"""Groups of runs compared with one of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from fitbench import metrics
from fitbench.analysis import request, statistics
from fitbench.analysis.comparable import Comparable, comparable, first_metric, is_no_metric
from fitbench.analysis.frame import in_known_groups, of_known_task, records
from fitbench.analysis.groups import Group, group, group_each
from fitbench.analysis.names import find_column, short_name
from fitbench.analysis.sample import Sample
from fitbench.analysis.statistics import UNTESTED, Component, Difference
from fitbench.analysis.telling import key_text, text
from fitbench.errors import RequestError
from fitbench.quantities import Quantity
from fitbench.text import is_number, lines_of

if TYPE_CHECKING:
    import pandas as pd

NAMED = 10  # groups that a message names at most


@dataclass(frozen=True)
class Comparison:
    """A group against the reference: the difference of the means (group minus reference), its p-value corrected
    for the number of comparisons after Holm, and the probability that a run of the group beats one of the reference; of
    the same fold, where they have folds. Without a test, and where one of the two has fewer than 3 runs, it is None.
    """

    difference: Difference
    p_holm: float | None
    probability: float | None


def against(groups: Sequence[Group], reference: int, metric: Quantity) -> list[Comparison | None]:
    """Each group against the one at position `reference`, in the order of `groups`.

    A difference is paired over the common seeds where there are at least 5 of them and no group has a seed twice; it
    is then that of the pairs alone. Else it is Welch's. Groups with folds are paired by fold, each with the mean over
    its seeds; without the same folds they are not tested. None stands for the reference itself and where a group or the
    reference has no values.
    """
    base = groups[reference]
    differences = [
        _difference(entry, base, metric) if entry is not base and entry.values and base.values else None
        for entry in groups
    ]
    corrected = statistics.holm([difference.p if difference else None for difference in differences])
    comparisons: list[Comparison | None] = []
    for entry, difference, p_holm in zip(groups, differences, corrected, strict=True):
        if difference is None:
            comparisons.append(None)
            continue
        few = min(len(entry.values), len(base.values)) < statistics.FEWEST
        chance = None if few or difference.test == UNTESTED else _probability(entry, base, metric)
        comparisons.append(Comparison(difference, p_holm, chance))
    return comparisons


def _difference(entry: Group, base: Group, metric: Quantity) -> Difference:
    if entry.sample.has_folds or base.sample.has_folds:
        return _difference_by_fold(entry, base, metric)
    common = sorted(set(entry.seeds) & set(base.seeds))
    once = all(len(set(side.seeds)) == len(side.seeds) for side in (entry, base))
    if not once or len(common) < statistics.FEWEST_PAIRS:
        return statistics.welch(entry.values, base.values, metric.low, metric.high)
    by_seed = [dict(zip(side.seeds, side.values, strict=True)) for side in (entry, base)]
    a, b = ([values[seed] for seed in common] for values in by_seed)
    return statistics.paired(a, b, metric.low, metric.high)


def _difference_by_fold(entry: Group, base: Group, metric: Quantity) -> Difference:
    """The corrected resampled t-test over the folds that both have, the seeds of each averaged, with their variance."""
    if why := _untested(entry.sample, base.sample):
        estimate = statistics.mean_of(entry.means) - statistics.mean_of(base.means)
        return Difference(estimate, None, None, UNTESTED, (entry.summary.n, base.summary.n), why)
    common = set(entry.folds) & set(base.folds)
    (a, ours), (b, theirs) = (_on_folds(side, common) for side in (entry, base))
    seeds = _of_seeds(a.by_seed(ours), b.by_seed(theirs), max(map(abs, (*ours, *theirs))))
    overlap = max(a.overlap or 0.0, b.overlap or 0.0)
    return statistics.corrected(a.means(ours), b.means(theirs), overlap, metric.low, metric.high, seeds)


def _on_folds(side: Group, folds: Container[int | None]) -> tuple[Sample, list[float]]:
    """The sample and the values of those runs of a group that are of these folds."""
    places = [place for place, fold in enumerate(side.folds) if fold in folds]
    return side.sample.only(places), [side.values[place] for place in places]


def _of_seeds(a: Mapping[int, float], b: Mapping[int, float], scale: float) -> list[Component]:
    """The components of seeds in a difference of groups, from the mean of each seed; `scale` is the largest value.

    Where both have the same seeds, each seed's difference counts, because the two runs of a seed share random numbers.
    Other seeds are independent, and each group has its own component.
    """
    if a.keys() == b.keys():
        return statistics.of_seeds([a[seed] - b[seed] for seed in a], scale)
    return [part for means in (a, b) for part in statistics.of_seeds(list(means.values()), scale)]


def _untested(a: Sample, b: Sample) -> str | None:
    """Why two samples, of which one has folds or both have, cannot be tested against each other."""
    if a.has_folds != b.has_folds:
        return "only one of the two has folds"
    if why := a.untestable or b.untestable:
        return f"one of the two cannot be tested: {why}"
    assert a.partition is not None and b.partition is not None
    if a.partition.folds != b.partition.folds:
        return f"the two have different folds: {a.partition.folds} and {b.partition.folds} of them"
    common = sorted(a.checksums.keys() & b.checksums.keys())
    if not common:
        return "the two have no fold in common"
    differ = ", ".join(a.partition.differences(b.partition))
    if other := [str(fold) for fold in common if len(a.checksums[fold] | b.checksums[fold]) > 1]:
        because = f" (they differ in {differ})" * bool(differ)
        return f"the two have different folds: other examples or targets in fold {', '.join(other)}{because}"
    if differ:
        return f"the two may have different folds: they differ in {differ}, and not all have recorded their examples"
    return None


def _probability(entry: Group, base: Group, metric: Quantity) -> float | None:
    """How often a run of the group beats one of the reference; with folds the mean of this over their common folds."""
    if not entry.sample.has_folds:
        return statistics.probability_better(entry.values, base.values, metric.higher_is_better)
    a, b = (side.sample.by_member(side.values) for side in (entry, base))
    chances = (statistics.probability_better(a[fold], b[fold], metric.higher_is_better) for fold in a.keys() & b.keys())
    return statistics.mean_of([chance for chance in chances if chance is not None])


def find(groups: Sequence[Group], wanted: str) -> int:
    """The position of the group that a person names.

    It is named by its values in the order of the keys, as in 'mlp,adam', or by some of them with names of the keys
    that `find_column` knows, as in 'model.name=mlp' or 'model=mlp'. A number may be written in any way: 0.20 is 0.2.

    Raises:
        RequestError: no group or several fit, or a name is that of no key; the message names what there is.
    """
    fits = _fitting(groups, wanted)
    if len(fits) == 1:
        return fits[0]
    labels = [groups[i].label for i in fits] if fits else [entry.label for entry in groups]
    keys = ", ".join(groups[0].keys) if groups else "the keys"
    raise RequestError(
        f"--baseline {wanted!r} fits {len(fits) or 'none'} of the {len(groups)} groups by {keys}; "
        f"{'one of' if fits else 'there are'}:{lines_of(labels, NAMED)}"
    )


def _fitting(groups: Sequence[Group], wanted: str) -> list[int]:
    """The positions of the groups whose values are written like this; without one, those with the same numbers."""
    parts = [part.strip() for part in re.split(r",(?![^\[{]*[\]}])", wanted)]
    for form in (_bare, _in_numbers):
        if fits := [i for i, entry in enumerate(groups) if _fits(entry, parts, form)]:
            return fits
    return []


def _fits(entry: Group, parts: Sequence[str], form: Callable[[str], str]) -> bool:
    values = {
        key: (form(key_text(value)), form(short))
        for (key, value), short in zip(entry.keys.items(), entry.texts, strict=True)
    }
    if not all("=" in part for part in parts):
        pairs = list(zip(values.values(), parts, strict=False))
        return len(parts) == len(values) and all(form(part) in texts for texts, part in pairs)
    by_name = [part.split("=", 1) for part in parts]
    return all(form(wanted) in values[find_column(list(values), key.strip())] for key, wanted in by_name)


def _bare(value: str) -> str:
    """A value without the spaces and quotation marks that people write or leave out, as in '[300, 100]'."""
    return re.sub(r"[\s'\"]", "", value)


def _in_numbers(value: str) -> str:
    """A bare value in which equal numbers are equal texts: 0.20 is 0.2, and [1e-3, 5.0] is [0.001,5]."""

    def of(found: re.Match[str]) -> str:
        return text(float(found[0])) if is_number(found[0]) else found[0]

    return re.sub(r"[^,:\[\]{}]+", of, _bare(value))


@dataclass(frozen=True)
class Further:
    """The groups of a comparison by a metric that does not rank them, in the order of the comparison."""

    metric: Quantity
    groups: list[Group]
    other_data: bool  # see `Compared`


@dataclass(frozen=True)
class Compared:
    """Groups, best first, and what each came to against `groups[reference]`.

    Attributes:
        metric: the quantity that the groups are ranked by.
        keys: the columns that make a group.
        heads: the same as short as `--by` takes them.
        groups: the groups, best first.
        comparisons: of each group with the reference; None for the reference itself, and for a group without values.
        reference: the position of the reference, None where no group has a value.
        chosen: whether the reference is the best, because the user named no baseline.
        runs: the number of runs.
        other_data: whether the metric was measured on different training or validation examples.
        left_out: folders that could not be read, with the reason.
        task, data: of the runs; '' where they are not known.
        of: how people tell this comparison from others that are shown beside it, as 'mnist'; '' without others.
        without_task: how many runs are left out because their task is not known yet, by state.
        further: the same groups by further metrics.
    """

    metric: Quantity
    keys: list[str]
    heads: list[str]
    groups: list[Group]
    comparisons: list[Comparison | None]
    reference: int | None
    chosen: bool
    runs: int
    other_data: bool
    left_out: list[tuple[str, str]]
    task: str
    data: str
    of: str
    without_task: dict[str, int]
    further: tuple[Further, ...] = ()

    @property
    def on_other_data(self) -> list[str]:
        """The names of the metrics that were measured on different examples."""
        further = [each.metric.name for each in self.further if each.other_data]
        return [self.metric.name] * self.other_data + further

    @property
    def uncounted(self) -> list[Counter[str]]:
        """For each group, how many runs do not count by any of the metrics, by the reason."""
        by_metric = [self.groups, *(each.groups for each in self.further)]
        return [reduce(or_, (Counter(each.uncounted) for each in same)) for same in zip(*by_metric, strict=True)]

    @property
    def missing(self) -> list[Group]:
        """The groups that lack folds, or seeds of them. Where the fold is a key, each group has one by intention."""
        return [] if "fold" in self.keys else [group for group in self.groups if group.sample.missing]

    @property
    def with_folds(self) -> list[Group]:
        """The groups whose runs have folds, or some of them."""
        return [group for group in self.groups if group.sample.has_folds]

    @property
    def without_folds(self) -> list[Group]:
        """The other groups that have a value."""
        return [group for group in self.groups if group.values and not group.sample.has_folds]


def compare_groups(
    which: request.Which, by: str | None, metric: str | None, baseline: str | None, further: Sequence[str] = ()
) -> list[Compared]:
    """The groups of runs, a comparison for each set of runs that may be compared; the arguments are those of `compare`.

    Sets in which no run records the first metric that not every run has are left out. A set without the baseline, which
    another has, is compared with its best group. `further` are metrics that do not rank the groups.

    Raises:
        RequestError: an option is wrong, no run remains, or the runs have different definitions of a metric.
    """
    frame = request.selected_runs(which)
    found = comparable(frame, first_metric(frame, [name for name in (metric, *further) if name is not None]))
    sets = [(each, *_grouped(each, by, metric)) for each in found]
    having = [baseline is not None and bool(_fitting(groups, baseline)) for _, _, groups, *_ in sets]
    return [
        replace(
            compared(frame, groups, quantity, keys, baseline if has or not any(having) else None),
            further=_further(frame, groups, keys, _recorded(each, found, further)),
            task=each.task,
            data=each.data,
            of=each.label,
        )
        for (each, frame, groups, quantity, keys), has in zip(sets, having, strict=True)
    ]


def _grouped(
    each: Comparable, by: str | None, metric: str | None
) -> tuple[pd.DataFrame, list[Group], Quantity, list[str]]:
    """The runs of a set that belong to a group, the groups, what they are ranked by, and their keys."""
    quantity, keys = request.measured(each.frame, metric), request.keys(of_known_task(each.frame), by)
    frame = in_known_groups(each.frame, keys)
    return frame, group(frame, keys, quantity), quantity, keys


def _further(
    frame: pd.DataFrame, groups: Sequence[Group], keys: Sequence[str], names: Sequence[str]
) -> tuple[Further, ...]:
    """The groups by further metrics, in the same order."""
    if not names:
        return ()
    made = []
    measured = [request.measured(frame, name) for name in names]
    for metric, by_metric in zip(measured, group_each(frame, keys, measured), strict=True):
        found = {each.identity: each for each in by_metric}
        in_order = [found[each.identity] for each in groups]
        made.append(Further(metric, in_order, _is_on_other_data(frame, in_order, metric)))
    return tuple(made)


def _recorded(each: Comparable, sets: Sequence[Comparable], names: Sequence[str]) -> list[str]:
    """The metrics that the runs of a set record; also those that no set records, so that an error names them."""

    def has(one: Comparable, name: str) -> bool:
        return is_no_metric(one.frame, name) or records(one.frame, name)

    return [name for name in names if has(each, name) or not any(has(one, name) for one in sets)]


def compared(
    frame: pd.DataFrame, groups: list[Group], metric: Quantity, keys: list[str], baseline: str | None = None
) -> Compared:
    """The groups of the runs of a frame by these keys, compared with the baseline, or with the best.

    Raises:
        RequestError: no group or several are the baseline, or none of its runs has the metric.
    """
    reference = find(groups, baseline) if baseline is not None else 0 if groups[0].values else None
    if reference is not None and not groups[reference].values:
        raise RequestError(f"--baseline {baseline!r}: none of its runs has finished with {metric.name}")
    return Compared(
        metric=metric,
        keys=keys,
        heads=[short_name(frame, key) for key in keys],
        groups=groups,
        comparisons=[None] * len(groups) if reference is None else against(groups, reference, metric),
        reference=reference,
        chosen=baseline is None,
        runs=len(frame),
        other_data=_is_on_other_data(frame, groups, metric),
        left_out=frame.attrs["left_out"],
        task="",
        data="",
        of="",
        without_task=frame.attrs.get("without_task", {}),
    )


def _is_on_other_data(frame: pd.DataFrame, groups: Sequence[Group], metric: Quantity) -> bool:
    """Whether a metric was measured on different training or validation examples in the runs of these groups."""
    partitions = {entry.sample.partition for entry in groups if entry.values}
    same_folds = metrics.is_held_back(metric.part) and len(partitions) == 1 and None not in partitions
    several = frame.loc[frame["state"] == "finished", "dataset.sha256"].nunique() > 1
    return metric.metric is not None and metric.part != "test" and several and not same_folds
