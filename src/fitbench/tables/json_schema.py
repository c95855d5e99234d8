"""The JSON schema by which editors complete and check table.yaml.

`python -m fitbench.tables.json_schema` writes it to `conf/table.schema.json`. A table.yaml names it in its first line:
`# yaml-language-server: $schema=../../conf/table.schema.json`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from fitbench.tables.schema import TableFile

FILE = "table.schema.json"
DROPPED = ("default", "title")  # of no use to an editor


def json_schema() -> dict[str, Any]:
    """The schema of table.yaml (draft 7)."""
    content = TableFile.model_json_schema(ref_template="#/definitions/{model}")
    definitions = content.pop("$defs")
    return {"$schema": "http://json-schema.org/draft-07/schema#", **_cleaned({**content, "definitions": definitions})}


def _cleaned(node: Any) -> Any:
    """A schema without the keys `DROPPED`, where they are not names of properties."""
    if isinstance(node, list):
        return [_cleaned(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: {name: _cleaned(item) for name, item in value.items()} if key == "properties" else _cleaned(value)
        for key, value in node.items()
        if key not in DROPPED
    }


def main(folder: str = "conf") -> None:
    """Write the schema into a folder of configurations."""
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False)
    (Path(folder) / FILE).write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
