"""A sweep of six small runs that is started as a command, for tests that interrupt it and compare its results."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# lenet5 needs larger images than the digits: two of the six runs fail
SWEEP = (
    *("data=digits", "model=softmax,mlp,lenet5", "seed=0,1", "training.epochs=150", "training.early_stopping=null"),
    "threads=1",
)


def start(outputs: Path, *overrides: str) -> subprocess.Popen[str]:
    """Start a process that launches the sweep, with its output in files beside the folder."""
    command = [sys.executable, "-m", "fitbench", "train", "-m", *SWEEP, f"outputs={outputs}", *overrides]
    with outputs.with_suffix(".out").open("w") as out, outputs.with_suffix(".err").open("w") as err:
        return subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True, text=True)


def wait_until_ended(process: subprocess.Popen[str], outputs: Path) -> tuple[int, dict[str, int], list[str], list[str]]:
    """Wait for a process, and return its exit status, the counts and failures of the summary, and stderr's lines."""
    status = process.wait(180)
    out = outputs.with_suffix(".out").read_text().splitlines()
    counts = [line.split(maxsplit=1) for line in out if not line.startswith("failed: ")]
    failed = [line for line in out if line.startswith("failed: ")]
    err = outputs.with_suffix(".err").read_text().splitlines()
    return status, {state.split(";")[0]: int(count) for count, state in counts}, failed, err


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str] | None, seconds: float = 120) -> None:
    """Wait until the condition holds, while the process runs."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and (process is None or process.poll() is None) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert holds


def is_gone(pid: int) -> bool:
    """Whether there is no process of this number, or only its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True
