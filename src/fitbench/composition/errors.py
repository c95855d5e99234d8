"""Explains what Hydra, OmegaConf and the parsers below them raise."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from fitbench.composition.overrides import for_own_data
from fitbench.config.builders import SUPPLIED
from fitbench.config.data_sections import KNOWN_TASKS
from fitbench.config.errors import HIDDEN, deeper, did_you_mean, no_such_key
from fitbench.config.optimizer_section import Optimizer
from fitbench.config.signatures import Parameter, signature_of
from fitbench.errors import RequestError
from fitbench.text import clean, first_line

LONGEST_LINE = 500


@contextmanager
def explained_errors() -> Iterator[None]:
    """In this block what Hydra, OmegaConf and YAML's parser raise becomes a `RequestError`.

    Hydra raises a ValueError, or an error of another type, about some wrong requests. One that other code raises stays
    what it is.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise RequestError(explain(error)) from error
    except RecursionError as error:
        if not _raised_by_hydra(error):
            raise
        files = _defaults_lists(error)
        if len(files) > 1:
            cycle = " and ".join(sorted(set(files[-20:])))
            raise RequestError(f"the defaults list of {cycle} leads to the same file again") from error
        raise RequestError("the configuration is nested too deeply") from error
    except (ValueError, TypeError, AttributeError, AssertionError, LookupError) as error:
        if not _raised_by_hydra(error):
            raise
        raise RequestError(explain(error)) from error


def _raised_by_hydra(error: BaseException) -> bool:
    names = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [name.partition(".")[0] for name in names]
    return [name for name in packages if name not in sys.stdlib_module_names][-1] in ("hydra", "omegaconf")


def _defaults_lists(error: RecursionError) -> list[str]:
    """The files whose defaults lists Hydra was following."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    inside = [frame for frame in frames if frame.f_code.co_name == "_create_defaults_tree_impl"]
    return [f"{frame.f_locals['path']}.yaml" for frame in inside if "path" in frame.f_locals]


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
    for link in chain:
        text = _about_file(link) or _about_key(link) or _about_text(str(link))
        if text:
            return text
    unforeseen = isinstance(error, LookupError | TypeError | AttributeError | AssertionError)
    if unforeseen and not isinstance(error, OmegaConfBaseException):
        return f"Hydra cannot use this configuration ({type(error).__name__}: {first_line(error)})"
    texts = [str(link).strip() for link in chain]  # Hydra raises an error without a text about what it cannot parse
    lines = [line.strip() for line in next(filter(None, texts), "").splitlines() if line.strip()]
    if lines and lines[0].startswith("Error merging override") and error.__cause__ is not None:
        lines = [f"{lines[0].removeprefix('Error merging override ')}: {first_line(error.__cause__)}"]
    return "\n".join(clean(line)[:LONGEST_LINE] for line in lines[:2]) or type(error).__name__


def _about_file(error: BaseException) -> str | None:
    """What to say about a file that does not exist."""
    if not isinstance(error, MissingConfigException) or not error.missing_cfg_file:
        return None
    path = str(error.missing_cfg_file)
    where = re.match(r"In '(.*?)': ", str(error))
    prefix = f"{where[1]}.yaml: " if where and where[1] not in ("config", "hydra/config") else ""
    if not error.options:
        return f"{prefix}there is no file {path}.yaml in conf/ or in the folder of --config-dir or of the project"
    listed = re.search(r"Available options in '(.*)':", str(error))
    group = listed[1] if listed else path.rpartition("/")[0]
    name = path.removeprefix(f"{group}/")
    choices = ", ".join(error.options)
    own = ""
    if group == "data" and name in KNOWN_TASKS:
        own = f". Did you mean data=sklearn data.name={name}?"
    elif group == "data" and (overrides := for_own_data(name) or ("/" in name and f"data=npz data.path={name}")):
        own = f"; for data of your own: {overrides}"
    near = did_you_mean(name.rpartition("/")[2], error.options)
    places = "--config-dir FOLDER, or of config_dir in pyproject.toml"
    where_own = f"; {group}/{name}.yaml of your own is found in the folder of {places}"
    return f"{prefix}{group}={name}: there is no such choice; {group} has {choices}{own or near or where_own}"


def _about_key(error: BaseException) -> str | None:
    """What to say about a key that does not exist, or has no value."""
    if not isinstance(error, OmegaConfBaseException):
        return None
    missing = re.search(r"Missing mandatory value: (\S+)", str(error))
    if missing:
        return f"{missing[1]} has no default; give it as {missing[1]}=VALUE"
    if isinstance(error, ConfigAttributeError | ConfigKeyError) and isinstance(error.parent_node, DictConfig):
        key = str(error.full_key)
        section = key.rpartition(".")[0]
        if deeper := _deeper(key, error.parent_node):
            return f"{key}: there is no such key. Did you mean {' or '.join(deeper)}?"
        if section == "optimizer" and key.rpartition(".")[2] in Optimizer.model_fields:
            return f"{key} has no default with this optimizer; add it with a plus sign: +{key}=VALUE"
        left_out = _left_out(error.parent_node)
        if parameter := left_out.get(key.rpartition(".")[2]):
            return _about_parameter(key, section, parameter)
        keys = [str(name) for name in error.parent_node if name not in HIDDEN]
        text = no_such_key(key, section, [*keys, *left_out])
        is_open = section == "optimizer" and "Did you mean" not in text
        return text + (f"; another setting of the optimizer is added with +{key}=VALUE" if is_open else "")
    where = "a defaults list" if error.full_key == "_dummy_" else error.full_key
    return f"{where}: {_plainly(first_line(error))}" if where else None


def _left_out(section: DictConfig) -> dict[str, Parameter]:
    """The parameters, by name, of the function that a section names and that its file does not set."""
    values = OmegaConf.to_container(section, resolve=False)
    target = values.get("_target_") if isinstance(values, dict) else None
    signature = signature_of(target) if isinstance(target, str) else None
    known = signature.parameters if signature else ()
    return {each.name: each for each in known if each.name not in section and each.name not in SUPPLIED}


def _about_parameter(key: str, section: str, parameter: Parameter) -> str:
    """What to say about a setting that a function takes and its file does not set."""
    default = "no default" if parameter.default is None else f"default {clean(parameter.default)}"
    return (
        f"{key}: its function takes {parameter.name} ({default}), but the file of {section} does not set it; add it "
        f"there, or with a plus sign: +{key}=VALUE"
    )


def _plainly(text: str) -> str:
    """An error of OmegaConf, with what to do."""
    if "Cannot merge DictConfig with ListConfig" in text:
        return "a section with keys of its own stands here, and a list cannot take its place"
    return text


def _deeper(key: str, root: DictConfig) -> list[str]:
    """The keys of sections whose last name is `key`, which stands at the top level."""
    if key == "data.path":
        return ["data=csv, data=npz, data=idx or data=image_folder, which have a path"]
    if "." in key:
        return []
    values = OmegaConf.to_container(root, resolve=False)
    assert isinstance(values, dict)
    return deeper(key, {str(name): value for name, value in values.items() if name not in HIDDEN})


def _about_text(text: str) -> str | None:
    """What to say where Hydra's advice is for files, or is hard to understand."""
    if "Could not override 'experiment'" in text:
        return "add an experiment with a plus sign: +experiment=NAME"
    if "Could not override 'search'" in text:
        return "search=NAME is for fitbench search; fitbench train has no such group"
    if found := re.match(r"Multiple values for (\S+)\. To override a value use 'override \S+ (\S+)'", text):
        group, name = found.groups()
        if group == "experiment":
            return "+experiment=NAME is given twice; an experiment of your own may have another in its defaults list"
        return (
            f"{group} is chosen twice; on the command line write {group}=NAME without +, "
            f"in a defaults list 'override /{group}: {name}'"
        )
    if found := re.match(r"In '(.*)': \w+ raised while composing config:\n(.*)", text):
        return f"{found[1]}.yaml: {_plainly(found[2])}"
    if found := re.match(r"force-add of config groups is not supported: '\++(.*)'", text):
        return f"++{found[1]}: a file of a group is chosen without ++: {found[1]}"
    return None
