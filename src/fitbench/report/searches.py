"""What the report shows of a search: trials, objectives, parameters and importances, as the page takes them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fitbench.analysis.axes import window
from fitbench.analysis.frame import without_folder
from fitbench.analysis.search_record import STATES, Record, objective_quantity, read_search, short_names, why_unrated
from fitbench.analysis.series import axis_label
from fitbench.analysis.telling import text
from fitbench.errors import FitbenchError
from fitbench.quantities import Quantity
from fitbench.report.curves import LeftOut
from fitbench.report.measures import Recorded, about

TRIALS = 5_000  # that a page shows
BEST = 100  # of further ones
PARAMETERS = 40  # that a page shows


def collect(
    folders: Sequence[str], paths: Sequence[str | Path], left_out: LeftOut, recorded: Recorded
) -> list[dict[str, Any]]:
    """The searches of the studies that hold these run folders, as JSON holds them; damaged ones join `left_out`.

    A study is looked into if one of the paths holds it, and not only a run of it. `recorded` are the quantities of the
    runs.
    """
    given = {os.path.normpath(path) for path in paths}
    studies = dict.fromkeys(os.path.dirname(folder) for folder in folders if os.path.normpath(folder) not in given)  # noqa: PTH120
    run_at = {folder: run for run, folder in enumerate(folders)}
    collected = []
    for study in studies:
        try:
            record = read_search(Path(study))
        except FitbenchError as error:
            left_out.append((study, without_folder(error, study)))
        else:
            if record is not None:
                collected.append(_collected(record, study, run_at, recorded))
    return collected


def _collected(record: Record, study: str, run_at: Mapping[str, int], recorded: Recorded) -> dict[str, Any]:
    """A search for page/search.js: lists that are about trials are in their order, and so are positions of trials."""
    every = record["trials"]
    kept = sorted({*range(min(len(every), TRIALS)), *record["best"][:BEST]})
    trials = [every[number] for number in kept]
    place = {number: i for i, number in enumerate(kept)}
    names = [objective["name"] for objective in record["objectives"]]
    quantities = [objective_quantity(objective, recorded) for objective in record["objectives"]]
    shares = [record["importance"].get(name, {}) for name in names]
    keys = sorted(record["space"], key=lambda key: -shares[0].get(key, 0))[:PARAMETERS]
    labels = short_names(list(record["space"]))
    summary = [_summary(record)]
    if len(trials) < len(every):
        summary.append(f"{len(trials):,} of the trials are shown.")
    if len(keys) < len(record["space"]):
        summary.append(f"{len(keys)} of {len(record['space'])} parameters are shown.")
    return {
        "study": Path(study).absolute().name,
        "summary": " ".join(summary),
        "objectives": [_objective(record, i, quantity, trials) for i, quantity in enumerate(quantities)],
        "parameters": [_parameter(record["space"][key], key, labels[key], trials) for key in keys],
        "importance": [[(i, share[key]) for i, key in enumerate(keys) if key in share] for share in shares],
        "unrated": why_unrated(record),
        "numbers": kept,
        "states": [trial["state"] for trial in trials],
        "epochs": [trial["epochs"] for trial in trials],
        "seconds": [_seconds(trial) for trial in trials],
        "errors": [trial["error"] for trial in trials],
        "runs": [next((run_at[f"{study}{os.sep}{name}"] for name in trial["run_ids"]
                       if f"{study}{os.sep}{name}" in run_at), None) for trial in trials],
        "best": [place[number] for number in record["best"] if number in place],
    }  # fmt: skip


def _summary(record: Record) -> str:
    """How many trials there are, how they ended, and which sampler and pruner chose them."""
    counts = Counter(trial["state"] for trial in record["trials"])
    states = ", ".join(f"{counts[state]:,} {state}" for state in STATES if counts[state])
    folds, count = record.get("folds"), (record.get("seeds") or 1) * (record.get("folds") or 1)
    runs = f", the mean of {count} runs each{f' over {folds} folds' if folds else ''}" if count > 1 else ""
    pruner = "no pruner" if record["pruner"] == "none" else f"{record['pruner']} pruner"
    return (
        f"{len(record['trials']):,} trials{runs}: {states or 'none'}. "
        f"Sampler {record['sampler']} with seed {record['seed']}, {pruner}."
    )


def _objective(record: Record, number: int, quantity: Quantity, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An objective as page/search.js takes it; `shown` are the ends of its axis."""
    finished = [trial["values"][number] for trial in record["trials"] if trial["state"] == "finished"]
    pruned = [trial["values"][number] for trial in record["trials"] if trial["state"] == "pruned" and trial["values"]]
    some = finished or pruned or [0.0, 1.0]
    return {
        **about(quantity),
        "name": record["objectives"][number]["name"],
        "label": axis_label(quantity),
        "shown": window(some, quantity.higher_is_better, pruned, whole=quantity.metric is None),
        "values": [_value_of(trial, number) for trial in trials],
    }


def _value_of(trial: Mapping[str, Any], objective: int) -> float | None:
    return trial["values"][objective] if trial["values"] and trial["state"] in ("finished", "pruned") else None


def _parameter(of: Record, key: str, label: str, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values = [trial["params"].get(key) for trial in trials]
    about = {"name": key, "label": label}
    if of["kind"] == "choice":
        texts = [None if value is None else text(value) for value in values]
        order = [choice for choice in dict.fromkeys(map(text, of["values"])) if choice in set(texts)]
        rest = [choice for choice in dict.fromkeys(texts) if choice is not None and choice not in order]
        return about | {"kind": "text", "choices": [*order, *rest], "values": texts}
    return about | {"kind": "short", "log": of["log"], "low": of["low"], "high": of["high"], "values": values}


def _seconds(trial: Mapping[str, Any]) -> float | None:
    began, ended = trial["began"], trial["ended"]
    return None if began is None or ended is None else round(max(ended - began, 0), 3)
