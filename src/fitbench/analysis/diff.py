"""What differs between two runs: their configuration, what they were made with, their results; `fitbench diff`."""

from __future__ import annotations

import json
import math
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.config import NOT_IDENTITY
from fitbench.errors import FitbenchError
from fitbench.record import reading
from fitbench.record.folder import State, state_of
from fitbench.text import check_format, clean, console, table

if TYPE_CHECKING:
    from rich.console import Console

LAUNCH_ONLY = ("force", "progress", "retry_failed", "fail_fast", "outputs")  # how a run was launched, not what it is
DATASET = ("sha256", "train", "validation", "test", "classes", "skipped")
SCORES = ("test_accuracy", "test_loss", "val_accuracy", "val_loss", "train_accuracy", "train_loss")
EPOCH = ("accuracy", "loss", "val_accuracy", "val_loss", "learning_rate")
TIMING = ("fit_seconds", "seconds", "examples_per_second")
RATIOS = (*TIMING, "parameters")  # whose ratio says more than their difference
HASHES = ("git.commit", "dataset.sha256")
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
    """One of the two runs. Keys are dotted; null and empty values are left out. Unfinished, it has no `result`."""

    folder: Path
    state: State
    run_id: str
    config: Flat
    history: list[dict[str, Any]]
    environment: Flat = field(default_factory=dict)
    results: Flat = field(default_factory=dict)
    result: dict[str, Any] | None = None


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
        return Side(folder, state, folder.name, _config(config), history)
    result = reading.read_result(folder)
    environment = {
        **_flat(_section(folder, result, "versions"), "versions."),
        **_flat(_section(folder, result, "git"), "git."),
        "device": result["device"],
        **_flat({name: result["data"].get(name) for name in DATASET}, "dataset."),
    }
    results = {
        **{name: result["metrics"].get(name) for name in (*SCORES, "best_epoch", "epochs")},
        **{name: result["timing"][name] for name in TIMING},
        **{name: result[name] for name in ("parameters", "attempts")},
    }
    results = {name: value for name, value in results.items() if value is not None}
    return Side(folder, state, result["run_id"], _config(result["config"]), history, environment, results, result)


def _section(folder: Path, result: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = result.get(name)
    if not isinstance(section, Mapping):
        raise FitbenchError(
            f"{folder / 'result.json'}: {name} is {section!r:.80}; expected a section with keys of its own"
        )
    return section


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
class Sameness:
    """What of two runs is the same to the last bit; None where that cannot be said.

    `epochs` counts how many epochs agree from the first on, `disagree` the test images that the runs read
    differently.
    """

    metrics: bool | None
    history: bool | None
    predictions: bool | None
    weights: bool | None
    epochs: int
    disagree: int | None


def _sameness(a: Side, b: Side) -> Sameness:
    ours, theirs = _without_seconds(a.history), _without_seconds(b.history)
    agreeing = 0
    while agreeing < min(len(ours), len(theirs)) and ours[agreeing] == theirs[agreeing]:
        agreeing += 1
    if a.result is None or b.result is None:
        return Sameness(None, None, None, None, agreeing, None)
    predictions, disagree = _same_predictions(a, b)
    return Sameness(
        metrics=a.result["metrics"] == b.result["metrics"],
        history=ours == theirs,
        predictions=predictions,
        weights=_same_weights(a.folder / "model.keras", b.folder / "model.keras"),
        epochs=agreeing,
        disagree=disagree,
    )


def _without_seconds(history: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in epoch.items() if key != "seconds"} for epoch in history]


def _same_predictions(a: Side, b: Side) -> tuple[bool | None, int | None]:
    """Are the predictions bitwise the same, and on how many images do the runs differ, if their images are the same?"""
    assert a.result is not None and b.result is not None
    try:
        ours, theirs = (reading.read_predictions(side.folder, side.result or {}) for side in (a, b))
    except FitbenchError as error:
        _warn(error)
        return None, None
    if ours.data_sha256 != theirs.data_sha256 or ours.probabilities.shape != theirs.probabilities.shape:
        return None, None
    same = ours.probabilities.dtype == theirs.probabilities.dtype and (
        ours.probabilities.tobytes() == theirs.probabilities.tobytes()
    )
    return same, int((ours.predicted != theirs.predicted).sum())


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

    def compared(keys: Iterable[str], ours: Flat, theirs: Flat) -> list[dict[str, Any]]:
        return [row | {"difference": _difference(row["a"], row["b"])} for row in rows(keys, ours, theirs)]

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
        "results": compared(dict.fromkeys([*a.results, *b.results]), a.results, b.results),
        "last_common_epoch": {"epoch": both[0]["epoch"], "results": compared(EPOCH, *both)} if both else None,
        "same": vars(same),
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
        _print_figures(out, "Results", dict.fromkeys([*a.results, *b.results]), a.results, b.results)
    both = None if a.result and b.result else _last_common_epoch(a, b)
    if both:
        shown = [key for key in EPOCH if any(epoch.get(key) is not None for epoch in both)]
        _print_figures(out, f"Epoch {both[0]['epoch']}, the last that both have", shown, *both)
    said = _conclusion(a, b, same)
    if said:
        out.print()
    for line in said:
        out.print(line)


def _came_to(side: Side) -> str:
    if side.result:
        return f"finished {clean(side.result['finished_at'])}"
    epochs = f"{len(side.history)} of {clean(side.config.get('training.epochs'))} epochs"
    why = "; error.txt says why" if side.state is State.failed else ""
    return f"{side.state.value} after {epochs}{why}"


def _print_differences(out: Console, a: Side, b: Side) -> None:
    config = [key for key in _differing(a.config, b.config) if not _said_by_name(key, a.config, b.config)]
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


def _said_by_name(key: str, a: Flat, b: Flat) -> bool:
    """Does the name of the section say already that its `_target_` differs?"""
    section, _, last = key.rpartition(".")
    return last == "_target_" and a.get(f"{section}.name") != b.get(f"{section}.name")


def _print_values(out: Console, heading: str, keys: Mapping[str, str | None], a: Flat, b: Flat) -> None:
    out.print(f"\n{heading}", style="bold")
    made = table(out, "", "A", "B")
    for column in made.columns:  # a difference is shown whole
        column.no_wrap, column.overflow = False, "fold"
    for key, name in keys.items():
        made.add_row(clean(name or key), *_shown(key, a.get(key), b.get(key)))
    out.print(made)


def _shown(key: str, a: Any, b: Any) -> tuple[str, str]:
    texts = tuple("-" if value is None else clean(_text(value)) for value in (a, b))
    if key in HASHES and texts[0][:HEX] != texts[1][:HEX]:
        texts = tuple(text[:HEX] for text in texts)
    return texts[0], texts[1]


def _print_figures(out: Console, heading: str, names: Iterable[str], a: Flat, b: Flat) -> None:
    out.print(f"\n{heading}", style="bold")
    made = table(out, "", "A", "B", "B - A", right=("A", "B", "B - A"))
    for name in names:
        ours, theirs = a.get(name), b.get(name)
        if name == "attempts" and {ours, theirs} <= {1, None}:
            continue
        made.add_row(name, _figure(name, ours), _figure(name, theirs), _gap(name, ours, theirs))
    out.print(made)


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    if name == "examples_per_second":
        return f"{value:,.0f}"
    if name in TIMING:
        return f"{value:,.1f}" if value == 0 or abs(value) >= 0.05 else f"{value:.1g}"
    if name == "learning_rate":
        return f"{value:.4g}"
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


def _gap(name: str, a: float | None, b: float | None) -> str:
    """How far B is from A, as +0.0123 or as +41,696 (x1.69)."""
    difference = _difference(a, b)
    if difference is None:
        return ""
    if difference == 0:
        return "same"
    text = _figure(name, abs(difference))
    ratio = f" (x{b / a:.2f})" if name in RATIOS and a and b else ""
    return ("+" if difference > 0 else "-") + text + ratio


def _conclusion(a: Side, b: Side, same: Sameness) -> list[str]:
    """In sentences: what is the same to the last bit, and where two runs went apart."""
    epochs = max(len(a.history), len(b.history))
    through = f"The histories agree to the last bit through epoch {same.epochs} of {epochs}."
    if a.result is None or b.result is None:
        return [through] if same.epochs else []
    parts = {
        "metrics": same.metrics,
        f"the history of {epochs} epoch{'s' * (epochs != 1)}": same.history if epochs else None,
        f"the predictions for {a.result['data']['test']:,} test images": same.predictions,
        "the weights": same.weights,
    }
    if False not in parts.values():
        return [f"The same results, to the last bit: {_listed([name for name, known in parts.items() if known])}."]
    said = []
    if not any(map(_is_identity, _differing(a.config, b.config))):
        said.append("The same configuration and seed gave other results.")
    if same.epochs:
        said.append(through)
    if same.disagree is not None:
        chance = "; fitbench compare A B tells whether that is chance" if same.disagree else ""
        said.append(f"They read {same.disagree:,} of {a.result['data']['test']:,} test images differently{chance}.")
    return said


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
