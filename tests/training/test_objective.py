import keras
import numpy as np
import pytest

from fitbench.training import objective

LABELS = np.array([2, 0, 1, 1], np.int32)
LOGITS = np.array([[0.5, -1, 2], [3, 0, 1], [-2, 0.25, 0], [1, -1, 0]], np.float32)


def value(training) -> float:
    return float(objective.loss(training)(objective.targets(LABELS, 3, training), LOGITS))


def accuracy(training) -> float:
    metric = objective.metric(training)
    metric.update_state(objective.targets(LABELS, 3, training), LOGITS)
    return float(metric.result())


@pytest.mark.parametrize(("targets", "wrong", "right"), [("null", 0, 1), ("[-1,1]", -1, 1), ("[0.1,0.9]", 0.1, 0.9)])
def test_mean_squared_error_is_between_outputs_and_targets(configure, targets, wrong, right):
    training = configure("training.loss=mean_squared_error", f"training.targets={targets}").training
    wanted = np.full((4, 3), wrong, np.float64)
    wanted[np.arange(4), LABELS] = right
    assert objective.targets(LABELS, 3, training) == pytest.approx(wanted)
    assert objective.targets(LABELS, 3, training).dtype == np.float32
    assert value(training) == pytest.approx(((LOGITS - wanted) ** 2).mean(), rel=1e-6)
    assert accuracy(training) == 0.75


def test_binary_cross_entropy_is_the_mean_of_every_class_against_the_rest(configure):
    training = configure("training.loss=binary_cross_entropy").training
    sign = np.where(np.eye(3)[LABELS] == 1, 1, -1)
    assert value(training) == pytest.approx(np.log1p(np.exp(-sign * LOGITS.astype(np.float64))).mean(), rel=1e-6)
    assert accuracy(training) == 0.75


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_of_the_softmax(configure, smoothing):
    training = configure(f"training.label_smoothing={smoothing}").training
    logits = LOGITS.astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    wanted = (1 - smoothing) * np.eye(3)[LABELS] + smoothing / 3
    assert value(training) == pytest.approx(-(wanted * log_p).sum(axis=1).mean(), rel=1e-5)
    assert accuracy(training) == 0.75
    assert objective.targets(LABELS, 3, training).ndim == (2 if smoothing else 1)


def test_metric_is_called_accuracy(configure):
    for loss in ("cross_entropy", "mean_squared_error", "binary_cross_entropy"):
        metric = objective.metric(configure(f"training.loss={loss}").training)
        assert isinstance(metric, keras.metrics.Metric)
        assert metric.name == "accuracy"
