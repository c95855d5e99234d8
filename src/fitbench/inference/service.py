"""Classifies the images of requests with the served models."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException

from fitbench.errors import DataError, FitbenchError
from fitbench.inference.api import Prediction, Predictions, RequestLimits
from fitbench.inference.bodies import Budget, NamedImage
from fitbench.inference.decoding import decode
from fitbench.inference.prepare import Prepare, Shape, default_prepare, prepare_image
from fitbench.inference.reader import Reader

WORKERS = 2
MAX_SEEN = 1_000_000  # pixels


class Service:
    """The served models. Several threads may call `predict` at a time; one of them runs a model.

    Attributes:
        readers: the models by run_id.
        limits: the limits of a request.
        started: when the service was created (`time.monotonic`).
        images: the number of images that were classified.
        budget: the memory that the bodies of all requests share.
        workers: the threads that decode and classify. Each may take as much memory as the limits of a request allow.
    """

    def __init__(self, readers: Sequence[Reader], limits: RequestLimits) -> None:
        self.readers = {reader.run_id: reader for reader in readers}
        self.limits = limits
        self.started = time.monotonic()
        self.images = 0
        self.budget = Budget(limits.shared_bytes)
        self.workers = ThreadPoolExecutor(WORKERS)
        self._running = threading.Lock()

    def warm_up(self) -> None:
        """Classify an image, so that the first client waits no longer than others.

        Raises:
            FitbenchError: the outputs of a model are not finite.
        """
        try:
            self.predict([("blank", np.zeros((84, 84, 1), np.uint8))], self.readers, Prepare.auto, False)
        except HTTPException as error:
            raise FitbenchError(error.detail) from None
        self.images = 0

    def choose(self, names: Sequence[str]) -> dict[str, Reader]:
        """Return the models with these names, without duplicates; all models if there are no names.

        Raises:
            HTTPException: 404, there is no such model.
        """
        unknown = [name for name in names if name not in self.readers]
        if unknown:
            raise HTTPException(404, f"no model is named {unknown[0]!r:.100}; the models are {', '.join(self.readers)}")
        return {name: self.readers[name] for name in names} or self.readers

    def predict(
        self, images: Sequence[NamedImage], models: Mapping[str, Reader], prepare: Prepare | None, seen: bool
    ) -> bytes:
        """Classify each image with each model. An answer depends on no other request.

        Args:
            images: the images of a request.
            models: some of `readers`.
            prepare: how to prepare the images; None for the default of each model, which leaves arrays unchanged.
            seen: also return the pixels that each model saw.

        Returns:
            `api.Predictions` as JSON.

        Raises:
            HTTPException: 413, 422 or 500.
        """
        self._check_sizes(len(images), models, seen)
        pixels = self._prepare(images, models, prepare)
        by_model = {name: self._classify(name, reader, pixels[name]) for name, reader in models.items()}
        self.images += len(images)
        predictions = [
            _describe(image, model, reader.names, by_model[model][i], pixels[model][i] if seen else None)
            for i, (image, _) in enumerate(images)
            for model, reader in models.items()
        ]
        return Predictions(predictions=predictions).model_dump_json(exclude_none=True).encode()

    def _check_sizes(self, count: int, models: Mapping[str, Reader], seen: bool) -> None:
        """Check how many pixels the images have as the models take them.

        Raises:
            HTTPException: 413.
        """
        pixels = count * sum(reader.inputs.image_shape[0] * reader.inputs.image_shape[1] for reader in models.values())
        if pixels > self.limits.pixels:
            text = f"as the models take them, {count:,} images have {pixels:,} pixels; the limit is "
            raise HTTPException(413, f"{text}{self.limits.pixels:,}")
        if seen and pixels > MAX_SEEN:
            raise HTTPException(413, f"seen=true would return {pixels:,} pixels; the limit is {MAX_SEEN:,}")

    def _prepare(
        self, images: Sequence[NamedImage], models: Mapping[str, Reader], prepare: Prepare | None
    ) -> dict[str, np.ndarray]:
        """Return the images as each model takes them: uint8 [N, *shape] by model."""
        forms = {
            name: (reader.inputs.image_shape, prepare or default_prepare(reader.result), reader.max_value)
            for name, reader in models.items()
        }
        prepared = {form: np.empty((len(images), *form[0]), np.uint8) for form in forms.values()}
        count = 0
        for number, (name, content) in enumerate(images):
            decoded = {white: self._decode(name, content, white) for _, _, white in prepared}
            image = next(iter(decoded.values()))
            count += image.width * image.height
            if count > self.limits.pixels:
                text = f"{name}: up to this image, the request has {count:,} pixels; the limit is "
                raise HTTPException(413, f"{text}{self.limits.pixels:,}")
            for (shape, method, white), rows in prepared.items():
                if isinstance(content, np.ndarray) and prepare in (None, Prepare.none):
                    _check_shape(name, content, shape)
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

    def _classify(self, name: str, reader: Reader, pixels: np.ndarray) -> np.ndarray:
        """Compute probabilities, float32 [N, classes]."""
        with self._running:
            probabilities = reader.predictions(pixels)
        if not np.isfinite(probabilities).all():
            raise HTTPException(500, f"the outputs of {name} are not finite; this model cannot be used")
        return probabilities


def _check_shape(name: str, array: np.ndarray, shape: Shape) -> None:
    if array.shape != shape:
        actual, expected = (" x ".join(map(str, sides)) for sides in (array.shape, shape))
        raise HTTPException(
            422,
            f"{name} is {actual}; the model takes {expected}. With ?prepare=auto, images of other sizes are resized",
        )


def _describe(
    image: str, model: str, classes: Sequence[str], probabilities: np.ndarray, seen: np.ndarray | None
) -> Prediction:
    best, shares = int(probabilities.argmax()), [round(share, 7) for share in probabilities.tolist()]
    return Prediction(
        image=image,
        model=model,
        label=classes[best],
        probability=shares[best],
        probabilities=dict(zip(classes, shares, strict=True)),
        seen=None if seen is None else (seen[..., 0] if seen.shape[2] == 1 else seen).tolist(),
    )
