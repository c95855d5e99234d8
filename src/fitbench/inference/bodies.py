"""The images in the body of a request: files of a form, one file as it is, or JSON arrays of numbers."""

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
from fitbench.inference.prepare import Prepare, prepared
from fitbench.text import clean

Named = tuple[str, bytes | np.ndarray]  # what answers call it, and a file or pixels, uint8 [height, width(, channels)]
NAME = 200  # characters
LARGE = 100_000  # bytes of JSON, which take a millisecond


async def read(request: Request, limits: Limits) -> list[Named]:
    """The images of a request, in its order; files are not decoded yet.

    Raises:
        HTTPException: 400, 413, 415 or 422, with what is wrong.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        body = await request.body()
        if len(body) < LARGE:
            return _arrays(body, limits.images)
        return await asyncio.to_thread(_arrays, body, limits.images)
    if kind == "multipart/form-data":
        return await _files(request, limits.images)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [("image", await request.body())]
    raise HTTPException(
        415,
        f"the content type is {kind!r:.80}; expected application/json, multipart/form-data, an image's own such as "
        "image/png, or application/octet-stream",
    )


def opened(name: str, content: bytes | np.ndarray, limits: Limits) -> Image.Image | np.ndarray:
    """An image, decoded if it is a file. Raises HTTPException 422: it cannot be read, or is too large."""
    if isinstance(content, np.ndarray):
        return content
    try:
        return decode(io.BytesIO(content), name, limits.pixels)
    except DataError as error:
        raise HTTPException(422, str(error)) from None


def area(image: Image.Image | np.ndarray) -> int:
    """How many pixels an image has."""
    return image.width * image.height if isinstance(image, Image.Image) else image.shape[0] * image.shape[1]


def pixels(name: str, image: Image.Image | np.ndarray, shape: tuple[int, int, int], how: Prepare) -> np.ndarray:
    """An image as a model takes it, uint8 [height, width, channels], `shape`.

    An array that is to be as it is (`Prepare.none`) must be of the model's shape; else raises HTTPException 422.
    """
    if isinstance(image, Image.Image):
        return prepared(image, shape, how)
    array = image[..., np.newaxis] if image.ndim == 2 else image
    if array.shape == shape and how is Prepare.none:
        return array
    if how is Prepare.none or array.shape[2] not in (1, 3):
        wanted = " x ".join(map(str, shape[:2] if shape[2] == 1 else shape))
        found = " x ".join(map(str, image.shape))
        raise HTTPException(
            422,
            f"{name} is {found}; the model takes {wanted}. With ?prepare=auto, images of other sizes are made to fit",
        )
    return prepared(Image.fromarray(array[..., 0] if array.shape[2] == 1 else array), shape, how)


# -- a form -----------------------------------------------------------------------------------------------------------


async def _files(request: Request, most: int) -> list[Named]:
    files: list[Named] = []
    async with request.form(max_files=most, max_fields=8) as form:
        for field, value in form.multi_items():
            if not isinstance(value, UploadFile):
                raise HTTPException(
                    422,
                    f"the form's field {clean(field)!s:.80} is no file; model, prepare and seen belong behind the "
                    "address, as in /predict?prepare=none",
                )
            files.append((clean(value.filename or field)[:NAME], await value.read()))
    if not files:
        raise HTTPException(422, "the form has no file in it; expected image files, as curl -F image=@seven.png sends")
    return files


# -- JSON -------------------------------------------------------------------------------------------------------------


def _arrays(body: bytes, most: int) -> list[Named]:
    try:
        content = json.loads(body, parse_constant=_refuse)
    except RecursionError:
        raise HTTPException(400, "the JSON is nested too deeply") from None
    except ValueError as error:
        raise HTTPException(400, f"no valid JSON: {clean(error)!s:.200}") from None
    if not isinstance(content, dict) or set(content) not in ({"image"}, {"images"}):
        raise HTTPException(422, 'expected {"image": rows of numbers} or {"images": several such}, and nothing besides')
    if "image" in content:
        return [("image", _image(content["image"], "image"))]
    images = content["images"]
    if not isinstance(images, list) or not images:
        raise HTTPException(422, "images: expected a list with one image or more")
    if len(images) > most:
        raise HTTPException(413, f"images: {len(images):,} of them; at most {most:,} are read in one request")
    return [(name, _image(image, name)) for number, image in enumerate(images) if (name := f"images[{number}]")]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _image(rows: Any, name: str) -> np.ndarray:
    """Pixels, uint8 [height, width(, channels)], of nested lists of whole numbers from 0 to 255.

    Not by NumPy's own way from nested lists: that takes texts for numbers, and memory for the longest of them each.
    """
    flat, shape = rows, list[int]()
    while isinstance(flat, list) and flat and isinstance(flat[0], list) and len(shape) < 3:
        if set(map(type, flat)) != {list} or len(set(map(len, flat))) != 1:
            raise HTTPException(422, f"{name}: its rows are not all of one length")
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
