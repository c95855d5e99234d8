"""A run of the kind that everybody has: LeNet-5, a few epochs on the digits that need no download."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fitbench.config import Backend
from fitbench.record.folder import folder_of
from fitbench.training import backend
from fitbench.training.run import train


@pytest.fixture(scope="session")
def trained(configure, tmp_path_factory) -> Path:
    """The folder of a finished run, LeNet-5 on mnist_5k. Copy it before you change it."""
    backend.load(Backend.tensorflow)
    outputs = tmp_path_factory.mktemp("trained") / "outputs"
    config = configure(f"outputs={outputs}", "model=lenet5", "training.epochs=3", "progress=false")
    folder = folder_of(config)
    train(config, folder)
    return folder


@pytest.fixture(scope="module")
def serving() -> Iterator:
    """`serving(*arguments)`: `fitbench serve` with them, in a process of its own; the process, and its address."""
    started = []

    def serve(*arguments: object) -> tuple[subprocess.Popen, str]:
        command = [sys.executable, "-m", "fitbench", "serve", *map(str, arguments), "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        address = process.stdout.readline().strip()
        assert address, process.communicate()[1]
        return process, address

    yield serve
    for process in started:
        process.kill()
        process.communicate()
