"""Images in requests to `fitbench serve`: files, or arrays of pixels as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException

from fitbench.errors import DataError
from fitbench.inference import api
from fitbench.inference.decoding import decode
from fitbench.inference.prepare import Prepare, default_prepare, prepare_image
from fitbench.inference.served import Named, Served, check_shape, numbers_of
from fitbench.record.inputs import Inputs

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader


ADVICE = ". With ?prepare=auto, images of other sizes are resized"


class ServedImages(Served):
    """Images. The content of an example is the bytes of a file, or pixels, uint8 [height, width, 1 or 3]."""

    keys = ("image", "images")
    value = "rows of numbers"
    unit = "pixels"
    prepares = True
    has_files = True
    whole_bodies = ("image/", "application/octet-stream")
    content_types = (
        "application/json, multipart/form-data, an image type such as image/png, or application/octet-stream"
    )
    description = (
        "The images are files of a form, one file as the whole body, or arrays of numbers as JSON.\n\n"
        "A file is PNG, JPEG, BMP, TIFF, GIF or WebP, of any size within the limits. The JSON is "
        '{"image": array} or {"images": [array, ...]}. An array has rows of pixels from 0 (black) to 255; a pixel of a '
        "colour image is [red, green, blue]. It must have the shape that /models gives and, for digits, be light on "
        "dark. If one image of a request cannot be read, the whole request is refused.\n\n"
        "The array in the example has only 4 x 4 pixels. A model of another shape accepts it only with ?prepare=auto."
    )
    body = api.IMAGES_BODY

    def from_json(self, value: Any, name: str) -> np.ndarray:
        """Pixels, uint8 [height, width, 1 or 3], from nested lists of numbers from 0 to 255.

        Raises:
            HTTPException: 422, it is no such example; the message begins with its name.
        """
        numbers = numbers_of(value)
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

    def from_file(self, name: str, content: bytes, models: Mapping[str, Reader]) -> list[Named]:
        """The file itself. It is decoded for each model, because white may have another value for another model."""
        return [(name, content)]

    def blank(self) -> list[Any]:
        """A black image."""
        return np.zeros((84, 84), np.uint8).tolist()

    def size(self, inputs: Inputs) -> int:
        """The number of pixels."""
        return inputs.image_shape[0] * inputs.image_shape[1]

    def prepare(
        self, examples: Sequence[Named], models: Mapping[str, Reader], prepare: Prepare | None
    ) -> dict[str, np.ndarray]:
        """The images as each model takes them: uint8 [N, *shape] by model. Arrays are unchanged by default.

        Raises:
            HTTPException: 413, they have too many pixels; 422, a file is no image, or an array has another shape. The
                message begins with the name of the example.
        """
        forms = {
            name: (reader.inputs.image_shape, prepare or default_prepare(reader.result), reader.max_value)
            for name, reader in models.items()
        }
        prepared = {form: np.empty((len(examples), *form[0]), np.uint8) for form in forms.values()}
        count = 0
        for number, (name, content) in enumerate(examples):
            decoded = {white: self._decode(name, content, white) for _, _, white in prepared}
            image = next(iter(decoded.values()))
            count += image.width * image.height
            if count > self.limits.pixels:
                text = f"{name}: up to this image, the request has {count:,} pixels; the limit is "
                raise HTTPException(413, f"{text}{self.limits.pixels:,}")
            for (shape, method, white), rows in prepared.items():
                if isinstance(content, np.ndarray) and prepare in (None, Prepare.none):
                    check_shape(name, content, shape, ADVICE)
                    rows[number] = content
                else:
                    rows[number] = prepare_image(decoded[white], shape, method)
        return {name: prepared[form] for name, form in forms.items()}

    def _decode(self, name: str, content: bytes | np.ndarray, max_value: float | None) -> Image.Image:
        source = BytesIO(content) if isinstance(content, bytes) else content
        try:
            return decode(source, name, self.limits.pixels, max_value)
        except DataError as error:
            raise HTTPException(422, str(error)) from None

    def picture(self, example: np.ndarray, reader: Reader) -> bytes | None:
        """A PNG file. None where a white below 255 would be taken for that of the file."""
        if reader.max_value is not None and reader.max_value < 255:
            return None
        file = BytesIO()
        Image.fromarray(example[..., 0] if example.shape[2] == 1 else example).save(file, "PNG")
        return file.getvalue()

    def value_of(self, example: np.ndarray, reader: Reader) -> None:
        """None: the picture shows it."""

    def seen(self, example: np.ndarray) -> list[Any]:
        """Rows of pixels; a pixel is a number, or [red, green, blue]."""
        return (example[..., 0] if example.shape[2] == 1 else example).tolist()
