"""Answers requests with the served models."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException

from fitbench.errors import FitbenchError
from fitbench.inference.api import Prediction, Predictions, RequestLimits
from fitbench.inference.bodies import Budget
from fitbench.inference.prepare import Prepare
from fitbench.inference.reader import Reader
from fitbench.inference.samples import Samples
from fitbench.inference.served import Named, Served
from fitbench.inference.served_images import ServedImages
from fitbench.inference.served_numbers import ServedNumbers
from fitbench.inference.served_rows import ServedRows
from fitbench.inference.served_series import ServedSeries
from fitbench.kinds import ARRAYS, IMAGES, KINDS, SERIES, TABLE, TOKENS

WORKERS = 2
MAX_SEEN = 1_000_000  # pixels or other numbers
SERVED: dict[str, type[Served]] = {
    IMAGES: ServedImages,
    TABLE: ServedRows,
    SERIES: ServedSeries,
    TOKENS: ServedNumbers,
    ARRAYS: ServedNumbers,
}


class Service:
    """The served models. Several threads may call `predict` at a time; one of them runs a model.

    Attributes:
        readers: the models by run_id. All take examples of one kind.
        kind: this kind.
        served: how requests hold such examples.
        limits: the limits of a request.
        started: when the service was created (`time.monotonic`).
        answered: the number of examples that were answered.
        samples: examples of the test part, for the page.
        budget: the memory that the bodies of all requests share.
        workers: the threads that convert and predict. Each may take as much memory as the limits of a request allow.
    """

    def __init__(self, readers: Sequence[Reader], limits: RequestLimits) -> None:
        self.readers = {reader.run_id: reader for reader in readers}
        self.kind = KINDS[readers[0].inputs.kind]
        self.served = SERVED[self.kind.name](readers, limits)
        self.limits = limits
        self.started = time.monotonic()
        self.answered = 0
        self.samples = Samples(readers, self.served)
        self.budget = Budget(limits.shared_bytes)
        self.workers = ThreadPoolExecutor(WORKERS)
        self._running = threading.Lock()

    def warm_up(self) -> None:
        """Answer an example, so that the first client waits no longer than others.

        Raises:
            FitbenchError: the outputs of a model are not finite.
        """
        prepare = Prepare.auto if self.served.prepares else None
        try:
            self.predict([("blank", self.served.from_json(self.served.blank(), "blank"))], self.readers, prepare, False)
        except HTTPException as error:
            raise FitbenchError(error.detail) from None
        self.answered = 0

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
        self, examples: Sequence[Named], models: Mapping[str, Reader], prepare: Prepare | None, seen: bool
    ) -> bytes:
        """Answer each example with each model. An answer depends on no other request.

        Args:
            examples: those of a request.
            models: some of `readers`.
            prepare: how to prepare images; None for the default of each model, which leaves arrays unchanged.
            seen: also return what each model saw.

        Returns:
            `api.Predictions` as JSON.

        Raises:
            HTTPException: 413, 422 or 500.
        """
        if prepare is not None and not self.served.prepares:
            raise HTTPException(422, f"prepare is for images; the models take {self.kind.plural}")
        self._check_sizes(len(examples), models, seen)
        inputs = self.served.prepare(examples, models, prepare)
        names = [example for example, _ in examples]
        by_model = {model: self._answers(model, reader, inputs[model], names) for model, reader in models.items()}
        self.answered += len(examples)
        key = self.served.keys[0]
        predictions = [
            Prediction.model_validate(
                {key: example, "model": model, **by_model[model][i]}
                | ({"seen": self.served.seen(inputs[model][i])} if seen else {})
            )
            for i, example in enumerate(names)
            for model in models
        ]
        return Predictions(predictions=predictions).model_dump_json(exclude_none=True).encode()

    def _check_sizes(self, count: int, models: Mapping[str, Reader], seen: bool) -> None:
        """Check how many pixels or other numbers the examples have as the models take them.

        Raises:
            HTTPException: 413.
        """
        unit, size = self.served.unit, count * sum(self.served.size(reader.inputs) for reader in models.values())
        if size > self.limits.pixels:
            text = f"as the models take them, {count:,} {self.kind.nouns} have {size:,} {unit}; the limit is "
            raise HTTPException(413, f"{text}{self.limits.pixels:,}")
        if seen and size > MAX_SEEN:
            raise HTTPException(413, f"seen=true would return {size:,} {unit}; the limit is {MAX_SEEN:,}")

    def _answers(self, model: str, reader: Reader, inputs: np.ndarray, examples: Sequence[str]) -> list[dict[str, Any]]:
        """What a model says of each example, as `api.Prediction` has it. Finite numbers may be too large for it."""
        with self._running:
            outputs = reader.outputs(inputs)
        wrong = np.flatnonzero(~np.isfinite(outputs).all(axis=1))
        if len(wrong) and inputs.dtype.kind == "f":
            name = examples[wrong[0]]
            raise HTTPException(422, f"{name}: the outputs of {model} are not finite; expected smaller numbers")
        if len(wrong):
            raise HTTPException(500, f"the outputs of {model} are not finite; this model cannot be used")
        return reader.task.named_answers(reader.names, outputs, reader.recorded(outputs), reader.threshold)
