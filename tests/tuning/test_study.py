"""What a search does with its trials, whatever trains them: here a formula does, see formula.py."""

import errno
import json
import os
import shlex
import signal
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from fitbench import metrics
from fitbench.config import Config
from fitbench.errors import FitbenchError
from fitbench.record.claims import Claimed, _create, _self
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import read_history
from fitbench.record.reading import read_result
from fitbench.tuning import study as studies
from fitbench.tuning.request import Request, read_request
from fitbench.tuning.study import Study, open_study
from fitbench.tuning.summary import ON_ALL
from fitbench.tuning.trial import Recipe

from . import formula
from .conftest import RATE, Found, composer, search_with, sharing

SPACE = (RATE, "training.batch_size=32,64", "training.epochs=4", "search.startup_trials=5")
TRIALS = 14  # of which the last are pruned, and one is not
SAMPLERS = {
    "tpe": SPACE,
    "random": (*SPACE, "search.sampler=random"),
    "grid": ("optimizer.learning_rate=0.003,0.01,0.03", "training.batch_size=range(16,65,16)", "search.sampler=grid"),
    "conditional": ("search=optimizers", "search.startup_trials=5", "training.epochs=4"),
    "objectives": (*SPACE, "search.objective=[val_accuracy,parameters]"),
}


@pytest.fixture(autouse=True)
def by_formula(monkeypatch):
    use_formula(monkeypatch)


def use_formula(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fitbench.training.run.train", formula.train)
    patch.setattr(os, "fsync", lambda descriptor: None)  # which takes longer than the rest, and is for power cuts


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Gives the trials of a search that nothing disturbed, as many as are asked for."""

    @cache
    def found(sampler: str) -> Found:
        with pytest.MonkeyPatch.context() as patch, sharing(tmp_path_factory.mktemp("undisturbed"), patch):
            use_formula(patch)
            return search_with(patch)(*SAMPLERS[sampler], f"search.trials={TRIALS}")

    return lambda trials=TRIALS, sampler="tpe": found(sampler).trials[:trials]


@pytest.fixture
def opened(composed_once):
    """Opens the study of a search as each of its processes does."""

    def open_one(*words: str) -> tuple[Study, Request]:
        request = read_request(["data=digits", "model=softmax", "study=mine", *words])
        return open_study(request.settings, request.space, request.config, request.recipe.objectives), request

    return open_one


def of_optuna(folder: Path) -> Any:
    """The study as Optuna by itself reads it."""
    return optuna.load_study(
        study_name="mine", storage=JournalStorage(JournalFileBackend(str(folder / "search.journal")))
    )


def interrupt_after(epochs: int, monkeypatch: pytest.MonkeyPatch, by: BaseException | None = None) -> None:
    """Have the search interrupted after so many epochs in all, once."""
    count = 0

    def after_epoch() -> None:
        nonlocal count
        count += 1
        if count == epochs:
            raise by or KeyboardInterrupt

    monkeypatch.setattr(formula, "after_epoch", after_epoch)


# -- the same again ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_search_with_the_same_seed_makes_the_same_trials(search, undisturbed, sampler):
    again = search(*SAMPLERS[sampler], "search.trials=12")
    assert again.trials == undisturbed(12, sampler)
    assert len(again.trials) == 12


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_search_with_another_seed_makes_other_trials(search, undisturbed, sampler):
    other = search(*SAMPLERS[sampler], "search.trials=2", "search.seed=1")
    assert [trial["params"] for trial in other.trials] != [trial["params"] for trial in undisturbed(2, sampler)]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_search_that_is_interrupted_and_launched_again_ends_as_if_it_had_not_been(
    search, undisturbed, sampler, monkeypatch, capsys
):
    words = (*SAMPLERS[sampler], "search.trials=12")
    for epoch in (2, 13, 5):
        interrupt_after(epoch, monkeypatch)
        stopped = search(*words)
        assert stopped.status == 130
        assert stopped.states()[-1] == "interrupted"
        assert capsys.readouterr().err.endswith("fitbench: interrupted; run the same command again to resume\n")
    assert search(*words).trials == undisturbed(12, sampler)
    logs = [path.read_text() for path in stopped.folder.glob("*/train.log")]
    assert sum(log.count(" attempt ") for log in logs) == len(logs) + 3


def test_search_goes_on_with_more_trials_as_if_it_had_been_asked_for_them_at_once(search, undisturbed):
    assert len(search(*SPACE, "search.trials=7").trials) == 7
    assert search(*SPACE, "search.trials=12").trials == undisturbed(12)


def test_search_that_is_over_is_reported_and_not_touched(search, capsys):
    first = search(*SPACE, "search.trials=6")
    said = capsys.readouterr().out
    assert "Importance for val_accuracy: not known: that takes 10 finished trials, and " in said
    journal = (first.folder / "search.journal").read_bytes()
    assert search(*SPACE, "search.trials=6").record == first.record
    assert capsys.readouterr().out == said
    assert (first.folder / "search.journal").read_bytes() == journal


def test_trial_that_was_stopped_between_two_choices_makes_the_other_as_it_would_have(search, undisturbed, monkeypatch):
    suggest, asked = optuna.Trial._suggest, []

    def stop_before_the_second_of_trial_3(trial, key, of):
        asked.append(key)
        if (trial.number, len(trial.params)) == (3, 1) and asked.count("stop") == 0:
            asked.append("stop")
            raise KeyboardInterrupt
        return suggest(trial, key, of)

    monkeypatch.setattr(optuna.Trial, "_suggest", stop_before_the_second_of_trial_3)
    assert search(*SPACE, "search.trials=8").status == 130
    assert search(*SPACE, "search.trials=8").trials == undisturbed(8)


def test_trial_whose_checkpoints_were_lost_is_pruned_where_it_would_have_been(search, undisturbed, monkeypatch):
    number = next(trial["number"] for trial in undisturbed() if trial["state"] == "pruned")
    words = (*SPACE, f"search.trials={number + 1}")
    assert undisturbed()[number]["epochs"] == 2
    epochs = sum(trial["epochs"] for trial in undisturbed(number))
    should_prune = optuna.Trial.should_prune

    def killed_when_pruned(trial: Any) -> bool:
        if should_prune(trial):
            raise KeyboardInterrupt
        return False

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Trial, "should_prune", killed_when_pruned)
        stopped = search(*words)
    assert (stopped.states()[-1], sum(trial["epochs"] for trial in stopped.trials)) == ("interrupted", epochs + 2)
    (stopped.run(number) / "checkpoint" / "state.json").unlink()
    (stopped.run(number) / "history.jsonl").unlink()
    again = search(*words)
    assert again.trials == undisturbed(number + 1)
    assert len(read_history(again.run(number))) == 2


# -- what is recorded --------------------------------------------------------------------------------------------------


def test_plain_optuna_opens_the_storage(search):
    found = search(*SPACE, "search.trials=14")
    study = of_optuna(found.folder)
    names = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
    assert {trial["state"] for trial in found.trials} == set(names)
    for theirs, ours in zip(study.trials, found.trials, strict=True):
        assert (theirs.number, theirs.params) == (ours["number"], ours["params"])
        assert (theirs.state, theirs.values) == (names[ours["state"]], ours["values"])
        assert list(theirs.intermediate_values.values()) == ours["history"]
        assert theirs.user_attrs["run_ids"] == ours["run_ids"]
    assert study.best_trial.number == found.record["best"][0]
    assert study.direction.name == "MAXIMIZE"


def test_record_names_the_runs_of_a_trial_while_they_are_trained(search, monkeypatch):
    named: list[list[str]] = []

    def after_epoch() -> None:
        until = time.monotonic() + 20
        while not named and time.monotonic() < until:
            trials = json.loads(Path("outputs/mine/search.json").read_text())["trials"]
            named.extend(trial["run_ids"] for trial in trials if trial["run_ids"])
            time.sleep(0.01)

    monkeypatch.setattr("fitbench.launch.display.POLL_SECONDS", 0.05)
    monkeypatch.setattr(formula, "after_epoch", after_epoch)
    found = search(*SPACE, "search.trials=1", "search.seeds=2")
    assert named == [found.record["trials"][0]["run_ids"]]
    assert len(named[0]) == 2


def test_importances_are_computed_once_at_the_end_of_a_launch(search, monkeypatch):
    compute, computed = optuna.importance.get_param_importances, []

    def count(*arguments: Any, **named: Any) -> dict[str, float]:
        computed.append(named["params"])
        return compute(*arguments, **named)

    monkeypatch.setattr(optuna.importance, "get_param_importances", count)
    found = search(*SPACE, f"search.trials={TRIALS}", "search.pruner=none")
    assert len(computed) == 1
    shares = found.record["importance"]["val_accuracy"]
    assert set(shares) == {"optimizer.learning_rate", "training.batch_size"}
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_importances_are_those_of_good_trials(search, direction):
    found = search(*SPACE, f"search.trials={TRIALS}", "search.pruner=none", f"search.direction={direction}")
    shares = found.record["importance"]["val_accuracy"]
    theirs = of_optuna(found.folder)  # without a function of ours, the evaluator knows the direction of the study
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    assert shares == optuna.importance.get_param_importances(theirs, evaluator=evaluator, params=list(shares))


def test_trials_that_were_begun_on_other_outputs_are_left_alone(search):
    storage = "sqlite:///search.db"
    search(*SPACE, "search.trials=1", f"search.storage={storage}")
    study = optuna.load_study(study_name="mine", storage=storage)
    study.ask().set_user_attr("where", "elsewhere")
    found = search(*SPACE, "search.trials=3", f"search.storage={storage}", "search.timeout=1")
    assert [trial["state"] for trial in found.trials] == ["finished", "interrupted", "finished"]
    study._storage.remove_session()


def test_search_in_a_database_makes_the_same_trials(search, undisturbed):
    url = "sqlite:///search.db"
    assert len(search(*SPACE, "search.trials=3", f"search.storage={url}").trials) == 3
    found = search(*SPACE, "search.trials=7", f"search.storage={url}")
    assert found.trials == undisturbed(7)
    assert not (found.folder / "search.journal").exists()
    study = optuna.load_study(study_name="mine", storage=url)
    assert [trial.values for trial in study.trials] == [trial["values"] for trial in undisturbed(7)]
    study._storage.remove_session()


def test_trial_that_somebody_has_asked_optuna_for_is_made_too(search, undisturbed):
    found = search(*SPACE, "search.trials=2")
    wanted = {"optimizer.learning_rate": 0.0123, "training.batch_size": 32}
    of_optuna(found.folder).enqueue_trial(wanted)
    again = search(*SPACE, "search.trials=3")
    assert again.trials[:2] == undisturbed(2)
    assert (again.trials[2]["state"], again.trials[2]["params"]) == ("finished", wanted)
    assert search(*SPACE, "search.trials=5").states() == ["finished"] * 5


def test_value_of_a_pruned_trial_is_the_best_that_it_reported(search):
    found = search(*SPACE, "search.trials=14", "search.objective=val_loss")
    pruned = [trial for trial in found.trials if trial["state"] == "pruned"]
    assert pruned
    for trial in pruned:
        assert trial["values"] == [min(trial["history"])]
        said = json.loads((found.run(trial["number"]) / "pruned.json").read_text())
        assert (said["trial"], said["metrics"]["epochs"]) == (trial["number"], trial["epochs"])


def test_trials_with_the_same_configuration_share_a_run(search):
    """The grid of a batch size that stands in the space twice: 64 and 64.0."""
    words = (
        "training.batch_size=32,64",
        "optimizer.epsilon=1e-7,1.0e-07",
        "training.epochs=2",
        "search.sampler=random",
    )
    found = search(*words, "search.trials=6")
    assert found.states() == ["finished"] * 6
    logs = list(found.folder.glob("*/train.log"))
    assert len(logs) == 2
    assert [path.read_text().count(" attempt ") for path in logs] == [1, 1]
    assert all(len(trial["history"]) == 2 for trial in found.trials)


def test_objective_is_the_mean_over_the_seeds_of_a_trial(search):
    found = search(*SPACE, "search.trials=10", "search.seeds=3", "seed=5")
    for trial in found.trials:
        if trial["state"] == "pruned":
            continue
        results = [read_result(found.folder / name) for name in trial["run_ids"]]
        assert [result["seed"] for result in results] == [5, 6, 7]
        values = [result["metrics"]["val_accuracy"] for result in results]
        assert trial["values"] == [pytest.approx(sum(values) / 3, abs=1e-12)]
        assert len(set(values)) == 3
        assert trial["history"] == [epoch["val_accuracy"] for epoch in read_history(found.folder / trial["run_ids"][0])]
    assert "pruned" not in found.states()[:5]


def test_pruned_trial_trains_no_further_seeds(search):
    found = search(*SPACE, "search.trials=14", "search.seeds=2")
    pruned = [trial for trial in found.trials if trial["state"] == "pruned"]
    assert pruned
    for trial in pruned:
        assert state_of(found.folder / trial["run_ids"][0]) is State.pruned
        assert not (found.folder / trial["run_ids"][1]).exists()


def test_objective_is_the_mean_over_folds_and_seeds_and_the_first_fold_alone_is_pruned(search):
    found = search(*SPACE, "search.trials=14", "search.folds=3", "search.seeds=2")
    assert (found.record["seeds"], found.record["folds"]) == (2, 3)
    assert {"pruned", "finished"} <= set(found.states())
    for trial in found.trials:
        assert [name.partition("-s")[2][-4:] for name in trial["run_ids"]] == [
            f"{seed}-f{fold}" for seed in (0, 1) for fold in (0, 1, 2)
        ]
        first, *others = [found.folder / name for name in trial["run_ids"]]
        if trial["state"] == "pruned":
            assert state_of(first) is State.pruned
            assert not any(other.exists() for other in others)
            continue
        results = [read_result(folder) for folder in (first, *others)]
        values = [result["metrics"]["val_accuracy"] for result in results]
        assert len(set(values)) == 6
        assert trial["values"] == [pytest.approx(sum(values) / 6, abs=1e-12)]
        assert trial["history"] == [epoch["val_accuracy"] for epoch in read_history(first)]
        assert {result["config"]["training"]["folds"] for result in results} == {3}


def test_search_over_folds_that_is_interrupted_in_a_later_fold_trains_only_what_is_left(search, monkeypatch):
    words = (*SPACE, "search.trials=3", "search.folds=3")
    undisturbed = search(*words, outputs="undisturbed")
    interrupt_after(2 * 4 + 2, monkeypatch)  # the third fold of the first trial
    search(*words)
    assert search(*words).trials == undisturbed.trials
    logs = {path.parent.name: path.read_text() for path in search(*words).folder.glob("*/train.log")}
    assert sorted(text.count(" attempt ") for text in logs.values()) == [1] * (len(logs) - 1) + [2]


def test_search_over_folds_says_how_its_best_is_trained_over_them_and_on_all_examples(search, capsys, configure):
    found = search(*SPACE, "search.trials=3", "search.folds=3")
    out = capsys.readouterr().out.splitlines()
    assert out[1] == "the value of a trial is the mean over 3 folds"
    assert out[-4] == "Train the best over 3 folds and 5 seeds:"
    assert out[-2] == "Train the best on all training examples:"
    words, of_all = (shlex.split(line) for line in (out[-3], out[-1]))
    assert [word for word in words if word.startswith(("fold=", "seed="))] == ["fold=range(3)", "seed=range(5)"]
    config = configure(*[word for word in words[3:] if "range(" not in word], "fold=2")
    assert folder_of(config).absolute() == found.run(found.record["best"][0], 2)
    config = configure(*of_all[3:-1])
    assert (config.training.validation_split, config.training.folds, config.fold) == (0, None, None)


def test_best_of_data_without_a_test_part_is_trained_over_folds_alone(search, capsys):
    words = (*SPACE, "search.trials=1", "search.folds=3")
    path = search(*words).run(0) / "result.json"
    result = json.loads(path.read_text())
    result["data"]["test"] = 0
    path.write_text(json.dumps(result))
    capsys.readouterr()
    search(*words)
    out = capsys.readouterr().out
    assert "Train the best over 3 folds and 5 seeds:" in out
    assert "on all training examples" not in out


def test_data_whose_test_fraction_is_0_do_not_compose_without_folds(tmp_path):
    words = ["data=csv", "data.path=x.csv", "data.target=y", "model=mlp", "data.test_fraction=0"]
    recipe = Recipe(composer(), words, "mine", None, [])
    assert not recipe.composes([*words, *ON_ALL])
    assert recipe.composes([*words[:-1], *ON_ALL])


@pytest.mark.parametrize(
    ("words", "best"),
    [
        (["search.objective=val_accuracy"], max),
        (["search.objective=val_loss"], min),
        (["search.objective=parameters", "search.direction=maximize"], max),
        (["search.objective=val_loss", "search.direction=maximize"], max),
    ],
)
def test_best_trial_is_the_best_by_objective_and_direction(search, words, best):
    found = search(*SPACE, "search.trials=8", "search.pruner=none", *words)
    values = [trial["values"][0] for trial in found.trials]
    assert len(set(values)) > 1
    assert values[found.record["best"][0]] == best(values)
    assert [values[number] for number in found.record["best"]] == sorted(values, reverse=best is max)
    assert of_optuna(found.folder).best_value == best(values)


def test_several_objectives_give_the_trials_that_no_other_surpasses(search, capsys):
    found = search(
        *SPACE[:1],
        *SPACE[2:],
        "training.batch_size=16,32,64,128",
        "search.trials=12",
        "search.objective=[val_accuracy,parameters]",
    )
    assert found.record["objectives"] == [
        {"name": "val_accuracy", "direction": "maximize", "label": "validation accuracy",
         "info": metrics.get("accuracy").info()},
        {"name": "parameters", "direction": "minimize", "label": "parameters"},
    ]  # fmt: skip
    values = {trial["number"]: trial["values"] for trial in found.trials}

    def surpasses(one: list[float], other: list[float]) -> bool:
        return one != other and one[0] >= other[0] and one[1] <= other[1]

    front = {number for number, own in values.items() if not any(surpasses(one, own) for one in values.values())}
    assert set(found.record["best"]) == front
    assert 1 < len(front) < 12
    assert front == {trial.number for trial in of_optuna(found.folder).best_trials}
    assert f"{len(front)} of them on the Pareto front" in capsys.readouterr().out
    assert "pruned" not in found.states()


# -- objectives --------------------------------------------------------------------------------------------------------

LATENCY = "metrics.latency={_target_: mine.latency, direction: min, digits: 2, label: time of a prediction, unit: ms}"


def test_any_metric_of_the_validation_set_is_an_objective_and_is_recorded(search, capsys):
    found = search(RATE, "training.epochs=4", "search.objective=val_macro_f1", f"search.trials={TRIALS}")
    assert {"finished", "pruned"} == set(found.states())
    for trial in found.trials:
        folder = found.run(trial["number"])
        assert trial["history"] == [epoch["val_macro_f1"] for epoch in read_history(folder)]
        if trial["state"] == "finished":
            result = read_result(folder)
            assert trial["values"] == [result["metrics"]["val_macro_f1"]]
            assert result["config"]["metrics"] == {"default": None, "macro_f1": None}
    assert found.record["objectives"] == [
        {"name": "val_macro_f1", "direction": "maximize", "label": "validation macro F1",
         "info": metrics.get("macro_f1").info()}
    ]  # fmt: skip
    values = [trial["values"][0] for trial in found.trials if trial["state"] == "finished"]
    assert found.trials[found.record["best"][0]]["values"][0] == max(values)
    assert f"{max(values):.4f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "objective", "better"),
    [([], "val_log_loss", min), ([], "train_macro_f1", max), ([LATENCY], "val_latency", min)],
)
def test_direction_comes_from_the_metric_and_not_from_its_name(search, words, objective, better):
    found = search(RATE, "training.epochs=2", *words, f"search.objective={objective}", "search.trials=5")
    assert found.states() == ["finished"] * 5
    values = [trial["values"][0] for trial in found.trials]
    assert values[found.record["best"][0]] == better(values)
    assert len(set(values)) == 5
    assert all(bool(trial["history"]) == objective.startswith("val_") for trial in found.trials)


def test_metric_of_the_users_is_described_once_a_run_has_recorded_it(search):
    found = search(RATE, "training.epochs=1", LATENCY, "search.objective=val_latency", "search.trials=1")
    [objective] = found.record["objectives"]
    assert objective["label"] == "validation time of a prediction"
    assert objective["info"] == read_result(found.run(0))["metric_info"]["latency"]
    assert (objective["info"]["digits"], objective["info"]["unit"]) == (2, "ms")


def test_trial_whose_objective_is_undefined_fails_and_is_never_the_best(search):
    words = ("training.batch_size=32,64", "optimizer.learning_rate=0.01,0.05", "training.epochs=2")
    found = search(*words, "search.objective=val_macro_f1", "search.sampler=grid", "search.direction=minimize")
    by_size = {trial["params"]["training.batch_size"]: trial for trial in found.trials}
    assert {size: trial["state"] for size, trial in by_size.items()} == {32: "finished", 64: "failed"}
    assert by_size[64]["values"] is None
    assert by_size[64]["error"].startswith("val_macro_f1 is undefined in digits-softmax-adam-")
    assert by_size[64]["history"] == []
    assert len(found.record["best"]) == 2


def test_runs_of_different_definitions_are_not_compared(search, monkeypatch):
    words = (RATE, "training.epochs=1", LATENCY, "search.objective=val_latency")
    assert search(*words, "search.trials=1").states() == ["finished"]
    infos = formula.infos

    def changed(config: Config) -> dict[str, Any]:
        described = infos(config)
        described["latency"]["definition"] = "changed"
        return described

    monkeypatch.setattr(formula, "infos", changed)
    found = search(*words, "search.trials=2")
    assert found.states() == ["finished", "failed"]
    assert "val_latency is defined as 'changed' in " in found.trials[1]["error"]


def test_message_about_losses_of_different_definitions_names_the_primary_metric(search, monkeypatch):
    words = (RATE, "training.epochs=1", "search.objective=val_loss")
    search(*words, "search.trials=1")
    of_loss = metrics.get("loss").info() | {"definition": "fitbench.loss.huber"}
    infos = formula.infos
    monkeypatch.setattr(formula, "infos", lambda config: infos(config) | {"loss": of_loss})
    assert (
        search(*words, "search.trials=2").trials[1]["error"].endswith("; search.objective=val_accuracy compares them")
    )


@pytest.mark.parametrize("direction", ["[maximize,maximize]", "maximize"])
def test_direction_of_several_objectives(search, direction):
    found = search(
        *SPACE, "search.trials=3", "search.objective=[val_accuracy,parameters]", f"search.direction={direction}"
    )
    assert [one["direction"] for one in found.record["objectives"]] == ["maximize", "maximize"]


def test_grid_makes_every_combination_once_and_ends(search):
    found = search(*SAMPLERS["grid"], "search.pruner=none", "search.trials=50")
    combinations = [tuple(trial["params"].values()) for trial in found.trials]
    assert set(combinations) == {(rate, size) for rate in (0.003, 0.01, 0.03) for size in (16, 32, 48, 64)}
    assert len(combinations) == 12
    assert search(*SAMPLERS["grid"], "search.pruner=none", "search.trials=50").trials == found.trials


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_pruners_end_trials_early(search, pruner):
    found = search(*SPACE, "training.epochs=8", "search.trials=20", f"search.pruner={pruner}", "search.sampler=random")
    assert {"pruned", "finished"} == set(found.states())
    assert max(trial["epochs"] for trial in found.trials if trial["state"] == "pruned") < 8


@pytest.mark.parametrize("epochs", ["9", "tag(int,interval(2,9))", "2,9", "9,2"])
def test_brackets_of_hyperband_are_those_of_the_longest_trial(opened, epochs):
    study, _ = opened(RATE, f"training.epochs={epochs}", "search.pruner=hyperband")
    assert study.study.pruner._max_resource == 9


def test_no_trial_is_pruned_where_none_is_to_be(search):
    assert set(search(*SPACE, "search.trials=14", "search.pruner=none").states()) == {"finished"}


def test_time_that_is_up_ends_the_search_after_the_trial_at_hand(search, monkeypatch):
    epochs: list[None] = []  # each seems to take an hour, and a trial has four
    clock = time.time
    monkeypatch.setattr(formula, "after_epoch", lambda: epochs.append(None))
    monkeypatch.setattr(time, "time", lambda: clock() + 3600 * len(epochs))
    found = search(*SPACE, "search.trials=50", "search.timeout=20000")
    assert (found.status, found.states()) == (0, ["finished"] * 2)
    epochs.clear()
    assert search(*SPACE, "search.trials=50", "search.timeout=10000").states() == ["finished"] * 3


def test_search_says_what_it_has_found_and_how_to_train_it(search, capsys, configure):
    words = ("search=optimizers", "training.epochs=4", "search.trials=12", "search.startup_trials=4")
    found = search(*words)
    out = capsys.readouterr().out.splitlines()
    states = found.states()
    counts = [f"{states.count(state)} {state}" for state in ("finished", "pruned") if state in states]
    assert out[0] == f"12 trials: {', '.join(counts)}"
    assert out[-2] == "Train the best over 5 seeds:"
    words = out[-1].split()
    assert words[:3] == ["fitbench", "train", "-m"]
    assert words[-1] == "'seed=range(5)'"
    config = configure(*words[3:-1])
    assert folder_of(config).absolute() == found.run(found.record["best"][0])


# -- failures ----------------------------------------------------------------------------------------------------------

FAILS = "_target_: mine.fails\nname: fails\npixel_range: [0, 1]\n"


@pytest.fixture
def models(tmp_path) -> str:
    """The option for a folder of the user's own, with a model that fails."""
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "fails.yaml").write_text(FAILS)
    return f"--config-dir={tmp_path / 'conf'}"


def test_failing_trial_is_recorded_with_its_error_and_the_others_go_on(search, models, capsys):
    found = search(
        models, "model=softmax,fails", RATE, "training.epochs=2", "search.trials=10", "search.max_failures=9"
    )
    failed = [trial for trial in found.trials if trial["state"] == "failed"]
    assert failed
    assert len(failed) < 10
    for trial in found.trials:
        assert (trial["state"] == "failed") == (trial["params"]["model"] == "fails")
        assert trial["error"] == ("ValueError: no luck" if trial in failed else None)
        assert (state_of(found.run(trial["number"])) is State.failed) == (trial in failed)
    assert f"{len(failed)} failed" in capsys.readouterr().out
    assert not set(found.record["best"]) & {trial["number"] for trial in failed}
    assert [trial.state for trial in of_optuna(found.folder).trials].count(TrialState.FAIL) == len(failed)


def test_search_gives_up_when_trial_after_trial_fails(search, models):
    words = (models, "model=fails", "training.batch_size=16,32,64", "search.trials=20", "search.max_failures=3")
    with pytest.raises(
        FitbenchError, match=r"^3 trials in a row have failed \(search.max_failures\), the last: Val.*no l"
    ):
        search(*words)
    assert search.left.states() == ["failed"] * 3
    with pytest.raises(FitbenchError, match="3 trials in a row"):  # another launch tries again
        search(*words)
    assert search.left.states() == ["failed"] * 6


def test_run_of_the_trial_that_cannot_have_the_objective_fails_it(search, monkeypatch):
    train = formula.train

    def without(config: Config, folder: Path, trial: Any, **options: bool) -> Any:
        result = train(config, folder, trial)
        result["metrics"]["val_accuracy"] = None
        return result

    monkeypatch.setattr("fitbench.training.run.train", without)
    with pytest.raises(FitbenchError, match="val_accuracy is undefined in digits-softmax-adam-"):
        search(*SPACE, "search.trials=3", "search.max_failures=1")


def test_error_of_a_callback_fails_its_trial_whatever_its_type(search, monkeypatch):
    errors: list[Exception] = [
        ConnectionError("no answer"),
        FileNotFoundError(errno.ENOENT, "No such file", "outputs/mine/weights.h5"),
        PermissionError(errno.EACCES, "Permission denied", "/elsewhere/log.csv"),
        full("/elsewhere/log.csv"),
        TimeoutError(errno.ETIMEDOUT, "Connection timed out"),
    ]
    names = [type(error).__name__ for error in errors]

    def after_epoch() -> None:
        if errors:
            raise errors.pop(0)

    monkeypatch.setattr(formula, "after_epoch", after_epoch)
    found = search(*SPACE, "search.trials=7", "search.max_failures=9")
    assert found.states() == ["failed"] * 5 + ["finished"] * 2
    assert [trial["error"].partition(":")[0] for trial in found.trials[:5]] == names


def test_package_that_a_sampler_lacks_is_not_an_error_of_the_storage(search, monkeypatch):
    def sample(*_: Any) -> None:
        raise ModuleNotFoundError("No module named 'nothing'", name="nothing")

    monkeypatch.setattr(optuna.samplers.TPESampler, "sample_independent", sample)
    with pytest.raises(FitbenchError, match=r"^search\.sampler=tpe cannot be used: No module named 'nothing'$"):
        search(*SPACE, "search.trials=2")


# -- disks and files ---------------------------------------------------------------------------------------------------


def full(path: object) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@pytest.mark.parametrize(
    ("epoch", "error", "message"),
    [
        (1, full("outputs/mine/history.jsonl"), "outputs/mine/history.jsonl: No space left on device; "),
        (6, OSError(errno.ENOSPC, "No space left on device"), "outputs: No space left on device; "),
        (3, PermissionError(errno.EACCES, "Permission denied", "outputs/mine/a/b"), "outputs/mine/a/b: Permission den"),
    ],
)
def test_folder_that_cannot_be_written_ends_the_search_and_it_goes_on_later(
    search, undisturbed, epoch, error, message, monkeypatch
):
    interrupt_after(epoch, monkeypatch, error)
    with pytest.raises(FitbenchError, match=f"^{message}.*runs are recorded below outputs="):
        search(*SPACE, "search.trials=8")
    assert search.left.states()[-1] == "interrupted"
    assert search(*SPACE, "search.trials=8").trials == undisturbed(8)


@pytest.mark.parametrize("write", [1, 3, 8, 20])
def test_search_goes_on_when_half_of_a_line_of_the_journal_was_written(search, undisturbed, write, monkeypatch):
    append, count = JournalFileBackend.append_logs, 0

    def half(backend: Any, logs: list[dict[str, Any]]) -> None:
        nonlocal count
        count += 1
        if count < write:
            append(backend, logs)
        else:  # what is left of the disk takes half of it
            with Path(backend._file_path).open("a") as file:
                file.write(json.dumps(logs[0], separators=(",", ":"))[:30])
            raise full(backend._file_path)

    with monkeypatch.context() as patch:
        patch.setattr(JournalFileBackend, "append_logs", half)
        with pytest.raises(FitbenchError, match=r"search\.journal: No space left on device"):
            search(*SPACE, "search.trials=4")
    journal = (Path("outputs") / "mine" / "search.journal").read_bytes()
    assert len(journal.splitlines()) == write
    assert not journal.endswith(b"\n")
    assert search(*SPACE, "search.trials=4").trials == undisturbed(4)


@pytest.mark.parametrize("torn", [b"{", b"x" * 10_000])
def test_half_of_a_line_at_the_end_of_the_journal_is_ignored_and_then_removed(search, undisturbed, torn):
    journal = search(*SPACE, "search.trials=5").folder / "search.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + torn)
    assert search(*SPACE, "search.trials=5").states() == ["finished"] * 5
    assert search(*SPACE, "search.trials=8").trials == undisturbed(8)
    assert journal.read_bytes().startswith(whole + b"{")
    assert torn not in journal.read_bytes().splitlines()
    assert [trial.values for trial in of_optuna(journal.parent).trials] == [trial["values"] for trial in undisturbed(8)]


def test_half_of_a_line_that_another_process_left_meanwhile_is_removed(opened):
    study, _ = opened(*SPACE, "search.trials=2")
    turn = study.next()
    with (study.folder / "search.journal").open("ab") as journal:
        journal.write(b'{"op_code":6,"trial_id":0,"user_')
    study.tell(turn.trial, TrialState.COMPLETE, [0.5])
    turn.claim.close()
    assert of_optuna(study.folder).trials[0].values == [0.5]


def test_journal_with_nothing_but_a_torn_line_begins_anew(search):
    folder = Path("outputs") / "mine"
    folder.mkdir(parents=True)
    (folder / "search.journal").write_bytes(b'{"op_code":0,"wor')
    assert len(search(*SPACE, "search.trials=2").trials) == 2


@pytest.mark.parametrize(
    "content", [bytes(5000), b'{"op_code":0,"wor' + bytes(5000), b'{"op_code":4,"wor', b"lost", bytes(9) + b"\n"]
)
def test_journal_of_which_nothing_can_be_read_is_refused_and_stays(search, content):
    folder = Path("outputs") / "mine"
    folder.mkdir(parents=True)
    (folder / "search.journal").write_bytes(content)
    with pytest.raises(
        FitbenchError, match=r"^outputs/mine/search\.journal: damaged, line 1 \(.*; move the file away "
    ):
        search(*SPACE, "search.trials=2")
    assert (folder / "search.journal").read_bytes() == content


def test_nuls_behind_the_last_line_of_the_journal_are_cut_off_with_a_warning(search, undisturbed, caplog):
    journal = search(*SPACE, "search.trials=3").folder / "search.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + bytes(5000))
    assert search(*SPACE, "search.trials=5").trials == undisturbed(5)
    assert journal.read_bytes().startswith(whole + b"{")
    assert f"5000 bytes with NULs behind line {len(whole.splitlines())} are cut off" in caplog.text


ENDED = b'"datetime_complete":"2026-01-01T00:00:00+00:00"}'
DAMAGED = {
    "no JSON": b"{]",
    "NULs": bytes(100),
    "nested": b'{"a":' * 100_000,
    "no field": b'{"op_code":5}',
    "no operation": b'{"op_code":99,"worker_id":"x"}',
    "no object": b"[]",
    "no number": b'{"op_code":6,"worker_id":"x","trial_id":0,"state":2,"values":["a"],' + ENDED,
    "two values": b'{"op_code":6,"worker_id":"x","trial_id":0,"state":2,"values":[1,2],' + ENDED,
    "no step": b'{"op_code":7,"worker_id":"x","trial_id":0,"step":"a","intermediate_value":0.5}',
    "another distribution": b'{"op_code":5,"worker_id":"x","trial_id":0,"param_name":"p","param_value_internal":0.1,'
    b'"distribution":"{\\"name\\":\\"FloatDistribution\\",\\"attributes\\":{\\"lax\\":0.1,\\"high\\":1.0}}"}',
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_damaged_journal_is_named_with_the_line_and_stays(search, line):
    journal = search(*SPACE, "search.trials=2").folder / "search.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    created = next(i for i, each in enumerate(lines, 1) if b'"op_code":4' in each)
    damaged = b"".join([*lines[:created], line + b"\n", *lines[created:]])
    journal.write_bytes(damaged)
    said = (
        rf"^outputs/mine/search\.journal: damaged, line {created + 1} \(.*\); move the file away to begin a new search"
    )
    with pytest.raises(FitbenchError, match=said) as caught:
        search(*SPACE, "search.trials=3")
    assert len(str(caught.value).splitlines()) == 1
    assert journal.read_bytes() == damaged


@pytest.mark.parametrize("step", ["symlink", "fsync", "rename", "unlink"])
def test_ctrl_c_while_the_journal_is_written_leaves_it_whole_and_unlocked(search, undisturbed, step, monkeypatch):
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals arrive in the main thread")
    do, count = getattr(os, step), 0

    def interrupted(what: Any, *rest: Any, **named: Any) -> None:
        nonlocal count
        do(what, *rest, **named)
        count += "search.journal" in str(what) or step == "fsync"
        if count == 30:
            count += 1
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, interrupted)
        assert search(*SPACE, "search.trials=8").status == 130
    assert count > 30
    assert not list(Path("outputs", "mine").glob("search.journal.*"))
    assert search(*SPACE, "search.trials=8").trials == undisturbed(8)


# -- who works on what -------------------------------------------------------------------------------------------------


def test_trial_that_somebody_works_on_is_left_to_them(opened):
    study, _ = opened(*SPACE, "search.trials=2")
    first = study.next()
    second = study.next()
    assert (first.trial.number, second.trial.number) == (0, 1)
    first.claim.close()
    again = study.next()
    assert (again.trial.number, again.trial.params) == (0, first.trial.params)
    for turn in (again, second):
        study.tell(turn.trial, TrialState.COMPLETE, [0.5])
        turn.claim.close()
    assert study.next() is None
    assert sorted(path.name for path in study.claims.iterdir()) == ["lock", "where"]


def test_worker_waits_for_the_last_trials_of_others_which_it_may_have_to_end(opened, monkeypatch):
    study, _ = opened(*SPACE, "search.trials=1")
    first = study.next()
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            first.claim.close()

    monkeypatch.setattr(studies.time, "sleep", wait)
    assert study.next().trial.number == 0
    assert len(waits) == 3


def test_trial_that_ends_while_a_worker_looks_for_work_is_not_made_again(opened, monkeypatch):
    study, _ = opened(*SPACE, "search.trials=2")
    first = study.next()
    claim = Study._claimed

    def end_first(self: Study, number: int) -> Any:
        if number == 0 and first.trial.number == 0 and not study.trials()[0].state.is_finished():
            study.tell(first.trial, TrialState.COMPLETE, [0.5])
            first.claim.close()
        return claim(self, number)

    monkeypatch.setattr(Study, "_claimed", end_first)
    turn = study.next()
    assert turn.trial.number == 1
    turn.claim.close()


def test_claim_whose_folder_is_removed_at_that_moment_is_not_had(opened, monkeypatch):
    study, _ = opened(*SPACE, "search.trials=2")
    create = _create

    def removed(path: Path, content: str) -> bool:
        if path.parent.name == "0":
            path.parent.rmdir()
        return create(path, content)

    monkeypatch.setattr("fitbench.record.claims._create", removed)
    assert study._claimed(0) is None


def test_what_another_process_said_of_a_trial_stays(opened):
    study, _ = opened(*SPACE, "search.trials=2")
    turn = study.next()
    study.tell(turn.trial, TrialState.COMPLETE, [0.5])
    study.note(turn.trial, error="late")
    study.tell(turn.trial, TrialState.FAIL, None)
    [trial] = study.trials()
    assert (trial.state, trial.values) == (TrialState.COMPLETE, [0.5])
    assert "error" not in trial.user_attrs
    turn.claim.close()


def test_trial_waits_for_its_run_where_another_process_trains_it(search, monkeypatch):
    train, waited = formula.train, []

    def elsewhere(config: Config, folder: Path, trial: Any, **options: bool) -> Any:
        if not waited:
            (folder / "claim.json").write_text(json.dumps(_self()))
            raise Claimed(str(folder))
        return train(config, folder, trial)

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            [claim] = Path("outputs", "mine").glob("*/claim.json")
            claim.unlink()

    monkeypatch.setattr("fitbench.training.run.train", elsewhere)
    monkeypatch.setattr("fitbench.tuning.trial.time.sleep", wait)
    assert search(*SPACE, "search.trials=2").states() == ["finished"] * 2
    assert len(waited) == 2


def test_trial_of_a_dead_process_can_be_failed_and_then_nobody_works_on_it(opened):
    study, _ = opened(*SPACE)
    pid = os.fork()
    if pid == 0:
        _turn = study.next()  # whose claim is held until it is collected
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    trial = study.trial_of(pid)
    assert trial is not None
    assert study.epochs_of(trial) == 0
    study.fail(trial, "its worker was killed twice")
    [ended] = study.trials()
    assert (ended.state, ended.user_attrs["error"]) == (TrialState.FAIL, "its worker was killed twice")
    turn = study.next()
    assert turn is not None
    with turn.claim:
        assert turn.trial.number == 1
