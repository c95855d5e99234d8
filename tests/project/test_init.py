"""`fitbench init`: the projects that it makes work at once, and nothing is replaced or half made."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from fitbench.composition import Composer, conf_folder
from fitbench.data.loading import load
from fitbench.project.init import KINDS, TEMPLATES
from fitbench.project.sample_data import SHAPES
from fitbench.tuning.request import read_request

SCHEMA = re.compile(r"^# yaml-language-server: \$schema=(\S+?)(#/definitions/(\w+))?$", re.MULTILINE)


# The tutorial has the commands of a project of images.
ONE_KIND = [pytest.param(kind, marks=[pytest.mark.long] * (kind != "csv")) for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_new_project_is_complete(kind, call, tmp_path):
    status, printed, error = call("init", "mine", "--data", kind)
    assert (status, error) == (0, "")
    assert "    cd mine\n    fitbench train  " in printed
    folder = tmp_path / "mine"
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {
        ".gitignore", "README.md", "pyproject.toml", "src/nets.py", "tests/test_project.py", "conf/project.yaml",
        "conf/model/net.yaml", "conf/data/mine.yaml", "conf/experiment/dropout.yaml", "conf/sweep/widths.yaml",
        "conf/config.schema.json", "conf/table.schema.json", "experiments/mine/table.yaml",
    } < written  # fmt: skip
    assert sum(path.stat().st_size for path in folder.rglob("data/**/*") if path.is_file()) < 300_000
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]  # nothing unfinished
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["name"] == "mine"
    for name in ("README.md", "pyproject.toml", "src/nets.py"):
        assert "$" not in (folder / name).read_text()
    check_schemas(folder)
    status, printed, error = call("table", "mine", "--dry-run", folder=folder)
    assert (status, error, "9 jobs" in printed) == (0, "", True)
    if kind == "signals":
        assert load(Composer([folder / "conf"]).data("mine", [f"data.path={folder}/data/waves.ts"])).names == SHAPES


@pytest.mark.parametrize("kind", ONE_KIND)
def test_commands_of_a_new_project_fit_each_other(kind, call, tmp_path):
    assert call("init", "mine", "--data", kind)[0] == 0
    folder = tmp_path / "mine"
    name = {"images": "digits", "csv": "cars", "signals": "waves"}[kind]
    for words, expected in (
        (["train"], 1),
        (["train", "+experiment=dropout"], 1),
        (["train", "-m", "sweep=widths"], 9),
    ):
        status, printed, error = call(*words, "--dry-run", folder=folder)
        assert (status, error) == (0, "")
        assert f"{expected} job" in printed
        assert f"{name}-net-adam-" in printed
    request = read_request(["optimizer.learning_rate=tag(log,interval(1e-4,1e-1))", "search.trials=6"])
    assert request.config.data.name == name


def check_schemas(folder: Path) -> None:
    """Each file names the schema by which an editor checks it, and has no fault by it."""
    checked = 0
    for path in folder.rglob("*.yaml"):
        if found := SCHEMA.search(path.read_text()):
            schema = yaml.safe_load((path.parent / found[1]).read_text())
            if found[3]:
                schema = {"$ref": f"#/definitions/{found[3]}", "definitions": schema["definitions"]}
            assert [
                error.message for error in Draft7Validator(schema).iter_errors(yaml.safe_load(path.read_text()))
            ] == []
            checked += 1
    assert checked == 4


@pytest.mark.parametrize("kind", ONE_KIND)
def test_test_of_a_new_project_passes(call, tmp_path, kind):
    """It trains with `fitbench train` in a process of its own."""
    assert call("init", "mine", "--data", kind)[0] == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path / "mine", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["full"], "full: this folder is not empty, and nothing in it is replaced; give a new folder"),
        (["file"], "file: there is a file with this name; give a new folder"),
        (["nowhere/mine"], "nowhere/mine: there is no folder "),
        (["mine one"], "mine one: a project cannot have this name; it may have letters from a to z"),
        (["_"], "_: a project cannot have this name"),
        ([".hidden"], ".hidden: a project cannot have this name"),
        (["/"], "/: a project cannot have this name"),
        (["/proc/mine"], "/proc/mine: cannot be made: "),
        (["mine", "--data", "csvs"], "--data csvs: there is no such kind; it must be one of images, csv, signals"),
        (["m" * 250], "cannot be made: "),
    ],
)
def test_bad_folder_is_refused_and_nothing_is_written(tmp_path, call, tree, arguments, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "file").touch()
    before = tree()
    status, printed, error = call("init", *arguments)
    assert (status > 0, printed, message in " ".join(error.split())) == (True, "", True), error
    assert "Traceback" not in error
    assert {path: size for path, (_, size) in tree().items()} == {path: size for path, (_, size) in before.items()}


def test_failure_on_the_way_leaves_nothing(tmp_path, call, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr("shutil.copyfile", full)
    status, _, error = call("init", "mine", "--data", "csv")
    assert (status, "No space left on device" in error) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [".", "empty"])
def test_empty_folder_is_filled(tmp_path, call, name):
    folder = tmp_path / "project" / ("empty" if name == "empty" else "")
    folder.mkdir(parents=True)
    status, printed, error = call("init", name, "--data", "csv", folder=tmp_path / "project")
    assert (status, error, "cd " in printed) == (0, "", name == "empty")
    assert (folder / "pyproject.toml").is_file()
    assert not list(folder.parent.glob(".*-*"))


def test_project_in_a_project_and_a_forgotten_cd_are_said(call, tmp_path):
    assert call("init", "mine", "--data", "csv")[2] == ""
    error = call("train", "--cfg", "job")[2]
    assert "this folder is in no project" in error
    assert "mine/ is a project: enter it" in error
    assert call("train", "--cfg", "job", folder=tmp_path / "mine")[2] == ""
    status, _, error = call("init", "inner", "--data", "csv", folder=tmp_path / "mine")
    assert (status, f"inner lies in the project {tmp_path / 'mine'}" in " ".join(error.split())) == (0, True)


def test_every_template_is_in_the_package():
    assert {path.name for path in TEMPLATES.iterdir()} == {*KINDS, "common", "next-tpl"}
    assert all(path.name.endswith("-tpl") for path in TEMPLATES.rglob("*") if path.is_file())
    assert (conf_folder() / "table.schema.json").is_file()
