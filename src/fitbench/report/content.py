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
from fitbench.errors import FitbenchError
from fitbench.record import reading
from fitbench.report import searches
from fitbench.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from fitbench.analysis.groups import Comparison, Group
    from fitbench.quantities import Quantity

SERIES = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
POINTS = 150  # epochs of a curve at most
DIGITS = 4  # significant ones of a curve
MISTAKES = 12  # the most confident ones of a run
MATRIX = 40  # classes; with more, a run has no confusion matrix but its most confused pairs
PAIRS = 30  # of these
NAMED = 3  # groups or studies that are named; with more, they are counted
AXES = 10  # of the parallel coordinates at most
SAFE_INTEGER = 2**53  # JavaScript has no larger ones

METRICS = (
    "metrics.test_accuracy", "metrics.val_accuracy", "metrics.test_loss", "metrics.val_loss",
    "metrics.train_accuracy", "metrics.train_loss",
)  # fmt: skip
COSTS = (
    "parameters", "metrics.best_epoch", "metrics.epochs", "timing.fit_seconds", "timing.seconds",
    "timing.examples_per_second",
)  # fmt: skip
ALWAYS = (  # columns of the table at first, beside the configuration
    "run_id", "state", "metrics.test_accuracy", "metrics.val_accuracy", "metrics.test_loss", "metrics.best_epoch",
    "timing.seconds", "finished_at",
)  # fmt: skip
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
    curves = [_curve(folder, left_out) for folder in folders]
    studies = sorted(set(columns["study"]))
    return {
        "title": ", ".join(studies) if 0 < len(studies) <= NAMED else f"{len(studies)} studies",
        "made": round(time.time()),
        "version": __version__,
        "paths": [_encodable(str(path)) for path in paths or ("outputs",)],
        "count": len(frame),
        "states": Counter(columns["state"]).most_common(),
        "columns": _columns(columns, vary, telling, metric, quantities_of(frame)),
        "constant": [(name, _said(columns[name][0])) for name in constant if columns["folder"]],
        "environment": _environment(columns),
        "folders": [_encodable(folder) for folder in folders],
        "errors": columns["error"],
        "histories": [
            curve and _compact(curve, best) for curve, best in zip(curves, columns["metrics.best_epoch"], strict=True)
        ],
        "metric": metric.column,
        "parallel": _axes(columns, telling, metric),
        "groups": _groups(frame, by, metric, folders, curves),
        **_mistakes(folders, columns["state"], left_out),
        "searches": searches.collect(folders, paths or ("outputs",), left_out),
        "left_out": [(_encodable(folder), _encodable(reason)) for folder, reason in left_out],
    }


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
    columns: Columns,
    vary: Sequence[str],
    telling: Sequence[str],
    metric: Quantity,
    recorded: Mapping[str, Quantity],
) -> list[dict[str, Any]]:
    """The columns of the table of runs, those without any value left out.

    `kind` says how values are written (page/data.js), `part` what they are, `better` which direction is better, if
    that is known, and `shown` whether the column is there at first.
    """
    parts = {
        "run_id": "identity", "state": "identity", "study": "identity", "seed": "identity", "trial": "identity",
        **dict.fromkeys(vary, "config"), **dict.fromkeys(METRICS, "metric"), **dict.fromkeys(COSTS, "cost"),
        "finished_at": "time",
    }  # fmt: skip
    labels = _labels(list(parts))
    return [
        {
            "name": name,
            "label": labels[name],
            "kind": kind,
            "part": part,
            "better": _better(recorded.get(name)),
            "shown": name in (*ALWAYS, *telling, metric.column) or (name in IF_VARYING and len(set(columns[name])) > 1),
            "values": columns[name] if kind != "text" else [None if v is None else _said(v) for v in columns[name]],
        }
        for name, part in parts.items()
        if name in ("run_id", "state") or any(value is not None for value in columns[name])
        for kind in [_kind(name, part, columns[name])]
    ]


def _kind(name: str, part: str, values: Sequence[Any]) -> str:
    if part == "metric":
        return "metric"
    if name in ("timing.fit_seconds", "timing.seconds"):
        return "seconds"
    if part == "cost":
        return "integer"
    if part == "time":
        return "moment"
    numbers = all(
        value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values
    )
    return "number" if numbers else "text"


def _better(quantity: Quantity | None) -> str | None:
    return None if quantity is None else "higher" if quantity.higher_is_better else "lower"


def _labels(names: Sequence[str]) -> dict[str, str]:
    """Names as short as people write them: model for model.name, learning_rate where no other name ends so."""
    own = {"timing.seconds": "time", "timing.fit_seconds": "time of epochs", "finished_at": "age"}
    short = {name: name.removesuffix(".name") if name.endswith(".name") else name.rpartition(".")[2] for name in names}
    often = Counter([*own.values(), *(short[name] for name in names if name not in own)])
    return {
        name: own.get(name) or (name if often[end] > 1 or end in ("kind", "_target_") else end)
        for name, end in short.items()
    }


def _said(value: Any) -> str:
    from fitbench.analysis.groups import text

    return text(value)


def _environment(columns: Columns) -> list[tuple[str, Any]]:
    """What runs were made with: one value where all agree, else one for each run."""
    names = [name for name in columns if name in ENVIRONMENT or name.startswith(("dataset.", "versions."))]
    said = {name: [None if value is None else _said(value) for value in columns[name]] for name in names}
    known = {name: values for name, values in said.items() if any(value is not None for value in values)}
    return [(name, values[0] if len(set(values)) == 1 else values) for name, values in known.items()]


def _axes(columns: Columns, telling: Sequence[str], metric: Quantity) -> list[str]:
    """What parallel coordinates show: the configuration that varies, costs that vary, and the metric."""
    last = [name for name in ("parameters", "timing.seconds", metric.column) if len(set(columns[name]) - {None}) > 1]
    return list(dict.fromkeys([*telling[: AXES - len(last)], *last]))


# -- curves -----------------------------------------------------------------------------------------------------------

Curve = dict[str, np.ndarray]  # 'epoch' int [E], and of SERIES those that are recorded, float [E] with NaN


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
    read = {name: np.array([epoch.get(name) for epoch in epochs], dtype=float) for name in SERIES}
    known = {name: values for name, values in read.items() if np.isfinite(values).any()}
    if "learning_rate" in known and np.ptp(known["learning_rate"]) == 0:
        del known["learning_rate"]
    return {"epoch": np.array([epoch["epoch"] for epoch in epochs])} | known


def _compact(curve: Curve, best_epoch: int | None) -> dict[str, Any]:
    """A curve as the page has it: the number of epochs where they are 1, 2, 3, ..., else the epochs themselves."""
    epochs = curve["epoch"]
    kept = _thinned(len(epochs))
    if best_epoch is not None:
        kept = np.union1d(kept, np.flatnonzero(epochs == best_epoch))
    whole = np.array_equal(epochs[kept], np.arange(1, len(kept) + 1))
    series = {name: _rounded(values[kept]) for name, values in curve.items() if name != "epoch"}
    return {"epochs": len(kept) if whole else epochs[kept].tolist(), **series}


def _thinned(count: int) -> np.ndarray:
    """Evenly spaced positions below `count`, the first and the last among them, POINTS at most."""
    return np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(int))


def _rounded(values: np.ndarray) -> list[float | None]:
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values.tolist()]


# -- mistakes ---------------------------------------------------------------------------------------------------------


def _mistakes(folders: Sequence[str], states: Sequence[str], left_out: LeftOut) -> dict[str, Any]:
    """Of each finished run the confusion matrix (or most confused pairs, or why there is none) and its mistakes."""
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
                names = result["data"]["classes"]
                place = classes.setdefault(tuple(names), len(classes))
                predicted = predictions.predicted
                matrix = {"classes": place, **_confusion(predictions.labels, predicted, len(names))}
                wrong = _worst(predictions, predicted)
        confusion.append(matrix)
        mistakes.append(wrong)
    return {"classes": [list(names) for names in classes], "confusion": confusion, "mistakes": mistakes}


def _confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, Any]:
    matrix = scores.confusion(labels, predicted, classes)
    if classes <= MATRIX:
        return {"counts": matrix.ravel().tolist()}
    pairs = scores.confused_pairs(matrix, [str(place) for place in range(classes)], PAIRS)
    return {"pairs": [(int(pair["true"]), int(pair["predicted"]), pair["count"]) for pair in pairs]}


def _worst(predictions: reading.Predictions, predicted: np.ndarray) -> dict[str, Any]:
    """How many images are misread, and the most confident of them: position, label, predicted class, probability."""
    labels, probabilities = predictions.labels, predictions.probabilities
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[scores.mistakes(labels[wrong], probabilities[wrong])][:MISTAKES]
    sure = [round(p, 4) if math.isfinite(p) else None for p in probabilities[worst].max(axis=1).tolist()]
    rows = zip(worst.tolist(), labels[worst].tolist(), predicted[worst].tolist(), sure, strict=True)
    return {"count": len(wrong), "images": len(labels), "worst": list(rows)}


# -- groups -----------------------------------------------------------------------------------------------------------


def _groups(
    frame: pd.DataFrame, by: Sequence[str], metric: Quantity, folders: Sequence[str], curves: Sequence[Curve | None]
) -> dict[str, Any]:
    """The comparison of groups, for each metric that some run has, and the learning curves of the groups.

    Groups are named by their position in the ranking by `metric`, runs by their position in the frame.
    """
    from fitbench.analysis import groups
    from fitbench.analysis.frame import column, quantities_of

    keys = list(dict.fromkeys(column(frame, name.strip()) for name in by)) or groups.default_keys(frame)
    ranked = groups.group(frame, keys, metric)
    place = {tuple(one.keys.values()): i for i, one in enumerate(ranked)}
    run_at = {folder: run for run, folder in enumerate(folders)}
    values = zip(*(_or_none(frame[key]) for key in keys), strict=True) if keys else [()] * len(folders)
    recorded = quantities_of(frame)
    offered = dict.fromkeys([metric.column, *METRICS, "timing.fit_seconds", "metrics.best_epoch"])
    finished = frame[frame["state"] == "finished"]
    other_data = []
    if finished["dataset.sha256"].nunique() > 1 and not any(key.startswith("data") for key in keys):
        other_data = ["Not all runs were tested on the same images: dataset.sha256 differs."]
    compared = []
    for name in offered:
        shown = recorded[name]
        these = ranked if shown == metric else groups.group(frame, keys, shown)
        if not these or not these[0].values:
            continue
        against = groups.against(these, 0, shown)
        rows = [
            _group_row(one, other, place[tuple(one.keys.values())], run_at)
            for one, other in zip(these, against, strict=True)
        ]
        compared.append(
            {
                "name": name,
                "label": shown.name,
                "kind": _kind(name, "metric" if name in METRICS else "cost", []),
                "better": _better(shown),
                "rows": rows,
                "said": _method(shown, against),
                "remarks": [*other_data, *_remarks(these, against)],
            }
        )
    return {
        "by": keys,
        "keys": [[_fitting(value) for value in one.keys.values()] for one in ranked],
        "names": [one.label for one in ranked],
        "of": [place[key] for key in values],
        "metrics": compared,
        "curves": _group_curves([[curves[run_at[folder]] for folder in one.folders] for one in ranked]),
    }


def _group_row(one: Group, other: Comparison | None, place: int, run_at: Mapping[str, int]) -> dict[str, Any]:
    low, high = one.summary.interval or (None, None)
    difference = other.difference if other else None
    from_low, from_high = difference.interval if difference and difference.interval else (None, None)
    return {
        "group": place,
        "rank": one.rank,
        "n": one.summary.n,
        "mean": _digits(one.summary.mean),
        "sd": _digits(one.summary.sd),
        "low": _digits(low),
        "high": _digits(high),
        "best": one.best,
        "worst": one.worst,
        "parameters": one.parameters,
        "seconds": _digits(one.seconds),
        "difference": _digits(difference.estimate) if difference else None,
        "difference_low": _digits(from_low),
        "difference_high": _digits(from_high),
        "p": _digits(other.p_holm) if other else None,
        "beats": _digits(other.probability) if other else None,
        "runs": [run_at[folder] for folder in one.folders],
        "noted": bool(_reasons(one, other)),
    }


def _digits(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.7g}")


def _method(metric: Quantity, against: Sequence[Comparison | None]) -> str:
    """How the intervals and p-values come about; the sources are in `statistics`."""
    tests = sorted({one.difference.test for one in against if one and one.difference.p is not None})
    tested = f" p: {' or '.join(tests)} test against the best, corrected after Holm." if tests else ""
    return f"95% intervals: {statistics.interval_method(metric)}.{tested} All runs count, whatever the filter."


def _remarks(these: Sequence[Group], against: Sequence[Comparison | None]) -> list[str]:
    """What is to be known of single groups, groups with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for one, other in zip(these, against, strict=True):
        for reason in _reasons(one, other):
            reasons.setdefault(reason, []).append(one.label)
    return [
        f"{'; '.join(labels) if len(labels) <= NAMED else f'{len(labels)} groups'}: {reason}"
        for reason, labels in reasons.items()
    ]


def _reasons(one: Group, other: Comparison | None) -> list[str]:
    reasons = []
    if one.summary.no_interval:
        reasons.append(f"no interval: {one.summary.no_interval}")
    if other and other.difference.note:
        reasons.append(f"no test: {other.difference.note}")
    if one.uncounted:
        reasons.append("not counted: " + ", ".join(f"{count} {what}" for what, count in one.uncounted.items()))
    if one.repeated:
        reasons.append(f"{len(one.repeated)} recorded more than once; the run that finished last counts")
    if one.mixed:
        varied = [f"{name} ({', '.join(map(_said, values[:NAMED]))}{', ...' if len(values) > NAMED else ''})"
                  for name, values in one.mixed.items()]  # fmt: skip
        reasons.append(f"mixes runs that differ in more than the groups do: {', '.join(varied)}")
    return reasons


def _group_curves(members: Sequence[Sequence[Curve | None]]) -> dict[str, list[dict[str, Any]]]:
    """By series: the mean of each group over the epochs that all its runs have, with the interval of the mean.

    `tails` are what single runs have beyond these epochs: (epochs, values), beginning at the last common one.
    """
    made: dict[str, list[dict[str, Any]]] = {}
    for name in SERIES:
        bounds = (0.0, 1.0) if name.endswith("accuracy") else (0.0, math.inf)
        for place, runs in enumerate(members):
            recorded = [(curve["epoch"], curve[name]) for curve in runs if curve and name in curve]
            having = [(epochs[known], values[known]) for epochs, values in recorded for known in [np.isfinite(values)]]
            common = [epochs for epochs, _ in having]
            shared = common[0] if common else np.array([], int)
            for epochs in common[1:]:
                shared = np.intersect1d(shared, epochs, assume_unique=True)
            if not len(shared):
                continue
            shared = shared[_thinned(len(shared))]
            table = np.array([values[np.searchsorted(epochs, shared)] for epochs, values in having])
            found = [statistics.summarise(values, *bounds) for values in table.T.tolist()]
            made.setdefault(name, []).append({"group": place, "epochs": shared.tolist(), **_band(found)})
            made[name][-1]["tails"] = [
                (epochs[rest].tolist(), _rounded(values[rest]))
                for epochs, values in having
                if epochs[-1] > shared[-1]
                for after in [np.flatnonzero(epochs >= shared[-1])]
                for rest in [after[_thinned(len(after))]]
            ]
    return made


def _band(found: Sequence[statistics.Summary]) -> dict[str, list[float | None]]:
    ends = [one.interval or (math.nan, math.nan) for one in found]
    return {
        "mean": _rounded(np.array([one.mean for one in found], float)),
        "low": _rounded(np.array([low for low, _ in ends])),
        "high": _rounded(np.array([high for _, high in ends])),
    }
