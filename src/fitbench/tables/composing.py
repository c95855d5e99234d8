"""The configuration of each row of a table, composed by Hydra."""

from __future__ import annotations

from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from fitbench.composition import Composer, explain
from fitbench.config import Config
from fitbench.errors import RequestError
from fitbench.tables.definition import FILE, Table


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
            made[row.label] = config.model_copy(update={"outputs": str(outputs), "seed": row.seeds[0]})
    return made
