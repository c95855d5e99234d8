"""The installed package has all that a project needs: its guide runs with a wheel in place of the source tree."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .pages import ROOT

hatchling = pytest.importorskip("hatchling.build", reason="needs pip install -e '.[dev]'")

PAGES = Path(__file__).with_name("pages.py")


def test_a_project_runs_with_the_wheel_from_its_data_to_the_predictions_of_an_exported_model(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    wheel, project = tmp_path / "wheel", tmp_path / "project"
    zipfile.ZipFile(tmp_path / hatchling.build_wheel(str(tmp_path))).extractall(wheel)
    source = ROOT / "src"
    templates = [path.relative_to(source) for path in (source / "fitbench/project/templates").rglob("*-tpl")]
    assert [path for path in templates if not (wheel / path).is_file()] == []
    assert (wheel / "fitbench" / "py.typed").exists()
    project.mkdir()
    code = (
        f"import fitbench, runpy; assert fitbench.__file__.startswith({str(wheel)!r}), fitbench.__file__; "
        f"runpy.run_path({str(PAGES)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(project), str(ROOT / "docs" / "guides" / "project.md")],
        cwd=project, env=os.environ | {"PYTHONPATH": str(wheel), "FITBENCH_DATA": ""},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "-- DIFFERS" not in done.stdout, done.stdout
