"""Jobs that a few processes of submitit share, without training."""

import os
import signal
import time
from pathlib import Path

import pytest

from fitbench.errors import FitbenchError
from fitbench.launch.local import share

submitit = pytest.importorskip("submitit", reason="needs pip install 'fitbench[submitit]'")


@pytest.fixture
def executor(tmp_path):
    return submitit.LocalExecutor(tmp_path / "submitit" / "%j", max_num_timeout=0)


def test_every_job_is_done_once(executor, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")

    def do(number: int) -> tuple[int, int, str | None]:
        (tmp_path / f"done-{number}-{os.getpid()}").touch(exist_ok=False)
        deadline = time.monotonic() + 20
        while len({path.name.split("-")[2] for path in tmp_path.glob("done-*")}) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)  # until each of the two processes has a job
        return number, os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES")

    results = share(executor, do, [(number,) for number in range(9)], 2, None)
    assert [number for number, _, _ in results] == list(range(9))
    assert len({pid for _, pid, _ in results}) == 2
    assert len(list(tmp_path.glob("done-*"))) == 9
    assert {gpus for _, _, gpus in results} == {None}  # submitit would set it to hide all GPUs
    [(_, _, gpus)] = share(executor, do, [(9,)], 2, "0,1")
    assert gpus == "0,1"


def test_lost_process_is_reported_after_the_others_have_done_the_remaining_jobs(executor, tmp_path):
    def do(number: int) -> int:
        if number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        (tmp_path / f"done-{number}").touch()
        return number

    with pytest.raises(FitbenchError, match=r"a process was killed, perhaps because memory ran out; see .*log.err"):
        share(executor, do, [(number,) for number in range(5)], 2, None)
    assert sorted(path.name for path in tmp_path.glob("done-*")) == [f"done-{number}" for number in range(1, 5)]


def test_processes_ignore_ctrl_c_and_end_with_the_sweep(executor, tmp_path):
    def do(number: int) -> int:
        def end(*_: object) -> None:
            (tmp_path / "ended").write_text(str(number))
            raise SystemExit(143)

        signal.signal(signal.SIGTERM, end)
        os.kill(os.getpid(), signal.SIGINT)
        (tmp_path / f"begun-{number}-{os.getpid()}").touch()
        time.sleep(60)
        return number

    def interrupt(*_: object) -> None:
        if list(tmp_path.glob("begun-*")):
            raise KeyboardInterrupt
        signal.setitimer(signal.ITIMER_REAL, 0.05)

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            share(executor, do, [(0,), (1,)], 1, None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    [begun] = tmp_path.glob("begun-*")
    assert begun.name.startswith("begun-0-")
    assert (tmp_path / "ended").read_text() == "0"
    assert not Path(f"/proc/{begun.name.split('-')[2]}").exists()
