"""What arrays of any shape and type are taken as, what the model gets of them, and which are refused."""

import numpy as np
import pytest

from fitbench.config import ArrayFiles, Source, from_values, plain
from fitbench.data import loading, memory
from fitbench.data.arrays import decided_kind
from fitbench.data.dataset import Dataset
from fitbench.errors import DataError, RequestError

RANDOM = np.random.default_rng(0)
SERIES = RANDOM.normal(size=(6, 5, 2))
GREY = RANDOM.uniform(0, 1, (6, 5, 2))
TOKENS = RANDOM.integers(0, 50, (6, 4))
TOKENS[0, :2] = 49, 0
ROWS = RANDOM.normal(size=(6, 3)).astype(np.float32)
LABELS = np.array([0, 1, 0, 1, 0, 1])


def changed(array: np.ndarray, place: tuple[int, ...], value: float) -> np.ndarray:
    array = array.copy()
    array[place] = value
    return array


def arrays_of(x: np.ndarray, **others: object) -> dict[str, np.ndarray]:
    arrays = {"x_train": x, "y_train": LABELS, "x_test": x, "y_test": LABELS} | others
    return {name: np.asarray(array) for name, array in arrays.items()}


def section(path: object, **settings: object) -> ArrayFiles:
    return ArrayFiles(name="a", source=Source.npz, preprocess=None, path=str(path), **settings)


@pytest.fixture
def read(tmp_path):
    """Writes arrays into an .npz file and reads them as a data set: read({"x_train": ..}, inputs="series")."""

    def reading(arrays: dict[str, np.ndarray], task: str = "auto", **settings: object) -> Dataset:
        np.savez(tmp_path / "a.npz", **arrays)
        loading._latest.clear()
        return loading.load(section(tmp_path / "a.npz", **settings), task)

    return reading


@pytest.mark.parametrize(
    ("x", "kind", "shape", "dtype"),
    [
        (SERIES, "series", (5, 2), "float32"),
        (SERIES.astype(np.float16), "series", (5, 2), "float32"),
        (SERIES.astype(">f4"), "series", (5, 2), "float32"),
        (np.rint(SERIES * 9).astype(np.int64), "series", (5, 2), "float32"),
        (GREY, "series", (5, 2), "float32"),
        (TOKENS, "tokens", (4,), "int32"),
        (TOKENS.astype(np.uint8), "tokens", (4,), "int32"),
        (TOKENS - 1, "arrays", (4,), "int32"),
        (TOKENS > 20, "arrays", (4,), "uint8"),
        (ROWS, "arrays", (3,), "float32"),
        (ROWS[:, :, None, None, None], "arrays", (3, 1, 1, 1), "float32"),
        (np.full((6, 5, 4, 2), 255, np.uint8), "images", (5, 4, 2), "uint8"),
        (np.full((6, 5, 4), 255.0), "images", (5, 4, 1), "uint8"),
        (np.full((6, 5, 4), 255, np.int64), "images", (5, 4, 1), "uint8"),
    ],
)
def test_shape_type_and_values_of_the_training_part_decide_what_arrays_are(read, x, kind, shape, dtype):
    dataset = read(arrays_of(x))
    assert (dataset.kind, dataset.inputs.shape, dataset.inputs.dtype) == (kind, shape, dtype)
    assert np.array_equal(dataset.x_train, x.astype(dtype).reshape(len(x), *shape))
    assert dataset.x_train.dtype == dataset.x_test.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("x", "settings", "kind", "shape", "dtype"),
    [
        (TOKENS.astype(np.uint8), {"inputs": "arrays"}, "arrays", (4,), "uint8"),
        (TOKENS, {"inputs": "arrays"}, "arrays", (4,), "int32"),
        (ROWS, {"inputs": "series"}, "series", (3, 1), "float32"),
        (GREY, {"inputs": "arrays"}, "arrays", (5, 2), "float32"),
        (GREY, {"max_value": 1}, "images", (5, 2, 1), "uint8"),
        (np.full((6, 5, 4), 255, np.uint8), {"inputs": "series"}, "series", (5, 4), "float32"),
        (np.zeros((6, 2, 2, 1)) - 1, {"inputs": "arrays"}, "arrays", (2, 2, 1), "float32"),
        (TOKENS, {"vocabulary": 60}, "tokens", (4,), "int32"),
    ],
)
def test_settings_say_what_arrays_are(read, x, settings, kind, shape, dtype):
    dataset = read(arrays_of(x), **settings)
    assert (dataset.kind, dataset.inputs.shape, dataset.inputs.dtype) == (kind, shape, dtype)
    assert not any("taken as" in note for note in dataset.notes)
    assert section("/a.npz", **settings).kind == kind  # which is known before the arrays are read


@pytest.mark.parametrize(
    ("x", "note"),
    [
        (ROWS, "float32 (6, 3): taken as arrays; data.inputs=series takes them as series of one channel"),
        (SERIES, "float64 (6, 5, 2): taken as series; data.inputs=arrays takes them as other arrays"),
        (GREY, "float64 (6, 5, 2): taken as series; data.max_value=1 takes them as images whose white is 1"),
        (TOKENS, "int64 (6, 4): taken as sequences of tokens; data.inputs=arrays takes them as arrays of numbers"),
        (np.full((6, 5, 4), 9.0), "float64 (6, 5, 4): taken as images; data.inputs=series takes them as series"),
        (ROWS[:, :, None, None, None], "float32 (6, 3, 1, 1, 1): taken as arrays"),
    ],
)
def test_a_note_says_what_was_taken_and_how_to_say_otherwise(read, x, note, capsys):
    is_image = "images;" in note
    x = x * (255 / x.max()) if is_image else x
    assert read(arrays_of(x)).notes[0] == f"x_train, {note}"
    assert note in capsys.readouterr().err


@pytest.mark.parametrize(("x", "noun"), [(SERIES, "series"), (TOKENS, "sequences"), (ROWS, "arrays")])
def test_a_note_says_that_all_test_examples_are_training_examples(read, x, noun):
    note = f"6 of 6 test {noun} are also in the training part"
    assert note in read(arrays_of(x)).notes
    assert note in read(arrays_of(x, x_test=x[::-1])).notes
    other = x.copy()
    other[0] = (x[0] + x[1]) // 2  # some are often repeated, so that nothing is said of them
    assert not any("also in the training" in text for text in read(arrays_of(x, x_test=other)).notes)


def test_a_note_says_that_fractions_made_a_regression(read):
    values = LABELS + 0.5
    arrays = arrays_of(ROWS, y_train=values, y_test=values)
    note = "y: the values have fractions and are taken as numbers to predict: task=regression; classes are whole"
    assert any(text.startswith(note) for text in read(arrays).notes)
    assert not any("fractions" in text for text in read(arrays, task="regression").notes)  # which the user asked for


def test_the_test_part_decides_nothing(read):
    x_test = changed(np.full((6, 5, 4), 255.0), (0, 0, 0), 0.5)
    with pytest.raises(DataError, match=r"x_test holds fractions.*set data\.inputs=arrays\."):
        read(arrays_of(np.full((6, 5, 4), 255.0), x_test=x_test))
    with pytest.raises(DataError, match=r"x_test holds the token -1 in row 2 .*data.inputs=arrays"):
        read(arrays_of(TOKENS, x_test=changed(TOKENS, (2, 1), -1)))


def test_large_array_is_decided_a_chunk_at_a_time(monkeypatch):
    whole = np.zeros((50, 4, 4))
    monkeypatch.setattr(memory, "CHUNK_BYTES", 3 * whole[:1].nbytes)
    assert decided_kind(whole) == "images"
    assert decided_kind(changed(whole, (49, 3, 3), 0.5)) == "series"


def test_tokens_end_at_the_largest_of_training_and_validation_or_where_they_are_said_to(read):
    assert read(arrays_of(TOKENS)).vocabulary == 50
    dataset = read(arrays_of(TOKENS, x_val=TOKENS[:2] + 9, y_val=LABELS[:2]))
    assert (dataset.vocabulary, dataset.validation, dataset.inputs.vocabulary) == (59, 2, 59)
    assert read(arrays_of(TOKENS, x_test=TOKENS + 40), vocabulary=90).vocabulary == 90


@pytest.mark.parametrize(
    ("arrays", "settings", "message"),
    [
        (
            arrays_of(TOKENS, x_test=changed(TOKENS, (3, 1), 70)),
            {},
            r"x_test holds the token 70 in row 3 .*set data.voc",
        ),
        (arrays_of(TOKENS, x_test=changed(TOKENS, (3, 1), 70)), {}, r"end at 49; set data\.vocabulary=71 or more"),
        (arrays_of(TOKENS), {"vocabulary": 49}, r"x_train holds the token 49 in row 0.*data\.vocabulary=50"),
        (arrays_of(TOKENS - 1), {"inputs": "tokens"}, "x_train holds the token -1 in row .* numbered from 0"),
        (arrays_of(ROWS), {"inputs": "tokens"}, r"x_train has the dtype float32; tokens must be integers"),
        (arrays_of(SERIES, x_test=SERIES[:, :3]), {}, r"train series are \(5, 2\) and test series \(3, 2\); expected"),
        (arrays_of(ROWS, x_test=ROWS[:, :2]), {}, r"train arrays are \(3,\) and test arrays \(2,\)"),
        (
            arrays_of(SERIES, x_test=SERIES.astype(int)),
            {},
            "x_test has the dtype int64, but that of .*float64; expected fl",
        ),
        (
            arrays_of(SERIES, x_test=SERIES[:, :, 0]),
            {},
            r"series \(5, 2\) and test series \(5, 1\)|are \(5, 2\) and test",
        ),
        (arrays_of(ROWS[:, 0]), {}, r"x_train has the shape \(6,\); expected at least one number .*numpy\.newaxis"),
        (arrays_of(ROWS[:, :0]), {}, r"x_train has the shape \(6, 0\)"),
        (arrays_of(ROWS[:0], y_train=LABELS[:0]), {}, "no train examples"),
        (
            arrays_of(ROWS, y_train=LABELS[:5]),
            {},
            "6 train arrays but 5 train labels; expected one label for each array",
        ),
        (arrays_of(changed(SERIES, (4, 0, 0), np.nan)), {}, r"x_train holds nan in row 4 .*first of 1 such rows of 6"),
        (
            arrays_of(ROWS, x_test=changed(ROWS, (1, 0), np.inf)),
            {},
            "x_test holds inf in row 1 .*expected finite numbers",
        ),
        (arrays_of(changed(SERIES, (2, 1, 1), 1e39)), {}, r"x_train holds 1e\+39 in row 2 .*at most 3\.4e38"),
        (arrays_of(changed(TOKENS - 9, (2, 1), 2**31)), {}, r"holds 2,147,483,648 in row 2 .*int32"),
        (arrays_of(changed(TOKENS, (2, 1), 2**31)), {}, r"in row 2 .*int32 can hold"),
        (arrays_of(ROWS + 1j), {}, "x_train has the dtype complex64; examples must be bool, integers or floats"),
        (arrays_of(ROWS.astype(str)), {}, "x_train has the dtype <U"),
        (arrays_of(TOKENS.astype("datetime64[D]")), {}, "x_train has the dtype datetime64"),
    ],
)
def test_arrays_that_no_model_can_take_are_refused(read, arrays, settings, message):
    with pytest.raises(DataError, match=message):
        read(arrays, **settings)


def test_pickled_objects_are_refused(read):
    with pytest.raises(DataError, match="'x_train' holds Python objects, which are never unpickled"):
        read(arrays_of(ROWS.astype(object)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_value": 1, "inputs": "series"}, "data.max_value=1 is for images; the examples of "),
        (
            {"vocabulary": 9, "inputs": "arrays"},
            "data.vocabulary=9 is for sequences of tokens; the examples of a are arrays",
        ),
        (
            {"vocabulary": 9, "max_value": 1},
            "data.vocabulary=9 is for sequences of tokens; .* are images; set data.vocabulary=null",
        ),
        (
            {"inputs": "pictures"},
            "data.inputs is 'pictures'; it must be one of images, series, tokens, arrays, or null",
        ),
        (
            {"inputs": "tokens", "standardize": "channel"},
            "data.standardize=channel is for series or arrays; the examples of ",
        ),
        ({"inputs": "arrays", "preprocess": "deskew"}, "data.preprocess=deskew is for images"),
    ],
)
def test_settings_of_another_kind_are_refused_before_the_arrays_are_read(configure, settings, message):
    values = plain(configure("data=npz", "data.path=a.npz", "model=mlp"))
    with pytest.raises(RequestError, match=message):
        from_values({**values, "data": {**values["data"], **settings}})


def test_targets_are_of_any_task_and_examples_may_have_weights(read):
    numbers = read(arrays_of(SERIES, y_train=LABELS + 0.5, y_test=LABELS + 0.5, w_train=[1, 1, 1, 1, 1, 3]))
    assert (numbers.task, numbers.names) == ("regression", ("y",))
    assert numbers.w_train.tolist() == [1, 1, 1, 1, 1, 3]
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [1, 0], [1, 1]])
    several = read(arrays_of(ROWS, y_train=labels, y_test=labels, classes=np.array(["sea", "sky"])))
    assert (several.task, several.names) == ("multilabel", ("sea", "sky"))


def test_folder_of_npy_files_is_the_same_data_set_memory_mapped(read, tmp_path):
    arrays = arrays_of(ROWS, x_val=ROWS[:2], y_val=LABELS[:2])
    whole = read(arrays)
    folder = tmp_path / "set-1.5"
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    dataset = loading.load(section(folder))
    assert isinstance(dataset.x_test, np.memmap)
    assert dataset.sha256 == whole.sha256
    (folder / "x_val.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"set-1\.5/x_val\.npy: .*Save the file again"):
        loading.load(section(folder))
    (folder / "x_train.npy").unlink()
    with pytest.raises(DataError, match=r"set-1\.5: has no x_train; found x_test, x_val, "):
        loading.load(section(folder))


def test_folder_has_its_whole_name(configure, tmp_path):
    (tmp_path / "set-1.5").mkdir()
    assert configure("data=npz", f"data.path={tmp_path}/set-1.5").data.name == "set-1.5"
    assert configure("data=npz", f"data.path={tmp_path}/set-1.5.npz").data.name == "set-1.5"


@pytest.mark.parametrize(
    ("x", "settings"),
    [
        (SERIES, {}),
        (SERIES.astype(np.float32), {}),
        (np.asfortranarray(SERIES.astype(">f8")), {}),
        (TOKENS, {}),
        (TOKENS.astype(np.uint8), {"inputs": "arrays"}),
        (TOKENS > 20, {}),
        (np.rint(GREY * 4095), {"max_value": 4095}),
    ],
)
def test_arrays_larger_than_memory_are_converted_when_they_are_read(read, monkeypatch, x, settings):
    arrays = arrays_of(x, x_val=x[:2], y_val=LABELS[:2])
    whole = read(arrays, **settings)
    monkeypatch.setattr(memory, "memory_limit", lambda: 10)
    lazy = read(arrays, **settings)
    assert lazy.sha256 == whole.sha256
    assert not any(type(examples) is np.ndarray for examples in (lazy.x_train, lazy.x_test))
    rows = np.array([7, 0, 3, 6])
    streamed = memory.take(lazy.x_train, rows)
    assert isinstance(streamed, memory.Rows)
    assert (streamed.shape, streamed.dtype) == ((4, *whole.x_train.shape[1:]), whole.x_train.dtype)
    assert np.array_equal(streamed[np.arange(4)], whole.x_train[rows])
    assert np.array_equal(np.asarray(lazy.x_test[1:4]), whole.x_test[1:4])


def test_a_wrong_value_of_an_array_larger_than_memory_is_found(read, monkeypatch):
    monkeypatch.setattr(memory, "memory_limit", lambda: 10)
    monkeypatch.setattr(memory, "CHUNK_BYTES", SERIES[:2].nbytes)
    wrong = changed(changed(SERIES, (3, 0, 0), np.nan), (5, 0, 0), np.nan)
    with pytest.raises(DataError, match=r"x_train holds nan in row 3 .*the first of 2 such rows of 6"):
        read(arrays_of(wrong))
