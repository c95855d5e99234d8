"""Which runs are compared with each other: those of one task that were tested on the same examples."""

import json

import pytest

from fitbench.analysis.comparable import CHECKSUMS_OF_SETS, comparable, labels
from fitbench.analysis.comparison import compare_groups
from fitbench.analysis.frame import load_runs
from fitbench.analysis.pivot import pivots
from fitbench.analysis.request import Which, newest_set
from fitbench.errors import RequestError

from ..run_folders import as_task, close_values


@pytest.fixture
def record(make_run):
    """Records a run whose data section has these values, tested at this time."""

    def write(*overrides, data=None, at=1, **settings):
        folder = make_run(*overrides, **settings)
        result = json.loads((folder / "result.json").read_text())
        result["data"] |= data or {}
        result["finished_at"] = f"2026-02-{at:02}T00:00:00Z"
        (folder / "result.json").write_text(json.dumps(result))
        return folder

    return write


def sets(tmp_path, metric=None):
    return [(each.label, len(each.frame)) for each in comparable(load_runs(tmp_path / "outputs"), metric)]


def part(targets, inputs="1"):
    """What result.json says of the test part."""
    return {"test_sha256": targets * 64, "test_inputs_sha256": inputs * 64}


def test_runs_of_one_checksum_are_one_set_whatever_else_they_record(record, tmp_path):
    record("seed=0")
    record("seed=1", data=part("a"))
    record("model=softmax", "data.preprocess=deskew")
    assert sets(tmp_path) == [("", 3)]


def test_other_arrays_are_another_set_and_the_newest_comes_first(record, tmp_path):
    record("seed=0", at=1)
    record("data=digits", sha256="cd" * 32, at=3)
    record("seed=1", at=2)
    assert sets(tmp_path) == [("digits", 1), ("mnist_5k", 2)]


def test_more_training_examples_and_other_columns_are_tested_on_the_same_part(record, tmp_path):
    record("seed=0", sha256="0a" * 32, data=part("a"))
    record("seed=1", sha256="0b" * 32, data=part("a"))  # the same test arrays: a smaller training part
    record("seed=2", sha256="0c" * 32, data=part("a", "2"))  # the same targets and name: other columns
    record("data=digits", sha256="0d" * 32, data=part("a"))  # another name, and the same test arrays
    assert sets(tmp_path) == [("", 4)]


def test_equal_targets_alone_are_not_the_same_part(record, tmp_path):
    record("seed=0", sha256="0a" * 32, data=part("a"))
    record("data=digits", sha256="0b" * 32, data=part("a", "2"))  # classes in order, of other examples
    assert len(sets(tmp_path)) == 2


def test_parts_that_are_drawn_otherwise_are_other_parts(record, tmp_path):
    path = tmp_path / "x.csv"
    table = ("data=csv", f"data.path={path}", "data.target=y")
    for seed in (0, 1):  # of a file that is sorted by class, the targets of any draw are the same
        record(*table, f"data.split_seed={seed}", sha256=f"{seed}a" * 32, data=part("a", str(seed)))
    assert len(sets(tmp_path)) == 2


def test_runs_of_two_tasks_are_two_sets(record, tmp_path):
    record("seed=0")
    folder = record("seed=1")
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"task": "ordinal"}))
    assert sorted(sets(tmp_path)) == [("mnist_5k (classification)", 1), ("mnist_5k (ordinal)", 1)]


def test_labels_say_what_tells_parts_of_one_name_apart(record, tmp_path):
    record("seed=0", sha256="0a" * 32, at=4)
    record("seed=1", sha256="0b" * 32, at=3)
    record("seed=2", sha256="0c" * 32, data={"test": 1000}, at=2)
    record("data=digits", sha256="0d" * 32)
    assert [label for label, _ in sets(tmp_path)] == [
        "mnist_5k (60 test examples, SHA-256 0a0a0a0a)",
        "mnist_5k (60 test examples, SHA-256 0b0b0b0b)",
        "mnist_5k (1,000 test examples)",
        "digits",
    ]


def test_unfinished_runs_are_with_those_of_their_section_of_data(record, make_run, tmp_path):
    record("seed=0", sha256="0a" * 32, at=1)
    record("seed=1", sha256="0b" * 32, at=2)
    record("data=digits", sha256="0c" * 32, at=3)
    make_run("seed=2", finished=False)
    assert [runs for _, runs in sets(tmp_path)] == [1, 2, 1]
    make_run("data=fashion_mnist", finished=False)
    make_run("data=fashion_mnist", "seed=2", finished=False)
    assert sets(tmp_path)[-1] == ("fashion_mnist", 2)


def test_folds_without_a_test_part_are_the_same_if_one_holds_back_the_same_examples(record, tmp_path):
    folds = ("training.validation=kfold", "training.validation_split=0", "training.folds=3")
    for sha256, other in (("0a" * 32, "1"), ("0b" * 32, "1"), ("0c" * 32, "2")):
        for fold in range(3):
            data = {"test": 0, "fold_sha256": f"{other}{fold}" * 32}
            record(*folds, f"fold={fold}", f"study={sha256[:2]}", sha256=sha256, data=data)
    assert sorted(runs for _, runs in sets(tmp_path)) == [3, 6]


def test_quantities_that_are_no_metrics_rank_within_a_data_set_too(record, tmp_path):
    record("seed=0")
    record("data=digits", sha256="cd" * 32)
    assert len(sets(tmp_path, "parameters")) == len(sets(tmp_path, "timing.fit_seconds")) == 2
    assert len(sets(tmp_path, "val_accuracy")) == 2


@pytest.mark.parametrize("names", [["parameters", "test_mae"], ["test_mae", "parameters"]])
def test_sets_that_lack_the_metric_are_left_out_whatever_stands_beside_it(record, tmp_path, names):
    record("seed=0")
    folder = record("data=boston_housing", sha256="cd" * 32, at=5)
    as_task(folder, "regression", *close_values(30), ("y",))
    which = Which([tmp_path / "outputs"])
    assert [each.data for each in compare_groups(which, None, names[0], None, names[1:])] == ["boston_housing"]
    assert len(pivots(which, "data", None, names)) == 1


def test_the_note_about_what_is_left_out_advises_what_tells_the_sets_apart(record, tmp_path, capsys):
    record("seed=0")
    record("data=digits", sha256="cd" * 32, at=2)
    newest_set(load_runs(tmp_path / "outputs"), None)
    assert """; --where "data == '..'" selects others""" in " ".join(capsys.readouterr().err.split())
    record("data=digits", "seed=1", sha256="ef" * 32, at=3)
    newest_set(load_runs(tmp_path / "outputs"), None)
    assert """; --where "dataset.sha256 == '..'" selects others""" in " ".join(capsys.readouterr().err.split())


def test_a_group_averages_no_runs_of_two_test_parts(record, tmp_path):
    """One configuration, whose file has changed between the runs."""
    for seed in range(4):
        record(f"seed={seed}", sha256=f"{seed % 2}a" * 32, at=1 + seed)
    found = compare_groups(Which([tmp_path / "outputs"]), None, None, None)
    assert [[group.seeds for group in each.groups] for each in found] == [[(1, 3)], [(0, 2)]]


def test_a_group_that_mixes_training_data_of_one_test_part_is_flagged(record, tmp_path):
    for seed in range(2):
        record(f"seed={seed}", sha256=f"{seed}a" * 32, data=part("a"))
    [only] = compare_groups(Which([tmp_path / "outputs"]), "model", None, None)
    assert [list(group.mixed) for group in only.groups] == [["dataset.sha256"]]


def test_a_baseline_that_one_data_set_lacks_is_that_of_the_others(record, tmp_path):
    for seed in range(3):
        record(f"seed={seed}", at=2)
        record("model=softmax", f"seed={seed}", at=2)
        record("data=digits", "model=lenet5", f"seed={seed}", sha256="cd" * 32)
    which = Which([tmp_path / "outputs"])
    mnist, digits = compare_groups(which, "model", None, "softmax")
    assert (mnist.groups[mnist.reference].label, mnist.chosen) == ("softmax", False)
    assert digits.chosen
    with pytest.raises(RequestError, match="'rnn' fits none"):
        compare_groups(which, "model", None, "rnn")


def test_labels_of_sets_are_always_distinct(record, make_run, tmp_path):
    """Also where the last run of a set has not finished, and where only the inputs or all arrays tell sets apart."""
    record("seed=0", sha256="0a" * 32, data=part("a", "1"), at=1)
    record("seed=1", sha256="0b" * 32, data=part("a", "2"), at=2)
    for seed in (0, 1):
        changes = json.loads(next((tmp_path / "outputs").rglob(f"*-s{seed}/result.json")).read_text())
        changes["config"]["data"]["split_seed"] = seed
        next((tmp_path / "outputs").rglob(f"*-s{seed}/result.json")).write_text(json.dumps(changes))
    make_run("seed=2", finished=False)
    frame = load_runs(tmp_path / "outputs")
    found = comparable(frame, None)
    assert sorted(each.label for each in found) == sorted({each.label for each in found})
    assert [each.label for each in found if each.label.endswith(("1" * 8 + ")", "2" * 8 + ")"))] == [
        f"mnist_5k (classification, SHA-256 {name * 8})" for name in "21"
    ]
    twice = [frame[frame["seed"] == seed].drop(columns=[*CHECKSUMS_OF_SETS[:2]]) for seed in (0, 0)]
    assert labels(twice) == ["mnist_5k (1)", "mnist_5k (2)"]
