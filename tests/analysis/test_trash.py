"""`fitbench trash`: what is put away, listed, restored and deleted, and what is said of it."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from fitbench.analysis.trash import _bytes
from fitbench.launch.plan import plan, remarks
from fitbench.launch.sweep_job import Job
from fitbench.record.folder import run_folders
from fitbench.record.trash import trashed


@pytest.fixture
def runs(make_run):
    """Three runs of study `old` and two of study `new`; run_ids s0 and s1 are in both."""
    seeds = {"old": (0, 1, 2), "new": (0, 1)}
    return {
        f"{study}{seed}": make_run(f"study={study}", f"seed={seed}") for study in seeds for seed in seeds[study]
    }  # fmt: skip


def here(tmp_path: Path) -> list[str]:
    return sorted(f"{Path(folder).parent.name}{folder[-1]}" for folder in run_folders([str(tmp_path / "outputs")], []))


def test_a_study_is_put_away_listed_and_restored_by_its_time(call, runs, tmp_path):
    status, out, err = call("trash", "old")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Put in the trash: 3 runs"
    assert lines[-1] == f"fitbench trash --restore {trashed(Path('outputs'))[0].time} puts them back"
    assert here(tmp_path) == ["new0", "new1"]
    assert "2 runs: 2 finished" in call("runs")[1]
    status, out, _ = call("trash", "--list")
    assert [line.split()[0] for line in out.splitlines()[1:4]] == [f"old/{runs[f'old{i}'].name}" for i in (2, 1, 0)]
    assert out.splitlines()[-1].startswith("3 runs, ")
    listed = json.loads(call("trash", "--list", "--format", "json")[1])
    assert [each["study"] for each in listed] == ["old"] * 3
    assert all(each["bytes"] > 10_000 and Path(each["folder"]).is_dir() for each in listed)
    status, out, _ = call("trash", "--restore", lines[-1].split()[3])
    assert (status, out.splitlines()[0]) == (0, "Restored: 3 runs")
    assert here(tmp_path) == ["new0", "new1", "old0", "old1", "old2"]
    assert call("trash", "--list")[1] == "There is nothing in the trash of outputs.\n"


def test_a_filter_chooses_here_and_in_the_trash(call, runs, tmp_path):
    call("note", runs["old0"], runs["new0"], "--add", "bad")
    status, out, _ = call("trash", "--where", "'bad' in tags")
    assert (status, out.splitlines()[0]) == (0, "Put in the trash: 2 runs (1 of new, 1 of old)")
    assert here(tmp_path) == ["new1", "old1", "old2"]
    assert call("trash", "--list", "--study", "new", "--where", "seed == 0")[1].count(runs["new0"].name) == 1
    assert call("trash", "--restore", "--where", "'bad' in tags and study == 'old'")[0] == 0
    assert here(tmp_path) == ["new1", "old0", "old1", "old2"]
    status, _, err = call("trash", "--restore", "--where", "seed == 1")
    assert (status, err) == (2, "fitbench: --where 'seed == 1' keeps none of the 1 run\n")


def test_names_in_the_trash(call, runs, tmp_path):
    call("trash", *runs.values())
    status, _, err = call("trash", "--restore", runs["new0"].name)
    assert status == 2
    assert "fits 2 runs in the trash:" in err
    assert f"/new/{runs['new0'].name}\n" in err
    assert call("trash", "--restore", f"new/{runs['new0'].name}")[0] == 0
    assert call("trash", "--restore", "old/mnist_5k-mlp-adam-85362c88-s2")[0] == 0
    assert call("trash", "--restore", "new")[0] == 0
    assert here(tmp_path) == ["new0", "new1", "old2"]
    status, _, err = call("trash", "--restore", "s7")
    assert (status, err) == (2, "fitbench: 's7' fits none of the 2 runs in the trash; --list shows them\n")


def test_deleting_needs_an_answer_or_yes(call, runs, tmp_path):
    call("trash", "outputs/old")
    status, out, err = call("trash", "--empty")
    assert (status, out) == (2, "")
    assert err.startswith("fitbench: Delete 3 runs (")
    assert err.endswith(" for good? Nobody can be asked here; add --yes\n")
    status, out, _ = call("trash", "--empty", "s2", "--yes")
    assert (status, out.startswith("Deleted 1 run for good; ")) == (0, True)
    assert len(trashed(Path("outputs"))) == 2
    assert call("trash", "--empty", "-y")[1].startswith("Deleted 2 runs for good; ")
    assert not (tmp_path / "outputs/.trash").exists()
    assert call("trash", "--empty", "-y") == (0, "There is nothing in the trash of outputs.\n", "")


@pytest.mark.parametrize(("answer", "left"), [("n\n", 2), ("\n", 2), ("yes\n", 0)])
def test_a_terminal_is_asked(call, runs, tmp_path, answer, left):
    call("trash", "outputs/new")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "fitbench", "trash", "--empty"], cwd=tmp_path, stdin=theirs, stderr=theirs,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, answer.encode())
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    assert (process.returncode, out.startswith("Deleted")) == (int(left > 0), left == 0)
    assert len(trashed(tmp_path / "outputs")) == left


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which runs? name runs or a study, or select them with --where; --list shows the trash"),
        (["--restore"], "which runs? name runs, a study or a time of fitbench trash --list, or select with --where"),
        (["--restore", "x"], "there is nothing in the trash of outputs"),
        (["--list", "--empty"], "--list, --restore and --empty exclude each other"),
        (["mnst"], "'mnst' fits none of the 5 runs"),
        ([""], "'' names no run; give a run folder, a run_id or a part of one"),
        (["new", "  "], "'  ' names no run"),
        (["outputs/empty"], "outputs/empty holds no runs"),
        (["--where", "sed == 1"], "--where: there is no column 'sed'"),
    ],
)
def test_a_wrong_request_moves_nothing(call, runs, tmp_path, words, message):
    (tmp_path / "outputs/empty").mkdir()
    status, out, err = call("trash", *words)
    assert (status, out) == (2, "")
    assert message in err
    assert len(here(tmp_path)) == 5


def test_what_needs_the_runs_is_said(call, runs, tmp_path):
    config = runs["new1"] / "config.yaml"
    config.write_text(f"{config.read_text()}parent:\n  run_id: {runs['old0'].name}\n  folder: x\n")
    (runs["old1"].parent / "search.json").write_text("{}")
    status, _, err = call("trash", runs["old0"])
    assert status == 0
    assert err.splitlines() == [
        f"fitbench: outputs/new/{runs['new1'].name} continues {runs['old0'].name}; it cannot be trained again without "
        "that run",
        "fitbench: outputs/old/search.json keeps the trials of these runs; the search does not repeat them",
    ]


def test_damaged_runs_and_runs_of_other_outputs_can_be_put_away(call, runs, tmp_path):
    (runs["old0"] / "result.json").write_text("{")
    assert call("trash", runs["old0"])[0] == 0
    elsewhere = tmp_path / "other/study"
    elsewhere.mkdir(parents=True)
    runs["old1"].rename(elsewhere / runs["old1"].name)
    status, _, err = call("trash", "other/study")
    assert (status, "If it is the folder of a study, give --outputs" in err) == (2, True)
    status, out, _ = call("trash", "other/study", "--outputs", "other")
    assert (status, len(trashed(tmp_path / "other"))) == (0, 1)
    assert "--outputs other puts it back" in out
    assert here(tmp_path) == ["new0", "new1", "old2"]


def test_a_launch_counts_its_runs_in_the_trash_once(call, runs, composed, tmp_path):
    call("trash", "outputs/old")
    (outputs,) = {runs["old0"].parents[1]}
    configs = [composed("model=mlp", "study=old", f"seed={seed}") for seed in range(4)]
    jobs = [Job.of([], config.model_copy(update={"outputs": str(outputs)})) for config in configs]
    assert remarks(plan(jobs)) == [
        "3 of these runs are in the trash; they are trained again; fitbench trash --list shows them"
    ]
    assert remarks(plan(jobs[3:])) == []


def test_a_second_call_names_the_time_of_the_first(call, runs, tmp_path):
    call("trash", "outputs/new")
    back = f"fitbench trash --restore {trashed(Path('outputs'))[0].time} puts it back"
    (tmp_path / "outputs/new").mkdir(exist_ok=True)
    status, _, err = call("trash", "outputs/new")
    assert (status, err) == (
        2, f"fitbench: outputs/new holds no runs\nnew/{runs['new1'].name} is in the trash; {back}\n",
    )  # fmt: skip
    name = f"new/{runs['new0'].name}"
    assert call("trash", name)[2].endswith(f"\n{name} is in the trash; {back}\n")


def test_bytes_as_people_read_them():
    assert [_bytes(count) for count in (0, 999, 4_096, 12_345, 9_960_000, 123_456_789, 2_000_000_000)] == [
        "0 B", "999 B", "4.1 kB", "12 kB", "10.0 MB", "123 MB", "2.0 GB",
    ]  # fmt: skip


def test_a_whole_search_is_put_away_and_what_remains_of_it_is_listed(call, runs, tmp_path):
    study = runs["old0"].parent
    (study / "search.json").write_text("{}")
    (study / ".search").mkdir()
    (study / ".search/where").write_text("x")
    (study / "thesis.tex").write_text("mine")
    status, _, err = call("trash", "outputs/old")
    assert (status, err) == (
        0, "fitbench: the search of outputs/old is in the trash with its runs (.search, search.json); "
        "a search there is a new one\n",
    )  # fmt: skip
    assert [path.name for path in study.iterdir()] == ["thesis.tex"]
    (study / "search.json").write_text("new")
    (time,) = {run.time for run in trashed(Path("outputs"))}
    status, out, err = call("trash", "--restore", "old")
    assert (status, out.splitlines()[0]) == (0, "Restored: 3 runs")
    assert err == (
        f"fitbench: outputs/.trash/{time}/old/search.json stays in the trash: its study has such a file again\n"
    )
    out = call("trash", "--list")[1]
    assert "old (search)" in out
    assert "the files of 1 search, " in out
    assert json.loads(call("trash", "--list", "--format", "json")[1])[0]["run_id"] is None
    (tmp_path / "outputs/.trash/mine").mkdir()
    status, out, err = call("trash", "--empty", "--yes")
    assert (status, out.startswith("Deleted the files of 1 search for good; ")) == (0, True)
    assert err == "fitbench: outputs/.trash/mine stays: it holds no run and no search that fitbench has put there\n"
    assert (study / "search.json").read_text() == "new"
