"""`fitbench evaluate GROUP.. --out-of-fold`: the metrics of out-of-fold predictions, and the predictions as CSV."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np

from fitbench.columns import Column, Note, Table, as_csv, column
from fitbench.errors import RequestError
from fitbench.formats import FORMATS, print_as
from fitbench.inference.evaluate import load_metrics
from fitbench.inference.out_of_fold import OutOfFold, averaged, read_out_of_fold
from fitbench.inference.outputs import check_new
from fitbench.metrics import Metric
from fitbench.record.files import check_suffix, write_whole, writing
from fitbench.record.run_group import find_group
from fitbench.stderr import write_note
from fitbench.text import check_format, clean, counted, number

SUFFIX = "-out-of-fold.csv"  # of the file in the folder of the study
NOTE = Note("Each training example is predicted by the model of the fold that held it back.")
OUT_OF_FOLD, TEST = "out_of_fold", "test"

Values = Mapping[str, float | None]


@dataclass(frozen=True)
class Score:
    """A row of the table.

    Attributes:
        group: the name of the group.
        label: which predictions were scored.
        part: 'out_of_fold' or 'test'.
        seed: None for several.
        models: whose outputs were averaged for each example.
        examples: that were scored.
        values: the metrics by name; None where they are undefined.
        deviations: their standard deviations over the seeds; empty where `values` are no means.
    """

    group: str
    label: str
    part: str
    seed: int | None
    models: int
    examples: int
    values: Values
    deviations: Values


def evaluate_out_of_fold(
    groups: Sequence[str], outputs: Path, format: str, output: Path | None, force: bool, trust: bool
) -> None:
    """Print the metrics of the out-of-fold predictions of groups of runs, and write the predictions.

    Args:
        groups: see `run_group.find_group`.
        outputs: the folder that is searched for them.
        format: one of `formats.FORMATS`.
        output: the CSV file of the predictions of one group. None: for each group `GROUP-out-of-fold.csv` in the folder
            of its study, which is replaced.
        force: replace `output`.
        trust: import metrics that are the user's own functions.

    Raises:
        RequestError: no group or several groups match, folds have not finished, the groups cannot be compared, or
            `output` has the suffix of another format.
        FitbenchError: a file of a run is damaged, or the predictions cannot be written.
    """
    check_format(format, FORMATS)
    if output is not None:
        if len(groups) > 1:
            raise RequestError(
                f"-o is one file, but there are {len(groups)} groups; leave it out: each has its own then"
            )
        check_suffix("-o", output, (".csv", ""))
        check_new("-o", output, force)
    found = {group.path: group for group in (find_group(text, outputs) for text in groups)}
    all_read = [read_out_of_fold(group) for group in found.values()]
    for other in all_read[1:]:
        _check_comparable(all_read[0], other)
    metrics = {name: metric for each in all_read for name, metric in _metrics(each, trust).items()}
    tables, scores = [], []
    for each in all_read:
        of_group = _scores(each, metrics)
        scores += of_group
        tables.append(Table(_title(each), _columns(of_group, metrics), [NOTE]))
    for each in all_read:
        path = output or each.group.study / f"{each.group.name}{SUFFIX}"
        with writing(path):
            write_whole(path, predictions_csv(each))
        write_note(f"wrote {clean(path)}")
    print_as(format, tables, _columns(scores, metrics))


def _check_comparable(first: OutOfFold, other: OutOfFold) -> None:
    """Refuse groups whose metrics are of different examples or outputs."""
    for what, of in (
        ("data (SHA-256)", lambda each: each.data_sha256[:8]),
        ("number of folds", lambda each: each.folds),
        ("task", lambda each: each.task.name),
        ("names of outputs", lambda each: ", ".join(each.names)),
    ):
        if of(first) != of(other):
            raise RequestError(
                f"{first.group.path} and {other.group.path} differ in the {what}: {of(first)!s:.80} and "
                f"{of(other)!s:.80}; evaluate them in two commands"
            )


def _metrics(each: OutOfFold, trust: bool) -> dict[str, Metric]:
    """The metrics of a group that are computed from predictions."""
    loaded = load_metrics(each.config, each.task, trust)
    return {name: metric for name, metric in loaded.items() if metric.score is not None}


# -- the scores -------------------------------------------------------------------------------------------------------


def _scores(each: OutOfFold, metrics: Mapping[str, Metric]) -> list[Score]:
    """The rows of a group: each seed, their mean, the mean of their outputs, and all models on the test part."""

    def values(targets: np.ndarray, outputs: np.ndarray) -> Values:
        return each.task.score(metrics.values(), targets, outputs, each.threshold)

    def score(label: str, part: str, seed: int | None, models: int, of: Values, deviations: Values) -> Score:
        examples = len(each.targets if part == OUT_OF_FOLD or each.test_targets is None else each.test_targets)
        return Score(each.group.name, label, part, seed, models, examples, of, deviations)

    seeds = len(each.by_seed)
    of_seeds = {seed: values(each.targets, outputs) for seed, outputs in each.by_seed.items()}
    rows = [score(f"seed {seed}", OUT_OF_FOLD, seed, 1, of, {}) for seed, of in of_seeds.items()]
    if seeds > 1:
        means = _over_seeds(statistics.fmean, of_seeds.values())
        deviations = _over_seeds(statistics.stdev, of_seeds.values())
        rows.append(score(f"mean over {seeds} seeds", OUT_OF_FOLD, None, 1, means, deviations))
        of_all = values(each.targets, averaged(list(each.by_seed.values())))
        rows.append(score("seeds averaged", OUT_OF_FOLD, None, seeds, of_all, {}))
    if each.test_targets is not None and each.test is not None:
        label = f"test, {counted(each.models, 'model')}"
        rows.append(score(label, TEST, None, each.models, values(each.test_targets, each.test), {}))
    return rows


def _over_seeds(statistic: Callable[[list[float]], float], of_seeds: Collection[Values]) -> Values:
    """A statistic of each metric over the seeds; None where the metric is undefined for one of them."""
    found: dict[str, float | None] = {}
    for name in next(iter(of_seeds)):
        values = [of[name] for of in of_seeds]
        defined = [value for value in values if value is not None]
        found[name] = statistic(defined) if len(defined) == len(values) else None
    return found


# -- the table --------------------------------------------------------------------------------------------------------


def _title(each: OutOfFold) -> str:
    examples, seeds = counted(len(each.targets), "training example"), counted(len(each.by_seed), "seed")
    return f"{each.group.name}: out-of-fold predictions of {examples}, {each.folds} folds, {seeds}"


def _columns(scores: Sequence[Score], metrics: Mapping[str, Metric]) -> list[Column]:
    """A column for what was scored, and one for each metric, with its deviation where there is one.

    A terminal that is too narrow drops the last metrics.
    """
    about = {key: attrgetter(key) for key in ("group", "label", "part", "seed", "models", "examples")}
    columns = [column("predictions", scores, attrgetter("label"), about, right=False, key=True)]
    for place, (name, metric) in enumerate(metrics.items()):
        values = {
            name: [score.values[name] for score in scores],
            f"{name}_sd": [score.deviations.get(name) for score in scores],
        }
        cells = [_cell(score, metric) for score in scores]
        columns.append(Column(metric.label, cells, spare=place or None, values=values))
    return columns


def _cell(score: Score, metric: Metric) -> str:
    deviation = score.deviations.get(metric.name)
    spread = "" if deviation is None else f" ± {number(deviation, metric.digits)}"
    return f"{number(score.values[metric.name], metric.digits)}{spread}"


# -- the predictions --------------------------------------------------------------------------------------------------


def predictions_csv(each: OutOfFold) -> str:
    """The out-of-fold predictions as CSV: a line for each seed and training example, in full precision.

    The columns are seed, fold, row (of the file) or example (of the training arrays, from 0), and those of
    `Task.compared`.
    """
    parts = []
    for seed, outputs in each.by_seed.items():
        count = len(each.targets)
        parts.append(
            {"seed": [seed] * count, "fold": each.fold.tolist(), each.place_name: each.places.tolist()}
            | each.task.compared(each.names, each.targets, outputs, each.threshold)
        )
    values = {name: [cell for part in parts for cell in part[name]] for name in parts[0]}
    return as_csv([Column("", [], values=values)])
