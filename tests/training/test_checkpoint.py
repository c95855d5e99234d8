"""Checkpoints: which are used, and what is recorded when something else has touched the run folder."""

import hashlib
import io
import itertools
import json
import re
import shutil
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from fitbench.errors import FitbenchError
from fitbench.record.folder import State, folder_of, state_of
from fitbench.record.history import read_history
from fitbench.record.reading import read_result
from fitbench.training import checkpoint, checkpointing
from fitbench.training.run import Trial, train

from ..hostile_folders import INSTEAD, instead

SMALL = ("data=digits", "model=mlp", "model.dropout=0.2", "training.epochs=4", "training.checkpoint_seconds=0")


def state(folder, epoch, **others):
    """A checkpoint of the run in this folder."""
    return checkpoint.Checkpoint(
        run_id=folder.name, versions=checkpoint.current_versions(), epoch=epoch, stopped=False, seconds=1.0,
        fit_seconds=1.0, data_sha256="sha", history=[{"epoch": number + 1} for number in range(epoch)],
        arrays={"weights": np.full(50, epoch)}, **others,
    )  # fmt: skip


def write_file(folder, epoch, content):
    """A file that has the right checksum, whatever it holds."""
    (folder / "checkpoint").mkdir(exist_ok=True)
    path = folder / "checkpoint" / f"{epoch:06}-{hashlib.sha256(content).hexdigest()[:16]}.npz"
    path.write_bytes(content)
    return path


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def fields_of(folder):
    """The fields in the newest file of a checkpoint."""
    with np.load(max((folder / "checkpoint").glob("*.npz"))) as file:
        return json.loads(str(file["state"]))


# -- which checkpoint is used -----------------------------------------------------------------------------------------


def test_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, caplog):
    for epoch in (1, 2, 3):
        checkpoint.write(tmp_path, state(tmp_path, epoch))
    paths = sorted((tmp_path / "checkpoint").iterdir())
    assert len(paths) == 2
    assert checkpoint.read(tmp_path).arrays["weights"].tolist() == [3] * 50
    assert not caplog.text
    content = bytearray(paths[1].read_bytes())
    content[len(content) // 2] ^= 1
    paths[1].write_bytes(content)
    assert checkpoint.read(tmp_path).epoch == 2
    assert f"{paths[1]} is damaged; it is put aside as aside-{paths[1].name}" in caplog.text
    paths[0].write_bytes(paths[0].read_bytes()[:100])
    assert checkpoint.read(tmp_path) is None
    assert "begins anew" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        lambda fields: npz(state=np.array(json.dumps({**fields, "later": 1}))),
        lambda fields: npz(state=np.array(json.dumps({key: fields[key] for key in fields if key != "stopped"}))),
        lambda fields: npz(state=np.array(json.dumps({**fields, "epoch": "9"}))),
        lambda fields: npz(state=np.array(json.dumps({**fields, "arrays": {}, "history": None}))),
        lambda fields: npz(state=np.array(json.dumps({**fields, "epoch": 1_000_000_000}))),
        lambda fields: npz(state=np.array(json.dumps({**fields, "epoch": -5, "history": []}))),
        lambda fields: npz(state=np.array(json.dumps({**fields, "history": [{}] * fields["epoch"]}))),
        lambda fields: npz(state=np.array("[]")),
        lambda fields: npz(state=np.array("no JSON")),
        lambda fields: npz(weights=np.zeros(3)),
        lambda fields: npz(state=np.array([{}], dtype=object)),
        lambda fields: npz(state=np.array(json.dumps(fields)))[:-30],
        lambda fields: b"",
        lambda fields: b"garbage",
        lambda fields: npz(state=np.array("[" * 100_000)),
    ],
    ids=[
        "more",
        "fewer",
        "text",
        "null",
        "beyond its history",
        "negative",
        "epochs without numbers",
        "list",
        "no JSON",
        "no state",
        "pickle",
        "cut short",
        "empty",
        "garbage",
        "nested",
    ],
)
def test_checkpoint_with_other_content_is_put_aside(tmp_path, caplog, content):
    checkpoint.write(tmp_path, state(tmp_path, 8))
    path = write_file(tmp_path, 9, content(fields_of(tmp_path)))
    assert checkpoint.read(tmp_path).epoch == 8
    assert f"{path} cannot be read by this version of fitbench (" in caplog.text
    assert path.with_name(f"aside-{path.name}").exists()
    checkpoint.write(tmp_path, state(tmp_path, 1))  # of the two newest: what was put aside does not count
    assert sorted(path.name[:6] for path in (tmp_path / "checkpoint").glob(checkpoint.WHOLE)) == ["000001", "000008"]


@pytest.mark.parametrize("kind", INSTEAD)
def test_what_is_no_regular_file_is_put_aside(tmp_path, caplog, kind):
    put, reason = INSTEAD[kind]
    folder = tmp_path / "outputs/study/run"
    folder.mkdir(parents=True)
    checkpoint.write(folder, state(folder, 8))
    instead("checkpoint/000009-ab.npz", put)(folder)
    if kind == "outside":  # from this folder, which is deeper
        (folder / "checkpoint/000009-ab.npz").unlink()
        (folder / "checkpoint/000009-ab.npz").symlink_to("/etc/passwd")
        reason = "a link to .*, which is outside of "
    assert checkpoint.read(folder).epoch == 8
    assert re.search(f"000009-ab.npz {reason}.*; it is put aside as aside-000009-ab.npz", caplog.text)


def test_checkpoint_of_very_many_epochs_is_read(tmp_path):
    columns = dict.fromkeys(("seconds", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy"), 0.5)
    history = [{"epoch": number, **columns} for number in range(1, 30_001)]
    checkpoint.write(tmp_path, state(tmp_path, 30_000).model_copy(update={"history": history}))
    assert checkpoint.read(tmp_path).history == history


def test_newest_checkpoint_is_kept_where_numbers_of_epochs_get_longer(tmp_path):
    for epoch in (999_998, 999_999, 1_000_000):
        checkpoint.write(tmp_path, state(tmp_path, 1).model_copy(update={"epoch": epoch}))
    newest = checkpoint._newest_first((tmp_path / "checkpoint").iterdir())
    assert [path.name.partition("-")[0] for path in newest] == ["1000000", "999999"]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()])
def test_a_checkpoint_that_the_system_cannot_read_now_is_not_put_aside(tmp_path, monkeypatch, error):
    checkpoint.write(tmp_path, state(tmp_path, 8))

    def fail(*_):
        raise error

    monkeypatch.setattr(hashlib, "file_digest", fail)
    with pytest.raises(type(error)):
        checkpoint.read(tmp_path)
    monkeypatch.undo()
    assert checkpoint.read(tmp_path).epoch == 8


def test_a_folder_of_checkpoints_elsewhere_is_refused(tmp_path):
    folder = tmp_path / "outputs/study/run"
    folder.mkdir(parents=True)
    (folder / "checkpoint").symlink_to("/")
    with pytest.raises(FitbenchError, match=r"checkpoint: a link to /, which is outside of .*outputs"):
        checkpoint.read(folder)


def test_checkpoint_names_the_versions_that_wrote_it(tmp_path, caplog):
    written = state(tmp_path, 1)
    checkpoint.write(tmp_path, written)
    assert checkpoint.read(tmp_path).versions == checkpoint.current_versions()
    assert {"fitbench", "keras", "tensorflow", "numpy"} <= set(checkpoint.current_versions())
    written.versions = {**checkpoint.current_versions(), "keras": "3.0.0"}
    shutil.rmtree(tmp_path / "checkpoint")
    checkpoint.write(tmp_path, written)
    assert checkpoint.read(tmp_path).epoch == 1
    assert "was written with keras 3.0.0 instead of " in caplog.text


# -- copies -----------------------------------------------------------------------------------------------------------

EPOCH, COPY = 0.002, 0.01  # seconds


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves; a copy of a state takes `COPY`."""
    now = SimpleNamespace(seconds=100.0)

    def slow_copy(value):
        now.seconds += COPY / 2  # of each of two variables
        return np.array(value)

    monkeypatch.setattr(checkpointing, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    monkeypatch.setattr(checkpointing, "_variables", lambda model: [1.0, 2.0])
    monkeypatch.setattr(checkpointing.keras.ops, "convert_to_tensor", lambda value: value)
    monkeypatch.setattr(checkpointing.keras.ops, "convert_to_numpy", slow_copy)
    return now


def copied_epochs(clock, folder, epochs, every_seconds, stopped_after=None):
    """The epochs whose state was copied in a run that took `EPOCH` for each, and those that were written."""
    history, copied, written = [], [], []
    checkpoints = checkpointing.Checkpoints(folder, every_seconds, [], history, None, clock.seconds, "sha", {})
    checkpoints.set_params({"epochs": epochs})
    checkpoints.set_model(SimpleNamespace(stop_training=False))
    for epoch in range(stopped_after or epochs):
        clock.seconds += EPOCH
        history.append({"epoch": epoch + 1})
        checkpoints.model.stop_training = epoch + 1 == stopped_after
        before = clock.seconds
        checkpoints.on_epoch_end(epoch)
        copied += [epoch + 1] if clock.seconds > before else []
        newest = checkpoint.read(folder)
        written += [newest.epoch] if newest and newest.epoch not in written else []
    checkpoints.write()
    return copied, [*written, checkpoint.read(folder).epoch]


def test_state_is_copied_after_every_epoch_until_copies_take_more_than_a_fiftieth_of_the_time(clock, tmp_path):
    copied, written = copied_epochs(clock, tmp_path, epochs=2000, every_seconds=60)
    assert copied[:10] == list(range(1, 11))  # FREE_SECONDS
    assert 10 <= len(copied) <= 10 + (checkpointing.COPYING * 2000 * EPOCH) / COPY + 10
    assert written == [2000]
    longest = max(after - before for before, after in itertools.pairwise(copied))
    assert longest * EPOCH <= COPY / checkpointing.COPYING  # what a run that is asked to stop may lose


@pytest.mark.parametrize("stopped_after", [None, 777])
def test_state_is_copied_when_it_must_be_written_and_after_the_last_epoch(clock, tmp_path, monkeypatch, stopped_after):
    monkeypatch.setattr(checkpointing, "FREE_SECONDS", -1.0)
    monkeypatch.setattr(checkpointing, "COPYING", 0.0)
    copied, written = copied_epochs(clock, tmp_path, 1000, every_seconds=0.5, stopped_after=stopped_after)
    assert copied == written
    assert copied[0] == pytest.approx(0.5 / EPOCH, abs=1)
    assert copied[-1] == (stopped_after or 1000)
    assert len(copied) == pytest.approx((stopped_after or 1000) * EPOCH / 0.5, abs=1.5)
    assert checkpoint.read(tmp_path).stopped is (stopped_after is not None)


# -- runs -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(trained):
    """The run of seed 1."""
    return trained(*SMALL, "seed=1")[0]


def interrupt(config):
    """Train two epochs of a run; gives its folder."""

    def stop(epoch):
        if epoch["epoch"] == 2:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        train(config, folder_of(config), Trial(0, stop))
    return folder_of(config)


def record(folder):
    with zipfile.ZipFile(folder / "model.keras") as model:
        weights = model.read("model.weights.h5")
    return [{**epoch, "seconds": 0} for epoch in read_history(folder)], weights, read_result(folder)["metrics"]


def test_checkpoint_of_another_run_is_put_aside_and_the_run_begins_anew(
    trained, configure, undisturbed, tmp_path, caplog
):
    other = interrupt(configure(*SMALL, "seed=0", f"outputs={tmp_path}", "progress=false"))
    folder = folder_of(configure(*SMALL, "seed=1", f"outputs={tmp_path}"))
    shutil.copytree(other / "checkpoint", folder / "checkpoint")
    trained(*SMALL, "seed=1", outputs=tmp_path)
    assert f"is of another run, {other.name}; it is put aside" in caplog.text
    assert record(folder) == record(undisturbed)


def test_a_run_that_is_interrupted_between_two_copies_goes_on_to_the_same_record(
    configure, undisturbed, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(checkpointing, "FREE_SECONDS", 0.0)  # which allows the first copy
    monkeypatch.setattr(checkpointing, "COPYING", 0.0)
    options = (*SMALL[:-1], "training.checkpoint_seconds=3600", "seed=1", f"outputs={tmp_path}", "progress=false")
    folder = interrupt(configure(*options))
    assert [epoch["epoch"] for epoch in read_history(folder)] == [1, 2]
    assert checkpoint.read(folder).epoch == 1
    caplog.set_level("INFO")
    train(configure(*options), folder)
    assert "going on after epoch 1" in caplog.text
    assert record(folder) == record(undisturbed)


def test_files_that_others_touched_in_a_run_do_not_matter(configure, undisturbed, tmp_path):
    config = configure(*SMALL, "seed=1", f"outputs={tmp_path}", "progress=false")
    folder = interrupt(config)
    (folder / "train.log").write_bytes(b"\xff 12:00 INFO attempt 1 of this\n")

    def remove_history(epoch):
        if epoch["epoch"] == 3:
            (folder / "history.jsonl").unlink()
        return False

    train(config, folder, Trial(0, remove_history))
    assert state_of(folder) is State.finished
    assert read_result(folder)["attempts"] == 2
    assert record(folder) == record(undisturbed)
