"""fitbench table --check: which runs are trained anew, and how their values compare with the recorded ones."""

import json
from dataclasses import replace

import pytest

from fitbench.errors import SweepFailed
from fitbench.tables import launching
from fitbench.tables.reading import read
from fitbench.tables.table import table as show_table

from .conftest import jobs_of


@pytest.fixture
def check(small, measure, monkeypatch, tmp_path, capsys):
    """Runs --check in JSON; in place of training, the runs of the study of the check have these values.

    Gives the exit status, the rows, and for each launch its arguments and jobs.
    """
    launched = []

    def of(values, *overrides, table=small, **options):
        apart = replace(table, study=f"{table.study}-check")

        def launch(arguments):
            launched.append((arguments, jobs_of(arguments)))
            for label, by_seed in values.items():
                measure(apart, label, by_seed)
            return 0

        monkeypatch.setattr("fitbench.launch.command.launch", launch)
        monkeypatch.setattr(launching, "_launch_elsewhere", launch)
        status = show_table(
            str(table.folder), check=True, format="json", outputs=tmp_path / "outputs", overrides=overrides, **options
        )
        return status, json.loads(capsys.readouterr().out), launched

    return of


def change(folder, **changed):
    """Change keys of a recorded result."""
    path = folder / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def test_the_first_recorded_seed_is_trained_anew_apart_from_what_is_recorded(small, measure, check, tmp_path):
    measure(small, "softmax", {1: 0.9, 2: 0.91})
    measure(small, "mlp", {0: 0.95})
    before = {path: path.read_bytes() for path in (tmp_path / "outputs").rglob("*.json")}
    status, rows, [(arguments, jobs)] = check({"softmax": {1: 0.9}, "mlp": {0: 0.9488}}, "workers=2")
    assert {"study=small-check", "force=true", "threads=2", "workers=2"} <= set(arguments)
    assert [(job["overrides"][-1], job["seeds"]) for job in jobs] == [
        ("model=softmax", [1]),
        ("model.hidden=[20]", [0]),
    ]
    assert [(row["label"], row["seed"], row["result"]) for row in rows] == [
        ("softmax", 1, "the same"), ("mlp", 0, "within the tolerance"),
    ]  # fmt: skip
    assert rows[1]["difference"] == pytest.approx(0.12)  # points of error
    assert status == 0
    assert len(before) == 3
    assert {path: path.read_bytes() for path in before} == before


def test_a_difference_beyond_the_tolerance_fails_and_names_what_else_differs(small, measure, check):
    [folder] = measure(small, "softmax", {0: 0.9})
    change(folder, versions={"python": "3.11.7", "keras": "3.14.0"}, threads=None, device="gpu: another")
    status, rows, [(arguments, _)] = check({"softmax": {0: 0.88}})
    assert (status, rows[0]["result"]) == (1, "differs")
    assert rows[0]["hint"] == (
        "versions: keras 3.15.1 here, keras 3.14.0 recorded; device: cpu: Some Processor, 2 cores here, gpu: another "
        "recorded; threads: not recorded"
    )
    assert not any(argument.startswith("threads=") for argument in arguments)
    assert [row["result"] for row in rows[1:]] == ["nothing recorded"]


def test_a_difference_of_the_tolerance_passes_and_a_run_without_a_value_fails(define, measure, check):
    rows = [
        {"label": label, "claimed": "91.6", "overrides": [f"model={label}", *more]}
        for label, more in (("softmax", ()), ("mlp", ("model.hidden=[20]",)))
    ]
    table = read(define(rows=rows, unit="percent", tolerance=0.1))
    measure(table, "softmax", {0: 0.9})
    status, [row, _], _ = check({"softmax": {0: 0.899}}, table=table)
    assert (status, row["result"], 0.9 - 0.899 > 0.001) == (0, "within the tolerance", True)
    status, [row, _], _ = check({"softmax": {0: None}}, table=table)
    assert (status, row["result"]) == (1, "damaged")


def test_people_read_the_difference_in_the_unit_of_the_table(small, measure, check, tmp_path, capsys):
    measure(small, "softmax", {0: 0.9})
    check({"softmax": {0: 0.888}})
    show_table(str(small.folder), check=True, rows=["softmax"], outputs=tmp_path / "outputs")
    assert [line.split("   ")[-1].strip() for line in capsys.readouterr().out.splitlines()[2:]] == [
        "differs by 1.2", "1 row: 1 differs.",
    ]  # fmt: skip


def test_rows_with_other_numbers_of_threads_are_launched_in_processes_of_their_own(small, measure, check):
    measure(small, "softmax", {0: 0.9})
    change(measure(small, "mlp", {0: 0.9})[0], threads=1)
    _, _, launched = check({})
    stated = [[word for word in arguments if word.startswith("threads")] for arguments, _ in launched]
    assert (stated, [len(jobs) for _, jobs in launched]) == ([["threads=2"], ["threads=1"]], [1, 1])
    launched.clear()
    _, _, [(arguments, jobs)] = check({}, "threads=3")
    assert [word for word in arguments if word.startswith("threads")] == ["threads=3"]
    assert len(jobs) == 2


def test_of_folds_the_first_one_of_the_seed_is_trained(define, measure, check):
    rows = [{"label": "mlp", "claimed": "8.0", "overrides": ["model=mlp"], "folds": 2}]
    table = read(define(rows=rows, overrides=["data=digits"], seeds=2))
    measure(table, "mlp", {(0, 1): 0.9, (1, 0): 0.92, (1, 1): 0.9})
    _, [row], [(_, [job])] = check({"mlp": {(1, 0): 0.92}}, table=table)
    assert (job["overrides"][-1], job["seeds"]) == ("fold=0", [1])
    assert (row["seed"], row["fold"], row["result"]) == (1, 0, "the same")


def test_failed_runs_are_shown_and_end_the_command(small, measure, monkeypatch, capsys, tmp_path):
    measure(small, "softmax", {0: 0.9})

    def fail(_):
        raise SweepFailed("1 of 1 runs failed")

    monkeypatch.setattr("fitbench.launch.command.launch", fail)
    with pytest.raises(SweepFailed, match="1 of 1 runs failed"):
        show_table(str(small.folder), check=True, rows=["1"], outputs=tmp_path / "outputs")
    assert "missing" in capsys.readouterr().out
    assert launching._launch_or_explain([]) == "1 of 1 runs failed"
