"""The trash: every run is whole, here or there, and comes back to where it was."""

import json
import os

import pytest

from fitbench.errors import FitbenchError, RequestError
from fitbench.record import processes, trash
from fitbench.record.folder import run_folders
from fitbench.record.trash import TRASH, delete, in_trash_of, put_away, restore, size, trained_anew, trashed


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
    put_away(outputs, [one])
    assert (outputs / "first/search.json").exists()  # a run of the study is still there
    put_away(outputs, [two])
    assert not (outputs / "first").exists()
    assert [str(run.place) for run in trashed(outputs)] == ["first/a-s1", "first/a-s0"]
    assert list(run_folders([str(outputs)], [])) == [str(outputs / "second/a-s0")]
    assert restore(trashed(outputs)) == []
    assert content(outputs) == before
    assert not any((outputs / TRASH).iterdir())


def test_a_run_that_is_trained_and_put_away_again_stands_beside_the_first(outputs):
    folder = outputs / "second/a-s0"
    put_away(outputs, [folder])
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("study: again\n")
    put_away(outputs, [folder])
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
        put_away(outputs, [outputs / "first/a-s0", outputs / "first/a-s1"])
    assert not (outputs / TRASH).exists()


def test_files_of_a_search_that_is_at_work_stay(outputs):
    claim = outputs / "first/.search/3/claim.json"
    claim.parent.mkdir(parents=True)
    claim.write_text(json.dumps(processes.this_process()))
    put_away(outputs, [outputs / "first/a-s0", outputs / "first/a-s1"])
    assert (outputs / "first/search.json").exists()
    assert claim.exists()


def test_a_file_of_a_study_that_is_there_again_is_not_replaced(outputs):
    put_away(outputs, [outputs / "first/a-s0", outputs / "first/a-s1"])
    (outputs / "first").mkdir()
    (outputs / "first/search.json").write_text("new")
    runs = trashed(outputs)
    assert restore(runs) == [runs[0].folder.parent / "search.json"]
    assert (outputs / "first/search.json").read_text() == "new"
    assert (runs[0].folder.parent / "search.json").read_text() == "{}"


def test_links_and_what_is_in_the_trash_are_refused(outputs):
    link = outputs / "second/link"
    link.symlink_to(outputs / "first/a-s0")
    with pytest.raises(RequestError, match=r"link is a link to .*a-s0; name that run"):
        put_away(outputs, [link])
    [run] = put_away(outputs, [outputs / "first/a-s0"])
    with pytest.raises(RequestError, match="is in the trash; fitbench trash --empty"):
        put_away(outputs, [run.folder])


def test_another_file_system_is_said_and_the_run_stays_whole(outputs, monkeypatch):
    def across(self, target):
        raise OSError(18, os.strerror(18), str(self))

    monkeypatch.setattr(trash.Path, "rename", across)
    with pytest.raises(FitbenchError, match=r"a-s0: cannot be moved to .*: it is on another file system"):
        put_away(outputs, [outputs / "first/a-s0"])
    assert (outputs / "first/a-s0/config.yaml").exists()


def test_some_or_all_runs_are_deleted_for_good(outputs):
    put_away(outputs, [outputs / "first/a-s0", outputs / "first/a-s1", outputs / "second/a-s0"])
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
    delete(outputs, None)
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
    runs = put_away(outputs, folders)
    assert trained_anew(folders) == (
        "2 of these runs are in the trash; they are trained again; fitbench trash --list shows them"
    )
    assert trained_anew(folders[:1]) == (
        f"a-s0 is in the trash and is trained again; fitbench trash --restore {runs[0].name} --outputs {outputs} "
        "puts the old run back before that"
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
