"""history.jsonl as it is appended, read and written anew."""

import math

import pytest

from fitbench.record.history import append_history, read_history, write_history
from fitbench.record.result import write_result

from .other_processes import names

EPOCH = {"epoch": 1, "loss": 0.5}


def test_history_is_read_as_it_was_appended(tmp_path):
    assert read_history(tmp_path) == []
    epochs = [{"epoch": number, "loss": 1 / number, "val_loss": None} for number in range(1, 12)]
    for epoch in epochs:
        append_history(tmp_path, epoch)
    assert read_history(tmp_path) == epochs
    assert (tmp_path / "history.jsonl").read_bytes().count(b"\n") == len(epochs)


@pytest.mark.parametrize(
    "torn", [b'{"epoch": 2, "lo', b'{"epoch": 2, "note": "gr\xc3', b"{", b"\x00\x00\x00", b"[2]", b'{"loss": 1}']
)
def test_torn_line_is_ignored_and_appended_behind(tmp_path, torn):
    append_history(tmp_path, EPOCH)
    with (tmp_path / "history.jsonl").open("ab") as file:
        file.write(torn)
    assert read_history(tmp_path) == [EPOCH]
    append_history(tmp_path, {"epoch": 2, "loss": 0.4})
    assert read_history(tmp_path) == [EPOCH, {"epoch": 2, "loss": 0.4}]


def test_of_two_lines_for_one_epoch_the_later_counts(tmp_path):
    for number, loss in ((1, 0.9), (2, 0.8), (3, 0.7), (2, 0.6)):
        append_history(tmp_path, {"epoch": number, "loss": loss})
    assert [epoch["loss"] for epoch in read_history(tmp_path)] == [0.9, 0.6, 0.7]


def test_history_is_written_anew(tmp_path):
    for number in (1, 2, 3):
        append_history(tmp_path, {"epoch": number})
    write_history(tmp_path, [EPOCH])
    assert read_history(tmp_path) == [EPOCH]
    append_history(tmp_path, {"epoch": 2})
    assert read_history(tmp_path) == [EPOCH, {"epoch": 2}]
    write_history(tmp_path, [])
    assert read_history(tmp_path) == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_number_that_json_cannot_hold_is_written_nowhere(tmp_path, value):
    bad = {"epoch": 1, "loss": value}
    for write in (
        lambda: append_history(tmp_path, bad),
        lambda: write_history(tmp_path, [bad]),
        lambda: write_result(tmp_path, {"schema": 1, "metrics": bad}),
    ):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write()
    assert names(tmp_path) == set()


def test_many_epochs_are_read(tmp_path):
    epochs = [{"epoch": number, "loss": 0.5, "val_loss": 0.25, "seconds": 0.0} for number in range(1, 300_001)]
    write_history(tmp_path, epochs)
    assert len(read_history(tmp_path)) == 300_000
