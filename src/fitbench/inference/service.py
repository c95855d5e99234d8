"""The served models, and the threads that prepare images, run models and write responses."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException

from fitbench.inference import bodies
from fitbench.inference.batching import Batcher
from fitbench.inference.limits import Limits
from fitbench.inference.prepare import Prepare, default_prepare
from fitbench.inference.reader import Reader

Form = tuple[tuple[int, int, int], Prepare]  # the shape of a model's images, and how they are prepared


class Service:
    """Models by name, and the threads that prepare images and run models.

    Attributes:
        readers: the models by name.
        limits: the limits of requests.
        started: when the service was created (`time.monotonic`).
        images: the number of images that were classified.
    """

    def __init__(self, readers: Mapping[str, Reader], limits: Limits) -> None:
        self.readers = dict(readers)
        self.limits = limits
        self.batcher = Batcher()
        self.preparing = ThreadPoolExecutor(os.cpu_count(), "prepare")
        self.started = time.monotonic()
        self.images = 0

    def close(self) -> None:
        """End the threads. Images that are not being prepared yet are dropped."""
        self.preparing.shutdown(wait=False, cancel_futures=True)
        self.batcher.close()

    def choose(self, names: Sequence[str]) -> dict[str, Reader]:
        """Return the models with these names, without duplicates; all models if there are no names.

        Raises:
            HTTPException: 404, there is no such model.
        """
        unknown = [name for name in names if name not in self.readers]
        if unknown:
            raise HTTPException(404, f"no model is named {unknown[0]!r:.100}; the models are {', '.join(self.readers)}")
        return {name: self.readers[name] for name in names} or self.readers

    async def predict(
        self, images: Sequence[bodies.NamedImage], models: Mapping[str, Reader], prepare: Prepare | None, seen: bool
    ) -> bytes:
        """Classify each image with each model.

        If the call is cancelled, the remaining images are not prepared.

        Returns:
            JSON, as `api.Predictions`.

        Raises:
            HTTPException: 413, 422 or 500.
        """
        forms = {name: (reader.shape, prepare or default_prepare(reader.result)) for name, reader in models.items()}
        arrays_unchanged = prepare is None
        cancelled = threading.Event()
        try:
            prepared = await self._in_thread(
                _prepare, images, set(forms.values()), arrays_unchanged, self.limits, cancelled
            )
        finally:
            cancelled.set()
        pixels = {name: prepared[forms[name]] for name in models}
        probabilities = await asyncio.gather(
            *(asyncio.wrap_future(self.batcher.submit(reader, pixels[name])) for name, reader in models.items())
        )
        names = [name for name, _ in images]
        return await self._in_thread(_to_json, names, models, pixels if seen else None, probabilities)

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.preparing, function, *arguments)


def _prepare(
    images: Sequence[bodies.NamedImage],
    forms: Set[Form],
    arrays_unchanged: bool,
    limits: Limits,
    cancelled: threading.Event,
) -> dict[Form, np.ndarray]:
    """Prepare images for models.

    Args:
        images: the images of a request.
        forms: the forms in which models need the images.
        arrays_unchanged: use `Prepare.none` for arrays.
        limits: the limits of requests.
        cancelled: when it is set, the remaining images are not prepared.

    Returns:
        The images in each form, uint8 [N, *shape].

    Raises:
        HTTPException: 413 or 422.
    """
    prepared = {(shape, prepare): np.empty((len(images), *shape), np.uint8) for shape, prepare in forms}
    count = 0
    for number, (name, content) in enumerate(images):
        if cancelled.is_set():
            break
        image = bodies.open_image(name, content, limits)
        count += bodies.area(image)
        if count > limits.pixels:
            text = f"{name}: up to this image, the request has {count:,} pixels; the limit is {limits.pixels:,}"
            raise HTTPException(413, text)
        for shape, prepare in forms:
            method = Prepare.none if arrays_unchanged and isinstance(content, np.ndarray) else prepare
            prepared[shape, prepare][number] = bodies.pixels(name, image, shape, method)
    return prepared


def _to_json(
    names: Sequence[str],
    models: Mapping[str, Reader],
    seen: Mapping[str, np.ndarray] | None,
    probabilities: Sequence[np.ndarray],
) -> bytes:
    for model, values in zip(models, probabilities, strict=True):
        if not np.isfinite(values).all():
            raise HTTPException(500, f"the outputs of {model} are not finite; this model cannot be used")
    predictions = []
    for number, name in enumerate(names):
        for (model, reader), values in zip(models.items(), probabilities, strict=True):
            row = [round(share, 7) for share in values[number].tolist()]
            best = int(values[number].argmax())
            prediction: dict[str, Any] = {
                "image": name,
                "model": model,
                "label": reader.classes[best],
                "probability": row[best],
                "probabilities": dict(zip(reader.classes, row, strict=True)),
            }
            if seen is not None:
                image = seen[model][number]
                prediction["seen"] = (image[..., 0] if reader.shape[2] == 1 else image).tolist()
            predictions.append(prediction)
    return json.dumps({"predictions": predictions}, separators=(",", ":")).encode()
