"""What the server of the live page says has changed, on real run folders."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fitbench.analysis.request import Which
from fitbench.live import budget
from fitbench.live.changes import Changes
from fitbench.live.run import Run
from fitbench.record import dataset
from fitbench.record.claims import claim
from fitbench.record.folder import State, state_of
from fitbench.record.history import append_history, read_history, write_history
from fitbench.record.notes import change_notes
from fitbench.record.sweeps import stated

from ..record.other_processes import forked, made_by, wait_until
from ..run_folders import curves

DATASET = {"name": "mnist_5k", "source": "builtin", "sha256": "ab" * 32, "task": "classification", "shape": [28, 28, 1],
           "dtype": "uint8", "classes": ["cat", "dog", "owl"]}  # fmt: skip


class Page:
    """A page that is open: it asks again and again, and keeps what it was told."""

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self.token: str | None = None
        self.runs: dict[str, dict[str, Any]] = {}
        self.studies: dict[str, dict[str, Any]] = {}
        self.epochs: dict[str, list[int]] = {}
        self.left_out: list[list[str]] = []

    def ask(self) -> dict[str, Any]:
        self.changes.scan()
        answer = json.loads(json.dumps(self.changes.since(self.token), allow_nan=False))
        self.token = answer["token"]
        for run in answer["runs"]:
            self.runs[run["folder"]] = run
            if "curve" in run:
                known = self.epochs.get(run["folder"], [])[: run["curve"]["from"]]
                assert len(known) == run["curve"]["from"]
                self.epochs[run["folder"]] = known + run["curve"]["epoch"]
        self.studies |= {study["name"]: study for study in answer["studies"]}
        for folder in answer["gone"]:
            del self.runs[folder]
        for name in answer["ended"]:
            del self.studies[name]
        self.left_out = answer.get("left_out", self.left_out)
        return answer

    def run(self, folder: Path) -> dict[str, Any]:
        return self.runs[str(folder)]


@pytest.fixture
def outputs(tmp_path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def changes(outputs) -> Changes:
    return Changes(Which([outputs]))


@pytest.fixture
def page(changes) -> Page:
    return Page(changes)


@pytest.fixture
def running(make_run) -> Iterator[Callable[..., Path]]:
    """Makes the folder of a run that this process works on."""
    held = []

    def make(*overrides: str, epochs: int = 2) -> Path:
        folder = make_run(*overrides, history=curves(epochs), finished=False)
        dataset.write(folder, DATASET)
        held.append(claim(folder))
        held[-1].__enter__()
        return folder

    yield make
    for each in held:
        each.__exit__(None, None, None)


def finish(make_run: Any, outputs: Path, folder: Path, *overrides: str) -> None:
    """Give a folder the result of a run of the same configuration."""
    made = make_run(*overrides, outputs=outputs.with_name("made"), history=read_history(folder))
    (made / "result.json").rename(folder / "result.json")


def epoch(number: int) -> dict[str, Any]:
    return {"epoch": number, "seconds": 2.0, "learning_rate": 0.001, "loss": 0.5, "val_loss": 0.75, "val_accuracy": 0.8}


# -- runs -------------------------------------------------------------------------------------------------------------


def test_a_curve_shows_changes_that_are_small_beside_its_values(running, page):
    run = running("seed=1")
    losses = [12345.61, 12345.32, 12344.98]
    write_history(run, [epoch(number) | {"loss": loss} for number, loss in enumerate(losses, 1)])
    page.ask()
    assert page.run(run)["curve"]["values"]["loss"] == losses


def test_a_page_is_told_everything_once_and_then_what_has_changed(make_run, running, page, outputs):
    finished, run = make_run("seed=0", "training.epochs=10"), running("seed=1", "training.epochs=10")
    first = page.ask()
    assert first["full"] is True
    assert page.run(finished) == {
        "folder": str(finished), "run_id": finished.name, "study": "default", "label": "mlp, adam, seed 0",
        "state": "finished", "epoch": 5, "epochs": 10, "left": None, "updated": 1767323045.0, "error": None,
        "metric": {"label": "validation accuracy", "value": 0.86, "digits": 4},
    }  # fmt: skip
    told = page.run(run)
    assert (told["state"], told["epoch"], told["epochs"], told["left"]) == ("running", 2, 10, 4.0)
    assert told["metric"]["value"] == pytest.approx(0.88)
    assert told["curve"]["epoch"] == [1, 2]
    assert told["series"] == [
        {"name": "accuracy", "label": "accuracy", "kind": "metric", "digits": 4, "low": 0.0, "high": 1.0},
        {"name": "loss", "label": "loss", "kind": "metric", "digits": 4, "low": 0.0, "high": None},
    ]
    assert set(told["curve"]["values"]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert page.ask() == {"token": first["token"], "now": pytest.approx(time.time(), abs=60), "studies": [], "runs": [],
                          "gone": [], "ended": []}  # fmt: skip
    append_history(run, epoch(3))
    answer = page.ask()
    [changed] = answer["runs"]
    assert (changed["folder"], changed["epoch"], changed["left"]) == (str(run), 3, 3.5)
    assert changed["curve"] == {
        "from": 2, "epoch": [3],
        "values": {"loss": [0.5], "accuracy": [None], "val_loss": [0.75], "val_accuracy": [0.8]},
    }  # fmt: skip
    assert [study["name"] for study in answer["studies"]] == ["default"]


def test_run_that_finishes_between_two_questions_is_told_with_its_last_epochs(
    make_run, running, page, changes, outputs
):
    run, late = running("seed=1"), Page(changes)
    page.ask()
    append_history(run, epoch(3))
    finish(make_run, outputs, run, "seed=1")
    page.ask()
    assert (page.run(run)["state"], page.epochs[str(run)], page.run(run)["left"]) == ("finished", [1, 2, 3], None)
    late.ask()
    assert "curve" not in late.run(run)  # the report has it


def test_run_that_begins_and_ends_between_two_questions_is_told_with_its_curve(make_run, page, outputs):
    page.ask()
    run = make_run()
    page.ask()
    assert (page.run(run)["state"], page.epochs[str(run)]) == ("finished", [1, 2, 3, 4, 5])


def test_failed_run_is_told_with_the_line_that_says_why(make_run, running, page):
    run = running("seed=1")
    page.ask()
    (run / "error.txt").write_text("Traceback (most recent call last):\n  File x\nValueError: too \x1bdeep\n")
    page.ask()
    assert (page.run(run)["state"], page.run(run)["error"]) == ("failed", "ValueError: too \\x1bdeep")
    assert page.studies["default"]["failed"] == 1
    (run / "error.txt").unlink()  # the next attempt begins
    page.ask()
    assert (page.run(run)["state"], page.run(run)["error"]) == ("running", None)


def test_run_that_is_trained_again_loses_its_curve(running, page):
    run = running()
    page.ask()
    write_history(run, [])
    page.ask()
    assert (page.epochs[str(run)], page.run(run)["epoch"]) == ([], None)


def test_interrupted_run_that_is_resumed_is_told_whole_to_a_page_that_was_opened_meanwhile(make_run, page, changes):
    run = make_run(history=curves(3), finished=False)
    with claim(run):
        page.ask()
        assert page.epochs[str(run)] == [1, 2, 3]
    late = Page(changes)
    late.ask()
    assert late.run(run)["state"] == "interrupted"
    assert str(run) not in late.epochs
    with claim(run):
        append_history(run, epoch(4))
        late.ask()
        page.ask()
        assert late.epochs[str(run)] == page.epochs[str(run)] == [1, 2, 3, 4]


def test_interrupted_run_that_is_resumed_and_ends_between_two_questions_is_told_whole(make_run, page, outputs):
    run = make_run(history=curves(3), finished=False)
    page.ask()
    assert str(run) not in page.epochs
    append_history(run, epoch(4))
    finish(make_run, outputs, run)
    page.ask()
    assert (page.run(run)["state"], page.epochs[str(run)]) == ("finished", [1, 2, 3, 4])


def test_unfinished_run_with_a_history_that_cannot_be_read_is_told_without_its_curve(running, page, monkeypatch):
    run = running(epochs=3)
    page.ask()
    monkeypatch.setattr("fitbench.live.history.LARGEST_BYTES", 100)
    append_history(run, epoch(4))
    page.ask()
    assert (page.run(run)["state"], page.run(run)["epoch"], page.epochs[str(run)]) == ("running", None, [])
    [[of, why]] = page.left_out
    assert (of, why.split(" has ")[0]) == (str(run), "history.jsonl:")


def test_runs_that_come_and_go_are_told(make_run, page, outputs):
    page.ask()
    assert page.studies == {}
    first, second = make_run("seed=1"), make_run("seed=2", "model=softmax")
    page.ask()
    assert [page.run(each)["label"] for each in (first, second)] == ["mlp, seed 1", "softmax, seed 2"]
    second.rename(outputs.parent / "away")
    answer = page.ask()
    assert answer["gone"] == [str(second)]
    assert page.run(first)["label"] == "mlp, adam, seed 1"  # nothing has to be told apart any more
    assert page.studies["default"]["finished"] == 1
    (outputs.parent / "away").rename(second)
    page.ask()
    assert page.run(second)["label"] == "softmax, seed 2"
    for each in (first, second):
        each.rename(outputs.parent / each.name)
    assert page.ask()["ended"] == ["default"]
    assert (page.runs, page.studies, page.changes.page()["studies"]) == ({}, {}, [])
    (outputs.parent / first.name).rename(first)
    page.ask()
    assert page.run(first)["label"] == "mlp, adam, seed 1"
    report = page.changes.study("default")
    assert report is not None
    assert (report["sets"][0]["count"], report["report"]) == (1, page.studies["default"]["report"])


def test_token_of_another_server_is_answered_with_everything(make_run, page, outputs):
    make_run()
    page.ask()
    other = Changes(Which([outputs]))
    other.scan()
    for token in (page.token, "", "x", "0" * 5000, f"{page.token}9" * 9, "٣"):
        answer = other.since(token)
        assert answer["full"] is True
        assert len(answer["runs"]) == 1


def test_only_runs_of_the_request_are_told(make_run, outputs):
    kept = make_run("seed=1", "study=mine")
    make_run("seed=2", "study=mine", "model=softmax")
    make_run("seed=3", "study=other")
    asked = Page(Changes(Which([outputs], where="model == 'mlp'", study="mine, missing")))
    asked.ask()
    assert set(asked.runs) == {str(kept)}
    assert set(asked.studies) == {"mine"}


def test_a_filter_is_asked_again_when_a_run_ends(make_run, running, outputs):
    run = running("seed=1")
    asked = Page(Changes(Which([outputs], where="state != 'finished'")))
    asked.ask()
    assert str(run) in asked.runs
    finish(make_run, outputs, run, "seed=1")
    assert asked.ask()["gone"] == [str(run)]


# -- studies ----------------------------------------------------------------------------------------------------------


def counts(told: dict[str, Any]) -> dict[str, int]:
    """What is said of runs or trials, without the states that none is in."""
    names = ("total", "finished", "failed", "pruned", "interrupted", "running", "waiting")
    return {name: told[name] for name in names if told[name]}


def test_sweep_is_told_with_all_runs_of_its_study_and_the_time_that_is_left(
    make_run, running, page, outputs, monkeypatch
):
    monkeypatch.setattr(budget, "SHARE", 1)  # sweep.json is read again at once
    page.ask()
    coming = [outputs / "grid" / name for name in ("a", "b")]
    with stated(coming):
        page.ask()  # before its first run has begun
        told = page.studies["grid"]
        assert {**told, "newest": 0} == {
            "name": "grid", "kind": "runs", "total": 2, "finished": 0, "failed": 0, "pruned": 0, "interrupted": 0,
            "running": 0, "waiting": 2, "beside": None, "runs": 0, "active": 0, "reached": 0.0, "done": False,
            "left": None, "best": None, "newest": 0, "report": 0,
        }  # fmt: skip
        assert told["newest"] == pytest.approx(time.time(), abs=60)
        make_run("seed=9", "study=grid")  # of an earlier launch
        first, second = make_run("seed=0", "study=grid"), running("seed=1", "study=grid", "training.epochs=20")
        with stated([first, second]):  # which keeps what is coming
            page.ask()
            told = page.studies["grid"]
            assert counts(told) == {"total": 5, "finished": 2, "running": 1, "waiting": 2}
            assert (told["reached"], told["active"], told["done"], told["report"]) == (0.1, 1, False, 1)
            assert told["left"] == 18 * 0.5 + 2 * 83.0  # one process: the rest of a run, and two as long as the first
    page.ask()
    assert counts(page.studies["grid"]) == {"total": 3, "finished": 2, "running": 1}  # nothing is promised any more
    finish(make_run, outputs, second, "seed=1", "study=grid", "training.epochs=20")
    page.ask()
    assert (counts(page.studies["grid"]), page.studies["grid"]["done"]) == ({"total": 3, "finished": 3}, True)


def test_what_people_note_of_a_finished_run_reaches_the_row_of_the_next_look(make_run):
    folder = make_run()
    run = Run(str(folder), followed=False)
    assert [run.look(revision) for revision in range(3)] == [True, False, False]
    change_notes([folder], lambda notes: notes.changed("odd", ["bad"]))
    assert run.look(3)
    assert run.row is not None
    assert (run.row["tags"], run.row["note"]) == ('["bad"]', "odd")
    assert [run.look(revision) for revision in (4, 5)] == [False, False]


def state_for_a_minute(folder: Path) -> None:
    with stated([folder]):
        time.sleep(60)


def test_runs_of_a_sweep_that_is_killed_wait_no_longer(page, outputs):
    sweep = forked.Process(target=state_for_a_minute, args=(outputs / "grid" / "a",))
    sweep.start()
    wait_until((outputs / "grid" / "sweep.json").exists)
    with stated([outputs / "grid" / "b"]):
        page.ask()
        assert counts(page.studies["grid"]) == {"total": 2, "waiting": 2}
        sweep.kill()
        sweep.join()
        page.ask()
        assert counts(page.studies["grid"]) == {"total": 1, "waiting": 1}


def test_only_studies_of_the_request_are_counted_and_of_these_what_fits_the_filter(make_run, outputs):
    first, other, damaged = (make_run("study=a", f"seed={seed}") for seed in range(3))
    (damaged / "result.json").write_text("{")
    make_run("study=b")
    with stated([first, other, damaged, outputs / "a" / "coming", outputs / "b" / "coming"]):
        asked = Page(Changes(Which([outputs], study="a")))
        asked.ask()
        assert list(asked.studies) == ["a"]
        assert counts(asked.studies["a"]) == {"total": 3, "finished": 2, "waiting": 1}
        asked = Page(Changes(Which([outputs], where="seed == 1")))
        asked.ask()
        assert {name: counts(study) for name, study in asked.studies.items()} == {"a": {"total": 1, "finished": 1}}
        assert asked.studies["a"]["done"]


def search_of(trials: list[dict[str, Any]], total: int | None, **more: Any) -> dict[str, Any]:
    whole = [
        {"number": number, "values": None, "params": {}, "run_ids": [], "epochs": None, "error": None, "began": 10.0,
         "ended": 40.0, **trial}
        for number, trial in enumerate(trials)
    ]  # fmt: skip
    return {
        "schema": 1, "study": "found", "objectives": [{"name": "val_accuracy", "direction": "maximize"}],
        "space": {"model.dropout": {"kind": "float", "low": 0, "high": 1, "log": False}}, "sampler": "tpe",
        "pruner": "median", "seed": 0, "trials": whole, "best": [], "importance": {}, "total": total, **more,
    }  # fmt: skip


@pytest.fixture
def told_search(page, outputs, monkeypatch) -> Callable[..., dict[str, Any]]:
    """Writes the record of a search; gives what a page is told of its study."""
    monkeypatch.setattr(budget, "SHARE", 1)  # search.json is read again at once

    def told(*trials: dict[str, Any], total: int | None = 10, **more: Any) -> dict[str, Any]:
        (outputs / "found" / "search.json").write_text(json.dumps(search_of([*trials], total, **more)))
        page.ask()
        return page.studies["found"]

    return told


AT_WORK = {"state": "running", "ended": None}


def test_search_is_told_with_its_trials(running, page, outputs, told_search):
    run = running("study=found", "model.dropout=0.25", "training.epochs=20")
    page.ask()
    assert page.run(run)["label"] == "mlp, adam, seed 0"
    trial = {**AT_WORK, "run_ids": [run.name]}
    told = told_search(trial)
    assert page.run(run)["label"] == "dropout 0.25, seed 0"  # before there is a second run
    assert told["left"] == 18 * 0.5 + 9 * 20 * 0.5  # trials are as long as the first one
    ended = [{"state": "finished", "values": [0.9]}, {"state": "pruned", "values": [0.5]}, {"state": "failed"}]
    told = told_search(*ended, trial)
    assert (told["kind"], told["beside"], told["runs"], told["active"], told["reached"]) == ("search", None, 1, 1, 0.1)
    assert counts(told) == {"total": 10, "finished": 1, "failed": 1, "pruned": 1, "running": 1, "waiting": 6}
    assert told["left"] == 18 * 0.5 + 6 * 30.0
    assert counts(told_search(*ended, total=None)) == {"total": 3, "finished": 1, "failed": 1, "pruned": 1}
    (outputs / "found" / "search.json").write_text("{")
    page.ask()
    assert page.studies["found"]["kind"] == "runs"
    assert any("search.json: not JSON" in why for _, why in page.left_out)


def test_trial_of_several_runs_runs_until_the_last_one_and_is_interrupted_with_its_run(make_run, running, told_search):
    first = make_run("study=found", "seed=0", "training.epochs=20")
    second = running("study=found", "seed=1", "training.epochs=20")
    trial = {**AT_WORK, "run_ids": [first.name, second.name, "coming"]}
    told = told_search(trial, total=2, seeds=3)
    assert counts(told) == {"total": 2, "running": 1, "waiting": 1}
    assert told["reached"] == pytest.approx((1 + 0.1) / 3, abs=0.001)
    assert told["left"] == 18 * 0.5 + 83.0 + 3 * 83.0  # the run, the third one, and a trial
    (second / "claim.json").unlink()
    told = told_search(trial, total=2, seeds=3)
    assert (counts(told), told["left"]) == ({"total": 2, "interrupted": 1, "waiting": 1}, None)


def test_runs_of_no_trial_are_counted_beside_the_search(make_run, running, told_search):
    trial = {"state": "finished", "values": [0.9], "run_ids": [make_run("study=found").name]}
    run = running("study=found", "seed=1", "training.epochs=20")
    with stated([run, run.with_name("coming")]):
        told = told_search(trial, total=1)
        assert counts(told) == {"total": 1, "finished": 1}
        assert counts(told["beside"]) == {"total": 2, "running": 1, "waiting": 1}
        assert (told["active"], told["done"], told["left"]) == (1, False, 18 * 0.5 + 20 * 0.5)


def test_best_trial_is_the_one_by_the_objective_of_the_search(make_run, told_search):
    make_run("study=found")
    trials = [{"state": "finished", "values": [value], "params": {"model.dropout": value}} for value in (0.31, 0.28001)]
    loss = {"name": "val_loss", "direction": "minimize"}
    assert told_search(*trials, best=[])["best"] is None
    told = told_search(*trials, best=[1, 0], objectives=[loss], folds=3)
    assert told["best"] == "validation loss 0.2800 (mean of 3 runs), trial 1: dropout 0.28"
    trials = [{**trial, "values": [*trial["values"], 0.9]} for trial in trials]
    told = told_search(*trials, best=[1], objectives=[loss, {"name": "val_accuracy", "direction": "maximize"}])
    assert told["best"] == "1 trial on the Pareto front of validation loss and validation accuracy"


def test_report_of_a_study_is_collected_when_runs_have_ended_and_not_too_often(
    make_run, running, page, changes, outputs, monkeypatch
):
    monkeypatch.setattr(budget, "SHARE", 1_000)
    run = running("seed=1")
    page.ask()
    assert page.studies["default"]["report"] == 0
    assert changes.study("default") is None
    assert changes.page()["studies"] == []
    finish(make_run, outputs, run, "seed=1")
    page.ask()
    assert page.studies["default"]["report"] == 1
    [study] = changes.page()["studies"]
    assert (study["name"], study["report"], study["sets"][0]["count"]) == ("default", 1, 1)
    assert study["sets"][0]["folders"] == [str(run)]
    make_run("seed=2")
    page.ask()
    assert page.studies["default"]["report"] == 1  # collecting has just taken its share of the time
    assert changes.study("default") == study
    monkeypatch.setattr(budget.Budget, "is_ready", True)  # a while later
    page.ask()
    assert changes.study("default")["sets"][0]["count"] == 2
    assert changes.study("default")["report"] == 2


def test_metric_that_has_two_definitions_leaves_the_study_out_with_the_reason(make_run, outputs):
    make_run("study=mine")
    make_run("study=mine", "seed=1")
    changes = Changes(Which([outputs]), by="no_such_key")
    changes.scan()
    content = changes.page()
    assert content["studies"][0]["sets"] == []
    assert [(of, why.split(";")[0]) for of, why in content["left_out"]] == [
        ("mine", "there is no column 'no_such_key'")
    ]


# -- nothing is written, and nothing stops it -------------------------------------------------------------------------

WRITES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.utime", "os.chmod", "os.link", "os.symlink",
          "os.truncate", "shutil.move", "tempfile.mkstemp")  # fmt: skip


@pytest.fixture
def writing() -> Iterator[list[str]]:
    """What this process writes while the test runs."""
    written: list[str] = []
    is_on = True

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        is_open = event == "open" and isinstance(arguments[2], int)
        if is_on and (event in WRITES or (is_open and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))):
            written.append(f"{event} {arguments[0]}")

    sys.addaudithook(audit)  # which cannot be removed
    yield written
    is_on = False


def test_nothing_is_written_also_where_a_process_cannot_be_observed(make_run, running, page, changes, tree, writing):
    make_run("seed=0")
    running("seed=1")
    made_by(make_run("seed=2", finished=False), host="elsewhere", age=3600)
    (make_run("seed=3") / "result.json").write_text("{")
    before = tree()
    writing.clear()
    for _ in range(3):
        page.ask()
        changes.page()
    assert page.studies["default"]["running"] == 2
    assert writing == []
    assert tree() == before


def test_run_of_a_process_that_cannot_be_observed_ends_when_its_heartbeat_has_been_silent(make_run, page, monkeypatch):
    run = make_run(finished=False)
    made_by(run, host="elsewhere", age=3600)
    page.ask()
    assert page.run(run)["state"] == "running"
    monkeypatch.setattr("fitbench.record.claims.CLAIM_TIMEOUT_SECONDS", 0.1)
    time.sleep(0.11)
    page.ask()
    assert page.run(run)["state"] == "interrupted"


def test_damaged_run_is_left_out_until_it_is_mended(make_run, page, changes):
    good, run = make_run("seed=0"), make_run("seed=1")
    text = (run / "result.json").read_text()
    page.ask()
    (run / "result.json").write_text("{")
    assert page.ask()["gone"] == [str(run)]
    [[of, why]] = page.left_out
    assert (of, why[:22]) == (str(run), "result.json: not JSON ")
    assert "left_out" not in page.ask()
    (run / "result.json").write_text(text)
    page.ask()
    assert set(page.runs) == {str(good), str(run)}
    assert changes.page()["left_out"] == page.left_out == []


def test_folder_that_vanishes_while_it_is_looked_at_is_gone(make_run, page, changes, monkeypatch):
    run, other = make_run("seed=0", finished=False), make_run("seed=1")
    page.ask()
    append_history(run, epoch(6))

    def vanishing(folder: Path, held: Any) -> State:
        state = state_of(folder, held)
        shutil.rmtree(run, ignore_errors=True)
        return state

    (run / "dataset.json").write_text("{}")
    monkeypatch.setattr("fitbench.live.run.state_of", vanishing)
    page.ask()
    page.ask()
    assert set(page.runs) == {str(other)}
    assert changes.page()["left_out"] == []


def test_finished_runs_are_not_read_again(make_run, page, monkeypatch):
    runs = [make_run(f"seed={seed}") for seed in range(3)]
    for _ in range(3):
        page.ask()
    read: list[str] = []
    real = os.stat
    monkeypatch.setattr("fitbench.live.run.os.stat", lambda path, *more, **also: read.append(str(path)) or real(path))
    monkeypatch.setattr("fitbench.live.run.read_row", lambda *_: pytest.fail("a run was read"))
    page.ask()
    assert sorted(path for path in read if "-s" in path) == [
        f"{run}/{name}" for run in sorted(runs) for name in ("notes.json", "result.json")
    ]
