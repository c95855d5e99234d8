"""`fitbench diff`: what differs between two runs in configuration, environment and results."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fitbench import metrics
from fitbench.analysis.sameness import Sameness, sameness
from fitbench.analysis.series import series
from fitbench.analysis.side import TIMING, Flat, Side, read_side
from fitbench.columns import Column, Note, Table, column, print_tables, records
from fitbench.config import NOT_IDENTITY
from fitbench.quantities import Quantity, quantities
from fitbench.record import reading
from fitbench.record.folder import State
from fitbench.text import check_format, clean, console

RATIOS = (*TIMING, "parameters")  # whose ratio says more than their difference
PARTS = ("test", "val", "train")  # in the order of the results
HASHES = ("git.commit", "dataset.sha256")
DIGITS = 4  # of numbers that no quantity describes
LONGEST = 200  # characters of a definition that are shown
HEX = 12  # digits of a hash that are shown


def diff(run_a: str, run_b: str, outputs: Path, format: str) -> None:
    """Print what differs between two runs, A and B: configuration, environment, results.

    Args:
        run_a: a run folder, a run_id, or an unambiguous part of one, looked for in `outputs`.
        run_b: the same of the other run.
        outputs: where runs are looked for.
        format: 'table', or 'json' for one JSON object.

    Raises:
        RequestError: no run or several runs fit, or the format is unknown.
        FitbenchError: result.json or config.yaml of a run is damaged. Other files are named on stderr and left out.
    """
    check_format(format, ("table", "json"))
    a, b = (read_side(reading.find_run(run, outputs)) for run in (run_a, run_b))
    same = sameness(a.run, b.run)
    if format == "json":
        print(json.dumps(_content(a, b, same), indent=2, allow_nan=False))
    else:
        _print(a, b, same)


# -- configuration and environment ------------------------------------------------------------------------------------


def _differing(a: Flat, b: Flat) -> list[str]:
    """The keys whose values differ, in the order of `a`."""
    return [key for key in dict.fromkeys([*a, *b]) if json.dumps(a.get(key)) != json.dumps(b.get(key))]


def _is_identity(key: str) -> bool:
    return key == "seed" or key not in NOT_IDENTITY


def _settings(keys: Sequence[str], a: Flat, b: Flat) -> list[Column]:
    """The values of these keys. A key that is no part of a run's identity is marked with *."""

    def of(side: str, values: Flat) -> Column:
        def cell(key: str) -> str:
            value = values.get(key, "-")
            text = clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            return text[:HEX] if key in HASHES else text

        return column(side.upper(), keys, cell, {side: values.get}, right=False, folded=True)

    names = column("", keys, lambda key: clean(key) + " *" * (not _is_identity(key)), {"key": str}, right=False)
    return [names, of("a", a), of("b", b)]


# -- results ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A number that both runs, or one of them, record."""

    name: str
    a: float | None
    b: float | None
    quantity: Quantity | None

    @property
    def definitions(self) -> tuple[str, ...]:
        """The definitions of the metric, if there are several."""
        definitions = self.quantity.definitions if self.quantity else ()
        return definitions if len(definitions) > 1 else ()

    @property
    def difference(self) -> float | None:
        """B - A, None where one is missing, definitions differ, or the numbers are too large to tell."""
        if self.a is None or self.b is None or self.definitions:
            return None
        try:
            difference = self.b - self.a
            return difference if math.isfinite(difference) else None
        except OverflowError:
            return None

    @property
    def better(self) -> str | None:
        """'a' or 'b' for a metric, None where the values are equal or cannot be compared."""
        if not self.difference or self.quantity is None or self.quantity.metric is None:
            return None
        return "b" if (self.difference > 0) == self.quantity.higher_is_better else "a"


def _result_rows(a: Side, b: Side) -> list[Row]:
    """The metrics of either run, those of the test part first, and all other results of the two."""
    by_name = {quantity.name: quantity for quantity in _quantities(a, b).values()}
    recorded = dict.fromkeys([*a.results, *b.results])
    measured = [name for part in PARTS for name in by_name if by_name[name].part == part and name in recorded]
    names = dict.fromkeys([*measured, *recorded])
    return [Row(name, a.results.get(name), b.results.get(name), by_name.get(name)) for name in names]


def _epoch_rows(a: Side, b: Side, both: tuple[Flat, Flat]) -> list[Row]:
    """What both runs recorded of one epoch; the learning rate comes last."""
    by_name = series(_quantities(a, b))
    names = [name for name in dict.fromkeys([*both[0], *both[1]]) if name not in ("epoch", "seconds")]
    names.sort(key=lambda name: name == "learning_rate")
    return [Row(name, both[0].get(name), both[1].get(name), by_name.get(name)) for name in names]


def _last_common_epoch(a: Side, b: Side) -> tuple[Flat, Flat] | None:
    epochs = {epoch["epoch"]: epoch for epoch in a.run.history}
    both = [(epochs[epoch["epoch"]], epoch) for epoch in b.run.history if epoch["epoch"] in epochs]
    return both[-1] if both else None


def _quantities(a: Side, b: Side) -> dict[str, Quantity]:
    """The quantities of both runs. Metrics that only an unfinished run has are those that fitbench supplies."""
    names = {metrics.split(key)[1] for side in (a, b) for epoch in side.run.history for key in epoch}
    supplied = [metrics.supplied(name) for name in sorted(names - a.run.metric_info.keys() - b.run.metric_info.keys())]
    described = {metric.name: metric.info() for metric in supplied if metric is not None}
    return quantities([a.run.metric_info, b.run.metric_info, described])


def _numbers(rows: Sequence[Row]) -> list[Column]:
    """The values of these rows, and how far they are apart."""
    return [
        column("", rows, lambda row: clean(row.name), {"key": lambda row: row.name}, right=False),
        column("A", rows, lambda row: _number(row, row.a), {"a": lambda row: row.a}),
        column("B", rows, lambda row: _number(row, row.b), {"b": lambda row: row.b}),
        column("B - A", rows, _gap, {"difference": lambda row: row.difference}),
        column("better", rows, lambda row: (row.better or "").upper(), {"better": lambda row: row.better}, right=False),
    ]


def _number(row: Row, value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) and (row.quantity is None or row.quantity.metric is None):
        return f"{value:,}"
    if row.name == "learning_rate":
        return f"{value:.4g}"
    if row.quantity is not None and row.quantity.unit == "s":
        return f"{value:,.1f}" if value == 0 or abs(value) >= 0.05 else f"{value:.1g}"
    digits = row.quantity.digits if row.quantity is not None else DIGITS
    smallest = 10.0 ** (1 - digits)
    return f"{value:,.{digits}f}" if digits == 0 or value == 0 or abs(value) >= smallest else f"{value:.1e}"


def _gap(row: Row) -> str:
    """How far B is from A, as +0.0123 or as +41,696 (x1.69)."""
    if row.definitions:
        return "not compared"
    if row.difference is None:
        return ""
    if row.difference == 0:
        return "same"
    ratio = f" (x{row.b / row.a:.2f})" if row.name in RATIOS and row.a and row.b else ""
    return ("+" if row.difference > 0 else "-") + _number(row, abs(row.difference)) + ratio


# -- JSON -------------------------------------------------------------------------------------------------------------


def _content(a: Side, b: Side, same: Sameness) -> dict[str, Any]:
    """The object that --format json prints. A value that a run does not have is null."""

    def settings(ours: Flat, theirs: Flat) -> list[dict[str, Any]]:
        return records(_settings(_differing(ours, theirs), ours, theirs))

    def compared(rows: Sequence[Row]) -> list[dict[str, Any]]:
        definitions = [{"definitions": row.definitions} if row.definitions else {} for row in rows]
        return [record | more for record, more in zip(records(_numbers(rows)), definitions, strict=True)]

    def about(side: Side) -> dict[str, Any]:
        finished_at = side.run.result["finished_at"] if side.run.result else None
        named = {"run_id": side.run.name, "folder": str(side.run.folder), "state": side.run.state.value}
        return named | {"epochs": len(side.run.history), "finished_at": finished_at}

    both = _last_common_epoch(a, b)
    return {
        "a": about(a),
        "b": about(b),
        "config": [row | {"identity": _is_identity(row["key"])} for row in settings(a.config, b.config)],
        "environment": settings(a.environment, b.environment) if a.run.result and b.run.result else None,
        "results": compared(_result_rows(a, b)),
        "last_common_epoch": both and {"epoch": both[0]["epoch"], "results": compared(_epoch_rows(a, b, both))},
        "same": vars(same),
    }


# -- the terminal -----------------------------------------------------------------------------------------------------


def _print(a: Side, b: Side, same: Sameness) -> None:
    out = console()
    if a.run.folder.resolve() == b.run.folder.resolve():
        out.print(f"Both are the run {clean(a.run.folder)}: nothing can differ.", soft_wrap=True)
        return
    for name, side in (("A", a), ("B", b)):
        out.print(f"{name}  {clean(side.run.name)}", style="bold", soft_wrap=True)
        out.print(f"   {clean(side.run.folder)}", style="dim", soft_wrap=True)
        out.print(f"   {_came_to(side)}", soft_wrap=True)
    out.print()
    tables = _tables_of_settings(a, b)
    print_tables(out, tables)
    for line in _remarks(a, b, [table.title for table in tables]):
        out.print(line)
    results = [_table_of_numbers("Results", _result_rows(a, b))] if a.run.result or b.run.result else []
    both = None if a.run.result and b.run.result else _last_common_epoch(a, b)
    if both:
        title = f"Epoch {both[0]['epoch']}, the last that both have"
        results.append(_table_of_numbers(title, _epoch_rows(a, b, both)))
    if results:
        out.print()
    print_tables(out, results)
    conclusion = _conclusion(a, b, same)
    if conclusion:
        out.print()
    for line in conclusion:
        out.print(line)


def _came_to(side: Side) -> str:
    if side.run.result:
        return f"finished {clean(side.run.result['finished_at'])}"
    epochs = f"{len(side.run.history)} of {clean(side.config.get('training.epochs'))} epochs"
    why = "; error.txt says why" if side.run.state is State.failed else ""
    return f"{side.run.state.value} after {epochs}{why}"


def _tables_of_settings(a: Side, b: Side) -> list[Table]:
    config = sorted(_differing(a.config, b.config), key=lambda key: not _is_identity(key))
    environment = _differing(a.environment, b.environment) if a.run.result and b.run.result else []
    mark = Note(" * no part of a run's identity: it should not change the result")
    tables = [
        Table("Configuration", _settings(config, a.config, b.config), [mark] * (not all(map(_is_identity, config)))),
        Table("Environment", _settings(environment, a.environment, b.environment)),
    ]
    return [table for table in tables if table.columns[0].cells]


def _remarks(a: Side, b: Side, differing: Sequence[str]) -> list[str]:
    """What does not differ, and what is not known of the environment."""
    finished = bool(a.run.result and b.run.result)
    same = [name for name in ("Configuration", *["Environment"] * finished) if name not in differing]
    remarks = [f"Nothing differs in the {' or the '.join(same).lower()}."] if same else []
    if not finished:
        unfinished = "A and B have" if not (a.run.result or b.run.result) else "B has" if a.run.result else "A has"
        remarks.append(f"Versions, git state, device and data are recorded when a run finishes; {unfinished} not.")
    elif a.environment.get("git.dirty") is b.environment.get("git.dirty") is True:
        remarks.append("Both come from a source tree with changes that no commit records.")
    return remarks


def _table_of_numbers(title: str, rows: Sequence[Row]) -> Table:
    """The rows with a value, and the definitions of the metrics that cannot be compared."""
    notes = [
        Note(f"{row.name} has different definitions: {' / '.join(text[:LONGEST] for text in row.definitions)}", "")
        for row in rows
        if row.definitions
    ]
    return Table(title, _numbers([row for row in rows if row.a is not None or row.b is not None]), notes)


def _conclusion(a: Side, b: Side, same: Sameness) -> list[str]:
    """In sentences: what is the same to the last bit, and from which epoch the runs differ."""
    epochs = max(len(a.run.history), len(b.run.history))
    through = f"The histories agree to the last bit through epoch {same.epochs} of {epochs}."
    if a.run.result is None or b.run.result is None:
        return [through] if same.epochs else []
    parts = {
        "metrics": same.metrics,
        f"the history of {epochs} epoch{'s' * (epochs != 1)}": same.history if epochs else None,
        f"the predictions for {a.run.result['data']['test']:,} test examples": same.predictions,
        "the weights": same.weights,
    }
    if False not in parts.values():
        names = [name for name, is_same in parts.items() if is_same]
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        return [f"The same results, to the last bit: {listed}."]
    sentences = []
    if not any(map(_is_identity, _differing(a.config, b.config))):
        sentences.append("The same configuration and seed gave other results.")
    if same.epochs:
        sentences.append(through)
    if same.predictions is False:
        sentences.append("fitbench compare with these two runs tests which one is right more often.")
    return sentences
