import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fitbench import cli
from fitbench.analysis.frame import load_runs
from fitbench.analysis.request import Which, selected_runs
from fitbench.analysis.studies import newest_studies
from fitbench.errors import RequestError


def finish(folder: Path, day: int) -> Path:
    path = folder / "result.json"
    result = json.loads(path.read_text()) | {"finished_at": f"2026-03-0{day}T00:00:00Z"}
    path.write_text(json.dumps(result))
    return folder


@pytest.fixture
def outputs(make_run, tmp_path, monkeypatch) -> Path:
    """Three studies, of which that in the middle by name has the run that finished last."""
    for study, days in (("a", (1, 2)), ("b", (3, 6)), ("c", (4, 5))):
        for seed, day in enumerate(days):
            finish(make_run(f"seed={seed}", f"study={study}"), day)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "outputs"


def studies_of(which: Which) -> list[str]:
    return sorted(selected_runs(which)["study"].unique())


SAID = "fitbench: study b, the newest; --study NAME shows another, --all adds 4 runs of 2 other studies\n"


def test_the_newest_of_several_studies_is_meant_and_said(outputs, capsys):
    assert studies_of(Which()) == ["b"]
    assert capsys.readouterr().err == SAID


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (Which(every=True), "abc"),
        (Which(study="c"), "c"),
        (Which(study="c, a"), "ac"),
        (Which(where="study != 'b'"), "ac"),
        (Which(["outputs/c"]), "c"),
        (Which(["outputs/c", "outputs/a"]), "ac"),
    ],
)
def test_what_is_named_is_not_narrowed(outputs, which, expected, capsys):
    assert "".join(studies_of(which)) == expected
    assert capsys.readouterr().err == ""


def test_a_filter_chooses_among_the_runs_before_the_newest_study_is_looked_for(outputs, capsys):
    make_old = "seed == 0"  # of the seed 0, that of c finished last
    assert studies_of(Which(where=make_old)) == ["c"]
    assert "study c, the newest" in capsys.readouterr().err


def test_a_run_is_of_the_study_whose_folder_it_is_in_whatever_it_was_recorded_under(outputs, make_run, capsys):
    (moved,) = (outputs / "a").glob("*-s1")
    moved.rename(outputs / "c" / "moved")
    assert studies_of(Which(["outputs/c"])) == ["c"]
    assert studies_of(Which([outputs / "c" / "moved"])) == ["c"]
    (outputs / "c").rename(outputs / "renamed")
    assert studies_of(Which(["outputs"], study="renamed")) == ["renamed"]
    assert capsys.readouterr().err == ""
    with pytest.raises(RequestError, match="there is no study 'c' here"):
        selected_runs(Which(["outputs"], study="c"))


def test_a_study_of_one_name_in_two_folders_is_one_study(make_run, tmp_path, capsys):
    for part in ("x", "y"):
        finish(make_run(f"seed={'xy'.index(part)}", "study=same", outputs=tmp_path / "all" / part), 1)
    assert len(selected_runs(Which([tmp_path / "all"]))) == 2
    assert capsys.readouterr().err == ""


def test_files_that_are_written_later_make_no_study_the_newest(outputs, make_run):
    old = next((outputs / "a").iterdir())
    (old / "curves.png").write_text("")
    os.utime(old / "result.json")
    interrupted = make_run("seed=7", "study=d", finished=False)
    for path in interrupted.iterdir():
        os.utime(path, (0, 1))
    (interrupted / "notes.json").write_text("{}")
    assert newest_studies(load_runs(outputs)) == ["b", "c", "a", "d"]
    os.utime(interrupted / "history.jsonl")
    assert newest_studies(load_runs(outputs))[0] == "d"


def test_commands_that_need_finished_runs_take_the_newest_study_that_has_one(outputs, make_run, capsys):
    make_run("seed=7", "study=d", finished=False)
    assert studies_of(Which()) == ["b"]
    assert "study b, the newest with a finished run; --study NAME shows another" in capsys.readouterr().err
    assert newest_studies(load_runs(outputs), finished=True) == ["b", "c", "a", "d"]
    assert newest_studies(load_runs(outputs))[0] == "d"


@pytest.mark.parametrize(("name", "expected"), [("c", 2), ("@best", 1), ("a/@latest", 1)])
def test_every_command_that_takes_folders_takes_names_of_studies_and_runs(outputs, name, expected):
    done = CliRunner().invoke(cli.app, ["runs", name, "--format", "csv"])
    assert len(done.stdout.splitlines()) == expected + 1, done.output
    for words in (["compare", name], ["plot", name, "--kind", "bars", "-o", "x.png"], ["report", name, "-o", "x.html"]):
        done = CliRunner().invoke(cli.app, words)
        assert done.exit_code == 0, done.output
        assert "the newest" not in done.stderr


def test_a_folder_goes_before_a_study_of_its_name(outputs, make_run, tmp_path):
    make_run("seed=9", "study=z", outputs=tmp_path / "c")
    assert studies_of(Which(["c"]).located()) == ["z"]
    with pytest.raises(
        RequestError, match="'nosuch' fits none of the 6 runs in outputs, and no study; fitbench runs --all lists them"
    ):
        Which(["nosuch"]).located()


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (Which(study="bb"), "--study bb: there is no study 'bb' here; did you mean b?"),
        (Which(study="a,zzz"), "--study a,zzz: there is no study 'zzz' here; there are a, b, c"),
        (Which(study="a", every=True), "--study and --all exclude each other; leave one out"),
    ],
)
def test_a_study_that_is_not_there_is_refused(outputs, which, message):
    with pytest.raises(RequestError, match=re.escape(message)):
        selected_runs(which)


def test_every_command_says_it_in_the_same_words_and_csv_and_json_hold_all(outputs):
    def call(*arguments: str) -> tuple[str, str]:
        done = CliRunner().invoke(cli.app, arguments)
        assert done.exit_code == 0, done.output
        return done.stdout, done.stderr

    for arguments in (("runs",), ("compare",), ("plot", "--kind", "bars", "-o", "a.png")):
        assert SAID in call(*arguments)[1]
    for command in ("runs", "compare"):
        out, err = call(command, "--format", "json")
        assert SAID not in err
        if command == "runs":
            assert {run["study"] for run in json.loads(out)} == {"a", "b", "c"}
            assert {run["study"] for run in json.loads(call("runs", "--format", "json", "--study", "a")[0])} == {"a"}
