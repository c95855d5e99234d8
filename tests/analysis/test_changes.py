import pytest

from fitbench.analysis.changes import changes, value_text
from fitbench.config import plain


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["data=digits", "model=softmax", "optimizer=momentum", "optimizer.nesterov=true", "seed=7"],
        ["data=npz", "data.path=/some/where/my-images.npz"],
        ["data=npz", "data.path='/some/w h, e=re/a.npz'", "data.name=other", "study=paper"],
        ["data=image_folder", "data.path=cats", "data.image_size=[32,48]", "data.color=true"],
        ["model=mlp", "model.hidden=[300,100]", "model.init_stddev=0.1", "model.name=wide"],
        ["model=nearest_mean"],
        ["optimizer=sgd", "optimizer/schedule=cosine", "optimizer.schedule.final_fraction=0.01", "device=cpu"],
        ["optimizer/schedule=step", "distortion=affine", "distortion.rotation=5", "optimizer.epsilon=1e-9"],
        ["+optimizer.clipnorm=1.0", "~optimizer.epsilon", "training.early_stopping=null", "training.batch_size=null"],
        ["+training.callbacks.log={_target_: keras.callbacks.CSVLogger, filename: 'a b.csv', append: true}"],
    ],
)
def test_the_changes_compose_the_same_configuration_again(configure, overrides):
    config = configure(*overrides)
    assert plain(configure(*changes(plain(config)))) == plain(config)


def test_the_choices_come_first_then_what_differs_from_their_defaults(configure):
    config = configure(
        "data=digits", "model=mlp", "training.epochs=5", "model.hidden=[10]", "distortion=affine", "seed=3"
    )
    assert changes(plain(config)) == [
        *("data=digits", "model=mlp", "optimizer=adam", "distortion=affine"),
        *("model.hidden=[10]", "training.epochs=5", "seed=3"),
    ]


def test_values_that_a_choice_brings_along_are_no_changes(configure):
    assert changes(plain(configure("model=nearest_mean"))) == ["data=mnist_5k", "model=nearest_mean", "optimizer=adam"]


def test_how_a_run_was_launched_is_no_change(configure):
    assert changes(plain(configure("force=true", "progress=false", "logger=mlflow"))) == changes(plain(configure()))


def test_a_model_of_the_users_own_is_named_with_all_its_values(configure):
    config = plain(configure())
    config["model"] = {"_target_": "my.models.big", "name": "big", "depth": 12, "heads": {"count": 3}}
    assert changes(config) == [
        *("data=mnist_5k", "model=big", "optimizer=adam"),
        *("model._target_=my.models.big", "model.name=big", "model.depth=12", "model.heads={count:3}"),
    ]


def test_a_name_that_looks_like_a_path_opens_nothing(configure):
    config = plain(configure())
    config["model"] = {"_target_": "os.system", "name": "../data/digits", "solver": None}
    assert changes(config)[1] == "model=../data/digits"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (1e-7, "1e-07"), ([64, 64.0], "[64,64.0]"), ({"a": None}, "{a:null}"),
        ("relu", "relu"), ("/a/b-c.npz", "/a/b-c.npz"), ("two words", "'two words'"), ("it's", r"'it\'s'"), ("", "''"),
        ("1e3", "'1e3'"), ("null", "'null'"), ("True", "'True'"), ("C:\\", r"'C:\\'"),
    ],
)  # fmt: skip
def test_values_are_spelled_as_on_the_command_line(value, text):
    assert value_text(value) == text


def test_run_that_continues_another_one_is_composed_from_that_one(configure):
    config = plain(configure("data=digits", "model=mlp", "training.epochs=5"))
    config["parent"] = {"run_id": "a", "folder": "outputs/base/a", "config_id": "01234567", "sha256": "0" * 64}
    assert changes(config) == ["+continue=outputs/base/a", "training.epochs=5", "study=default"]


def test_run_that_continues_another_one_has_the_values_of_its_own_listed(configure):
    own = ["metrics=[macro_f1]", "device=cpu", "training.checkpoint_seconds=5.0", "training.keep_state=true"]
    config = plain(configure("data=digits", "model=mlp", "optimizer.learning_rate=0.5", "seed=3", "study=mine", *own))
    config["parent"] = {"run_id": "a", "folder": "outputs/base/a", "config_id": "01234567", "sha256": "0" * 64}
    first, epochs, study, *others = changes(config)
    assert (first, study) == ("+continue=outputs/base/a", "study=mine")
    assert epochs == f"training.epochs={config['training']['epochs']}"
    assert sorted(others) == sorted(own)


def test_run_that_begins_with_the_weights_of_another_one_names_its_folder(configure):
    config = plain(configure("data=digits", "model=mlp", "training.epochs=5"))
    config["training"]["start"] = {"run_id": "a", "folder": "outputs/base/a", "sha256": "0" * 64}
    assert "training.start=outputs/base/a" in changes(config)
