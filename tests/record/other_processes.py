"""Other processes that work on the same files: forked ones, and the claims and files that they leave."""

import json
import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

forked = multiprocessing.get_context("fork")


def processes(count: int, target: Callable, *arguments: Any) -> list[int | None]:
    """The exit statuses of `count` forked processes that each call `target(number, *arguments)`."""
    made = [forked.Process(target=target, args=(number, *arguments)) for number in range(count)]
    for process in made:
        process.start()
    for process in made:
        process.join(60)
        if process.exitcode is None:
            process.kill()
            process.join()
    return [process.exitcode for process in made]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def made_by(
    folder: Path, host: str | None = None, pid: int | None = None, start: str = "1", age: float = 0, **job: Any
) -> Path:
    """A claim that somebody else made; with the defaults, this process's pid in an earlier life."""
    claim = {"host": host or socket.gethostname(), "pid": pid or os.getpid(), "start": start, **job}
    path = folder / "claim.json"
    path.write_text(json.dumps(claim))
    os.utime(path, (time.time() - age,) * 2)
    return path
