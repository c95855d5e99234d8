"""Data sets that a function of the user's returns: what it may return, what is refused, and when it is called."""

import os
import re
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from fitbench.composition import Composer
from fitbench.config import Config, OwnData, code, run_id
from fitbench.data import loading, memory
from fitbench.data.dataset import Dataset
from fitbench.errors import DataError, RequestError
from fitbench.launch import job
from fitbench.record.folder import folder_of

NUMBERS = count()
START = """import numpy as np
x, y = np.random.default_rng(0).normal(size=(6, 5, 2)), np.array([0, 1, 0, 1, 0, 1])
calls = []
"""
PAIRS = "def load():\n    calls.append(1)\n    return (x, y), (x[:2], y[:2])\n"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of the user's and returns its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def written(source: str) -> str:
        name = f"own_data_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(START + source)
        return name

    return written


@pytest.fixture
def read(module):
    """Reads what a function `load` returns: read("def load(): ..", task)."""

    def reading(source: str, task: str = "auto", **settings: object) -> Dataset:
        target = f"{module(source)}.load"
        return loading.load(OwnData.model_validate({"_target_": target, "source": "function", **settings}), task)

    return reading


def returning(expression: str) -> str:
    return f"def load():\n    return {expression}\n"


@pytest.mark.parametrize(
    "source",
    [
        PAIRS,
        returning("[x, y], [x[:2], y[:2]]"),
        returning("(x.tolist(), y.tolist()), (x[:2].tolist(), tuple(y[:2]))"),
        returning("{'x_train': x, 'y_train': y, 'x_test': x[:2], 'y_test': y[:2], 'about': 'more'}"),
        returning("dict(x_training=x, y_training=y, x_test=x[:2], y_test=y[:2])"),
        "import pandas\n" + returning("(x, pandas.Series(y)), (x[:2], pandas.Series(y[:2]))"),
    ],
)
def test_function_returns_pairs_or_a_mapping_of_whatever_can_be_an_array(read, source):
    dataset = read(source)
    assert (dataset.kind, dataset.task, dataset.validation) == ("series", "classification", 0)
    assert dataset.x_train.shape == (6, 5, 2)
    assert dataset.y_test.tolist() == [0, 1]
    assert dataset.sha256 == read(PAIRS).sha256
    assert dataset.source.endswith(".load")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (returning("(t, y), (t[['b', 'a']][:2], y[:2])"), "x_test has the columns b, a, and"),
        (returning("(t, s[::-1]), (t[:2], s[:2])"), "have the same index in another order"),
        (returning("dict(x_train=t, y_train=s, x_testing=t, y_testing=s[::-1])"), "y_testing have the same index"),
    ],
)
def test_tables_of_pandas_that_do_not_belong_together_are_refused(read, source, message):
    tables = "import pandas\nt, s = pandas.DataFrame({'a': x[:, 0, 0], 'b': x[:, 0, 1]}), pandas.Series(y)\n"
    with pytest.raises(DataError, match=message):
        read(tables + source)


def test_third_pair_is_the_validation_part(read):
    dataset = read(returning("(x, y), (x[:2], y[:2]), (x[4:], y[4:])"))
    assert (dataset.validation, len(dataset.x_train), len(dataset.x_test)) == (2, 8, 2)


def test_keys_of_the_section_say_how_the_arrays_are_taken_and_others_are_arguments(read):
    source = "def load(scale):\n    return (abs(x) / scale, y), (abs(x) / scale, y)\n"
    assert read(source, scale=10, max_value=1).kind == "images"
    frame = "import pandas\n" + returning("(pandas.DataFrame(x[:, :, 0]), y), (pandas.DataFrame(x[:, :, 0]), y)")
    assert read(frame).inputs.described == "arrays of 5"
    assert read(frame, "regression", inputs="series").inputs.described == "series of 5 steps and 1 channel"


def test_function_of_an_installed_package_is_called(monkeypatch):
    data = OwnData.model_validate(
        {"_target_": "numpy.load", "source": "function", "file": "nowhere.npz", "allow_pickle": False}
    )
    with pytest.raises(DataError, match=r"numpy\.load failed: FileNotFoundError: .*nowhere\.npz"):
        loading.load(data)


def test_memory_mapped_arrays_stay_on_disk(read, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(6, 5, 2)))
    source = (
        f"def load():\n    x = np.load({str(tmp_path / 'x.npy')!r}, mmap_mode='r')\n    return (x, y), (x[:2], y[:2])\n"
    )
    monkeypatch.setattr(memory, "memory_limit", lambda: 10)
    dataset = read(source)
    assert isinstance(dataset.x_train, memory.Converted)
    assert isinstance(dataset.x_train.array, np.memmap)
    assert dataset.sha256 == read(PAIRS).sha256


@pytest.mark.parametrize("view", ["mapped[:]", "np.asarray(mapped)[:, ::2]"])
def test_changed_file_of_memory_mapped_arrays_is_noticed(module, tmp_path, view):
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).normal(size=(6, 5, 2)).astype(np.float32))
    mapped = f"mapped = np.load({str(path)!r}, mmap_mode='r')"
    name = module(f"def load():\n    {mapped}\n    x = {view}\n    return (x, y), (x[:2], y[:2])\n")
    data = OwnData.model_validate({"_target_": f"{name}.load", "source": "function"})
    before = loading.load(data)
    before.check_unchanged()
    assert loading.load(data) is before
    np.lib.format.open_memmap(path, "r+")[:] = 7.5
    os.utime(path, (0, 0))  # writing to a mapped file may leave its times for a while
    with pytest.raises(DataError, match="load: its files have changed while the run read them"):
        before.check_unchanged()
    after = loading.load(data)
    assert (np.asarray(after.x_train) == 7.5).all()
    assert after.sha256 != before.sha256


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (returning("None"), "load returned None; expected (x_train, y_train), (x_test, y_test)"),
        (returning("x, y, x"), "load returned a tuple of ndarray, ndarray, ndarray; expected (x_train"),
        (returning("x"), "load returned an object of the type ndarray; expected"),
        (
            returning("((x, y, x), (x, y))"),
            "returned a tuple of (ndarray, ndarray, ndarray), (ndarray, ndarray); expected",
        ),
        (returning("dict(x_train=x, y_train=y, y_test=y)"), "load: has no x_test; found x_train, y_train, y_test"),
        (returning("[1, 2]"), "load returned a list of int, int; expected"),
        ("def load():\n    yield x, y\n", "load returned an object of the type generator; expected"),
        (
            returning("((i for i in x), y), (x, y)"),
            "load: x_train is an object of the type generator; expected an array",
        ),
        (returning("(x, y), (x, None)"), "load: y_test is None; expected an array"),
        (
            returning("([[1, 2], [3]], y), (x, y)"),
            "x_train is a list of (int, int), (int), which cannot be converted to an array",
        ),
        (returning("(np.ma.array(x, mask=x > 0), y), (x, y)"), "x_train is a masked array; fill its gaps"),
        (
            returning("(x.astype(object), y), (x, y)"),
            "x_train has the dtype object; examples must be bool, integers or fl",
        ),
        (
            returning("(x, y[:5]), (x, y)"),
            "load: 6 train series but 5 train labels; expected one label for each series",
        ),
        (returning("1 / 0"), "load failed: ZeroDivisionError: division by zero ({path}, line 5)"),
        (
            "def load():\n    return inner()\ndef inner():\n    raise OSError('gone')\n",
            "OSError: gone ({path}, line 7)",
        ),
        ("def load():\n    raise KeyError\n", "load failed: KeyError: KeyError ({path}, line 5)"),
        (
            "def load():\n    x = np.random.normal(size=(6, 5, 2))\n    return (x, y), (x, y)\n",
            "gives other arrays at each call (SHA-256 ",
        ),
        (
            "def load():\n    calls.append(str(len(calls)))\n    y = [calls[-1], 'b'] * 3\n    return (x, y), (x, y)\n",
            "gives other arrays at each call (other names of classes)",
        ),
    ],
)
def test_what_is_no_data_set_is_refused(read, tmp_path, source, message):
    with pytest.raises(DataError) as caught:
        read(source)
    path = tmp_path / f"own_data_{next(NUMBERS) - 1}.py"
    assert message.format(path=path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        ("def lod():\n    pass\n", {}, "module {module} has no 'load'; did you mean lod?"),
        ("load = 3\n", {}, "data._target_ is {module}.load, which is an object of the type int; it must be a function"),
        (
            "import nothing_of_this_name\n",
            {},
            "which cannot be loaded: ModuleNotFoundError: No module named 'nothing",
        ),
        ("1 / 0\n", {}, "which cannot be loaded: ZeroDivisionError: division by zero ("),
        (
            "def load(n):\n    pass\n",
            {"m": 1},
            "which cannot be called with m: missing a required argument: 'n'; all keys",
        ),
        ("def load(name='a'):\n    pass\n", {}, "{module}.load has a parameter `name`, which is a key of data; rename"),
        (
            "def load(folder):\n    pass\n",
            {},
            "with no arguments: missing a required argument: 'folder'; all keys of data but",
        ),
    ],
)
def test_function_that_cannot_be_called_is_a_wrong_request(read, source, settings, message):
    with pytest.raises(RequestError) as caught:
        read(source, **settings)
    assert message.format(module=f"own_data_{next(NUMBERS) - 1}") in str(caught.value)


def test_module_that_is_not_on_the_path_says_so():
    with pytest.raises(
        RequestError, match="No module named 'nowhere_at_all'; the folder of a module of your own must be"
    ):
        loading.load(OwnData.model_validate({"_target_": "nowhere_at_all.load", "source": "function"}))


# -- the configuration ------------------------------------------------------------------------------------------------

CHECKED = "def load(folder: str, size: int = 3, *, deep: bool = False):\n    return (x, y), (x[:2], y[:2])\n"


def test_section_with_a_target_needs_no_source(module, tmp_path):
    target = f"{module(CHECKED)}.load"
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "mine.yaml").write_text(f"_target_: {target}\nfolder: sets\n")
    composer = Composer([tmp_path / "conf"])
    config = composer.configuration(["data=mine", "model=mlp"])
    assert isinstance(config.data, OwnData)
    assert (config.data.name, config.data.settings) == (target, {"folder": "sets"})
    with pytest.raises(RequestError, match=r"data\.foldre: there is no such key. Did you mean data\.folder\?"):
        composer.configuration(["data=mine", "model=mlp", "+data.foldre=x"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+data.folder=a", "+data.sise=3"], r"data\.sise: there is no such key\. Did you mean data\.size\?"),
        (["+data.folder=a", "+data.size=many"], r"data\.size is 'many'; it must be a whole number"),
        (["+data.size=3"], r"data\.folder is missing; it must be text"),
        (["+data.folder=a", "+data.deep=3"], r"data\.deep is 3; it must be true or false"),
    ],
)
def test_arguments_are_checked_before_the_module_is_imported(module, configure, overrides, message):
    target = f"{module(CHECKED + 'raise AssertionError')}.load"
    with pytest.raises(RequestError, match=message):
        configure("data=function", f"data._target_={target}", "model=mlp", *overrides)


def test_parameter_with_the_name_of_a_key_is_refused(module, configure):
    target = f"{module('def load(folder, *, vocabulary=5):' + chr(10) + '    pass' + chr(10))}.load"
    with pytest.raises(RequestError, match=rf"{target} has a parameter `vocabulary`, which is a key of data; rename"):
        configure("data=function", f"data._target_={target}", "model=mlp", "+data.folder=a")


def test_every_argument_is_a_part_of_the_identity(module, configure):
    target = f"{module('def load(path=None, folder=None, drop=None):' + chr(10) + '    pass' + chr(10))}.load"
    base = ("data=function", f"data._target_={target}", "data.name=a", "model=mlp")
    overrides = ([], ["+data.path=a"], ["+data.path=b"], ["+data.folder=a"], ["+data.drop=[b,a]"])
    assert len({run_id(configure(*base, *some)) for some in overrides}) == 5


# -- calls ------------------------------------------------------------------------------------------------------------


def calls_of(name: str) -> int:
    return len(sys.modules[name].calls)


def test_runs_of_one_process_share_one_call(module, configure):
    name = module(PAIRS)
    base = ("data=function", f"data._target_={name}.load", "model=mlp")
    first, second = (loading.load(configure(*base, f"seed={seed}").data) for seed in (0, 1))
    assert first is second
    assert calls_of(name) == 2  # the second shows that the arrays are the same
    loading.load(configure("data=digits").data)
    assert loading.load(configure(*base).data).sha256 == first.sha256
    assert calls_of(name) == 3


def test_function_that_gives_other_arrays_later_is_refused(module, configure):
    name = module("def load():\n    calls.append(1)\n    return (x + (len(calls) > 2), y), (x, y)\n")
    data = configure("data=function", f"data._target_={name}.load", "model=mlp").data
    loading.load(data)
    loading._latest.clear()
    with pytest.raises(DataError, match="gives other arrays at each call"):
        loading.load(data)


def test_changed_file_that_an_argument_names_is_read_again(module, configure, tmp_path):
    name = module("def load(file):\n    z = x + float(open(file).read())\n    return (z, y), (z, y)\n")
    file = tmp_path / "shift.txt"
    file.write_text("1")
    base = ("data=function", f"data._target_={name}.load", f"+data.file={file}", "model=mlp")
    first = loading.load(configure(*base).data)
    assert loading.load(configure(*base, "seed=1").data) is first
    file.write_text("20")
    assert loading.load(configure(*base).data).x_train[0, 0, 0] - first.x_train[0, 0, 0] == pytest.approx(19, rel=1e-5)


def test_arrays_of_the_function_stay_its_own(module, configure):
    name = module("def load():\n    x[:] = 1 + np.arange(60).reshape(x.shape) / 9\n    return (x, y), (x[:2], y[:2])\n")
    loading.load(configure("data=function", f"data._target_={name}.load", "model=mlp").data)


@pytest.fixture
def own_run(module, configure, tmp_path):
    """Writes a module of the user's: its name, and the configuration of a run on its arrays."""

    def written(source: str) -> tuple[str, Config]:
        name = module(source)
        overrides = (
            *("data=function", f"data._target_={name}.load", "model=mlp", f"outputs={tmp_path}/outputs"),
            *("training.epochs=1", "training.validation_split=0", "training.early_stopping=null"),
            *("training.batch_size=6", "progress=false"),
        )
        return name, configure(*overrides)

    return written


def forget(name: str, file: Path, source: str) -> None:
    """Begin as a new process would, with the module changed."""
    sys.modules.pop(name, None)
    code._modules.clear()
    loading._latest.clear()
    loading._first.clear()
    file.write_text(source)


def test_finished_run_is_recognised_without_a_call_and_refused_if_code_or_arrays_have_changed(own_run, tmp_path):
    name, config = own_run(PAIRS)
    file = tmp_path / f"{name}.py"
    source = file.read_text()
    job.run(config)
    forget(name, file, source.replace("def load():", "def load():\n    raise AssertionError"))
    with pytest.raises(RequestError, match=f"is recorded with other code: {name} had SHA-256"):
        job.recorded(config)
    taken = config.model_copy(update={"code": "any"})
    with pytest.raises(DataError, match="AssertionError"):  # the code has changed, so the arrays are compared
        job.recorded(taken)
    forget(name, file, source + "# a remark\n")
    assert job.recorded(taken) is not None
    forget(name, file, source.replace("rng(0)", "rng(1)"))
    with pytest.raises(RequestError, match=re.escape(f"{name}.load had SHA-256")):
        job.recorded(taken)
    forget(name, file, source)
    assert job.recorded(config) is not None
    assert name not in sys.modules
    assert (folder_of(config) / "result.json").exists()


def test_random_state_of_the_function_does_not_reach_the_run(own_run):
    _, config = own_run(PAIRS)
    _, disturbed = own_run("import random\n" + PAIRS.replace("return", "np.random.seed(7); random.seed(7)\n    return"))
    assert job.run(disturbed)[0]["metrics"] == job.run(config)[0]["metrics"]
