"""Examples and targets that are in memory, as a run's model and task take them."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.data.in_memory import check_unmasked
from fitbench.data.resampling import resampled
from fitbench.data.scale import note_on_dark
from fitbench.data.table_file import with_texts
from fitbench.errors import DataError, RequestError
from fitbench.inference.card import input_card, replaces_missing
from fitbench.inference.other_tables import in_order
from fitbench.inference.table_examples import check_columns, encode
from fitbench.inference.table_targets import targets_of
from fitbench.inference.values import checked, checked_series, fitting
from fitbench.kinds import IMAGES, KINDS, SERIES, TABLE
from fitbench.record.inputs import Inputs
from fitbench.stderr import write_note
from fitbench.text import counted

if TYPE_CHECKING:
    import pandas as pd

    from fitbench.inference.reader import Reader

X, Y = "x", "y"  # what messages call them


def inputs_in_memory(x: Any, reader: Reader) -> np.ndarray:
    """Examples as the model takes them, [N, *shape], N at least 1.

    Args:
        x: images [N, height, width] or [N, height, width, channels], with the values of the data of the run; rows of a
            table as a DataFrame, or as numbers [N, columns] if no column is a category; series [N, steps, channels], or
            [N, steps] of one channel, or a list of series [steps, channels]; arrays [N, ...].
        reader: of the run.

    Raises:
        DataError: they have another shape or type, or a value that the model does not take; the message names the first
            such example.
        RequestError: a table lacks columns, or `x` names a file.
    """
    inputs = reader.inputs
    first = x[0] if isinstance(x, list | tuple) and x else x
    if isinstance(first, str | PathLike):
        raise RequestError(
            f"{X} is the text or path {str(first)!r:.80}; expected {KINDS[inputs.kind].plural} in memory: read the "
            "file first, or use the command fitbench predict, which takes files"
        )
    if inputs.kind == TABLE:
        found, errors = _rows(x, inputs, reader.result)
    elif inputs.kind == IMAGES:
        found, errors = _images(_array(x), inputs, reader.max_value), {}
        if reader.max_value is None and (note := note_on_dark(found, X)):
            write_note(note)
    else:
        if hasattr(x, "columns"):
            write_note(f"{X}: its columns are taken in their order, because the run has recorded no names of columns")
        found, errors = _numbers(x, inputs, reader.result)
    if errors:
        first = min(errors)
        raise DataError(f"{X}: example {first:,} (counted from 0): {errors[first]}")
    if not len(found):
        raise DataError(f"{X} has no examples; expected at least one")
    return found


def targets_in_memory(y: Any, count: int, reader: Reader) -> np.ndarray:
    """Targets as the task of the run has them, see `data.dataset.Dataset`.

    Args:
        y: classes [N] by their names, or by their positions where no class has a whole number for a name; or one-hot
            rows; numbers [N] or [N, targets]; several labels [N, labels] of 0 and 1. Several columns of a DataFrame are
            matched by name, if both they and the run have names.
        count: N, how many examples there are.
        reader: of the run.

    Raises:
        DataError: they are of another number or shape, or one of them is no class, number or label of the run.
        RequestError: they are columns with other names than those of the run.
    """
    import pandas as pd

    task, names = reader.task, list(reader.names)
    array = y.to_numpy() if hasattr(y, "to_numpy") else _array(y, Y)
    if array.ndim not in (1, 2):
        raise DataError(f"{Y} has the shape {array.shape}; expected a target for each example, [N] or [N, targets]")
    frame = pd.DataFrame(array).infer_objects()
    if len(frame) != count:
        raise DataError(f"{Y} has {counted(len(frame), 'target')}; expected one for each of the {count:,} of {X}")
    one = frame.shape[1] == 1
    if frame.shape[1] != len(names) and not (one and task.has_classes):
        raise DataError(f"{Y} has {counted(frame.shape[1], 'column')}; the run has {len(names)} {task.names_key}")
    if not one and hasattr(y, "columns"):
        frame = frame.iloc[:, _order(list(y.columns), names)]
    frame.columns = pd.Index([Y] if one else names)
    if one and task.has_classes:
        frame[Y] = _named(frame[Y], names)
    return targets_of(frame, list(frame.columns), task, names, Y)


def _order(columns: list[Any], names: list[str]) -> list[int]:
    """The position of the column of each name of the run; their own order where one side has no names.

    Raises:
        RequestError: the columns have other names.
    """
    texts, positions = list(map(str, columns)), list(range(len(names)))
    are_made_up = names in ([str(i) for i in positions], [f"y_{i}" for i in positions])
    have_names = not are_made_up and any(isinstance(column, str) for column in columns)
    if not have_names and set(texts) != set(names):
        return positions
    return [texts.index(name) for name in in_order(texts, names, f"{Y} has the columns")]


def _named(labels: pd.Series, names: list[str]) -> pd.Series:
    """Labels by their names, where whole numbers are positions unless a class has one for a name.

    Booleans are the numbers 0 and 1, as in arrays of training, unless classes are named after them.
    """
    if labels.dtype == bool and not {"false", "true"} & set(map(str.lower, names)):
        labels = labels.astype(int)
    if labels.dtype.kind not in "iu" or any(map(str.isdecimal, names)):
        return labels
    wrong = labels[(labels < 0) | (labels >= len(names))]
    if len(wrong):
        raise DataError(
            f"{Y} holds {wrong.iloc[0]}; expected a name of a class of the run, or its position from 0 to "
            f"{len(names) - 1}"
        )
    return labels.map(dict(enumerate(names)))


def _array(values: Any, name: str = X) -> np.ndarray:
    check_unmasked(name, values)
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} is no array: {error}") from error


def _rows(x: Any, inputs: Inputs, result: dict[str, Any]) -> tuple[np.ndarray, dict[int, str]]:
    """Rows of a table, float32 [N, columns], and error messages by position."""
    import pandas as pd

    names = [column.name for column in inputs.columns]
    if not isinstance(x, pd.DataFrame):
        array = _array(x)
        if array.ndim != 2 or array.shape[1] != len(names) or any(each.kind != "number" for each in inputs.columns):
            raise RequestError(
                f"{X}: the run takes rows of a table; give a DataFrame with its {counted(len(names), 'column')}, such "
                f"as {names[0]}"
            )
        x = pd.DataFrame(array, columns=names)
    check_columns(X, list(map(str, x.columns)), names)
    frame = with_texts(x)
    return encode(frame, inputs.columns, X, replaces_missing(result)) if len(frame) else (np.zeros((0, 1)), {})


def _images(array: np.ndarray, inputs: Inputs, max_value: float | None) -> np.ndarray:
    """Images, uint8 [N, height, width, channels], from values from 0 to `max_value`, or from 0 to 255 for None."""
    images = array[..., np.newaxis] if array.ndim == 3 else array
    if images.ndim != 4 or images.shape[1:] != inputs.shape or array.dtype.kind not in "buif":
        sides = ", ".join(map(str, inputs.shape))
        raise DataError(f"{X}: an array of {array.dtype} {array.shape}; expected images of numbers [N, {sides}]")
    white = max_value or 255
    if images.dtype == np.uint8 and white == 255:
        return images
    low, high = (images.min().item(), images.max().item()) if images.size else (0, 0)
    if not (low >= 0 and high <= white):  # also of NaN
        raise DataError(f"{X} holds values from {low:g} to {high:g}; pixels of this run are from 0 to {white:g}")
    if max_value is None and (images != np.rint(images)).any():
        raise DataError(f"{X} holds fractions, up to {high:g}; pixels of this run are whole numbers from 0 to 255")
    return np.rint(images * np.float64(255 / white)).astype(np.uint8)


def _numbers(x: Any, inputs: Inputs, result: dict[str, Any]) -> tuple[np.ndarray, dict[int, str]]:
    """Series, tokens or arrays, [N, *shape], and error messages by position."""
    takes = input_card(inputs, result)
    try:
        if inputs.kind != SERIES:
            return checked(fitting(_array(x), takes), takes)
        if isinstance(x, list):  # perhaps of different lengths
            rows = [_array(one) for one in x]
            series = [one[:, np.newaxis] if one.ndim == 1 else one for one in rows]
            if any(one.ndim != 2 or one.dtype.kind not in "buif" for one in series):
                raise ValueError("expected series of numbers, [steps, channels] each")
            return checked_series(series, takes, resampled)
        return checked_series(list(fitting(_array(x), takes)), takes, resampled)
    except ValueError as error:
        raise DataError(f"{X}: {error}") from error
