"""Configurations composed by Hydra, many of them quickly.

Composing takes a tenth of a second, mostly for the choices of files. Configurations that choose the same files share
that; the values of each are then put into what was composed, as Hydra does it. Each file is read once.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from hydra.version import setbase
from omegaconf import DictConfig, OmegaConf, open_dict

from fitbench.config import TOP_LEVEL, Config, from_hydra
from fitbench.errors import RequestError
from fitbench.sweeps.launch import conf_folder

# A value and no choice of a file: KEY=.. at the top level, or KEY.KEY=.., for the name of a group has no point.
VALUE = re.compile(rf"(?!hydra\.)([A-Za-z_]\w*(\.\w+)+|{'|'.join(TOP_LEVEL)})=")


class Composer:
    """Composes configurations, and remembers what several of them share."""

    def __init__(
        self, config_dirs: Sequence[str | Path] = (), path: ConfigSearchPath | None = None, name: str = "config"
    ) -> None:
        """Hydra finds choices in conf/ and, behind that, in `config_dirs`; or in the search path of a running Hydra.

        `name` is the file that has the defaults list.

        Raises:
            RequestError: one of them does not exist.
        """
        setbase("1.3")
        folders = path or create_config_search_path(str(conf_folder()))
        for folder in config_dirs:
            if not Path(folder).is_dir():
                raise RequestError(f"--config-dir {folder}: there is no such folder")
            folders.prepend("command-line", f"file://{Path(folder).absolute()}", SearchPathQuery(provider="schema"))
        self.loader = _Loader(folders)
        self.name = name
        self.composed: dict[tuple[str, ...], DictConfig] = {}
        self.parsed: dict[str, Override] = {}

    def configuration(self, overrides: Sequence[str]) -> Config:
        """What `fitbench train OVERRIDES` would train.

        Raises:
            RequestError, HydraException, OmegaConfBaseException, ValueError: it cannot be composed, or is wrong.
        """
        return from_hydra(self.composed_with(overrides))

    def composed_with(self, overrides: Sequence[str]) -> DictConfig:
        """The same before it is checked, without Hydra's own section.

        Raises:
            RequestError, HydraException, OmegaConfBaseException, ValueError: it cannot be composed.
        """
        values = [one for one in overrides if VALUE.match(one)]
        choices = tuple(one for one in overrides if not VALUE.match(one))
        if choices not in self.composed:
            self.composed[choices] = self._compose(choices)
        own = copy.deepcopy(self.composed[choices])
        for value in values:
            if value not in self.parsed:
                [self.parsed[value]] = _parsed([value])
            one = self.parsed[value]
            if one.is_sweep_override():
                raise RequestError(f"{value}: that makes several configurations; write a list as [a,b]")
            OmegaConf.update(own, one.key_or_group, one.value(), merge=True)
        return own

    def _compose(self, choices: Sequence[str]) -> DictConfig:
        composed = self.loader.load_configuration(self.name, list(choices), RunMode.RUN, from_shell=False)
        with open_dict(composed):
            del composed["hydra"]
        return composed


class _Loader(ConfigLoaderImpl):
    """Hydra's, which reads every file again for each configuration; this one keeps them."""

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        if not hasattr(self, "kept"):
            _, self.kept = super()._parse_overrides_and_create_caching_repo(config_name, [])
        return _parsed(overrides), self.kept

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        loaded = super()._load_single_config(default, repo)
        return replace(loaded, config=copy.deepcopy(loaded.config))  # overrides are put into it


def _parsed(overrides: Sequence[str]) -> list[Override]:
    parser = OverridesParser.create()
    made = []
    for override in overrides:
        try:
            made += parser.parse_overrides([override])
        except HydraException as error:
            raise RequestError(f"{override}: {str(error).splitlines()[0]}") from error
    return made
