import math

import keras
import pytest

from fitbench.training import optimizers


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
