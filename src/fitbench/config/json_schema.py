"""The JSON schema by which editors complete and check YAML files of the configuration.

`python -m fitbench.config.json_schema` writes it to `conf/config.schema.json`. A YAML file names the definition of its
group in a comment: `# yaml-language-server: $schema=../config.schema.json#/definitions/Training`.

A file is not a whole configuration: it may leave keys to other files, has a defaults list, and holds `???` for a value
that must be given and `${..}` for one that is taken from elsewhere. The schema allows this.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from fitbench.config import data_sections, logger_section, optimizer_section, schema, sweep_section, training_section
from fitbench.config.builders import settings_schema

DRAFT = "http://json-schema.org/draft-07/schema#"
FILE = "config.schema.json"
SECTIONS = {
    "Data": data_sections.AnyData,
    "Model": schema.Model,
    "Optimizer": optimizer_section.Optimizer,
    "Schedule": optimizer_section.Schedule,
    "Training": training_section.Training,
    "Distortion": schema.Distortion,
    "Logger": logger_section.Logger,
    "Sweep": sweep_section.Sweep,
}
DROPPED = ("required", "default", "title", "discriminator")  # files may lack keys; the rest is of no use to an editor
INTERPOLATION = {"$ref": "#/definitions/Interpolation"}


def json_schema(conf: Path) -> dict[str, Any]:
    """The schema of a whole configuration (draft 7), with a definition for each section.

    Args:
        conf: the folder of the configuration, whose models' settings are known by their builders.
    """
    definitions: dict[str, Any] = {"Interpolation": {"type": "string", "pattern": r"^\?\?\?$|\$\{"}}
    whole = _of_files(schema.Config, definitions)
    for name, section in SECTIONS.items():
        definitions[name] = _of_files(section, definitions)
    definitions["Model"]["allOf"] = [_settings(target, definitions) for target in _targets(conf)]
    whole["properties"]["hydra"] = {"type": "object"}
    whole["properties"][sweep_section.KEY] = {"$ref": "#/definitions/Sweep"}
    for part in (whole, *definitions.values(), *(rule["then"] for rule in definitions["Model"]["allOf"])):
        if "properties" in part:
            part["properties"]["defaults"] = {"type": "array"}
    return {"$schema": DRAFT, **whole, "definitions": definitions}


def main(folder: str = "conf") -> None:
    """Write the schema into a folder of configurations."""
    write(json_schema(Path(folder)), Path(folder) / FILE)


def write(content: dict[str, Any], file: Path) -> None:
    """Write a JSON schema into a file."""
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def cleaned(node: Any, dropped: Sequence[str], of_property: Callable[[Any], Any] = lambda schema: schema) -> Any:
    """A JSON schema as editors get it.

    Args:
        node: the schema, or a part of it.
        dropped: keys that are left out, where they are no names of properties.
        of_property: what the schema of each property becomes.
    """
    if isinstance(node, list):
        return [cleaned(item, dropped, of_property) for item in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for key, value in node.items():
        if key == "properties":
            result[key] = {name: of_property(cleaned(item, dropped, of_property)) for name, item in value.items()}
        elif key not in dropped:
            result["anyOf" if key == "oneOf" else key] = cleaned(value, dropped, of_property)
    return result


def _of_files(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type as files have it. The definitions that it refers to are added to `definitions`."""
    whole = TypeAdapter(kind).json_schema(ref_template="#/definitions/{model}")
    for name, definition in whole.pop("$defs", {}).items():
        definitions.setdefault(name, cleaned(definition, DROPPED, _or_interpolation))
    return cleaned(whole, DROPPED, _or_interpolation)


def _or_interpolation(property_schema: dict[str, Any]) -> dict[str, Any]:
    allowed = {key: value for key, value in property_schema.items() if key != "description"}
    if not allowed:
        return property_schema  # it may be anything already
    choices = allowed["anyOf"] if allowed.keys() == {"anyOf"} else [allowed]
    described = {key: property_schema[key] for key in property_schema if key == "description"}
    return {**described, "anyOf": [*choices, INTERPOLATION]}


def _targets(conf: Path) -> list[str]:
    """The builders of the models in a folder of configurations."""
    models = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted((conf / "model").glob("*.yaml"))]
    return list(dict.fromkeys(model.get("model", model)["_target_"] for model in models))


def _settings(target: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """A rule of the section `model`: what it may hold if it has this `_target_`."""
    settings = settings_schema(target)
    assert settings is not None
    of_builder = _of_files(settings, definitions)
    condition = {"properties": {"_target_": {"const": target}}, "required": ["_target_"]}
    return {"if": condition, "then": {key: of_builder[key] for key in ("properties", "additionalProperties")}}


if __name__ == "__main__":
    main(*sys.argv[1:])
