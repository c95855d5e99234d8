"""fitbench table --dry-run, and tables with configurations of the user's own."""

import json

import pytest

from fitbench.composition import conf_folder
from fitbench.errors import RequestError
from fitbench.launch.plan import Plan
from fitbench.record.files import write_whole
from fitbench.tables import launching
from fitbench.tables.composing import configurations
from fitbench.tables.measured import run_folder
from fitbench.tables.reading import read
from fitbench.tables.table import table as show_table

pytestmark = pytest.mark.usefixtures("process_state_restored")


@pytest.fixture
def begun(define, composed, measure):
    """The table `small` with macro F1, of which some runs are recorded. One of them lacks the metric."""
    small = read(define(metric="macro_f1", unit="percent", tolerance=1.0))
    measure(small, "softmax", dict.fromkeys(range(5), 0.9))
    [lacking] = measure(small, "mlp", {0: 0.9})
    result = json.loads((lacking / "result.json").read_text())
    del result["metric_info"]["macro_f1"]
    result["metrics"] = {name: value for name, value in result["metrics"].items() if "macro_f1" not in name}
    (lacking / "result.json").write_text(json.dumps(result))
    for seed, name in ((1, "config.yaml"), (2, "error.txt")):
        folder = run_folder(composed(small)["mlp"], seed, None)
        folder.mkdir(parents=True)
        write_whole(folder / name, "{}")
    return small


def test_dry_run_counts_the_states_of_each_row(begun, dry_call):
    status, printed, _ = dry_call("table", "small", "workers=2", "--dry-run")
    assert status == 0
    assert printed.splitlines() == [
        "outputs/small",
        "          runs   finished   to evaluate   interrupted   failed   new         time",
        "softmax      5          5             -             -        -     -            -",
        "mlp          5          -             1             1        1     2   about 10 s",
        "10 jobs: 5 finished, 1 to evaluate, 1 interrupted, 1 failed, 2 new",
        "finished runs that lack a metric and are evaluated, not trained: 1",
        "a few seconds of training with workers=2, plus starting up; from 1 recorded run of the same configurations",
    ]


def test_dry_run_of_folds_and_of_several_formats(define, dry_call):
    rows = [
        {"label": "mlp", "claimed": "8.0", "overrides": ["model=mlp"], "folds": 3},
        {"label": "human", "claimed": "0.2", "measured": False},
    ]
    define(rows=rows, seeds=2)
    _, printed, _ = dry_call("table", "small", "--dry-run", "--run", "--format", "json")
    states = (
        "committed",
        "finished",
        "to_evaluate",
        "to_train_again",
        "interrupted",
        "failed",
        "refused",
        "running_elsewhere",
    )
    expected = {
        "label": "mlp",
        "runs": 6,
        "committed": 0,
        **dict.fromkeys(("committed", *states, "pruned"), 0),
        "new": 6,
        "seconds": None,
    }
    assert json.loads(printed) == [expected]
    _, printed, _ = dry_call("table", "small", "--dry-run", "--format", "csv", "--seeds", "1")
    assert printed.splitlines()[1] == "mlp,3,0,0,0,0,0,0,0,0,0,3,"


def test_dry_run_of_a_table_without_runs_or_with_write_is_refused(define, tmp_path):
    folder = define(rows=[{"label": "human", "claimed": "0.2", "measured": False}])
    with pytest.raises(RequestError, match=r"table\.yaml: no row is measured"):
        show_table(str(folder), dry_run=True, outputs=tmp_path)
    with pytest.raises(RequestError, match="--dry-run writes nothing; leave out --write"):
        show_table(str(folder), dry_run=True, write=True, outputs=tmp_path)


def test_forced_launch_of_a_finished_table_trains_again_as_the_dry_run_says(small, composed, measure, launched):
    for label in ("softmax", "mlp"):
        measure(small, label, dict.fromkeys(range(5), 0.9))
    plans: list[Plan] = []
    assert launching.dry_run(small, composed(small), ["force=true"], plans.append) == 0
    assert {each.state for each in plans[0].planned} == {"to train again"}
    assert launching.train(small, composed(small), ["force=true"]) == 0
    assert launched
    assert launching.dry_run(small, composed(small), [], plans.append) == 0
    assert {each.state for each in plans[1].planned} == {"finished"}
    assert launching.train(small, composed(small)) == 0
    assert len(launched) == 1


def test_refused_run_or_an_interruption_decides_the_status_of_a_dry_run(begun, composed, dry_call, monkeypatch):
    (run_folder(composed(begun)["softmax"], 3, None) / "result.json").write_text("{")
    status, printed, _ = dry_call("table", "small", "--dry-run")
    assert status == 1
    assert "4 finished" in printed and "1 refused" in printed

    def interrupted(jobs):
        raise KeyboardInterrupt

    monkeypatch.setattr("fitbench.launch.command.plan", interrupted)
    status, printed, error = dry_call("table", "small", "--dry-run")
    assert (status, printed) == (130, "")
    assert "IndexError" not in error


# -- configurations of the user's own ---------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path):
    """Folders `models` and `experiments of mine`, the second of which needs the first."""
    model = (conf_folder() / "model" / "mlp.yaml").read_text().replace("name: mlp", "name: mine")
    for name, text in (
        ("models/model/mine.yaml", model),
        ("own experiments/experiment/quick.yaml",
         "# @package _global_\ndefaults:\n  - override /model: mine\ntraining:\n  epochs: 3\n"),
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)


ROWS = [{"label": "mine", "claimed": "5.0", "experiment": "quick"}]


@pytest.mark.parametrize("place", [1, 2, 3, 5])
def test_config_dirs_stand_anywhere_and_reach_the_training(define, own, dry_call, place):
    define(rows=ROWS)
    words = ["table", "small", "--run", "workers=2", "--dry-run"]
    words[place:place] = ["--config-dir", "models", "-cd", "own experiments"]
    status, printed, error = dry_call(*words)
    assert (status, error) == (0, "")
    assert "5 jobs: 5 new" in printed
    assert [line.split()[:2] for line in printed.splitlines()[2:3]] == [["mine", "5"]]


def test_config_dir_of_the_table_is_relative_to_its_file(define, own, dry_call):
    define(rows=ROWS, config_dir="../../models")
    assert dry_call("table", "small", "--config-dir", "own experiments")[:1] == (0,)
    status, _, error = dry_call("table", "small")
    assert status == 2
    assert "experiment=quick: there is no such choice" in error


def test_own_configuration_is_that_of_the_row(define, own, tmp_path):
    table = read(
        define(rows=[{"label": "mine", "claimed": "5", "overrides": ["model=mine"]}], config_dir="../../models")
    )
    assert configurations(table, tmp_path)["mine"].model["name"] == "mine"


def test_config_dir_that_does_not_exist_is_refused(define, dry_call):
    define(config_dir="../nowhere")
    assert "table.yaml: config_dir is '../nowhere'; there is no folder " in dry_call("table", "small")[2]
    define()
    assert "--config-dir nowhere: there is no such folder" in dry_call("table", "small", "--config-dir", "nowhere")[2]


def test_search_path_of_hydra_is_not_given_to_a_table(small, composed):
    with pytest.raises(RequestError, match=r"hydra\.searchpath=.*: not allowed here; use --config-dir DIR"):
        launching.train(small, composed(small), ["hydra.searchpath=[file:///x]"])
