"""Runs of series, sequences of tokens and other arrays: predict, evaluate and export."""

import importlib
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from fitbench import cli
from fitbench.config import Backend
from fitbench.data.loading import load
from fitbench.errors import DataError, FitbenchError, RequestError
from fitbench.inference import predict as predicting
from fitbench.inference import reader
from fitbench.inference.evaluate import evaluate
from fitbench.inference.export import export
from fitbench.inference.inputs import recorded_inputs
from fitbench.kinds import ARRAYS, IMAGES, SERIES, TOKENS
from fitbench.record.folder import folder_of
from fitbench.record.inputs import Inputs
from fitbench.record.reading import read_predictions
from fitbench.training import backend
from fitbench.training.run import train

SIGMOIDS = "sigmoids"  # of series, trained with the squared error
HEADER = ["@problemName Made", "@univariate true", "@equalLength false", "@classLabel true up down", "@data"]


def ts(path: Path, series: list[tuple[list[float], str | None]], header: list[str] = HEADER) -> Path:
    lines = [",".join(map(str, values)) + ("" if label is None else f":{label}") for values, label in series]
    path.write_text("\n".join([*header, *lines]) + "\n")
    return path


def ramps(count: int, seed: int = 0, steps: tuple[int, int] = (8, 12)) -> list[tuple[list[float], str | None]]:
    """Series that go up or down, from 8 to 12 steps long; the first is the longest."""
    random = np.random.default_rng(seed)
    lengths = [steps[1], *random.integers(steps[0], steps[1] + 1, count - 1)]
    return [
        (np.round(np.linspace(0, 1 if i % 2 else -1, n) + random.normal(0, 0.05, n), 4).tolist(), ["down", "up"][i % 2])
        for i, n in enumerate(lengths)
    ]


def arrays_of(kind: str, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    y = np.arange(40) % 2
    x = (
        random.integers(0, 3, (40, 6)) + 3 * y[:, None]
        if kind == TOKENS
        else random.normal(y[:, None, None], 1, (40, 3, 2))
    )
    x = x.astype(np.int64 if kind == TOKENS else np.float32)
    return {"x_train": x[:24], "y_train": y[:24], "x_test": x[24:], "y_test": y[24:]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with a data set of each kind. Copy a file before changing it."""
    folder = tmp_path_factory.mktemp("data")
    ts(folder / "Made_TRAIN.ts", ramps(24))
    ts(folder / "Made_TEST.ts", ramps(10, seed=1))
    for kind in (TOKENS, ARRAYS):
        np.savez(folder / f"{kind}.npz", **arrays_of(kind))
    return folder


@pytest.fixture(scope="module")
def runs(configure, folder, tmp_path_factory) -> dict[str, Path]:
    """Return the folders of a finished run of each kind. Copy one before changing it."""
    backend.load(Backend.tensorflow)
    series = ["data=signals", f"data.path={folder}/Made_TRAIN.ts", "data.lengths=cubic", "data.standardize=series"]
    choices = {
        SERIES: [*series, "model=fcn"],
        SIGMOIDS: [*series, "model=time_cnn"],
        TOKENS: ["data=npz", f"data.path={folder}/tokens.npz", "model=lstm", "data.vocabulary=7"],
        ARRAYS: ["data=npz", f"data.path={folder}/arrays.npz", "data.inputs=arrays", "model=mlp"],
    }
    folders = {}
    for kind, overrides in choices.items():
        outputs = tmp_path_factory.mktemp(kind) / "outputs"
        short = ["training.epochs=2", "training.batch_size=8", "training.early_stopping=null", "progress=false"]
        config = configure(f"outputs={outputs}", *short, *overrides)
        folders[kind] = folder_of(config)
        train(config, folders[kind])
    return folders


@pytest.fixture(scope="module")
def opened(runs) -> dict[str, reader.Reader]:
    return {kind: reader.open_run(folder) for kind, folder in runs.items()}


@pytest.fixture
def call(opened, monkeypatch, capfd, tmp_path):
    """Return a function that calls `fitbench predict` with a loaded model, and returns status, rows and stderr."""

    def call_main(kind: str, *arguments: object) -> tuple[int, list[dict], str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(predicting, "open_run", lambda folder, trust: opened[kind])
        command = ["fitbench", "predict", str(opened[kind].folder), *map(str, arguments), "--format", "json"]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as caught:
            cli.main()
        printed = capfd.readouterr()
        return int(caught.value.code or 0), [json.loads(line) for line in printed.out.splitlines()], printed.err

    return call_main


def labels(rows: list[dict]) -> list[str | None]:
    return [row["label"] for row in rows]


def recorded_labels(run: reader.Reader) -> list[str]:
    return [run.names[i] for i in read_predictions(run.folder, run.result).outputs.argmax(axis=1)]


# -- predict ----------------------------------------------------------------------------------------------------------


def test_predictions_for_the_test_series_equal_the_recorded_ones(call, opened, folder):
    status, rows, err = call(SERIES, folder / "Made_TEST.ts", "--batch-size", 4)
    assert (status, labels(rows)) == (0, recorded_labels(opened[SERIES]))
    assert [row["path"] for row in rows] == [f"{folder}/Made_TEST.ts[{i}]" for i in range(10)]
    recorded = read_predictions(opened[SERIES].folder, opened[SERIES].result).outputs.max(axis=1)
    assert [row["probability"] for row in rows] == pytest.approx(recorded.tolist(), rel=1e-4)
    assert "10 series in" in err


@pytest.mark.parametrize("kind", [TOKENS, ARRAYS])
def test_predictions_for_the_test_arrays_equal_the_recorded_ones(call, opened, folder, tmp_path, kind):
    np.save(tmp_path / "a.npy", arrays_of(kind)["x_test"])
    for path in (tmp_path / "a.npy", folder / f"{kind}.npz"):
        status, rows, _ = call(kind, path, "--batch-size", 5)
        assert (status, labels(rows)) == (0, recorded_labels(opened[kind]))
    assert rows[-1]["path"] == f"{folder}/{kind}.npz[15]"
    assert labels(call(kind, folder / f"{kind}.npz", "--array", "x_train")[1]) != []


def test_labels_need_not_be_in_a_file_of_series(call, folder, tmp_path):
    header = [line.replace("true up down", "false") for line in HEADER]
    ts(tmp_path / "new.ts", [(values, None) for values, _ in ramps(10, seed=1)], header)
    assert labels(call(SERIES, "new.ts")[1]) == labels(call(SERIES, folder / "Made_TEST.ts")[1])
    text = "\n".join("\t".join(map(str, [0, *values])) for values, _ in ramps(10, seed=1))
    (tmp_path / "new.tsv").write_text(text)
    assert labels(call(SERIES, "new.tsv")[1]) == labels(call(SERIES, folder / "Made_TEST.ts")[1])
    (tmp_path / "new.tsv").write_text("\n".join("\t".join(map(str, range(12))) for _ in range(3)))
    status, rows, err = call(SERIES, "new.tsv")
    assert (status, rows) == (1, []) and "its lines have 12 numbers, as many as the model takes, but the first" in err


def test_examples_that_the_model_cannot_take_have_an_error_and_the_others_a_prediction(call, tmp_path):
    good, label = ramps(1)[0]
    ts(tmp_path / "a.ts", [(good, label), ([*good[:5], "?", *good[6:]], label), (good[:1], label)])
    status, rows, _ = call(SERIES, "a.ts")
    assert status == 1
    assert [row["error"] for row in rows] == [
        None,
        "value [5, 0] is nan; expected a finite number below 3.4e38",
        "the number of steps is 1, which cannot be interpolated to 12; expected 2 or more",
    ]
    tokens = np.array([[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 7], [0, -1, 2, 3, 4, 5], [6, 1, 2, 3, 4, 5]])
    np.save(tmp_path / "tokens.npy", tokens)
    status, rows, err = call(TOKENS, "tokens.npy")
    expected = "expected a whole number from 0 to 6, the tokens of the run"
    assert [row["error"] for row in rows] == [None, f"value [5] is 7; {expected}", f"value [1] is -1; {expected}", None]
    assert status == 1 and "4 sequences in" in err and "2 could not be read" in err
    values = np.zeros((3, 3, 2))
    values[1, 2, 0], values[2, 0, 1] = np.inf, 1e39
    np.save(tmp_path / "arrays.npy", values)
    status, rows, _ = call(ARRAYS, "arrays.npy")
    assert [row["error"] and row["error"][:22] for row in rows] == [
        None,
        "value [2, 0] is inf; e",
        "value [0, 1] is 1e+39;",
    ]


def test_a_remark_counts_the_series_that_were_interpolated(call, tmp_path):
    good, label = ramps(1)[0]
    ts(tmp_path / "a.ts", [(good, label), (good[:8], label), (good[:8], label)])
    assert (
        "fitbench: 2 of 3 series, which have 8 to 12 steps, are interpolated (cubic) to 12 steps\n"
        in call(SERIES, "a.ts")[2]
    )
    ts(tmp_path / "a.ts", [(good, label)])
    assert "interpolated" not in call(SERIES, "a.ts")[2]


@pytest.mark.parametrize(
    ("kind", "array", "message"),
    [
        (SERIES, np.zeros((2, 12, 3)), "an array of float64 (2, 12, 3); expected numbers [N, steps, 1]"),
        (TOKENS, np.zeros((2, 6)), "an array of float64 (2, 6); expected integers [N, 6]"),
        (TOKENS, np.zeros((2, 5), int), "an array of int64 (2, 5); expected integers [N, 6]"),
        (ARRAYS, np.zeros((2, 3)), "an array of float64 (2, 3); expected floats [N, 3, 2]"),
        (ARRAYS, np.zeros((2, 3, 2), int), "an array of int64 (2, 3, 2); expected floats [N, 3, 2]"),
        (ARRAYS, np.zeros((), np.float32), "an array of float32 (); expected floats [N, 3, 2]"),
    ],
)
def test_arrays_of_another_shape_or_type_are_refused(call, tmp_path, kind, array, message):
    np.save(tmp_path / "a.npy", array)
    status, rows, err = call(kind, "a.npy")
    assert (status, rows, err) == (1, [], f"fitbench: a.npy: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.npy"], "none.npy: there is no such file; expected .npy, .npz, .ts, .tsv or .txt"),
        (["a.png"], "a.png: the run takes series; expected a file with .npy, .npz, .ts, .tsv or .txt"),
        (["."], ".: the run takes series; expected a file with"),
        (
            ["a.npy", "--labels", "folder"],
            "--labels is for images; the run takes series; fitbench evaluate scores series",
        ),
    ],
)
def test_what_does_not_fit_a_run_of_series_is_refused(call, tmp_path, arguments, message):
    (tmp_path / "a.png").write_bytes(b"")
    np.save(tmp_path / "a.npy", np.zeros((1, 12)))
    status, rows, err = call(SERIES, *arguments)
    assert (status, rows) == (2, []) and err.startswith(f"fitbench: {message}") and err.count("\n") == 1


# -- evaluate ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def evaluated(runs, tmp_path, capsys):
    """Return a function that evaluates a copy of a run, and returns the output of --format json."""

    def call(kind: str, data: str, *overrides: str, part: str = "test") -> dict:
        copy = tmp_path / "outputs" / "study" / runs[kind].name
        if not copy.exists():
            shutil.copytree(runs[kind], copy)
        evaluate(str(copy), Path("none"), data, overrides, part, "json", trust=False)
        return json.loads(capsys.readouterr().out)

    return call


def test_the_runs_own_data_give_the_recorded_metrics(evaluated, opened, folder):
    paths = dict.fromkeys((SERIES, SIGMOIDS), f"{folder}/Made_TRAIN.ts")
    paths |= {kind: f"{folder}/{kind}.npz" for kind in (TOKENS, ARRAYS)}
    for kind, path in paths.items():
        output = evaluated(kind, "npz" if path.endswith("npz") else "signals", f"data.path={path}")
        metrics = opened[kind].result["metrics"]
        assert output["data"]["sha256"] == opened[kind].result["data"]["sha256"]
        assert output["metrics"]["accuracy"] == metrics["test_accuracy"]
        assert output["metrics"]["loss"] == pytest.approx(metrics["test_loss"], rel=1e-4)


def test_other_series_are_brought_to_the_length_of_the_run_and_classes_matched_by_name(evaluated, opened, tmp_path):
    """The other data are longer than the run's, and their header has the classes in another order."""
    header = [line.replace("up down", "down up") for line in HEADER]
    other = ramps(10, seed=5, steps=(14, 20))
    ts(tmp_path / "Other_TRAIN.ts", ramps(10, seed=6, steps=(14, 30)), header)
    ts(tmp_path / "Other_TEST.ts", other, header)
    output = evaluated(SERIES, "signals", f"data.path={tmp_path}/Other_TRAIN.ts")
    assert (output["data"]["classes"], output["data"]["matched"]) == (["down", "up"], "name")
    from fitbench.data.resampling import resampled

    inputs = resampled([np.array(values, np.float32)[:, None] for values, _ in other], 12, "cubic")
    answers = opened[SERIES].predictions(inputs).argmax(axis=1)
    correct = [opened[SERIES].names[answer] == label for answer, (_, label) in zip(answers, other, strict=True)]
    assert output["metrics"]["accuracy"] == np.mean(correct)


def test_all_series_of_a_file_without_a_test_part_are_evaluated_in_their_order(evaluated, opened, folder, tmp_path):
    later = ts(tmp_path / "later.ts", ramps(10, seed=1))  # as in Made_TEST.ts
    recorded = read_predictions(opened[SERIES].folder, opened[SERIES].result)
    for path in (later, folder / "Made_TEST.ts"):
        output = evaluated(SERIES, "signals", f"data.path={path}", f"data.name={path.stem}")
        assert (output["data"]["part"], output["data"]["count"]) == ("all", 10)
        assert output["metrics"]["accuracy"] == opened[SERIES].result["metrics"]["test_accuracy"]
        with np.load(Path(output["path"]).with_suffix(".npz")) as predictions:
            np.testing.assert_array_equal(predictions["labels"], recorded.targets)
    for override in ("data.test_fraction=0.5", "data.split_seed=1"):
        with pytest.raises(RequestError, match=f"{override}: not allowed here; all series of .*later.ts are evaluated"):
            evaluated(SERIES, "signals", f"data.path={later}", override)
    with pytest.raises(RequestError, match=r"--part train: .*later\.ts is not the data of the run, and has no parts"):
        evaluated(SERIES, "signals", f"data.path={later}", part="train")


def test_tokens_beyond_those_of_the_run_are_refused_and_fewer_are_evaluated(evaluated, tmp_path):
    arrays = arrays_of(TOKENS, seed=3)
    fewer = {key: np.minimum(value, 4) for key, value in arrays.items()}
    np.savez(tmp_path / "fewer.npz", **fewer)
    assert evaluated(TOKENS, "npz", f"data.path={tmp_path}/fewer.npz")["data"]["count"] == 16
    arrays["x_test"][3, 2] = 7
    np.savez(tmp_path / "more.npz", **arrays)
    with pytest.raises(DataError, match=r"example 3 \(counted from 0\): value \[2\] is 7; expected .* from 0 to 6"):
        evaluated(TOKENS, "npz", f"data.path={tmp_path}/more.npz")


def test_weights_of_the_test_part_count_in_the_loss(evaluated, opened, tmp_path):
    arrays = arrays_of(ARRAYS, seed=4)
    weights = np.linspace(0, 2, 16)
    np.savez(tmp_path / "new.npz", **arrays, w_train=np.ones(24), w_test=weights)
    output = evaluated(ARRAYS, "npz", f"data.path={tmp_path}/new.npz")
    shares = opened[ARRAYS].predictions(arrays["x_test"])[np.arange(16), arrays["y_test"]]
    assert output["metrics"]["loss"] == pytest.approx(np.average(-np.log(shares), weights=weights), rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "data", "overrides", "message"),
    [
        (SERIES, "npz", ["data.path={}/tokens.npz", "data.inputs=tokens"], "has sequences of tokens; the run takes se"),
        (TOKENS, "npz", ["data.path={}/arrays.npz", "data.inputs=arrays"], "has arrays; the run takes sequences of"),
        (ARRAYS, "npz", ["data.path={}/tokens.npz"], "holds int32; the model of the run takes float32"),
        (ARRAYS, "mnist_5k", [], "has images; the run takes arrays"),
        (TOKENS, "npz", ["data.path=a.npz", "data.vocabulary=9"], "not allowed here; data.vocabulary of the run"),
        (SERIES, "signals", ["data.path=a.ts", "data.lengths=null"], "not allowed here; data.lengths of the run"),
        (SERIES, "signals", ["data.path=a.ts", "data.steps=9"], "not allowed here; data.steps of the run applies"),
        (SERIES, "ucr", ["data.standardize=null"], "not allowed here; the model prepares its examples itself"),
    ],
)  # fmt: skip
def test_what_a_run_cannot_be_evaluated_on_is_refused(evaluated, folder, kind, data, overrides, message):
    with pytest.raises(RequestError, match=message):
        evaluated(kind, data, *(text.format(folder) for text in overrides))


# -- export -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def program(monkeypatch):
    """Return a function that imports inputs.py of an exported folder, as its predict.py does."""

    def read_of(folder: Path):
        monkeypatch.syspath_prepend(folder)
        for name in ("inputs", "arrays", "values", "resampling", "series_text"):
            sys.modules.pop(name, None)
        return importlib.import_module("inputs")

    yield read_of
    for name in ("inputs", "arrays", "values", "resampling", "series_text"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def exported(runs, tmp_path_factory) -> dict[str, Path]:
    folders = {kind: tmp_path_factory.mktemp("exports") / kind for kind in (SERIES, TOKENS, ARRAYS)}
    for kind, new in folders.items():
        export(
            str(runs[kind]),
            Path("none"),
            {SERIES: "onnx", TOKENS: "onnx", ARRAYS: "litert"}[kind],
            new,
            False,
        )
    return folders


def test_model_json_describes_the_input(exported):
    cards = {kind: json.loads((folder / "model.json").read_text()) for kind, folder in exported.items()}
    assert cards[SERIES]["input"] == {
        "name": "series", "kind": "series", "dtype": "float32", "shape": [None, 12, 1], "lengths": "cubic",
    }  # fmt: skip
    assert cards[TOKENS]["input"] == {
        "name": "sequences", "kind": "tokens", "dtype": "int32", "shape": [None, 6], "vocabulary": 7,
    }  # fmt: skip
    assert cards[ARRAYS]["input"]["shape"] == [None, 3, 2]
    assert all(card["check"]["recorded"] < 1e-4 for card in cards.values())
    assert "scipy" in (exported[SERIES] / "README.md").read_text()


def test_exported_programs_read_and_refuse_what_predict_does(exported, call, program, folder, tmp_path):
    good, label = ramps(1)[0]
    ts(tmp_path / "bad.ts", [(good, label), ([*good[:5], "?", *good[6:]], label), (good[:7], label)])
    np.save(tmp_path / "tokens.npy", np.array([[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 7]]))
    np.save(tmp_path / "floats.npy", np.zeros((2, 6)))
    (tmp_path / "ucr.tsv").write_text("\n".join("\t".join(map(str, range(12))) for _ in range(3)))
    text = (folder / "Made_TEST.ts").read_text()
    for name, old, new in [
        ("class", ":up", ":sideways"), ("steps", "@equalLength false", "@equalLength true\n@seriesLength 9"),
        ("channels", "@data", "@dimensions 2\n@data"), ("tag", "@classLabel true up down", ""),
        ("target", "@classLabel true up down", "@targetLabel true"), ("cut", "@data", ""),
        ("packed", "@", "PK\x03\x04"),
    ]:  # fmt: skip
        (tmp_path / f"{name}.ts").write_text(text.replace(old, new))
    refused, other_labels = ("steps", "channels", "tag", "cut", "packed"), ("class", "target")  # which are not read
    assert [call(SERIES, tmp_path / f"{name}.ts")[:2] for name in refused] == [(1, [])] * 5
    predicted = labels(call(SERIES, folder / "Made_TEST.ts")[1])
    assert [labels(call(SERIES, tmp_path / f"{name}.ts")[1]) for name in other_labels] == [predicted] * 2
    files = [
        *((SERIES, tmp_path / f"{name}.ts") for name in (*refused, *other_labels)),
        (SERIES, folder / "Made_TEST.ts"), (SERIES, tmp_path / "bad.ts"), (SERIES, tmp_path / "ucr.tsv"),
        (SERIES, tmp_path / "floats.npy"), (TOKENS, tmp_path / "tokens.npy"), (TOKENS, tmp_path / "floats.npy"),
        (TOKENS, folder / "tokens.npz"), (ARRAYS, folder / "arrays.npz"), (ARRAYS, tmp_path / "tokens.npy"),
    ]  # fmt: skip
    for kind, path in files:
        status, rows, err = call(kind, path)
        names, inputs, errors, _ = program(exported[kind]).read(str(path))
        assert names == [row["path"] for row in rows if row["error"] is None]
        assert len(inputs) == len(names)
        of_rows = [f"{row['path']}: {row['error']}" for row in rows if row["error"]]
        assert errors == (of_rows or ([err.removeprefix("fitbench: ").strip()] if status and not rows else []))


def test_exported_series_are_interpolated_as_those_of_the_run(exported, runs, opened, program, folder):
    _, inputs, _, _ = program(exported[SERIES]).read(str(folder / "Made_TEST.ts"))
    data = load(reader.configuration(opened[SERIES].result, runs[SERIES]).data)
    np.testing.assert_allclose(inputs, data.x_test, atol=1e-6)


def test_data_of_a_function_are_loaded_only_with_trust(runs, tmp_path):
    """A stranger's run may name any function."""
    copy = shutil.copytree(runs[ARRAYS], tmp_path / "outputs" / "study" / "run")
    result = json.loads((copy / "result.json").read_text())
    own = {"_target_": "os.system", "name": "x", "source": "function", "preprocess": None}
    result["config"]["data"] = own | {"command": f"touch {tmp_path}/hacked"}
    (copy / "result.json").write_text(json.dumps(result))
    with pytest.raises(FitbenchError, match=r"come from the function os\.system, .* add --trust"):
        export(str(copy), Path("none"), "keras", tmp_path / "new", trust=False)
    assert not (tmp_path / "hacked").exists()


# -- strangers' dataset.json ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (TOKENS, {"shape": [10**9]}, r"shape is \[1000000000\]; sequences of tokens are \[N, steps\], with at most"),
        (TOKENS, {"vocabulary": 2**40}, "vocabulary is 1099511627776; tokens need a whole number from 1 to"),
        (TOKENS, {"vocabulary": None}, "vocabulary is None; tokens need"),
        (TOKENS, {"vocabulary": 0}, "vocabulary is 0; tokens need"),
        (SERIES, {"shape": [12, 1, 1]}, r"shape is \[12, 1, 1\]; series are \[N, steps, channels\]"),
        (SERIES, {"shape": [12, -1]}, r"shape is \[12, -1\]; series are"),
        (SERIES, {"dtype": "object"}, "dtype is 'object'; series have float32"),
        (ARRAYS, {"dtype": "object"}, "dtype is 'object'; arrays have one of float32, int32, uint8"),
        (ARRAYS, {"kind": "table"}, "shape is "),
        (ARRAYS, {"kind": "juggling"}, "kind is 'juggling'"),
    ],
)
def test_inputs_that_do_not_go_together_are_refused_in_one_line(runs, tmp_path, kind, changes, message):
    record = json.loads((runs[kind] / "dataset.json").read_text()) | changes
    (tmp_path / "dataset.json").write_text(json.dumps(record))
    with pytest.raises(FitbenchError, match=f"dataset.json: {message}") as caught:
        recorded_inputs(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_run_without_dataset_json_takes_images(tmp_path):
    assert recorded_inputs(tmp_path) == Inputs(kind=IMAGES, shape=(), dtype="uint8")


# -- archives ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif("FITBENCH_DATA" not in os.environ, reason="the archive is not here")
def test_a_run_of_several_channels_and_unequal_lengths(configure, tmp_path, monkeypatch, capfd):
    backend.load(Backend.tensorflow)
    short = ["training.epochs=1", "training.early_stopping=null", "progress=false", f"outputs={tmp_path}/outputs"]
    short.append("model=linear")
    config = configure("data=ucr", "data.name=JapaneseVowels", "data.lengths=cubic", "data.steps=29", *short)
    folder = folder_of(config)
    train(config, folder)
    run = reader.open_run(folder)
    path = Path(os.environ["FITBENCH_DATA"]) / "ucr" / "JapaneseVowels_TEST.ts"
    monkeypatch.setattr(predicting, "open_run", lambda folder, trust: run)
    monkeypatch.setattr(sys, "argv", ["fitbench", "predict", str(folder), str(path), "--format", "json"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert not caught.value.code and labels(rows) == recorded_labels(run)
    export(str(folder), Path("none"), "litert", tmp_path / "new", trust=False)
