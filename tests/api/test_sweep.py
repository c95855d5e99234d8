"""Sweeps and searches from Python, in this process and in workers of a script that guards nothing."""

import subprocess
import sys

import pandas as pd
import pytest

import fitbench
from fitbench.api.search import _frame
from fitbench.tuning.search import Conclusion

from .conftest import SMALL


def test_sets_are_combined_with_lists_in_the_order_in_which_they_were_asked_for(trained, outputs, capsys):
    common = ("data=digits", {"training.epochs": 1}, "sweep.exclude=seed == 1 and learning_rate == 0.1")
    arguments = {"model": "softmax", "study": "order", "outputs": outputs, "progress": False}
    arguments["optimizer.learning_rate"] = [0.1, 0.01]
    runs = fitbench.sweep(["seed=3,1"], *common, **arguments)
    pairs = list(zip(runs["seed"], runs["optimizer.learning_rate"], strict=True))
    assert pairs == [(3, 0.1), (3, 0.01), (1, 0.01)]
    assert set(runs["state"]) == {"finished"}
    assert capsys.readouterr().out == ""
    loaded = fitbench.load_runs(outputs / "order")
    pd.testing.assert_frame_equal(runs.sort_values("folder", ignore_index=True), loaded)
    with pytest.raises(fitbench.RequestError, match=r"^set 1: training.epochs is also given as training.epochs=1"):
        fitbench.sweep(["seed=3", ["seed=2", {"training.epochs": 2}]], *common, **arguments)


def test_a_run_that_fails_leaves_the_others_and_the_exception_holds_all(trained, outputs, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,a\n")
    failing = {"data": {"source": "csv", "path": tmp_path / "a.csv", "target": "y"}, "model": "mlp"}
    sets = [failing, ["data=digits", "model=softmax", {"training.epochs": 1}]]
    with pytest.raises(fitbench.SweepFailed, match=r"^1 of 2 runs failed; launch the sweep again") as caught:
        fitbench.sweep(sets, study="failing", outputs=outputs, progress=False)
    runs = caught.value.runs
    assert runs["state"].tolist() == ["failed", "finished"]
    assert "a.csv" in runs["error"][0]


@pytest.mark.parametrize(
    ("sets", "values", "message"),
    [
        ([], {}, "the list of sets is empty"),
        (None, {"seed": []}, "seed: no values to choose from"),
        (["hydra/launcher=ray"], {}, "set 0: hydra/launcher=ray: hydra/launcher applies to the whole sweep"),
        (
            None,
            {"hydra/launcher": "ray"},
            "hydra/launcher=ray: a key of Hydra's own, which is for fitbench train -m alone",
        ),
        (["seed=interval(0,1)"], {}, "an interval is for fitbench search"),
        ([5], {}, "5: expected overrides"),
    ],
)
def test_wrong_sweeps_are_refused(sets, values, message, tmp_path):
    with pytest.raises(fitbench.RequestError) as caught:
        fitbench.sweep(sets, "data=digits", outputs=tmp_path, **values)
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


SCRIPT = """
import fitbench

print("the script runs")
arguments = {"data": {"source": "csv", "path": "nothing.csv", "target": "y"}, "model": "mlp", "outputs": "outputs"}
try:
    fitbench.sweep([arguments], seed=range(2), workers=2)
except fitbench.SweepFailed as failed:
    print(*failed.runs["state"], *set(failed.runs["error"].str.contains("nothing.csv")))
"""
REAL_SCRIPT = """
import fitbench

print("the script runs")
arguments = {"data": "digits", "model": "softmax", "training": {"epochs": 1}, "outputs": "outputs"}
print(*fitbench.sweep([arguments], seed=range(2), workers=2)["state"])
"""


@pytest.mark.parametrize(
    ("words", "text", "printed"),
    [
        (["script.py"], SCRIPT, "failed failed True"),
        pytest.param(["-"], SCRIPT, "failed failed True", marks=pytest.mark.long),
        pytest.param(["script.py"], REAL_SCRIPT, "finished finished", marks=pytest.mark.long),
    ],
)
def test_workers_do_not_run_a_script_again(tmp_path, words, text, printed):
    """A worker that ran the script would start workers of its own, which multiprocessing refuses.

    Data that are not there fail a run before TensorFlow is imported, which would take most of the time.
    """
    (tmp_path / "script.py").write_text(text)
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, input=text, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.splitlines() == ["the script runs", printed], done.stderr


# -- search -----------------------------------------------------------------------------------------------------------


def test_seconds_that_are_an_objective_are_not_those_of_the_trial(tmp_path):
    trial = {"number": 0, "state": "finished", "values": [0.9, 5.0], "params": {"model.dropout": 0.1}, "epochs": 3,
             "run_ids": ["a", "b"], "error": None, "began": 100.0, "ended": 150.0}  # fmt: skip
    objectives = [{"name": "val_accuracy"}, {"name": "seconds"}]
    record = {"objectives": objectives, "space": {"model.dropout": {}}, "best": [0], "importance": {}}
    failed = {**trial, "number": 1, "state": "failed", "values": None}
    trials = _frame(Conclusion(tmp_path, {**record, "trials": [trial, failed]}, [], [], {}))
    assert list(trials).count("seconds") == 1
    assert trials["seconds"].fillna(-1).tolist() == [5.0, -1.0]


def test_a_search_gives_its_trials_and_the_best_can_be_trained(trained, outputs, capsys):
    space = {"optimizer.learning_rate": "tag(log,interval(1e-3,1e-1))", "training.batch_size": [64]}
    arguments = {"outputs": outputs, "study": "search", "progress": False}
    trials = fitbench.search(space, *SMALL, trials=2, sampler="random", **arguments)
    assert capsys.readouterr().out == ""
    assert list(trials) == [
        *("number", "state", "val_accuracy", "optimizer.learning_rate", "training.batch_size"),
        *("epochs", "seconds", "run_ids", "error"),
    ]
    assert trials["val_accuracy"].is_monotonic_decreasing
    assert trials["epochs"].tolist() == [3, 3]
    best = trials.iloc[0]
    assert trials.attrs["study"] == "search"
    [run_id] = best["run_ids"]
    run = fitbench.train(*trials.attrs["best"], study="search", progress=False)
    assert run.run_id == run_id
    assert run.metrics["val_accuracy"] == best["val_accuracy"]
    assert run.config["optimizer"]["learning_rate"] == best["optimizer.learning_rate"]
    again = fitbench.search(space, *SMALL, trials=2, sampler="random", **arguments)
    pd.testing.assert_frame_equal(again, trials)
    with pytest.raises(fitbench.RequestError, match="there is nothing to search"):
        fitbench.search(data="digits", outputs=outputs)
    rates = {"optimizer.learning_rate": [0.1, 0.2]}
    for first, message in ((rates, r"batch_size is \[8, 16\]"), ("model=softmax", "there is nothing to search")):
        with pytest.raises(fitbench.RequestError, match=f"{message}.*; choices are given in the first argument"):
            fitbench.search(first, {"training.batch_size": [8, 16]}, **arguments)
