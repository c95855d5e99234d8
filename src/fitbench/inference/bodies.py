"""Reads the examples in the body of a request: files of a form, a file as the whole body, or JSON."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from fitbench.inference.api import RequestLimits
from fitbench.inference.served import Named, Served
from fitbench.text import clean

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader

NAME_CHARACTERS = 200
SMALL_BYTES = 100_000
READ_SECONDS = 30
MAX_LISTS = 1_000_000
_CONVERTING = threading.Lock()  # one at a time, because other threads, which answer requests, cannot run meanwhile


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


async def read(
    request: Request, limits: RequestLimits, served: Served, models: Mapping[str, Reader], workers: Executor
) -> list[Named]:
    """Read the examples of a request to these models, in order. `workers` convert them.

    Raises:
        HTTPException: 400, 408, 413, 415 or 422.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    convert: Callable[[], list[Named]]
    try:
        async with asyncio.timeout(READ_SECONDS):
            if kind == "multipart/form-data" and served.has_files:
                convert = partial(_from_files, await _files(request, limits), served, models, limits)
            elif kind == "application/json":
                convert = partial(_from_json, await request.body(), served, limits)
            elif kind.startswith(served.whole_bodies):
                convert = partial(_from_files, [(served.keys[0], await request.body())], served, models, limits)
            else:
                raise HTTPException(415, f"the content type is {kind!r:.80}; expected {served.content_types}")
    except TimeoutError:
        text = f"the body of the request did not arrive within {READ_SECONDS} seconds"
        raise HTTPException(408, text, {"connection": "close"}) from None
    return await asyncio.get_running_loop().run_in_executor(workers, convert)


async def _files(request: Request, limits: RequestLimits) -> list[tuple[str, bytes]]:
    files: list[tuple[str, bytes]] = []
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
        raise HTTPException(422, "the form has no file; send files, as curl -F image=@seven.png does")
    return files


def _from_files(
    files: Sequence[tuple[str, bytes]], served: Served, models: Mapping[str, Reader], limits: RequestLimits
) -> list[Named]:
    examples: list[Named] = []
    for name, content in files:
        examples += served.from_file(name, content, models)
        _check_count(len(examples), served, limits)
    return examples


def _from_json(body: bytes, served: Served, limits: RequestLimits) -> list[Named]:
    """Convert {"image": ...} or {"images": [...]}, or whatever the keys of the kind are.

    Not done by Pydantic, which takes 5 seconds and 650 MB for 10 MB of `[[1]], [[1]], ...`.
    """
    if sum(map(body.count, (b"[", b"{", b'"'))) > MAX_LISTS:
        advice = "send the images as files" if served.whole_bodies else "send fewer examples"
        raise HTTPException(413, f"the body has more than {MAX_LISTS:,} lists; {advice}")
    with _CONVERTING:
        return _converted(body, served, limits)


def _converted(body: bytes, served: Served, limits: RequestLimits) -> list[Named]:
    """Convert a body of which the number of lists has been checked."""
    one, several = served.keys
    try:
        content = from_json(body, cache_strings=False)
    except ValueError as error:
        raise HTTPException(400, f"Invalid JSON: {clean(error):.200}; /docs has examples") from None
    if not isinstance(content, dict) or list(content) not in ([one], [several]):
        expected = f'expected {{"{one}": {served.value}}} or {{"{several}": [one or more of these]}}'
        raise HTTPException(422, f"the body: {expected}; /docs has examples")
    if one in content:
        return [(one, served.from_json(content[one], one))]
    examples = content[several]
    if not isinstance(examples, list) or not examples:
        raise HTTPException(422, f"{several}: expected a list of at least one {one}; /docs has examples")
    _check_count(len(examples), served, limits)
    return [(name := f"{several}[{i}]", served.from_json(value, name)) for i, value in enumerate(examples)]


def _check_count(count: int, served: Served, limits: RequestLimits) -> None:
    if count > limits.images:
        raise HTTPException(413, f"{count:,} {served.keys[1]}; a request may have at most {limits.images:,}")
