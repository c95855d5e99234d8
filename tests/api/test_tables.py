"""Recorded runs as DataFrames: those of `load_runs`, and the numbers that `fitbench compare` prints."""

import inspect
import io
import pydoc
from importlib import import_module

import pandas as pd
import pytest

import fitbench


@pytest.fixture
def recorded(make_run, tmp_path):
    """Two models with three seeds each, a run of another study, and one that is not finished."""
    for seed in range(3):
        for model in ("mlp", "softmax"):
            labels, probabilities = make_run.predictions(60, 3, seed=seed + 10 * (model == "mlp"))
            make_run(f"model={model}", f"seed={seed}", "study=one", labels=labels, probabilities=probabilities)
    make_run("seed=7", "study=two", finished=False)
    return tmp_path / "outputs"


def test_runs_are_filtered(recorded, monkeypatch):
    monkeypatch.chdir(recorded.parent)
    everything = fitbench.runs()
    pd.testing.assert_frame_equal(everything, fitbench.load_runs("outputs"))
    assert len(everything) == 7
    assert fitbench.runs(where="model == 'mlp' and seed > 0", study="one")["seed"].tolist() == [1, 2]
    assert fitbench.runs("two")["state"].tolist() == ["interrupted"]
    assert len(fitbench.runs(study=["one", "two"], state=["finished"])) == 6
    for wrong, message in (
        ({"state": "done"}, "state is 'done'; it must be one or several of"),
        ({"study": "three"}, "study three: there is no study 'three' here"),
        ({"where": "modle == 1"}, "where: there is no column 'modle'"),
        ({"where": True}, "where is True; it must be a text"),
        ({"study": []}, r"study is \[\]; it must be a name, or a list"),
    ):
        with pytest.raises(fitbench.RequestError, match=f"^{message}"):
            fitbench.runs(**wrong)
    with pytest.raises(fitbench.RequestError, match=r"^\['one'\] is no path; several are given as arguments"):
        fitbench.runs(["one"])
    with pytest.raises(fitbench.RequestError, match="there is no folder nothing"):
        fitbench.runs("x", outputs="nothing")


def test_compare_has_the_numbers_of_the_command(recorded, call):
    options = {"by": ["model.name"], "metric": ["test_accuracy", "val_loss"], "baseline": "softmax"}
    found = fitbench.compare(study="one", outputs=recorded, **options)
    words = ["--by", "model.name", "--metric", "test_accuracy,val_loss", "--baseline", "softmax"]
    status, out, _ = call("compare", str(recorded / "one"), *words, "--format", "csv")
    assert status == 0
    printed = pd.read_csv(io.StringIO(out), keep_default_na=True, dtype={"mixed": str}).fillna({"mixed": ""})
    assert set(printed["n"]) == {3}
    pd.testing.assert_frame_equal(found, printed, check_dtype=False)
    assert found["mean"].dtype == found["p_holm"].dtype == "float64"
    assert list(found)[:5] == ["rank", "model.name", "n", "mean", "sd"]
    assert found.attrs["left_out"] == []
    for wrong, message in (
        ({"metric": "nothing"}, "the runs do not record a metric 'nothing'"),
        ({"by": []}, r"by is \[\]; it must be a name"),
        ({"where": "seed == 99"}, "where 'seed == 99' keeps none of the 6 runs"),
        ({"by": "model.name", "baseline": "x"}, "baseline 'x' fits none of the 2 groups by model"),
        ({"by": "x" * 30}, r"there is no column .*; (the columns of fitbench\.runs\(\) are all|did you)"),
    ):
        with pytest.raises(fitbench.RequestError, match=f"^{message}"):
            fitbench.compare(study="one", outputs=recorded, **wrong)


def test_help_and_completion_show_what_is_documented():
    assert {name for name in dir(fitbench) if not name.startswith("_")} == set(fitbench.__all__) - {"__version__"}
    import_module("fitbench.tuning.search")
    assert inspect.isfunction(fitbench.search)
    assert list(inspect.signature(fitbench.search).parameters)[:3] == ["space", "overrides", "trials"]
    for function in (fitbench.train, fitbench.sweep, fitbench.search, fitbench.runs, fitbench.compare):
        assert "Raises:" in pydoc.render_doc(function, renderer=pydoc.plaintext)
        assert all(f"{name}" in inspect.getdoc(function) for name in inspect.signature(function).parameters)
