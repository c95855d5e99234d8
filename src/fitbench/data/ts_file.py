"""Reads the .ts format of aeon, sktime and the archives at timeseriesclassification.com.

The format is described at https://www.aeon-toolkit.org/en/stable/api_reference/data_format.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fitbench.data.series_lines import Line, numbers, quoted
from fitbench.text import counted, first_of
from fitbench.untrusted import Unreadable

Tags = dict[
    str, tuple[list[str], int]
]  # the values behind a tag, by its name in lower case, and the number of its line


@dataclass(frozen=True)
class Header:
    """What the header of a .ts file states.

    Attributes:
        has_classes: each line ends with a class.
        has_targets: each line ends with a number to predict.
        classes: the names of the classes; () if it names none.
        channels: how many channels a series has; None if it does not say so.
        steps: the length of every series; None if it does not say so.
    """

    has_classes: bool
    has_targets: bool
    classes: tuple[str, ...]
    channels: int | None
    steps: int | None

    @property
    def has_labels(self) -> bool:
        """Whether each line ends with what is to be predicted."""
        return self.has_classes or self.has_targets


def read_ts(lines: Sequence[Line]) -> tuple[Header, list[np.ndarray], list[str]]:
    """Read the header, the series, float32 [steps, channels] each, and the label of each series.

    The labels are '' in a file that has none. A missing value is NaN.

    Raises:
        Unreadable: the file is cut off, or a line does not agree with the header or with the lines before.
    """
    tags, rows = _divided(lines)
    header = _header(tags)
    if not rows:
        raise Unreadable("has no series after its line @data; it may be cut off. Get it again")
    channels = header.channels or max(1, rows[0][1].count(":") + 1 - header.has_labels)
    series, labels = [], []
    for number, text in rows:
        parts, end = text.split(":"), "; the file may be cut off here" if number == lines[-1][0] else ""
        if len(parts) != channels + header.has_labels:
            ending = " and its label" if header.has_labels else ""
            raise Unreadable(
                f"line {number:,} has {counted(len(parts), 'part')} between its ':'; expected "
                f"{counted(channels, 'channel')}{ending}{end}"
            )
        labels.append(_label(parts.pop(), header, number, end) if header.has_labels else "")
        series.append(_series(parts, header.steps, number))
    return header, series, labels


# -- header -----------------------------------------------------------------------------------------------------------


def _divided(lines: Sequence[Line]) -> tuple[Tags, Sequence[Line]]:
    """The tags of the header, and the lines after `@data`."""
    tags: Tags = {}
    for position, (number, text) in enumerate(lines):
        name, *values = text.split()
        if name.lower() == "@data":
            return tags, lines[position + 1 :]
        if name.lower() in ("@relation", "@attribute"):
            raise Unreadable(f"line {number:,} begins with {name}, as ARFF files do; expected a .ts, .tsv or .txt file")
        if not name.startswith("@"):
            raise Unreadable(
                f"line {number:,} is {quoted(text)} in the header; expected a line @data before the series"
            )
        tags[name[1:].lower()] = values, number
    raise Unreadable("ends before a line @data; it may be cut off. Get it again")


def _header(tags: Tags) -> Header:
    if _is_true(tags, "timestamps"):
        raise Unreadable(
            f"line {tags['timestamps'][1]:,} states @timeStamps true; expected values without time stamps, at equal "
            "distances"
        )
    if not {"classlabel", "targetlabel"} & tags.keys():
        raise Unreadable(
            "its header has neither @classLabel nor @targetLabel; expected '@classLabel true' and the names of the "
            "classes, or '@targetLabel true' where numbers are to be predicted"
        )
    has_targets, channels = _is_true(tags, "targetlabel"), _count(tags, "dimensions")
    return Header(
        has_classes=not has_targets and _is_true(tags, "classlabel"),
        has_targets=has_targets,
        classes=tuple(dict.fromkeys(tags["classlabel"][0][1:])) if "classlabel" in tags else (),
        channels=channels or (1 if _is_true(tags, "univariate") else None),
        steps=_count(tags, "serieslength") if _is_true(tags, "equallength") else None,
    )


def _is_true(tags: Tags, tag: str) -> bool:
    """Whether a tag is there and true."""
    values, number = tags.get(tag, (["false"], 0))
    value = values[0].lower() if values else ""
    if value not in ("true", "false"):
        raise Unreadable(f"line {number:,}: @{tag} is {quoted(value)}; expected true or false")
    return value == "true"


def _count(tags: Tags, tag: str) -> int | None:
    """The number behind a tag; None if the tag is not there."""
    if tag not in tags:
        return None
    values, number = tags[tag]
    value = values[0] if values else ""
    if not (value.isascii() and value.isdecimal() and 0 < len(value) < 10 and int(value)):
        raise Unreadable(f"line {number:,}: @{tag} is {quoted(value)}; expected a number from 1")
    return int(value)


# -- series -----------------------------------------------------------------------------------------------------------


def _label(text: str, header: Header, number: int, end: str) -> str:
    """The label at the end of a line."""
    label = text.strip()
    if not label or (header.classes and header.has_classes and label not in header.classes):
        expected = f"one of the classes {first_of(header.classes)}" if header.classes else "its class or target"
        where = "as @classLabel names them" if header.classes else "behind the last ':'"
        raise Unreadable(f"line {number:,}: its label is {quoted(label)}; expected {expected}, {where}{end}")
    return label


def _series(channels: Sequence[str], steps: int | None, number: int) -> np.ndarray:
    """The series of a line, float32 [steps, channels]."""
    values = []
    for channel, text in enumerate(channels, 1):

        def place(position: int, channel: int = channel) -> str:
            return f"line {number:,}: value {position + 1:,} of channel {channel}"

        values.append(numbers(text.split(","), place))
        if len(values[-1]) != len(values[0]):
            raise Unreadable(
                f"line {number:,}: channel {channel} has {counted(len(values[-1]), 'value')}, and the first has "
                f"{len(values[0]):,}; expected the same number in all channels"
            )
    if steps is not None and len(values[0]) != steps:
        raise Unreadable(
            f"line {number:,}: its series has {counted(len(values[0]), 'value')}; expected {steps:,}, as @seriesLength "
            "states"
        )
    with np.errstate(over="ignore"):
        return np.stack(values, axis=-1).astype(np.float32)
