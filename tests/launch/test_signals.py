"""What SIGTERM, SIGUSR1 and SIGUSR2 do to a process that works on a run, whoever started it."""

import os
import signal
import threading

import pytest

from fitbench.launch.signals import SIGNALS, Terminated, terminable


@pytest.fixture(autouse=True)
def handlers():
    """Those of this process, which are left as they were."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


def kill(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_ends_the_process_with_its_status_and_the_handlers_are_put_back(number, handlers):
    with pytest.raises(Terminated) as ended, terminable():
        kill(number)
    assert ended.value.code == 128 + number
    assert {number: signal.getsignal(number) for number in SIGNALS} == handlers


def test_second_signal_does_not_break_off_the_writing_that_the_first_has_brought_about(monkeypatch):
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


def test_signal_counts_again_when_the_first_has_come_to_nothing(monkeypatch):
    monkeypatch.setattr("fitbench.launch.signals.ENDING_SECONDS", 0)
    with pytest.raises(Terminated) as ended, terminable():
        with pytest.raises(Terminated):  # somebody swallows it
            kill(signal.SIGTERM)
        kill(signal.SIGUSR1)
    assert ended.value.code == 138


def test_who_else_waits_for_a_signal_has_it_when_the_state_is_written():
    """submitit's handler for SIGUSR2 requeues the job and ends the process, its handler for SIGTERM does nothing."""
    said = []

    def requeue(number, frame):
        said.append("requeued")
        raise SystemExit(-1)

    signal.signal(signal.SIGTERM, lambda number, frame: said.append("ignored"))
    signal.signal(signal.SIGUSR2, requeue)
    with pytest.raises(SystemExit) as ended, terminable():
        try:
            kill(signal.SIGUSR2)
        finally:
            said.append("written")
    assert (said, ended.value.code) == (["written", "requeued"], -1)
    with pytest.raises(Terminated) as ended, terminable():
        kill(signal.SIGTERM)
    assert (said, ended.value.code) == (["written", "requeued"], 143)


def test_block_inside_of_another_changes_nothing():
    with pytest.raises(Terminated) as ended, terminable():
        outer = signal.getsignal(signal.SIGTERM)
        with terminable():
            assert signal.getsignal(signal.SIGTERM) is outer
        assert signal.getsignal(signal.SIGTERM) is outer
        with terminable():
            kill(signal.SIGTERM)
    assert ended.value.code == 143


def test_outside_of_the_main_thread_the_block_is_entered_all_the_same():
    entered = []

    def work() -> None:
        with terminable():
            entered.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [True]
