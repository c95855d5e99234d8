"""Run folders as a tidy DataFrame: one row per run, or one per epoch. Nothing in the folders is instantiated.

Of a finished run only result.json is read, of any other one config.yaml, and of a pruned one pruned.json. What cannot
be read is left out, with its reason, and never stops the rest; a run may be written, or vanish, while it is read.
"""

from __future__ import annotations

import difflib
import json
import marshal
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.config import NOT_IDENTITY, SECTIONS, with_current_names
from fitbench.errors import FitbenchError, RequestError
from fitbench.record import reading
from fitbench.record.folder import State, state_of
from fitbench.record.result import utc_now
from fitbench.text import clean

if TYPE_CHECKING:
    import pandas as pd

IDENTITY = ("folder", "study", "run_id", "config_id", "seed", "state")
METRICS = (
    "train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy", "best_epoch", "epochs",
)  # fmt: skip
TRAINED = tuple(name for name in METRICS if not name.startswith("test_"))  # what a pruned run has of them
TIMING = ("fit_seconds", "seconds", "images_per_second")
NUMBERS = (
    *(f"metrics.{name}" for name in METRICS),
    *(f"timing.{name}" for name in TIMING),
    "parameters",
)
DATASET = ("sha256", "train", "validation", "test")
RESULT = (
    *NUMBERS,
    *(f"dataset.{name}" for name in DATASET),
    *("device", "attempts", "trial", "git.commit", "git.dirty"),
)
LAST = ("finished_at", "error")
HISTORY = ("epoch", "seconds", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy")
DTYPES = {  # of columns that are there even where no run has a value
    **dict.fromkeys((*NUMBERS, "dataset.train", "dataset.validation", "dataset.test", "attempts", "trial"), "float64"),
    **dict.fromkeys(("folder", "study", "run_id", "config_id", "state", "error"), "str"),
    **dict.fromkeys(("dataset.sha256", "device", "git.commit"), "str"),
    **dict.fromkeys(("seed", "epoch"), "int64"),
    **dict.fromkeys(HISTORY[1:], "float64"),
}
NAMED = 20  # folders that are left out and named
NEAREST = 3  # columns that a message suggests at most
ERROR_BYTES = 65_536  # of error.txt that are read, from its end

Row = dict[str, Any]


def load_runs(*paths: str | Path) -> pd.DataFrame:
    """The runs below the paths, one row per run folder, sorted by folder. Without a path: below outputs/.

    A path is an outputs folder, a study, a run folder, or anything above. A run folder is one that holds config.yaml
    or result.json; nothing is looked for inside of one, nor in folders whose name begins with a dot.

    Columns, in this order: folder, study, run_id, config_id, seed (int64), state (finished, failed, pruned, running
    or interrupted); the configuration that makes a run's identity, flattened with dots (model.name,
    optimizer.learning_rate, ...; lists as JSON text, null and empty as missing; a `_target_` only where runs of one
    name differ in it); metrics.*, timing.* (seconds; images per second), parameters, dataset.*, device, attempts,
    trial (its number in the search that it is of), git.*, versions.*; finished_at (UTC), error (the line that says what
    failed). Columns of numbers are int64 or float64, and float64 with NaN where a run lacks the value. Of runs that are
    not finished, only the pruned have metrics: those up to their last epoch.

    `attrs["left_out"]` is a list of (folder, reason): what cannot be read and has no row.

    Raises:
        RequestError: a path is no folder, or there is no run folder below any of them.
    """
    left_out: list[tuple[str, str]] = []
    rows: list[Row] = []
    folders = 0
    for folder in _run_folders(_checked(paths), left_out):
        folders += 1
        try:
            row = _row(folder)
        except FitbenchError as error:
            left_out.append((folder, str(error).removeprefix(f"{Path(folder)}{os.sep}")))
        else:
            if row is not None:
                rows.append(row)
    if not folders and not left_out:
        raise RequestError(
            f"no runs below {_named(paths)}; a run folder holds config.yaml or result.json (fitbench train makes one)"
        )
    rows.sort(key=lambda row: row["folder"])
    frame = _frame(rows, _columns(rows))
    frame.attrs["left_out"] = sorted(left_out)
    return frame


def load_history(*paths: str | Path) -> pd.DataFrame:
    """The epochs of the runs below the paths, one row per run and epoch, sorted by folder and epoch.

    Columns: folder, study, run_id, seed, epoch (int64, from 1), seconds, learning_rate, loss, accuracy, val_loss,
    val_accuracy (float64, NaN where a value was not recorded). Runs of every state; `attrs["left_out"]` as `load_runs`.

    Raises:
        RequestError: a path is no folder, or there is no run folder below any of them.
    """
    return histories(load_runs(*paths))


def histories(frame: pd.DataFrame) -> pd.DataFrame:
    """The epochs of the runs of a frame that `load_runs` made, or of a part of it, as `load_history` gives them."""
    left_out = list(frame.attrs.get("left_out", []))
    names = ("folder", "study", "run_id", "seed")
    rows: list[Row] = []
    for run in zip(*(frame[name].tolist() for name in names), strict=True):
        try:
            epochs = reading.read_history(Path(run[0]))
        except FileNotFoundError:  # it was there a moment ago
            continue
        except (OSError, RecursionError) as error:
            left_out.append((run[0], f"history.jsonl: cannot be read ({_said(error)})"))
            continue
        about = dict(zip(names, run, strict=True))
        rows.extend(about | {name: epoch.get(name) for name in HISTORY} for epoch in epochs)
    made = _frame(rows, (*names, *HISTORY))
    made.attrs["left_out"] = left_out
    return made


def configuration(frame: pd.DataFrame) -> list[str]:
    """The columns that hold the configuration, the seed aside."""
    return [name for name in map(str, frame.columns) if not _is_ours(name)]


def varying(frame: pd.DataFrame) -> list[str]:
    """Those of them in which the runs of the frame differ; a run that lacks a value differs from one that has it."""
    return [name for name in configuration(frame) if frame[name].nunique(dropna=False) > 1]


def column(frame: pd.DataFrame, name: str) -> str:
    """The column that a person means: its name; a metric without `metrics.`; the end of a name, as `hidden` of
    model.hidden; a section for its name or kind, as `model` of model.name; `duration` for timing.seconds.

    Raises:
        RequestError: no column fits, or several do; the message names the nearest, or those that fit.
    """
    names = [str(label) for label in frame.columns]
    for exact in (name, f"metrics.{name}", "timing.seconds" if name == "duration" else name):
        if exact in names:
            return exact
    for ends in ((name,), (f"{name}.name", f"{name}.kind")):
        fits = [label for label in names if label in ends or label.endswith(tuple(f".{end}" for end in ends))]
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise RequestError(f"{name!r} fits {len(fits)} columns: {clean(', '.join(fits))}")
    nearest = _nearest(name, names)
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"there are {', '.join(names)}"
    raise RequestError(f"there is no column {name!r}; {clean(hint)}")


def say_left_out(frame: pd.DataFrame) -> None:
    """Name on stderr what the frame had to leave out, and why."""
    left_out = frame.attrs.get("left_out", [])
    for folder, reason in left_out[:NAMED]:
        sys.stderr.write(f"fitbench: left out {clean(folder)}: {clean(reason)}\n")
    if len(left_out) > NAMED:
        sys.stderr.write(f"fitbench: left out {len(left_out) - NAMED:,} more\n")


def _nearest(name: str, names: Sequence[str]) -> list[str]:
    """The columns that look most like the name, by their whole name or by its end."""
    pool: dict[str, str] = {}
    for label in names:
        pool.setdefault(label, label)
        pool.setdefault(label.rpartition(".")[2], label)
        pool.setdefault(label.partition(".")[0], label)
    close = difflib.get_close_matches(name, pool, n=NEAREST, cutoff=0.6)
    return list(dict.fromkeys(pool[match] for match in close))


# -- from paths to run folders ----------------------------------------------------------------------------------------


def _checked(paths: Sequence[str | Path]) -> list[str]:
    """The paths as text, outputs/ if there are none; each is a folder."""
    for path in paths or ("outputs",):
        if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name with a null character
            found = "is no folder" if os.path.lexists(path) else "does not exist"
            raise RequestError(f"{path} {found}; give an outputs folder, a study or a run folder")
    return [os.fspath(Path(path)) for path in paths or ("outputs",)]


def _named(paths: Sequence[str | Path]) -> str:
    return ", ".join(map(str, paths or ("outputs",)))


def _run_folders(paths: Sequence[str], left_out: list[tuple[str, str]]) -> Iterator[str]:
    """Every run folder below the paths once, by whichever way it is reached first; links are followed."""
    seen = set()
    for path in paths:
        left = [path]
        while left:
            folder = left.pop()
            try:
                found = os.stat(folder)  # noqa: PTH116 - a Path costs more than the call, for each of 10,000 folders
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
                if _exists(f"{folder}/result.json") or _exists(f"{folder}/config.yaml"):
                    yield folder
                    continue
                with os.scandir(folder) as entries:
                    below = [entry.path for entry in entries if not entry.name.startswith(".") and _may_hold(entry)]
            except FileNotFoundError:  # it was there a moment ago
                continue
            except OSError as error:
                left_out.append((folder, f"cannot be read ({_said(error)})"))
                continue
            left.extend(sorted(below, reverse=True))


def _may_hold(entry: os.DirEntry[str]) -> bool:
    """Is this a folder, or something that will be left out with its reason, such as a link to itself?"""
    try:
        return entry.is_dir()
    except OSError:
        return True


def _exists(path: str) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - see above


def _said(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


# -- from a run folder to a row ---------------------------------------------------------------------------------------


def _row(folder: str) -> Row | None:
    """What the files of one run say, None where the folder has gone.

    Raises:
        FitbenchError: a file is damaged or foreign; the message names it.
    """
    path = Path(folder)
    try:
        if _exists(f"{folder}/result.json"):
            try:
                return _finished_row(folder, reading.read_result(path))
            except FitbenchError:
                if _exists(f"{folder}/result.json"):  # else force=true has just removed it
                    raise
        state = state_of(path)
        if state is State.finished:
            return _row(folder)
        try:
            return _unfinished_row(path, state)
        except FitbenchError:
            if state is State.pruned and not _exists(f"{folder}/pruned.json"):  # it goes on
                return _row(folder)
            raise
    except FileNotFoundError:
        if path.exists():
            raise FitbenchError("config.yaml is missing") from None
        return None
    except RecursionError:
        raise FitbenchError("nested too deeply") from None
    except OSError as error:
        name = Path(error.filename).name if isinstance(error.filename, str) else folder
        raise FitbenchError(f"{name}: cannot be read ({_said(error)})") from None


def _finished_row(folder: str, result: Mapping[str, Any]) -> Row:
    row: Row = {
        "folder": folder,
        "study": result["study"],
        "run_id": result["run_id"],
        "config_id": result["config_id"],
        "seed": _seed("result.json", result["seed"]),
        "state": "finished",
    }
    for name, value in result["config"].items():
        row.update(_flat(name, marshal.dumps(value, 2)))
    row.update((f"metrics.{name}", result["metrics"].get(name)) for name in METRICS)
    for column, section, name in _PLACES:
        row[column] = (result[section] if section else result)[name]
    row["trial"] = _trial("result.json", result.get("trial"))
    git = _section(result, "git")
    row["git.commit"], row["git.dirty"] = _of(git, "commit", str), _of(git, "dirty", bool)
    for name in (versions := _section(result, "versions")):
        row[sys.intern(f"versions.{name}")] = _of(versions, name, str)
    row["finished_at"] = _moment(result["finished_at"])
    return row


_PLACES = (  # of what is in every result: the column, and where it stands in result.json
    *((f"timing.{name}", "timing", name.replace("images", "examples")) for name in TIMING),
    *((f"dataset.{name}", "data", name) for name in DATASET),
    *((name, "", name) for name in ("parameters", "device", "attempts")),
)


@lru_cache(maxsize=10_000)
def _flat(name: str, content: bytes) -> Row:
    """A part of a configuration, flattened. The runs of a sweep share most of theirs, so each is flattened once."""
    row: Row = {}
    _flatten({name: marshal.loads(content)}, "", row, "result.json: config.")
    return row


def _unfinished_row(folder: Path, state: State) -> Row:
    config = _config(folder)
    study = config.get("study")
    if not isinstance(study, str):
        raise FitbenchError(f"config.yaml: study is {study!r:.80}; expected str")
    found = re.search(r"-([0-9a-f]{8})-s\d+$", folder.name)
    row: Row = {
        "folder": str(folder),
        "study": study,
        "run_id": folder.name,
        "config_id": found[1] if found else None,
        "seed": _seed("config.yaml", config.get("seed")),
        "state": state.value,
    }
    _flatten(config, "", row, "config.yaml: ")
    if state is State.failed:
        row["error"] = _error(folder / "error.txt")
    elif state is State.pruned:
        pruned = reading.read_pruned(folder)
        row.update((f"metrics.{name}", pruned["metrics"].get(name)) for name in TRAINED)
        row["timing.fit_seconds"] = pruned["timing"]["fit_seconds"]
        row["trial"] = _trial("pruned.json", pruned["trial"])
    return row


def _config(folder: Path) -> dict[str, Any]:
    """config.yaml as plain values. An alias is refused: a few of them can stand for more than any memory holds."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = (folder / "config.yaml").read_bytes()
        if b"*" in content and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content, loader)):
            raise FitbenchError("config.yaml: holds a YAML alias, which fitbench never writes")
        config = yaml.load(content, loader)
    except (ValueError, yaml.YAMLError) as error:
        raise FitbenchError(f"config.yaml: cannot be read ({str(error).splitlines()[0]})") from None
    if not isinstance(config, dict):
        raise FitbenchError(f"config.yaml: {'empty' if config is None else 'expected sections such as data and model'}")
    for name in SECTIONS:
        if not isinstance(config.get(name), dict):
            raise FitbenchError(
                f"config.yaml: {name} is {config.get(name)!r:.80}; expected a section with keys of its own"
            )
    config["model"] = with_current_names(config["model"])
    return config


def _flatten(section: Mapping[Any, Any], prefix: str, row: Row, where: str) -> None:
    """Put what makes the run's identity into the row. A key that is a column of ours gets `config.` before it."""
    for key, value in section.items():
        name, label = _names(prefix, key)
        if label is None or value is None:
            continue
        if isinstance(value, dict):
            _flatten(value, f"{name}.", row, where)
            continue
        if isinstance(value, list):
            if not value:
                continue
            value = json.dumps(_plain(value), ensure_ascii=False)  # noqa: PLW2901
        elif isinstance(value, (int, float)):
            if not reading.is_finite(value):
                raise FitbenchError(f"{where}{name} is {value!r:.80}; expected a finite number")
        elif not isinstance(value, str):  # YAML's dates
            value = str(value)  # noqa: PLW2901
        row[label] = value


@lru_cache(maxsize=10_000)
def _names(prefix: str, key: Any) -> tuple[str, str | None]:
    """The dotted name of a key, and its column; None if it is no part of the identity."""
    name = sys.intern(f"{prefix}{key}")
    if name in NOT_IDENTITY:
        return name, None
    return name, f"config.{name}" if _is_ours(name) else name


def _is_ours(name: str) -> bool:
    return name in _OURS or name.startswith("versions.")


_OURS = frozenset((*IDENTITY, *RESULT, *LAST, "age"))  # `fitbench runs` adds the age


def _plain(value: Any) -> Any:
    """A list as identity counts it: 1.0 is 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def _seed(file: str, seed: Any) -> int:
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise FitbenchError(f"{file}: seed is {seed!r:.80}; it must be from 0 to 4294967295")
    return seed


def _trial(file: str, trial: Any) -> int | None:
    if trial is not None and (type(trial) is not int or not 0 <= trial < 2**31):
        raise FitbenchError(f"{file}: trial is {trial!r:.80}; expected a number from 0, or null")
    return trial


def _section(result: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = result.get(name)
    if section is not None and not isinstance(section, dict):
        raise FitbenchError(f"result.json: {name} is {section!r:.80}; expected a section with keys of its own")
    return section or {}


def _of(section: Mapping[str, Any], name: str, kind: type) -> Any:
    value = section.get(name)
    if value is not None and not isinstance(value, kind):
        raise FitbenchError(f"result.json: {name} is {value!r:.80}; expected {kind.__name__} or null")
    return value


def _moment(text: str) -> datetime:
    """The time in UTC, without a zone: NumPy knows none."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise FitbenchError(f"result.json: finished_at is {text!r:.80}; expected a time such as {utc_now()}") from None


def _error(path: Path) -> str | None:
    """The line of error.txt that says what failed: the first behind the last traceback, else the last line."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - ERROR_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:  # the next attempt has begun
        return None
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    begins = [i for i, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    said = [line for line in lines[begins[-1] + 1 :] if not line.startswith(" ")] if begins else []
    return (said[0] if said else lines[-1].strip()) if lines else "error.txt is empty"


# -- from rows to columns ---------------------------------------------------------------------------------------------


def _columns(rows: Sequence[Row]) -> list[str]:
    """Every column of the rows, in the order of `load_runs`."""
    found = dict.fromkeys(name for row in rows for name in row)
    versions = [name for name in found if name.startswith("versions.")]
    config = [name for name in found if not _is_ours(name)]
    rank = {name: i for i, name in enumerate(SECTIONS)}
    config.sort(key=lambda name: rank.get(name.partition(".")[0], len(rank)))
    hidden = {name for name in config if name.endswith("._target_") and not _tells(name, rows)}
    return [*IDENTITY, *(name for name in config if name not in hidden), *RESULT, *versions, *LAST]


def _tells(target: str, rows: Sequence[Row]) -> bool:
    """Does this `_target_` differ between runs whose section has the same name? Where there is no name, it is one."""
    name = target.replace("._target_", ".name")
    pairs = {(row.get(name), row[target]) for row in rows if target in row}
    return (None in (named for named, _ in pairs)) or len({named for named, _ in pairs}) < len(pairs)


def _frame(rows: Sequence[Row], names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    columns = {name: _array(name, [row.get(name) for row in rows]) for name in names}
    return pd.DataFrame(columns, columns=list(names))


def _array(name: str, values: list[Any]) -> Any:
    """The values as an array of the dtype that they allow; see `load_runs`."""
    import numpy as np
    import pandas as pd

    if name == "finished_at":
        return pd.DatetimeIndex(np.array(values, dtype="datetime64[us]"), tz="UTC")
    kinds = set(map(type, values))
    present = kinds - {type(None)}
    if not present:
        return pd.array(values, dtype=_dtype(DTYPES[name])) if name in DTYPES else np.array(values, dtype=object)
    if kinds == {bool}:
        return np.array(values, dtype=bool)
    if present <= {int, float}:
        try:
            return np.array(values, dtype=np.int64 if kinds == {int} else np.float64)
        except OverflowError:  # a stranger's number of more than 64 bits
            return np.array(values, dtype=object)
    if present == {str}:
        if name != "folder":  # a folder's name must go on to open the folder
            values = [value if value is None or value.isascii() else _encodable(value) for value in values]
        return pd.array(values, dtype=_dtype("str"))
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _dtype(name: str) -> Any:
    """A pandas dtype. Texts are kept as Python's: pandas's other way needs Arrow."""
    import numpy as np
    import pandas as pd

    return pd.StringDtype("python", na_value=np.nan) if name == "str" else np.dtype(name)


def _encodable(text: str) -> str:
    """The text with half characters, which JSON can spell and no encoding can, as '?'."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
