"""Earlier runs that a configuration names: the one whose weights it begins with, and the one that it continues."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from fitbench.config.annotations import Allowed
from fitbench.config.section import Section


class Start(Section):
    """The run whose weights a run begins with."""

    run_id: str = Field(description="of the run")
    folder: str = Field(description="of the run; it is no part of the identity")
    sha256: str = Field(description="the SHA-256 of its weights, 64 hexadecimal digits")


class Parent(Section):
    """The run that a run continues."""

    run_id: str = Field(description="of the run")
    folder: str = Field(description="of the run; it is no part of the identity")
    config_id: str = Field(description="of the run")
    sha256: str = Field(description="the SHA-256 of its state, 64 hexadecimal digits")


# A person gives the name of a run. It is replaced by the run that is found before the configuration is checked.
StartText = Annotated[
    Start,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]}),
    Allowed("a finished run: its folder, its run_id, or an unambiguous part of one"),
]
