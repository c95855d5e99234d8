"""What recorded runs say of their metrics, hostile files included, and the columns that come of it."""

import json
import math

import pytest

from fitbench import metrics
from fitbench.errors import FitbenchError, RequestError
from fitbench.quantities import find, from_info, of_schema_1, quantities

INFO = metrics.get("macro_f1").info()
KAPPA = {**INFO, "label": "kappa", "range": [-1, 1], "definition": "mine.kappa {} sha256:00"}


@pytest.mark.parametrize(
    "name", [*metrics.for_task("classification"), *metrics.for_task("regression"), "top_3_accuracy"]
)
def test_a_metric_comes_back_from_its_info(name):
    info = json.loads(json.dumps(metrics.get(name).info(), allow_nan=False))
    metric = from_info(name, info)
    assert metric.info() == info
    assert metric.score is None
    for attribute in ("direction", "low", "high", "label", "digits", "unit", "proportion", "definition"):
        assert getattr(metric, attribute) == getattr(metrics.get(name), attribute)


def test_a_result_of_schema_1_has_accuracy_and_loss():
    found = {name: from_info(name, info) for name, info in of_schema_1().items()}
    assert {name: metric.direction for name, metric in found.items()} == {"accuracy": "max", "loss": "min"}


@pytest.mark.parametrize(
    ("name", "info", "message"),
    [
        ("f1", [], r"metric_info\.f1 is \[\]; expected direction, range and definition"),
        ("f1", None, "expected direction"),
        ("f1", INFO | {"direction": "up"}, r"metric_info\.f1\.direction is 'up'; expected max or min"),
        ("f1", INFO | {"direction": ["max"]}, "expected max or min"),
        ("f1", INFO | {"range": None}, r"range is None; expected \[low, high\]"),
        ("f1", INFO | {"range": [0, 1, 2]}, r"range is \[0, 1, 2\]"),
        ("f1", INFO | {"range": [1, 0]}, "low is 1 and high is 0"),
        ("f1", INFO | {"range": [math.nan, 1]}, "low is nan; expected a number or null"),
        ("f1", INFO | {"range": [0, 10**400]}, r"high is 1000.*; expected a number or null"),
        ("f1", INFO | {"range": [False, True]}, "low is False; expected a number"),
        ("f1", INFO | {"label": "\x1b[31mred"}, r"label is '\\x1b\[31mred'; expected a short text"),
        ("f1", INFO | {"label": "x" * 1000}, "expected a short text"),
        ("f1", INFO | {"label": " "}, "expected a short text"),
        ("f1", INFO | {"unit": 3}, "unit is 3; expected a short text"),
        ("f1", INFO | {"digits": 1000}, "digits is 1000; expected a whole number, 0 to 12"),
        ("f1", INFO | {"digits": True}, "digits is True"),
        ("f1", INFO | {"proportion": "yes"}, "proportion is 'yes'; expected true or false"),
        ("f1", INFO | {"definition": ""}, "definition is ''; expected a text"),
        ("f1", {key: value for key, value in INFO.items() if key != "definition"}, "definition is None"),
        ("a\x1b[2J", INFO, r"'metric_info\.a\\x1b\[2J': expected a name"),
        ("test_f1", INFO, "not one that begins with train_, val_, test_"),
        ("best_epoch", INFO, "expected a name other than"),
    ],
)
def test_a_hostile_info_is_refused(name, info, message):
    with pytest.raises(FitbenchError, match=message) as raised:
        from_info(name, info)
    assert str(raised.value).isprintable()
    assert raised.value.exit_status == 1


def test_what_a_later_version_adds_is_ignored():
    assert from_info("macro_f1", INFO | {"colour": "red"}) == from_info("macro_f1", INFO)


# -- columns ----------------------------------------------------------------------------------------------------------


def test_each_metric_has_a_column_in_each_part():
    columns = quantities([of_schema_1(), {"kappa": KAPPA}])
    assert set(columns) == {
        *(f"metrics.{part}_{name}" for part in ("train", "val", "test") for name in ("accuracy", "loss", "kappa")),
        *("metrics.best_epoch", "metrics.epochs", "timing.fit_seconds", "timing.seconds", "parameters"),
        "timing.examples_per_second",
    }
    kappa = columns["metrics.val_kappa"]
    assert (kappa.name, kappa.label, kappa.part, kappa.metric) == ("val_kappa", "validation kappa", "val", "kappa")
    assert (kappa.low, kappa.high, kappa.higher_is_better) == (-1, 1, True)
    assert columns["metrics.test_accuracy"].proportion
    assert not columns["metrics.test_loss"].higher_is_better
    assert columns["timing.fit_seconds"].unit == "s"


def test_a_quantity_is_found_with_and_without_its_section():
    columns = quantities([of_schema_1()])
    assert find("test_accuracy", columns) is find("metrics.test_accuracy", columns) is columns["metrics.test_accuracy"]
    assert find("parameters", columns).column == "parameters"
    assert find("fit_seconds", columns).column == "timing.fit_seconds"


def test_a_metric_without_a_part_is_that_of_the_test_part():
    columns = quantities([of_schema_1() | {"parameters": KAPPA}])
    assert find("accuracy", columns) is columns["metrics.test_accuracy"]
    assert find("parameters", columns).column == "parameters"  # a column's own name counts first


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("test_acuracy", "do not record a metric 'test_acuracy'; did you mean test_accuracy"),
        ("images_per_second", "did you mean examples_per_second"),
        ("test_macro_f1", "do not record"),
        ("qqq", "there are train_accuracy, val_accuracy, test_accuracy"),
    ],
)
def test_a_quantity_that_no_run_records_is_refused_with_the_nearest(name, message):
    with pytest.raises(RequestError, match=message):
        find(name, quantities([of_schema_1()]))


@pytest.mark.parametrize(
    "other", [{"definition": "mine.kappa {} sha256:01"}, {"direction": "min"}, {"range": [0, 1]}, {"unit": "points"}]
)
def test_different_definitions_under_one_name_are_never_aggregated(other):
    columns = quantities([of_schema_1() | {"kappa": KAPPA}, of_schema_1() | {"kappa": KAPPA | other}])
    with pytest.raises(RequestError, match="test_kappa has different definitions in these runs") as raised:
        find("test_kappa", columns)
    assert "mine.kappa {} sha256:00, max, -1 to 1" in str(raised.value)
    assert find("test_accuracy", columns).name == "test_accuracy"


def test_a_label_and_its_format_may_differ():
    columns = quantities([{"kappa": KAPPA}, {"kappa": KAPPA | {"label": "Cohen", "digits": 2}}])
    assert find("test_kappa", columns).label == "test kappa"


def test_many_runs_with_the_same_metrics_cost_one_check_each():
    recorded = json.dumps(of_schema_1() | {"kappa": KAPPA})
    assert len(quantities(json.loads(recorded) for _ in range(10_000))["metrics.val_kappa"].definitions) == 1
