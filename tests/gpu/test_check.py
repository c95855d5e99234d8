"""The script for machines with a GPU, which runs on a CPU as well."""

import subprocess
import sys
from pathlib import Path

import pytest

from . import check

SCRIPT = Path(__file__).with_name("check.py")


def test_the_script_holds_on_a_cpu_and_skips_what_needs_a_gpu():
    pytest.importorskip("jax")
    command = [sys.executable, SCRIPT, "--quick", "--backends", "jax"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=500)
    verdicts = {line[20:].partition(" (")[0]: line.split()[0] for line in done.stdout.splitlines()}
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(verdicts) == list(check.CHECKS)
    assert {"compiled loop against plain fit", "two workers on one GPU", "exact resume"} <= {
        name for name, verdict in verdicts.items() if verdict == "ok"
    }
