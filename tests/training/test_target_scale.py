"""The notice about large targets of a regression: where it is given, where not, and how often."""

import numpy as np
import pandas as pd
import pytest

from fitbench.data.loading import load
from fitbench.tasks import task_of
from fitbench.training import measures, notes, target_scale
from fitbench.training.parts import Parts

LOGGER = "fitbench.training.notes"
TEXT = "the target price has mean 456,000 and standard deviation 180,000; training.standardize_targets=true usually"


@pytest.fixture
def parts(configure, tmp_path, monkeypatch):
    """The parts of a table of houses, or of other data, for a configuration that trains on them."""
    monkeypatch.setattr(notes, "_written", set())
    frame = pd.DataFrame({"size": np.arange(40), "rooms": np.arange(40) % 5, "price": [276000.0, 636000.0] * 20})
    for name in ("houses", "others"):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    paths = (f"data.path={tmp_path}/houses.csv", f"data.test_path={tmp_path}/others.csv")
    table = ("data=csv", *paths, "data.target=price", "task=regression")

    def of(*overrides, data=table):
        config = configure("model=mlp", *data, *overrides)
        found = load(config.data, config.task)
        return Parts.of(config, found, measures.of(config, task_of(found.task)))

    return of


def records_of(caplog):
    """The notes that were logged. Other loggers also record where an earlier test raised the level of all."""
    return [record for record in caplog.records if record.name == LOGGER]


def test_large_targets_are_noticed_in_each_log_and_once_on_stderr(parts, caplog, capsys):
    caplog.set_level("INFO", LOGGER)
    capsys.readouterr()
    for seed in (0, 1):
        target_scale.notice(parts(f"seed={seed}"))
    assert [record.message[: len(TEXT)] for record in records_of(caplog)] == [TEXT, TEXT]
    assert capsys.readouterr().err.count(TEXT) == 1


@pytest.mark.parametrize(
    "overrides",
    [
        ["training.standardize_targets=true"],
        ["training.loss={_target_: keras.losses.LogCosh}"],
        ["data.target=rooms", "data.drop=[price]"],
    ],
)
def test_nothing_is_noticed_where_it_would_not_help(parts, caplog, overrides):
    caplog.set_level("INFO", LOGGER)
    target_scale.notice(parts(*overrides))
    assert not records_of(caplog)


def test_nothing_is_noticed_of_house_prices_in_thousands_or_of_classes(parts, caplog):
    caplog.set_level("INFO", LOGGER)
    for data in ("boston_housing", "digits"):
        target_scale.notice(parts(data=[f"data={data}"]))
    assert not records_of(caplog)
