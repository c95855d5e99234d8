"""A run as /changes has it: where it stands, and the epochs that a page lacks. See `changes`."""

from __future__ import annotations

from typing import Any

from fitbench import metrics
from fitbench.analysis.rows import INFO, Row
from fitbench.analysis.series import metric_label
from fitbench.live.run import STATE_LAST, Run
from fitbench.live.studies import planned_epochs, run_left
from fitbench.quantities import quantities
from fitbench.report.curves import LEARNING_RATE, SERIES
from fitbench.report.measures import about
from fitbench.report.values import DIGITS, digits, fitting
from fitbench.text import clean, encodable

PARTS = ("val", "test", "train")  # of which a run has a value, the first counts
CURVE_DIGITS = 7  # significant ones; the report has 4 of a curve's range
NOT_DRAWN = ("epoch", "seconds", LEARNING_RATE)  # of a history


def record(run: Run, since: int | None) -> dict[str, Any]:
    """A run that can be read, and its curve for a page that knows all up to the revision `since`; None: it is new."""
    row = run.row
    assert row is not None
    assert run.state is not None
    described = {
        "folder": encodable(run.folder),
        "run_id": encodable(row["run_id"]),
        "study": encodable(row["study"]),
        "label": run.label,
        "state": run.state.value,
        "epoch": _epoch(run, row),
        "epochs": planned_epochs(run),
        "left": fitting(run_left(run)),
        "metric": _metric(run, row),
        "updated": round(run.updated, 3),
        "error": clean(row["error"]) if row.get("error") is not None else None,
    }
    return described | (_curve(run, row, since) if run.is_running or since is not None else {})


def _epoch(run: Run, row: Row) -> int | None:
    """The last epoch of a run."""
    if run.state in STATE_LAST:
        return int(row["metrics.epochs"])
    return run.history.epochs[-1]["epoch"] if run.history.epochs else None


def _metric(run: Run, row: Row) -> dict[str, Any] | None:
    """The primary metric: of a run that states it the recorded value, of any other one that of its last epoch."""
    primary = row.get("primary")
    if primary is None:
        return None
    last = run.history.epochs[-1] if run.history.epochs else {}
    for part in PARTS:
        key = metrics.history_key(part, primary)
        value = row.get(f"metrics.{metrics.join(part, primary)}") if run.state in STATE_LAST else last.get(key)
        if value is not None:
            told = _described(row, part, primary)
            return {"label": told["title"], "value": digits(value), "digits": told["digits"]}
    return None


def _described(row: Row, part: str, name: str) -> dict[str, Any]:
    """What the page knows of a metric: as the run has recorded it, as fitbench supplies it, or else its name alone."""
    supplied = metrics.supplied(name)
    info = row.get(INFO, {}).get(name) or (supplied and supplied.info())
    if info:
        quantity = quantities([{name: info}])[f"metrics.{metrics.join(part, name)}"]
        return {"label": metric_label(quantity), **about(quantity)}
    label = encodable(name).replace("_", " ")
    title = f"{metrics.PARTS[part]} {label}"
    return {"label": label, "title": title, "kind": "metric", "digits": DIGITS, "low": None,
            "high": None}  # fmt: skip


def _curve(run: Run, row: Row, since: int | None) -> dict[str, Any]:
    """The epochs that the page lacks, and what their columns measure; nothing if it has all."""
    history = run.history
    first = history.missing(since)
    epochs = history.epochs[first:]
    if not epochs and (since is None or history.rewritten <= since):
        return {}
    columns = [name for name in history.names if name not in NOT_DRAWN][:SERIES]
    values = {encodable(name): [_short(epoch.get(name)) for epoch in epochs] for name in columns}
    curve = {"from": first, "epoch": [epoch["epoch"] for epoch in epochs], "values": values}
    return {"curve": curve, "series": _series(row, columns)}


def _series(row: Row, columns: list[str]) -> list[dict[str, Any]]:
    """What the columns of a history measure, the primary metric first: each metric once, whatever its part."""
    names = dict.fromkeys(name.removeprefix("val_") for name in columns)
    described = {name: _described(row, "train", name) for name in sorted(names, key=lambda n: n != row.get("primary"))}
    return [
        {"name": encodable(name), **{key: told[key] for key in ("label", "kind", "digits", "low", "high")}}
        for name, told in described.items()
    ]


def _short(value: float | None) -> float | None:
    """A value of a curve, in digits that show how it changes too: which range the curve will have is not known yet."""
    return None if value is None else float(f"{value:.{CURVE_DIGITS}g}")
