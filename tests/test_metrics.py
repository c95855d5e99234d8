"""Every metric against scikit-learn, on random and on real predictions, and where it is undefined."""

import math
import subprocess
import sys
import warnings
from functools import cache

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression

from fitbench import metrics
from fitbench.errors import RequestError
from fitbench.metrics import get
from fitbench.tasks import TASKS, task_of

TOLERANCE = 1e-6


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


@cache
def real_digits() -> tuple[np.ndarray, np.ndarray]:
    images, labels = load_digits(return_X_y=True)
    model = LogisticRegression(tol=0.01, C=0.001).fit(images[:600], labels[:600])
    return labels[600:].astype(np.int32), model.predict_proba(images[600:]).astype(np.float32)


def imbalanced() -> tuple[np.ndarray, np.ndarray]:
    """Real predictions, of which class 0 has all examples, class 1 three, and the others every fifth."""
    labels, probabilities = real_digits()
    kept = (labels == 0) | (np.arange(len(labels)) % 5 == 0) & (labels > 1)
    kept[np.flatnonzero(labels == 1)[:3]] = True
    return labels[kept], probabilities[kept]


def random_classes(seed: int, classes: int, examples: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(classes, size=examples - classes)]).astype(np.int32)
    return labels, softmax(random.normal(size=(examples, classes)) + 1.5 * np.eye(classes)[labels])


def coarse() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities on a grid of eighths, so that many are equal across the examples."""
    random = np.random.default_rng(8)
    labels = np.concatenate([np.arange(4), random.integers(4, size=396)])
    return labels, (random.multinomial(8, [0.25] * 4, size=400) / 8).astype(np.float32)


def never_predicted() -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = random_classes(3, 5, 300)
    probabilities[:, 2] *= 1e-3
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def certain() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of exactly 0 and 1, some of them wrong, which the log loss has to clip."""
    labels, probabilities = random_classes(4, 3, 200)
    return labels, np.eye(3, dtype=np.float32)[probabilities.argmax(axis=1)]


PREDICTIONS = {
    "digits": real_digits(),
    "imbalanced": imbalanced(),
    "three classes": random_classes(0, 3, 500),
    "hundred classes": random_classes(1, 100, 1000),
    "two classes": random_classes(2, 2, 300),
    "equal probabilities": coarse(),
    "never predicted": never_predicted(),
    "certain": certain(),
}


def sklearn_classification(name: str, labels: np.ndarray, probabilities: np.ndarray) -> float:
    outputs = probabilities.astype(np.float64)
    predicted, classes = outputs.argmax(axis=1), np.arange(outputs.shape[1])
    average = {"average": "macro", "labels": classes, "zero_division": 0}
    if name == "roc_auc":
        if len(classes) == 2:
            return sklearn_metrics.roc_auc_score(labels, outputs[:, 1])
        return sklearn_metrics.roc_auc_score(labels, outputs, multi_class="ovr", average="macro", labels=classes)
    return {
        "accuracy": lambda: sklearn_metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": lambda: sklearn_metrics.balanced_accuracy_score(labels, predicted),
        "macro_f1": lambda: sklearn_metrics.f1_score(labels, predicted, **average),
        "macro_precision": lambda: sklearn_metrics.precision_score(labels, predicted, **average),
        "macro_recall": lambda: sklearn_metrics.recall_score(labels, predicted, **average),
        "log_loss": lambda: sklearn_metrics.log_loss(labels, outputs, labels=classes),
    }[name]()


CLASSIFICATION = [name for name, metric in metrics.for_task("classification").items() if metric.score]
REGRESSION = [name for name, metric in metrics.for_task("regression").items() if metric.score]
LABELS = [name for name, metric in metrics.for_task("multilabel").items() if metric.score]


@pytest.mark.parametrize("part", PREDICTIONS)
@pytest.mark.parametrize("name", CLASSIFICATION)
def test_a_metric_of_classification_is_that_of_scikit_learn(name, part):
    labels, probabilities = PREDICTIONS[part]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # float32 probabilities do not sum to 1 in float64; a class is never predicted
        expected = sklearn_classification(name, labels, probabilities)
    assert get(name).evaluate(labels, probabilities) == pytest.approx(expected, abs=TOLERANCE, rel=TOLERANCE)


@pytest.mark.parametrize("part", ["digits", "three classes", "hundred classes"])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_accuracy_is_that_of_scikit_learn(part, k):
    labels, probabilities = PREDICTIONS[part]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of three classes, three are all
        expected = sklearn_metrics.top_k_accuracy_score(
            labels, probabilities, k=k, labels=np.arange(probabilities.shape[1])
        )
    assert get(f"top_{k}_accuracy").evaluate(labels, probabilities) == pytest.approx(expected, abs=TOLERANCE)


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    columns, targets = load_diabetes(return_X_y=True)
    return targets[300:], LinearRegression().fit(columns[:300], targets[:300]).predict(columns[300:]).astype(np.float32)


def several_targets() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    targets = random.normal(size=(200, 3)) * [1, 10, 100]
    return targets, (targets + random.normal(size=(200, 3)) * [2, 3, 4]).astype(np.float32)


VALUES = {"diabetes": diabetes(), "several targets": several_targets()}
OF_SKLEARN = {
    "mae": sklearn_metrics.mean_absolute_error,
    "mse": sklearn_metrics.mean_squared_error,
    "rmse": sklearn_metrics.root_mean_squared_error,
    "r2": sklearn_metrics.r2_score,
}


@pytest.mark.parametrize("part", VALUES)
@pytest.mark.parametrize("name", REGRESSION)
def test_a_metric_of_regression_is_that_of_scikit_learn(name, part):
    targets, values = VALUES[part]
    expected = OF_SKLEARN[name](targets, values.astype(np.float64))
    assert get(name).evaluate(targets, values) == pytest.approx(expected, rel=TOLERANCE)


def test_values_in_one_column_are_compared_with_targets_in_none():
    targets, values = VALUES["diabetes"]
    assert get("mae").evaluate(targets, values[:, None]) == get("mae").evaluate(targets, values)
    with pytest.raises(ValueError, match=r"shape \(142,\) and outputs of shape \(142, 2\)"):
        get("mae").evaluate(targets, np.stack([values, values], axis=1))


def test_each_target_has_a_value_of_its_own():
    targets, values = VALUES["several targets"]
    targets = targets.copy()
    targets[:, 1] = 7
    for name, of_sklearn in OF_SKLEARN.items():
        expected = of_sklearn(targets, values.astype(np.float64), multioutput="raw_values").tolist()
        each = getattr(metrics, f"{name}_per_target")(targets, values).tolist()
        if name == "r2":
            assert math.isnan(each.pop(1))  # of a constant target
            expected.pop(1)
        assert each == pytest.approx(expected, rel=TOLERANCE)


# -- several labels ---------------------------------------------------------------------------------------------------


def several_labels(seed: int, labels: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels, each of which applies to this share of 300 examples, and probabilities on a grid, many of them equal."""
    random = np.random.default_rng(seed)
    applies = (random.random((300, labels)) < share).astype(np.int8)
    return applies, np.clip(np.round(random.normal(0.3 + 0.4 * applies, 0.25), 1), 0, 1).astype(np.float32)


def one_rare_label() -> tuple[np.ndarray, np.ndarray]:
    """Of the second label there is one example, which is not found, and of the third all but one."""
    labels, probabilities = several_labels(3, 4, 0.5)
    labels[:, 1:3] = [0, 1]
    labels[17, 1:3] = [1, 0]
    probabilities[:, 1] = 0
    return labels, probabilities


DECISIONS = {
    "even": several_labels(0, 3, 0.5),
    "sparse": several_labels(1, 10, 0.1),
    "two labels": several_labels(2, 2, 0.3),
    "rare label": one_rare_label(),
    "none found": (several_labels(4, 3, 0.4)[0], np.zeros((300, 3), np.float32)),
}


def sklearn_labels(name: str, labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> float:
    found = (probabilities >= threshold).astype(int)
    return {
        "micro_f1": lambda: sklearn_metrics.f1_score(labels, found, average="micro", zero_division=0),
        "macro_f1": lambda: sklearn_metrics.f1_score(labels, found, average="macro", zero_division=0),
        "roc_auc": lambda: sklearn_metrics.roc_auc_score(labels, probabilities, average="macro"),
        "subset_accuracy": lambda: sklearn_metrics.accuracy_score(labels, found),
        "hamming_loss": lambda: sklearn_metrics.hamming_loss(labels, found),
    }[name]()


@pytest.mark.parametrize("threshold", [0.5, 0.3])
@pytest.mark.parametrize("part", DECISIONS)
@pytest.mark.parametrize("name", LABELS)
def test_a_metric_of_several_labels_is_that_of_scikit_learn(name, part, threshold):
    labels, probabilities = DECISIONS[part]
    expected = sklearn_labels(name, labels, probabilities, threshold)
    scores = task_of("multilabel").score([get(name)], labels, probabilities, threshold)
    assert scores == {name: pytest.approx(expected, rel=1e-9)}


@pytest.mark.parametrize("name", LABELS)
def test_a_label_without_an_example_makes_averages_over_labels_undefined(name):
    labels, probabilities = (array.copy() for array in DECISIONS["even"])
    labels[:, 1] = 0
    value = task_of("multilabel").score([get(name)], labels, probabilities)[name]
    assert (value is None) == (name in ("macro_f1", "roc_auc"))


def test_a_label_of_all_examples_has_no_roc_auc():
    labels, probabilities = (array.copy() for array in DECISIONS["even"])
    labels[:, 1] = 1
    scores = task_of("multilabel").score([get("roc_auc"), get("macro_f1")], labels, probabilities)
    assert scores == {
        "roc_auc": None,
        "macro_f1": pytest.approx(sklearn_labels("macro_f1", labels, probabilities, 0.5)),
    }


def test_without_any_label_there_is_no_micro_f1():
    nothing = np.zeros((4, 2), np.int8)
    scores = task_of("multilabel").score(map(get, LABELS), nothing, np.zeros((4, 2), np.float32))
    assert scores == {"macro_f1": None, "roc_auc": None, "micro_f1": None, "subset_accuracy": 1, "hamming_loss": 0}


# -- ties and undefined values ----------------------------------------------------------------------------------------


def test_of_equal_outputs_the_first_counts():
    outputs = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [1 / 3, 1 / 3, 1 / 3]])
    labels = np.array([0, 1, 2])
    assert get("accuracy").evaluate(labels, outputs) == pytest.approx(1 / 3)
    assert get("top_1_accuracy").evaluate(labels, outputs) == pytest.approx(1 / 3)
    assert get("top_2_accuracy").evaluate(labels, outputs) == pytest.approx(2 / 3)
    assert get("top_3_accuracy").evaluate(labels, outputs) == 1


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_a_class_without_examples_makes_averages_over_classes_undefined(name):
    labels, probabilities = PREDICTIONS["digits"]
    kept = labels != 7
    value = get(name).evaluate(labels[kept], probabilities[kept])
    assert (value is None) == (name not in ("accuracy", "log_loss"))


def test_of_one_class_there_is_no_roc_auc():
    assert get("roc_auc").evaluate(np.ones(4, int), np.full((4, 2), 0.5)) is None


@pytest.mark.parametrize(
    ("task", "name"),
    [("classification", name) for name in (*CLASSIFICATION, "top_3_accuracy")]
    + [("regression", name) for name in REGRESSION]
    + [("multilabel", name) for name in LABELS],
)
def test_without_examples_and_with_nan_a_value_is_undefined(task, name):
    part = {"classification": PREDICTIONS["three classes"], "multilabel": DECISIONS["even"]}
    targets, outputs = (array.copy() for array in part.get(task, VALUES["several targets"]))
    assert task_of(task).score([get(name)], targets[:0], outputs[:0]) == {name: None}
    outputs[17, 1] = np.nan
    assert task_of(task).score([get(name)], targets, outputs) == {name: None}


def test_r2_of_a_constant_target_is_undefined_though_rounding_gives_it_a_variance():
    targets = np.full((7, 2), 0.1)
    targets[:, 1] = np.arange(7)
    assert get("r2").evaluate(targets, targets + 1) is None
    assert get("r2").evaluate(targets[:, 1], targets[:, 1]) == 1


def test_an_infinite_error_is_undefined():
    assert get("mae").evaluate(np.zeros(2), np.array([0, np.inf])) is None


def test_targets_and_outputs_are_of_the_same_examples():
    with pytest.raises(ValueError, match="3 targets and outputs of 2 examples"):
        get("accuracy").evaluate(np.zeros(3, int), np.full((2, 2), 0.5))


# -- better and worse -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "better", "worse"), [("accuracy", 0.9, 0.8), ("loss", 0.1, 0.2)])
def test_an_undefined_value_is_never_better(name, better, worse):
    metric = get(name)
    assert metric.is_better(better, worse)
    assert not metric.is_better(worse, better)
    assert not metric.is_better(better, better)
    for undefined in (None, math.nan):
        assert not metric.is_better(undefined, worse)
        assert not metric.is_better(undefined, None)
        assert metric.is_better(worse, undefined)


@pytest.mark.parametrize(("name", "start", "better"), [("accuracy", 0.5, 0.75), ("loss", 0.75, 0.5)])
def test_a_change_of_min_delta_is_no_improvement(name, start, better):
    assert not get(name).is_better(better, start, min_delta=0.25)
    assert get(name).is_better(better, start, min_delta=0.2499)


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("macro_f2", "there is no metric 'macro_f2'; did you mean macro_f1"),
        ("acuracy", "did you mean accuracy"),
        ("top_0_accuracy", "did you mean top_5_accuracy"),
        ("top_03_accuracy", "did you mean top_5_accuracy"),
        ("zzz", "there are accuracy, balanced_accuracy, macro_f1"),
    ],
)
def test_an_unknown_metric_is_refused_with_the_nearest(name, message):
    with pytest.raises(RequestError, match=message):
        get(name)


def test_every_entry_states_what_it_is():
    for name, metric in {name: metric for task in TASKS for name, metric in metrics.for_task(task).items()}.items():
        assert metric.name == name
        assert metric.label
        assert metric.low < metric.high
        assert metric.definition == f"fitbench.{name}"
        assert not metric.proportion or (metric.low, metric.high) == (0, 1)
    assert set(metrics.for_task("classification")) & set(metrics.for_task("regression")) == {"loss"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("val_macro_f1", ("val", "macro_f1")),
        ("test_top_3_accuracy", ("test", "top_3_accuracy")),
        ("train_loss", ("train", "loss")),
        ("loss", (None, "loss")),
        ("top_3_accuracy", (None, "top_3_accuracy")),
        ("validity", (None, "validity")),
        ("val_", (None, "val_")),
    ],
)
def test_a_recorded_name_is_a_part_and_a_metric(name, expected):
    assert metrics.split(name) == expected


def test_neither_metrics_nor_tasks_import_keras_or_scikit_learn():
    code = (
        "import sys, fitbench.metrics, fitbench.user_metrics, fitbench.quantities, fitbench.tasks; "
        "print([name for name in ('keras', 'tensorflow', 'jax', 'sklearn', 'pandas', 'scipy') if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert finished.stdout == "[]\n"
