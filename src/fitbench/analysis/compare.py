"""`fitbench compare`: configurations over their seeds, ranked, and each against the best or a baseline."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fitbench import metrics
from fitbench.analysis import statistics
from fitbench.analysis.groups import Comparison, Group, against, default_keys, find, text
from fitbench.analysis.groups import group as group_runs
from fitbench.columns import Column, Note, Table, as_csv, column, latex, markdown, print_tables, records, selected
from fitbench.errors import RequestError
from fitbench.quantities import Quantity
from fitbench.quantities import find as find_quantity
from fitbench.record import reading
from fitbench.text import check_format, clean, console, number, span

if TYPE_CHECKING:
    import pandas as pd

Reason = TypeVar("Reason")
FORMATS = ("table", "csv", "json", "markdown", "latex")
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
        metric: which recorded number is compared, as 'val_macro_f1'; the name of a metric alone means the test part.
            None stands for the primary metric of the runs on the test part.
        baseline: the group to compare with, as `groups.find` reads it; None stands for the best.
        where: a filter of runs, as `fitbench runs` has it.
        study: the only study to look at.
        outputs: where the names of runs are looked for.
        limit: rows that a table shows at most.
        format: one of `FORMATS`; csv and json hold every row.

    Raises:
        RequestError: an option is wrong, nothing remains to compare, the runs have different definitions of the
            metric, or two runs were tested on different images.
        FitbenchError: a file of two single runs is damaged.
    """
    check_format(format, FORMATS)
    folders = [Path(path) if Path(path).exists() else reading.find_run(path, outputs) for path in paths]
    if len(folders) == 2 and all(map(reading.is_run, folders)):
        options = {"--by": by, "--metric": metric, "--baseline": baseline, "--where": where, "--study": study}
        given = [name for name, value in options.items() if value is not None]
        given += ["--format latex"] * (format == "latex")
        if given:
            raise RequestError(f"{', '.join(given)} is for groups of runs; {paths[0]} and {paths[1]} are single runs")
        from fitbench.analysis import two_runs

        two_runs.compare_runs(folders[0], folders[1], limit, format)
        return
    _print(_compared(folders or [outputs], by, metric, baseline, where, study), limit or GROUPS, format)


# -- what is compared -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """Groups, best first, and what each came to against `groups[reference]`; None where no group has a value."""

    metric: Quantity
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
    folders: Sequence[Path],
    by: str | None,
    metric: str | None,
    baseline: str | None,
    where: str | None,
    study: str | None,
) -> Compared:
    from fitbench.analysis.frame import column as column_of
    from fitbench.analysis.frame import primary_of, quantities_of

    frame, left_out = _runs(folders, where, study)
    quantity = find_quantity(metric or metrics.join("test", primary_of(frame)), quantities_of(frame))
    names = [name.strip() for name in by.split(",")] if by is not None else default_keys(frame)
    keys = list(dict.fromkeys(column_of(frame, name) for name in names))
    groups = group_runs(frame, keys, quantity)
    reference = find(groups, baseline) if baseline is not None else 0 if groups[0].values else None
    if reference is not None and not groups[reference].values:
        raise RequestError(f"--baseline {baseline!r}: none of its runs has finished with {quantity.name}")
    finished = frame[frame["state"] == "finished"]
    return Compared(
        metric=quantity,
        keys=keys,
        groups=groups,
        comparisons=[None] * len(groups) if reference is None else against(groups, reference, quantity),
        reference=reference,
        chosen=baseline is None,
        runs=len(frame),
        other_data=finished["dataset.sha256"].nunique() > 1 and not any(key.startswith("data") for key in keys),
        left_out=left_out,
    )


def _runs(folders: Sequence[Path], where: str | None, study: str | None) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """The runs below the folders that fit, one or more, and what could not be read."""
    from fitbench.analysis.filters import select
    from fitbench.analysis.frame import load_runs, say_left_out

    frame = load_runs(*folders)
    say_left_out(frame)
    left_out, count = frame.attrs["left_out"], len(frame)
    if study is not None:
        frame = frame[_of_study(frame, study)]
    if where is not None:
        frame = select(frame, where)
    if not len(frame):
        options = [f"{name} {value!r}" for name, value in (("--study", study), ("--where", where)) if value is not None]
        because = f" with {' and '.join(options)}" if options else ""
        raise RequestError(f"none of the {count} runs is left to compare{because}")
    return frame, left_out


def _of_study(frame: pd.DataFrame, study: str) -> pd.Series[bool]:
    fits = frame["study"] == study
    if not fits.any():
        studies = _several(sorted(set(frame["study"])), between=", ")
        raise RequestError(f"--study {study!r}: there is none of this name; there are {clean(studies)}")
    return fits


# -- numbers as text --------------------------------------------------------------------------------------------------


def decimals(metric: Quantity, groups: Sequence[Group]) -> int:
    """Digits behind the point for a metric of these groups.

    There are two digits of the standard deviation; of a metric whose range has two ends, as accuracies have, at least
    the digits that it states.
    """
    spreads = sorted(group.summary.sd for group in groups if group.summary.sd)
    fewest = metric.digits if math.isfinite(metric.low) and math.isfinite(metric.high) else 0
    if spreads:
        return min(6, max(fewest, 1 - math.floor(math.log10(spreads[len(spreads) // 2]))))
    values = [value for group in groups for value in group.values]
    return fewest if all(value.is_integer() for value in values) else metric.digits


def p_text(p: float | None) -> str:
    """A p-value with three digits behind the point, '-' for None."""
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _seconds(value: float | None) -> str:
    return number(value, 0 if value is None or value >= 100 else 1 if value >= 10 else 2)


def _rank(group: Group) -> str:
    return "-" if group.rank is None else str(group.rank)


# -- columns ----------------------------------------------------------------------------------------------------------


def _ranking(compared: Compared) -> list[Column]:
    """The columns about the groups themselves."""
    metric, groups = compared.metric, compared.groups
    digits = decimals(metric, groups)

    def mean(group: Group) -> str:
        spread = "" if group.summary.sd is None else f" ± {number(group.summary.sd, digits)}"
        return number(group.summary.mean, digits) + spread

    def interval(group: Group) -> str:
        few = group.summary.interval is None and group.summary.n < statistics.FEWEST
        return f"n < {statistics.FEWEST}" if few else span(group.summary.interval, digits)

    def end(place: int) -> Callable[[Group], float | None]:
        return lambda group: group.summary.interval and group.summary.interval[place]

    def of(head: str, cell: Callable[[Group], str], values: dict[str, Callable[[Group], Any]], **look: Any) -> Column:
        return column(head, groups, cell, values, **look)

    return [
        of("#", _rank, {"rank": lambda group: group.rank}),
        *_key_columns(compared),
        of("metric", lambda _: metric.name, {"metric": lambda _: metric.column}, visible=False),
        of("n", lambda group: str(group.summary.n), {"n": lambda group: group.summary.n}),
        of("mean ± sd", mean, {"mean": lambda group: group.summary.mean, "sd": lambda group: group.summary.sd}),
        of("95% interval", interval, {"low": end(0), "high": end(1)}, spare=0),
        of("best", lambda group: number(group.best, digits), {"best": lambda group: group.best}, spare=3),
        of("worst", lambda group: number(group.worst, digits), {"worst": lambda group: group.worst}, spare=4),
        of(
            "parameters", lambda group: number(group.parameters, 0), {"parameters": lambda group: group.parameters},
            spare=2, visible=metric.name != "parameters",
        ),
        of(
            "fit s", lambda group: _seconds(group.seconds), {"fit_seconds": lambda group: group.seconds},
            spare=1, visible=metric.name != "fit_seconds",
        ),
        of("uncounted", _uncounted, {"uncounted": lambda group: sum(group.uncounted.values())}, visible=False),
        of("repeated", lambda group: str(len(group.repeated)), {"repeated": lambda group: len(group.repeated)},
           visible=False),
        of("mixed", lambda group: " ".join(group.mixed), {"mixed": lambda group: " ".join(group.mixed)}, visible=False),
    ]  # fmt: skip


def _key_columns(compared: Compared) -> list[Column]:
    return [
        Column(
            head,
            [clean(text(group.keys[key])) for group in compared.groups],
            right=False,
            key=True,
            values={key: [group.keys[key] for group in compared.groups]},
        )
        for head, key in zip(compared.heads, compared.keys, strict=True)
    ]


def _differences(compared: Compared) -> list[Column]:
    """The columns about each group against the reference; all but the first two are empty for the reference itself."""
    digits = decimals(compared.metric, compared.groups)

    def end(place: int) -> Callable[[Comparison], float | None]:
        return lambda entry: entry.difference.interval and entry.difference.interval[place]

    def of(
        head: str, cell: Callable[[Comparison], str], values: dict[str, Callable[[Comparison], Any]], **look: Any
    ) -> Column:
        return column(
            head,
            compared.comparisons,
            lambda entry: "" if entry is None else cell(entry),
            {name: _unless_none(value) for name, value in values.items()},
            **look,
        )

    def test_name(entry: Comparison) -> str:
        return entry.difference.test

    def test(entry: Comparison) -> str:
        return f"{test_name(entry)}, n = {' and '.join(map(str, entry.difference.n))}"

    return [
        column("#", compared.groups, _rank),
        column("group", compared.groups, lambda group: clean(group.label), right=False, key=True),
        of(
            "difference", lambda entry: f"{entry.difference.estimate:+,.{digits}f}",
            {"difference": lambda entry: entry.difference.estimate},
        ),
        of(
            "95% interval", lambda entry: span(entry.difference.interval, digits),
            {"difference_low": end(0), "difference_high": end(1)}, spare=1,
        ),
        of("p", lambda entry: p_text(entry.difference.p), {"p": lambda entry: entry.difference.p}, spare=2),
        of("p Holm", lambda entry: p_text(entry.p_holm), {"p_holm": lambda entry: entry.p_holm, "test": test_name}),
        of(
            "P(better)", lambda entry: f"{entry.probability:.2f}",
            {"probability_better": lambda entry: entry.probability}, spare=0,
        ),
        of("test", test, {}, right=False, spare=3),
    ]  # fmt: skip


def _unless_none(value: Callable[[Comparison], Any]) -> Callable[[Comparison | None], Any]:
    return lambda entry: None if entry is None else value(entry)


# -- notes ------------------------------------------------------------------------------------------------------------


def _notes(compared: Compared) -> list[str]:
    """What is not as it seems: runs that do not count, groups that mix configurations, intervals that are missing."""
    return [clean(note) for note in (*_notes_on_runs(compared), *_notes_on_tests(compared))]


def _notes_on_runs(compared: Compared) -> list[str]:
    groups, notes = compared.groups, []
    uncounted = [f"{group.label} ({_uncounted(group)})" for group in groups if group.uncounted]
    if uncounted:
        notes.append(f"Not counted: {_several(uncounted)}.")
    notes += _notes_on_mixed(groups)
    repeated = [folder for group in groups for folder in group.repeated]
    if repeated:
        notes.append(
            "Recorded more than once, with the same configuration, seed and data; the latest counts, not "
            f"{_several(repeated, 2, ', ')}."
        )
    if compared.other_data:
        notes.append("The runs were not all tested on the same data: dataset.sha256 varies.")
    return notes


def _uncounted(group: Group) -> str:
    return ", ".join(f"{count} {what}" for what, count in group.uncounted.items())


def _notes_on_mixed(groups: Sequence[Group]) -> list[str]:
    notes = []
    for columns, members in _by_reason((tuple(group.mixed), group) for group in groups if group.mixed).items():
        differ = "; ".join(f"{name}: {_several(_values(members, name), VALUES, ', ')}" for name in columns[:COLUMNS])
        more = f"; and {len(columns) - COLUMNS} more columns" if len(columns) > COLUMNS else ""
        notes.append(f"Mixed, as the runs differ in more than the keys ({differ}{more}): {_labels(members)}.")
    return notes


def _notes_on_tests(compared: Compared) -> list[str]:
    groups, notes = compared.groups, []
    for reason, members in _by_reason((group.summary.no_interval, group) for group in groups).items():
        if reason:
            notes.append(f"No interval, {reason}: {_labels(members)}.")
    constant = [group for group in groups if group.summary.interval and len(set(group.summary.interval)) == 1]
    if constant:
        notes.append(f"Every run has the same value, so the interval has no width: {_labels(constant)}.")
    tested = (
        (comparison.difference.note, group)
        for group, comparison in zip(groups, compared.comparisons, strict=True)
        if comparison
    )
    for reason, members in _by_reason(tested).items():
        if reason:
            notes.append(f"No p-value, {reason}: {_labels(members)}.")
    return notes


def _by_reason(groups: Iterable[tuple[Reason, Group]]) -> dict[Reason, list[Group]]:
    reasons: dict[Reason, list[Group]] = {}
    for reason, group in groups:
        reasons.setdefault(reason, []).append(group)
    return reasons


def _labels(groups: Sequence[Group]) -> str:
    return _several([group.label for group in groups])


def _values(groups: Sequence[Group], name: str) -> list[str]:
    values = dict.fromkeys(text(value) for group in groups for value in group.mixed[name])
    return [value if len(value) <= 30 else value[:29] + "…" for value in values]


def _several(names: Sequence[str], most: int = NAMED, between: str = "; ") -> str:
    return between.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _footnotes(compared: Compared) -> list[str]:
    """How the numbers were computed, and what they do not say."""
    metric = compared.metric
    lines = [f"95% interval of the mean over seeds: {statistics.interval_method(metric)}."]
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
    if metric.metric is not None and metric.part == "test" and len(compared.groups) > 1:
        validation = metrics.join("val", metric.metric)
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


# -- the formats ------------------------------------------------------------------------------------------------------


def _print(compared: Compared, limit: int, format: str) -> None:
    out = console()
    ranking, differences = _ranking(compared), _differences(compared)
    if format == "csv":
        print(as_csv([*ranking, *differences], clean), end="")
    elif format == "json":
        print(json.dumps(_as_json(compared, ranking, differences), indent=2, allow_nan=False, default=str))
    elif format == "table":
        print_tables(out, _tables(compared, ranking, differences, limit))
    else:
        print({"markdown": markdown, "latex": latex}[format](_tables(compared, ranking, differences, limit)))


def _tables(compared: Compared, ranking: Sequence[Column], differences: Sequence[Column], limit: int) -> list[Table]:
    """The ranking, and the differences where there are any, with `limit` groups at most; the notes below the last."""
    rows = range(min(limit, len(compared.groups)))
    more = len(compared.groups) - len(rows)
    cut = [Note(f"and {more} more groups; --limit shows them")] * bool(more)
    notes = [Note(note, "yellow") for note in _notes(compared)] + [Note(line) for line in _footnotes(compared)]
    others = [row for row in rows if compared.comparisons[row]]
    if compared.reference is None or not others:
        return [Table(_title(compared), selected(ranking, rows), [*cut, *notes])]
    kind = "the best" if compared.chosen else "the baseline"
    title = f"Against {kind}, {compared.groups[compared.reference].label}"
    return [
        Table(_title(compared), selected(ranking, rows), cut),
        Table(title, selected(differences, others), notes),
    ]


def _as_json(compared: Compared, ranking: Sequence[Column], differences: Sequence[Column]) -> dict[str, Any]:
    reference = compared.groups[compared.reference] if compared.reference is not None else None
    chosen_by = "best mean" if compared.chosen else "--baseline"
    about_groups = records([column for column in ranking if not column.key])
    rows = zip(compared.groups, compared.comparisons, about_groups, records(differences), strict=True)
    return {
        "metric": compared.metric.column,
        "higher_is_better": compared.metric.higher_is_better,
        "by": compared.keys,
        "confidence": statistics.CONFIDENCE,
        "interval": statistics.interval_method(compared.metric),
        "reference": None if reference is None else {"keys": reference.keys, "chosen_by": chosen_by},
        "groups": [_group_as_json(*row) for row in rows],
        "notes": _notes(compared),
        "left_out": [{"folder": folder, "reason": reason} for folder, reason in compared.left_out],
    }


def _group_as_json(
    group: Group, comparison: Comparison | None, about_group: dict[str, Any], about_difference: dict[str, Any]
) -> dict[str, Any]:
    """The values of the columns, and what they count or sum up in full."""
    in_full = None
    if comparison is not None:
        in_full = about_difference | {"n": comparison.difference.n, "note": comparison.difference.note}
    return {
        "rank": group.rank,
        "keys": group.keys,
        **about_group,
        "no_interval": group.summary.no_interval,
        "seeds": group.seeds,
        "values": group.values,
        "folders": group.folders,
        "uncounted": group.uncounted,
        "repeated": group.repeated,
        "mixed": group.mixed,
        "comparison": in_full,
    }
