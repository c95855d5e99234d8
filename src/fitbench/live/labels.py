"""What tells a run from the others of its study, in short."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from fitbench.analysis.names import short_name
from fitbench.analysis.rows import Row, is_configuration
from fitbench.analysis.telling import by_kind, short_texts, varied_keys
from fitbench.text import encodable, shortened

LONGEST = 100  # characters of a label
OF_ONE = ("model.name", "optimizer.name")  # what names runs that do not differ in their configuration
COPIES = ("seed", "fold")


def labels(rows: Sequence[Row], searched: Collection[str] = ()) -> list[str]:
    """A label for each run of a study, such as 'mlp, dropout 0.2, seed 3'; texts stand without their key.

    Keys are those that `telling.default_keys` chooses, and seed and fold where runs differ in them, or there is one.

    Args:
        rows: the runs.
        searched: the keys that searches of the study vary.
    """
    names = list(dict.fromkeys(name for row in rows for name in row if is_configuration(name)))
    wanted = [column for key in searched for column in (key, f"{key}.name") if column in names]
    columns = {name: [row.get(name) for row in rows] for name in names}
    varying = {name: column for name, column in columns.items() if name in wanted or _differ(column)}
    has_folds = any(row.get("fold") is not None for row in rows)
    keys = varied_keys(varying, wanted, has_folds) or [name for name in OF_ONE if name in names]
    keys += [name for name in COPIES if len(rows) == 1 or _differ([row.get(name) for row in rows])]
    parts: list[list[str]] = [[] for _ in rows]
    for key in keys:
        values, head = [row.get(key) for row in rows], short_name([*names, *COPIES], key)
        for of, value, text in zip(parts, values, short_texts(values), strict=True):
            if value is not None:
                of.append(text if isinstance(value, str) else f"{head} {text}")
    return [
        shortened(encodable(", ".join(of)), LONGEST) or encodable(row["run_id"])
        for of, row in zip(parts, rows, strict=True)
    ]


def _differ(values: Sequence[Any]) -> bool:
    return len(set(map(by_kind, values))) > 1
