"""The models that are served, and the threads that work for them: they prepare images, run models, write answers."""

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
from fitbench.inference.prepare import Prepare, usual
from fitbench.inference.reader import Reader

Look = tuple[tuple[int, int, int], Prepare]  # a shape, and what is done to get there


class Service:
    """Models by name, and the threads that prepare images and run models."""

    def __init__(self, readers: Mapping[str, Reader], limits: Limits) -> None:
        self.readers = dict(readers)
        self.limits = limits
        self.batcher = Batcher()
        self.preparing = ThreadPoolExecutor(os.cpu_count(), "prepare")
        self.started = time.monotonic()
        self.images = 0

    def close(self) -> None:
        """Let the threads end; what has not begun is not done."""
        self.preparing.shutdown(wait=False, cancel_futures=True)
        self.batcher.close()

    def chosen(self, names: Sequence[str]) -> dict[str, Reader]:
        """The models of these names, each once; all where there are none. Raises HTTPException 404."""
        unknown = [name for name in names if name not in self.readers]
        if unknown:
            raise HTTPException(404, f"no model is called {unknown[0]!r:.100}; there are {', '.join(self.readers)}")
        return {name: self.readers[name] for name in names} or self.readers

    async def predict(
        self, images: Sequence[bodies.Named], models: Mapping[str, Reader], prepare: Prepare | None, seen: bool
    ) -> bytes:
        """What each of the models reads in each of the images: JSON, `Predictions`. Raises HTTPException.

        Cancelled, it leaves the images that are not prepared yet as they are.
        """
        wanted = {name: (reader.shape, prepare or usual(reader.result)) for name, reader in models.items()}
        as_they_are = prepare is None
        over = threading.Event()
        try:
            ready = await self._in_thread(_prepared, images, set(wanted.values()), as_they_are, self.limits, over)
        finally:
            over.set()
        pixels = {name: ready[wanted[name]] for name in models}
        answers = await asyncio.gather(
            *(asyncio.wrap_future(self.batcher.submit(reader, pixels[name])) for name, reader in models.items())
        )
        names = [name for name, _ in images]
        return await self._in_thread(_described, names, models, pixels if seen else None, answers)

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.preparing, function, *arguments)


def _prepared(
    images: Sequence[bodies.Named], wanted: Set[Look], as_they_are: bool, limits: Limits, over: threading.Event
) -> dict[Look, np.ndarray]:
    """The images, uint8 [N, *shape], of each wanted shape and preparation; arrays are not prepared `as_they_are`.

    Once `over` is set nobody waits for them, and those that are left are not begun.
    """
    ready = {(shape, how): np.empty((len(images), *shape), np.uint8) for shape, how in wanted}
    count = 0
    for number, (name, content) in enumerate(images):
        if over.is_set():
            break
        image = bodies.opened(name, content, limits)
        count += bodies.area(image)
        if count > limits.pixels:
            text = f"{name}: with it the request's images have {count:,} pixels; at most {limits.pixels:,} are read"
            raise HTTPException(413, f"{text} in one request")
        for shape, how in wanted:
            done = Prepare.none if as_they_are and isinstance(content, np.ndarray) else how
            ready[shape, how][number] = bodies.pixels(name, image, shape, done)
    return ready


def _described(
    names: Sequence[str],
    models: Mapping[str, Reader],
    seen: Mapping[str, np.ndarray] | None,
    answers: Sequence[np.ndarray],
) -> bytes:
    for model, probabilities in zip(models, answers, strict=True):
        if not np.isfinite(probabilities).all():
            raise HTTPException(500, f"{model} answers with numbers that are not finite: it is of no use")
    predictions = []
    for number, name in enumerate(names):
        for (model, reader), answer in zip(models.items(), answers, strict=True):
            row = [round(share, 7) for share in answer[number].tolist()]
            best = int(answer[number].argmax())
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
