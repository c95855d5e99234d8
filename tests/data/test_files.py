import gzip
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitbench.data import files, image_files
from fitbench.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx_folder(folder: Path, compress: bool = False, dot: str = "-") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, (stem, dimensions) in files.IDX_STEMS.items():
        content = idx_bytes(IMAGES if part[0] == "x" else np.array([0, 1], np.uint8))
        path = folder / f"{stem}{dot}idx{dimensions}-ubyte{'.gz' if compress else ''}"
        path.write_bytes(gzip.compress(content) if compress else content)
    return folder


def write_npz(path: Path, **changes: object) -> Path:
    """A small good .npz file with some arrays changed, added, or (None) left out."""
    labels = np.array([0, 1])
    arrays = {"x_train": IMAGES, "y_train": labels, "x_test": IMAGES, "y_test": labels} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def write_image(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


# --- IDX


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dot", ["-", "."])
def test_idx_folder_is_read_with_either_name_gzipped_or_not(tmp_path, compress, dot):
    arrays = files.read_idx_folder(write_idx_folder(tmp_path, compress, dot))
    assert np.array_equal(arrays["x_train"], IMAGES)
    assert arrays["y_test"].tolist() == [0, 1]


def test_plain_idx_file_is_memory_mapped_and_read_only(tmp_path):
    array = files.read_idx_folder(write_idx_folder(tmp_path))["x_train"]
    assert isinstance(array, np.memmap)
    assert not array.flags.writeable


def test_plain_idx_file_is_preferred_to_its_gzipped_twin(tmp_path):
    write_idx_folder(tmp_path, compress=True)
    write_idx_folder(tmp_path)
    assert {path.suffix for path in files.find_idx(tmp_path).values()} == {""}


def test_idx_file_named_gz_that_was_unpacked_on_the_way_is_read(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(idx_bytes(IMAGES))
    assert np.array_equal(files.read_idx(path, 3), IMAGES)


def test_truncated_gzip_is_named(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES))[:-12])
    with pytest.raises(DataError, match=r"a\.gz: damaged or cut short"):
        files.read_idx(path, 3)


def test_gzip_with_garbage_inside_is_named(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES))[:10] + b"\xff" * 40)
    with pytest.raises(DataError, match=r"a\.gz: damaged or cut short"):
        files.read_idx(path, 3)


def test_gzip_whose_content_fails_its_checksum_is_named(tmp_path):
    content = bytearray(gzip.compress(idx_bytes(IMAGES)))
    content[-8] ^= 1
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.gz: damaged or cut short .*CRC"):
        files.read_idx(path, 3)


@pytest.mark.parametrize("content", [b"<html>not found</html>", b"", idx_bytes(np.zeros(2, np.uint8))])
def test_wrong_idx_magic_says_what_was_found_and_expected(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a: begins with the bytes .*expected 00 00 08 03"):
        files.read_idx(path, 3)


@pytest.mark.parametrize("change", [-5, 5])
@pytest.mark.parametrize("compress", [False, True])
def test_idx_header_that_disagrees_with_the_file_size_gives_both_numbers(tmp_path, change, compress):
    content = idx_bytes(IMAGES)
    content = content[:change] if change < 0 else content + b"\0" * change
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(content) if compress else content)
    with pytest.raises(DataError, match=rf"2 x 3 x 4 = 24 bytes of data, but it holds {24 + change}"):
        files.read_idx(path, 3)


def test_incomplete_idx_folder_names_what_is_missing(tmp_path):
    (write_idx_folder(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="no t10k-labels-idx1-ubyte"):
        files.read_idx_folder(tmp_path)


# --- .npz


def test_uncompressed_npz_arrays_are_memory_mapped_with_the_right_values(tmp_path):
    fortran = np.asfortranarray(np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8))
    arrays = files.read_npz(write_npz(tmp_path / "a.npz", x_test=fortran))
    assert isinstance(arrays["x_train"], np.memmap)
    assert np.array_equal(arrays["x_train"], IMAGES)
    assert isinstance(arrays["x_test"], np.memmap)
    assert np.array_equal(arrays["x_test"], fortran)


def test_compressed_npz_is_read(tmp_path):
    labels = np.array([0, 1])
    np.savez_compressed(tmp_path / "a.npz", x_train=IMAGES, y_train=labels, x_test=IMAGES, y_test=labels)
    arrays = files.read_npz(tmp_path / "a.npz")
    assert np.array_equal(arrays["x_train"], IMAGES)


@pytest.mark.parametrize("key", ["classes", "class_names"])
def test_npz_class_names_are_read_under_either_key(tmp_path, key):
    arrays = files.read_npz(write_npz(tmp_path / "a.npz", **{key: np.array(["cat", "dog"])}))
    assert arrays["classes"].tolist() == ["cat", "dog"]


def test_flipped_byte_in_an_uncompressed_npz_is_noticed(tmp_path):
    path = write_npz(tmp_path / "a.npz")
    content = bytearray(path.read_bytes())
    content[content.index(IMAGES.tobytes()) + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz: its array 'x_train' cannot be read"):
        files.read_npz(path)


def test_npz_member_shorter_than_its_header_says_is_noticed(tmp_path):
    path = write_npz(tmp_path / "a.npz", x_train=None)
    np.save(tmp_path / "x.npy", IMAGES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x_train.npy", (tmp_path / "x.npy").read_bytes()[:-4])
    with pytest.raises(DataError, match=r"a\.npz: its array 'x_train' cannot be read \(20 bytes"):
        files.read_npz(path)


def test_npz_without_a_key_says_which_and_what_it_has(tmp_path):
    path = write_npz(tmp_path / "a.npz", y_test=None)
    with pytest.raises(DataError, match=r"has no y_test; found x_train, y_train, x_test\."):
        files.read_npz(path)


def test_npz_with_pickled_objects_is_refused(tmp_path):
    path = write_npz(tmp_path / "a.npz", y_train=np.array([0, "one"], object))
    with pytest.raises(DataError, match="'y_train' holds Python objects, which are never unpickled"):
        files.read_npz(path)


def test_file_that_is_not_a_zip_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(DataError, match=r"a\.npz: not an \.npz file"):
        files.read_npz(path)


def test_truncated_npz_is_refused(tmp_path):
    path = write_npz(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"not an \.npz file, or cut short"):
        files.read_npz(path)


# --- CSV


def test_truncated_csv_is_named(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"1,2,3\n" * 100)[:-10])
    with pytest.raises(DataError, match=r"a\.csv\.gz: not a readable CSV"):
        files.read_csv(path)


# --- images


def test_grey_png_keeps_its_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7), np.uint8)
    image = image_files.read_image(write_image(tmp_path / "a.png", pixels), (5, 7, 1))
    assert image.dtype == np.uint8
    assert np.array_equal(image[..., 0], pixels)


def test_colour_is_kept_or_turned_grey_as_asked(tmp_path):
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


def test_image_is_turned_upright_as_its_exif_data_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side
    Image.fromarray(np.array([[10, 200]], np.uint8)).save(tmp_path / "a.png", exif=exif)
    assert image_files.read_image(tmp_path / "a.png", (2, 1, 1)).ravel().tolist() == [10, 200]


@pytest.mark.parametrize("kind", ["text", "truncated", "empty", "dangling link"])
def test_unreadable_image_is_named(tmp_path, kind):
    path = write_image(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (50, 50), np.uint8))
    content = path.read_bytes()
    if kind == "dangling link":
        path.unlink()
        path.symlink_to(tmp_path / "gone.png")
    else:
        path.write_bytes({"text": b"hello", "truncated": content[:500], "empty": b""}[kind])
    with pytest.raises(DataError, match=r"a\.png: not a readable image.*data\.skip_bad=true"):
        image_files.read_image(path, (50, 50, 1))


def test_images_on_disk_are_the_images_in_memory(tmp_path):
    rng = np.random.default_rng(0)
    paths = [write_image(tmp_path / f"{i}.png", rng.integers(0, 256, (4, 5, 3), np.uint8)) for i in range(20)]
    array, _ = image_files.read_images(paths, (4, 5, 3), skip_bad=False, in_memory=True)
    lazy, _ = image_files.read_images(paths, (4, 5, 3), skip_bad=False, in_memory=False)
    assert isinstance(lazy, image_files.ImageFiles)
    assert (len(lazy), lazy.shape, lazy.dtype) == (len(array), array.shape, array.dtype)
    for index in (slice(None), slice(3, 17, 4), np.array([5, -1, 5]), np.arange(20) % 3 == 0, [], 7):
        assert np.array_equal(lazy[index], array[index])
    with pytest.raises(IndexError):
        lazy[[20]]


def test_image_that_became_unreadable_is_named_when_it_is_asked_for(tmp_path):
    paths = [write_image(tmp_path / f"{i}.png", np.zeros((2, 2), np.uint8)) for i in range(3)]
    lazy, _ = image_files.read_images(paths, (2, 2, 1), skip_bad=False, in_memory=False)
    paths[1].write_bytes(b"")
    assert lazy[[0, 2]].shape == (2, 2, 2, 1)
    with pytest.raises(DataError, match=r"1\.png: not a readable image"):
        lazy[:]


@pytest.mark.parametrize("in_memory", [True, False])
def test_bad_image_is_refused_or_left_out(tmp_path, in_memory):
    paths = [write_image(tmp_path / f"{i}.png", np.full((2, 2), i, np.uint8)) for i in range(4)]
    paths[1].write_bytes(b"bad")
    with pytest.raises(DataError, match=r"1\.png"):
        image_files.read_images(paths, (2, 2, 1), skip_bad=False, in_memory=in_memory)
    images, bad = image_files.read_images(paths, (2, 2, 1), skip_bad=True, in_memory=in_memory)
    assert bad == [1]
    assert images[:][:, 0, 0, 0].tolist() == [0, 2, 3]


def test_images_are_listed_by_class_in_order_with_nested_and_linked_ones(tmp_path):
    pixels = np.zeros((2, 2), np.uint8)
    for name in ("b/2.PNG", "b/1.jpg", "a/deep/er/3.png", "a/.hidden.png", ".cache/4.png", "elsewhere.png"):
        write_image(tmp_path / "set" / name, pixels)
    (tmp_path / "set/a/notes.txt").write_text("not an image")
    write_image(tmp_path / "other/5.png", pixels)
    (tmp_path / "set/a/linked").symlink_to(tmp_path / "other")
    (tmp_path / "set/a/again").symlink_to(tmp_path / "set/a")  # a loop
    (tmp_path / "set/a/6.png").symlink_to(tmp_path / "other/5.png")
    found = image_files.list_images(tmp_path / "set")
    assert {
        name: [path.relative_to(tmp_path / "set" / name).as_posix() for path in paths] for name, paths in found.items()
    } == {"a": ["6.png", "deep/er/3.png", "linked/5.png"], "b": ["1.jpg", "2.PNG"]}
    assert list(found) == ["a", "b"]
