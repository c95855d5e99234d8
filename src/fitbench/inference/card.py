"""Describes the input of a model as model.json of an export does."""

from __future__ import annotations

from typing import Any

from fitbench.config import Lengths, Missing
from fitbench.kinds import IMAGES, SERIES
from fitbench.record.inputs import Inputs


def input_card(inputs: Inputs, result: dict[str, Any]) -> dict[str, Any]:
    """The name, kind, type and shape of the input of a run's model, and what else readers of new examples need."""
    card: dict[str, Any] = {
        "name": inputs.nouns,
        "kind": inputs.kind,
        "dtype": inputs.dtype,
        "shape": [None, *inputs.shape],
    }
    if inputs.columns:
        from fitbench.data.table_columns import MISSING

        card["columns"] = [column.model_dump(exclude_none=True) for column in inputs.columns]
        card["missing"] = sorted(MISSING)
        card["replace_missing"] = replaces_missing(result)
    if inputs.kind == IMAGES:
        card["max_value"] = white_of(result)
    if inputs.kind == SERIES:
        card["lengths"] = lengths_of(result)
    if inputs.vocabulary is not None:
        card["vocabulary"] = inputs.vocabulary
    return card


def lengths_of(result: dict[str, Any]) -> str | None:
    """How series of other lengths are interpolated, `data.lengths` of a run; None: they are refused."""
    value = result["config"]["data"].get("lengths")
    return Lengths(value).value if value in tuple(Lengths) else None


def white_of(result: dict[str, Any]) -> float | None:
    """Return the value of white in the files of a run's data, `data.max_value`; None for that of the format."""
    value = result["config"]["data"].get("max_value")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def replaces_missing(result: dict[str, Any]) -> bool:
    """Whether the data of a run have `data.missing=mean`, so that a mean stands for any missing number."""
    return result["config"]["data"].get("missing") == Missing.mean.value
