"""Reads the images in the body of a request: files of a form, a file as the whole body, or arrays as JSON."""

from __future__ import annotations

import asyncio
import io
import json
from itertools import chain
from typing import Any

import numpy as np
from PIL import Image
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from fitbench.errors import DataError
from fitbench.inference.images import decode
from fitbench.inference.limits import Limits
from fitbench.inference.prepare import Prepare, prepare_image
from fitbench.text import clean

# The name of an image in responses, and its file or its pixels, uint8 [height, width(, channels)].
NamedImage = tuple[str, bytes | np.ndarray]
NAME_CHARACTERS = 200
LARGE_JSON_BYTES = 100_000  # parsing them takes a millisecond


async def read(request: Request, limits: Limits) -> list[NamedImage]:
    """Read the images of a request in order, without decoding files.

    Raises:
        HTTPException: 400, 413, 415 or 422.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        body = await request.body()
        if len(body) < LARGE_JSON_BYTES:
            return _arrays(body, limits.images)
        return await asyncio.to_thread(_arrays, body, limits.images)
    if kind == "multipart/form-data":
        return await _files(request, limits.images)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [("image", await request.body())]
    raise HTTPException(
        415,
        f"the content type is {kind!r:.80}; expected application/json, multipart/form-data, an image type such as "
        "image/png, or application/octet-stream",
    )


def open_image(name: str, content: bytes | np.ndarray, limits: Limits) -> Image.Image | np.ndarray:
    """Decode an image if it is a file.

    Raises:
        HTTPException: 422, the file cannot be read or is too large.
    """
    if isinstance(content, np.ndarray):
        return content
    try:
        return decode(io.BytesIO(content), name, limits.pixels)
    except DataError as error:
        raise HTTPException(422, str(error)) from None


def area(image: Image.Image | np.ndarray) -> int:
    """Return the number of pixels of an image."""
    return image.width * image.height if isinstance(image, Image.Image) else image.shape[0] * image.shape[1]


def pixels(name: str, image: Image.Image | np.ndarray, shape: tuple[int, int, int], prepare: Prepare) -> np.ndarray:
    """Prepare an image for a model: uint8 [height, width, channels], `shape`.

    Raises:
        HTTPException: 422, an array with `Prepare.none` does not have the model's shape.
    """
    if isinstance(image, Image.Image):
        return prepare_image(image, shape, prepare)
    array = image[..., np.newaxis] if image.ndim == 2 else image
    if array.shape == shape and prepare is Prepare.none:
        return array
    if prepare is Prepare.none or array.shape[2] not in (1, 3):
        expected = " x ".join(map(str, shape[:2] if shape[2] == 1 else shape))
        actual = " x ".join(map(str, image.shape))
        raise HTTPException(
            422,
            f"{name} is {actual}; the model takes {expected}. With ?prepare=auto, images of other sizes are resized",
        )
    return prepare_image(Image.fromarray(array[..., 0] if array.shape[2] == 1 else array), shape, prepare)


# -- a form -----------------------------------------------------------------------------------------------------------


async def _files(request: Request, max_images: int) -> list[NamedImage]:
    files: list[NamedImage] = []
    async with request.form(max_files=max_images, max_fields=8) as form:
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


# -- JSON -------------------------------------------------------------------------------------------------------------


def _arrays(body: bytes, max_images: int) -> list[NamedImage]:
    try:
        content = json.loads(body, parse_constant=_refuse)
    except RecursionError:
        raise HTTPException(400, "the JSON is nested too deeply") from None
    except ValueError as error:
        raise HTTPException(400, f"not valid JSON: {clean(error)!s:.200}") from None
    if not isinstance(content, dict) or set(content) not in ({"image"}, {"images"}):
        raise HTTPException(
            422, 'expected {"image": rows of numbers} or {"images": list of such images}, without other keys'
        )
    if "image" in content:
        return [("image", _image(content["image"], "image"))]
    images = content["images"]
    if not isinstance(images, list) or not images:
        raise HTTPException(422, "images: expected a list of at least one image")
    if len(images) > max_images:
        raise HTTPException(413, f"images: {len(images):,} images; a request may have at most {max_images:,}")
    return [(name, _image(image, name)) for number, image in enumerate(images) if (name := f"images[{number}]")]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _image(rows: Any, name: str) -> np.ndarray:
    """Convert nested lists of whole numbers from 0 to 255 to pixels, uint8 [height, width(, channels)].

    np.array(rows) is not used: it accepts strings as numbers, and takes memory for the longest string per element.
    """
    flat, shape = rows, list[int]()
    while isinstance(flat, list) and flat and isinstance(flat[0], list) and len(shape) < 3:
        if set(map(type, flat)) != {list} or len(set(map(len, flat))) != 1:
            raise HTTPException(422, f"{name}: its rows have different lengths")
        shape.append(len(flat[0]))
        flat = list(chain.from_iterable(flat))
    if not isinstance(flat, list) or not flat or len(shape) not in (1, 2):
        raise HTTPException(422, f"{name}: expected rows of pixels, [height][width] or [height][width][channels]")
    shape.insert(0, len(rows))
    try:
        values = np.array(flat, np.float64) if set(map(type, flat)) <= {int, float} else None
    except OverflowError:
        values = None
    if values is None or values.min() < 0 or values.max() > 255 or (values != np.rint(values)).any():
        raise HTTPException(422, f"{name}: pixels must be whole numbers from 0 to 255")
    return values.astype(np.uint8).reshape(shape)
