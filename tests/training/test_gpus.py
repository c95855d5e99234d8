"""Which GPU a process takes, with GPUs that are but names: nothing is computed on them."""

import subprocess
import sys

import pytest

TAKE = """
import os, sys
from fitbench.training.gpus import take
take(sys.argv[1])
print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """Starts a process that takes and holds a GPU of those that are visible; gives what it sees, and the process."""
    started = []

    def process(device: str = "auto", visible: str = "3,5") -> tuple[str, subprocess.Popen]:
        environment = {"PATH": "", "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": visible}
        command = [sys.executable, "-c", TAKE, device]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        return started[-1].stdout.readline().strip(), started[-1]

    yield process
    for left in started:
        left.communicate()


def test_processes_take_a_gpu_each_and_share_when_there_are_no_more(start):
    (first, process), (second, _) = start(), start()
    assert [first, second] == ["3", "5"]
    assert start()[0] in ("3", "5")
    process.communicate()
    assert start()[0] == "3"  # its holder is gone


@pytest.mark.parametrize(("device", "visible"), [("gpu:1", "3,5"), ("cpu", "3,5"), ("auto", "7"), ("auto", "")])
def test_what_was_chosen_already_stays(start, device, visible):
    assert start(device, visible)[0] == visible
