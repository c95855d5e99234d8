"""The files of a configuration: where they are searched, and how those of a user are read."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hydra._internal.config_repository import ConfigRepository
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import Container, OmegaConf
from omegaconf._utils import get_yaml_loader
from omegaconf.errors import OmegaConfBaseException

from fitbench.errors import RequestError
from fitbench.project.settings import TABLE, find_settings, use_source
from fitbench.text import first_line
from fitbench.untrusted import Unreadable, guarded, parse_yaml, read_file

LARGEST_BYTES = 2**20  # of a file of YAML
LARGEST_VALUES = 5_000  # keys, values and items in it
TABS = "lines are indented with spaces, not with tabs"
HINTS = {  # by what libyaml says
    "found a tab character": TABS,
    "cannot start any token": "a text that begins with % @ or ` stands in quotes",
    "mapping values are not allowed": "keys that belong together have the same indentation, and a text with ': ' in it "
    "stands in quotes",
    "expected '-' indicator": "the keys of an item of a list stand below its first key",
    "expected key": "keys that belong together have the same indentation",
}
PACKAGE = re.compile(r"[\w$-]+(\.[\w$-]+)*")
OURS = ("hydra", "main", "schema")  # what Hydra calls its own files, those of conf/, and the schemas of plugins
PROJECT = TABLE  # what the folders of a project are called


def read_yaml(path: Path, largest: int = LARGEST_VALUES) -> tuple[object, str]:
    """What a user's YAML file of so many values at most holds, and its text.

    A number such as 1e-3 needs no point, and no key stands twice.

    Raises:
        Unreadable: it is no regular file of UTF-8 text, is too large, or is not YAML; the message names the line.
    """
    with guarded():
        content = read_file(path, largest=LARGEST_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"line {line}: not UTF-8 text; save the file in the encoding UTF-8") from error
    try:
        return parse_yaml(text, get_yaml_loader(), largest), text
    except Unreadable as error:
        if hint := next((hint for problem, hint in HINTS.items() if problem in str(error)), ""):
            hint = TABS if "cannot start any token" in str(error) and "\t" in text else hint
            raise Unreadable(f"{error}; {hint}") from error
        raise


def with_project(path: ConfigSearchPath) -> ConfigSearchPath:
    """The search path, to which the folders of the user's project are added; its code can be imported from now on.

    Raises:
        RequestError: the settings of the project are wrong.
    """
    settings = find_settings()
    present = {(element.provider, element.path) for element in path.get_path()}
    for folder in settings.config_dirs:
        if (PROJECT, f"file://{folder}") not in present:
            path.append(PROJECT, f"file://{folder}")
    use_source(settings)
    return path


class YamlFiles(FileConfigSource):
    """A folder of YAML files, each read within limits. Their errors name the file and the line."""

    def is_config(self, config_path: str) -> bool:
        """Whether there is something of this name, which need not be a file that can be read."""
        return os.path.lexists(self._path(config_path))

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a file; `config_path` is its path in the folder, with or without '.yaml'.

        Raises:
            RequestError: it cannot be read, or does not hold a configuration.
        """
        path = self._path(config_path)
        try:
            values, text = read_yaml(path)
            config = _container(values)
            with guarded():
                header = ConfigSource._get_header_dict(text[:512])
            package = header["package"]
            if package is not None and not PACKAGE.fullmatch(package):
                raise Unreadable(f"# @package {package}: expected _global_, or names with dots such as model.head")
            if self.provider not in OURS and config_path in ("config", "config.yaml"):
                _check_primary(values)
        except FileNotFoundError as error:
            raise RequestError(f"{path}: a link to a file that does not exist") from error
        except Unreadable as error:
            raise RequestError(f"{path}: {error}") from error
        return ConfigResult(config=config, path=self.full_path(), provider=self.provider, header=header)

    def _path(self, config_path: str) -> Path:
        return Path(os.path.normpath(Path(self.path, self._normalize_file_name(config_path))))


def _container(values: object) -> Container:
    """The values as OmegaConf's, whose errors name the key.

    Raises:
        Unreadable: they are no configuration.
    """
    if not isinstance(values, dict | list | None):
        raise Unreadable(f"expected keys and values, found {values!r:.80}")
    with guarded():
        try:
            return OmegaConf.create({} if values is None else values)
        except OmegaConfBaseException as error:
            key = f"{error.full_key}: " if error.full_key else ""
            raise Unreadable(f"{key}{first_line(error)}") from error


def _check_primary(values: object) -> None:
    """Refuse a user's config.yaml that is meant to add to ours, and would take its place.

    Raises:
        Unreadable: it is.
    """
    defaults = values.get("defaults") if isinstance(values, dict) else None
    if not isinstance(defaults, list) or "config" in defaults:
        raise Unreadable(
            "it takes the place of fitbench's config.yaml; to add to that one, name it mine.yaml, begin it with "
            f"'defaults: [config, _self_]', and give --config-name mine, or config_name = \"mine\" in {TABLE}"
        )


class Repository(ConfigRepository):
    """Hydra's, in which a user's file takes the place of one of ours with the same name."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Read a file and its defaults list.

        Raises:
            RequestError: one of them is wrong.
        """
        try:
            return super().load_config(config_path)
        except (ValueError, AssertionError, OmegaConfBaseException) as error:
            reason = "a name is no text" if isinstance(error, AssertionError) else first_line(error)
            written = "a defaults list is written [/model: mlp, _self_]"
            raise RequestError(f"{config_path}.yaml: {reason}; {written}") from error

    def misplaced(self, path: str) -> str | None:
        """What to say about a file of the user's that is not called so, or is not where its group is searched."""
        group, _, name = path.rpartition("/")
        for source in self.sources:
            folder = Path(source.path)
            if source.provider in OURS:
                continue
            if (folder / f"{path}.yml").exists():
                return f"{folder / path}.yml: a file of a configuration is called .yaml; rename it"
            if group and folder.name == group and (folder / f"{name}.yaml").exists():
                option = f"{TABLE} config_dir" if source.provider == PROJECT else "--config-dir"
                return f"{folder / name}.yaml: {option} names the folder that {group}/ is in, {folder.parent}"
        return None

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Find the folders of a search path: those that a command names, those of the project, and fitbench's.

        Raises:
            RequestError: there is no such folder.
        """
        try:
            super().initialize_sources(config_search_path)
        except ValueError as error:  # no source reads such a URL
            raise RequestError(f"hydra.searchpath: {error}") from error
        self.sources = [
            YamlFiles(source.provider, source.full_path()) if source.scheme() == "file" else source
            for source in sorted(self.sources, key=lambda source: (source.provider in OURS, source.provider == PROJECT))
        ]
        for source in self.sources:
            if source.provider not in OURS and not source.available():
                raise RequestError(f"{source.provider}: there is no folder {source.path}")
