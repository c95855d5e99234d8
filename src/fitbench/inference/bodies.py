"""Reads the images in the body of a request: files of a form, a file as the whole body, or arrays as JSON."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

import numpy as np
from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from fitbench.inference.api import RequestLimits
from fitbench.text import clean

# The name of an image in responses, and its file or its pixels, uint8 [height, width, 1 or 3].
NamedImage = tuple[str, bytes | np.ndarray]
NAME_CHARACTERS = 200
SMALL_BYTES = 100_000
READ_SECONDS = 30
MAX_LISTS = 1_000_000
_CONVERTING = threading.Lock()  # one at a time, because other threads, which answer requests, cannot run meanwhile
EXPECTED = 'expected {"image": rows of numbers} or {"images": [one or more such images]}'


class Budget:
    """The bytes that the bodies of all requests may take at a time."""

    def __init__(self, size: int) -> None:
        self.free = size

    @contextmanager
    def reserve(self, count: int) -> Iterator[None]:
        """Take bytes of the budget until the block ends. Small bodies take none, so large ones cannot displace them.

        Raises:
            HTTPException: 503, other requests have taken the budget.
        """
        count = 0 if count <= SMALL_BYTES else count
        if count > self.free:
            raise HTTPException(
                503,
                "the server is reading other large requests; try again in a second",
                {"connection": "close", "retry-after": "1"},
            )
        self.free -= count
        try:
            yield
        finally:
            self.free += count


def length(request: Request, limits: RequestLimits) -> int:
    """Return the bytes of a request's body, before it is read.

    Raises:
        HTTPException: 411 or 413.
    """
    digits = request.headers.get("content-length", "")
    if not (digits.isascii() and digits.isdigit()):
        raise HTTPException(411, "the request has no Content-Length", {"connection": "close"})
    if len(digits) > 18 or int(digits) > limits.bytes:  # the server reads no more bytes than this
        raise HTTPException(413, f"the request is larger than {limits.bytes:,} bytes", {"connection": "close"})
    return int(digits)


async def read(request: Request, limits: RequestLimits, workers: Executor) -> list[NamedImage]:
    """Read the images of a request in order, without decoding files. Arrays are converted by `workers`.

    Raises:
        HTTPException: 400, 408, 413, 415 or 422.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        async with asyncio.timeout(READ_SECONDS):
            if kind == "multipart/form-data":
                return await _files(request, limits)
            if kind == "application/json" or kind.startswith("image/") or kind == "application/octet-stream":
                body = await request.body()
            else:
                raise HTTPException(
                    415,
                    f"the content type is {kind!r:.80}; expected application/json, multipart/form-data, an image type "
                    "such as image/png, or application/octet-stream",
                )
    except TimeoutError:
        text = f"the body of the request did not arrive within {READ_SECONDS} seconds"
        raise HTTPException(408, text, {"connection": "close"}) from None
    if kind == "application/json":
        return await asyncio.get_running_loop().run_in_executor(workers, _arrays, body, limits)
    return [("image", body)]


async def _files(request: Request, limits: RequestLimits) -> list[NamedImage]:
    files: list[NamedImage] = []
    async with request.form(max_files=limits.images, max_fields=8) as form:
        for field, value in form.multi_items():
            if not isinstance(value, UploadFile):
                raise HTTPException(
                    422,
                    f"the form's field {clean(field)!s:.80} is not a file; model, prepare and seen are query "
                    "parameters, as in /predict?prepare=none",
                )
            files.append((clean(value.filename or field)[:NAME_CHARACTERS], await value.read()))
    if not files:
        raise HTTPException(422, "the form has no file; send image files, as curl -F image=@seven.png does")
    return files


def _arrays(body: bytes, limits: RequestLimits) -> list[NamedImage]:
    """Convert {"image": rows} or {"images": [rows, ...]}.

    Not done by Pydantic, which takes 5 seconds and 650 MB for 10 MB of `[[1]], [[1]], ...`.
    """
    if sum(map(body.count, (b"[", b"{", b'"'))) > MAX_LISTS:
        raise HTTPException(413, f"the body has more than {MAX_LISTS:,} lists; send the images as files")
    with _CONVERTING:
        return _converted(body, limits)


def _converted(body: bytes, limits: RequestLimits) -> list[NamedImage]:
    """Convert a body of which the number of lists has been checked."""
    try:
        content = from_json(body, cache_strings=False)
    except ValueError as error:
        raise HTTPException(400, f"Invalid JSON: {clean(error):.200}; /docs has examples") from None
    if not isinstance(content, dict) or list(content) not in (["image"], ["images"]):
        raise HTTPException(422, f"the body: {EXPECTED}; /docs has examples")
    if "image" in content:
        return [("image", _pixels(content["image"], "image"))]
    images = content["images"]
    if not isinstance(images, list) or not images:
        raise HTTPException(422, "images: expected a list of at least one image; /docs has examples")
    if len(images) > limits.images:
        raise HTTPException(413, f"{len(images):,} images; a request may have at most {limits.images:,}")
    return [(name := f"images[{i}]", _pixels(rows, name)) for i, rows in enumerate(images)]


def _pixels(rows: object, name: str) -> np.ndarray:
    """Convert nested lists of numbers from 0 to 255 to pixels, uint8 [height, width, 1 or 3]."""
    try:
        numbers: np.ndarray = np.array(rows, np.float64)
    except (TypeError, ValueError, OverflowError):  # lists of different lengths, or not numbers
        numbers = np.empty(0)
    numbers = numbers[..., np.newaxis] if numbers.ndim == 2 else numbers
    if numbers.ndim != 3 or numbers.shape[2] not in (1, 3) or not numbers.size:
        expected = "rows of equal length, [height][width], or [height][width][channels] with 1 or 3 channels"
        raise HTTPException(422, f"{name}: expected numbers in {expected}")
    with np.errstate(invalid="ignore"):
        pixels = numbers.astype(np.uint8)
    if (pixels != numbers).any():
        row, column, channel = np.argwhere(pixels != numbers)[0]
        found = f"{numbers[row, column, channel]:g} in row {row}, column {column}"
        raise HTTPException(422, f"{name}: {found}; expected whole numbers from 0 to 255")
    return pixels
