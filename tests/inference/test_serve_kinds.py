"""`fitbench serve` for rows of a table, series, tokens and arrays: the answers are those of `fitbench predict`."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
httpx = pytest.importorskip("httpx", reason="needs httpx")

from fitbench.data.table_file import read_table  # noqa: E402
from fitbench.errors import RequestError  # noqa: E402
from fitbench.inference import predict as predicting  # noqa: E402
from fitbench.inference.api import RequestLimits  # noqa: E402
from fitbench.inference.options import Options  # noqa: E402
from fitbench.inference.reader import open_run  # noqa: E402
from fitbench.inference.serve import serve  # noqa: E402
from fitbench.inference.server import make_app  # noqa: E402
from fitbench.inference.service import Service  # noqa: E402
from fitbench.kinds import ARRAYS, KINDS, SERIES, TABLE, TOKENS  # noqa: E402
from fitbench.metrics import CLASSIFICATION, MULTILABEL, REGRESSION  # noqa: E402
from fitbench.record.inputs import Inputs  # noqa: E402

from .flats import flats, write  # noqa: E402
from .test_serve import ask, assert_refused  # noqa: E402
from .untrained import untrained  # noqa: E402

LIMITS = RequestLimits(bytes=400_000, pixels=100_000, images=300)


def predict(app, query: str = "", **options) -> httpx.Response:
    return ask(app, "POST", f"/predict{query}", **options)


def predictions(app, query: str = "", **options) -> list[dict]:
    response = predict(app, query, **options)
    assert response.status_code == 200, response.text
    return response.json()["predictions"]


# -- rows of a table --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def readers(table_runs):
    return {task: open_run(folder) for task, folder in table_runs.items()}


@pytest.fixture(scope="module")
def tables(readers):
    return {task: make_app(Service([reader], LIMITS)) for task, reader in readers.items()}


FLATS = ["city;size;rooms;balcony", "Bonn;81.5;3;TRUE", "Paris;40;2;false", "Köln;;04;true", ";1e3;;"]
ROWS = [  # the same as JSON
    {"size": 81.5, "rooms": 3, "city": "Bonn", "balcony": True, "extra": [{}]},
    ["Paris", 40, "2", "false"],
    {"city": " Köln ", "size": None, "rooms": "04", "balcony": "true"},
    {"city": None, "size": "1e3", "rooms": "NA", "balcony": ""},
]


@pytest.fixture
def predicted(readers, monkeypatch, tmp_path):
    """Return a function that gives the rows that `fitbench predict` writes for the rows of a file."""

    def predict_rows(task: str, path: Path) -> list[dict]:
        monkeypatch.setattr(predicting, "open_run", lambda *_: readers[task])
        output = tmp_path / "predicted.json"
        predicting.predict(str(readers[task].folder), [str(path)], Options(output=output))
        return [json.loads(line) for line in output.read_text().splitlines()]

    return predict_rows


def test_classes_of_rows_are_those_that_predict_writes(tables, predicted, tmp_path):
    expected = predicted(CLASSIFICATION, write(tmp_path / "new.csv", FLATS))
    found = predictions(tables[CLASSIFICATION], json={"examples": ROWS})
    assert [each["example"] for each in found] == [f"examples[{i}]" for i in range(4)]
    assert [each["label"] for each in found] == [row["label"] for row in expected]
    assert [each["probability"] for each in found] == pytest.approx([row["probability"] for row in expected], abs=1e-6)
    assert all(sum(each["probabilities"].values()) == pytest.approx(1, abs=1e-5) for each in found)
    assert found[0].keys() == {"example", "model", "label", "probability", "probabilities"}


def test_labels_of_rows_are_those_that_predict_writes_at_the_threshold_of_the_run(tables, predicted, tmp_path):
    path = write(tmp_path / "new.csv", flats(80, seed=4))
    rows = json.loads(read_table(path).to_json(orient="records"))
    found, expected = predictions(tables[MULTILABEL], json={"examples": rows}), predicted(MULTILABEL, path)
    assert [each["labels"] for each in found] == [row["labels"] for row in expected]
    assert len({len(each["labels"]) for each in found}) > 1
    for name in ("large", "central"):
        assert [each["probabilities"][name] for each in found] == [row[f"{name}_probability"] for row in expected]
    assert ask(tables[MULTILABEL], "GET", "/models").json()["models"][0]["threshold"] == 0.4


def test_values_of_a_regression_have_the_names_of_the_targets(tables, readers, predicted, tmp_path):
    columns = readers[REGRESSION].inputs.columns
    row = [column.mean + 0.5 * column.deviation for column in columns]
    names = [column.name for column in columns]
    path = write(tmp_path / "new.csv", [",".join(names), ",".join(map(repr, row))])
    [found] = predictions(tables[REGRESSION], json={"example": dict(zip(names, row, strict=True))})
    assert found["values"] == {"MEDV": predicted(REGRESSION, path)[0]["MEDV"]}


def test_columns_are_described_for_a_form(tables):
    [model] = ask(tables[CLASSIFICATION], "GET", "/models").json()["models"]
    city, size, rooms, balcony = model["columns"]
    assert (city["kind"], city["choices"], city["optional"]) == ("category", ["Aachen", "Bonn", "Köln"], True)
    assert (rooms["kind"], rooms["choices"], rooms["optional"]) == ("number", None, True)  # data.missing=mean
    assert 60 < size["mean"] < 100 and balcony["choices"] == ["false", "true"]
    [model] = ask(tables[REGRESSION], "GET", "/models").json()["models"]
    assert not any(column["optional"] for column in model["columns"])
    assert (model["outputs"], model["classes"], model["task"]) == (["MEDV"], None, REGRESSION)


GOOD = {"city": "Bonn", "size": 80, "rooms": 3, "balcony": True}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (GOOD | {"size": "large"}, ["example: ", "'size'", "'large'", "a number"]),
        (GOOD | {"size": 1e39}, ["example: ", "'size'", "1e+39", "3.4e38"]),
        (GOOD | {"size": True}, ["'size'", "'true'"]),
        (GOOD | {"rooms": "9" * 4000}, ["'rooms'"]),
        (GOOD | {"rooms": "9" * 10_001}, ["example: rooms: ", "10,001 characters"]),
        (GOOD | {"city": ["Bonn"]}, ["example: city: ", "null"]),
        (GOOD | {"city": {"a": 1}}, ["example: city: "]),
        ({"city": "Bonn", "size": 80}, ["lacks the columns rooms, balcony", "null"]),
        (["Bonn", 80, 3], ["3 values", "4 columns"]),
        ([], ["0 values"]),
        ("Bonn", ["object with a value for each column"]),
        (None, ["object with a value for each column"]),
    ],
)
def test_wrong_row_is_refused_with_its_field(tables, row, words):
    assert_refused(predict(tables[CLASSIFICATION], json={"example": row}), 422, *words)


def test_number_that_training_never_missed_may_not_be_missing(tables, readers):
    row = {column.name: 1 for column in readers[REGRESSION].inputs.columns}
    refused = predict(tables[REGRESSION], json={"examples": [row, row | {"CRIM": None}]})
    assert_refused(refused, 422, "examples[1]: CRIM is missing; training had a number in every row")


def test_requests_that_tables_do_not_take_are_refused(tables):
    app = tables[CLASSIFICATION]
    assert_refused(predict(app, json={"image": [[0]]}), 422, 'expected {"example": object')
    assert_refused(predict(app, json={"examples": []}), 422, "at least one example")
    assert_refused(predict(app, json={"examples": [GOOD] * 301}), 413, "301 examples", "at most 300")
    assert_refused(predict(app, "?prepare=none", json={"example": GOOD}), 422, "prepare is for images")
    assert_refused(predict(app, files={"f": ("a.csv", b"city")}), 415, "application/json")
    assert_refused(predict(app, content=b"1", headers={"Content-Type": "image/png"}), 415, "application/json")
    [seen] = predictions(app, "?seen=true", json={"example": GOOD | {"size": None}})
    assert seen["seen"] == [2, None, 3, 2]


# -- series, tokens, arrays -------------------------------------------------------------------------------------------


def numbers_app(kind: str, shape: tuple[int, ...], dtype: str = "float32", vocabulary: int | None = None, **data):
    reader = untrained(Inputs(kind=kind, shape=shape, dtype=dtype, vocabulary=vocabulary), **data)
    service = Service([reader], LIMITS)
    service.warm_up()
    return reader, make_app(service)


@pytest.fixture(scope="module")
def two_channels():
    return numbers_app(SERIES, (6, 2))


def shares(found: list[dict]) -> list[list[float]]:
    return [list(each["probabilities"].values()) for each in found]


def ts(series: np.ndarray) -> bytes:
    """A .ts file of series, [N, steps, channels], of the class 1."""
    header = f"@problemName x\n@dimensions {series.shape[2]}\n@classLabel true 1\n@data"
    lines = (":".join(",".join(map(repr, channel)) for channel in one.T.tolist()) + ":1" for one in series)
    return "\n".join([header, *lines, ""]).encode()


def test_series_as_json_ts_and_npy_get_the_outputs_of_the_model(two_channels):
    reader, app = two_channels
    series = np.random.default_rng(0).normal(size=(3, 6, 2)).astype(np.float32)
    expected = pytest.approx(reader.predictions(series), abs=1e-6)
    assert np.array(shares(predictions(app, json={"examples": series.tolist()}))) == expected
    found = predictions(app, "?seen=true", files={"file": ("new.ts", ts(series))})
    assert np.array(shares(found)) == expected
    assert [each["example"] for each in found] == ["new.ts[0]", "new.ts[1]", "new.ts[2]"]
    np.testing.assert_allclose([each["seen"] for each in found], series, rtol=1e-6)
    array = io.BytesIO()
    np.save(array, series)
    assert np.array(shares(predictions(app, files={"file": ("new.npy", array.getvalue())}))) == expected


def test_series_of_one_channel_is_a_list_of_numbers():
    reader, app = numbers_app(SERIES, (6, 1))
    [found] = predictions(app, json={"example": [0, 1, 2.5, -1, 0, 3]})
    expected = reader.predictions(np.array([[[0], [1], [2.5], [-1], [0], [3]]], np.float32))
    assert shares([found]) == [pytest.approx(expected[0], abs=1e-6)]


def test_series_of_another_length_is_interpolated_where_the_run_does(two_channels):
    from fitbench.data.resampling import resampled

    short = np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32)
    assert_refused(predict(two_channels[1], json={"example": short.tolist()}), 422, "example", "4", "6")
    _, app = numbers_app(SERIES, (6, 2), lengths="cubic")
    [found] = predictions(app, "?seen=1", json={"example": short.tolist()})
    np.testing.assert_allclose(found["seen"], resampled([short], 6, "cubic")[0], rtol=1e-5)
    assert_refused(predict(app, json={"example": [[0, 1]]}), 422, "example: the number of steps is 1", "expected 2 or")
    assert_refused(predict(app, json={"example": [[0, None]] * 4}), 422, "example: value [0, 1] is nan", "finite")
    [found] = predictions(app, "?seen=1", files={"file": ("short.ts", ts(short[np.newaxis]))})
    np.testing.assert_allclose(found["seen"], resampled([short], 6, "cubic")[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([[0, 1]] * 5 + [[0]], ["example: expected numbers"]),
        ([[0, 1, 2]] * 6, ["example", "3", "2"]),
        ([[0, 1]] * 5 + [[0, None]], ["example", "nan"]),
        ([[0, 1]] * 5 + [[0, 1e39]], ["example", "1e+39"]),
        ([[0, 1]] * 5 + [[0, "x"]], ["example: expected numbers"]),
        ({"a": 1}, ["example: expected numbers"]),
        ([], ["example: expected numbers"]),
        (7, ["example: expected numbers"]),
        ([[[0, 1]] * 6], ["example: ", "[steps][channels]"]),
        ([0] * 100_001, ["example: ", "100,001 steps", "100,000"]),
    ],
)
def test_wrong_series_is_refused(two_channels, value, words):
    content = json.dumps({"example": value})
    response = predict(two_channels[1], content=content, headers={"Content-Type": "application/json"})
    assert_refused(response, 422, *words)


def test_numbers_that_are_too_large_for_a_model_are_refused(two_channels):
    steep = [[3e38, 3e38]] * 6
    assert_refused(
        predict(two_channels[1], json={"examples": [[[0, 0]] * 6, steep]}), 422, "examples[1]: ", "not finite"
    )


def test_wrong_file_of_series_is_refused_by_its_name(two_channels):
    app, series = two_channels[1], ts(np.zeros((2, 6, 2)))
    assert_refused(predict(app, files={"f": ("a.ts", series[:40])}), 422, "a.ts: ")
    assert "/tmp" not in predict(app, files={"f": ("a.ts", series[:40])}).text
    assert_refused(predict(app, files={"f": ("a.csv", series)}), 422, "a.csv: ", ".ts, .tsv, .txt, .npy")
    assert_refused(predict(app, files={"f": ("a.npy", b"\x93NUMPY\x01\x00")}), 422, "a.npy: ")
    assert_refused(predict(app, files={"f": ("a.tsv", b"1\t0.5\t0.25\n")}), 422, "a.tsv")
    many = ts(np.zeros((301, 1, 1)))
    assert_refused(predict(app, files={"f": ("a.ts", many)}), 413, "301 examples")


def test_file_of_series_is_read_as_predict_reads_it():
    """An array [N, steps] holds N series of one channel, and the first number of a line of text is a label."""
    reader, app = numbers_app(SERIES, (6, 1), lengths="linear")
    series = np.random.default_rng(2).normal(size=(6, 6)).astype(np.float32)
    array = io.BytesIO()
    np.save(array, series)
    expected = pytest.approx(reader.predictions(series[..., np.newaxis]), abs=1e-6)
    assert np.array(shares(predictions(app, files={"f": ("a.npy", array.getvalue())}))) == expected
    text = "".join("\t".join(map(str, row)) + "\n" for row in series.tolist()).encode()
    assert_refused(predict(app, files={"f": ("a.tsv", text)}), 422, "a.tsv: its lines have 6 numbers", "a label")
    gap = b"1\t0\t1\t2\tNaN\t4\t5\n"
    assert_refused(predict(app, files={"f": ("a.tsv", gap)}), 422, "a.tsv[0]: value [3, 0] is nan")


def test_numbers_of_a_request_are_limited():
    _, app = numbers_app(SERIES, (5000, 1))
    assert_refused(predict(app, json={"examples": [[0]] * 21}), 413, "21 series have 105,000 numbers", "100,000")


@pytest.mark.parametrize(
    ("token", "words"),
    [(7, ["is 7", "from 0 to 6"]), (-1, ["is -1", "from 0 to 6"]), (1.5, ["1.5", "whole"]), (2**40, ["from 0 to 6"])],
)
def test_token_that_is_not_in_the_vocabulary_is_refused(token, words):
    reader, app = numbers_app(TOKENS, (4,), "int32", 7)
    [found] = predictions(app, json={"example": [0, 6, 3, 1]})
    assert shares([found]) == [pytest.approx(reader.predictions(np.array([[0, 6, 3, 1]], np.int32))[0], abs=1e-6)]
    assert_refused(predict(app, json={"example": [0, 1, token, 2]}), 422, "example: ", *words)


def test_arrays_have_the_shape_of_the_model():
    reader, app = numbers_app(ARRAYS, (2, 3, 2))
    array = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    [found] = predictions(app, json={"example": array.tolist()})
    assert shares([found]) == [pytest.approx(reader.predictions(array[np.newaxis])[0], abs=1e-6)]
    assert_refused(predict(app, json={"example": [[1, 2], [3, 4]]}), 422, "example", "2", "3")
    assert_refused(predict(app, files={"f": ("a.ts", b"")}), 415, "application/json")


@pytest.mark.parametrize("kind", [TABLE, SERIES, TOKENS, ARRAYS])
def test_documented_example_of_each_kind_works(kind, tables):
    if kind == TABLE:
        app = tables[CLASSIFICATION]
    else:
        _, app = numbers_app(kind, (6, 2), *(["int32", 7] if kind == TOKENS else []))
    api = ask(app, "GET", "/openapi.json").json()
    assert KINDS[kind].plural in api["info"]["description"]
    content = api["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert len(predictions(app, json=content["application/json"]["example"])) == 1
    assert ("multipart/form-data" in content) == (kind == SERIES)
    described = ask(app, "GET", "/models").json()
    assert (described["kind"], described["examples"]) == (kind, KINDS[kind].nouns)


# -- several runs -----------------------------------------------------------------------------------------------------


def test_runs_of_other_examples_are_refused_before_a_model_is_loaded(table_runs, trained, monkeypatch, tmp_path):
    monkeypatch.setattr("fitbench.inference.serve.open_runs", lambda *_: pytest.fail("a model was loaded"))
    flat, boston = str(table_runs[CLASSIFICATION]), str(table_runs[REGRESSION])
    renamed = shutil.copytree(flat, tmp_path / "renamed")
    record = (renamed / "dataset.json").read_text()
    (renamed / "dataset.json").write_text(record.replace('"name": "city"', '"name": "town"'))
    for other in (str(trained), boston, str(renamed)):
        with pytest.raises(RequestError, match=r"takes other examples than .*; serve them apart"):
            serve([flat, other], tmp_path, "127.0.0.1", 0, False, False, LIMITS)


def test_runs_with_the_same_columns_answer_one_request(readers):
    readers = [readers[CLASSIFICATION], readers[MULTILABEL]]
    found = predictions(make_app(Service(readers, LIMITS)), json={"example": GOOD})
    assert [each["model"] for each in found] == [reader.run_id for reader in readers]
    assert "label" in found[0] and "labels" in found[1]
