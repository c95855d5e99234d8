"""Text for people: the console, a stranger's text made harmless, and numbers and durations as they are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fitbench.errors import RequestError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def console() -> Console:
    """Stdout, in colour and as wide as the terminal; plain and never cut where it is a pipe or a file.

    No text is read as markup.
    """
    import sys

    from rich.console import Console

    width = None if sys.stdout.isatty() else 1000
    return Console(markup=False, emoji=False, highlight=False, width=width)


def table(
    out: Console, *columns: str, right: Sequence[str] = (), flexible: Sequence[str] = (), **options: Any
) -> Table:
    """A table with these columns: rounded lines in a terminal, plain aligned text elsewhere.

    The columns named in `right` hold numbers. Those in `flexible` are shortened where the terminal is too narrow.
    """
    from rich import box
    from rich.table import Table

    lines = box.ROUNDED if out.is_terminal else None
    grid = Table(box=lines, header_style="bold", border_style="dim", **options)
    if lines is None:
        grid.pad_edge = False
        grid.padding = (0, 3, 0, 0)
    for column in columns:
        grid.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if column in flexible else len(column),
        )
    return grid


def check_format(format: str, formats: Sequence[str]) -> None:
    """Refuse what --format cannot be.

    Raises:
        RequestError: the format is not among the formats.
    """
    if format not in formats:
        allowed = " or ".join(formats) if len(formats) == 2 else f"one of {', '.join(formats)}"
        raise RequestError(f"--format is {format!r}; it must be {allowed}")


def shortened(text: str, most: int, from_end: bool = False) -> str:
    """The text in so many columns of the terminal at most, with an ellipsis where its end is missing.

    `from_end`: the end stays, and the beginning is missing.
    """
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= most:
        return text
    return f"…{set_cell_size(text[::-1], most - 1)[::-1]}" if from_end else f"{set_cell_size(text, most - 1)}…"


def clean(text: object) -> str:
    """The text with control characters, line ends and direction marks spelled out, as in '\\x1b'."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))


def natural_order(text: str) -> list[tuple[int, str] | str]:
    """A key that sorts texts by the numbers in them: s2 before s10, and [64] before [128]."""
    parts = re.split("([0-9]+)", text)
    return [(len(part.lstrip("0")), part.lstrip("0")) if i % 2 else part for i, part in enumerate(parts)]


def first_of(names: Iterable[object], most: int = 8, between: str = ", ") -> str:
    """The first names, cleaned, and how many more there are: 'a, b and 5 more'."""
    cleaned = [clean(name) for name in names]
    more = f" and {len(cleaned) - most:,} more" if len(cleaned) > most else ""
    return f"{between.join(cleaned[:most])}{more}"


def lines_of(names: Sequence[str], most: int) -> str:
    """The first names, each in an indented line of its own, and in a last line how many more there are."""
    more = [f"and {len(names) - most:,} more"] * (len(names) > most)
    return "".join(f"\n  {line}" for line in (*names[:most], *more))


MOST_NAMES = 30  # of a hint


def hint(name: str, names: Iterable[str]) -> str:
    """The end of a message about a name that does not exist: the nearest names, or else the first `MOST_NAMES`."""
    names = list(names)
    if same := [other for other in names if other.casefold() == name.casefold()]:
        return f"did you mean {clean(same[0])}? Upper and lower case are different"
    if near := nearest(name, names, most=3, cutoff=0.5):
        return f"did you mean {' or '.join(map(clean, near))}?"
    return f"there are {first_of(names, MOST_NAMES) or 'none'}"


def nearest(name: str, names: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """The names that look most like this one, the nearest first; none that is less like it than `cutoff`."""
    import difflib

    return difflib.get_close_matches(name, list(names), n=most, cutoff=cutoff)


def is_number(text: str) -> bool:
    """Whether Python reads the text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def in_sentence(items: Sequence[str], word: str = "or") -> str:
    """Items as a sentence lists them: 'a', 'a or b', 'a, b or c'."""
    *first, last = items
    return f"{', '.join(first)} {word} {last}" if first else last


def encodable(text: str) -> str:
    """The text with halves of characters, which JSON and paths can hold and no encoding can, spelled out: '\\udcff'."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def sentences(texts: Iterable[str]) -> str:
    """Texts one behind the other. One that ends as no sentence does has a full stop."""
    ends = (".", "!", "?", ":", "…", ".)")
    return " ".join(text if text.endswith(ends) else f"{text}." for text in texts if text)


LARGE, LARGEST = 1e3, 1e9  # from which on a number has six significant digits, and a power of ten
SIGNIFICANT = 6


def number(value: float | None, digits: int) -> str:
    """A number with so many digits behind the point, '-' for None.

    From 1,000 on it has fewer, so that there are six in all: 24,983.1. What is too small for the digits, or too large
    to read, has a power of ten: 3.1e-05, 3.808e+11.
    """
    if value is None:
        return "-"
    size = abs(value)
    if digits and size >= LARGEST:
        return f"{value:.3e}"
    if digits and 0 < size < 0.5 * 10.0**-digits:
        return f"{value:.1e}"
    if digits and size >= LARGE:
        digits = min(digits, max(0, SIGNIFICANT - len(f"{size:.0f}")))
    return f"{value:,.{digits}f}"


def in_digits(value: float) -> str:
    """A number as messages quote it: whole numbers exactly, others with six significant digits: 1,027,220 and 0.25."""
    if abs(value) < LARGEST and value == round(value):
        return f"{value:,.0f}"
    return f"{float(f'{value:.{SIGNIFICANT}g}'):,}".removesuffix(".0")


def below(limit: float, value: float, digits: int, kind: str = "f") -> str:
    """The value in the format '.3f' of 3 digits, with more of them where it is below the limit and would read as it."""
    while value < limit <= float(f"{value:.{digits}{kind}}"):
        digits += 1
    return f"{value:.{digits}{kind}}"


def span(interval: tuple[float, float] | None, digits: int) -> str:
    """An interval such as '0.9562 to 0.9635', '-' for None."""
    return "-" if interval is None else " to ".join(number(end, digits) for end in interval)


def describe(epoch: Mapping[str, Any]) -> str:
    """An epoch of the history as people read it, as in '0.50 s  loss 0.3012  val loss 0.3400  accuracy 0.9012'."""
    values = {clean(name): number(value, 4) for name, value in epoch.items() if _is_metric(name, value)}
    seconds = [f"{epoch['seconds']:.2f} s"] if epoch.get("seconds") is not None else []
    training = [f"{name} {value}" for name, value in values.items() if not name.startswith("val_")]
    validation = [f"{name[4:]} {value}" for name, value in values.items() if name.startswith("val_")]
    if validation:
        validation[0] = f"val {validation[0]}"
    return "  ".join([*seconds, *training, *validation])


def _is_metric(name: str, value: Any) -> bool:
    return value is not None and name not in _OF_EVERY_EPOCH


_OF_EVERY_EPOCH = ("epoch", "seconds", "learning_rate")


def count(number: float) -> str:
    """A count in few characters: 950, 12.3k, 123k, 1.2M. It is rounded before its unit is chosen."""
    unit = ""
    for larger in ("k", "M", "G"):
        if round(number) < 1000:
            break
        number, unit = number / 1000, larger
    decimals = 1 if unit and round(number, 1) < 100 else 0
    return f"{number:.{decimals}f}{unit}"


def plural(noun: str) -> str:
    """Several of a noun: images of image, and series of series."""
    return noun if noun.endswith("series") else f"{noun}s"


def counted(number: int, noun: str) -> str:
    """A number with its noun, as in '1 image' and '2,000 images'."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def duration(seconds: float) -> str:
    """Seconds as 8 s, 3:05 or 2:03:05. They are rounded before their unit is chosen."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age(seconds: float) -> str:
    """How long something is ago: 12 s, 5 min, 3 h or 2 d."""
    for unit, text in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {text}"
    return f"{max(seconds, 0):.0f} s"


def rough_duration(seconds: float) -> str:
    """Seconds as an estimate has them, with a unit of which there are at least two: 90 s, 25 min, 3.5 h, 4 days."""
    for size, unit, digits in ((DAY, "days", 0), (HOUR, "h", 1), (MINUTE, "min", 0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{digits}f} {unit}".replace(".0 ", " ")
    return f"{max(round(seconds), 1)} s"


MINUTE, HOUR, DAY = 60, 3600, 86_400


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type if it has no message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def without_password(address: str) -> str:
    """An address for a message. A password may have the characters of an address; one of digits is a port."""
    return re.sub(r"(?<=://)([^/:\[]*):(?!\d+(?:/|$)).*@", r"\1:***@", address)
