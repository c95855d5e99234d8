"""Whether the user's code is still the code that a run was recorded or interrupted with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from fitbench.config import Config, has_own_arguments, other_argument, plain
from fitbench.config.code import code_of_run
from fitbench.errors import FitbenchError, RequestError
from fitbench.record.files import exists, listed, read_bytes, write_whole
from fitbench.record.interrupted import begin_anew, has_checkpoint
from fitbench.record.reading import read_config

NOTE = "code.json"
CODE = TypeAdapter(dict[str, str])


def check_recorded(config: Config, result: Mapping[str, Any], folder: Path) -> None:
    """Refuse the result of a finished run if the user's code has changed since, unless `code=any` accepts it.

    Code of metrics that the run has not recorded does not matter: they are evaluated with the code as it is now.

    Raises:
        RequestError: with the modules that have changed.
    """
    if config.code == "any" or not result["code"]:
        return
    values = plain(config)
    values["metrics"] = {name: entry for name, entry in values["metrics"].items() if name in result["metric_info"]}
    changed = _changes(result["code"], code_of_run(values))
    if changed:
        raise RequestError(
            f"{folder.name} is recorded with other code: {changed}; force=true trains it again and replaces the "
            "recorded result, code=any takes that result, another name such as model.name=other keeps both"
        )


def check_arguments(config: Config, recorded: Mapping[str, Any], folder: Path) -> None:
    """Refuse the result of a finished run whose code of the user's had other arguments under the same identity.

    Raises:
        RequestError: with the first of them.
    """
    if different := other_argument(config, recorded):
        raise RequestError(
            f"{folder.name} is recorded with {different}, which has the same config_id; force=true trains it again and "
            "replaces the recorded result, another name such as model.name=other keeps both"
        )


def check_interrupted_arguments(config: Config, folder: Path) -> None:
    """Refuse checkpoints that were written with such arguments, before config.yaml is written.

    With `force=true` they are removed, so that the run begins anew.

    Raises:
        RequestError: with the first of them, or config.yaml is damaged.
    """
    if not (has_own_arguments(config) and has_checkpoint(folder) and exists(folder / "config.yaml")):
        return
    try:
        different = other_argument(config, read_config(folder))
        refusal = f"{folder.name} was interrupted with {different}, which has the same config_id" if different else ""
    except FitbenchError as error:
        refusal = str(error)
    if refusal:
        begin_anew(config, folder, f"{refusal}; force=true begins it anew")


def check_continued(config: Config, result: Mapping[str, Any]) -> None:
    """Refuse to continue a finished run with other code of the user's, unless `code=any` accepts it.

    Raises:
        RequestError: with the modules that have changed.
    """
    changed = "" if config.code == "any" else _changes(result["code"], code_of_run(plain(config)))
    if changed:
        raise RequestError(
            f"{result['run_id']} was trained with other code: {changed}; code=any continues it with the code as it is "
            "now"
        )


def check_interrupted(config: Config, folder: Path) -> dict[str, str]:
    """Return the code that an attempt runs, as `code_of_run` does. It must be that of the checkpoints.

    It must be called before any module of the user's is imported. If the checkpoints are of other code, `force=true`
    removes them, so that the run begins anew, and `code=any` lets the run continue from them.

    Raises:
        RequestError: the code has changed, and the configuration says neither.
        FitbenchError: the note of the code is damaged.
    """
    code = code_of_run(plain(config))
    if config.code == "any" or not listed(folder, "checkpoint", NOTE) or not has_checkpoint(folder):
        return code
    if changed := _changes(_read(folder), code):
        begin_anew(
            config,
            folder,
            f"{folder.name} was interrupted with other code: {changed}; force=true begins it anew, code=any continues "
            "it with the code as it is now",
        )
    return code


def note(folder: Path, code: Mapping[str, str]) -> None:
    """Note the code of the checkpoints that an attempt is about to write."""
    if code:
        (folder / "checkpoint").mkdir(exist_ok=True)
        write_whole(folder / "checkpoint" / NOTE, json.dumps(code))


def _read(folder: Path) -> dict[str, str]:
    advice = f"; without {folder / 'checkpoint'} the run begins anew"
    content = read_bytes(folder, f"checkpoint/{NOTE}", advice=advice)
    try:
        return CODE.validate_json(content)
    except ValueError:
        raise FitbenchError(f"{folder}/checkpoint/{NOTE}: damaged{advice}") from None


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Name the modules whose source has changed, with the beginnings of both checksums."""
    names = [name for name, sha256 in now.items() if before.get(name, sha256) != sha256]
    return ", ".join(f"{name} had SHA-256 {before[name][:8]} and now has {now[name][:8]}" for name in names)
