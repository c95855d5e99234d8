import pytest

from fitbench.analysis.frame import load_runs
from fitbench.analysis.listing import list_runs
from fitbench.analysis.progress import add_progress
from fitbench.analysis.request import Which
from fitbench.record.claims import claim


def epochs(make_run, count: int, **changes) -> list[dict]:
    return [epoch | {"seconds": 30.0} | changes for epoch in make_run.curves(count)]


@pytest.mark.parametrize(
    ("overrides", "changes", "expected"),
    [
        (("training.early_stopping=null",), {}, ("4 of 20", "8 min")),
        ((), {}, ("4 of 20", "at most 8 min")),
        ((), {"seconds": None}, ("4 of 20", None)),
    ],
)
def test_a_running_run_has_its_epoch_and_the_time_that_is_left(make_run, tmp_path, overrides, changes, expected):
    history = epochs(make_run, 4, **changes)
    folder = make_run(*overrides, "task=classification", "training.epochs=20", finished=False, history=history)
    make_run("seed=1")
    with claim(folder):
        frame = load_runs(tmp_path / "outputs")
        add_progress(frame)
    rows = frame.set_index("state")
    assert tuple(rows.loc["running", ["epoch", "left"]]) == expected
    assert rows.loc["running", "metrics.val_accuracy"] == history[-1]["val_accuracy"]
    assert rows.loc["finished", ["epoch", "left"]].isna().all()


def test_a_run_before_its_first_epoch_says_so(make_run, tmp_path):
    folder = make_run(finished=False, history=[])
    with claim(folder):
        frame = load_runs(tmp_path / "outputs")
        add_progress(frame)
    assert frame.loc[0, "epoch"] == "0 of 20"
    assert frame.loc[0, "left"] is None


def test_people_see_it_and_scripts_get_what_is_recorded(make_run, tmp_path, capsys):
    folder = make_run("task=classification", "training.epochs=20", finished=False, history=epochs(make_run, 4))
    with claim(folder):
        list_runs(Which([tmp_path / "outputs"]))
        table = capsys.readouterr().out
        list_runs(Which([tmp_path / "outputs"]), format="csv")
        head, *_ = capsys.readouterr().out.splitlines()
    assert "4 of 20" in table
    assert "0.8800" in table  # the value of the last epoch
    assert "epoch" not in head.split(",")
    list_runs(Which([tmp_path / "outputs"]))
    assert "4 of 20" not in capsys.readouterr().out
