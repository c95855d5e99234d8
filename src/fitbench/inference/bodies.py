"""Reads the images in the body of a request: files of a form, a file as the whole body, or arrays as JSON."""

from __future__ import annotations

import asyncio

import numpy as np
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from fitbench.inference.api import Arrays, RequestLimits
from fitbench.text import clean

# The name of an image in responses, and its file or its pixels, uint8 [height, width, 1 or 3].
NamedImage = tuple[str, bytes | np.ndarray]
NAME_CHARACTERS = 200


async def read(request: Request, limits: RequestLimits) -> list[NamedImage]:
    """Read the images of a request in order, without decoding files.

    Raises:
        HTTPException: 400, 411, 413, 415 or 422.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if "content-length" not in request.headers:
        raise HTTPException(411, "the request has no Content-Length", {"connection": "close"})
    if int(request.headers["content-length"]) > limits.bytes:  # the server reads no more bytes than this
        raise HTTPException(413, f"the request is larger than {limits.bytes:,} bytes", {"connection": "close"})
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
        content = Arrays.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part in Arrays.model_fields)
        status = 400 if first["type"] == "json_invalid" else 422
        raise HTTPException(status, f"{place or 'the body'}: {clean(first['msg']):.200}; /docs has examples") from None
    if content.image is not None:
        return [("image", _pixels(content.image, "image"))]
    images = content.images or []
    if len(images) > limits.images:
        raise HTTPException(413, f"{len(images):,} images; a request may have at most {limits.images:,}")
    return [(name := f"images[{i}]", _pixels(rows, name)) for i, rows in enumerate(images)]


def _pixels(rows: list, name: str) -> np.ndarray:
    """Convert nested lists of numbers from 0 to 255 to pixels, uint8 [height, width, 1 or 3]."""
    try:
        pixels: np.ndarray = np.array(rows, np.uint8)
    except ValueError:
        pixels = np.empty(0)
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or not pixels.size:
        expected = "rows of equal length, [height][width], or [height][width][channels] with 1 or 3 channels"
        raise HTTPException(422, f"{name}: expected {expected}")
    return pixels
