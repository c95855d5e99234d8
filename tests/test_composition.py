"""Composing configurations: whatever a user gives is composed, or refused in a line or two that says what to do."""

import os
import re
import resource
import shlex
import subprocess
import sys
import time

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from fitbench.composition import Composer, explained_errors, quoted
from fitbench.errors import RequestError
from fitbench.tuning.request import read_request

MODEL = """
_target_: fitbench.models.dense.mlp
name: mine
solver: null
pixel_range: [0, 1]
hidden: [3]
activation: relu
dropout: 0
init_stddev: null
output_activation: null
"""


@pytest.fixture(scope="module")
def composer():
    return Composer()


def refusal(composer: Composer, *words: str) -> str:
    with pytest.raises(RequestError) as caught:
        composer.configuration(words)
    assert caught.value.exit_status == 2
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


# -- command lines ----------------------------------------------------------------------------------------------------

WRONG = [
    # no KEY=VALUE
    (["mlp"], "'mlp': expected KEY=VALUE in one word, such as model=mlp or training.epochs=5"),
    (["model", "=", "mlp"], "'model': expected KEY=VALUE in one word"),
    (["model:mlp"], "'model:mlp': expected KEY=VALUE in one word"),
    (["model/mlp"], "'model/mlp': expected KEY=VALUE in one word"),
    (["force"], "'force': expected KEY=VALUE in one word"),
    (["+experiment"], "'+experiment': expected KEY=VALUE in one word"),
    ([""], "'': expected KEY=VALUE in one word"),
    (["model =mlp"], "'model =mlp': expected KEY=VALUE without a space before ="),
    (["=mlp"], "=mlp: '' is no key; a key is made of names with dots, such as training.epochs"),
    (["training..epochs=3"], "'training..epochs' is no key"),
    (["/model=mlp"], "'/model' is no key"),
    (["+++seed=3"], "'+++seed' is no key"),
    (["~~seed"], "'~~seed': expected KEY=VALUE"),
    (["\udcff=1"], r"'\\udcff' is no key"),
    (["a" * 5000 + "=1"], "...' is no key"),
    (["model.hidden[0]=3"], "model.hidden[0]=3: write the whole list, such as model.hidden=[300,100]"),
    (["seed=1 force=true"], "these are several overrides in one word; leave out the quotation marks around them"),
    (["model==mlp"], "model==mlp: write model=mlp, with one ="),
    # keys
    (["modle=mlp"], "modle: there is no such key. Did you mean model?"),
    (["SEED=1"], "SEED: there is no such key. Did you mean seed?"),
    (["training.epoch=3"], "training.epoch: there is no such key. Did you mean training.epochs?"),
    (["epochs=3"], "epochs: there is no such key. Did you mean training.epochs?"),
    (["model=mlp", "hidden=[300]"], "hidden: there is no such key. Did you mean model.hidden?"),
    (["optimizer.lr=0.1"], "optimizer.lr: there is no such key. Did you mean optimizer.learning_rate?"),
    (["optimizer.amsgrad=true"], "another setting of the optimizer is added with +optimizer.amsgrad=VALUE"),
    (["optimizer.clipnorm=1"], "add it with a plus sign: +optimizer.clipnorm=VALUE"),
    (["optimizer=momentum", "optimizer.ema_momentum=0.9"], "add it with a plus sign: +optimizer.ema_momentum=VALUE"),
    (["schedule=plateau"], "schedule: there is no such key. Did you mean optimizer/schedule?"),
    (["warmup_epochs=1", "optimizer/schedule=cosine"], "Did you mean optimizer.schedule.warmup_epochs?"),
    (["+start=runs"], "start: there is no such key. Did you mean training.start?"),
    (["+optimizer.clipnorm=1", "+optimizer.clipvalue=1"], "optimizer.clipnorm and optimizer.clipvalue: gradients are "),
    (["training.epochs.x=3"], "training.epochs.x: there is no such key; training.epochs has no keys"),
    (["data.path=x"], "data.path: there is no such key. Did you mean data=csv, data=npz, data=idx or "),
    (["+modle=mlp"], "modle: there is no such key. Did you mean model?"),
    (["+model.foo=1"], "model.foo: there is no such key; model has "),
    (["+training.epochs=3"], "Either remove + prefix: 'training.epochs=3'"),
    (["~model.foo"], "Could not delete from config. 'model.foo' does not exist."),
    (["~training.epochs"], "training.epochs is missing; it must be a whole number from 0 to 2147483647"),
    (["training.delimiter=;"], "training.delimiter: there is no such key; training has "),
    (["training.epoch=(1"], "training.epoch: there is no such key. Did you mean training.epochs?"),
    (["+optimizer.clip=[1"], "+optimizer.clip=[1: a bracket"),
    # files of groups
    (["model=mpl"], "model=mpl: there is no such choice; model has conv_pool, "),
    (["model=mynet"], "; model/mynet.yaml of your own is found in the folder of --config-dir FOLDER"),
    (["search=optimizers"], "search=NAME is for fitbench search; fitbench train has no such group"),
    (["model=MLP"], "Did you mean mlp?"),
    (["model="], "model=: there is no such choice; model has "),
    (["model=null"], "model=null: there is no such choice; model has conv_pool, "),
    (["hydra=3"], "hydra=3: there is no such choice; "),
    (["model=conf/model/mlp"], "model=conf/model/mlp: there is no such choice; model has "),
    (["data=/tmp/x.npz"], "; for data of your own: data=npz data.path=/tmp/x.npz"),
    (["data=x.npz"], "; for data of your own: data=npz data.path=x.npz"),
    (["data=houses.csv"], "; for data of your own: data=csv data.path=houses.csv data.target=COLUMN model=mlp"),
    (["data=my houses.TSV"], "data=csv 'data.path=\"my houses.TSV\"' data.target=COLUMN model=mlp"),
    (["data=/usr/share"], "; for data of your own: data=image_folder data.path=/usr/share"),
    (["houses.csv"], "'houses.csv': expected KEY=VALUE; for data of your own: data=csv data.path=houses.csv "),
    (["/usr/share/"], "for data of your own: data=image_folder data.path=/usr/share/"),
    (["x.npz"], "for data of your own: data=npz data.path=x.npz"),
    (["optimizer.schedule=cosine"], "a file of a group is chosen with a slash: optimizer/schedule=cosine"),
    (["+model=mlp"], "model is chosen twice; on the command line write model=NAME without +"),
    (["++model=mlp"], "++model=mlp: a file of a group is chosen without ++: model=mlp"),
    (["experiment=tutorial_mlp"], "add an experiment with a plus sign: +experiment=NAME"),
    (["+experiment=nope"], "experiment=nope: there is no such choice; experiment has series_cnn, "),
    (["+experiment=tutorial_mlp", "+experiment=tutorial_softmax"], "+experiment=NAME is given twice"),
    # several values, lists and functions
    (["model=mlp,softmax"], "model=mlp,softmax: several values; here a key has one value"),
    (["model=mlp", "model.hidden=300,100"], "; a list is written 'model.hidden=[300,100]', a text "),
    (["seed=range(5)"], "seed=range(5): several values"),
    (["seed=interval(0,1)"], "seed=interval(0,1): an interval is for fitbench search"),
    (["model=mlp", "model.hidden=300"], "model.hidden is 300; it must be a list of positive numbers"),
    (["model=mlp", "model.hidden=(300,100)"], "a list has square brackets: 'model.hidden=[300,100]'"),
    (["model=mlp", "model.hidden=[300,"], "model.hidden=[300,: a bracket is not closed; a word with spaces"),
    (["seed=1,"], "seed=1,: a value is missing beside a comma"),
    (["seed=range(a)"], "seed=range(a): expected range(STOP) or range(START,STOP,STEP), of numbers"),
    (["seed=range(0,1,0)"], "a step is not 0"),
    (["seed=range(0,inf)"], "expected range(STOP)"),
    (["seed=range(1e9)"], "seed=range(1e9): more than 100,000 values"),
    (["seed=foo(3)"], "there is no function foo; there are range, interval, choice, "),
    (["seed=[range(3)]"], "choices cannot stand inside of a list or a section"),
    (["seed=" + "[" * 500 + "]" * 500], ": nested too deeply"),
    (["seed=" + "9" * 5000], "Exceeds the limit (4300 digits) for integer string conversion"),
    # values
    (["training.epochs=1e3"], "training.epochs is 1000.0; it must be a whole number from 0 to 2147483647; write 1000"),
    (["training.epochs=1.5"], "training.epochs is 1.5; it must be a whole number from 0 to 2147483647"),
    (["training.epochs="], "training.epochs is ''; it must be a whole number from 0 to 2147483647"),
    (["outputs="], "outputs is ''; it must be the path of a folder"),
    (["study=../x"], "study is '../x'; it must be a name of letters, digits and . _ + -"),
    (["metrics=accuracy"], "metrics is 'accuracy'; it must be a list of names such as [accuracy,macro_f1]"),
    (["data=npz"], "data.path has no default; give it as data.path=VALUE"),
    (["data=npz", "data.path="], "data.path is ''; it must be the path of a file or folder"),
    (["data=npz", "data.path=my data.npz"], "whose name cannot be part of a folder's name"),
    (["data=npz", "data.path=${HOME}/x"], "not found; the environment variable is ${oc.env:HOME}"),
    (["seed=${foo}"], "seed: Interpolation key 'foo' not found"),
    (["seed=${seed}"], "seed: Recursive interpolation detected"),
    (["seed=???"], "seed has no default; give it as seed=VALUE"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[f"{' '.join(words):.50}" for words, _ in WRONG])
def test_wrong_command_line_is_refused_with_what_to_do(composer, words, message):
    assert message in refusal(composer, *words)


SIGNS = [
    "(1)",
    "[1]",
    "{a}",
    "ä",
    "日本",
    "a=b",
    "a;b",
    "a&b",
    "a#b",
    "a!b",
    "<x>",
    "`x`",
    "^",
    "'x'",
    '"x"',
    '\\"',
    "~x",
]


@pytest.mark.parametrize("path", [*SIGNS, "a,b", "ä ö", "it's", "${", "a,'b"])
def test_value_with_signs_of_the_grammar_is_refused_with_a_form_to_copy(composer, path):
    said = refusal(composer, "data=npz", "data.name=x", f"data.path=/tmp/{path}x")
    [word] = shlex.split(said.rpartition("in quotation marks: " if "in quotation" in said else ", a text ")[2])
    override = OverridesParser.create().parse_overrides([word])[0]
    assert (override.key_or_group, override.value()) == ("data.path", f"/tmp/{path}x".strip("\"'"))


@pytest.mark.parametrize("text", ["", "a", "it's", '"', "\\", "\\'", "a\\\\", "ä,[b]=${x}"])
@pytest.mark.parametrize("mark", ["'", '"'])
def test_quoted_text_is_read_as_it_was(text, mark):
    assert OverridesParser.create().parse_overrides([f"a={quoted(text, mark)}"])[0].value() == text


def test_home_is_expanded_where_a_value_begins_with_it(composer, monkeypatch):
    monkeypatch.setenv("HOME", "/home/my ä")
    for word in ("data.path=~/a(1).npz", "data.path='~/a(1).npz'"):
        config = composer.configuration(["data=npz", "data.name=x", word, "outputs=~"])
        assert (config.data.path, config.outputs) == ("/home/my ä/a(1).npz", "/home/my ä")


def test_choice_may_be_null(composer):
    override = composer.parse("training.batch_size=choice(32,null)")
    assert list(override.sweep_string_iterator()) == ["32", "null"]


# -- files ------------------------------------------------------------------------------------------------------------

BOMB = "a0: &a0 [x]\n" + "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(9))
FILES = [  # what a file holds, and what is said after its path
    (b"name: a\nb: [\n", "not YAML (line 3: did not find expected node content)"),
    (b"name: a\nb:\n\tc: 1\n", "not YAML (line 3: found character that cannot start any token); lines are indented"),
    (b"name: a\nsize: 1\nname: b\n", "not YAML (line 3: found duplicate key name)"),
    (b"a: 1\n---\nb: 1\n", "not YAML (line 2: but found another document)"),
    (b"a: " + b"[" * 100 + b"]" * 100, "line 1: nested more than 64 levels deep"),
    (b"a: " + b"[" * 5000 + b"]" * 5000, "not YAML (line 1: exceeded maximum nesting depth)"),
    (b"a: " + b"${a:" * 200 + b"}" * 200, "nested too deeply"),
    (BOMB.encode(), "holds too many values: more than 5,000 up to line 5"),
    (b"a: &a [*a]", "line 1 holds an alias of what it stands in (*a)"),
    (b"a: *a", "not YAML (line 1: found undefined alias 'a')"),
    (b"a: 1\nb: \xe4\n", "line 2: not UTF-8 text; save the file in the encoding UTF-8"),
    (MODEL.encode("utf-16"), "line 1: not UTF-8 text"),
    (b"a: \0", "not YAML (unacceptable character #x0000"),
    (b"hello", "expected keys and values, found 'hello'"),
    (b"a: 1" + b":59" * 200_000, "line 1 holds a number of 600,001 characters"),
    (b"a: !!int 1" + b":59" * 200_000, "line 1 holds a number of 600,001 characters"),
    (b"a: " + b"9" * 10**6, "line 1 holds a number of 1,000,000 characters"),
    (b"a: " + b"x" * 2**20, "has 1,048,579 bytes; fitbench reads files of up to"),
    (b"".join(b"k%d: 1\n" % i for i in range(10**5)), "holds too many values: more than 5,000 up to line 2500"),
    (b"a: !!python/object:os.system x", "not YAML (line 1: could not determine a constructor for the tag"),
    (b"null: 1", "Incompatible key type 'NoneType'"),
    (b"? [1]\n: 2", "not YAML (line 1: found unhashable key)"),
    (b"a: !!set {x}", "a: Value 'set' is not a supported primitive type"),
    (b"name: ${oops\n", "name: no viable alternative at input '${oops'"),
    (b"# @package\na: 1", "cannot be read (Expected header format: KEY VALUE, got '@package')"),
    (b"# @package a b\na: 1", "cannot be read (Too many components in '@package a b')"),
    (b"# @package [\na: 1", "# @package [: expected _global_, or names with dots such as model.head"),
]  # fmt: skip
OTHER_FILES = [  # what a file holds, and what is said
    (b"", "model._target_ is missing; it must be the dotted name of a function"),
    (b"# nothing\n", "model._target_ is missing"),
    (b"- a\n", "model is ['a']; it must be a section with keys of its own"),
    (b"5: 1\n" + MODEL.encode(), "model has the key 5; a key must be text"),
    (b"true: 1\n" + MODEL.encode(), "model has the key true; a key must be text"),
    (b"2001-01-01: 1\n" + MODEL.encode(), "model.2001-01-01: there is no such key; "),
    (b"name: ${oops}\n", "model.name: Interpolation key 'oops' not found"),
    (b"name: ${model.name}\n", "model.name: Recursive interpolation detected"),
    (b"_target_: 5", "model._target_ is 5; it must be the dotted name of a function"),
    (b"_target_: [a.b]", "model._target_ is ['a.b']; it must be the dotted name of a function"),
    (
        b"defaults: [nope]",
        "model/mine.yaml: there is no file model/nope.yaml in conf/ or in the folder of --config-dir",
    ),
    (b"defaults: [{/optimizer: nope}]", "model/mine.yaml: optimizer=nope: there is no such choice; optimizer has "),
    (b"defaults: [mine]", "the defaults list of model/mine.yaml leads to the same file again"),
    (b"defaults: [5]", "model/mine.yaml: Unsupported type in defaults : int; a defaults list is written [/model: mlp"),
    (b"defaults: [{5: a}]", "model/mine.yaml: a name is no text; a defaults list is written [/model: mlp, _self_]"),
    (b"defaults: mlp", "defaults must be a list (got str); a defaults list is written [/model: mlp, _self_]"),
    (b"defaults: [{/model: '${x}'}]", "a defaults list: Interpolation key 'x' not found"),
]


def of_model(folder, content):
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "mine.yaml").write_bytes(content)
    return Composer([folder])


@pytest.mark.parametrize(("content", "message"), FILES, ids=[message[:40] for _, message in FILES])
def test_file_that_cannot_be_read_is_named_with_line_and_reason(tmp_path, content, message):
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = refusal(of_model(tmp_path, content), "model=mine")
    assert said.startswith(f"{tmp_path}/model/mine.yaml: {message}")
    assert time.monotonic() - began < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


@pytest.mark.parametrize(("content", "message"), OTHER_FILES, ids=[message[:60] for _, message in OTHER_FILES])
def test_file_that_holds_no_configuration_is_refused(tmp_path, content, message):
    assert message in refusal(of_model(tmp_path, content), "model=mine")


@pytest.mark.parametrize("as_bytes", [str.encode, lambda text: text.replace("\n", "\r\n").encode("utf-8-sig")])
def test_file_as_editors_write_it_is_read(tmp_path, as_bytes):
    content = MODEL.replace("hidden: [3]", "hidden: &sizes [3]") + "defaults: [mlp, _self_]\n"
    config = of_model(tmp_path, as_bytes(content)).configuration(["model=mine"])
    assert (config.model["name"], config.model["hidden"]) == ("mine", [3])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "a FIFO, not a regular file"),
        (os.mkdir, "a folder, not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "a device, not a regular file"),
        (lambda path: path.symlink_to("/no/such"), "a link to a file that does not exist"),
    ],
)
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, make, message):
    (tmp_path / "model").mkdir()
    make(tmp_path / "model" / "mine.yaml")
    assert refusal(Composer([tmp_path]), "model=mine") == f"{tmp_path}/model/mine.yaml: {message}"


def test_file_of_another_name_or_in_another_folder_is_named(tmp_path):
    of_model(tmp_path, MODEL.encode())
    said = refusal(Composer([tmp_path / "model"]), "model=mine")
    assert said == f"{tmp_path}/model/mine.yaml: --config-dir names the folder that model/ is in, {tmp_path}"
    (tmp_path / "model" / "mine.yaml").rename(tmp_path / "model" / "mine.yml")
    said = refusal(Composer([tmp_path]), "model=mine")
    assert said == f"{tmp_path}/model/mine.yml: a file of a configuration is called .yaml; rename it"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_file_without_permission_is_refused(tmp_path):
    composer = of_model(tmp_path, MODEL.encode())
    (tmp_path / "model" / "mine.yaml").chmod(0)
    assert refusal(composer, "model=mine").endswith("mine.yaml: cannot be read (Permission denied)")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("training: {epochs: 3}", "experiment: a file of this group must begin with the line '# @package _global_'"),
        ("# @package _global_\nmodel: mlp", "model is 'mlp'; it must be a section with keys of its own; a file is"),
        ("# @package _global_\nmodel: [1]", "experiment/mine.yaml: a section with keys of its own stands here, and"),
        ("# @package _global_\nhydra: 5", "experiment/mine.yaml: Merge error: int is not a subclass of HydraConf"),
        ("# @package _global_\nmetrics: 5", "metrics is 5; it must be a list of names"),
        ("# @package _global_\ntraining: {epoch: 3}", "training.epoch: there is no such key. Did you mean training"),
        ("# @package _global_\ndefaults: [{/model: mlp}]", "in a defaults list 'override /model: mlp'"),
        ("a: [", "experiment/mine.yaml: not YAML (line 2: "),
    ],
)  # fmt: skip
def test_wrong_experiment_is_refused(tmp_path, content, message):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(content)
    assert message in refusal(Composer([tmp_path]), "+experiment=mine")


# -- a user's file with the name of one of ours ------------------------------------------------------------------------


def test_file_of_the_user_takes_the_place_of_ours(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mlp.yaml").write_text(MODEL)
    composer = Composer([tmp_path])
    assert composer.configuration(["model=mlp"]).model["name"] == "mine"
    assert composer.configuration(["model=softmax"]).model["name"] == "softmax"


def test_parameter_that_a_file_does_not_set_is_named_with_the_way_to_set_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "users_tiny.py").write_text(
        "def tiny(input_shape, outputs, filters=8, kernel=3):\n    raise SystemExit"
    )
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "tiny.yaml").write_text("_target_: users_tiny.tiny\nname: tiny\nfilters: 8\n")
    composer = Composer([tmp_path])
    message = refusal(composer, "model=tiny", "model.kernel=5")
    assert "its function takes kernel (default 3)" in message
    assert message.endswith("+model.kernel=VALUE")
    assert composer.configuration(["model=tiny", "+model.kernel=5"]).model["kernel"] == 5
    assert "Did you mean model.kernel?" in refusal(composer, "model=tiny", "model.kernal=5")
    for word in ("model.foo=1", "+model.foo=1", "model.outputs=3"):
        assert refusal(composer, "model=tiny", word).endswith("; model has name, filters, kernel")


def test_folder_of_the_search_path_comes_before_ours_too(tmp_path):
    (tmp_path / "a" / "model").mkdir(parents=True)
    (tmp_path / "a" / "model" / "mlp.yaml").write_text(MODEL)
    (tmp_path / "mine.yaml").write_text(f"defaults: [config, _self_]\nhydra: {{searchpath: [{tmp_path}/a]}}\n")
    line = [sys.executable, "-m", "fitbench", "train", "--config-dir", str(tmp_path), "-cn", "mine", "--cfg", "job"]
    done = subprocess.run([*line, "model=mlp"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "name: mine" in done.stdout


@pytest.mark.parametrize("content", ["seed: 5", "defaults: [config, _self_]", "a: ["])
def test_primary_file_of_the_user_that_would_drop_ours_is_refused(tmp_path, content):
    (tmp_path / "config.yaml").write_text(content)
    said = refusal(Composer([tmp_path]), "seed=1")
    assert said.startswith(f"{tmp_path}/config.yaml: ")
    assert "and give --config-name mine" in said or "not YAML" in said


def test_primary_file_of_the_user_adds_to_ours_under_its_own_name(tmp_path):
    (tmp_path / "mine.yaml").write_text("defaults: [config, _self_]\nseed: 5\n")
    assert Composer([tmp_path], name="mine").configuration(["model=mlp"]).seed == 5


# -- errors of other code ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fail", "message"), [(lambda: int("one"), "invalid literal"), (lambda: {}["x"], "x")])
def test_error_of_other_code_is_no_wrong_request(fail, message):
    with pytest.raises((ValueError, KeyError), match=re.escape(message)), explained_errors():
        OmegaConf.create({"a": 1})
        fail()


def test_a_table_of_scikit_learn_that_is_taken_for_a_choice_is_told_how_it_is_chosen(composer):
    with pytest.raises(
        RequestError, match=r"data=iris: there is no such .* Did you mean data=sklearn data\.name=iris\?"
    ):
        composer.configuration(["data=iris"])


def test_a_data_set_is_composed_whatever_the_model_takes(composer):
    choice = ["data.path=a.npz", "data.inputs=tokens"]
    assert composer.data("npz", choice).kind == "tokens"
    with pytest.raises(RequestError, match="takes"):
        composer.configuration(["data=npz", "model=lenet5", *choice])
    with pytest.raises(RequestError, match=r"data\.pat: there is no such key\. Did you mean data\.path\?"):
        composer.data("npz", ["data.pat=a.npz"])


# -- names of earlier runs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["@latest", "@best", "first/@best"])
def test_several_runs_name_an_earlier_run_by_its_own_name(composer, make_run, tmp_path, name):
    folder = make_run("study=first")
    np.savez(folder / "state.npz", state=np.zeros(1), weight=np.zeros(2))
    outputs = f"outputs={folder.parents[1]}"
    for key, words in (("training.start", []), ("+continue", ["training.epochs=50"])):
        message = refusal(composer, f"{key}={name}", *words, outputs)
        assert f"{key}={name} is {folder} now" in message
        assert f"write {key}=first/{folder.name}, so that the same command means the same runs" in message
    config = composer.configuration([f"+continue=first/{folder.name}", "training.epochs=50", outputs])
    assert config.parent.folder == str(folder)


def test_a_search_names_an_earlier_run_by_its_own_name(make_run):
    folder = make_run("study=first")
    with pytest.raises(RequestError, match=f"write training.start=first/{folder.name}"):
        read_request(["training.start=@best", "optimizer.learning_rate=0.1,0.2", f"outputs={folder.parents[1]}"])
