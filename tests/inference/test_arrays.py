import gzip
import io
import struct

import numpy as np
import pytest

from fitbench.errors import DataError, RequestError
from fitbench.inference import arrays
from fitbench.inference.prepare import Prepare

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
SHAPE = (4, 5, 1)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("x.npy", npy(IMAGES), "npy"),
        ("x.npy.gz", gzip.compress(npy(IMAGES)), "npy"),
        ("x-images-idx3-ubyte", idx(IMAGES), "idx"),
        ("x.gz", gzip.compress(idx(IMAGES)), "idx"),
        ("x.dat", idx(IMAGES[..., None]), "idx"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # gzip content contains the time
)
def test_array_files_are_recognised_by_content(tmp_path, name, content, kind):
    path = tmp_path / name
    path.write_bytes(content)
    assert arrays.kind(path) == kind
    pixels, key = arrays.read_pixels(path, None)
    assert key == ""
    assert np.array_equal(pixels, IMAGES[..., None])
    assert isinstance(pixels, np.memmap) is not name.endswith(".gz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 zip", b"hello", b"\x1f\x8b not gzip"])
def test_other_files_are_not_recognised_as_arrays(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    assert arrays.kind(path) is None
    assert arrays.kind(tmp_path / "none") is None


def test_array_of_an_npz_is_x_test_or_the_only_one_or_the_named_one(tmp_path):
    path = tmp_path / "x.npz"
    other = IMAGES + 100
    np.savez(path, x_test=IMAGES, x_train=other, y_test=[1, 2, 3])
    assert arrays.read_pixels(path, None)[1] == "x_test"
    pixels, key = arrays.read_pixels(path, "x_train")
    assert (key, isinstance(pixels, np.memmap)) == ("x_train", True)
    assert np.array_equal(pixels[..., 0], other)
    assert arrays.read_labels(path, "x_test").tolist() == [1, 2, 3]
    np.savez_compressed(path, pictures=IMAGES, labels=np.array(["a", "b", "a"]))
    assert arrays.read_pixels(path, None)[1] == "pictures"
    assert arrays.read_labels(path, "pictures").tolist() == ["a", "b", "a"]


def test_ambiguous_or_missing_array_of_an_npz_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=IMAGES, b=IMAGES, y=[1])
    with pytest.raises(RequestError, match=r"several arrays .* a \(3, 4, 5\), b \(3, 4, 5\).*--array NAME"):
        arrays.read_pixels(path, None)
    with pytest.raises(RequestError, match="has no array c; found a"):
        arrays.read_pixels(path, "c")
    np.savez(path, y=[1])
    with pytest.raises(DataError, match=r"no array in it can hold images; found y \(1,\)"):
        arrays.read_pixels(path, None)
    with pytest.raises(DataError, match="has no y_test or labels or y; found pictures"):
        np.savez(path, pictures=IMAGES)
        arrays.read_labels(path, "x_test")


def test_nothing_is_unpickled(tmp_path):
    for name, save in (("x.npy", np.save), ("x.npz", np.savez)):
        path = tmp_path / name
        save(path, np.array([{}], object))
        with pytest.raises(DataError, match=r"Python objects, which are never unpickled|can hold images"):
            arrays.read_pixels(path, None)
    with pytest.raises(DataError, match="Python objects"):
        arrays.read_pixels(tmp_path / "x.npz", "arr_0")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5, np.uint8), r"an array \(5,\)"),
        (np.zeros((2, 4, 4, 5), np.uint8), r"an array \(2, 4, 4, 5\); expected images"),
        (np.zeros((2, 0, 4), np.uint8), "expected images"),
        (np.zeros((2, 4, 4), "U1"), "an array of <U1; expected numbers"),
        (np.zeros((2, 4, 4), complex), "expected numbers"),
    ],
)
def test_array_that_does_not_hold_images_is_refused(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(DataError, match=message):
        arrays.read_pixels(tmp_path / "x.npy", None)


def test_error_names_a_damaged_file(tmp_path):
    for name, content in (
        ("x.npy", npy(IMAGES)[:-9]),
        ("x", idx(IMAGES)[:-1]),
        ("x.gz", gzip.compress(idx(IMAGES))[:-4]),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"{name}: "):
            arrays.read_pixels(tmp_path / name, None)


def test_rows_of_other_number_types_are_converted():
    for kind in (np.float32, np.int64, np.uint16):
        pixels, errors = arrays.read_rows(IMAGES[..., None].astype(kind), False, SHAPE, Prepare.none)
        assert (pixels.dtype, errors) == (np.uint8, {})
        assert np.array_equal(pixels[..., 0], IMAGES)


def test_16_bit_pixels_are_scaled():
    deep = (IMAGES.astype(np.uint16) * 257)[..., None]
    assert arrays.is_deep(deep)
    assert not arrays.is_deep(IMAGES[..., None].astype(np.uint16))
    assert np.array_equal(arrays.read_rows(deep, True, SHAPE, Prepare.none)[0][..., 0], IMAGES)


def test_rows_with_invalid_pixels_get_an_error_and_the_others_are_read():
    values = IMAGES[..., None].astype(np.float32)
    values[0] /= 255
    values[2, 1, 1] = np.nan
    pixels, errors = arrays.read_rows(values, False, SHAPE, Prepare.none)
    assert errors == {
        0: "pixels from 0 to 0.07451; expected whole numbers from 0 to 255",
        2: "pixels from nan to nan; expected whole numbers from 0 to 255",
    }
    assert np.array_equal(pixels[1, ..., 0], IMAGES[1])


def test_other_sizes_colours_and_alpha_are_converted_for_the_model():
    grey = np.full((1, 8, 10, 1), 50, np.uint8)
    assert arrays.read_rows(grey, False, SHAPE, Prepare.none)[0].tolist() == np.full((1, *SHAPE), 50).tolist()
    clear = np.zeros((1, 4, 5, 4), np.uint8)
    assert arrays.read_rows(clear, False, (4, 5, 3), Prepare.none)[0].min() == 255
    red = np.full((1, 4, 5, 3), (255, 0, 0), np.uint8)
    assert arrays.read_rows(red, False, SHAPE, Prepare.none)[0].max() == 76
