"""Reads the images in the body of a request: files of a form, a file as the whole body, or arrays as JSON."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive

from fitbench.inference.api import RequestLimits
from fitbench.text import clean

# The name of an image in responses, and its file or its pixels, uint8 [height, width, 1 or 3].
NamedImage = tuple[str, bytes | np.ndarray]
NAME_CHARACTERS = 200


async def read(request: Request, limits: RequestLimits) -> list[NamedImage]:
    """Read the images of a request in order, without decoding files.

    Raises:
        HTTPException: 400, 413, 415 or 422.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if int(request.headers.get("content-length", 0)) > limits.bytes:
        raise _too_large(limits)
    request = Request(request.scope, _counted(request.receive, limits))
    if kind == "multipart/form-data":
        return await _files(request, limits)
    if kind == "application/json":
        return await asyncio.to_thread(_arrays, await request.body(), limits)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [("image", await request.body())]
    raise HTTPException(
        415,
        f"the content type is {kind!r:.80}; expected application/json, multipart/form-data, an image type such as "
        "image/png, or application/octet-stream",
    )


def _counted(receive: Receive, limits: RequestLimits) -> Receive:
    """Wrap `receive` so that a body that is too large raises HTTPException 413 while it arrives."""
    count = 0

    async def counted() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > limits.bytes:
            raise _too_large(limits)
        return message

    return counted


def _too_large(limits: RequestLimits) -> HTTPException:
    return HTTPException(413, f"the request is larger than {limits.bytes:,} bytes", {"connection": "close"})


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
    try:
        content = json.loads(body)
    except RecursionError:
        raise HTTPException(400, "the JSON is nested too deeply") from None
    except ValueError as error:
        raise HTTPException(400, f"not valid JSON: {clean(error)!s:.200}") from None
    match content:
        case {"image": rows, **others} if not others:
            return [("image", _pixels(rows, "image"))]
        case {"images": [_, *_] as images, **others} if not others and len(images) <= limits.images:
            return [(name := f"images[{i}]", _pixels(rows, name)) for i, rows in enumerate(images)]
        case {"images": [_, *_] as images, **others} if not others:
            raise HTTPException(413, f"{len(images):,} images; a request may have at most {limits.images:,}")
    text = 'expected {"image": rows of numbers} or {"images": [one or more such images]}, without other keys'
    raise HTTPException(422, text)


def _pixels(rows: Any, name: str) -> np.ndarray:
    """Convert nested lists of whole numbers from 0 to 255 to pixels, uint8 [height, width, 1 or 3].

    The types are checked in an array of Python objects, because np.array(rows) accepts strings as numbers, and takes
    the memory of the longest string per element.
    """
    try:
        objects = np.array(rows, object)
        is_image = objects.ndim in (2, 3) and objects.size > 0 and set(map(type, objects.flat)) <= {int, float}
        values = objects.astype(np.float64) if is_image else np.full((1, 1), np.nan)
    except (ValueError, OverflowError):
        values = np.full((1, 1), np.nan)
    pixels = values[..., np.newaxis] if values.ndim == 2 else values
    if pixels.shape[2] not in (1, 3) or not ((pixels >= 0) & (pixels <= 255) & (pixels == np.rint(pixels))).all():
        raise HTTPException(
            422,
            f"{name}: expected whole numbers from 0 to 255 in rows of equal length, [height][width], or "
            "[height][width][channels] with 1 or 3 channels",
        )
    return pixels.astype(np.uint8)
