"""What the tests of projects share: a process that is afterwards as it was."""

import os
import sys
from pathlib import Path

import pytest

TEXT = """
[project]
name = "mine"

[tool.fitbench]
config_dir = "conf"
config_name = "project"
source = "src"
"""
FILES = {
    "pyproject.toml": TEXT,
    "conf/project.yaml": "defaults: [config, _self_, {override /model: net}]\ntraining: {epochs: 1}\n",
    "conf/model/net.yaml": "{_target_: tiny_nets.net, name: net, width: 3}\n",
    "src/tiny_nets.py": "def net(inputs, outputs, width: int):\n    return None\n",
}


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    """A command in a project changes where this process, and its children, search for modules."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    modules = set(sys.modules)
    yield
    for name in set(sys.modules) - modules:
        if "site-packages" not in str(getattr(sys.modules[name], "__file__", None) or "site-packages"):
            del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project in the test's folder, which is the current one."""
    write(tmp_path, FILES)
    monkeypatch.chdir(tmp_path)
    return tmp_path
