"""What is to be known of a run that is evaluated, and the examples that it is evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.config import Config, expanded
from fitbench.inference.card import lengths_of
from fitbench.kinds import SERIES
from fitbench.record.files import exists
from fitbench.record.inputs import Inputs
from fitbench.text import clean

if TYPE_CHECKING:
    from fitbench.tasks import Task

PARTS = ("test", "train")
WHOLE = "all"  # the part that all rows or series of a file are


@dataclass(frozen=True, eq=False)
class OtherData:
    """N examples that a run is evaluated on.

    Attributes:
        inputs: as the model of the run takes them, [N, *shape].
        targets: as the task of the run has them, with the names of the run.
        weights: the weight of each example in the loss, float32 [N]; None: all weigh 1.
        source: the file or folder that they come from.
        about: what the record says of them.
    """

    inputs: Any
    targets: np.ndarray
    weights: np.ndarray | None
    source: str
    about: dict[str, Any]


@dataclass(frozen=True)
class EvaluatedRun:
    """What is to be known of a run that is evaluated.

    Attributes:
        config: of the run.
        task: of the run.
        names: of its outputs.
        inputs: what its model takes; see `inputs.recorded_inputs`.
        result: the content of its result.json.
    """

    config: Config
    task: Task
    names: Sequence[str]
    inputs: Inputs
    result: dict[str, Any]

    @property
    def sha256(self) -> str:
        """The checksum of its data set; see `dataset.sha256_of`."""
        return self.result["data"]["sha256"]

    @property
    def lengths(self) -> str | None:
        """See `card.lengths_of`; None for other kinds than series."""
        return lengths_of(self.result) if self.inputs.kind == SERIES else None

    @property
    def steps(self) -> int | None:
        """How long the series are that the model takes; None for other kinds."""
        return self.inputs.shape[0] if self.inputs.kind == SERIES else None


def is_same(path: str, own: str) -> bool:
    """Whether two paths, of which the second is absolute, name the same file or folder, however they are spelled."""
    absolute = Path(expanded(path)).absolute()
    return absolute == Path(own) or (exists(absolute) and exists(own) and absolute.samefile(own))


def shorten(names: Sequence[str]) -> str:
    """The first names and the last one, for a message."""
    more = f", .. {clean(names[-1])}" if len(names) > 4 else ""
    return ", ".join(map(clean, names[: 3 if more else 4])) + more
