"""Signals that end a process in order: the state of its run is written first."""

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)  # what Slurm and clouds send before they kill
ENDING_SECONDS = 20  # how long a process that was asked to end may take before another signal counts


class Terminated(SystemExit):
    """The process was asked to end by a signal; its exit status is `code`."""


def status_of(stop: KeyboardInterrupt | Terminated) -> int:
    """Say that the command was interrupted; gives its exit status."""
    sys.stderr.write("fitbench: interrupted; the same command goes on from here\n")
    return 130 if isinstance(stop, KeyboardInterrupt) else int(str(stop.code))


class _Ending:
    """What such a signal does: it ends the process, unless that is ending already.

    Slurm sends a job that it requeues more than one SIGTERM (its own and that of `srun`), and the second must not
    break off the writing of the checkpoint.
    """

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        self.began = -math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() - self.began > ENDING_SECONDS:
            self.by = signal.Signals(number)
            self.began = time.monotonic()
            raise Terminated(128 + number)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM, SIGUSR1 and SIGUSR2 end the process in order, as Ctrl-C does: the run's state is written first.

    Whoever else waits for SIGUSR1 or SIGUSR2 has it then: submitit requeues the job, whose time is nearly up. Outside
    of the main thread, where signals cannot be handled, and inside of such a block nothing changes.
    """
    if threading.current_thread() is not threading.main_thread() or isinstance(signal.getsignal(SIGNALS[0]), _Ending):
        yield
        return
    ending = _Ending()
    previous = {number: signal.signal(number, ending) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if ending.by not in (None, signal.SIGTERM) and callable(handler := previous[ending.by]):
            handler(ending.by, None)


@contextmanager
def in_one_piece() -> Iterator[None]:
    """Ctrl-C and the signals of `terminable` wait until this block, which must be short, has ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    previous = {one: signal.signal(one, lambda number, _: waiting.append(number)) for one in (signal.SIGINT, *SIGNALS)}
    try:
        yield
    finally:
        for one, handler in previous.items():
            signal.signal(one, signal.SIG_DFL if handler is None else handler)
        for number in waiting:
            signal.raise_signal(number)
