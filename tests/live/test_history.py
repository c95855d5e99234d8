"""The epochs of a run, read from history.jsonl as it grows, is torn, and is written again."""

import json
import os

import pytest

from fitbench.errors import FitbenchError
from fitbench.live import history as module
from fitbench.live.history import History
from fitbench.record import reading
from fitbench.record.history import append_history, write_history


def epochs(*numbers: int, loss: float = 1.0) -> list[dict]:
    return [{"epoch": number, "seconds": 1.0, "learning_rate": 0.1, "loss": loss} for number in numbers]


def test_only_new_lines_are_read_and_each_page_gets_those_that_it_lacks(tmp_path, monkeypatch):
    history, read = History(tmp_path), []
    parse = module.parse_epoch
    monkeypatch.setattr(module, "parse_epoch", lambda line: read.append(line) or parse(line))
    assert not history.read(1)
    for revision, number in enumerate((1, 2, 3), 2):
        append_history(tmp_path, *epochs(number))
        assert history.read(revision)
        assert not history.read(revision)
    assert len(read) == 3
    assert history.epochs == reading.read_history(tmp_path) == epochs(1, 2, 3)
    assert [history.missing(since) for since in (None, 1, 2, 3, 4)] == [0, 0, 1, 2, 3]
    assert history.rewritten <= 2


def test_torn_line_counts_when_it_is_whole_and_never_if_another_follows(tmp_path):
    history, path = History(tmp_path), tmp_path / "history.jsonl"
    line = json.dumps(epochs(1)[0]) + "\n"
    path.write_text(line[:20])
    history.read(1)
    assert history.epochs == []
    path.write_text(line + line[:20])
    history.read(2)
    assert history.epochs == epochs(1)
    append_history(tmp_path, *epochs(2))  # on a line of its own behind the torn one
    history.read(3)
    assert history.epochs == reading.read_history(tmp_path) == epochs(1, 2)
    assert history.missing(2) == 1


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda folder: append_history(folder, *epochs(2, loss=5.0)), [1, 2, 3]),
        (lambda folder: write_history(folder, epochs(1, 2)), [1, 2]),
        (lambda folder: write_history(folder, epochs(1, 2, 3, 4)), [1, 2, 3, 4]),
        (lambda folder: (folder / "history.jsonl").write_text(json.dumps(epochs(9)[0]) + "\n" * 600), [9]),
        (lambda folder: write_history(folder, []), []),
        (lambda folder: (folder / "history.jsonl").unlink(), []),
    ],
    ids=["a second line for an epoch", "shorter", "replaced", "in place", "emptied", "removed"],
)
def test_history_that_is_written_again_is_sent_again_from_its_beginning(tmp_path, write, expected):
    history = History(tmp_path)
    write_history(tmp_path, epochs(1, 2, 3))
    assert history.read(1)
    write(tmp_path)
    assert history.read(2)
    assert [epoch["epoch"] for epoch in history.epochs] == expected
    assert history.epochs == reading.read_history(tmp_path)
    assert history.missing(1) == 0
    assert history.rewritten == 2
    assert not history.read(3)


def test_what_is_no_number_is_null_and_what_is_no_epoch_is_ignored(tmp_path):
    lines = ['{"epoch": 1, "loss": NaN, "note": "x"}', "[]", '{"epoch": 0}', '{"loss": 1}', "{", '{"epoch": true}']
    (tmp_path / "history.jsonl").write_text("\n".join(lines) + "\n")
    history = History(tmp_path)
    history.read(1)
    assert history.epochs == reading.read_history(tmp_path) == [{"epoch": 1, "loss": None, "note": None}]


def test_history_that_cannot_be_read_is_named_and_is_read_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_VALUES", 20)
    history = History(tmp_path)
    write_history(tmp_path, epochs(*range(1, 9)))
    for _ in range(2):
        with pytest.raises(FitbenchError, match=r"history\.jsonl: has more than 20 values"):
            history.read(1)
    write_history(tmp_path, epochs(1))
    assert history.read(2)
    (tmp_path / "history.jsonl").unlink()
    os.mkfifo(tmp_path / "history.jsonl")
    with pytest.raises(FitbenchError, match=r"history\.jsonl: a FIFO, not a regular file"):
        history.read(3)
    assert history.epochs == []
