"""What tells runs apart: the columns of the configuration that tables show by default, and their values in short."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.analysis.frame import column, varying, without_attrs
from fitbench.analysis.rows import STARTED, WEIGHTS
from fitbench.analysis.search_record import parted, read_search
from fitbench.config.files import keys_of_files
from fitbench.errors import FitbenchError, RequestError

if TYPE_CHECKING:
    import pandas as pd

FEWEST_DIGITS, MOST_DIGITS = 3, 17  # significant digits of a number; 17 tell any two apart

_SHA256 = re.compile("[0-9a-f]{64}")


# -- which columns ----------------------------------------------------------------------------------------------------


def telling(frame: pd.DataFrame) -> list[str]:
    """The columns of the configuration in which the runs of a frame differ, without those that only name files.

    They are in the order of the frame. Tables of runs and of groups have no other column of the configuration unless a
    person asks for it.
    """
    return [name for name in varying(frame) if name not in keys_of_files()]


def default_keys(frame: pd.DataFrame) -> list[str]:
    """The columns that a search has varied, and the fewest others of `telling` that tell the runs apart, seeds aside.

    Of columns that vary together, such as model.name and model.hidden, one is enough: names and kinds are chosen first;
    training.validation_split, which follows from the number of folds, comes last where there are any. The number of
    training examples tells apart what no key of the configuration does: files of different size. Where nothing varies,
    they are model.name and optimizer.name. They are in the order of the frame.
    """
    frame = without_attrs(frame)
    varies = telling(frame)
    implied = {"training.validation_split"} if frame["fold"].notna().any() else set()

    def order(name: str) -> tuple[bool, bool, int]:
        return not name.endswith((".name", ".kind")), name in implied, name.count(".")

    chosen = [name for name in searched(frame) if name in varies]
    configurations = len(frame[chosen].drop_duplicates()) if chosen else 1
    for name in sorted(varies, key=order):
        finer = len(frame[[*chosen, name]].drop_duplicates())
        if finer > configurations:
            chosen.append(name)
            configurations = finer
    ordered = [readable(frame, name) for name in varies if name in chosen] + _of_other_data(frame, chosen)
    return ordered or [name for name in ("model.name", "optimizer.name") if name in frame]


def _of_other_data(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """The column that tells runs on different data apart where these keys do not: their number of training examples."""
    finished = frame[frame["dataset.sha256"].notna()]

    def different(names: Sequence[str]) -> int:
        return len(finished[[*names, "dataset.sha256"]].drop_duplicates()) - len(finished[[*names]].drop_duplicates())

    if finished["dataset.sha256"].nunique() < 2 or not (different(keys) if keys else True):
        return []
    return [name for name in ("dataset.train",) if different([*keys, name]) == 0]


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


def key_text(value: Any) -> str:
    """The value of a key as text, in full; of a SHA-256 the first 8 digits."""
    return value[:8] if isinstance(value, str) and _SHA256.fullmatch(value) else text(value)


def short_texts(values: Sequence[Any]) -> list[str]:
    """The values of a key as texts, in which fractions have the digits that tell them from the others, 3 or more.

    So 0.15488664885345138 is 0.155, and beside 0.1552 it is 0.1549.
    """
    numbers = {value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)}
    left = {value for value in numbers if isinstance(value, float) and not value.is_integer()}
    short: dict[float, str] = {}
    for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1):
        if not left:
            break
        rounded = {value: float(f"{value:.{digits}g}") for value in numbers}
        counts = Counter(rounded.values())
        short |= {value: text(rounded[value]) for value in left if counts[rounded[value]] == 1}
        left -= short.keys()
    return [short.get(value, "") or key_text(value) if isinstance(value, float) else key_text(value)
            for value in values]  # fmt: skip
