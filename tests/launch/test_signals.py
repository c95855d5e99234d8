"""SIGTERM, SIGUSR1 and SIGUSR2 in a process that works on a run."""

import os
import signal
import threading

import pytest

from fitbench.launch.signals import SIGNALS, Terminated, terminable


@pytest.fixture(autouse=True)
def handlers():
    """Return the handlers of this process, and restore them afterwards."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


def kill(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_raises_terminated_and_the_handlers_are_restored(number, handlers):
    with pytest.raises(Terminated) as ended, terminable():
        kill(number)
    assert ended.value.code == 128 + number
    assert {number: signal.getsignal(number) for number in SIGNALS} == handlers


def test_second_signal_does_not_interrupt_the_writing_of_the_state(monkeypatch):
    written = []
    with pytest.raises(Terminated) as ended, terminable():
        try:
            kill(signal.SIGTERM)
        finally:
            kill(signal.SIGTERM)
            kill(signal.SIGUSR2)
            written.append(True)
    assert written == [True]
    assert ended.value.code == 143


def test_later_signal_counts_when_the_first_was_swallowed(monkeypatch):
    monkeypatch.setattr("fitbench.launch.signals.ENDING_SECONDS", 0)
    with pytest.raises(Terminated) as ended, terminable():
        with pytest.raises(Terminated):  # some code swallows it
            kill(signal.SIGTERM)
        kill(signal.SIGUSR1)
    assert ended.value.code == 138


def test_previous_handler_is_called_after_the_state_is_written():
    """The handler of submitit for SIGUSR2 requeues the job and ends the process. That for SIGTERM does nothing."""
    events = []

    def requeue(number, frame):
        events.append("requeued")
        raise SystemExit(-1)

    signal.signal(signal.SIGTERM, lambda number, frame: events.append("ignored"))
    signal.signal(signal.SIGUSR2, requeue)
    with pytest.raises(SystemExit) as ended, terminable():
        try:
            kill(signal.SIGUSR2)
        finally:
            events.append("written")
    assert (events, ended.value.code) == (["written", "requeued"], -1)
    with pytest.raises(Terminated) as ended, terminable():
        kill(signal.SIGTERM)
    assert (events, ended.value.code) == (["written", "requeued"], 143)


def test_nested_block_has_no_effect():
    with pytest.raises(Terminated) as ended, terminable():
        outer = signal.getsignal(signal.SIGTERM)
        with terminable():
            assert signal.getsignal(signal.SIGTERM) is outer
        assert signal.getsignal(signal.SIGTERM) is outer
        with terminable():
            kill(signal.SIGTERM)
    assert ended.value.code == 143


def test_block_outside_the_main_thread_has_no_effect():
    entered = []

    def work() -> None:
        with terminable():
            entered.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [True]
