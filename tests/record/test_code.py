"""Finished and interrupted runs whose code has changed are neither reported nor continued unasked."""

import importlib
import json
import re
from contextlib import nullcontext
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fitbench.config import Config, plain
from fitbench.config.code import code_of
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch.job import recorded
from fitbench.record.code import check_interrupted, check_interrupted_arguments, note

MODEL = ("model._target_=mine_recorded.net",)
METRICS = {"accuracy": None, "kappa": {"_target_": "mine_metric.kappa", "direction": "max"}}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Modules of the user's on sys.path; gives their folder."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "mine_recorded.py").write_text("import mine_beside\n\ndef net(input_shape, outputs, **settings): ...\n")
    (folder / "mine_beside.py").write_text("activation = 'relu'\n")
    (folder / "mine_metric.py").write_text("def kappa(targets, outputs): ...\n")
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    return folder


@pytest.fixture
def at(composed, tmp_path, own):
    """Change values of a configuration with the model of the user."""

    def configuration(**changes):
        return composed("model=mlp", *MODEL).model_copy(update={"outputs": str(tmp_path / "outputs"), **changes})

    return configuration


@pytest.fixture
def finished(make_run, at, own):
    """A finished run with the user's code; gives its folder."""
    folder = make_run(*MODEL)
    result = json.loads((folder / "result.json").read_text())
    result["code"] = code_of(plain(at()))
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_recorded_result_is_reported_while_the_code_is_the_same(finished, at):
    assert list(recorded(at())["code"]) == ["mine_beside", "mine_recorded"]


def test_changed_code_beside_the_model_is_named_with_three_ways_out(finished, at, own):
    (own / "mine_beside.py").write_text("activation = 'tanh'\n")
    message = (
        r"is recorded with other code: mine_beside had SHA-256 \w{8} and now has \w{8}; force=true .* replaces .*, "
        "code=any .*, .* model.name=other keeps both"
    )
    with pytest.raises(RequestError, match=message):
        recorded(at())
    assert recorded(at(force=True)) is None
    assert recorded(at(code="any")) is not None


def test_result_of_another_argument_that_is_hashed_alike_is_refused(finished, at):
    config = at(model={**at().model, "initializer": []})
    with pytest.raises(RequestError, match=r"is recorded with model.initializer absent in place of \[\], which has"):
        recorded(config)


def test_unknown_code_of_an_earlier_version_is_accepted(finished, at, own):
    result = json.loads((finished / "result.json").read_text())
    (finished / "result.json").write_text(json.dumps(result | {"code": {}}))
    assert recorded(at()) is not None


def test_code_of_a_recorded_metric_counts_and_that_of_a_new_one_does_not(finished, at, own):
    assert recorded(at(metrics=METRICS)) is not None
    result = json.loads((finished / "result.json").read_text())
    result["metric_info"]["kappa"] = result["metric_info"]["accuracy"]
    result["metrics"] |= {f"{part}_kappa": None for part in ("train", "val", "test")}
    result["code"]["mine_metric"] = "00" * 32
    (finished / "result.json").write_text(json.dumps(result))
    with pytest.raises(RequestError, match="other code: mine_metric had SHA-256 00000000"):
        recorded(at(metrics=METRICS))
    assert recorded(at()) is not None


# -- interrupted runs -------------------------------------------------------------------------------------------------


def begin(config: Config, folder: Path) -> dict[str, str]:
    """Begin an attempt as training does."""
    code = check_interrupted(config, folder)
    note(folder, code)
    return code


@pytest.fixture
def interrupted(at, tmp_path):
    """A run folder with a checkpoint and the note of its code."""
    folder = tmp_path / "run"
    folder.mkdir()
    assert list(begin(at(), folder)) == ["mine_beside", "mine_recorded"]
    (folder / "checkpoint" / "000003-0123456789abcdef.npz").write_bytes(b"state")
    return folder


def test_interrupted_run_continues_while_the_code_is_the_same(interrupted, at):
    begin(at(), interrupted)
    begin(at(force=True), interrupted)
    assert len(list((interrupted / "checkpoint").iterdir())) == 2


def test_interrupted_run_with_changed_code_waits_for_a_decision(interrupted, at, own):
    (own / "mine_recorded.py").write_text("def net(input_shape, outputs, width=5, **settings): ...\n")
    message = r"run was interrupted with other code: mine_recorded had .*force=true begins it anew, code=any continues"
    for _ in range(2):
        with pytest.raises(RequestError, match=message):
            begin(at(), interrupted)
    code = begin(at(code="any"), interrupted)
    assert (interrupted / "checkpoint" / "000003-0123456789abcdef.npz").exists()
    assert begin(at(), interrupted) == code


def test_force_begins_an_interrupted_run_with_changed_code_anew(interrupted, at, own):
    (own / "mine_beside.py").write_text("activation = 'tanh'\n")
    begin(at(force=True), interrupted)
    assert [path.name for path in (interrupted / "checkpoint").iterdir()] == ["code.json"]
    begin(at(), interrupted)


def test_interrupted_run_of_another_argument_that_is_hashed_alike_begins_anew_only_if_forced(interrupted, at):
    (interrupted / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(plain(at()))))
    check_interrupted_arguments(at(), interrupted)
    for force in (False, True):
        config = at(force=force, model={**at().model, "initializer": []})
        with nullcontext() if force else pytest.raises(RequestError, match="run was interrupted with"):
            check_interrupted_arguments(config, interrupted)
        assert (interrupted / "checkpoint").exists() != force


@pytest.mark.parametrize("content", ["", "model: [", "model: 3\ntraining: {callbacks: null}\noptimizer: {_target_: 1}"])
def test_interrupted_run_with_a_damaged_configuration_begins_anew_only_if_forced(interrupted, at, content):
    (interrupted / "config.yaml").write_text(content)
    with pytest.raises(RequestError, match=r"config\.yaml|was interrupted with"):
        check_interrupted_arguments(at(), interrupted)
    check_interrupted_arguments(at(force=True), interrupted)
    assert not (interrupted / "checkpoint").exists()


def test_code_may_change_before_the_first_checkpoint(interrupted, at, own):
    (interrupted / "checkpoint" / "000003-0123456789abcdef.npz").unlink()
    (own / "mine_beside.py").write_text("activation = 'tanh'\n")
    begin(at(), interrupted)


def test_damaged_note_is_named(interrupted, at):
    (interrupted / "checkpoint" / "code.json").write_text("[")
    with pytest.raises(FitbenchError, match=re.escape(f"{interrupted}/checkpoint/code.json: damaged")):
        begin(at(), interrupted)


def test_run_without_code_of_the_user_has_no_note(configure, tmp_path):
    assert begin(configure(), tmp_path) == {}
    assert not list(tmp_path.iterdir())
