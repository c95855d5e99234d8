"""The configuration of each row of a table, composed by Hydra."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from fitbench import metrics, selection, user_metrics
from fitbench.composition import Composer
from fitbench.config import Config, config_id, plain
from fitbench.config.errors import did_you_mean, located
from fitbench.config.identity import differing_path
from fitbench.config.nested import keys_of
from fitbench.errors import RequestError
from fitbench.metrics import Metric
from fitbench.tables import explaining
from fitbench.tables.definition import FILE, Row, Table


def configurations(table: Table, outputs: Path) -> dict[str, Config]:
    """The configuration of each measured row by its label, with the row's first seed and, with folds, the first fold.

    Raises:
        RequestError: a configuration is wrong, lacks a key of `chosen`, or differs from that of the row that explains
            it in more than it may; the message names the file and the row.
    """
    composer = Composer(table.config_dirs)
    composed: dict[str, Config] = {}
    for row in table.configurations:
        of_run = [f"study={table.study}", *([] if row.folds is None else ["fold=0"])]
        names = [measure.metric.name for measure in table.measures_of(row.label)]
        try:
            config = composer.configuration([*table.overrides_of(row), *of_run])
            if config.training.callbacks:  # what they watch is a part of the identity
                config = composer.configuration([*overrides_of_runs(table, row, config, names), *of_run])
        except RequestError as error:
            place = "overrides" if str(error) == composer.refusal(table.overrides) else f"row {row.label!r}"
            raise RequestError(f"{table.folder / FILE}: {place}: {error}") from error
        with located(f"{table.folder / FILE}: row {row.label!r}"):
            for measure in table.measures_of(row.label):
                _check_metric(measure.metric, config)
            _check_chosen(row, config)
        composed[row.label] = config.model_copy(update={"outputs": str(outputs), "seed": row.seeds[0]})
    if table.matrix is not None:
        _check_cells(table, composed)
    _check_paths(table, composed)
    with located(str(table.folder / FILE)):
        explaining.check_configurations(table, composed)
    return composed


def overrides_of_runs(table: Table, row: Row, config: Config, names: Iterable[str]) -> list[str]:
    """The overrides of a row's runs, which record these metrics; `loss` is always recorded.

    Args:
        table: the table.
        row: one of its rows.
        config: the configuration of the row, with the metrics or without.
        names: of the metrics.
    """
    task = config.known_task
    selected = config.metrics if task is None else selection.resolved(config.metrics, task)
    by_default = selected.keys() - config.metrics.keys()
    wanted = [name for name in dict.fromkeys(names) if name != "loss" and name not in by_default]
    added = [f"metrics.{name}=null" for name in wanted if config.metrics.get(name) is None]
    return [*table.overrides_of(row), *added]


def _check_cells(table: Table, configurations: Mapping[str, Config]) -> None:
    """Refuse two cells of a matrix that have the same configuration."""
    cells: dict[str, str] = {}
    for label, config in configurations.items():
        if (other := cells.setdefault(config_id(config), label)) != label:
            raise RequestError(
                f"{table.folder / FILE}: matrix: {other!r} and {label!r} have the same configuration; each line and "
                "each column needs overrides that make it another"
            )


def _check_paths(table: Table, configurations: Mapping[str, Config]) -> None:
    """Refuse two rows of which one would show the runs of the other, because they differ in a path alone."""
    first: dict[str, str] = {}
    for label, config in configurations.items():
        other = first.setdefault(config_id(config), label)
        if key := differing_path(configurations[other], config):
            raise RequestError(
                f"{table.folder / FILE}: {other!r} and {label!r} differ in {key} alone, which is no part of a run's "
                "identity, so they would share their runs; set data.name=NAME in one of them"
            )


def _check_chosen(row: Row, config: Config) -> None:
    """Refuse a key of `chosen` that the configuration does not have."""
    keys = list(keys_of(plain(config)))
    for key, _ in row.chosen:
        if key not in keys:
            hint = did_you_mean(key, keys)
            raise RequestError(f"chosen has {key!r}; the configuration of this row has no such key{hint}")


def _check_metric(metric: Metric, config: Config) -> None:
    """Refuse the configuration of a row that does not have the table's metric.

    It may be a metric of another task, or one of the user's that is not as the table defines it.
    """
    name, is_supplied = metric.name, metrics.supplied(metric.name) is not None
    entry = config.metrics.get(name)
    if not is_supplied and (entry is None or user_metrics.from_config(name, entry) != metric):
        raise RequestError(f"overrides: metrics.{name} is not as the table defines it; leave it out of the row")
    task = config.known_task
    if task is not None and not metric.is_for(task.name):
        raise RequestError(
            f"metric is {name}, but the task is {task.name}, which has {', '.join(metrics.names_for(task.name))}"
        )
