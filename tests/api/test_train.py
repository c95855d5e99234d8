"""Training from Python: what is recorded, what is refused, and that the process is left as it was."""

import logging
import random
import signal
import sys
import threading
from pathlib import Path

import hydra
import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.version import VersionBase
from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer

import fitbench
from fitbench.api.process import alone
from fitbench.composition import conf_folder

from .conftest import SMALL

OWN = '''
import os, signal
from pathlib import Path
import fitbench, keras

class Interrupt(keras.callbacks.Callback):
    """Press Ctrl-C once after two epochs; or call fitbench from within a run."""

    def __init__(self, flag, calls=False):
        super().__init__()
        self.flag, self.calls = Path(flag), calls

    def on_epoch_begin(self, epoch, logs=None):
        if self.calls:
            fitbench.train("model=mlp")
        if epoch == 2 and not self.flag.exists():
            self.flag.touch()
            os.kill(os.getpid(), signal.SIGINT)

def broken(inputs, outputs):
    raise ZeroDivisionError("mine")
'''


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A module `own_api` with code of the user's, and a folder."""
    (tmp_path / "own_api.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("own_api", None)


def test_the_same_call_takes_the_recorded_run(trained, outputs, capfd):
    before = (trained.folder / "result.json").stat().st_mtime_ns
    values = {"model": "softmax", "training": {"epochs": np.int64(3)}}
    again = fitbench.train(values, data="digits", outputs=outputs, seed=0, progress=False)
    assert again.folder == trained.folder
    assert (again.folder / "result.json").stat().st_mtime_ns == before
    assert "finished: {" in (again.folder / "train.log").read_text()
    assert capfd.readouterr().out == ""


def test_progress_goes_to_stderr_alone(outputs, capsys):
    fitbench.train(*SMALL, outputs=outputs, seed=1)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("epoch 1/3 ")
    fitbench.train(*SMALL, outputs=outputs, seed=2, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("overrides", "values", "message"),
    [
        ((), {"epochs": 3}, "epochs: there is no such key. Did you mean training.epochs?"),
        (("seed=1,2",), {}, "seed=1,2: several values; here a key has one value"),
        (("model=mpl",), {}, "model=mpl"),
        (({"training": {"epochs": "many"}},), {}, "training.epochs is 'many'"),
        ((), {"data": "nothing"}, "data=nothing"),
        ((), {"config_dir": "nowhere"}, "config_dir nowhere: there is no such folder"),
        (("model._target_=__main__.net",), {}, "write it into a module beside it, such as mine.py"),
        (("model=mlp",), {"threads": 12_345}, "threads is 12345"),
        (("model=mlp",), {"backend": "jax"}, "a process has one backend"),
    ],
)
def test_a_wrong_request_is_an_exception_and_writes_nothing(trained, tmp_path, overrides, values, message):
    with pytest.raises(fitbench.RequestError) as caught:
        fitbench.train(*overrides, **{"data": "digits", "outputs": tmp_path / "outputs"} | values)
    assert message in str(caught.value)
    assert not list(tmp_path.glob("outputs/*/*"))


def test_an_error_of_own_code_is_the_cause(own, outputs):
    with pytest.raises(fitbench.FitbenchError, match="ZeroDivisionError: mine; the traceback is in ") as caught:
        fitbench.train(data="digits", model={"_target_": "own_api.broken"}, outputs=outputs)
    assert isinstance(caught.value.__cause__, Exception)
    [folder] = outputs.glob("default/*-broken-*")
    assert fitbench.Run(folder).state == "failed"


def test_ctrl_c_passes_and_the_same_call_goes_on(own, outputs):
    callback = {"_target_": "own_api.Interrupt", "flag": own / "flag"}
    arguments = {"data": "digits", "model": "softmax", "training": {"epochs": 4, "callbacks": {"mine": callback}}}
    with pytest.raises(KeyboardInterrupt):
        fitbench.train(arguments, study="stopped", outputs=outputs, progress=False)
    [folder] = (outputs / "stopped").iterdir()
    stopped = fitbench.Run(folder)
    assert (stopped.state, stopped.history["epoch"].tolist()) == ("interrupted", [1, 2])
    run = fitbench.train(arguments, study="stopped", outputs=outputs, progress=False)
    assert run.folder == folder
    assert run.result["attempts"] == 2
    assert run.history["epoch"].tolist() == [1, 2, 3, 4]
    arguments["training"]["callbacks"]["mine"] = callback | {"calls": True}
    with pytest.raises(fitbench.FitbenchError, match="a run that is being trained calls fitbench itself"):
        fitbench.train(arguments, study="within", outputs=outputs, progress=False)


def test_threads_wait_for_each_other_and_train_what_one_would(trained, outputs):
    found: dict[int, dict] = {}

    def train(seed: int, study: str) -> None:
        found[seed] = fitbench.train(*SMALL, outputs=outputs, seed=seed, study=study, progress=False).metrics

    threads = [threading.Thread(target=train, args=(seed, "threads")) for seed in (5, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    in_threads = dict(found)
    assert len(in_threads) == 2
    train(6, "alone")
    assert found == in_threads


# -- the state of the process -----------------------------------------------------------------------------------------


def state() -> dict[str, object]:
    import keras

    root = logging.getLogger()
    return {
        "hydra": GlobalHydra.instance().hydra,
        "configuration": HydraConfig.instance().cfg,
        "version": VersionBase.instance().version_base,
        "resolvers": {name: BaseContainer._resolvers[name] for name in ("now", "run_id", "hydra")},
        "arguments": list(sys.argv),
        "logging": (root.level, list(root.handlers), [list(handler.filters) for handler in root.handlers]),
        "random": (random.getstate(), np.random.get_state()[1].tolist()),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)],
        "keras": (keras.config.floatx(), keras.config.dtype_policy().name),
        "folder": Path.cwd(),
        "path": list(sys.path),
    }


@pytest.fixture
def own_settings():
    """A program that has a resolver of its own and settings of Keras."""
    import keras

    before = BaseContainer._resolvers.copy()
    OmegaConf.register_new_resolver("run_id", lambda: "mine", replace=True)
    OmegaConf.register_new_resolver("now", lambda text: text, replace=True)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    BaseContainer._resolvers.clear()
    BaseContainer._resolvers.update(before)


def check_unchanged(outputs: Path, seed: int, caplog) -> None:
    before = state()
    with caplog.at_level(logging.WARNING):
        arguments = {"outputs": outputs, "study": "${now:%Y}", "progress": False}
        run = fitbench.train(*SMALL, seed=seed, **arguments)
        assert run.study.isdigit()
        assert fitbench.sweep([{"seed": seed}], *SMALL, **arguments)["folder"].tolist() == [str(run.folder)]
    assert state() == before
    assert not [record for record in caplog.records if record.levelno < logging.WARNING]


def test_a_program_that_has_initialized_hydra_is_left_as_it_was(trained, outputs, own_settings, caplog):
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.2"):
        check_unchanged(outputs, 8, caplog)
        assert OmegaConf.create({"key": "${run_id:}"}).key == "mine"


def test_a_run_that_imports_keras_leaves_it_with_the_default_precision(monkeypatch):
    import keras

    monkeypatch.delitem(sys.modules, "keras")
    with alone():
        sys.modules["keras"] = keras  # as a run does that is the first to need it
        keras.config.set_dtype_policy("mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.long
def test_a_task_of_hydra_is_left_as_it_was(trained, outputs, own_settings, caplog, tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text("x: 1\n")
    monkeypatch.setattr(sys, "argv", ["program", f"hydra.run.dir={tmp_path / 'run'}", "hydra/job_logging=none"])
    done = []

    @hydra.main(version_base="1.2", config_path=str(tmp_path), config_name="config")
    def task(config):
        check_unchanged(outputs, 9, caplog)
        assert HydraConfig.get().job.name
        done.append(config.x)

    task()
    assert done == [1]
