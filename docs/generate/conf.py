"""What the files of conf/ hold: values as they are written, and the comments beside and above them."""

from dataclasses import dataclass
from pathlib import Path

import yaml

CONF = Path(__file__).parents[2] / "conf"


@dataclass(frozen=True)
class File:
    """A file of the configuration.

    Attributes:
        name: of the file, by which it is chosen.
        about: the comment at its top, in one line.
        values: each value as it is written, by its dotted key.
        comments: the comment in a value's line, by its dotted key.
    """

    name: str
    about: str
    values: dict[str, str]
    comments: dict[str, str]


def read(file: str) -> File:
    """A file, by its path below conf/ without the ending."""
    path = CONF / f"{file}.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    values: dict[str, str] = {}
    comments: dict[str, str] = {}
    root = yaml.compose("\n".join(lines))
    assert isinstance(root, yaml.MappingNode)
    _collect(root, "", lines, values, comments)
    return File(path.stem, _about(lines), values, comments)


def files(group: str) -> list[File]:
    """The files of a group, in the order of their names."""
    return [read(f"{group}/{path.stem}") for path in sorted((CONF / group).glob("*.yaml"))]


def _about(lines: list[str]) -> str:
    top = []
    for line in lines:
        if not line.startswith("#") or line.startswith("#  "):  # commands follow
            break
        if not line.startswith(("# yaml-language-server", "# @package")):
            top.append(line.removeprefix("#").strip())
    return " ".join(top)


def _collect(
    node: yaml.MappingNode, prefix: str, lines: list[str], values: dict[str, str], comments: dict[str, str]
) -> None:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        line = lines[key.start_mark.line]
        is_section = isinstance(value, yaml.MappingNode) and not value.flow_style
        end = key.end_mark.column + 1 if is_section else value.end_mark.column
        if is_section or value.start_mark.line == key.start_mark.line:
            comment = line[end:].strip()
            if comment.startswith("#"):
                comments[name] = comment.removeprefix("#").strip()
        if is_section:
            _collect(value, f"{name}.", lines, values, comments)
        elif value.start_mark.line == value.end_mark.line == key.start_mark.line:
            values[name] = line[value.start_mark.column : end].strip()
