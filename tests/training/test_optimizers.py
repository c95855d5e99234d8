import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from fitbench.errors import RequestError
from fitbench.record.history import read_history
from fitbench.training import optimizers
from fitbench.training.examples import Examples, order_of
from fitbench.training.fit import fit
from fitbench.training.loops import compile_loops

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(0, 10, (64, 5)).astype(np.float32)
Y = RANDOM.integers(0, 3, 64).astype(np.int32)


def rates(configure, *overrides, steps_per_epoch=10, epochs=20):
    settings = configure(*overrides).optimizer
    schedule = optimizers.build(settings, steps_per_epoch, epochs)._learning_rate
    return lambda step: float(schedule(step)) if callable(schedule) else schedule


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sgd", keras.optimizers.SGD),
        ("momentum", keras.optimizers.SGD),
        ("adam", keras.optimizers.Adam),
        ("adamw", keras.optimizers.AdamW),
        ("rmsprop", keras.optimizers.RMSprop),
        ("adagrad", keras.optimizers.Adagrad),
        ("adadelta", keras.optimizers.Adadelta),
        ("nadam", keras.optimizers.Nadam),
        ("lion", keras.optimizers.Lion),
    ],
)
def test_each_optimizer_is_built_with_its_values(configure, name, kind):
    settings = configure(f"optimizer={name}", "optimizer.learning_rate=0.03").optimizer
    built = optimizers.build(settings, 10, 20)
    assert type(built) is kind
    made = built.get_config()
    given = {key: value for key, value in settings.items() if key not in ("_target_", "name", "schedule")}
    assert {key: made[key] for key in given} == pytest.approx(given)


def test_constant_schedule(configure):
    assert rates(configure, "optimizer.learning_rate=0.5")(123) == 0.5


def test_cosine_warms_up_in_a_line_and_ends_at_the_final_fraction(configure):
    rate = rates(
        configure, "optimizer/schedule=cosine", "optimizer.learning_rate=0.1",
        "optimizer.schedule.warmup_epochs=2", "optimizer.schedule.final_fraction=0.1", "training.epochs=20",
    )  # fmt: skip
    assert [rate(0), rate(5), rate(20)] == pytest.approx([0, 0.025, 0.1], abs=1e-8)
    middle = 0.1 * (0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2)
    assert rate(110) == pytest.approx(middle)
    assert rate(200) == pytest.approx(0.01)


def test_cosine_without_warm_up_begins_at_the_learning_rate(configure):
    rate = rates(configure, "optimizer/schedule=cosine", "optimizer.schedule.warmup_epochs=0")
    assert rate(0) == pytest.approx(0.001)


def test_step_multiplies_after_every_so_many_epochs(configure):
    rate = rates(
        configure, "optimizer/schedule=step", "optimizer.learning_rate=1", "optimizer.schedule.every_epochs=2",
        "optimizer.schedule.factor=0.5",
    )  # fmt: skip
    assert [rate(step) for step in (0, 19, 20, 39, 40)] == pytest.approx([1, 1, 0.5, 0.5, 0.25])


@pytest.mark.parametrize("steps", [45, 47, 94, 235, 4690])
def test_step_changes_the_rate_with_the_first_step_of_an_epoch_in_compiled_graphs_too(configure, steps):
    overrides = ("optimizer/schedule=step", "optimizer.learning_rate=1", "optimizer.schedule.every_epochs=1")
    schedule = optimizers.build(configure(*overrides).optimizer, steps, 5)._learning_rate
    compiled = tf.function(schedule)
    numbers = [steps - 1, steps, 2 * steps - 1, 2 * steps, 4 * steps]
    assert [float(compiled(tf.Variable(number))) for number in numbers] == pytest.approx([1, 0.1, 0.1, 0.01, 1e-4])


def test_piecewise_takes_each_factor_after_its_epochs(configure):
    rate = rates(configure, "optimizer/schedule=piecewise", "optimizer.learning_rate=0.0005")
    # the schedule of LeNet-5 over 20 passes of 10 steps: the rates of the first and of the last step of each part
    steps = (0, 19, 20, 49, 50, 79, 80, 119, 120, 199)
    wanted = [0.0005, 0.0005, 0.0002, 0.0002, 0.0001, 0.0001, 0.00005, 0.00005, 0.00001, 0.00001]
    assert [rate(step) for step in steps] == pytest.approx(wanted)


def test_piecewise_with_one_factor(configure):
    rate = rates(
        configure, "optimizer/schedule=piecewise", "optimizer.learning_rate=1", "optimizer.schedule.factors=[0.5]",
        "optimizer.schedule.after_epochs=[1.5]",
    )  # fmt: skip
    assert [rate(step) for step in (0, 14, 15, 199)] == pytest.approx([1, 1, 0.5, 0.5])


# -- steps are those of plain Keras -----------------------------------------------------------------------------------


def model_with(optimizer):
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(3)])
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def trained_with(optimizer, *, batch_size, epochs):
    """The weights after training with the compiled loop, in the order of fitbench's batches."""
    model, examples = model_with(optimizer), Examples(X, Y)
    loops = compile_loops(model, examples)
    fit(loops, examples, None, seed=3, batch_size=batch_size, epochs=epochs, callbacks=[])
    return model.get_weights()


def trained_by_keras(optimizer, *, batch_size, epochs):
    """The weights after the same batches in Keras's own loop."""
    model = model_with(optimizer)
    for epoch in range(epochs):
        order = order_of(3, epoch, len(X))
        for start in range(0, len(X), batch_size):
            batch = order[start : start + batch_size]
            model.train_on_batch(X[batch], Y[batch])
    return model.get_weights()


TWO_EPOCHS = {"batch_size": 16, "epochs": 2}


@pytest.fixture(scope="module")
def without_options():
    return trained_by_keras(keras.optimizers.SGD(0.1), **TWO_EPOCHS)


def are_equal(weights, others):
    return all(np.array_equal(mine, theirs) for mine, theirs in zip(weights, others, strict=True))


@pytest.mark.parametrize(
    ("options", "optimizer"),
    [
        (("optimizer=nadam",), lambda: keras.optimizers.Nadam(0.001)),
        (("optimizer=lion",), lambda: keras.optimizers.Lion(0.0001)),
        (("optimizer=adadelta",), lambda: keras.optimizers.Adadelta(1.0)),
        (("+optimizer.clipnorm=0.05",), lambda: keras.optimizers.SGD(0.1, clipnorm=0.05)),
        (("+optimizer.clipvalue=0.05",), lambda: keras.optimizers.SGD(0.1, clipvalue=0.05)),
        (("+optimizer.global_clipnorm=0.05",), lambda: keras.optimizers.SGD(0.1, global_clipnorm=0.05)),
        (
            ("+optimizer.gradient_accumulation_steps=3",),  # an epoch has 4 steps
            lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=3),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_steps_are_those_of_plain_keras(configure, without_options, options, optimizer):
    chosen = ("optimizer=sgd", "optimizer.learning_rate=0.1") if options[0].startswith("+") else ()
    weights = trained_with(optimizers.build(configure(*chosen, *options).optimizer, 4, 2), **TWO_EPOCHS)
    assert are_equal(weights, trained_by_keras(optimizer(), **TWO_EPOCHS))
    if chosen:
        assert not are_equal(weights, without_options)


# -- accumulated gradients --------------------------------------------------------------------------------------------

ACCUMULATED = "+optimizer.gradient_accumulation_steps={}"


@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_accumulated_batches_train_as_larger_ones_do(configure, schedule):
    options = ("optimizer=momentum", f"optimizer/schedule={schedule}", "optimizer.learning_rate=0.05")
    if schedule == "step":
        options += ("optimizer.schedule.every_epochs=1", "optimizer.schedule.factor=0.5")
    small = optimizers.build(configure(*options, ACCUMULATED.format(4)).optimizer, 8, 3)
    large = optimizers.build(configure(*options).optimizer, 2, 3)
    small = trained_with(small, batch_size=8, epochs=3)
    large = trained_with(large, batch_size=32, epochs=3)
    for mine, theirs in zip(small, large, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-6)


def test_accumulation_goes_on_from_one_epoch_into_the_next_and_its_rest_is_dropped(configure):
    """3 epochs of 4 steps are 2 updates of 5 steps; the last 2 steps change nothing."""
    settings = configure("optimizer=sgd", "optimizer.learning_rate=0.1", ACCUMULATED.format(5)).optimizer
    weights = trained_with(optimizers.build(settings, 4, 3), batch_size=16, epochs=3)
    model = model_with(keras.optimizers.SGD(0.1))
    batches = [order_of(3, epoch, 64)[start : start + 16] for epoch in range(3) for start in range(0, 64, 16)]
    for update in (batches[:5], batches[5:10]):
        examples = np.concatenate(update)  # of equal batches the mean gradient is that of all their examples
        model.train_on_batch(X[examples], Y[examples])
    for mine, theirs in zip(weights, model.get_weights(), strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-6)


def test_cosine_reaches_its_end_in_the_same_epoch_with_accumulated_gradients(trained):
    """The epochs of the run have 9 steps, so its updates of 2 steps do not end with them."""
    folder, _ = trained(
        "data=digits", "model=softmax", "training.epochs=4", "training.early_stopping=null",
        "optimizer/schedule=cosine", "optimizer.schedule.warmup_epochs=1", "optimizer.learning_rate=0.5",
        ACCUMULATED.format(2),
    )  # fmt: skip
    cosine = [0.25 * (1 + math.cos(math.pi * (step - 9) / 27)) for step in (18, 26)]  # where the epoch's update begins
    recorded = [epoch["learning_rate"] for epoch in read_history(folder)]
    assert recorded == pytest.approx([0, 0.5 * 8 / 9, *cosine], rel=1e-5)


def test_step_falls_where_the_epoch_begins_with_accumulated_gradients(configure):
    overrides = ("optimizer/schedule=step", "optimizer.learning_rate=1", "optimizer.schedule.every_epochs=1")
    rate = rates(configure, *overrides, ACCUMULATED.format(2), steps_per_epoch=9, epochs=4)
    assert [rate(step) for step in (0, 8, 9, 18, 27)] == pytest.approx([1, 1, 0.1, 0.01, 0.001])


def test_more_steps_per_update_than_the_run_has_are_refused(configure):
    settings = configure(ACCUMULATED.format(41)).optimizer
    with pytest.raises(RequestError, match="gradient_accumulation_steps is 41, but the run has 40 steps, so nothing"):
        optimizers.build(settings, 10, 4)
    assert optimizers.build(settings, 10, 5).gradient_accumulation_steps == 41


@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_schedule_is_saved_and_loaded_with_its_optimizer(configure, schedule):
    settings = configure(f"optimizer/schedule={schedule}", ACCUMULATED.format(4)).optimizer
    built = optimizers.build(settings, 10, 5)
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(built))
    rates = [[float(each._learning_rate(step)) for step in range(50)] for each in (built, loaded)]
    assert rates[0] == rates[1]
    assert rates[0][20:24] == [rates[0][20]] * 4
    assert (rates[0][24] < rates[0][20]) == (schedule == "cosine")
