"""What all functions that train or use a model share: one call at a time, in a process that is left as it was."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fitbench.api.wording import in_python
from fitbench.config import Backend
from fitbench.errors import FitbenchError, RequestError


class _Turn:
    """Whose turn it is: the lock, and the thread that has it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.thread: int | None = None

    def __enter__(self) -> None:
        if self.thread == threading.get_ident():
            raise RequestError("a run that is being trained calls fitbench itself, which would wait for its own end")
        self.lock.acquire()
        self.thread = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self.thread = None
        self.lock.release()


_turn = _Turn()


@contextmanager
def alone() -> Iterator[None]:
    """A block of which one runs at a time, because seeds and Keras's state are global; other threads wait.

    Random states of Python and NumPy, and Keras's settings, are what they were before. An error of the operating
    system becomes a `FitbenchError`.

    Raises:
        RequestError: this thread is in such a block already.
        FitbenchError: a file or folder cannot be written.
    """
    from fitbench.launch.job import cannot_write

    with _turn, in_python(), _random_states_kept(), _keras_kept():
        try:
            yield
        except OSError as error:
            raise FitbenchError(cannot_write(error)) from error


@contextmanager
def _random_states_kept() -> Iterator[None]:
    import numpy as np

    state, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(of_numpy)


@contextmanager
def _keras_kept() -> Iterator[None]:
    """Restore the settings of Keras that a run sets; only the precision if the run is the first to import Keras."""
    if "keras" not in sys.modules:
        try:
            yield
        finally:
            keras = sys.modules.get("keras")
            if keras and hasattr(keras, "config"):  # not where the import was interrupted
                keras.config.set_dtype_policy("float32")
        return
    from keras import config

    policy, floatx, epsilon = config.dtype_policy(), config.floatx(), config.epsilon()
    image_format, epochs, steps = config.image_data_format(), config.max_epochs(), config.max_steps_per_epoch()
    try:
        yield
    finally:
        config.set_floatx(floatx)
        config.set_epsilon(epsilon)
        config.set_image_data_format(image_format)
        config.set_max_epochs(epochs)
        config.set_max_steps_per_epoch(steps)
        config.set_dtype_policy(policy)


def loaded_backend() -> Backend | None:
    """The backend that Keras runs on in this process; None where it is not loaded."""
    if "keras" not in sys.modules:
        return None
    from keras import config

    return Backend(config.backend())
