"""From run folders to lines with a verdict."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fitbench import metrics
from fitbench.tables import measured, results_file
from fitbench.tables.definition import Claim, Measure, Row
from fitbench.tables.outcome import counts, evaluation_sets, expected_false_verdicts, seed_values
from fitbench.tables.reading import read
from fitbench.tables.remarks import remarks
from fitbench.tables.units import units_of
from fitbench.tables.verdict import EvaluationSets

from ..hostile_folders import INSTEAD

ERRORS = [0.084, 0.083, 0.085, 0.0845, 0.0835]  # of the five seeds, around the claim


@pytest.fixture
def full(small, measure):
    """The folders of all runs of 'softmax'."""
    return measure(small, "softmax", {seed: 1 - error for seed, error in enumerate(ERRORS)})


def test_nothing_measured_is_said_and_judged_as_nothing(small, look):
    softmax, mlp, human = look(small)
    assert (softmax.seeds, softmax.verdict, softmax.complete) == ("0 of 5", "not run", False)
    assert (human.seeds, human.verdict) == ("-", "not measured")
    assert remarks([mlp]) == []
    assert counts([softmax, mlp, human]) == "3 rows: 2 not run, 1 not measured; 10 runs are not finished"


def test_a_row_without_a_claim_is_not_run_either_before_it_has_a_run(define, look, measure):
    table = read(define([{"label": "a", "claimed": "none stated", "overrides": ["model=softmax"]}]))
    assert look(table)[0].verdict == "not run"
    measure(table, "a", {0: 0.9})
    assert look(table)[0].verdict == "no claim"


def test_all_seeds_make_a_complete_row(small, look, full):
    line = look(small)[0]
    assert (line.seeds, line.verdict, line.complete) == ("5 of 5", "reproduced", True)
    assert (line.parameters, line.seconds) == (12345, 83.0)
    assert remarks([line]) == []


def test_changing_one_recorded_accuracy_changes_the_verdict(small, look, measure):
    folders = measure(small, "softmax", dict.fromkeys(range(5), 0.95))
    assert look(small)[0].verdict == "better"
    path = folders[3] / "result.json"
    path.write_text(path.read_text().replace('"test_accuracy": 0.95', '"test_accuracy": 0.5'))
    assert look(small)[0].verdict == "inconclusive"  # the one that fell out may be one of many
    assert remarks(look(small)[:1]) == [
        "softmax: inconclusive, and no number of seeds can decide: the claim is one training, and 95% of trainings "
        "scatter by ± 39.44, more than the tolerance"
    ]
    measure(small, "softmax", dict.fromkeys(range(5), 0.7))
    assert look(small)[0].verdict == "worse"


def test_deleting_a_run_makes_its_row_partial(small, look, full):
    (full[2] / "result.json").unlink()
    full[2].rmdir()
    line = look(small)[0]
    assert (line.seeds, line.verdict, line.complete) == ("4 of 5", "reproduced so far", False)
    assert remarks([line]) == ["softmax: seed 2 not run yet"]
    (full[1] / "result.json").unlink()
    (full[1] / "error.txt").write_text("Traceback\nValueError: no luck\n")
    (full[4] / "result.json").unlink()
    line = look(small)[0]
    assert (line.seeds, line.verdict) == ("2 of 5", "inconclusive so far")
    assert set(remarks([line])) == {
        "softmax: a verdict needs at least 3 seeds",
        "softmax: seed 1 failed (ValueError: no luck)",
        "softmax: seed 2 not run yet",
        "softmax: seed 4 interrupted",
    }


def test_a_run_of_another_seed_or_study_or_configuration_does_not_count(define, look, measure):
    rows = [{"label": "a", "claimed": "8.4", "overrides": ["model=softmax"]}]
    table = read(define(rows=rows, seeds=3))
    measure(table, "a", {3: 0.9, 7: 0.9})
    other = read(define(rows=rows, seeds=3, overrides=["data=digits", "training.epochs=3"]))
    measure(other, "a", {0: 0.9, 1: 0.9})
    table = read(define(rows=rows, seeds=3))
    assert look(table)[0].seeds == "0 of 3"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:100], "not JSON"),
        (lambda text: text.replace('"test_accuracy": 0.916', '"test_accuracy": 1.5'), "expected a number from 0 to 1"),
        (lambda text: text.replace('"test_accuracy": 0.916', '"test_accuracy": null'), "expected a number from 0 to 1"),
        (lambda text: text.replace('"test_accuracy": 0.916', '"test_accuracy": NaN'), "test_accuracy is nan"),
        (lambda text: text.replace('-s0"', '-s9"'), "that of another run"),
        (lambda text: text.replace('"test": 10000', '"test": 0'), "at least one example"),
        (lambda text: text.replace('"parameters"', '"params"'), "parameters is missing"),
    ],
)
def test_a_damaged_result_is_named_and_does_not_count(small, look, full, capsys, change, reason):
    path = full[0] / "result.json"
    path.write_text(change(path.read_text()))
    line = look(small)[0]
    assert line.seeds == "4 of 5"
    assert line.records[0].state == "damaged"
    assert reason in line.records[0].reason
    assert full[0].name in capsys.readouterr().err


@pytest.mark.parametrize("kind", INSTEAD)
@pytest.mark.parametrize("name", ["result.json", "claim.json"])
def test_a_run_with_a_hostile_file_is_named_and_does_not_count(small, look, full, capsys, name, kind):
    put, reason = INSTEAD[kind]
    (full[0] / "result.json").unlink()
    put(full[0] / name)
    line = look(small)[0]
    assert line.seeds == "4 of 5"
    assert line.records[0].state == "damaged"
    assert re.search(f"^{name}: {reason}", line.records[0].reason)
    assert full[0].name in capsys.readouterr().err


def test_without_an_interval_no_remark_says_how_wide_it_is(small, look, measure):
    measure(small, "softmax", dict.fromkeys(range(2), 0.916))
    outcome = look(small)[0]
    assert outcome.judgement.measured.interval is None
    assert "softmax: all 2 seeds gave the same result" in remarks([outcome])
    assert "interval" not in " ".join(remarks([outcome]))


def test_runs_on_other_data_than_the_claim_and_than_each_other_are_remarked(small, look, measure):
    measure(small, "softmax", dict.fromkeys(range(4), 0.92), test=1000)
    measure(small, "softmax", {4: 0.92}, test=1000, sha256="cd" * 32)
    outcome = look(small)[0]
    text = " ".join(remarks([outcome]))
    assert "all 5 seeds gave the same result; the interval of the mean reaches one test example to each side" in text
    assert "trained on different data" in text
    assert "measured on 1,000 examples, claimed on 10,000" in text
    assert "claimed on other test examples" in text  # the number alone proves it
    assert outcome.judgement.half_width > 0.01  # the sampling of 1,000 images is in it


def test_the_same_number_of_other_examples_is_told_by_the_checksum(define, look, measure):
    for test_set, same in (("ab" * 32, True), ("ab" * 4, True), ("cd" * 32, False), ("same", True), ("other", False)):
        table = read(define(test_set=test_set))
        measure(table, "softmax", dict.fromkeys(range(5), 0.92), sha256="ab" * 32)
        outcome = look(table)[0]
        assert evaluation_sets(outcome.row, outcome.records).same is same
        assert (outcome.judgement.half_width < 0.001) is same


def test_deterministic_and_shortened_rows_are_remarked(define, look, measure):
    rows = [
        {"label": "solved", "claimed": "8.0", "overrides": ["model=softmax"], "deterministic": True},
        {"label": "slow", "claimed": "8.0", "overrides": ["model=mlp"], "seeds": 3},
    ]
    table = read(define(rows=rows))
    measure(table, "solved", {0: 0.92})
    measure(table, "slow", {0: 0.92, 1: 0.921, 2: 0.920})
    solved, slow = look(table)
    assert (solved.seeds, solved.verdict) == ("1 of 1", "reproduced")
    assert (slow.seeds, slow.verdict) == ("3 of 5", "reproduced so far")
    assert remarks([solved, slow]) == [
        "solved: deterministic, so one run is enough; the interval of the mean reaches one test example to each side",
        "slow: only 3 of the 5 seeds of this table are planned",
    ]
    assert expected_false_verdicts([solved, slow]) == pytest.approx(0.05)  # nothing random decides the first


def test_a_remark_on_several_rows_is_one_and_names_them(matrix_outcomes):
    complete = [one for one in matrix_outcomes if one.values and one.complete][:4]
    folded = [replace(one, row=replace(one.row, folds=3)) for one in complete]
    about = "3 folds; the value of a seed is the mean over them"
    assert remarks(folded) == [f"all 4 rows: {about}"]
    assert remarks([*folded[:3], complete[3]]) == [f"GunPoint, FCN; Coffee, FCN (test_accuracy): {about}"]
    assert "Coffee, MLP: seed 2 not run yet" in remarks(matrix_outcomes)  # of both metrics


def fold_record(seed, fold, value, examples=200):
    return results_file.Record(
        "row", "val_accuracy", "id", seed, fold, "finished" if value else "failed", value, test_examples=examples
    )


def folded_row(claim, seeds):
    """A row of 5 folds, measured on the validation part."""
    accuracy = metrics.get("accuracy")
    measure = Measure(accuracy, "val", units_of(accuracy)["accuracy"], 0.005)
    return Row(1, "a", measure, claim, "", "", (), seeds, len(seeds), deterministic=False, measured=True, folds=5)


def on_test(row):
    return replace(row, measure=replace(row.measure, part="test"))


def test_the_folds_of_a_seed_count_as_one_value_when_all_have_finished():
    records = [fold_record(0, fold, value) for fold, value in enumerate((0.9, 0.7))]
    assert seed_values([*records, fold_record(1, 0, 0.5), fold_record(1, 1, None)]) == pytest.approx([0.8])
    assert seed_values([*records, fold_record(1, 0, 0.5), fold_record(1, 1, 0.6)]) == pytest.approx([0.8, 0.55])


def test_the_folds_of_a_seed_are_one_test_set():
    claim = Claim("0.8", 0.8, 0.8, 0.75, 0.85, 1000)
    row = folded_row(claim, (0, 1, 2))
    records = [fold_record(seed, fold, 0.9) for seed in range(3) for fold in range(5)]
    assert evaluation_sets(row, records) == EvaluationSets(1000, same=True)
    assert not evaluation_sets(row, [*records, fold_record(3, 0, 0.9, examples=5000)]).same
    assert evaluation_sets(on_test(row), records).ours == 200  # all folds have the same test part


def test_the_variance_of_a_mean_over_folds_is_that_of_all_their_examples():
    claim = Claim("0.8", 0.8, 0.8, 0.75, 0.85, 1000, test_set="other")
    row = folded_row(claim, (0,))
    records = [replace(fold_record(0, fold, 0.9), bootstrap_deviation=0.1) for fold in range(5)]
    assert evaluation_sets(row, records).bootstrap_variance == pytest.approx(0.01 / 5)
    assert evaluation_sets(on_test(row), records).bootstrap_variance == pytest.approx(0.01)


FOLDS = {"metric": "val_accuracy", "folds": 2, "test_examples": 40}
FOLDED = [{"label": "mlp", "claimed": "8.0", "overrides": ["model=mlp"], **FOLDS}]


def test_the_value_of_a_seed_is_the_mean_over_the_folds_that_have_all_finished(define, look, measure):
    table = read(define(rows=FOLDED, seeds=3, overrides=["data=digits"]))
    values = {(0, 0): 0.90, (0, 1): 0.94, (1, 0): 0.91, (1, 1): 0.95, (2, 1): 0.5}
    folders = measure(table, "mlp", values)
    assert [folder.name[-6:] for folder in folders] == ["-s0-f0", "-s0-f1", "-s1-f0", "-s1-f1", "-s2-f1"]
    [outcome] = look(table)
    assert outcome.values == pytest.approx([0.92, 0.93])
    assert (outcome.seeds, outcome.wanted_runs) == ("2 of 3", 6)
    assert counts([outcome]).endswith("; 1 run is not finished")
    assert evaluation_sets(outcome.row, outcome.records) == EvaluationSets(40, same=True)  # 20 in each fold
    texts = remarks([outcome])
    assert "mlp: seed 2 (fold 0) not run yet" in texts
    assert "mlp: 2 folds; the value of a seed is the mean over them" in texts


def test_the_sampling_of_the_examples_of_folds_is_bootstrapped(define, look, measure):
    rows = [{**FOLDED[0], "metric": "val_macro_f1", "test_set": "other", "claimed": "90.0"}]
    table = read(
        define(metric="macro_f1", unit="percent", tolerance=1.0, rows=rows, seeds=1, overrides=["data=digits"])
    )
    random = np.random.default_rng(0)
    for fold, folder in enumerate(measure(table, "mlp", {(0, 0): 0.9, (0, 1): 0.92})):
        labels, outputs = np.arange(20) % 2, random.random((20, 2)).astype(np.float32)
        np.savez(
            folder / "predictions.npz", data_sha256="ab" * 32, labels=labels, probabilities=outputs,
            validation_labels=labels, validation_probabilities=outputs, validation_rows=np.arange(fold, 40, 2),
        )  # fmt: skip
    [outcome] = look(table)
    deviations = [record.bootstrap_deviation for record in outcome.records]
    assert None not in deviations
    expected = sum(deviation**2 for deviation in deviations) / 4
    assert evaluation_sets(outcome.row, outcome.records).bootstrap_variance == pytest.approx(expected)


def test_the_records_come_back_from_csv_as_they_were(small, composed, tmp_path, full):
    (full[1] / "result.json").unlink()
    (full[1] / "error.txt").write_text('ValueError: "a", b\n')
    records = measured.read_runs(small, composed(small))
    path = tmp_path / "results.csv"
    path.write_text(results_file.as_csv(records))
    assert results_file.read_csv(path) == records


def test_a_reason_cannot_break_the_csv(small, tmp_path):
    record = results_file.Record("a", "test_accuracy", "12345678", 0, None, "failed", reason="x\ny\x1b[0m")
    path = tmp_path / "results.csv"
    path.write_text(results_file.as_csv([record]))
    assert results_file.read_csv(path) == [replace(record, reason="x\\ny\\x1b[0m")]
    assert Path(path).read_text().count("\n") == 2
