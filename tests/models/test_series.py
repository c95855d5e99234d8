"""Models of series: their sizes are those of the sources, with GunPoint's 150 steps, 1 channel and 2 classes."""

import dataclasses

import keras
import numpy as np
import pytest

from fitbench.data.dataset import Dataset
from fitbench.errors import RequestError
from fitbench.kinds import ARRAYS, SERIES
from fitbench.metrics import CLASSIFICATION
from fitbench.tasks import task_of
from fitbench.training import building, measures, networks
from fitbench.training.objective import Objective
from fitbench.training.parts import Parts

MODELS = ("fcn", "resnet1d", "mlp_time", "time_cnn")


def array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def dataset(*shape: int, classes=2, kind=SERIES, dtype="float32") -> Dataset:
    x = np.random.default_rng(0).normal(0, 9, (8, *shape)).astype(dtype)
    labels = (np.arange(8) % classes).astype(np.int32)
    return Dataset("made", x, labels, x, labels, tuple("abcdefghij"[:classes]), "", "", kind=kind)


@pytest.fixture
def build(configure):
    """Builds the model of a configuration for series."""

    def built(*overrides: str, data: Dataset) -> keras.Model:
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        config = configure("data=ucr", "data.name=made", *overrides)
        return building.build(config, data, Objective.of(config, data))

    return built


def sizes(model: keras.Model) -> tuple[int, int]:
    """The numbers of all and of the trained parameters."""
    return model.count_params(), sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def convolution(inputs: int, filters: int, length: int) -> int:
    """The parameters of a convolution with its batch normalisation, of which 2 x filters are not trained."""
    return length * inputs * filters + filters + 4 * filters


# fcn: (8·1·128 + 128) + (5·128·256 + 256) + (3·256·128 + 128) = 263,680; 4·(128 + 256 + 128) = 2,048; 128·2 + 2 = 258
# resnet1d: blocks (576 + 20,544 + 12,352 + 128) + 4·4·64, (65,664 + 82,048 + 49,280 + 8,320) + 4·4·128,
#     (131,200 + 82,048 + 49,280) + 4·4·128, and 258
# mlp_time: 150·500 + 500 = 75,500; 2 x (500·500 + 500) = 501,000; 500·2 + 2 = 1,002
# time_cnn: 7·1·6 + 6 = 48; 7·6·12 + 12 = 516; 150 -> 144 -> 48 -> 42 -> 14 steps, so 14·12·2 + 2 = 338
# and on ItalyPowerDemand's 24 steps 24 -> 8 -> 2, so 48 + 516 + 2·12·2 + 2 = 614
@pytest.mark.parametrize(
    ("model", "shape", "classes", "count", "trained"),
    [
        ("fcn", (150, 1), 2, 265_986, 264_962),
        ("resnet1d", (150, 1), 2, 506_818, 504_258),
        ("mlp_time", (150, 1), 2, 577_502, 577_502),
        ("time_cnn", (150, 1), 2, 902, 902),
        ("time_cnn", (24, 1), 2, 614, 614),
        ("time_cnn", (60, 1), 2, 48 + 516 + 4 * 12 * 2 + 2, 662),  # 60 -> 54 -> 18 -> 12 -> 4
        # JapaneseVowels: 29 steps, 12 channels, 9 classes
        ("fcn", (29, 12), 9, 265_986 + 8 * 11 * 128 + 129 * 7, 264_962 + 8 * 11 * 128 + 129 * 7),
        ("resnet1d", (29, 12), 9, 506_818 + 9 * 11 * 64 + 129 * 7, 504_258 + 9 * 11 * 64 + 129 * 7),
        ("mlp_time", (29, 12), 9, 577_502 + (348 - 150) * 500 + 501 * 7, 680_009),
        ("time_cnn", (29, 12), 9, 7 * 12 * 6 + 6 + 516 + 3 * 12 * 9 + 9, 1_359),
    ],
)
def test_parameter_counts_are_those_of_the_sources(build, model, shape, classes, count, trained):
    data = dataset(*shape, classes=classes)
    built = build(f"model={model}", data=data)
    assert sizes(built) == (count, trained)
    outputs = array(built(data.x_train))
    assert outputs.shape == (8, classes)
    assert outputs.dtype == np.float32


def test_blocks_of_resnet1d(build):
    built = build("model=resnet1d", data=dataset(150, 1))
    added = [layer for layer in built.layers if isinstance(layer, keras.layers.Add)]
    assert [layer.output.shape for layer in added] == [(None, 150, 64), (None, 150, 128), (None, 150, 128)]
    shortcuts = [layer.input[0]._keras_history.operation for layer in added]
    assert [type(layer).__name__ for layer in shortcuts] == ["BatchNormalization"] * 3
    before = [type(layer.input._keras_history.operation).__name__ for layer in shortcuts]
    assert before == ["Conv1D", "Conv1D", "Activation"]  # the third shortcut has no convolution
    lengths = [layer.kernel_size[0] for layer in built.layers if isinstance(layer, keras.layers.Conv1D)]
    assert sorted(lengths) == sorted([1, 8, 5, 3] * 2 + [8, 5, 3])
    assert sizes(build("model=resnet1d", "model.filters=[4]", "model.kernel_sizes=[2]", data=dataset(9, 1)))[0] == (
        convolution(1, 4, 2) + convolution(1, 4, 1) + 4 * 2 + 2
    )


def test_resnet1d_computes_what_its_source_says(build):
    """One block written down in NumPy, with batch normalisation as it is in use."""
    data = dataset(7, 2)
    built = build("model=resnet1d", "model.filters=[3]", "model.kernel_sizes=[3,1]", data=data)
    random = np.random.default_rng(1)
    for weight in built.weights:
        weight.assign(random.uniform(0.2, 1, weight.shape))
    convolutions = [layer for layer in built.layers if isinstance(layer, keras.layers.Conv1D)]
    normalisations = [layer for layer in built.layers if isinstance(layer, keras.layers.BatchNormalization)]

    def applied(convolution, x):
        kernel, bias = convolution.get_weights()
        padded = np.pad(x, [(0, 0), (len(kernel) // 2,) * 2, (0, 0)])
        windows = np.stack([padded[:, step : step + x.shape[1]] for step in range(len(kernel))], axis=2)
        out = np.einsum("nskc,kcf->nsf", windows, kernel) + bias
        after = next(layer for layer in normalisations if layer.input is convolution.output)
        gamma, beta, mean, variance = after.get_weights()
        return (out - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    of_input = [conv for conv in convolutions if conv.input is built.input]
    first = next(conv for conv in of_input if conv.kernel_size == (3,))
    shortcut = next(conv for conv in of_input if conv.kernel_size == (1,))
    second = next(conv for conv in convolutions if conv not in of_input)
    x = data.x_train
    block = np.maximum(applied(shortcut, x) + applied(second, np.maximum(applied(first, x), 0)), 0)
    kernel, bias = built.get_layer("logits").get_weights()
    assert array(built(x)) == pytest.approx(block.mean(axis=1) @ kernel + bias, rel=1e-4)


def test_mlp_time_drops_values_before_each_layer(build):
    built = build("model=mlp_time", data=dataset(10, 1))
    names = [type(layer).__name__ for layer in built.layers[1:]]
    assert names == ["Flatten", *["Dropout", "Dense"] * 4]
    assert [layer.rate for layer in built.layers if isinstance(layer, keras.layers.Dropout)] == [0.1, 0.2, 0.2, 0.3]


@pytest.mark.parametrize("policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.long)])
@pytest.mark.parametrize("model", [*MODELS, "lstm", "mlp", "linear"])
def test_outputs_are_float32_under_every_policy(build, model, policy):
    keras.config.set_dtype_policy(policy)
    try:
        data = dataset(12, 1, kind=ARRAYS, dtype="int16")
        assert array(build(f"model={model}", data=data)(data.x_train)).dtype == np.float32
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("model", MODELS)
def test_arrays_of_steps_have_one_channel(build, model):
    series, arrays = (build(f"model={model}", data=dataset(*shape, kind=ARRAYS)) for shape in ((12, 1), (12,)))
    x = dataset(12, 1).x_train
    assert array(arrays(x[..., 0])) == pytest.approx(array(series(x)), abs=1e-6)


# -- what does not go together ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "shape", "message"),
    [
        (
            ["model=time_cnn"],
            (8, 1),
            "model=time_cnn does not fit data=made: it takes series of 9 steps or more, because 2 convolutions of "
            "length 7 (padding=same) with pooling by 3 shorten them; these have 8; set fewer model.filters or a "
            "smaller model.pool_size",
        ),
        (["model=time_cnn", "model.padding=valid"], (32, 1), "takes series of 33 steps or more, because"),
        (["model=time_cnn", "model.filters=[4,4,4,4]"], (60, 1), "takes series of 321 steps or more, because 4"),
        (["model=fcn"], (4, 5, 3), "takes arrays of the shape [steps] or [steps, channels]; these are arrays of 4x5x3"),
        (["model=fcn", "model.filters=[3]"], (9, 1), "model.kernel_sizes has 3 values; expected 1, as many as filters"),
        (["model=mlp_time", "model.hidden=[3]"], (9,), "model.dropout has 4 values; expected 2, one for each hidden"),
    ],
)
def test_model_that_does_not_fit_the_series_is_refused(build, overrides, shape, message):
    with pytest.raises(RequestError) as caught:
        build(*overrides, data=dataset(*shape, kind=ARRAYS))
    assert message in str(caught.value)


def test_shortest_series_that_time_cnn_takes(build):
    assert build("model=time_cnn", data=dataset(9, 1)).output_shape == (None, 2)
    assert build("model=time_cnn", "model.padding=valid", data=dataset(33, 1)).output_shape == (None, 2)


@pytest.mark.parametrize("model", MODELS)
def test_model_of_series_is_refused_for_a_table_before_data_are_read(configure, model):
    with pytest.raises(RequestError, match=f"model={model} takes series or arrays, but the examples of houses"):
        configure("data=csv", "data.path=/nowhere/houses.csv", "data.target=price", f"model={model}")


# -- sigmoid outputs --------------------------------------------------------------------------------------------------


def test_time_cnn_goes_with_the_squared_error_of_its_source(configure):
    assert configure("data=ucr", "data.name=made", "model=time_cnn").training.loss == "mean_squared_error"
    with pytest.raises(RequestError, match=r"output_activation=sigmoid goes with training.loss=mean_squared_error"):
        configure("data=ucr", "data.name=made", "model=time_cnn", "training.loss=cross_entropy")
    logits = ("model.output_activation=null", "training.loss=auto")
    assert configure("data=ucr", "data.name=made", "model=time_cnn", *logits).training.loss == "auto"


@pytest.mark.parametrize("standardize", ["null", "series"])
def test_recorded_probabilities_of_sigmoids_are_their_shares(configure, standardize):
    """The saved model gives logarithms, whose softmax is recorded, and whose exponentials are what the loss takes."""
    data = dataset(20, 1, classes=3)
    config = configure("data=ucr", "data.name=made", "model=time_cnn", f"data.standardize={standardize}")
    parts = Parts.of(config, data, measures.of(config, task_of(CLASSIFICATION)))
    keras.utils.set_random_seed(0)
    model = building.build(config, parts.prepared, parts.objective)
    model.get_layer("logits").set_weights([np.random.default_rng(0).normal(0, 30, (24, 3)), np.array([0, -8, 3])])
    sigmoids = array(model(parts.prepared.x_train))
    assert ((sigmoids >= 0) & (sigmoids <= 1)).all()
    assert np.ptp(sigmoids) > 0.9
    outputs = array(networks.saved_model(model, parts)(data.x_train))
    recorded = task_of(CLASSIFICATION).recorded(outputs)
    assert recorded == pytest.approx(sigmoids / sigmoids.sum(axis=1, keepdims=True), abs=1e-6)
    assert recorded.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert (recorded.argmax(axis=1) == sigmoids.argmax(axis=1)).all()
    assert outputs == pytest.approx(parts.objective.in_units(sigmoids), rel=1e-6)
    wanted = np.square(sigmoids - np.eye(3)[data.y_train]).mean()
    assert parts.objective.value(data.y_train, outputs, None) == pytest.approx(wanted, rel=1e-4)


def test_saved_model_begins_with_the_preparation_that_the_training_examples_had(configure):
    """So the statistics of the channels are computed once."""
    config = configure("data=ucr", "data.name=made", "model=fcn", "data.standardize=channel")
    parts = Parts.of(config, dataset(20, 1, classes=3), measures.of(config, task_of(CLASSIFICATION)))
    saved = networks.saved_model(building.build(config, parts.prepared, parts.objective), parts)
    assert parts.preparation in saved.layers


@pytest.mark.parametrize(
    "changes", [{"names": ("a", "b", "c", "d")}, {"kind": ARRAYS}], ids=["a class without an example", "kind"]
)
def test_network_is_not_kept_for_other_inputs_or_outputs_whose_checksum_is_the_same(configure, changes):
    config = configure("data=ucr", "data.name=made", "model=time_cnn", "data.standardize=null")
    data = dataset(20, 1, classes=3)
    measured = measures.of(config, task_of(CLASSIFICATION))
    parts, other = (Parts.of(config, each, measured) for each in (data, dataclasses.replace(data, **changes)))
    networks.forget()
    networks.keep(networks.network(parts))
    assert networks.is_kept(parts)
    assert not networks.is_kept(other)
    model = networks.network(other).model
    assert (model.output_shape[-1], model.inputs[0].name) == (len(other.data.names), other.data.kind)


def test_softmax_of_sigmoids_stays_what_is_recorded_of_a_model_that_declares_no_shares(configure):
    """Runs of earlier versions have it under the same run_id."""
    config = configure("model=mlp", "model.output_activation=sigmoid", "training.loss=mean_squared_error")
    assert not Objective.of_parts(config, task_of(CLASSIFICATION), ("a", "b"), None).has_sigmoids


def test_sigmoids_that_are_all_0_are_recorded_as_equal_shares():
    objective = Objective(task_of(CLASSIFICATION), None, ("a", "b"), None, has_sigmoids=True)
    recorded = task_of(CLASSIFICATION).recorded(objective.in_units(np.zeros((1, 2), np.float32)))
    assert recorded.tolist() == [[0.5, 0.5]]
