"""Settings of models are checked against the source of their builders, which is never run here."""

import subprocess
import sys
from itertools import count

import pytest
import yaml
from omegaconf import OmegaConf

from fitbench.composition import conf_folder
from fitbench.config import Config, from_hydra
from fitbench.config.builders import records_shares
from fitbench.config.signatures import signature_of
from fitbench.errors import RequestError

NEVER_RUN = "raise AssertionError('this module was run')\n"
NUMBERS = count()


@pytest.fixture
def check(values, tmp_path, monkeypatch):
    """Writes a user's module and checks settings against a function in it; gives the settings as a run has them.

    Every module begins with a statement that fails when the module runs.
    """
    monkeypatch.syspath_prepend(tmp_path)

    def checked(source: str, settings: dict, function: str = "net", files: dict[str, str] | None = None) -> dict:
        name = f"users_module_{next(NUMBERS)}"
        for path, text in {f"{name}.py": source, **(files or {})}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(NEVER_RUN + text)
        target = function if "." in function else f"{name}.{function}"
        composed = values("default", {"model": {"_target_": target, "name": "own", **settings}})
        config: Config = from_hydra(OmegaConf.create(composed))
        assert target.partition(".")[0] not in sys.modules
        return {key: value for key, value in config.model.items() if key not in ("_target_", "name")}

    return checked


def refused(check, *arguments, **named) -> str:
    with pytest.raises(RequestError) as caught:
        check(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


ANNOTATED = """
from typing import Annotated, Literal, Optional
import annotated_types as limits
from annotated_types import Ge, Gt, Le, MinLen
from pydantic import Field
from fitbench.models.annotations import Activation, Fraction, LayerSizes

MOST = 512
Units = Annotated[int, Ge(1), Le(MOST)]
Rates = list[Annotated[float, Field(gt=0)]]

def net(
    input_shape: tuple[int, int, int],
    outputs: int,
    width: Units,
    rates: Rates,
    kind: Literal["wide", "deep"],
    hidden: LayerSizes = [64],
    dropout: Fraction = 0.0,
    activation: "Activation" = "relu",
    scale: Optional[float] = None,
    stride: Annotated[int, limits.Gt(0)] | None = 1,
    bias: bool = True,
    seed: Annotated[int, Ge(0)] = None,
):
    ...
"""
GIVEN = {"width": 3, "rates": [0.5], "kind": "deep"}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hidden": [1, 2], "dropout": 0, "activation": "scaled_tanh", "scale": 2, "stride": None, "bias": False},
        {"scale": None, "seed": None, "width": 512, "rates": []},
    ],
)
def test_settings_that_the_annotations_allow_stay_as_they_are(check, settings):
    assert check(ANNOTATED, GIVEN | settings) == GIVEN | settings


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("width", 0, "a whole number from 1 to 512"),
        ("width", 513, "a whole number from 1 to 512"),
        ("width", True, "a whole number from 1 to 512"),
        ("width", 2.0, "a whole number from 1 to 512"),
        ("width", None, "a whole number from 1 to 512"),
        ("rates", [0.5, 0], "a list, each item a number above 0"),
        ("rates", 0.5, "a list, each item a number above 0"),
        ("kind", "tall", "one of wide, deep"),
        ("hidden", [], "a list of one or more positive numbers"),
        ("dropout", 1, "a number of at least 0 and below 1"),
        ("activation", "rectify", "one of relu, "),
        ("scale", "large", "a number, or null"),
        ("stride", 0, "a whole number above 0, or null"),
        ("bias", "perhaps", "true or false"),
        ("seed", -1, "a whole number of at least 0, or null"),
    ],
)
def test_setting_that_its_annotation_does_not_allow_is_refused(check, setting, value, allowed):
    message = refused(check, ANNOTATED, GIVEN | {setting: value})
    assert message.startswith(f"model.{setting} is ")
    assert f"it must be {allowed}" in message


def test_misspelt_setting_is_refused_with_the_nearest_name(check):
    message = refused(check, ANNOTATED, GIVEN | {"drop_out": 0.1})
    assert message.startswith("model.drop_out: there is no such key. Did you mean model.dropout?")


@pytest.mark.parametrize("supplied", ["input_shape", "outputs"])
def test_what_fitbench_supplies_is_no_setting(check, supplied):
    assert refused(check, ANNOTATED, GIVEN | {supplied: 3}).startswith(f"model.{supplied}: there is no such key; ")


def test_missing_setting_is_named(check):
    message = refused(check, ANNOTATED, {"width": 3, "rates": []})
    assert message == "model.kind is missing; it must be one of wide, deep"


WITHOUT_ANNOTATIONS = "def net(input_shape, classes, width, examples, deep=None): ...\n"


def test_without_annotations_names_are_checked(check):
    assert check(WITHOUT_ANNOTATIONS, {"width": "any", "deep": {"a": [1]}}) == {"width": "any", "deep": {"a": [1]}}
    assert refused(check, WITHOUT_ANNOTATIONS, {}).startswith("model.width is missing")
    assert "Did you mean model.width?" in refused(check, WITHOUT_ANNOTATIONS, {"widht": 1})


def test_builder_of_0_1_may_have_a_setting_named_examples(check):
    assert check(WITHOUT_ANNOTATIONS, {"width": 1, "examples": 5}) == {"width": 1, "examples": 5}


def test_builder_that_takes_anything_is_checked_as_far_as_it_names_its_settings(check):
    source = "def net(input_shape, outputs, width: int, **settings): ...\n"
    assert check(source, {"width": 1, "whatever": "x"}) == {"width": 1, "whatever": "x"}
    assert refused(check, source, {"width": "x"}).startswith("model.width is 'x'; it must be a whole number")


def test_objects_that_hydra_creates_are_not_checked(check):
    source = "def net(input_shape, outputs, rate: float, layers: list[int]): ...\n"
    settings = {"rate": {"_target_": "math.sqrt", "x": 2}, "layers": [{"_target_": "builtins.int"}]}
    assert check(source, settings) == settings


def test_annotation_whose_limits_do_not_fit_its_type_is_refused(check):
    source = (
        "from typing import Annotated\nfrom annotated_types import Ge\ndef net(width: Annotated[list, Ge(0)]): ...\n"
    )
    assert "an annotation is wrong: Unable to apply constraint 'ge'" in refused(check, source, {"width": [1]})


USES = """
import numpy, mine
from typing import *
from annotated_types import Ge
from mine import Check, limit
class Local: ...
Endless = Endless
"""


@pytest.mark.parametrize(
    "annotation",
    [
        "numpy.ndarray",
        "mine.Width",
        "Local",
        "int | Local",
        "Callable[[int], int]",
        "Literal[Local.a]",
        "Endless",
        "ImportString",
        "int[str]",
        "open('x')",
    ],
)
def test_annotation_that_cannot_be_resolved_allows_anything(check, annotation):
    source = f"{USES}def net(outputs, width: {annotation}): ...\n"
    assert check(source, {"width": {"any": "thing"}}) == {"width": {"any": "thing"}}


@pytest.mark.parametrize(
    ("annotation", "allowed", "not_allowed"),
    [
        ("list[Local]", ["x", 1], 5),
        ("Annotated[int, Check(), Ge(2)]", 2, 1),
        ("Annotated[int, Ge(limit())]", -1, "x"),
        ("Annotated[Local, Ge(2)]", 2, 1),
    ],
)
def test_annotation_is_checked_as_far_as_it_is_resolved(check, annotation, allowed, not_allowed):
    source = f"{USES}def net(outputs, width: {annotation}): ...\n"
    assert check(source, {"width": allowed}) == {"width": allowed}
    assert refused(check, source, {"width": not_allowed}).startswith("model.width is ")


@pytest.mark.parametrize(
    "source",
    [
        "import functools\nnet = functools.partial(print)\n",
        "def other(): ...\nglobals()['net'] = other\n",
        "@some.decorator\ndef net(width: int): ...\n",
        "if 1:\n    def net(width: int): ...\nelse:\n    def net(width: str): ...\n",
        "class net:\n    pass\n",
        "class net(metaclass=some.Meta):\n    def __init__(self, width: int): ...\n",
        "def net(:\n",
    ],
)
def test_builder_that_the_source_does_not_tell_is_not_checked(check, source):
    assert check(source, {"whatever": "x"}) == {"whatever": "x"}


@pytest.mark.parametrize("target", ["math.sqrt", "no_such_module.net", "fitbench.models.dense.no_such", "net"])
def test_function_without_source_has_no_signature(target):
    assert signature_of(target) is None


def test_class_is_checked_by_its_init(check):
    source = (
        "import keras\n@keras.saving.register_keras_serializable()\nclass net(keras.Model):\n"
        "    def __init__(self, input_shape, outputs, width: int, *, deep: bool = False): ...\n"
    )
    assert check(source, {"width": 3, "deep": True}) == {"width": 3, "deep": True}
    assert refused(check, source, {"width": "x"}).startswith("model.width is 'x'; it must be a whole number")
    assert refused(check, source, {"self": 1, "width": 1}).startswith("model.self: there is no such key")


@pytest.mark.parametrize("init", ["__init__.py", "other.py"])  # a package, and a folder without __init__.py
def test_names_are_followed_through_packages_without_running_them(check, init):
    package = f"users_package_{next(NUMBERS)}"
    files = {
        f"{package}/{init}": "",
        f"{package}/nets/{init}": "",
        f"{package}/nets/public.py": "from .private import hidden as net\nfrom .private import *\n",
        f"{package}/nets/private.py": (
            "from ..types import Width\ndef hidden(outputs, width: Width): ...\nstarred = hidden\n"
        ),
        f"{package}/types.py": "import typing as t, annotated_types\nWidth = t.Annotated[int, annotated_types.Ge(2)]\n",
    }
    for name in ("net", "starred", "hidden"):
        function = f"{package}.nets.public.{name}"
        assert check("", {"width": 2}, function, files) == {"width": 2}
        message = refused(check, "", {"width": 1}, function, files)
        assert message == "model.width is 1; it must be a whole number of at least 2"


def test_requirement_of_a_users_parameter_is_checked(check):
    source = (
        "from typing import Annotated, Literal\nfrom fitbench.models.annotations import Requires\n"
        "def net(outputs, kind: Annotated[Literal['a', 'b'], Requires('a', 'training.epochs', 5, 'it is slow')]): ...\n"
    )
    assert check(source, {"kind": "b"}) == {"kind": "b"}
    assert refused(check, source, {"kind": "a"}) == "model.kind=a goes with training.epochs=5: it is slow"
    with_default = source.replace("'it is slow')]", "'it is slow')] = 'a'")
    assert refused(check, with_default, {}) == "model.kind=a goes with training.epochs=5: it is slow"


def test_shares_of_a_users_parameter_are_recorded_where_the_section_leaves_it_to_its_default(tmp_path, monkeypatch):
    (tmp_path / "shares_net.py").write_text(
        "from typing import Annotated\nfrom fitbench.models.annotations import Shares\n"
        "def net(outputs, last: Annotated[str, Shares('sigmoid')] = 'sigmoid'): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    model = {"_target_": "shares_net.net"}
    assert [records_shares({**model, **given}) for given in ({}, {"last": "sigmoid"}, {"last": "relu"})] == [
        True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("file", sorted((conf_folder() / "model").glob("*.yaml")), ids=lambda file: file.stem)
def test_each_model_of_ours_is_a_function_whose_signature_is_read(file):
    section = yaml.safe_load(file.read_text())
    signature = signature_of(section.get("model", section)["_target_"])
    assert signature is not None
    names = {parameter.name for parameter in signature.parameters}
    assert "outputs" in names
    assert names & {"inputs", "input_shape"}
    assert not signature.takes_others


def test_checking_a_model_does_not_import_keras(tmp_path):
    code = (
        "import sys; from fitbench.composition import Composer\n"
        "from fitbench.errors import RequestError\n"
        "try: Composer().configuration(['model=mlp', 'model.dropout=2'])\n"
        "except RequestError as error: print(error)\n"
        "print(sorted({'keras', 'tensorflow', 'jax', 'fitbench.models.dense'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["model.dropout is 2; it must be a number of at least 0 and below 1", "[]"]
