"""The JSON schema by which editors complete and check table.yaml.

`python -m fitbench.tables.json_schema` writes it to `conf/table.schema.json`. A table.yaml names it in its first line:
`# yaml-language-server: $schema=../../conf/table.schema.json`.
"""

import sys
from pathlib import Path
from typing import Any

from fitbench.config.json_schema import DRAFT, cleaned, write
from fitbench.tables.schema import TableFile

FILE = "table.schema.json"
DROPPED = ("default", "title")  # of no use to an editor


def json_schema() -> dict[str, Any]:
    """The schema of table.yaml (draft 7)."""
    content = TableFile.model_json_schema(ref_template="#/definitions/{model}")
    definitions = content.pop("$defs")
    return {"$schema": DRAFT, **cleaned({**content, "definitions": definitions}, DROPPED)}


def main(folder: str = "conf") -> None:
    """Write the schema into a folder of configurations."""
    write(json_schema(), Path(folder) / FILE)


if __name__ == "__main__":
    main(*sys.argv[1:])
