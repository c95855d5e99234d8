"""What a call asks for: overrides, folders of configurations, and perhaps data in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fitbench.api.arrays import Arrays, is_dataset
from fitbench.api.overrides import Folders, Overrides, folders_of, words_of
from fitbench.errors import RequestError


@dataclass(frozen=True)
class Request:
    """What a call asks for.

    Attributes:
        words: the overrides.
        folders: the user's folders of configurations.
        arrays: the data set, if it is given as arrays.
    """

    words: list[str]
    folders: list[Path]
    arrays: Arrays | None

    @staticmethod
    def of(overrides: Iterable[Overrides], config_dir: Folders | None, data: Any, values: Mapping[str, Any]) -> Request:
        """The request of the arguments of a call; see `fitbench.train`.

        Raises:
            RequestError: an argument is of another kind.
            DataError: the arrays are no data set.
        """
        folders = folders_of(config_dir)
        arrays = _arrays(data)
        of_data = [] if data is None or arrays is not None else [{"data": data}]
        words = words_of([*of_data, *overrides], values, folders)
        _check_importable(words)
        if arrays is not None and (twice := [word for word in words if word.lstrip("+").startswith("data=")]):
            raise RequestError(f"{twice[0]}: the argument data is a data set of arrays already; leave one of them out")
        return Request([*(arrays.words() if arrays is not None else ()), *words], folders, arrays)


def _check_importable(words: Iterable[str]) -> None:
    """Refuse functions of the program itself: another process does not find them, and a change would not be noticed.

    Raises:
        RequestError: an override names one.
    """
    for word in words:
        if "__main__." in word:
            raise RequestError(
                f"{word}: is defined in the program or notebook itself; write it into a module beside it, such as "
                "mine.py, so that worker processes find it, and a run with a changed function is not taken for the same"
            )


def _arrays(data: Any) -> Arrays | None:
    """The arrays of an argument `data`; None if it is a name, or settings."""
    if data is None or isinstance(data, str):
        return None
    if isinstance(data, Mapping):
        return Arrays.of(data) if is_dataset(data) else None
    if (
        isinstance(data, Sequence)
        and len(data) == 2
        and all(isinstance(part, tuple) and len(part) == 2 for part in data)
    ):
        (x_train, y_train), (x_test, y_test) = data
        return Arrays.of({"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test})
    raise RequestError(
        f"data is a {type(data).__name__}; expected the name of a data set, a dict of settings or of arrays (x_train, "
        "y_train, x_test, y_test), or ((x_train, y_train), (x_test, y_test))"
    )
