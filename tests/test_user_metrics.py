"""Metrics of the user: what the configuration may say, what the function may return, and what identifies it."""

import dataclasses
import hashlib
import importlib
import json
import math
import sys

import keras  # noqa: F401 - while tests are collected, as `pytest_collection_finish` expects
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, cohen_kappa_score, f1_score, r2_score

from fitbench.errors import FitbenchError, RequestError
from fitbench.quantities import from_info
from fitbench.tasks import task_of
from fitbench.user_metrics import from_config, load, redefined

LABELS = np.array([0, 1, 2, 2, 1, 0], np.int32)
OUTPUTS = np.array(
    [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.3, 0.4, 0.3]], np.float32
)
SOURCE = '''
import numpy as np
from sklearn.metrics import cohen_kappa_score

def kappa(targets, outputs, weights=None):
    return cohen_kappa_score(targets, outputs.argmax(axis=1), weights=weights)

def returns(targets, outputs, what):
    return eval(what, {"np": np})

def fails(targets, outputs):
    raise RuntimeError("out of luck\\nand more")

def overwrites(targets, outputs):
    outputs[:] = 0
    return 1.0

def mean_type(targets, outputs):
    return float(outputs.dtype == np.float64)

class Running:
    """As a Keras metric: state, and a result."""
    def __init__(self, scale=1.0):
        self.total, self.scale = 0, scale
    def update_state(self, targets, outputs):
        self.total += len(targets)
    def result(self):
        return np.float32(self.total * self.scale)

class Other:
    pass

constant = 3
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of the user on sys.path; gives its file."""
    file = tmp_path / "mine_for_metrics.py"
    file.write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield file
    sys.modules.pop("mine_for_metrics", None)


def entry(function: str, **settings) -> dict:
    return {"_target_": f"mine_for_metrics.{function}", "direction": "max", **settings}


def test_a_function_of_the_user_scores_a_whole_part(mine):
    metric = load("kappa", entry("kappa", low=-1, high=1, label="Cohen's kappa", digits=3))
    assert metric.evaluate(LABELS, OUTPUTS) == pytest.approx(cohen_kappa_score(LABELS, OUTPUTS.argmax(axis=1)))
    assert (metric.label, metric.low, metric.high, metric.digits) == ("Cohen's kappa", -1, 1, 3)
    assert load("kappa", entry("mean_type")).evaluate(LABELS, OUTPUTS) == 1


def test_other_keys_are_arguments_of_the_function(mine):
    metric = load("kappa", entry("kappa", weights="quadratic"))
    expected = cohen_kappa_score(LABELS, OUTPUTS.argmax(axis=1), weights="quadratic")
    assert metric.evaluate(LABELS, OUTPUTS) == pytest.approx(expected)


def test_a_class_with_update_state_is_fed_the_whole_part_anew_each_time(mine):
    metric = load("running", entry("Running", scale=0.5))
    assert [metric.evaluate(LABELS, OUTPUTS) for _ in range(2)] == [3, 3]


def test_nothing_is_imported_to_check_an_entry(mine):
    metric = from_config("kappa", entry("kappa"))
    assert "mine_for_metrics" not in sys.modules
    assert metric.score is None
    with pytest.raises(ValueError, match="kappa has not been loaded"):
        metric.info()


def test_without_an_entry_the_metric_is_one_of_fitbench():
    assert from_config("macro_f1", None).definition == load("macro_f1", None).definition == "fitbench.macro_f1"


@pytest.mark.parametrize(("what", "expected"), [("np.nan", None), ("None", None), ("np.inf", None), ("3", 3.0)])
def test_nan_and_none_are_undefined(mine, what, expected):
    assert load("own", entry("returns", what=what)).evaluate(LABELS, OUTPUTS) == expected


@pytest.mark.parametrize("what", ["'0.5'", "True", "np.zeros(6)", "[0.5]", "{}", "1j"])
def test_what_is_no_number_is_refused(mine, what):
    with pytest.raises(FitbenchError, match=r"metrics\.own: mine_for_metrics\.returns failed: .*; expected one number"):
        load("own", entry("returns", what=what)).evaluate(LABELS, OUTPUTS)


def test_a_function_that_fails_is_named(mine):
    with pytest.raises(FitbenchError, match=r"metrics\.own: mine_for_metrics\.fails failed: out of luck;"):
        load("own", entry("fails")).evaluate(LABELS, OUTPUTS)


def test_a_function_cannot_change_what_others_score(mine):
    outputs = OUTPUTS.astype(np.float64)
    with pytest.raises(FitbenchError, match="read-only"):
        load("own", entry("overwrites")).evaluate(LABELS, outputs)
    assert np.array_equal(outputs, OUTPUTS.astype(np.float64))
    assert outputs.flags.writeable


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("kappa", {"_target_": "mine_for_metrics.kappa"}, r"metrics\.kappa\.direction is missing; expected max or min"),
        ("kappa", entry("kappa", direction="up"), r"direction is 'up'; expected max or min"),
        ("kappa", entry("kappa") | {"_target_": "kappa"}, r"_target_ is 'kappa'; expected a dotted name"),
        ("kappa", entry("kappa") | {"_target_": 3}, r"_target_ is 3; expected a dotted name"),
        ("kappa", entry("kappa", low=1, high=0), r"low is 1 and high is 0; expected low below high"),
        ("kappa", entry("kappa", low=math.nan), "metrics.kappa: .*; expected finite numbers"),
        ("kappa", entry("kappa", low="0"), r"low is '0'; expected a number or null"),
        ("kappa", entry("kappa", digits=-1), r"digits is -1; expected a whole number"),
        ("kappa", entry("kappa", proportion=True), r"proportion is true, but the range is -inf to inf"),
        ("kappa", entry("kappa", label="a\nb"), r"label is 'a\\nb'; expected a short text"),
        ("kappa", entry("kappa", own={1, 2}), r"metrics\.kappa: .* not JSON serializable"),
        ("kappa", "mine_for_metrics.kappa", r"expected a section with _target_ and direction"),
        ("val_kappa", entry("kappa"), r"not one that begins with train_, val_, test_"),
        ("seconds", entry("kappa"), r"expected a name other than epoch"),
        ("a-b", entry("kappa"), r"expected a name of at most 60 letters"),
        ("accuracy", entry("kappa"), r"fitbench has a metric of this name"),
        ("top_7_accuracy", entry("kappa"), r"fitbench has a metric of this name"),
        ("kapa", None, r"there is no metric 'kapa'"),
    ],
)
def test_a_wrong_entry_is_refused_before_anything_is_imported(mine, name, values, message):
    with pytest.raises(RequestError, match=message):
        from_config(name, values)
    assert "mine_for_metrics" not in sys.modules


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (entry("kapa"), r"mine_for_metrics\.kapa: module mine_for_metrics has no 'kapa'; did you mean kappa\?$"),
        (entry("kappa") | {"_target_": "nowhere_at_all.kappa"}, r"No module named 'nowhere_at_all'; .* on PYTHONPATH"),
        (entry("constant"), "which is an object of the type int; it must be a function"),
        (entry("Other"), "neither a function nor the class of a Keras metric"),
        (entry("kappa", weihgts="linear"), r"cannot be called with targets, outputs, weihgts: .*'weihgts'"),
        (entry("Running", scael=2), r"cannot be called with scael: .*'scael'"),
    ],
)
def test_a_target_that_does_not_fit_is_refused_before_training(mine, values, message):
    with pytest.raises(RequestError, match=message):
        load("own", values)


def test_a_module_that_does_not_run_is_refused(mine):
    mine.write_text("raise OSError('no such disk')")
    with pytest.raises(RequestError, match="cannot be loaded: OSError: no such disk"):
        load("own", entry("kappa"))


# -- every task -------------------------------------------------------------------------------------------------------

VALUES = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
PREDICTED = VALUES + np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)
SEVERAL = (VALUES > 0).astype(np.int8)
PROBABILITIES = (1 / (1 + np.exp(-PREDICTED))).astype(np.float32)


@pytest.mark.parametrize(
    ("task", "target", "settings", "expected"),
    [
        ("regression", "sklearn.metrics.median_absolute_error", {},
         np.median(np.abs(PREDICTED - VALUES), axis=0).mean()),
        ("regression", "keras.metrics.MeanAbsoluteError", {}, np.abs(PREDICTED - VALUES).mean()),
        ("regression", "keras.metrics.R2Score", {}, r2_score(VALUES, PREDICTED)),
        ("multilabel", "sklearn.metrics.average_precision_score", {"average": "micro"},
         average_precision_score(SEVERAL.ravel(), PROBABILITIES.ravel())),
        ("multilabel", "keras.metrics.BinaryAccuracy", {}, np.mean((PREDICTED > 0) == SEVERAL)),
        ("multilabel", "keras.metrics.F1Score", {"average": "macro", "threshold": 0.3},
         f1_score(SEVERAL, PROBABILITIES > 0.3, average="macro")),
    ],
)  # fmt: skip
def test_functions_of_scikit_learn_and_metrics_of_keras_score_every_task(task, target, settings, expected):
    metric = load("own", {"_target_": target, "direction": "max", **settings})
    targets, outputs = (VALUES, PREDICTED) if task == "regression" else (SEVERAL, PROBABILITIES)
    scores = task_of(task).score([metric], targets, outputs, threshold=0.9)  # which is not for metrics of the user's
    assert scores == {"own": pytest.approx(expected, rel=1e-5)}


@pytest.mark.parametrize(
    ("target", "settings", "expected"),
    [
        ("CategoricalAccuracy", {}, 4 / 6),
        ("SparseCategoricalAccuracy", {}, 4 / 6),
        ("F1Score", {"average": "macro"}, f1_score(LABELS, OUTPUTS.argmax(axis=1), average="macro")),
        ("Precision", {}, 1.0),  # of the probabilities above 0.5
        ("Recall", {}, 4 / 6),
        ("OneHotMeanIoU", {"num_classes": 3}, (1 / 3 + 2 / 3 + 1 / 2) / 3),
        ("MeanIoU", {"num_classes": 3, "sparse_y_pred": False}, (1 / 3 + 2 / 3 + 1 / 2) / 3),
    ],
)
def test_metrics_of_keras_get_labels_or_one_hot_rows(target, settings, expected):
    metric = load("own", {"_target_": f"keras.metrics.{target}", "direction": "max", **settings})
    assert metric.evaluate(LABELS, OUTPUTS) == pytest.approx(expected, rel=1e-5)


def test_what_compares_no_outputs_with_targets_is_refused():
    with pytest.raises(RequestError, match=r"keras\.metrics\.Sum, which compares no outputs with targets"):
        load("own", {"_target_": "keras.metrics.Sum", "direction": "max"})


def test_a_metric_of_keras_without_one_value_is_refused():
    metric = load("own", {"_target_": "keras.metrics.F1Score", "direction": "max"})
    with pytest.raises(FitbenchError, match=r"expected one number for targets of shape \(40, 2\)"):
        metric.evaluate(SEVERAL, PROBABILITIES)


# -- what identifies the metric ---------------------------------------------------------------------------------------


def test_the_definition_is_the_target_its_settings_and_its_source(mine):
    digest = hashlib.sha256(SOURCE.encode()).hexdigest()
    definition = f'mine_for_metrics.kappa {{"weights": "linear"}} sha256:{digest}'
    assert load("kappa", entry("kappa", weights="linear")).info()["definition"] == definition
    assert load("kappa", entry("kappa", weights="linear", label="K")).info()["definition"] == definition
    assert load("kappa", entry("kappa")).info()["definition"] != definition


def test_a_definition_of_long_settings_can_be_recorded(mine):
    values = entry("kappa", weights=[[1.5] * 50] * 50)
    definition = load("kappa", values).definition
    call = hashlib.sha256(json.dumps({"weights": values["weights"]}).encode()).hexdigest()
    assert definition == f"mine_for_metrics.kappa sha256:{call} sha256:{hashlib.sha256(SOURCE.encode()).hexdigest()}"
    assert redefined({"kappa": values}, {"kappa": definition}) == ""
    assert "is mine_for_metrics.kappa {}" in redefined({"kappa": entry("kappa")}, {"kappa": definition})
    below = 10_000 - len(load("kappa", entry("kappa", weights="")).definition)
    for extra, length in ((0, 10_000), (1, 166)):
        assert len(load("kappa", entry("kappa", weights="x" * (below + extra))).definition) == length


def test_the_source_is_of_the_module_that_defines_the_function(mine):
    facade = mine.with_name("facade_for_metrics.py")
    facade.write_text("from mine_for_metrics import kappa\n")
    values = entry("kappa") | {"_target_": "facade_for_metrics.kappa"}
    before = load("kappa", values).definition
    assert hashlib.sha256(SOURCE.encode()).hexdigest() in before
    for name in ("mine_for_metrics", "facade_for_metrics"):
        del sys.modules[name]
    mine.write_text(SOURCE + "# changed\n")
    assert load("kappa", values).definition != before
    sys.modules.pop("facade_for_metrics", None)


def test_a_metric_of_the_user_comes_back_from_its_info(mine):
    metric = load("kappa", entry("kappa", low=-1, label="κ", unit="points"))
    assert from_info("kappa", metric.info()) == dataclasses.replace(metric, score=None)
