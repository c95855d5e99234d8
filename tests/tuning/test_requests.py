"""Requests that are wrong: refused in a line that says what to do, before a trial begins, with nothing left behind."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fitbench.errors import FitbenchError, RequestError
from fitbench.tuning import samplers
from fitbench.tuning.request import read_request
from fitbench.tuning.search import search
from fitbench.tuning.study import open_study

RATE = "optimizer.learning_rate=tag(log,interval(1e-4,1e-1))"
NO_VALIDATION = ("training.validation_split=0", "training.early_stopping=null")

REFUSED = [
    # the space
    ([], "there is nothing to search: state a space, such as "),
    (["optimizer.learning_rate=interval(0.5,0.5)"], "the interval is empty; its first number must be below the second"),
    (["optimizer.learning_rate=tag(log,interval(0,1))"], ": `low > 0` must hold for `log=True`, but got (low=0.0, "),
    (["optimizer.learning_rate=tag(lag,interval(0.1,1))"], "no tag lag here; intervals have log and int, ranges log"),
    (["training.epochs=tag(int,interval(1.5,3))"], "an interval of whole numbers has whole ends"),
    (["training.epochs=tag(lag,range(1,4))"], "there is no tag lag"),
    (["training.epochs=tag(log,range(0,4))"], ": `low >= 1` must hold for `log=True`, but got (low=0, high=3)."),
    (["optimizer.learning_rate=tag(log,range(0.1,0.5,0.1))"], "`step` is not supported when `log` is true"),
    (["optimizer.learning_rate=interval(0.5,0.1)"], "`low <= high` must hold, but got (low=0.5, high=0.1)"),
    (["training.epochs=tag(int,range(1.0,4.0))"], "there is no tag int here; intervals have log and int, ranges log"),
    (["training.epochs=range(3,3)"], "training.epochs=range(3,3): there is nothing to choose from"),
    (["model=glob(x*)"], "model=glob(x*): there is nothing to choose from"),
    (["optimizer=adam,adm"], "optimizer has adadelta, adagrad, adam, adamw, lion, momentum, nadam, rmsprop, sgd. D"),
    (["optimizer.decay=interval(0.1,0.9)"], "optimizer.decay: there is no such key; optimizer has name, "),
    (["optimizer.learning_rate=interval(-1,1)"], "optimizer.learning_rate is -1.0; it must be a number above 0"),
    (["training.epochs=1,2", "training.epochs=3,4"], "training.epochs stands in the space more than once"),
    (["+experiment=tutorial_mlp,tutorial_softmax"], "a key of the space stands without + or ~"),
    (["seed=0,1"], "seed makes no other configuration, so there is nothing to choose; search.seeds=N trains"),
    (["fold=range(5)"], "fold makes no other configuration, so there is nothing to choose; search.folds=N trains"),
    ([RATE, "search.folds=5", "training.validation=random"], "training.validation: not with search.folds=5, which "),
    ([RATE, "search.folds=5", "training.folds=3"], "training.folds: not with search.folds=5, which sets training.val"),
    ([RATE, "search.folds=5", "fold=1"], "fold: not with search.folds=5, which sets training.validation, training."),
    (["search.folds=5", "training.validation_split=0.1,0.2"], "training.validation_split: not with search.folds=5, "),
    ([RATE, "search.folds=1"], "search.folds is 1; it must be a whole number from 2, or null"),
    ([RATE, "training.validation=kfold", "training.folds=5"], "training.validation=kfold: search.folds=5 trains each "),
    # the settings
    ([RATE, "search.trial=3"], "search.trial: there is no such key. Did you mean search.trials?"),
    ([RATE, "search.whatever=3"], "search.whatever: there is no such key; search has trials, timeout, sampler, "),
    (["training.batch_size=interval(16,64)"], "; an interval of whole numbers is tag(int,interval(a,b))"),
    ([RATE, "search=optimizer"], "search has default, optimizers. Did you mean optimizers?"),
    ([RATE, "search.trials=many"], "search.trials is 'many'; it must be a whole number from 1 to 2147483647"),
    ([RATE, "search.trials=0"], "search.trials is 0; it must be a whole number from 1 to 2147483647"),
    ([RATE, "search.timeout=0"], "search.timeout is 0; it must be a number above 0, or null"),
    ([RATE, "search.seed=-1"], "search.seed is -1; it must be a whole number of at least 0 and below 4294967296"),
    ([RATE, "search.sampler=tp"], "search.sampler is 'tp'; it must be one of tpe, random, gp, grid"),
    ([RATE, "search.pruner=mean"], "search.pruner is 'mean'; it must be one of auto, median, hyperband, none"),
    ([RATE, "search.objective=accuracy"], "there is no such objective; there are val_accuracy, val_loss, "),
    ([RATE, "search.objective=val_macro_f2"],
     "there is no such objective; there are val_accuracy, val_loss, train_accuracy, train_loss, parameters, "
     "fit_seconds, seconds, and val_ and train_ of balanced_accuracy, macro_f1, "),
    ([RATE, "search.objective=val_mae"], "search.objective=val_mae: there is no such objective; there are val_acc"),
    ([RATE, "search.pruner=median", "search.objective=train_macro_f1"], "train_macro_f1, which no epoch measures; "),
    ([RATE, "search.objective=val_kappa", "metrics.kappa={_target_: mine.kappa}"], "kappa.direction is missing"),
    (["metrics=[accuracy],[macro_f1]"], "metrics makes no other configuration, so there is nothing to choose"),
    (["metrics.kappa.direction=max,min"], "metrics.kappa.direction makes no other configuration"),
    ([RATE, "search.objective=val_macro_f1", "training.validation_split=0", "training.early_stopping=null"],
     "search.objective=val_macro_f1 needs a validation set"),
    ([RATE, "search.objective=test_accuracy"], "a search that looks at the test set makes its results worthless"),
    ([RATE, "search.objective=[val_loss,test_loss]"], "search.objective=test_loss: a search that looks at the test"),
    ([RATE, "search.objective=[val_loss,val_loss]"], "search.objective is ['val_loss', 'val_loss']; one of them is"),
    ([RATE, "search.direction=up"], "search.direction is 'up'; it must be auto, maximize or minimize, or a list of"),
    ([RATE, "search.direction=[minimize,maximize]"], "it must have one for each of val_accuracy"),
    ([RATE, "search.objective=[]"], "search.objective is []; it must be the name of an objective, or a list of names"),
    ([RATE, *NO_VALIDATION], "search.objective=val_accuracy needs a validation set; training.validation_split is 0"),
    (["training.validation_split=0,0.2", "training.early_stopping=null"], "val_accuracy needs a validation set"),
    ([RATE, "search.pruner=median", "search.objective=[val_loss,parameters]"], "by several objectives; search."),
    ([RATE, "search.pruner=hyperband", "search.objective=parameters"], "parameters, which no epoch measures; search."),
    ([RATE, "search.sampler=grid"], "goes through all values, and optimizer.learning_rate has an interval; "),
    # what is no part of a search
    ([RATE, "force=true"], "force=true: a search takes recorded results; leave it out, or give another study=NAME"),
    ([RATE, "hydra.job.name=mine"], "a search is not launched by Hydra; workers=N starts processes"),
    ([RATE, "hydra/launcher=ray"], "a search is not launched by Hydra; workers=N starts processes"),
    ([RATE, "+continue=lenet5"], "+continue=lenet5: a search cannot continue a run; training.start=RUN begins each"),
    ([RATE, "-m"], "-m: fitbench search has no such option; it takes overrides, --config-dir DIR and --dry-run"),
    ([RATE, "--config-dir"], "--config-dir: fitbench search has no such option"),
    ([RATE, "--config-dir=/no/such"], "--config-dir /no/such: there is no such folder"),
    ([RATE, "epochs"], "'epochs': expected KEY=VALUE in one word, such as model=mlp or training.epochs=5"),
    ([RATE, "trials=3"], "trials: there is no such key. Did you mean search.trials?"),
    ([RATE, "search.trials=1e3"], "search.trials is 1000.0; it must be a whole number from 1 to 2147483647; write"),
    ([RATE, "search.trials=1,2"], "search.trials=1,2: several values; here a key has one value"),
    ([RATE, "search.space=[a]"], "search.space: a section with keys of its own stands here, and a list cannot take"),
    ([RATE, "data.path=/a,b"], "data.path makes no other configuration, so there is nothing to choose"),
    (["optimizer.learning_rate=interval(1e-4)"], "interval(1e-4): expected interval(LOW,HIGH), of numbers"),
    (["optimizer.learning_rate=interval(1e-4,1"], "a bracket is not closed"),
    (["optimizer.learning_rate=tag(log,1,2)"], "expected tag(log,interval(LOW,HIGH)) or tag(int,interval(LOW,HIGH))"),
    (["optimizer.learning_rate=loguniform(1,2)"], "there is no function loguniform; there are range, interval, choice"),
    (["optimizer.learning_rate =interval(0,1)"], "expected KEY=VALUE without a space before ="),
    (["training.epochs=range(1,9999999999)"], "training.epochs=range(1,9999999999): more than 100,000 values"),
    ([f"training.epochs=range({'9' * 400})"], "more than 100,000 values"),
    (["training.epochs=range(1,5,0)"], "a step is not 0"),
    (["optimizer.learning_rate=interval(1,inf)"], "optimizer.learning_rate=interval(1,inf): "),
    (["model.dropout=choice(null,0.1)", "model=mlp"], "model.dropout is null; it must be a number of at least 0 and"),
    ([RATE, "training.epoch=3"], "training.epoch: there is no such key. Did you mean training.epochs?"),
    # the storage; a password is never shown
    ([RATE, "search.storage=here:secret"], "search.storage must be a URL such as postgresql://user@host/database"),
    ([RATE, "search.storage=x://u:secret@h/db"], "search.storage must be a URL such as postgresql://user@host/database"),
    ([RATE, "search.storage=postgresql://u:secret@h:port/db"], "search.storage must be a URL such as "),
    ([RATE, "search.storage=postgresql://u:secret@127.0.0.1:1/db?connect_timeout=5"],
     "search.storage=postgresql://u:***@127.0.0.1:1/db?connect_timeout=5 does not answer: "),
    ([RATE, "search.storage=mysql://u:secret@h/db"], "search.storage=mysql://u:***@h/db needs a driver: No module "),
    ([RATE, "search.storage=sqlite:////no/such/folder/db"], "unable to open database file"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=[" ".join(words) or "nothing" for words, _ in REFUSED])
def test_wrong_request_is_refused_in_a_line_and_leaves_nothing(composed_once, tmp_path, words, message):
    if any("postgresql" in word for word in words):
        pytest.importorskip("psycopg")
    with pytest.raises(FitbenchError, match=re.escape(message)) as refusal:
        search(["data=digits", "model=softmax", *words])
    said = str(refusal.value)
    assert len(said.splitlines()) <= 2
    assert "secret" not in said
    assert isinstance(refusal.value, RequestError) == ("does not answer" not in said)
    assert not list(tmp_path.glob("outputs/*"))


def test_space_of_a_file_leaves_to_the_folds_what_they_decide(composed_once, tmp_path):
    (tmp_path / "conf" / "search").mkdir(parents=True)
    file = "defaults: [default]\nspace:\n  training.validation: last,random\n"
    (tmp_path / "conf" / "search" / "mine.yaml").write_text(file)
    with pytest.raises(RequestError, match=r"training\.validation: not with search\.folds=5, which sets"):
        read_request(["--config-dir", str(tmp_path / "conf"), "search=mine", "search.folds=5"])


def test_gp_without_pytorch_says_what_to_install(composed_once, tmp_path, monkeypatch):
    monkeypatch.setattr(samplers, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"^search.sampler=gp needs PyTorch: pip install torch$"):
        search(["data=digits", "model=softmax", RATE, "search.sampler=gp"])
    assert not list(tmp_path.glob("outputs/*"))


def test_storage_may_have_any_characters_of_a_url(composed_once):
    url = "postgresql://u:it's@/database?host=/tmp/a,b&connect_timeout=5"
    request = read_request(["data=digits", RATE, f"search.storage={url}"])
    assert request.settings.storage == url
    assert read_request(["data=digits", RATE, "search.storage='sqlite:///a b'"]).settings.storage == "sqlite:///a b"


# -- the usual objective ----------------------------------------------------------------------------------------------

BOSTON = ("data=boston_housing", "model=mlp")
TABLE = ("data=csv", "data.path=a.csv", "data.target=price", "model=mlp")


@pytest.fixture
def houses(tmp_path):
    """A table with numbers, texts and labels to predict, in the folder in which the searches begin."""
    rows = [f"{i},{10.5 * i},{'rare' if i % 3 else 'usual'},{i % 2}" for i in range(30)]
    (tmp_path / "a.csv").write_text("\n".join(["size,price,kind,wet", *rows]))


@pytest.mark.parametrize(
    ("words", "objective"),
    [
        ((), ("val_accuracy", "maximize")),
        (("metrics=[macro_f1,accuracy]",), ("val_macro_f1", "maximize")),
        (BOSTON, ("val_mae", "minimize")),
        ((*BOSTON, "metrics=[r2]"), ("val_r2", "maximize")),
        (TABLE, ("val_mae", "minimize")),
        ((*TABLE, "data.target=kind"), ("val_accuracy", "maximize")),
        ((*TABLE, "task=multilabel"), ("val_micro_f1", "maximize")),
        ((*TABLE, "metrics=[rmse]"), ("val_rmse", "minimize")),
    ],
)
def test_usual_objective_is_the_primary_metric_on_the_validation_part(composed_once, houses, words, objective):
    [found] = read_request([RATE, *words]).recipe.objectives
    assert (found.name, found.direction) == objective


def test_choices_may_be_needed_for_a_configuration_that_can_be_trained(composed_once):
    """The default model takes images, and data=sklearn has no default of data.name."""
    request = read_request(["data=sklearn", "data.name=wine,iris", "model=linear,mlp", "study=models"])
    assert request.space.grid() == {"data.name": ["wine", "iris"], "model": ["linear", "mlp"]}
    assert [objective.name for objective in request.recipe.objectives] == ["val_accuracy"]
    with pytest.raises(RequestError, match=r"^with model=mpl: .*there is no such choice"):
        read_request(["data=sklearn", "data.name=wine", "model=mpl,mlp"])
    with pytest.raises(RequestError, match=r"^training.epochs is -1"):
        read_request(["model=softmax,mlp", "training.epochs=-1"])


@pytest.mark.parametrize(
    ("words", "study"),
    [
        (("model=softmax", "training.epochs=1", "optimizer=sgd,momentum"), "search-5d2ae9fa"),
        (("model=mlp", "optimizer.learning_rate=interval(0.01,0.1)"), "search-d5a36686"),
    ],
)
def test_search_keeps_the_name_that_it_had_before_there_were_tasks(composed_once, words, study):
    assert read_request(words).config.study == study


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["search.objective=val_accuracy"],
            "there is no such objective; there are val_mae, val_rmse, val_r2, val_loss",
        ),
        (["training.loss=mse,cross_entropy"], "training.loss is cross_entropy, but the task is regression; it must be"),
        (["data.target=cost"], "a.csv"),
    ],
)
def test_what_does_not_go_with_the_task_that_the_data_decide_is_refused_before_a_trial(
    composed_once, houses, tmp_path, words, message
):
    with pytest.raises(FitbenchError, match=re.escape(message)):
        search([*TABLE, RATE, *words])
    assert not list(tmp_path.glob("outputs/*"))


# -- another search under the same name --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "difference"),
    [
        (["optimizer.learning_rate=tag(log,interval(1e-4,1))"], "learning_rate.high is 0.1 there and 1.0 here"),
        ([RATE, "training.batch_size=32,64"], "space.training.batch_size.kind is absent there and "),
        (["optimizer=adam,sgd"], "space.optimizer.learning_rate.kind is "),
        ([RATE, "search.objective=val_loss"], "objective.val_loss is absent there and "),
        ([RATE, "search.direction=minimize"], 'objective.val_accuracy is "maximize" there and "minimize" here'),
        ([RATE, "search.objective=val_kappa", "metrics.kappa={_target_: mine.kappa, direction: max}"],
         'metrics.kappa._target_ is absent there and "mine.kappa" here'),
        ([RATE, "search.seeds=2"], "seeds is 1 there and 2 here"),
        ([RATE, "search.folds=5"], 'training.validation is "last" there and "kfold" here'),
        ([RATE, "training.epochs=3"], "configuration.training.epochs is 20 there and 3 here"),
        ([RATE, "seed=1"], "configuration.seed is 0 there and 1 here"),
        ([RATE, "model=mlp"], 'configuration.model._target_ is "fitbench.training.models.softmax" there and '),
    ],
)  # fmt: skip
def test_study_of_another_search_is_refused_with_the_difference_and_not_touched(
    composed_once, tmp_path, words, difference
):
    same = ["data=digits", "model=softmax", "study=mine"]
    request = read_request([*same, RATE])
    open_study(request.settings, request.space, request.config, request.recipe.objectives)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RequestError, match=re.escape(difference)) as refusal:
        search([*same, *words])
    assert str(refusal.value).startswith("study mine is another search already: ")
    assert "Nothing was changed; study=NAME makes a search of its own" in str(refusal.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "words",
    [
        ["metrics=[accuracy,macro_f1]"],
        ["search.trials=99"],
        ["search.sampler=random"],
        ["search.seed=3"],
        ["workers=4"],
        ["threads=1"],
    ],
)
def test_what_changes_no_trial_is_no_difference(composed_once, tmp_path, words):
    same = ["data=digits", "model=softmax", RATE]
    names = {read_request(these).config.study for these in (same, [*same, *words])}
    assert len(names) == 1
    for these in (same, [*same, *words]):
        request = read_request(these)
        open_study(request.settings, request.space, request.config, request.recipe.objectives)
    assert len(list(tmp_path.glob("outputs/*"))) == 1


# -- what is imported --------------------------------------------------------------------------------------------------

HEAVY = ("tensorflow", "keras", "jax", "optuna")
IMPORTS = """
import json, sys
from fitbench.cli import main
sys.argv = ["fitbench", "search", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    status = end.code
print([status, [name for name in {heavy!r} if name in sys.modules]], file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "status", "imported"),
    [(["--help"], 0, []), ([RATE, "search.trial=3"], 2, ["optuna"])],
)
def test_help_and_refusals_do_not_wait_for_tensorflow(tmp_path, words, status, imported):
    command = [sys.executable, "-c", IMPORTS.format(heavy=HEAVY), *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ast.literal_eval(done.stderr.splitlines()[-1]) == [status, imported]
    assert ("interval(a,b)" in done.stdout) == (status == 0)
    assert not list(Path(tmp_path).iterdir())
