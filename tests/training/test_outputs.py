"""A model is refused for what its outputs are, wherever in it and however they come about."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from fitbench.errors import RequestError
from fitbench.tasks import task_of
from fitbench.training import outputs
from fitbench.training.objective import Objective

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 6, 6, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def training(composer):
    return {
        loss: composer.configuration([f"training.loss={loss}"]).training
        for loss in ("auto", "cross_entropy", "binary_cross_entropy", "mean_squared_error")
    }


def model(*last, classes=3, start="glorot_uniform", bias=True, hidden=True):
    """Some dense layers on pixels, and behind them the operations `last`."""
    images = keras.Input((6, 6, 1), dtype="uint8")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(images))
    if hidden:
        x = layers.Dense(16, activation="relu")(x)
    x = layers.Dense(classes, kernel_initializer=start, use_bias=bias)(x)
    for operation in last:
        x = operation(x)
    return keras.Model(images, x)


def inside(inner):
    images = keras.Input((6, 6, 1), dtype="uint8")
    return keras.Model(images, inner(images))


class Subclassed(keras.Model):
    """`last` is applied in `call`, where no graph shows it."""

    def __init__(self, last):
        super().__init__()
        self.last = last
        self.dense = layers.Dense(3)

    def call(self, images):
        return self.last(self.dense(ops.reshape(ops.cast(images, "float32") / 255, (-1, 36))))


def sequential(*last):
    return keras.Sequential([keras.Input((6, 6, 1), dtype="uint8"), layers.Rescaling(1 / 255), layers.Flatten(), *last])


SOFTMAX = {
    "layer": lambda: model(layers.Softmax()),
    "activation": lambda: model(layers.Activation("softmax")),
    "dense layer": lambda: sequential(layers.Dense(3, activation="softmax")),
    "operation": lambda: model(ops.softmax),
    "inside a model": lambda: inside(model(layers.Softmax())),
    "inside a model in a model": lambda: inside(inside(model(ops.softmax))),
    "before other operations": lambda: model(ops.softmax, layers.Dropout(0.1), layers.Reshape((3,)), lambda x: x + 0.0),
    "spelled out": lambda: model(lambda x: ops.exp(x) / ops.sum(ops.exp(x), axis=-1, keepdims=True)),
    "subclassed": lambda: Subclassed(ops.softmax),
    "of zeros": lambda: model(ops.softmax, start="zeros"),
    "of two classes": lambda: model(ops.softmax, classes=2),
}
SIGMOID = {
    "layer": lambda: model(layers.Activation("sigmoid")),
    "operation": lambda: model(ops.sigmoid),
    "inside a model": lambda: inside(model(ops.sigmoid)),
    "subclassed": lambda: Subclassed(ops.sigmoid),
    "hard": lambda: model(ops.hard_sigmoid),
    "clipped": lambda: model(lambda x: ops.clip(x, 0, 1)),
    "of zeros, two classes": lambda: model(ops.sigmoid, classes=2, start="zeros"),
}
LOGITS = {
    "linear": model,
    "two classes": lambda: model(classes=2),
    "zeros": lambda: model(start="zeros", hidden=False),
    "zeros without a bias": lambda: model(start="zeros", bias=False),
    "log of a softmax": lambda: model(ops.log_softmax),
    "tanh": lambda: model(ops.tanh),
    "relu": lambda: model(ops.relu),
    "never above 0": lambda: model(lambda x: -ops.square(x)),
    "a multiple of a sigmoid": lambda: model(lambda x: 10 * ops.sigmoid(x)),
    "batch normalisation": lambda: model(layers.BatchNormalization()),
    "subclassed": lambda: Subclassed(lambda x: x),
    "half precision": lambda: model(layers.Dense(3, dtype="mixed_bfloat16")),
}


def check(made, training, task="classification", names=None):
    names = names or tuple(map(str, range(made(IMAGES[:1]).shape[-1])))
    outputs.check(made, IMAGES, Objective(task_of(task), training, names, None, has_sigmoids=False), "net")


@pytest.mark.parametrize("make", SOFTMAX.values(), ids=SOFTMAX)
def test_softmax_is_refused_whatever_the_loss(make, training):
    for loss in ("cross_entropy", "mean_squared_error"):
        with pytest.raises(RequestError, match="model=net ends in a softmax: the outputs of an example add up to 1"):
            check(make(), training[loss])


@pytest.mark.parametrize("make", SIGMOID.values(), ids=SIGMOID)
def test_sigmoid_is_refused_by_losses_of_logits_and_taken_by_a_squared_error(make, training):
    check(make(), training["mean_squared_error"])
    for loss in ("cross_entropy", "binary_cross_entropy"):
        with pytest.raises(RequestError, match=f"between 0 and 1, as a sigmoid does; training.loss={loss} "):
            check(make(), training[loss])


@pytest.mark.parametrize("make", LOGITS.values(), ids=LOGITS)
def test_logits_are_taken_and_the_model_is_as_before(make, training):
    made = make()
    made(IMAGES)
    before = [np.array(variable) for variable in made.variables]
    for loss in training.values():
        check(made, loss)
    for variable, value in zip(made.variables, before, strict=True):
        assert np.array_equal(variable, value)


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        (lambda x: {"digit": x}, r"gives a dict; it must give one tensor of shape \[batch, 3\]"),
        (lambda x: [x, x], "gives a list; it must give one tensor"),
        (lambda x: ops.expand_dims(x, 1), r"outputs of shape \(8, 1, 3\) for 8 examples"),
        (lambda x: x[:, :2], r"outputs of shape \(8, 2\) for 8 examples; they must have the shape \[batch, 3\]"),
    ],
    ids=["dictionary", "list", "another axis", "fewer classes"],
)
def test_outputs_of_another_form_are_refused(gives, message, training):
    for made in (model(gives), Subclassed(gives)):
        with pytest.raises(RequestError, match=message):
            check(made, training["cross_entropy"], names=("a", "b", "c"))


def test_values_of_a_regression_may_be_anything_and_logits_of_labels_may_not(training):
    for made in (model(layers.Softmax()), model(ops.sigmoid)):
        check(made, training["auto"], "regression")
        with pytest.raises(RequestError, match=r"ends in a softmax|between 0 and 1, as a sigmoid does"):
            check(made, training["auto"], "multilabel")


def test_a_loss_of_the_users_is_of_logits_if_it_has_the_parameter(training):
    of_logits = training["auto"].model_copy(update={"loss": {"_target_": "keras.losses.CategoricalFocalCrossentropy"}})
    with pytest.raises(RequestError, match="between 0 and 1, as a sigmoid does"):
        check(model(ops.sigmoid), of_logits)
    check(model(ops.sigmoid), training["auto"].model_copy(update={"loss": {"_target_": "keras.losses.Poisson"}}))
