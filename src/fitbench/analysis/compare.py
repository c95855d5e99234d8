"""`fitbench compare`: groups of runs over their seeds and folds, or two single runs on the same test examples."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fitbench.analysis import statistics
from fitbench.analysis.comparison import Compared, Comparison, compare_groups
from fitbench.analysis.group_columns import (
    chosen_columns,
    decimals,
    differences,
    has_differences,
    mean_sd,
    ranking,
    refuse_unknown,
)
from fitbench.analysis.group_notes import footnotes, interval_notes, notes
from fitbench.analysis.groups import Group, also_differ
from fitbench.analysis.in_short import EXPLAIN, footnote, not_counted, uncounted, warnings
from fitbench.analysis.request import Which
from fitbench.analysis.screen import Size, room
from fitbench.columns import Column, Note, Table, records, selected, stacked
from fitbench.errors import RequestError
from fitbench.formats import EVERYTHING, FORMATS, Look, mark_words, print_as
from fitbench.record.folder import is_run
from fitbench.text import check_format, clean, console, counted, first_of, shortened

GROUPS = 50  # groups that a table in a file shows unless --limit says otherwise


def compare(
    which: Which,
    by: str | None,
    metric: str | None,
    baseline: str | None,
    pivot: str | None,
    outputs: Path,
    limit: int | None,
    format: str,
    explain: bool = False,
    look: Look = EVERYTHING,
) -> None:
    """Print the groups of runs, a table for each data set and task; or, of two single runs, where they disagree.

    Args:
        which: the runs; a path may also be the name of a run in `outputs`. No path means `outputs`. CSV and JSON are
            not narrowed to the newest study.
        by: the columns that make a group, separated by commas; None stands for those that tell configurations apart.
        metric: which recorded number is compared, as 'val_macro_f1'; the name of a metric alone means the test part.
            None stands for the primary metric of the runs, see `request.measured`. Of several with commas between
            them the first ranks. Of two single runs, see `two_runs.compare_runs`.
        baseline: the group to compare with, as `comparison.find` reads it; None stands for the best.
        pivot: the column whose values become columns of a matrix, see `pivot.pivots`.
        outputs: where the names of runs are looked for.
        limit: rows of a table at most, the first ones; None: as many as the terminal has room for, in a file 50, and in
            CSV and JSON all.
        format: one of `formats.FORMATS`.
        explain: whether all is said about the groups and the numbers, or only warnings and one line.
        look: what people see of the tables. Chosen columns are in one table, those of the differences too.

    Raises:
        RequestError: an option is wrong, nothing remains to compare, the runs have different definitions of the
            metric, or two runs were tested on different examples.
        FitbenchError: a file of two single runs is damaged.
    """
    check_format(format, FORMATS)
    look.refuse_for_scripts(format)
    if look.columns is not None and pivot is not None:
        raise RequestError("--columns is for a ranking; with --pivot the columns are the values of the key")
    which = which.located(outputs)
    folders = list(map(Path, which.paths))
    if len(folders) != 2 or not all(map(is_run, folders)):
        wanted = replace(which.printed_as(format), paths=folders or [outputs])
        names = several(metric)
        if pivot is not None:
            _print_matrices(wanted, pivot, by, names, baseline, limit, format, look)
        else:
            found = compare_groups(wanted, by, names[0] if names else None, baseline, names[1:])
            _print(found, limit, format, explain, look)
        return
    from fitbench.analysis import two_runs

    options = {"--by": by, "--pivot": pivot, "--baseline": baseline, "--where": which.where, "--study": which.study}
    given = [name for name, value in options.items() if value is not None]
    given += ["--columns, --no-caption and --no-notes"] * (look != EVERYTHING)
    if given:
        raise RequestError(f"{', '.join(given)} is for groups of runs; {folders[0]} and {folders[1]} are single runs")
    two_runs.compare_runs(folders[0], folders[1], metric, limit, format)


def several(metric: str | None) -> list[str]:
    """The metrics that --metric names, each once."""
    names = [] if metric is None else [name.strip() for name in metric.split(",")]
    if not all(names):
        raise RequestError(f"--metric {metric!r}: a name is missing beside a comma")
    return list(dict.fromkeys(names))


def _print_matrices(
    which: Which,
    pivot: str,
    by: str | None,
    metrics: list[str],
    baseline: str | None,
    limit: int | None,
    format: str,
    look: Look,
) -> None:
    from fitbench.analysis.pivot import pivots
    from fitbench.analysis.pivot_table import print_pivots

    if baseline is not None:
        raise RequestError("--baseline is for a ranking; with --pivot each column is compared with its best")
    print_pivots(pivots(which, pivot, by, metrics), limit, GROUPS, format, look)


def _print(comparisons: Sequence[Compared], limit: int | None, format: str, explain: bool, look: Look) -> None:
    if format == "json":
        print(json.dumps(_as_json(comparisons, limit), indent=2, allow_nan=False, default=str))
        return
    if look.columns is not None:
        refuse_unknown(comparisons, look.columns)
    tables = _all_tables(comparisons, limit, explain, format, look.columns)
    print_as(format, list(map(look.of, tables)), of_scripts(comparisons, limit))


def of_scripts(comparisons: Sequence[Compared], limit: int | None = None) -> list[Column]:
    """The columns of CSV: a row for each group of each comparison, with its difference from the reference.

    `limit` is how many groups of a comparison have a row at most; None: all.
    """
    return stacked(
        [
            selected([*ranking(compared), *differences(compared)], range(len(compared.groups))[:limit])
            for compared in comparisons
        ]
    )


def _all_tables(
    comparisons: Sequence[Compared],
    limit: int | None,
    explain: bool,
    format: str,
    chosen: Sequence[str] | None,
) -> list[Table]:
    """The tables of the comparisons that have a value, as many as there is room for; below them what is not shown.

    `chosen` are names of columns, see `group_columns.chosen_columns`; None: all.
    """
    found = [each for each in comparisons if each.reference is not None or not each.of]
    shown, rows, below = len(found), limit or GROUPS, list[Note]()
    if limit is None and (out := console()).is_terminal:
        shown, rows, lines = room(out, [_size(each, explain, out.width, chosen is None) for each in found])
        below = _others(found[shown:], lines, out.width)
    tables = [table for each in found[:shown] for table in _tables(each, rows, explain, format, chosen)]
    below += _without_values([each for each in comparisons if each not in found])
    if not explain and (said := footnote(found, format == "table")):
        below.append(Note(said))
    return [*tables[:-1], replace(tables[-1], notes=[*tables[-1].notes, *below])] if tables else [Table("", [], below)]


def _others(comparisons: Sequence[Compared], lines: int, width: int) -> list[Note]:
    """Comparisons without a table: the best group of each as far as so many lines go, then the names of the rest."""
    if not comparisons:
        return []
    fit = len(comparisons) if len(comparisons) <= lines else max(lines, 0)
    best = [Note(shortened(_best_in_short(each), width), "") for each in comparisons[:fit]]
    rest = comparisons[fit:]
    names = f": {first_of(each.of for each in rest)}" if rest else " above without a table"
    count = counted(len(rest or comparisons), "more data set")
    return [*best, Note(f"and {count}{names}; --limit {max(len(each.groups) for each in comparisons)} shows all")]


def _best_in_short(compared: Compared) -> str:
    """The best group of a comparison, as in 'digits: mlp, adam 0.9580 ± 0.0057 (n = 5), the best of 3 groups'."""
    best, digits = compared.groups[0], decimals(compared.metric, compared.groups)
    of = f", the best of {counted(len(compared.groups), 'group')}" * (len(compared.groups) > 1)
    return clean(f"{compared.of}: {best.label} {mean_sd(best, digits)} (n = {best.summary.n}){of}")


def _size(compared: Compared, explain: bool, width: int, with_differences: bool) -> Size:
    """The room that a comparison takes in a terminal of this width, with a table of differences or without."""
    tested = len(_tested(compared)) * with_differences
    rows = [len(compared.groups), *[tested] * bool(tested)]
    further = 2 * bool(compared.further)  # lines: the head over the metrics, and what bold means
    lines = notes(compared) + footnotes(compared) if explain else warnings(compared)
    return Size(rows, further + len(_title(compared)) // width + sum(1 + len(line) // width for line in lines))


def _without_values(comparisons: Sequence[Compared]) -> list[Note]:
    """The data sets on which no run has finished, in a line."""
    counts = sum(map(uncounted, comparisons), Counter[str]())
    names = first_of(each.of for each in comparisons)
    return [Note(f"Nothing to compare on {names}; {not_counted(counts)}", "yellow")] * bool(comparisons)


def _tested(compared: Compared) -> list[int]:
    """The positions of the groups whose difference has a row; none where no difference has an interval or p-value."""
    found = [(row, comparison) for row, comparison in enumerate(compared.comparisons) if comparison]
    if not any(_is_tested(comparison) for _, comparison in found):
        return []
    return [row for row, comparison in found if _is_tested(comparison) or comparison.probability is not None]


def _is_tested(comparison: Comparison) -> bool:
    return (comparison.difference.p, comparison.difference.interval) != (None, None)


def _tables(compared: Compared, limit: int, explain: bool, format: str, chosen: Sequence[str] | None) -> list[Table]:
    """The ranking, and the differences where any are tested, `limit` groups at most; the notes below the last.

    Chosen columns are one table.
    """
    more, hints = len(compared.groups) - limit, format == "table"
    hint = f"; --limit {len(compared.groups)} shows them" * hints
    cut = [Note(f"and {counted(more, 'more group')}{hint}")] * (more > 0)
    cut += [Note(f"{mark_words(format)[0]}: the best of its column.")] * bool(compared.further)
    warned = notes(compared) if explain else warnings(compared, f": {EXPLAIN}" * hints)
    validation = "" if hints else "the same metric on the validation part"
    below = [
        *(Note(note, "yellow") for note in warned),
        *map(Note, footnotes(compared, validation) if explain else []),
    ]
    title, shown = _title(compared), range(min(limit, len(compared.groups)))
    against = _reference(compared)
    if chosen is not None:
        columns = chosen_columns(compared, chosen)
        if against and has_differences(compared, columns):
            cut.append(Note(f"Differences and p-values are against {against}."))
        return [Table(title, selected(columns, shown), [*cut, *below], shortened=True)]
    ranks = selected(ranking(compared), shown)
    others = [row for row in _tested(compared) if row in shown]
    if not (against and others):
        return [Table(title, ranks, [*cut, *below], shortened=True)]
    tested = Table(f"Against {against}", selected(differences(compared), others), below, shortened=True)
    return [Table(title, ranks, cut, shortened=True), tested]


def _reference(compared: Compared) -> str:
    """What the groups are compared with, as in 'the best, mlp'; '' where no group has a value."""
    if compared.reference is None:
        return ""
    return f"{'the best' if compared.chosen else 'the baseline'}, {compared.groups[compared.reference].label}"


def _title(compared: Compared) -> str:
    direction = "higher" if compared.metric.higher_is_better else "lower"
    unit = f" in {compared.metric.unit}" if compared.metric.unit else ""
    grids = {group.sample.text for group in compared.with_folds}
    each = " each" * (len(compared.with_folds) > 1)
    of_folds = f" ({grids.pop()}{each})" if len(grids) == 1 and not compared.without_folds else ""
    of = f"{compared.of}: " if compared.of else ""
    return (
        f"{of}{compared.metric.name}{unit}, {direction} is better: {counted(compared.runs, 'run')} in "
        f"{counted(len(compared.groups), 'group')}{of_folds} by {', '.join(compared.heads) or 'nothing'}"
        + (f"; {len(compared.left_out)} left out" if compared.left_out else "")
    )


def _as_json(comparisons: Sequence[Compared], limit: int | None) -> dict[str, Any]:
    left_out = [{"folder": folder, "reason": reason} for folder, reason in comparisons[0].left_out]
    return {"comparisons": [_comparison_as_json(each, limit) for each in comparisons], "left_out": left_out}


def _comparison_as_json(compared: Compared, limit: int | None) -> dict[str, Any]:
    reference = compared.groups[compared.reference] if compared.reference is not None else None
    chosen_by = "best mean" if compared.chosen else "--baseline"
    about_groups = records([column for column in ranking(compared) if not column.key])
    against = records(differences(compared))
    rows = zip(compared.groups, compared.comparisons, about_groups, against, strict=True)
    return {
        "task": compared.task,
        "data": compared.data,
        "label": compared.of or None,
        "metric": compared.metric.column,
        "further_metrics": [further.metric.column for further in compared.further],
        "higher_is_better": compared.metric.higher_is_better,
        "by": compared.keys,
        "confidence": statistics.CONFIDENCE,
        "interval": " ".join(interval_notes(compared)),
        "reference": None if reference is None else {"keys": reference.keys, "chosen_by": chosen_by},
        "groups": [_group_as_json(*row) for row in list(rows)[:limit]],
        "also_differ": also_differ(compared.groups, compared.keys),
        "notes": notes(compared),
    }


def _group_as_json(
    group: Group, comparison: Comparison | None, about_group: dict[str, Any], about_difference: dict[str, Any]
) -> dict[str, Any]:
    """The values of the columns, and what they count or sum up in full."""
    in_full = None
    if comparison is not None:
        in_full = about_difference | {"n": comparison.difference.n, "note": comparison.difference.note}
    names = ("seeds", "folds", "values", "means", "folders", "uncounted", "repeated", "mixed")
    return {
        "keys": group.keys,
        **about_group,
        "no_interval": group.summary.no_interval,
        "missing": group.sample.missing,
        **{name: getattr(group, name) for name in names},
        "comparison": in_full,
    }
