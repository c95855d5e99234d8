from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitbench.data import folder_layout, image_arrays, image_files
from fitbench.data.image_paths import LeftOut, list_folder
from fitbench.errors import DataError


def write_image(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_grey_png_keeps_its_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7), np.uint8)
    image = image_files.read_image(write_image(tmp_path / "a.png", pixels), (5, 7, 1))
    assert image.dtype == np.uint8
    assert np.array_equal(image[..., 0], pixels)


def test_colour_image_is_read_as_rgb_or_grey(tmp_path):
    path = write_image(tmp_path / "a.png", np.full((2, 2, 3), (255, 0, 0), np.uint8))
    assert image_files.read_image(path, (2, 2, 3))[0, 0].tolist() == [255, 0, 0]
    assert image_files.read_image(path, (2, 2, 1))[0, 0].tolist() == [76]  # ITU-R 601-2 luma


def test_height_comes_before_width(tmp_path):
    pixels = np.zeros((4, 8), np.uint8)
    pixels[:2] = 200
    image = image_files.read_image(write_image(tmp_path / "a.png", pixels), (2, 6, 1))
    assert image.shape == (2, 6, 1)
    assert image[0].min() > 150
    assert image[1].max() < 50


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    pixels = np.array([[0, 257, 32896, 65535]], np.uint16)
    image = image_files.read_image(write_image(tmp_path / "a.png", pixels), (1, 4, 1))
    assert image.ravel().tolist() == [0, 1, 128, 255]


def test_transparent_pixels_are_white(tmp_path):
    pixels = np.array([[[0, 0, 0, 0], [10, 20, 30, 255]]], np.uint8)
    image = image_files.read_image(write_image(tmp_path / "a.png", pixels), (1, 2, 3))
    assert image.tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_palette_image_is_read_as_its_colours(tmp_path):
    image = Image.fromarray(np.array([[[1, 2, 3], [200, 100, 50]]], np.uint8))
    image.quantize(2).save(tmp_path / "a.gif")
    assert image_files.read_image(tmp_path / "a.gif", (1, 2, 3)).tolist() == [[[1, 2, 3], [200, 100, 50]]]


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side
    Image.fromarray(np.array([[10, 200]], np.uint8)).save(tmp_path / "a.png", exif=exif)
    assert image_files.read_image(tmp_path / "a.png", (2, 1, 1)).ravel().tolist() == [10, 200]


@pytest.mark.parametrize("kind", ["text", "truncated", "empty", "dangling link"])
def test_error_names_an_unreadable_image(tmp_path, kind):
    path = write_image(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (50, 50), np.uint8))
    content = path.read_bytes()
    if kind == "dangling link":
        path.unlink()
        path.symlink_to(tmp_path / "gone.png")
    else:
        path.write_bytes({"text": b"hello", "truncated": content[:500], "empty": b""}[kind])
    with pytest.raises(DataError, match=r"a\.png: not a readable image.*data\.skip_bad=true"):
        image_arrays.read_images([path], (50, 50, 1), skip_bad=False, in_memory=True)


def test_images_read_from_disk_equal_the_images_in_memory(tmp_path):
    rng = np.random.default_rng(0)
    paths = [write_image(tmp_path / f"{i}.png", rng.integers(0, 256, (4, 5, 3), np.uint8)) for i in range(20)]
    array, _ = image_arrays.read_images(paths, (4, 5, 3), skip_bad=False, in_memory=True)
    lazy, _ = image_arrays.read_images(paths, (4, 5, 3), skip_bad=False, in_memory=False)
    assert isinstance(lazy, image_arrays.ImageFiles)
    assert (len(lazy), lazy.shape, lazy.dtype) == (len(array), array.shape, array.dtype)
    for index in (slice(None), slice(3, 17, 4), np.array([5, -1, 5]), np.arange(20) % 3 == 0, [], 7):
        assert np.array_equal(lazy[index], array[index])
    with pytest.raises(IndexError):
        lazy[[20]]


def test_error_names_an_image_that_became_unreadable(tmp_path):
    paths = [write_image(tmp_path / f"{i}.png", np.full((2, 2), 200, np.uint8)) for i in range(3)]
    lazy, _ = image_arrays.read_images(paths, (2, 2, 1), skip_bad=False, in_memory=False)
    paths[1].write_bytes(b"")
    assert lazy[[0, 2]].shape == (2, 2, 2, 1)
    with pytest.raises(DataError, match=r"1\.png: not a readable image"):
        lazy[:]


@pytest.mark.parametrize("in_memory", [True, False])
def test_bad_image_is_refused_or_skipped(tmp_path, in_memory):
    paths = [write_image(tmp_path / f"{i}.png", np.full((2, 2), 200 + i, np.uint8)) for i in range(4)]
    paths[1].write_bytes(b"bad")
    with pytest.raises(DataError, match=r"1\.png"):
        image_arrays.read_images(paths, (2, 2, 1), skip_bad=False, in_memory=in_memory)
    images, bad = image_arrays.read_images(paths, (2, 2, 1), skip_bad=True, in_memory=in_memory)
    assert list(bad) == [1]
    assert images[:][:, 0, 0, 0].tolist() == [200, 202, 203]


def test_images_are_listed_by_class_including_nested_and_linked_files(tmp_path):
    pixels = np.zeros((2, 2), np.uint8)
    for name in ("b/2.PNG", "b/1.jpg", "a/deep/er/3.png", "a/.hidden.png", ".cache/4.png", "elsewhere.png"):
        write_image(tmp_path / "set" / name, pixels)
    (tmp_path / "set/a/notes.txt").write_text("not an image")
    write_image(tmp_path / "other/5.png", pixels)
    (tmp_path / "set/a/linked").symlink_to(tmp_path / "other")
    (tmp_path / "set/a/again").symlink_to(tmp_path / "set/a")  # a loop
    (tmp_path / "set/a/6.png").symlink_to(tmp_path / "other/5.png")
    place = list_folder(str(tmp_path / "set"), LeftOut())
    by_class = folder_layout.list_images(place, LeftOut())
    assert {
        name: [path.removeprefix(f"{tmp_path}/set/{name}/") for path in paths] for name, paths in by_class.items()
    } == {"a": ["6.png", "deep/er/3.png", "linked/5.png"], "b": ["1.jpg", "2.PNG"]}
    assert list(by_class) == ["a", "b"]
