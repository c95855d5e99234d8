"""The configuration of each row of a table, composed by Hydra.

Composing takes a tenth of a second, mostly for the choices of files. Rows that choose the same files share that; a
row's values are then put into what was composed, as Hydra does it, and the seed into the checked configuration. Each
file is read once.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from hydra.version import setbase
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from fitbench.config import Config, from_hydra
from fitbench.errors import RequestError
from fitbench.sweeps.launch import conf_folder, explain
from fitbench.tables.definition import FILE, Table

VALUE = re.compile(r"[A-Za-z_]\w*(\.\w+)+=")  # KEY.KEY=..: a value, for the name of a group has no point


def configurations(table: Table, outputs: Path) -> dict[str, Config]:
    """The configuration of each measured row by its label, with the row's first seed.

    Raises:
        RequestError: a configuration is wrong; the message names the file and the row.
    """
    composer = Composer()
    made = {}
    for row in table.rows:
        if row.measured:
            try:
                config = composer.configuration([*table.overrides_of(row), f"study={table.study}"])
            except (HydraException, OmegaConfBaseException, RequestError, ValueError) as error:
                raise RequestError(f"{table.folder / FILE}: row {row.label!r}: {explain(error)}") from error
            made[row.label] = replace(config, outputs=str(outputs), seed=row.seeds[0])
    return made


class Composer:
    """Composes configurations, and remembers what several of them share."""

    def __init__(self) -> None:
        setbase("1.3")
        self.loader = _Loader(create_config_search_path(str(conf_folder())))
        self.composed: dict[tuple[str, ...], DictConfig] = {}
        self.parsed: dict[str, Override] = {}

    def configuration(self, overrides: Sequence[str]) -> Config:
        """What `fitbench train OVERRIDES` would train.

        Raises:
            RequestError, HydraException, OmegaConfBaseException, ValueError: it cannot be composed, or is wrong.
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
                raise RequestError(f"{value}: a row is one configuration; write a list as [a,b]")
            OmegaConf.update(own, one.key_or_group, one.value(), merge=True)
        return from_hydra(own)

    def _compose(self, choices: Sequence[str]) -> DictConfig:
        composed = self.loader.load_configuration("config", list(choices), RunMode.RUN, from_shell=False)
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


def _parsed(overrides: Sequence[str]) -> list[Override]:
    parser = OverridesParser.create()
    made = []
    for override in overrides:
        try:
            made += parser.parse_overrides([override])
        except HydraException as error:
            raise RequestError(f"{override}: {str(error).splitlines()[0]}") from error
    return made
