"""The command: what it prints, what it refuses, what it launches."""

import json

import pytest

from fitbench.composition import quoted
from fitbench.errors import RequestError, SweepFailed
from fitbench.tables import launching
from fitbench.tables.choosing import with_seeds
from fitbench.tables.reading import read
from fitbench.tables.table import table as show_table


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "pdf"}, "--format is 'pdf'; it must be one of table, csv, json"),
        ({"overrides": ["threads=1"]}, "threads=1 is for what --run launches"),
        ({"write": True, "rows": "mlp"}, "--write records the whole table"),
        ({"write": True, "seeds": 2}, "--write records the whole table"),
        ({"write": True, "anew": True}, r"--write keeps the runs of results\.csv .* leave out --anew"),
        ({"check": True, "run": True}, "--check trains for a comparison only; leave out --run"),
        ({"check": True, "seeds": 2}, "--check trains one seed of each row; leave out --seeds"),
        ({"check": True}, r"table\.yaml: no run is finished, so there is nothing to compare"),
        ({"run": True, "overrides": ["model=mlp"]}, r"model=mlp: would not launch the runs of this table"),
        ({"run": True, "overrides": ["seed=3"]}, "seed=3: not allowed here"),
        ({"run": True, "overrides": ["fold=3"]}, "fold=3: not allowed here; .* folds in table.yaml"),
        ({"run": True, "overrides": ["nonsense"]}, "nonsense: expected KEY=VALUE; fitbench table takes one table"),
        ({"overrides": ["tutorials"]}, "tutorials: expected KEY=VALUE; fitbench table takes one table"),
    ],
)
def test_a_wrong_request_is_refused(small, tmp_path, launched, options, message):
    with pytest.raises(RequestError, match=message):
        show_table(str(small.folder), outputs=tmp_path / "outputs", **options)
    assert not launched


def test_run_launches_every_row_and_seed_as_one_sweep(small, composed, launched, tmp_path, capsys):
    overrides = ["threads=1", "workers=2", "hydra.verbose=true"]
    assert launching.train(with_seeds(small, 3), composed(small), overrides) == 0
    [(arguments, jobs)] = launched
    assert jobs == [
        {"overrides": ["data=digits", "training.epochs=2", "model=softmax"], "seeds": [0, 1, 2]},
        {"overrides": ["data=digits", "training.epochs=2", "model=mlp", "model.hidden=[20]"], "seeds": [0, 1, 2]},
    ]
    assert {"-m", *overrides, "study=small"} <= set(arguments)
    assert f"outputs='{tmp_path / 'outputs'}'" in arguments
    said = capsys.readouterr()
    assert "what the sweep says" not in said.out
    assert "what the sweep says" in said.err


def test_run_launches_every_fold(define, composed, launched, measure):
    rows = [{"label": "mlp", "claimed": "8.0", "overrides": ["model=mlp"], "folds": 2}]
    table = read(define(rows=rows, overrides=["data=digits"], seeds=2))
    folds = ["data=digits", "model=mlp", "training.validation=kfold", "training.folds=2"]
    measure(table, "mlp", {(0, 0): 0.9, (0, 1): 0.9, (1, 0): 0.9})
    assert launching.train(table, composed(table)) == 0
    [(_, jobs)] = launched
    assert jobs == [{"overrides": [*folds, f"fold={fold}"], "seeds": [0, 1]} for fold in (0, 1)]
    measure(table, "mlp", {(1, 1): 0.9})
    assert launching.train(table, composed(table)) == 0
    assert len(launched) == 1


def test_a_finished_table_launches_nothing(small, composed, launched, measure, capsys):
    for label in ("softmax", "mlp"):
        measure(small, label, dict.fromkeys(range(5), 0.9))
    assert launching.train(small, composed(small)) == 0
    assert not launched
    assert "every run of this table is finished" in capsys.readouterr().err


def test_after_failures_the_table_is_rendered_and_the_failure_said(small, tmp_path, monkeypatch, capsys):
    def fail(_):
        raise SweepFailed("3 of 10 runs failed")

    monkeypatch.setattr("fitbench.launch.command.launch", fail)
    with pytest.raises(SweepFailed):
        show_table(str(small.folder), run=True, outputs=tmp_path / "outputs")
    assert "0 of 5" in capsys.readouterr().out


def test_an_interrupted_launch_gives_its_status(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("fitbench.launch.command.launch", lambda _: 130)
    assert show_table(str(small.folder), run=True, outputs=tmp_path / "outputs") == 130
    assert capsys.readouterr().out == ""


def test_quoted_paths_survive_hydras_grammar():
    from hydra.core.override_parser.overrides_parser import OverridesParser

    for path in ("/tmp/a b", "/tmp/it's", "/tmp/a,b=[c]", "back\\slash", "back\\'s", "end\\", "end\\\\"):
        [override] = OverridesParser.create().parse_overrides([f"outputs={quoted(path)}"])
        assert override.value() == path


def test_a_table_of_a_regression_runs_and_has_a_verdict(define, tmp_path, capsys):
    rows = [
        {"label": "one epoch", "claimed": "2.4", "overrides": ["model=mlp"]},
        {
            "label": "folds", "claimed": "2.4", "overrides": ["model=mlp", "training.fold_order=consecutive"],
            "folds": 2, "seeds": 1, "test_examples": 404,
        },
    ]  # fmt: skip
    folder = define(
        rows=rows,
        overrides=["data=boston_housing", "training.epochs=1"],
        metric="val_mae",
        unit="value",
        tolerance=0.25,
        test_examples=81,  # of the validation part
        seeds=3,
    )
    assert show_table(str(folder), run=True, outputs=tmp_path, format="json", overrides=["progress=false"]) == 0
    content = json.loads(capsys.readouterr().out)
    row, of_folds = content["rows"]
    assert (row["metric"], row["verdict"], row["seeds"]) == ("val_mae", "worse", 3)
    assert [(run["seed"], run["fold"], run["state"]) for run in of_folds["runs"]] == [
        (0, 0, "finished"), (0, 1, "finished"),
    ]  # fmt: skip
    assert of_folds["mean"] == pytest.approx(sum(run["value"] for run in of_folds["runs"]) / 2)
    assert not any("on other" in remark or "measured on" in remark for remark in content["remarks"])  # 404 examples
    assert 15 < row["mean"] < 30  # thousand dollars: after one epoch about the mean price
    assert row["difference"] == pytest.approx(row["mean"] - 2.45)  # from the nearest value that is printed as 2.4


def test_run_trains_what_is_missing_and_nothing_else(define, measure, tmp_path, capsys):
    rows = [
        {"label": "softmax", "claimed": "8.4", "overrides": ["model=softmax"]},
        {"label": "nearest", "claimed": "10", "overrides": ["model=nearest_mean"], "deterministic": True},
    ]
    folder = define(rows=rows, overrides=["data=digits"], seeds=2)
    measure(read(folder), "softmax", {0: 0.123})
    outputs, overrides = tmp_path / "outputs", ["training.checkpoint_seconds=60", "progress=false"]
    assert show_table(str(folder), run=True, outputs=outputs, format="json", overrides=overrides) == 0
    printed = capsys.readouterr()
    assert "1 skipped, finished before" in printed.err
    softmax, nearest = json.loads(printed.out)["rows"]
    assert softmax["runs"][0]["value"] == pytest.approx(87.7)
    assert [run["state"] for run in softmax["runs"]] == ["finished", "finished"]
    assert nearest["seeds"] == nearest["seeds_wanted"] == 1
    assert nearest["mean"] == pytest.approx(8.91, abs=0.01)
