"""What differs between two runs: their configuration, what they were made with, their results; `fitbench diff`."""

from __future__ import annotations

import json
import math
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench import metrics
from fitbench.analysis.paired import PairedComparison, compare_on_examples
from fitbench.analysis.series import series
from fitbench.config import NOT_IDENTITY
from fitbench.errors import FitbenchError
from fitbench.quantities import Quantity, quantities
from fitbench.record import reading
from fitbench.record.folder import State, state_of
from fitbench.tasks import task_of
from fitbench.text import check_format, clean, console, table

if TYPE_CHECKING:
    from rich.console import Console

LAUNCH_ONLY = ("force", "progress", "retry_failed", "fail_fast", "outputs")  # how a run was launched, not what it is
DATASET = ("sha256", "train", "validation", "test", "classes", "skipped")
TIMING = ("fit_seconds", "seconds", "examples_per_second")
RATIOS = (*TIMING, "parameters")  # whose ratio says more than their difference
HASHES = ("git.commit", "dataset.sha256")
DIGITS = 4  # of numbers that no quantity describes
LONGEST = 200  # characters of a definition that are shown
HEX = 12  # digits of a hash that are shown
WEIGHTS = "model.weights.h5"  # in model.keras
CHUNK = 1 << 20  # bytes of weights that are compared at once

Flat = dict[str, Any]


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
    a, b = (_read(reading.find_run(run, outputs)) for run in (run_a, run_b))
    same = _sameness(a, b)
    if format == "json":
        print(json.dumps(_content(a, b, same), indent=2, allow_nan=False))
    else:
        _print(a, b, same)


# -- what the files say -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    """One of the two runs. Keys are dotted; null and empty values are left out. Unfinished, it has no `result`.

    `info` is the `metric_info` of a finished or pruned run.
    """

    folder: Path
    state: State
    run_id: str
    config: Flat
    history: list[dict[str, Any]]
    environment: Flat = field(default_factory=dict)
    results: Flat = field(default_factory=dict)
    result: dict[str, Any] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


def _read(folder: Path) -> Side:
    try:
        return _read_files(folder)
    except RecursionError:
        raise FitbenchError(f"{folder}: its configuration or result is nested too deeply") from None
    except OSError as error:
        raise FitbenchError(f"{error.filename}: cannot be read ({error.strerror})") from None


def _read_files(folder: Path) -> Side:
    state = state_of(folder)
    history = reading.read_history(folder)
    if state is not State.finished:
        config = reading.read_config(folder)
        info = reading.read_pruned(folder)["metric_info"] if state is State.pruned else {}
        return Side(folder, state, folder.name, _config(config), history, info=info)
    result = reading.read_result(folder)
    environment = {
        **_flat(result.get("versions") or {}, "versions."),
        **_flat(result.get("git") or {}, "git."),
        "device": result["device"],
        **_flat({"threads": result["threads"]}),
        **_flat(result["environment"], "environment."),
        **_flat(result["code"], "code."),
        **_flat({name: result["data"].get(name) for name in DATASET}, "dataset."),
    }
    results = {
        **result["metrics"],
        **{name: result["timing"][name] for name in TIMING},
        **{name: result[name] for name in ("parameters", "attempts")},
    }
    results = {name: value for name, value in results.items() if value is not None}
    config, info = _config(result["config"]), result["metric_info"]
    return Side(folder, state, result["run_id"], config, history, environment, results, result, info)


def _config(config: Mapping[str, Any]) -> Flat:
    return {
        name: value
        for name, value in _flat(config).items()
        if name not in LAUNCH_ONLY and not name.startswith("metrics.")
    }


def _flat(section: Mapping[str, Any], prefix: str = "") -> Flat:
    """The values under dotted keys. Null, [] and {} are left out: to a run's identity they are the same as no key."""

    def items(part: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for key, value in part.items():
            if isinstance(value, Mapping):
                yield from items(value, f"{prefix}{key}.")
            elif value not in (None, []):
                yield f"{prefix}{key}", _plain(value)

    return dict(items(section, prefix))


def _plain(value: Any) -> Any:
    """A value as identity counts it: 1.0 is 1, but neither '1' nor true is. A stranger's NaN becomes text."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {str(key): _plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value


# -- what differs -----------------------------------------------------------------------------------------------------


def _differing(a: Flat, b: Flat) -> list[str]:
    """The keys whose values differ, section by section in the order of `a`."""
    keys = [*a, *(key for key in b if key not in a)]
    order = list(dict.fromkeys(_section_of(key) for key in keys))
    keys.sort(key=lambda key: order.index(_section_of(key)))
    return [key for key in keys if key not in a or key not in b or not _equal(a[key], b[key])]


def _section_of(key: str) -> str:
    return key.partition(".")[0] if "." in key else ""


def _equal(a: Any, b: Any) -> bool:
    return isinstance(a, str) == isinstance(b, str) and _text(a) == _text(b)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _difference(a: float | None, b: float | None) -> float | None:
    """B - A, None where one is missing or the numbers are too large to tell."""
    if a is None or b is None:
        return None
    try:
        difference = b - a
        return difference if math.isfinite(difference) else None
    except OverflowError:
        return None


def _last_common_epoch(a: Side, b: Side) -> tuple[dict[str, Any], dict[str, Any]] | None:
    epochs = {epoch["epoch"]: epoch for epoch in a.history}
    both = [(epochs[epoch["epoch"]], epoch) for epoch in b.history if epoch["epoch"] in epochs]
    return both[-1] if both else None


@dataclass(frozen=True)
class Row:
    """A number that both runs, or one of them, record.

    `difference` is B - A. `better` is 'a' or 'b' for a metric with a known direction. Both are None where a value is
    missing, and where the runs record different `definitions` of a metric.
    """

    name: str
    a: float | None
    b: float | None
    quantity: Quantity | None
    difference: float | None = None
    better: str | None = None

    @property
    def definitions(self) -> tuple[str, ...]:
        """The definitions of the metric, if there are several."""
        definitions = self.quantity.definitions if self.quantity else ()
        return definitions if len(definitions) > 1 else ()


def _rows(names: Iterable[str], a: Flat, b: Flat, quantities_by_name: Mapping[str, Quantity]) -> list[Row]:
    """The rows of these names; `known` has the quantities by the same names."""
    rows = []
    for name in names:
        row = Row(name, a.get(name), b.get(name), quantities_by_name.get(name))
        difference = None if row.definitions else _difference(row.a, row.b)
        better = None
        if difference and row.quantity and row.quantity.metric is not None:
            better = "b" if (difference > 0) == row.quantity.higher_is_better else "a"
        rows.append(replace(row, difference=difference, better=better))
    return rows


def _result_rows(a: Side, b: Side) -> list[Row]:
    """The metrics of either run, those of the test part first, and all other results of the two."""
    quantities_by_name = {quantity.name: quantity for quantity in _quantities(a, b).values()}
    recorded = dict.fromkeys([*a.results, *b.results])
    parts = ("test", "val", "train")
    measured = [quantity for part in parts for quantity in quantities_by_name.values() if quantity.part == part]
    names = dict.fromkeys([quantity.name for quantity in measured if quantity.name in recorded])
    return _rows([*names, *(name for name in recorded if name not in names)], a.results, b.results, quantities_by_name)


def _epoch_rows(a: Side, b: Side, both: tuple[Flat, Flat]) -> list[Row]:
    """What both runs recorded of one epoch; the learning rate comes last."""
    names = [name for name in dict.fromkeys([*both[0], *both[1]]) if name not in ("epoch", "seconds")]
    names.sort(key=lambda name: name == "learning_rate")
    return _rows(names, *both, series(_quantities(a, b)))


def _quantities(a: Side, b: Side) -> dict[str, Quantity]:
    """The quantities of both runs. Metrics that only an unfinished run has are those that fitbench supplies."""
    try:
        described = [dict(side.info) for side in (a, b)]
        names = {metrics.split(key)[1] for side in (a, b) for epoch in side.history for key in epoch}
        supplied = [metrics.supplied(name) for name in sorted(names) if not any(name in info for info in described)]
        return quantities([*described, {metric.name: metric.info() for metric in supplied if metric is not None}])
    except FitbenchError as error:
        raise FitbenchError(f"{a.folder} or {b.folder}: {error}") from None


@dataclass(frozen=True)
class Sameness:
    """What of two runs is the same to the last bit; None where that cannot be said.

    `epochs` counts how many epochs agree from the first on. `paired` compares the runs on the same test examples.
    """

    metrics: bool | None
    history: bool | None
    predictions: bool | None
    weights: bool | None
    epochs: int
    paired: PairedComparison | None


def _sameness(a: Side, b: Side) -> Sameness:
    ours, theirs = _without_seconds(a.history), _without_seconds(b.history)
    agreeing = 0
    while agreeing < min(len(ours), len(theirs)) and ours[agreeing] == theirs[agreeing]:
        agreeing += 1
    if a.result is None or b.result is None:
        return Sameness(None, None, None, None, agreeing, None)
    predictions, paired = _same_predictions(a, b)
    return Sameness(
        metrics=a.result["metrics"] == b.result["metrics"],
        history=ours == theirs,
        predictions=predictions,
        weights=_same_weights(a.folder / "model.keras", b.folder / "model.keras"),
        epochs=agreeing,
        paired=paired,
    )


def _without_seconds(history: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in epoch.items() if key != "seconds"} for epoch in history]


def _same_predictions(a: Side, b: Side) -> tuple[bool | None, PairedComparison | None]:
    """Whether the predictions are bitwise the same, and the paired comparison; None where the test data differ."""
    assert a.result is not None and b.result is not None
    if a.result["task"] != b.result["task"]:
        return None, None
    try:
        ours, theirs = (reading.read_predictions(side.folder, side.result or {}) for side in (a, b))
    except FitbenchError as error:
        _warn(error)
        return None, None
    if ours.data_sha256 != theirs.data_sha256 or ours.outputs.shape != theirs.outputs.shape:
        return None, None
    same = ours.outputs.dtype == theirs.outputs.dtype and ours.outputs.tobytes() == theirs.outputs.tobytes()
    return same, compare_on_examples(task_of(a.result["task"]), ours, theirs)


def _same_weights(a: Path, b: Path) -> bool | None:
    """Are the weights in two .keras files the same bytes? None where a file is absent or damaged; nothing is loaded."""
    if not a.exists() or not b.exists():
        return None
    try:
        return all(ours == theirs for ours, theirs in zip_longest(_weights(a), _weights(b)))
    except FitbenchError as error:
        _warn(error)
        return None


def _weights(path: Path) -> Iterator[bytes]:
    damages = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(WEIGHTS) as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except damages as error:
        raise FitbenchError(f"{path}: its weights cannot be read ({error})") from None


def _warn(text: object) -> None:
    sys.stderr.write(f"fitbench: {clean(text)}\n")


# -- JSON -------------------------------------------------------------------------------------------------------------


def _content(a: Side, b: Side, same: Sameness) -> dict[str, Any]:
    """The object that --format json prints. A value that a run does not have is null."""

    def rows(keys: Iterable[str], ours: Flat, theirs: Flat) -> list[dict[str, Any]]:
        return [{"key": key, "a": ours.get(key), "b": theirs.get(key)} for key in keys]

    def compared(numbers: Iterable[Row]) -> list[dict[str, Any]]:
        return [
            {"key": row.name, "a": row.a, "b": row.b, "difference": row.difference, "better": row.better}
            | ({"definitions": row.definitions} if row.definitions else {})
            for row in numbers
        ]

    both = _last_common_epoch(a, b)
    return {
        **{
            name: {
                "run_id": side.run_id,
                "folder": str(side.folder),
                "state": side.state.value,
                "epochs": len(side.history),
                "finished_at": side.result["finished_at"] if side.result else None,
            }
            for name, side in (("a", a), ("b", b))
        },
        "config": [
            row | {"identity": _is_identity(row["key"])}
            for row in rows(_differing(a.config, b.config), a.config, b.config)
        ],
        "environment": rows(_differing(a.environment, b.environment), a.environment, b.environment)
        if a.result and b.result
        else None,
        "results": compared(_result_rows(a, b)),
        "last_common_epoch": {"epoch": both[0]["epoch"], "results": compared(_epoch_rows(a, b, both))}
        if both
        else None,
        "same": {name: value for name, value in vars(same).items() if name != "paired"}
        | {"disagree": same.paired.disagree if same.paired else None},
        "paired": same.paired.content() if same.paired and not same.predictions else None,
    }


def _is_identity(key: str) -> bool:
    return key == "seed" or key not in NOT_IDENTITY


# -- the terminal -----------------------------------------------------------------------------------------------------


def _print(a: Side, b: Side, same: Sameness) -> None:
    out = console()
    if a.folder.resolve() == b.folder.resolve():
        out.print(f"Both are the run {clean(a.folder)}: nothing can differ.", soft_wrap=True)
        return
    for name, side in (("A", a), ("B", b)):
        out.print(f"{name}  {clean(side.run_id)}", style="bold", soft_wrap=True)
        out.print(f"   {clean(side.folder)}", style="dim", soft_wrap=True)
        out.print(f"   {_came_to(side)}", soft_wrap=True)

    _print_differences(out, a, b)
    if a.result or b.result:
        _print_rows(out, "Results", _result_rows(a, b))
    both = None if a.result and b.result else _last_common_epoch(a, b)
    if both:
        _print_rows(out, f"Epoch {both[0]['epoch']}, the last that both have", _epoch_rows(a, b, both))
    conclusion = _conclusion(a, b, same)
    if conclusion:
        out.print()
    for line in conclusion:
        out.print(line)


def _came_to(side: Side) -> str:
    if side.result:
        return f"finished {clean(side.result['finished_at'])}"
    epochs = f"{len(side.history)} of {clean(side.config.get('training.epochs'))} epochs"
    why = "; error.txt says why" if side.state is State.failed else ""
    return f"{side.state.value} after {epochs}{why}"


def _print_differences(out: Console, a: Side, b: Side) -> None:
    config = [key for key in _differing(a.config, b.config) if not _told_by_name(key, a.config, b.config)]
    config.sort(key=lambda key: not _is_identity(key))
    environment = _differing(a.environment, b.environment) if a.result and b.result else []
    if config:
        marked = {key: key if _is_identity(key) else f"{key} *" for key in config}
        _print_values(out, "Configuration", marked, a.config, b.config)
        if not all(map(_is_identity, config)):
            out.print(" * no part of a run's identity: it should not change the result", style="dim")
    if environment:
        _print_values(out, "Environment", dict.fromkeys(environment), a.environment, b.environment)
    same = [name for name, keys in (("configuration", config), ("environment", environment)) if not keys]
    if not (a.result and b.result):
        unfinished = "A and B have" if not (a.result or b.result) else "B has" if a.result else "A has"
        same = [name for name in same if name != "environment"]
        note = f"Versions, git state, device and data are recorded when a run finishes; {unfinished} not."
    else:
        dirty = a.environment.get("git.dirty") is b.environment.get("git.dirty") is True
        note = "Both come from a source tree with changes that no commit records." if dirty else ""
    if same:
        out.print(f"\nNothing differs in the {' or the '.join(same)}.")
    if note:
        out.print(note if same else f"\n{note}")


def _told_by_name(key: str, a: Flat, b: Flat) -> bool:
    """Does the name of the section say already that its `_target_` differs?"""
    section, _, last = key.rpartition(".")
    return last == "_target_" and a.get(f"{section}.name") != b.get(f"{section}.name")


def _print_values(out: Console, heading: str, keys: Mapping[str, str | None], a: Flat, b: Flat) -> None:
    out.print(f"\n{heading}", style="bold")
    rows = table(out, "", "A", "B")
    for column in rows.columns:  # a difference is shown whole
        column.no_wrap, column.overflow = False, "fold"
    for key, name in keys.items():
        rows.add_row(clean(name or key), *_value_texts(key, a.get(key), b.get(key)))
    out.print(rows)


def _value_texts(key: str, a: Any, b: Any) -> tuple[str, str]:
    texts = tuple("-" if value is None else clean(_text(value)) for value in (a, b))
    if key in HASHES and texts[0][:HEX] != texts[1][:HEX]:
        texts = tuple(text[:HEX] for text in texts)
    return texts[0], texts[1]


def _print_rows(out: Console, heading: str, rows: Sequence[Row]) -> None:
    out.print(f"\n{heading}", style="bold")
    columns = ("A", "B", "B - A", "better")
    cells = table(out, "", *columns, right=columns[:3])
    for row in rows:
        if (row.a is None and row.b is None) or (row.name == "attempts" and {row.a, row.b} <= {1, None}):
            continue
        texts = (_number(row, row.a), _number(row, row.b), _gap(row), (row.better or "").upper())
        cells.add_row(clean(row.name), *texts)
    out.print(cells)
    for row in rows:
        if row.definitions:
            out.print(f"{clean(row.name)} is not compared: the runs record different definitions.", soft_wrap=True)
            for text in row.definitions:
                out.print(f"  {clean(text[:LONGEST])}", soft_wrap=True)


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


def _conclusion(a: Side, b: Side, same: Sameness) -> list[str]:
    """In sentences: what is the same to the last bit, from which epoch the runs differ, and the paired comparison."""
    epochs = max(len(a.history), len(b.history))
    through = f"The histories agree to the last bit through epoch {same.epochs} of {epochs}."
    if a.result is None or b.result is None:
        return [through] if same.epochs else []
    parts = {
        "metrics": same.metrics,
        f"the history of {epochs} epoch{'s' * (epochs != 1)}": same.history if epochs else None,
        f"the predictions for {a.result['data']['test']:,} test examples": same.predictions,
        "the weights": same.weights,
    }
    if False not in parts.values():
        return [f"The same results, to the last bit: {_listed([name for name, same in parts.items() if same])}."]
    sentences = []
    if not any(map(_is_identity, _differing(a.config, b.config))):
        sentences.append("The same configuration and seed gave other results.")
    if same.epochs:
        sentences.append(through)
    if same.paired is not None:
        count, examples = same.paired.disagree, a.result["data"]["test"]
        sentences.append(f"They classify {count:,} of {examples:,} test examples differently.")
        if count:
            sentences.append(same.paired.sentence())
    return sentences


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
