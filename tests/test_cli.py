import re
import subprocess
import sys
from pathlib import Path

import pytest

import fitbench
from fitbench import cli
from fitbench.config import config_id, plain, run_id
from fitbench.record.folder import folder_of
from fitbench.record.result import write_result

SLOW = re.compile(r"\b(keras|tensorflow|jax|torch|pandas|matplotlib|scipy)\b")


def fitbench_in_a_new_process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a new process. Its stderr has a line for every module that it imports."""
    command = [sys.executable, "-X", "importtime", "-m", "fitbench", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def imported(stderr: str) -> set[str]:
    return {line.rpartition("|")[2].strip() for line in stderr.splitlines() if line.startswith("import time:")}


def messages(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if not line.startswith("import time:")]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Return a function that calls `fitbench ARGUMENTS` in this process, and returns exit status, stdout and stderr."""

    def call_main(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["fitbench", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        printed = capsys.readouterr()
        return int(caught.value.code or 0), printed.out, printed.err

    return call_main


def test_help_imports_no_slow_library(tmp_path):
    done = fitbench_in_a_new_process(tmp_path, "--help")
    assert done.returncode == 0
    for command in ("train", "show", "data"):
        assert re.search(rf"^\W*{command} +\w", done.stdout, re.MULTILINE), done.stdout
    modules = imported(done.stderr)
    assert "fitbench.cli" in modules
    assert not {name for name in modules if SLOW.match(name)}
    assert messages(done.stderr) == []


def test_refused_request_prints_one_line_and_creates_no_run(tmp_path):
    done = fitbench_in_a_new_process(tmp_path, "train", "training.validation_split=1.5")
    assert done.returncode == 2
    assert done.stdout == ""
    assert messages(done.stderr) == [
        "fitbench: training.validation_split is 1.5; it must be a number of at least 0 and below 1"
    ]
    assert not {name for name in imported(done.stderr) if SLOW.match(name)}
    assert list(tmp_path.rglob("*")) == []


def test_finished_run_is_reported_without_slow_libraries(configure, tmp_path):
    config = configure(f"outputs={tmp_path / 'outputs'}")
    folder = folder_of(config)
    folder.mkdir(parents=True)
    write_result(
        folder,
        {
            "schema": 1,
            "run_id": run_id(config),
            "config_id": config_id(config),
            "seed": 0,
            "study": "default",
            "config": plain(config),
            "metrics": {"test_accuracy": 0.8125, "test_loss": 0.5, "best_epoch": None, "epochs": 3}
            | {f"{part}_{name}": None for part in ("train", "val") for name in ("loss", "accuracy")},
            "timing": {"fit_seconds": 1.5, "seconds": 2.0, "images_per_second": None},
            "parameters": 60074,
            "data": {"name": "mnist_5k", "sha256": "0" * 64, "train": 3200, "validation": 800, "test": 1000}
            | {"classes": list("0123456789")},
            "device": "cpu",
            "attempts": 1,
            "finished_at": "2026-01-01T00:00:00Z",
        },
    )
    done = fitbench_in_a_new_process(tmp_path, "train")
    assert (done.returncode, messages(done.stderr)) == (0, [])
    assert "0.8125" in done.stdout
    assert run_id(config) in done.stdout
    assert not {name for name in imported(done.stderr) if SLOW.match(name)}


def test_version_is_that_of_the_package(call):
    assert call("--version") == (0, f"{fitbench.__version__}\n", "")


@pytest.mark.parametrize("arguments", [["trian"], ["show"], ["show", "--formt", "json", "x"], ["data", "x"]])
def test_wrong_usage_exits_with_status_2(call, arguments):
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    assert "Usage: " in err


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["compare", "--study", "grid", "--study", "paper"], "--study"),
        (["runs", "--where", "seed == 1", "--sort", "seed", "--where", "seed == 2"], "--where"),
        (["report", "-o", "a.html", "--output", "b.html"], "--output"),
    ],
)
def test_an_option_that_takes_one_value_is_given_once(call, arguments, name):
    assert call(*arguments) == (2, "", f"fitbench: {name} is given 2 times; give it once\n")


def test_help_is_shown_whatever_else_is_given(call):
    status, out, err = call("compare", "--study", "grid", "--study", "paper", "--help")
    assert (status, err) == (0, "")
    assert "Usage: " in out


def test_fitbench_error_is_printed_in_one_line_with_its_exit_status(call):
    status, out, err = call("show", "mnist_5k")
    assert (status, out) == (2, "")
    assert err.startswith("fitbench: 'mnist_5k' ")
    assert err.count("\n") == 1


def test_lack_of_memory_is_said_in_one_line(call, monkeypatch):
    def app() -> None:
        bytearray(2**62)

    monkeypatch.setattr(cli, "app", app)
    assert call() == (1, "", "fitbench: memory has run out\n")


def test_every_command_has_a_description():
    for command in cli.app.registered_commands:
        line = (command.callback.__doc__ or "").partition("\n")[0]
        assert line.endswith("."), command.callback.__name__


LONG = "x" * 300


@pytest.mark.parametrize(
    "arguments",
    [["trash", LONG], ["note", LONG, "a"], ["init", LONG], ["table", LONG], ["plot", "-o", f"{LONG}.png"],
     ["report", "-o", LONG], ["publish", LONG, "--to", "tensorboard"], ["trash", "--list", "--outputs", LONG],
     ["train", f"study={LONG}"], ["train", f"study={LONG}", "--dry-run"]],
)  # fmt: skip
def test_an_error_of_the_system_is_one_line_with_the_name_of_the_file(
    call, process_state_restored, tmp_path, arguments
):
    (tmp_path / "outputs").mkdir()
    status, out, err = call(*arguments)
    assert (status, out) == (1, "")
    assert re.search(r"^fitbench: [^ ]*x{300}[^ ]*: File name too long", err)
    assert err.count("\n") == 1
