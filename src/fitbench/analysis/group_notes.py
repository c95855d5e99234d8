"""The sentences below a comparison of groups: warnings, and how the numbers were computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fitbench import metrics
from fitbench.analysis import statistics
from fitbench.analysis.comparison import Compared
from fitbench.analysis.groups import Group, also_differ
from fitbench.analysis.in_short import over_runs, settings
from fitbench.analysis.telling import short_texts
from fitbench.text import clean, counted, first_of

NAMED = 10  # folders or groups that a line names at most
OVERLAP = (
    "Its squared error is (1/k + n_validation / n_train) s^2 of the k folds, because their training parts overlap "
    "(Nadeau and Bengio 2003, Machine Learning 52, 239-281)"
)
SEEDS = (
    ", plus s_seed^2 / S of the means of the S seeds, because all folds of a seed share its effect; degrees of freedom "
    "after Satterthwaite (1946)."
)
WORDS = {"dataset.sha256": "training data"}
VALUES, COLUMNS = 4, 3  # values, and columns with them, that a line about mixed groups names at most


def notes(compared: Compared) -> list[str]:
    """Warnings: runs that do not count, groups that mix configurations, intervals that are missing."""
    return [clean(note) for note in (*_notes_on_runs(compared), *_notes_on_tests(compared))]


def _notes_on_runs(compared: Compared) -> list[str]:
    groups, lines = compared.groups, []
    uncounted = [
        f"{group.label} ({', '.join(f'{count} {what}' for what, count in counts.items())})"
        for group, counts in zip(groups, compared.uncounted, strict=True)
        if counts
    ]
    if compared.without_task:
        states = ", ".join(f"{count} {state}" for state, count in compared.without_task.items())
        uncounted.append(f"runs whose task was not known yet ({states})")
    if uncounted:
        lines.append(f"Not counted: {first_of(uncounted, NAMED, '; ')}.")
    for columns, labels in _by_reason((tuple(group.mixed), group) for group in groups):
        members = [group for group in groups if tuple(group.mixed) == columns]
        differ = "; ".join(
            f"{WORDS.get(name, name)}: {first_of(_values(members, name), VALUES)}" for name in columns[:COLUMNS]
        )
        more = f"; and {len(columns) - COLUMNS} more columns" if len(columns) > COLUMNS else ""
        lines.append(f"Mixed, as the runs differ in more than the keys ({differ}{more}): {labels}.")
    repeated = [folder for group in groups for folder in group.repeated]
    if repeated:
        lines.append(
            "Recorded more than once, with the same configuration, seed, fold and data; the latest counts, not "
            f"{first_of(repeated, 2)}."
        )
    if differing := also_differ(groups, compared.keys):
        lines.append(f"Also differ between the groups, and are no keys: {settings(differing)}.")
    lines += _notes_on_folds(compared)
    lines += [
        f"{name} was not measured on the same examples in all runs, as they have other training data."
        for name in compared.on_other_data
    ]
    return lines


def _notes_on_folds(compared: Compared) -> list[str]:
    """What the means are over, unless the title says it, and what of a full grid of folds and seeds is missing."""
    lines, grids = [], {group.sample.text for group in compared.with_folds}
    if len(grids) > 1 or (grids and compared.without_folds):
        over = [f"{group.label}: {group.sample.text}" for group in (*compared.with_folds, *compared.without_folds)]
        lines.append(f"Means over {first_of(over, NAMED, '; ')}.")
    missing = [f"{group.label} ({first_of(group.sample.missing, VALUES, '; ')})"
               for group in compared.missing]  # fmt: skip
    if missing:
        lines.append(
            f"Missing: {first_of(missing, NAMED, '; ')}. A mean is over the folds that are there, and each of them "
            "counts once, however many seeds it has; a test takes the folds that both groups have."
        )
    return lines


def _notes_on_tests(compared: Compared) -> list[str]:
    groups = compared.groups
    constant = [(group.sample.noun, group)
                for group in groups if group.summary.interval and len(set(group.summary.interval)) == 1]  # fmt: skip
    tested = [(comparison.difference.note, group)
              for group, comparison in zip(groups, compared.comparisons, strict=True) if comparison]  # fmt: skip
    return [
        *(
            f"No interval, {reason}: {labels}."
            for reason, labels in _by_reason((group.summary.no_interval, group) for group in groups)
        ),
        *(
            f"Every {noun} has the same value, so the interval has no width: {labels}."
            for noun, labels in _by_reason(constant)
        ),
        *(
            f"The interval holds for the seeds of these runs alone, {reason}: {labels}."
            for reason, labels in _by_reason(
                (group.sample.without_seeds, group) for group in groups if group.summary.interval
            )
        ),
        *(f"No p-value, {reason}: {labels}." for reason, labels in _by_reason(tested)),
    ]


def _by_reason(groups: Iterable[tuple[Any, Group]]) -> list[tuple[Any, str]]:
    """Each reason, and the labels of its groups; groups without a reason are left out."""
    reasons: dict[Any, list[str]] = {}
    for reason, group in groups:
        if reason:
            reasons.setdefault(reason, []).append(group.label)
    return [(reason, first_of(labels, NAMED, "; ")) for reason, labels in reasons.items()]


def _values(groups: Sequence[Group], name: str) -> list[str]:
    values = dict.fromkeys(short_texts([value for group in groups for value in group.mixed[name]]))
    return [value if len(value) <= 30 else value[:29] + "…" for value in values]


def footnotes(compared: Compared, validation: str = "") -> list[str]:
    """How the numbers were computed, and what they do not say.

    Args:
        compared: what they are about.
        validation: by what to rank to select a configuration, in words; '': by --metric.
    """
    metric, lines = compared.metric, interval_notes(compared)
    if any(group.seconds is not None for group in compared.groups) and metric.name != "fit_seconds":
        lines.append("median fit s: the median of the seconds that the runs of a group took to fit.")
    if any(compared.comparisons):
        lines += _p_notes(compared)
        if any(comparison and comparison.probability is not None for comparison in compared.comparisons):
            fold = " of the same fold" if compared.with_folds else ""
            lines.append(
                f"P(better): how often a run of the group beats one{fold} of the reference, ties counting half."
            )
        if compared.chosen:
            lines.append(
                "The reference was chosen as the best of these very means, which flatters it; Holm's correction does "
                "not undo that."
            )
    if metric.metric is not None and metric.part == "test" and len(compared.groups) > 1:
        validation = validation or f"--metric {metrics.join('val', metric.metric)}"
        lines.append(f"To select a configuration, rank by {validation}: the test set is for reporting.")
    return lines


def interval_notes(compared: Compared) -> list[str]:
    """Which 95% intervals the means have: those over seeds or mixed runs, and those over folds."""
    lines, metric = [], compared.metric
    if compared.without_folds or not compared.with_folds:
        over = over_runs(compared.without_folds) or ["seeds"]
        method = statistics.interval_method(metric, "seeds" if over == ["seeds"] else "runs")
        lines.append(f"95% interval of the mean over {' or '.join(over)}: {method}.")
    if compared.with_folds:
        method = statistics.interval_method(metric, "folds")
        several = any(group.sample.counts_seeds for group in compared.with_folds)
        error = OVERLAP + (SEEDS if several else ", with k - 1 degrees of freedom.")
        averaged = "runs" if any(group.mixed for group in compared.with_folds) else "seeds"
        lines.append(f"95% interval of the mean over folds, the {averaged} of each averaged: {method}. {error}")
    return lines


def _p_notes(compared: Compared) -> list[str]:
    """Which tests the p-values are of."""
    tested = [comparison for comparison in compared.comparisons if comparison and comparison.p_holm is not None]
    tests = {comparison.difference.test for comparison in tested}
    over_folds = "corrected resampled t-test, paired by fold, the seeds of each averaged"
    if any(group.sample.counts_seeds for group in compared.with_folds):
        over_folds += " and their variance added"
    over_seeds = "t-test paired over the common seeds where there are 5 or more, else Welch's"
    texts = [over_seeds] * bool(tests - {statistics.CORRECTED}) + [over_folds] * (statistics.CORRECTED in tests)
    return [f"p: {'; '.join(texts)}; p Holm: corrected for {counted(len(tested), 'comparison')}."] * bool(tested)
