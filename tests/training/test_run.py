"""Runs on real digits: what is recorded, that it can be trusted, that an interrupted one goes on to the same bit."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import keras
import numpy as np
import pytest
import yaml
from hydra.errors import InstantiationException

from fitbench import metrics
from fitbench.data.loading import load
from fitbench.errors import FitbenchError, RequestError, interruption
from fitbench.launch import command
from fitbench.launch.job import run
from fitbench.record import dataset
from fitbench.record.failure import error_line
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import append_history, read_history
from fitbench.record.notes import Notes, change_notes, read_notes
from fitbench.record.reading import read_result
from fitbench.training import backend, checkpoint, networks, resuming, variables
from fitbench.training.callbacks import Diverged
from fitbench.training.run import train

# what the fixture `dropout_run` is trained with
DROPOUT_RUN = (
    "model=mlp", "model.dropout=0.2", "optimizer/schedule=cosine", "training.epochs=5",
    "training.early_stopping.patience=10",
)  # fmt: skip
SOME = np.random.default_rng(0)
SMALL = ("data=digits", "model=mlp", "training.epochs=2")


@pytest.fixture(scope="session")
def dropout_run(trained):
    """Randomness and state of every kind: dropout, a schedule, Adam."""
    return trained(*DROPOUT_RUN)


def history_without_seconds(folder):
    return [{key: value for key, value in epoch.items() if key != "seconds"} for epoch in read_history(folder)]


def assert_same_run(one, other):
    assert history_without_seconds(one) == history_without_seconds(other)
    models = [keras.saving.load_model(folder / "model.keras") for folder in (one, other)]
    for mine, theirs in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        assert np.array_equal(mine, theirs)
    first, second = (np.load(folder / "predictions.npz")["probabilities"] for folder in (one, other))
    assert np.array_equal(first, second)
    assert read_result(one)["metrics"] == read_result(other)["metrics"]


# -- what is recorded


def test_folder_holds_the_files_of_a_finished_run_and_no_others(dropout_run):
    folder, _ = dropout_run
    assert state_of(folder) is State.finished
    assert {path.name for path in folder.iterdir()} == {
        "config.yaml", "dataset.json", "history.jsonl", "model.keras", "predictions.npz", "result.json",
    }  # fmt: skip


def test_result_has_every_field_of_the_contract(dropout_run):
    folder, returned = dropout_run
    result = json.loads((folder / "result.json").read_text())
    assert result == returned
    assert set(result) == {
        "schema", "run_id", "config_id", "seed", "fold", "study", "config", "task", "primary", "metrics", "metric_info",
        "timing", "parameters", "data", "versions", "git", "code", "environment", "device", "threads", "attempts",
        "finished_at",
    }  # fmt: skip
    assert (result["task"], result["primary"], result["fold"]) == ("classification", "accuracy", None)
    assert result["code"] == {}
    assert result["threads"] == len(os.sched_getaffinity(0))
    assert result["metric_info"] == {name: metrics.get(name).info() for name in ("accuracy", "loss")}
    assert set(result["metrics"]) == {
        "train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy", "best_epoch",
        "epochs",
    }  # fmt: skip
    assert all(isinstance(value, int | float) for value in result["metrics"].values())
    assert set(result["timing"]) == {"fit_seconds", "seconds", "examples_per_second"}
    assert result["schema"] == 2
    assert result["run_id"] == folder.name == f"mnist_5k-mlp-adam-{result['config_id']}-s0"
    assert result["parameters"] == 55_050
    assert {key: result["data"][key] for key in ("name", "train", "validation", "test")} == {
        "name": "mnist_5k", "train": 3200, "validation": 800, "test": 1000,
    }  # fmt: skip
    assert result["versions"]["keras"] == keras.__version__
    assert result["device"].startswith(("cpu", "gpu"))
    assert result["finished_at"].endswith("Z")


def test_config_yaml_is_the_resolved_configuration(dropout_run):
    folder, result = dropout_run
    assert yaml.safe_load((folder / "config.yaml").read_text()) == result["config"]
    assert result["config"]["model"]["dropout"] == 0.2
    assert result["config"]["optimizer"]["schedule"]["kind"] == "cosine"


def test_history_has_a_line_for_each_epoch(dropout_run):
    folder, _ = dropout_run
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3, 4, 5]
    assert set(history[0]) == {
        "epoch", "seconds", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy",
    }  # fmt: skip
    assert history[-1]["loss"] < history[0]["loss"]
    rates = [epoch["learning_rate"] for epoch in history]  # as the epochs began: warm-up, then down along a cosine
    assert rates[:2] == pytest.approx([0, 0.001])
    assert rates[1:] == sorted(rates[1:], reverse=True)


def test_saved_model_reads_raw_pixels_as_the_predictions_say(dropout_run, configure):
    folder, result = dropout_run
    data = load(configure().data)
    model = keras.saving.load_model(folder / "model.keras")
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(model.predict(data.x_test, verbose=0)))
    recorded = np.load(folder / "predictions.npz", allow_pickle=False)
    assert np.allclose(probabilities, recorded["probabilities"], atol=1e-6)
    assert recorded["labels"].tolist() == data.y_test.tolist()
    assert str(recorded["data_sha256"]) == data.sha256 == result["data"]["sha256"]
    right = probabilities[np.arange(1000), data.y_test]
    assert result["metrics"]["test_accuracy"] == np.mean(probabilities.argmax(axis=1) == data.y_test)
    assert result["metrics"]["test_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-4)
    assert result["metrics"]["test_accuracy"] > 0.8


def test_saved_model_holds_no_optimizer(dropout_run):
    folder, _ = dropout_run
    assert getattr(keras.saving.load_model(folder / "model.keras"), "optimizer", None) is None
    assert json.loads(zipfile.ZipFile(folder / "model.keras").read("config.json")).get("compile_config") in (None, {})


def test_metrics_are_those_of_the_weights_that_are_kept(trained, configure):
    options = ("data=digits", "model=mlp", "training.epochs=40", "optimizer.learning_rate=0.03")
    data = load(configure("data=digits").data)
    held_back = slice(int(len(data.y_train) * 0.8), None)
    for restore in (True, False):
        folder, result = trained(
            *options, "training.early_stopping.patience=2", f"training.early_stopping.restore_best_weights={restore}"
        )
        history, metrics = read_history(folder), result["metrics"]
        best = min(history, key=lambda epoch: epoch["val_loss"])
        assert metrics["best_epoch"] == best["epoch"] == history[-1]["epoch"] - 2
        kept = best if restore else history[-1]
        assert metrics["val_loss"] == kept["val_loss"]
        assert metrics["train_accuracy"] == pytest.approx(kept["accuracy"], rel=1e-7)  # which has 32 bits
        logits = keras.saving.load_model(folder / "model.keras").predict(data.x_train[held_back], verbose=0)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(data.y_train[held_back], logits)
        assert float(loss) == pytest.approx(metrics["val_loss"], rel=1e-4)


# -- the same configuration is the same run


def test_same_configuration_twice_is_the_same_to_the_last_bit(dropout_run, trained):
    folder, _ = dropout_run
    assert_same_run(folder, trained(*DROPOUT_RUN)[0])


def test_convolutions_and_distortions_are_repeatable_whatever_keras_is_set_to(trained):
    """Keras's settings stand in keras.json and in the environment, or a module of the user's sets them."""
    options = ("data=digits", "model=convnet", "model.filters=[4,8]", "distortion=affine", "training.epochs=2")
    expected, _ = trained(*options)
    networks.forget()
    keras.config.set_floatx("float64")
    keras.config.set_epsilon(0.1)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_max_epochs(1)
    try:
        assert_same_run(expected, trained(*options)[0])
    finally:
        backend.reset_settings()


def test_another_seed_is_another_run(dropout_run, trained):
    assert trained(*DROPOUT_RUN, "seed=1")[1]["metrics"] != dropout_run[1]["metrics"]


def test_environment_variables_that_change_digits_are_recorded(trained, monkeypatch):
    for name in list(variables.variables()):
        monkeypatch.delenv(name)
    for name in ("TF_ENABLE_ONEDNN_OPTS", "DNNL_MAX_CPU_ISA", "XLA_FLAGS", "OMP_NUM_THREADS", "TF_CUDNN_DETERMINISTIC"):
        monkeypatch.setenv(name, f"of {name}")
    for name in (
        "TF_CPP_MIN_LOG_LEVEL", "TF_VAR_password", "TF_TOKEN_example_com", "HOME", "KERAS_BACKEND",
        "XLA_PYTHON_CLIENT_MEM_FRACTION",
    ):  # fmt: skip
        monkeypatch.setenv(name, "not recorded")
    _, result = trained("data=digits", "model=nearest_mean")
    assert result["environment"] == {
        "DNNL_MAX_CPU_ISA": "of DNNL_MAX_CPU_ISA", "OMP_NUM_THREADS": "of OMP_NUM_THREADS",
        "TF_CUDNN_DETERMINISTIC": "of TF_CUDNN_DETERMINISTIC", "TF_ENABLE_ONEDNN_OPTS": "of TF_ENABLE_ONEDNN_OPTS",
        "XLA_FLAGS": "of XLA_FLAGS",
    }  # fmt: skip


# -- interruption


# The command, with a pause after each epoch: these runs take less time than it takes to interrupt them.
SLOWLY = """
import sys, time
from fitbench import cli
from fitbench.training import callbacks

append = callbacks.append_history
callbacks.append_history = lambda folder, epoch: (append(folder, epoch), time.sleep(0.1))
sys.argv[0] = "fitbench"
cli.main()
"""


def launch(*arguments):
    command = [sys.executable, "-c", SLOWLY, "train", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_epochs(folder, epochs, process):
    deadline = time.monotonic() + 120
    while len(read_history(folder)) < epochs:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("process_state_restored")
def test_interrupted_run_goes_on_to_the_same_weights_and_history(trained, configure, tmp_path, monkeypatch, capsys):
    """Ctrl-C once, kill -9 once, with dropout, a schedule and early stopping that must remember; then to the end."""
    options = (
        "model=mlp", "model.dropout=0.2", "optimizer=momentum", "optimizer.learning_rate=0.02",
        "optimizer/schedule=cosine", "training.epochs=80", "training.early_stopping.patience=4",
        "training.early_stopping.min_delta=0.002",
        "+training.callbacks.plateau={_target_: keras.callbacks.ReduceLROnPlateau, monitor: loss, min_delta: 0.01}",
    )  # fmt: skip
    undisturbed, _ = trained(*options)
    folder = folder_of(configure(*options, f"outputs={tmp_path}"))

    def append_and_press(folder, epoch):
        append_history(folder, epoch)
        if epoch["epoch"] == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("fitbench.training.callbacks.append_history", append_and_press)
        assert command.launch([*options, f"outputs={tmp_path}"]) == 130
    assert "run the same command again to resume" in capsys.readouterr().err
    assert state_of(folder) is State.interrupted
    after_first = len(read_history(folder))

    process = launch(*options, f"outputs={tmp_path}", "training.checkpoint_seconds=0")
    wait_for_epochs(folder, after_first + 3, process)
    change_notes([folder], lambda noted: noted.changed("looks well", ["paper"]))  # while it runs
    process.kill()
    process.communicate()
    assert state_of(folder) is State.interrupted  # its claim is that of a dead process
    with (folder / "history.jsonl").open("a") as history:
        history.write('{"epoch": 99, "lo')  # as a write that was cut short leaves it

    _, result = trained(*options, outputs=tmp_path)
    assert_same_run(undisturbed, folder)
    assert result["attempts"] == 3
    assert read_result(folder)["metrics"]["epochs"] < 80
    assert not (folder / "checkpoint").exists()
    assert read_notes(folder) == Notes(("paper",), "looks well")


def stop_by(number, module):
    """Send a signal while a C extension is imported, and raise what the modules that import it raise."""
    try:
        try:
            os.kill(os.getpid(), number)
        except BaseException as stop:
            raise ImportError("initialization failed") from stop  # as pybind11 does
    except ImportError as error:
        if module == "plain":
            raise
        if module == "wrapping":
            raise ImportError("the traceback as text")  # noqa: B904 - as TensorFlow does
        assert module == "optional", error  # which Keras does without


@pytest.mark.parametrize("module", ["plain", "wrapping", "optional"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_run_whose_imports_are_interrupted_has_not_failed(
    configure, tmp_path, monkeypatch, capfd, number, status, module
):
    def start(config):
        if module == "plain":  # wherever it is
            stop_by(number, module)
        with backend.quiet(), backend._heeding_signals():
            os.write(2, b"noise of a library")
            stop_by(number, module)

    monkeypatch.setattr(backend, "start", start)
    options = (*SMALL, f"outputs={tmp_path}")
    folder = folder_of(configure(*options))
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    assert command.launch([*options]) == status
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    err = capfd.readouterr().err
    assert err.endswith("fitbench: interrupted; run the same command again to resume\n")
    assert "noise" not in err
    assert state_of(folder) is State.interrupted
    assert not (folder / "error.txt").exists()
    log = (folder / "train.log").read_text()
    assert f"interrupted by {'KeyboardInterrupt' if status == 130 else 'Terminated'}" in log
    assert "failed" not in log


def test_only_what_follows_from_an_interruption_counts_as_one():
    def raised(raise_it):
        with pytest.raises(Exception) as caught:
            raise_it()
        return caught.value

    def write_in_the_end():
        try:
            raise KeyboardInterrupt
        finally:
            raise OSError("No space left on device")

    def exit_by_the_user():
        try:
            raise SystemExit(3)
        except SystemExit as error:
            raise ImportError from error

    assert interruption(raised(write_in_the_end)) is None
    assert interruption(raised(exit_by_the_user)) is None
    assert interruption(raised(lambda: int("x"))) is None


def test_finished_run_is_not_trained_again_unless_forced(trained, configure, tmp_path):
    options = (*SMALL, f"outputs={tmp_path}", "progress=false")
    folder, first = trained(*SMALL, outputs=tmp_path)
    stamp = (folder / "model.keras").stat().st_mtime_ns
    assert run(configure(*options)) == (first, True)
    assert (folder / "model.keras").stat().st_mtime_ns == stamp
    change_notes([folder], lambda noted: noted.changed("looks well", ["paper"]))
    (folder / "confusion.png").write_bytes(b"of the first training")
    again, reused = run(configure(*options, "force=true"))
    assert not reused
    assert again["metrics"] == first["metrics"]
    assert not (folder / "confusion.png").exists()
    assert (folder / "model.keras").stat().st_mtime_ns > stamp
    assert read_notes(folder) == Notes(("paper",), "looks well")


@pytest.mark.parametrize("place", ["tracking.Tracking.begin", "run.load", "rehearsal.rehearse"])
def test_forced_run_that_is_refused_keeps_what_is_recorded(trained, configure, tmp_path, place, monkeypatch):
    def refuse(*_):
        raise RequestError("nothing answers")

    folder, first = trained(*SMALL, outputs=tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "train.log"}
    monkeypatch.setattr(f"fitbench.training.{place}", refuse)
    with pytest.raises(RequestError, match="nothing answers"):
        run(configure(*SMALL, f"outputs={tmp_path}", "progress=false", "force=true"))
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "train.log"} == before
    assert read_result(folder) == first


def test_run_does_not_go_on_with_other_data(trained, configure, tmp_path):
    options = ("data=npz", f"data.path={tmp_path}/made.npz", "model=softmax", "training.epochs=1")
    digits = load(configure("data=digits").data)
    arrays = {name: getattr(digits, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "made.npz", **arrays)
    folder = folder_of(configure(*options, f"outputs={tmp_path}"))
    other = checkpoint.Checkpoint(
        run_id=folder.name, versions={}, epoch=1, stopped=False, seconds=1.0, fit_seconds=1.0, data_sha256="0" * 64,
        history=[{"epoch": 1}],
    )  # fmt: skip
    folder.mkdir(parents=True)
    checkpoint.write(folder, other)
    with pytest.raises(RequestError, match="was interrupted with other data"):
        trained(*options, outputs=tmp_path)


def test_run_does_not_go_on_with_the_same_numbers_under_other_names(configure, tmp_path):
    config = configure("data=boston_housing", "model=linear")
    table = load(config.data)
    state = checkpoint.Checkpoint(
        run_id=tmp_path.name, versions={}, epoch=1, stopped=False, seconds=1.0, fit_seconds=1.0,
        data_sha256=table.sha256, history=[{"epoch": 1}],
    )  # fmt: skip
    checkpoint.write(tmp_path, state)
    columns = [column.model_dump() for column in table.columns]
    content = {
        "name": "a",
        "source": "a",
        "sha256": table.sha256,
        "task": table.task,
        "shape": [13],
        "dtype": "float32",
    }
    targets = [{"name": table.names[0], "mean": 0.0, "deviation": 1.0}]
    dataset.write(tmp_path, content | {"targets": targets, "columns": columns})
    assert resuming.resumable(config, tmp_path, table) is not None
    renamed = dataclasses.replace(table, names=("rent",))
    with pytest.raises(RequestError, match=r"its outputs were MEDV, and are rent now\); data.name=other"):
        resuming.resumable(config, tmp_path, renamed)
    columns[3]["name"] = "noise"
    dataset.write(tmp_path, content | {"targets": targets, "columns": columns})
    with pytest.raises(RequestError, match="column 4 of the input was noise, and is "):
        resuming.resumable(config, tmp_path, table)


# -- ways to train


@pytest.mark.parametrize(
    "options",
    [
        (
            "training.validation=stratified",
            "training.validation_split=0.3",
            "optimizer/schedule=step",
            "+optimizer.clipnorm=1.0",
            "training.early_stopping.monitor=val_accuracy",
        ),
        ("training=full_batch", "training.jit_compile=true", "optimizer=adagrad"),
        ("training.dtype_policy=mixed_bfloat16",),
        ("training.validation_split=0", "training.early_stopping=null"),
        ("+training.callbacks.stop={_target_: keras.callbacks.TerminateOnNaN}", "training.steps_per_execution=3"),
    ],
    ids=lambda options: options[0],
)
def test_ways_to_train(trained, options):
    folder, result = trained(*SMALL, *options)
    history = read_history(folder)
    assert len(history) == 2
    assert history[1]["loss"] < history[0]["loss"]
    without_validation = "training.validation_split=0" in options
    assert (result["metrics"]["val_loss"] is None) is without_validation
    assert (result["data"]["validation"] == 0) is without_validation


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_layers_compute_in_the_precision_of_the_configuration(trained, policy):
    folder, _ = trained(*SMALL, f"training.dtype_policy={policy}")
    model = keras.saving.load_model(folder / "model.keras")
    policies = {layer.name: layer.dtype_policy.name for layer in model.layers}
    assert policies["flatten"] == policy
    assert policies["logits"] == "float32"


@pytest.mark.parametrize("loss", ["mean_squared_error", "label_smoothing"])
def test_losses_are_what_their_names_say(trained, configure, loss):
    option = "training.label_smoothing=0.1" if loss == "label_smoothing" else f"training.loss={loss}"
    folder, result = trained(*SMALL, option)
    data = load(configure("data=digits").data)
    outputs = keras.saving.load_model(folder / "model.keras").predict(data.x_test, verbose=0).astype(np.float64)
    targets = np.eye(10)[data.y_test]
    if loss == "mean_squared_error":
        expected = ((outputs - targets) ** 2).mean()
    else:
        log_probabilities = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
        expected = -((0.9 * targets + 0.1 / 10) * log_probabilities).sum(axis=1).mean()
    assert result["metrics"]["test_loss"] == pytest.approx(expected, rel=1e-4)


def test_image_folder_trains_streamed_as_in_memory(trained, tmp_path, monkeypatch, configure):
    from PIL import Image

    from fitbench.data import image_folder, loading
    from fitbench.training import passes

    digits = load(configure("data=digits").data)
    for part, images, labels in (("train", digits.x_train, digits.y_train), ("test", digits.x_test, digits.y_test)):
        for index in range(200):
            folder = tmp_path / "images" / part / f"class {labels[index]}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[index, :, :, 0]).save(folder / f"{index}.png")
    options = (
        "data=image_folder", f"data.path={tmp_path}/images", "data.image_size=[8,8]", "model=mlp", "training.epochs=2",
    )  # fmt: skip
    whole, result = trained(*options)
    assert result["run_id"].startswith("images-mlp-adam-")
    assert result["data"]["classes"] == [f"class {digit}" for digit in range(10)]
    monkeypatch.setattr(image_folder, "memory_limit", lambda: 1000)
    monkeypatch.setattr(loading, "_latest", {})  # else the images in memory are used again
    monkeypatch.setattr(passes, "BLOCK_BYTES", 64 * 130)
    assert_same_run(whole, trained(*options)[0])


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (SOME.normal(3, 2, (120, 6, 2)), ("model=mlp", "data.standardize=channel")),
        (SOME.integers(0, 50, (120, 6)), ("model=lstm", "model.units=[4]")),
        (SOME.integers(0, 256, (120, 9), np.uint8), ("model=mlp", "data.inputs=arrays")),
    ],
    ids=["series", "tokens", "arrays"],
)
def test_arrays_larger_than_memory_train_as_in_memory(trained, tmp_path, monkeypatch, x, options):
    from fitbench.data import loading, memory
    from fitbench.training import passes, preparation

    y = np.arange(120) % 2
    parts = {"train": slice(80), "val": slice(80, 100), "test": slice(100, None)}
    arrays = {f"{axis}_{part}": array[rows] for part, rows in parts.items() for axis, array in (("x", x), ("y", y))}
    np.savez(tmp_path / "a.npz", **arrays)
    options = ("data=npz", f"data.path={tmp_path}/a.npz", "training.epochs=2", "training.batch_size=8", *options)
    whole, _ = trained(*options)
    monkeypatch.setattr(memory, "memory_limit", lambda: 10)
    monkeypatch.setattr(loading, "_latest", {})
    monkeypatch.setattr(preparation, "_kept", {})
    monkeypatch.setattr(passes, "BLOCK_BYTES", 2000)
    streamed, _ = trained(*options)
    assert not any(type(data.x_test) is np.ndarray for data in loading._latest.values())
    assert_same_run(whole, streamed)


# -- failures


def test_diverging_run_fails_and_keeps_its_history(trained, configure, tmp_path):
    options = (*SMALL, "optimizer=sgd", "optimizer.learning_rate=1e30", f"outputs={tmp_path}")
    folder = folder_of(configure(*options))
    with pytest.raises(Diverged, match=r"diverged: loss is nan after epoch 1; try a smaller optimizer\.learning_rate"):
        trained(*options, outputs=tmp_path)
    assert state_of(folder) is State.failed
    assert read_history(folder)[0]["loss"] is None
    assert "Diverged" in (folder / "error.txt").read_text()
    assert not (folder / "claim.json").exists()


def test_model_that_does_not_fit_the_images_is_refused_and_no_attempt(trained, configure, tmp_path):
    with pytest.raises(RequestError, match="lenet5 takes images of 10x10 pixels or more; these are 8x8"):
        trained("data=digits", "model=lenet5", outputs=tmp_path)
    folder = folder_of(configure("data=digits", "model=lenet5", f"outputs={tmp_path}"))
    assert {path.name for path in folder.iterdir()} == {"config.yaml", "error.txt"}


def test_setting_that_a_model_of_ones_own_does_not_take_is_refused(trained, tmp_path, monkeypatch):
    (tmp_path / "only_width.py").write_text(OWN_MODEL)  # no other test of this process imports a module of that name
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RequestError, match=r"model\.pixel_range: there is no such key; model has .*width"):
        trained(*SMALL, "model._target_=only_width.net", "~model.hidden", "~model.activation")


def test_setting_is_refused_by_a_function_whose_source_does_not_tell_its_parameters(trained, tmp_path, monkeypatch):
    (tmp_path / "created_width.py").write_text(OWN_MODEL + "\nglobals()['created'] = net\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RequestError, match=r"created_width\.created does not take these settings .*pixel_range"):
        trained(*SMALL, "model._target_=created_width.created", "~model.hidden", "~model.activation")


OWN_MODEL = """
import keras

def net(input_shape, classes, width):
    images = keras.Input(input_shape, dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.Dense(width, activation="relu")(keras.layers.Flatten()(x))
    return keras.Model(images, keras.layers.Dense(classes)(x))
"""


def test_model_of_ones_own_trains_from_ones_own_config_dir(tmp_path):
    (tmp_path / "mine.py").write_text(OWN_MODEL)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "net.yaml").write_text("_target_: mine.net\nname: net\nwidth: 12\n")
    process = subprocess.run(
        [
            sys.executable, "-m", "fitbench", "train", "--config-dir", "conf", "model=net", "data=digits",
            "training.epochs=2",
        ],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    [folder] = (tmp_path / "outputs" / "default").iterdir()
    assert read_result(folder)["parameters"] == 64 * 12 + 12 + 12 * 10 + 10
    assert (folder / "curves.png").exists()
    assert (folder / "confusion.png").exists()
    assert "attempt 1 of" in (folder / "train.log").read_text()
    assert str(folder.relative_to(tmp_path)) in process.stdout
    assert process.stderr.splitlines()[0].startswith("epoch 1/2")  # not a word of TensorFlow's


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("optimizer._target_=keras.optimizers.Adm", "module keras.optimizers has no 'Adm'; did you mean Adam"),
        ("model._target_=fitbench.models.dense.mlpp", "module fitbench.models.dense has no 'mlpp'; did you mean mlp"),
        ("model._target_=no_such_module.net", "No module named 'no_such_module'; .* on PYTHONPATH"),
        ("+optimizer.foo=1", "optimizer: keras.optimizers.Adam: .*foo"),
        (
            "+training.callbacks.x={_target_: keras.callbacks.Nothing}",
            r"training.callbacks.x: keras.callbacks.Nothing: ",
        ),
        ("+training.callbacks.x={_target_: math.sqrt, _args_: [4]}", "math.sqrt is no keras.callbacks.Callback"),
    ],
)
def test_optimizers_and_callbacks_that_cannot_be_made_are_refused(trained, option, said):
    with pytest.raises(RequestError, match=said) as caught:
        trained(*SMALL, option)
    assert "\n" not in str(caught.value)


def test_model_of_ones_own_that_ends_in_a_softmax_is_refused_before_it_trains(
    trained, tmp_path, monkeypatch, configure
):
    (tmp_path / "hidden_softmax.py").write_text(
        "import keras\n\ndef net(input_shape, classes):\n    images = keras.Input(input_shape, dtype='uint8')\n"
        "    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))\n"
        "    inner = keras.Model(images, keras.ops.softmax(keras.layers.Dense(classes)(x)))\n"
        "    outer = keras.Input(input_shape, dtype='uint8')\n    return keras.Model(outer, inner(outer))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    options = ("data=digits", "model=softmax", "model._target_=hidden_softmax.net", "~model.pixel_range")
    with pytest.raises(RequestError, match="model=softmax ends in a softmax"):
        trained(*options, outputs=tmp_path)
    assert not (folder_of(configure(*options, f"outputs={tmp_path}")) / "history.jsonl").exists()


@pytest.mark.parametrize(
    "option", ["model._target_=failing_code.net", "+training.callbacks.x={_target_: failing_code.Callback}"]
)
def test_error_in_code_of_ones_own_is_a_failure_with_a_traceback(trained, configure, tmp_path, monkeypatch, option):
    (tmp_path / "failing_code.py").write_text(
        "import keras\n\ndef net(input_shape, outputs, pixel_range):\n    return int('five')\n\n"
        "class Callback(keras.callbacks.Callback):\n    def __init__(self):\n        int('five')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    options = ("data=digits", "model=softmax", option)
    with pytest.raises(InstantiationException, match="invalid literal for int"):
        trained(*options, outputs=tmp_path)
    folder = folder_of(configure(*options, f"outputs={tmp_path}"))
    assert "in net\n" in (text := (folder / "error.txt").read_text()) or "in __init__\n" in text
    assert error_line(folder) == "ValueError: invalid literal for int() with base 10: 'five'"


def test_convnet_learns_in_the_few_steps_of_a_small_data_set(trained):
    _, result = trained(
        "data=digits", "model=convnet", "model.filters=[8,16]", "training.epochs=8", "training.batch_size=64",
        "optimizer.learning_rate=0.01",
    )  # fmt: skip
    assert result["metrics"]["test_accuracy"] > 0.5


def test_subclassed_model_without_a_training_step_of_its_own_trains(trained, tmp_path, monkeypatch):
    (tmp_path / "classes.py").write_text(SUBCLASSED_MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    _, result = trained(
        "data=digits", "model=softmax", "model._target_=classes.make", "~model.pixel_range", "training.epochs=1"
    )
    assert result["parameters"] == 64 * 10 + 10


SUBCLASSED_MODEL = """
import keras

@keras.saving.register_keras_serializable("tests")
class Two(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.layers_in_turn = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(10)]

    def call(self, x):
        for layer in self.layers_in_turn:
            x = layer(x)
        return x

def make(input_shape, classes):
    return Two()
"""


def test_model_whose_training_gives_no_loss_is_told_in_the_first_epoch(trained, tmp_path, monkeypatch):
    (tmp_path / "lossless.py").write_text(LOSSLESS_MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FitbenchError, match="without loss, val_loss; its train_step and test_step must return it"):
        trained("data=digits", "model=softmax", "model._target_=lossless.make", "~model.pixel_range")


LOSSLESS_MODEL = """
import keras

class Lossless(keras.Model):
    def train_step(self, data):
        return {"total": super().train_step(data)["loss"]}

    def test_step(self, data):
        return {"total": super().test_step(data)["loss"]}

def make(input_shape, classes):
    images = keras.Input(input_shape, dtype="uint8")
    return Lossless(images, keras.layers.Dense(classes)(keras.layers.Flatten()(keras.layers.Rescaling(1.0)(images))))
"""


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 300 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], check=False).returncode
    ):
        pytest.skip("needs root and the right to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_full_disk_leaves_nothing_that_looks_finished(tiny_disk, configure):
    config = configure(*SMALL, "model.hidden=[1000]", f"outputs={tiny_disk}", "progress=false")
    folder = folder_of(config)
    with pytest.raises(OSError, match="No space left"):
        train(config, folder)
    assert state_of(folder) is not State.finished
    begun = {"config.yaml", "dataset.json", "history.jsonl", "error.txt", "checkpoint"}
    assert {path.name for path in folder.iterdir()} <= begun
    assert [path.name for path in (folder / "checkpoint").iterdir()] == ["attempts.txt"]
    assert len(read_history(folder)) == 2


# -- kinds of examples


@pytest.mark.parametrize(
    ("kind", "shape", "options"),
    [
        ("tokens", (6,), ("model=lstm", "model.units=[4]", "model.embedding=3", "model.mask_zero=true")),
        ("arrays", (12,), ("model=fcn", "model.filters=[4]", "model.kernel_sizes=[3]")),  # series of one channel
        ("arrays", (2, 3, 2, 2), ("model=mlp", "model.hidden=[8]")),
    ],
)
def test_examples_of_other_kinds_train_and_have_values_after_every_epoch(trained, tmp_path, kind, shape, options):
    random, y = np.random.default_rng(0), np.arange(260) % 2
    sign = y.reshape(-1, *[1] * len(shape))
    x = random.integers(1, 5, (260, *shape)) + 4 * sign
    x = x if kind == "tokens" else (x - 4).astype(np.float32)
    np.savez(tmp_path / "made.npz", x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    folder, result = trained(
        "data=npz", f"data.path={tmp_path}/made.npz", f"data.inputs={kind}", *options, "metrics=[macro_f1,accuracy]",
        "optimizer.learning_rate=0.02", "training.epochs=5",
    )  # fmt: skip
    history = read_history(folder)
    assert history[-1]["loss"] < history[0]["loss"]
    assert all(0 <= epoch["val_macro_f1"] <= 1 for epoch in history)
    assert result["metrics"]["train_accuracy"] > 0.8
    loaded = keras.saving.load_model(folder / "model.keras")
    logits = loaded.predict(x[200:].astype(loaded.inputs[0].dtype), verbose=0)
    assert np.mean(logits.argmax(axis=1) == y[200:]) == result["metrics"]["test_accuracy"]


# -- published figures and other backends


def test_nearest_mean_reaches_its_published_accuracy_on_mnist(trained, mnist, monkeypatch):
    monkeypatch.setenv("FITBENCH_DATA", str(mnist))
    _, result = trained("data=mnist", "model=nearest_mean")
    assert result["metrics"]["test_accuracy"] == 0.8203
    assert result["data"]["train"] == 60_000
    assert result["metrics"]["epochs"] == 0


@pytest.mark.parametrize(
    "chosen",
    [
        ("lenet5", "fcn_of_series"),
        pytest.param(
            ("mlp", "regression",
             "softmax", "convnet", "nearest_mean", "pretrained_of_images", "resnet1d_of_series", "time_cnn_of_series",
             "mlp_time_of_series", "lstm_of_series", "lstm_of_tokens", "multilabel"),
            marks=pytest.mark.long,
        ),
    ],
    ids=["few", "others"],
)  # fmt: skip
def test_every_model_and_every_task_trains_on_jax(tmp_path, chosen):
    pytest.importorskip("jax", reason="needs the extra jax")
    script = """
import sys
import zipfile
from pathlib import Path
from fitbench.composition import Composer
from fitbench.record.folder import folder_of
from fitbench.record.history import append_history, read_history
from fitbench.training.run import train
import numpy as np
root, chosen = Path(sys.argv[1]), set(sys.argv[2:])
y = np.arange(260) % 10
x = (np.random.default_rng(0).integers(0, 20, (260, 28, 28, 1)) + 25 * y[:, None, None, None]).astype(np.uint8)
np.savez(root / "made.npz", x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
for model in sorted(chosen & {"softmax", "mlp", "lenet5", "convnet", "nearest_mean"}):
    own = {
        "convnet": ("model.filters=[4,4]",), "softmax": ("optimizer=nadam",), "lenet5": ("optimizer=lion",),
        "mlp": ("+optimizer.use_ema=true", "optimizer/schedule=plateau"),
    }.get(model, ())
    epochs = () if model == "nearest_mean" else ("training.epochs=2", "training.batch_size=32")
    overrides = ["backend=jax", "data=npz", f"data.path={root}/made.npz", f"model={model}", f"outputs={root}",
                 "progress=false", *epochs, *own]
    config = Composer().configuration(overrides)
    result = train(config, folder_of(config))
    assert result["versions"]["jax"]
    losses = [epoch["loss"] for epoch in read_history(folder_of(config))]
    print(model, *losses, result["metrics"]["test_loss"])
    if model == "mlp":  # the averaged weights, which were validated, are saved
        import keras
        saved = keras.saving.load_model(folder_of(config) / "model.keras")
        logits = saved.predict(x[160:200], verbose=0).astype(float)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        assert abs(-log_p[np.arange(40), y[160:200]].mean() - result["metrics"]["val_loss"]) < 1e-5
    if model in ("mlp", "lenet5"):  # whose steps are in one compiled loop, and compiled one by one
        with_more = Composer().configuration([*overrides, "metrics=[macro_f1,accuracy,log_loss]", "study=more"])
        train(with_more, folder_of(with_more))
        folders = folder_of(config), folder_of(with_more)
        weights = [zipfile.ZipFile(folder / "model.keras").read("model.weights.h5") for folder in folders]
        first, second = ([{**epoch, "seconds": 0} for epoch in read_history(folder)] for folder in folders)
        assert weights[0] == weights[1]
        assert [{key: epoch[key] for key in first[0]} for epoch in second] == first
        assert all(0 < epoch["val_macro_f1"] <= 1 for epoch in second)

def train_kind(kind, inputs, models):
    path = root / f"{kind}.npz"
    np.savez(path, x_train=inputs[:200], y_train=y[:200], x_test=inputs[200:], y_test=y[200:])
    for model, settings in models.items():
        if f"{model}_of_{kind}" not in chosen:
            continue
        config = Composer().configuration([
            "backend=jax", "data=npz", f"data.path={path}", f"data.inputs={kind}", f"model={model}", "progress=false",
            "training.epochs=2", "training.batch_size=32", f"outputs={root}", *settings,
        ])
        result = train(config, folder_of(config))
        losses = [epoch["loss"] for epoch in read_history(folder_of(config))]
        print(f"{model}_of_{kind}", *losses, result["metrics"]["test_loss"])

train_kind("images", x, {"pretrained": [
    "model.application=MobileNet", "model.weights=null", "model.freeze=null", "model.image_size=[32,32]",
    "model.arguments={alpha: 0.25}",
]})
y = y % 2
sizes = np.random.default_rng(3).uniform(0.5, 1, (260, 12, 2)) * (2 * y[:, None, None] - 1)
train_kind("series", sizes.astype(np.float32), {
    "fcn": ["model.filters=[4,4,4]", "data.standardize=channel"], "resnet1d": ["model.filters=[4,4]"],
    "time_cnn": ["model.filters=[3]"], "mlp_time": ["model.hidden=[8,8,8]"], "lstm": ["model.units=[4]"],
})
train_kind("tokens", np.random.default_rng(4).integers(1, 5, (260, 6)) + 4 * y[:, None], {
    "lstm": ["model.units=[4]", "model.bidirectional=true", "model.mask_zero=true", "model.embedding=3"],
})
import pandas as pd
rows = np.random.default_rng(1).normal(size=(260, 4))
table = pd.DataFrame(rows, columns=list("abcd")).assign(weight=np.random.default_rng(2).uniform(0, 2, 260))
tasks = {
    "regression": {"price": rows.sum(axis=1) + 50.5, "rent": 100 * rows[:, 0] + 0.25},
    "multilabel": {"warm": (rows[:, 0] > 0).astype(int), "wet": (rows[:, 1] > 0).astype(int)},
}
options = {
    "regression": ["training.standardize_targets=true", "training.early_stopping.monitor=val_mae"],
    "multilabel": ["training.threshold=auto"],
}
for task in sorted(chosen & set(tasks)):
    targets = tasks[task]
    table.assign(**targets).to_csv(root / f"{task}.csv", index=False)
    config = Composer().configuration([
        "backend=jax", "data=csv", f"data.path={root}/{task}.csv", f"data.target=[{','.join(targets)}]",
        "data.weight=weight", f"task={task}", "model=mlp", "model.hidden=[16]", "optimizer.learning_rate=0.01",
        "training.epochs=2", "training.batch_size=32", "progress=false", f"outputs={root}", *options[task],
    ])
    result = train(config, folder_of(config))
    assert result["task"] == task
    losses = [epoch["loss"] for epoch in read_history(folder_of(config))]
    print(task, *losses, result["metrics"]["test_loss"])
"""
    process = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), *chosen],
        env={**os.environ, "XLA_FLAGS": "--xla_backend_optimization_level=0"},  # compiles in less than half of the time
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    reported = {line.split()[0]: list(map(float, line.split()[1:])) for line in process.stdout.splitlines()}
    assert set(reported) == set(chosen)
    assert all(first > second for first, second, _ in (reported[name] for name in reported if name != "nearest_mean"))
    notes = process.stderr.splitlines()
    assert len(notes) == len({"regression", "multilabel"} & set(chosen))  # which read a CSV file
    assert all(note.endswith(".csv: 52 of 260 rows, drawn with data.split_seed=0, are the test part") for note in notes)


# -- the seeds of a configuration share a network ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (("seed=1", "optimizer/schedule=cosine", "optimizer.learning_rate=0.01"), ("seed=2",)),
        pytest.param(
            ("seed=1", "optimizer=adamw", "optimizer.learning_rate=0.01"),
            ("optimizer.learning_rate=0.3",),
            marks=pytest.mark.long,
        ),
    ],
)
def test_run_is_the_same_bit_for_bit_whatever_its_process_has_trained_before(trained, tmp_path, own, other):
    stateful = ("data=digits", "model=mlp", "model.dropout=0.3", "distortion=affine", "training.epochs=3", *own)
    networks._kept.clear()
    alone, _ = trained(*stateful, outputs=tmp_path / "alone")
    built = networks._kept[0]
    trained(*stateful, *other, outputs=tmp_path / "after")
    after, _ = trained(*stateful, outputs=tmp_path / "after")
    assert networks._kept == [built]  # it has trained all three
    for name in ("model.keras", "predictions.npz"):
        with zipfile.ZipFile(alone / name) as one, zipfile.ZipFile(after / name) as two:
            members = [member for member in one.namelist() if member != "metadata.json"]  # that has the time
            assert all(one.read(member) == two.read(member) for member in members)
    histories = [[{**epoch, "seconds": 0} for epoch in read_history(folder)] for folder in (alone, after)]
    assert histories[0] == histories[1]


def test_network_is_not_shared_where_more_differs_or_code_is_the_users_own(trained):
    quick = ("data=digits", "model=softmax", "training.epochs=1")
    trained(*quick)
    first = networks._kept[0]
    trained(*quick, "training.batch_size=64")
    assert networks._kept[0] is not first
    trained(*quick, "+training.callbacks.own={_target_: keras.callbacks.TerminateOnNaN}")
    assert networks._kept == []
