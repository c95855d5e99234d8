"""What is seen of a run while it trains."""

import io

from rich.console import Console

from fitbench import metrics
from fitbench.training import progress
from fitbench.training.progress import Display


def drawn(monkeypatch, primary, logs, epoch, width=200):
    """What stands in the live bar of a terminal after `logs` of an epoch, and after the whole epoch."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    monkeypatch.setattr(progress, "Console", lambda **options: console)
    with Display(True, 5, 100, metrics.get(primary)) as display:
        display.begin(0)
        display.begin_epoch(1)
        display.advance(50, logs)
        display.end_epoch(epoch, stopped=False)
        display.begin_epoch(2)
        task = display.live.tasks[0]
        assert len(f"{task.description} {task.fields['metrics']} ") < width
        return task.fields["metrics"]


def test_bar_shows_the_primary_metric_of_both_parts(monkeypatch):
    text = drawn(
        monkeypatch,
        "accuracy",
        {"loss": 0.5, "accuracy": 0.75},
        {"epoch": 1, "seconds": 1.0, "loss": 0.4, "accuracy": 0.8, "val_loss": 0.3, "val_accuracy": 0.9},
    )
    assert text.startswith("loss 0.5000  accuracy 0.7500  val loss 0.3000  accuracy 0.9000  ")
    assert "examples/s" in text


def test_bar_leaves_out_what_a_narrow_terminal_has_no_room_for(monkeypatch):
    logs = {"loss": 0.5, "accuracy": 0.75}
    epoch = {"epoch": 1, "seconds": 1.0, "loss": 0.4, "accuracy": 0.8, "val_loss": 0.3, "val_accuracy": 0.9}
    text = drawn(monkeypatch, "accuracy", logs, epoch, width=80)
    assert text.startswith("val loss 0.3000  accuracy 0.9000  ")
    assert text.endswith(" left")


def test_bar_shows_what_is_measured_of_any_other_metric(monkeypatch):
    text = drawn(
        monkeypatch,
        "macro_f1",
        {"loss": 0.5, "accuracy": 0.75},
        {"epoch": 1, "seconds": 1.0, "loss": 0.4, "accuracy": 0.8, "val_loss": 0.3, "val_macro_f1": 0.7},
    )
    assert text.startswith("loss 0.5000  val loss 0.3000  macro F1 0.7000  ")


def test_bar_is_quiet_about_values_that_are_undefined_or_not_measured(monkeypatch):
    epoch = {"epoch": 1, "seconds": 1.0, "loss": None, "val_loss": 0.3, "val_macro_f1": None}
    assert drawn(monkeypatch, "macro_f1", {"loss": 0.5}, epoch).startswith("loss 0.5000  val loss 0.3000  ")


def test_epoch_is_a_line_where_stderr_is_no_terminal(capsys):
    with Display(True, 5, 100, metrics.get("accuracy")) as display:
        display.end_epoch({"epoch": 3, "seconds": 0.5, "learning_rate": 0.1, "loss": 0.25}, stopped=True)
    assert capsys.readouterr().err == "epoch 3/5  0.50 s  loss 0.2500  200 examples/s  stopped early\n"


def test_short_epochs_have_a_line_from_time_to_time_besides_the_first_and_the_last(capsys):
    with Display(True, 500, 100, metrics.get("accuracy")) as display:
        for number in range(1, 501):
            display.end_epoch({"epoch": number, "seconds": 0.001, "loss": 0.25}, stopped=False)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("epoch 1/500")
    assert lines[-1].startswith("epoch 500/500")
    assert len(lines) < 100
