"""The columns of `fitbench compare` for groups of runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

from fitbench.analysis import statistics
from fitbench.analysis.comparison import Compared, Comparison
from fitbench.analysis.groups import Group
from fitbench.columns import Column, Mark, column
from fitbench.errors import RequestError
from fitbench.quantities import Quantity
from fitbench.text import below, clean, number, span

Value = str | Callable[[Any], Any]  # a value of an item: the name of an attribute, or a function


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
    """A p-value with three digits behind the point, more where it is just below 0.05, '-' for None."""
    return "-" if p is None else "<0.001" if p < 0.001 else below(statistics.SIGNIFICANT, p, 3)


def ranking(compared: Compared) -> list[Column]:
    """The columns about the groups themselves."""
    metric, groups = compared.metric, compared.groups
    digits, several = decimals(metric, groups), _has_several(groups)
    shown = {metric.name, *(each.metric.name for each in compared.further)}

    def of(
        head: str, cell: Callable[[Group], str], spare: int | None = None, visible: bool = True, **values: Value
    ) -> Column:
        return column(head, groups, cell, _getters(values), spare=spare, visible=visible)

    def interval(group: Group) -> str:
        few = group.summary.interval is None and group.summary.n < statistics.FEWEST
        return f"n < {statistics.FEWEST}" if few else span(group.summary.interval, digits)

    def seconds(group: Group) -> str:
        value = group.seconds
        return number(value, 0 if value is None or value >= 100 else 1 if value >= 10 else 2)

    return [
        of("#", _rank, rank="rank"),
        *_keys(compared),
        of("n", lambda group: str(group.summary.n), n="summary.n"),
        *_means(compared),
        of("95% interval", interval, 0, several, low=_end("summary", 0), high=_end("summary", 1)),
        of("best", lambda group: number(group.best, digits), 3, several, best="best"),
        of("worst", lambda group: number(group.worst, digits), 4, several, worst="worst"),
        of(
            "parameters",
            lambda group: number(group.parameters, 0),
            2,
            "parameters" not in shown,
            parameters="parameters",
        ),
        of("median fit s", seconds, 1, "fit_seconds" not in shown, fit_seconds="seconds"),
        of("task", str, visible=False, task=lambda group: group.keys.get("task", compared.task)),
        of("data", str, visible=False, data=lambda _: compared.of or compared.data),
        of("metric", lambda _: metric.name, visible=False, metric=lambda _: metric.column),
        of("mean over", lambda group: group.sample.text, visible=False, mean_over="sample.text"),
        of("uncounted", str, visible=False, uncounted=lambda group: sum(group.uncounted.values())),
        of("repeated", str, visible=False, repeated=lambda group: len(group.repeated)),
        of("mixed", str, visible=False, mixed=lambda group: " ".join(group.mixed)),
    ]


def _has_several(groups: Sequence[Group]) -> bool:
    """Whether the mean of a group is over several values."""
    return any(group.summary.n > 1 for group in groups)


def mean_sd(group: Group, digits: int) -> str:
    """The mean and the standard deviation, as in '0.9058 ± 0.0029'; the mean alone of one value, '-' without any."""
    spread = "" if group.summary.sd is None else f" ± {number(group.summary.sd, digits)}"
    return number(group.summary.mean, digits) + spread


def _means(compared: Compared) -> list[Column]:
    """The column of the mean; where there are further metrics, one for each metric, with the best in bold."""

    def of(
        metric: Quantity,
        groups: Sequence[Group],
        head: str,
        values: dict[str, Value],
        sizes: Sequence[int] | None = None,
        **options: Any,
    ) -> Column:
        made = column(head, groups, partial(mean_sd, digits=decimals(metric, groups)), _getters(values), **options)
        if sizes is None:
            return made
        pairs = zip(made.cells, groups, sizes, strict=True)
        return replace(
            made, cells=[cell + f" (n = {each.summary.n})" * (each.summary.n != n) for cell, each, n in pairs]
        )

    values: dict[str, Value] = {"mean": "summary.mean", "sd": "summary.sd"}
    over = "mean ± sd" if _has_several(compared.groups) else "value"
    if not compared.further:
        return [of(compared.metric, compared.groups, over, values)]
    sizes = [group.summary.n for group in compared.groups]
    name = compared.metric.name
    made = [of(compared.metric, compared.groups, name, values, marks=_best(compared.groups), over=over)]
    for metric, groups in ((each.metric, each.groups) for each in compared.further):
        getters = values | {"n": "summary.n", "low": _end("summary", 0), "high": _end("summary", 1)}
        named = {f"{metric.name}_{name}": getter for name, getter in getters.items()}
        made.append(of(metric, groups, metric.name, named, sizes, marks=_best(groups), over=over, spare=0))
    return made


def _best(groups: Sequence[Group]) -> list[Mark]:
    """Marks of the best groups, unless all groups with a value are equal."""
    several = len({group.rank for group in groups} - {None}) > 1
    return [Mark.BOLD if several and group.rank == 1 else Mark.NONE for group in groups]


def differences(compared: Compared) -> list[Column]:
    """The columns about each group against the reference; all but the first two are empty for the reference itself."""
    digits = decimals(compared.metric, compared.groups)

    def of(
        head: str, cell: Callable[[Comparison], str], spare: int | None = None, right: bool = True, **values: Value
    ) -> Column:
        getters = {name: _unless_none(getter, None) for name, getter in _getters(values).items()}
        return column(head, compared.comparisons, _unless_none(cell, ""), getters, spare=spare, right=right)

    def difference(entry: Comparison) -> str:
        found = number(entry.difference.estimate, digits)
        return found if found.startswith("-") else f"+{found}"

    def interval(entry: Comparison) -> str:
        return span(entry.difference.interval, digits)

    def test(entry: Comparison) -> str:
        if entry.difference.p is None and entry.difference.interval is None:
            return statistics.UNTESTED
        sizes = f", n = {' and '.join(map(str, entry.difference.n))}"
        return entry.difference.test + sizes * (entry.difference.test != statistics.UNTESTED)

    return [
        column("#", compared.groups, _rank),
        column("group", compared.groups, lambda group: clean(group.label), right=False, key=True),
        of("difference", difference, difference="difference.estimate"),
        of("95% interval", interval, 1, difference_low=_end("difference", 0), difference_high=_end("difference", 1)),
        of("p", lambda entry: p_text(entry.difference.p), 2, p="difference.p"),
        of("p Holm", lambda entry: p_text(entry.p_holm), p_holm="p_holm", test="difference.test"),
        of("P(better)", lambda entry: number(entry.probability, 2), 0, probability_better="probability"),
        of("test", test, 3, right=False),
    ]


def chosen_columns(compared: Compared, names: Sequence[str]) -> list[Column]:
    """The columns that name the groups, and those with these names, in their order."""
    by_name = _by_name(compared)
    wanted = dict.fromkeys(by_name[name] for name in names if name in by_name)
    return [*(column for column in ranking(compared) if column.key), *(replace(each, spare=None) for each in wanted)]


def _by_name(compared: Compared) -> dict[str, Column]:
    """The columns behind the keys by their names in CSV and by their heads, as 'mean', 'sd' and 'mean ± sd'."""
    by_name: dict[str, Column] = {}
    for each in (*ranking(compared), *differences(compared)):
        if each.values and each.visible and not each.key:
            for name in (*each.values, each.head):
                by_name.setdefault(name, each)
    return by_name


def refuse_unknown(comparisons: Sequence[Compared], names: Sequence[str]) -> None:
    """Refuse a name of a column that no comparison has.

    Raises:
        RequestError: there is one; the message names those that there are.
    """
    known = {name: column for compared in comparisons for name, column in _by_name(compared).items()}
    for name in names:
        if name not in known:
            firsts = dict.fromkeys(next(iter(column.values)) for column in known.values())
            raise RequestError(f"--columns: there is no column {name!r}; there are {', '.join(firsts)}")


def has_differences(compared: Compared, columns: Sequence[Column]) -> bool:
    """Whether one of these columns is about the difference from the reference."""
    names = {name for each in differences(compared) for name in each.values}
    return any(names & each.values.keys() for each in columns)


def _keys(compared: Compared) -> list[Column]:
    columns = []
    for place, (head, key) in enumerate(zip(compared.heads, compared.keys, strict=True)):
        texts = [clean(group.texts[place]) for group in compared.groups]
        values = [group.keys[key] for group in compared.groups]
        columns.append(Column(head, texts, right=False, key=True, values={key: values}))
    return columns


def _rank(group: Group) -> str:
    return "-" if group.rank is None else str(group.rank)


def _end(of: str, place: int) -> Callable[[Any], float | None]:
    """The getter of an end of the interval of this attribute."""
    return lambda item: (interval := getattr(item, of).interval) and interval[place]


def _getters(values: dict[str, Value]) -> dict[str, Callable[[Any], Any]]:
    return {name: attrgetter(value) if isinstance(value, str) else value for name, value in values.items()}


def _unless_none(value: Callable[[Any], Any], otherwise: Any) -> Callable[[Any], Any]:
    return lambda entry: otherwise if entry is None else value(entry)
