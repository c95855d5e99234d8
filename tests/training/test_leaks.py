"""What a run says of weights of earlier runs that were trained on the examples which it holds back."""

import shutil

import numpy as np
import pandas as pd
import pytest

from fitbench.composition import Composer
from fitbench.data.loading import load
from fitbench.errors import RequestError
from fitbench.record.folder import folder_of
from fitbench.tasks import task_of
from fitbench.training import leaks, measures, notes
from fitbench.training.parts import Parts

FOLDS = ("training.validation=kfold", "training.folds=3")
RANDOM = ("training.validation=random", "training.validation_split=0.25")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """A folder with tables, two of other rows and one that has each row twice."""
    outputs, random = tmp_path_factory.mktemp("outputs"), np.random.default_rng(0)
    for name in ("table", "other"):
        frame = pd.DataFrame(random.normal(size=(60, 3)), columns=list("abc"))
        frame.assign(kind=np.arange(60) % 2).to_csv(outputs / f"{name}.csv", index=False)
    frame.loc[frame.index.repeat(2)].assign(kind=np.arange(120) % 2).to_csv(outputs / "twice.csv", index=False)
    return outputs


@pytest.fixture(scope="module")
def words(outputs):
    """The overrides of a run of one of the tables."""
    return lambda *overrides, table="table": [
        *("data=csv", f"data.path={outputs}/{table}.csv", "data.target=kind", "model=mlp", "model.hidden=[4]"),
        *("training.epochs=1", "training.early_stopping=null", f"outputs={outputs}", "progress=false", *overrides),
    ]


@pytest.fixture(scope="module")
def runs(outputs, words, launched):
    """A run without folds, a run of fold 0, and a run of other data that begins with the first one."""
    whole = launched(outputs, *words("study=whole", *RANDOM))[0]
    fold = launched(outputs, *words("study=folds", *FOLDS, "fold=0"))[0]
    other = launched(outputs, *words("study=others", "training.start=whole/", table="other"))[0]
    return whole, fold, other


@pytest.fixture
def checked(runs, words, monkeypatch, capsys):
    """Checks a configuration as a run does; gives what is noted and the rows that are held back."""

    def check(*overrides):
        monkeypatch.setattr(notes, "_written", set())
        config = Composer().configuration(words(*overrides))
        data = load(config.data, config.task)
        parts = Parts.of(config, data, measures.of(config, task_of(data.task)))
        capsys.readouterr()
        leaks.check(parts)
        return capsys.readouterr().err, parts

    return check


def test_a_fold_that_the_earlier_run_was_trained_on_is_refused(runs, words, outputs, launched):
    whole, fold, _ = runs
    with pytest.raises(RequestError) as caught:
        launched(outputs, *words(*FOLDS, "fold=1", f"training.start={fold.name}"))
    assert str(caught.value) == (
        f"training.start: {fold.name}, from which the weights come, was trained on 16 of the 16 validation rows of "
        "fold 1; begin each fold with the run of the same fold of a sweep with the same folds, as in "
        "'training.start=RUN-f${fold}'"
    )
    with pytest.raises(RequestError, match=rf"{whole.name}, .* was trained on \d+ of the 16 validation rows of fold 0"):
        launched(outputs, *words(*FOLDS, "fold=0", f"training.start={whole}"))


def test_each_fold_begins_with_the_run_of_the_same_fold(runs, words, checked):
    start = f"training.start={runs[1].name.removesuffix('0')}${{fold}}"
    err, parts = checked(*FOLDS, "fold=0", start)
    assert (parts.config.training.start.run_id, err) == (runs[1].name, "")
    with pytest.raises(RequestError, match="was trained on"):
        checked("training.validation=kfold", "training.folds=4", "fold=0", start)  # the same fold of other folds


def test_validation_examples_that_the_earlier_run_was_trained_on_are_noted(runs, checked):
    whole = f"training.start={runs[0]}"
    err, _ = checked(whole, *RANDOM, "seed=1")
    assert f"fitbench: training.start: {runs[0].name}, from which the weights come, was trained on" in err
    assert "of the 12 validation rows of this run, so the values of the validation part are too good" in err
    assert checked(whole, *RANDOM, "training.epochs=2")[0] == ""  # the same part
    assert checked(whole, "training.validation_split=0")[0] == ""


def test_the_same_files_divided_in_another_way_are_noted(runs, checked):
    err, _ = checked(f"training.start={runs[0]}", *RANDOM, "data.split_seed=5")
    assert "was trained on examples of the same files, which it divides or reads in another way" in err


def test_the_runs_before_the_earlier_run_count_as_far_as_they_are_found(runs, checked, tmp_path):
    whole, _, other = runs
    with pytest.raises(RequestError, match=f"{whole.name}, from which the weights come, was trained on"):
        checked(*FOLDS, "fold=0", f"training.start={other}")
    shutil.move(whole, tmp_path / whole.name)
    try:
        err, _ = checked(*FOLDS, "fold=0", f"training.start={other}")
    finally:
        shutil.move(tmp_path / whole.name, whole)
    assert f"{whole.name}, from which the weights come, is not found, or has changed; whether it was trained" in err


def test_a_continued_run_is_compared_with_the_run_that_the_first_one_began_with(runs, checked):
    _, parts = checked(*RANDOM, f"training.start={runs[0]}")
    parent = {"run_id": "x", "folder": "nowhere", "config_id": "0" * 8, "sha256": "0" * 64}
    continued = parts.config.model_copy(update={"parent": parent})
    assert [(run_id, result["run_id"]) for run_id, result in leaks._earlier(continued)] == [(runs[0].name,) * 2]
    assert not folder_of(continued).exists()


def test_copies_of_training_rows_in_a_fold_are_noted(outputs, checked, caplog):
    caplog.set_level("INFO")
    twice = (f"data.path={outputs}/twice.csv", "data.test_fraction=0", *FOLDS, "fold=0")
    text = (
        "the fold that is held back has rows with exactly the inputs of rows that the model trains on; train.log counts"
    )
    err, parts = checked(*twice)
    inputs = parts.data.x_train
    copies = sum((inputs[parts.kept] == inputs[row]).all(axis=1).any() for row in parts.held_back)
    assert text in err
    assert 0 < copies < 40
    assert f"{copies} of 40 rows of the fold are copies" in caplog.text
    assert checked(*twice, "training.fold_order=consecutive")[0] == ""  # where both stand in one fold
