"""The table [tool.fitbench] of a pyproject.toml: where a project has its configurations and its code."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fitbench.errors import RequestError
from fitbench.stderr import write_note
from fitbench.text import first_line, nearest

FILE = "pyproject.toml"
TABLE = "[tool.fitbench]"
KEYS = ("config_dir", "config_name", "source")
_HEADER = re.compile(rb"^\s*\[\s*tool\s*\.\s*[\"']?fitbench\b", re.MULTILINE)


@dataclass(frozen=True)
class Settings:
    """What a project states; the defaults are those where there is no project.

    Attributes:
        file: the pyproject.toml.
        config_dirs: absolute folders of configurations, which are searched before fitbench's own.
        config_name: the configuration with the defaults list, without '.yaml'.
        sources: absolute folders of modules.
    """

    file: Path | None = None
    config_dirs: tuple[Path, ...] = ()
    config_name: str = "config"
    sources: tuple[Path, ...] = ()


def find_settings() -> Settings:
    """The settings of the current folder, or of the nearest folder above it whose pyproject.toml has `[tool.fitbench]`.

    A file without this table is passed over, and so is one that is no TOML and does not begin the table. In a folder
    above the current one the file must belong to this user or to root: it decides which code runs.

    Raises:
        RequestError: the file is damaged, or a key of the table is wrong; the message names both.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / FILE
        table = _table(path) if path.is_file() else None
        if table is None:
            continue
        if folder == here or _owner(path) in (os.getuid(), 0):
            return _settings(path, table)
        _write_once(f"{path} belongs to another user, so its {TABLE} counts only in {folder} itself")
    return Settings()


def nearest_project(folders: Iterable[Path]) -> Path | None:
    """The first of these folders that is a project; what cannot be read, or is damaged, is none."""
    for folder in folders:
        with suppress(RequestError, OSError):
            if (folder / FILE).is_file() and _table(folder / FILE) is not None:
                return folder
    return None


def use_source(settings: Settings) -> None:
    """Make a project's modules importable in this process and in its child processes, behind those of PYTHONPATH."""
    given = os.environ.get("PYTHONPATH", "")
    for folder in map(str, settings.sources):
        if folder not in sys.path:
            sys.path.insert(_before_library(), folder)
        if folder not in given.split(os.pathsep):
            given = f"{given}{os.pathsep}{folder}" if given else folder
            os.environ["PYTHONPATH"] = given


def _before_library() -> int:
    """The place in `sys.path` before Python's own library, where the folders of PYTHONPATH end."""
    library = sysconfig.get_paths()["stdlib"]
    return sys.path.index(library) if library in sys.path else len(sys.path)


def _owner(path: Path) -> int:
    return path.stat().st_uid


@lru_cache
def _write_once(text: str) -> None:
    write_note(text)


def _table(path: Path) -> Any:
    """The value of tool.fitbench; None if the file does not have it.

    Raises:
        RequestError: the file cannot be read, or is damaged and has the table.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}; it may hold {TABLE}, so it must be readable") from error
    try:
        values = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        if not _HEADER.search(content):
            return None
        raise RequestError(f"{path}: it has {TABLE} and is no TOML: {first_line(error)}") from error
    tool = values.get("tool")
    return tool.get("fitbench") if isinstance(tool, dict) else None


def _settings(path: Path, table: Any) -> Settings:
    """The checked settings of a table.

    Raises:
        RequestError: a key or its value is wrong.
    """
    if not isinstance(table, dict):
        raise RequestError(f"{path}: tool.fitbench is {table!r}; it must be a table, {TABLE}, with {', '.join(KEYS)}")
    for key in table:
        if key not in KEYS:
            near = nearest(key, KEYS)
            advice = f"Did you mean {near[0]}?" if near else f"There are {', '.join(KEYS)}"
            raise RequestError(f"{path}: {TABLE} {key}: there is no such key. {advice}")
    config_dirs = _folders(path, table, "config_dir")
    return Settings(path, config_dirs, _config_name(path, table, config_dirs), _folders(path, table, "source"))


def _folders(path: Path, table: Mapping[str, Any], key: str) -> tuple[Path, ...]:
    """The folders of a key, which is a text or a list of texts, relative to the file."""
    value = table.get(key, [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise RequestError(f"{path}: {TABLE} {key} is {value!r}; it must be a folder, or a list of folders, in quotes")
    folders = tuple(path.parent / name for name in names)
    for name, folder in zip(names, folders, strict=True):
        if not folder.is_dir():
            raise RequestError(
                f"{path}: {TABLE} {key} is {name!r}; there is no folder {folder}; it is relative to {FILE}"
            )
    return folders


def _config_name(path: Path, table: Mapping[str, Any], config_dirs: tuple[Path, ...]) -> str:
    name = table.get("config_name", Settings.config_name)
    if not isinstance(name, str) or not name or name.endswith(".yaml"):
        raise RequestError(f"{path}: {TABLE} config_name is {name!r}; it must be the name of a file, without .yaml")
    if name != Settings.config_name and not any((folder / f"{name}.yaml").is_file() for folder in config_dirs):
        raise RequestError(
            f"{path}: {TABLE} config_name is {name!r}; there is no file {name}.yaml in the folder of config_dir"
        )
    return name
