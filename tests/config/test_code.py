"""Which modules of the user's a configuration runs, and the SHA-256 of their source."""

import hashlib
import importlib
import sys
from pathlib import Path

import pytest

from fitbench.config import from_values, plain
from fitbench.config.code import code_of, code_of_run

FILES = {
    "mine_nets.py": "import json\nimport keras\nimport numpy as np\nfrom fitbench.models import layers\n"
    "import mine_layers as layers\n\ndef net(input_shape, outputs): ...\n",
    "mine_layers.py": "def dense():\n    from mine_package.deep.inner import act\n",
    "mine_package/__init__.py": "",
    "mine_package/deep/__init__.py": "from . import sibling\n",
    "mine_package/deep/inner.py": "from ..shared import *\nfrom .. import shared, nothing\nfrom .... import beyond\n",
    "mine_package/deep/sibling.py": "class Stop:\n    @classmethod\n    def create(cls): ...\n",
    "mine_package/shared.py": "import mine_nets\n",
    "mine_unused.py": "x = 1\n",
    "mine_broken.py": "def f(:\n",
}
OF_NET = (
    *("mine_layers", "mine_nets", "mine_package", "mine_package.deep", "mine_package.deep.inner"),
    *("mine_package.deep.sibling", "mine_package.shared"),
)
OF_SIBLING = ("mine_package", "mine_package.deep", "mine_package.deep.sibling")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of the user's modules on sys.path."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("mine_")]:
        del sys.modules[name]


def names_in(values: dict) -> tuple[str, ...]:
    return tuple(code_of(values))


def test_modules_that_the_target_imports_count_wherever_the_import_stands(folder):
    code = code_of({"model": {"_target_": "mine_nets.net", "name": "net"}})
    assert tuple(code) == OF_NET
    assert code["mine_nets"] == hashlib.sha256(FILES["mine_nets.py"].encode()).hexdigest()
    assert not any(name.startswith("mine_") for name in sys.modules)


@pytest.mark.parametrize(
    "values",
    [
        {"training": {"callbacks": {"stop": {"_target_": "mine_package.deep.sibling.Stop.create"}}}},
        {"metrics": {"own": {"_target_": "mine_package.deep.sibling.score"}, "accuracy": None}},
        {"model": {"_target_": "fitbench.models.dense.mlp", "solver": "mine_package.deep.sibling.solve"}},
        {"model": {"_target_": "keras.Sequential", "layers": [{"_target_": "mine_package.deep.sibling.Layer"}]}},
        {"model": {"act": {"_target_": "hydra.utils.get_method", "path": "mine_package.deep.sibling.act"}}},
    ],
)
def test_every_function_and_class_that_a_configuration_names_counts(folder, values):
    assert names_in(values) == OF_SIBLING


@pytest.mark.parametrize(
    "name", ["keras.layers.Dense", "json.loads", "numpy.mean", "nowhere_at_all.net", "mine unused.x", "mine_unused..x"]
)
def test_only_modules_of_the_user_that_exist_count(folder, name):
    assert code_of({"model": {"_target_": name}, "data": {"path": "mine_unused.npz"}}) in (
        {},
        code_of({"model": {"_target_": "mine_unused"}}) if ".." in name else {},
    )


def test_supplied_configurations_run_no_code_of_the_user(configure):
    assert code_of(plain(configure("model=nearest_mean"))) == {}


def test_file_of_weights_counts_as_a_key_of_the_model_alone(configure, tmp_path):
    file = tmp_path / "own.weights.h5"
    file.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    model = {"_target_": "keras.applications.VGG16", "weights": str(file)}
    assert code_of_run({"model": model, "data": {"weights": "none.h5"}}) == {str(file): sha256}
    own = configure("data=function", "data._target_=mine.load", "+data.model=a", "model=mlp").data
    assert code_of(own.model_dump(mode="json")) == {}  # its argument `model` is any value
    assert code_of({"model": model}) == {}


def test_a_module_that_python_cannot_run_counts(folder):
    assert names_in({"model": {"_target_": "mine_broken.net"}}) == ("mine_broken",)


def test_changed_import_of_an_import_is_noticed(folder):
    values = {"model": {"_target_": "mine_nets.net"}}
    before = code_of(values)
    (folder / "mine_unused.py").write_text("x = 2\n")
    assert code_of(values) == before
    (folder / "mine_package" / "shared.py").write_text("import mine_unused\n")
    after = code_of(values)
    assert {name for name in after if after[name] != before.get(name)} == {"mine_package.shared", "mine_unused"}


def test_an_imported_module_counts_as_it_was_when_it_was_imported(folder):
    values = {"model": {"_target_": "mine_unused.net"}}
    before = code_of(values)
    importlib.import_module("mine_unused")
    (folder / "mine_unused.py").write_text("x = 2\n")
    assert code_of(values) == before
    del sys.modules["mine_unused"]
    assert code_of(values) != before


def test_a_module_that_was_loaded_again_counts_as_it_is_then(folder):
    values = {"model": {"_target_": "mine_unused.net"}}
    module = importlib.import_module("mine_unused")
    before = code_of(values)
    (folder / "mine_unused.py").write_text("x = 20\n")
    assert code_of(values) == before
    importlib.reload(module)
    after = code_of(values)
    assert after == {"mine_unused": hashlib.sha256(b"x = 20\n").hexdigest()}
    (folder / "mine_unused.py").write_text("x = 300\n")
    assert code_of(values) == after


def test_configuration_of_an_earlier_version_lacks_the_key_and_keeps_its_id(configure):
    values = plain(configure())
    assert values.pop("code") == "recorded"
    assert from_values(values).code == "recorded"


def test_source_is_read_again_only_after_a_change(folder, monkeypatch):
    values = {"model": {"_target_": "mine_nets.net"}}
    code = code_of(values)
    monkeypatch.setattr(Path, "read_bytes", None)
    assert code_of(values) == code
