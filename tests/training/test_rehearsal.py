"""What would fail at the end of a run is refused before its first epoch."""

import dataclasses
import random
import sys
import types

import keras
import numpy as np
import pytest

from fitbench.data.loading import load
from fitbench.errors import FitbenchError, RequestError
from fitbench.training import measures, rehearsal
from fitbench.training.parts import Parts

OWN = """
import keras
import sklearn.metrics
from keras import layers, ops

FACTOR = 3.0

class Scale(layers.Layer):
    def __init__(self, factor, **settings):
        super().__init__(**settings)
        self.factor = factor

    def call(self, x):
        return x * self.factor

class Holds(layers.Layer):
    def __init__(self, thing):
        super().__init__()
        self.thing = thing

    def call(self, x):
        return x

class Kept(Scale):
    def get_config(self):
        return {**super().get_config(), "factor": self.factor}

class Forgetful(Scale):
    def __init__(self, factor=1.0, **settings):
        super().__init__(factor, **settings)

    def get_config(self):
        return super().get_config()

class Subclassed(keras.Model):
    def __init__(self, outputs, helper):
        super().__init__()
        self.dense = layers.Dense(outputs)

    def call(self, images):
        return self.dense(ops.reshape(ops.cast(images, "float32"), (-1, 64)))

class Noise(layers.Layer):
    def call(self, x):
        return x + keras.random.normal(ops.shape(x))

def helper(x):
    return x * FACTOR

def net(*last):
    images = keras.Input((8, 8, 1), dtype="uint8")
    x = layers.Dense(10)(layers.Flatten()(layers.Rescaling(1 / 255)(images)))
    for layer in last:
        x = layer(x)
    return keras.Model(images, x)

def inner_class():
    class Inner(layers.Layer):
        def call(self, x):
            return x
    return net(Inner())

def fails(targets, outputs):
    return sklearn.metrics.no_such_score(targets, outputs)

def squares(targets, outputs, power=2):
    return ops.mean(ops.abs(targets - outputs) ** power, axis=-1)

def mean_of_batch(targets, outputs):
    return ops.mean(squares(targets, outputs))

def of_classes(targets, outputs):
    return ops.mean(ops.square(targets - outputs), axis=0)

def nothing(targets, outputs):
    return ops.log(-ops.square(squares(targets, outputs)))

def of_labels(targets, outputs):
    return squares(ops.reshape(targets, (-1, 7)), outputs)

class Summed(keras.losses.MeanSquaredError):
    def __init__(self):
        super().__init__(reduction="sum")
"""


@pytest.fixture(scope="module")
def own():
    """A module of the user's that can be imported."""
    module = types.ModuleType("rehearsed")
    sys.modules["rehearsed"] = module
    exec(OWN, vars(module))
    yield module
    del sys.modules["rehearsed"]


@pytest.fixture(scope="module")
def parts_of(composer):
    data = load(composer.configuration(["data=digits"]).data)

    def of(*overrides, names=data.names):
        config = composer.configuration(["data=digits", "model=softmax", "progress=false", *overrides])
        config = config.model_copy(update={"model": {"_target_": "rehearsed.net", "name": "net"}})
        return Parts.of(config, dataclasses.replace(data, names=names), measures.of(config, config.known_task))

    return of


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda own: own.Subclassed(10, object()),
            r"model=net cannot be saved, as the end of a run needs: Object Subclassed was created by passing .* "
            r"must override `get_config\(\)`",
        ),
        (lambda own: own.net(own.Holds(object())), "cannot be saved, as the end of a run needs: Object Holds was"),
        (lambda own: own.net(own.Forgetful(2.0)), "gives other outputs after it is saved and loaded again"),
        (lambda own: own.net(keras.layers.Lambda(own.helper)), "not be used after it is loaded again: .*helper"),
        (
            lambda own: own.net(keras.layers.Lambda(eval("lambda x: x * FACTOR", vars(own)), output_shape=(10,))),
            "not be used after it is loaded again: .*FACTOR",
        ),
        (lambda own: own.inner_class(), "not be used after it is loaded again: Could not locate class 'Inner'"),
    ],
    ids=["subclassed", "no get_config", "forgets a setting", "function", "global", "class in a function"],
)
def test_model_that_could_not_be_used_is_refused(make, message, own, parts_of, tmp_path):
    with pytest.raises(RequestError, match=message) as refused:
        rehearsal.rehearse(parts_of(), make(own), tmp_path)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_model_that_can_be_used_is_taken_and_nothing_is_left_of_the_trial(own, parts_of, tmp_path):
    for made in (own.net(), own.net(own.Scale(2.0), own.Kept(2.0)), own.net(own.Noise())):
        states = random.getstate(), np.random.get_state()[1].tolist()
        rehearsal.rehearse(parts_of(), made, tmp_path)
        assert (random.getstate(), np.random.get_state()[1].tolist()) == states
    assert list(tmp_path.iterdir()) == []


def test_class_whose_name_is_not_text_is_refused(own, parts_of, tmp_path):
    parts = parts_of(names=("caf\udce9", *"123456789"))
    with pytest.raises(RequestError, match=r"data=digits: the name 'caf\\udce9' cannot be recorded, .* not UTF-8"):
        rehearsal.rehearse(parts, own.net(), tmp_path)


def test_users_metric_that_fails_is_told_before_training_without_validation(own, parts_of, tmp_path):
    options = ("training.validation_split=0", "training.early_stopping=null")
    parts = parts_of(*options, "metrics.own={_target_: rehearsed.fails, direction: max}")
    with pytest.raises(FitbenchError, match=r"metrics\.own: rehearsed\.fails failed: .*no_such_score"):
        rehearsal.rehearse(parts, own.net(), tmp_path)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("{_target_: rehearsed.no_loss}", "no_loss: module rehearsed has no 'no_loss'"),
        (
            "{_target_: nowhere.loss}",
            "loaded: ModuleNotFoundError: No module named 'nowhere'; the folder of a module",
        ),
        ("{_target_: rehearsed.squares, base: 2}", "cannot be used: got an unexpected keyword argument 'base'"),
        (
            "{_target_: rehearsed.FACTOR}",
            "FACTOR, which is an object of the type float; it must be a function",
        ),
        ("{_target_: rehearsed.Scale, factor: 2}", "expected a keras.losses.Loss or a function"),
        ("{_target_: rehearsed.Summed}", "with the reduction sum; expected sum_over_batch_size"),
        ("{_target_: keras.losses.CategoricalCrossentropy, from_logits: false}", "from_logits must be true, because"),
        (
            "{_target_: keras.losses.KLDivergence}",
            "KLDivergence, which is computed from probabilities, but the outputs",
        ),
        ("{_target_: keras.losses.kl_divergence}", "which is computed from probabilities"),
        (
            "{_target_: rehearsed.of_classes}",
            r"gives values of shape \(10,\) for targets of shape \(8, 10\) and outputs of shape \(8, 10\); expected a "
            r"value for each example, \(8,\)$",
        ),
        ("{_target_: rehearsed.nothing}", "rehearsed.nothing, which gives nan for the first examples"),
        ("{_target_: rehearsed.of_labels}", r"rehearsed.of_labels, which failed for targets of shape \(8, 10\)"),
    ],
)
def test_loss_of_the_users_that_cannot_be_used_is_refused(loss, message, own, parts_of, tmp_path):
    with pytest.raises(RequestError, match=message) as refused:
        rehearsal.rehearse(parts_of(f"training.loss={loss}"), own.net(), tmp_path)
    assert str(refused.value).startswith("training.loss")
    assert "\n" not in str(refused.value)


def test_loss_of_a_whole_batch_is_taken_unless_examples_have_weights(own, parts_of, tmp_path):
    rehearsal.rehearse(parts_of("training.loss={_target_: rehearsed.mean_of_batch}"), own.net(), tmp_path)
    parts = parts_of("training.loss={_target_: rehearsed.mean_of_batch}", "training.class_weight=balanced")
    with pytest.raises(RequestError, match=r"values of shape \(\) .* because the examples have weights"):
        rehearsal.rehearse(parts, own.net(), tmp_path)
    rehearsal.rehearse(parts_of("training.loss={_target_: rehearsed.squares, power: 3}"), own.net(), tmp_path)
