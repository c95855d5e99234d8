"""What a tracker is told of a run when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fitbench.text import encodable


def final_values(result: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that a run ends with, by their names in a tracker; those that are null are left out.

    These are the metrics of result.json or pruned.json. Those of the validation part, whose names are in every epoch,
    too, begin with `final_`. Beside them are the number of weights and the seconds of training.

    Args:
        result: what result.json or pruned.json holds.
    """
    timing = result.get("timing") or {}
    values = {f"final_{key}" if key.startswith("val_") else key: value for key, value in result["metrics"].items()}
    values |= {"parameters": result.get("parameters"), "fit_seconds": timing.get("fit_seconds")}
    return {key: value for key, value in values.items() if value is not None}


def final_facts(result: Mapping[str, Any]) -> dict[str, str | None]:
    """Texts that tell how a run was made: data, commit, device, versions, and when it finished; what is unknown lacks.

    Args:
        result: what result.json or pruned.json holds.
    """
    git = result.get("git") or {}
    facts = {
        "data_sha256": (result.get("data") or {}).get("sha256"),
        "git_commit": git.get("commit"),
        "git_dirty": git.get("dirty"),
        "device": result.get("device"),
        "finished_at": result.get("finished_at"),
        **{f"versions.{name}": version for name, version in (result.get("versions") or {}).items()},
    }
    return {encodable(key): encodable(str(value)) for key, value in facts.items() if value is not None}
