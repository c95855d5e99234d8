"""`fitbench data`: lists the data sets with their place on this machine, size and checksum."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.columns import Column, column, print_columns
from fitbench.data.builtin import BUILTIN, Builtin, locate, read_builtin
from fitbench.data.files import find_idx
from fitbench.data.known_tables import KNOWN_TABLES, KnownTable, files_of, read_rows
from fitbench.data.ucr import KNOWN_SERIES, KnownSeries, found_ucr, read_ucr
from fitbench.errors import DataError
from fitbench.text import check_format, clean, console, counted, first_of

if TYPE_CHECKING:
    from rich.console import Console

OWN = {
    "npz": ("an .npz file with x_train, y_train, x_test, y_test, and perhaps x_val, y_val", "data.path=images.npz"),
    "idx": ("a folder of four IDX files, named like MNIST's", "data.path=FOLDER"),
    "image_folder": (
        "train/, test/ and perhaps val/ with one folder of images per class; or such folders alone",
        "data.path=FOLDER data.test_fraction=0.2",
    ),
    "csv": (
        "a CSV, TSV or Parquet file with a row for each example and the names of the columns",
        "data.path=houses.csv data.target=price",
    ),
    "signals": (
        "a .ts, .tsv or .txt file of series as in the UCR and UEA archives, and one of the test part beside it",
        "data.path=GunPoint_TRAIN.ts",
    ),
}
CHECKS = {None: ("-", "dim"), True: ("right", "green"), False: ("wrong", "bold red")}  # by `verified`, with a style
SIZES = ("height", "width", "columns", "steps", "channels")  # of inputs; a kind has some of them


@dataclass(frozen=True)
class _DataSet:
    """A data set of the list.

    Attributes:
        name: its name.
        choice: how it is chosen, behind `data=`.
        files: where it is on this machine; none if it is not.
        known: what is known of it; None: it was found on this machine, and its checksum is not known.
        inputs: the size of its inputs, in words.
        sizes: the same by the keys of `SIZES`.
        verify: reads it and checks its checksum; raises a `DataError` if that is wrong.
    """

    name: str
    choice: str
    files: list[Path]
    known: Builtin | KnownTable | KnownSeries | None
    inputs: str
    sizes: Mapping[str, int]
    verify: Callable[[], object]


def _data_sets() -> Iterator[_DataSet]:
    for name, known in BUILTIN.items():
        (height, width), path = known.size, locate(name)
        files, sizes = [] if path is None else [path], {"height": height, "width": width}
        yield _DataSet(name, name, files, known, f"{height} x {width}", sizes, partial(read_builtin, name))
    for name, known_table in KNOWN_TABLES.items():
        count = len(known_table.features)
        inputs, verify = counted(count, "column"), partial(read_rows, name)
        yield _DataSet(name, known_table.choice, files_of(name), known_table, inputs, {"columns": count}, verify)
    found = found_ucr()
    for name in (*KNOWN_SERIES, *sorted(found.keys() - KNOWN_SERIES.keys())):
        files, series = found.get(name, []), KNOWN_SERIES.get(name)
        sizes = {} if series is None else {"steps": series.steps[1], "channels": series.channels}
        inputs = "-" if series is None else series.inputs
        yield _DataSet(name, f"ucr data.name={name}", files, series, inputs, sizes, partial(read_ucr, name, files))


def list_data(format: str, verify: bool) -> int:
    """Print the built-in data sets, and return the exit status: 1 if a verified set is wrong, otherwise 0.

    Args:
        format: 'table' or 'json'.
        verify: read each set that is on this machine and check its SHA-256. Nothing is downloaded.

    Raises:
        RequestError: the format is unknown, or $FITBENCH_DATA is not a folder.
    """
    check_format(format, ("table", "json"))
    sets = list(_data_sets())
    entries = [_entry(of, verify) for of in sets]
    if format == "json":
        print(json.dumps(entries, indent=2))
    else:
        _print(sets, entries)
    return 1 if any(entry["verified"] is False for entry in entries) else 0


def _entry(of: _DataSet, verify: bool) -> dict[str, Any]:
    """Describe a data set, with its place on this machine and its size there in bytes.

    'data' is how it is chosen, behind `data=`. Images have a height and a width, tables a number of columns, series the
    steps of the longest and a number of channels. 'verified' says whether its arrays have the expected checksum, and is
    None if they were not read, or if the checksum is not known; 'problem' says why it is false.
    """
    known, files = of.known, of.files
    entry = {
        "name": of.name,
        "data": of.choice,
        "path": str(files[0]) if files else None,
        "bytes": sum(file.stat().st_size for each in files for file in ([each] if each.is_file() else _idx(each))),
        "train": known and known.train,
        "test": known and known.test,
        **{key: of.sizes.get(key) for key in SIZES},
        "sha256": known and known.sha256,
        "get": known and known.get,
        "verified": None,
        "problem": None,
    }
    if verify and files and known:
        try:
            of.verify()
        except DataError as error:
            return entry | {"verified": False, "problem": str(error)}
        entry["verified"] = True
    return entry


def _idx(folder: Path) -> list[Path]:
    return list(find_idx(folder).values())


def _print(sets: Sequence[_DataSet], entries: Sequence[Mapping[str, Any]]) -> None:
    out = console()
    known = [(of, entry) for of, entry in zip(sets, entries, strict=True) if of.known]
    if dropped := print_columns(out, _columns(known)):
        out.print(f"Too narrow here for: {', '.join(dropped)}.", style="dim")
    width = max(len(name) for name in (*(of.name for of, _ in known), *OWN)) + 3
    for of, entry in known:
        if of.files:
            out.print(f"{of.name:<{width}}{clean(entry['path'])}", soft_wrap=True)
        else:
            _print_text(out, f"not here: {entry['get']}", width, of.name)
        if entry["problem"]:
            _print_text(out, clean(entry["problem"]), width, style="red")
    if others := [of.name for of in sets if not of.known]:
        out.print("\nOther time series that are here, with data=ucr data.name=NAME", style="bold")
        _print_text(out, first_of(others, most=50))
    out.print("\nYour own data", style="bold")
    for name, (files, arguments) in OWN.items():
        _print_text(out, files, width, name)
        _print_text(out, f"fitbench train data={name} {arguments}", 2)


def _columns(known: Sequence[tuple[_DataSet, Mapping[str, Any]]]) -> list[Column]:
    """The table; where a terminal is too narrow, it has no checksums, then no sizes on the disk."""
    columns = [
        column("data=", known, lambda each: each[0].choice, right=False),
        column("train", known, lambda each: f"{each[1]['train']:,}"),
        column("test", known, lambda each: f"{each[1]['test']:,}"),
        column("inputs", known, lambda each: each[0].inputs),
        column(
            "on disk",
            known,
            lambda each: f"{each[1]['bytes'] / 1e6:,.1f} MB" if each[0].files else "not here",
            styles=["" if of.files else "yellow" for of, _ in known],
            spare=1,
        ),
        column("sha256", known, lambda each: each[1]["sha256"][:8], right=False, spare=2),
    ]
    checks = [CHECKS[entry["verified"]] for _, entry in known]
    if any(entry["verified"] is not None for _, entry in known):
        cells, styles = [text for text, _ in checks], [style for _, style in checks]
        columns.append(Column("check", cells, right=False, styles=styles))
    return columns


def _print_text(out: Console, text: str, indent: int = 0, name: str = "", style: str = "") -> None:
    """Print a text behind a name, in as many lines as a terminal needs; they are broken between words."""
    room = max(out.width - indent, 30) if out.is_terminal else max(len(text), 1)
    for i, line in enumerate(textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)):
        out.print(f"{'' if i else name:<{indent}}{line}", style=style, soft_wrap=True)
