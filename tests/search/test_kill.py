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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

optuna = pytest.importorskip("optuna")

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from fitbench import runs
from fitbench.runs import State

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

    def start(self, last_step: int = 0) -> int:
        """The pid of a new worker, which is killed before this step."""
        return self.ask(f"start {last_step}")

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


def trials(folder: Path, storage: BaseStorage | None = None) -> list[dict[str, Any]]:
    """What Optuna by itself reads of each trial, and the state of its run."""
    storage = storage or JournalStorage(JournalFileBackend(str(folder / "search.journal")))
    study = optuna.load_study(study_name="mine", storage=storage)
    return [
        {
            "number": trial.number,
            "state": trial.state.name,
            "params": trial.params,
            "values": trial.values,
            "reported": trial.intermediate_values,
            "run": trial.user_attrs["run_ids"][0],
            "folder": runs.state(folder / trial.user_attrs["run_ids"][0]).value,
            "epochs": len(runs.read_history(folder / trial.user_attrs["run_ids"][0])),
        }
        for trial in study.trials
    ]


def endings(folder: Path) -> dict[str, int]:
    """How often each run was trained to its end."""
    return {path.parent.name: path.read_text().count(" finished") for path in folder.glob("*/train.log")}


def assert_nothing_is_held(folder: Path) -> None:
    held = [path for path in (folder / ".search").iterdir() if runs.claimed(path)]
    assert held + list(folder.glob("*/claim*")) + list(folder.glob("search.journal.lock")) == []


# -- one worker, killed before each step -------------------------------------------------------------------------------

BEFORE, AFTER = 12, 14  # the trials that a worker is killed in: one of them is pruned, one is not
STEPS = 155  # that they take, more or less


def test_worker_that_is_killed_before_a_step_leaves_a_search_that_ends_as_if_undisturbed(tmp_path):
    outputs = tmp_path / "outputs"
    for number in (BEFORE, AFTER):
        with workers_of(outputs, f"search.trials={number}") as workers:
            assert workers.wait(workers.start()) == 0, workers.said()
        shutil.copytree(outputs, tmp_path / str(number))
    expected = trials(tmp_path / str(AFTER) / "mine")
    assert {trial["state"] for trial in expected[BEFORE:]} == {"COMPLETE", "PRUNED"}
    with workers_of(outputs, f"search.trials={AFTER}", dead_lock_seconds=0.05) as workers:
        for step in random.Random(0).sample(range(1, STEPS), 30):
            outputs.rename(tmp_path / f"before-{step}")
            shutil.copytree(tmp_path / str(BEFORE), outputs)
            assert workers.wait(workers.start(step)) == -signal.SIGKILL, (step, workers.said())
            assert workers.wait(workers.start()) == 0, (step, workers.said())
            assert trials(outputs / "mine") == expected, step
            assert max(endings(outputs / "mine").values()) == 1, step
            assert_nothing_is_held(outputs / "mine")


# -- several workers, killed at random ---------------------------------------------------------------------------------

TRIALS = 40


def kill_at_random(workers: Workers, number: int, kills: int, seed: int) -> int:
    """Have so many workers work on the search, kill so many, and wait for its end; gives how many were at work then."""
    chance = random.Random(seed)
    living = [workers.start() for _ in range(number)]
    killed = 0
    for _ in range(kills):
        time.sleep(chance.uniform(0.0, 0.2))
        which = chance.randrange(number)
        killed += workers.kill(living[which]) == -signal.SIGKILL
        living[which] = workers.start()
    assert [workers.wait(pid) for pid in living] == [0] * number, workers.said()
    return killed


def assert_every_trial_was_made_once(folder: Path, storage: BaseStorage, seed: int) -> None:
    made = trials(folder, storage)
    assert len(made) == TRIALS, seed
    assert [trial["number"] for trial in made] == list(range(TRIALS)), seed
    states = {("COMPLETE", "finished"), ("PRUNED", "pruned")}
    assert {(trial["state"], trial["folder"]) for trial in made} == states, seed
    assert max(Counter(trial["run"] for trial in made).values()) == 1, seed
    assert max(endings(folder).values()) == 1, (seed, endings(folder))
    for trial in made:
        reported = [trial["reported"][step] for step in sorted(trial["reported"])]
        assert (trial["epochs"], trial["values"]) == (len(reported), [max(reported)]), (seed, trial)
    assert_nothing_is_held(folder)


def test_workers_on_a_journal_are_killed_at_random_and_every_trial_is_made_once(tmp_path):
    seed, outputs = 1, tmp_path / "outputs"
    with workers_of(outputs, f"search.trials={TRIALS}", epoch_seconds=0.02) as workers:
        assert kill_at_random(workers, 3, 15, seed) >= 10, (seed, workers.said())
    storage = JournalStorage(JournalFileBackend(str(outputs / "mine" / "search.journal")))
    assert_every_trial_was_made_once(outputs / "mine", storage, seed)


def test_workers_on_postgresql_are_killed_at_random_and_every_trial_is_made_once(tmp_path):
    pytest.importorskip("psycopg")
    if reason := missing():
        pytest.skip(reason)
    seed, outputs = 2, tmp_path / "outputs"
    with postgres() as url:
        words = (f"search.storage={url}", f"search.trials={TRIALS}")
        with workers_of(outputs, *words, epoch_seconds=0.02) as workers:
            assert kill_at_random(workers, 4, 15, seed) >= 10, (seed, workers.said())
        storage = optuna.storages.RDBStorage(url)
        assert_every_trial_was_made_once(outputs / "mine", storage, seed)
        storage.engine.dispose()
    assert not (outputs / "mine" / "search.journal").exists()
