"""What results.csv counts for where runs are not recorded on this machine."""

from dataclasses import replace

import pytest

from fitbench.errors import FitbenchError
from fitbench.tables import measured
from fitbench.tables.outcome import outcomes
from fitbench.tables.reading import read

ERRORS = [0.084, 0.083, 0.085, 0.0845, 0.0835]


@pytest.fixture
def committed(small, measure, composed, tmp_path):
    """Writes results.csv with five runs of 'softmax', and moves their folders away; gives the records."""
    measure(small, "softmax", {seed: 1 - error for seed, error in enumerate(ERRORS)})
    records = measured.read_runs(small, composed(small))
    (small.folder / "results.csv").write_text(measured.as_csv(records))
    (tmp_path / "outputs").rename(tmp_path / "moved")
    return records


@pytest.fixture
def counted(composed):
    """The records of a table of those that are recorded and those that are committed."""
    return lambda table: measured.with_committed(table, measured.read_runs(table, composed(table)))


def test_committed_results_count_where_no_run_is_recorded(small, committed, counted):
    records = counted(small)
    assert [replace(record, committed=False) for record in records[:5]] == committed[:5]
    assert [(record.state, record.committed) for record in records[5:]] == [("missing", False)] * 5
    assert [outcome.verdict for outcome in outcomes(small, records)] == ["reproduced", "not run", "not measured"]


def test_a_row_may_have_another_label_than_its_committed_results(define, committed, counted):
    rows = [{"label": "renamed", "claimed": "8.4", "overrides": ["model=softmax"]}]
    records = counted(read(define(rows=rows)))
    assert [(record.row, record.committed, record.value) for record in records] == [
        ("renamed", True, record.value) for record in committed[:5]
    ]


def test_committed_results_of_another_configuration_or_metric_do_not_count(define, committed, counted):
    rows = [{"label": "softmax", "claimed": "8.4", "overrides": ["model=softmax"]}]
    for changed in ({"overrides": ["data=digits", "training.epochs=3"]}, {"metric": "val_accuracy"}):
        assert {record.state for record in counted(read(define(rows=rows, **changed)))} == {"missing"}


def test_a_recorded_run_counts_before_a_committed_one_unless_it_has_not_finished(small, committed, counted, measure):
    measure(small, "softmax", {0: 0.5})
    [unfinished] = measure(small, "softmax", {1: 0.5})
    (unfinished / "result.json").unlink()
    first, second = counted(small)[:2]
    assert (first.value, first.committed) == (0.5, False)
    assert (second.value, second.committed) == (committed[1].value, True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",0,,finished,0.916,", ",0,,finished,high,", r"line 2, value: .*number"),
        (",3,,finished,", ",third,,finished,", r"line 5, seed: "),
        ("row,metric,", "row,meter,", "line 2, metric: Field required"),
    ],
)
def test_a_damaged_file_is_named_with_line_and_column(small, committed, counted, old, new, message):
    path = small.folder / "results.csv"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(FitbenchError, match=message) as refusal:
        counted(small)
    assert str(refusal.value).startswith(f"{path}: line ")
    assert str(refusal.value).endswith("; fitbench table --write writes this file; restore it from git")
