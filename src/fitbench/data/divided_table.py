"""Tables that come with packages as arrays, divided and scaled as the sources of published results do it.

`data=sklearn` and its like draw a test part of fitbench's own, and a model standardises their columns. A published
result was measured on other rows, often without standardised columns. `divided_table` gives the same rows and numbers
as the calls of scikit-learn and pandas in such a source. A configuration names it in `data._target_`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fitbench.data.known_tables import KNOWN_TABLES, read_rows

TEST = "test"  # as `validation`: the validation part is the test part


def divided_table(
    table: str,
    test_rows: int,
    split: str = "scikit-learn",
    split_seed: int = 0,
    validation: int | str | None = None,
    columns: list[str] | None = None,
    scaling: str | None = None,
    scaled_by: str = "train",
) -> dict[str, np.ndarray]:
    """Return the parts of a table: `x_train`, float32 [N, columns], and `y_train`, float64 or, for classes, int64 [N].

    There are such arrays of `test` unless `test_rows` is 0, and of `val` unless `validation` is None. Columns of
    categories become one-hot columns at the end, in the order of their values, as with `pandas.get_dummies`. The
    diabetes are scaled by all rows, as `sklearn.datasets.load_diabetes` does it.

    Args:
        table: a name in `known_tables.KNOWN_TABLES`.
        test_rows: how many rows the test part has. With 0, all rows are shuffled as `sklearn.model_selection.KFold`
            does it, so that consecutive folds are its folds.
        split: `scikit-learn`, as `train_test_split(..., random_state=split_seed)`; or `pandas`, where the training part
            is `frame.sample(..., random_state=split_seed)` and the test part is the rest.
        split_seed: of the split.
        validation: None: no validation part of its own; a number of rows: it is split from the training part in the
            same way and with the same seed; `test`: it is the test part, as in sources that stop early by it.
        columns: the columns that the model takes; None: all.
        scaling: None; `standard`: mean 0 and deviation 1 of each column; `min_max`: 0 to 1 in each column; `range`: 0
            to 1 over all columns together.
        scaled_by: the rows that decide the scaling: `train`, without a validation part of its own, or `all`.

    Raises:
        ValueError: a setting has a value that is not listed here, or a part would be empty.
    """
    _check(table, split, scaling, scaled_by)
    x, y = _numbers(table, columns)
    held_back = {TEST: test_rows} | ({"val": validation} if isinstance(validation, int) else {})
    parts = {"train": np.arange(len(y))}
    for name, count in held_back.items():
        rows = parts["train"]
        if not 0 <= count < len(rows):
            raise ValueError(f"{name} cannot have {count} of {len(rows)} rows; expected 0 to {len(rows) - 1}")
        parts["train"], parts[name] = (rows[drawn] for drawn in SPLITS[split](len(rows), count, split_seed))
    if validation == TEST:
        parts["val"] = parts[TEST]
    elif isinstance(validation, str):
        raise ValueError(f"validation is {validation}; expected null, a number of rows, or {TEST}")
    low, size = _scale(x if scaled_by == "all" else x[parts["train"]], scaling)
    scaled = ((x - low) / size).astype(np.float32)
    arrays = {name: (scaled[rows], y[rows]) for name, rows in parts.items() if len(rows)}
    return {f"{axis}_{name}": values for name, pair in arrays.items() for axis, values in zip("xy", pair, strict=True)}


def _check(table: str, split: str, scaling: str | None, scaled_by: str) -> None:
    for name, value, allowed in (
        ("table", table, KNOWN_TABLES),
        ("split", split, SPLITS),
        ("scaling", scaling, (None, "standard", "min_max", "range")),
        ("scaled_by", scaled_by, ("train", "all")),
    ):
        if value not in allowed:
            raise ValueError(f"{name} is {value}; expected {', '.join(str(choice or 'null') for choice in allowed)}")


def _numbers(table: str, columns: list[str] | None) -> tuple[np.ndarray, np.ndarray]:
    """The features, float64 [N, columns], and the targets, float64 or int64 [N], in the order of the file."""
    known, frame = KNOWN_TABLES[table], read_rows(table)
    if unknown := set(columns or ()) - set(known.features):
        raise ValueError(f"{table} has no column {min(unknown)}; it has {', '.join(known.features)}")
    chosen = columns or known.features
    numbers = [frame[name].to_numpy() for name in chosen if name not in known.categorical]
    for name in chosen:
        if name in known.categorical:
            values = frame[name].to_numpy()
            numbers += [(values == value).astype(float) for value in np.unique(values)]
    x, y = np.column_stack(numbers), frame[known.target].to_numpy()
    if table == "diabetes":
        x = (x - x.mean(axis=0)) / (x.std(axis=0) * np.sqrt(len(x)))
    return x, y if known.classes is None else y.astype(np.int64)


def _scale(x: np.ndarray, scaling: str | None) -> tuple[np.ndarray | float, np.ndarray | float]:
    """What is subtracted, and what is divided by: numbers, or float64 [columns]. A constant column is divided by 1."""
    if scaling is None:
        return 0.0, 1.0
    if scaling == "range":
        return x.min(), np.ptp(x)
    low, size = (x.mean(axis=0), x.std(axis=0)) if scaling == "standard" else (x.min(axis=0), np.ptp(x, axis=0))
    return low, np.where(size == 0, 1.0, size)


def _as_scikit_learn(rows: int, held_back: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    drawn = np.random.RandomState(seed).permutation(rows)
    return drawn[held_back:], drawn[:held_back]


def _as_pandas(rows: int, held_back: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    kept = np.random.RandomState(seed).choice(rows, rows - held_back, replace=False)
    return kept, np.setdiff1d(np.arange(rows), kept)


SPLITS: dict[str, Callable[[int, int, int], tuple[np.ndarray, np.ndarray]]] = {
    "scikit-learn": _as_scikit_learn,
    "pandas": _as_pandas,
}
