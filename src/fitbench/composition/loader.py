"""Hydra's loader of configurations, with our reading of files and overrides, and with both forms of `metrics`."""

from __future__ import annotations

import copy
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from hydra._internal import hydra as hydra_module
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import MissingConfigException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from fitbench import selection
from fitbench.composition import continuing
from fitbench.composition.files import Repository, with_project
from fitbench.composition.overrides import read_overrides, refuse_several
from fitbench.config import SECTIONS, expanded, sweep_section
from fitbench.errors import RequestError


class Loader(ConfigLoaderImpl):
    """Hydra's, for which `metrics` may be a list or a section, in files and in overrides, together and in any order.

    Hydra cannot merge a list with a section. So a list is kept under `selection.LIST` of a section until all is merged.
    """

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        self.config_search_path = with_project(config_search_path)
        self.repository: Repository = Repository(config_search_path)

    def read(self, overrides: Sequence[str]) -> list[Override]:
        """Overrides as Hydra reads them.

        Raises:
            RequestError: one is not in Hydra's grammar, or gives a group something else than the name of a file.
        """
        parsed = read_overrides(overrides, self)
        for override in parsed:
            self._check_group(override)
        return parsed

    def _check_group(self, override: Override) -> None:
        key, value = override.key_or_group, override.value()
        group = key.replace(".", "/")
        if override.is_delete() or override.is_sweep_override() or not self.repository.group_exists(group):
            return
        if group != key and isinstance(value, str):
            raise RequestError(f"{override.input_line}: a file of a group is chosen with a slash: {group}={value}")
        if group == key and not isinstance(value, str | list | dict):
            choices = ", ".join(self.repository.get_group_options(group))
            raise RequestError(f"{override.input_line}: there is no such choice; {group} has {choices}")

    def load_configuration(
        self, config_name: str | None, overrides: list[str], run_mode: RunMode, *arguments: Any, **settings: Any
    ) -> DictConfig:
        """What Hydra composes, with `metrics` as one section, and without `~` in `outputs`.

        With `+continue=RUN` it is what that run recorded; in a sweep that is left to its jobs.
        """
        given: list[Override] = []
        if any(map(continuing.names_parent, overrides)):
            parsed = self.read(overrides)
            own = [override for override in parsed if not override.is_hydra_override()]
            given = [override for override in own if not sweep_section.is_of_sweep(override.key_or_group)]
            overrides = [
                text
                for text, override in zip(overrides, parsed, strict=True)
                if override not in given or continuing.is_top_level(override)
            ]
        try:
            composed = super().load_configuration(config_name, overrides, run_mode, *arguments, **settings)
        except MissingConfigException as error:
            if misplaced := self.repository.misplaced(error.missing_cfg_file or ""):
                raise RequestError(misplaced) from error
            raise
        metrics = composed.get(selection.KEY)
        if OmegaConf.is_dict(metrics):
            section = OmegaConf.to_container(metrics)
            assert isinstance(section, dict)
            with open_dict(composed):
                composed[selection.KEY] = selection.joined({str(name): entry for name, entry in section.items()})
        expand_home(composed)
        if given:
            composed.hydra.overrides.task = [override.input_line for override in own]
            if run_mode is RunMode.RUN:
                continuing.replace(composed, given)
        _check_sections(composed)
        return composed

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """The configuration of one job of a sweep, without the combinations that our sweeper has made the jobs of."""
        composed = super().load_sweep_config(master_config, sweep_overrides)
        if master_config.hydra.sweeper._target_.endswith(".FitbenchSweeper"):
            with open_dict(composed):
                composed.pop(sweep_section.KEY, None)
        return composed

    def list_groups(self, parent_name: str) -> list[str]:
        """The groups in a group, or at the top level, without the one that `fitbench search` alone has."""
        groups = super().list_groups(parent_name)
        return groups if parent_name else [name for name in groups if name != "search"]

    @staticmethod
    def validate_sweep_overrides_legal(overrides: list[Override], run_mode: RunMode, from_shell: bool) -> None:
        """Refuse several values in a single run, and several values of Hydra's own keys."""
        if run_mode is RunMode.RUN:
            for override in overrides:
                refuse_several(override, "add -m to train each of them" if from_shell else "here a key has one value")
        ConfigLoaderImpl.validate_sweep_overrides_legal(overrides, run_mode, from_shell)

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        parsed = self.read(overrides)
        repository = CachingConfigRepository(self.repository)
        self._process_config_searchpath(config_name, parsed, repository)
        return [_of_metrics(override) for override in parsed], repository

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        loaded = super()._load_single_config(default, repo)
        if not isinstance(loaded.config, DictConfig) or selection.KEY not in loaded.config:
            return loaded
        config = copy.deepcopy(loaded.config)
        if OmegaConf.is_list(config[selection.KEY]):
            config[selection.KEY] = {selection.LIST: config[selection.KEY]}
        return replace(loaded, config=config)


class KeepingLoader(Loader):
    """A loader that keeps files. The original reads every file again for each configuration."""

    def __init__(self, config_search_path: ConfigSearchPath, of_hydra: Sequence[str] = ()) -> None:
        """`of_hydra` are overrides of Hydra's own keys, which may name folders to search."""
        super().__init__(config_search_path)
        self.of_hydra = list(of_hydra)

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        if not hasattr(self, "repo"):
            _, self.repo = super()._parse_overrides_and_create_caching_repo(config_name, self.of_hydra)
        return [_of_metrics(override) for override in self.read(overrides)], self.repo

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        loaded = super()._load_single_config(default, repo)
        return replace(loaded, config=copy.deepcopy(loaded.config))  # the loader writes overrides into it


def _check_sections(composed: DictConfig) -> None:
    """Refuse what a file of an experiment sets in the wrong way."""
    if "experiment" in composed:
        raise RequestError("experiment: a file of this group must begin with the line '# @package _global_'")
    for group in (*SECTIONS, "logger", sweep_section.KEY):
        value = _text(composed, group)
        if value is not None:
            raise RequestError(
                f"{group} is {value!r}; it must be a section with keys of its own; "
                f"a file is chosen in the defaults list, as '- override /{group}: {value}'"
            )


def _text(composed: DictConfig, key: str) -> str | None:
    """The value of a key, if it is text without an interpolation."""
    value = getattr(composed._get_node(key), "_val", None) if key in composed else None
    return value if isinstance(value, str) and "${" not in value else None


def expand_home(composed: DictConfig) -> None:
    """Replace `~` at the beginning of `outputs` by the user's folder, before Hydra makes folders of it."""
    outputs = _text(composed, "outputs")
    if outputs is not None:
        composed.outputs = expanded(outputs)


def _of_metrics(override: Override) -> Override:
    """An override of `metrics` as one of the section that it is while a configuration is composed."""
    section, _, name = override.key_or_group.partition(".")
    is_new = name.startswith("grid.") or (name == "grid" and isinstance(override.value(), dict))
    if section == sweep_section.KEY and is_new and not override.is_delete():
        return replace(override, type=OverrideType.FORCE_ADD)
    if section != selection.KEY or override.is_sweep_override() or override.is_delete():
        return override
    value = override.value()
    if not name and isinstance(value, list):
        return replace(override, key_or_group=f"{selection.KEY}.{selection.LIST}")
    return replace(override, type=OverrideType.FORCE_ADD) if name or isinstance(value, dict) else override


@contextmanager
def hydra_with_metrics() -> Iterator[None]:
    """In this block `hydra.main` composes with `Loader`, and its help wraps the lines of groups between names."""
    hydra_module.ConfigLoaderImpl = Loader  # type: ignore[misc]
    unwrapped = hydra_module.Hydra.format_config_groups

    def wrapped(self: hydra_module.Hydra, *arguments: Any, **settings: Any) -> str:
        width = shutil.get_terminal_size((80, 24)).columns
        fill = partial(textwrap.fill, width=max(width, 20), subsequent_indent="  ", break_long_words=False)
        return "".join(f"{fill(line)}\n" for line in unwrapped(self, *arguments, **settings).splitlines())

    hydra_module.Hydra.format_config_groups = wrapped  # type: ignore[method-assign]
    try:
        yield
    finally:
        hydra_module.ConfigLoaderImpl = ConfigLoaderImpl  # type: ignore[misc]
        hydra_module.Hydra.format_config_groups = unwrapped  # type: ignore[method-assign]
