"""What the script for machines with a GPU decides by. The script itself trains for minutes."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from fitbench.record.history import write_history

from . import check


@pytest.fixture
def machine(tmp_path):
    return check.Machine("jax", tmp_path, quick=True)


def fail(machine):
    raise check.Failed("another result")


def skip(machine):
    raise check.Skipped("no GPU")


def test_verdict_of_a_check(machine):
    assert check.verdict(lambda machine: machine.backend, machine) == ("ok", "jax")
    assert check.verdict(fail, machine) == ("FAILED", "another result")
    assert check.verdict(skip, machine) == ("skipped", "no GPU")
    assert check.verdict(fail, check.Machine("absent", machine.folder, True)) == ("skipped", "not installed")


def test_report_names_the_device_indents_further_lines_and_counts_the_verdicts(machine, monkeypatch, capsys):
    machine.seen = {"gpus": [], "device": "cpu: of this machine"}
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(check.importlib.util, "find_spec", lambda name: name)
    remark = "two runs at a time give equal results, to the last bit"
    monkeypatch.setattr(check, "CHECKS", {"two": lambda machine: f"{machine.where} {remark}", "one": fail, "no": skip})
    assert check.check_backend(machine) == {"ok": 1, "FAILED": 1, "skipped": 1}
    assert capsys.readouterr().out.splitlines() == [
        "device  jax         cpu: of this machine",
        "ok      jax         two (on the CPU: two runs at a time give",
        "                    equal results, to the last bit)",
        "FAILED  jax         one (another result)",
        "skipped jax         no (no GPU)",
    ]


@pytest.fixture
def twins(make_run, tmp_path):
    return make_run(history=make_run.curves(4)), make_run(history=make_run.curves(4), outputs=tmp_path / "two")


def write_weights(folder):
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("model.weights.h5", b"weights")


def test_equal_runs_are_those_with_the_same_history_metrics_and_predictions(twins, make_run):
    first, second = twins
    with pytest.raises(check.Failed, match="other weights; 4 epochs are equal"):  # neither has any
        check.check_equal([first], [second])
    for folder in twins:
        write_weights(folder)
    check.check_equal([first], [second])
    history = make_run.curves(4)
    history[2]["loss"] += 1e-9
    write_history(second, history)
    with pytest.raises(check.Failed, match="other history; 2 epochs are equal"):
        check.check_equal([first], [second])
    with np.load(second / "predictions.npz") as file:
        arrays = dict(file)
    np.savez(second / "predictions.npz", **(arrays | {"probabilities": arrays["probabilities"][:, ::-1]}))
    with pytest.raises(check.Failed, match="other history, predictions"):
        check.check_equal([first], [second])
    with pytest.raises(ValueError, match="longer"):
        check.check_equal([], [second])


def test_memory_is_the_sum_that_is_in_use_and_the_size_of_the_smallest_gpu(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '512, 81920'\necho '1024, 40960'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert check.memory() == (1536, 40960)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert check.memory() == (0, 0)


def test_run_that_ends_before_it_is_killed_is_a_failure(tmp_path):
    folder = tmp_path / "study" / "run"
    folder.mkdir(parents=True)
    (folder / "history.jsonl").write_text("{}\n" * 3)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:  # runs until its input ends
        assert check.wait_for_epochs(tmp_path / "study", 3, process) == 3
        process.communicate()
        with pytest.raises(check.Failed, match="ended early"):
            check.wait_for_epochs(tmp_path / "study", 3, process)


def test_command_that_fails_is_a_failure_with_the_last_line_of_its_errors():
    assert check.output_of(["sh", "-c", "echo first; echo last"], dict(os.environ)) == "last"
    with pytest.raises(check.Failed, match=r"out of memory; status 3 of sh -c"):
        check.output_of(["sh", "-c", "echo out of memory >&2; exit 3"], dict(os.environ))


def test_probe_prints_what_the_backend_sees(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["check.py", "--probe", "devices", "--backends", "tensorflow"])
    assert check.main() == 0
    assert set(json.loads(capsys.readouterr().out)) == {"gpus", "device", "used", "total"}


def test_check_that_needs_more_gpus_than_there_are_is_skipped(machine):
    machine.seen = {"gpus": []}
    with pytest.raises(check.Skipped, match="no GPU"):
        machine.need_gpus()
    machine.seen = {"gpus": ["one"]}
    machine.need_gpus()
    with pytest.raises(check.Skipped, match="needs 2 GPUs, found 1"):
        machine.need_gpus(2)
