"""--dry-run of a search: space, objective, trials recorded and to come, the time; nothing is written."""

import os
from pathlib import Path

import pytest

from fitbench.errors import FitbenchError, RequestError
from fitbench.record.trash_moves import put_away, restore
from fitbench.tuning.command import search as command

from . import formula
from .conftest import RATE

SPACE = ("model=softmax,mlp", RATE, "training.epochs=4", "search.seed=1")
COMMON = ("data=digits", "study=mine", "progress=false")


@pytest.fixture(autouse=True)
def by_formula(composed_once, monkeypatch):
    monkeypatch.setattr("fitbench.training.run.train", formula.train)
    monkeypatch.setattr("fitbench.tuning.search.write_plots", lambda record, folder: [])
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def dry_run(tree, capsys):
    """Returns a function that gives the lines of a dry run, which has written nothing."""

    def run(*words: str) -> list[str]:
        before = tree()
        capsys.readouterr()
        assert command([*COMMON, *words, "--dry-run"]) == 0
        assert tree() == before
        return capsys.readouterr().out.splitlines()

    return run


def test_new_search(dry_run):
    assert dry_run(*SPACE, "search.trials=30", "search.seeds=2", "search.folds=3", "search.timeout=600") == [
        "outputs/mine: a new search",
        "parameter                 values",
        "model                     softmax, mlp",
        "optimizer.learning_rate   0.001 to 0.1, log",
        "objective: maximize val_accuracy",
        "sampler: tpe, pruner: median",
        "runs of a trial: 6 (2 seeds, 3 folds of each)",
        "search.timeout: no trial begins after 10 min",
        "30 trials: 30 new",
        "no recorded run of this model and data tells how long a trial takes",
    ]


def test_search_that_has_begun_counts_its_trials(dry_run):
    command([*COMMON, *SPACE, "search.trials=12"])
    lines = dry_run(*SPACE, "search.trials=20", "workers=2")
    assert lines[0] == "outputs/mine: a search that has begun"
    assert lines[-2].startswith("20 trials: ") and lines[-2].endswith(" pruned, 8 new")
    assert lines[-1] == (
        "a few seconds of training with workers=2, plus starting up; from 12 recorded trials of this search"
    )
    assert dry_run(*SPACE, "search.trials=12")[-1] == "nothing to train: the search is over"
    study = Path("outputs/mine")
    folders = list(study.glob("digits-*"))
    for folder in folders:
        (folder / "config.yaml").touch()
    runs = put_away(folders, study.parent)
    assert not study.exists()
    assert "12 trials: 12 new" in dry_run(*SPACE, "search.trials=12")
    assert restore(runs) == []
    assert dry_run(*SPACE, "search.trials=12")[-1] == "nothing to train: the search is over"


def test_new_search_takes_its_time_from_runs(dry_run):
    command([*COMMON, *SPACE, "search.trials=3"])
    last = dry_run(*SPACE, "study=other", "search.trials=4")[-1]
    assert last == (
        "a few seconds of training (early stopping or pruning may end it sooner), plus starting up; from 3 recorded "
        "runs of the same model and data"
    )
    of_one_epoch = dry_run(*SPACE[:2], "training.epochs=1", "study=other", "search.trials=4")[-1]
    assert of_one_epoch.startswith("a few seconds of training, plus starting up; from 3 recorded")


def test_grid_has_as_many_trials_as_the_space(dry_run):
    assert dry_run("model=softmax,mlp", "seed=3", "search.sampler=grid")[-2] == "2 trials: 2 new"


def test_more_trials_than_configurations_are_said_to_repeat(dry_run, capsys):
    text = "the space has 2 configurations and search.trials is 3: trials of the same configuration take its recorded"
    assert [line for line in dry_run("model=softmax,mlp", "search.trials=3") if line.startswith(text)]
    assert not any("configuration" in line for line in dry_run("model=softmax,mlp", "search.trials=2"))
    command([*COMMON, "model=softmax,mlp", "search.trials=3"])
    assert text in " ".join(capsys.readouterr().err.split())


def test_other_search_of_the_same_name_is_refused(dry_run, tree):
    command([*COMMON, *SPACE, "search.trials=1"])
    before = tree()
    with pytest.raises(RequestError, match=r"study mine is another search already: .*batch_size"):
        dry_run(*SPACE, "training.batch_size=32")
    assert tree() == before


def test_database_is_not_opened(dry_run, tmp_path):
    lines = dry_run(*SPACE, "search.storage=sqlite:///trials.db")
    assert "the database of search.storage is not opened; trials are counted as search.json has them" in lines
    command([*COMMON, *SPACE, "search.trials=2", "search.storage=sqlite:///trials.db"])
    assert "5 trials: 2 finished, 3 new" in dry_run(*SPACE, "search.trials=5", "search.storage=sqlite:///trials.db")


def test_damaged_journal_is_named(dry_run, tmp_path):
    (tmp_path / "outputs" / "mine").mkdir(parents=True)
    (tmp_path / "outputs" / "mine" / "search.journal").write_text("nonsense\n{}\n")
    with pytest.raises(FitbenchError, match=r"mine/search\.journal: damaged, line 1"):
        dry_run(*SPACE)


@pytest.mark.parametrize("place", [0, 2, 5])
def test_config_dir_stands_anywhere(dry_run, tmp_path, place):
    (tmp_path / "own" / "search").mkdir(parents=True)
    (tmp_path / "own" / "search" / "rates.yaml").write_text("defaults: [default]\ntrials: 7\n")
    words = [*SPACE, "search=rates"]
    words[place:place] = ["--config-dir", str(tmp_path / "own")]
    assert "7 trials: 7 new" in dry_run(*words)
