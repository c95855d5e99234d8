"""The pictures of a search, as PNG files in the study's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_plots(record: dict[str, Any], folder: Path) -> None:
    """Nothing yet."""
