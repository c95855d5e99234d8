"""`fitbench serve`: the API, its limits, and many simultaneous clients."""

import asyncio
import contextlib
import dataclasses
import http.client
import io
import json
import os
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
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra serve")
httpx = pytest.importorskip("httpx", reason="needs httpx")

from fitbench.data.loading import load  # noqa: E402
from fitbench.errors import FitbenchError, RequestError  # noqa: E402
from fitbench.inference import bodies  # noqa: E402
from fitbench.inference.api import RequestLimits  # noqa: E402
from fitbench.inference.reader import configuration, open_run  # noqa: E402
from fitbench.inference.serve import serve  # noqa: E402
from fitbench.inference.server import make_app  # noqa: E402
from fitbench.inference.service import Service  # noqa: E402
from fitbench.record.result import write_result  # noqa: E402
from fitbench.web import connections  # noqa: E402
from fitbench.web.server import listen  # noqa: E402

LIMITS = RequestLimits(bytes=200_000, pixels=1_000_000, images=20)
NAME_GREY, NAME_COLOUR = "lenet", "colour"


@pytest.fixture(scope="module")
def reader(trained):
    opened = open_run(trained)
    return dataclasses.replace(opened, result=opened.result | {"run_id": NAME_GREY})


@pytest.fixture(scope="module")
def digits(reader) -> np.ndarray:
    """Return 200 digits, uint8 [200, 28, 28, 1]."""
    return np.asarray(load(configuration(reader.result, reader.folder).data).x_test[::5])


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
    return Service([reader, open_run(colour)], LIMITS)


@pytest.fixture(scope="module")
def app(service):
    return make_app(service, ["127.0.0.1", "[::1]"])


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
    expected = reader.predictions(digits[:1])[0]
    assert prediction["model"] == NAME_GREY and prediction["image"] == "image" and "seen" not in prediction
    assert prediction["label"] == reader.names[expected.argmax()]
    assert prediction["probability"] == pytest.approx(expected.max(), abs=1e-6)
    assert list(prediction["probabilities"]) == list(reader.names)
    np.testing.assert_allclose(list(prediction["probabilities"].values()), expected, atol=1e-6)
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_batch_keeps_its_order(app, reader, digits):
    response = predict(app, json={"images": digits[:20].tolist()})
    predictions = response.json()["predictions"]
    assert [each["image"] for each in predictions] == [f"images[{i}]" for i in range(20)]
    expected = reader.predictions(digits[:20])
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
    assert_refused(predict(app, json={"image": large.tolist()}), 422, "84 x 84 x 1", "28 x 28 x 1", "prepare=auto")
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
    assert_refused(
        ask(app, "POST", f"/predict?model={NAME_COLOUR}", json={"image": grey}), 422, "6 x 4 x 1;", "6 x 4 x 3"
    )


def test_models_health_and_limits_are_reported(app, reader):
    described = ask(app, "GET", "/models").json()
    grey, colour = described["models"]
    assert grey["model"] == NAME_GREY and grey["shape"] == [28, 28, 1] and grey["classes"] == list("0123456789")
    assert (grey["metric"], grey["test_value"]) == ("accuracy", reader.result["metrics"]["test_accuracy"])
    assert colour["data"] == "photos"
    assert described["limits"] == {
        "bytes": 200_000, "pixels": 1_000_000, "images": 20, "shared_bytes": 64_000_000
    }  # fmt: skip
    assert ask(app, "GET", "/health").json().keys() == {"status", "models", "images", "seconds"}


def test_openapi_describes_the_api_and_pages_use_no_other_host(app):
    api = ask(app, "GET", "/openapi.json").json()
    assert set(api["paths"]) == {"/predict", "/models", "/health"}
    operation = api["paths"]["/predict"]["post"]
    assert all(parameter["description"] for parameter in operation["parameters"])
    assert set(operation["requestBody"]["content"]) == {"multipart/form-data", "application/json", "image/*"}
    assert {"200", "400", "404", "408", "411", "413", "415", "422", "503"} == set(operation["responses"])
    files = [file.name for file in (resources.files("fitbench.inference") / "page").iterdir()]
    assert "main.js" in files
    for path in ("/", "/docs", "/page/base.css", *(f"/page/{name}" for name in files)):
        response = ask(app, "GET", path)
        assert response.status_code == 200, path
        text = re.sub("http://127.0.0.1:8000|http://www.w3.org/2000/svg", "", response.text)
        assert not re.search(r"(https?:)?//[a-z]", text), path
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "unsafe" not in response.headers["content-security-policy"]
        assert "access-control-allow-origin" not in response.headers


def test_documented_example_of_an_array_works(app):
    operation = ask(app, "GET", "/openapi.json").json()["paths"]["/predict"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert "4 x 4 pixels" in operation["description"] and np.shape(example["image"]) == (4, 4)
    assert_refused(predict(app, json=example), 422, "prepare=auto")
    assert predict(app, "&prepare=auto", json=example).status_code == 200


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
ROWS = ["rows of equal length"]


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("{", 400, ["Invalid JSON"]),
        ("\xff\xfe", 400, ["Invalid JSON"]),
        ("[" * 50_000, 400, ["recursion limit"]),
        ('{"image": [[' + "9" * 5000 + "]]}", 400, ["Invalid JSON"]),
        ('{"image": [[' + "9" * 4000 + "]]}", 422, ["image: ", "numbers"]),
        ('{"image": [[NaN]]}', 422, ["image: nan in row 0, column 0", "from 0 to 255"]),
        ('{"image": [[1e999]]}', 422, ["image: inf in row 0"]),
        ('{"image": [[256]]}', 422, ["image: 256 in row 0, column 0", "from 0 to 255"]),
        ('{"image": [[-1]]}', 422, ["image: -1 in row 0"]),
        ('{"image": [[0], [0.5]]}', 422, ["image: 0.5 in row 1, column 0", "whole numbers"]),
        ('{"image": [["x"' + ', "y"' * 30_000 + "]]}", 422, ["image: expected numbers"]),
        ('{"image": [[{"a": 1}]]}', 422, ["image: expected numbers"]),
        ('{"image": ' + "[" * 150 + "1" + "]" * 150 + "}", 422, ["image: ", *ROWS]),
        ('{"image": [[1, 2], [3]]}', 422, ["image: ", *ROWS]),
        ('{"image": [[[1], [2, 3]]]}', 422, ["image: ", *ROWS]),
        ('{"image": [[[1, 2]]]}', 422, ["1 or 3 channels"]),
        ('{"image": []}', 422, ["image: ", *ROWS]),
        ('{"image": 7}', 422, ["image: ", *ROWS]),
        ('{"image": null}', 422, ["image: ", *ROWS]),
        ('{"images": []}', 422, ["images: ", "at least one"]),
        ('{"images": {"0": [[1]]}}', 422, ["images: ", "at least one"]),
        ('{"images": [[[1]], [[2], [3, 4]]]}', 422, ["images[1]: ", *ROWS]),
        ('{"images": [' + "[[1]]," * 20 + "[[1]]]}", 413, ["21 images", "at most 20"]),
        ('{"image": [[1]], "images": [[[1]]]}', 422, ['expected {"image"']),
        ('{"pixels": [[1]]}', 422, ['expected {"image"']),
        ("7", 422, ["the body: "]),
        (json.dumps({"image": [ROW] * 27}), 422, ["27 x 28 x 1", "28 x 28 x 1"]),
    ],
)  # fmt: skip
def test_malformed_json_is_refused(app, text, status, words):
    content = text.encode("latin-1")
    assert_refused(predict(app, content=content, headers={"Content-Type": "application/json"}), status, *words)


def test_json_of_very_many_lists_is_refused_before_it_is_parsed(app, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_LISTS", 1000)
    json_type = {"Content-Type": "application/json"}
    assert_refused(predict(app, content=b"[" * 1001, headers=json_type), 413, "1,000 lists", "as files")
    assert_refused(predict(app, content=b'{"image":' + b'{"":' * 500, headers=json_type), 413, "1,000 lists")


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
        response = ask(app, "POST", "/predict", headers={"Host": host})
        assert response.status_code == 400
        assert response.json()["error"].startswith("Invalid host header")
    for host in ("127.0.0.1", "127.0.0.1:8000", "[::1]:8000"):
        assert ask(app, "GET", "/", headers={"Host": host}).status_code == 200


def test_size_of_a_request_is_limited_before_it_is_read(app):
    async def endless():
        yield b"first"
        pytest.fail("the body was read")

    octets = {"Content-Type": "application/octet-stream"}
    assert_refused(predict(app, content=bytes(200_001), headers=octets), 413, "200,000 bytes")
    assert_refused(predict(app, content=endless(), headers=octets), 411, "no Content-Length")


def test_model_whose_outputs_are_not_finite_is_an_error(reader):
    not_finite = dataclasses.replace(reader._compiled, outputs=lambda images: np.full((len(images), 10), np.nan))
    broken = dataclasses.replace(reader, _compiled=not_finite)
    service = Service([broken], LIMITS)
    app = make_app(service)
    assert_refused(ask(app, "POST", "/predict", json={"image": [ROW] * 28}), 500, NAME_GREY, "not finite")
    with pytest.raises(FitbenchError, match=f"the outputs of {NAME_GREY} are not finite"):
        service.warm_up()


# -- the server -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(reader, start_server) -> str:
    return start_server(Service([reader], RequestLimits(bytes=1_000_000))).address


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
        ([HEAD + b"Content-Length: 99999999999999999999\r\n\r\n"], 413, "1,000,000 bytes"),
        ([HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"], 400, "Invalid HTTP"),
        ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[CHUNK] * 20], 411, "no Content-Length"),
        ([b"\x16\x03\x01\x00\xff garbage\r\n\r\n"], 400, "Invalid HTTP"),
        ([b"GET /" + b"x" * 200_000], 400, "Invalid HTTP"),
        ([HEAD + b"Content-Length: -1\r\n\r\n"], 400, "Invalid HTTP"),
        ([FORM + b"Content-Length: 7\r\n\r\ngarbage"], 400, "multipart"),
    ],
    ids=["length", "digits", "chunks", "garbage", "long line", "negative", "form"],
)
def test_wrong_request_gets_an_error_and_its_connection_is_closed(address, parts, status, error):
    response = exchange(address, *parts)
    assert response.startswith(b"HTTP/1.1 %d " % status), response[:300]
    assert error in response.decode()


def test_50_simultaneous_clients_get_their_own_answers(address, reader, digits):
    expected = reader.predictions(digits)
    url = urlsplit(address)

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


HEALTH = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def connect(address: str, count: int) -> list[socket.socket]:
    url = urlsplit(address)
    return [socket.create_connection((url.hostname, url.port)) for _ in range(count)]


def wait_for_health(address: str) -> None:
    for _ in range(100):
        if exchange(address, HEALTH).startswith(b"HTTP/1.1 200 "):
            return
        time.sleep(0.05)
    pytest.fail("the server still refuses connections")


def test_connections_above_the_limit_are_refused_until_others_close(address):
    most, _ = connections.limits()
    silent = connect(address, most)
    refused = exchange(address, HEALTH)
    assert refused.startswith(b"HTTP/1.1 503 ") and list(json.loads(refused.partition(b"\r\n\r\n")[2])) == ["error"]
    for connection in silent:
        connection.close()
    wait_for_health(address)


def test_connection_without_a_whole_request_is_closed(reader, start_server):
    server = start_server(Service([reader], LIMITS))
    server.server.config.timeout_keep_alive = 0.3
    started = time.monotonic()
    assert exchange(server.address) == b""
    assert exchange(server.address, b"GET /health HTTP/1.1\r\n") == b""
    answered = exchange(server.address, HEALTH.replace(b"close", b"keep-alive") + HEALTH[:20])
    assert answered.count(b"HTTP/1.1 200 ") == 1
    assert time.monotonic() - started < 8


FEW_FILES = """
import resource, socket
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from fitbench.web import server

async def read(request):
    return PlainTextResponse(str(len(await request.body())))

server.GRACE_SECONDS = 0.2
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
routes = [Route("/health", lambda _: PlainTextResponse("ok")), Route("/predict", read, methods=["POST"])]
server.make_server(Starlette(routes=routes)).run(sockets=[listener])
"""


def test_more_connections_than_open_files_are_refused_with_one_line_of_log():
    with subprocess.Popen([sys.executable, "-c", FEW_FILES], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        address = process.stdout.readline().decode().strip()
        silent = connect(address, 300)
        assert exchange(address, HEALTH).startswith(b"HTTP/1.1 503 ")
        for connection in silent:
            connection.close()
        wait_for_health(address)
        [slow] = connect(address, 1)
        slow.sendall(HEAD + b"Content-Length: 9\r\n\r\n")
        wait_for_health(address)
        process.terminate()
        refused, *cancelled = process.stderr.read().decode().splitlines()
        slow.close()
    assert refused == "ERROR:    32 connections are open; further ones are refused with 503"
    assert cancelled == ["ERROR:    Cancel 1 running task(s), timeout graceful shutdown exceeded"]


def test_large_bodies_share_a_budget(reader, digits, start_server, monkeypatch):
    """Small requests are answered while it is taken. A body that does not arrive gives it back."""
    monkeypatch.setattr(bodies, "READ_SECONDS", 1)
    service = Service([reader], RequestLimits(bytes=1_000_000))
    service.budget = bodies.Budget(1_500_000)
    server = start_server(service)
    large = HEAD + b"Content-Length: 1000000\r\nConnection: close\r\n\r\n" + bytes(999_999)
    [slow] = connect(server.address, 1)
    slow.sendall(large)
    while service.budget.free == 1_500_000:
        time.sleep(0.01)
    refused = exchange(server.address, large).decode()
    assert refused.startswith("HTTP/1.1 503 ") and "retry-after: 1" in refused and '{"error":"the server is ' in refused
    file = png(digits[0])
    small = HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(file) + file
    assert exchange(server.address, small).startswith(b"HTTP/1.1 200 ")
    assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")
    slow.close()
    assert exchange(server.address, large + b"0").startswith(b"HTTP/1.1 422 ")
    assert service.budget.free == 1_500_000


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_signal_ends_the_server(trained, monkeypatch, capfd, number, status):
    """The page is opened in the browser before the server answers."""
    answers = []

    def visit(url: str) -> None:
        def ask_and_end() -> None:
            answers.append(httpx.get(f"{url}health", timeout=30).json()["status"])
            os.kill(os.getpid(), number)

        threading.Thread(target=ask_and_end).start()

    monkeypatch.setattr("webbrowser.open", visit)
    previous = signal.getsignal(signal.SIGTERM)
    try:
        ended = serve([str(trained)], Path("none"), "127.0.0.1", 0, False, True, LIMITS)
    except SystemExit as error:
        ended = error.code
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert (ended, answers) == (status, ["ok"])
    out, err = capfd.readouterr()
    assert (
        out.startswith("http://127.0.0.1:") and "images of 28x28x1, classes 0, 1, 2," in err and "Traceback" not in err
    )


def test_wrong_request_is_refused_before_a_model_is_loaded(trained, monkeypatch, tmp_path):
    def wrong(**changed: object) -> None:
        options = {"runs": [str(trained)], "outputs": tmp_path, "host": "127.0.0.1", "port": 0, "trust": False,
                   "open_browser": False, "limits": LIMITS} | changed  # fmt: skip
        serve(**options)

    monkeypatch.setattr("fitbench.inference.serve.open_runs", lambda *_: pytest.fail("a model was loaded"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            RequestError, match=rf"cannot listen at --host 127.0.0.1 --port {port} \(Address already in"
        ):
            wrong(port=port)
    for host in ("no.such.host.invalid", "192.0.2.1", "x" * 100):  # 192.0.2.1 is reserved for documentation
        with pytest.raises(RequestError, match=rf"cannot listen at --host {host} .*127\.0\.0\.1 is this computer"):
            wrong(host=host)
    with pytest.raises(RequestError, match="fits none"):
        wrong(runs=["nobody"])
    with pytest.raises(RequestError, match="two of the runs are called the same"):
        wrong(runs=[str(trained)] * 2)
    monkeypatch.setattr("fitbench.inference.serve.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"pip install 'fitbench\[serve\]'"):
        wrong()


def test_response_of_two_packets_is_sent_at_once():
    """Without TCP_NODELAY, a client that confirms packets late waits 40 ms for the second one."""
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
