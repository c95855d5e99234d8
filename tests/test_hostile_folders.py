"""Run folders that are damaged, or a stranger's: every command names them, shows the others, and never hangs."""

import contextlib
import json
import logging
import os
import re
import shutil
import signal
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from fitbench import cli
from fitbench.analysis.frame import load_runs
from fitbench.analysis.studies import Which
from fitbench.errors import FitbenchError
from fitbench.live.changes import Changes
from fitbench.record.claims import claim
from fitbench.record.folder import folder_of, state_of
from fitbench.record.history import append_history
from fitbench.record.log import LogFile
from fitbench.record.result import write_result
from fitbench.report.report import page
from fitbench.tasks import TASKS
from fitbench.text import encodable
from fitbench.training import attempts

from .hostile_folders import HOSTILE, INSTEAD, NAMES, instead, links, spoiled
from .run_folders import maker

pytestmark = pytest.mark.usefixtures("composed_once")

SECONDS = 60  # that a test may take: one that hangs must not hold up the others


@pytest.fixture(autouse=True)
def _in_time():
    def late(*_):
        raise AssertionError("this hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def hostile(composed, tmp_path_factory):
    """An outputs folder with two good runs and a run folder of each hostile kind, by its name."""
    folder = tmp_path_factory.mktemp("hostile")
    make = maker(composed, folder / "outputs")
    good = [make("study=good", f"seed={seed}") for seed in range(2)]
    with zipfile.ZipFile(good[0] / "model.keras", "w") as model:
        model.writestr("model.weights.h5", b"weights")
    shutil.copytree(good[0], folder / "away" / "run")
    shutil.copytree(good[0], folder / "outputs/hostile/names/plain")
    for name in NAMES:
        shutil.copytree(good[0], folder / "outputs/hostile/names" / name)
    folders, states = spoiled(make, folder / "outputs")
    said = links(folder / "outputs/hostile", folder / "away")
    return SimpleNamespace(
        outputs=folder / "outputs", good=good, folders=folders, states=states, links=said, away=folder / "away"
    )


@pytest.fixture
def call(monkeypatch, capsys):
    """Calls `fitbench ARGUMENTS`; gives exit status, stdout and stderr."""

    def call_main(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fitbench", *map(str, arguments)])
        sys.stdout.reconfigure(errors="backslashreplace")  # the command's own writes the bytes of such paths
        with pytest.raises(SystemExit) as caught:
            cli.main()
        printed = capsys.readouterr()
        return int(caught.value.code or 0), printed.out, printed.err

    return call_main


def test_each_hostile_folder_is_left_out_with_its_reason_and_all_others_are_rows(hostile):
    frame = load_runs(hostile.outputs)
    left_out = dict(frame.attrs["left_out"])
    listed = set(frame["folder"])
    assert listed.issuperset(map(str, hostile.good))
    for name, folder in hostile.folders.items():
        if HOSTILE[name].reason:
            assert re.search(HOSTILE[name].reason, left_out.pop(str(folder), "is a row")), name
        else:
            assert str(folder) in listed, (name, left_out.get(str(folder)))
    for name, reason in hostile.links.items():
        assert re.search(reason, left_out.pop(str(hostile.outputs / "hostile" / name))), name
    assert left_out == {}
    assert {Path(folder).name for folder in listed}.issuperset(NAMES)


def test_live_page_leaves_out_the_same_folders_and_shows_all_others(hostile):
    changes = Changes(Which([hostile.outputs]))
    for _ in range(3):
        changes.scan()
    frame, answer = load_runs(hostile.outputs), json.loads(json.dumps(changes.since(None), allow_nan=False))
    content = changes.page()
    assert {run["folder"] for run in answer["runs"]} == set(map(encodable, frame["folder"]))
    expected = {(encodable(of), encodable(why)[:40]) for of, why in frame.attrs["left_out"]}
    assert expected - {(of, why[:40]) for of, why in content["left_out"]} == set()
    for study in {run["study"] for run in answer["runs"] if run["state"] == "finished"}:
        assert changes.study(study)["sets"], study
    assert len(page({**content, "live": {"interval": 2.0}})) < 3_000_000


COMMANDS = {
    "runs": ["runs", "{outputs}", "--all"],
    "runs csv": ["runs", "{outputs}", "--format", "csv"],
    "runs json": ["runs", "{outputs}", "--format", "json"],
    "compare": ["compare", "{outputs}", "--all", "--by", "study"],
    "compare latex": ["compare", "{outputs}", "--all", "--by", "study,model.name", "--format", "latex"],
    "compare json": ["compare", "{outputs}", "--format", "json"],
    "compare losses": ["compare", "{outputs}", "--by", "task", "--metric", "test_loss"],
    "bars": ["plot", "{outputs}", "--kind", "bars", "--by", "study", "-o", "{tmp}/x.png"],
    "curves": ["plot", "{outputs}", "--kind", "curves", "--by", "study", "-o", "{tmp}/x.png"],
    "scatter": ["plot", "{outputs}", "--kind", "scatter", "--by", "study", "-o", "{tmp}/x.png"],
    "parallel": ["plot", "{outputs}", "--kind", "parallel", "--by", "study,data.name", "-o", "{tmp}/x.png"],
    "report": ["report", "{outputs}", "-o", "{tmp}/x.html"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_the_good_runs_and_says_how_many_others_are_left_out(hostile, call, tmp_path, command):
    arguments = [argument.format(outputs=hostile.outputs, tmp=tmp_path) for argument in COMMANDS[command]]
    status, out, err = call(*arguments)
    assert status == 0, err
    lines = err.splitlines()
    assert sum(line.startswith("fitbench: left out /") for line in lines) >= 20
    assert any(re.fullmatch(r"fitbench: left out \d+ more", line) for line in lines)
    assert "\x1b" not in err
    if command == "report":
        page = (tmp_path / "x.html").read_text()
        assert "good" in page
        assert len(page) < 3_000_000
    elif not command.startswith(("compare losses", "bars", "curves", "scatter", "parallel")):
        assert "good" in out
        assert len(out) < 1_000_000
    if command == "runs json":
        assert len(json.loads(out)) > len(NAMES) + 2


@pytest.mark.parametrize("name", HOSTILE)
def test_show_names_the_file_and_the_reason_in_one_line_or_shows_the_run(hostile, call, name):
    kind = HOSTILE[name]
    expected = kind.reason if kind.shown is None else kind.shown
    status, out, err = call("show", hostile.folders[name])
    if expected:
        assert status in (1, 2)
        assert re.search(expected, err)
        assert err.startswith("fitbench: ")
        assert len(err) < 1500
        assert len(err.splitlines()) == 1
        assert out == ""
    else:
        assert (status, err) == (0, "")
        assert str(hostile.folders[name]) in out
        assert "\x1b" not in out


@pytest.mark.parametrize("name", HOSTILE)
def test_two_runs_are_compared_or_the_file_of_one_is_named_in_one_line(hostile, call, name):
    good = hostile.states[HOSTILE[name].state] if HOSTILE[name].state in TASKS else hostile.good[0]
    for command in (["diff"], ["diff", "--format", "json"], ["compare"]):
        status, out, err = call(*command, good, hostile.folders[name])
        assert (status == 0) == bool(out)
        assert len(err.splitlines()) <= 1
        assert len(err) < 1500
        if command[0] == "diff" and name.startswith("model.keras"):
            assert re.search(f"model.keras: its weights: {INSTEAD[name.removeprefix('model.keras: ')][1]}", err)


@pytest.mark.parametrize("kind", ["FIFO", "outside"])
@pytest.mark.parametrize("name", ["result.json", "claim.json"])
def test_train_says_what_is_wrong_with_a_file_of_the_run_in_one_line(call, configure, tmp_path, kind, name):
    put, reason = INSTEAD[kind]
    overrides = ["data=digits", "model=softmax", f"outputs={tmp_path}/outputs"]
    folder = folder_of(configure(*overrides))
    folder.mkdir(parents=True)
    put(folder / name)
    status, out, err = call("train", *overrides)
    assert (status, out) == (1, "")
    assert re.search(f"^fitbench: .*{name}: {reason}", err)
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", ["config.yaml", "predictions.npz", "model.keras", ".x.new.y"])
def test_train_refuses_a_folder_of_a_files_name_before_it_trains(call, configure, tmp_path, name):
    overrides = ["data=digits", "model=softmax", f"outputs={tmp_path}/outputs"]
    folder = folder_of(configure(*overrides))
    (folder / name).mkdir(parents=True)
    status, out, err = call("train", *overrides)
    assert (status, out) == (1, "")
    assert re.fullmatch(rf"fitbench: {re.escape(str(folder / name))}: is a folder[,;] .*; move it away\n", err)
    assert (folder / name).is_dir()
    assert not (folder / "history.jsonl").exists()


@pytest.mark.parametrize("kind", ["FIFO", "link to a file", "dangling link"])
def test_train_refuses_a_checkpoint_that_is_no_folder(call, configure, tmp_path, kind):
    overrides = ["data=digits", "model=softmax", f"outputs={tmp_path}/outputs"]
    path = folder_of(configure(*overrides)) / "checkpoint"
    path.parent.mkdir(parents=True)
    if kind == "FIFO":
        os.mkfifo(path)
    else:
        (path.parent / "file").touch()
        path.symlink_to("file" if kind == "link to a file" else "nowhere")
    status, out, err = call("train", *overrides)
    assert (status, out) == (1, "")
    assert err == f"fitbench: {path}: is no folder, where the run writes its checkpoints; move it away\n"


def _log(folder: Path) -> None:
    handler = LogFile(folder / "train.log", delay=True)
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "x", None, None))


def _claim(folder: Path) -> None:
    with claim(folder, wait=True):
        raise AssertionError("it is held")


def _journal(folder: Path) -> None:
    from fitbench.tuning.storage import open_storage

    open_storage(None, folder)


WRITERS = {
    "search.journal": _journal,
    "history.jsonl": lambda folder: append_history(folder, {"epoch": 1}),
    "checkpoint/attempts.txt": attempts.begin,
    "train.log": _log,
    "claim.json": _claim,
}


@pytest.mark.parametrize("kind", INSTEAD)
@pytest.mark.parametrize("name", WRITERS)
def test_training_appends_to_nothing_but_regular_files_of_the_run(tmp_path, name, kind):
    folder = tmp_path / "outputs/study/run"
    folder.mkdir(parents=True)
    instead(name, INSTEAD[kind][0])(folder)
    with pytest.raises(FitbenchError, match=f"{name}: (a|an) .*(, not a regular file|, which is outside of )"):
        WRITERS[name](folder)
    if kind == "outside":
        assert next(tmp_path.rglob("elsewhere")).read_text() == "{}"


@pytest.mark.parametrize("kind", INSTEAD)
def test_a_hostile_search_is_left_out_of_the_report_of_its_study(call, make_run, tmp_path, kind):
    put, reason = INSTEAD[kind]
    study = make_run().parent
    (tmp_path / "elsewhere").write_text("{}")
    if kind == "outside":
        (study / "search.json").symlink_to(tmp_path / "elsewhere")
    else:
        put(study / "search.json")
    status, _, err = call("report", study, "-o", tmp_path / "x.html")
    assert status == 0
    assert re.fullmatch(f"fitbench: left out {study}: search.json: {reason}.*", err.splitlines()[-1])


def test_a_model_that_expands_a_thousandfold_is_not_compared(call, make_run):
    runs = [make_run(f"seed={seed}") for seed in range(2)]
    for run in runs:
        with zipfile.ZipFile(run / "model.keras", "w", zipfile.ZIP_DEFLATED) as model:
            model.writestr("model.weights.h5", bytes(2**25))
    status, out, err = call("diff", *runs)
    assert status == 0
    assert "weights" not in out
    assert re.search(r"its weights: would expand from [\d,]+ to 33,554,432 bytes", err)


def test_runs_may_be_links_within_the_outputs_and_the_outputs_a_link_themselves(make_run, tmp_path):
    run = make_run("study=a")
    (tmp_path / "outputs/b").mkdir()
    (tmp_path / "outputs/b/link").symlink_to(run)
    (run / "result.json").rename(run.parent / "shared.json")
    (run / "result.json").symlink_to("../shared.json")
    (tmp_path / "link").symlink_to("outputs")
    for path in (tmp_path / "outputs", tmp_path / "link"):
        frame = load_runs(path)
        assert len(frame) == 1
        assert frame.attrs["left_out"] == []
    assert len(load_runs(tmp_path / "outputs/b", run)) == 1  # whoever names both means both
    left_out = load_runs(tmp_path / "outputs/b").attrs["left_out"]
    assert [why for _, why in left_out] == [
        f"a link to {run}, which is outside of {tmp_path}/outputs/b; name that folder to include it"
    ]


def test_a_run_that_only_a_link_out_of_the_outputs_leads_to_is_not_found_and_the_link_named(call, make_run, tmp_path):
    run = make_run("study=a")
    shutil.move(run, tmp_path / "away")
    run.symlink_to(tmp_path / "away")
    status, _, err = call("show", "mlp", "--outputs", tmp_path / "outputs")
    assert status == 2
    assert f"left out {run}: a link to {tmp_path}/away, which is outside of {tmp_path}/outputs" in err
    assert call("show", run)[0] == 0  # a path that is named is followed


def test_an_error_of_the_file_system_at_a_claim_is_one_line_for_readers_and_stays_itself_for_training(
    make_run, monkeypatch
):
    folder = make_run(finished=False)
    (folder / "claim.json").write_text("{}")
    opened = os.open

    def fail(path, *rest):
        if str(path).endswith("claim.json") and not rest[0] & os.O_CREAT:
            raise OSError(5, "Input/output error", str(path))
        return opened(path, *rest)

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(FitbenchError, match=r"claim.json: cannot be read \(Input/output error\)"):
        state_of(folder)
    with pytest.raises(OSError, match="Input/output error"):  # so that a search stops, and fails no trial
        _claim(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named(make_run):
    good, bad = make_run("seed=0"), make_run("seed=1")
    (bad / "result.json").chmod(0)
    frame = load_runs(good.parent)
    assert frame["folder"].tolist() == [str(good)]
    assert "result.json: cannot be read (Permission denied)" in frame.attrs["left_out"][0][1]


def test_a_path_that_is_not_utf_8_is_logged(tmp_path, capsys):
    handler = LogFile(tmp_path / "train.log", encoding="utf-8", delay=True)
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, os.fsdecode(b"in \xff"), None, None))
    handler.close()
    assert (tmp_path / "train.log").read_text() == "in \\udcff\n"
    assert capsys.readouterr().err == ""


def test_a_result_with_a_path_that_is_not_utf_8_is_recorded(tmp_path):
    write_result(tmp_path, {"path": os.fsdecode(b"\xff/\xc3\xa4")})
    assert json.loads((tmp_path / "result.json").read_bytes())["path"] == os.fsdecode(b"\xff/\xc3\xa4")


def test_publish_sends_what_can_be_read_and_names_the_others(hostile, call, tmp_path, monkeypatch):
    monkeypatch.setattr("fitbench.publish.sending.drawn_pictures", lambda run, has: contextlib.nullcontext([]))
    arguments = ("publish", hostile.outputs, "--to", "tensorboard", "--uri", tmp_path / "board", "--format", "json")
    status, out, err = call(*arguments)
    assert status == 1, err
    outcomes = {run["folder"]: run for run in json.loads(out)}
    assert status == 1
    assert all(outcomes[str(folder)]["outcome"] == "new" for folder in hostile.good)
    for name, folder in hostile.folders.items():
        assert "\n" not in (outcomes[str(folder)]["error"] or ""), name
    assert sum(run["outcome"] == "failed" for run in outcomes.values()) >= 40
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")} == {"board"}
