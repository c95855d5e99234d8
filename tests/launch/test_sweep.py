"""Sweeps: which runs are trained and which are skipped, the summary, failures, interruptions, and the progress."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fitbench.config import Backend
from fitbench.errors import FitbenchError, RequestError
from fitbench.launch import command
from fitbench.launch.progress import SweepProgress
from fitbench.launch.summary import summarize
from fitbench.launch.sweep import run_sweep
from fitbench.launch.sweep_job import Failure, Job
from fitbench.record.claims import claim
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import append_history, read_history
from fitbench.record.reading import read_result
from fitbench.record.result import write_result
from fitbench.training import backend

from ..run_folders import SCHEMA_2
from ..tracking import BREAKING, breaking_run
from .recorded import attempts, folders_of, record

pytestmark = pytest.mark.usefixtures("process_state_restored")

QUICK = ("data=digits", "training.epochs=1")
GRID = ("-m", "data=digits", "model=softmax,mlp", "seed=0,1", "training.epochs=8", "optimizer.learning_rate=0.01")


@pytest.fixture(scope="session", autouse=True)
def tensorflow():
    backend.load(Backend.tensorflow)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Return the folder of the finished study of GRID."""
    outputs = tmp_path_factory.mktemp("grid")
    assert launch([*GRID, f"outputs={outputs}", "study=whole"]) == 0
    return outputs / "whole"


def launch(arguments: list[str]) -> int:
    """Launch a sweep, and print its summary on stdout as `fitbench train -m` does."""
    return command.launch(arguments, report_sweep=print)


def stamps(study: Path) -> dict[Path, int]:
    return {
        path: path.stat().st_mtime_ns for name in ("model.keras", "result.json") for path in study.glob(f"*/{name}")
    }


def summary(printed: str) -> dict[str, int]:
    """Parse the counts of a summary: {'finished': 3, ...}."""
    lines = [line.split(maxsplit=1) for line in printed.splitlines() if not line.startswith("failed: ")]
    return {state: int(count) for count, state in lines}


def during(condition: Callable[[], bool], act: Callable[[], object]) -> threading.Thread:
    """Start a thread that calls `act` as soon as the condition holds. Join it to be sure that it did."""

    def wait() -> None:
        deadline = time.monotonic() + 60
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.005)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def has_epochs(study: Path, part: str, epochs: int) -> Callable[[], bool]:
    """Return a function that tells whether a run whose name ends in `part` has recorded so many epochs."""
    return lambda: any(len(read_history(path)) >= epochs for path in study.glob(f"*{part}"))


# -- trackers ---------------------------------------------------------------------------------------------------------

LOGGED = ("-m", *QUICK, "model=softmax", "seed=0,1,2", "outputs=out", "study=s", "logger=tensorboard",
          "logger.tensorboard.folder=board")  # fmt: skip


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_runs_that_begin_after_their_tracker_has_failed_go_on_without_it(tmp_path, monkeypatch, capfd, workers):
    monkeypatch.chdir(tmp_path)
    breaking_run(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    assert launch([*LOGGED, BREAKING, f"workers={workers}"]) == 0
    folders = folders_of(tmp_path / "out" / "s")
    assert [state_of(folder) for folder in folders] == [State.finished] * 3
    notes = [line for line in capfd.readouterr().err.splitlines() if "goes on without it" in line]
    last = folders[-1].name
    [note] = [line for line in notes if last in line]
    assert note.startswith("fitbench: board")
    assert f"{last} goes on without it, and 'fitbench publish {last} --to tensorboard --uri board' sends" in note


def test_sweep_whose_tracker_fails_at_its_launch_is_refused_and_trains_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "board").touch()
    with pytest.raises(RequestError, match=r"^board.*; nothing was trained\. Start without logger=NAME"):
        launch([*LOGGED])
    assert not list(tmp_path.glob("out/s/*-s*"))


# -- every combination is one run -------------------------------------------------------------------------------------


def test_combination_is_trained_in_the_folder_of_the_same_single_run(grid, configure, capsys):
    expected = {
        folder_of(
            configure(*GRID[1:2], f"model={model}", f"seed={seed}", *GRID[4:], f"outputs={grid.parent}", "study=whole")
        )
        for model in ("softmax", "mlp")
        for seed in (0, 1)
    }
    assert set(folders_of(grid)) == expected
    for folder in expected:
        assert state_of(folder) is State.finished
        assert attempts(folder) == 1
        assert len(read_history(folder)) == 8
        assert not {"claim.json", "checkpoint", "error.txt"} & {path.name for path in folder.iterdir()}
    before = stamps(grid)
    single = ("data=digits", "model=mlp", "seed=1", *GRID[4:])
    assert launch([*single, f"outputs={grid.parent}", "study=whole"]) == 0
    assert stamps(grid) == before


def test_section_sweep_is_no_part_of_the_runs(grid, configure, capsys):
    (grid.parent / "mine" / "sweep").mkdir(parents=True)
    (grid.parent / "mine" / "sweep" / "own.yaml").write_text(
        "grid: {seed: '0,1'}\ncases: [{model: softmax}, {model: mlp}]\nexclude: model == 'mlp' or seed == 1\n"
    )
    files = ("sweep=own", f"--config-dir={grid.parent / 'mine'}", *GRID[:2], "training.epochs=1")
    assert launch([*files, f"outputs={grid.parent}", "study=combined"]) == 0
    single = configure("data=digits", "model=softmax", "training.epochs=1", f"outputs={grid.parent}", "study=combined")
    assert folders_of(grid.parent / "combined") == [folder_of(single)]
    assert "sweep" not in read_result(folder_of(single))["config"]
    assert "sweep" not in (folder_of(single) / "config.yaml").read_text()


def test_finished_sweep_launched_again_trains_nothing(grid, capsys):
    before = stamps(grid)
    assert len(before) == 8
    assert launch([*GRID, f"outputs={grid.parent}", "study=whole"]) == 0
    assert stamps(grid) == before
    assert all(attempts(folder) == 1 for folder in folders_of(grid))
    printed = capsys.readouterr()
    assert summary(printed.out) == {"finished": 0, "skipped, finished before": 4, f"in all; results in {grid}": 4}
    assert printed.err == ""


@pytest.mark.skipif(shutil.which("setpriv") is None or os.getuid() != 0, reason="needs root, to give up its rights")
@pytest.mark.parametrize("words", [["model=mlp", "seed=1", *GRID[4:]], [*GRID, "workers=2"]])
def test_recorded_result_needs_no_right_to_write(grid, tmp_path, words):
    shutil.copytree(grid, tmp_path / "whole")
    subprocess.run(["chmod", "-R", "a-w", str(tmp_path / "whole")], check=True)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    asked = [*words, "data=digits", f"outputs={tmp_path}", "study=whole", "threads=1"]
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "fitbench", "train", *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_extended_sweep_trains_only_new_runs_and_each_once(grid, tmp_path, capsys):
    study = tmp_path / "default"
    assert launch(["-m", *QUICK, "model=softmax", "seed=0,0", f"outputs={tmp_path}"]) == 0
    assert summary(capsys.readouterr().out) == {"finished": 1, f"in all; results in {study}": 1}
    [first] = folders_of(study)
    before = stamps(study)
    assert launch(["-m", *QUICK, "model=softmax", "seed=1,0,1", f"outputs={tmp_path}"]) == 0
    printed = capsys.readouterr()
    assert summary(printed.out) == {"finished": 1, "skipped, finished before": 1, f"in all; results in {study}": 2}
    assert [attempts(folder) for folder in folders_of(study)] == [1, 1]
    assert stamps(study).items() > before.items()
    [line] = [line for line in printed.err.splitlines() if line.startswith("[")]
    assert line.startswith(f"[2/2] {folders_of(study, '-s1')[0].name}  test 0.")
    assert first.name not in printed.err


def test_experiment_file_may_define_a_sweep(tmp_path, capsys):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "seeds.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /data: digits\n  - override /model: softmax\n"
        "study: seeds\ntraining:\n  epochs: 1\n"
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      seed: 3,5\n"
    )
    arguments = ["--config-dir", str(tmp_path / "conf"), "+experiment=seeds", f"outputs={tmp_path / 'outputs'}"]
    assert launch(arguments) == 0
    folders = folders_of(tmp_path / "outputs" / "seeds")
    assert [read_result(folder)["seed"] for folder in folders] == [3, 5]
    assert {read_result(folder)["config"]["model"]["name"] for folder in folders} == {"softmax"}
    assert summary(capsys.readouterr().out)["finished"] == 2


# -- failures ---------------------------------------------------------------------------------------------------------

# lenet5 needs larger images than the digits, and a learning rate of 1e30 diverges: only one of the four can be trained
FAILING = ("-m", *QUICK, "optimizer=sgd", "model=lenet5,mlp", "optimizer.learning_rate=1e30,0.1")


def test_sweep_continues_after_failures_and_retries_only_failed_runs(tmp_path, capsys):
    study, arguments = tmp_path / "default", [*FAILING, f"outputs={tmp_path}"]
    with pytest.raises(FitbenchError, match="3 of 4 runs failed") as caught:
        launch(arguments)
    assert caught.value.exit_status == 1
    printed = capsys.readouterr()
    assert summary(printed.out) == {"finished": 1, "failed": 3, f"in all; results in {study}": 4}
    assert "[4/4] " in printed.err
    [finished] = [folder for folder in folders_of(study) if state_of(folder) is State.finished]
    failed = [folder for folder in folders_of(study) if folder != finished]
    assert [state_of(folder) for folder in failed] == [State.failed] * 3
    errors = dict(
        line.removeprefix("failed: ").split(": ", 1) for line in printed.out.splitlines() if "failed: " in line
    )
    assert set(errors) == {str(folder) for folder in failed}
    for folder in failed:
        lenet = "lenet5" in folder.name
        assert ("lenet5 takes images of 10x10 pixels or more" if lenet else "diverged: loss is ") in errors[str(folder)]
        recorded = (folder / "error.txt").read_text()
        assert recorded.startswith("Traceback")
        assert errors[str(folder)] in recorded
        assert not (folder / "result.json").exists()
        assert not (folder / "claim.json").exists()

    before = stamps(study)
    with pytest.raises(FitbenchError, match="3 of 4 runs failed"):
        launch([*arguments, "retry_failed=false"])
    assert [attempts(folder) for folder in failed] == [1, 1, 1]
    again = capsys.readouterr().out
    assert summary(again) == {
        "finished": 0,
        "skipped, finished before": 1,
        "failed": 3,
        f"in all; results in {study}": 4,
    }
    assert again.count("failed: ") == 3

    with pytest.raises(FitbenchError, match="3 of 4 runs failed"):
        launch(arguments)
    assert [attempts(folder) for folder in failed] == [2, 2, 2]
    assert attempts(finished) == 1
    assert stamps(study) == before
    assert summary(capsys.readouterr().out)["skipped, finished before"] == 1


def test_fail_fast_stops_at_the_first_failure(tmp_path, capsys):
    study = tmp_path / "default"
    with pytest.raises(FitbenchError, match="1 of 4 runs failed"):
        launch([*FAILING, f"outputs={tmp_path}", "fail_fast=true"])
    assert [state_of(folder) for folder in folders_of(study)] == [State.failed]
    assert summary(capsys.readouterr().out) == {
        "finished": 0,
        "failed": 1,
        "not begun": 3,
        f"in all; results in {study}": 4,
    }


# -- other processes --------------------------------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from fitbench.record.claims import claim
folder = Path(sys.argv[1])
folder.mkdir(parents=True)
with claim(folder):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder():
    """Return a function that starts a process that claims the run of a folder."""
    processes = []

    def hold(folder: Path) -> subprocess.Popen:
        command = [sys.executable, "-c", HOLD, str(folder)]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert processes[-1].stdout.readline() == "held\n"
        return processes[-1]

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def test_run_of_another_process_is_taken_over_only_when_that_process_dies(holder, configure, tmp_path, capsys):
    arguments, study = [*QUICK, "model=softmax", f"outputs={tmp_path}"], tmp_path / "default"
    theirs = folder_of(configure(*arguments, "seed=0"))
    other = holder(theirs)
    with pytest.raises(FitbenchError, match=r"^1 of 2 runs are not finished; launch the sweep again"):
        launch(["-m", *arguments, "seed=0,1"])
    assert summary(capsys.readouterr().out) == {"finished": 1, "running elsewhere": 1, f"in all; results in {study}": 2}
    assert state_of(theirs) is State.running
    assert [path.name for path in theirs.iterdir()] == ["claim.json"]

    killing = during(has_epochs(study, "-s2", 1), other.kill)
    assert launch(["-m", *arguments, "seed=0,1,2"]) == 0
    killing.join()
    expected = {"finished": 2, "skipped, finished before": 1, f"in all; results in {study}": 3}
    assert summary(capsys.readouterr().out) == expected
    assert read_result(theirs)["attempts"] == 1
    assert [attempts(folder) for folder in folders_of(study)] == [1, 1, 1]
    assert not (theirs / "claim.json").exists()


# -- Ctrl-C -----------------------------------------------------------------------------------------------------------


def test_interrupted_sweep_ends_at_once_and_resumes_to_the_same_results(grid, tmp_path, capsys, monkeypatch):
    arguments, study = [*GRID, "model=mlp", f"outputs={tmp_path}", "study=cut"], tmp_path / "cut"
    arguments.remove("model=softmax,mlp")
    pressed = []

    def append_and_press(folder: Path, epoch: dict) -> None:
        append(folder, epoch)
        if epoch["epoch"] == 2:
            pressed.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

    append = append_history
    with monkeypatch.context() as patch:
        patch.setattr("fitbench.training.callbacks.append_history", append_and_press)
        assert launch(arguments) == 130
    assert time.monotonic() - pressed[0] < 3
    printed = capsys.readouterr()
    assert summary(printed.out) == {"finished": 0, "interrupted": 1, "not begun": 1, f"in all; results in {study}": 2}
    assert "interrupted; run the same command again to resume" in printed.err
    [folder] = folders_of(study)
    assert state_of(folder) is State.interrupted
    assert 2 <= len(read_history(folder)) < 8
    assert len(list((folder / "checkpoint").glob("*.npz"))) == 1
    assert not (folder / "claim.json").exists()

    assert launch(arguments) == 0
    assert summary(capsys.readouterr().out)["finished"] == 2
    assert "going on after epoch " in (folder / "train.log").read_text()
    assert [read_result(folder)["attempts"] for folder in folders_of(study)] == [2, 1]
    for mine, theirs in zip(folders_of(study), folders_of(grid, "mlp"), strict=True):
        assert record(mine) == record(theirs)


# -- progress ---------------------------------------------------------------------------------------------------------


def finish(folder: Path, val_accuracy: float) -> None:
    folder.mkdir(exist_ok=True)
    metrics = {f"{part}_{name}": 0.5 for part in ("train", "val", "test") for name in ("accuracy", "loss")}
    result = {
        **SCHEMA_2,
        "run_id": folder.name, "config_id": "1234abcd", "seed": 0, "study": "default",
        "config": {section: {} for section in ("data", "model", "optimizer", "training", "distortion")},
        "metrics": metrics | {"val_accuracy": val_accuracy, "test_loss": None, "best_epoch": 1, "epochs": 1},
        "timing": {"fit_seconds": 1.5, "seconds": 2.0, "examples_per_second": 6400.0}, "parameters": 650,
        "data": {"name": "digits", "sha256": "ab" * 32, "train": 8, "validation": 2, "test": 2, "classes": ["0", "1"],
                 "skipped": 0},
        "versions": {}, "git": {"commit": None, "dirty": None}, "device": "cpu", "attempts": 1,
        "finished_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    write_result(folder, result)


def test_progress_gives_ended_runs_epoch_best_metric_and_remaining_time_as_far_as_they_fit(tmp_path, capsys):
    folders = [tmp_path / f"digits-mlp-adam-1234abcd-s{seed}" for seed in range(5)]
    finish(folders[0], 0.75)
    with SweepProgress(folders[1:], 5, {folders[0]}, visible=True, primary="accuracy") as progress:
        time.sleep(0.02)  # the clock of file times is coarse
        assert progress.line(80) == "1/5 runs  best val 0.7500  starting"
        finish(folders[1], 0.875)
        folders[2].mkdir()
        (folders[2] / "error.txt").write_text("Traceback ...")
        folders[3].mkdir()
        deadline = time.monotonic() + 10
        while progress.pending > 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        with claim(folders[3]):
            assert re.fullmatch(r"3/5 runs  \d s left  best val 0.8750  1 failed  starting", progress.line(80))
            for epoch in (1, 2):
                append_history(folders[3], {"epoch": epoch, "loss": 1 / epoch, "val_accuracy": 0.25})
            lines = {width: progress.line(width) for width in (40, 80, 200)}
    # two runs have ended since the sweep began, so the other two take the same time again: a second at most
    assert lines[80] in {
        f"3/5 runs  {seconds} s left  best val 0.8750  1 failed  epoch 2 loss 0.5000  val 0.2500"
        for seconds in (0, 1, 2)
    }
    assert lines[200].endswith("  digits-mlp-adam-1234abcd-s3: epoch 2 loss 0.5000  val 0.2500")
    assert lines[40].endswith(" s left  best val 0.8750")
    assert all(len(line) < width for width, line in lines.items())  # writing the last column would start a new line
    assert sorted(capsys.readouterr().err.splitlines()) == [
        f"[2/5] {folders[1].name}  test 0.5000  val 0.8750",
        f"[3/5] {folders[2].name}  failed",
    ]


def test_runs_of_the_same_name_in_several_studies_have_a_line_each(tmp_path, capsys):
    folders = [tmp_path / study / f"digits-mlp-adam-1234abcd-s{seed}" for study in ("a", "b") for seed in range(2)]
    with SweepProgress(folders, 4, set(), visible=True, primary="accuracy") as progress:
        assert progress.line(80) == "0/4 runs  starting"
        time.sleep(0.02)  # the clock of file times is coarse
        for folder in folders[:3]:
            folder.parent.mkdir(exist_ok=True)
            finish(folder, 0.5)
        folders[3].mkdir()
        (folders[3] / "error.txt").write_text("Traceback ...")
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    assert sorted(line.partition(" ")[2] for line in lines) == [
        *(f"{folder}  test 0.5000  val 0.5000" for folder in folders[:3]),
        f"{folders[3]}  failed",
    ]


def test_summary_names_the_studies(tmp_path):
    folders = [tmp_path / study / f"s{seed}" for study in "abcde" for seed in range(2)]
    few, all_of_them = summarize(folders[:4], set(), {}), summarize(folders, set(), {})
    assert str(few).endswith(f"     4 in all; results in {tmp_path}/a, {tmp_path}/b")
    assert str(all_of_them).endswith(f"in all; results in {tmp_path}/a, {tmp_path}/b, {tmp_path}/c and 2 more")


def test_summary_counts_every_run_once(make_run, tmp_path):
    folders = [
        make_run("seed=0"),
        make_run("seed=1", finished=False),
        make_run("seed=2", pruned=True, trial=0),
        make_run("seed=3", finished=False),
        tmp_path / "outputs/default/not_begun",
        tmp_path / "outputs/default/put_in_the_trash_meanwhile",
    ]
    (folders[3] / "error.txt").write_text("ValueError: no")
    summary = summarize(folders, skipped={folders[0], folders[5]}, errors={})
    assert {state: count for state, count in summary.counts.items() if count} == {
        "skipped, finished before": 1, "failed": 1, "pruned by a search": 1, "interrupted": 1, "not begun": 2,
    }  # fmt: skip
    assert sum(summary.counts.values()) == summary.total == 6
    assert summary.unfinished == 4


def test_study_with_the_time_in_its_name_is_one_study_for_all_jobs(tmp_path, capsys):
    jobs = ("data=digits", "model=softmax", "training.epochs=1", "seed=range(3)")
    assert launch(["-m", *jobs, f"outputs={tmp_path}", "study=at-${now:%H-%M-%S-%f}"]) == 0
    [study] = tmp_path.iterdir()
    assert summary(capsys.readouterr().out) == {"finished": 3, f"in all; results in {study}": 3}


@pytest.mark.parametrize("mode", [("-m",), ()])
def test_run_does_not_change_the_folder(mode, tmp_path):
    with pytest.raises(FitbenchError, match=r"^hydra\.job\.chdir=true: .* \$\{run_dir:\}"):
        launch([*mode, *QUICK, "model=softmax", "hydra.job.chdir=true", f"outputs={tmp_path}"])
    assert not list(tmp_path.glob("*/*"))


def test_run_whose_layers_are_refused_leaves_no_folder(tmp_path):
    with pytest.raises(FitbenchError, match="no layer fits 'dens'"):
        launch([*QUICK, "model=softmax", "training.freeze=[dens]", f"outputs={tmp_path}"])
    assert not list(tmp_path.glob("*/*"))


EXITING = """
import sys

def net(input_shape, outputs):
    sys.exit(0)
"""


def test_run_whose_code_exits_has_failed_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "exiting.yaml").write_text("_target_: exiting.net\nname: exiting\n")
    (tmp_path / "exiting.py").write_text(EXITING)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FitbenchError, match=r"^1 of 2 runs failed; launch the sweep again to train them$"):
        launch(["-m", "--config-dir", str(tmp_path / "conf"), *QUICK, "model=exiting,softmax", f"outputs={tmp_path}"])
    [failed, finished] = folders_of(tmp_path / "default")
    assert (state_of(failed), state_of(finished)) == (State.failed, State.finished)
    assert "the code of the run called sys.exit(0)" in capsys.readouterr().out


def test_forced_run_that_fails_before_it_begins_does_not_count_as_finished(grid, configure, tmp_path, capsys):
    shutil.copytree(grid, tmp_path / "whole")
    of_run = ("data=digits", "model=mlp", "seed=0", *GRID[4:], f"outputs={tmp_path}", "study=whole", "force=true")
    job = Job.of([], configure(*of_run))
    with pytest.raises(FitbenchError, match=r"^1 of 1 runs failed"):
        run_sweep([job], lambda jobs, report: ((each, Failure("its worker was lost")) for each in jobs), print)
    assert f"failed: {job.folder}: its worker was lost\n" in capsys.readouterr().out
