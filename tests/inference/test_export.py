import importlib.util
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fitbench.config import Backend
from fitbench.data.loading import load
from fitbench.errors import DataError, FitbenchError, RequestError
from fitbench.inference import agreement
from fitbench.inference import export as exporting
from fitbench.inference.agreement import Agreement, compare
from fitbench.inference.card import replaces_missing
from fitbench.inference.decoding import decode_images
from fitbench.inference.export import export
from fitbench.inference.formats import FORMATS
from fitbench.inference.prepare import Prepare
from fitbench.inference.programs import TEMPLATES
from fitbench.inference.reader import Reader, configuration, open_run
from fitbench.inference.table_examples import encode, read_columns
from fitbench.metrics import CLASSIFICATION, MULTILABEL, REGRESSION
from fitbench.models import lenets
from fitbench.record.reading import read_result

from .flats import HEADER, flats, with_cell, write
from .test_tables import boston


@pytest.fixture
def copied(trained, tmp_path) -> Path:
    return shutil.copytree(trained, tmp_path / "copied" / trained.name)


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """Return a function that exports the run in a format, once per format, and returns the folder."""
    folders: dict[str, Path] = {}

    def get(format: str) -> Path:
        if format not in folders:
            folder = tmp_path_factory.mktemp("exports") / "new" / format
            export(str(trained), Path("none"), format, folder, trust=False)
            folders[format] = folder
        return folders[format]

    return get


def change_result(folder: Path, **sections: dict) -> None:
    result = json.loads((folder / "result.json").read_text())
    for section, values in sections.items():
        result[section] |= values
    (folder / "result.json").write_text(json.dumps(result))


@pytest.mark.parametrize("format", ["saved_model", "onnx", "litert"])
def test_exported_model_agrees_with_the_original(exported, trained, format):
    folder = exported(format)
    names = {FORMATS[format].model, "README.md", "model.json", "predict.py", "inputs.py", "image_pixels.py"}
    assert {path.name for path in folder.iterdir()} == names
    assert [path.name for path in folder.parent.iterdir()] == [format]
    result = read_result(trained)
    card = json.loads((folder / "model.json").read_text())
    assert (card["names"], card["input"]["shape"]) == (list("0123456789"), [None, 28, 28, 1])
    assert card["run_id"] == trained.name
    check = card["check"]
    assert check["examples"] == 1000
    assert check["recorded"] < 1e-5
    assert check["outputs"] < 1e-5
    assert check["decided_differently"] == 0
    assert card["metric"] == "accuracy"
    assert check["value"] == card["test_value"] == result["metrics"]["test_accuracy"]
    readme = (folder / "README.md").read_text()
    for text in (trained.name, "uint8 [N, 28, 28, 1]", "all 1,000 test images of mnist_5k", f"{check['value']:.4f}"):
        assert text in readme
    local = [str(path).encode() for path in (trained.parent, folder.parent, Path.home(), Path(__file__).parents[2])]
    for path in folder.rglob("*"):
        if path.is_file():
            assert not [place for place in local if place in path.read_bytes()], path


def program_in(folder: Path, name: str = "predict"):
    """Import a program of an exported folder."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def predict(folder: Path, *images: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-B", str(folder / "predict.py"), *map(str, images)]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=60, check=False)


def test_program_classifies_image_files_from_any_folder(exported, trained, tmp_path):
    folder = exported("onnx")
    reader = open_run(trained)
    images = load(configuration(reader.result, trained).data).x_test[:2]
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image[..., 0]).save(path)
    (tmp_path / "bad.png").write_bytes(b"PK\x03\x04")
    done = predict(folder, paths[0], tmp_path / "bad.png", tmp_path / "none.png", paths[1])
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{tmp_path}/bad.png: not a readable image (damaged, too large, or of an unknown format)",
        f"{tmp_path}/none.png: not a readable image (No such file or directory)",
    ]
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == list(map(str, paths))
    for line, row in zip(lines, reader.predictions(images), strict=True):
        best = row.argmax()
        assert line[1] == f"{best} {row[best]:.4f}"
    assert predict(folder, paths[0]).returncode == 0
    assert "usage: " in predict(folder).stderr


@pytest.mark.parametrize("max_value", [None, 1, 255, 4095])
def test_program_reads_images_as_predict_does(exported, tmp_path, monkeypatch, max_value):
    folder = exported("onnx")
    monkeypatch.syspath_prepend(folder)
    program = program_in(folder, "inputs")
    monkeypatch.setitem(program.INPUT, "max_value", max_value)
    random, white = np.random.default_rng(0), max_value or 255
    colour = Image.fromarray(random.integers(0, min(white, 255) + 1, (40, 31, 3)).astype(np.uint8))
    clear = Image.fromarray(random.integers(0, min(white, 255) + 1, (28, 28, 4)).astype(np.uint8))
    deep = Image.fromarray(random.integers(0, (max_value or 65535) + 1, (30, 30)).astype(np.uint16))
    floats = Image.fromarray((random.random((30, 30)) * white).astype(np.float32))
    turned = Image.Exif()
    turned[0x0112] = 6
    files: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "colour.png": (colour, {}),
        "palette.gif": (colour.convert("P"), {}),
        "clear.png": (clear, {}),
        "deep.png": (deep, {}),
        "bits.png": (colour.convert("1"), {}),
        "turned.png": (colour, {"exif": turned}),
        "turned.tif": (colour, {"exif": turned}),  # Pillow turns such a file twice where it opens it by its path
        "floats.tif": (floats, {}),
        "above.tif": (Image.fromarray(np.full((30, 30), 175030, np.int32)), {}),
    }
    refused = []
    for name, (image, settings) in files.items():
        image.save(tmp_path / name, **settings)
        images, errors = decode_images([str(tmp_path / name)], (28, 28, 1), Prepare.none, max_value)
        found = program.read(str(tmp_path / name))
        assert found[2] == [f"{tmp_path / name}: {text}" for text in errors.values()]
        assert errors or np.array_equal(found[1], images), name
        refused += [name] * len(errors)
    assert {"above.tif"} <= set(refused) <= {"above.tif", "floats.tif", "palette.gif"}
    assert ("floats.tif" in refused) == (max_value is None)


# -- refused ----------------------------------------------------------------------------------------------------------


def test_model_that_does_not_agree_is_not_exported(trained, tmp_path, monkeypatch):
    def write_another(reader: Reader, path: Path) -> None:
        bias = reader.model.layers[-1].bias
        bias.assign_add([0.001] + [0] * 9)
        FORMATS["onnx"].write(reader, path)
        bias.assign_sub([0.001] + [0] * 9)

    other = replace(FORMATS["onnx"], write=write_another)
    monkeypatch.setattr(exporting, "FORMATS", {"onnx": other})
    with pytest.raises(
        FitbenchError, match=r"does not agree with the original on all 1,000 test images.* allowed is 1e-04"
    ):
        export(str(trained), Path("none"), "onnx", tmp_path / "new", trust=False)
    assert list(tmp_path.iterdir()) == []


def test_agreement_is_checked_for_probabilities_and_relative_logits(trained):
    reader = open_run(trained)
    original = np.array([[1000, 0], [0.5, 0.1]], np.float32)
    labels = np.array([0, 1])

    def differs(image: int, by: float) -> Agreement:
        changed = original.copy()
        changed[image, 1] += by
        return compare(reader, "", labels, original, changed)

    same = compare(reader, "", labels, original, original)
    assert (same.outputs, same.recorded, same.decided_differently, same.value) == (0, 0, 0, 0.5)
    assert same.passed
    assert differs(0, 0.05).outputs == pytest.approx(5e-5)
    assert differs(0, 0.05).passed
    assert not differs(0, 0.2).passed
    assert differs(1, 0.001).outputs == pytest.approx(0.001, rel=1e-3)
    assert not differs(1, 0.001).passed
    assert differs(1, 1).decided_differently == 1
    assert not differs(1, float("nan")).passed
    tied = np.array([[1000, 1000]], np.float32)  # a small relative difference changes the probabilities a lot
    assert not compare(reader, "", labels[:1], tied, tied + np.array([0, 0.005], np.float32)).passed


@pytest.mark.parametrize(("primary", "value"), [("macro_f1", 1 / 3), ("kappa", None)])
def test_agreement_states_the_primary_metric_where_fitbench_computes_it(trained, primary, value):
    original = np.array([[2, 1], [1, 0]], np.float32)
    reader = open_run(trained)
    other = replace(reader, result=reader.result | {"primary": primary})
    assert compare(other, "", np.array([0, 1]), original, original).value == value


def test_wrong_request_is_refused(trained, tmp_path):
    with pytest.raises(RequestError, match=f"-o {tmp_path}: already exists; expected a new folder"):
        export(str(trained), Path("none"), "onnx", tmp_path, trust=False)
    with pytest.raises(RequestError, match="--format is 'onxx'"):
        export(str(trained), Path("none"), "onxx", tmp_path / "new", trust=False)


def test_error_about_a_missing_converter_says_what_to_install():
    missing = replace(FORMATS["onnx"], needs=("no-such-module", "numpy", "nor-this"))
    with pytest.raises(RequestError, match=r"needs no-such-module, nor-this: pip install 'fitbench\[onnx\]'"):
        missing.check_installed()
    for format in FORMATS.values():
        format.check_installed()


def test_wrong_request_is_refused_without_slow_libraries(trained, tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "fitbench", "export", str(trained), "-o", str(tmp_path)]
    (tmp_path / "mine").write_text("mine")
    done = subprocess.run([*command, "--format", "onnx"], capture_output=True, text=True, check=False)
    messages = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert (done.returncode, len(messages)) == (2, 1)
    assert not {"keras", "tensorflow"} & {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_model_whose_test_images_are_missing_is_not_exported(copied, tmp_path):
    elsewhere = {"name": "own", "source": "npz", "path": "/no/such/images.npz", "preprocess": None}
    change_result(copied, config={"data": elsewhere})
    with pytest.raises(FitbenchError, match=r"no such file or folder.*\nan export is checked on the test part"):
        export(str(copied), Path("none"), "onnx", tmp_path / "new", trust=False)
    assert not (tmp_path / "new").exists()


def test_other_test_data_than_recorded_are_refused(copied, tmp_path):
    change_result(copied, data={"sha256": "ab" * 32})
    with pytest.raises(FitbenchError, match="have SHA-256 8f3bbc48, the run was tested with abababab; an export"):
        export(str(copied), Path("none"), "onnx", tmp_path / "new", trust=False)


def test_original_model_with_outputs_that_are_not_finite_is_refused(copied, tmp_path):
    import keras

    model = keras.saving.load_model(copied / "model.keras")
    model.layers[-1].bias.assign([float("nan")] * 10)
    model.save(copied / "model.keras")
    with pytest.raises(
        FitbenchError, match="outputs of the original model are not finite for 1,000 of all 1,000 test images"
    ):
        export(str(copied), Path("none"), "onnx", tmp_path / "new", trust=False)


# -- models -----------------------------------------------------------------------------------------------------------


def run_of(model, copied: Path) -> Reader:
    model.save(copied / "model.keras")
    return open_run(copied, on=Backend.tensorflow)


def outputs(folder: Path, format: str, images: np.ndarray) -> np.ndarray:
    """Compute outputs in this process with the program beside a model."""
    shutil.copy(TEMPLATES / "predict.py", folder)
    card = {
        "format": format,
        "model": FORMATS[format].model,
        "input": {"name": "images", "shape": [None, 28, 28, 1]},
        "output": {"name": "logits"},
    }
    (folder / "model.json").write_text(json.dumps(card))
    return program_in(folder).load(folder)(images)


@pytest.mark.parametrize("format", ["onnx", "litert"])
@pytest.mark.parametrize(
    "build",
    [
        lambda: lenets.lenet1((28, 28, 1), 10, [-1.0, 1.0], None),
        lambda: lenets.lenet5_1998((28, 28, 1), 10, [-0.1, 1.175], "rbf"),
    ],
    ids=["lenet1", "lenet5_1998"],
)
def test_fitbench_layers_and_padding_are_converted(copied, tmp_path, build, format):
    """The LiteRT runtime cannot pad uint8, and its converter leaves unknown sides in the shapes of einsum."""
    reader = run_of(build(), copied)
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1)).astype(np.uint8)
    FORMATS[format].write(reader, tmp_path / FORMATS[format].model)
    original = reader.outputs(images)
    for count in (5, 1, 3):
        exported_outputs = outputs(tmp_path, format, images[:count])
        assert np.abs(exported_outputs - original[:count]).max() / np.abs(original).max() < 1e-5


def test_keras_format_includes_the_layers_of_fitbench(copied, tmp_path, capsys):
    run_of(lenets.lenet1((28, 28, 1), 10, [-1.0, 1.0], None), copied)
    folder = tmp_path / "new"
    export(str(copied), Path("none"), "keras", folder, trust=False)
    names = [
        "README.md",
        "fitbench_layers.py",
        "image_pixels.py",
        "inputs.py",
        "model.json",
        "model.keras",
        "predict.py",
    ]
    assert sorted(path.name for path in folder.iterdir()) == names
    printed = capsys.readouterr().out
    assert printed.startswith(
        f"{folder}: README.md, fitbench_layers.py, image_pixels.py, inputs.py, model.json, model.keras, predict.py\n"
    )
    assert "probabilities differ by at most 0" in printed
    assert b"/tmp" not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_forbidden_modules_cannot_be_imported_in_the_check(exported, trained):
    with pytest.raises(FitbenchError, match=r"the exported model cannot be run: .*onnxruntime"):
        agreement._run(exported("onnx"), np.zeros((3, 28, 28, 1), np.uint8), open_run(trained), ["onnxruntime"])


def test_model_with_own_code_is_refused_for_the_keras_format(copied, tmp_path):
    import keras

    images = keras.Input((28, 28, 1), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    twice = keras.layers.Lambda(lambda x: 2 * x, output_shape=(784,))(flat)
    keras.Model(images, keras.layers.Dense(10)(twice)).save(copied / "model.keras")
    with pytest.raises(FitbenchError, match="add --trust"):
        export(str(copied), Path("none"), "keras", tmp_path / "new", trust=False)
    with pytest.raises(FitbenchError, match=r"code of its own \(keras\.layers\.Lambda, __lambda__\), which a"):
        export(str(copied), Path("none"), "keras", tmp_path / "new", trust=True)
    assert not (tmp_path / "new").exists()


# -- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [REGRESSION, CLASSIFICATION, MULTILABEL])
def test_exported_program_reads_tables_as_the_run_does(table_runs, tmp_path, task):
    folder, table = tmp_path / "new", tmp_path / "new.csv"
    export(str(table_runs[task]), Path("none"), "onnx", folder, trust=False)
    reader = open_run(table_runs[task])
    if task == REGRESSION:
        data = load(configuration(reader.result, table_runs[task]).data)
        boston(table, data.x_test[:9], [column.name for column in data.columns])
    else:
        write(table, [line.replace("Köln", "Paris").replace("True", "TRUE") for line in flats(9, seed=7)])
    frame = read_columns(str(table), reader.inputs.columns)
    expected, errors = encode(frame, reader.inputs.columns, str(table), replaces_missing(reader.result))
    names, inputs, wrong, _ = program_in(folder, "inputs").read(str(table))
    assert not errors and not wrong
    assert names == [f"{table}:{row}" for row in range(1, 10)]
    np.testing.assert_array_equal(inputs, expected)
    raw = reader.outputs(inputs)
    program = program_in(folder)
    assert np.abs(program.load(folder)(inputs) - raw).max() <= 1e-4 * np.abs(raw).max()
    answers = reader.task.answers(reader.names, raw, reader.recorded(raw), reader.threshold)
    for output, answer in zip(raw, answers, strict=True):
        described = program.describe(output)
        if task == REGRESSION:
            assert described == [f"MEDV {answer[0]:.6g}"]
        elif task == CLASSIFICATION:
            assert described[0] == f"{answer[0]} {answer[1]:.4f}"
        else:
            assert described[0] == (", ".join(answer[0]) or "-")
    card = json.loads((folder / "model.json").read_text())
    assert (card["task"], card["names"]) == (task, list(reader.names))
    assert [column["name"] for column in card["input"]["columns"]] == list(frame.columns)[: len(inputs[0])]
    assert card["check"]["recorded"] < 1e-5
    assert card["check"]["value"] == pytest.approx(card["test_value"], rel=1e-5)
    assert "pillow" not in (folder / "README.md").read_text()
    large = Agreement(**card.pop("check") | {"value": 19588.6203})
    lines = exporting._write_description(folder, FORMATS["onnx"], reader, card | {"test_value": 12345678.9}, large)
    assert lines[-1] == f"{card['metric']} 19,588.6, the run recorded 12,345,679"


@pytest.fixture(scope="module")
def exported_table(table_runs, tmp_path_factory) -> Path:
    """Return the folder of an exported run of a table."""
    folder = tmp_path_factory.mktemp("exports") / "table"
    export(str(table_runs[CLASSIFICATION]), Path("none"), "onnx", folder, trust=False)
    return folder


def test_exported_program_names_columns_and_rows_that_do_not_fit(exported_table, tmp_path):
    lines = flats(5)
    lines[2] = with_cell(lines[2], "size", "81.5x")
    lines[4] = with_cell(with_cell(lines[4], "size", "1e99"), "city", "Paris")
    lines[5] = with_cell(lines[5], "city", "Paris")
    write(tmp_path / "a.csv", [line.replace(",", ";") for line in lines])
    write(tmp_path / "b.csv", [HEADER.replace("size", "sise"), *lines[1:]])
    write(tmp_path / "empty.csv", [HEADER])
    files = [tmp_path / f"{name}.csv" for name in ("a", "b", "none", "empty")]
    done = predict(exported_table, *files)
    assert done.returncode == 1
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [f"{files[0]}:{row}" for row in (1, 3, 5)]
    assert done.stderr.splitlines() == [
        f"{files[0]}: training has not seen the values of city in 1 of 3 rows",
        f"{files[0]}: row 2: size is '81.5x'; expected a number",
        f"{files[0]}: row 4: size is '1e99'; expected a finite number below 3.4e38",
        f"{files[1]}: lacks the columns size",
        f"{files[2]}: cannot be read (No such file or directory)",
        f"{files[3]}: has names of columns and no rows",
    ]


WITH_COMMAS = ["city;size;rooms;balcony;note", "Bonn;81,5;2;true;a", "Köln;;3;false;b", "Köln;1,5e99;1;true;c"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (WITH_COMMAS, None),
        ([line.replace(";", "|").replace(",", ".") for line in WITH_COMMAS], None),
        (["size;rooms;city;balcony", "81.5;2;Bonn;true", "1.915;3;Bonn;true"], None),
        (["size;rooms;city;balcony", '81,5;2;"Bonn;x";true', "82.5;3;Bonn;true"], None),  # errors of rows
        ([*WITH_COMMAS[:2], "Bonn;82,5;1.915;true;b"], "'rooms' has points in its numbers, and 'size' has decimal"),
        ([*WITH_COMMAS[:2], "\r;;3;false;b"], None),  # a blank line, and an empty first cell
        ([*WITH_COMMAS[:2], "Bonn;NA;3;false;b"], None),
        ([WITH_COMMAS[0], "Bonn;81,5;2;true;1.234", "Bonn;82;1;true;NA"], "'note' has points in its numbers, and"),
        ([WITH_COMMAS[0], "Bonn;81,5;2;true;1.5", "Bonn;82;1;true;2.5"], "'note' has points in its numbers, and"),
        ([HEADER, *flats(2)[1:], "Bonn,81"], r"line 4 has 2 fields, separated by ','; the first line has 7"),
        (["size;size;rooms;city;balcony", "1;1;1;Bonn;true"], "columns are named 'size'; give each another name"),
        ([HEADER, 'Bonn,"81"5,2,true,dear,0,0'], "',' expected after"),
    ],
)
def test_exported_program_reads_and_refuses_what_predict_does(exported_table, table_runs, tmp_path, lines, message):
    path, program = write(tmp_path / "new.csv", lines), program_in(exported_table, "inputs")
    columns = open_run(table_runs[CLASSIFICATION]).inputs.columns
    names, inputs, errors, notes = program.read(str(path))
    if message:
        with pytest.raises(DataError):
            read_columns(str(path), columns)
        assert names == [] and len(errors) == 1 and re.search(message, errors[0])
        return
    frame = read_columns(str(path), columns)
    expected, wrong = encode(frame, columns, str(path), True)
    np.testing.assert_array_equal(inputs, np.delete(expected, list(wrong), axis=0))
    assert len(errors) == len(wrong)
    assert [note for note in notes if "commas" in note] == [f"{path}: {note}" for note in frame.attrs["notes"]]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_blank_line_of_one_column_is_a_row_for_the_exported_program_too(exported_table, end):
    divided = program_in(exported_table, "inputs").divided
    assert divided(end.join(["", "x", "1.5", "", "  ", "\t", '""', '" "', "2.5", "", "  ", ""]))[1] == [
        ["x"],
        ["1.5"],
        *[[""]] * 5,
        ["2.5"],
    ]
    assert divided(end.join(["", "x,y", "1,2", "", "3,4", ""]))[1] == [["x", "y"], ["1", "2"], ["3", "4"]]


@pytest.mark.parametrize("number", ["396.939", "396,939", "1.915.000"])
def test_numbers_that_can_be_read_in_two_ways_are_refused_once(exported_table, table_runs, tmp_path, number):
    program, columns = program_in(exported_table, "inputs"), open_run(table_runs[CLASSIFICATION]).inputs.columns
    rows = [f"{size};2;Bonn;true" for size in (number, number.replace("9", "8"), "12")]
    path = write(tmp_path / "new.csv", ["size;rooms;city;balcony", *rows])
    names, _, [error], _ = program.read(str(path))
    assert names == [] and "'size' has numbers such as " in error and "thousands" in error
    with pytest.raises(DataError, match="'size' has numbers"):
        read_columns(str(path), columns)
    decimals = [row.replace(",", ".").replace(";", ",") for row in rows if row.count(".") < 2]
    write(path, ["size,rooms,city,balcony", *decimals])
    assert len(program.read(str(path))[0]) == len(decimals) == len(read_columns(str(path), columns))
    write(path, ["rooms;size;city;balcony;kind", *(f"2;1;Bonn;true;{row.partition(';')[0]}" for row in rows)])
    assert len(program.read(str(path))[0]) == len(read_columns(str(path), columns)) == 3
    with pytest.raises(DataError, match="'kind' has numbers"):
        read_columns(str(path), columns, ["kind"])
