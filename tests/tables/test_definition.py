import pytest

from fitbench.errors import RequestError
from fitbench.tables.definition import find, part, read


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
    assert (claim.trainings, claim.deviation) == (10, pytest.approx(0.015))
    assert read(define(rows=[row(trainings=5)])).rows[0].claim.deviation is None


def test_whose_test_examples_are_meant_stands_at_the_top_or_in_a_row(define):
    sha256 = "ab" * 32
    table = read(define(rows=[row(), row(label="b", test_set=sha256), row(label="c", test_set="other")]))
    assert [line.claim.test_set for line in table.rows] == ["same", sha256, "other"]


def test_a_tolerance_is_in_the_unit_of_the_table_and_half_a_percentage_point_by_default(define):
    assert read(define(tolerance=0.2)).tolerance == pytest.approx(0.002)
    assert read(define()).tolerance == pytest.approx(0.005)
    assert read(define(test_examples=28)).tolerance == pytest.approx(1 / 28)


def test_none_stated_is_no_claim(define):
    assert read(define(rows=[row(claimed="none stated")])).rows[0].claim is None


def test_a_deterministic_row_has_one_seed_and_a_shortened_one_still_lacks_the_others(define):
    made = read(define(rows=[row(deterministic=True), row(label="b", seeds=2)])).rows
    assert (made[0].seeds, made[0].wanted) == ((0,), 1)
    assert (made[1].seeds, made[1].wanted) == ((0, 1), 5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"titel": "x"}, r"table.yaml: titel: there is no such key; did you mean title\?"),
        ({"title": ...}, "table.yaml: title: expected a text, found nothing"),
        ({"unit": "per cent"}, "unit: expected one of accuracy, error_percent, percent .*, found 'per cent'"),
        ({"seeds": 0}, "seeds: expected a whole number of at least 1, found 0"),
        ({"seeds": True}, "seeds: expected a whole number"),
        ({"tolerance": -1}, "tolerance: expected a number of at least 0"),
        ({"tolerance": 10**400}, "tolerance: expected a number of at least 0"),
        ({"test_set": ...}, "test_set: expected same or other: .* found nothing"),
        ({"test_set": "abc"}, "test_set: expected same or other: .* found 'abc'"),
        ({"rows": [row(test_set=1)]}, r"row 1 \(a\): test_set: expected same or other"),
        ({"rows": []}, "rows: expected a list of rows"),
        ({"rows": [row(), row()]}, "2 rows have the label 'a'"),
        ({"rows": [row(), 3]}, "row 2: expected keys such as label and claimed"),
        ({"rows": [row(claim=3)]}, r"row 1 \(a\): claim: there is no such key; did you mean claimed\?"),
        (
            {"rows": [row(claimed=8.4)]},
            r"row 1 \(a\): claimed: expected a number in quotes, such as '8.40'.* found 8.4",
        ),
        ({"rows": [row(claimed="about 1")]}, r"row 1 \(a\): claimed: expected a number in quotes"),
        ({"rows": [row(claimed=["1", "2", "3"])]}, r"claimed: expected a number, a range .* or 'none stated'"),
        ({"rows": [row(deviation=0.1, trainings=3)]}, "deviation: expected a number in quotes"),
        ({"rows": [row(deviation="0.1")]}, "trainings: expected 2 or more"),
        ({"rows": [row(claimed=["1", "2"], deviation="0.1", trainings=3)]}, "deviation: goes with one number"),
        ({"rows": [row(trainings=0)]}, "trainings: expected a whole number of at least 1"),
        ({"rows": [row(claimed=None)]}, "claimed: .* found nothing"),
        ({"rows": [row(claimed=["2", "1"])]}, "claimed: expected error, % from 0 to 100, the low end first"),
        ({"rows": [row(claimed="101")]}, "claimed: expected error, % from 0 to 100"),
        ({"rows": [row(claimed="nan")]}, "claimed: expected a number in quotes"),
        ({"rows": [row(overrides="model=mlp")]}, r"row 1 \(a\): overrides: expected a list of texts"),
        ({"rows": [row(overrides=["seed=1"])]}, "seed=1: not here"),
        ({"rows": [row(overrides=["hydra.job.name=1"])]}, "not here"),
        ({"rows": [row(overrides=[])]}, "expected overrides or an experiment"),
        ({"rows": [row(measured=False)]}, "measured: is false, so there can be neither"),
        ({"rows": [row(deterministic=True, seeds=2)]}, "a deterministic row has one seed, found 2"),
        ({"rows": [row()], "source": ...}, r"row 1 \(a\): source: expected a citation"),
        ({"study": "a/b"}, "study: 'a/b' is no name"),
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
    with pytest.raises(RequestError, match=rf"table\.yaml: seeds: stands there twice, again in line {line}; leave one"):
        read(folder)


@pytest.mark.parametrize("content", ["rows: [", "- a", "", "\x00"])
def test_what_is_no_table_is_refused(define, content):
    folder = define()
    (folder / "table.yaml").write_text(content)
    with pytest.raises(RequestError, match=r"table\.yaml"):
        read(folder)


def test_a_table_is_found_by_folder_file_and_name(define, monkeypatch):
    folder = define()
    monkeypatch.chdir(folder.parents[1])
    for name in ("small", "experiments/small", "experiments/small/table.yaml", str(folder)):
        assert find(name).resolve() == folder
    with pytest.raises(RequestError, match="did you mean experiments/small"):
        find("smal")


def test_rows_are_chosen_by_parts_of_their_labels(small):
    assert [row.label for row in part(small, "SOFT, hum", None).rows] == ["softmax", "human"]
    with pytest.raises(RequestError, match="'conv' is in no label"):
        part(small, "mlp,conv", None)
    with pytest.raises(RequestError, match="--rows is empty"):
        part(small, ",", None)


def test_fewer_seeds_are_the_first_ones(small):
    assert part(small, None, 2).rows[0].seeds == (0, 1)
    assert part(small, None, 2).rows[0].wanted == 2
    with pytest.raises(RequestError, match=r"--seeds is 6; .* has 1 to 5"):
        part(small, None, 6)
