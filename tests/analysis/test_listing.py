import csv
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fitbench import cli
from fitbench.analysis.frame import load_history, load_runs
from fitbench.analysis.listing import list_runs
from fitbench.analysis.request import Which
from fitbench.errors import RequestError

from ..run_folders import as_task, close_values


@pytest.fixture
def outputs(tmp_path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def grid(make_run, outputs) -> Path:
    """Two models and two optimizers, two seeds of each; lenet5 is the more accurate."""
    for model in ("mlp", "lenet5"):
        for optimizer in ("sgd", "adam"):
            for seed in (0, 1):
                folder = make_run(f"model={model}", f"optimizer={optimizer}", f"seed={seed}", "study=grid")
                accuracy = {"mlp": 0.91, "lenet5": 0.97}[model] + 0.001 * seed + 0.01 * (optimizer == "adam")
                change(folder, test_accuracy=round(accuracy, 6))
    return outputs


def change(folder: Path, **metrics) -> None:
    result = json.loads((folder / "result.json").read_text())
    result["metrics"].update(metrics)
    (folder / "result.json").write_text(json.dumps(result))


@pytest.fixture
def listed(capsys):
    """Call `list_runs`; gives stdout."""

    def call(*paths: Path, **options) -> str:
        list_runs(Which(paths, options.pop("where", None), every=True), **options)
        return capsys.readouterr().out

    return call


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def accuracies(text: str) -> list[float]:
    return [row["metrics.test_accuracy"] for row in json.loads(text)]


@pytest.fixture
def in_terminal(monkeypatch):
    """Call `list_runs` with a terminal of this width as stdout; gives what it shows, without colours."""

    def call(width: int, *paths: Path, **options) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm-256color")
        ours, theirs = os.openpty()
        read: list[bytes] = []

        def drain() -> None:
            with open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123 - a descriptor
                while True:
                    try:
                        chunk = terminal.read(4096)
                    except OSError:  # how Linux says that the other side is closed
                        return
                    read.append(chunk)

        reader = threading.Thread(target=drain)
        reader.start()
        with monkeypatch.context() as patched, open(theirs, "w", encoding="utf-8") as terminal:  # noqa: PTH123
            patched.setattr(sys, "stdout", terminal)
            list_runs(Which(paths, every=True), **options)
        reader.join()
        text = b"".join(read).decode().replace("\r\n", "\n")
        assert "\x1b[31m" not in text
        return re.sub(r"\x1b\[[0-9;]*m", "", text)

    return call


# -- what is listed ---------------------------------------------------------------------------------------------------


def test_a_line_says_state_name_what_varies_and_results(grid, listed):
    lines = listed(grid).splitlines()
    assert re.split(r" {3,}", lines[1]) == [
        *("state", "run_id", "model", "optimizer", "test_accuracy", "val_accuracy", "test_loss", "duration", "age"),
        *("hidden", "activation"),
    ]
    cells = re.split(r" {3,}", lines[2])
    assert re.fullmatch(r"mnist_5k-lenet5-adam-\w{8}-s0", cells[1])
    assert cells[:1] + cells[2:8] + cells[9:] == [
        *("finished", "lenet5", "adam", "0.9800", "0.8600", "0.5000", "1:23"),
        *("-", "-"),
    ]
    assert re.fullmatch(r"\d+ d", cells[8])
    assert len(lines) == 2 + 8 + 2
    assert lines[-2] == (
        "Not shown: dropout, learning_rate, beta_1, beta_2, epsilon; --columns NAMES or --format csv shows them"
    )
    assert lines[-1] == "8 runs: 8 finished"
    assert max(map(len, lines)) <= 160


def test_what_is_constant_and_not_the_default_is_said_once_and_is_no_column(grid, make_run, listed):
    above, head, *_ = listed(grid).splitlines()
    assert above == "The same in all 8 runs: study grid, data mnist_5k"  # which says what the runs are about
    assert "epochs" not in head
    assert "study" not in head
    for folder in grid.glob("*/*"):
        result = json.loads((folder / "result.json").read_text())
        result["config"]["training"]["epochs"] = 7
        result["config"]["model"]["own"] = "x"
        (folder / "result.json").write_text(json.dumps(result))
    above, *_ = listed(grid).splitlines()
    assert above == "The same in all 8 runs: study grid, data mnist_5k, own x, training.epochs 7"


def test_a_value_is_compared_with_the_default_of_the_file_that_it_comes_from(make_run, outputs, listed):
    for seed in (0, 1):
        make_run(
            "optimizer=adam", "optimizer.epsilon=1e-7", "optimizer/schedule=cosine", "model=lenet5", f"seed={seed}"
        )
    above, *_ = listed(outputs).splitlines()
    assert above == (
        "The same in all 2 runs: study default, data mnist_5k, model lenet5, optimizer adam, schedule cosine"
    )


def test_the_run_that_weights_come_from_is_named_in_the_place_of_their_checksum(make_run, outputs, listed):
    for i in (1, 2):
        start = f"{{run_id: first-s{i}, folder: outputs/a/first-s{i}, sha256: {str(i) * 64}}}"
        make_run(f"training.start={start}")
    head, first, *_ = listed(outputs).splitlines()[1:]
    assert "sha256" not in head
    assert re.search(r" start\b", head)
    assert "first-s" in first


def test_the_task_of_the_configuration_is_a_column_where_it_varies(make_run, outputs, listed):
    for task in ("auto", "classification", "multilabel"):
        make_run("data=csv", "data.path=a.csv", "data.target=y", f"task={task}", finished=False)
    _, head, *lines = listed(outputs).splitlines()
    column = re.split(r" {3,}", head).index("config.task")
    assert sorted(re.split(r" {3,}", line)[column] for line in lines[:3]) == ["auto", "classification", "multilabel"]
    assert "config.task" not in listed(outputs, where="task == 'multilabel'")


def test_the_study_is_a_column_where_there_are_several(grid, make_run, listed):
    make_run("study=other")
    above, head, first, *_ = listed(grid).splitlines()
    assert "study" not in above
    assert head.split()[:3] == ["state", "study", "run_id"]
    assert first.split()[1] == "grid"
    assert [row["study"] for row in records(listed(grid, where="study == 'other'", format="csv"))] == ["other"]


def test_a_setting_that_repeats_a_column_is_none(make_run, outputs, listed):
    make_run("data=mnist_5k")
    make_run("data=digits")
    _, head, *_ = listed(outputs).splitlines()
    assert re.split(r" {3,}", head)[1:3] == ["run_id", "data"]
    assert "source" not in head
    assert {row["data.source"] for row in records(listed(outputs, format="csv"))} == {"mnist_5k", "digits"}


def test_tags_are_a_list_in_json(make_run, outputs, call, listed):
    folder = make_run("seed=0")
    call("note", folder, "--add", "b,paper")
    make_run("seed=1")
    assert [row["tags"] for row in json.loads(listed(outputs, format="json"))] == [["b", "paper"], None]
    assert [row["tags"] for row in records(listed(outputs, format="csv"))] == ['["b", "paper"]', ""]


def test_one_run_is_listed_with_nothing_said_to_be_the_same(make_run, listed):
    text = listed(make_run())
    assert "The same" not in text
    assert text.splitlines()[-1] == "1 run: 1 finished"


def test_states_are_counted_and_errors_said_once(make_run, outputs, listed):
    make_run("seed=0")
    for seed in (1, 2, 3):
        folder = make_run(f"seed={seed}", finished=False)
        if seed < 3:
            (folder / "error.txt").write_text("Traceback (most recent call last):\n  x\nValueError: b\x1b[31mad\n")
    text = listed(outputs)
    assert text.splitlines()[-1] == "4 runs: 1 finished, 2 failed, 1 interrupted"
    assert text.splitlines()[-2] == r"2 failed: ValueError: b\x1b[31mad"
    assert [line.split()[0] for line in text.splitlines()[2:6]] == ["finished", "failed", "failed", "interrupted"]
    assert "nan" not in text.lower()
    assert "None" not in text


def test_the_age_of_a_run_without_a_result_is_since_its_files_last_changed(make_run, outputs, listed):
    folder = make_run(finished=False)
    for path in folder.iterdir():
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 7_300))
    (row,) = json.loads(listed(outputs, columns="age", format="json"))
    assert 7_300 <= row["age"] < 7_360
    assert "2 h" in listed(outputs)


def test_runs_that_cannot_be_read_are_named_counted_and_left_out(grid, capsys):
    bad = sorted(grid.glob("*/*"))[0]
    (bad / "result.json").write_text("{")
    list_runs(Which([grid], every=True))
    printed = capsys.readouterr()
    assert printed.err.startswith(f"fitbench: left out {bad}: result.json: not JSON")
    assert printed.err.count("\n") == 1
    assert printed.out.splitlines()[-1] == "7 runs: 7 finished; 1 left out"
    assert bad.name not in printed.out


def test_where_nothing_can_be_read_that_is_what_is_said(make_run, outputs, capsys):
    (make_run() / "result.json").write_text("")
    list_runs(Which([outputs], every=True), sort="-test_accuracy")
    printed = capsys.readouterr()
    assert printed.out == "0 runs; 1 left out\n"
    assert printed.err.count("left out") == 1


def test_a_folder_whose_name_is_no_text_is_listed_and_its_files_are_read(make_run, outputs):
    folder = make_run("seed=0", finished=False)
    folder.rename(os.fsdecode(os.fsencode(folder.parent / "run") + b"\xff"))
    make_run("seed=1")
    arguments = [sys.executable, "-m", "fitbench", "runs", str(outputs)]
    done = subprocess.run(
        [*arguments, "--format", "csv"], env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert b"interrupted" in done.stdout
    assert len(load_history(outputs)) == 10


# -- which, in which order --------------------------------------------------------------------------------------------


def test_the_order_is_by_study_and_name_with_s2_before_s10(make_run, outputs, listed):
    for seed in (10, 2):
        make_run(f"seed={seed}", "study=b")
    make_run("seed=11", "study=a")
    rows = json.loads(listed(outputs, format="json"))
    assert [(row["study"], row["seed"]) for row in rows] == [("a", 11), ("b", 2), ("b", 10)]


def test_people_see_the_runs_of_a_study_in_the_order_of_the_sweep(make_run, outputs, listed):
    now = time.time()
    for age, (epochs, seed) in enumerate([(7, 1), (3, 0), (3, 1), (7, 0), (5, 0)]):
        folder = make_run(f"training.epochs={epochs}", f"seed={seed}", "study=a", finished=False)
        for path in (*folder.iterdir(), folder):
            os.utime(path, (now - 500 + age * 10,) * 2)
    lines = listed(outputs, columns="training.epochs,seed").splitlines()
    rows = [tuple(map(int, line.split())) for line in lines if re.fullmatch(r" *\d+ +\d+ *", line)]
    assert rows == [(7, 0), (7, 1), (3, 0), (3, 1), (5, 0)]


def test_sorted_by_a_metric_either_way(grid, listed):
    rising = accuracies(listed(grid, sort="test_accuracy", format="json"))
    assert rising == sorted(rising)
    assert len(set(rising)) == 8
    assert accuracies(listed(grid, sort="-metrics.test_accuracy", format="json")) == rising[::-1]


@pytest.mark.parametrize("sort", ["val_accuracy", "-val_accuracy"])
def test_missing_values_come_last_either_way(make_run, outputs, listed, sort):
    make_run("seed=0", finished=False)
    for seed, accuracy in ((1, 0.5), (2, None), (3, 0.7)):
        change(make_run(f"seed={seed}"), val_accuracy=accuracy)
    seeds = [row["seed"] for row in json.loads(listed(outputs, sort=sort, format="json"))]
    assert seeds == ([1, 3, 0, 2] if sort == "val_accuracy" else [3, 1, 0, 2])


def test_sorted_by_several_columns_and_by_lists(grid, make_run, listed):
    make_run("model.hidden=[300,100]", "study=grid")
    rows = json.loads(listed(grid, sort="-optimizer,hidden,-seed", format="json", columns="optimizer.name,hidden,seed"))
    assert [tuple(row.values()) for row in rows] == [
        *(("sgd", "[64, 64]", 1), ("sgd", "[64, 64]", 0), ("sgd", None, 1), ("sgd", None, 0)),
        *(("adam", "[64, 64]", 1), ("adam", "[64, 64]", 0), ("adam", "[300, 100]", 0)),
        *(("adam", None, 1), ("adam", None, 0)),
    ]


def test_sorted_by_age_the_youngest_comes_first(make_run, outputs, listed):
    make_run("seed=0")
    make_run("seed=1", finished=False)
    assert [row["seed"] for row in json.loads(listed(outputs, sort="age", format="json"))] == [1, 0]
    assert [row["seed"] for row in json.loads(listed(outputs, sort="-age", format="json"))] == [0, 1]


def test_limit_takes_the_first_and_says_of_how_many(grid, listed):
    text = listed(grid, sort="-test_accuracy", limit=3)
    assert text.splitlines()[-1] == "3 of 8 runs: 8 finished"
    assert text.count("lenet5-") == 3
    assert "optimizer" in text.splitlines()[1]  # it varies in the 8, though not in the 3
    assert listed(grid, limit=99).splitlines()[-1] == "8 runs: 8 finished"


def test_where_keeps_the_runs_that_fit(grid, listed):
    where = "model.name == 'mlp' and metrics.test_accuracy > 0.915 and seed < 5"
    rows = json.loads(listed(grid, where=where, format="json"))
    assert [(row["model.name"], row["optimizer.name"], row["seed"]) for row in rows] == [
        ("mlp", "adam", 0),
        ("mlp", "adam", 1),
    ]
    text = listed(grid, where=where, limit=1)
    assert text.splitlines()[-1] == "1 of the 2 runs that fit, of 8: 2 finished"
    assert " model mlp, " in text.splitlines()[0]  # now constant


@pytest.mark.parametrize("format", ["table", "csv", "json", "markdown"])
def test_where_nothing_fits_that_is_what_is_said(grid, capsys, format):
    list_runs(Which([grid], "seed > 5", every=True), format=format)
    printed = capsys.readouterr()
    said = printed.out if format == "table" else printed.err
    assert said == "0 of 8 runs\n"
    if format == "json":
        assert json.loads(printed.out) == []
    if format == "csv":
        assert records(printed.out) == []


def test_states_select(make_run, outputs, listed):
    make_run("seed=0")
    make_run("seed=1", finished=False)
    (make_run("seed=2", finished=False) / "error.txt").write_text("bad\n")
    seeds = {
        states: [row["seed"] for row in json.loads(listed(outputs, state=states, format="json"))]
        for states in ("finished", "failed", "failed, interrupted", "running")
    }
    assert seeds == {"finished": [0], "failed": [2], "failed, interrupted": [1, 2], "running": []}


def test_pruned_runs_are_listed_with_their_metrics_and_trials(make_run, outputs, listed):
    change(make_run("seed=0", trial=11), test_accuracy=0.75)
    make_run("seed=1", pruned=True, trial=2, history=make_run.curves(4))
    make_run("seed=2", finished=False)
    text = listed(outputs, columns="trial,state,val_accuracy,test_accuracy,epochs", sort="trial")
    assert [line.split() for line in text.splitlines()[1:-1]] == [
        ["trial", "state", "val_accuracy", "test_accuracy", "epochs"],
        ["2", "pruned", "0.8800", "-", "4"],
        ["11", "finished", "0.8600", "0.7500", "5"],
        ["-", "interrupted", "-", "-", "-"],
    ]
    assert text.splitlines()[-1] == "3 runs: 1 finished, 1 pruned, 1 interrupted"
    (row,) = json.loads(listed(outputs, where="trial < 5", state="pruned", format="json"))
    assert (row["trial"], row["metrics.val_accuracy"], row["metrics.test_accuracy"]) == (2, 0.88, None)
    assert [row["trial"] for row in records(listed(outputs, format="csv"))] == ["11", "2", ""]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"state": "done"},
            "--state is 'done'; it must be one or several of finished, failed, pruned, running, interrupted",
        ),
        ({"format": "xml"}, "--format is 'xml'; it must be one of table, csv, json, markdown"),
        ({"sort": "-test_acuracy"}, "there is no column 'test_acuracy'; did you mean metrics.test_accuracy"),
        ({"columns": "run_id,nme"}, "there is no column 'nme'"),
        ({"columns": "name"}, "'name' fits 3 columns: data.name, model.name, optimizer.name"),
        ({"where": "model.name = 'mlp'"}, "=="),
        ({"where": "tset_accuracy > 1"}, "metrics.test_accuracy"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_printed(grid, capsys, options, message):
    with pytest.raises(RequestError) as caught:
        list_runs(Which([grid], options.pop("where", None), every=True), **options)
    assert message in str(caught.value)
    assert capsys.readouterr().out == ""


# -- formats ----------------------------------------------------------------------------------------------------------


def test_columns_are_those_asked_for_in_their_order(grid, listed):
    text = listed(grid, columns="test_accuracy, seed,optimizer,duration,seed", format="csv")
    assert text.splitlines()[0] == "metrics.test_accuracy,seed,optimizer.name,timing.seconds"
    lines = listed(grid, columns="test_accuracy,model", limit=1).splitlines()
    assert lines[1].split() == ["test_accuracy", "model"]
    assert lines[2].split() == ["0.9800", "lenet5"]
    assert "optimizer" not in "".join(lines[1:])


def test_csv_has_whole_names_full_precision_and_nothing_else_on_stdout(grid, capsys):
    folder = sorted(grid.glob("*/*lenet5*"))[0]
    change(folder, test_loss=0.12345678901234567, val_loss=None)
    list_runs(Which([grid], every=True), format="csv")
    printed = capsys.readouterr()
    row = records(printed.out)[0]
    assert list(row) == list(load_runs(grid).columns)
    assert row["folder"] == str(folder)
    assert float(row["metrics.test_loss"]) == 0.12345678901234567
    assert row["metrics.val_loss"] == ""
    assert row["metrics.epochs"] == "5"
    assert row["finished_at"] == "2026-01-02T03:04:05Z"
    assert row["training.batch_size"] == "128"
    assert row["training.early_stopping.restore_best_weights"] == "true"
    assert printed.err == "8 runs: 8 finished\n"


def test_json_is_a_list_with_null_for_what_is_missing(make_run, outputs, capsys):
    make_run("seed=0")
    make_run("seed=1", finished=False)
    list_runs(Which([outputs], every=True), format="json")
    finished, interrupted = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert finished["metrics.epochs"] == 5
    assert isinstance(finished["metrics.epochs"], int)
    assert isinstance(finished["parameters"], int)
    assert isinstance(finished["metrics.test_accuracy"], float)
    assert interrupted["metrics.test_accuracy"] is None
    assert interrupted["finished_at"] is None
    assert interrupted["state"] == "interrupted"


def test_markdown_is_a_table_with_aligned_numbers(grid, capsys):
    list_runs(Which([grid], every=True), format="markdown", columns="run_id,hidden,test_accuracy", limit=2)
    printed = capsys.readouterr()
    above, blank, head, rule, first, second = printed.out.splitlines()
    assert above.startswith("**The same in all 8 runs: study grid, ")
    assert (blank, head, rule) == ("", "| run_id | hidden | test_accuracy |", "|---|---|---:|")
    assert re.fullmatch(r"\| mnist_5k-lenet5-adam-\w{8}-s0 \| - \| 0\.9800 \|", first)
    assert second.endswith("| 0.9810 |")
    assert printed.err == "2 of 8 runs: 8 finished\n"


HOSTILE = "a|b <img src=x onerror=1> `c` *d* [x](javascript:1) \x1b[31m\u202e__e__\n| f"


@pytest.fixture
def hostile(make_run, outputs) -> Path:
    make_run("seed=0")
    folder = make_run("seed=1")
    result = json.loads((folder / "result.json").read_text())
    result["config"]["model"]["name"] = result["study"] = result["run_id"] = HOSTILE
    result["config"]["model"]["x\x1b[31m|y"] = "=1+1"
    (folder / "result.json").write_text(json.dumps(result))
    return outputs


def test_hostile_text_stays_text(hostile, capsys):
    list_runs(Which([hostile], every=True), format="csv")
    assert HOSTILE in [row["model.name"] for row in records(capsys.readouterr().out)]  # a file holds what is there
    list_runs(Which([hostile], every=True), format="json")
    assert HOSTILE in [row["model.name"] for row in json.loads(capsys.readouterr().out)]
    for format in ("table", "markdown"):
        list_runs(Which([hostile], every=True), format=format)
        text = "".join(capsys.readouterr())
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert text.count("\n| ") == 3  # no row is torn
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "<img" not in text
    assert "](" not in text


@pytest.mark.parametrize("format", ["table", "csv", "markdown"])
def test_a_terminal_gets_no_control_characters_from_a_run(hostile, in_terminal, format):
    text = in_terminal(200, hostile, format=format)
    assert "\x1b" not in text
    assert "\u202e" not in text


# -- in a terminal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [30, 80, 160, 250])
def test_no_line_is_wider_than_the_terminal_and_what_is_left_out_is_said(grid, in_terminal, width):
    lines = in_terminal(width, grid).splitlines()
    assert max(map(len, lines)) <= width
    top, bottom = (next(i for i, line in enumerate(lines) if line.startswith(corner)) for corner in "╭╰")
    body = lines[top : bottom + 1]
    assert len({len(line) for line in body}) == 1
    assert sum(line.startswith("│") for line in body[body.index(next(x for x in body if x[0] == "├")) :]) == 8
    heads = " ".join(lines[top:bottom])
    below = " ".join(lines[bottom + 1 :])
    for name in ("state", "model", "optimizer", "dropout", "duration", "age"):
        assert (f" {name} " in heads) != (re.search(rf"\b{name}\b", below) is not None), name
    assert ("Too narrow here for: " in below) == (width < 250)


def test_at_80_columns_the_most_telling_columns_stay(grid, in_terminal):
    text = in_terminal(80, grid)
    head = text.partition("├")[0]
    for name in ("run_id", "model", "optimizer", "accuracy", "age"):
        assert f" {name} " in head
    assert "hidden" not in head
    assert re.search(r"│ [0-9a-f]{8}-s0 │ lenet5 │ adam +│ +0\.9800 │", text)


def test_at_80_columns_keys_and_the_primary_metric_stay_and_other_metrics_go(make_run, outputs, in_terminal):
    for width in (64, 128):
        for rate in (0.001, 0.0029999999329447746):
            make_run(f"model.hidden=[{width},{width}]", f"optimizer.learning_rate={rate}", f"model.dropout=0.{width}")
    text = in_terminal(84, outputs)
    head, _, body = text.partition("├")
    for name in ("hidden", "rate", "accuracy", "age"):
        assert f" {name} " in head
    assert "val_" not in head
    assert re.search(r"│ \[64, 64\] +│ +0\.64 │ +0\.003 │", body)
    assert re.search(r"│ +test_ +│", in_terminal(45, outputs).partition("├")[0])


def test_at_80_columns_results_stay_that_few_runs_have(make_run, outputs, in_terminal):
    make_run("training.batch_size=8")
    for size in (16, 32, 64):
        make_run(f"training.batch_size={size}", f"training.epochs={size}", "training.early_stopping.patience=2",
                 f"training.early_stopping.min_delta=0.{size}", finished=False)  # fmt: skip
    head = " ".join(in_terminal(80, outputs).partition("├")[0].split())
    for name in ("run_id", "accuracy", "age", "epochs"):
        assert f" {name} " in head


def test_at_80_columns_runs_of_several_tasks_can_be_told_apart(grid, make_run, in_terminal, monkeypatch):
    for seed in range(2):
        folder = make_run("data=digits", f"seed={seed}", "study=houses")
        as_task(folder, "regression", *close_values(30, seed=seed), ("y",))
    make_run("seed=3", "study=at_work", finished=False)
    monkeypatch.setenv("LINES", "60")
    text = in_terminal(80, grid)
    head = " ".join(text.partition("├")[0].split())
    for name in ("run_id", "model", "data", "primary"):
        assert f" {name} " in head
    assert " epoch " not in head
    assert re.search(r"│ accuracy 0\.9800 +│", text)
    assert re.search(r"│ mae \d\.\d+ +│", text)


def test_a_screen_has_the_newest_runs_and_how_to_see_all(make_run, outputs, in_terminal, monkeypatch):
    monkeypatch.setenv("LINES", "24")
    for seed in range(30):
        folder = make_run(f"seed={seed}", f"study={'ab'[seed % 2]}")
        result = json.loads((folder / "result.json").read_text()) | {"finished_at": f"2026-03-{seed + 1:02}T00:00:00Z"}
        (folder / "result.json").write_text(json.dumps(result))
    text = in_terminal(100, outputs)
    seeds = re.findall(r"-s(\d+) │", text)
    assert len(text.splitlines()) <= 24
    assert seeds[:2] == ["29", "28"]
    assert 5 <= len(seeds) < 20
    assert f"{len(seeds)} of 30 runs: 30 finished; --limit 30 shows all" in text
    assert len(re.findall(r"-s\d+ +│", in_terminal(100, outputs, limit=30))) == 30
    assert re.findall(r"-s(\d+) +│", in_terminal(100, outputs, sort="seed"))[:3] == ["0", "1", "2"]


def test_a_state_that_differs_stays_and_a_run_id_is_whole_where_there_is_room(make_run, outputs, in_terminal):
    folder = make_run("seed=0")
    make_run("seed=1", finished=False)
    assert "│ interrupted │" in in_terminal(70, outputs)
    assert f"│ {folder.name} │" in in_terminal(120, outputs)


def test_columns_that_were_asked_for_go_from_the_last(grid, in_terminal):
    text = in_terminal(50, grid, columns="seed,test_accuracy,study,run_id,state,folder")
    assert re.search(r"│ seed │ accuracy │ study │ run_id +│", text)
    assert "Too narrow here for: state, folder." in text


def test_long_texts_are_cut_visibly(make_run, outputs, in_terminal):
    make_run("seed=0")
    make_run("seed=1", "model.hidden=" + str([64] * 30).replace(" ", ""))
    text = in_terminal(120, outputs)
    assert "│ [64, 64, 64, 64" in text
    assert "…" in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_table_in_a_file_is_clipped_and_csv_is_not(make_run, outputs, listed):
    make_run("seed=0")
    folder = make_run("seed=1")
    result = json.loads((folder / "result.json").read_text())
    result["config"]["model"] |= {f"text{i}": f"{i}" + "x" * 9_000 for i in range(300)}
    (folder / "result.json").write_text(json.dumps(result))
    text = listed(outputs)
    assert max(map(len, text.splitlines()[1:-2])) <= 160
    assert re.search(r"^Not shown: text.* and 2\d\d more; --columns NAMES or --format csv", text, re.MULTILINE)
    text = listed(outputs, columns="run_id,text1")
    assert "1" + "x" * 198 + "…" in text
    assert "x" * 200 not in text
    assert "x" * 9_000 in listed(outputs, format="csv")


# -- the command ------------------------------------------------------------------------------------------------------


def test_the_command_passes_everything_on(grid, monkeypatch, capsys):
    monkeypatch.chdir(grid.parent)
    arguments = "runs --sort -test_accuracy --limit 1 --columns seed,model --state finished --format csv"
    monkeypatch.setattr(sys, "argv", ["fitbench", *arguments.split(), "--where", "seed == 1"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    assert capsys.readouterr().out == "seed,model.name\n1,lenet5\n"


def test_without_runs_the_command_says_what_was_searched(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    monkeypatch.setattr(sys, "argv", ["fitbench", "runs"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("fitbench: no runs below outputs; ")
