"""Pieces of Markdown."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import yaml


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. A column that is empty in every row is left out."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    kept = [place for place in range(len(headings)) if any(row[place] for row in cells)]
    lines = [
        [headings[place] for place in kept],
        ["---"] * len(kept),
        *([row[place] for place in kept] for row in cells),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def code(text: str) -> str:
    """Text as code; nothing where there is no text."""
    return f"`{text}`" if text else ""


def anchor(name: str, text: str) -> str:
    """Code that links can lead to, by `#name`."""
    return f'<a id="{name}"></a>`{text}`'


def prose(text: str) -> str:
    """Text that stands as it is, but for code between backquotes."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([\\*_\[\]])", r"\\\1", part).replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def explained(meaning: str, allowed: str, where: Sequence[str] = ()) -> str:
    """What a key means and, below it in small letters, what it may be and in which files it is."""
    files = f"; in {', '.join(map(code, where))}" if where else ""
    return f"{prose(meaning)}<br><small>{prose(allowed)}{files}</small>"


def as_yaml(value: Any) -> str:
    """A value as a file of the configuration writes it."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False).strip().removesuffix("\n...")
