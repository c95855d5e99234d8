import itertools
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitbench.data.image_files import THREADS
from fitbench.inference import decoding
from fitbench.inference.decoding import BATCHES_AHEAD, TASK_IMAGES, decode_images, decoded
from fitbench.inference.prepare import Prepare
from fitbench.inference.sources import Batch

SHAPE = (4, 5, 1)


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[str]:
    """Write 300 image files, each of one grey level. The last but one is not an image."""
    folder = tmp_path_factory.mktemp("images")
    image_paths = [str(folder / f"{i:03}.png") for i in range(300)]
    for i, path in enumerate(image_paths):
        Image.new("L", (5, 4), i % 256).save(path)
    Path(image_paths[298]).write_bytes(b"none")
    return image_paths


def choose_none(pixels: np.ndarray | None) -> Prepare:
    return Prepare.none


def test_batches_come_in_order_with_their_errors(paths):
    batches = [Batch(paths), Batch(["x[1]", "x[2]"], np.full((2, 8, 8, 1), 9, np.uint8)), Batch(paths[:1])]
    results = list(decoded(batches, SHAPE, choose_none))
    assert [batch for batch, _, _ in results] == batches
    images = results[0][1]
    assert images.shape == (300, *SHAPE)
    expected = np.arange(300) % 256
    expected[298] = 0
    assert np.array_equal(images[:, 0, 0, 0], expected)
    assert results[0][2] == {298: "not a readable image (not a known image format)"}
    assert results[1][1].shape == (2, *SHAPE)
    assert (results[1][1] == 9).all()


def test_few_batches_are_decoded_ahead(paths):
    started = 0

    def endless() -> Iterator[Batch]:
        nonlocal started
        while True:
            started += 1
            yield Batch(paths[:10])

    with closing(decoded(endless(), SHAPE, choose_none)) as results:
        for count, _ in itertools.islice(enumerate(results, 1), 100):
            assert started <= count + BATCHES_AHEAD


def test_closing_cancels_what_has_not_begun(paths, monkeypatch):
    begun, proceed = itertools.count(), threading.Event()

    def slow(content, shape, prepare):
        if next(begun):  # all but the first task
            proceed.wait(60)
        return np.zeros((len(content), *shape), np.uint8), {}

    monkeypatch.setattr(decoding, "decode_images", slow)
    results = decoded([Batch(paths[:TASK_IMAGES]), *[Batch(paths)] * BATCHES_AHEAD], SHAPE, choose_none)
    next(results)
    timer = threading.Timer(0.5, proceed.set)
    timer.start()
    results.close()
    timer.join()
    assert next(begun) <= 1 + THREADS


def test_other_sizes_colours_and_alpha_are_converted_for_the_model():
    grey = np.full((1, 8, 10, 1), 50, np.uint8)
    assert decode_images(grey, SHAPE, Prepare.none)[0].tolist() == np.full((1, *SHAPE), 50).tolist()
    clear = np.zeros((1, 4, 5, 4), np.uint8)
    assert decode_images(clear, (4, 5, 3), Prepare.none)[0].min() == 255
    red = np.full((1, 4, 5, 3), (255, 0, 0), np.uint8)
    assert decode_images(red, SHAPE, Prepare.none)[0].max() == 76
