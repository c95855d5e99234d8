"""Commands in the environments that people have: lost output, unusual variables and folders, and no home folder."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fitbench.record.reading import read_result

NO_SPACE = "fitbench: stdout: cannot be written (no space left on device)\n"
NOT_TEXT = "\udcff\udcfe"  # bytes of a path that are not UTF-8
FITBENCH = f"{shlex.quote(sys.executable)} -m fitbench"
# Of variables that libraries read: what no library here can use.
UNUSABLE = {
    "COLUMNS": "0", "CUDA_VISIBLE_DEVICES": "none", "HOME": "/nowhere", "KERAS_BACKEND": "none", "LC_ALL": "C",
    "MPLBACKEND": "module://none", "OMP_NUM_THREADS": "many", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0",
    "TERM": "none", "TMPDIR": "/nowhere", "TZ": "none",
}  # fmt: skip


def in_bash(script: str, folder: Path, **variables: str) -> tuple[int, bytes, str]:
    """Run a script in which `fitbench` is the command; gives its exit status, stdout and stderr."""
    script = f'fitbench() {{ {FITBENCH} "$@"; }}\n{script}'
    environment = {"FITBENCH_DATA": "", **os.environ, **variables}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, timeout=120, check=False
    )
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture
def run(make_run) -> Path:
    """The folder of a finished run in outputs/."""
    return make_run()


# -- lost output ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("fitbench show RUN >&-", (0, "")),
        ("fitbench show RUN >/dev/full", (1, NO_SPACE)),
        ("fitbench show RUN | true; exit ${PIPESTATUS[0]}", (141, "")),
        ("fitbench --help >/dev/full", (1, NO_SPACE)),
        ("fitbench runs none 2>/dev/full", (2, "")),
        ("fitbench runs none 2>&1 >&- | true; exit ${PIPESTATUS[0]}", (2, "")),
        ("fitbench runs none <&- >&- 2>&-", (2, "")),
    ],
)
def test_command_whose_output_is_lost_ends_in_silence_or_with_one_line(run, tmp_path, script, expected):
    status, _, stderr = in_bash(script.replace("RUN", shlex.quote(str(run))), tmp_path)
    assert (status, stderr) == expected


# -- variables and folders --------------------------------------------------------------------------------------------


def test_results_are_the_same_with_unusable_variables_and_where_messages_cannot_be_written(run, tmp_path):
    status, stdout, stderr = in_bash("fitbench runs outputs --format csv", tmp_path)
    assert (status, stderr) == (0, "1 run: 1 finished\n")
    assert run.name.encode() in stdout
    for script, variables in (("2>&-", UNUSABLE), ("2>/dev/full", {})):
        assert in_bash(f"fitbench runs outputs --format csv {script}", tmp_path, **variables) == (0, stdout, "")


def test_help_is_shown_with_unusable_variables_and_without_docstrings(tmp_path):
    status, stdout, stderr = in_bash("fitbench --help", tmp_path, PYTHONOPTIMIZE="2", **UNUSABLE)
    assert (status, stderr) == (0, "")
    assert b"compare" in stdout


def test_charts_are_the_same_bytes_whatever_matplotlib_is_told(run, tmp_path):
    (tmp_path / "matplotlibrc").write_text("font.family: serif\nlines.linewidth: 9\nsavefig.bbox: tight\n")
    odd = {"MATPLOTLIBRC": str(tmp_path), "MPLBACKEND": "module://none", "MPLCONFIGDIR": "/dev/null"}
    (tmp_path / "elsewhere").mkdir()  # matplotlibrc in the current folder would count in both cases
    for name, variables in {"plain": {}, "odd": odd}.items():
        script = f"fitbench plot {shlex.quote(str(run.parent))} -o ../{name}.png"
        status, _, stderr = in_bash(script, tmp_path / "elsewhere", **variables)
        assert status == 0, stderr
    assert (tmp_path / "odd.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


def test_paths_that_are_not_text_are_printed_as_their_bytes(make_run, tmp_path):
    outputs = tmp_path / f"a{NOT_TEXT}" / "outputs"
    make_run(outputs=outputs)
    for variables in ({}, {"PYTHONIOENCODING": "ascii"}):
        status, stdout, _ = in_bash('fitbench runs "$PWD"/*/outputs --format csv', tmp_path, **variables)
        assert status == 0
        assert os.fsencode(outputs) in stdout


def test_removed_current_folder_is_said_where_it_is_needed(run, tmp_path):
    gone = "mkdir gone; cd gone; rmdir ../gone;"
    assert in_bash(f"{gone} fitbench runs {run}", tmp_path)[0] == 0
    status, _, stderr = in_bash(f"{gone} fitbench train outputs={tmp_path}", tmp_path)
    assert (status, stderr) == (1, "fitbench: the current folder has been removed; change into a folder that exists\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["data"], (0, "")),
        (
            ["train", "data=npz", "data.path='~/x.npz'"],
            (2, "~/x.npz: the home folder is not known; write the whole path\n"),
        ),
    ],
)
def test_home_folder_that_is_not_known_is_not_needed(tmp_path, arguments, expected):
    program = "import pwd; pwd.getpwuid = {}.__getitem__; from fitbench.cli import main; main()"  # no entry in passwd
    environment = {key: value for key, value in os.environ.items() if key != "HOME"}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.removeprefix("fitbench: ")) == expected


# -- training ---------------------------------------------------------------------------------------------------------

TRAIN = "fitbench train data=digits model=softmax training.epochs=2"
LOUD = """
import keras

class Loud(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print("x" * 100_000)
"""


def recorded(outputs: Path) -> dict:
    [folder] = outputs.glob("default/digits-*")
    return read_result(folder)


def test_run_is_trained_with_unusable_variables_and_streams_and_in_a_folder_whose_name_is_not_text(tmp_path):
    outputs = tmp_path / f"a{NOT_TEXT}"
    outputs.mkdir()
    script = f"""umask 077; {TRAIN} "outputs='$(echo "$PWD"/a*)'" <&- >&- 2>/dev/full"""
    assert in_bash(script, tmp_path, **UNUSABLE) == (0, b"", "")
    result = recorded(outputs)
    assert result["metrics"]["epochs"] == 2
    assert result["config"]["outputs"] == str(outputs)


@pytest.mark.long
def test_run_is_trained_although_nobody_reads_what_it_prints(tmp_path):
    (tmp_path / "loud.py").write_text(LOUD)
    script = f"{TRAIN} '+training.callbacks.loud={{_target_: loud.Loud}}' 2>&1 | true; exit ${{PIPESTATUS[0]}}"
    assert in_bash(script, tmp_path, PYTHONPATH=str(tmp_path)) == (141, b"", "")
    assert recorded(tmp_path / "outputs")["metrics"]["epochs"] == 2
    assert list(tmp_path.glob("outputs/default/digits-*/curves.png"))
