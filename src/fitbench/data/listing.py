"""`fitbench data`: lists the data sets with their place on this machine, size and checksum."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.data.builtin import BUILTIN, Builtin, locate, read_builtin
from fitbench.data.files import find_idx
from fitbench.data.known_tables import KNOWN_TABLES, KnownTable, files_of, verify_table
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
    "csv": (
        "a CSV, TSV or Parquet file with a row for each example and the names of the columns",
        "data.path=houses.csv data.target=price",
    ),
}


def list_data(format: str, verify: bool) -> int:
    """Print the built-in data sets, and return the exit status: 1 if a verified set is wrong, otherwise 0.

    Args:
        format: 'table' or 'json'.
        verify: read each set that is on this machine and check its SHA-256. Nothing is downloaded.

    Raises:
        RequestError: the format is unknown, or $FITBENCH_DATA is not a folder.
    """
    check_format(format, ("table", "json"))
    entries = [
        *(_entry(name, known, _image_files(name), verify) for name, known in BUILTIN.items()),
        *(_entry(name, table, files_of(name), verify) for name, table in KNOWN_TABLES.items()),
    ]
    if format == "json":
        print(json.dumps(entries, indent=2))
    else:
        _print(entries)
    return 1 if any(entry["verified"] is False for entry in entries) else 0


def _entry(name: str, known: Builtin | KnownTable, files: list[Path], verify: bool) -> dict[str, Any]:
    """Describe a data set, with its place on this machine and its size there in bytes.

    'data' is how it is chosen, behind `data=`. Images have a height and a width, tables a number of columns. 'verified'
    says whether its arrays have the expected checksum, and is None if they were not read; 'problem' says why it is
    false.
    """
    entry = {
        "name": name,
        "data": name,
        "path": str(files[0]) if files else None,
        "bytes": sum(file.stat().st_size for each in files for file in ([each] if each.is_file() else _idx(each))),
        "train": known.train,
        "test": known.test,
        "height": None,
        "width": None,
        "columns": None,
        "sha256": known.sha256,
        "get": known.get,
        "verified": None,
        "problem": None,
    }
    verified: Callable[[str], object]
    if isinstance(known, KnownTable):
        entry |= {"data": known.choice, "columns": len(known.features)}
        verified = verify_table
    else:
        entry |= {"height": known.size[0], "width": known.size[1]}
        verified = read_builtin
    if verify and files:
        try:
            verified(name)
        except DataError as error:
            return entry | {"verified": False, "problem": str(error)}
        entry["verified"] = True
    return entry


def _image_files(name: str) -> list[Path]:
    path = locate(name)
    return [] if path is None else [path]


def _idx(folder: Path) -> list[Path]:
    return list(find_idx(folder).values())


def _print(entries: list[dict[str, Any]]) -> None:
    from rich.text import Text

    out = console()
    has_checks = any(entry["verified"] is not None for entry in entries)
    numbers = ("train", "test", "inputs", "on disk")
    rows = table(out, "data=", *numbers, "sha256", *(["check"] if has_checks else []), right=numbers)
    for entry in entries:
        size = f"{entry['bytes'] / 1e6:,.1f} MB" if entry["path"] else Text("not here", style="yellow")
        inputs = f"{entry['columns']} columns" if entry["columns"] else f"{entry['height']} x {entry['width']}"
        row = [entry["data"], f"{entry['train']:,}", f"{entry['test']:,}", inputs, size, entry["sha256"][:8]]
        rows.add_row(*row, *([_check(entry)] if has_checks else []))
    out.print(rows)
    width = max(len(name) for name in (*BUILTIN, *KNOWN_TABLES, *OWN)) + 3
    for entry in entries:
        get = textwrap.wrap(f"not here: {entry['get']}", max(out.width - width, 30))
        for i, line in enumerate([clean(entry["path"])] if entry["path"] else get):
            out.print(f"{'' if i else entry['name']:<{width}}{line}", soft_wrap=True)
        if entry["problem"]:
            out.print(f"{'':<{width}}{clean(entry['problem'])}", style="red", soft_wrap=True)
    out.print("\nYour own data", style="bold")
    for name, (files, arguments) in OWN.items():
        out.print(f"{name:<{width}}{files}", soft_wrap=True)
        out.print(f"  fitbench train data={name} {arguments}", soft_wrap=True)


def _check(entry: dict[str, Any]) -> Text:
    from rich.text import Text

    labels = {None: ("-", "dim"), True: ("right", "green"), False: ("wrong", "bold red")}
    text, style = labels[entry["verified"]]
    return Text(text, style=style)
