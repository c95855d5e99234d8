"""`fitbench data`: lists the data sets with their place on this machine, size and checksum."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fitbench.data.builtin import BUILTIN, Location, locate, read_builtin
from fitbench.errors import DataError
from fitbench.text import check_format, clean, console, table

if TYPE_CHECKING:
    from rich.text import Text

OWN = {
    "npz": ("an .npz file with x_train, y_train, x_test, y_test, and perhaps x_val, y_val", "data.path=images.npz"),
    "idx": ("a folder of four IDX files, named like MNIST's", "data.path=FOLDER"),
    "image_folder": (
        "train/, test/ and perhaps val/ with one folder of images per class; or such folders alone",
        "data.path=FOLDER data.test_fraction=0.2",
    ),
}


@dataclass(frozen=True)
class Entry:
    """A built-in data set, as `fitbench data` lists it: what it is, and where it is on this machine.

    Attributes:
        path, bytes: its place on this machine and its size there; None and 0 if it is not here.
        train, test, height, width, sha256, get: as in `Builtin`.
        verified: whether its arrays have the expected checksum; None if it was not read.
        problem: why `verified` is false.
    """

    name: str
    path: str | None
    bytes: int
    train: int
    test: int
    height: int
    width: int
    sha256: str
    get: str
    verified: bool | None
    problem: str | None


def list_data(format: str, verify: bool) -> int:
    """Print the built-in data sets, and return the exit status: 1 if a verified set is wrong, otherwise 0.

    Args:
        format: 'table' or 'json'.
        verify: read each set that is on this machine and check its SHA-256. Nothing is downloaded.

    Raises:
        RequestError: the format is unknown, or $FITBENCH_DATA is not a folder.
    """
    check_format(format, ("table", "json"))
    entries = [_entry(location, verify) for location in locate()]
    if format == "json":
        print(json.dumps([asdict(entry) for entry in entries], indent=2))
    else:
        _print(entries)
    return 1 if any(entry.verified is False for entry in entries) else 0


def _entry(location: Location, verify: bool) -> Entry:
    name, path = location.name, location.path
    expected = BUILTIN[name]
    verified, problem = None, None
    if verify and path:
        try:
            read_builtin(name)
            verified = True
        except DataError as error:
            verified, problem = False, str(error)
    return Entry(
        *(name, str(path) if path else None, location.bytes, expected.train, expected.test, *expected.size),
        *(expected.sha256, expected.get, verified, problem),
    )


def _print(entries: list[Entry]) -> None:
    from rich.text import Text

    out = console()
    has_checks = any(entry.verified is not None for entry in entries)
    numbers = ("train", "test", "pixels", "on disk")
    rows = table(out, "data=", *numbers, "sha256", *(["check"] if has_checks else []), right=numbers)
    for entry in entries:
        size = f"{entry.bytes / 1e6:,.1f} MB" if entry.path else Text("not here", style="yellow")
        pixels = f"{entry.height} x {entry.width}"
        row = [entry.name, f"{entry.train:,}", f"{entry.test:,}", pixels, size, entry.sha256[:8]]
        rows.add_row(*row, *([_check(entry)] if has_checks else []))
    out.print(rows)
    width = max(len(name) for name in (*BUILTIN, *OWN)) + 3
    for entry in entries:
        get = textwrap.wrap(f"not here: {entry.get}", max(out.width - width, 30))
        for i, line in enumerate([clean(entry.path)] if entry.path else get):
            out.print(f"{'' if i else entry.name:<{width}}{line}", soft_wrap=True)
        if entry.problem:
            out.print(f"{'':<{width}}{clean(entry.problem)}", style="red", soft_wrap=True)
    out.print("\nYour own images", style="bold")
    for name, (files, arguments) in OWN.items():
        out.print(f"{name:<{width}}{files}", soft_wrap=True)
        out.print(f"  fitbench train data={name} {arguments}", soft_wrap=True)


def _check(entry: Entry) -> Text:
    from rich.text import Text

    labels = {None: ("-", "dim"), True: ("right", "green"), False: ("wrong", "bold red")}
    text, style = labels[entry.verified]
    return Text(text, style=style)
