import io
import itertools
import os
import resource
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitbench.data.image_files import THREADS, read_image
from fitbench.errors import DataError
from fitbench.inference import arrays, decoding
from fitbench.inference.card import white_of
from fitbench.inference.decoding import BATCHES_AHEAD, TASK_IMAGES, decode, decode_images, decoded
from fitbench.inference.prepare import Prepare
from fitbench.inference.sources import Batch

NOISE = np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of black pixels that contains only the first rows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", encoded(Image.fromarray(NOISE), "PNG"))
    return file.getvalue()


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG"])
def test_formats_are_recognised_by_content(tmp_path, format):
    options = {"lossless": True} if format == "WEBP" else {}
    path = tmp_path / "image.dat"
    path.write_bytes(encoded(Image.fromarray(NOISE), format, **options))
    pixels = np.asarray(decode(path, "x").convert("L"), int)
    assert np.abs(pixels - NOISE).max() <= (60 if format == "JPEG" else 0)


def test_16_bits_alpha_and_orientation_are_displayed_as_in_a_viewer():
    deep = Image.fromarray(np.array([[0, 257, 65535]], np.uint16))
    assert np.asarray(decode(io.BytesIO(encoded(deep, "TIFF")), "x")).tolist() == [[0, 1, 255]]
    clear = Image.fromarray(np.array([[[9, 9, 9, 0], [9, 9, 9, 255]]], np.uint8))
    assert np.asarray(decode(io.BytesIO(encoded(clear, "PNG")), "x").convert("L")).tolist() == [[255, 9]]
    lying = Image.Exif()
    lying[0x0112] = 6
    turned = encoded(Image.fromarray(np.array([[10, 200]], np.uint8)), "PNG", exif=lying)
    assert np.asarray(decode(io.BytesIO(turned), "x")).tolist() == [[10], [200]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a known image format"),
        (b"hello", "not a known image format"),
        (zipped(), "not a known image format"),
        (encoded(Image.fromarray(NOISE), "PNG")[:900], "truncated"),
        (encoded(Image.fromarray(NOISE), "JPEG")[:900], "truncated"),
        (encoded(Image.fromarray(NOISE), "TIFF")[:900], ""),
        (encoded(Image.fromarray(NOISE.astype(np.float32)), "TIFF"), "floating-point"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a known image format"),
        (bomb(50_000, 50_000), "more than 100,000,000 pixels"),
        (bomb(11_000, 10_000), r"11,000 x 10,000 pixels; at most 100,000,000"),
    ],
    ids=["empty", "text", "zip", "cut PNG", "cut JPEG", "cut TIFF", "floats", "PostScript", "bomb", "large"],
)
def test_error_names_a_file_that_is_not_an_image(tmp_path, content, reason):
    path = tmp_path / "a\n.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"^a\\n\.png: not a readable image \(.*{reason}"):
        decode(path, "a\n.png")


def test_missing_file_folder_and_pipe_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for name, reason in (
        ("none.png", "no such file"),
        (".", "a folder that cannot be listed"),
        ("pipe.png", "a FIFO, not a regular file"),
    ):
        with pytest.raises(DataError, match=reason):
            decode(tmp_path / name, name)


def test_limit_of_pixels_can_be_lowered():
    with pytest.raises(DataError, match="60 x 60 pixels; at most 3,599"):
        decode(io.BytesIO(encoded(Image.fromarray(NOISE), "PNG")), "x", max_pixels=3599)


def test_bomb_takes_no_memory_and_invalid_metadata_give_no_warning(tmp_path):
    bombs, odd = tmp_path / "bomb.png", tmp_path / "odd.jpg"
    bombs.write_bytes(bomb(50_000, 50_000))
    exif = Image.Exif()
    exif[0x0112] = 1
    odd.write_bytes(encoded(Image.fromarray(NOISE), "JPEG", exif=exif.tobytes()[:-3]))
    program = (
        "import sys; from fitbench.inference.decoding import decode; from fitbench.errors import DataError\n"
        "decode(sys.argv[2], 'odd')\n"
        "try: decode(sys.argv[1], 'bomb')\n"
        "except DataError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(bombs), str(odd)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)),
    )
    assert "more than 100,000,000 pixels" in done.stdout
    assert done.stderr == ""


# -- batches ----------------------------------------------------------------------------------------------------------

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

    def slow(content, shape, prepare, max_value):
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


def test_files_and_arrays_have_the_scale_of_the_data_that_the_model_was_trained_on(tmp_path):
    twelve_bits = (NOISE.astype(np.uint16) * 16)[:28, :28]
    path = tmp_path / "12_bits.png"
    Image.fromarray(twelve_bits).save(path)
    expected = read_image(path, (28, 28, 1), max_value=4095)
    images, errors = decode_images([str(path)], (28, 28, 1), Prepare.none, max_value=4095)
    assert not errors
    assert np.array_equal(images[0], expected)
    assert images.max() > 250
    np.save(tmp_path / "12_bits.npy", twelve_bits[np.newaxis])
    rows = arrays.read_images(tmp_path / "12_bits.npy", None, max_value=4095)
    assert np.array_equal(rows[0], expected)
    assert white_of({"config": {"data": {"max_value": 4095}}}) == 4095
    assert white_of({"config": {"data": {}}}) is None
