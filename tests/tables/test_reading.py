"""What table.yaml means, and what is wrong with it."""

from dataclasses import replace

import pytest

from fitbench.errors import RequestError
from fitbench.tables.reading import read


def row(**changed):
    return {"label": "a", "claimed": "1", "overrides": ["model=mlp"], **changed}


def test_claims_are_read_as_accuracies_whatever_their_unit(define):
    softmax, mlp, human = read(define()).rows
    assert softmax.claim.low == softmax.claim.high == pytest.approx(0.916)
    assert (mlp.claim.low, mlp.claim.high) == pytest.approx((0.983, 0.985))
    assert not human.measured
    assert human.source == "Nobody 2000"
    assert softmax.source == "Somebody 1998, p. 5"
    accuracy = read(define(unit="accuracy", rows=[row(claimed=["0.92", "0.93"])])).rows[0].claim
    assert (accuracy.low, accuracy.high) == (0.92, 0.93)


def test_a_claim_keeps_its_digits_and_stands_for_all_that_rounds_to_it(define):
    claims = [read(define(rows=[row(claimed=printed)])).rows[0].claim for printed in ("8.40", "12", ["0.9", "0.95"])]
    assert [claim.printed for claim in claims] == ["8.40", "12", "0.9 to 0.95"]
    ranges = [(claim.lowest, claim.highest) for claim in claims]
    assert ranges == [
        pytest.approx((1 - 0.08405, 1 - 0.08395)), pytest.approx((0.875, 0.885)), pytest.approx((0.99045, 0.9915)),
    ]  # fmt: skip


def test_a_claim_can_be_a_mean_over_trainings_with_a_deviation(define):
    claim = read(define(rows=[row(claimed="15.7", deviation="1.5", trainings=10)])).rows[0].claim
    assert (claim.trainings, claim.deviation, claim.printed) == (10, pytest.approx(0.015), "15.7 ± 1.5")
    assert read(define(rows=[row(trainings=5)])).rows[0].claim.deviation is None
    rows = [row(claimed=f"15.7{sign}1.50", label=f"a{sign}b") for sign in ("±", " ± ", "+-", " +/- ", "  ±")]
    assert [each.claim for each in read(define(rows=rows, trainings=10)).rows] == [
        replace(claim, printed="15.7 ± 1.50")
    ] * 5


def test_whose_test_examples_are_meant_stands_at_the_top_or_in_a_row(define):
    sha256 = "ab" * 32
    table = read(define(rows=[row(), row(label="b", test_set=sha256), row(label="c", test_set="other")]))
    assert [line.claim.test_set for line in table.rows] == ["same", sha256, "other"]


def test_a_tolerance_is_in_the_unit_of_the_table_and_half_a_percentage_point_by_default(define):
    for changed, expected in (({"tolerance": 0.2}, 0.002), ({}, 0.005), ({"test_examples": 28}, 1 / 28)):
        tolerances = [row.measure.tolerance for row in read(define(**changed)).rows]
        assert tolerances == pytest.approx([expected] * 3)


def test_folds_and_the_part_stand_at_the_top_or_in_a_row(define):
    rows = [row(), row(label="b", folds=3, metric="train_accuracy"), row(label="c", measured=False, overrides=[])]
    table = read(define(folds=5, metric="val_accuracy", rows=rows))
    assert [(each.folds, each.measure.name) for each in table.rows] == [
        (5, "val_accuracy"), (3, "train_accuracy"), (None, "val_accuracy"),
    ]  # fmt: skip
    assert table.heading == "validation and training error, %"
    assert table.overrides_of(table.rows[1])[-2:] == ["training.validation=kfold", "training.folds=3"]


def test_none_stated_is_no_claim(define):
    assert read(define(rows=[row(claimed="none stated")])).rows[0].claim is None


def test_a_deterministic_row_has_one_seed_and_a_shortened_one_still_lacks_the_others(define):
    made = read(define(rows=[row(deterministic=True), row(label="b", seeds=2)])).rows
    assert (made[0].seeds, made[0].wanted) == ((0,), 1)
    assert (made[1].seeds, made[1].wanted) == ((0, 1), 5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"titel": "x"},
            r"table.yaml: titel: there is no such key. Did you mean title\?",
        ),
        ({"title": ...}, "table.yaml: title is missing; it must be a text"),
        ({"unit": "per cent"}, "unit is 'per cent'; it must be one of accuracy, error_percent, percent, value"),
        ({"seeds": "5"}, "seeds is '5'; it must be a whole number"),
        ({"seeds": None}, "seeds is null; it must be a whole number"),
        ({"rows": [row(trainings=None)]}, "trainings is null; it must be a whole number"),
        ({"title": " "}, "title is ' '; it must be a text"),
        ({"title": 5}, "title is 5; it must be a text"),
        ({"overrides": ["model"]}, r"overrides is \['model'\]; it must be a list of texts such as model=mlp"),
        ({"overrides": ["study=a"]}, "table.yaml: overrides: study=a: not here"),
        ({"rows": [row(measured="no")]}, "measured is 'no'; it must be true or false"),
        ({"rows": [row(), row(label="b", label2=1)]}, r"row 2 \(b\): label2: there is no such key. Did you mean label"),
        ({"seeds": 0}, "seeds is 0; it must be a whole number of at least 1"),
        ({"seeds": True}, "seeds is true; it must be a whole number of at least 1"),
        ({"tolerance": -1}, "tolerance is -1; it must be a number of at least 0"),
        ({"tolerance": 10**400}, r"tolerance is 10+\.\.\.; it must be a number of at least 0"),
        ({"test_set": ...}, "test_set is missing; it must be same or other: "),
        ({"unit": ..., "seeds": ..., "title": ...}, "; unit, seeds are missing too"),
        ({"test_set": "abc"}, "test_set is 'abc'; it must be same or other: "),
        ({"rows": [row(test_set=1)]}, r"row 1 \(a\): test_set is 1; it must be same or other"),
        ({"rows": []}, "rows is \\[\\]; it must be a list with at least one row"),
        ({"rows": [row(), row()]}, "2 rows have the label 'a'"),
        ({"rows": [row(), 3]}, "row 2: it is 3; it must be a section with keys of its own"),
        (
            {"rows": [row(claim=3)]},
            r"row 1 \(a\): claim: there is no such key. Did you mean claimed\?",
        ),
        (
            {"rows": [row(claimed=8.4)]},
            r"row 1 \(a\): claimed is 8.4; it must be a number in quotes, such as '8.40'",
        ),
        ({"rows": [row(claimed="about 1")]}, r"row 1 \(a\): claimed is 'about 1'; it must be a number in quotes"),
        (
            {"rows": [row(claimed=["1", "2", "3"])]},
            r"claimed is \['1', '2', '3'\]; .* number .*, a range .*, or 'none st",
        ),
        ({"rows": [row(deviation=0.1, trainings=3)]}, "deviation is 0.1; it must be a number in quotes"),
        ({"rows": [row(deviation="150", trainings=3)]}, "deviation is '150'; it must be in the unit of the table"),
        ({"unit": "percent", "rows": [row(claimed="0.9200")]}, "'0.9200', which is less .*; write 92.00, or choose"),
        ({"unit": "percent", "rows": [row(claimed=["0.9", "0.93"])]}, "write 90 to 93, or choose another unit"),
        ({"unit": "percent", "trainings": 3, "rows": [row(claimed="0.92 ± 0.01")]}, "write 92 ± 1, or choose"),
        ({"unit": "accuracy", "rows": [row(claimed="1")]}, "claimed is '1'; it must have the decimals of its source"),
        ({"tolerance": 0}, r"tolerance is 0; it must be at least 0\.01, one of the 10,000 test examples"),
        ({"tolerance": 1, "test_examples": 50}, "tolerance is 1; it must be at least 2, one of the 50 test examples"),
        ({"rows": [row(claimed="1 ± 0.1", deviation="0.1")]}, "claimed is '1 ± 0.1', so deviation must be left out"),
        ({"rows": [row(claimed="1 ± 0.1")]}, "trainings is 1; it must be 2 or more, .*, here or at the top"),
        ({"rows": [row(claimed="1 ± ")]}, "claimed is '1 ± '; it must be .* with its deviation, such as '84.3 ± 1.5'"),
        ({"metric": ["accuracy"]}, "it must be the name of a metric; several of them stand in metrics"),
        ({"rows": [row(deviation="0.1")]}, "trainings is 1; it must be 2 or more"),
        ({"rows": [row(claimed=["1", "2"], deviation="0.1", trainings=3)]}, "deviation goes with one claimed number"),
        ({"rows": [row(trainings=0)]}, "trainings is 0; it must be a whole number of at least 1"),
        ({"rows": [row(claimed=None)]}, "claimed is null; it must be a number in quotes"),
        (
            {"rows": [row(claimed=["2", "1"])]},
            "claimed is .*; it must be two numbers, the low end first: error, % from 0 to 100",
        ),
        ({"rows": [row(claimed="101")]}, "claimed is '101'; it must be error, % from 0 to 100"),
        ({"rows": [row(claimed="nan")]}, "claimed is 'nan'; it must be a number in quotes"),
        ({"rows": [row(overrides="model=mlp")]}, r"row 1 \(a\): overrides is 'model=mlp'; it must be a list of texts"),
        ({"rows": [row(overrides=["seed=1"])]}, r"row 1 \(a\): overrides: seed=1: not here"),
        ({"rows": [row(overrides=["hydra.job.name=1"])]}, "not here"),
        ({"rows": [row(overrides=[])]}, "it must have overrides, or there must be an experiment"),
        ({"rows": [row(measured=False)]}, "measured is false, so there can be neither"),
        ({"rows": [row(deterministic=True, seeds=2)]}, r"row 1 \(a\): seeds is 2; a deterministic row has one seed"),
        ({"rows": [row()], "source": ...}, r"row 1 \(a\): source is missing; it must be a citation"),
        ({"folds": 1}, "folds is 1; it must be a whole number of at least 2"),
        ({"rows": [row(folds="5")]}, "folds is '5'; it must be a whole number of at least 2"),
        ({"rows": [row(overrides=["fold=1"])]}, r"row 1 \(a\): overrides: fold=1: not here; folds: 5 trains 5 folds"),
        (
            {"overrides": ["training.validation=kfold", "training.folds=5"]},
            "training.validation=kfold: not here; folds",
        ),
        ({"rows": [row(folds=5, overrides=["training.validation=random"])]}, "training.validation=random: not here; f"),
        (
            {"rows": [row(metric="val_macro_f1")]},
            "metric is 'val_macro_f1'; a row has the metric of the table, on a part "
            "of its own: train_accuracy, val_accuracy, test_accuracy",
        ),
        (
            {"rows": [row(metric="accuracy")]},
            "metric is 'accuracy'; a row has the metric of the table, on a part of its ",
        ),
        ({"study": "a/b"}, "study is 'a/b'; it must be a name of letters"),
    ],
)
def test_what_is_wrong_is_named_with_file_row_and_key(define, changed, message):
    with pytest.raises(RequestError, match=message) as refusal:
        read(define(**changed))
    assert str(refusal.value).startswith(str(define(**changed) / "table.yaml"))


@pytest.mark.parametrize(
    ("content", "line"), [("seeds: 5\ntitle: a\nseeds: 5", 3), ("rows:\n- {label: a, seeds: 3, seeds: 4}", 2)]
)
def test_a_key_that_stands_there_twice_is_named_with_its_line(define, content, line):
    folder = define()
    (folder / "table.yaml").write_text(content)
    with pytest.raises(RequestError, match=rf"table\.yaml: not YAML \(line {line}: found duplicate key seeds\)"):
        read(folder)


@pytest.mark.parametrize("content", ["rows: [", "- a", "", "\x00"])
def test_what_is_no_table_is_refused(define, content):
    folder = define()
    (folder / "table.yaml").write_text(content)
    with pytest.raises(RequestError, match=r"table\.yaml"):
        read(folder)
