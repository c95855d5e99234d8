"""What a report shows: a frame of runs, their curves, their mistakes and the comparison of groups, as JSON holds it.

So that 1,000 runs stay under 15 MB, a curve has 150 epochs at most (evenly spaced, and the best one) in 4 significant
digits, and of the predictions there are the confusion matrix and the most confident mistakes.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis import scores, statistics
from fitbench.analysis.series import axis_label, metric_label, resolutions_by_folder
from fitbench.analysis.series import series as series_of
from fitbench.errors import FitbenchError
from fitbench.record import reading
from fitbench.report import searches
from fitbench.tasks import task_of
from fitbench.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from fitbench.analysis.comparison import Comparison
    from fitbench.analysis.groups import Group
    from fitbench.quantities import Quantity

POINTS = 150  # epochs of a curve at most
DIGITS = 4  # significant ones of a curve
MISTAKES = 12  # the most confident ones of a run
MATRIX = 40  # classes; with more, a run has no confusion matrix but its most confused pairs
PAIRS = 30  # of these
NAMED = 3  # groups or studies that are named; with more, they are counted
AXES = 10  # of the parallel coordinates at most
SAFE_INTEGER = 2**53  # JavaScript has no larger ones

PARTS = ("test", "val", "train")  # of metrics, in the order of the table's columns
SERIES = 60  # columns of histories at most
NOT_SERIES = ("epoch", "seconds")  # of a history
LEARNING_RATE = {"name": "learning_rate", "label": "learning rate", "digits": DIGITS, "bounded": False}
ALWAYS = ("run_id", "state", "metrics.best_epoch", "timing.seconds", "finished_at")  # columns of the table at first
COMPARED_COSTS = ("timing.fit_seconds", "metrics.best_epoch")
IF_VARYING = ("study", "seed", "trial", "parameters")  # these too, if the runs differ in them
ENVIRONMENT = ("study", "config_id", "device", "attempts", "git.commit", "git.dirty")

Columns = Mapping[str, list[Any]]  # plain values by column, one for each run, None where there is none
LeftOut = list[tuple[str, str]]  # what cannot be read, and why


def collect(
    frame: pd.DataFrame, by: Sequence[str], metric: Quantity, paths: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """Everything on the page, for `report.page`. Lists that are about runs are in the order of the frame.

    `frame` is what `load_runs` gives; history.jsonl and predictions.npz are read here. What cannot be read of them
    joins the frame's `left_out`. `by` names the columns that make a group (none: `groups.default_keys`), `metric` is
    what groups are ranked by.

    Raises:
        RequestError: `by` names no column.
    """
    from fitbench.analysis import groups
    from fitbench.analysis.frame import configuration, quantities_of, varying

    left_out: LeftOut = [(str(folder), str(reason)) for folder, reason in frame.attrs.get("left_out", [])]
    columns = {str(name): _plain(frame[name]) for name in frame.columns}
    folders = [str(folder) for folder in columns["folder"]]
    vary = varying(frame)
    keys = groups.default_keys(frame)
    telling = [name for name in vary if name in keys or len(set(columns[name]) - {None}) > 1]
    constant = [name for name in configuration(frame) if name not in vary]
    primary = [name for name in dict.fromkeys(columns["primary"]) if name is not None]
    recorded = _in_order(quantities_of(frame), primary)
    curves = [_curve(folder, left_out) for folder in folders]
    series = _series(curves, recorded)
    studies = sorted(set(columns["study"]))
    return {
        "title": ", ".join(studies) if 0 < len(studies) <= NAMED else f"{len(studies)} studies",
        "written": round(time.time()),
        "version": __version__,
        "paths": [_encodable(str(path)) for path in paths or ("outputs",)],
        "count": len(frame),
        "states": Counter(columns["state"]).most_common(),
        "columns": _columns(columns, vary, [*telling, metric.column], recorded, primary),
        "metrics": _metrics(recorded),
        "series": series[:SERIES],
        "notices": _notices(recorded, len(series)),
        "constant": [(name, _text(columns[name][0])) for name in constant if columns["folder"]],
        "environment": _environment(columns),
        "folders": [_encodable(folder) for folder in folders],
        "errors": columns["error"],
        "histories": [
            curve and _compact(curve, best, series[:SERIES])
            for curve, best in zip(curves, columns["metrics.best_epoch"], strict=True)
        ],
        "metric": metric.column,
        "parallel": _axes(columns, telling, metric),
        "groups": _groups(frame, by, metric, recorded, folders, curves),
        **_predictions(folders, columns["state"], left_out),
        "searches": searches.collect(folders, paths or ("outputs",), left_out, recorded),
        "left_out": [(_encodable(folder), _encodable(reason)) for folder, reason in left_out],
    }


# -- quantities -------------------------------------------------------------------------------------------------------

Recorded = Mapping[str, "Quantity"]  # what the runs record, by column


def _in_order(available: Recorded, primary: Sequence[str]) -> Recorded:
    """The quantities in the order of the page: metrics of the test part first, primary ones first, the loss last."""

    def place(quantity: Quantity) -> tuple[bool, int, bool, bool]:
        part = PARTS.index(quantity.part) if quantity.part else 0
        return quantity.metric is None, part, quantity.metric not in primary, quantity.metric == "loss"

    return {quantity.column: quantity for quantity in sorted(available.values(), key=place)}


def _is_comparable(quantity: Quantity) -> bool:
    """Whether all runs mean the same by the name."""
    return len(quantity.definitions) <= 1


def _about(quantity: Quantity) -> dict[str, Any]:
    """What the page asks a quantity: its label, which direction is better, its range, and how it is written."""
    return {
        "title": axis_label(quantity),
        "better": ("higher" if quantity.higher_is_better else "lower") if _is_comparable(quantity) else None,
        "digits": quantity.digits,
        "low": quantity.low if math.isfinite(quantity.low) else None,
        "high": quantity.high if math.isfinite(quantity.high) else None,
        "bounded": math.isfinite(quantity.low) and math.isfinite(quantity.high),
        "proportion": quantity.proportion,
    }


def _metrics(recorded: Recorded) -> list[dict[str, Any]]:
    """The metrics that runs record, each once: name, label and decimals."""
    first: dict[str, Quantity] = {}
    for quantity in recorded.values():
        if quantity.metric is not None:
            first.setdefault(quantity.metric, quantity)
    return [
        {"name": name, "label": metric_label(quantity), "digits": quantity.digits} for name, quantity in first.items()
    ]


def _series(curves: Sequence[Curve | None], recorded: Recorded) -> list[dict[str, Any]]:
    """The columns of the histories: those of recorded metrics, validation first, then any others."""
    present = {name for curve in curves if curve for name in curve} - {"epoch"}
    by_epoch = series_of(recorded)
    described = [{"name": name, "label": axis_label(by_epoch[name]), **_about(by_epoch[name])} for name in by_epoch]
    names = [*by_epoch, "learning_rate"]
    others = [
        {"name": name, "label": name.replace("_", " "), "digits": DIGITS, "bounded": False}
        for name in sorted(present)
        if name not in names
    ]
    return [each for each in (*described, LEARNING_RATE, *others) if each["name"] in present]


def _notices(recorded: Recorded, series: int) -> list[str]:
    """What a reader has to know of the metrics."""
    mixed = dict.fromkeys(quantity.metric for quantity in recorded.values() if not _is_comparable(quantity))
    notices = [f"{name} has different definitions in these runs. Its values are listed and not compared."
               for name in mixed]  # fmt: skip
    if series > SERIES:
        notices.append(f"{SERIES} of the {series:,} columns of the histories are on the page.")
    return notices


# -- values -----------------------------------------------------------------------------------------------------------


def _plain(column: pd.Series) -> list[Any]:
    """The values as JSON and JavaScript can hold them: the missing as None, times as seconds since 1970."""
    if column.dtype.kind == "M":
        return [None if moment is None else round(moment.timestamp()) for moment in _or_none(column)]
    return [_fitting(value) for value in _or_none(column)]


def _or_none(column: pd.Series) -> list[Any]:
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]


def _fitting(value: Any) -> Any:
    if isinstance(value, float):
        return (
            int(value) if value.is_integer() and abs(value) < SAFE_INTEGER else value if math.isfinite(value) else None
        )
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= SAFE_INTEGER else str(value)
    return value if value is None or isinstance(value, (bool, str)) else str(value)


def _encodable(text: str) -> str:
    """A name from the file system, with what is no text in it as '?'."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


# -- columns ----------------------------------------------------------------------------------------------------------


def _columns(
    columns: Columns, vary: Sequence[str], chosen: Sequence[str], recorded: Recorded, primary: Sequence[str]
) -> list[dict[str, Any]]:
    """The columns of the table of runs, those without any value left out.

    `kind` says how values are written (page/data.js), `part` what they are, and `shown` whether the column is there at
    first. `_about` describes a quantity.
    """
    parts = {
        "run_id": "identity", "state": "identity", "study": "identity", "seed": "identity", "trial": "identity",
        **dict.fromkeys(vary, "config"),
        **{name: "cost" if quantity.metric is None else "metric" for name, quantity in recorded.items()},
        "finished_at": "time",
    }  # fmt: skip
    labels = _labels(list(parts))
    visible = {*ALWAYS, *chosen, *(name for name in IF_VARYING if len(set(columns[name])) > 1)}
    for name, quantity in recorded.items():
        if quantity.part == "test" or (quantity.part == "val" and quantity.metric in primary):
            visible.add(name)
    table = []
    for name, part in parts.items():
        values = columns.get(name, [])
        if name not in ("run_id", "state") and all(value is None for value in values):
            continue
        kind = _kind(recorded.get(name), part, values)
        table.append(
            {
                "name": name,
                "label": labels[name],
                "title": labels[name],
                "kind": kind,
                "part": part,
                "better": None,
                "shown": name in visible,
                "values": values if kind != "text" else [None if v is None else _text(v) for v in values],
                **(_about(recorded[name]) if name in recorded else {}),
            }
        )
    return table


def _kind(quantity: Quantity | None, part: str, values: Sequence[Any]) -> str:
    if quantity is not None:
        is_count = quantity.metric is None and quantity.digits == 0
        return "seconds" if quantity.unit == "s" else "integer" if is_count else "metric"
    if part == "time":
        return "moment"
    numbers = all(
        value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values
    )
    return "number" if numbers else "text"


def _labels(names: Sequence[str]) -> dict[str, str]:
    """Names as short as people write them: model for model.name, learning_rate where no other name ends so."""
    own = {"timing.seconds": "time", "timing.fit_seconds": "time of epochs", "finished_at": "age"}
    short = {name: name.removesuffix(".name") if name.endswith(".name") else name.rpartition(".")[2] for name in names}
    often = Counter([*own.values(), *(short[name] for name in names if name not in own)])
    return {
        name: own.get(name) or (name if often[end] > 1 or end in ("kind", "_target_") else end)
        for name, end in short.items()
    }


def _text(value: Any) -> str:
    from fitbench.analysis.groups import text

    return text(value)


def _environment(columns: Columns) -> list[tuple[str, Any]]:
    """The environment of the runs: one value where all agree, else one for each run."""
    names = [name for name in columns if name in ENVIRONMENT or name.startswith(("dataset.", "versions."))]
    texts = {name: [None if value is None else _text(value) for value in columns[name]] for name in names}
    present = {name: values for name, values in texts.items() if any(value is not None for value in values)}
    return [(name, values[0] if len(set(values)) == 1 else values) for name, values in present.items()]


def _axes(columns: Columns, telling: Sequence[str], metric: Quantity) -> list[str]:
    """What parallel coordinates show: the configuration that varies, costs that vary, and the metric."""
    last = [name for name in ("parameters", "timing.seconds", metric.column) if len(set(columns[name]) - {None}) > 1]
    return list(dict.fromkeys([*telling[: AXES - len(last)], *last]))


# -- curves -----------------------------------------------------------------------------------------------------------

Curve = dict[str, np.ndarray]  # 'epoch' int [E], and every column that is recorded, float [E] with NaN


def _curve(folder: str, left_out: LeftOut) -> Curve | None:
    """The epochs of a run, None without any. A learning rate that does not change is left out."""
    try:
        epochs = reading.read_history(Path(folder))
    except FileNotFoundError:  # it was there a moment ago
        return None
    except (OSError, RecursionError) as error:
        left_out.append((folder, f"history.jsonl: cannot be read ({error})"))
        return None
    if not epochs:
        return None
    names = dict.fromkeys(name for epoch in epochs for name in epoch if name not in NOT_SERIES)
    columns = {name: np.array([epoch.get(name) for epoch in epochs], dtype=float) for name in names}
    finite = {name: values for name, values in columns.items() if np.isfinite(values).any()}
    if "learning_rate" in finite and np.ptp(finite["learning_rate"]) == 0:
        del finite["learning_rate"]
    return {"epoch": np.array([epoch["epoch"] for epoch in epochs])} | finite


def _compact(curve: Curve, best_epoch: int | None, series: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A curve as the page has it: the number of epochs where they are 1, 2, 3, ..., else the epochs themselves."""
    epochs = curve["epoch"]
    kept = _thinned(len(epochs))
    if best_epoch is not None:
        kept = np.union1d(kept, np.flatnonzero(epochs == best_epoch))
    whole = np.array_equal(epochs[kept], np.arange(1, len(kept) + 1))
    names = [each["name"] for each in series if each["name"] in curve]
    values = {name: _rounded(curve[name][kept]) for name in names}
    return {"epochs": len(kept) if whole else epochs[kept].tolist(), "series": values}


def _thinned(count: int) -> np.ndarray:
    """Evenly spaced positions below `count`, the first and the last among them, POINTS at most."""
    return np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(int))


def _rounded(values: np.ndarray) -> list[float | None]:
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values.tolist()]


# -- predictions ------------------------------------------------------------------------------------------------------


def _predictions(folders: Sequence[str], states: Sequence[str], left_out: LeftOut) -> dict[str, Any]:
    """Of each finished run what its task draws: the confusion matrix, or why there is none, and the mistakes."""
    classes: dict[tuple[str, ...], int] = {}
    confusion: list[dict[str, Any] | str | None] = []
    mistakes: list[dict[str, Any] | None] = []
    for folder, state in zip(folders, states, strict=True):
        matrix: dict[str, Any] | str | None = None
        wrong = None
        if state == "finished":
            try:
                result = reading.read_result(Path(folder))
                predictions = reading.read_predictions(Path(folder), result)
            except FitbenchError as error:
                matrix = "There is no predictions.npz."
                if (Path(folder) / "predictions.npz").exists():
                    reason = str(error).removeprefix(folder).lstrip("/")
                    left_out.append((folder, reason))
                    matrix = f"Left out: {reason}"
            else:
                drawings, names = task_of(result["task"]).drawings, result["data"]["classes"]
                if "confusion" in drawings:
                    place = classes.setdefault(tuple(names), len(classes))
                    matrix = {"classes": place, **_confusion(predictions, len(names))}
                wrong = _worst(predictions) if "mistakes" in drawings else None
        confusion.append(matrix)
        mistakes.append(wrong)
    return {"classes": [list(names) for names in classes], "confusion": confusion, "mistakes": mistakes}


def _confusion(predictions: reading.Predictions, classes: int) -> dict[str, Any]:
    matrix = scores.confusion(predictions.targets, scores.predicted(predictions.outputs), classes)
    if classes <= MATRIX:
        return {"counts": matrix.ravel().tolist()}
    pairs = scores.confused_pairs(matrix, [str(place) for place in range(classes)], PAIRS)
    return {"pairs": [(int(pair["true"]), int(pair["predicted"]), pair["count"]) for pair in pairs]}


def _worst(predictions: reading.Predictions) -> dict[str, Any]:
    """How many mistakes there are, and the most confident: position, label, predicted class, probability."""
    labels, probabilities = predictions.targets, predictions.outputs
    predicted = scores.predicted(probabilities)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[scores.mistakes(labels[wrong], probabilities[wrong])][:MISTAKES]
    sure = [round(p, 4) if math.isfinite(p) else None for p in probabilities[worst].max(axis=1).tolist()]
    rows = zip(worst.tolist(), labels[worst].tolist(), predicted[worst].tolist(), sure, strict=True)
    return {"count": len(wrong), "examples": len(labels), "worst": list(rows)}


# -- groups -----------------------------------------------------------------------------------------------------------


def _groups(
    frame: pd.DataFrame,
    by: Sequence[str],
    metric: Quantity,
    recorded: Recorded,
    folders: Sequence[str],
    curves: Sequence[Curve | None],
) -> dict[str, Any]:
    """The comparison of groups, for each metric that some run has, and the learning curves of the groups.

    Groups are named by their position in the ranking by `metric`, runs by their position in the frame.
    """
    from fitbench.analysis import groups
    from fitbench.analysis.frame import column

    keys = list(dict.fromkeys(column(frame, name.strip()) for name in by)) or groups.default_keys(frame)
    ranked = groups.group(frame, keys, metric)
    run_at = {folder: run for run, folder in enumerate(folders)}
    values = zip(*(_or_none(frame[key]) for key in keys), strict=True) if keys else [()] * len(folders)
    place = {tuple(group.keys.values()): i for i, group in enumerate(ranked)}
    members = [[run_at[folder] for folder in group.folders] for group in ranked]
    return {
        "by": keys,
        "keys": [[_fitting(value) for value in group.keys.values()] for group in ranked],
        "names": [group.label for group in ranked],
        "of": [place[key] for key in values],
        "metrics": _comparisons(frame, ranked, metric, recorded, run_at),
        "curves": _group_curves(frame, members, curves, recorded),
    }


def _comparisons(
    frame: pd.DataFrame, ranked: Sequence[Group], metric: Quantity, recorded: Recorded, run_at: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The comparison of the groups by each metric that the page offers, `metric` first."""
    from fitbench.analysis import comparison, groups

    keys = list(ranked[0].keys) if ranked else []
    place = {tuple(group.keys.values()): i for i, group in enumerate(ranked)}
    metrics = [quantity for quantity in recorded.values() if quantity.metric is not None]
    offered = [metric, *(each for each in metrics if each != metric), *(recorded[name] for name in COMPARED_COSTS)]
    comparisons = []
    for quantity in dict.fromkeys(offered):
        if not _is_comparable(quantity):
            continue
        these = ranked if quantity == metric else groups.group(frame, keys, quantity)
        if not these or not these[0].values:
            continue
        against = comparison.against(these, 0, quantity)
        rows = [
            _group_row(group, other, place[tuple(group.keys.values())], run_at)
            for group, other in zip(these, against, strict=True)
        ]
        comparisons.append(
            {
                "name": quantity.column,
                "label": axis_label(quantity),
                "kind": _kind(quantity, "", []),
                **_about(quantity),
                "rows": rows,
                "method": _method(quantity, against),
                "remarks": [*_other_data(frame, keys), *_remarks(these, against)],
            }
        )
    return comparisons


def _other_data(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    finished = frame[frame["state"] == "finished"]
    if finished["dataset.sha256"].nunique() > 1 and not any(key.startswith("data") for key in keys):
        return ["Not all runs were tested on the same examples: dataset.sha256 differs."]
    return []


def _group_row(group: Group, other: Comparison | None, place: int, run_at: Mapping[str, int]) -> dict[str, Any]:
    low, high = group.summary.interval or (None, None)
    difference = other.difference if other else None
    from_low, from_high = difference.interval if difference and difference.interval else (None, None)
    return {
        "group": place,
        "rank": group.rank,
        "n": group.summary.n,
        "mean": _digits(group.summary.mean),
        "sd": _digits(group.summary.sd),
        "low": _digits(low),
        "high": _digits(high),
        "best": group.best,
        "worst": group.worst,
        "parameters": group.parameters,
        "seconds": _digits(group.seconds),
        "difference": _digits(difference.estimate) if difference else None,
        "difference_low": _digits(from_low),
        "difference_high": _digits(from_high),
        "p": _digits(other.p_holm) if other else None,
        "beats": _digits(other.probability) if other else None,
        "runs": [run_at[folder] for folder in group.folders],
        "noted": bool(_reasons(group, other)),
    }


def _digits(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.7g}")


def _method(metric: Quantity, against: Sequence[Comparison | None]) -> str:
    """How intervals and p-values are computed; the sources are in `statistics`."""
    tests = sorted({each.difference.test for each in against if each and each.difference.p is not None})
    tested = f" p: {' or '.join(tests)} test against the best, corrected after Holm." if tests else ""
    return f"95% intervals: {statistics.interval_method(metric)}.{tested} All runs count, whatever the filter."


def _remarks(these: Sequence[Group], against: Sequence[Comparison | None]) -> list[str]:
    """What a reader has to know of single groups, groups with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for group, other in zip(these, against, strict=True):
        for reason in _reasons(group, other):
            reasons.setdefault(reason, []).append(group.label)
    return [
        f"{'; '.join(labels) if len(labels) <= NAMED else f'{len(labels)} groups'}: {reason}"
        for reason, labels in reasons.items()
    ]


def _reasons(group: Group, other: Comparison | None) -> list[str]:
    reasons = []
    if group.summary.no_interval:
        reasons.append(f"no interval: {group.summary.no_interval}")
    if other and other.difference.note:
        reasons.append(f"no test: {other.difference.note}")
    if group.uncounted:
        reasons.append("not counted: " + ", ".join(f"{count} {what}" for what, count in group.uncounted.items()))
    if group.repeated:
        reasons.append(f"{len(group.repeated)} recorded more than once; the run that finished last counts")
    if group.mixed:
        varied = [f"{name} ({', '.join(map(_text, values[:NAMED]))}{', ...' if len(values) > NAMED else ''})"
                  for name, values in group.mixed.items()]  # fmt: skip
        reasons.append(f"mixes runs that differ in more than the groups do: {', '.join(varied)}")
    return reasons


def _group_curves(
    frame: pd.DataFrame,
    members: Sequence[Sequence[int]],
    curves: Sequence[Curve | None],
    recorded: Recorded,
) -> dict[str, list[dict[str, Any]]]:
    """By series: the mean of each group over the epochs that all its runs have, with the interval of the mean.

    `members` are the runs of each group, by their positions in the frame. `tails` are what single runs have beyond
    the common epochs: (epochs, values), beginning at the last common one.
    """
    folders = [str(folder) for folder in frame["folder"].tolist()]
    by_series: dict[str, list[dict[str, Any]]] = {}
    quantities: dict[str, Quantity | None] = {**series_of(recorded), "learning_rate": None}
    for name, quantity in quantities.items():
        if quantity is not None and not _is_comparable(quantity):
            continue
        low, high = (quantity.low, quantity.high) if quantity else (0.0, math.inf)
        steps = resolutions_by_folder(frame, quantity) if quantity else {}
        for place, runs in enumerate(members):
            having = [run for run in runs if name in (curves[run] or ())]
            resolution = max((steps.get(folders[run], 0.0) for run in having), default=0.0)
            mean = _group_curve(place, [_finite(curves[run], name) for run in having], (low, high), resolution)
            if mean is not None:
                by_series.setdefault(name, []).append(mean)
    return by_series


def _finite(curve: Curve | None, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The epochs that have a value of the series, and these values."""
    assert curve is not None
    finite = np.isfinite(curve[name])
    return curve["epoch"][finite], curve[name][finite]


def _group_curve(
    place: int, runs: Sequence[tuple[np.ndarray, np.ndarray]], bounds: tuple[float, float], resolution: float
) -> dict[str, Any] | None:
    """The mean curve of the group at `place`, whose runs have these epochs and values; None without common epochs."""
    if not runs:
        return None
    shared = runs[0][0]
    for epochs, _ in runs[1:]:
        shared = np.intersect1d(shared, epochs, assume_unique=True)
    if not len(shared):
        return None
    shared = shared[_thinned(len(shared))]
    table = np.array([values[np.searchsorted(epochs, shared)] for epochs, values in runs])
    summaries = [statistics.summarise(values, *bounds, resolution) for values in table.T.tolist()]
    tails = []
    for epochs, values in runs:
        if epochs[-1] > shared[-1]:
            after = np.flatnonzero(epochs >= shared[-1])
            rest = after[_thinned(len(after))]
            tails.append((epochs[rest].tolist(), _rounded(values[rest])))
    return {"group": place, "epochs": shared.tolist(), **_band(summaries), "tails": tails}


def _band(summaries: Sequence[statistics.Summary]) -> dict[str, list[float | None]]:
    ends = [summary.interval or (math.nan, math.nan) for summary in summaries]
    return {
        "mean": _rounded(np.array([summary.mean for summary in summaries], float)),
        "low": _rounded(np.array([low for low, _ in ends])),
        "high": _rounded(np.array([high for _, high in ends])),
    }
