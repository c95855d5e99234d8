"""`fitbench compare`: configurations over their seeds, ranked, and each against the best or a baseline."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fitbench.analysis import statistics
from fitbench.analysis.groups import Comparison, Group, against, default_keys, find, group, text
from fitbench.analysis.statistics import Metric
from fitbench.columns import Column, as_markdown, escaped, print_columns
from fitbench.errors import RequestError
from fitbench.record import reading
from fitbench.text import check_format, clean, console, number, span

if TYPE_CHECKING:
    import pandas as pd

Reason = TypeVar("Reason")
METRIC = "test_accuracy"
GROUPS = 50  # groups that tables show unless --limit says otherwise
NAMED = 10  # folders or groups that a line names at most
VALUES, COLUMNS = 4, 3  # values, and columns with them, that a line about mixed groups names at most


def compare(
    paths: Sequence[str],
    by: str | None,
    metric: str | None,
    baseline: str | None,
    where: str | None,
    study: str | None,
    outputs: Path,
    limit: int | None,
    format: str,
) -> None:
    """Print the groups of the runs below the paths; or, of two single runs, where they disagree.

    Args:
        paths: outputs folders, studies, run folders or names of runs in `outputs`; none means `outputs`.
        by: the columns that make a group, separated by commas; None stands for those that tell configurations apart.
        metric: which recorded number is compared; None stands for test_accuracy.
        baseline: the group to compare with, as `groups.find` reads it; None stands for the best.
        where: a filter of runs, as `fitbench runs` has it.
        study: the only study to look at.
        outputs: where the names of runs are looked for.
        limit: rows that a table shows at most.
        format: 'table', 'csv', 'json' or 'markdown'; csv and json hold every row.

    Raises:
        RequestError: an option is wrong, nothing is left to compare, or two runs were tested on different images.
        FitbenchError: a file of two single runs is damaged.
    """
    printers = {"table": _print, "csv": _print_csv, "json": _print_json, "markdown": _print_markdown}
    check_format(format, list(printers))
    folders = [Path(path) if Path(path).exists() else reading.find_run(path, outputs) for path in paths]
    if len(folders) == 2 and all(map(reading.is_run, folders)):
        options = {"--by": by, "--metric": metric, "--baseline": baseline, "--where": where, "--study": study}
        given = [name for name, value in options.items() if value is not None]
        if given:
            raise RequestError(f"{', '.join(given)} is for groups of runs; {paths[0]} and {paths[1]} are single runs")
        from fitbench.analysis import two_runs

        two_runs.compare_runs(folders[0], folders[1], limit, format)
        return
    compared = _compared(folders or [outputs], by, metric or METRIC, baseline, where, study)
    printers[format](compared, limit or GROUPS)


# -- what is compared -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """Groups, best first, and what each came to against `groups[reference]`; None where no group has a value."""

    metric: Metric
    keys: list[str]
    groups: list[Group]
    comparisons: list[Comparison | None]
    reference: int | None
    chosen: bool
    runs: int
    other_data: bool
    left_out: list[tuple[str, str]]

    @property
    def heads(self) -> list[str]:
        """The keys as short as `--by` takes them: model for model.name, learning_rate where no other key ends so."""
        ends = [key.rpartition(".")[2] for key in self.keys]
        return [
            key.removesuffix(".name") if end == "name" else end if ends.count(end) == 1 else key
            for key, end in zip(self.keys, ends, strict=True)
        ]


def _compared(
    folders: Sequence[Path], by: str | None, metric: str, baseline: str | None, where: str | None, study: str | None
) -> Compared:
    from fitbench.analysis.filters import select
    from fitbench.analysis.frame import column, load_runs, say_left_out

    wanted = statistics.known_metric(metric)
    frame = load_runs(*folders)
    say_left_out(frame)
    left_out, found = frame.attrs["left_out"], len(frame)
    if study is not None:
        frame = frame[_of_study(frame, study)]
    if where is not None:
        frame = select(frame, where)
    if not len(frame):
        raise RequestError(f"none of the {found} runs is left to compare" + _because(where, study))
    names = [name.strip() for name in by.split(",")] if by is not None else default_keys(frame)
    keys = list(dict.fromkeys(column(frame, name) for name in names))
    groups = group(frame, keys, wanted)
    reference = find(groups, baseline) if baseline is not None else 0 if groups[0].values else None
    if reference is not None and not groups[reference].values:
        raise RequestError(f"--baseline {baseline!r}: none of its runs has finished with {wanted.name}")
    finished = frame[frame["state"] == "finished"]
    return Compared(
        metric=wanted,
        keys=keys,
        groups=groups,
        comparisons=[None] * len(groups) if reference is None else against(groups, reference, wanted),
        reference=reference,
        chosen=baseline is None,
        runs=len(frame),
        other_data=finished["dataset.sha256"].nunique() > 1 and not any(key.startswith("data") for key in keys),
        left_out=left_out,
    )


def _of_study(frame: pd.DataFrame, study: str) -> pd.Series[bool]:
    chosen = frame["study"] == study
    if not chosen.any():
        known = _several(sorted(set(frame["study"])), between=", ")
        raise RequestError(f"--study {study!r}: there is none of this name; there are {clean(known)}")
    return chosen


def _because(where: str | None, study: str | None) -> str:
    asked = [f"{name} {value!r}" for name, value in (("--study", study), ("--where", where)) if value is not None]
    return f" with {' and '.join(asked)}" if asked else ""


# -- numbers as text --------------------------------------------------------------------------------------------------


def decimals(metric: Metric, groups: Sequence[Group]) -> int:
    """Digits behind the point for a metric of these groups: two of the standard deviation, and four of accuracies."""
    spreads = sorted(one.summary.sd for one in groups if one.summary.sd)
    fewest = 4 if metric.high == 1 else 0
    if spreads:
        return min(6, max(fewest, 1 - math.floor(math.log10(spreads[len(spreads) // 2]))))
    values = [value for one in groups for value in one.values]
    return fewest if all(value.is_integer() for value in values) else max(fewest, 4)


def p_text(p: float | None) -> str:
    """A p-value with three digits behind the point, '-' for None."""
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _seconds(value: float | None) -> str:
    return number(value, 0 if value is None or value >= 100 else 1 if value >= 10 else 2)


# -- columns ----------------------------------------------------------------------------------------------------------


def _key_columns(compared: Compared, groups: Sequence[Group]) -> list[Column]:
    return [
        Column(head, [clean(text(one.keys[key])) for one in groups], right=False, key=True)
        for head, key in zip(compared.heads, compared.keys, strict=True)
    ]


def _ranking(compared: Compared, groups: Sequence[Group]) -> list[Column]:
    digits = decimals(compared.metric, compared.groups)

    def mean(one: Group) -> str:
        spread = "" if one.summary.sd is None else f" ± {number(one.summary.sd, digits)}"
        return number(one.summary.mean, digits) + spread

    def interval(one: Group) -> str:
        few = one.summary.interval is None and one.summary.n < statistics.FEWEST
        return f"n < {statistics.FEWEST}" if few else span(one.summary.interval, digits)

    columns = [
        Column("#", ["-" if one.rank is None else str(one.rank) for one in groups]),
        *_key_columns(compared, groups),
        Column("n", [str(one.summary.n) for one in groups]),
        Column("mean ± sd", [mean(one) for one in groups]),
        Column("95% interval", [interval(one) for one in groups], spare=0),
        Column("best", [number(one.best, digits) for one in groups], spare=3),
        Column("worst", [number(one.worst, digits) for one in groups], spare=4),
    ]
    if compared.metric.name != "parameters":
        columns.append(Column("parameters", [number(one.parameters, 0) for one in groups], spare=2))
    if compared.metric.name != "fit_seconds":
        columns.append(Column("fit s", [_seconds(one.seconds) for one in groups], spare=1))
    return columns


def _differences(compared: Compared, groups: Sequence[Group], comparisons: Sequence[Comparison | None]) -> list[Column]:
    """The columns of the groups that are not the reference; none where nothing can be compared."""
    digits = decimals(compared.metric, compared.groups)
    pairs = [(one, comparison) for one, comparison in zip(groups, comparisons, strict=True) if comparison]

    def cells(of: Callable[[Comparison], str]) -> list[str]:
        return [of(comparison) for _, comparison in pairs]

    tests = cells(lambda c: f"{c.difference.test}, n = {' and '.join(map(str, c.difference.n))}")
    ranks = ["-" if one.rank is None else str(one.rank) for one, _ in pairs]
    return [
        Column("#", ranks),
        Column("group", [clean(one.label) for one, _ in pairs], right=False, key=True),
        Column("difference", cells(lambda c: f"{c.difference.estimate:+,.{digits}f}")),
        Column("95% interval", cells(lambda c: span(c.difference.interval, digits))),
        Column("p", cells(lambda c: p_text(c.difference.p)), spare=0),
        Column("p Holm", cells(lambda c: p_text(c.p_holm))),
        Column("P(better)", cells(lambda c: f"{c.probability:.2f}")),
        Column("test", tests, right=False, spare=1),
    ]


# -- what has to be said ----------------------------------------------------------------------------------------------


def _notes(compared: Compared) -> list[str]:
    """What is not as it seems: runs that do not count, groups that mix configurations, intervals that are missing."""
    groups, notes = compared.groups, []
    others = [
        f"{one.label} ({', '.join(f'{count} {what}' for what, count in one.uncounted.items())})"
        for one in groups
        if one.uncounted
    ]
    if others:
        notes.append(f"Not counted: {_several(others)}.")
    for columns, members in _by_reason((tuple(one.mixed), one) for one in groups if one.mixed).items():
        differ = "; ".join(f"{name}: {_several(_values(members, name), VALUES, ', ')}" for name in columns[:COLUMNS])
        more = f"; and {len(columns) - COLUMNS} more columns" if len(columns) > COLUMNS else ""
        notes.append(f"Mixed, as the runs differ in more than the keys ({differ}{more}): {_labels(members)}.")
    repeated = [folder for one in groups for folder in one.repeated]
    if repeated:
        notes.append(
            "Recorded more than once, with the same configuration, seed and data; the latest counts, not "
            f"{_several(repeated, 2, ', ')}."
        )
    if compared.other_data:
        notes.append("The runs were not all tested on the same data: dataset.sha256 varies.")
    for reason, members in _by_reason((one.summary.no_interval, one) for one in groups).items():
        if reason:
            notes.append(f"No interval, {reason}: {_labels(members)}.")
    constant = [one for one in groups if one.summary.interval and one.summary.sd == 0]
    if constant:
        notes.append(f"Every run has the same value, so the interval has no width: {_labels(constant)}.")
    tested = ((comparison.difference.note, one) for one, comparison in _pairs(compared) if comparison)
    for reason, members in _by_reason(tested).items():
        if reason:
            notes.append(f"No p-value, {reason}: {_labels(members)}.")
    return [clean(note) for note in notes]


def _by_reason(groups: Iterable[tuple[Reason, Group]]) -> dict[Reason, list[Group]]:
    reasons: dict[Reason, list[Group]] = {}
    for reason, one in groups:
        reasons.setdefault(reason, []).append(one)
    return reasons


def _labels(groups: Sequence[Group]) -> str:
    return _several([one.label for one in groups])


def _values(groups: Sequence[Group], name: str) -> list[str]:
    values = dict.fromkeys(text(value) for one in groups for value in one.mixed[name])
    return [value if len(value) <= 30 else value[:29] + "…" for value in values]


def _several(names: Sequence[str], most: int = NAMED, between: str = "; ") -> str:
    return between.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _footnote(compared: Compared) -> list[str]:
    """How the numbers were computed, and what they do not say."""
    lines = [f"95% interval of the mean over seeds: {statistics.interval_method(compared.metric)}."]
    if any(compared.comparisons):
        tested = [comparison for comparison in compared.comparisons if comparison and comparison.p_holm is not None]
        if tested:
            lines.append(
                "p: t-test paired over the common seeds where there are 5 or more, else Welch's; p Holm: corrected for "
                f"{len(tested)} comparison{'s'[: len(tested) != 1]}."
            )
        lines.append("P(better): how often a run of the group beats one of the reference, ties counting half.")
        if compared.chosen:
            lines.append(
                "The reference was chosen as the best of these very means, which flatters it; Holm's correction does "
                "not undo that."
            )
    if compared.metric.name.startswith("test_") and len(compared.groups) > 1:
        validation = compared.metric.name.replace("test_", "val_")
        lines.append(f"To choose a configuration rank by --metric {validation}: the test set is for reporting.")
    return lines


def _title(compared: Compared) -> str:
    direction = "higher" if compared.metric.higher_is_better else "lower"
    unit = f" in {compared.metric.unit}" if compared.metric.unit else ""
    count, runs = len(compared.groups), compared.runs
    return (
        f"{compared.metric.name}{unit}, {direction} is better: {count} group{'s'[: count != 1]} of "
        f"{runs} run{'s'[: runs != 1]} by {', '.join(compared.heads) or 'nothing'}"
        + (f"; {len(compared.left_out)} left out" if compared.left_out else "")
    )


def _reference_title(compared: Compared) -> str:
    assert compared.reference is not None
    kind = "the best" if compared.chosen else "the baseline"
    return f"Against {kind}, {compared.groups[compared.reference].label}"


# -- the terminal -----------------------------------------------------------------------------------------------------


def _print(compared: Compared, limit: int) -> None:
    out = console()
    groups, comparisons = compared.groups[:limit], compared.comparisons[:limit]
    out.print(clean(_title(compared)), style="bold")
    dropped = print_columns(out, _ranking(compared, groups))
    if len(compared.groups) > limit:
        out.print(f"and {len(compared.groups) - limit} more groups; --limit shows them", style="dim")
    if any(comparisons):
        out.print(f"\n{clean(_reference_title(compared))}", style="bold")
        dropped += print_columns(out, _differences(compared, groups, comparisons))
    for note in _notes(compared):
        out.print(note, style="yellow")
    for line in _footnote(compared):
        out.print(line, style="dim")
    if dropped:
        out.print(f"Too narrow here for: {clean(', '.join(dict.fromkeys(dropped)))}.", style="dim")


# -- markdown, csv, json ----------------------------------------------------------------------------------------------


def _print_markdown(compared: Compared, limit: int) -> None:
    groups, comparisons = compared.groups[:limit], compared.comparisons[:limit]
    print(f"**{escaped(_title(compared))}**\n")
    print(as_markdown(_ranking(compared, groups)))
    if len(compared.groups) > limit:
        print(f"\nand {len(compared.groups) - limit} more groups")
    if any(comparisons):
        print(f"\n**{escaped(_reference_title(compared))}**\n")
        print(as_markdown(_differences(compared, groups, comparisons)))
    for line in (*_notes(compared), *_footnote(compared)):
        print(f"\n{escaped(line)}")


def _print_csv(compared: Compared, _limit: int) -> None:
    rows = [_flat(compared, one, comparison) for one, comparison in _pairs(compared)]
    writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _pairs(compared: Compared) -> Iterable[tuple[Group, Comparison | None]]:
    return zip(compared.groups, compared.comparisons, strict=True)


def _flat(compared: Compared, one: Group, comparison: Comparison | None) -> dict[str, Any]:
    low, high = one.summary.interval or (None, None)
    row: dict[str, Any] = {"rank": one.rank}
    row |= {key: clean(text(value)) if isinstance(value, str) else value for key, value in one.keys.items()}
    row |= {
        "metric": compared.metric.column,
        "n": one.summary.n,
        "mean": one.summary.mean,
        "sd": one.summary.sd,
        "low": low,
        "high": high,
        "best": one.best,
        "worst": one.worst,
        "parameters": one.parameters,
        "fit_seconds": one.seconds,
        "uncounted": sum(one.uncounted.values()),
        "repeated": len(one.repeated),
        "mixed": " ".join(one.mixed),
    }
    against = _against(comparison) if comparison else dict.fromkeys(_AGAINST)
    return row | {name: against[name] for name in _AGAINST}


_AGAINST = ("difference", "difference_low", "difference_high", "p", "p_holm", "test", "probability_better")


def _against(comparison: Comparison) -> dict[str, Any]:
    low, high = comparison.difference.interval or (None, None)
    return {
        "difference": comparison.difference.estimate,
        "difference_low": low,
        "difference_high": high,
        "p": comparison.difference.p,
        "p_holm": comparison.p_holm,
        "test": comparison.difference.test,
        "n": list(comparison.difference.n),
        "note": comparison.difference.note,
        "probability_better": comparison.probability,
    }


def _print_json(compared: Compared, _limit: int) -> None:
    reference = compared.groups[compared.reference] if compared.reference is not None else None
    content = {
        "metric": compared.metric.column,
        "higher_is_better": compared.metric.higher_is_better,
        "by": compared.keys,
        "confidence": statistics.CONFIDENCE,
        "interval": statistics.interval_method(compared.metric),
        "reference": None
        if reference is None
        else {
            "keys": reference.keys,
            "chosen_by": "best mean" if compared.chosen else "--baseline",
        },
        "groups": [_nested(one, comparison) for one, comparison in _pairs(compared)],
        "notes": _notes(compared),
        "left_out": [{"folder": folder, "reason": reason} for folder, reason in compared.left_out],
    }
    print(json.dumps(content, indent=2, allow_nan=False, default=str))


def _nested(one: Group, comparison: Comparison | None) -> dict[str, Any]:
    low, high = one.summary.interval or (None, None)
    return {
        "rank": one.rank,
        "keys": one.keys,
        "n": one.summary.n,
        "mean": one.summary.mean,
        "sd": one.summary.sd,
        "low": low,
        "high": high,
        "no_interval": one.summary.no_interval,
        "best": one.best,
        "worst": one.worst,
        "parameters": one.parameters,
        "fit_seconds": one.seconds,
        "seeds": one.seeds,
        "values": one.values,
        "folders": one.folders,
        "uncounted": one.uncounted,
        "repeated": one.repeated,
        "mixed": one.mixed,
        "comparison": _against(comparison) if comparison else None,
    }
