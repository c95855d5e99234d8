"""notes.json: read, changed by several processes at once, and never half-written."""

import json
import subprocess
import sys

import pytest

from fitbench.errors import FitbenchError, RequestError
from fitbench.record.files import remove_unfinished
from fitbench.record.notes import FILE, LOCK, Notes, change_notes, check_tags, read_notes

ADD = """
import sys
from pathlib import Path
from fitbench.record.notes import change_notes
for number in range(15):
    change_notes([Path(sys.argv[1])], lambda noted: noted.changed(None, [f"{sys.argv[2]}{number}"]))
"""


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "outputs/study/run"
    folder.mkdir(parents=True)
    return folder


def test_tags_and_note_are_read_as_they_were_written_and_an_empty_file_is_removed(run):
    change_notes([run], lambda noted: noted.changed("two\nlines", ["paper", "bad"]))
    assert read_notes(run) == Notes(("bad", "paper"), "two\nlines")
    assert json.loads((run / FILE).read_text()) == {"schema": 1, "tags": ["bad", "paper"], "note": "two\nlines"}
    change_notes([run], lambda noted: noted.changed(None, remove=["bad"]))
    assert read_notes(run) == Notes(("paper",), "two\nlines")
    change_notes([run], lambda noted: noted.changed("", remove=["paper"]))
    assert list(run.iterdir()) == []
    assert list(run.parent.iterdir()) == [run]  # without the lock


def test_processes_that_add_tags_at_the_same_time_lose_none(run):
    processes = [subprocess.Popen([sys.executable, "-c", ADD, str(run), name]) for name in "ab"]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert set(read_notes(run).tags) == {f"{name}{number}" for name in "ab" for number in range(15)}
    assert not (run.parent / LOCK).exists()


def test_a_lock_that_a_killed_process_has_left_is_taken_over(run):
    lock = run.parent / LOCK
    lock.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", "import json; from fitbench.record.claims import _self; print(json.dumps(_self()))"],
        capture_output=True, check=True,
    )  # fmt: skip
    (lock / "claim.json").write_bytes(ended.stdout)
    change_notes([run], lambda noted: noted.changed("x"))
    assert read_notes(run).note == "x"


def test_training_that_begins_while_a_note_is_written_does_not_lose_it(run, monkeypatch):
    from fitbench.record import notes

    write, calls = notes.write_whole, []

    def interfered(path, content):
        calls.append(path)
        if len(calls) == 1:
            remove_unfinished(run)
            raise FileNotFoundError(path)  # as the rename does
        write(path, content)

    monkeypatch.setattr(notes, "write_whole", interfered)
    change_notes([run], lambda noted: noted.changed("kept"))
    assert read_notes(run).note == "kept"


def test_a_run_that_has_gone_is_said(run):
    run.rmdir()
    with pytest.raises(RequestError, match="run has gone; another process has moved it"):
        change_notes([run], lambda noted: noted.changed("x"))


def test_a_note_may_have_as_many_commas_as_characters(run):
    change_notes([run], lambda notes: notes.changed("," * 5_000))
    assert read_notes(run).note == "," * 5_000


def test_limits_are_said_and_nothing_is_written(run):
    with pytest.raises(RequestError, match="would have 101 tags; a run has up to 100"):
        change_notes([run], lambda noted: noted.changed(None, [f"t{number}" for number in range(101)]))
    with pytest.raises(RequestError, match="the note has 5,001 characters; it may have 5,000"):
        change_notes([run], lambda noted: noted.changed("x" * 5001))
    assert list(run.iterdir()) == []


@pytest.mark.parametrize("tag", ["", "-x", "a b", "a,b", "a'b", "[x]", "x" * 51, "a\n", "\x1b"])
def test_what_is_no_tag(tag):
    with pytest.raises(RequestError, match="is no tag; a tag begins with a letter or digit"):
        check_tags([tag])


def test_tags_of_other_alphabets_and_versions_are_tags():
    check_tags(["größe", "v1.2", "icml-2026", "a/b", "x" * 50, "7"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"schema": 2}, "schema 2; this fitbench reads schema 1"),
        ({"schema": 1, "tags": "paper"}, "tags is 'paper'; it must be a list of up to 100 tags"),
        ({"schema": 1, "tags": ["a b"]}, r"tags is \['a b'\]; it must be a list of up to 100 tags, each of up to 50"),
        ({"schema": 1, "note": 3}, "note is 3; it must be text"),
        ({"schema": 1, "note": "x" * 20_000}, "a text of 20,000 characters"),
    ],
)
def test_a_damaged_file_is_named_and_never_replaced(run, content, reason):
    (run / FILE).write_text(json.dumps(content))
    with pytest.raises(FitbenchError, match=f"{FILE}: .*{reason}"):
        read_notes(run)
    with pytest.raises(FitbenchError, match=reason):
        change_notes([run], lambda noted: noted.changed("x"))
    assert json.loads((run / FILE).read_text()) == content
