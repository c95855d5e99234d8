"""Composes configurations with Hydra.

Composing a configuration takes a tenth of a second, mostly for choosing and reading files. `Composer` reads each file
once, and composes once for all configurations that choose the same files. It then sets the values of each of them.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from hydra.version import VersionBase, setbase
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.basecontainer import BaseContainer

from fitbench.composition import continuing
from fitbench.composition.continuing import names_parent
from fitbench.composition.errors import explained_errors
from fitbench.composition.loader import KeepingLoader, expand_home
from fitbench.composition.overrides import refuse_several
from fitbench.composition.start import configuration_of
from fitbench.config import TOP_LEVEL, Config, Data, data_from_hydra, run_id, sweep_section
from fitbench.config.folder import conf_folder
from fitbench.config.interpolations import register_run_dir
from fitbench.errors import RequestError
from fitbench.project.settings import find_settings
from fitbench.record.parents import check_fixed

# Launchers in conf/ have the names of the plugins' schemas. Hydra 1.3 warns that it validates them against these.
warnings.filterwarnings("ignore", r"\s*'hydra/launcher/\w+' is validated against ConfigStore schema")

# An override that sets a value, not a file: KEY=.. at the top level, or KEY.KEY=.. (names of groups have no dot).
VALUE = re.compile(rf"(?!hydra\.|sweep\.|metrics[.=]|logger=)([A-Za-z_]\w*(\.\w+)+|{'|'.join(TOP_LEVEL)})=")


def _run_id(root: Any) -> str:
    """Resolve `${run_id:}`. This checks the whole configuration before a folder is created."""
    return run_id(configuration_of(root))


def register_resolvers() -> None:
    """Let OmegaConf resolve `${run_id:}` and `${run_dir:}`."""
    OmegaConf.register_new_resolver("run_id", lambda *, _root_: _run_id(_root_), replace=True)
    register_run_dir()


if not OmegaConf.has_resolver("run_id"):  # a program that imports fitbench may have one; see `beside_hydra`
    register_resolvers()


def stop_clock() -> None:
    """Let `${now:..}` stand for the time of this call, whenever a configuration is composed."""
    OmegaConf.register_new_resolver("now", datetime.now().strftime, replace=True)


@contextmanager
def beside_hydra() -> Iterator[None]:
    """A block that composes configurations in a program that may use Hydra itself, whose global state is restored.

    `${now:..}` stands for the time at which the block begins.
    """
    version, resolvers = VersionBase.instance(), dict(BaseContainer._resolvers)
    base = version.getbase()
    register_resolvers()
    stop_clock()
    try:
        yield
    finally:
        version.version_base = base
        BaseContainer._resolvers.clear()
        BaseContainer._resolvers.update(resolvers)


def search_path(config_dirs: Sequence[str | Path] = ()) -> ConfigSearchPath:
    """Where configurations are found: in conf/ and in these folders.

    Raises:
        RequestError: one of them does not exist.
    """
    folders = create_config_search_path(str(conf_folder()))
    for folder in config_dirs:
        if not Path(folder).is_dir():
            raise RequestError(f"--config-dir {folder}: there is no such folder")
        folders.prepend("command-line", f"file://{Path(folder).absolute()}", SearchPathQuery(provider="schema"))
    return folders


class Composer:
    """Composes configurations, and caches what several of them share."""

    def __init__(
        self,
        config_dirs: Sequence[str | Path] = (),
        path: ConfigSearchPath | None = None,
        name: str | None = None,
        of_hydra: Sequence[str] = (),
        of_sweep: Sequence[str] = (),
        combined: Mapping[str, Any] | None = None,
    ) -> None:
        """Create a composer.

        Args:
            config_dirs: folders that are searched before conf/.
            path: the search path of a running Hydra, instead of conf/.
            name: the file with the defaults list; None for that of the project, or config.
            of_hydra: overrides of Hydra's own keys, of which `hydra.searchpath` counts here.
            of_sweep: overrides of the section `sweep`.
            combined: what that section states of the sweep whose jobs are composed; None where there is no sweep.

        Raises:
            RequestError: one of `config_dirs` does not exist, or the settings of the project are wrong.
        """
        setbase("1.3")
        self.loader = KeepingLoader(path or search_path(config_dirs), of_hydra)
        self.name = name or find_settings().config_name
        self.of_sweep = list(of_sweep)
        self.combined = combined
        self.composed: dict[tuple[str, ...], DictConfig] = {}
        self.parsed: dict[str, Override] = {}

    def refusal(self, overrides: Sequence[str]) -> str | None:
        """What `configuration` says is wrong with overrides; None if nothing is."""
        try:
            self.configuration(overrides)
        except RequestError as error:
            return str(error)
        return None

    def configuration(self, overrides: Sequence[str], of_several: bool = True) -> Config:
        """Return the configuration of `fitbench train OVERRIDES`.

        Args:
            overrides: of the configuration, with one value each.
            of_several: whether it is one of several that are composed, in which earlier runs have fixed names.

        Raises:
            RequestError: it cannot be composed, is wrong, or is one of several and names an earlier run by `@latest` or
                `@best`.
        """
        config = configuration_of(self.composed_with(overrides), of_several)
        if of_several and config.parent is not None:
            for override in filter(names_parent, overrides):
                text = str(self.parse(override).value())
                check_fixed(f"+{continuing.KEY}", text, config.parent.folder, config.outputs)
        return config

    def data(self, choice: str, overrides: Sequence[str]) -> Data:
        """Return the data set of `fitbench train data=CHOICE OVERRIDES`, whatever the model takes.

        Raises:
            RequestError: it cannot be composed, or is wrong.
        """
        return data_from_hydra(self.composed_with([f"data={choice}", *overrides]))

    def composed_with(self, overrides: Sequence[str]) -> DictConfig:
        """Return the composed configuration before it is checked, without Hydra's own section.

        Raises:
            RequestError: it cannot be composed.
        """
        continues = any(map(names_parent, overrides))  # then the values are those of another run, and are set there
        values: list[str] = []
        choices: list[str] = []
        for text in overrides:
            (values if VALUE.match(text) and not continues else choices).append(text)
        chosen = tuple(choices)
        with explained_errors():
            if chosen not in self.composed:
                self.composed[chosen] = self._compose(choices)
            config = copy.deepcopy(self.composed[chosen])
            for value in values:
                override = self.parse(value)
                refuse_several(override, "here a key has one value")
                OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
            expand_home(config)
        return config

    def parse(self, override: str) -> Override:
        """Return an override as Hydra reads it.

        Raises:
            RequestError: it is not in Hydra's syntax.
        """
        if override not in self.parsed:
            [self.parsed[override]] = self.loader.read([override])
        return self.parsed[override]

    def _compose(self, choices: Sequence[str]) -> DictConfig:
        overrides = [*choices, *self.of_sweep]
        composed = self.loader.load_configuration(self.name, overrides, RunMode.RUN, from_shell=False)
        if self.combined is None:
            sweep_section.refuse(composed)
        elif (stated := sweep_section.given(composed)) != self.combined:
            raise RequestError(_other_combinations(choices, stated))
        with open_dict(composed):
            del composed["hydra"]
            composed.pop(sweep_section.KEY, None)
        return composed


def _other_combinations(choices: Sequence[str], stated: Mapping[str, Any]) -> str:
    named = ", ".join(f"{sweep_section.KEY}.{key}" for key in stated)
    return (
        f"{' '.join(choices)}: a file that is chosen here states combinations of its own ({named}); a sweep has one "
        "section sweep, so choose this file for the whole sweep"
    )
