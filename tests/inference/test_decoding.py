import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitbench.errors import FitbenchError
from fitbench.inference import decoding
from fitbench.inference.decoding import AHEAD, FEW, Decoder
from fitbench.inference.prepare import Prepare
from fitbench.inference.sources import Batch, Broken, Rows

SHAPE = (4, 4, 1)


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[str]:
    """300 images, each of one grey, of which the 8th is none."""
    folder = tmp_path_factory.mktemp("images")
    made = [str(folder / f"{i:03}.png") for i in range(300)]
    for i, path in enumerate(made):
        Image.new("L", (4, 4), i % 256).save(path)
    Path(made[7]).write_bytes(b"none")
    return made


def decoder(workers: int | None, how: Prepare = Prepare.none) -> Decoder:
    return Decoder(SHAPE, lambda source: how, workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_with_what_is_wrong(paths, workers):
    rows = Rows("x", np.full((3, 8, 8, 1), 9, np.uint8), "", False)
    with decoder(workers) as decode:
        made = list(decode([Batch(paths), Batch(["x[0]", "x[1]", "x[2]"], rows), Batch(["b"], Broken("b", "bad"))]))
    assert [batch.names[0] for batch, _, _ in made] == [paths[0], "x[0]", "b"]
    images = made[0][1]
    assert images.shape == (300, *SHAPE)
    expected = np.arange(300) % 256
    expected[7] = 0
    assert np.array_equal(images[:, 0, 0, 0], expected)
    assert made[0][2] == {7: "not a readable image (not a known image format)"}
    assert (made[1][1] == 9).all()
    assert made[2][2] == {0: "bad"}


@pytest.mark.parametrize("workers", [0, 1])
def test_no_more_batches_are_begun_than_the_model_can_use(paths, workers):
    begun = 0

    def endless() -> Iterator[Batch]:
        nonlocal begun
        while True:
            begun += 1
            yield Batch(paths[:10])

    with decoder(workers) as decode:
        for done in itertools.islice(enumerate(decode(endless()), 1), 100):
            assert begun <= max(done[0] + AHEAD, FEW // 10 + 1)


def test_workers_are_started_for_many_files_only(paths):
    rows = Rows("x", np.zeros((5000, *SHAPE), np.uint8), "", False)
    for batches, started in (([Batch(paths)], False), ([Batch(["x"] * 5000, rows)], False), ([Batch(paths * 2)], True)):
        with decoder(None) as decode:
            list(decode(batches))
            assert (decode.workers is not None) is started


def test_worker_that_was_killed_is_replaced(paths):
    with decoder(2) as decode:
        done = decode(Batch(paths) for _ in range(6))
        next(done)
        for worker in decode.workers.all:
            worker.kill()
        for _, images, errors in done:
            assert list(errors) == [7]
            assert images[255].max() == 255
        assert len(decode.workers.all) > 2
    assert all(worker.poll() is not None for worker in decode.workers.all)


def test_image_that_ends_every_process_is_said_to_be_wrong(paths, monkeypatch):
    program = "import pickle, sys; pickle.dump('ready', sys.stdout.buffer)"
    monkeypatch.setattr(decoding, "_worker", lambda: worker(program))
    with decoder(1) as decode:
        ((_, images, errors),) = decode([Batch(paths[:3])])
    assert set(errors) == {0, 1, 2}
    assert "was ended by it" in errors[0]
    assert not images.any()


def test_workers_that_cannot_start_are_no_image_s_fault_and_not_started_again(paths, monkeypatch):
    started = []

    def ends() -> subprocess.Popen:
        assert len(started) < 10
        started.append(worker(""))
        return started[-1]

    monkeypatch.setattr(decoding, "_worker", ends)
    with decoder(2) as decode, pytest.raises(FitbenchError, match=r"ended while it started.*--workers 0"):
        list(decode([Batch(paths)]))
    assert len(started) == 2


def worker(program: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-S", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_programs_beside_the_images_are_not_run(paths, tmp_path, monkeypatch):
    for name in ("numpy", "random", "PIL"):
        (tmp_path / f"{name}.py").write_text("open('was run', 'w')")
    monkeypatch.chdir(tmp_path)
    with decoder(1) as decode:
        ((_, images, _),) = decode([Batch(paths[:3])])
    assert list(images[:, 0, 0, 0]) == [0, 1, 2]
    assert not (tmp_path / "was run").exists()


def test_worker_ends_with_its_parent_and_needs_no_keras():
    program = (
        "import signal; from fitbench.inference.decoding import _worker\n"
        "worker = _worker(); print(worker.pid, flush=True); signal.pause()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    maps = Path(f"/proc/{worker}/maps")
    wait_for(lambda: "_imaging" in maps.read_text())
    assert os.getpgid(worker) != os.getpgid(parent.pid)  # a Ctrl-C in the terminal is not for it
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text())
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fitbench.inference.decoding"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True,
    ).stderr  # fmt: skip
    assert not [name for name in ("keras", "tensorflow", "pandas", "scipy") if f"| {name}\n" in listed]


def wait_for(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
