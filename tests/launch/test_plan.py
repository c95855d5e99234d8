"""--dry-run: what it says of jobs is what a launch does with them, from recorded runs alone, and it writes nothing."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fitbench.errors import RequestError, SweepFailed
from fitbench.launch import plan_table
from fitbench.launch.command import dry_run
from fitbench.launch.estimate import Records
from fitbench.launch.plan import Plan, Planned, count, plan
from fitbench.launch.sweep import run_sweep
from fitbench.launch.sweep_job import Failure, Job
from fitbench.record.claims import claim
from fitbench.record.files import write_whole
from fitbench.record.schemas import Sweep
from fitbench.record.sweeps import read_sweep, stated

from ..run_folders import curves

pytestmark = pytest.mark.usefixtures("process_state_restored")

EPOCHS = "training.epochs=20"


@pytest.fixture
def job(composed, tmp_path):
    """Returns the job of a configuration of `make_run`."""

    def of(*overrides: str) -> Job:
        config = composed("model=mlp", *overrides).model_copy(update={"outputs": str(tmp_path / "outputs")})
        return Job.of(list(overrides), config)

    return of


def checkpoint(folder: Path, epoch: int) -> None:
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint" / f"{epoch:06}-0123456789abcdef.npz").touch()


def change(folder: Path, **values: Any) -> None:
    """Change values of result.json; those of a section are joined with the others there."""
    path = folder / "result.json"
    result = json.loads(path.read_text())
    for key, value in values.items():
        result[key] = result[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(result))


def test_one_run_of_data_in_two_places_is_refused(job):
    own = ("data=csv", "data.target=label")
    jobs = [job(*own, f"data.path={folder}/d.csv") for folder in "xy"]
    with pytest.raises(
        RequestError, match=r"two jobs are the run d-mlp.*data\.path .*x/d\.csv and .*y/d\.csv.*data\.name"
    ):
        plan(jobs)
    assert len(plan([jobs[0], jobs[0], job(*own, "data.path=y/d.csv", "data.name=other")])) == 2


@pytest.fixture
def every_state(make_run) -> Iterator[list[str]]:
    """Runs in every state, by seed; gives the states."""
    make_run("seed=0", EPOCHS)
    checkpoint(make_run("seed=1", EPOCHS, finished=False), 3)
    write_whole(make_run("seed=2", EPOCHS, finished=False) / "error.txt", "Error: of a test")
    (make_run("seed=3", EPOCHS) / "result.json").write_text("{")
    make_run("seed=4", EPOCHS, pruned=True)
    running = make_run("seed=5", EPOCHS, finished=False)
    with claim(running):
        yield ["finished", "interrupted", "failed", "refused", "pruned", "running elsewhere", "new"]


def of_seeds(job: Any, count: int, *overrides: str) -> list[Job]:
    return [job(f"seed={seed}", EPOCHS, *overrides) for seed in range(count)]


def test_every_state_is_told_with_the_epochs(every_state, job):
    planned = plan(of_seeds(job, 7))
    assert [each.state for each in planned] == every_state
    assert [each.epochs_done() for each in planned] == [5, 3, 0, 0, 0, 0, 0]
    assert [each.launched for each in planned] == [False, True, True, False, True, True, True]
    assert planned[3].error is not None and "result.json" in planned[3].error
    assert count(planned) == {"to evaluate": 0, "to train again": 0} | dict.fromkeys(every_state, 1)


def test_combinations_that_are_the_same_run_are_one_job(job):
    assert len(plan([job("seed=0"), job("seed=1"), job("seed=0")])) == 2


def test_state_that_a_finished_run_has_not_kept_is_said(make_run, job):
    make_run("seed=0")
    kept = job("seed=0", "training.keep_state=true")
    lines = [note.text for note in plan_table.plan_notes(Plan(plan([kept])), Records(Path("none")).estimate([]))]
    assert lines == [
        "1 job: 1 finished",
        "finished runs that kept no state of their last epoch: 1; force=true trains them again and keeps it",
        "nothing to train",
    ]


@pytest.mark.parametrize("overrides", [[], ["retry_failed=false"], ["force=true"], ["metrics=[accuracy,macro_f1]"]])
def test_sweep_launches_what_the_plan_says(every_state, job, overrides):
    jobs = of_seeds(job, 7, *overrides)
    launched: list[Path] = []
    stated: list[Sweep | None] = []

    def train(jobs: Sequence[Job], report: Any) -> Iterator[tuple[Job, Failure | None]]:
        launched.extend(job.folder for job in jobs)
        stated.append(read_sweep(jobs[0].folder.parent))
        yield from ((job, Failure("not here")) for job in jobs)

    planned = plan(jobs)
    with pytest.raises(SweepFailed):
        run_sweep(jobs, train, report=lambda summary: None)
    assert launched == [each.job.folder for each in planned if each.launched]
    assert [sweep and sweep.run_ids for sweep in stated] == [[job.folder.name for job in jobs]]
    assert planned[0].state == {"force=true": "to train again", "metrics=[accuracy,macro_f1]": "to evaluate"}.get(
        "".join(overrides), "finished"
    )
    assert planned[2].launched is ("retry_failed=false" not in overrides)


@pytest.mark.parametrize(
    ("seeds", "overrides", "message"),
    [
        ((0, 1, 2), (), "2 of 3 runs failed; launch the sweep again to train them"),
        ((0, 2), ("retry_failed=false",), "1 of 2 runs failed; launch the sweep again with retry_failed=true to train"),
        ((0, 1), ("retry_failed=false",), "1 of 2 runs failed; launch the sweep again with retry_failed=true to train"),
        ((0, 5), ("retry_failed=false",), "1 of 2 runs are not finished; launch the sweep again to train them"),
        ((0, 3), (), "1 of 2 runs failed; the records of 1 cannot be used"),
        ((2, 3), (), "2 of 2 runs failed; launch the sweep again to train 1 of them; the records of 1 cannot be used"),
    ],
)
def test_sweep_that_has_failed_says_how_its_runs_are_trained(every_state, job, seeds, overrides, message):
    def train(jobs: Sequence[Job], report: Any) -> Iterator[tuple[Job, Failure | None]]:
        yield from ((job, Failure("not here", claimed="seed=5" in job.overrides)) for job in jobs)

    jobs = [job(f"seed={seed}", EPOCHS, *overrides) for seed in seeds]
    with pytest.raises(SweepFailed, match=f"^{message}"):
        run_sweep(jobs, train, report=lambda summary: None)


def launched_with(told: list[list[str] | None], *jobs: Job, meanwhile: Callable[[], None] = lambda: None) -> list[str]:
    """Launch jobs, which train nothing; notes what sweep.json states meanwhile, and gives the names of their runs."""

    def train(jobs: Sequence[Job], report: Any) -> Iterator[tuple[Job, Failure | None]]:
        meanwhile()
        study = jobs[0].folder.parent
        sweep = read_sweep(study) if (study / "sweep.json").is_file() else None
        told.append(sweep and sweep.run_ids)
        yield from ((job, Failure("not here")) for job in jobs)

    with contextlib.suppress(SweepFailed):
        run_sweep(jobs, train, lambda summary: None)
    return [job.folder.name for job in jobs]


def test_sweeps_at_work_state_their_runs_together_and_the_last_one_removes_what_is_stated(make_run, job):
    study, told = make_run("seed=0").parent, []  # type: ignore[var-annotated]
    launched_with(told, job("seed=0"))
    assert told == []  # nothing is trained
    first, begun, coming, late = (job(f"seed={seed}") for seed in (1, 2, 3, 4))

    def launch_another() -> None:
        make_run("seed=2", finished=False)
        assert launched_with(told, late) == [late.folder.name]

    assert launched_with(told, first, begun, coming, meanwhile=launch_another)
    assert told[0] == [each.folder.name for each in (late, first, coming)]  # what has begun has a folder
    assert told[1] == [each.folder.name for each in (first, coming)]
    assert not [*study.glob("sweep.json"), *study.glob(".*.new.*")]


def test_runs_of_a_sweep_that_was_killed_are_stated_no_longer(tmp_path):
    study = tmp_path / "study"
    with stated([study / "killed"]):
        file = study / "sweep.json"
        with stated([study / "a"]):
            sweep = json.loads(file.read_text())
            assert [(launch["pid"], launch["run_ids"]) for launch in sweep["launches"]] == [
                (os.getpid(), ["a"]),
                (os.getpid(), ["killed"]),
            ]
            sweep["launches"][1]["start"] = "1"  # a process that is no more
            file.write_text(json.dumps(sweep))
            now = read_sweep(study)
            assert now is not None
            assert now.run_ids == ["a"]
        assert not file.exists()


def test_sweep_goes_on_where_it_cannot_state_its_runs(job, capsys):
    only, told = job("seed=1"), []  # type: ignore[var-annotated]
    (only.folder.parent / "sweep.json").mkdir(parents=True)
    launched_with(told, only)
    assert told == [None]
    notes = capsys.readouterr().err
    assert notes.count("sweep.json cannot be written (Is a directory); report --live does not tell how far") == 1


# -- the time ---------------------------------------------------------------------------------------------------------


def time(planned: list[Planned], outputs: Path) -> str:
    return Records(outputs).estimate(planned).text()


def epochs_of(*seconds: float) -> list[dict[str, Any]]:
    """A history with epochs that took so many seconds."""
    return [{**epoch, "seconds": each} for epoch, each in zip(curves(len(seconds)), seconds, strict=True)]


def test_time_of_the_same_configuration_is_the_median(make_run, job, tmp_path):
    for seed, seconds in enumerate((60.0, 100.0, 5000.0)):
        change(make_run(f"seed={seed}"), timing={"seconds": seconds + 20, "fit_seconds": seconds})
    planned = plan([job(f"seed={seed}") for seed in range(7)])
    estimate = Records(tmp_path / "outputs").estimate(planned)
    assert (estimate.seconds, estimate.longest, estimate.jobs) == (400, 100, 4)
    recorded = "plus starting up; from 3 recorded runs of the same configurations"
    assert estimate.text() == f"about 7 min of training, {recorded}"
    assert estimate.text(workers=2) == f"about 3 min of training with workers=2, {recorded}"
    assert estimate.text(workers=10).startswith("about 100 s of training with workers=10")  # of the longest
    assert estimate.text(workers=2, launcher="slurm") == f"about 7 min of training, one run after another, {recorded}"
    assert replace(estimate, seconds=9.9, longest=3).text() == f"a few seconds of training, {recorded}"
    twice = estimate.scaled(8, ["pruning"])
    assert twice.text() == f"about 13 min of training (pruning may end it sooner), {recorded}"


def test_time_of_an_interrupted_run_is_that_of_what_remains(make_run, job, tmp_path):
    recorded = make_run("seed=0", EPOCHS, history=epochs_of(43.0, *[3.0] * 19))
    change(recorded, timing={"seconds": 110.0, "fit_seconds": 105.0})
    checkpoint(make_run("seed=1", EPOCHS, finished=False), 15)
    assert Records(tmp_path / "outputs").estimate(plan([job("seed=1", EPOCHS)])).seconds == 60


def test_first_epoch_and_what_is_outside_of_epochs_count_once(make_run, job, tmp_path):
    recorded = make_run("training.epochs=4", history=epochs_of(20.0, 0.25, 0.5, 4.0))
    change(recorded, timing={"seconds": 83.0, "fit_seconds": 25.0})
    planned = plan([job("training.epochs=500"), job("training.epochs=500", "seed=1")])
    assert Records(tmp_path / "outputs").estimate(planned).seconds == 2 * (25 - 4 * 0.5 + 500 * 0.5)


@pytest.mark.parametrize(
    "content", [None, "{", '{"epoch": 1, "seconds": 1.0}\n', "NaN", "-0.5", "1e9", "true", "null", '"1"']
)
def test_history_that_does_not_tell_leaves_the_mean_of_the_epochs(make_run, job, tmp_path, content):
    history = make_run("training.epochs=2", history=epochs_of(4.0, 0.5)) / "history.jsonl"
    change(history.parent, timing={"fit_seconds": 5.0})
    if content is None:
        history.unlink()
    else:
        whole = history.read_text()
        changed = whole.replace('"seconds": 0.5', f'"seconds": {content}')
        history.write_text(content if content[0] == "{" else changed)
    assert Records(tmp_path / "outputs").estimate(plan([job(EPOCHS)])).seconds == 50


def test_that_runs_of_one_epoch_tell_too_much_is_said(make_run, job, tmp_path):
    change(make_run("training.epochs=1", history=epochs_of(3.0)), timing={"fit_seconds": 3.0})
    planned = plan([job(EPOCHS, "training.early_stopping=null")])
    recorded = "of training, plus starting up; from 1 recorded run of the same model and data"
    slower = ", some of one epoch, which takes longer than later ones"
    assert time(planned, tmp_path / "outputs") == f"about 60 s {recorded}{slower}"
    assert time(plan([job("training.epochs=1", "seed=1")]), tmp_path / "outputs").startswith("a few seconds of")
    make_run("training.epochs=2", history=epochs_of(2.0, 0.5))
    assert time(planned, tmp_path / "outputs") == f"about 12 s {recorded}"


def test_time_of_other_configurations_goes_by_their_epochs(make_run, job, tmp_path):
    recorded = make_run("training.epochs=5", history=epochs_of(*[10.0] * 5))
    change(recorded, timing={"seconds": 70.0, "fit_seconds": 60.0})
    planned = plan([job(EPOCHS, "model.hidden=[30]", "training.early_stopping=null")])
    assert Records(tmp_path / "outputs").estimate(planned).seconds == 210
    assert time(planned, tmp_path / "outputs") == (
        "about 4 min of training, plus starting up; from 1 recorded run of the same model and data"
    )
    stops_early = plan([job(EPOCHS, "model.hidden=[30]")])
    assert time(stops_early, tmp_path / "outputs").startswith(
        "about 4 min of training (early stopping may end it sooner), plus starting up; from 1 recorded run"
    )


@pytest.mark.parametrize(
    ("overrides", "may_stop"),
    [
        (["training.epochs=1"], False),
        (["training.epochs=2"], False),  # Keras does not stop after the first epoch
        (["training.epochs=3"], False),  # its patience
        (["training.epochs=4"], True),
        (["training.epochs=9", "training.early_stopping.start_from_epoch=6"], False),
        (["training.epochs=3", "training.early_stopping.patience=0"], True),
        (["training.epochs=2", "training.early_stopping.patience=0"], False),
    ],
)
def test_early_stopping_is_named_where_it_can_end_a_run_sooner(make_run, job, tmp_path, overrides, may_stop):
    make_run("training.epochs=5", "seed=7")
    endings = Records(tmp_path / "outputs").estimate(plan([job(*overrides)])).endings
    assert endings == (("early stopping",) if may_stop else ())


@pytest.mark.parametrize("other", ["model=softmax", "data=fashion_mnist", "backend=jax", "device=cpu"])
def test_no_time_is_made_up(make_run, job, tmp_path, other):
    make_run("training.epochs=5", other)
    planned = plan([job(EPOCHS), job(EPOCHS, "seed=1")])
    assert time(planned, tmp_path / "outputs") == "no recorded run of this model and data tells how long they take"
    assert time(planned[:1], tmp_path / "none") == "no recorded run of this model and data tells how long it takes"


def test_time_of_some_jobs_says_of_which(make_run, job, tmp_path):
    make_run("training.epochs=5")
    planned = plan([job(EPOCHS), job(EPOCHS, "model=softmax")])
    assert time(planned, tmp_path / "outputs") == (
        "about 10 s of training for 1 of 2 runs (early stopping may end it sooner), plus starting up; from 1 recorded "
        "run of the same model and data; no similar run is recorded for the others"
    )


def test_runs_on_another_device_and_damaged_ones_do_not_count(make_run, job, tmp_path):
    other, damaged = make_run("seed=0"), make_run("seed=1")
    change(other, device="gpu:0: Some Card", timing={"fit_seconds": 999.0})
    (damaged / "result.json").write_text("{")
    make_run("seed=2")  # the newest
    estimate = Records(tmp_path / "outputs").estimate(plan([job("seed=3")]))
    assert (estimate.seconds, estimate.origin) == (2.5, "1 recorded run of the same configurations")


# -- the command ------------------------------------------------------------------------------------------------------


def test_dry_run_of_a_sweep_prints_its_jobs_and_writes_nothing(every_state, dry_call):
    status, printed, _ = dry_call("train", "model=mlp", "--dry-run", "-m", EPOCHS, "seed=range(8)", "workers=2")
    assert status == 1  # for the refused one
    lines = printed.splitlines()
    assert lines[0] == "outputs/default"
    assert lines[1].split() == ["seed", "state", "epochs", "run"]
    rows = [line.split()[:-1] for line in lines[2:10]]
    assert [row[0] for row in rows] == list("01234567")
    assert rows[1] == ["1", "interrupted", "3", "of", "20"]
    assert lines[-3].startswith("refused: outputs/default/mnist_5k-mlp-adam-")
    assert lines[-3].count("mnist_5k-mlp-adam-") == 1
    assert lines[-2] == ("8 jobs: 1 finished, 1 interrupted, 1 failed, 1 refused, 1 running elsewhere, 1 pruned, 2 new")
    assert lines[-1].endswith(" with workers=2, plus starting up; from 1 recorded run of the same configurations")


def test_dry_run_of_several_studies_names_them_and_reads_the_outputs_of_each(job, make_run, tmp_path, capsys):
    jobs = [
        Job.of([], job(f"study={study}").config.model_copy(update={"outputs": str(tmp_path / study)}))
        for study in ("a", "b")
    ]
    make_run("study=b", "seed=1", outputs=tmp_path / "b")
    plan_table.print_plan(Plan(plan(jobs)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{tmp_path}/a/a, {tmp_path}/b/b"
    assert lines[-1].endswith("from 1 recorded run of the same configurations")


def test_dry_run_of_one_run_writes_no_folder_and_no_log(dry_call):
    status, printed, _ = dry_call("train", "--dry-run", "data=digits", "model=softmax", "retry_failed=false")
    assert status == 0
    assert [line.split()[:2] for line in printed.splitlines()[1:3]] == [["state", "epochs"], ["new", "20"]]
    assert "1 job: 1 new" in printed


def test_wide_runs_are_named_by_their_ends_in_a_narrow_terminal(job, monkeypatch, capsys):
    jobs = [job(f"seed={seed}", f"model.dropout={seed / 10}", "optimizer.learning_rate=0.01") for seed in range(2)]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for columns, names in (("60", False), ("120", True)):
        monkeypatch.setenv("COLUMNS", columns)
        plan_table.print_plan(Plan(plan(jobs)))
        printed = capsys.readouterr().out
        assert (jobs[0].folder.name in printed) is names
        assert jobs[0].folder.name.removeprefix("mnist_5k-mlp-adam-") in printed


@pytest.mark.parametrize(("height", "rows"), [(24, 15), (10, 5), (60, 40)])
def test_table_of_many_jobs_fits_on_the_screen(job, monkeypatch, capsys, height, rows):
    jobs = [job(f"seed={seed}") for seed in range(40)]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", str(height))
    plan_table.print_plan(Plan(plan(jobs)))
    printed = capsys.readouterr().out
    assert (sum("mnist_5k-mlp" in line for line in printed.splitlines()), "40 jobs: 40 new" in printed) == (rows, True)
    assert (f"and {40 - rows} more; --dry-run | cat shows all" in printed) is (rows < 40)
    assert len(printed.splitlines()) < max(height, 15)


def test_table_of_many_jobs_is_whole_in_a_pipe(job, capsys):
    plan_table.print_plan(Plan(plan([job(f"seed={seed}") for seed in range(60)])))
    assert capsys.readouterr().out.count("mnist_5k-mlp") == 60


@pytest.mark.filterwarnings("ignore:\\s*'hydra/launcher/.*is validated against ConfigStore")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model=softmax,mlp"], "several values; add -m to train each of them"),
        (
            ["-m", "seed=0,1", "hydra/launcher=submitit_slurm", "workers=2"],
            "workers=2 is for processes on this machine",
        ),
        (["hydra.job.chdir=true"], "a run does not change the folder"),
        (["-m", "hydra.job.chdir=true", "seed=0,1"], "a run does not change the folder"),
        (["sweep.zip=[[model,seed]]"], r"^sweep\.zip: "),
        (["training.epochs=many"], "^training.epochs is 'many'"),
        (["training.start=nothing"], "nothing"),
    ],
)
def test_dry_run_refuses_what_a_launch_refuses(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=message):
        dry_run(arguments, lambda plan: None)
    assert not list(tmp_path.iterdir())
    assert "Error executing job" not in capsys.readouterr().err  # of Hydra
