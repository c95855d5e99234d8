"""What tells runs apart: the columns of the configuration that tables show by default, and their values in short."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.analysis.frame import column, plain_values, varying, without_attrs
from fitbench.analysis.rows import STARTED, WEIGHTS
from fitbench.analysis.search_record import parted, read_search
from fitbench.config import SECTIONS, TOP_LEVEL
from fitbench.config.run_names import CONFIG_ID
from fitbench.errors import FitbenchError, RequestError
from fitbench.text import is_number

if TYPE_CHECKING:
    import pandas as pd

MOST_BESIDE = 3  # settings that vary with a name of another section and are keys beside it
FEWEST_DIGITS, MOST_DIGITS = 3, 17  # significant digits of a number; 17 tell any two apart

_SHA256 = re.compile("[0-9a-f]{64}")


# -- which columns ----------------------------------------------------------------------------------------------------


def default_keys(frame: pd.DataFrame) -> list[str]:
    """The columns that a search has varied, and the fewest others of the configuration that tell the runs apart.

    Seeds do not count. Where columns vary together, the name or kind is chosen first, which stands for the other
    settings of its section: model.name for model.hidden. Settings of other sections are keys too, unless they are more
    than `MOST_BESIDE`. `groups.also_differ` tells what is no key and yet differs. training.validation_split, which
    follows from the number of folds, comes last where there are any. Files of different size, which no key of the
    configuration tells apart, have the number of training examples as a key; other data have their checksum. Runs of
    different identity that no column tells apart have the config_id. Where nothing varies, the keys are model.name and
    optimizer.name. They are in the order of the frame.
    """
    frame = without_attrs(frame)
    columns = {name: plain_values(frame[name]) for name in varying(frame)}
    chosen = varied_keys(columns, searched(frame), bool(frame["fold"].notna().any()))
    ordered = [readable(frame, name) for name in chosen] + _of_other_data(frame, chosen)
    ordered += _of_other_identity(frame, ordered)
    return ordered or [name for name in ("model.name", "optimizer.name") if name in frame]


def varied_keys(columns: Mapping[str, Sequence[Any]], searched: Sequence[str], has_folds: bool) -> list[str]:
    """The keys among columns of the configuration that vary, as `default_keys` has them, in their order.

    Args:
        columns: the values of each column, one for each run, the missing as None.
        searched: columns that a search has varied.
        has_folds: whether the runs are of folds.
    """
    columns = {name: list(map(by_kind, values)) for name, values in columns.items()}
    implied = {"training.validation_split"} if has_folds else set()

    def order(name: str) -> tuple[bool, bool, int]:
        return not is_choice(name), name in implied, name.count(".")

    def configurations(names: Sequence[str]) -> int:
        return len(set(zip(*(columns[name] for name in names), strict=True))) if names else 1

    chosen = [name for name in searched if name in columns]
    for name in sorted(columns, key=order):
        if configurations([*chosen, name]) > configurations(chosen):
            chosen.append(name)
    others = beside([name for name in columns if name not in implied], chosen)
    chosen += others if len(others) <= MOST_BESIDE else []
    return [name for name in columns if name in chosen]


def beside(names: Iterable[str], keys: Sequence[str]) -> list[str]:
    """Those of some columns that are no keys and follow neither from the keys nor from others of the columns.

    What a stranger's file adds to the sections of the configuration is not among them.
    """
    names = [name for name in ours(names) if name not in keys and not choosers(name, keys)]
    return [name for name in names if is_choice(name) or not choosers(name, names)]


def ours(names: Iterable[str]) -> list[str]:
    """Those of some columns that a configuration of fitbench's has, without what a stranger's file adds to it."""
    return [name for name in names if name.partition(".")[0] in (*SECTIONS, *TOP_LEVEL)]


def is_choice(name: str) -> bool:
    """Whether a column names what its section chooses, as model.name and optimizer.schedule.kind do."""
    return name.endswith((".name", ".kind"))


def choosers(name: str, columns: Iterable[str]) -> list[str]:
    """Those of some columns that choose what this one is a setting of: model.name chooses for model.hidden."""
    of_others = (each for each in columns if each != name and (is_choice(each) or each.endswith("._target_")))
    return [each for each in of_others if name.startswith(f"{each.rpartition('.')[0]}.")]


def _of_other_data(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """The column that tells runs on different data apart where these keys do not.

    It is their number of training examples if that tells the same apart, else the checksum. What a fold or a seed holds
    back can change this number, too.
    """
    size, checksum = "dataset.train", "dataset.sha256"
    finished = frame[frame[checksum].notna()]

    def different(*names: str) -> int:
        return len(finished[[*keys, *names]].drop_duplicates())

    if finished[checksum].nunique() < 2 or (keys and different(checksum) == different()):
        return []
    return [size if different(size) == different(checksum) == different(size, checksum) else checksum]


def _of_other_identity(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """The identity of the configuration where finished runs with the same keys differ in it; nothing where none do.

    Some of what it covers has no column, such as the arguments of a metric that early stopping watches. A stranger's
    file may have another text in its place, which does not count.
    """
    known = frame[(frame["state"] == "finished") & frame["config_id"].astype(str).str.fullmatch(CONFIG_ID)]
    columns = [list(map(by_kind, plain_values(known[name]))) for name in keys]
    alike = list(zip(*columns, strict=True)) if columns else [()] * len(known)
    identities = set(zip(alike, known["config_id"].tolist(), strict=True))
    return ["config_id"] if len(identities) > len(set(alike)) else []


def searched(frame: pd.DataFrame) -> list[str]:
    """The columns with the parameters of the searches that the runs of a frame are of.

    A search.json that cannot be read has none; `fitbench report` says why.
    """
    keys: dict[str, None] = {}
    for study in dict.fromkeys(map(os.path.dirname, frame["folder"])):
        try:
            record = read_search(Path(study))
        except FitbenchError:
            continue
        keys |= dict.fromkeys(parted(name)[0].replace("/", ".") for name in (record or {}).get("space", {}))
    found = []
    for key in keys:
        try:
            found.append(column(frame, key))
        except RequestError:  # no run of the frame has it
            continue
    return list(dict.fromkeys(found))


def readable(frame: pd.DataFrame, name: str) -> str:
    """The column with the run_ids in the place of that with the checksums of weights, if it tells the same apart."""
    if name != WEIGHTS or STARTED not in frame:
        return name
    pairs = frame[[WEIGHTS, STARTED]].drop_duplicates()
    return STARTED if all(pairs[each].is_unique for each in pairs) else name


# -- their values -----------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """A value of the configuration as people write it: null, true, 64, 0.001, relu."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def by_kind(value: Any) -> tuple[bool, Any]:
    """What is equal for two values only if they are of one kind: True equals 1 in Python."""
    return isinstance(value, bool), value


def key_text(value: Any) -> str:
    """The value of a key as text, in full; of a SHA-256 the first 8 digits."""
    return value[:8] if isinstance(value, str) and _SHA256.fullmatch(value) else text(value)


def short_texts(values: Sequence[Any]) -> list[str]:
    """The values of a key as texts, in which fractions have the digits that tell them from the others, 3 or more.

    So 0.15488664885345138 is 0.155, and beside 0.1552 it is 0.1549. No fraction becomes a whole number. A text that
    reads like a number, true or null is quoted where others of the values are numbers, truth values or missing.
    """
    numbers = {value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)}
    left = {value for value in numbers if isinstance(value, float) and not value.is_integer()}
    short: dict[float, str] = {}
    for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1):
        if not left:
            break
        rounded = {value: float(f"{value:.{digits}g}") for value in numbers}
        counts = Counter(rounded.values())
        short |= {
            value: text(rounded[value])
            for value in left
            if counts[rounded[value]] == 1 and not rounded[value].is_integer()
        }
        left -= short.keys()
    kinds = {_kind(text(value)) for value in values if not isinstance(value, str)}

    def of(value: Any) -> str:
        if isinstance(value, str):
            return f'"{value}"' if _kind(value) in kinds else key_text(value)
        return short.get(value, "") or key_text(value) if isinstance(value, float) else key_text(value)

    return list(map(of, values))


def _kind(value: str) -> str:
    """What a text reads like: 'null', 'truth value', 'number', or '' for any other text."""
    if value in ("null", "true", "false"):
        return "null" if value == "null" else "truth value"
    return "number" if is_number(value) else ""
