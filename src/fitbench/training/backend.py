"""Keras with the backend and the device that the configuration asks for, loaded once and without noise."""

import contextlib
import functools
import gc
import logging
import os
import platform
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import IO

from fitbench.config import Backend, Config, run_id
from fitbench.errors import RequestError
from fitbench.record.processes import cores
from fitbench.stderr import redirected
from fitbench.training import gpus
from fitbench.training.progress import notice


def choose(backend: Backend) -> None:
    """Make this the backend that Keras will be imported with.

    Raises:
        RequestError: this process has imported Keras with another one.
    """
    if "keras" in sys.modules:
        import keras

        if keras.config.backend() != backend.value:
            raise RequestError(
                f"backend is {backend.value}, but this process has loaded Keras with {keras.config.backend()}; "
                "a process has one backend: train the runs of each backend in a process of their own"
            )
    os.environ["KERAS_BACKEND"] = backend.value
    os.environ["KERAS_NNX_ENABLED"] = "false"  # over keras.json; Keras reads it once
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX: take memory of the GPU as it is needed


def start(config: Config) -> None:
    """Import Keras with the backend, the device and the threads of the configuration, if that has not been done.

    Raises:
        RequestError: as `load`.
    """
    with notice(config.progress, f"{run_id(config)}: starting {config.backend.value}"):
        gpus.take(config.device)
        load(config.backend, config.threads)


@functools.cache
def load(backend: Backend, threads: int | str = "auto") -> None:
    """Import Keras on this backend, to compute with so many CPU threads; auto leaves it to the backend.

    On a GPU, the backend takes memory as it needs it, so that workers can share one.

    Raises:
        RequestError: the backend is not installed, or this process has loaded another one, or with other threads.
    """
    choose(backend)
    loaded = "keras" in sys.modules
    try:
        with quiet(), _heeding_signals():
            import keras  # noqa: F401

            if backend is Backend.tensorflow:
                import tensorflow as tf

                logging.getLogger("tensorflow").setLevel(logging.ERROR)  # to it all loops are one that is traced anew
                for gpu in tf.config.list_physical_devices("GPU"):
                    tf.config.experimental.set_memory_growth(gpu, True)
    except ModuleNotFoundError as error:
        if error.name != backend.value:
            raise
        raise RequestError(
            f"backend is {backend.value}, which is not installed; pip install 'fitbench[{backend.value}]'"
        ) from error
    reset_settings()
    if isinstance(threads, int):
        _limit_threads(backend, threads, loaded)
    gc.freeze()  # Keras collects garbage before each run; half a million objects of its own need no looking at


def _limit_threads(backend: Backend, threads: int, loaded: bool) -> None:
    """Let the backend compute with so many threads, which it takes notice of before its first computation only."""
    try:
        if backend is Backend.tensorflow:
            import tensorflow as tf

            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        elif loaded and os.environ.get("PJRT_NPROC") != str(threads):
            raise RuntimeError("JAX has begun with others")
        else:
            os.environ["PJRT_NPROC"] = str(threads)  # XLA's own name for the number of processors it may use
    except RuntimeError as error:
        raise RequestError(
            f"threads is {threads}, but this process computes with another number; train such runs in a process of "
            "their own"
        ) from error


def reset_settings() -> None:
    """Give Keras its own defaults, whatever keras.json, the environment, or a module of the user's has set.

    So the results of a run depend on its configuration alone. The dtype policy is a part of it.
    """
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


def cpu_threads() -> int:
    """How many CPU threads the loaded backend computes with."""
    import keras

    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        limit = tf.config.threading.get_intra_op_parallelism_threads()
    else:
        limit = int(os.environ.get("PJRT_NPROC") or 0)
    return limit or cores()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what native libraries write to stderr while they are loaded; show it if that fails.

    It is lost where no temporary file can be written.
    """
    with _temporary_file() as held, redirected(held.fileno()) as stderr:
        try:
            yield
        except Exception:
            held.seek(0)
            with contextlib.suppress(OSError):  # the error itself must be heard
                os.write(stderr, held.read())
            raise


@contextlib.contextmanager
def _heeding_signals() -> Iterator[None]:
    """A block that ends with what a signal handler raises in it, such as KeyboardInterrupt, whatever becomes of that.

    A C extension turns it into an ImportError while it is imported, and some modules do without what they cannot
    import.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone handles signals
        yield
        return
    stops: list[BaseException] = []
    handlers = {int(number): signal.getsignal(number) for number in signal.valid_signals()}
    previous = {number: handler for number, handler in handlers.items() if callable(handler)}

    def heed(number: int, frame: FrameType | None) -> None:
        try:
            previous[number](number, frame)
        except BaseException as stop:
            stops.append(stop)
            raise

    try:
        for number in previous:
            signal.signal(number, heed)
        yield
    except Exception:
        if not stops:
            raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if stops:
        raise stops[0]


def _temporary_file() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return Path(os.devnull).open("r+b")


@contextlib.contextmanager
def on(device: str) -> Iterator[str]:
    """Run what is inside on the configured device (auto, cpu, gpu or gpu:N); gives its name, for the record.

    Raises:
        RequestError: there is no such device; the message names those there are.
    """
    import keras

    names = gpu_names()
    if device == "auto":
        yield _gpu_name(0) if names else cpu_name()
        return
    if device == "cpu":
        with keras.device("cpu:0"):
            yield cpu_name()
        return
    number = int(device.partition(":")[2] or 0)
    if number >= len(names):
        available = ", ".join(f"gpu:{index}" for index in range(len(names))) or "no GPU"
        raise RequestError(f"device is {device}; Keras with {keras.config.backend()} sees {available} here")
    with keras.device(f"gpu:{number}"):
        yield _gpu_name(number)


def gpu_names() -> list[str]:
    """Keras's names of the GPUs that the loaded backend sees."""
    import keras

    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


def cpu_name() -> str:
    """The processor's model and the number of cores that this process may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    return f"cpu: {name}, {cores()} cores"


def _gpu_name(number: int) -> str:
    import keras

    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[number])
        return f"gpu:{number}: {details.get('device_name', 'unknown')}"
    import jax

    return f"gpu:{number}: {jax.devices('gpu')[number].device_kind}"
