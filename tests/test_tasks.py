"""Classification: what is recorded of a model's outputs and how it is scored."""

import numpy as np
import pytest
from scipy.special import softmax

from fitbench import metrics
from fitbench.errors import RequestError
from fitbench.tasks import TASKS, task_of

TASK = task_of("classification")
LOGITS = np.random.default_rng(0).normal(scale=5, size=(50, 4)).astype(np.float32)
LABELS = np.arange(50, dtype=np.int32) % 4
PROBABILITIES = TASK.recorded(LOGITS, "cross_entropy")


@pytest.mark.parametrize("loss", ["cross_entropy", "mean_squared_error", "binary_cross_entropy"])
def test_probabilities_are_the_softmax_of_the_outputs_whichever_the_loss(loss):
    recorded = TASK.recorded(LOGITS, loss)
    assert recorded.dtype == np.float32
    assert recorded == pytest.approx(softmax(LOGITS.astype(np.float64), axis=1), abs=1e-6)


def test_large_outputs_do_not_overflow():
    assert TASK.recorded(np.array([[1e4, 0, -1e4]], np.float32), "cross_entropy").tolist() == [[1, 0, 0]]


def test_a_model_has_an_output_for_each_class():
    assert TASK.outputs(["cat", "dog", "bird"]) == 3


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


def test_an_unknown_task_is_refused_with_the_nearest():
    with pytest.raises(RequestError, match="there is no task 'clasification'; did you mean classification"):
        task_of("clasification")
