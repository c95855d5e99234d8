"""Signals that end a process after the state of its run has been written."""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from fitbench.stderr import write_note

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)  # of clouds, a closed terminal, and Slurm
ENDING_SECONDS = 20  # further signals are ignored for this time after the first one


class Terminated(SystemExit):
    """A signal asked the process to end. `code` is the exit status."""


def status_of(stop: KeyboardInterrupt | Terminated) -> int:
    """Write that the command was interrupted, and return its exit status."""
    write_note("interrupted; run the same command again to resume")
    return 130 if isinstance(stop, KeyboardInterrupt) else int(str(stop.code))


class _TerminationHandler:
    """A signal handler that raises `Terminated`, unless the process is ending already.

    When Slurm requeues a job, it sends more than one SIGTERM: its own and that of `srun`. The second one must not
    interrupt the writing of the checkpoint.

    Attributes:
        signal: the signal that ended the process.
        began: the time of that signal (`time.monotonic`).
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.began = -math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() - self.began > ENDING_SECONDS:
            self.signal = signal.Signals(number)
            self.began = time.monotonic()
            raise Terminated(128 + number)


@contextmanager
def terminable() -> Iterator[None]:
    """In this block, the signals of `SIGNALS` raise `Terminated`, so that the state of the run is written.

    A signal that is ignored, as `nohup` ignores SIGHUP, stays ignored.

    Afterwards, a previous handler of SIGUSR1 or SIGUSR2 is called: that of submitit requeues a job whose time is nearly
    up. The block has no effect inside another such block, and outside the main thread, which cannot handle signals.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or isinstance(signal.getsignal(SIGNALS[0]), _TerminationHandler):
        yield
        return
    termination = _TerminationHandler()
    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, termination) for number in handled}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        received = termination.signal
        if received in (signal.SIGUSR1, signal.SIGUSR2) and callable(handler := previous[received]):
            handler(received, None)


@contextmanager
def in_one_piece() -> Iterator[None]:
    """Delay Ctrl-C and the signals of `terminable` until this block, which must be short, has ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    delayed: list[int] = []
    signals = (signal.SIGINT, *SIGNALS)
    previous = {each: signal.signal(each, lambda number, _: delayed.append(number)) for each in signals}
    try:
        yield
    finally:
        for each, handler in previous.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
        for number in delayed:
            signal.raise_signal(number)
