import io
import os
import re
import zipfile

import numpy as np
import pytest

from fitbench.errors import DataError, RequestError
from fitbench.inference import arrays

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_npy_file_is_mapped(tmp_path):
    path = tmp_path / "x.NPY"
    path.write_bytes(npy(IMAGES))
    array = arrays.read_images(path, None)
    assert np.array_equal(array, IMAGES[..., None])
    assert isinstance(array, np.memmap)


def test_array_of_an_npz_is_x_test_or_the_only_one_or_the_named_one(tmp_path):
    path = tmp_path / "x.npz"
    other = IMAGES + 100
    np.savez(path, x_test=IMAGES, x_train=other, y_test=[1, 2, 3])
    assert np.array_equal(arrays.read_images(path, None)[..., 0], IMAGES)
    array = arrays.read_images(path, "x_train")
    assert isinstance(array, np.memmap)
    assert np.array_equal(array[..., 0], other)
    np.savez_compressed(path, pictures=IMAGES)
    assert np.array_equal(arrays.read_images(path, None)[..., 0], IMAGES)


def test_ambiguous_or_missing_array_of_an_npz_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=IMAGES, y=[1])
    with pytest.raises(RequestError, match=r"x\.npz: found a, y; choose the array of the images with --array NAME"):
        arrays.read_images(path, None)
    with pytest.raises(RequestError, match="has no array c; found a, y"):
        arrays.read_images(path, "c")
    np.savez(path)
    with pytest.raises(RequestError, match="found nothing"):
        arrays.read_images(path, None)


def test_nothing_is_unpickled(tmp_path):
    for name, save in (("x.npy", np.save), ("x.npz", np.savez)):
        path = tmp_path / name
        save(path, np.array([{}], object))
        with pytest.raises(DataError, match=rf"{name}: .*(not an array of plain numbers|never unpickled)"):
            arrays.read_images(path, None)


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros(5, np.uint8), r"uint8 \(5,\)"),
        (np.zeros((2, 4, 4, 5), np.uint8), r"uint8 \(2, 4, 4, 5\)"),
        (np.zeros((2, 0, 4), np.uint8), r"uint8 \(2, 0, 4, 1\)"),
        (np.zeros((2, 4, 4), np.float32), r"float32 \(2, 4, 4, 1\)"),
    ],
)
def test_array_that_does_not_hold_images_is_refused(tmp_path, array, found):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(DataError, match=rf"x\.npy: an array of {found}; expected images of uint8"):
        arrays.read_images(tmp_path / "x.npy", None)


@pytest.mark.parametrize(
    ("array", "model", "read"),
    [
        ((4, 5, 3), (4, 5, 3), (1, 4, 5, 3)),
        ((4, 5, 1), (4, 5, 1), (1, 4, 5, 1)),
        ((9, 4, 5), (4, 5, 1), (9, 4, 5, 1)),
        ((9, 8, 3), (8, 3, 1), (9, 8, 3, 1)),
        ((9, 60, 50), (4, 5, 1), (9, 60, 50, 1)),  # which are resized
        ((6, 7), (4, 5, 3), (1, 6, 7, 1)),
        ((6, 7, 3), (4, 5, 3), None),
        ((9, 4, 5), (4, 5, 3), (9, 4, 5, 1)),
        ((6, 7, 3), (4, 5, 1), None),
    ],
)
def test_three_axes_are_one_image_of_the_model_or_several_grey_ones(tmp_path, array, model, read):
    np.save(tmp_path / "x.npy", np.zeros(array, np.uint8))
    if read:
        assert arrays.read_images(tmp_path / "x.npy", None, shape=model).shape == read
        return
    with pytest.raises(DataError, match=rf"x\.npy: an array {re.escape(str(array))}, which can be one image in colour"):
        arrays.read_images(tmp_path / "x.npy", None, shape=model)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_error_names_a_damaged_file(tmp_path, name):
    (tmp_path / name).write_bytes(npy(IMAGES)[:-9])
    with pytest.raises(DataError, match=rf"{name}: "):
        arrays.read_images(tmp_path / name, None)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, name):
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(DataError, match=rf"{name}: .*a FIFO, not a regular file"):
        arrays.read_images(path, None)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(DataError, match=rf"{name}: .*a device, not a regular file"):
        arrays.read_images(path, None)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=rf"{name}: .*a folder, not a regular file"):
        arrays.read_images(path, None)


def test_zip_bomb_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.zeros((100_000, 28, 28), np.uint8))
    with pytest.raises(
        DataError, match=r"x\.npz: unpacks from [\d,]+ to 78,400,128 bytes, more than 200 times as many"
    ):
        arrays.read_images(path, None)
    with path.open("wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(IMAGES).replace(b"(3, 4, 5)", b"(3, 4, 500000000000)"))
    with pytest.raises(DataError, match=r"x\.npz: "):
        arrays.read_images(path, None)
