"""Functions and classes of dotted names."""

import re

import pytest

from fitbench.errors import RequestError
from fitbench.user_code import load_object, load_signature


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder of a package of the user's, `mine_for_code`, with the module `inner`."""
    folder = tmp_path_factory.mktemp("users") / "mine_for_code"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "inner.py").write_text("class Scores:\n    def kappa(weights):\n        return weights\n")
    (folder / "needy.py").write_text("\nimport nothing_of_this_name\n")
    (folder / "broken.py").write_text("\n1 / 0\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder.parent)
        yield folder


def test_a_function_of_a_class_in_a_module_that_is_not_imported_yet(package):
    target = "mine_for_code.inner.Scores.kappa"
    assert load_object(target, "here")(3) == 3
    assert list(load_signature(target, "here").parameters) == ["weights"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mine_for_code.iner.f", "module mine_for_code has no 'iner'"),
        ("mine_for_code.inner.Score", "module mine_for_code.inner has no 'Score'; did you mean Scores?"),
        ("mine_for_code.inner.Scores.kapa", "Scores has no 'kapa'; did you mean kappa?"),
        ("mine_for_code.inner", "which is an object of the type module; it must be a function"),
        ("mine_for_code.broken.f", "cannot be loaded: ZeroDivisionError: division by zero ({}/broken.py, line 2)"),
        (
            "mine_for_code.needy.f",
            "cannot be loaded: ModuleNotFoundError: No module named 'nothing_of_this_name' ({}/needy.py, line 2); the "
            "folder of a module of your own must be on PYTHONPATH",
        ),
        ("nowhere_at_all.f", "No module named 'nowhere_at_all'; the folder of a module of your own must be on"),
    ],
)
def test_what_cannot_be_loaded_is_named_with_its_key(package, target, message):
    with pytest.raises(
        RequestError, match=rf"^training\.loss is {re.escape(target)}.*{re.escape(message.format(package))}"
    ):
        load_signature(target, "training.loss")
