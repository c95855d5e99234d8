"""What arrays and tables in memory must be before their values are used: unmasked, with rows that belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fitbench.errors import DataError
from fitbench.text import first_of


def check_unmasked(name: str, value: Any) -> None:
    """Refuse a masked array with masked values, of which NumPy would use what lies below the mask.

    Raises:
        DataError: a value is masked.
    """
    if np.ma.is_masked(value):
        raise DataError(
            f"{name} has {np.ma.count_masked(value):,} masked values; expected an array without a mask: leave these "
            "examples out, or fill the values with numpy.ma.filled"
        )


def check_same_rows(first: str, rows: Any, second: str, others: Any) -> None:
    """Refuse two tables or columns of pandas whose indexes are the same labels in another order.

    Rows belong together by their position, so such values would belong to other examples.

    Raises:
        DataError: their order is not the same.
    """
    if not all(hasattr(each, "to_numpy") and hasattr(each, "index") for each in (rows, others)):
        return
    index, other = rows.index, others.index
    if len(index) == len(other) and not index.equals(other) and set(index) == set(other):
        raise DataError(
            f"{first} and {second} have the same index in another order; expected rows in the same order, as "
            f"{second}.loc[{first}.index]"
        )


def check_same_columns(tables: Mapping[str, Any]) -> None:
    """Refuse tables whose columns have other names, or another order, than those of the first.

    Raises:
        DataError: they differ.
    """
    named = {name: list(table.columns) for name, table in tables.items() if hasattr(table, "columns")}
    for name, columns in named.items():
        first = next(iter(named))
        if columns != named[first]:
            raise DataError(
                f"{name} has the columns {first_of(list(map(str, columns)))}, and {first} has "
                f"{first_of(list(map(str, named[first])))}; expected the same columns in the same order"
            )
