"""Examples of the test part that `fitbench serve` offers on its page."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx", reason="needs httpx")
from fastapi.testclient import TestClient

from fitbench.data import builtin
from fitbench.data.loading import load
from fitbench.inference.api import RequestLimits
from fitbench.inference.reader import Reader, configuration, open_run
from fitbench.inference.server import make_app
from fitbench.inference.service import Service
from fitbench.kinds import IMAGES
from fitbench.metrics import CLASSIFICATION, REGRESSION
from fitbench.record.inputs import Inputs

from .untrained import untrained


@pytest.fixture(scope="module")
def reader(trained) -> Reader:
    return open_run(trained)


def client(reader: Reader) -> TestClient:
    return TestClient(make_app(Service([reader], RequestLimits())))


def with_result(reader: Reader, section: str, **values: object) -> Reader:
    return dataclasses.replace(reader, result=reader.result | {section: reader.result[section] | values})


def test_pictures_are_test_images_of_different_classes_and_models_read_them(reader):
    dataset = load(configuration(reader.result, reader.folder).data)
    page = client(reader)
    samples = page.get("/samples").json()["samples"]
    assert len({sample["truth"] for sample in samples}) == 3
    for number, sample in enumerate(samples):
        picture = page.get(f"/samples/{number}")
        assert picture.headers["content-type"] == "image/png"
        pixels = np.asarray(Image.open(io.BytesIO(picture.content)))
        [rows] = np.nonzero((np.asarray(dataset.x_test)[..., 0] == pixels).all(axis=(1, 2)))
        assert dataset.names[dataset.y_test[rows[0]]] == sample["truth"]
        assert sample["example"] is None
        headers = {"content-type": "image/png"}
        answer = page.post("/predict?prepare=none", content=picture.content, headers=headers).json()
        expected = reader.names[reader.predictions(pixels[np.newaxis, ..., np.newaxis])[0].argmax()]
        assert answer["predictions"][0]["label"] == expected


@pytest.mark.parametrize(("number", "status"), [("3", 404), ("-1", 404), ("x", 422), ("..%2Fmodels", 404)])
def test_pictures_have_numbers_and_nothing_else_has_a_path(reader, number, status):
    answer = client(reader).get(f"/samples/{number}")
    assert answer.status_code == status
    assert "error" in answer.json()


def test_rows_with_classes_and_values_are_accepted_as_they_are_given(table_runs):
    for task in (CLASSIFICATION, REGRESSION):
        reader = open_run(table_runs[task])
        page = client(reader)
        samples = page.get("/samples").json()["samples"]
        dataset = load(configuration(reader.result, reader.folder).data, task)
        for sample in samples:
            answer = page.post("/predict?seen=true", json={"example": sample["example"]}).json()
            [prediction] = answer["predictions"]
            seen = np.array(prediction["seen"], np.float32)
            assert np.isclose(dataset.x_test, seen, equal_nan=True).all(axis=1).any()
            assert (sample["truth"] in dataset.names) == (task == CLASSIFICATION)
        assert len(samples) == 3
        assert page.get("/samples/0").status_code == 404


def test_data_that_are_not_those_of_the_run_or_are_large_give_no_examples(reader):
    for changed in (
        with_result(reader, "data", sha256="0" * 64),
        with_result(reader, "data", train=10**6),
        with_result(reader, "config", data={"source": "npz", "name": "x", "path": "/no/such.npz"}),
        with_result(reader, "config", data={"_target_": "os.system", "name": "x", "source": "function"}),
        untrained(Inputs(kind=IMAGES, shape=(6, 4, 3), dtype="uint8")),
    ):
        assert client(changed).get("/samples").json() == {"samples": []}


def test_data_that_are_not_here_are_not_downloaded(reader, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(builtin, "_download", lambda name: pytest.fail("it would download"))
    monkeypatch.setattr(builtin, "in_package", lambda *_: None)
    data = reader.result["config"]["data"] | {"source": "mnist", "name": "mnist"}
    assert client(with_result(reader, "config", data=data)).get("/samples").json() == {"samples": []}
