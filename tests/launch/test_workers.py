"""Tasks that worker processes share, without training, and sweeps whose workers and parent are killed."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from importlib import import_module
from pathlib import Path

import pytest

from fitbench.launch.workers import Lost, share, threads_per_worker
from fitbench.record.folder import State, state_of
from fitbench.record.history import read_history

from .recorded import attempts, holders, record
from .sweeps import is_gone, start, wait_for, wait_until_ended


@pytest.fixture
def tasks(monkeypatch):
    """Return the module worker_tasks, which worker processes can import, too."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return import_module("worker_tasks")


@pytest.mark.parametrize(("workers", "threads"), [(1, None), (2, 4), (3, 2), (8, 1), (20, 1)])
def test_cores_are_divided_among_workers(monkeypatch, workers, threads):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))
    assert threads_per_worker(workers) == threads


def test_every_task_is_done_once_in_two_processes(tasks, tmp_path):
    pending = deque((tmp_path, number) for number in range(9))
    ended = list(share(tasks.meet, pending, 2))
    assert sorted(task for task, _ in ended) == [(tmp_path, number) for number in range(9)]
    assert all(result[0] == number for (_, number), result in ended)
    processes = {result[1] for _, result in ended}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert all(is_gone(pid) for pid in processes)


def test_lost_task_is_reported_and_its_worker_replaced(tasks, tmp_path):
    pending = deque((tmp_path, number) for number in range(4))
    outcomes = []
    for task, outcome in share(tasks.kill_first, pending, 1):
        outcomes.append((task[1], outcome))
        if isinstance(outcome, Lost):
            pending.append(task)
    assert outcomes[1:] == [(1, 1), (2, 2), (3, 3), (0, 0)]
    number, lost = outcomes[0]
    assert (number, lost.reason) == (0, "was killed by SIGKILL, perhaps because memory ran out")
    assert is_gone(lost.pid)


def test_workers_ignore_ctrl_c_and_are_terminated_when_the_iterator_is_closed(tasks, tmp_path):
    pending = deque([tmp_path / "lost", tmp_path, tmp_path])  # the first one cannot write into its folder
    sharing = share(tasks.wait_for_the_end, pending, 2)
    task, lost = next(sharing)
    assert (task, lost.reason) == (tmp_path / "lost", "ended with status 1")
    tasks.wait_for(tmp_path, "begun-*")
    sharing.close()
    [begun] = tmp_path.glob("begun-*")
    pid = begun.name.removeprefix("begun-")
    assert (tmp_path / f"ended-{pid}").read_text() == "143"
    assert is_gone(int(pid))


@pytest.mark.parametrize("task", ["wait_for_the_end", "swallow"])
def test_workers_end_with_their_parent(tasks, tmp_path, task):
    parent = subprocess.Popen([sys.executable, str(Path(__file__).with_name("worker_tasks.py")), str(tmp_path), task])
    tasks.wait_for(tmp_path, "begun-*", 2)
    parent.kill()
    parent.wait()
    workers = [int(path.name.removeprefix("begun-")) for path in tmp_path.glob("begun-*")]
    wait_for(lambda: all(map(is_gone, workers)), None, 20)
    ended = 0 if task == "swallow" else 2
    assert [path.read_text() for path in tmp_path.glob("ended-*")] == ["143"] * ended


def test_worker_is_lost_although_a_process_that_it_started_holds_its_pipe(tasks, tmp_path):
    [(_, lost)] = share(tasks.leave_a_process, deque([tmp_path]), 1)
    assert lost.reason.startswith("was killed by SIGKILL")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_worker_whose_task_swallows_signals_is_killed(tasks, tmp_path, monkeypatch):
    monkeypatch.setattr("fitbench.launch.workers.ENDING_SECONDS", 0.5)
    sharing = share(tasks.swallow, deque([(tmp_path, False), (tmp_path, True)]), 2)
    assert next(sharing) == ((tmp_path, True), None)  # when the other one has begun
    sharing.close()
    [begun] = tmp_path.glob("begun-*")
    assert is_gone(int(begun.name.removeprefix("begun-")))


def test_script_without_a_guard_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from collections import deque\nfrom fitbench.launch.workers import share\nlist(share(len, deque(['a']), 1))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert "a worker ended with status 1 before it was ready; a script that starts workers must" in done.stderr


def test_sweep_whose_workers_and_parent_are_killed_has_the_results_of_an_undisturbed_one(basic_sweep, tmp_path):
    outputs = tmp_path / "outputs"
    study = outputs / "default"

    def at_work(process: subprocess.Popen[str]) -> dict[int, Path]:
        """Wait until each of the two workers has recorded epochs of its run; gives the runs by process id."""
        workers: dict[int, Path] = {}

        def both() -> bool:
            workers.clear()
            workers.update({pid: run for pid, run in holders(study).items() if not is_gone(pid)})
            return len(workers) == 2 and all(map(read_history, workers.values()))

        wait_for(both, process)
        return workers

    process = start(outputs, "workers=2")
    workers = at_work(process)
    assert process.pid not in workers
    pid = min(workers, key=lambda pid: len(read_history(workers[pid])))
    os.kill(pid, signal.SIGKILL)  # a worker
    wait_for(lambda: "fitbench: a worker was killed by SIGKILL" in outputs.with_suffix(".err").read_text(), process)
    assert f"; its run {workers[pid].name} is launched again" in outputs.with_suffix(".err").read_text()
    workers = at_work(process)
    assert pid not in workers
    process.kill()  # the parent
    process.wait()
    wait_for(lambda: all(is_gone(pid) for pid in workers), None, 20)
    interrupted = [run for run in study.glob("*-s?") if state_of(run) is State.interrupted]
    assert interrupted
    assert any("interrupted by Terminated" in (run / "train.log").read_text() for run in interrupted)

    process = start(outputs, "workers=2")
    for pid in [*at_work(process), process.pid]:  # all of them
        os.kill(pid, signal.SIGKILL)
    process.wait()

    status, counts, failed, _ = wait_until_ended(start(outputs, "workers=2"), outputs)
    assert status == 1
    assert (counts["in all"], counts["failed"]) == (6, 2)
    assert all("lenet5 takes images of 10x10 pixels or more" in line for line in failed)
    for folder in basic_sweep.glob("*-s?"):
        assert state_of(study / folder.name) is state_of(folder)
        if state_of(folder) is State.finished:
            assert record(study / folder.name) == record(folder), folder.name
    assert max(attempts(study / folder.name) for folder in basic_sweep.glob("*-s?")) > 1


def test_interrupted_workers_write_the_state_of_their_runs_and_nothing_else(basic_sweep, tmp_path):
    outputs = tmp_path / "outputs"
    process = start(outputs, "workers=2")
    wait_for(lambda: any(read_history(run) for run in holders(outputs / "default").values()), process)
    workers = set(holders(outputs / "default"))
    began = time.monotonic()
    process.terminate()
    status, counts, _, err = wait_until_ended(process, outputs)
    assert time.monotonic() - began < 20
    assert status == 128 + signal.SIGTERM
    assert counts["interrupted"] >= 1
    assert err[-1] == "fitbench: interrupted; run the same command again to resume"
    assert [line for line in err[:-1] if not line.startswith("[")] == []
    assert all(is_gone(pid) for pid in workers)
