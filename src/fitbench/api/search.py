"""`fitbench.search`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fitbench.analysis.search_record import parted
from fitbench.api.overrides import Folders, Overrides, choice, varied, words_of
from fitbench.api.process import alone
from fitbench.api.request import Request
from fitbench.api.wording import named_data
from fitbench.composition import Composer, beside_hydra
from fitbench.composition.overrides import in_grammar
from fitbench.errors import RequestError
from fitbench.tuning.command import check_installed

if TYPE_CHECKING:
    import pandas as pd

    from fitbench.tuning.search import Conclusion


def search(
    space: Overrides = (),
    /,
    *overrides: Overrides,
    trials: int | None = None,
    objective: str | list[str] | None = None,
    timeout: float | None = None,
    sampler: str | None = None,
    pruner: str | None = None,
    config_dir: Folders | None = None,
    data: Any = None,
    **values: Any,
) -> pd.DataFrame:
    """Search for the best configuration with Optuna: what `fitbench search` does. The same call again resumes.

    Args:
        space: a dict from a key to a text in Hydra's grammar, as "tag(log,interval(1e-4,1e-1))", "interval(0,0.5)" or
            "range(1,5)", or to a list of choices; or texts KEY=SPACE.
        overrides: of all trials, as in `fitbench.train`; "search.KEY=VALUE" sets what is no argument here, as
            "search.seeds=3", and "search=NAME" chooses a file of conf/search.
        trials: how many trials the search has when it is over, those of earlier calls included.
        objective: what is optimised, as "val_accuracy"; or a list. Default: the first metric on the validation part.
        timeout: seconds after which this call begins no more trials.
        sampler: tpe, random, gp or grid.
        pruner: auto, median, hyperband or none.
        config_dir, data: as in `fitbench.train`.
        values: keys of the top level and groups; a list stands for choices. `workers` is the number of processes.

    Returns:
        the trials, the best first and then the others by number. Columns: number (from 0), state (finished, pruned,
        failed, running or interrupted), each objective (float64), each key of the space, epochs, seconds (of the
        trial, unless they are an objective), run_ids (a list), error. `attrs` has best (the overrides of the best
        trial, for `fitbench.train`), study, folder, and importance ({objective: {key: share}}, from ten finished trials
        on). With several objectives the trials of the Pareto front come first.

    Raises:
        RequestError: the request is wrong, or Optuna is not installed; no trial has begun.
        FitbenchError: trial after trial has failed, or the storage does not answer.
        KeyboardInterrupt: Ctrl-C, after the state of the trial was written.

    Example:
        >>> space = {"optimizer.learning_rate": "tag(log,interval(1e-4,1e-1))"}
        >>> trials = fitbench.search(space, model="mlp", trials=10)
        >>> run = fitbench.train(*trials.attrs["best"], seed=1)
    """
    check_installed()
    from fitbench.tuning.search import run_search

    settings = {"trials": trials, "objective": objective, "timeout": timeout, "sampler": sampler, "pruner": pruner}
    several, single = varied(values)
    ended: list[Conclusion] = []
    with alone(), beside_hydra():
        request = Request.of(overrides, config_dir, data, single)
        words = [*request.words, *several, *_space(space), *_settings(settings)]
        paths = []
        if request.arrays is not None:
            of_outputs = [word for word in words if word.startswith("outputs=")]
            paths.append(request.arrays.write(Composer(request.folders).composed_with(of_outputs).outputs))
        with named_data(paths):
            try:
                run_search([*(f"--config-dir={folder}" for folder in request.folders), *words], ended.append)
            except RequestError as error:
                misplaced = [f"{key} is " for key in _misplaced(overrides)]
                if misplaced and str(error).startswith(("there is nothing to search", *misplaced)):
                    raise RequestError(f"{error}; choices are given in the first argument, the space") from error
                raise
    return _frame(ended[0])


def _space(space: Overrides) -> list[str]:
    """The overrides of a space. Texts of a dict are in Hydra's grammar."""
    if not isinstance(space, Mapping):
        return words_of([space], {}, [])
    return [f"{key}={value if isinstance(value, str) else choice(key, value)}" for key, value in space.items()]


def _misplaced(overrides: Sequence[Overrides]) -> list[str]:
    """The keys of lists behind the space, which may be meant as choices."""
    return [
        key
        for each in overrides
        if isinstance(each, Mapping)
        for key, value in each.items()
        if isinstance(value, list | tuple)
    ]


def _settings(settings: Mapping[str, Any]) -> list[str]:
    return [f"search.{key}={in_grammar(value)}" for key, value in settings.items() if value is not None]


def _frame(conclusion: Conclusion) -> pd.DataFrame:
    """The trials as a table."""
    import pandas as pd

    record = conclusion.record
    keys = dict.fromkeys(parted(name)[0] for name in record["space"])
    order = {number: place for place, number in enumerate(record["best"])}
    trials = sorted(record["trials"], key=lambda trial: (order.get(trial["number"], len(order)), trial["number"]))
    rows = []
    for trial in trials:
        chosen = {parted(name)[0]: value for name, value in trial["params"].items()}
        values = trial["values"] or [None] * len(record["objectives"])
        rows.append(  # an objective may have the name seconds, too, and counts then
            {"number": trial["number"], "state": trial["state"], "seconds": _seconds(trial)}
            | {objective["name"]: value for objective, value in zip(record["objectives"], values, strict=False)}
            | {key: chosen.get(key) for key in keys}
            | {"epochs": trial["epochs"], "run_ids": trial["run_ids"], "error": trial["error"]}
        )
    columns = ["number", "state", *(each["name"] for each in record["objectives"]), *keys]
    frame = pd.DataFrame(rows, columns=list(dict.fromkeys([*columns, "epochs", "seconds", "run_ids", "error"])))
    frame = frame.astype({objective["name"]: "float64" for objective in record["objectives"]})
    folder = conclusion.folder
    frame.attrs.update(best=conclusion.best, study=folder.name, folder=str(folder), importance=record["importance"])
    return frame


def _seconds(trial: Mapping[str, Any]) -> float | None:
    return None if None in (trial["began"], trial["ended"]) else trial["ended"] - trial["began"]
