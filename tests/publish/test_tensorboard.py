"""`fitbench publish --to tensorboard`: what TensorBoard's own reader finds is what the run folders hold."""

import json
import shutil
import struct
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fitbench.publish.recorded import read_recorded
from fitbench.record.reading import read_history
from fitbench.trackers.sender import Sender
from fitbench.trackers.tensorboard import TensorBoardTracker

from .conftest import change_result, goes_on, trained_again

FILES = "events.out.tfevents.*"


@pytest.fixture
def publish(call):
    """Calls `fitbench publish ARGUMENTS --to tensorboard`; gives its status and what became of each run."""

    def call_publish(*arguments: object):
        status, out, _ = call("publish", *arguments, "--to", "tensorboard", "--uri", "board", "--format", "json")
        return status, [run["outcome"] for run in json.loads(out)]

    return call_publish


@pytest.fixture
def board(tmp_path, monkeypatch):
    """Gives what TensorBoard reads in the folder of a run of study a."""
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", ModuleType("notf"))  # it would import TensorFlow

    def read(name: str):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        return EventAccumulator(str(tmp_path / "board" / "a" / name)).Reload()

    return read


def single(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def history_of(events) -> list[dict]:
    epochs: dict[int, dict] = {}
    for name in ("seconds", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy"):
        for point in events.Scalars(name):
            epochs.setdefault(point.step, {"epoch": point.step})[name] = point.value
    return [epochs[number] for number in sorted(epochs)]


def contents(folder: Path) -> dict:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_tensorboard_reads_the_history_the_results_the_parameters_and_the_pictures(publish, board, with_files, call):
    folder = with_files("study=a")
    call("note", folder, "good | bad", "--add", "x")
    assert publish(folder) == (0, ["new"])
    events = board(folder.name)
    history = [
        {key: value if key == "epoch" else single(value) for key, value in line.items()}
        for line in read_history(folder)
    ]
    assert history_of(events) == history
    result = json.loads((folder / "result.json").read_text())
    assert events.Scalars("test_accuracy")[0].value == single(result["metrics"]["test_accuracy"])
    assert events.Scalars("test_accuracy")[0].wall_time == 1767323045.0  # 2026-01-02T03:04:05Z
    for name in ("curves", "confusion"):
        assert [image.encoded_image_string for image in events.Images(name)] == [(folder / f"{name}.png").read_bytes()]
    from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data as parsed

    metadata = events.SummaryMetadata("_hparams_/session_start_info")
    parameters = parsed(metadata.plugin_data.content)
    assert parameters.hparams["optimizer.learning_rate"].number_value == result["config"]["optimizer"]["learning_rate"]
    [text] = events.Tensors("run")
    rows = text.tensor_proto.string_val[0].decode().splitlines()
    assert {"| state | finished |", "| tags | x |", "| note | good &#124; bad |", "| versions.keras | 3 |"} <= {*rows}


def test_a_second_call_writes_nothing_and_a_run_that_went_on_is_updated(publish, board, with_files, tmp_path):
    folder = with_files("study=a", finished=False)
    with_files("study=b")
    assert publish("outputs") == (0, ["new", "new"])
    before = contents(tmp_path / "board")
    assert publish("outputs") == (0, ["unchanged", "unchanged"])
    assert contents(tmp_path / "board") == before
    goes_on(folder, loss=0.1)
    assert publish("outputs")[1] == ["updated", "unchanged"]
    assert [point.step for point in board(folder.name).Scalars("loss")] == [1, 2, 3, 4, 5, 6]


def test_a_run_that_was_trained_again_has_the_points_of_the_last_training_alone(publish, board, with_files):
    folder = with_files("study=a")
    publish(folder)
    trained_again(folder, 5.0)
    assert publish(folder) == (0, ["new"])
    assert [point.value for point in board(folder.name).Scalars("loss")] == [single(5 / epoch) for epoch in range(1, 5)]
    assert publish(folder) == (0, ["unchanged"])


def test_a_moved_folder_is_the_same_run_and_another_of_the_same_name_is_not(publish, board, with_files, tmp_path):
    folder = with_files("study=a")
    publish(folder)
    (tmp_path / "outputs").rename(tmp_path / "moved")
    moved = tmp_path / "moved" / "a" / folder.name
    assert publish(moved)[1] == ["unchanged"]
    other = with_files("study=a")
    trained_again(other, 5.0)
    assert publish(other)[1] == ["new"]
    for each in (other, moved, shutil.copytree(moved, tmp_path / "copy" / "a" / moved.name)):
        assert publish(each)[1] == ["unchanged"]
    assert [board(name).Scalars("loss")[0].value for name in (folder.name, f"{folder.name}-2")] == [2.0, 5.0]


def test_a_run_whose_folder_has_event_files_gets_there_what_they_lack(call, with_files, tmp_path):
    """Else TensorBoard would show it twice in a folder that has both. `--uri` makes a copy in another folder."""
    folder = with_files("study=a")
    sender = Sender(TensorBoardTracker(read_recorded(folder).description, folder / "tensorboard"))
    sender.send(read_history(folder), 1000.0)
    sender.tracker.close()
    for outcome in ("1 updated", "1 unchanged"):
        assert call("publish", folder, "--to", "tensorboard")[1].splitlines()[-1] == f"1 run to tensorboard: {outcome}"
    assert {path.parent for path in tmp_path.rglob(FILES)} == {folder / "tensorboard"}
    call("publish", folder, "--to", "tensorboard", "--uri", "board")
    assert {path.parent for path in tmp_path.rglob(FILES)} == {
        folder / "tensorboard",
        tmp_path / "board" / "a" / folder.name,
    }


def test_a_link_in_a_run_folder_leads_no_event_files_elsewhere(call, with_files, tmp_path):
    folder = with_files("study=a")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / f"{FILES[:-1]}0.a").touch()
    (folder / "tensorboard").symlink_to(outside)
    call("publish", folder, "--to", "tensorboard")
    assert len(list(outside.iterdir())) == 1


def test_a_strangers_run_is_published_below_the_folder(publish, with_files, tmp_path):
    folder = with_files("study=a")
    result = json.loads((folder / "result.json").read_text())
    result |= {"study": "../../b", "run_id": ".."}
    result["metrics"]["test_accuracy"] = 1e300
    result["config"]["model"]["width"] = 10**400
    result["config"]["model"]["path"] = "\udcff"
    change_result(folder, **result)
    assert publish(folder) == (0, ["new"])
    assert publish(folder) == (0, ["unchanged"])
    assert {path.relative_to(tmp_path / "board").parent for path in tmp_path.rglob(FILES)} == {Path("_._.._b/_.")}
