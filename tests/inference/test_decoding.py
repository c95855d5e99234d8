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
from fitbench.inference.decoding import BATCHES_AHEAD, FEW_IMAGES, Decoder
from fitbench.inference.prepare import Prepare
from fitbench.inference.sources import Batch, Broken, Rows

SHAPE = (4, 4, 1)


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[str]:
    """Write 300 image files, each of one grey level. The eighth is not an image."""
    folder = tmp_path_factory.mktemp("images")
    image_paths = [str(folder / f"{i:03}.png") for i in range(300)]
    for i, path in enumerate(image_paths):
        Image.new("L", (4, 4), i % 256).save(path)
    Path(image_paths[7]).write_bytes(b"none")
    return image_paths


def decoder(workers: int | None) -> Decoder:
    return Decoder(SHAPE, lambda source: Prepare.none, workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_with_their_errors(paths, workers):
    rows = Rows("x", np.full((3, 8, 8, 1), 9, np.uint8), "", False)
    with decoder(workers) as decode:
        results = list(decode([Batch(paths), Batch(["x[0]", "x[1]", "x[2]"], rows), Batch(["b"], Broken("b", "bad"))]))
    assert [batch.names[0] for batch, _, _ in results] == [paths[0], "x[0]", "b"]
    images = results[0][1]
    assert images.shape == (300, *SHAPE)
    expected = np.arange(300) % 256
    expected[7] = 0
    assert np.array_equal(images[:, 0, 0, 0], expected)
    assert results[0][2] == {7: "not a readable image (not a known image format)"}
    assert (results[1][1] == 9).all()
    assert results[2][2] == {0: "bad"}


@pytest.mark.parametrize("workers", [0, 1])
def test_few_batches_are_decoded_ahead(paths, workers):
    started = 0

    def endless() -> Iterator[Batch]:
        nonlocal started
        while True:
            started += 1
            yield Batch(paths[:10])

    with decoder(workers) as decode:
        for count, _ in itertools.islice(enumerate(decode(endless()), 1), 100):
            assert started <= max(count + BATCHES_AHEAD, FEW_IMAGES // 10 + 1)


def test_workers_are_started_only_for_many_files(paths):
    rows = Rows("x", np.zeros((5000, *SHAPE), np.uint8), "", False)
    for batches, started in (([Batch(paths)], False), ([Batch(["x"] * 5000, rows)], False), ([Batch(paths * 2)], True)):
        with decoder(None) as decode:
            list(decode(batches))
            assert (decode.workers is not None) is started


def test_killed_worker_is_replaced(paths):
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


def test_image_that_ends_every_process_gets_an_error(paths, monkeypatch):
    program = "import pickle, sys; pickle.dump('ready', sys.stdout.buffer)"
    monkeypatch.setattr(decoding, "_start_worker", lambda: start(program))
    with decoder(1) as decode:
        ((_, images, errors),) = decode([Batch(paths[:3])])
    assert set(errors) == {0, 1, 2}
    assert "ended the process" in errors[0]
    assert not images.any()


def test_workers_that_cannot_start_give_an_error_and_are_not_restarted(paths, monkeypatch):
    started = []

    def start_ending_worker() -> subprocess.Popen:
        assert len(started) < 10
        started.append(start(""))
        return started[-1]

    monkeypatch.setattr(decoding, "_start_worker", start_ending_worker)
    with decoder(2) as decode, pytest.raises(FitbenchError, match=r"ended while it started.*--workers 0"):
        list(decode([Batch(paths)]))
    assert len(started) == 2


def start(program: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-S", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_python_files_beside_the_images_are_not_imported(paths, tmp_path, monkeypatch):
    for name in ("numpy", "random", "PIL"):
        (tmp_path / f"{name}.py").write_text("open('was run', 'w')")
    monkeypatch.chdir(tmp_path)
    with decoder(1) as decode:
        ((_, images, _),) = decode([Batch(paths[:3])])
    assert list(images[:, 0, 0, 0]) == [0, 1, 2]
    assert not (tmp_path / "was run").exists()


def test_worker_ends_with_its_parent_and_imports_no_keras():
    program = (
        "import signal; from fitbench.inference.decoding import _start_worker\n"
        "worker = _start_worker(); print(worker.pid, flush=True); signal.pause()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    maps = Path(f"/proc/{worker}/maps")
    wait_for(lambda: "_imaging" in maps.read_text())
    assert os.getpgid(worker) != os.getpgid(parent.pid)  # Ctrl-C in the terminal does not reach it
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text())
    imports = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fitbench.inference.decoding"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True,
    ).stderr  # fmt: skip
    assert not [name for name in ("keras", "tensorflow", "pandas", "scipy") if f"| {name}\n" in imports]


def wait_for(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
