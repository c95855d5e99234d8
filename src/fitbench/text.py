"""Text for people: the console, a stranger's text made harmless, and numbers and durations as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fitbench.errors import RequestError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def console() -> Console:
    """Stdout, in colour and as wide as the terminal; plain and never cut where it is a pipe or a file.

    No text is read as markup. Characters that the encoding of stdout lacks are printed as '?'.
    """
    import io
    import sys

    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
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
    made = Table(box=lines, header_style="bold", border_style="dim", **options)
    if lines is None:
        made.pad_edge = False
        made.padding = (0, 3, 0, 0)
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if column in flexible else len(column),
        )
    return made


def check_format(format: str, known: Sequence[str]) -> None:
    """Refuse what --format cannot be.

    Raises:
        RequestError: the format is none of those that are known.
    """
    if format not in known:
        allowed = " or ".join(known) if len(known) == 2 else f"one of {', '.join(known)}"
        raise RequestError(f"--format is {format!r}; it must be {allowed}")


def shortened(text: str, most: int) -> str:
    """The text in so many columns of the terminal at most, with an ellipsis where its end is missing."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= most else f"{set_cell_size(text, most - 1)}…"


def clean(text: object) -> str:
    """The text with control characters, line ends and direction marks spelled out, as in '\\x1b'."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))


def number(value: float | None, digits: int) -> str:
    """A number with so many digits behind the point, '-' for None."""
    return "-" if value is None else f"{value:,.{digits}f}"


def span(interval: tuple[float, float] | None, digits: int) -> str:
    """An interval such as '0.9562 to 0.9635', '-' for None."""
    return "-" if interval is None else f"{interval[0]:,.{digits}f} to {interval[1]:,.{digits}f}"


def describe(epoch: dict[str, Any]) -> str:
    """One epoch of the history as people read it."""
    text = f"{epoch['seconds']:.2f} s  {_metrics(epoch)}"
    if epoch.get("val_loss") is not None:
        text += f"  val {_metrics({'loss': epoch['val_loss'], 'accuracy': epoch.get('val_accuracy')})}"
    others = (key for key in epoch if key.startswith("val_") and key not in ("val_loss", "val_accuracy"))
    return text + "".join(f"  {key} {epoch[key]:.4f}" for key in others if epoch[key] is not None)


def _metrics(values: dict[str, Any]) -> str:
    named = (("loss", "loss"), ("accuracy", "acc"))
    return "  ".join(f"{short} {values[key]:.4f}" for key, short in named if values.get(key) is not None)


def count(number: float) -> str:
    """A count in few characters: 950, 12.3k, 123k."""
    if number < 1000:
        return f"{number:.0f}"
    return f"{number / 1000:.1f}k" if number < 100_000 else f"{number / 1000:.0f}k"


def duration(seconds: float) -> str:
    """Seconds as 8 s, 3:05 or 2:03:05."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
