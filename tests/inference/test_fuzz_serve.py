"""`fitbench serve` with made-up requests: any of them gets a status below 500, and JSON."""

import asyncio
import io
import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from ..fuzzing import fuzz

pytest.importorskip("fastapi", reason="needs the extra serve")

from fitbench.inference.api import RequestLimits
from fitbench.inference.server import make_app
from fitbench.inference.service import Service
from fitbench.kinds import IMAGES, SERIES, TABLE, TOKENS
from fitbench.record.inputs import Inputs

from .small_data import small
from .untrained import untrained

LIMITS = RequestLimits(bytes=300_000, pixels=1_000_000, images=20)


@pytest.fixture(scope="module")
def app():
    return make_app(Service([untrained(Inputs(kind=IMAGES, shape=(28, 28, 1), dtype="uint8"))], LIMITS))


@pytest.fixture(scope="module", params=[TABLE, SERIES, TOKENS])
def other_app(request):
    data = small(request.param)
    return make_app(Service([untrained(data.inputs, lengths="cubic", missing="error")], LIMITS))


def post(app, query: bytes, kind: bytes, parts: list[bytes], length: bytes | None = None) -> tuple[int, bytes]:
    """Send a request to /predict, its body in parts. After them, the client disconnects if there are too few bytes."""
    body = b"".join(parts)
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    complete = length is None or (length.isdigit() and len(length) < 9 and int(length) <= len(body))
    messages.append(
        {"type": "http.request", "body": b"", "more_body": False} if complete else {"type": "http.disconnect"}
    )
    messages.reverse()
    sent = []

    async def receive() -> dict:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-type", kind)]
    headers.append((b"content-length", b"%d" % len(body) if length is None else length))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/predict", "raw_path": b"/predict", "query_string": query, "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "state": {},
    }  # fmt: skip
    asyncio.run(asyncio.wait_for(app(scope, receive, send), 30))
    start, *rest = sent
    return start["status"], b"".join(message.get("body", b"") for message in rest)


def assert_answered(app, query: bytes, kind: bytes, parts: list[bytes], length: bytes | None = None) -> None:
    status, body = post(app, query, kind, parts, length)
    content = json.loads(body)
    if status == 200:
        assert all(0 <= each["probability"] <= 1 for each in content["predictions"])
    else:
        assert 400 <= status < 500, body
        assert list(content) == ["error"] and content["error"] and "\n" not in content["error"]
        assert len(content["error"]) < 600


# -- JSON -------------------------------------------------------------------------------------------------------------

numbers = st.one_of(
    st.integers(0, 255), st.integers(), st.integers(10**300, 10**400), st.floats(), st.booleans(), st.none()
)
values = st.recursive(
    st.one_of(numbers, st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=30,
)
rows = st.lists(st.lists(st.one_of(numbers, st.lists(numbers, max_size=4)), max_size=5), max_size=5)
arrays = st.one_of(
    st.fixed_dictionaries({"image": st.one_of(rows, values)}),
    st.fixed_dictionaries({"images": st.one_of(st.lists(st.one_of(rows, values), max_size=25), values)}),
    values,
)
deep = st.builds(
    lambda opening, depth: f'{{"image": {opening * depth}',
    st.sampled_from(["[", '{"a":', "[[1],"]),
    st.integers(0, 20_000),
)
texts = st.one_of(arrays.map(json.dumps), deep, st.text(max_size=50), arrays.map(lambda value: json.dumps(value)[:-1]))
queries = st.sampled_from(
    [b"", b"prepare=auto", b"prepare=none&seen=true", b"model=made-up&model=made-up", b"prepare=auto&seen=1"]
)


@fuzz(80)
@given(text=texts, query=queries)
def test_json_is_answered(app, text, query):
    assert_answered(app, query, b"application/json", [text.encode("utf-8", "surrogatepass")])


cells = st.one_of(numbers, st.text(max_size=8), st.sampled_from(["a", "1", "NA", "1e40", "x" * 5000]), values)
columns = st.sampled_from(["size", "age", "city", "other"])
json_rows = st.one_of(st.lists(cells, max_size=4), st.dictionaries(columns, cells, max_size=4), values)
steps = st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=70)
examples = st.one_of(json_rows, steps, st.lists(st.integers(-1, 8), min_size=12, max_size=12))
bodies = st.one_of(
    st.fixed_dictionaries({"example": examples}),
    st.fixed_dictionaries({"examples": st.lists(examples, max_size=25)}),
    values,
)


@fuzz(60)
@given(body=bodies, query=queries)
def test_json_of_other_examples_is_answered(other_app, body, query):
    assert_answered(other_app, query, b"application/json", [json.dumps(body).encode()])


# -- files ------------------------------------------------------------------------------------------------------------


def file(kind: str, mode: str) -> bytes:
    content = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (30, 20), np.uint8)
    image = Image.fromarray(pixels.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(pixels).convert(mode)
    image.save(content, kind)
    return content.getvalue()


FILES = [
    file(kind, mode)
    for kind, mode in (
        *(("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        ("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("GIF", "P"), ("BMP", "RGB"), ("WEBP", "RGBA"),
        ("TIFF", "L"), ("TIFF", "CMYK"), ("TIFF", "F"), ("ICO", "RGB"), ("PPM", "RGB"), ("TGA", "RGB"), ("PCX", "L"),
    )
]  # fmt: skip


@st.composite
def damaged(draw, originals=tuple(FILES)) -> bytes:
    """A file with some bytes changed, inserted or cut off."""
    content = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["change", "insert", "cut", "size"])):
            case "change":
                content[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case "insert":
                content[place:place] = draw(st.binary(max_size=8))
            case "cut":
                del content[place:]
            case "size":
                content[place : place + 4] = draw(st.sampled_from([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4)]))
    return bytes(content)


SERIES_FILES = (
    b"@problemName x\n@dimensions 2\n@equalLength true\n@classLabel true 1 2\n@data\n1,2,3:4,5,6:1\n",
    b"1\t0.5\t0.25\n2\t1.5\t2\n",
    b"1,0.5,NaN\n",
)


@fuzz(60)
@given(
    content=st.one_of(damaged(SERIES_FILES), st.binary(max_size=100)),
    suffix=st.sampled_from(["ts", "tsv", "txt", "npy", "x"]),
)
def test_form_of_series_is_answered(other_app, content, suffix):
    head = b'--b\r\nContent-Disposition: form-data; name="a"; filename="b.%s"\r\n\r\n' % suffix.encode()
    assert_answered(other_app, b"seen=1", b"multipart/form-data; boundary=b", [head, content, b"\r\n--b--\r\n"])


@fuzz(80)
@given(
    content=st.one_of(damaged(), st.binary(max_size=200)),
    query=queries,
    cuts=st.lists(st.integers(0, 5000), max_size=3),
)
def test_image_file_is_answered(app, content, query, cuts):
    cuts = [0, *sorted(cuts), len(content)]
    parts = [content[start:end] for start, end in pairwise(cuts)]
    assert_answered(app, query, b"image/png", parts)


whole_numbers = st.one_of(st.integers(-10, 400_000), st.integers(10**20, 10**30))
lengths = st.one_of(whole_numbers.map(lambda number: b"%d" % number), st.binary(max_size=5))


@fuzz(60)
@given(kind=st.sampled_from([b"image/png", b"application/json", b"multipart/form-data; boundary=b"]), length=lengths)
@example(kind=b"image/png", length=b"9" * 5000)  # Python converts no more than 4,300 digits
def test_length_that_is_not_that_of_the_body_is_answered(app, kind, length):
    assert_answered(app, b"", kind, [b"1" * 50, b"2" * 50], length)


headers = st.sampled_from([
    b'Content-Disposition: form-data; name="a"; filename="b.png"', b'Content-Disposition: form-data; name="a"',
    b"Content-Disposition: form-data", b"Content-Disposition: attachment; name=a; filename=",
    b"Content-Type: image/png",
    b"Content-Disposition: form-data; name=\"a\"; filename*=UTF-8''%e2%82", b"X" * 300 + b": 1", b"no header", b": ",
    b'Content-Disposition: form-data; name="\xff\x00"; filename="\x1b[2J\xfe"',
])  # fmt: skip
boundaries = st.sampled_from(
    [b"b", b"--", b"", b"x" * 100, b"\xff", b"b; charset=utf-16", b"b; charset=zlib", b"b; charset=\xff", b'"b']
)


@st.composite
def forms(draw) -> tuple[bytes, bytes]:
    """The content type and the body of a form."""
    boundary = draw(boundaries)
    own = draw(st.sampled_from([boundary.partition(b";")[0], b"b", b"c"]))
    body = b""
    for _ in range(draw(st.integers(0, 4))):
        lines = draw(st.lists(headers, max_size=3))
        content = draw(st.one_of(damaged(), st.binary(max_size=100)))
        body += b"--" + own + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + content + b"\r\n"
    end = draw(st.sampled_from([b"--" + own + b"--\r\n", b"", b"--" + own, b"\r\n"]))
    return b"multipart/form-data; boundary=" + boundary, body + end


@fuzz(80)
@given(form=forms(), query=queries)
def test_form_is_answered(app, form, query):
    kind, body = form
    assert_answered(app, query, kind, [body[:100], body[100:]])


pieces = st.sampled_from([b"model=", b"seen=", b"prepare=", b"%00", b"&", b"=", b"made-up", b"%ff"])


@fuzz(60)
@given(query=st.one_of(st.binary(max_size=40), st.lists(pieces, max_size=8).map(b"".join)), kind=st.binary(max_size=30))
def test_any_query_and_content_type_are_answered(app, query, kind):
    assert_answered(app, query, kind, [b"7"])
