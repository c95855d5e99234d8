"""The trash: every run is whole, here or there, and comes back to where it was."""

import json
import os
import shutil
from pathlib import Path

import pytest

from fitbench.errors import FitbenchError, RequestError
from fitbench.record import processes, trash_moves
from fitbench.record.folder import run_folders
from fitbench.record.trash import BESIDE_RUNS, TRASH, in_trash_of, size, study_files, trained_anew, trashed
from fitbench.record.trash_moves import delete, put_away, restore


@pytest.fixture
def outputs(tmp_path):
    """Two studies of bare run folders, the first with files of a search."""
    for study, name in (("first", "a-s0"), ("first", "a-s1"), ("second", "a-s0")):
        folder = tmp_path / "outputs" / study / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(f"study: {study}\n")
    (tmp_path / "outputs/first/search.json").write_text("{}")
    return tmp_path / "outputs"


def content(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_runs_go_and_come_back_with_what_is_beside_the_last_of_a_study(outputs):
    before = content(outputs)
    one, two = outputs / "first/a-s0", outputs / "first/a-s1"
    put_away([one], outputs)
    assert (outputs / "first/search.json").exists()  # a run of the study is still there
    put_away([two], outputs)
    assert not (outputs / "first").exists()
    assert [str(run.place) for run in trashed(outputs)] == ["first/a-s1", "first/a-s0"]
    assert list(run_folders([str(outputs)], [])) == [str(outputs / "second/a-s0")]
    assert restore(trashed(outputs)) == []
    assert content(outputs) == before
    assert not any((outputs / TRASH).iterdir())


def test_a_run_that_is_trained_and_put_away_again_stands_beside_the_first(outputs):
    folder = outputs / "second/a-s0"
    put_away([folder], outputs)
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("study: again\n")
    put_away([folder], outputs)
    newer, older = trashed(outputs)
    assert newer.home == older.home == folder
    with pytest.raises(RequestError, match=f"is in the trash several times; name one: .*{older.name}"):
        restore([newer, older])
    restore([older])
    assert (folder / "config.yaml").read_text() == "study: second\n"
    with pytest.raises(RequestError, match="there is a run again; put it in the trash or move it first"):
        restore([newer])
    assert (newer.folder / "config.yaml").read_text() == "study: again\n"


def test_a_run_that_is_being_trained_holds_all_others(outputs):
    (outputs / "first/a-s1/claim.json").write_text(json.dumps(processes.this_process()))
    with pytest.raises(RequestError, match=r"a-s1 is being trained; stop that first. Nothing was put"):
        put_away([outputs / "first/a-s0", outputs / "first/a-s1"], outputs)
    assert not (outputs / TRASH).exists()


def test_files_of_a_search_that_is_at_work_stay(outputs):
    claim = outputs / "first/.search/3/claim.json"
    claim.parent.mkdir(parents=True)
    claim.write_text(json.dumps(processes.this_process()))
    put_away([outputs / "first/a-s0", outputs / "first/a-s1"], outputs)
    assert (outputs / "first/search.json").exists()
    assert claim.exists()


def test_a_file_of_a_study_that_is_there_again_is_not_replaced(outputs):
    put_away([outputs / "first/a-s0", outputs / "first/a-s1"], outputs)
    (outputs / "first").mkdir()
    (outputs / "first/search.json").write_text("new")
    runs = trashed(outputs)
    old = runs[0].study_folder / "search.json"
    assert restore(runs) == [old]
    assert (outputs / "first/search.json").read_text() == "new"
    assert old.read_text() == "{}"
    [left] = trashed(outputs)  # it is listed without a run
    assert (left.is_search, left.name, left.bytes > 0) == (True, f"{runs[0].time}/first", True)
    (outputs / "first/search.json").unlink()
    assert restore([left]) == trashed(outputs) == []
    assert (outputs / "first/search.json").read_text() == "{}"


def test_record_of_a_sweep_goes_with_the_last_run_and_comes_back(outputs):
    (outputs / "second/sweep.json").write_text("{}")
    runs = put_away([outputs / "second/a-s0"], outputs)
    assert content(outputs / "second") == []
    restore(runs)
    assert (outputs / "second/sweep.json").read_text() == "{}"


def test_links_and_what_is_in_the_trash_are_refused(outputs):
    link = outputs / "second/link"
    link.symlink_to(outputs / "first/a-s0")
    with pytest.raises(RequestError, match=r"link is reached through a link and is .*a-s0; name that folder"):
        put_away([link], outputs)
    [run] = put_away([outputs / "first/a-s0"], outputs)
    with pytest.raises(RequestError, match="is in the trash; fitbench trash --empty"):
        put_away([run.folder], outputs)


def test_another_file_system_is_said_and_the_run_stays_whole(outputs, monkeypatch):
    def across(self, target):
        raise OSError(18, os.strerror(18), str(self))

    monkeypatch.setattr(trash_moves.Path, "rename", across)
    with pytest.raises(FitbenchError, match=r"a-s0: cannot be moved to .*: it is on another file system"):
        put_away([outputs / "first/a-s0"], outputs)
    assert (outputs / "first/a-s0/config.yaml").exists()


def test_some_or_all_runs_are_deleted_for_good(outputs):
    put_away([outputs / "first/a-s0", outputs / "first/a-s1", outputs / "second/a-s0"], outputs)
    second, first, other = trashed(outputs)
    delete(outputs, [second])
    assert trashed(outputs) == [first, other]
    delete(outputs, [first, other])
    assert not (outputs / TRASH).exists()  # with the files of the search
    assert content(outputs) == []


def test_what_a_killed_deletion_has_left_is_no_run_and_is_deleted_by_the_next(outputs):
    (outputs / TRASH / ".deleted/0123").mkdir(parents=True)
    (outputs / TRASH / ".deleted/0123/config.yaml").write_text("")
    assert trashed(outputs) == []
    delete(outputs, [])
    assert not (outputs / TRASH).exists()


def test_size_is_that_on_the_disk_and_follows_no_link(outputs, tmp_path):
    folder = outputs / "first/a-s0"
    before = size(folder)
    (tmp_path / "large").write_bytes(os.urandom(10**6))
    (folder / "link").symlink_to(tmp_path / "large")
    assert size(folder) < before + 10**5
    (folder / "link").unlink()
    (tmp_path / "large").rename(folder / "large")
    assert size(folder) >= before + 10**6


def test_launches_are_told_of_runs_in_the_trash_that_are_not_there_again(outputs):
    folders = [outputs / "first/a-s0", outputs / "first/a-s1"]
    assert trained_anew(folders) is None
    runs = put_away(folders, outputs)
    assert trained_anew(folders) == (
        "2 of these runs are in the trash; they are trained again; fitbench trash --list shows them"
    )
    assert trained_anew(folders[:1]) == (
        "a-s0 is in the trash and is trained again; to keep the old run, first give: "
        f"fitbench trash --restore {runs[0].name} --outputs {outputs}"
    )
    assert in_trash_of(outputs / "first") == (
        "runs of this study that are in the trash: 2; a trial of such a configuration is trained again"
    )
    for folder in folders:
        folder.mkdir(parents=True)  # Hydra makes the folder of a run before it is asked
    assert trained_anew(folders) is not None
    (folders[0] / "config.yaml").touch()
    assert trained_anew(folders[:1]) is None
    assert in_trash_of(outputs / "second") is None


def test_a_trash_that_cannot_be_read_stops_no_launch(outputs, monkeypatch):
    put_away([outputs / "first/a-s0"], outputs)
    monkeypatch.setattr(os, "scandir", lambda _path: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    assert trained_anew([outputs / "first/a-s0"]) is None
    assert in_trash_of(outputs / "first") is None
    with pytest.raises(PermissionError):
        trashed(outputs)


def test_a_folder_whose_name_is_no_time_is_foreign(outputs):
    (run := outputs / TRASH / "99999999T999999Z" / "first" / "a-s0").mkdir(parents=True)
    (run / "config.yaml").touch()
    assert trashed(outputs) == []


@pytest.fixture
def searched(outputs):
    """The first study with all files that a search writes, and with files of other origin."""
    for name in (
        "search.journal",
        "search.journal.lock",
        "search_history.png",
        ".search/where",
        "thesis.tex",
        ".git/HEAD",
    ):
        path = outputs / "first" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return outputs / "first"


def test_beside_runs_only_the_files_of_a_search_are_moved_and_deleted(outputs, searched):
    before = content(outputs)
    put_away([searched / "a-s0", searched / "a-s1"], outputs)
    assert content(searched) == [".git/HEAD", "thesis.tex"]  # a search that begins now is a new one
    assert restore(trashed(outputs)) == []
    assert content(outputs) == before
    runs = put_away([searched / "a-s0", searched / "a-s1"], outputs)
    (runs[0].study_folder / "thesis.tex").write_text("mine")
    (outputs / TRASH / "mine").mkdir()
    assert delete(outputs, trashed(outputs)) == [outputs / TRASH / runs[0].time, outputs / TRASH / "mine"]
    assert content(searched) == [".git/HEAD", "thesis.tex"]
    assert content(outputs / TRASH) == [f"{runs[0].time}/first/thesis.tex"]


def test_the_files_of_a_search_come_back_with_the_first_run_of_it(outputs, searched):
    (searched / "search.json").write_text(json.dumps({"trials": [{"run_ids": ["a-s0"]}, {"run_ids": ["a-s1"]}]}))
    before = content(outputs)
    put_away([searched / "a-s0"], outputs)
    put_away([searched / "a-s1"], outputs)
    second, first = trashed(outputs)
    restore([first])
    assert (searched / "search.journal").read_text() == "search.journal"
    assert not study_files(second.study_folder)
    restore([second])
    assert content(outputs) == before
    assert not any((outputs / TRASH).iterdir())


def test_the_files_of_a_search_stay_in_the_trash_when_a_run_comes_back_that_is_not_of_it(outputs, searched):
    (searched / "search.json").write_text(json.dumps({"trials": [{"run_ids": ["a-s1"]}]}))
    [earlier] = put_away([searched / "a-s0"], outputs)
    put_away([searched / "a-s1"], outputs)
    (searched / "a-s2").mkdir()
    (searched / "a-s2/config.yaml").write_text("study: first\n")
    [later] = put_away([searched / "a-s2"], outputs)
    restore([earlier, later])
    assert not study_files(searched)


def test_the_files_of_a_search_have_these_names():
    from fitbench.analysis.search_record import FILE
    from fitbench.tuning.storage import JOURNAL
    from fitbench.tuning.study import CLAIMS

    for name in (FILE, JOURNAL, f"{JOURNAL}.lock", CLAIMS, "search_history.png", "search_slices.png"):
        assert any(Path(name).match(pattern) for pattern in BESIDE_RUNS), name


@pytest.mark.parametrize("place", ["a-s0", "deeper/first/a-s0"])
def test_a_run_that_is_not_below_a_study_of_the_outputs_folder_is_refused(outputs, place):
    (outputs / place).parent.mkdir(parents=True, exist_ok=True)
    run = (outputs / "first/a-s0").rename(outputs / place)
    with pytest.raises(RequestError, match=r"is not <outputs>/<study>/<run_id>, with .*outputs as the outputs folder"):
        put_away([outputs / "second/a-s0", run], outputs)
    assert (run / "config.yaml").exists()
    assert not (outputs / TRASH).exists()


def test_a_run_in_no_outputs_folder_must_be_in_a_folder_named_after_its_study(make_run, tmp_path, outputs):
    run = make_run("study=mine")
    copied = tmp_path / "home/Downloads" / run.name
    shutil.copytree(run, copied)
    with pytest.raises(RequestError, match=r"is in no outputs folder: .*Downloads is not named after the study"):
        put_away([copied], tmp_path / "elsewhere")
    copied = copied.parent.rename(copied.parent.with_name("mine")) / run.name
    [put] = put_away([copied], tmp_path / "elsewhere")
    assert put.trash == tmp_path / "home" / TRASH
    assert not copied.exists()


def test_a_run_behind_a_link_in_any_parent_is_refused(outputs, tmp_path):
    elsewhere = tmp_path / "elsewhere/first"
    elsewhere.parent.mkdir()
    shutil.move(outputs / "first", elsewhere)
    (outputs / "link").symlink_to(elsewhere)
    (outputs / "deep").symlink_to(elsewhere.parent)
    (outputs / "same").symlink_to(outputs / "second")
    before = content(tmp_path)
    for run in ("link/a-s0", "deep/first/a-s0", "same/a-s0"):
        with pytest.raises(RequestError, match=r"is reached through a link and is .*; name that folder, or remove"):
            put_away([outputs / run], outputs)
    assert content(tmp_path) == before


def test_the_current_folder_is_not_removed(outputs, monkeypatch):
    monkeypatch.chdir(outputs / "second")
    put_away([Path("a-s0")], Path(".."))
    assert content(outputs / "second") == []
    assert Path.cwd() == outputs / "second"
    restore(trashed(Path("..")))
    assert content(outputs / "second") == ["a-s0/config.yaml"]


def test_the_outputs_folder_itself_may_be_a_link(outputs, tmp_path):
    link = tmp_path / "scratch"
    link.symlink_to(outputs)
    put_away([link / "first/a-s0", outputs / "first/a-s1"], link)
    assert [run.place.name for run in trashed(outputs)] == ["a-s1", "a-s0"]


@pytest.mark.parametrize("link", [TRASH, f"{TRASH}/.deleted", "TIME", "TIME/first"])
def test_nothing_is_deleted_through_a_link(outputs, tmp_path, link):
    [run] = put_away([outputs / "first/a-s0"], outputs)
    path = outputs / TRASH / link.replace("TIME", run.time) if link.startswith("TIME") else outputs / link
    target = tmp_path / "target"
    path.rename(target) if path.exists() else target.mkdir()
    (target / "thesis.tex").write_text("mine")
    path.symlink_to(target)
    before = content(target)
    if TRASH in link:
        for move in (lambda: delete(outputs, [run]), lambda: put_away([outputs / "first/a-s1"], outputs)):
            with pytest.raises(RequestError, match=f"{path.name} is a link to {target}; nothing is moved or deleted"):
                move()
    else:
        assert trashed(outputs) == []
        assert delete(outputs, trashed(outputs)) == [outputs / TRASH / run.time]
    assert content(target) == before


def test_a_search_comes_back_before_its_runs_so_that_a_killed_restoration_leaves_it_not_alone(outputs, monkeypatch):
    put_away([outputs / "first/a-s0", outputs / "first/a-s1"], outputs)
    rename = trash_moves.Path.rename

    def killed(self, target):
        if self.name == "a-s0":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(trash_moves.Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        restore(trashed(outputs))
    monkeypatch.undo()
    assert content(outputs / "first") == ["a-s1/config.yaml", "search.json"]
    restore(trashed(outputs))
    assert content(outputs / "first") == ["a-s0/config.yaml", "a-s1/config.yaml", "search.json"]


def test_the_search_of_a_run_that_just_begins_stays(outputs):
    begun = outputs / "first/a-s2"
    begun.mkdir()
    (begun / "claim.json").write_text(json.dumps(processes.this_process()))  # config.yaml comes after it
    put_away([outputs / "first/a-s0", outputs / "first/a-s1"], outputs)
    assert content(outputs / "first") == ["a-s2/claim.json", "search.json"]


def test_a_failure_says_what_brings_back_the_runs_that_were_moved_before(outputs, monkeypatch):
    rename = trash_moves.Path.rename

    def full(self, target):
        if self.name == "a-s1":
            raise OSError(28, os.strerror(28), str(self))
        return rename(self, target)

    monkeypatch.setattr(trash_moves.Path, "rename", full)
    with pytest.raises(FitbenchError, match=r"a-s1: cannot be moved .*: No space.* 1 run moved before: fitbench trash"):
        put_away([outputs / "first/a-s0", outputs / "first/a-s1"], outputs)
    monkeypatch.undo()
    [run] = trashed(outputs)
    put_away([outputs / "first/a-s1"], outputs)
    assert restore(trashed(outputs)) == []
    assert run.home.exists()


def test_of_two_processes_that_put_away_the_same_runs_the_second_names_the_time_of_the_first(outputs, monkeypatch):
    runs = [outputs / "first/a-s0", outputs / "first/a-s1"]
    first = []
    new_time = trash_moves._new_time

    def meanwhile(trash):
        monkeypatch.undo()
        first.extend(put_away(runs, outputs))
        return new_time(trash)

    monkeypatch.setattr(trash_moves, "_new_time", meanwhile)
    with pytest.raises(FitbenchError, match="a-s0 and 1 more have been moved by another process meanwhile; ") as caught:
        put_away(runs, outputs)
    assert f"fitbench trash --restore {first[0].time} --outputs" in str(caught.value)
    assert [path.name for path in (outputs / TRASH).iterdir()] == [first[0].time]
    assert len(trashed(outputs)) == 2
