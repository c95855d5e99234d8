"""The names of columns: what a person may call them, and how short they can be."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from fitbench.errors import RequestError
from fitbench.text import clean, nearest

MOST = 20  # columns that a message lists
NEAREST = 3  # columns that a message suggests at most


def find_column(names: Sequence[str], name: str) -> str:
    """The column that a person means: its name; a metric without `metrics.`; the end of a name, as `hidden` of
    model.hidden; a section for its name or kind, as `model` of model.name; `duration` for timing.seconds. Of several
    that fit it is the one that is no `dataset.` column: `validation` is training.validation.

    Raises:
        RequestError: no column fits, or several do; the message names those of a section, the nearest, or those that
            fit.
    """
    for exact in (name, f"metrics.{name}", "timing.seconds" if name == "duration" else name):
        if exact in names:
            return exact
    for ends in ((name,), (f"{name}.name", f"{name}.kind")):
        fits = [label for label in names if label in ends or label.endswith(tuple(f".{end}" for end in ends))]
        chosen = fits if len(fits) == 1 else [label for label in fits if not label.startswith("dataset.")]
        if len(chosen) == 1:
            return chosen[0]
        if fits:
            raise RequestError(f"{name!r} fits {len(fits)} columns: {clean(', '.join(fits))}")
    inside = [label for label in names if f".{name}." in f".{label}"]
    near = inside[:NEAREST] or _nearest(name, names)
    every = "fitbench runs --format csv | head -1 lists them" if len(names) > MOST else f"there are {', '.join(names)}"
    hint = f"did you mean {' or '.join(near)}?" if near else every
    raise RequestError(f"there is no column {name!r}; {clean(hint)}")


def short_name(columns: Iterable[Hashable], name: str) -> str:
    """The shortest text by which `find_column` finds a column among these, as 'model' for model.name."""
    names = list(map(str, columns))
    if name == "timing.seconds":
        return "duration"
    parts = name.split(".")
    if parts[-1] in ("name", "kind"):
        del parts[-1]
    for short in filter(None, (parts[-1] if parts else "", ".".join(parts))):
        try:
            if find_column(names, short) == name:
                return short
        except RequestError:  # it fits several columns
            continue
    return name


def _nearest(name: str, names: Sequence[str]) -> list[str]:
    """The columns that look most like the name, by their whole name or by its end."""
    pool: dict[str, str] = {}
    for label in names:
        pool.setdefault(label, label)
        pool.setdefault(label.rpartition(".")[2], label)
        pool.setdefault(label.partition(".")[0], label)
    close = nearest(name, pool, NEAREST)
    return list(dict.fromkeys(pool[match] for match in close))
