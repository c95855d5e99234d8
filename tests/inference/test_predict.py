import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitbench import cli
from fitbench.columns import _shortened
from fitbench.data.loading import load
from fitbench.errors import FitbenchError
from fitbench.inference import outputs, predict, reader
from fitbench.inference.examples import Examples
from fitbench.inference.layout import Layout
from fitbench.inference.rows import rows_of
from fitbench.kinds import IMAGES
from fitbench.record.inputs import Inputs
from fitbench.record.reading import read_result
from fitbench.tasks import task_of


@pytest.fixture(scope="module")
def opened(trained) -> reader.Reader:
    return reader.open_run(trained)


@pytest.fixture(scope="module")
def data(configure):
    return load(configure().data)


@pytest.fixture(scope="module")
def digits(data, tmp_path_factory) -> Path:
    """Write the 1,000 test images as PNG files, in one folder per class, named by their position."""
    folder = tmp_path_factory.mktemp("digits")
    write_png(folder, data.x_test, data.y_test)
    return folder


def write_png(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    for i, (image, label) in enumerate(zip(images[..., 0], labels, strict=True)):
        path = folder / str(label) / f"{i:05}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.fixture
def call(opened, monkeypatch, capfd, tmp_path):
    """Return a function that calls `fitbench predict` with the loaded model, and returns status, stdout and stderr."""

    def call_main(*arguments: object, run: Path = opened.folder) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(predict, "open_run", lambda folder, trust: opened)
        monkeypatch.setattr(sys, "argv", ["fitbench", "predict", str(run), *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        printed = capfd.readouterr()
        return int(caught.value.code or 0), printed.out, printed.err

    return call_main


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def position(row: dict[str, str]) -> int:
    return int(Path(row["path"]).stem)


# -- predictions ------------------------------------------------------------------------------------------------------


def test_predictions_for_png_files_equal_the_recorded_ones(call, trained, digits, tmp_path):
    status, out, err = call(digits, "--prepare", "none", "--labels", "folder", "--batch-size", 300, "-o", "x.csv")
    assert status == 0
    recorded = np.load(trained / "predictions.npz")["probabilities"]
    read = rows(tmp_path / "x.csv")
    assert [row["path"] for row in read] == sorted(map(str, digits.rglob("*.png")))
    for row in read:
        probabilities = recorded[position(row)]
        assert int(row["label"]) == probabilities.argmax()
        assert [float(row[name]) for name in ("probability", "second_probability", "third_probability")] == (
            pytest.approx(np.sort(probabilities)[:-4:-1], rel=1e-4, abs=1e-7)
        )
        assert row["correct"] == ("true" if row["label"] == row["true"] else "false")
    accuracy = read_result(trained)["metrics"]["test_accuracy"]
    assert sum(row["correct"] == "true" for row in read) / 1000 == accuracy
    assert f"accuracy {accuracy:.4f}, 95% interval" in out
    assert f"{round(1000 * accuracy)} of 1,000 images" in out
    assert "--prepare none" in err
    assert "1,000 images in" in err


def test_an_array_that_is_very_dark_has_a_note(call, data, tmp_path):
    np.save(tmp_path / "dark.npy", data.x_test[:3, ..., 0] // 16)
    status, _, err = call("dark.npy")
    assert status == 0
    assert "fitbench: dark.npy: the largest value is 15, but white is 255; if white is another value, scale it" in err
    np.save(tmp_path / "light.npy", data.x_test[:3, ..., 0])
    assert "the largest value" not in call("light.npy")[2]


def test_mnist_models_prepare_files_but_not_arrays_of_their_size(call, data, digits, tmp_path):
    np.savez(tmp_path / "x.npz", x_test=data.x_test, y_test=data.y_test)
    large = np.kron(255 - data.x_test[:50, ..., 0], np.ones((1, 4, 4), np.uint8))
    np.save(tmp_path / "large.npy", large)
    status, _, err = call(digits, tmp_path / "x.npz", tmp_path / "large.npy", "-o", "x.csv")
    assert status == 0
    assert "--prepare auto" in err
    assert "--prepare none" in err
    read = rows(tmp_path / "x.csv")
    assert read[1017]["path"] == f"{tmp_path}/x.npz[17]"
    by_file = {position(row): row["label"] for row in read[:1000]}
    by_row = [row["label"] for row in read[1000:2000]]
    assert np.mean([by_file[i] == label for i, label in enumerate(by_row)]) > 0.99
    assert np.mean([row["label"] == label for row, label in zip(read[2000:], by_row, strict=False)]) > 0.9


def test_an_array_of_one_colour_image_is_not_taken_for_grey_ones(call, tmp_path):
    np.save(tmp_path / "photo.npy", np.zeros((40, 30, 3), np.uint8))
    status, out, err = call(tmp_path / "photo.npy")
    assert (status, out) == (1, "")
    assert "photo.npy: an array (40, 30, 3), which can be one image in colour or several grey images" in err


def test_unreadable_images_give_rows_with_an_error(call, digits, tmp_path, monkeypatch):
    content = (digits / "0").glob("*.png").__next__().read_bytes()
    for name, bad in (("cut", content[:150]), ("zip", b"PK\x03\x04"), ("empty", b"")):
        (tmp_path / f"{name}.png").write_bytes(bad)
    (tmp_path / "good.png").write_bytes(content)
    (tmp_path / "list").write_text("cut.png\ngood.png\nzip.png\nempty.png\n../none.png\n")
    with (tmp_path / "list").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        status, out, err = call("-", "--format", "json")
    assert status == 1
    read = [json.loads(line) for line in out.splitlines()]
    assert [row["path"] for row in read] == ["cut.png", "good.png", "zip.png", "empty.png", "../none.png"]
    assert [row["error"] is None for row in read] == [False, True, False, False, False]
    assert read[1]["label"] == "0"
    assert read[0]["label"] is None
    assert "no such file" in read[4]["error"]
    assert "5 images in" in err
    assert "4 could not be read" in err


@pytest.mark.parametrize("format", ["csv", "json"])
def test_all_formats_hold_the_same_rows(call, digits, tmp_path, format):
    (tmp_path / "bad.png").write_bytes(b"")
    status, _, _ = call(digits / "3", tmp_path / "bad.png", "--labels", "folder", "-o", f"x.{format}")
    assert status == 1
    path = tmp_path / f"x.{format}"
    if format == "csv":
        read = [{name: value or None for name, value in row.items()} for row in rows(path)]
    else:
        read = [json.loads(line) for line in path.read_text().splitlines()]
    assert list(read[0]) == [
        *("path", "label", "probability", "second", "second_probability", "third", "third_probability"),
        *("true", "correct", "error"),
    ]  # fmt: skip
    assert read[-1] | {"path": "", "error": "", "true": None} == dict.fromkeys(read[0]) | {"path": "", "error": ""}
    assert all(row["true"] == "3" for row in read[:-1])
    assert np.mean([row["label"] == "3" for row in read[:-1]]) > 0.8
    assert all(float(row["probability"]) > float(row["second_probability"]) for row in read[:-1])


def test_table_has_the_first_rows_and_then_the_errors(call, digits, tmp_path):
    (tmp_path / "zz\x1b[31m.png").write_bytes(b"")
    status, out, _ = call(digits / "1", tmp_path / "zz\x1b[31m.png")
    assert status == 1
    lines = out.splitlines()
    count = len(list((digits / "1").iterdir()))
    assert lines[0].split() == ["image", "label", "probability", "second", "third"]
    assert sum(".png  " in line for line in lines) == min(count, 100)
    assert r"zz\x1b[31m.png: not a readable image (not a known image format)" in out
    assert "\x1b" not in out


def test_scored_images_of_the_data_of_the_run_are_pointed_out(call, digits, opened, monkeypatch):
    monkeypatch.setitem(opened.result["config"]["data"], "path", str(digits))
    arguments = ("--prepare", "none", "-o", "x.csv", "--force")
    assert "images that the run was trained on" in call(digits / "3", "--labels", "folder", *arguments)[2]
    assert "trained on" not in call(digits / "3", *arguments)[2]
    monkeypatch.setitem(opened.result["config"]["data"], "path", str(digits.parent / "elsewhere"))
    assert "trained on" not in call(digits / "3", "--labels", "folder", *arguments)[2]


def test_a_path_keeps_its_end_in_a_narrow_terminal():
    layout = Layout.of(("path",), "image", task_of("classification"), ["a", "b", "c"])
    values = ["data/of/some/project/with/long/names/class/00017.png", "a", 0.5, "b", 0.3, "c", 0.2, None]
    columns = outputs._columns([dict(zip(layout.heads, values, strict=True))], layout)
    shown, dropped = _shortened(columns, 60)
    assert dropped == ["second", "third"]
    assert shown[0].cells[0].endswith("names/class/00017.png")
    assert shown[0].cells[0].startswith("…")


def test_confusion_is_drawn_without_unlabelled_images(call, digits, tmp_path):
    three, four = (sorted((digits / name).iterdir())[:5] for name in "34")
    (tmp_path / "labels.csv").write_text(
        "path,label\n" + "".join(f"{path},{path.parent.name}\n" for path in three + four[:2])
    )
    arguments = (*three, *four, "--labels", "labels.csv", "--confusion", "x.png")
    status, out, err = call(*arguments)
    assert status == 0
    assert "of 7 images" in out
    assert "3 of 10 images have no label" in err
    assert Image.open(tmp_path / "x.png").width > 300
    (tmp_path / "labels.csv").write_text("path,label\nother.png,3\n")
    status, _, err = call(*arguments, "--force")
    assert status == 1
    assert "none of the readable images has a label" in err


def test_outputs_that_are_not_finite_are_errors(call, opened, digits, monkeypatch):
    outputs = opened.outputs
    monkeypatch.setattr(
        reader.Reader,
        "outputs",
        lambda self, images: np.where(np.arange(len(images))[:, None] == 1, np.nan, outputs(images)),
    )
    status, out, _ = call(*sorted((digits / "3").iterdir())[:3], "--format", "json")
    assert status == 1
    assert [json.loads(line)["error"] for line in out.splitlines()] == [
        None,
        "the output of the model is not a finite number",
        None,
    ]


def test_interrupted_prediction_leaves_no_file(call, digits, tmp_path, monkeypatch):
    def fails(self, images):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reader.Reader, "outputs", fails)
        assert call(digits, "-o", "x.csv")[0] == 130
    assert list(tmp_path.iterdir()) == []


def test_rows_reach_stdout_while_paths_still_arrive(opened, digits, monkeypatch, capfdbinary):
    paths = sorted(map(str, digits.rglob("*.png")))[:60]
    outlet, inlet = os.pipe()
    os.write(inlet, "\n".join(paths).encode() + b"\n")
    written = []

    def outputs(self, images):
        written.append(capfdbinary.readouterr().out.count(b"\n"))
        if len(written) == 2:
            os.close(inlet)
        return np.zeros((len(images), 10), np.float32)

    monkeypatch.setattr(predict, "open_run", lambda folder, trust: opened)
    monkeypatch.setattr(reader.Reader, "outputs", outputs)
    with os.fdopen(outlet) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        predict.predict(str(opened.folder), ["-"], predict.Options(format="json", batch_size=10))
    assert written == [0, 10, 10, 10, 10, 10]


# -- refused requests -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.png"], "none.png: there is no such file or folder"),
        (["none.png", "-o", "x.csv"], "none.png: there is no such file"),
        (["{digits}", "--prepare", "some"], "--prepare is 'some'; it must be auto or none"),
        (["{digits}", "--format", "xml"], "--format is 'xml'; it must be one of table, csv, json"),
        (["{digits}", "--format", "table", "-o", "x"], "--format table is for the terminal"),
        (
            ["{digits}", "-o", "x.txt"],
            "-o x.txt: its suffix does not determine a format; expected one of .csv, .json, .jsonl",
        ),
        (["{digits}", "--confusion", "x.png"], "--confusion needs the name of a .png file, and --labels"),
        (["{digits}", "--labels", "folder", "--confusion", "x.pdf"], "--confusion needs the name of a .png file"),
        (["{digits}", "-o", "/dev/stdout", "--format", "csv"], "-o /dev/stdout is a link; give the name of a file"),
        (["{digits}", "--labels", "none.csv"], "--labels is 'none.csv'; expected a CSV file"),
    ],
)
def test_wrong_request_prints_one_line_and_loads_nothing(call, digits, tmp_path, arguments, message):
    status, out, err = call(*(text.format(digits=digits) for text in arguments))
    assert (status, out) == (2, "")
    assert err.startswith("fitbench: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_confusion_that_cannot_be_written_is_refused_before_images_are_read(call, digits, tmp_path):
    chart = tmp_path / "x.png"
    chart.write_bytes(b"old")
    arguments = (sorted((digits / "3").iterdir())[0], "--labels", "folder", "-o", "x.csv", "--confusion")
    status, _, err = call(*arguments, "x.png")
    assert (status, err) == (2, "fitbench: --confusion x.png already exists; --force replaces it\n")
    status, _, err = call(*arguments, "none/x.png")
    assert (status, err) == (2, "fitbench: --confusion none/x.png: there is no folder none; make it first\n")
    assert chart.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [chart]
    assert call(*arguments, "x.png", "--force")[0] == 0
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_run_that_cannot_be_used_changes_no_file(call, opened, digits, tmp_path, monkeypatch):
    assert call(digits / "3", "-o", "x.csv")[0] == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fails(*_: object) -> None:
        raise FitbenchError("damaged")

    monkeypatch.setattr(predict, "open_run", fails)
    for name, options in (("x.csv", {"force": True}), ("y.csv", {})):
        with pytest.raises(FitbenchError, match="damaged"):
            predict.predict(str(opened.folder), [str(digits / "4")], predict.Options(output=tmp_path / name, **options))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_empty_list_on_stdin_is_refused(call, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    status, _, err = call("-", "-o", "x.csv")
    assert (status, err.splitlines()[-1]) == (2, "fitbench: stdin has no paths of images")
    assert list(tmp_path.iterdir()) == []


def test_wrong_request_is_refused_without_slow_libraries(trained, tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "fitbench", "predict", str(trained), "none.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "import time:" in line}
    assert not imported & {"keras", "tensorflow", "jax", "pandas", "matplotlib", "scipy"}


def test_unfinished_run_is_refused(call, digits, tmp_path):
    (tmp_path / "config.yaml").write_text("a: 1")
    status, _, err = call(digits, run=tmp_path)
    assert (status, "the run is interrupted" in err) == (1, True)


def test_rows_of_a_model_with_two_classes_have_no_third(opened):
    from fitbench.inference.footprint import Compiled

    def compute(images: np.ndarray) -> np.ndarray:
        return np.array([[1.0, 1.0]] * len(images), np.float32)

    compiled, inputs = Compiled(compute, largest=4, total=6), Inputs(kind=IMAGES, shape=(2, 2, 1), dtype="uint8")
    binary = reader.Reader(opened.folder, opened.result, opened.model, inputs, ("cat", "dog"), compiled)
    layout = Layout.of(("path",), "image", binary.task, binary.names)
    [row] = rows_of(binary, layout, Examples([("a.png",)], np.zeros((1, 2, 2, 1), np.uint8), {}))
    assert list(row.values()) == ["a.png", "cat", 0.5, "dog", 0.5, None, None, None]
