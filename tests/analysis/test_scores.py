import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from fitbench import metrics
from fitbench.analysis import drawings, scores
from fitbench.record.reading import Predictions

NAMES = [f"c{i}" for i in range(7)]


@pytest.fixture
def random_labels():
    """Class 5 is never predicted, class 6 has no images, class 3 neither."""
    random = np.random.default_rng(1)
    labels = random.choice([0, 1, 2, 4, 5], 400)
    predicted = np.where(random.random(400) < 0.6, labels, random.choice([0, 1, 2, 4, 6], 400))
    predicted[predicted == 5] = 0
    return labels, predicted


def test_figures_per_class_are_those_of_scikit_learn(random_labels):
    labels, predicted = random_labels
    matrix = scores.confusion(labels, np.eye(7)[predicted])
    assert (matrix == confusion_matrix(labels, predicted, labels=range(7))).all()
    expected = precision_recall_fscore_support(labels, predicted, labels=range(7), zero_division=np.nan)
    found = scores.per_class(matrix, NAMES)
    for key, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        ours = np.array([score[key] for score in found], dtype=float)
        np.testing.assert_allclose(ours, values, err_msg=key)
    assert (found[5]["precision"], found[5]["recall"], found[5]["f1"]) == (None, 0.0, 0.0)
    assert (found[6]["precision"], found[6]["recall"], found[6]["support"]) == (0.0, None, 0)
    assert found[3] == {"class": "c3", "precision": None, "recall": None, "f1": None, "support": 0}


def test_there_is_no_mean_over_the_classes_if_one_has_no_example(random_labels):
    """A mean over fewer classes is another quantity; the metrics macro_f1 and so on have no value either."""
    labels, predicted = random_labels
    classes = scores.per_class(scores.confusion(labels, np.eye(7)[predicted]), NAMES)
    assert scores.macro_average(classes) == {"precision": None, "recall": None, "f1": None}
    assert metrics.get("macro_f1").evaluate(labels, np.eye(7)[predicted]) is None


def test_the_means_are_those_of_the_metrics():
    labels, predicted = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])  # the last class is never predicted
    means = scores.macro_average(scores.per_class(scores.confusion(labels, np.eye(3)[predicted]), NAMES[:3]))
    for key in ("precision", "recall", "f1"):
        assert means[key] == pytest.approx(metrics.get(f"macro_{key}").evaluate(labels, np.eye(3)[predicted]))


def test_the_most_confused_pairs_come_first_and_right_answers_never():
    matrix = np.array([[90, 6, 4], [0, 50, 0], [9, 0, 1]])
    assert scores.confused_pairs(matrix, ["a", "b", "c"], 5) == [
        {"true": "c", "predicted": "a", "count": 9, "share": 0.9},
        {"true": "a", "predicted": "b", "count": 6, "share": 0.06},
        {"true": "a", "predicted": "c", "count": 4, "share": 0.04},
    ]


def test_mistakes_are_ordered_by_confidence_with_nan_last():
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [np.nan, np.nan], [0.2, 0.8], [0.9, 0.1]])
    labels = np.array([1, 0, 1, 1, 1])
    assert scores.mistakes(labels, probabilities).tolist() == [1, 4, 0, 2]


def test_examples_with_nan_are_mistakes_and_are_read_as_no_class():
    probabilities = np.array([[np.nan, np.nan], [0.9, 0.1], [0.2, np.nan]])
    labels = np.array([0, 0, 1])
    assert scores.mistakes(labels, probabilities).tolist() == [0, 2]
    assert scores.confusion(labels, probabilities).tolist() == [[1, 0], [0, 0]]
    found = Predictions(labels, probabilities, "0" * 64)
    drawn = drawings.DRAWINGS["mistakes"].content(found, ["a", "b"], 0.5)["mistakes"]
    assert [(mistake["true"], mistake["predicted"], mistake["probability"]) for mistake in drawn] == [
        ("a", None, None),
        ("b", None, None),
    ]
    per_class, *_ = drawings.DRAWINGS["confusion"].tables(found, ["a", "b"], 0.5)
    assert [note.text for note in per_class.notes] == ["left out: 2 examples with NaN among the probabilities"]
