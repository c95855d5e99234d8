"""Tasks that worker processes share, without training."""

import os
import signal
import subprocess
import sys
from collections import deque
from importlib import import_module
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from fitbench.launch.workers import Lost, share, threads_per_worker

from .sweeps import is_gone, wait_for


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


def test_ctrl_c_while_a_worker_starts_is_not_lost_and_ends_the_worker(tasks, tmp_path, monkeypatch):
    started = []

    def start_and_press(process: SpawnProcess) -> None:
        start(process)
        started.append(process.pid)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(process.pid, signal.SIGINT)

    start = SpawnProcess.start
    monkeypatch.setattr(SpawnProcess, "start", start_and_press)
    with pytest.raises(KeyboardInterrupt):
        next(share(tasks.meet, deque([(tmp_path, 0)]), 1))
    assert is_gone(started[0])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


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


def test_script_without_a_guard_is_not_run_again(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from collections import deque\nfrom fitbench.launch.workers import share\n"
        "print(*share(len, deque(['a']), 1), __file__, __spec__)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.stdout == f"('a', 1) {script} None\n", done.stderr
