"""`fitbench note`: which words are runs and which is the note, what is changed, shown and found again."""

import json

import pytest

from fitbench.analysis.chosen_runs import Choice
from fitbench.analysis.comparison import compare_groups
from fitbench.analysis.frame import load_runs, varying
from fitbench.analysis.note import is_text
from fitbench.analysis.request import Which
from fitbench.record.notes import Notes, read_notes


@pytest.fixture
def runs(make_run):
    """Two runs of study a, whose folder somebody has renamed to `a b`, and one of study c."""
    folders = [make_run("study=a", "seed=0"), make_run("study=a", "seed=1")]
    study = folders[0].parent.rename(folders[0].parent.with_name("a b"))
    return [*(study / folder.name for folder in folders), make_run("study=c", "seed=0")]


def test_runs_get_tags_and_a_note_which_are_shown_and_found(call, runs):
    status, out, err = call("note", runs[0], runs[2], "diverges at epoch 12", "--add", "bad,paper")
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "Noted 2 runs"
    assert read_notes(runs[0]) == read_notes(runs[2]) == Notes(("bad", "paper"), "diverges at epoch 12")
    status, out, err = call("note", runs[2], "--remove", "bad", "--text", "fine")
    assert (status, err) == (
        0, f"fitbench: the note of c/{runs[2].name} was: diverges at epoch 12\n"
    )  # fmt: skip
    status, out, _ = call("note", runs[2])
    assert out.splitlines()[1:] == ["tags paper", "fine"]
    status, out, _ = call("note", "--format", "json")
    assert [each["tags"] for each in json.loads(out)] == [["bad", "paper"], [], ["paper"]]
    status, out, _ = call("note")
    assert "2 runs with tags or a note, 1 without" in out
    assert [line.split()[-1] for line in out.splitlines()[1:3]] == ["12", "fine"]
    for where, count in (
        ("'paper' in tags", 2),
        ("not 'paper' in tags", 1),
        ("note == 'fine'", 1),
        ("tags == None", 1),
    ):
        assert json.loads(call("runs", "--all", "--where", where, "--format", "json")[1]).__len__() == count, where
    assert "tags paper\nfine\n" in call("show", runs[2])[1]
    shown = json.loads(call("show", runs[2], "--format", "json")[1])
    assert (shown["tags"], shown["note"]) == (["paper"], "fine")


def test_a_filter_chooses_runs_and_an_empty_text_removes_the_note(call, runs):
    status, _, err = call("note", "--where", "seed == 0", "all of seed 0")
    assert (status, [read_notes(run).note for run in runs]) == (0, ["all of seed 0", "", "all of seed 0"])
    call("note", runs[0].parent, "--add", "x")  # a study stands for all runs in it
    assert [read_notes(run).tags for run in runs] == [("x",), ("x",), ()]
    assert call("note", "a b", "--where", "seed == 1", "--remove", "x")[0] == 0  # so does its name
    assert [read_notes(run).tags for run in runs] == [("x",), (), ()]
    assert call("note", "--study", "c", "")[0] == 0
    assert [read_notes(run).note for run in runs] == ["all of seed 0", "", ""]
    status, _, err = call("note", "--where", "seed == 9", "--add", "y")
    assert (status, err) == (2, "fitbench: --where 'seed == 9' keeps none of the 3 runs\n")


@pytest.mark.parametrize(
    ("words", "where", "expected"),
    [
        (["RUN", "two words"], None, True),
        (["RUN", ""], None, True),
        (["RUN", "10/20 epochs"], None, True),
        (["two words"], "seed == 0", True),
        (["RUN", " a note with space around\n"], None, True),
        (["two words"], None, False),  # no run is chosen
        (["RUN", "word"], None, False),  # it may be a run that is misspelt
        (["RUN", "a b"], None, False),  # a study
        (["RUN", "a b/mnst"], None, False),  # a run in it, misspelt
        (["RUN", "outputs/a b/mnst"], None, False),
        (["RUN", "/else where/mnist"], None, False),
        (["RUN", "../else where/mnist"], None, False),
        (["two words", "RUN"], None, False),
    ],
)
def test_which_word_is_the_note(monkeypatch, runs, tmp_path, words, where, expected):
    monkeypatch.chdir(tmp_path)
    assert is_text(Choice(words, Which(where=where), tmp_path / "outputs")) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN", "mnst", "--add", "x"], "'mnst' fits none of the 3 runs"),
        (["two words", "--add", "x"], "'two words' fits none of the 3 runs"),
        (["--add", "x"], "which runs? name them before the text, or select them with --where or --study"),
        (["RUN", "word"], "\nA note of one word needs --text word"),
        (["@best", "hello"], "\nA note of one word needs --text hello"),
        (["RUN", " 85362c88-s1"], "' 85362c88-s1': a run or a note? A run has no white space"),
        (["RUN", "@best "], "'@best ': a run or a note?"),
        (["RUN", " a b"], "' a b': a run or a note?"),
        (["RUN", "  "], "'  ': a run or a note?"),
        (["", "--add", "x"], "'' names no run"),
        (["RUN", "--add", ","], "--add ',' names no tag; give TAG or TAG,TAG"),
        (["RUN", "--remove", ""], "--remove '' names no tag"),
        (["RUN", "--add", "x y"], "'x y' is no tag; a tag begins with a letter or digit"),
        (["RUN", "--remove", "papr"], "--remove papr: none of the 1 run has this tag; did you mean paper?"),
        (["RUN", "--add", "x", "--remove", "x"], "--add and --remove both name x"),
        (["RUN", "--format", "csv"], "--format is 'csv'; it must be table or json"),
    ],
)
def test_a_wrong_request_is_said_and_changes_nothing(call, runs, words, message):
    call("note", runs[0], "--add", "paper")
    status, out, err = call("note", *(runs[0] if word == "RUN" else word for word in words))
    assert (status, out) == (2, "")
    assert message in err
    assert [read_notes(run) for run in runs] == [Notes(("paper",)), Notes(), Notes()]


def test_a_damaged_file_is_left_out_where_many_are_shown_and_stops_a_change_before_it_begins(call, runs):
    (runs[1] / "notes.json").write_text("{")
    call("note", runs[0], "--add", "x")
    status, out, err = call("note", "--format", "json")
    assert (status, len(json.loads(out))) == (0, 2)
    assert err.startswith("fitbench: left out outputs/a b/")
    status, _, err = call("runs", "--all")
    assert (status, err.count("left out the notes of")) == (0, 1)
    status, _, err = call("note", "outputs", "--add", "y")
    assert status == 1
    assert "notes.json: not JSON" in err
    assert read_notes(runs[0]).tags == ("x",)


def test_tags_and_notes_tell_no_groups_apart(call, runs, capsys):
    """They are no configuration: not varying, not mixed, no key of a comparison, and no part of the exclusion."""
    path = runs[0].parents[1]
    before = compare_groups(Which([path], every=True), None, None, None)
    call("note", runs[0], "a note", "--add", "x")
    call("note", runs[1], "another note", "--add", "y,z")
    frame = load_runs(path)
    assert frame["tags"].tolist() == ['["x"]', '["y", "z"]', None] or frame["tags"].isna().sum() == 1
    assert varying(frame) == []
    after = compare_groups(Which([path], every=True), None, None, None)
    assert [each.keys for each in after] == [each.keys for each in before]
    assert [[group.mixed for group in each.groups] for each in after] == [[{}] for _ in before]


def test_notes_of_several_runs_are_replaced_only_where_that_is_wanted_and_all_are_said(call, runs):
    old = {run: f"old note {number}" for number, run in enumerate(runs[:2])}
    for run, text in old.items():
        call("note", run, text)
    for text in ("a new note", ""):
        status, out, err = call("note", *runs, text)
        assert (status, out) == (2, "")
        assert err == "fitbench: 2 of these runs have another note already; --replace replaces them\n"
    assert [read_notes(run).note for run in runs] == [*old.values(), ""]
    assert call("note", runs[0], runs[2], "old note 0")[0] == 0  # nothing is lost
    call("note", runs[2], "")
    status, out, err = call("note", *runs, "a new note", "--replace", "--format", "json")
    assert (status, {each["note"] for each in json.loads(out)}) == (0, {"a new note"})
    assert err.splitlines() == [f"fitbench: the note of a b/{run.name} was: {text}" for run, text in old.items()]


def test_more_than_ten_replaced_notes_are_all_said(call, make_run):
    runs = [make_run("study=many", f"seed={seed}") for seed in range(12)]
    for run in runs:
        (run / "notes.json").write_text(json.dumps({"schema": 1, "tags": [], "note": f"note of {run.name}"}))
    status, _, err = call("note", "outputs/many", "the new note", "--replace")
    assert (status, err.count("fitbench: the note of many/")) == (0, 12)
    assert all(f"many/{run.name} was: note of {run.name}\n" in err for run in runs)
