"""The space of a search: what each way to state it allows, and that a trial trains the very value that was chosen."""

from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from fitbench.analysis.search_record import short_names
from fitbench.composition import Composer
from fitbench.errors import RequestError
from fitbench.tuning.identity import differences, identity
from fitbench.tuning.request import Request, read_request
from fitbench.tuning.space import Params, Space
from fitbench.tuning.space_syntax import read_space
from fitbench.tuning.summary import choices


@pytest.fixture(scope="module")
def composer():
    return Composer()


def space_of(
    composer: Composer, *texts: str, listed: dict[str, Any] | None = None, when: dict[str, Any] | None = None
) -> Space:
    return read_space(texts, listed or {}, when or {}, composer)


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("interval(0.25,0.5)", FloatDistribution(0.25, 0.5)),
        ("tag(log,interval(1e-5,1e-1))", FloatDistribution(1e-5, 1e-1, log=True)),
        ("tag(int,interval(16,256))", IntDistribution(16, 256)),
        ("tag(int,log,interval(16,256))", IntDistribution(16, 256, log=True)),
        ("range(2,6)", IntDistribution(2, 5)),
        ("range(6,2,-1)", IntDistribution(3, 6)),
        ("range(10,0,-3)", IntDistribution(1, 10, step=3)),
        ("range(16,65,16)", IntDistribution(16, 64, step=16)),
        ("tag(log,range(1,129))", IntDistribution(1, 128, log=True)),
        ("range(0.0,0.5,0.25)", FloatDistribution(0.0, 0.25, step=0.25)),
        ("range(0.0,3.0,1.0)", FloatDistribution(0.0, 2.0, step=1.0)),
        ("range(0.2,0.7,0.1)", FloatDistribution(0.2, 0.6, step=0.1)),
        ("range(0.6,0.1,-0.1)", FloatDistribution(0.2, 0.6, step=0.1)),
        ("range(1,1.35,0.05)", FloatDistribution(1.0, 1.3, step=0.05)),
        ("range(0.0,7.7,0.7)", FloatDistribution(0.0, 7.0, step=0.7)),
        ("sort(range(0.6,0.1,-0.1))", FloatDistribution(0.2, 0.6, step=0.1)),
        ("range(3,4)", CategoricalDistribution([3])),
        ("choice(32,64.5,relu)", CategoricalDistribution([32, 64.5, "relu"])),
        ("0.5,tanh", CategoricalDistribution([0.5, "tanh"])),
        ("shuffle(range(1,4))", {1, 2, 3}),
        ("choice(32,null)", CategoricalDistribution([32, "null"])),
        ("choice([64],[64,32])", CategoricalDistribution(["[64]", "[64,32]"])),
    ],
)
def test_each_way_to_state_a_space_allows_what_it_says(composer, text, distribution):
    [parameter] = space_of(composer, f"some.key={text}").parameters
    assert parameter.key == "some.key"
    if isinstance(distribution, set):
        assert isinstance(parameter.distribution, CategoricalDistribution)
        assert set(parameter.distribution.choices) == distribution
    else:
        assert parameter.distribution == distribution


def test_groups_and_globs_choose_files(composer):
    space = space_of(composer, "optimizer/schedule=constant,step", "model=glob(lenet5*,exclude=*_*)", "data=glob(*)")
    schedule, model, data = (one.distribution for one in space.parameters)
    assert isinstance(data, CategoricalDistribution)
    assert schedule == CategoricalDistribution(["constant", "step"])
    assert model == CategoricalDistribution(["lenet5"])
    assert {"mnist_5k", "digits", "npz"} <= set(data.choices)


def test_space_is_described_as_json_for_those_who_draw_it(composer):
    when = {"optimizer=sgd": {"optimizer.weight_decay": "tag(log,interval(1e-6,1e-2))"}}
    space = space_of(composer, "optimizer=adam,sgd", "training.batch_size=range(32,97,32)", when=when)
    assert space.described() == {
        "optimizer": {"kind": "choice", "values": ["adam", "sgd"]},
        "training.batch_size": {"kind": "int", "low": 32, "high": 96, "log": False, "step": 32},
        "optimizer.weight_decay": {
            **{"kind": "float", "low": 1e-6, "high": 1e-2, "log": True, "step": None},
            "when": ["optimizer=sgd"],
        },
    }


# -- from a choice to the value that is trained ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "chosen", "where"),
    [
        ("optimizer.learning_rate=interval(1e-9,1e9)", value, ("optimizer", "learning_rate"))
        for value in (0.1 + 0.2, 1 / 3, 1e-7, 1.2345678901234567e-05, 2.0, 123456789.0000001, 5e-9)
    ]
    + [
        ("training.batch_size=tag(int,interval(1,1000000))", 999983, ("training", "batch_size")),
        ("model.hidden=choice([64],[64,32])", "[64,32]", ("model", "hidden")),
        ("model.activation=tanh,'relu'", "tanh", ("model", "activation")),
        ("model.dropout=0,0.3", 0.3, ("model", "dropout")),
        ("model=softmax,mlp", "mlp", ("model", "name")),
        ("optimizer/schedule=constant,step", "step", ("optimizer", "schedule", "kind")),
        ("training.early_stopping.restore_best_weights=true,false", "false",
         ("training", "early_stopping", "restore_best_weights")),
    ],
)  # fmt: skip
def test_overrides_of_a_trial_give_the_very_value(composer, space, chosen, where):
    written = space_of(composer, space).overrides({space.partition("=")[0]: chosen})
    value: Any = composer.configuration(["model=mlp", *written])
    for name in where:
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    expected = {"[64,32]": [64, 32], "false": False}.get(chosen, chosen) if isinstance(chosen, str) else chosen
    assert value == expected
    assert type(value) is type(expected)


def test_steps_of_a_float_range_are_trained_as_the_sampler_gives_them(composer):
    space = space_of(composer, "model.dropout=range(0.0,0.35,0.1)")
    values: Any = space.grid()["model.dropout"]
    assert len(values) == 4
    assert max(values) <= 0.3  # and not 0.30000000000000004, which the sampler would call out of range
    for value in values:
        chosen = space.suggest(FixedTrial({"model.dropout": value}))  # type: ignore[arg-type]
        assert composer.configuration(["model=mlp", *space.overrides(chosen)]).model["dropout"] == value


# -- parts that depend on a choice -------------------------------------------------------------------------------------

MINE = """
defaults: [default]
trials: 7
space:
  optimizer: adam,momentum
  training.batch_size: choice(32,64)
when:
  optimizer.nesterov=true:
    optimizer.weight_decay: tag(log,interval(1e-6,1e-3))
  optimizer=momentum:
    optimizer.momentum: interval(0.5,0.9)
    optimizer.nesterov: true,false
"""


@pytest.fixture
def mine(tmp_path) -> Path:
    """A folder of the user's own with search/mine.yaml."""
    (tmp_path / "conf" / "search").mkdir(parents=True)
    (tmp_path / "conf" / "search" / "mine.yaml").write_text(MINE)
    return tmp_path / "conf"


def keys(request: Request, **chosen: Any) -> list[str]:
    """The keys that a trial has which chooses these, and else the first choice or the lower end."""
    first = {one.key: one.ends()[0] for one in request.space.parameters}
    given: Params = {**first, **{key.replace("__", "."): value for key, value in chosen.items()}}
    return list(request.space.suggest(FixedTrial(given)))  # type: ignore[arg-type]


def test_file_of_the_user_holds_a_space_with_parts_that_depend_on_choices(mine):
    request = read_request(["--config-dir", str(mine), "search=mine", "data=digits"])
    assert (request.settings.trials, request.settings.sampler.value) == (7, "tpe")
    assert keys(request, optimizer="adam") == ["optimizer", "training.batch_size"]
    of_momentum = ["optimizer", "training.batch_size", "optimizer.momentum", "optimizer.nesterov"]
    assert keys(request, optimizer="momentum", optimizer__nesterov="false") == of_momentum
    assert keys(request, optimizer="momentum") == [*of_momentum, "optimizer.weight_decay"]


def test_every_choice_is_tried_out_with_what_it_depends_on(mine):
    request = read_request([f"--config-dir={mine}", "search=mine"])
    probes = [request.space.overrides(probe) for probe in request.space.probes()]
    tried = {word for probe in probes for word in probe}
    assert {"optimizer=adam", "optimizer=momentum", "training.batch_size=64", "optimizer.momentum=0.5"} <= tried
    assert {"optimizer.momentum=0.9", "optimizer.nesterov=false", "optimizer.weight_decay=0.001"} <= tried
    for probe in probes:
        assert ("optimizer=momentum" in probe) == any("momentum=" in word for word in probe if "." in word)


def test_command_wins_over_the_file(mine):
    words = ["search.trials=3", "optimizer=sgd,momentum", "optimizer.momentum=interval(0.8,0.9)"]
    with pytest.raises(RequestError, match=r"with optimizer=sgd.*optimizer\.momentum"):  # sgd has none
        read_request([f"--config-dir={mine}", "search=mine", *words])
    words = ["search.trials=3", "optimizer=adam,momentum,rmsprop", "training.batch_size=16"]
    request = read_request([f"--config-dir={mine}", "search=mine", *words])
    assert request.settings.trials == 3
    by_key = {one.key: one.distribution for one in request.space.parameters}
    assert by_key["optimizer"] == CategoricalDistribution(["adam", "momentum", "rmsprop"])


def test_value_in_the_command_is_no_longer_searched(mine):
    request = read_request([f"--config-dir={mine}", "search=mine", "training.batch_size=16"])
    assert "training.batch_size" not in {one.key for one in request.space.parameters}
    assert request.recipe.configuration(["optimizer=adam"]).training.batch_size == 16


def test_what_the_file_has_for_choices_that_the_command_leaves_out_is_not_searched(mine):
    request = read_request([f"--config-dir={mine}", "search=mine", "optimizer=adam,rmsprop"])
    assert {one.key for one in request.space.parameters} == {"optimizer", "training.batch_size"}
    narrow = read_request(["search=optimizers", "optimizer=sgd,adam"]).space
    assert list(narrow.described()) == [
        "optimizer",
        *(f"optimizer.learning_rate (optimizer={name})" for name in ("adam", "sgd")),
    ]
    sgd = read_request(["search=optimizers", "optimizer=sgd"]).space
    assert sgd.described() == {
        "optimizer.learning_rate": {"kind": "float", "low": 0.01, "high": 1.0, "log": True, "step": None}
    }


@pytest.mark.parametrize(
    ("optimizer", "searched"),
    [
        ("momentum", ["training.batch_size", "optimizer.momentum", "optimizer.nesterov", "optimizer.weight_decay"]),
        ("adam", ["training.batch_size"]),
    ],
)
def test_part_that_depends_on_a_choice_which_the_command_has_made_is_searched_or_not(mine, optimizer, searched):
    request = read_request([f"--config-dir={mine}", "search=mine", f"optimizer={optimizer}"])
    assert keys(request) == searched


def test_key_has_a_space_of_its_own_under_each_choice(composer):
    """So does what depends on it; and each space is a parameter of its own for the sampler."""
    rates = {"optimizer=sgd": "tag(log,interval(1e-3,1))", "optimizer=adam": "0.0001,0.001"}
    when = {
        "optimizer.learning_rate=0.001": {"training.batch_size": "choice(32,64)"},
        **{condition: {"optimizer.learning_rate": rate} for condition, rate in rates.items()},
    }
    space = space_of(composer, listed={"optimizer": "adam,sgd,rmsprop"}, when=when)
    sgd, adam = (f"optimizer.learning_rate (optimizer={name})" for name in ("sgd", "adam"))
    names = ["optimizer", sgd, adam, "training.batch_size"]
    assert list(space.described()) == names
    assert short_names(names) == dict(
        zip(names, ["optimizer", "learning_rate (sgd)", "learning_rate (adam)", "batch_size"], strict=True)
    )
    assert choices({"params": {"optimizer": "sgd", sgd: 0.5}}, space.described()) == "optimizer=sgd learning_rate=0.5"

    def overrides(**chosen: Any) -> list[str]:
        given = {sgd: 0.5, adam: 1e-3, "training.batch_size": 64, **chosen}
        return space.overrides(space.suggest(FixedTrial(given)))  # type: ignore[arg-type]

    assert overrides(optimizer="sgd") == ["optimizer=sgd", "optimizer.learning_rate=0.5"]
    of_adam = ["optimizer=adam", "optimizer.learning_rate=0.001", "training.batch_size=64"]
    assert overrides(optimizer="adam") == of_adam
    assert overrides(optimizer="adam", **{adam: 1e-4}) == ["optimizer=adam", "optimizer.learning_rate=0.0001"]
    assert overrides(optimizer="rmsprop") == ["optimizer=rmsprop"]
    assert of_adam in [space.overrides(probe) for probe in space.probes()]


@pytest.mark.parametrize(
    ("listed", "when", "message"),
    [
        ({}, {"optimizer=momentum": {"model.dropout": "0,0.1"}}, r"optimizer=momentum: optimizer is no choice of this"),
        ({"optimizer": "adam,sgd"}, {"optimizer=momentum": {"a.b": "1,2"}}, "optimizer chooses from adam, sgd"),
        ({"a.b": "interval(0,1)"}, {"a.b=0.5": {"c.d": "1,2"}}, "a.b chooses from numbers"),
        ({"a.b": "1,2"}, {"a.b": {"c.d": "1,2"}}, "'a.b' must be KEY=VALUE"),
        ({"a.b": "1,2"}, {"a.b=1": "c.d=1,2"}, "expected KEY: SPACE"),
        ({}, {"a.b=1": {"c.d": "1,2"}, "c.d=1": {"a.b": "1,2"}}, r"(a\.b and c\.d|c\.d and a\.b) depend on"),
        ({"a.b": 3}, {}, "a.b=3: nothing to choose"),
        ({"a.b": "1,2", "e": "1,2"}, {"a.b=1": {"c.d": "1,2"}, "e=2": {"c.d": "3,4"}}, "c.d stands .* more than once"),
        ({"a.b": "1,2", "c.d": "1,2"}, {"a.b=1": {"c.d": "1,2"}}, "c.d stands in the space more than once"),
    ],
)
def test_file_with_an_impossible_space_is_refused(composer, listed, when, message):
    with pytest.raises(RequestError, match=message):
        space_of(composer, listed=listed, when=when)


def test_key_that_the_command_states_twice_is_refused(composer):
    with pytest.raises(RequestError, match=r"a\.b stands in the space more than once"):
        space_of(composer, "a.b=1,2", "a.b=interval(0,1)")


# -- the grid ----------------------------------------------------------------------------------------------------------


def test_grid_has_every_value(composer):
    space = space_of(composer, "optimizer=adam,sgd", "training.batch_size=range(32,97,32)", "a.b=range(0.0,0.35,0.1)")
    grid = space.grid()
    assert grid["optimizer"] == ["adam", "sgd"]
    assert grid["training.batch_size"] == [32, 64, 96]
    assert grid["a.b"] == pytest.approx([0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("texts", "when", "message"),
    [
        (["a.b=interval(0,1)"], {}, "a.b has an interval; use choices"),
        (["a.b=1,2"], {"a.b=1": {"c.d": "1,2"}}, "c.d depends on another choice"),
    ],
)
def test_what_a_grid_cannot_have_is_refused(composer, texts, when, message):
    with pytest.raises(RequestError, match=message):
        space_of(composer, *texts, when=when).grid()


def test_search_of_series_is_the_same_without_the_key_of_their_length(configure):
    series = ("data=ucr", "data.name=GunPoint", "data.lengths=cubic", "model=fcn")
    without, with_steps = (identity(1, Space(()), configure(*series, *more), []) for more in ([], ["data.steps=29"]))
    assert "data.steps" not in without["configuration"]  # as searches recorded it before there was the key
    assert differences(without, with_steps) == ["configuration.data.steps is absent there and 29 here"]
    function = ("data=function", "data._target_=mine.load", "+data.steps=null", "model=mlp")
    assert "data.steps" in identity(1, Space(()), configure(*function), [])["configuration"]


@pytest.mark.parametrize(
    ("model", "key", "value"), [("simard", "model.init_stddev", 0.05), ("conv_pool", "model.padding", "valid")]
)
def test_search_of_a_model_is_the_same_without_its_later_keys(configure, model, key, value):
    without, with_key = (
        identity(1, Space(()), configure(f"model={model}", *more), [])["configuration"]
        for more in ([], [f"{key}={value}"])
    )
    assert key not in without
    assert with_key[key] == value
