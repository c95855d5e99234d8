"""Workers of a search that are killed, before any of their steps and at random, and the search that goes on."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from fitbench.record.claims import claimed
from fitbench.record.folder import state_of
from fitbench.record.history import read_history
from fitbench.record.reading import read_result

from ..launch.recorded import holders, is_alive
from ..postgres.server import missing, postgres
from .conftest import RATE

SPACE = (RATE, "training.batch_size=32,64", "training.epochs=4", "search.startup_trials=5")


class Workers:
    """Starts, kills and waits for workers of one search."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log
        self.answer()

    def said(self) -> str:
        return self.log.read_text()

    def answer(self) -> str:
        assert self.process.stdout is not None
        answered = self.process.stdout.readline().strip()
        assert answered, self.said()
        return answered

    def ask(self, command: str) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return int(self.answer())

    def start(self, trials: int, last_step: int = 0) -> int:
        """The pid of a new worker of a search with so many trials, which is killed before this step."""
        return self.ask(f"start {last_step} {trials}")

    def wait(self, pid: int) -> int:
        """Its exit status."""
        return self.ask(f"wait {pid}")

    def kill(self, pid: int) -> int:
        os.kill(pid, signal.SIGKILL)
        return self.wait(pid)


@contextmanager
def workers_of(
    outputs: Path, *words: str, formula: bool = True, dead_lock_seconds: float = 2, epoch_seconds: float = 0
) -> Iterator[Workers]:
    arguments = ["data=digits", "model=softmax", "study=mine", f"outputs={outputs}", *SPACE, *words]
    asked = {
        **{"arguments": arguments, "formula": formula},
        **{"dead_lock_seconds": dead_lock_seconds, "epoch_seconds": epoch_seconds},
    }
    log = outputs.with_suffix(".log")
    command = [sys.executable, str(Path(__file__).with_name("workers.py")), json.dumps(asked)]
    with log.open("w") as err:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True, start_new_session=True
        )
    try:
        yield Workers(process, log)
    finally:
        process.communicate()


def study_of(folder: Path, storage: BaseStorage | None = None) -> Any:
    """The study as Optuna by itself reads it."""
    storage = storage or JournalStorage(JournalFileBackend(str(folder / "search.journal")))
    return optuna.load_study(study_name="mine", storage=storage)


def trials(folder: Path, storage: BaseStorage | None = None) -> list[dict[str, Any]]:
    """What Optuna by itself reads of each trial, and the state of its run."""
    return [
        {
            "number": trial.number,
            "state": trial.state.name,
            "params": trial.params,
            "values": trial.values,
            "reported": trial.intermediate_values,
            "run": trial.user_attrs["run_ids"][0],
            "folder": state_of(folder / trial.user_attrs["run_ids"][0]).value,
            "epochs": len(read_history(folder / trial.user_attrs["run_ids"][0])),
        }
        for trial in study_of(folder, storage).trials
    ]


def endings(folder: Path) -> dict[str, int]:
    """How often each run was trained to its end."""
    return {path.parent.name: path.read_text().count(" finished") for path in folder.glob("*/train.log")}


def assert_nothing_is_held(folder: Path) -> None:
    held = [path.parent for path in folder.glob(".search/*/claim.json") if claimed(path.parent)]
    assert held + list(folder.glob("*/claim*")) + list(folder.glob("search.journal.lock")) == []


# -- one worker, killed before each step -------------------------------------------------------------------------------

BEFORE, AFTER = 12, 14  # the trials that a worker is killed in: one of them is pruned, one is not
STEPS = 155  # that they take, more or less


def test_worker_that_is_killed_before_a_step_leaves_a_search_that_ends_as_if_undisturbed(tmp_path):
    outputs = tmp_path / "outputs"
    with workers_of(outputs, dead_lock_seconds=0.05) as workers:
        for number in (BEFORE, AFTER):
            assert workers.wait(workers.start(number)) == 0, workers.said()
            shutil.copytree(outputs, tmp_path / str(number))
        expected = trials(tmp_path / str(AFTER) / "mine")
        assert {trial["state"] for trial in expected[BEFORE:]} == {"COMPLETE", "PRUNED"}
        for step in random.Random(0).sample(range(1, STEPS), 6):
            outputs.rename(tmp_path / f"before-{step}")
            shutil.copytree(tmp_path / str(BEFORE), outputs)
            assert workers.wait(workers.start(AFTER, step)) == -signal.SIGKILL, (step, workers.said())
            assert workers.wait(workers.start(AFTER)) == 0, (step, workers.said())
            assert trials(outputs / "mine") == expected, step
            assert max(endings(outputs / "mine").values()) == 1, step
            assert_nothing_is_held(outputs / "mine")


# -- several workers, killed at random ---------------------------------------------------------------------------------

TRIALS = 24


def kill_at_random(workers: Workers, number: int, kills: int, seed: int) -> int:
    """Have so many workers work on the search, kill so many, and wait for its end; gives how many were at work then."""
    chance = random.Random(seed)
    living = [workers.start(TRIALS) for _ in range(number)]
    killed = 0
    for _ in range(kills):
        time.sleep(chance.uniform(0.0, 0.2))
        which = chance.randrange(number)
        killed += workers.kill(living[which]) == -signal.SIGKILL
        living[which] = workers.start(TRIALS)
    assert [workers.wait(pid) for pid in living] == [0] * number, workers.said()
    return killed


def assert_every_trial_was_made_once(folder: Path, number: int, seed: int, storage: BaseStorage | None = None) -> None:
    made = trials(folder, storage)
    assert [trial["number"] for trial in made] == list(range(number)), seed
    states = {("COMPLETE", "finished"), ("PRUNED", "pruned")}
    assert {(trial["state"], trial["folder"]) for trial in made} <= states, seed
    assert max(Counter(trial["run"] for trial in made).values()) == 1, seed
    assert max(endings(folder).values()) == 1, (seed, endings(folder))
    for trial in made:
        reported = [trial["reported"][step] for step in sorted(trial["reported"])]
        assert trial["epochs"] == len(reported), (seed, trial)
        if trial["state"] == "PRUNED":
            assert trial["values"] == [max(reported)], (seed, trial)
        else:
            result = read_result(folder / trial["run"])
            assert trial["values"] == [result["metrics"]["val_accuracy"]], (seed, trial)
    assert_nothing_is_held(folder)


def test_workers_on_a_journal_are_killed_at_random_and_every_trial_is_made_once(tmp_path):
    seed, outputs = 1, tmp_path / "outputs"
    with workers_of(outputs, epoch_seconds=0.02) as workers:
        assert kill_at_random(workers, 3, 12, seed) >= 6, (seed, workers.said())
    assert_every_trial_was_made_once(outputs / "mine", TRIALS, seed)


@pytest.mark.long
def test_workers_on_postgresql_are_killed_at_random_and_every_trial_is_made_once(tmp_path):
    pytest.importorskip("psycopg")
    if reason := missing():
        pytest.skip(reason)
    seed, outputs = 2, tmp_path / "outputs"
    with postgres() as url:
        with workers_of(outputs, f"search.storage={url}", epoch_seconds=0.02) as workers:
            assert kill_at_random(workers, 3, 6, seed) >= 3, (seed, workers.said())
        storage = optuna.storages.RDBStorage(url)
        assert_every_trial_was_made_once(outputs / "mine", TRIALS, seed, storage)
        storage.engine.dispose()
    assert not (outputs / "mine" / "search.journal").exists()


# -- the command, and the processes that it starts ---------------------------------------------------------------------

COMMAND = (
    *("data=digits", "model=softmax", "study=mine", RATE, "search.trials=4"),
    *("training.epochs=100", "training.early_stopping=null", "training.jit_compile=false"),
)


def launch(outputs: Path, *words: str) -> subprocess.Popen[str]:
    """`fitbench search`, with what it says in files beside its outputs."""
    command = [sys.executable, "-m", "fitbench", "search", *COMMAND, f"outputs={outputs}", *words]
    with outputs.with_suffix(".out").open("w") as out, outputs.with_suffix(".err").open("w") as err:
        return subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True, text=True)


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str] | None = None, seconds: float = 90) -> Any:
    """What the condition gives as soon as it holds, while the process runs."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()):
        assert process is None or process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return holds


def training(folder: Path, epochs: int) -> list[int]:
    """The processes that train a run at this moment, which has so many epochs."""
    held = holders(folder).items()
    return [pid for pid, run in held if claimed(run) and len(read_history(run)) >= epochs]


def at_work(folder: Path) -> list[int]:
    """The processes that have a trial, as soon as there are two."""
    held = holders(folder / ".search").items()
    pids = [pid for pid, trial in held if trial.name.isdigit() and claimed(trial)]
    return pids if len(pids) == 2 else []


def test_one_of_the_workers_of_a_command_is_killed_and_every_trial_is_made_once(tmp_path):
    outputs, chance = tmp_path / "outputs", random.Random(3)
    process = launch(outputs, "workers=2")
    workers = wait_for(lambda: training(outputs / "mine", epochs=1), process)
    time.sleep(chance.uniform(0, 0.2))
    os.kill(workers[0], signal.SIGKILL)
    assert process.wait(180) == 0, outputs.with_suffix(".err").read_text()
    assert "fitbench: a worker was killed by SIGKILL, " in outputs.with_suffix(".err").read_text()
    assert outputs.with_suffix(".out").read_text().startswith("4 trials: ")
    assert_every_trial_was_made_once(outputs / "mine", 4, seed=3)


@pytest.mark.long
def test_command_is_interrupted_and_killed_and_every_trial_is_made_once(tmp_path):
    outputs = tmp_path / "outputs"
    folder = outputs / "mine"

    process = launch(outputs, "workers=2")
    workers = wait_for(lambda: at_work(folder), process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(90) == 130
    written = outputs.with_suffix(".err").read_text()
    assert written.endswith("fitbench: interrupted; run the same command again to resume\n")
    assert "Traceback" not in written
    assert not any(is_alive(pid) for pid in workers)
    assert study_of(folder).trials[-1].state is TrialState.RUNNING
    assert_nothing_is_held(folder)

    process = launch(outputs, "workers=2")
    workers = wait_for(lambda: at_work(folder), process)
    process.kill()
    process.wait()
    wait_for(lambda: not any(is_alive(pid) for pid in workers))  # they end with what started them

    process = launch(outputs)
    assert process.wait(180) == 0, outputs.with_suffix(".err").read_text()
    assert_every_trial_was_made_once(folder, 4, seed=3)
