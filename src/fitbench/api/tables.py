"""`fitbench.runs` and `fitbench.compare`: recorded runs as DataFrames."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench.analysis.studies import Which
from fitbench.api.wording import in_python
from fitbench.composition.overrides import shown
from fitbench.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

Names = str | Sequence[str]


@in_python()
def runs(
    *paths: str | os.PathLike[str],
    where: str | None = None,
    study: Names | None = None,
    state: Names | None = None,
    outputs: str | os.PathLike[str] = "outputs",
) -> pd.DataFrame:
    """The recorded runs, one row for each, with the columns of `fitbench.load_runs`, sorted by folder.

    Args:
        paths: folders of runs, or names of studies or runs in `outputs`; default all of `outputs`.
        where: only runs that fit, in Python's grammar, as "model == 'mlp' and test_accuracy > 0.97".
        study: only runs of this study, or of these.
        state: only runs in this state, or in these: finished, failed, pruned, running, interrupted.
        outputs: the folder of the studies.

    Raises:
        RequestError: there are no runs, a path fits none, or the filter, a study or a state does not exist.

    Example:
        >>> fitbench.runs(where="model == 'mlp'", study="widths")
    """
    from fitbench.analysis.frame import load_runs
    from fitbench.analysis.listing import selected, states_of

    which = _which(paths, where, study, outputs)
    states = states_of(_joined("state", state))
    return selected(load_runs(*which.paths), which, states).reset_index(drop=True)


@in_python()
def compare(
    *paths: str | os.PathLike[str],
    by: Names | None = None,
    metric: Names | None = None,
    baseline: str | None = None,
    where: str | None = None,
    study: Names | None = None,
    outputs: str | os.PathLike[str] = "outputs",
) -> pd.DataFrame:
    """Groups of runs compared over their seeds and folds, the best first: what `fitbench compare --format csv` writes.

    Args:
        paths, where, study, outputs: which runs, as in `fitbench.runs`.
        by: the columns that define the groups, as ["model.name", "optimizer.name"]; default the columns that vary.
        metric: any recorded number, as "val_macro_f1"; of several the first ranks. Default: the primary metric on the
            test part, with folds and of searches on the validation part.
        baseline: the group to compare with, as "mlp,adam" or "model=mlp"; default the best.

    Returns:
        a row for each group of each task and data set. Columns: rank (from 1), the keys of the group, n (runs, or with
        folds the folds), mean, sd, low and high (the 95% interval of the mean), best, worst, parameters, fit_seconds,
        task, data, metric, mean_over, counts of runs that are left out, and the difference from the reference:
        difference, difference_low, difference_high (its 95% interval), p, p_holm (corrected for the number of
        comparisons), test, probability_better. What does not exist is missing. `attrs["left_out"]` is a list of
        (folder, reason): what cannot be read.

    Raises:
        RequestError: an argument is wrong, or nothing remains to compare.

    Example:
        >>> fitbench.compare(study="widths", by="model.hidden")[["model.hidden", "n", "mean", "low", "high", "p_holm"]]
    """
    import pandas as pd

    from fitbench.analysis.compare import of_scripts, several
    from fitbench.analysis.comparison import compare_groups
    from fitbench.columns import records

    names = several(_joined("metric", metric))
    which = _which(paths, where, study, outputs)
    compared = compare_groups(which, _joined("by", by), names[0] if names else None, baseline, names[1:])
    columns = of_scripts(compared)
    frame = pd.DataFrame(records(columns), columns=[name for column in columns for name in column.values])
    of_numbers = ("integer", "floating", "mixed-integer-float", "empty")
    for name, column in frame.items():
        if column.dtype.kind == "O" and pd.api.types.infer_dtype(column, skipna=True) in of_numbers:
            frame[name] = column.astype("float64")
    frame.attrs["left_out"] = list(compared[0].left_out)
    return frame


def _which(
    paths: Sequence[str | os.PathLike[str]], where: str | None, study: Names | None, outputs: str | os.PathLike[str]
) -> Which:
    """The runs that are meant: of all studies, unless some are named."""
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            raise RequestError(f"{shown(path)} is no path; several are given as arguments of their own, runs(A, B)")
    if not isinstance(where, str | None):
        raise RequestError(f"where is {shown(where)}; it must be a text, such as \"model == 'mlp'\"")
    named = [os.fspath(path) for path in paths or (outputs,)]
    which = Which(named, where, _joined("study", study)).of_every_study()
    which.check()
    return which.located(Path(outputs))


def _joined(argument: str, names: Names | None) -> str | None:
    """Several names as one text; None stays None, which is not an empty list.

    Raises:
        RequestError: there are none, or they are no texts.
    """
    if names is None or isinstance(names, str):
        return names
    texts = list(names)
    if not texts or not all(isinstance(name, str) for name in texts):
        raise RequestError(f"{argument} is {shown(names)}; it must be a name, or a list of one or more names")
    return ",".join(texts)
