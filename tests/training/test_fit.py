"""The loop gives what plain Keras gives, however it is cut."""

import math

import keras
import numpy as np
import pytest

from fitbench.training import fit as fitting
from fitbench.training import passes
from fitbench.training.evaluate import batch_size, predict
from fitbench.training.examples import Examples, order_of
from fitbench.training.fit import fit
from fitbench.training.loops import compile_loops, worth_xla

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (530, 6, 6, 1), dtype=np.uint8)
LABELS = (IMAGES.reshape(530, -1).mean(axis=1) > 127).astype(np.int32) + (IMAGES[:, 0, 0, 0] > 127)


def model(dropout=0.0, **compile_options):
    keras.utils.set_random_seed(7)
    images = keras.Input((6, 6, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    x = keras.layers.Dense(16, activation="relu")(x)
    x = keras.layers.Dropout(dropout)(x)
    return compiled(keras.Model(images, keras.layers.Dense(3)(x)), **compile_options)


def compiled(made, **options):
    made.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        **options,
    )
    return made


def history_of(made, training=None, validation=None, *, batch_size=32, epochs=3, xla=False, **options):
    history = keras.callbacks.History()
    training = training or Examples(IMAGES[:400], LABELS[:400])
    validation = validation or Examples(IMAGES[400:], LABELS[400:])
    loops = compile_loops(made, training, xla)
    fit(loops, training, validation, seed=5, batch_size=batch_size, epochs=epochs, callbacks=[history], **options)
    return history.history


class Outputs:
    """Keeps the outputs of each epoch's validation, and gives one value of them."""

    def __init__(self):
        self.epochs = []

    def __call__(self, outputs):
        self.epochs.append(outputs)
        return {"val_largest": float(outputs.max()), "val_undefined": None}


def test_any_number_of_short_passes_is_possible():
    whole = passes.Pass(None, Examples(IMAGES, LABELS), 32, 1, None)
    for _ in range(1000):
        whole._adapt(0.0)
    assert 1e6 < whole.steps_per_slice < 2**31
    for _ in range(100):
        whole._adapt(3600.0)
    assert whole.steps_per_slice == 1


class Ordered(keras.utils.PyDataset):
    """Batches in the order that fitbench gives an epoch, for plain Keras."""

    def __init__(self, batch_size):
        super().__init__()
        self.batch_size = batch_size
        self.epoch = 0

    def __len__(self):
        return math.ceil(400 / self.batch_size)

    def __getitem__(self, index):
        batch = order_of(5, self.epoch, 400)[index * self.batch_size :][: self.batch_size]
        return IMAGES[batch], LABELS[batch]


@pytest.mark.parametrize("batch_size", [32, 50, 400])  # with a smaller last batch, without one, one batch
def test_weights_and_history_are_those_of_plain_keras(batch_size):
    ours = model(dropout=0.1)
    history = history_of(ours, batch_size=batch_size)
    plain = model(dropout=0.1)
    batches = Ordered(batch_size)
    epochs = []
    for epoch in range(3):
        batches.epoch = epoch
        logs = plain.fit(batches, validation_data=(IMAGES[400:], LABELS[400:]), verbose=0, shuffle=False).history
        epochs.append({name: values[0] for name, values in logs.items()})
    for name in ("loss", "accuracy"):
        assert history[name] == [epoch[name] for epoch in epochs]  # to the last bit
    for name in ("val_loss", "val_accuracy"):  # evaluated in larger batches
        assert history[name] == pytest.approx([epoch[name] for epoch in epochs], rel=1e-5)
    for mine, theirs in zip(ours.get_weights(), plain.get_weights(), strict=True):
        assert np.array_equal(mine, theirs)


def test_slices_and_executions_do_not_change_a_bit(monkeypatch):
    whole = history_of(model(dropout=0.1))
    monkeypatch.setattr(passes, "SLICE_SECONDS", 0.0)  # one step at a time
    assert history_of(model(dropout=0.1)) == whole
    assert history_of(model(dropout=0.1), steps_per_execution=5) == whole


@pytest.mark.parametrize("weights", [None, RANDOM.uniform(0, 2, 530).astype(np.float32)], ids=["plain", "weighted"])
def test_streamed_images_give_the_same_result(monkeypatch, weights):
    class Lazy:
        def __init__(self, images):
            self.images, self.shape, self.dtype, self.largest = images, images.shape, images.dtype, 0

        def __getitem__(self, index):
            self.largest = max(self.largest, len(index))
            return self.images[index]

    def examples(images, rows):
        return Examples(images, LABELS[rows], None if weights is None else weights[rows])

    train, val = slice(0, 400), slice(400, 530)
    outputs = Outputs()
    whole = history_of(model(), examples(IMAGES[train], train), examples(IMAGES[val], val), score=outputs)
    monkeypatch.setattr(passes, "BLOCK_BYTES", 36 * 100)
    training, validation = Lazy(IMAGES[train]), Lazy(IMAGES[val])
    streamed_outputs = Outputs()
    streamed = history_of(model(), examples(training, train), examples(validation, val), score=streamed_outputs)
    assert streamed == whole
    assert np.array_equal(streamed_outputs.epochs, outputs.epochs)
    assert training.largest == 96  # three batches at a time


@pytest.mark.parametrize("evaluated_at_a_time", [1000, 50])  # 130 examples: one batch, and two and a smaller one
def test_outputs_of_the_validation_are_scored_before_callbacks_see_the_logs(monkeypatch, evaluated_at_a_time):
    monkeypatch.setattr(fitting, "evaluation_batch_size", lambda shape, model: evaluated_at_a_time)
    made, outputs, expected, seen = model(dropout=0.3), Outputs(), [], []

    def look(epoch, logs):
        expected.append(keras.ops.convert_to_numpy(made(IMAGES[400:], training=False)))
        seen.append(logs["val_largest"])
        assert math.isnan(logs["val_undefined"])

    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=look), history := keras.callbacks.History()]
    training, validation = Examples(IMAGES[:400], LABELS[:400]), Examples(IMAGES[400:], LABELS[400:])
    fit(
        compile_loops(made, training), training, validation, seed=5, batch_size=32, epochs=3, callbacks=callbacks,
        score=outputs,
    )  # fmt: skip
    assert [epoch.shape for epoch in outputs.epochs] == [(130, 3)] * 3
    assert np.allclose(outputs.epochs, expected, atol=1e-6)
    assert seen == history.history["val_largest"] == [float(epoch.max()) for epoch in outputs.epochs]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_scoring_changes_no_bit_of_the_weights_and_of_the_other_logs(dropout):
    plain, scored = model(dropout), model(dropout)
    expected = history_of(plain)
    history = history_of(scored, score=Outputs())
    assert {name: history[name] for name in expected} == expected
    for mine, theirs in zip(scored.get_weights(), plain.get_weights(), strict=True):
        assert np.array_equal(mine, theirs)
    assert "compute_metrics" not in vars(scored)


def test_outputs_are_those_of_the_model_whatever_its_own_test_step_does():
    class Own(keras.Model):
        def test_step(self, data):
            return {"loss": keras.ops.mean(self(data[0], training=False)) * 0 + 7}

    made = model()
    own, outputs = compiled(Own(made.inputs, made.outputs)), Outputs()
    history = history_of(own, epochs=1, score=outputs)
    assert history["val_loss"] == [7]
    assert np.allclose(outputs.epochs[0], own(IMAGES[400:], training=False), atol=1e-6)


def test_xla_gives_the_same_result_but_for_rounding():
    plain, xla = history_of(model()), history_of(model(), xla=True)
    for name, values in plain.items():
        assert xla[name] == pytest.approx(values, rel=1e-3)


def test_order_is_a_permutation_that_depends_on_seed_and_epoch_alone():
    orders = [order_of(seed, epoch, 50).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert order_of(1, 1, 50).tolist() == orders[3]
    assert order_of(0, 0, 8).tolist() == [2, 4, 3, 6, 5, 0, 1, 7]  # recorded runs go on in this order


def test_callbacks_see_every_execution_and_progress_every_slice(monkeypatch):
    monkeypatch.setattr(passes, "SLICE_SECONDS", 0.0)
    begun, ended, seen = [], [], []
    counter = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: begun.append(batch),
        on_train_batch_end=lambda batch, logs: ended.append(batch),
    )
    examples = Examples(IMAGES[:400], LABELS[:400])
    fit(
        compile_loops(model(), examples), examples, None, seed=0, batch_size=32, epochs=1,
        steps_per_execution=4, callbacks=[counter], progress=lambda done, logs: seen.append((done, logs)),
    )  # fmt: skip
    assert (begun, ended) == ([0, 4, 8, 12], [3, 7, 11, 12])  # 13 steps, 4 at a time, by their numbers as in Keras
    assert seen[-1][0] == 400
    assert len(seen) > 4
    assert set(seen[0][1]) == {"loss", "accuracy"}


def test_a_callback_that_evaluates_other_images_gets_their_metrics():
    made, seen = model(), []
    other = (IMAGES[:50], LABELS[:50])

    def evaluate(epoch, logs):
        seen.append(made.evaluate(*other, verbose=0, return_dict=True)["loss"])

    callback = keras.callbacks.LambdaCallback(on_epoch_end=evaluate)
    history = keras.callbacks.History()
    examples = Examples(IMAGES[:400], LABELS[:400])
    held_back = Examples(IMAGES[400:], LABELS[400:])
    fit(
        compile_loops(made, examples),
        examples,
        held_back,
        seed=5,
        batch_size=32,
        epochs=2,
        callbacks=[callback, history],
    )
    assert seen[-1] == pytest.approx(made.evaluate(*other, verbose=0)[0], rel=1e-5)
    assert seen[-1] != pytest.approx(history.history["val_loss"][-1], rel=1e-3)
    assert history.history["val_loss"] == history_of(model(), epochs=2)["val_loss"]


def test_a_train_step_of_the_users_own_is_run_and_its_logs_are_kept():
    class Own(keras.Model):
        def train_step(self, data):
            logs = super().train_step(data)
            return {**logs, "twice_the_loss": 2 * logs["loss"]}

    made = model()
    history = history_of(compiled(Own(made.inputs, made.outputs)), epochs=1)
    assert history["twice_the_loss"] == pytest.approx([2 * history["loss"][0]])


def test_keras_asks_the_private_method_for_the_metrics_of_a_pass_and_one_of_the_users_own_is_left_alone():
    class Own(keras.Model):
        def _get_metrics_result_or_logs(self, logs):
            return {**super()._get_metrics_result_or_logs(logs), "own": 1.0}

    made = model()
    history = history_of(compiled(Own(made.inputs, made.outputs)), epochs=1)
    assert (history["own"], history["val_own"]) == ([1.0], [1.0])


def test_fit_leaves_a_model_that_keras_can_fit_and_evaluate():
    made = model()
    history_of(made, epochs=1)
    made.fit(IMAGES[:64], LABELS[:64], verbose=0)
    assert len(made.evaluate(IMAGES[:64], LABELS[:64], verbose=0)) == 2


@pytest.mark.parametrize(
    ("layer", "setting", "steps", "expected"),
    [
        ("Dense", "auto", 3_000, True),
        ("Dense", "auto", 100, False),  # compiling would take longer than training
        ("Conv2D", "auto", 3_000, False),
        ("Conv2D", True, 100, True),
        ("LSTM", "auto", 3_000, False),  # compiling takes ten times as long, and fails with masks
        ("Dense", False, 3_000, False),
    ],
)
def test_xla_is_for_long_runs_of_dense_layers(layer, setting, steps, expected):
    images = keras.Input((6, 6, 1), dtype="uint8")
    x = keras.layers.Rescaling(1.0)(images)
    x = keras.layers.Conv2D(2, 3)(x) if layer == "Conv2D" else x
    x = keras.layers.LSTM(2)(keras.layers.Reshape((6, 6))(x)) if layer == "LSTM" else keras.layers.Flatten()(x)
    inner = keras.Model(images, keras.layers.Dense(3)(x))
    nested = compiled(keras.Model(images, inner(images)))
    assert worth_xla(nested, setting, steps) is expected


def test_batches_are_smaller_for_layers_that_give_more_than_their_inputs():
    series = keras.Input((5_000, 1))
    inner = keras.Model(series, keras.layers.Conv1D(256, 3, padding="same")(series))
    nested = keras.Model(series, keras.layers.GlobalAveragePooling1D()(inner(series)))
    assert batch_size((5_000, 1)) == 1000
    assert batch_size((5_000, 1), nested) == 256 * 2**20 // (4 * 5_000 * 256) == 52
    examples = RANDOM.normal(size=(60, 5_000, 1)).astype(np.float32)  # one more batch than fits
    expected = keras.ops.convert_to_numpy(nested(examples[-8:]))
    np.testing.assert_allclose(predict(nested, examples)[-8:], expected, atol=1e-5)
