import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold

from fitbench.config import FoldOrder, Validation
from fitbench.data.dataset import Dataset
from fitbench.data.folds import fold_numbers
from fitbench.data.loading import load
from fitbench.data.split import training_rows
from fitbench.errors import RequestError

CLASSES = np.random.default_rng(0).permutation(np.array([0] * 53 + [1] * 31 + [2] * 19))
KFOLD = ("model=mlp", "training.validation=kfold", "training.folds=5", "fold=0")


def folds_of(config, data) -> list[np.ndarray]:
    """The validation rows of each fold."""
    parts = [training_rows(data, config.training, 0, fold) for fold in range(config.training.folds)]
    for kept, held_back in parts:
        assert sorted([*kept, *held_back]) == list(range(len(data.y_train)))
    return [held_back for _, held_back in parts]


def dataset(targets: np.ndarray, **changes: object) -> Dataset:
    """A data set with these training targets: classes int [N], or numbers [N, 1]."""
    names = ("ant", "bee", "cow") if targets.ndim == 1 else ("y",)
    task = "classification" if targets.ndim == 1 else "regression"
    x = np.zeros((len(targets), 2), np.float32)
    return Dataset("a", x, targets, x[:1], targets[:1], names, "0" * 64, "a.csv", task=task, **changes)


def table(folder, rows: str, header: str = "x,kind", **keys: str) -> tuple[str, ...]:
    """The overrides for a table of the user's."""
    (folder / "a.csv").write_text(f"{header}\n{rows}")
    keys = {"path": str(folder / "a.csv"), "target": "kind"} | keys
    return ("data=csv", *(f"data.{key}={value}" for key, value in keys.items()))


# -- the partition ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folds", [2, 5, 7, 103])
@pytest.mark.parametrize("labels", [CLASSES, None])
def test_drawn_folds_differ_by_one_example_and_by_one_of_each_class(folds, labels):
    numbers = fold_numbers(103, folds, seed=3, order=FoldOrder.drawn, labels=labels)
    assert (numbers.shape, numbers.dtype) == ((103,), np.int64)
    sizes = np.bincount(numbers, minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    if labels is not None:
        counts = [np.bincount(numbers[labels == label], minlength=folds) for label in range(3)]
        assert max(of.max() - of.min() for of in counts) <= 1
    assert (np.diff(numbers) != 0).sum() > 40  # no blocks of the file


def test_drawn_folds_depend_on_their_seed_alone():
    numbers = fold_numbers(103, 5, 0, FoldOrder.drawn, CLASSES)
    assert numbers.tolist() == fold_numbers(103, 5, 0, FoldOrder.drawn, CLASSES).tolist()
    assert numbers.tolist() != fold_numbers(103, 5, 1, FoldOrder.drawn, CLASSES).tolist()
    recorded = [2, 1, 0, 1, 0, 1, 2, 0, 0, 2]  # what a recorded run was trained on
    assert fold_numbers(10, 3, 7, FoldOrder.drawn).tolist() == recorded


def test_the_seed_of_a_run_does_not_change_its_folds(composed):
    data = dataset(CLASSES)
    one, other = (training_rows(data, composed(*KFOLD).training, seed, 2)[1].tolist() for seed in (0, 1))
    changed = training_rows(data, composed(*KFOLD, "training.fold_seed=1").training, 0, 2)[1].tolist()
    assert one == other != changed


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_groups_stay_together_in_drawn_folds_of_about_the_same_size(folds):
    groups = np.random.default_rng(1).permutation(np.repeat(np.arange(40, 60), [*range(1, 20), 30]))
    numbers = fold_numbers(len(groups), folds, 0, FoldOrder.drawn, groups=groups)
    assert all(len(set(numbers[groups == group])) == 1 for group in np.unique(groups))
    sizes = np.bincount(numbers, minlength=folds)
    assert sizes.max() - sizes.min() <= 3
    assert numbers.tolist() != fold_numbers(len(groups), folds, 1, FoldOrder.drawn, groups=groups).tolist()


def test_folds_of_groups_without_classes_are_those_that_runs_were_trained_on():
    groups = np.repeat(np.arange(8), [5, 1, 3, 2, 2, 1, 4, 1])
    assert fold_numbers(19, 3, 0, FoldOrder.drawn, groups=groups).tolist() == [
        1,
        1,
        1,
        1,
        1,
        1,
        2,
        2,
        2,
        2,
        2,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        2,
    ]


@pytest.mark.parametrize("patients", [60, 90])
@pytest.mark.parametrize("mixed", [True, False])
def test_folds_of_groups_have_the_same_fraction_of_each_class_as_those_of_scikit_learn(patients, mixed):
    random = np.random.default_rng(patients)
    sizes = random.integers(1, 6, patients)
    groups = np.repeat(np.arange(patients), sizes)
    labels = random.choice(3, len(groups) if mixed else patients, p=[0.6, 0.25, 0.15])
    labels = labels if mixed else np.repeat(labels, sizes)
    numbers = fold_numbers(len(groups), 5, 0, FoldOrder.drawn, labels, groups)
    assert all(len(set(numbers[groups == group])) == 1 for group in range(patients))
    theirs = np.empty(len(groups), np.int64)
    for fold, (_, rows) in enumerate(StratifiedGroupKFold(5).split(groups, labels, groups)):
        theirs[rows] = fold

    def widest(of: np.ndarray) -> int:
        """The largest difference between two folds in their examples of a class."""
        return max(np.ptp(np.bincount(of[labels == label], minlength=5)) for label in range(3))

    unaware = fold_numbers(len(groups), 5, 0, FoldOrder.drawn, groups=groups)
    assert widest(numbers) <= widest(theirs) + 1 < widest(unaware)
    assert np.ptp(np.bincount(numbers)) <= np.ptp(np.bincount(theirs)) + 1
    assert numbers.tolist() != fold_numbers(len(groups), 5, 1, FoldOrder.drawn, labels, groups).tolist()


def test_consecutive_folds_are_parts_in_order_the_larger_ones_first():
    for numbers in (
        fold_numbers(11, 3, 0, FoldOrder.consecutive),
        fold_numbers(11, 3, 1, FoldOrder.consecutive, CLASSES[:11]),
    ):
        assert numbers.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]


# -- the order of the file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["test_fraction=0.2", "test_path"])
def test_consecutive_folds_of_a_table_follow_its_file_though_its_rows_are_shuffled(composed, tmp_path, part):
    rows = "".join(f"{i},{'ab'[i % 2]}\n" for i in range(50))
    (tmp_path / "b.csv").write_text(f"x,kind\n{rows}")
    key, _, value = (f"test_path={tmp_path}/b.csv" if part == "test_path" else part).partition("=")
    config = composed(*KFOLD, *table(tmp_path, rows, **{key: value}), "training.fold_order=consecutive")
    data = load(config.data, config.task)
    values = [np.sort(data.x_train[held_back, 0]) for held_back in folds_of(config, data)]
    assert np.concatenate(values).tolist() == sorted(data.x_train[:, 0])
    assert [len(of) for of in values] == [len(data.y_train) // 5] * 5


def test_consecutive_folds_of_series_follow_their_file(composed, tmp_path):
    for name in ("A_TRAIN.tsv", "A_TEST.tsv"):
        (tmp_path / name).write_text("".join(f"{1 + i % 2}\t{i}\t0\n" for i in range(20)))
    series = ("model=fcn", "data=signals", f"data.path={tmp_path}/A_TRAIN.tsv", "training.fold_order=consecutive")
    config = composed(*KFOLD[1:], *series)
    data = load(config.data, config.task)
    assert np.concatenate([np.sort(data.x_train[of, 0, 0]) for of in folds_of(config, data)]).tolist() == list(
        range(20)
    )


def test_consecutive_folds_of_boston_housing_are_the_quarters_of_kerass_training_rows(composed):
    four = ("data=boston_housing", "training.folds=4", "training.fold_order=consecutive")
    config = composed(*KFOLD, *four)
    data = load(config.data, config.task)
    assert [of.tolist() for of in folds_of(config, data)] == np.arange(404).reshape(4, 101).tolist()
    order = np.arange(506)
    np.random.RandomState(113).shuffle(order)  # as keras.datasets.boston_housing.load_data does
    assert data.rows_train.tolist() == (order[:404] + 1).tolist()


def test_images_in_files_of_their_own_have_no_order_to_be_consecutive_in(composed):
    config = composed(*KFOLD, "training.fold_order=consecutive")
    with pytest.raises(
        RequestError, match=r"fold_order is consecutive, but .* a.csv .*; set training.fold_order=drawn"
    ):
        folds_of(config, dataset(CLASSES, is_shuffled=True))


def test_consecutive_folds_of_sorted_numbers_give_a_warning(composed, caplog):
    numbers = np.arange(20, dtype=np.float32)[:, np.newaxis]
    folds_of(composed(*KFOLD), dataset(numbers))
    assert not caplog.text
    folds_of(composed(*KFOLD, "training.fold_order=consecutive"), dataset(numbers))
    assert "as in a file that is sorted; training.fold_order=drawn draws the part" in caplog.text


# -- without a test part ----------------------------------------------------------------------------------------------

X, Y = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32), np.arange(20) % 2


def write_sets(folder) -> None:
    """The same 20 examples of two classes in each format."""
    np.savez(folder / "a.npz", x_train=X, y_train=Y, w_train=1 + Y)
    lines = ["\t".join(map(str, [label, *row])) for label, row in zip(Y + 1, X, strict=True)]
    (folder / "a.tsv").write_text("\n".join(lines) + "\n")
    (folder / "a.csv").write_text("\n".join(["kind\ta\tb\tc\td", *lines]).replace("\t", ",") + "\n")
    for number in range(20):
        path = folder / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((3, 3), 10 * number, np.uint8)).save(path)


@pytest.mark.parametrize(
    "words",
    [
        ["data=npz", "data.path={}/a.npz", "data.inputs=series"],
        ["data=signals", "data.path={}/a.tsv", "data.test_fraction=0"],
        ["data=csv", "data.path={}/a.csv", "data.target=kind", "data.test_fraction=0"],
        ["data=image_folder", "data.path={}/images", "data.image_size=[3,3]", "data.test_fraction=0"],
        ["data=sklearn", "data.name=iris", "data.test_fraction=0"],
    ],
    ids=lambda words: words[0],
)
def test_folds_need_no_test_part_and_all_else_does(composed, tmp_path, words):
    write_sets(tmp_path)
    model = "model=fcn" if "inputs=series" in str(words) or "signals" in str(words) else "model=mlp"
    config = composed(*KFOLD[1:], model, *(word.format(tmp_path) for word in words))
    data = load(config.data, config.task)
    examples = 150 if "iris" in str(words) else 20
    assert len(data.x_train) == len(data.y_train) == sum(map(len, folds_of(config, data))) == examples
    assert (data.x_test.shape, data.x_test.dtype) == ((0, *data.x_train.shape[1:]), data.x_train.dtype)
    assert (data.y_test.shape, data.y_test.dtype) == ((0,), data.y_train.dtype)
    assert (data.w_test is None) == (data.w_train is None)
    assert not any("test part" in note for note in data.notes)
    last = config.training.model_copy(update={"validation": Validation.last, "validation_split": 0.2, "folds": None})
    with pytest.raises(RequestError, match=r"has no test part .*; expected one, or training.validation=kfold"):
        training_rows(data, last, 0, None)


def test_a_test_part_in_a_file_of_its_own_stays_though_none_is_drawn(composed, tmp_path):
    write_sets(tmp_path)
    (tmp_path / "b.csv").write_text((tmp_path / "a.csv").read_text())
    keys = {"path": str(tmp_path / "a.csv"), "test_path": str(tmp_path / "b.csv")}
    words = ["data=csv", *(f"data.{key}={path}" for key, path in keys.items()), "data.target=kind"]
    config = composed("model=mlp", *words, "data.test_fraction=0")
    assert len(load(config.data, config.task).y_test) == 20


# -- what cannot be divided -------------------------------------------------------------------------------------------


def test_more_folds_than_examples_are_refused(composed):
    with pytest.raises(RequestError, match=r"folds is 5, but a.csv has 4 training examples; expected at most 4 folds"):
        folds_of(composed(*KFOLD), dataset(np.ones((4, 1))))
    assert [len(of) for of in folds_of(composed(*KFOLD), dataset(np.ones((5, 1))))] == [1] * 5


def test_more_folds_than_groups_are_refused(composed):
    groups = np.repeat([3, 7, 9, 11], 5)
    with pytest.raises(
        RequestError, match=r"training.folds is 5, but .* of 4 groups of data.group, .* at most 4 folds"
    ):
        folds_of(composed(*KFOLD), dataset(np.ones((20, 1)), groups=groups))


def test_consecutive_folds_do_not_go_with_groups(composed, tmp_path):
    grouped = table(tmp_path, "1,2,3\n", "x,kind,house", group="house")
    with pytest.raises(RequestError, match=r"fold_order=consecutive does not go with data.group, .*fold_order=drawn"):
        composed(*KFOLD, *grouped, "training.fold_order=consecutive")


@pytest.mark.parametrize(
    ("changes", "setting", "message"),
    [
        ({}, "training.fold_order=drawn", r"the only example of the class cow, .* none to train on; add examples"),
        ({}, "training.fold_order=consecutive", r"the class cow, .*; set training.fold_order=drawn"),
        ({"groups": np.arange(21) // 3}, "training.fold_order=drawn", r"class cow, .*; set another training.fold_seed"),
    ],
)
def test_a_fold_that_leaves_no_example_of_a_class_for_training_is_refused_whichever_fold_is_run(
    composed, changes, setting, message
):
    labels = np.array([0, 1] * 10 + [2])
    for fold in range(5):
        with pytest.raises(RequestError, match=f"a.csv: fold . of training.folds=5 holds .*{message}"):
            training_rows(dataset(labels, **changes), composed(*KFOLD, setting).training, 0, fold)


def test_a_fold_without_an_example_of_a_class_gives_a_warning(composed, caplog):
    labels = np.array([0, 1] * 10 + [2, 2])
    assert len(folds_of(composed(*KFOLD), dataset(labels))) == 5
    assert caplog.text.count("the validation part has no example of class cow") == 3


def test_a_data_set_with_a_validation_part_of_its_own_has_no_folds(composed):
    with pytest.raises(
        RequestError, match=r"a.csv: has a validation part of its own, of 3 examples, .*validation=last"
    ):
        folds_of(composed(*KFOLD), dataset(CLASSES, validation=3))


def test_a_fold_whose_examples_all_have_the_weight_0_is_refused(composed):
    config = composed(*KFOLD, "training.fold_order=consecutive")
    weights = np.repeat([1, 1, 0, 1, 1], 4).astype(np.float32)
    for given, part in ((weights, "validation"), (1 - weights, "training")):
        data = dataset(np.random.default_rng(0).normal(size=(20, 1)), w_train=given)
        with pytest.raises(
            RequestError, match=rf"of the {part} part have the weight 0, with fold=2 .*; set training.fold_order=drawn"
        ):
            training_rows(data, config.training, 0, 2)
