"""Interpolations whose value is not a constant of the configuration. A run that had them would not be found again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fitbench.config.identity import NOT_IDENTITY
from fitbench.config.nested import leaves
from fitbench.errors import RequestError

RUN_DIR = "${run_dir:}"
MOST_VALUES = 10_000  # that one value may take from others, and these from others again

# The time, and what Hydra decides for each job. All jobs have the folder where Hydra was started, and its choices.
_CHANGING = re.compile(r"\$\{\s*(now|hydra)\s*:(?!\s*runtime\.(cwd|choices)\b)")
_REFERENCE = re.compile(r"\$\{(\.*)([^${}:]+)\}")  # to another key; with dots, from the section that it stands in
_SEED = re.compile(r"\$\{\s*\.*(seed)\s*\}")


def register_run_dir() -> None:
    """Let `${run_dir:}` stay as it is until the run begins, when its folder is known. See `with_run_dir`."""
    OmegaConf.register_new_resolver("run_dir", lambda: RUN_DIR, replace=True)


if not OmegaConf.has_resolver("run_dir"):  # a program that imports fitbench may have one; see `beside_hydra`
    register_run_dir()


def check_constant(composed: DictConfig) -> None:
    """Refuse values that are not the same in each process, and values that make each seed another configuration.

    The study may have the time in its name, because it is resolved once for all jobs.

    Raises:
        RequestError: with the key and the name of the resolver.
    """
    for key, text in leaves(OmegaConf.to_container(composed, resolve=False)):
        if not isinstance(text, str):
            continue
        changing = _CHANGING.search(text)
        if changing and (key != "study" or changing[1] != "now"):
            raise RequestError(
                f"{key} is {text!r}: {changing[1]} has another value in each process, so the run would not be found "
                f"again; write a constant, or {RUN_DIR} for the folder of the run"
            )
        if _SEED.search(text) and key not in NOT_IDENTITY:
            raise RequestError(
                f"{key} is {text!r}: seed makes each seed a configuration of its own; "
                f"write a constant, or {RUN_DIR} for the folder of the run"
            )


def check_extent(composed: DictConfig) -> None:
    """Refuse values that take so many others that resolving them would not end.

    Values that take each other are left to OmegaConf, which refuses them.

    Raises:
        RequestError: with the key.
    """
    texts = dict(leaves(OmegaConf.to_container(composed, resolve=False)))
    taken = {key: _references(key, value, texts) for key, value in texts.items() if isinstance(value, str)}
    sizes: dict[str, int] = {}
    try:
        for key in TopologicalSorter(taken).static_order():
            sizes[key] = 1 + sum(sizes[other] for other in taken.get(key, ()))
            if sizes[key] > MOST_VALUES:
                raise RequestError(
                    f"{key} takes more than {MOST_VALUES:,} values of other keys; write fewer references"
                )
    except CycleError:
        return


def _references(key: str, text: str, texts: Mapping[str, Any]) -> list[str]:
    """The keys that a text takes values from, once for each time. A section stands for all keys in it."""
    found = []
    for dots, name in _REFERENCE.findall(text):
        section = key.split(".")[: -len(dots)] if dots else []
        full = ".".join([*section, name.strip()])
        found += [full] if full in texts else [other for other in texts if other.startswith(f"{full}.")]
    return found


def with_run_dir(value: Any, folder: str) -> Any:
    """Return a nested value in which `${run_dir:}` is replaced by a folder."""
    if isinstance(value, dict):
        return {key: with_run_dir(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [with_run_dir(item, folder) for item in value]
    return value.replace(RUN_DIR, folder) if isinstance(value, str) else value
