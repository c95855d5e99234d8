"""+continue=RUN: a run goes on from the last state of another one, as one that was never interrupted."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from fitbench.analysis.show import show
from fitbench.config import config_id, from_values, plain, run_id
from fitbench.data.loading import load
from fitbench.errors import RequestError
from fitbench.launch.command import launch
from fitbench.launch.longer import advice
from fitbench.record.history import read_history
from fitbench.record.parents import STATE, checksum
from fitbench.record.reading import read_result
from fitbench.training.resuming import resumable

from ..launch.recorded import record

MLP = (
    "data=digits", "model=mlp", "model.hidden=[16]", "model.dropout=0.2", "training.batch_size=300",
    "training.early_stopping=null", "study=first",
)  # fmt: skip


@pytest.fixture(scope="module")
def outputs(tmp_path_factory, launched):
    """A study with runs of 3 epochs that keep their state, with two seeds, and a straight run of 5 epochs."""
    outputs = tmp_path_factory.mktemp("outputs")
    for overrides in (("training.epochs=3", "training.keep_state=true"), ("training.epochs=5",)):
        launched(outputs, *MLP, *overrides)
    launched(outputs, *MLP, "training.epochs=3", "training.keep_state=true", "seed=1")
    return outputs


def folder(outputs: Path, epochs: int, seed: int = 0) -> Path:
    """The run of so many epochs that continues no other."""
    configs = {path: read_result(path)["config"] for path in outputs.glob(f"first/*-s{seed}")}
    [path] = [
        path for path, config in configs.items() if (config["training"]["epochs"], config["parent"]) == (epochs, None)
    ]
    return path


@pytest.fixture
def configuration(composer):
    """Composes a configuration with runs below `outputs`."""
    return lambda outputs, *overrides: composer.configuration([f"outputs={outputs}", "progress=false", *overrides])


@pytest.fixture(scope="module")
def continued(outputs, launched):
    """The folder of the run that goes on from the 3 epochs to 5."""
    path, _, reused = launched(outputs, f"+continue={folder(outputs, 3).name}", "training.epochs=5")
    assert not reused
    return path


def test_continued_run_is_bit_identical_to_a_straight_one(outputs, continued):
    straight = folder(outputs, 5)
    assert record(continued) == record(straight)
    assert continued.name != straight.name
    assert continued.parent == straight.parent  # the study is that of the parent
    assert not (straight / STATE).exists()
    assert (continued / STATE).exists()
    assert read_result(continued)["parameters"] == read_result(straight)["parameters"]


def test_parent_belongs_to_the_configuration_and_its_seeds_to_one_group(configuration, outputs, continued):
    parents = [folder(outputs, 3, seed) for seed in (0, 1)]
    configs = [configuration(outputs, f"+continue={parent}", "training.epochs=5") for parent in parents]
    assert [run_id(config).rpartition("-s")[2] for config in configs] == ["0", "1"]
    assert config_id(configs[0]) == config_id(configs[1])
    result = read_result(continued)
    assert result["run_id"] == run_id(configs[0]) == run_id(from_values(result["config"]))
    assert from_values(plain(configs[0])) == configs[0]
    assert configs[0].parent.sha256 == checksum(parents[0], STATE)
    assert result["config"]["parent"]["config_id"] == read_result(parents[0])["config_id"]
    assert configuration(outputs, f"+continue={continued}", "training.epochs=6").parent.run_id == continued.name


def test_values_that_cannot_change_the_result_are_those_of_the_command(configuration, outputs):
    parent = folder(outputs, 3)
    config = configuration(
        outputs, f"continue={parent}", "training.epochs=5", "study=other", "metrics=[macro_f1]", "workers=2",
        "training.keep_state=false", "training.checkpoint_seconds=1",
    )  # fmt: skip
    assert (config.study, list(config.metrics), config.workers) == ("other", ["macro_f1"], 2)
    assert (config.training.keep_state, config.training.checkpoint_seconds) == (False, 1)
    assert config.model["hidden"] == [16]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.epochs=3"], "training.epochs is 3, but .* has trained 3 epochs; give a larger number"),
        ([], "training.epochs is 3, but"),
        (["training.epochs=5", "model=softmax"], "model=softmax: a continued run keeps its configuration"),
        (["training.epochs=5", "seed=1"], "seed=1: a continued run keeps its configuration"),
        (["training.epochs=5", "optimizer.learning_rate=1"], "optimizer.learning_rate=1: a continued run keeps"),
        (["training.epoch=5"], "training.epoch: there is no such key. Did you mean training.epochs?"),
        (["training.epochs=5,6"], "training.epochs=5,6: .*add -m"),
        (["training.epochs=5", "data.path=other.csv"], "data.path: there is no such key"),
    ],
)
def test_what_would_make_it_another_run_is_refused(configuration, outputs, overrides, message):
    with pytest.raises(RequestError, match=message):
        configuration(outputs, f"+continue={folder(outputs, 3)}", *overrides)


def test_run_without_a_state_or_a_result_is_refused(configuration, outputs, tmp_path):
    with pytest.raises(RequestError, match=r"has no state.npz.*training.keep_state=true force=true"):
        configuration(outputs, f"+continue={folder(outputs, 5)}", "training.epochs=8")
    unfinished = tmp_path / "first" / folder(outputs, 3).name
    shutil.copytree(folder(outputs, 3), unfinished)
    (unfinished / "result.json").unlink()
    with pytest.raises(RequestError, match=r"continue: .* is interrupted; the run must be finished"):
        configuration(tmp_path, f"+continue={unfinished.name}", "training.epochs=8")
    with pytest.raises(RequestError, match="continue: 'absent' fits none of the"):
        configuration(outputs, "+continue=absent", "training.epochs=8")
    with pytest.raises(RequestError, match=r"continue: 'wine\*' fits none .*; \* stands for nothing here"):
        configuration(outputs, "+continue=wine*", "training.epochs=8")


def test_sweep_continues_several_runs(outputs, continued, capsys, process_state_restored):
    names = ",".join(folder(outputs, 3, seed).name for seed in (0, 1))
    assert launch(["-m", f"+continue={names}", "training.epochs=5", f"outputs={outputs}", "progress=false"]) == 0
    assert "1 skipped, finished before" in capsys.readouterr().err
    again = read_result(continued.with_name(continued.name.replace("-s0", "-s1")))
    assert again["config"]["parent"]["run_id"] == folder(outputs, 3, 1).name


def with_another_state(parent: Path, **changed: np.ndarray) -> None:
    with np.load(parent / STATE) as state:
        np.savez(parent / STATE, **{**state, **changed})


def test_result_of_another_state_of_the_parent_is_refused(composer, outputs, continued, launched, tmp_path):
    for path in (folder(outputs, 3), continued):
        shutil.copytree(path, tmp_path / "first" / path.name)
    parent, copy = (tmp_path / "first" / path.name for path in (folder(outputs, 3), continued))
    command = (tmp_path, f"+continue={parent}", "training.epochs=5")
    with np.load(parent / STATE) as state:
        text, weights = json.loads(str(state["state"])), state["variable-0"]
    with_another_state(parent, state=np.array(json.dumps({**text, "seconds": 1.0})))
    assert launched(*command)[2]  # how long training took does not matter
    composer.composed.clear()  # as in another process
    with_another_state(parent, **{"variable-0": weights + 1})
    with pytest.raises(RequestError, match=r"recorded with another state of the run that it continues .*force=true"):
        launched(*command)
    (copy / "result.json").unlink()
    (copy / "checkpoint").mkdir()
    (copy / "checkpoint" / "000004-0.npz").touch()
    before = (copy / "config.yaml").read_text()
    with pytest.raises(RequestError, match=r"was interrupted when it continued another state .*force=true begins"):
        launched(*command)
    assert (copy / "config.yaml").read_text() == before
    assert launched(*command, "force=true")[1]["metrics"]["epochs"] == 5


@pytest.fixture
def scored(outputs, tmp_path):
    """A copy of the run of 3 epochs that has recorded a metric of the user's."""
    parent = tmp_path / "first" / folder(outputs, 3).name
    shutil.copytree(folder(outputs, 3), parent)
    result = json.loads((parent / "result.json").read_text())
    result["config"]["metrics"]["score"] = {"_target_": "scores_to_continue.score", "direction": "max", "factor": 1.0}
    result["metric_info"]["score"] = {
        **result["metric_info"]["accuracy"], "definition": 'scores_to_continue.score {"factor": 1.0} sha256:00',
    }  # fmt: skip
    result["metrics"] |= {f"{part}_score": 0.5 for part in ("train", "val", "test")}
    (parent / "result.json").write_text(json.dumps(result))
    return parent


@pytest.mark.parametrize(
    ("overrides", "names", "factor"),
    [
        ([], ["accuracy", "score"], 1.0),
        (["metrics.score.factor=10.0"], ["accuracy", "score"], 10.0),
        (["metrics.macro_f1=null"], ["accuracy", "score", "macro_f1"], 1.0),
        (["metrics={macro_f1: null}"], ["accuracy", "score", "macro_f1"], 1.0),
        (["metrics=[macro_f1]"], ["macro_f1"], None),
        (
            ["metrics.score={_target_: scores_to_continue.score, direction: max, factor: 2.0}", "metrics=[macro_f1]"],
            ["macro_f1", "score"],
            2.0,
        ),
    ],
)
def test_metrics_are_merged_into_those_of_the_parent(configuration, scored, overrides, names, factor):
    config = configuration(scored.parents[1], f"+continue={scored}", "training.epochs=5", *overrides)
    assert [name.replace("default", "accuracy") for name in config.metrics] == names
    assert config.metrics.get("score", {}).get("factor") == factor


def test_metric_with_another_definition_is_refused(configuration, outputs, scored, launched):
    command = (scored.parents[1], f"+continue={scored}", "training.epochs=5", "metrics.score.factor=10.0")
    message = r'the metric score was scores_to_continue.score {"factor": 1.0} and is .*10.0} now; give .* another name'
    with pytest.raises(RequestError, match=f"{scored.name} is recorded with another definition: {message}"):
        launched(*command)
    shutil.copy(folder(outputs, 3) / "result.json", scored)  # only earlier epochs have the metric
    with np.load(scored / STATE) as state:
        text = json.loads(str(state["state"]))
    assert set(text["definitions"]) == {"accuracy"}
    text["definitions"]["score"] = 'scores_to_continue.score {"factor": 1.0} sha256:00'
    with_another_state(scored, state=np.array(json.dumps(text)))
    config = configuration(
        *command[:3], "metrics.score={_target_: scores_to_continue.score, direction: max, factor: 10.0}"
    )
    with pytest.raises(RequestError, match=f"{scored.name} has epochs with another definition: {message}"):
        resumable(config, scored.parent / "new", load(config.data))


def test_run_that_stopped_early_waits_anew(configuration, launched, tmp_path):
    stopping = "{monitor: val_loss, patience: 2, min_delta: 10, restore_best_weights: true, start_from_epoch: 0, "
    stopping = f"training.early_stopping={stopping}baseline: null, in_folds: false}}"
    schedule = ("optimizer/schedule=plateau", "optimizer.schedule.patience=8", "optimizer.schedule.min_delta=10")
    parent, result, _ = launched(
        tmp_path, *MLP[:-2], *schedule, stopping, "training.epochs=9", "training.keep_state=true"
    )
    assert result["metrics"]["epochs"] == 3
    config = configuration(tmp_path, f"+continue={parent}", "training.epochs=9")
    state = resumable(config, tmp_path / "new", load(config.data))
    assert state is not None
    assert [callback["wait"] for callback in state.callbacks] == [0, 2]  # the schedule waits on
    path, result, _ = launched(tmp_path, f"+continue={parent}", "training.epochs=9")
    assert (result["metrics"]["epochs"], result["metrics"]["best_epoch"]) == (5, 1)
    assert record(path)["weights"] == record(parent)["weights"]  # of the first epoch
    assert [epoch["loss"] for epoch in read_history(path)[:3]] == [epoch["loss"] for epoch in read_history(parent)]


NET = """
import keras

def net(input_shape, outputs, **settings):
    given = keras.Input(input_shape)
    return keras.Model(given, keras.layers.Dense(outputs, use_bias={})(given))
"""


def test_other_data_and_other_code_are_refused(launched, tmp_path, monkeypatch):
    chance = np.random.default_rng(0)
    for name in ("mine", "other"):
        arrays = {f"x_{part}": chance.normal(size=(40, 3)).astype(np.float32) for part in ("train", "test")}
        np.savez(tmp_path / f"{name}.npz", **arrays, y_train=np.arange(40) % 2, y_test=np.arange(40) % 2)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "net_to_continue.py").write_text(NET.format(True))
    importlib.invalidate_caches()
    parent, _, _ = launched(
        tmp_path, "data=npz", f"data.path={tmp_path}/mine.npz", "model=mlp", "model._target_=net_to_continue.net",
        "training.epochs=1", "training.keep_state=true",
    )  # fmt: skip
    command = (tmp_path, f"+continue={parent}", "training.epochs=2")
    with pytest.raises(RequestError, match=r"was trained with other data \(SHA-256 .*, now .*\)"):
        launched(*command, f"data.path={tmp_path}/other.npz")
    (tmp_path / "net_to_continue.py").write_text(NET.format("True") + "\n# changed\n")
    sys.modules.pop("net_to_continue")
    with pytest.raises(RequestError, match=r"was trained with other code: net_to_continue had .*; code=any continues"):
        launched(*command)
    assert launched(*command, "code=any")[1]["metrics"]["epochs"] == 2
    sys.modules.pop("net_to_continue")


def test_finished_run_without_a_state_says_how_to_get_one(outputs, launched, capsys):
    *_, reused = launched(outputs, *MLP, "training.epochs=5", "training.keep_state=true")
    assert reused
    assert "kept no state of its last epoch; force=true trains it again" in capsys.readouterr().err


def test_longer_configuration_is_told_of_the_run_that_it_could_continue(configuration, outputs, tmp_path):
    parent, straight = folder(outputs, 3), folder(outputs, 5)
    text = advice(configuration(outputs, *MLP, "training.epochs=8"))
    assert text == (
        f"{parent.name} is finished with 3 epochs: fitbench train +continue={parent} training.epochs=8 goes on from it"
    )
    assert advice(configuration(outputs, *MLP, "training.epochs=8", "model.dropout=0.3")) is None
    assert advice(configuration(outputs, *MLP, "training.epochs=3")) is None
    shutil.copytree(straight, tmp_path / "first" / straight.name)
    text = advice(configuration(tmp_path, *MLP, "training.epochs=8"))
    assert text is not None
    assert "is finished with 5 epochs; train it again with training.keep_state=true force=true" in text


def test_show_prints_the_chain(outputs, continued, capsys):
    show(continued.name, outputs, "table")
    out = capsys.readouterr().out
    assert f"continues {folder(outputs, 3).name} (3 epochs)" in out
    assert f"  +continue={folder(outputs, 3)}" in out
    show(continued.name, outputs, "json")
    [ancestor] = json.loads(capsys.readouterr().out)["ancestors"]
    assert (ancestor["relation"], ancestor["run_id"], ancestor["epochs"]) == (
        "continues", folder(outputs, 3).name, 3,
    )  # fmt: skip
