"""What makes two searches the same search: space, objectives, seeds, and the configuration of their trials."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fitbench.config import NOT_IDENTITY, OF_ONE_RUN, Config, Series, plain, with_former_names
from fitbench.config.identity import HASHED_AS, NEUTRAL
from fitbench.config.nested import leaves
from fitbench.tuning.objectives import Objective
from fitbench.tuning.space import Space

# Keys that are newer than some searches, and the value that these had.
OLD = ("data.preprocess", "training.targets")  # newer than some runs, but not than any search
LATER = {"model.embedding": None, "model.init": None, "parent": None} | {
    key: NEUTRAL[key] for key in NEUTRAL if key not in OLD
}
LATER_OF_MODEL = {"simard": "model.init_stddev", "conv_pool": "model.padding"}  # other models always had such a key
NAMED = 6  # differences that a message names at most


def identity(seeds: int, space: Space, config: Config, wanted: Sequence[Objective]) -> dict[str, Any]:
    """The identity of a search as JSON. For an objective of the user's own it has the metric's entry, too.

    Args:
        seeds: how many runs a trial has.
        space: of the search.
        config: what its trials have in common.
        wanted: the objectives.
    """
    names = [objective.metric.name for objective in wanted if objective.metric is not None]
    own = {name: config.metrics[name] for name in names if config.metrics.get(name) is not None}
    parts = {
        "space": space.described(),
        "objective": {objective.name: objective.direction for objective in wanted},
        "seeds": seeds,
        "configuration": _common(config, space),
        **({"metrics": own} if own else {}),
    }
    return json.loads(json.dumps(parts))


def differences(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Where the recorded identity and this one differ, as 'KEY is A there and B here'."""
    old, new = dict(leaves(recorded, lists=False)), dict(leaves(now, lists=False))
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]

    def text(values: dict[str, Any], key: str) -> str:
        return json.dumps(values[key]) if key in values else "absent"

    texts = [f"{key} is {text(old, key)} there and {text(new, key)} here" for key in changed[:NAMED]]
    return texts + [f"and {len(changed) - NAMED} more"] * (len(changed) > NAMED)


def _common(config: Config, space: Space) -> dict[str, Any]:
    """The configuration that the trials have in common, by dotted key, without what the space decides."""
    keys = [parameter.key.replace("/", ".") for parameter in space.parameters]
    excluded = [*keys, *(key for key in NOT_IDENTITY if key not in OF_ONE_RUN)]
    later = LATER | ({"data.steps": None} if isinstance(config.data, Series) else {})  # else it may be an argument
    later |= {LATER_OF_MODEL[name]: None} if (name := config.model["name"]) in LATER_OF_MODEL else {}
    values = plain(config)
    values["model"] = with_former_names(values["model"])  # a search of an earlier version stays the same search
    return {
        key: HASHED_AS[key].get(value, value) if key in HASHED_AS and isinstance(value, str) else value
        for key, value in leaves(values, lists=False)
        if not any(key == other or key.startswith(f"{other}.") for other in excluded)
        and not (key in later and value == later[key])
    }
