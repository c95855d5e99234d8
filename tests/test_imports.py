"""Commands that train nothing start fast: they import no slow library."""

import json
import subprocess
import sys

import pytest

TABLE = {
    "title": "A table", "source": "Somebody 1998, p. 5", "unit": "error_percent", "test_examples": 60,
    "test_set": "same", "seeds": 2, "overrides": ["data=digits"],
    "rows": [{"label": "softmax", "claimed": "8.4", "overrides": ["model=softmax"]}],
}  # fmt: skip
SLOW = ("keras", "tensorflow", "jax", "matplotlib", "pandas", "scipy", "h5py", "optuna")

# One process for all commands, one after the other. After each it prints what it has imported so far.
PROGRAM = """
import contextlib, io, json, sys
import fitbench
assert set(fitbench.__all__) <= set(dir(fitbench))
assert not {'pandas', 'numpy', 'omegaconf', 'hydra', 'keras'} & set(sys.modules)
from fitbench.cli import app

commands, slow = json.loads(sys.argv[1])
for name, words in commands.items():
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        if name == "load_runs":
            print(len(fitbench.load_runs(*words)), len(fitbench.load_history(*words)), 'load_runs' in dir(fitbench))
        else:
            app(words, standalone_mode=False)
    found = [module for module in slow if module in sys.modules]
    print(json.dumps([name, out.getvalue(), err.getvalue(), found]))
"""
COMMANDS = {
    # command: what it prints, and what it may import
    "show": ("Most confident mistakes", ()),
    "diff": ("The same results, to the last bit", ()),
    "table": ("softmax,test_accuracy,8.4,8.4,", ()),
    "evaluate": ("120 training examples, 2 folds, 1 seed", ()),
    "load_runs": ("6 30 True", ("pandas",)),
    "publish_tensorboard": ("1 new", ("pandas", "matplotlib")),  # pictures are drawn
    "publish_mlflow": ("1 new", ("pandas", "matplotlib", "scipy")),  # which MLflow imports
}


@pytest.fixture
def printed(make_run, tmp_path, mlflow_uri):
    """What the process prints about each command: its stdout, its stderr, and the slow libraries it has imported."""
    one, two = make_run("study=one"), make_run("study=two")
    for seed in (0, 1):
        make_run("data=digits", "model=softmax", "study=small", f"seed={seed}")
    for fold in (0, 1):
        make_run("training.validation=kfold", "training.folds=2", f"fold={fold}", "study=folds")
    table = tmp_path / "experiments" / "small"
    table.mkdir(parents=True)
    (table / "table.yaml").write_text(json.dumps(TABLE))
    outputs = str(tmp_path / "outputs")
    commands = {
        "show": ["show", str(one)],
        "diff": ["diff", str(one), str(two)],
        "table": ["table", str(table), "--outputs", outputs, "--format", "csv"],
        "evaluate": ["evaluate", "folds/mnist_5k", "--out-of-fold", "--outputs", outputs],
        "load_runs": [outputs],
        "publish_tensorboard": ["publish", str(one), "--to", "tensorboard", "--uri", str(tmp_path / "board")],
        "publish_mlflow": ["publish", str(one), "--to", "mlflow", "--uri", mlflow_uri],
    }
    assert list(commands) == list(COMMANDS)
    command = [sys.executable, "-c", PROGRAM, json.dumps([commands, SLOW])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: found for name, *found in map(json.loads, done.stdout.splitlines())}


def test_commands_that_train_nothing_import_no_slow_library(printed):
    for name, (text, allowed) in COMMANDS.items():
        out, err, imported = printed[name]
        assert text in out, (name, out)
        assert not err or err.startswith("fitbench: wrote "), (name, err)
        assert set(imported) <= set(allowed), name
