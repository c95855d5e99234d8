"""Searches in a report: search.json as it is read, checked and laid out for the page."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from fitbench.analysis.frame import load_runs
from fitbench.analysis.request import Which, measured
from fitbench.analysis.search_record import FILE, read_search, why_unrated
from fitbench.errors import FitbenchError
from fitbench.quantities import of_schema_1, quantities
from fitbench.report.content import collect
from fitbench.report.report import report
from fitbench.report.searches import PARAMETERS, TRIALS

from ..run_folders import KAPPA, record_metrics

SPACE = {
    "optimizer.learning_rate": {"kind": "float", "low": 1e-4, "high": 0.1, "log": True, "step": None},
    "optimizer": {"kind": "choice", "values": ["sgd", "momentum"]},
    "optimizer.momentum": {"kind": "float", "low": 0.5, "high": 0.99, "log": False, "step": None,
                           "when": ["optimizer=momentum"]},
}  # fmt: skip


def trial(number: int, value: float | None, state: str = "finished", **changes: Any) -> dict[str, Any]:
    return {
        "number": number, "state": state, "values": None if value is None else [value], "run_ids": [f"run-{number}"],
        "params": {"optimizer.learning_rate": 0.01 * (number + 1), "optimizer": "sgd"}, "epochs": 4, "history": [],
        "error": None, "began": 100.0, "ended": 102.5, **changes,
    }  # fmt: skip


def search(**changes: Any) -> dict[str, Any]:
    """What search.json holds of five trials."""
    momentum = {"optimizer.learning_rate": 0.1, "optimizer": "momentum", "optimizer.momentum": 0.9}
    return {
        "schema": 1, "study": "default", "objectives": [{"name": "val_accuracy", "direction": "maximize"}],
        "space": copy.deepcopy(SPACE), "sampler": "tpe", "pruner": "median", "seed": 3, "seeds": 1,
        "versions": {"optuna": "5"}, "best": [1, 0, 3],
        "trials": [
            trial(0, 0.8), trial(1, 0.9), trial(2, 0.5, "pruned", epochs=2), trial(3, 0.7, params=momentum),
            trial(4, None, "failed", error="ValueError: no"),
        ],
        "importance": {"val_accuracy": {"optimizer": 0.75, "optimizer.learning_rate": 0.25}},
        **changes,
    }  # fmt: skip


@pytest.fixture
def study(make_run, tmp_path) -> Path:
    """The folder of a study with one run."""
    return make_run("study=default").parent


def test_the_runs_of_a_search_are_compared_on_the_validation_part(study):
    assert measured(load_runs(study), None).column == "metrics.test_accuracy"
    write(study, search())
    assert measured(load_runs(study), None).column == "metrics.val_accuracy"


def test_why_importances_are_not_known():
    few = search(importance={"val_accuracy": {}})
    assert why_unrated(few) == "not known: that takes 10 finished trials, and 3 have finished"
    many = search(trials=[trial(number, 0.8) for number in range(10)])
    assert why_unrated(many | {"total": 12}) == "computed when the launch ends"
    assert why_unrated(many | {"total": 10}).startswith("not known: all finished trials have the same value")


def write(study: Path, content: Any) -> None:
    (study / FILE).write_text(content if isinstance(content, str) else json.dumps(content))


def collected(study: Path, *paths: Path) -> dict[str, Any]:
    content = collect(load_runs(*paths or [study]), [], quantities([of_schema_1()])["metrics.test_accuracy"], paths)
    json.dumps(content, allow_nan=False)
    return content


# -- the file ---------------------------------------------------------------------------------------------------------


def test_a_whole_file_is_read_and_none_is_none(study):
    assert read_search(study) is None
    write(study, search())
    assert read_search(study) == search()


def changed(*path: Any, to: Any) -> dict[str, Any]:
    """A search in which one thing is another; ... takes it away."""
    made = search()
    place: Any = made
    for key in path[:-1]:
        place = place[key]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return made


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "not JSON"),
        ('{"schema": 1, "trials": [', "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "schema 'list'"),
        ({"schema": 2}, "schema 2"),
        ({"schema": 1}, "study is missing; it must be text"),
        (changed("study", to=3), "study is 3; it must be text"),
        (changed("objectives", to=[]), "objectives is []; it must be a list of 1 to 20 objectives"),
        (
            changed("objectives", 0, "direction", to="up"),
            "objectives[0].direction is 'up'; it must be one of maximize,",
        ),
        (
            changed("objectives", to=[{"name": "a", "direction": "minimize"}] * 2),
            "objectives is ['a', 'a']; it must be objectives that differ in their names",
        ),
        (changed("space", to={}), "space is {}; it must be a section with one or more parameters"),
        (
            changed("space", "optimizer", "kind", to="set"),
            "space.optimizer.kind is 'set'; it must be one of choice, float",
        ),
        (
            changed("space", "optimizer", "kind", to=...),
            "space.optimizer.kind is null; it must be one of choice, float",
        ),
        (
            changed("space", "optimizer", to="sgd"),
            "space.optimizer is 'sgd'; it must be a section with keys of its own",
        ),
        (
            changed("space", "optimizer", "values", to=[None]),
            "space.optimizer.values is [None]; it must be a list of te",
        ),
        (
            changed("space", "optimizer.momentum", "log", to=1),
            "space.optimizer.momentum.log is 1; it must be true or fa",
        ),
        (
            changed("space", "optimizer.momentum", "low", to=2.0),
            "space.optimizer.momentum.low is 2.0; it must be at mo",
        ),
        (
            changed("space", "optimizer.learning_rate", "low", to=0),
            "learning_rate.low is 0.0; it must be above 0 and at",
        ),
        (changed("trials", to={}), "trials is {}; it must be a list"),
        (changed("trials", 0, to=7), "trials[0] is 7; it must be a section with keys of its own"),
        (changed("trials", 1, "number", to=0), "trials[1].number is 0; it must be 1"),
        (
            changed("trials", 1, "state", to="<b>"),
            "trials[1].state is '<b>'; it must be one of finished, pruned, failed",
        ),
        (changed("trials", 1, "values", to=None), "trials[1].values is null; it must be a list of one number for each"),
        (
            changed("trials", 1, "values", to=[float("nan")]),
            "trials[1].values is [nan]; it must be a list, each item a n",
        ),
        (changed("trials", 1, "values", to=[10**400]), "trials[1].values is [1000"),
        (
            changed("trials", 1, "values", to=[0.5, 0.5]),
            "trials[1].values is [0.5, 0.5]; it must be a list of one numbe",
        ),
        (changed("trials", 1, "values", to=...), "trials[1].values is missing"),
        (
            changed("trials", 1, "params", "x", to=1),
            "trials[1].params is {'optimizer.learning_rate': 0.02, 'optimizer'",
        ),
        (
            changed("trials", 1, "params", "optimizer", to={}),
            "trials[1].params.optimizer is {}; it must be text, a numbe",
        ),
        (
            changed("trials", 1, "params", "optimizer.learning_rate", to="1"),
            "learning_rate is '1'; it must be a number",
        ),
        (
            changed("trials", 1, "params", "optimizer.learning_rate", to=True),
            "learning_rate is true; it must be a number",
        ),
        (
            changed("trials", 1, "params", "optimizer.learning_rate", to=0.0),
            "learning_rate is 0.0; it must be a number a",
        ),
        (changed("trials", 1, "run_ids", to=[3]), "trials[1].run_ids is [3]; it must be a list, each item text"),
        (changed("trials", 1, "epochs", to="4"), "trials[1].epochs is '4'; it must be a whole number"),
        (changed("trials", 1, "error", to=[]), "trials[1].error is []; it must be text, or null"),
        (changed("trials", 1, "ended", to="now"), "trials[1].ended is 'now'; it must be a number, or null"),
        (changed("best", to=[2]), "best is [2]; it must be a list of the numbers of finished trials"),
        (changed("best", to=[99]), "best is [99]; it must be a list of the numbers of finished trials"),
        (changed("importance", to={"x": {}}), "importance is ['x']; it must be a section with names of objectives"),
        (
            changed("importance", "val_accuracy", "optimizer", to=-1),
            "importance.val_accuracy.optimizer is -1; it must be",
        ),
    ],
)
def test_a_damaged_file_is_refused_and_named(study, content, reason):
    write(study, content)
    with pytest.raises(FitbenchError) as caught:
        read_search(study)
    assert str(caught.value).startswith(f"{study}/search.json: ")
    assert reason in str(caught.value)


def test_a_damaged_search_is_left_out_of_the_report_and_the_rest_is_there(study, tmp_path, capsys):
    write(study, changed("trials", 0, "values", to="0.8"))
    report(Which([study], every=True), tmp_path / "report.html")
    captured = capsys.readouterr()
    reason = "search.json: trials[0].values is '0.8'; it must be a list, each item a number, or null"
    assert captured.err == f"fitbench: left out {study}: {reason}\n"
    content = collected(study)
    assert content["searches"] == []
    assert content["count"] == 1
    assert content["left_out"] == [
        (str(study), "search.json: trials[0].values is '0.8'; it must be a list, each item a number, or null")
    ]


# -- what the page gets -----------------------------------------------------------------------------------------------


def test_trials_parameters_and_importances_are_laid_out_by_position(study):
    write(study, search())
    (found,) = collected(study)["searches"]
    assert found["summary"] == "5 trials: 3 finished, 1 pruned, 1 failed. Sampler tpe with seed 3, median pruner."
    (objective,) = found["objectives"]
    assert (objective["label"], objective["kind"], objective["better"]) == ("validation accuracy", "metric", "higher")
    assert objective["values"] == [0.8, 0.9, 0.5, 0.7, None]
    assert [of["name"] for of in found["parameters"]] == ["optimizer", "optimizer.learning_rate", "optimizer.momentum"]
    assert [of["label"] for of in found["parameters"]] == ["optimizer", "learning_rate", "momentum"]
    kind, rate, momentum = found["parameters"]
    assert (kind["choices"], kind["values"]) == (["sgd", "momentum"], ["sgd", "sgd", "sgd", "momentum", "sgd"])
    assert (rate["log"], rate["low"], rate["high"]) == (True, 1e-4, 0.1)
    assert momentum["values"] == [None, None, None, 0.9, None]
    assert found["importance"] == [[(0, 0.75), (1, 0.25)]]
    assert found["best"] == [1, 0, 3]
    assert found["seconds"] == [2.5] * 5
    assert found["errors"] == [None] * 4 + ["ValueError: no"]


def test_a_trial_knows_its_run_on_the_page(study, make_run):
    content = search()
    other = make_run("study=default", "seed=1", pruned=True, trial=2)
    content["trials"][2]["run_ids"] = ["gone", other.name]
    write(study, content)
    (found,) = collected(study)["searches"]
    names = next(column for column in collected(study)["columns"] if column["name"] == "run_id")["values"]
    assert found["runs"] == [None, None, names.index(other.name), None, None]


def test_only_studies_that_the_paths_hold_are_looked_into(study, make_run, tmp_path):
    write(study, search())
    (run,) = (path for path in study.iterdir() if path.is_dir())
    assert len(collected(study, tmp_path / "outputs")["searches"]) == 1
    assert collected(study, run)["searches"] == []
    make_run("study=other")
    write(study.with_name("other"), search(study="other"))
    found = collected(study, tmp_path / "outputs")["searches"]
    assert [one["study"] for one in found] == ["default", "other"]


def test_costs_have_their_whole_range_and_several_objectives_their_own(study):
    two = [{"name": "val_loss", "direction": "minimize"}, {"name": "parameters", "direction": "minimize"}]
    trials = [trial(i, 0.0) | {"values": values} for i, values in
              enumerate([[0.5, 9_000], [0.4, 10_000], [0.3, 2_000_000], [9e9, 20_000]])]  # fmt: skip
    content = search(
        objectives=two, trials=trials, best=[2, 1, 0], importance={"val_loss": {}, "parameters": {}}, seeds=3
    )
    write(study, content)
    (found,) = collected(study)["searches"]
    loss, size = found["objectives"]
    assert (loss["shown"], loss["low"], loss["high"]) == ((0.3, 0.5), 0.0, None)
    assert (size["shown"], size["kind"]) == ((9_000, 2_000_000), "integer")
    assert found["importance"] == [[], []]
    assert "4 trials, the mean of 3 runs each: 4 finished" in found["summary"]


def test_a_search_in_which_nothing_has_ended_is_there(study):
    write(study, search(trials=[trial(0, None, "running", ended=None)], best=[], importance={"val_accuracy": {}}))
    (found,) = collected(study)["searches"]
    assert found["objectives"][0]["values"] == [None]
    assert found["seconds"] == [None]


def test_an_enormous_search_is_cut_and_said_to_be(study):
    space = {f"p{i}": {"kind": "int", "low": 0, "high": 9, "log": False, "step": 1} for i in range(PARAMETERS + 5)}
    trials = [trial(i, i / 10_000, params={"p44": 1}) for i in range(TRIALS + 10)]
    best = [one["number"] for one in reversed(trials)]
    write(study, search(space=space, trials=trials, best=best, importance={"val_accuracy": {"p44": 1.0}}))
    (found,) = collected(study)["searches"]
    assert len(found["numbers"]) == TRIALS + 10  # the best hundred are there in any case
    assert found["numbers"][found["best"][0]] == TRIALS + 9
    assert len(found["parameters"]) == PARAMETERS
    assert found["parameters"][0]["name"] == "p44"
    assert f"{PARAMETERS} of {PARAMETERS + 5} parameters are shown." in found["summary"]


def test_an_objective_is_labelled_by_the_runs_or_by_search_json(study):
    (run,) = (path for path in study.iterdir() if path.is_dir())
    record_metrics(run, {"kappa": KAPPA}, {"val_kappa": 0.5})
    objective = {"name": "val_kappa", "direction": "minimize"}
    write(study, search(objectives=[objective], importance={"val_kappa": {}}))
    (found,) = collected(study)["searches"]
    about = [found["objectives"][0][key] for key in ("label", "digits", "better", "kind")]
    assert about == ["validation Cohen's kappa", 3, "lower", "metric"]
    info = KAPPA | {"label": "agreement", "digits": 1}
    write(study, search(objectives=[objective | {"info": info}], importance={"val_kappa": {}}))
    (found,) = collected(study)["searches"]
    assert (found["objectives"][0]["label"], found["objectives"][0]["digits"]) == ("validation agreement", 1)


def test_a_damaged_description_of_an_objective_is_refused(study):
    objective = {"name": "val_kappa", "direction": "maximize", "info": KAPPA | {"range": [1, -1]}}
    write(study, search(objectives=[objective], importance={"val_kappa": {}}))
    with pytest.raises(
        FitbenchError, match=r"search\.json: objectives\[0\]\.info\.range is \[1\.0, -1\.0\]; it must be"
    ):
        read_search(study)
