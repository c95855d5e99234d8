"""The tasks: what is recorded of a model's outputs, and how it is scored."""

import itertools

import numpy as np
import pytest
from scipy.special import expit, softmax

from fitbench import metrics, selection
from fitbench.errors import RequestError
from fitbench.tasks import TASKS, best_threshold, decisions, task_of

TASK = task_of("classification")
LOGITS = np.random.default_rng(0).normal(scale=5, size=(50, 4)).astype(np.float32)
LABELS = np.arange(50, dtype=np.int32) % 4
PROBABILITIES = TASK.recorded(LOGITS)

REGRESSION = task_of("regression")
TARGETS = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32)
VALUES = TARGETS + np.random.default_rng(2).normal(size=(50, 2)).astype(np.float32)

MULTILABEL = task_of("multilabel")
SEVERAL = (np.random.default_rng(3).random((50, 3)) < 0.3).astype(np.int8)
OF_LABELS = MULTILABEL.recorded(np.random.default_rng(4).normal(3 * SEVERAL - 2, 2).astype(np.float32))


def test_probabilities_are_the_softmax_of_the_outputs():
    recorded = TASK.recorded(LOGITS)
    assert recorded.dtype == np.float32
    assert recorded == pytest.approx(softmax(LOGITS.astype(np.float64), axis=1), abs=1e-6)


def test_large_outputs_do_not_overflow():
    assert TASK.recorded(np.array([[1e4, 0, -1e4]], np.float32)).tolist() == [[1, 0, 0]]


def test_a_part_is_scored_by_several_metrics():
    wanted = [metrics.get(name) for name in ("accuracy", "macro_f1", "top_2_accuracy")]
    scores = TASK.score(wanted, LABELS, PROBABILITIES)
    assert list(scores) == ["accuracy", "macro_f1", "top_2_accuracy"]
    assert scores["accuracy"] == np.mean(LOGITS.argmax(axis=1) == LABELS)
    few = LABELS < 3
    assert TASK.score(wanted, LABELS[few], PROBABILITIES[few])["macro_f1"] is None


def test_the_default_metrics_are_of_the_task():
    for name, task in TASKS.items():
        assert set(task.default_metrics) <= set(metrics.for_task(name))


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        (LABELS.astype(float), PROBABILITIES, "labels are float64"),
        (LABELS[:-1], PROBABILITIES, r"labels are int32 \(49,\); expected 50 integers"),
        (LABELS, PROBABILITIES[:, :3], r"probabilities are float32 \(50, 3\); expected floats \(50, 4\)"),
        (LABELS, PROBABILITIES.astype(int), "probabilities are int64"),
        (LABELS - 1, PROBABILITIES, "labels are not all from 0 to 3"),
        (LABELS + 1, PROBABILITIES, "labels are not all from 0 to 3"),
    ],
)
def test_predictions_of_other_shapes_are_refused(labels, probabilities, message):
    TASK.check(LABELS, PROBABILITIES, 50, 4)
    with pytest.raises(ValueError, match=message):
        TASK.check(labels, probabilities, 50, 4)


# -- regression -------------------------------------------------------------------------------------------------------


def test_values_are_recorded_as_they_are():
    assert REGRESSION.recorded(VALUES) is VALUES


def test_values_are_scored_in_float64():
    wanted = [metrics.get(name) for name in REGRESSION.default_metrics]
    errors = VALUES.astype(np.float64) - TARGETS
    scores = REGRESSION.score(wanted, TARGETS, VALUES)
    assert list(scores) == ["mae", "rmse", "r2"]
    assert scores["mae"] == np.abs(errors).mean()
    assert scores["rmse"] == np.sqrt((errors**2).mean(axis=0)).mean()


@pytest.mark.parametrize(
    ("targets", "values", "message"),
    [
        (TARGETS[:, 0], VALUES, r"targets are float32 \(50,\); expected floats \(50, 2\)"),
        (TARGETS, VALUES[:49], r"values are float32 \(49, 2\); expected floats \(50, 2\)"),
        (TARGETS.astype(int), VALUES, "targets are int64"),
        (np.where(TARGETS > 1, np.inf, TARGETS), VALUES, "targets are not all finite numbers"),
        (np.where(TARGETS > 1, np.nan, TARGETS), VALUES, "targets are not all finite numbers"),
    ],
)
def test_values_of_other_shapes_are_refused(targets, values, message):
    REGRESSION.check(TARGETS, VALUES * np.float32(np.nan), 50, 2)  # a run that diverged
    with pytest.raises(ValueError, match=message):
        REGRESSION.check(targets, values, 50, 2)


# -- several labels ---------------------------------------------------------------------------------------------------


def test_probabilities_of_labels_are_the_sigmoid_of_the_outputs():
    logits = np.concatenate([np.linspace(-100, 100, 401), [-np.inf, -3e38, -1e-30, 1e-30, 3e38, np.inf]])
    recorded = MULTILABEL.recorded(logits.reshape(-1, 1).astype(np.float32))
    assert recorded.dtype == np.float32
    assert recorded.shape == (407, 1)
    expected = expit(logits.astype(np.float32).astype(np.float64))
    assert recorded[:, 0] == pytest.approx(expected, rel=1e-6, abs=1e-44)  # the least float32 is 1.4e-45
    with np.errstate(all="raise", under="ignore"):
        assert MULTILABEL.recorded(np.array([[-3e38, 0, 3e38]], np.float32)).tolist() == [[0, 0.5, 1]]
    assert np.isnan(MULTILABEL.recorded(np.array([[np.nan]], np.float32))).all()


def test_a_recorded_probability_reaches_the_threshold_that_is_written_like_it():
    hundredths = np.arange(1, 100) / 100
    recorded = hundredths.astype(np.float32)
    assert (recorded < hundredths).any()  # as 0.7, whose nearest float32 is a little less
    for array in (recorded, recorded.astype(np.float64)):
        assert [bool(decisions(array[i], hundredths[i])) for i in range(99)] == [True] * 99
        assert not decisions(array[:-1], hundredths[-1]).any()
    answers = MULTILABEL.answers(["rock", "jazz"], np.zeros((1, 2)), np.array([[0.7, 0.69]], np.float32), 0.7)
    assert answers == [[["rock"], 0.7, 0.69]]


def test_decisions_are_scored_where_a_metric_is_of_decisions_and_probabilities_elsewhere():
    wanted = [metrics.get(name) for name in ("roc_auc", "hamming_loss", "subset_accuracy")]
    lenient, strict = (MULTILABEL.score(wanted, SEVERAL, OF_LABELS, threshold) for threshold in (0.2, 0.8))
    assert lenient["roc_auc"] == strict["roc_auc"] == wanted[0].evaluate(SEVERAL, OF_LABELS)
    assert lenient["hamming_loss"] == np.mean((OF_LABELS >= 0.2) != SEVERAL) != strict["hamming_loss"]
    assert strict["subset_accuracy"] == np.mean(((OF_LABELS >= 0.8) == SEVERAL).all(axis=1))


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        (SEVERAL.astype(np.float32), OF_LABELS, "labels are float32"),
        (SEVERAL[:, 0], OF_LABELS, r"labels are int8 \(50,\); expected integers \(50, 3\)"),
        (SEVERAL, OF_LABELS[:, :2], r"probabilities are float32 \(50, 2\); expected floats \(50, 3\)"),
        (SEVERAL, SEVERAL, "probabilities are int8"),
        (2 * SEVERAL, OF_LABELS, "labels are not all 0 or 1"),
        (SEVERAL - 1, OF_LABELS, "labels are not all 0 or 1"),
        (SEVERAL, 1.5 * OF_LABELS, "probabilities are not all from 0 to 1"),
        (SEVERAL, OF_LABELS - np.float32(0.5), "probabilities are not all from 0 to 1"),
    ],
)
def test_predictions_of_labels_of_other_shapes_are_refused(labels, probabilities, message):
    MULTILABEL.check(SEVERAL, OF_LABELS, 50, 3)
    MULTILABEL.check(SEVERAL.astype(bool), OF_LABELS * np.float32(np.nan), 50, 3)  # a run that diverged
    with pytest.raises(ValueError, match=message):
        MULTILABEL.check(labels, probabilities, 50, 3)


@pytest.mark.parametrize("name", list(TASKS))
def test_predictions_of_no_example_are_refused(name):
    arrays = {"classification": (LABELS, PROBABILITIES, 4), "multilabel": (SEVERAL, OF_LABELS, 3)}
    targets, outputs, width = arrays.get(name, (TARGETS, VALUES, 2))
    with pytest.raises(ValueError, match="not all"):
        task_of(name).check(targets[:0], outputs[:0], 0, width)


# -- the threshold ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["micro_f1", "macro_f1", "subset_accuracy", "hamming_loss"])
def test_the_best_threshold_is_that_of_a_search_through_all_nearest_to_a_half(name, seed):
    random = np.random.default_rng(seed)
    labels = (random.random((40, 3)) < 0.3).astype(np.int8)
    probabilities = np.clip(random.normal(0.2 + 0.3 * labels, 0.2), 0, 1).round(2).astype(np.float32)
    metric, sign = metrics.get(name), -1 if name == "hamming_loss" else 1
    values = {i: sign * MULTILABEL.score([metric], labels, probabilities, i / 100)[name] for i in range(1, 100)}
    equally_good = [i for i, value in values.items() if value == max(values.values())]
    expected = min(equally_good, key=lambda i: (abs(i - 50), i)) / 100
    assert best_threshold(metric, labels, probabilities) == expected


def test_of_two_thresholds_as_far_from_a_half_the_lower_is_chosen():
    labels, probabilities = np.array([[1], [0], [1], [0]]), np.array([[0.495], [0.495], [0.505], [0.505]], np.float32)
    favours = {0.49: 1.0, 0.51: 1.0, 0.5: 0.5}
    metric = metrics.Metric(
        "own", "own", "max", score=lambda _, found: favours[{4: 0.49, 2: 0.5, 0: 0.51}[found.sum()]]
    )
    assert best_threshold(metric, labels, probabilities) == 0.49


def test_without_a_defined_value_the_threshold_is_a_half():
    nothing = np.zeros((4, 2), np.int8)
    assert best_threshold(metrics.get("micro_f1"), nothing, np.full((4, 2), 0.3, np.float32)) == 0.5
    diverged = np.full((4, 2), np.nan, np.float32)
    assert best_threshold(metrics.get("hamming_loss"), nothing, diverged) == 0.5


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(TASKS, 2)))
def test_a_metric_of_another_task_is_refused_with_those_of_the_task(one, other):
    own, foreign = metrics.names_for(one), metrics.names_for(other)
    selection.check({name.replace("_K_", "_5_"): None for name in own}, task_of(one))
    for name in set(foreign) - set(own) - {"top_K_accuracy"}:
        message = rf"{name} is a metric of .*{other}.*, but the task is {one}, which has {', '.join(own)}$"
        with pytest.raises(RequestError, match=message):
            selection.check({name: None}, task_of(one))


def test_an_unknown_task_is_refused_with_the_nearest():
    with pytest.raises(RequestError, match="there is no task 'clasification'; did you mean classification"):
        task_of("clasification")


def test_a_class_is_predicted_where_all_probabilities_are_numbers():
    outputs = np.array([[np.nan, np.nan], [0.25, 0.75]])
    found = task_of("classification").compared(["cat", "dog"], np.array([0, 0]), outputs)
    assert (found["true"], found["predicted"]) == (["cat", "cat"], [None, "dog"])
