"""[tool.fitbench] in a pyproject.toml: what is found, where it applies, and what is refused."""

import os
import subprocess
import sys

import pytest

from fitbench.composition import Composer
from fitbench.config.code import code_of_run
from fitbench.errors import RequestError
from fitbench.project.settings import Settings, find_settings, use_source
from fitbench.tuning.request import read_request

from .conftest import TEXT, write


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[tool.fitbench]\nconfig_dirs = "conf"', "config_dirs: there is no such key. Did you mean config_dir?"),
        ("[tool.fitbench]\nx = 1", "x: there is no such key. There are config_dir, config_name, source"),
        ("[tool.fitbench]\nsource = 3", "source is 3; it must be a folder, or a list of folders, in quotes"),
        ('[tool.fitbench]\nsource = ["src", 3]', "source is ['src', 3]; it must be a folder, or a list of folders"),
        ('[tool.fitbench]\nsource = ""', "source is ''; it must be"),
        ('[tool.fitbench]\nconfig_dir = "cnf"', "config_dir is 'cnf'; there is no folder "),
        ('[tool.fitbench]\nsource = ["src", "nowhere"]', "source is 'nowhere'; there is no folder "),
        ("[tool.fitbench]\nconfig_name = 1", "config_name is 1; it must be the name of a file, without .yaml"),
        ('[tool.fitbench]\nconfig_name = "project.yaml"', "config_name is 'project.yaml'; it must be the name of"),
        (
            '[tool.fitbench]\nconfig_dir = "conf"\nconfig_name = "main"',
            "config_name is 'main'; there is no file main.yaml in the folder of config_dir",
        ),
        ('[tool]\nfitbench = "conf"', "tool.fitbench is 'conf'; it must be a table"),
        ("[tool.fitbench]\nsource = [", "it has [tool.fitbench] and is no TOML: "),
        ("[ tool . fitbench ]\nsource = 'src'\nsource = 'b'", "is no TOML: "),
    ],
)
def test_wrong_setting_is_named_with_its_file(project, call, text, message):
    (project / "pyproject.toml").write_text(text)
    status, _, error = call("train", "--cfg", "job")
    assert (status, message in " ".join(error.split())) == (2, True), error
    assert error.startswith(f"fitbench: {project / 'pyproject.toml'}: ")
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "text", ["[project]\nname = 'x'", "[tool.black]", "[project\n", "\xff", "tool = 3", "# [tool.fitbench"]
)
def test_file_that_is_not_about_fitbench_is_passed_over(project, monkeypatch, text):
    folder = project / "part" / "deeper"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(text, encoding="latin-1")
    monkeypatch.chdir(folder)
    found = find_settings()
    assert found == Settings(project / "pyproject.toml", (project / "conf",), "project", (project / "src",))


def test_nearest_table_counts_and_lists_are_taken(project, monkeypatch):
    write(project, {"part/pyproject.toml": '[tool.fitbench]\nsource = ["a", "../src"]\n', "part/a/x.py": ""})
    monkeypatch.chdir(project / "part")
    part = project / "part"
    assert find_settings() == Settings(part / "pyproject.toml", (), "config", (part / "a", part / "../src"))


def test_file_of_another_user_counts_in_its_own_folder_only(project, monkeypatch, capsys):
    """Whoever can write to a folder above, such as /tmp, would otherwise decide which code of others runs."""
    (project / "part").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr("fitbench.project.settings._owner", lambda path: 54321)
    assert find_settings().config_name == "project"
    monkeypatch.chdir(project / "part")
    assert [find_settings(), find_settings()] == [Settings(), Settings()]
    said = capsys.readouterr().err
    assert said.count("belongs to another user, so its [tool.fitbench] counts only in") == 1


def test_composer_has_the_projects_choices_defaults_and_code(project):
    composer = Composer()
    config = composer.configuration([])
    assert (config.model["name"], config.training.epochs) == ("net", 1)
    assert list(code_of_run(config.model_dump(mode="json"))) == ["tiny_nets"]
    assert composer.configuration(["model=mlp"]).model["name"] == "mlp"


def test_folder_of_the_command_comes_before_the_project_and_that_before_fitbench(project, call):
    write(project, {"conf/model/mlp.yaml": "{_target_: tiny_nets.net, name: of_project, width: 1}\n"})
    write(project, {"other/model/mlp.yaml": "{_target_: tiny_nets.net, name: of_command, width: 1}\n"})
    for options, name in (([], "of_project"), (["--config-dir", "other"], "of_command")):
        status, printed, error = call("train", "--cfg", "job", "--package", "model", "model=mlp", *options)
        assert (status, f"name: {name}" in printed) == (0, True), error
        assert Composer(options[1:]).configuration(["model=mlp"]).model["name"] == name


def test_every_flag_of_train_knows_the_project(project, call, monkeypatch):
    assert " net," in " ".join(call("train", "--help")[1].split())
    assert f"file://{project / 'conf'}" in call("train", "--info", "searchpath")[1]
    assert "tiny_nets.net" in call("train", "--cfg", "job")[1]
    plan = call("train", "-m", "seed=0,1", "--dry-run")[1]
    assert plan.count("mnist_5k-net-adam-") == 2

    assert "name: lenet5" in call("train", "--config-name", "config", "--cfg", "job")[1]


def test_search_has_the_projects_defaults(project):
    request = read_request(["optimizer.learning_rate=interval(0.1,0.2)", "search.trials=1"])
    assert request.config.model["name"] == "net"


def test_table_of_the_project_needs_no_config_dir(project, dry_call):
    write(
        project,
        {
            "experiments/mine/table.yaml": (
                "title: mine\nsource: ours\nmetric: accuracy\nunit: accuracy\ntest_examples: 1000\ntest_set: same\n"
                'seeds: 2\nrows:\n  - {label: net, claimed: "0.9", overrides: [model=net]}\n'
            )
        },
    )
    status, printed, error = dry_call("table", "mine", "--dry-run")
    assert (status, "2 jobs: 2 new" in printed) == (0, True), error


def test_project_file_that_would_replace_config_yaml_is_refused(project, call):
    write(project, {"pyproject.toml": TEXT.replace("config_name", "#"), "conf/config.yaml": "training: {epochs: 1}\n"})
    error = " ".join(call("train", "--cfg", "job")[2].split())
    assert "it takes the place of fitbench's config.yaml" in error
    assert 'or config_name = "mine" in [tool.fitbench]' in error


def test_missing_choice_says_where_those_of_a_project_are(project, call):
    assert "config_dir in pyproject.toml" in " ".join(call("train", "model=xyzzy")[2].split())


def test_code_is_found_after_pythonpath_and_before_the_library_here_and_in_children(project, monkeypatch):
    write(project, {"given/tiny_nets.py": "", "src/json.py": "raise SystemExit('the wrong json')\n"})
    monkeypatch.setenv("PYTHONPATH", str(project / "given"))
    use_source(find_settings())
    use_source(find_settings())
    assert os.environ["PYTHONPATH"] == f"{project / 'given'}{os.pathsep}{project / 'src'}"
    assert sys.path.count(str(project / "src")) == 1
    child = [sys.executable, "-c", "import tiny_nets; print(tiny_nets.__file__)"]
    assert subprocess.run(child, capture_output=True, text=True, check=True).stdout.strip() == str(
        project / "given" / "tiny_nets.py"
    )


def test_commands_that_only_read_do_not_look_at_the_project(project, call):
    (project / "pyproject.toml").write_text("[tool.fitbench]\nwrong = 1\n")
    assert "wrong" not in call("runs")[2]
    assert "wrong: there is no such key" in call("predict", "x", "y.png", "--trust")[2]


def test_wrong_setting_is_an_exception_from_python(project):
    (project / "pyproject.toml").write_text("[tool.fitbench]\nwrong = 1\n")
    with pytest.raises(RequestError, match="wrong: there is no such key"):
        Composer()
