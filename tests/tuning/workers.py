"""A process that has imported and read everything once, and forks workers of a search that can be killed.

Run with JSON as its argument: `arguments` of the search, `formula` (how runs are trained, see formula.py), and
`dead_lock_seconds`, after which the journal's lock is taken from a killed worker. Then on stdin
`start N TRIALS` begins a worker, which is killed before its N-th step (0: never), and gives its pid, and `wait PID`
waits until it has ended and gives its exit status. A step is whatever changes a file or folder below `outputs`.
"""

import json
import os
import signal
import sys
import time
import traceback
from dataclasses import replace
from typing import Any

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.link")


def main(arguments: list[str], formula: bool, dead_lock_seconds: float, epoch_seconds: float) -> None:
    import optuna

    from fitbench.tuning import request as requests
    from fitbench.tuning import storage, study

    storage.DEAD_LOCK_SECONDS = dead_lock_seconds  # type: ignore[assignment]
    study.WAIT_SECONDS = 0.05
    os.fsync = lambda descriptor: None  # what is written outlives a process, though not a computer
    if formula:
        import formula as trainer  # it lies beside this file

        import fitbench.training.run

        fitbench.training.run.train = trainer.train
        trainer.after_epoch = lambda: time.sleep(epoch_seconds)
    else:
        import keras  # noqa: F401

        import fitbench.models.convolutional
        import fitbench.models.dense
        import fitbench.training.building
        import fitbench.training.checkpoint
        import fitbench.training.fit
        import fitbench.training.run
    request = requests.read_request(arguments)
    if request.settings.storage is not None:
        import alembic.command  # noqa: F401
        import psycopg  # noqa: F401
        import sqlalchemy.dialects.postgresql.psycopg
    import sqlalchemy.exc  # noqa: F401

    warm = optuna.create_study(sampler=optuna.samplers.TPESampler(n_startup_trials=1))  # so that it imports its parts
    warm.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    print("ready", flush=True)
    children: set[int] = set()
    for line in sys.stdin:
        command, number, *trials = line.split()
        if command == "start":
            pid = os.fork()
            if pid == 0:
                settings = request.settings.model_copy(update={"trials": int(trials[0])})
                _work(replace(request, settings=settings), int(number))
            children.add(pid)
            print(pid, flush=True)
        else:
            status = os.waitstatus_to_exitcode(os.waitpid(int(number), 0)[1])
            children.discard(int(number))
            print(status, flush=True)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _work(request: Any, last_step: int) -> None:
    """What a worker process of a search does."""
    from fitbench.errors import FitbenchError
    from fitbench.tuning.study import open_study
    from fitbench.tuning.trial import work

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    steps = 0
    outputs = str(request.config.outputs)

    def watch(event: str, args: tuple[Any, ...]) -> None:
        nonlocal steps
        writes = event in CHANGES or (event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR))
        if writes and outputs in str(args[0]):
            steps += 1
            if steps == last_step:
                os.kill(os.getpid(), signal.SIGKILL)

    status = 70
    try:
        if last_step:
            sys.addaudithook(watch)
        work(open_study(request.settings, request.space, request.config, request.recipe.objectives), request.recipe)
        status = 0
    except FitbenchError as error:
        sys.stderr.write(f"{error}\n")
        status = error.exit_status
    except BaseException:  # noqa: BLE001 - the process ends, and no other sees it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
