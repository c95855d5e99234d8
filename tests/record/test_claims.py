"""Claims: at most one process works on a run."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fitbench.record import claims
from fitbench.record.claims import CLAIM_TIMEOUT_SECONDS, Claimed, _keep_alive, claim
from fitbench.record.folder import State, state_of

from .other_processes import forked, made_by, names, processes

OLD = CLAIM_TIMEOUT_SECONDS + 5


def take(folder: Path) -> bool:
    """Can this process have the claim? It gives it back."""
    try:
        with claim(folder):
            assert state_of(folder) is State.running
    except Claimed:
        return False
    assert not (folder / "claim.json").exists()
    return True


@pytest.mark.parametrize(
    ("claim", "alive"),
    [
        ({"host": "elsewhere", "age": OLD - 10}, True),
        ({"host": "elsewhere", "age": OLD}, False),
        ({"start": "1"}, False),  # this pid, but of a process that began at another time
        ({"pid": 2**22 + 1}, False),  # more than any pid on Linux
    ],
    ids=["elsewhere", "elsewhere, silent", "pid used again", "no such pid"],
)
def test_claim_counts_as_long_as_its_process_may_be_alive(tmp_path, claim, alive):
    path = made_by(tmp_path, **claim)
    before = path.read_bytes()
    assert state_of(tmp_path) is (State.running if alive else State.interrupted)
    assert take(tmp_path) is not alive
    assert not alive or path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b'{"host": "a', b"[]", b'{"host": null}', b"\xff\xfe\x00"])
def test_claim_that_is_being_written_counts_until_it_is_old(tmp_path, content):
    path = tmp_path / "claim.json"
    path.write_bytes(content)
    assert state_of(tmp_path) is State.running
    assert not take(tmp_path)
    os.utime(path, (time.time() - OLD,) * 2)
    assert state_of(tmp_path) is State.interrupted
    assert take(tmp_path)


# -- claims -----------------------------------------------------------------------------------------------------------


def test_claim_says_who_works_and_ends_with_the_block(tmp_path):
    with claim(tmp_path):
        held = json.loads((tmp_path / "claim.json").read_text())
        assert (held["host"], held["pid"]) == (socket.gethostname(), os.getpid())
        assert state_of(tmp_path) is State.running
        with pytest.raises(Claimed, match=rf"pid {os.getpid()} on "), claim(tmp_path):
            pass
        assert state_of(tmp_path) is State.running
    assert names(tmp_path) == set()


def test_claim_ends_with_an_error_too(tmp_path):
    with pytest.raises(ZeroDivisionError), claim(tmp_path):
        _ = 1 / 0
    assert names(tmp_path) == set()


@pytest.fixture
def restarted(monkeypatch):
    """This process is of a Slurm job that was requeued once, and need not wait long to be sure of it."""
    monkeypatch.setenv("SLURM_CLUSTER_NAME", "here")
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    monkeypatch.setattr(claims, "FORMER_SELF_SECONDS", 0.3)


def test_requeued_job_takes_over_what_it_claimed_itself_on_another_host_when_that_is_silent(tmp_path, restarted):
    made_by(tmp_path, host="elsewhere", job="here:12", restarts=0)
    began = time.monotonic()
    with claim(tmp_path):
        held = json.loads((tmp_path / "claim.json").read_text())
    assert (held["host"], held["job"], held["restarts"]) == (socket.gethostname(), "here:12", 1)
    assert 0.25 < time.monotonic() - began < 2
    assert names(tmp_path) == set()


def test_requeued_job_leaves_its_former_process_alone_that_still_works(tmp_path, restarted, monkeypatch):
    path = made_by(tmp_path, host="elsewhere", job="here:12", restarts=0)
    stop = threading.Event()
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.05)
    beat = threading.Thread(target=_keep_alive, args=(path, path.read_text(), stop))
    beat.start()
    assert not take(tmp_path)
    stop.set()
    beat.join()


@pytest.mark.parametrize("other", [{"job": "here:13"}, {"job": "there:12"}, {"job": "here:12", "restarts": 1}, {}])
def test_requeued_job_leaves_the_claims_of_others_alone(tmp_path, restarted, other):
    made_by(tmp_path, host="elsewhere", age=1, **other)
    began = time.monotonic()
    assert not take(tmp_path)
    assert time.monotonic() - began < 0.25


def claim_and_die(number: int, folder: Path) -> None:
    with claim(folder):
        os.kill(os.getpid(), signal.SIGKILL)


def test_claim_of_a_killed_process_is_taken_over_at_once(tmp_path):
    assert processes(1, claim_and_die, tmp_path) == [-signal.SIGKILL]
    assert (tmp_path / "claim.json").exists()
    assert state_of(tmp_path) is State.interrupted
    assert take(tmp_path)
    assert names(tmp_path) == set()


def test_process_that_is_dead_but_not_yet_reaped_is_dead(tmp_path):
    process = forked.Process(target=claim_and_die, args=(0, tmp_path))
    process.start()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{process.pid}").exists()
    assert state_of(tmp_path) is State.interrupted
    assert take(tmp_path)
    process.join()


def race(number: int, folders: list[Path], barrier: Any) -> None:
    """Two threads of this process try for each folder at the same moment as those of the others."""

    def run(thread: int) -> None:
        for folder in folders:
            barrier.wait(30)
            try:
                with claim(folder):
                    (folder / f"got-{number}-{thread}").touch()
                    barrier.wait(30)  # until everyone has tried
            except Claimed:
                barrier.wait(30)

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("dead", [False, True], ids=["free", "dead claim"])
def test_of_many_that_want_a_run_at_once_exactly_one_gets_it(tmp_path, dead):
    folders = [tmp_path / str(number) for number in range(25)]
    for folder in folders:
        folder.mkdir()
        if dead:
            made_by(folder)
    assert processes(4, race, folders, forked.Barrier(8)) == [0] * 4
    got = [sorted(names(folder)) for folder in folders]
    assert [len(found) for found in got] == [1] * len(folders), got
    assert all(found[0].startswith("got-") for found in got)


def come_and_go(number: int, folder: Path, until: float) -> None:
    while time.monotonic() < until:
        try:
            with claim(folder):
                (folder / "inside").touch(exist_ok=False)  # fails where another is inside
                (folder / "inside").unlink()
        except Claimed:
            pass


def test_never_two_work_on_a_run_that_is_claimed_and_released_all_the_time(tmp_path):
    assert processes(4, come_and_go, tmp_path, time.monotonic() + 1.0) == [0] * 4
    assert names(tmp_path) == set()


def test_heartbeat_keeps_the_claim_young(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.02)
    path = tmp_path / "claim.json"
    with claim(tmp_path):
        for _ in range(2):
            os.utime(path, (0, 0))
            until = time.monotonic() + 10
            while path.stat().st_mtime == 0 and time.monotonic() < until:
                time.sleep(0.01)
            assert time.time() - path.stat().st_mtime < CLAIM_TIMEOUT_SECONDS
    assert "fitbench-heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_process_that_lost_its_claim_leaves_the_new_one_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.02)
    with claim(tmp_path):  # say, of a computer that slept until others had taken the run over
        path = made_by(tmp_path, host="elsewhere", age=30)
        then, content = path.stat().st_mtime, path.read_text()
        time.sleep(0.2)
        assert path.stat().st_mtime == then
    assert path.read_text() == content


def test_take_over_that_was_cut_off_does_not_block_the_run_for_ever(tmp_path):
    made_by(tmp_path)
    assert not (tmp_path / "claim.takeover").exists()
    for lock in ("claim.takeover", ".1.new.claim.json"):
        (tmp_path / lock).touch()
        os.utime(tmp_path / lock, (time.time() - OLD,) * 2)
    assert take(tmp_path) or take(tmp_path)
