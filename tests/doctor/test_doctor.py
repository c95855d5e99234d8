"""`fitbench doctor` as a whole: on this machine, in a damaged environment, and with processes that do not answer."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fitbench
from fitbench.doctor.processes import Question

HEAVY = ("keras", "tensorflow", "jax", "pandas", "numpy", "pydantic", "omegaconf")


def examined(*words: str, environ: dict[str, str] | None = None, python: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Call `python -m fitbench.doctor`; gives exit status, stdout and stderr."""
    command = [sys.executable, *python, "-m", "fitbench.doctor", *words]
    done = subprocess.run(
        command, env={**os.environ, **(environ or {})}, capture_output=True, text=True, timeout=150, check=False
    )
    return done.returncode, done.stdout, done.stderr


def by_name(text: str) -> dict[str, dict]:
    return {finding["name"]: finding for finding in json.loads(text)}


@pytest.mark.long
def test_this_machine_is_examined_with_its_backends(call, monkeypatch):
    for limit in ("BACKEND_SECONDS", "OTHER_SECONDS"):  # other tests may take all cores meanwhile
        monkeypatch.setattr(f"fitbench.doctor.doctor.{limit}", 300)
    status, out, _ = call("doctor", "--format", "json")
    findings = by_name(out)
    assert status == any(finding["status"] == "problem" for finding in findings.values())
    assert findings["tensorflow"]["status"] == "ok", findings["tensorflow"]
    assert findings["tensorflow"]["details"]["seconds"] > 0
    assert findings["imports"]["status"] == "ok", findings["imports"]
    assert "digits" in findings["data sets"]["details"]["here"]
    assert findings["outputs"]["status"] != "problem"
    assert set(findings["Python"]) == {"section", "name", "status", "found", "remedy", "details"}


def test_table_has_a_remedy_below_each_finding_that_has_one_and_imports_nothing_heavy(tmp_path):
    program = (
        "import sys; from fitbench.doctor.doctor import doctor; status = doctor(fast=True)\n"
        f"assert not set({HEAVY!r}) & set(sys.modules); sys.exit(status)"
    )
    environ = {**os.environ, "FITBENCH_DATA": str(tmp_path / "none"), "OMP_NUM_THREADS": "3"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if "none does not exist" in line)
    assert lines[at].split()[:2] == ["PROBLEM", "FITBENCH_DATA"]
    assert lines[at + 1].strip().startswith("Remedy: name the folder")
    assert any(line.split()[:2] == ["note", "variables"] and "OMP_NUM_THREADS=3" in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_environment_without_any_package_is_a_finding():
    source = str(Path(fitbench.__file__).parents[1])
    status, out, err = examined("--fast", environ={"PYTHONPATH": source}, python=("-S",))
    assert (status, err) == (1, "")
    lines = [line.split() for line in out.splitlines()]
    at = next(i for i, line in enumerate(lines) if line[:2] == ["PROBLEM", "packages"])
    assert "No module named 'packaging'" in " ".join(lines[at])
    assert lines[at + 1] == ["Remedy:", "pip", "install", "packaging"]
    assert ["ok", "disk"] in [line[:2] for line in lines]


@pytest.fixture
def damaged(tmp_path) -> dict[str, str]:
    """An environment in which pandas cannot be imported, tensorflow ends the process, and numpy has an old version."""
    (tmp_path / "pandas.py").write_text("raise ValueError('numpy.dtype size changed')")
    (tmp_path / "tensorflow.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    (tmp_path / "jax.py").write_text("raise ImportError('libjax.so is missing')")
    info = tmp_path / "numpy-0.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.9\n\n")
    return {"PYTHONPATH": str(tmp_path)}


def test_damaged_packages_are_findings(damaged):
    status, out, err = examined("--format", "json", environ=damaged)
    assert (status, err) == (1, "")
    findings = by_name(out)
    assert "pandas is broken: ValueError: numpy.dtype size changed" in findings["import"]["found"]
    assert "ended by SIGILL" in findings["tensorflow"]["found"]
    assert "libjax.so is missing" in findings["jax"]["found"]
    assert "found 0.9" in findings["conflicts"]["found"]


def test_process_that_does_not_answer_is_ended(tmp_path):
    (tmp_path / "sleeps.py").write_text("import time; time.sleep(600)")
    began = time.monotonic()
    question = Question(["sleeps"], 0.5, {**os.environ, "PYTHONPATH": str(tmp_path)})
    assert question.answer() == {"error": "no answer within 0.5 s", "late": True}
    assert time.monotonic() - began < 60
    assert question._process.poll() is not None


def test_unknown_format_is_refused(call):
    status, _, err = call("doctor", "--format", "xml")
    assert (status, err) == (2, "fitbench: --format is 'xml'; it must be table or json\n")
