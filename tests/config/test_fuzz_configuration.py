"""Any command line and any file of a configuration is composed, or refused in a few lines. Nothing else is raised."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbench.composition import Composer, conf_folder
from fitbench.config import Config
from fitbench.errors import RequestError

from ..fuzzing import edited, fuzz

LONGEST = 3000  # characters of a message
VALID = (
    "model=mlp", "model.hidden=[300,100]", "optimizer=sgd", "optimizer/schedule=cosine", "+experiment=tutorial_mlp",
    "training.epochs=5", "optimizer.learning_rate=1e-3", "metrics=[accuracy,macro_f1]", "seed=range(3)",
    "metrics.kappa={_target_: mine.kappa, direction: max}", "study=${now:%Y}", "outputs='a b'", "data.name=\"ä\"",
    "++training.callbacks.a={_target_: a.b, c: ${run_dir:}}", "~optimizer.epsilon", "distortion=affine",
    "training.early_stopping=null", "model=glob(*)", "seed=choice(1,null)", "data=npz", "data.path=~/x.npz",
    "hydra/launcher=joblib", "hydra.searchpath=[]", "model@x=mlp", "optimizer.clipnorm=tag(log,interval(1e-4,1))",
)  # fmt: skip
SIGNS = [
    *"~+=,[]{}()'\"\\@:./*- \t\n\0ä\udcff",
    "${",
    "???",
    "null",
    "_target_",
    "_global_",
    "range(",
    "choice(",
    "9" * 400,
]
FILES = sorted(file for file in conf_folder().rglob("*.yaml") if "hydra" not in file.parts)
SEARCHES = [file for file in FILES if file.parent.name == "search"]
FILES = [file for file in FILES if file not in SEARCHES]
SPACES = [
    "optimizer: adam,sgd",
    "seed: range(3)",
    "5: 1,2",
    "a: [1, 2]",
    "optimizer.learning_rate: interval(0,inf)",
    "optimizer=sgd: {a: 5}",
    "optimizer=sgd: 5",
    "space: 5",
    "when: {a: b}",
    "objective: {}",
    "trials: .nan",
]
LINES = [
    "a: [", "\tb: 1", "name: x", "? [1]", "5: 1", "null: 1", "true: 2", "2001-01-01: x", "_target_: 5",
    "_target_: [a]", "defaults: [mlp]", "defaults: {a: b}", "defaults: [{/model: ${x}}]",
    "defaults: [_self_, /optimizer: sgd]", "hydra: 5", "hydra: {searchpath: [a]}", "metrics: {a: 5}", "metrics: [5]",
    "x: &x [*x]", "x: ${x}", "x: ${oc.env:NOPE}", "x: ???", "x: ${model}", "x: ${oc.create:${oc.decode:'a: b'}}",
    "x: !!binary aGk=", "x: !!set {a}", "# @package _global_", "# @package a.b", "# @package", "x: 1:2:3", "x: .nan",
    "x: !!python/name:os.system", "model: mlp", "seed: {a: 1}", "---", "<<: {a: 1}", "training: {epochs: ${seed}}",
    "_target_: fitbench.models.dense.mlp", "x: ${run_id:}", "'a.b': 1", "'': 1",
]  # fmt: skip


@pytest.fixture(scope="module")
def composer():
    return Composer()


def compose(composer: Composer, *words: str) -> None:
    try:
        assert isinstance(composer.configuration(words), Config)
    except RequestError as error:
        assert 0 < len(str(error)) <= LONGEST
        assert len(str(error).splitlines()) <= 2


words = st.one_of(
    st.sampled_from(VALID),
    edited(st.sampled_from(VALID), SIGNS),
    st.text(string.printable, max_size=30),
)


@given(st.lists(words, min_size=1, max_size=3))
@fuzz(40)
def test_any_command_line_is_composed_or_refused(composer, words):
    composer.composed.clear()  # it would grow with each
    composer.parsed.clear()
    compose(composer, *words)


@given(st.sampled_from(FILES), st.data())
@fuzz(12)
def test_any_file_is_composed_or_refused(tmp_path_factory, file, data):
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    group = file.parent.relative_to(conf_folder())
    text = data.draw(edited(st.just(file.read_text(encoding="utf-8")), SIGNS, LINES))
    fuzzed = folder / group / "fuzzed.yaml"
    fuzzed.parent.mkdir(parents=True, exist_ok=True)
    fuzzed.write_bytes(text.encode("utf-8", "surrogatepass"))
    if str(group) == ".":
        compose(Composer([folder], name="fuzzed"))
    else:
        compose(Composer([folder]), f"{'+' * (group.name == 'experiment')}{group}=fuzzed")


@given(edited(st.sampled_from([file.read_text(encoding="utf-8") for file in SEARCHES]), SIGNS, [*LINES, *SPACES]))
@fuzz(6)
def test_any_file_of_a_search_is_read_or_refused(tmp_path, text):
    pytest.importorskip("optuna")
    from fitbench.tuning.request import read_request

    (tmp_path / "search").mkdir(exist_ok=True)
    (tmp_path / "search" / "fuzzed.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_request([f"--config-dir={tmp_path}", "data=digits", "model=softmax", "search=fuzzed"])
    except RequestError as error:
        assert 0 < len(str(error)) <= LONGEST
        assert len(str(error).splitlines()) <= 2
