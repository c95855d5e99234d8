"""`fitbench compare`: groups of runs over their seeds and folds, or two single runs on the same test examples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fitbench.analysis import statistics
from fitbench.analysis.comparison import Compared, Comparison, compare_groups
from fitbench.analysis.group_columns import differences, ranking
from fitbench.analysis.group_notes import footnotes, interval_notes, notes
from fitbench.analysis.groups import Group
from fitbench.analysis.request import Which
from fitbench.columns import FORMATS, Note, Table, print_as, records, selected, stacked
from fitbench.errors import RequestError
from fitbench.record.folder import is_run
from fitbench.record.naming import find_run
from fitbench.text import check_format, counted

GROUPS = 50  # groups that tables show unless --limit says otherwise


def compare(
    which: Which,
    by: str | None,
    metric: str | None,
    baseline: str | None,
    outputs: Path,
    limit: int | None,
    format: str,
) -> None:
    """Print the groups of runs, a table for each data set and task; or, of two single runs, where they disagree.

    Args:
        which: the runs; a path may also be the name of a run in `outputs`. No path means `outputs`. CSV and JSON are
            not narrowed to the newest study.
        by: the columns that make a group, separated by commas; None stands for those that tell configurations apart.
        metric: which recorded number is compared, as 'val_macro_f1'; the name of a metric alone means the test part.
            None stands for the primary metric of the runs, see `request.measured`. Of two single runs, see
            `two_runs.compare_runs`.
        baseline: the group to compare with, as `comparison.find` reads it; None stands for the best.
        outputs: where the names of runs are looked for.
        limit: rows that a table shows at most.
        format: one of `columns.FORMATS`; csv and json hold every row.

    Raises:
        RequestError: an option is wrong, nothing remains to compare, the runs have different definitions of the
            metric, or two runs were tested on different examples.
        FitbenchError: a file of two single runs is damaged.
    """
    check_format(format, FORMATS)
    folders = [Path(path) if Path(path).exists() else find_run(str(path), outputs) for path in which.paths]
    if len(folders) != 2 or not all(map(is_run, folders)):
        every = which.every or (which.study is None and format in ("csv", "json"))
        wanted = replace(which, paths=folders or [outputs], every=every)
        _print(compare_groups(wanted, by, metric, baseline), limit or GROUPS, format)
        return
    from fitbench.analysis import two_runs

    options = {"--by": by, "--baseline": baseline, "--where": which.where, "--study": which.study}
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise RequestError(f"{', '.join(given)} is for groups of runs; {folders[0]} and {folders[1]} are single runs")
    two_runs.compare_runs(folders[0], folders[1], metric, limit, format)


def _print(comparisons: Sequence[Compared], limit: int, format: str) -> None:
    if format == "json":
        print(json.dumps(_as_json(comparisons), indent=2, allow_nan=False, default=str))
        return
    columns = [[*ranking(compared), *differences(compared)] for compared in comparisons]
    print_as(format, [table for each in comparisons for table in _tables(each, limit)], stacked(columns))


def _tables(compared: Compared, limit: int) -> list[Table]:
    """The ranking, and the differences where there are any, with `limit` groups at most; the notes below the last."""
    ranks, against = ranking(compared), differences(compared)
    rows = range(min(limit, len(compared.groups)))
    more = len(compared.groups) - len(rows)
    cut = [Note(f"and {more} more groups; --limit shows them")] * bool(more)
    below = [*(Note(note, "yellow") for note in notes(compared)), *map(Note, footnotes(compared))]
    others = [row for row in rows if compared.comparisons[row]]
    if compared.reference is None or not others:
        return [Table(_title(compared), selected(ranks, rows), [*cut, *below])]
    kind = "the best" if compared.chosen else "the baseline"
    title = f"Against {kind}, {compared.groups[compared.reference].label}"
    return [Table(_title(compared), selected(ranks, rows), cut), Table(title, selected(against, others), below)]


def _title(compared: Compared) -> str:
    direction = "higher" if compared.metric.higher_is_better else "lower"
    unit = f" in {compared.metric.unit}" if compared.metric.unit else ""
    count, runs = len(compared.groups), compared.runs
    grids = {group.sample.text for group in compared.with_folds}
    each = " each" * (len(compared.with_folds) > 1)
    of_folds = f" ({grids.pop()}{each})" if len(grids) == 1 and not compared.without_folds else ""
    of = f"{compared.of}: " if compared.of else ""
    return (
        f"{of}{compared.metric.name}{unit}, {direction} is better: {count} group{'s'[: count != 1]} of "
        f"{counted(runs, 'run')}{of_folds} by {', '.join(compared.heads) or 'nothing'}"
        + (f"; {len(compared.left_out)} left out" if compared.left_out else "")
    )


def _as_json(comparisons: Sequence[Compared]) -> dict[str, Any]:
    left_out = [{"folder": folder, "reason": reason} for folder, reason in comparisons[0].left_out]
    return {"comparisons": list(map(_comparison_as_json, comparisons)), "left_out": left_out}


def _comparison_as_json(compared: Compared) -> dict[str, Any]:
    reference = compared.groups[compared.reference] if compared.reference is not None else None
    chosen_by = "best mean" if compared.chosen else "--baseline"
    about_groups = records([column for column in ranking(compared) if not column.key])
    against = records(differences(compared))
    rows = zip(compared.groups, compared.comparisons, about_groups, against, strict=True)
    return {
        "task": compared.task,
        "data": compared.data,
        "metric": compared.metric.column,
        "higher_is_better": compared.metric.higher_is_better,
        "by": compared.keys,
        "confidence": statistics.CONFIDENCE,
        "interval": " ".join(interval_notes(compared)),
        "reference": None if reference is None else {"keys": reference.keys, "chosen_by": chosen_by},
        "groups": [_group_as_json(*row) for row in rows],
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
