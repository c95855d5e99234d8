"""The section `logger` of the configuration: the places that show a run while it is trained."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from fitbench.config.annotations import Allowed, PathText, expanded
from fitbench.config.section import Section
from fitbench.text import without_password

Folder = Annotated[PathText, AfterValidator(expanded), Allowed("the path of a folder")]
ADDRESS = "an address without a password, because each run records it; MLFLOW_TRACKING_URI may have one"


def _without_password(uri: str) -> str:
    if urlsplit(uri).password is not None or without_password(uri) != uri:
        raise ValueError(ADDRESS)
    return uri


class TensorBoardLogger(Section):
    """Event files for TensorBoard."""

    folder: Folder | None = Field(
        description="the event files are in <folder>/<study>/<run_id>/; null: in <run folder>/tensorboard/"
    )

    @property
    def address(self) -> str | None:
        """The `--uri` of `fitbench publish` that means the same place; None: its default."""
        return self.folder


class MlflowLogger(Section):
    """A run of MLflow."""

    uri: Annotated[str, AfterValidator(_without_password), Allowed(ADDRESS)] | None = Field(
        description="a server or a database; null: that of MLFLOW_TRACKING_URI, or else sqlite:///mlflow.db in the "
        "current folder"
    )
    experiment: str | None = Field(description="the experiment that has the run; null: the name of the study")

    @property
    def address(self) -> str | None:
        """The `--uri` of `fitbench publish` that means the same place; None: its default."""
        return self.uri


class WandbLogger(Section):
    """A run of Weights & Biases."""

    project: str | None = Field(description="the project that has the run; null: the name of the study")
    entity: str | None = Field(description="the user or the team that has the project; null: that of the key")
    mode: Literal["online", "offline"] | None = Field(
        description="null: that of WANDB_MODE, or else online with a key, and offline without one"
    )
    folder: Folder | None = Field(description="the files are in <folder>/wandb/; null: in <run folder>/wandb/")

    @property
    def address(self) -> str | None:
        """The `--uri` of `fitbench publish` that means the same place; None: its default."""
        return self.folder


class Logger(Section):
    """The places that show a run while it is trained, none or several."""

    tensorboard: TensorBoardLogger | None = Field(None, description="TensorBoard")
    mlflow: MlflowLogger | None = Field(None, description="MLflow")
    wandb: WandbLogger | None = Field(None, description="Weights & Biases")

    @property
    def chosen(self) -> dict[str, TensorBoardLogger | MlflowLogger | WandbLogger]:
        """The places that are not null, by their names."""
        return {name: place for name in type(self).model_fields if (place := getattr(self, name)) is not None}

    def publishing(self) -> dict[str, str]:
        """The options of `fitbench publish` that send a recorded run to these places, by the names of the places."""
        return {
            name: f"--to {name}" + (f" --uri {place.address}" if place.address else "")
            for name, place in self.chosen.items()
        }


Loggers = Annotated[Logger | None, BeforeValidator(lambda value: value or None)]  # logger=none is an empty section
