"""The columns of the table of runs on the page, and what else of a frame is the same for all runs or not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fitbench.analysis.names import short_name
from fitbench.analysis.telling import text
from fitbench.quantities import Quantity
from fitbench.record.reading import is_number
from fitbench.report.measures import Recorded, about

AXES = 10  # of the parallel coordinates at most
ALWAYS = ("run_id", "tags", "metrics.best_epoch", "timing.seconds", "finished_at")  # columns of the table at first
IF_VARYING = ("state", "study", "seed", "fold", "trial", "parameters")  # these too, if the runs differ in them
ENVIRONMENT = ("study", "config_id", "device", "attempts", "git.commit", "git.dirty")
OWN = {"timing.seconds": "time", "timing.fit_seconds": "time of epochs", "finished_at": "age"}  # labels

Columns = Mapping[str, list[Any]]  # plain values by column, one for each run, None where there is none


def run_columns(
    columns: Columns, vary: Sequence[str], chosen: Sequence[str], recorded: Recorded, primary: Sequence[str]
) -> list[dict[str, Any]]:
    """The columns of the table of runs, those without any value left out.

    `vary` are the configuration columns that vary, and `chosen` the columns that are there at first: some of these, and
    what else tells the runs apart, such as the checksum of their data. `part` says what the values are, and `about`
    describes a quantity.
    """
    parts = {
        "run_id": "identity", "state": "identity", "study": "identity", "seed": "identity", "fold": "identity",
        "trial": "identity", "tags": "identity",
        **dict.fromkeys([*vary, *chosen], "config"),
        **{name: "cost" if quantity.metric is None else "metric" for name, quantity in recorded.items()},
        "finished_at": "time", "note": "identity",
    }  # fmt: skip
    labels = {name: OWN.get(name) or short_name(columns, name) for name in parts}
    visible = {*ALWAYS, *chosen, *(name for name in IF_VARYING if len(set(columns[name])) > 1)}
    for name, quantity in recorded.items():
        if quantity.part == "test" or (quantity.part == "val" and quantity.metric in primary):
            visible.add(name)
    table = []
    for name, part in parts.items():
        values = columns.get(name, [])
        if name == "tags":  # JSON text
            values = [None if value is None else ", ".join(json.loads(value)) for value in values]
        if name in ("run_id", "state") or any(value is not None for value in values):
            column = {"name": name, "label": labels[name], "title": labels[name], "part": part, "better": None}
            table.append(column | _written(recorded.get(name), part, values) | {"shown": name in visible})
    return table


def _written(quantity: Quantity | None, part: str, values: list[Any]) -> dict[str, Any]:
    """The values of a column, and how they are written."""
    if quantity is not None:
        return {**about(quantity), "values": values}
    if part == "time":
        return {"kind": "moment", "values": values}
    if all(value is None or is_number(value) for value in values):
        return {"kind": "number", "values": values}
    return {"kind": "text", "values": [None if value is None else text(value) for value in values]}


def environment(columns: Columns) -> list[tuple[str, Any]]:
    """The environment of the runs: one value where all agree, else one for each run."""
    names = [name for name in columns if name in ENVIRONMENT or name.startswith(("dataset.", "versions."))]
    texts = {name: [None if value is None else text(value) for value in columns[name]] for name in names}
    present = {name: values for name, values in texts.items() if any(value is not None for value in values)}
    return [(name, values[0] if len(set(values)) == 1 else values) for name, values in present.items()]


def parallel_axes(columns: Columns, telling: Sequence[str], metric: Quantity) -> list[str]:
    """What parallel coordinates show: the configuration that varies, costs that vary, and the metric."""
    last = [name for name in ("parameters", "timing.seconds", metric.column) if len(set(columns[name]) - {None}) > 1]
    return list(dict.fromkeys([*telling[: AXES - len(last)], *last]))
