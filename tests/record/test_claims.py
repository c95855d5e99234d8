"""Claims: at most one process works on a run."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fitbench.record import claims, heartbeats, processes
from fitbench.record.claims import CLAIM_TIMEOUT_SECONDS, Claimed, _keep_alive, claim
from fitbench.record.files import write_whole
from fitbench.record.folder import State, state_of
from fitbench.record.history import append_history, write_history
from fitbench.record.schemas import Claim

from .other_processes import (
    CLONE_NEWNS,
    enter_namespace,
    forked,
    holder,
    made_by,
    mount_own_proc,
    names,
    needs_root,
    wait_until,
)
from .other_processes import processes as run_processes

OLD = CLAIM_TIMEOUT_SECONDS + 5


@pytest.fixture
def quick(monkeypatch):
    """Heartbeats and time-outs are a hundred times shorter. A forked process has the same."""
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(claims, "CLAIM_TIMEOUT_SECONDS", 0.6)


def take(folder: Path, wait: bool = False) -> bool:
    """Can this process have the claim? It gives it back."""
    try:
        with claim(folder, wait):
            assert state_of(folder) is State.running
    except Claimed:
        return False
    assert not (folder / "claim.json").exists()
    return True


# -- processes that can be observed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dead", [{"start": "1"}, {"pid": 2**22 + 1}], ids=["pid used again", "no such pid"])
def test_claim_of_a_process_that_is_gone_is_taken_over_at_once(tmp_path, dead):
    made_by(tmp_path, **dead)
    assert state_of(tmp_path) is State.interrupted
    assert take(tmp_path)


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_claim_is_never_taken_from_a_process_that_exists(tmp_path, quick, stopped):
    with holder(tmp_path) as process:
        if stopped:
            os.kill(process.pid, signal.SIGSTOP)
        os.utime(tmp_path / "claim.json", (0, 0))
        time.sleep(0 if not stopped else 0.7)
        content = (tmp_path / "claim.json").read_bytes()
        assert state_of(tmp_path) is State.running
        assert not take(tmp_path, wait=True)
        assert (tmp_path / "claim.json").read_bytes() == content
    assert names(tmp_path) == set()


# -- processes that cannot ---------------------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("namespace", ["bare", "container"])
def test_claim_of_a_process_in_another_namespace_is_taken_over_when_its_heartbeat_was_seen_to_be_silent(
    tmp_path, quick, namespace, caplog
):
    with holder(tmp_path, namespace) as process:
        assert json.loads((tmp_path / "claim.json").read_text())["pid"] != process.pid
        assert state_of(tmp_path) is State.running
        assert not take(tmp_path)
        assert not take(tmp_path, wait=True)
        os.kill(process.pid, signal.SIGSTOP)
        began = time.monotonic()
        wait_until(lambda: take(tmp_path, wait=True))
        assert time.monotonic() - began > 0.5
    assert names(tmp_path) == set()
    assert "cannot observe from here whether the process that holds this run exists (pid " in caplog.text


def of_hidden_process(number: int, held: Claim) -> None:
    """As another user, to whom /proc hides the process of the claim."""
    enter_namespace(CLONE_NEWNS)
    mount_own_proc("-o", "hidepid=2")
    assert processes.exists(held) is True
    os.setgid(65534)
    os.setuid(65534)
    assert not Path(f"/proc/{held.pid}").exists()
    assert processes.exists(held) is None
    assert processes.exists(held.model_copy(update={"pid": 2**22 + 1})) is False


@needs_root
def test_process_that_proc_hides_may_be_alive(tmp_path):
    with claim(tmp_path):
        held = Claim.model_validate_json((tmp_path / "claim.json").read_text())
        assert run_processes(1, of_hidden_process, held) == [0]


@pytest.mark.parametrize("place", ["host", "boot", "namespace"])
def test_process_of_another_place_may_be_alive(tmp_path, place):
    made_by(tmp_path, **{place: "other"})
    assert state_of(tmp_path) is State.running
    assert not take(tmp_path)


def test_claim_of_an_earlier_version_has_no_boot_and_is_watched(tmp_path):
    (tmp_path / "claim.json").write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "start": "1"}))
    assert state_of(tmp_path) is State.running
    assert not take(tmp_path)


HOUR = 3600


@pytest.mark.parametrize("clock", [-HOUR, 0, HOUR], ids=["behind", "right", "ahead"])
def test_heartbeat_with_any_time_is_watched(tmp_path, quick, clock):
    """As a file system leaves it that takes times from machines whose clocks are wrong."""
    path = made_by(tmp_path, host="elsewhere")
    beats = threading.Event()

    def beat() -> None:
        while not beats.wait(0.05):
            os.utime(path, (time.time() + clock,) * 2)

    thread = threading.Thread(target=beat)
    thread.start()
    assert not take(tmp_path, wait=True)
    beats.set()
    thread.join()
    os.utime(path, (time.time() + (clock or -HOUR),) * 2)
    began = time.monotonic()
    assert take(tmp_path, wait=True)
    assert 0.5 < time.monotonic() - began < 5


def test_one_look_tells_the_age_of_a_heartbeat_by_the_clock_of_the_file_system(tmp_path):
    for age, state in ((OLD - 10, State.running), (OLD, State.interrupted), (-HOUR, State.interrupted)):
        made_by(tmp_path, host="elsewhere", age=age)
        assert state_of(tmp_path) is state
    assert names(tmp_path) == {"claim.json"}
    assert not take(tmp_path)  # which needs a watch


@pytest.mark.skipif(shutil.which("faketime") is None, reason="needs faketime")
@pytest.mark.parametrize(("clock", "age"), [("+1h", 5), ("-1h", OLD)])
def test_one_look_does_not_depend_on_the_clock_of_the_process(tmp_path, clock, age):
    made_by(tmp_path, host="elsewhere", age=age)
    program = (
        "import sys, time; from pathlib import Path; from fitbench.record.claims import claimed; "
        "print(claimed(Path(sys.argv[1])), time.time())"
    )
    command = ["faketime", "-f", clock, sys.executable, "-c", program, str(tmp_path)]
    alive, now = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert abs(float(now) - time.time()) > HOUR - 60
    assert alive == str(age < OLD)


def look_without_rights(number: int, folder: Path) -> None:
    os.chdir(folder)
    os.setgid(65534)
    os.setuid(65534)
    assert state_of(Path()) is State.running


@needs_root
def test_process_elsewhere_counts_as_alive_where_the_clock_of_the_file_system_cannot_be_read(tmp_path):
    made_by(tmp_path, host="elsewhere", age=OLD)
    tmp_path.chmod(0o755)
    assert run_processes(1, look_without_rights, tmp_path) == [0]


def test_looks_of_a_process_that_does_not_wait_are_a_watch_too(tmp_path, quick):
    made_by(tmp_path, host="elsewhere", age=OLD)
    began = time.monotonic()
    while not take(tmp_path):
        time.sleep(0.05)
    assert 0.5 < time.monotonic() - began < 5


def test_time_in_which_the_watching_process_was_stopped_does_not_count(tmp_path, monkeypatch):
    path = made_by(tmp_path, host="elsewhere", age=OLD)
    monkeypatch.setattr(heartbeats, "LONGEST_GAP_SECONDS", 0.1)
    beat = heartbeats.read(path)
    heartbeats.watch(path, beat)
    time.sleep(0.3)
    assert heartbeats.watch(path, beat) == 0.1


@pytest.mark.parametrize("content", [b"", b'{"host": "a', b"[]", b'{"host": null}', b"\xff\xfe\x00"])
def test_claim_that_is_being_written_counts_until_it_is_old(tmp_path, quick, content):
    path = tmp_path / "claim.json"
    path.write_bytes(content)
    assert state_of(tmp_path) is State.running
    assert not take(tmp_path)
    os.utime(path, (time.time() - OLD,) * 2)
    assert state_of(tmp_path) is State.interrupted
    assert take(tmp_path, wait=True)


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
    with claim(tmp_path, wait=True):
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
    assert not take(tmp_path, wait=True)
    stop.set()
    beat.join()


@pytest.mark.parametrize("other", [{"job": "here:13"}, {"job": "there:12"}, {"job": "here:12", "restarts": 1}, {}])
def test_requeued_job_leaves_the_claims_of_others_alone(tmp_path, restarted, other):
    made_by(tmp_path, host="elsewhere", age=1, **other)
    began = time.monotonic()
    assert not take(tmp_path, wait=True)
    assert time.monotonic() - began < 0.25


def claim_and_die(number: int, folder: Path) -> None:
    with claim(folder):
        os.kill(os.getpid(), signal.SIGKILL)


def test_claim_of_a_killed_process_is_taken_over_at_once(tmp_path):
    assert run_processes(1, claim_and_die, tmp_path) == [-signal.SIGKILL]
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
    assert run_processes(4, race, folders, forked.Barrier(8)) == [0] * 4
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
    assert run_processes(4, come_and_go, tmp_path, time.monotonic() + 1.0) == [0] * 4
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


def test_heartbeat_of_a_process_that_lost_its_claim_leaves_the_new_one_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.02)
    with claim(tmp_path):  # say, of a computer that slept until others had taken the run over
        path = made_by(tmp_path, host="elsewhere", age=30)
        then, content = path.stat().st_mtime, path.read_text()
        time.sleep(0.2)
        assert path.stat().st_mtime == then
    assert path.read_text() == content


# -- a process that has lost its claim ---------------------------------------------------------------------------------


def test_process_that_lost_its_claim_writes_nothing_more_to_the_folder(tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    (run / "checkpoint").mkdir(parents=True)
    other.mkdir()
    writes = [
        lambda: write_whole(run / "result.json", "{}"),
        lambda: write_whole(run / "checkpoint" / "a.npz", "a"),
        lambda: append_history(run, {"epoch": 1}),
        lambda: write_history(run, []),
    ]
    with claim(run):
        path = made_by(run, host="elsewhere")
        content = path.read_text()
        for write in writes:
            with pytest.raises(Claimed, match="another process has taken this run over"):
                write()
        write_whole(other / "a.txt", "a")
    assert path.read_text() == content
    assert (names(run), names(run / "checkpoint"), names(other)) == ({"checkpoint", "claim.json"}, set(), {"a.txt"})
    for write in writes:  # which is allowed without a claim
        write()


def test_claim_that_was_released_by_another_process_is_lost_too(tmp_path):
    with claim(tmp_path):
        (tmp_path / "claim.json").unlink()
        with pytest.raises(Claimed, match=r"or claim\.json was removed"):
            append_history(tmp_path, {"epoch": 1})


# A process is stopped just before such a step of its write. Between the last check of its claim and the rename, the
# file that it wants to rename is removed by the process that takes the run over.
STOPS = [("open", ".new.a.txt"), ("os.rename", ".new.a.txt")]


def write_and_stop(folder: Path, release: Path, step: tuple[str, str]) -> None:
    def stop_before(event: str, args: tuple) -> None:
        if event == step[0] and step[1] in str(args[0]):
            folder.with_suffix(".step").touch()
            wait_until(release.exists)

    with pytest.raises(Claimed, match="another process has taken this run over"), claim(folder):
        sys.addaudithook(stop_before)
        write_whole(folder / "a.txt", "theirs")


@needs_root
@pytest.mark.parametrize("step", STOPS, ids=lambda step: step[0])
def test_process_that_stood_still_while_it_was_replaced_changes_nothing(tmp_path, quick, step):
    folder = tmp_path / "run"
    folder.mkdir()
    with holder(folder, "bare", partial(write_and_stop, step=step)) as process:
        wait_until(folder.with_suffix(".step").exists)
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: take_and_write(folder))
        before = {path.name: path.stat().st_ino for path in folder.iterdir()}
        folder.with_suffix(".release").touch()
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait() == 0
        assert {path.name: path.stat().st_ino for path in folder.iterdir()} == before
    assert (folder / "a.txt").read_text() == "ours"


def take_and_write(folder: Path) -> bool:
    try:
        with claim(folder, wait=True):
            write_whole(folder / "a.txt", "ours")
    except Claimed:
        return False
    return True


def test_take_over_that_was_cut_off_does_not_block_the_run_for_ever(tmp_path, quick):
    made_by(tmp_path)
    for lock in ("claim.takeover", ".1.new.claim.json"):
        (tmp_path / lock).touch()
    assert take(tmp_path, wait=True)
