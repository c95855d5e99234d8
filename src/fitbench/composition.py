"""Composes configurations with Hydra, and explains Hydra's errors.

Composing a configuration takes a tenth of a second, mostly for choosing and reading files. `Composer` reads each file
once, and composes once for all configurations that choose the same files. It then sets the values of each of them.
"""

from __future__ import annotations

import copy
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from hydra._internal import hydra as hydra_module
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException, MissingConfigException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from hydra.version import setbase
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from fitbench import selection
from fitbench.config import TOP_LEVEL, Config, from_hydra, run_id
from fitbench.config.errors import nearest, no_such_key
from fitbench.errors import RequestError
from fitbench.text import first_line

# Launchers in conf/ have the names of the plugins' schemas. Hydra 1.3 warns that it validates them against these.
warnings.filterwarnings("ignore", r"\s*'hydra/launcher/\w+' is validated against ConfigStore schema")
OmegaConf.register_new_resolver("run_id", lambda *, _root_: _run_id(_root_), replace=True)

# An override that sets a value, not a file: KEY=.. at the top level, or KEY.KEY=.. (names of groups have no dot).
VALUE = re.compile(rf"(?!hydra\.|metrics[.=])([A-Za-z_]\w*(\.\w+)+|{'|'.join(TOP_LEVEL)})=")
HIDDEN = ("hydra", "_target_")  # keys that messages do not list


def conf_folder() -> Path:
    """Return the folder conf/: inside the package in an installed wheel, else at the top of the source tree."""
    package = Path(__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def _run_id(root: Any) -> str:
    """Resolve `${run_id:}`. This checks the whole configuration before a folder is created."""
    return run_id(from_hydra(root))


def stop_clock() -> None:
    """Let `${now:..}` stand for the time of this call, whenever a configuration is composed."""
    OmegaConf.register_new_resolver("now", datetime.now().strftime, replace=True)


class Composer:
    """Composes configurations, and caches what several of them share."""

    def __init__(
        self, config_dirs: Sequence[str | Path] = (), path: ConfigSearchPath | None = None, name: str = "config"
    ) -> None:
        """Create a composer.

        Args:
            config_dirs: folders that are searched after conf/.
            path: the search path of a running Hydra, instead of conf/.
            name: the file with the defaults list.

        Raises:
            RequestError: one of `config_dirs` does not exist.
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
        """Return the configuration of `fitbench train OVERRIDES`.

        Raises:
            RequestError: it cannot be composed, or is wrong.
        """
        return from_hydra(self.composed_with(overrides))

    def composed_with(self, overrides: Sequence[str]) -> DictConfig:
        """Return the composed configuration before it is checked, without Hydra's own section.

        Raises:
            RequestError: it cannot be composed.
        """
        values = [override for override in overrides if VALUE.match(override)]
        choices = tuple(override for override in overrides if not VALUE.match(override))
        with explained_errors():
            if choices not in self.composed:
                self.composed[choices] = self._compose(choices)
            config = copy.deepcopy(self.composed[choices])
            for value in values:
                override = self.parse(value)
                if override.is_sweep_override():
                    raise RequestError(f"{value}: these are several configurations; write a list as [a,b]")
                OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
        return config

    def parse(self, override: str) -> Override:
        """Return an override as Hydra reads it.

        Raises:
            RequestError: it is not in Hydra's syntax.
        """
        if override not in self.parsed:
            [self.parsed[override]] = _parse([override], self.loader)
        return self.parsed[override]

    def _compose(self, choices: Sequence[str]) -> DictConfig:
        composed = self.loader.load_configuration(self.name, list(choices), RunMode.RUN, from_shell=False)
        with open_dict(composed):
            del composed["hydra"]
        return composed


class Loader(ConfigLoaderImpl):
    """Hydra's, for which `metrics` may be a list or a section, in files and in overrides, together and in any order.

    Hydra cannot merge a list with a section. So a list stands under `selection.LIST` of a section until all is merged.
    """

    def load_configuration(self, *arguments: Any, **settings: Any) -> DictConfig:
        """What Hydra composes, with `metrics` as one section."""
        composed = super().load_configuration(*arguments, **settings)
        if OmegaConf.is_dict(composed.get(selection.KEY)):
            section = OmegaConf.to_container(composed[selection.KEY])
            assert isinstance(section, dict)
            with open_dict(composed):
                composed[selection.KEY] = selection.joined({str(name): entry for name, entry in section.items()})
        return composed

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        parsed, repository = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
        return [_of_metrics(override) for override in parsed], repository

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        loaded = super()._load_single_config(default, repo)
        if not isinstance(loaded.config, DictConfig) or selection.KEY not in loaded.config:
            return loaded
        config = copy.deepcopy(loaded.config)
        if OmegaConf.is_list(config[selection.KEY]):
            config[selection.KEY] = {selection.LIST: config[selection.KEY]}
        return replace(loaded, config=config)


def _of_metrics(override: Override) -> Override:
    """An override of `metrics` as one of the section that it is while a configuration is composed."""
    section, _, name = override.key_or_group.partition(".")
    if section != selection.KEY or override.is_sweep_override() or override.is_delete():
        return override
    value = override.value()
    if not name and isinstance(value, list):
        return replace(override, key_or_group=f"{selection.KEY}.{selection.LIST}")
    return replace(override, type=OverrideType.FORCE_ADD) if name or isinstance(value, dict) else override


@contextmanager
def hydra_with_metrics() -> Iterator[None]:
    """In this block `hydra.main` composes with `Loader`."""
    hydra_module.ConfigLoaderImpl = Loader  # type: ignore[misc]
    try:
        yield
    finally:
        hydra_module.ConfigLoaderImpl = ConfigLoaderImpl  # type: ignore[misc]


class _Loader(Loader):
    """A loader that keeps files. The original reads every file again for each configuration."""

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        if not hasattr(self, "repo"):
            _, self.repo = super()._parse_overrides_and_create_caching_repo(config_name, [])
        return [_of_metrics(override) for override in _parse(overrides, self)], self.repo

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        loaded = super()._load_single_config(default, repo)
        return replace(loaded, config=copy.deepcopy(loaded.config))  # the loader writes overrides into it


def quoted(text: str) -> str:
    """Return a text in Hydra's grammar: in quotation marks, with those inside of it escaped."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + "\\'" * bool(found[2]), text) + "'"


def _parse(overrides: Sequence[str], loader: ConfigLoader) -> list[Override]:
    parser = OverridesParser.create(config_loader=loader)
    parsed = []
    for override in overrides:
        try:
            parsed += parser.parse_overrides([override])
        except HydraException as error:
            raise RequestError(f"{override}: {first_line(error)}") from error
    return parsed


@contextmanager
def explained_errors() -> Iterator[None]:
    """In this block what Hydra, OmegaConf and YAML's parser raise becomes a `RequestError`.

    Hydra raises a ValueError about some wrong requests, and where a file is no text. A ValueError of other code stays
    one.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise RequestError(explain(error)) from error
    except yaml.MarkedYAMLError as error:
        place = f"{error.problem_mark.name}, line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise RequestError(f"{place}{error.problem}; expected YAML") from error
    except ValueError as error:
        if _raised_by_hydra(error):
            raise RequestError(explain(error)) from error
        raise


def _raised_by_hydra(error: ValueError) -> bool:
    names = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [name.partition(".")[0] for name in names]
    return [name for name in packages if name not in sys.stdlib_module_names][-1] in ("hydra", "omegaconf")


def explain(error: BaseException) -> str:
    """Explain an error of Hydra or OmegaConf in one or two lines, with the nearest name if a key is misspelt."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for link in chain:  # raised by our own resolver
        if isinstance(link, RequestError):
            return str(link)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        choices = ", ".join(error.options)
        return f"{group}={name}: there is no such choice; {group} has {choices}{nearest(name, error.options)}"
    for link in chain:
        if isinstance(link, ConfigAttributeError | ConfigKeyError) and isinstance(link.parent_node, DictConfig):
            section = str(link.full_key).rpartition(".")[0]
            return no_such_key(str(link.full_key), section, [str(key) for key in link.parent_node if key not in HIDDEN])
    if isinstance(error, UnicodeDecodeError):
        return f"a file of the configuration is no UTF-8 text: {error}"
    if "Could not override 'experiment'" in str(error):
        return "add an experiment with a plus sign: +experiment=NAME"
    if str(error).startswith("Ambiguous value for argument"):
        return f"{first_line(error)}; add -m to train each of the values, or write a list as [a,b]"
    texts = [str(link).strip() for link in chain]  # Hydra raises an error without a text about what it cannot parse
    lines = [line.strip() for line in next(filter(None, texts), "").splitlines() if line.strip()]
    if lines and lines[0].startswith("Error merging override") and error.__cause__ is not None:
        lines = [f"{lines[0].removeprefix('Error merging override ')}: {first_line(error.__cause__)}"]
    return "\n".join(lines[:2])
