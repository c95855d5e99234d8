import re

import pytest

from fitbench.analysis.names import find_column, short_name
from fitbench.errors import RequestError

NAMES = [
    *("folder", "study", "run_id", "seed", "data.name", "model.name", "model.hidden", "model.depth"),
    *("optimizer.name", "optimizer.learning_rate", "optimizer.schedule.kind", "optimizer.schedule.warmup"),
    *("training.epochs", "training.early_stopping.monitor", "training.early_stopping.patience", "my.learning_rates"),
    *("training.validation", "dataset.validation", "dataset.test"),
    *("metrics.test_accuracy", "metrics.epochs", "timing.seconds", "timing.fit_seconds", "other.depth"),
]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("metrics.test_accuracy", "metrics.test_accuracy"),
        ("test_accuracy", "metrics.test_accuracy"),
        ("epochs", "metrics.epochs"),  # the metric, though training.epochs ends so too
        ("seed", "seed"),
        ("hidden", "model.hidden"),
        ("model", "model.name"),
        ("schedule", "optimizer.schedule.kind"),
        ("early_stopping.monitor", "training.early_stopping.monitor"),
        ("duration", "timing.seconds"),
        ("validation", "training.validation"),  # not the number of validation examples
        ("test", "dataset.test"),
    ],
)
def test_a_column_is_found_by_what_people_call_it(name, meant):
    assert find_column(NAMES, name) == meant


def test_a_name_that_fits_several_columns_is_refused_with_them():
    with pytest.raises(RequestError, match=r"'name' fits 3 columns: data\.name, model\.name, optimizer\.name"):
        find_column(NAMES, "name")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("test_acuracy", "metrics.test_accuracy"),
        ("model.nam", "model.name"),
        ("lerning_rate", "optimizer.learning_rate"),
        ("hiden", "model.hidden"),
    ],
)
def test_an_unknown_column_is_refused_with_the_nearest(name, nearest):
    with pytest.raises(RequestError, match=rf"there is no column '{name}'; did you mean .*{nearest}"):
        find_column(NAMES, name)


def test_a_section_is_refused_with_its_columns():
    names = ["seed", "training.early_stopping.patience", "training.early_stopping.monitor", "training.early_stop"]
    both = "training.early_stopping.patience or training.early_stopping.monitor"
    with pytest.raises(RequestError, match=f"no column 'early_stopping'; did you mean {re.escape(both)}"):
        find_column(names, "early_stopping")


def test_where_no_column_is_near_few_are_named_and_how_many_are_listed():
    with pytest.raises(RequestError, match=r"'zzzzzzzzzz'; fitbench runs --format csv \| head -1 lists them"):
        find_column([f"column{i}" for i in range(100)], "zzzzzzzzzz")
    with pytest.raises(RequestError, match="there are folder, study"):
        find_column(NAMES[:5], "zzzzzzzzzz")


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("model.name", "model"),
        ("optimizer.schedule.kind", "schedule"),
        ("model.hidden", "hidden"),
        ("model.depth", "model.depth"),  # other.depth ends so too
        ("training.epochs", "training.epochs"),
        ("training.validation", "validation"),
        ("dataset.validation", "dataset.validation"),
        ("metrics.test_accuracy", "test_accuracy"),
        ("timing.seconds", "duration"),
    ],
)
def test_a_short_name_finds_its_column_again(name, short):
    assert short_name(NAMES, name) == short
    assert find_column(NAMES, short) == name
