import gzip
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fitbench.data import files, npz
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
    """Write a small valid .npz file with some arrays changed, added, or removed (None)."""
    labels = np.array([0, 1])
    arrays = {"x_train": IMAGES, "y_train": labels, "x_test": IMAGES, "y_test": labels} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


# --- IDX


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dot", ["-", "."])
def test_idx_folder_is_read_with_either_spelling_gzipped_or_not(tmp_path, compress, dot):
    arrays = files.read_idx_folder(write_idx_folder(tmp_path, compress, dot))
    assert np.array_equal(arrays["x_train"], IMAGES)
    assert arrays["y_test"].tolist() == [0, 1]


def test_plain_idx_file_is_memory_mapped_and_read_only(tmp_path):
    array = files.read_idx_folder(write_idx_folder(tmp_path))["x_train"]
    assert isinstance(array, np.memmap)
    assert not array.flags.writeable


def test_plain_idx_file_is_preferred_to_a_gzipped_one(tmp_path):
    write_idx_folder(tmp_path, compress=True)
    write_idx_folder(tmp_path)
    assert {path.suffix for path in files.find_idx(tmp_path).values()} == {""}


def test_unpacked_idx_file_whose_name_ends_in_gz_is_read(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(idx_bytes(IMAGES))
    assert np.array_equal(files.read_idx(path, 3), IMAGES)


def test_truncated_gzip_is_refused(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES))[:-12])
    with pytest.raises(DataError, match=r"a\.gz: damaged or cut short"):
        files.read_idx(path, 3)


def test_gzip_with_garbage_inside_is_refused(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES))[:10] + b"\xff" * 40)
    with pytest.raises(DataError, match=r"a\.gz: damaged or cut short"):
        files.read_idx(path, 3)


def test_gzip_with_a_wrong_checksum_is_refused(tmp_path):
    content = bytearray(gzip.compress(idx_bytes(IMAGES)))
    content[-8] ^= 1
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.gz: damaged or cut short .*CRC"):
        files.read_idx(path, 3)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"<html>not found</html>", "Download it again"),
        (b"", "Download it again"),
        (b"\0\0\x0d" + idx_bytes(IMAGES)[3:], "Save it in this form"),  # of floating-point numbers
        (idx_bytes(np.zeros((1, 2, 3, 3), np.uint8)), "Save it in this form"),
    ],
)
def test_file_with_a_wrong_idx_magic_is_refused(tmp_path, content, advice):
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a: begins with the bytes .*expected 00 00 08 03.*\. {advice}\.$"):
        files.read_idx(path, 3)


@pytest.mark.parametrize("change", [-5, 5])
@pytest.mark.parametrize("compress", [False, True])
def test_idx_file_whose_size_does_not_match_its_header_is_refused(tmp_path, change, compress):
    content = idx_bytes(IMAGES)
    content = content[:change] if change < 0 else content + b"\0" * change
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(content) if compress else content)
    held = "more than 24" if compress and change > 0 else 24 + change  # the rest is not unpacked
    with pytest.raises(DataError, match=rf"2 x 3 x 4 = 24 bytes of data, but it holds {held}"):
        files.read_idx(path, 3)


def test_error_about_an_incomplete_idx_folder_names_the_missing_file(tmp_path):
    (write_idx_folder(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="no t10k-labels-idx1-ubyte"):
        files.read_idx_folder(tmp_path)


# --- .npz


def test_uncompressed_npz_arrays_are_memory_mapped(tmp_path):
    fortran = np.asfortranarray(np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8))
    arrays = npz.read_npz(write_npz(tmp_path / "a.npz", x_test=fortran))
    assert isinstance(arrays["x_train"], np.memmap)
    assert np.array_equal(arrays["x_train"], IMAGES)
    assert isinstance(arrays["x_test"], np.memmap)
    assert np.array_equal(arrays["x_test"], fortran)


def test_compressed_npz_is_read(tmp_path):
    labels = np.array([0, 1])
    np.savez_compressed(tmp_path / "a.npz", x_train=IMAGES, y_train=labels, x_test=IMAGES, y_test=labels)
    arrays = npz.read_npz(tmp_path / "a.npz")
    assert np.array_equal(arrays["x_train"], IMAGES)


@pytest.mark.parametrize("key", ["classes", "class_names"])
def test_npz_class_names_are_read_under_either_key(tmp_path, key):
    arrays = npz.read_npz(write_npz(tmp_path / "a.npz", **{key: np.array(["cat", "dog"])}))
    assert arrays["classes"].tolist() == ["cat", "dog"]


def test_flipped_byte_in_an_uncompressed_npz_is_refused(tmp_path):
    path = write_npz(tmp_path / "a.npz")
    content = bytearray(path.read_bytes())
    content[content.index(IMAGES.tobytes()) + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz: its array 'x_train' cannot be read"):
        npz.read_npz(path)


def test_npz_member_that_is_shorter_than_its_header_states_is_refused(tmp_path):
    path = write_npz(tmp_path / "a.npz", x_train=None)
    np.save(tmp_path / "x.npy", IMAGES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x_train.npy", (tmp_path / "x.npy").read_bytes()[:-4])
    with pytest.raises(DataError, match=r"a\.npz: its array 'x_train' cannot be read \(20 bytes"):
        npz.read_npz(path)


def test_error_about_an_npz_without_an_array_names_it_and_the_existing_arrays(tmp_path):
    path = write_npz(tmp_path / "a.npz", y_test=None)
    with pytest.raises(DataError, match=r"has no y_test; found x_train, y_train, x_test\."):
        npz.read_npz(path)


def test_npz_with_pickled_objects_is_refused(tmp_path):
    path = write_npz(tmp_path / "a.npz", y_train=np.array([0, "one"], object))
    with pytest.raises(DataError, match="'y_train' holds Python objects, which are never unpickled"):
        npz.read_npz(path)


def test_file_that_is_not_a_zip_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(DataError, match=r"a\.npz: not an \.npz file"):
        npz.read_npz(path)


def test_truncated_npz_is_refused(tmp_path):
    path = write_npz(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"not an \.npz file, or cut short"):
        npz.read_npz(path)


# --- CSV


def test_truncated_csv_is_refused(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"1,2,3\n" * 100)[:-10])
    with pytest.raises(DataError, match=r"a\.csv\.gz: damaged or cut short .*expected a CSV"):
        files.read_csv(path)


# --- hostile files


def test_header_that_claims_more_than_the_file_holds_takes_no_memory(tmp_path):
    header = struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    (tmp_path / "a").write_bytes(header)
    with pytest.raises(DataError, match=r"a: its header states .* but it holds 0"):
        files.read_idx(tmp_path / "a", 3)
    (tmp_path / "a").write_bytes(gzip.compress(header))
    with pytest.raises(DataError, match=r"a: unpacks to 79,\d+,.* bytes, and there is memory for"):
        files.read_idx(tmp_path / "a", 3)


@pytest.mark.parametrize("compress", [False, True])
def test_empty_idx_array_with_impossible_sides_is_refused(tmp_path, compress):
    content = struct.pack(">BBBB3I", 0, 0, 8, 3, 0, 2**32 - 1, 2**32 - 1)
    (tmp_path / "a").write_bytes(gzip.compress(content) if compress else content)
    with pytest.raises(DataError, match=r"a: damaged or cut short .*Download it again"):
        files.read_idx(tmp_path / "a", 3)


@pytest.mark.parametrize("write", ["savez", "savez_compressed"])
@pytest.mark.parametrize("shape", [b"(1000000000000,)", b"(-1, -24)", b"(2, 3, 4" + b"(" * 400])
def test_npz_header_that_does_not_fit_its_member_is_refused(tmp_path, write, shape):
    getattr(np, write)(tmp_path / "b.npz", x_train=np.zeros((2, 3, 4), np.uint8))
    with zipfile.ZipFile(tmp_path / "b.npz") as archive:
        content = archive.read("x_train.npy")
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + b", }"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    path = write_npz(tmp_path / "a.npz", x_train=None)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED if "compressed" in write else zipfile.ZIP_STORED) as archive:
        archive.writestr("x_train.npy", head + content[128:])
    with pytest.raises(DataError, match=r"a\.npz: its array 'x_train' cannot be read"):
        npz.read_npz(path)


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    zeros = bytes(2**20)
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        file.write(struct.pack(">BBBB3I", 0, 0, 8, 3, 70, 2**10, 2**10))
        for _ in range(70):
            file.write(zeros)
    with pytest.raises(
        DataError, match=r"a\.gz: unpacks from \d+,\d+ to 73,400,320 bytes, more than 200 times as many"
    ):
        files.read_idx(tmp_path / "a.gz", 3)
    path = write_npz(tmp_path / "a.npz", x_train=None)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("x_train.npy", "w") as member:
        np.lib.format.write_array_header_1_0(
            member, {"descr": "|u1", "fortran_order": False, "shape": (70, 1024, 1024)}
        )
        for _ in range(70):
            member.write(zeros)
    with pytest.raises(DataError, match=r"its array 'x_train' unpacks from .* to 73,400,448 bytes, more than 200"):
        npz.read_npz(path)


def test_member_in_a_format_that_numpy_does_not_write_is_refused(tmp_path):
    path = write_npz(tmp_path / "a.npz", x_train=None)
    np.save(tmp_path / "x.npy", IMAGES)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:  # may claim a dictionary of 4 GB
        archive.write(tmp_path / "x.npy", "x_train.npy")
    with pytest.raises(DataError, match="'x_train' is compressed in a way that NumPy does not write"):
        npz.read_npz(path)


def test_files_that_are_no_files_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"a\.npz: a FIFO, not a regular file"):
        npz.read_npz(tmp_path / "a.npz")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(DataError, match="zero: a device, not a regular file"):
        files.read_idx(tmp_path / "zero", 3)
    write_idx_folder(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    os.mkfifo(tmp_path / "t10k-images-idx3-ubyte")
    with pytest.raises(DataError, match="no t10k-images-idx3-ubyte"):
        files.read_idx_folder(tmp_path)
