"""Parses the text of a file of series as the UCR and UEA archives have them.

Exported models have a copy of this file, so it needs only NumPy. What is wrong with a text raises ValueError.

A text with tags that begin with `@` before its series has the .ts format of aeon, sktime and the archives at
timeseriesclassification.com: https://www.aeon-toolkit.org/en/stable/api_reference/data_format.html. Other texts are
those of the UCR archive: a line for each series of one channel, the label first, separated by tabs, commas or spaces.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

PACKED = {b"\x1f\x8b": "a gzip file", b"PK\x03\x04": "a zip file"}
MISSING = "?"  # beside NaN
LONGEST = 40  # characters of a text that messages quote
MOST_NAMES = 8  # in a message

Line = tuple[int, str]  # the number of a line, counted from 1, and what it holds
Tags = dict[str, tuple[list[str], int]]  # what is behind a tag, by its name in lower case, and the number of its line


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """The series of a file, in its order.

    Attributes:
        series: float32 [steps, channels] each; at least one.
        labels: the class of each series, objects of str [N], or the number to predict, float64 [N]; None: the file
            says that it has none.
        classes: the names of the classes that the file declares; () if it declares none.
        label_first: whether the first number of each line is taken for the label, as in files of the UCR archive.
        places: the line of each series, or its row in an array, for messages.
    """

    series: list[np.ndarray]
    labels: np.ndarray | None
    classes: tuple[str, ...] = ()
    label_first: bool = False
    places: Sequence[int] = ()

    @property
    def lengths(self) -> np.ndarray:
        """The number of steps of each series, int64 [N]."""
        return np.array([len(values) for values in self.series], np.int64)

    @property
    def channels(self) -> int:
        """How many channels a series has."""
        return self.series[0].shape[1]

    def take(self, rows: np.ndarray) -> SeriesFile:
        """Some of the series, in this order."""
        return replace(
            self,
            series=[self.series[row] for row in rows],
            labels=None if self.labels is None else self.labels[rows],
            places=[self.places[row] for row in rows],
        )


def parse(content: bytes, suffix: str, labelled: bool = True) -> SeriesFile:
    """The series of a text in UTF-8. Lines that begin with `#` or `%` are comments.

    A text whose first line begins with `@` is a .ts file, whatever its suffix. Missing values at the end of a line of
    the UCR archive fill up a shorter series, and are left out. Other missing values are NaN, and those that float32
    cannot hold are infinite.

    Args:
        content: of the file.
        suffix: of its name, such as `.ts`.
        labelled: whether the labels of a .ts file are needed. Otherwise they are not read, and may be missing or `?`.

    Raises:
        ValueError: it is no such text; the message names the line.
    """
    lines = _lines(content)
    return _of_ts(lines, labelled) if suffix.lower() == ".ts" or lines[0][1].startswith("@") else _of_ucr(lines)


# -- lines and numbers ------------------------------------------------------------------------------------------------


def _lines(content: bytes) -> list[Line]:
    content = content.removeprefix(b"\xef\xbb\xbf")
    for magic, kind in PACKED.items():
        if content.startswith(magic):
            raise ValueError(f"is {kind}; unpack it. Expected a text file of series: .ts, .tsv or .txt")
    lines = enumerate(content.splitlines(), 1)
    found = [(number, _text(line, number)) for number, line in lines if not line.lstrip().startswith((b"#", b"%"))]
    if not (found := [line for line in found if line[1]]):
        raise ValueError("is empty; expected a text file of series: .ts, .tsv or .txt")
    return found


def _text(line: bytes, number: int) -> str:
    try:
        return line.decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"line {number:,} holds the byte 0x{line[error.start]:02x}, which is no text in UTF-8; expected a text "
            "file of series: .ts, .tsv or .txt"
        ) from error


def _numbers(fields: Sequence[str], place: Callable[[int], str]) -> np.ndarray:
    """The numbers in the fields of a line, float64; those that are missing are NaN.

    `place` says what messages call a field by its position, counted from 0.

    Raises:
        ValueError: a field is no number.
    """
    with contextlib.suppress(ValueError):  # NumPy takes spaces around a number
        return np.array(fields, np.float64)
    fields = ["nan" if field.strip() == MISSING else field.strip() for field in fields]
    wrong = next((position for position, field in enumerate(fields) if not _is_number(field)), None)
    if wrong is not None:
        raise ValueError(f"{place(wrong)} is {_quoted(fields[wrong])}; expected a number")
    return np.array(fields, np.float64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _quoted(text: str) -> str:
    """A text as messages quote it."""
    return f"the text '{_clean(text)}'" if text else "empty"


def _clean(text: str) -> str:
    """The beginning of a text with control characters spelled out, as in '\\x1b'."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:LONGEST])
    return text if len(text) < LONGEST else f"{text[: LONGEST - 1]}…"


def _first_of(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(map(_clean, names[:MOST_NAMES]))}{more}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def as_classes(labels: np.ndarray) -> np.ndarray:
    """Labels as the names of classes, objects of str [N], if all are whole numbers; else unchanged."""
    if (labels != np.rint(labels)).any():
        return labels
    return np.array([f"{label:.0f}" for label in labels + 0.0], object)


# -- files of the UCR archive -----------------------------------------------------------------------------------------


def _of_ucr(lines: Sequence[Line]) -> SeriesFile:
    """Labels are classes if all are whole numbers, and else numbers to predict; `1.0000000e+00` is the class `1`."""
    separator = next((mark for mark in "\t," if mark in lines[0][1]), None)
    series, labels = [], np.empty(len(lines))
    for row, (number, text) in enumerate(lines):

        def place(position: int, number: int = number) -> str:
            return f"line {number:,}: {f'value {position:,}' if position else 'its label'}"

        fields = _numbers(text.split(separator), place)
        labels[row], values = fields[0], fields[1:]
        if not np.isfinite(labels[row]):
            raise ValueError(f"line {number:,}: its label is {labels[row]}; expected a number")
        present = np.flatnonzero(~np.isnan(values))
        if not len(present):
            raise ValueError(f"line {number:,} has a label and no values; expected the values of a series behind it")
        with np.errstate(over="ignore"):
            series.append(values[: present[-1] + 1].astype(np.float32)[:, np.newaxis])
    return SeriesFile(series, as_classes(labels), label_first=True, places=[number for number, _ in lines])


# -- .ts files --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Header:
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


def _of_ts(lines: Sequence[Line], labelled: bool) -> SeriesFile:
    tags, rows = _divided(lines)
    header = _header(tags)
    if not rows:
        raise ValueError("has no series after its line @data; it may be cut off. Get it again")
    unlabelled = [number for number, text in rows if header.has_labels and not _ends_with_label(text, header)]
    if unlabelled and (labelled or len(unlabelled) < len(rows)):
        tag = "@classLabel" if header.has_classes else "@targetLabel"
        is_last = unlabelled[0] == lines[-1][0] and len(rows) > 1
        advice = "the file may be cut off here" if is_last else f"give each line one, or set {tag} false"
        raise ValueError(f"line {unlabelled[0]:,} has no label behind its last ':'; {advice}")
    if unlabelled:
        header = replace(header, has_classes=False, has_targets=False)
    channels = header.channels or max(1, rows[0][1].count(":") + 1 - header.has_labels)
    series, labels = [], []
    for number, text in rows:
        parts, end = text.split(":"), "; the file may be cut off here" if number == lines[-1][0] else ""
        if len(parts) != channels + header.has_labels:
            ending = " and its label" if header.has_labels else ""
            raise ValueError(
                f"line {number:,} has {_counted(len(parts), 'part')} between its ':'; expected "
                f"{_counted(channels, 'channel')}{ending}{end}"
            )
        label = parts.pop() if header.has_labels else ""
        labels.append(_label(label, header, number, end) if header.has_labels and labelled else "")
        series.append(_series(parts, header.steps, number))
    places = [number for number, _ in rows]
    if not labelled:
        return SeriesFile(series, None, header.classes, places=places)
    if header.has_targets:
        return SeriesFile(series, _targets(labels, places), places=places)
    return SeriesFile(series, np.array(labels, object) if header.has_classes else None, header.classes, places=places)


def _divided(lines: Sequence[Line]) -> tuple[Tags, Sequence[Line]]:
    """The tags of the header, and the lines after `@data`."""
    tags: Tags = {}
    for position, (number, text) in enumerate(lines):
        name, *values = text.split()
        if name.lower() == "@data":
            return tags, lines[position + 1 :]
        if name.lower() in ("@relation", "@attribute"):
            raise ValueError(f"line {number:,} begins with {name}, as ARFF files do; expected a .ts, .tsv or .txt file")
        if not name.startswith("@"):
            raise ValueError(
                f"line {number:,} is {_quoted(text)} in the header; expected a line @data before the series"
            )
        tags[name[1:].lower()] = values, number
    raise ValueError("ends before a line @data; it may be cut off. Get it again")


def _header(tags: Tags) -> _Header:
    if _is_true(tags, "timestamps"):
        raise ValueError(
            f"line {tags['timestamps'][1]:,} states @timeStamps true; expected values without time stamps, at equal "
            "distances"
        )
    if not {"classlabel", "targetlabel"} & tags.keys():
        raise ValueError(
            "its header has neither @classLabel nor @targetLabel; expected '@classLabel true' and the names of the "
            "classes, or '@targetLabel true' where numbers are to be predicted"
        )
    has_targets, channels = _is_true(tags, "targetlabel"), _count(tags, "dimensions")
    return _Header(
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
        raise ValueError(f"line {number:,}: @{tag} is {_quoted(value)}; expected true or false")
    return value == "true"


def _count(tags: Tags, tag: str) -> int | None:
    """The number behind a tag; None if the tag is not there."""
    if tag not in tags:
        return None
    values, number = tags[tag]
    value = values[0] if values else ""
    if not (value.isascii() and value.isdecimal() and 0 < len(value) < 10 and int(value)):
        raise ValueError(f"line {number:,}: @{tag} is {_quoted(value)}; expected a number from 1")
    return int(value)


def _ends_with_label(line: str, header: _Header) -> bool:
    """Whether what is behind the last ':' of a line is a label, and no values of a channel."""
    last = line.rpartition(":")[2].strip()
    return "," not in last or last in header.classes


def _label(text: str, header: _Header, number: int, end: str) -> str:
    """The label at the end of a line."""
    label = text.strip()
    if not label or (header.classes and header.has_classes and label not in header.classes):
        expected = f"one of the classes {_first_of(header.classes)}" if header.classes else "its class or target"
        where = "as @classLabel names them" if header.classes else "behind the last ':'"
        raise ValueError(f"line {number:,}: its label is {_quoted(label)}; expected {expected}, {where}{end}")
    return label


def _targets(texts: Sequence[str], places: Sequence[int]) -> np.ndarray:
    """The numbers to predict, float64 [N]."""
    targets = _numbers(texts, lambda row: f"line {places[row]:,}: its target")
    if not np.isfinite(targets).all():
        row = np.isfinite(targets).argmin()
        raise ValueError(f"line {places[row]:,}: its target is {_clean(texts[row])}; expected a number")
    return targets


def _series(channels: Sequence[str], steps: int | None, number: int) -> np.ndarray:
    """The series of a line, float32 [steps, channels]."""
    values = []
    for channel, text in enumerate(channels, 1):

        def place(position: int, channel: int = channel) -> str:
            return f"line {number:,}: value {position + 1:,} of channel {channel}"

        values.append(_numbers(text.split(","), place))
        if len(values[-1]) != len(values[0]):
            raise ValueError(
                f"line {number:,}: channel {channel} has {_counted(len(values[-1]), 'value')}, and the first has "
                f"{len(values[0]):,}; expected the same number in all channels"
            )
    if steps is not None and len(values[0]) != steps:
        raise ValueError(
            f"line {number:,}: its series has {_counted(len(values[0]), 'value')}; expected {steps:,}, as "
            "@seriesLength states"
        )
    with np.errstate(over="ignore"):
        return np.stack(values, axis=-1).astype(np.float32)
