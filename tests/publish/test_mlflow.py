"""`fitbench publish --to mlflow`: what MLflow's client reads back is what the run folders hold."""

import json
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow import MlflowClient

from fitbench.publish.sending import send
from fitbench.record.claims import claim
from fitbench.record.failure import FILE as ERROR_FILE
from fitbench.record.history import write_history
from fitbench.record.reading import read_history
from fitbench.trackers.mlflow import MlflowTracker

from .conftest import change_result, goes_on, png, trained_again


@pytest.fixture
def publish(call, mlflow_uri):
    """Calls `fitbench publish ARGUMENTS --to mlflow`; gives its status, what became of each run by name, and stderr."""

    def call_publish(*arguments: object):
        status, out, err = call("publish", *arguments, "--to", "mlflow", "--uri", mlflow_uri, "--format", "json")
        return status, {f"{run['study']}/{run['run_id']}": run for run in json.loads(out)}, err

    return call_publish


@pytest.fixture
def runs_of(mlflow_uri):
    """Gives the runs of an experiment, as MLflow's client reads them."""

    def read(study: str):
        client = MlflowClient(mlflow_uri)
        experiment = client.get_experiment_by_name(study)
        return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])

    return read


@pytest.fixture
def stored(mlflow_uri, tmp_path):
    """Gives every row of the database, and the content and time of every artifact."""

    def read():
        with sqlite3.connect(mlflow_uri.removeprefix("sqlite:///")) as database:
            names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
            rows = {name: sorted(map(repr, database.execute(f"select * from {name}"))) for name in names}
        files = [path for path in (tmp_path / "mlartifacts").rglob("*") if path.is_file()]
        return rows, {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    return read


def history_of(uri: str, run) -> list[dict]:
    """The history of a run from the points of MLflow's metrics, but for those that the run ended with."""
    client, epochs = MlflowClient(uri), {}
    for name in run.data.metrics:
        for point in client.get_metric_history(run.info.run_id, name):
            epochs.setdefault(point.step, {})[name] = point.value
    return [{"epoch": number, **values} for number, values in sorted(epochs.items()) if number]  # 0: of no epoch


def artifacts(uri: str, run, folder: Path) -> dict[str, bytes]:
    client = MlflowClient(uri)
    names = [file.path for file in client.list_artifacts(run.info.run_id)]
    folder.mkdir()
    return {name: Path(client.download_artifacts(run.info.run_id, name, str(folder))).read_bytes() for name in names}


EXACT = [0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, 2**53 + 1.0]


def test_what_mlflow_reads_back_is_what_the_folder_holds_to_the_last_bit(
    publish, runs_of, with_files, call, mlflow_uri, tmp_path
):
    history = [
        {"epoch": i, "seconds": 0.25, "learning_rate": 1e-3, "loss": value, "val_loss": value / 3}
        for i, value in enumerate(EXACT, 1)
    ]
    folder = with_files("study=a", "model.hidden=[20,10]", history=history)
    call("note", folder, "diverges\nin the end", "--add", "bad,paper")
    status, outcomes, err = publish(folder)
    assert (status, err) == (0, "")
    [outcome] = outcomes.values()
    assert outcome["outcome"] == "new"
    assert outcome["sent"]["files"] == 3
    [run] = runs_of("a")
    result = json.loads((folder / "result.json").read_text())
    names = ("seconds", "learning_rate", "loss", "val_loss")
    lines = [{key: line[key] for key in ("epoch", *names)} for line in history_of(mlflow_uri, run)]
    assert lines == read_history(folder) == history
    final = {key.removeprefix("final_"): value for key, value in run.data.metrics.items() if key not in names}
    assert {**final, "val_loss": run.data.metrics["final_val_loss"]} == {
        **{key: value for key, value in result["metrics"].items() if value is not None},
        "parameters": 12345, "fit_seconds": 2.5,
    }  # fmt: skip
    config = result["config"]
    assert run.data.params["model.hidden"] == "[20, 10]"
    assert float(run.data.params["optimizer.learning_rate"]) == config["optimizer"]["learning_rate"]
    assert run.data.params["seed"] == "0"
    assert not {"outputs", "study", "force", "workers"} & set(run.data.params)
    tags = {key: run.data.tags.get(key) for key in ("study", "seed", "tags", "mlflow.note.content", "fitbench.state",
            "data_sha256", "versions.keras", "finished_at", "fitbench.folder")}  # fmt: skip
    assert tags == {
        "study": "a", "seed": "0", "tags": "bad, paper", "mlflow.note.content": "diverges\nin the end",
        "fitbench.state": "finished", "data_sha256": "ab" * 32, "versions.keras": "3",
        "finished_at": "2026-01-02T03:04:05Z", "fitbench.folder": str(folder),
    }  # fmt: skip
    assert (run.info.run_name, run.info.status) == (folder.name, "FINISHED")
    assert run.info.end_time == 1767323045000  # 2026-01-02T03:04:05Z
    assert run.info.start_time == run.info.end_time - 83_000
    assert artifacts(mlflow_uri, run, tmp_path / "read") == {
        name: (folder / name).read_bytes() for name in ("model.keras", "curves.png", "confusion.png")
    }


def test_a_second_call_changes_nothing_at_all(publish, with_files, stored, call, make_run):
    call("note", with_files("study=a", history=make_run.curves(300)), "--add", "x", "--text", "a note")
    with_files("study=a", "seed=1", history=[])  # as of a model that a solver computes
    with_files("study=b", finished=False)
    with_files("study=b", "seed=1", pruned=True, trial=1)
    assert {each["outcome"] for each in publish("outputs")[1].values()} == {"new"}
    before = stored()
    assert len(before[0]["metrics"]) == 300 * 6 + 10 + 4 + 5 * 6 + 5 * 6 + 7  # epochs, results, epochs, pruned result
    status, outcomes, _ = publish("outputs")
    assert (status, len(outcomes)) == (0, 4)
    assert {each["outcome"] for each in outcomes.values()} == {"unchanged"}
    assert not any(count for each in outcomes.values() for count in each["sent"].values())
    assert stored() == before


def test_a_run_that_went_on_gets_its_further_epochs_and_its_state(publish, runs_of, with_files, make_run, mlflow_uri):
    folder = with_files("study=a", finished=False)
    (folder / ERROR_FILE).write_text("Traceback (most recent call last):\n  x\nValueError: no luck\n")
    publish(folder)
    [run] = runs_of("a")
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "ValueError: no luck")
    (folder / ERROR_FILE).unlink()
    finished = make_run("study=a", outputs=folder.parents[1].with_name("other"), history=make_run.curves(7))
    shutil.copytree(finished, folder, dirs_exist_ok=True)
    change_result(folder, finished_at="2099-01-02T03:04:05Z")
    (folder / "curves.png").write_bytes(png(7))
    (folder / "confusion.png").write_bytes(png(8))
    [outcome] = publish(folder)[1].values()
    assert outcome["outcome"] == "updated"
    assert (outcome["sent"]["epochs"], outcome["sent"]["files"]) == (2, 3)
    [after] = runs_of("a")
    assert after.info.run_id == run.info.run_id
    assert (after.info.status, after.data.tags.get("error")) == ("FINISHED", None)
    losses = MlflowClient(mlflow_uri).get_metric_history(run.info.run_id, "loss")
    losses.sort(key=lambda point: point.step)
    assert [(point.step, point.value) for point in losses] == [(i, 2.0 / i) for i in range(1, 8)]
    times = [point.timestamp for point in losses]
    assert times == sorted(times)


@pytest.mark.parametrize("loss", [5.0, 2.0])  # 2.0: the numbers of the first training
def test_a_run_that_was_trained_again_replaces_the_one_before_and_no_points_are_mixed(
    publish, runs_of, with_files, mlflow_uri, loss
):
    folder = with_files("study=a")
    publish(folder)
    [before] = runs_of("a")
    trained_again(folder, loss)
    [outcome] = publish(folder)[1].values()
    assert outcome["outcome"] == "new"
    [after] = runs_of("a")
    client = MlflowClient(mlflow_uri)
    assert after.info.run_id != before.info.run_id
    assert client.get_run(before.info.run_id).info.lifecycle_stage == "deleted"
    points = client.get_metric_history(after.info.run_id, "loss")
    assert [point.value for point in points] == [loss / epoch for epoch in range(1, 5)]


def test_tags_and_notes_are_updated_and_removed_but_not_a_note_that_was_written_in_mlflow(
    publish, runs_of, with_files, call, mlflow_uri
):
    folder = with_files("study=a")
    call("note", folder, "first note", "--add", "x,y")
    publish(folder)
    call("note", folder, "second note", "--remove", "x")
    [outcome] = publish(folder)[1].values()
    assert (outcome["outcome"], outcome["sent"]["epochs"], outcome["sent"]["files"]) == ("updated", 0, 0)
    [run] = runs_of("a")
    assert (run.data.tags["tags"], run.data.tags["mlflow.note.content"]) == ("y", "second note")
    call("note", folder, "--text", "", "--remove", "y")
    publish(folder)
    [run] = runs_of("a")
    assert not {"tags", "mlflow.note.content", "fitbench.note"} & set(run.data.tags)
    MlflowClient(mlflow_uri).set_tag(run.info.run_id, "mlflow.note.content", "of a person")
    assert {each["outcome"] for each in publish(folder)[1].values()} == {"unchanged"}
    assert runs_of("a")[0].data.tags["mlflow.note.content"] == "of a person"


def test_a_moved_folder_is_the_same_run_and_another_of_the_same_name_is_not(publish, runs_of, with_files, tmp_path):
    folder = with_files("study=a")
    publish(folder)
    [run] = runs_of("a")
    (tmp_path / "outputs").rename(tmp_path / "moved")
    moved = tmp_path / "moved" / "a" / folder.name
    publish(moved)
    [after] = runs_of("a")
    assert after.info.run_id == run.info.run_id
    assert after.data.tags["fitbench.folder"] == str(moved)
    other = with_files("study=a")  # in outputs/, of the same run_id
    trained_again(other, 5.0)
    twin = with_files("study=a", outputs=tmp_path / "twins")  # with the same numbers
    change_result(twin, finished_at="2026-01-07T03:04:05Z")
    for each in (other, twin):
        assert [outcome["outcome"] for outcome in publish(each)[1].values()] == ["new"]
    for _ in range(2):
        for each in (moved, other, twin):
            assert [outcome["outcome"] for outcome in publish(each)[1].values()] == ["unchanged"]
    both = {each.data.tags["fitbench.folder"]: each.data.metrics["loss"] for each in runs_of("a")}
    assert both == {str(moved): 2.0 / 5, str(other): 5.0 / 4, str(twin): 2.0 / 5}
    copy = shutil.copytree(moved, tmp_path / "copies" / "a" / moved.name)
    assert [each["outcome"] for each in publish(copy)[1].values()] == ["unchanged"]


def test_running_interrupted_and_pruned_runs_have_their_states(publish, runs_of, with_files):
    running, pruned = with_files("study=a", finished=False), with_files("study=a", "seed=1", pruned=True, trial=1)
    with claim(running):
        publish(running, pruned)
        states = {run.data.tags["seed"]: run for run in runs_of("a")}
    assert [(states[seed].info.status, states[seed].data.tags["fitbench.state"]) for seed in "01"] == [
        ("RUNNING", "running"), ("KILLED", "pruned"),
    ]  # fmt: skip
    assert states["0"].info.end_time is None
    assert states["1"].data.metrics["final_val_accuracy"] == 0.9 - 0.02 * 2
    goes_on(running, loss=0.1)
    [outcome] = publish(running)[1].values()
    assert outcome["sent"]["epochs"] == 1
    after = {run.data.tags["seed"]: run for run in runs_of("a")}["0"]
    assert (after.info.status, after.data.tags["fitbench.state"]) == ("KILLED", "interrupted")


def test_a_run_that_its_logger_sends_is_left_out_until_it_has_ended(publish, runs_of, with_files, call, mlflow_uri):
    """Both would send the epoch that has just ended."""
    folder = with_files("study=a", "logger=mlflow", finished=False)
    with claim(folder):
        status, outcomes, _ = publish(folder)
        assert (status, outcomes[f"a/{folder.name}"]["outcome"]) == (0, "logged")
        note = call("publish", folder, "--to", "mlflow", "--uri", mlflow_uri)[1]
        assert "logger=mlflow sends the epochs" in " ".join(note.split())
    assert publish(folder)[1][f"a/{folder.name}"]["outcome"] == "new"
    assert len(runs_of("a")) == 1


def test_two_processes_that_publish_at_once_make_one_run(runs_of, with_files, mlflow_uri):
    folder = with_files("study=a", finished=False)
    with ThreadPoolExecutor(2) as pool:  # a lock does not tell threads from processes
        send_it = lambda _: send(folder, "mlflow", lambda run: MlflowTracker(run, mlflow_uri), False)  # noqa: E731
        assert sorted(outcome.kind for outcome in pool.map(send_it, range(2))) == ["new", "unchanged"]
    [run] = runs_of("a")
    assert [line["epoch"] for line in history_of(mlflow_uri, run)] == [line["epoch"] for line in read_history(folder)]


def test_pictures_are_drawn_where_they_lack_and_once_without_touching_the_folder(
    publish, runs_of, make_run, mlflow_uri, tree, tmp_path
):
    folder = make_run("study=a")
    before = {path: stat for path, stat in tree().items() if path.is_relative_to(folder)}
    assert [each["sent"]["files"] for each in publish(folder)[1].values()] == [2]
    [run] = runs_of("a")
    drawn = artifacts(mlflow_uri, run, tmp_path / "read")
    assert sorted(drawn) == ["confusion.png", "curves.png"]
    assert all(content.startswith(b"\x89PNG") for content in drawn.values())
    assert {each["outcome"] for each in publish(folder)[1].values()} == {"unchanged"}
    assert {path: stat for path, stat in tree().items() if path.is_relative_to(folder)} == before


def test_the_newest_study_is_sent_unless_runs_are_named_or_selected(publish, with_files, call, dry_call, mlflow_uri):
    for study in ("a", "b"):
        for seed in (0, 1):
            day = "2026-01-01" if study == "b" else "2026-01-02"
            change_result(with_files(f"study={study}", f"seed={seed}"), finished_at=f"{day}T00:00:00Z")
    status, out, err = dry_call("publish", "--to", "mlflow", "--uri", mlflow_uri, "--dry-run")
    assert status == 0
    assert "study a, the newest" in err
    assert out.splitlines()[-1] == "2 runs; nothing is sent, and mlflow is not asked what it has already"
    assert [line.split()[1:] for line in out.splitlines()[1:3]] == [["finished", "5", "3"]] * 2
    assert len(publish("--where", "seed == 1")[1]) == 2
    assert len(publish("--study", "b", "--no-model")[1]) == 2
    status, out, err = call("publish", "outputs", "--to", "mlflow", "--uri", mlflow_uri)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == f"4 runs to mlflow at {mlflow_uri}: 1 new, 1 updated, 2 unchanged"


def test_what_cannot_be_sent_is_named_and_the_others_are_sent(publish, call, with_files, runs_of, monkeypatch):
    good, bad = with_files("study=a"), with_files("study=a", "seed=1")
    (bad / "result.json").write_text("{")
    status, outcomes, _ = publish("outputs")
    assert status == 1
    assert outcomes[f"None/{bad.name}"]["outcome"] == "failed"
    assert "result.json: not JSON" in outcomes[f"None/{bad.name}"]["error"]
    assert [run.data.tags["seed"] for run in runs_of("a")] == ["0"]
    (good / "predictions.npz").unlink()
    (good / "confusion.png").unlink()
    status, outcomes, _ = publish(good)
    assert (status, outcomes[f"a/{good.name}"]["outcome"]) == (0, "unchanged")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for seed in (2, 3, 4):
        with_files("study=b", f"seed={seed}")
    status, out, err = call("publish", "--study", "b", "--to", "mlflow", "--uri", "http://a:secret@127.0.0.1:9")
    assert status == 1
    assert "Traceback" not in err
    reason, others, count = out.splitlines()[-3:]
    assert reason.endswith("-s3: mlflow at http://a:***@127.0.0.1:9 does not answer")
    assert others.endswith("-s4: not tried")
    assert count == "3 runs to mlflow at http://a:***@127.0.0.1:9: 3 failed"


def test_a_strangers_run_is_data(publish, runs_of, with_files, tmp_path):
    folder = with_files("study=a")
    result = json.loads((folder / "result.json").read_text())
    result["study"] = "a'b\"c`d/../\x1b[31m"
    result["config"]["model"]["x\ny/../.."] = "\udcff" + "w" * 9_000
    result["versions"] = {"../..": "1", "a\x00b": None}
    result["metrics"] |= {"top@1": 0.1, "top#1": 0.2}
    gaps = [line | {"../loss'": 1.0, "epoch": 1000 * line["epoch"]} for line in read_history(folder)]
    write_history(folder, gaps)
    change_result(folder, **result)
    (folder / "model.keras").unlink()
    (folder / "model.keras").symlink_to("/etc/hostname")
    status, outcomes, _ = publish(folder)
    assert status == 1
    assert "model.keras: a link to /etc/hostname" in next(iter(outcomes.values()))["error"]
    (folder / "model.keras").unlink()
    for outcome in ("updated", "unchanged"):
        assert [(each["outcome"], each["error"]) for each in publish(folder)[1].values()] == [(outcome, None)]
    [run] = runs_of(result["study"])
    assert len(next(value for key, value in run.data.params.items() if key.startswith("model_x"))) == 6000
    assert not (tmp_path / "loss'").exists()
