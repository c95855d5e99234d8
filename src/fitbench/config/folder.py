"""Where the configuration files of fitbench are."""

from __future__ import annotations

from pathlib import Path


def conf_folder() -> Path:
    """Return the folder conf/: inside the package in an installed wheel, else at the top of the source tree."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"
