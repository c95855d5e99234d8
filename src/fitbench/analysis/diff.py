"""`fitbench diff`: what differs between two runs in configuration, environment and results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fitbench.analysis.differences import (
    Row,
    differing,
    epoch_rows,
    is_identity,
    last_common_epoch,
    number_columns,
    result_rows,
    setting_columns,
    with_identities,
)
from fitbench.analysis.sameness import Sameness, sameness
from fitbench.analysis.side import Flat, Side, read_side
from fitbench.analysis.summary import fold_text
from fitbench.columns import Note, Table, print_tables, records
from fitbench.record.folder import State
from fitbench.record.naming import find_run
from fitbench.text import check_format, clean, console, in_sentence

LONGEST = 200  # characters of a definition that are shown


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
    a, b = with_identities(read_side(find_run(run_a, outputs)), read_side(find_run(run_b, outputs)))
    same = sameness(a.run, b.run)
    if format == "json":
        print(json.dumps(_content(a, b, same), indent=2, allow_nan=False))
    else:
        _print(a, b, same)


# -- JSON -------------------------------------------------------------------------------------------------------------


def _content(a: Side, b: Side, same: Sameness) -> dict[str, Any]:
    """The object that --format json prints. A value that a run does not have is null."""

    def settings(ours: Flat, theirs: Flat) -> list[dict[str, Any]]:
        return records(setting_columns(differing(ours, theirs), ours, theirs))

    def compared(rows: Sequence[Row]) -> list[dict[str, Any]]:
        definitions = [{"definitions": row.definitions} if row.definitions else {} for row in rows]
        return [record | more for record, more in zip(records(number_columns(rows)), definitions, strict=True)]

    def about(side: Side) -> dict[str, Any]:
        finished_at = side.run.result["finished_at"] if side.run.result else None
        named = {"run_id": side.run.name, "folder": str(side.run.folder), "state": side.run.state.value}
        return named | {"epochs": len(side.run.history), "finished_at": finished_at}

    both = last_common_epoch(a, b)
    return {
        "a": about(a),
        "b": about(b),
        "config": [row | {"identity": is_identity(row["key"])} for row in settings(a.config, b.config)],
        "environment": settings(a.environment, b.environment) if a.run.result and b.run.result else None,
        "results": compared(result_rows(a, b)),
        "last_common_epoch": both and {"epoch": both[0]["epoch"], "results": compared(epoch_rows(a, b, both))},
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
    results = [_table_of_numbers("Results", result_rows(a, b))] if a.run.result or b.run.result else []
    both = None if a.run.result and b.run.result else last_common_epoch(a, b)
    if both:
        title = f"Epoch {both[0]['epoch']}, the last that both have"
        results.append(_table_of_numbers(title, epoch_rows(a, b, both)))
    if results:
        out.print()
    print_tables(out, results)
    conclusion = _conclusion(a, b, same)
    if conclusion:
        out.print()
    for line in conclusion:
        out.print(line)


def _came_to(side: Side) -> str:
    fold = fold_text(side.run.config)
    if side.run.result:
        return f"finished {clean(side.run.result['finished_at'])}{fold}"
    epochs = f"{len(side.run.history)} of {clean(side.config.get('training.epochs'))} epochs"
    why = "; error.txt says why" if side.run.state is State.failed else ""
    return f"{side.run.state.value} after {epochs}{fold}{why}"


def _tables_of_settings(a: Side, b: Side) -> list[Table]:
    config = sorted(differing(a.config, b.config), key=lambda key: not is_identity(key))
    environment = differing(a.environment, b.environment) if a.run.result and b.run.result else []
    mark = Note(" * no part of a run's identity: it should not change the result")
    marks = [] if all(map(is_identity, config)) else [mark]
    tables = [
        Table("Configuration", setting_columns(config, a.config, b.config), marks),
        Table("Environment", setting_columns(environment, a.environment, b.environment)),
    ]
    return [table for table in tables if table.columns[0].cells]


def _remarks(a: Side, b: Side, differing: Sequence[str]) -> list[str]:
    """What does not differ, and what is not known of the environment."""
    finished = bool(a.run.result and b.run.result)
    same = [name for name in ("Configuration", *["Environment"] * finished) if name not in differing]
    folds = [side.run.config.get("fold") for side in (a, b)]
    remarks = ["A and B have different validation parts: they are of different folds."] * (folds[0] != folds[1])
    remarks += [f"Nothing differs in the {' or the '.join(same).lower()}."] if same else []
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
    return Table(title, number_columns([row for row in rows if row.a is not None or row.b is not None]), notes)


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
        return [f"The same results, to the last bit: {in_sentence(names, 'and')}."]
    sentences = []
    if not any(map(is_identity, differing(a.config, b.config))):
        sentences.append("The same configuration and seed gave other results.")
    if same.epochs:
        sentences.append(through)
    if same.predictions is False and a.run.task == b.run.task:
        sentences.append("fitbench compare with these two runs tests which one is better.")
    return sentences
