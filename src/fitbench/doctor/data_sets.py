"""The data sets that are on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fitbench.doctor.finding import Finding, note, ok, problem
from fitbench.text import first_of


def data_folder(environ: Mapping[str, str]) -> Finding:
    """Whether $FITBENCH_DATA, if it is set, names a folder."""
    named = environ.get("FITBENCH_DATA")
    if not named:
        return ok("FITBENCH_DATA", "not set; only data sets of packages and of Keras are found", path=None)
    if Path(named).is_dir():
        return ok("FITBENCH_DATA", named, path=named)
    have = "is no folder" if Path(named).exists() else "does not exist"
    return problem(
        "FITBENCH_DATA", f"{named} {have}", "name the folder that has mnist/, ucr/, .., or unset it", path=named
    )


def data_sets(answer: Mapping[str, Any]) -> Finding:
    """Which data sets are here.

    Args:
        answer: what `fitbench data --format json` printed, as `found`, or an `error`.
    """
    if error := answer.get("error"):
        text = f"fitbench data fails: {error}"
        if answer.get("late"):
            return note("data sets", text, "the file system of the data sets is slow")
        return problem("data sets", text, "see the packages above, or run fitbench data")
    here = [each["name"] for each in answer["found"] if each["path"]]
    missing = [each["name"] for each in answer["found"] if not each["path"]]
    text = f"here: {first_of(here, 30) or 'none'}"
    if missing:
        text += f"; not here: {first_of(missing, 30)} (fitbench data says how to get them)"
    return ok("data sets", text, here=here, missing=missing)
