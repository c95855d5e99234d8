"""The averages of the weights are validated, recorded and saved, and training goes on from the weights themselves."""

import keras
import numpy as np
import pytest

from fitbench.data.loading import load
from fitbench.data.split import split
from fitbench.errors import FitbenchError
from fitbench.record.history import read_history
from fitbench.training import networks
from fitbench.training.averaging import AveragedWeights
from fitbench.training.examples import Examples
from fitbench.training.fit import fit
from fitbench.training.loops import compile_loops

OWN = """
import keras

class Weights(keras.callbacks.Callback):
    # keeps the weights after each step, and those that the model has at the end of each epoch

    kept = []

    def on_train_begin(self, logs=None):
        self.steps, self.epochs = [], []
        self.kept.append(self)

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self.model.get_weights())

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(self.model.get_weights())
"""
RUN = (
    "data=digits", "model=softmax", "optimizer=momentum", "optimizer.learning_rate=0.5", "training=full_batch",
    "training.epochs=6",
)  # fmt: skip
AVERAGED = ("+optimizer.use_ema=true", "+optimizer.ema_momentum=0.75")
KEEP = "+training.callbacks.keep={_target_: weight_keeping.Weights}"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The callbacks of the runs of this module, in the order of the runs."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "weight_keeping.py").write_text(OWN)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        import weight_keeping

        yield weight_keeping.Weights.kept


def averages(steps):
    """The running averages of weights, computed by hand: those after the first step are the weights."""
    found = [steps[0]]
    for weights in steps[1:]:
        pairs = zip(found[-1], weights, strict=True)
        found.append([np.float32(0.75) * average + np.float32(0.25) * weight for average, weight in pairs])
    return found


def are_near(weights, others):
    return all(np.allclose(mine, theirs, rtol=1e-6, atol=1e-7) for mine, theirs in zip(weights, others, strict=True))


def are_equal(weights, others):
    return all(np.array_equal(mine, theirs) for mine, theirs in zip(weights, others, strict=True))


def saved_weights(folder):
    return keras.saving.load_model(folder / "model.keras").get_weights()


def test_averages_are_validated_and_saved_and_training_goes_on_from_the_weights(trained, configure, kept):
    _, _ = trained(*RUN, KEEP)
    folder, result = trained(*RUN, *AVERAGED, KEEP)
    without, mine = kept[-2:]
    assert all(map(are_equal, mine.steps, without.steps))  # averaging changes nothing of the training
    by_hand = averages(mine.steps)
    assert all(map(are_near, mine.epochs, by_hand))
    assert not are_near(mine.epochs[-1], mine.steps[-1])

    config = configure(*RUN)
    data = load(config.data)
    _, rows = split(data.y_train, 0.2, config.training.validation, 0)
    x, y = data.x_train[rows].reshape(len(rows), -1), data.y_train[rows]
    history = read_history(folder)
    for epoch, (kernel, bias) in zip(history, by_hand, strict=True):
        logits = (x / 255) @ kernel.astype(float) + bias
        log_p = logits - logits.max(axis=1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        assert epoch["val_loss"] == pytest.approx(-log_p[np.arange(len(y)), y].mean(), rel=1e-5)
    best = result["metrics"]["best_epoch"]
    assert result["metrics"]["val_loss"] == history[best - 1]["val_loss"] == min(epoch["val_loss"] for epoch in history)
    assert are_equal(saved_weights(folder), mine.epochs[best - 1])


def test_last_averages_are_saved_where_nothing_is_validated_and_a_kept_network_trains_the_same(trained, kept):
    options = (*RUN, *AVERAGED, "training.validation_split=0", "training.early_stopping=null")
    folder, _ = trained(*options, KEEP)
    assert are_near(averages(kept[-1].steps)[-1], saved_weights(folder))
    assert are_equal(kept[-1].epochs[-1], saved_weights(folder))
    trained(*options, "seed=1")
    network = networks._kept[0]
    again, _ = trained(*options)
    assert networks._kept == [network]
    assert are_equal(saved_weights(again), saved_weights(folder))


def test_statistics_of_batch_normalisation_stay_those_of_training():
    chance = np.random.default_rng(0)
    examples = Examples(chance.normal(3, 2, (60, 4)).astype(np.float32), chance.integers(0, 2, 60).astype(np.int32))

    def trained_with(optimizer, callbacks):
        keras.utils.set_random_seed(1)
        layers = [keras.layers.BatchNormalization(momentum=0.8), keras.layers.Dense(2)]
        model = keras.Sequential([keras.Input((4,)), *layers])
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        loops = compile_loops(model, examples)
        fit(loops, examples, examples, seed=0, batch_size=20, epochs=2, callbacks=callbacks)
        return model

    plain = trained_with(keras.optimizers.SGD(0.3), [])
    model = trained_with(keras.optimizers.SGD(0.3, use_ema=True), [AveragedWeights()])
    values = [
        [variable.numpy() for variable in variables]
        for variables in (plain.non_trainable_variables, model.non_trainable_variables)
    ]
    assert are_equal(*values)
    assert not are_near(plain.get_weights()[:1], model.get_weights()[:1])


def test_model_that_does_not_use_the_optimizer_is_told_that_it_has_no_averages():
    class OwnStep(keras.Model):
        def train_step(self, data):
            return {"loss": self.compute_loss(x=data[0], y=data[1], y_pred=self(data[0]))}

    inputs = keras.Input((2,))
    model = OwnStep(inputs, keras.layers.Dense(1)(inputs))
    model.compile(keras.optimizers.SGD(0.1, use_ema=True), "mse")
    examples = Examples(np.ones((4, 2), np.float32), np.ones((4, 1), np.float32))
    loops = compile_loops(model, examples)
    with pytest.raises(FitbenchError, match="there are no averages: the model's train_step has not used"):
        fit(loops, examples, None, seed=0, batch_size=4, epochs=1, callbacks=[AveragedWeights()])
