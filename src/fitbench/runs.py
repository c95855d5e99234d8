"""The run folder: where it is, who works on it, what is written into it, and which state that makes. No Keras.

The folder is the only thing that passes between training and analysis. Files that count as finished are written
beside their name, flushed to the disk and renamed, so that a name always holds a whole file.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import IO, Any

from fitbench.config import Config, run_id
from fitbench.errors import FitbenchError

SCHEMA = 1
HEARTBEAT_SECONDS = 5.0
CLAIM_TIMEOUT_SECONDS = 60.0
FORMER_SELF_SECONDS = 15.0  # the same, of a claim that this Slurm job made before it was requeued
UNFINISHED = ".*.new.*"  # files that are being written, or that a killed process has left


class State(Enum):
    """What a run folder's files say about the run."""

    finished = "finished"
    failed = "failed"
    pruned = "pruned"
    running = "running"
    interrupted = "interrupted"


class Claimed(FitbenchError):
    """Another live process works on this run."""


def folder_of(config: Config) -> Path:
    """Where the run of this configuration is recorded: outputs/<study>/<run_id>."""
    return Path(config.outputs) / config.study / run_id(config)


def state(folder: Path) -> State:
    """The state of a run, from its files and nothing else."""
    if (folder / "result.json").exists():
        return State.finished
    if (folder / "error.txt").exists():
        return State.failed
    if _alive(folder / "claim.json"):
        return State.running
    if (folder / "pruned.json").exists():
        return State.pruned
    return State.interrupted


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that its name holds either the old content or all of the new one, even after a power cut."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file opened beside `path`, which takes its place when the block has ended without an error."""
    with beside(path) as new, new.open("wb") as file:
        yield file


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """The name of a file to write beside `path`, which takes its place when the block has ended without an error."""
    new = path.with_name(f".{os.getpid()}.new.{path.name}")
    try:
        yield new
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the renames in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Record the result. From here on the run is finished. NaN is refused with a ValueError."""
    write_whole(folder / "result.json", json.dumps(result, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_result(folder: Path) -> dict[str, Any]:
    """The recorded result of a finished run.

    Raises:
        FitbenchError: result.json is absent or is not a JSON object of this schema; the message names it.
    """
    path = f"{folder}/result.json"  # a Path takes as long as reading it does, and many runs are compared
    try:
        return read_object(path, path, SCHEMA, "; train the run again with force=true")
    except FileNotFoundError:
        raise FitbenchError(f"{folder}: no result.json; the run is {state(folder).value}") from None


def read_object(path: str, named: str, schema: int, advice: str = "") -> dict[str, Any]:
    """The JSON object of this schema in a file that may be a stranger's.

    Args:
        path: the file.
        named: what messages call it.
        schema: the number that must stand under `schema`.
        advice: what to do about a file that is no JSON.

    Raises:
        FileNotFoundError: there is no such file.
        FitbenchError: it cannot be read, is not JSON, or of another schema.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            found = json.loads(file.read())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FitbenchError(f"{named}: cannot be read ({error.strerror})") from None
    except RecursionError:
        raise FitbenchError(f"{named}: nested too deeply{advice}") from None
    except ValueError as error:
        raise FitbenchError(f"{named}: not JSON ({error}){advice}") from None
    if not isinstance(found, dict) or found.get("schema") != schema:
        other = found.get("schema") if isinstance(found, dict) else type(found).__name__
        raise FitbenchError(f"{named}: schema {other!r:.80}; this fitbench reads schema {schema}")
    return found


def write_pruned(folder: Path, pruned: dict[str, Any]) -> None:
    """Record that a search has ended the run early, and with what. NaN is refused with a ValueError."""
    write_whole(folder / "pruned.json", json.dumps(pruned, indent=2, allow_nan=False) + "\n")


def append_history(folder: Path, epoch: dict[str, Any]) -> None:
    """Append one epoch to history.jsonl, on a line of its own even behind a torn one."""
    path = folder / "history.jsonl"
    line = json.dumps(epoch, allow_nan=False).encode() + b"\n"
    with path.open("a+b") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The epochs of a run in order. Of two lines for one epoch the later counts; a torn line is ignored."""
    epochs: dict[int, dict[str, Any]] = {}
    path = folder / "history.jsonl"
    if not path.exists():
        return []
    for line in path.read_bytes().splitlines():
        try:
            epoch = json.loads(line)
        except ValueError:
            continue
        if isinstance(epoch, dict) and isinstance(epoch.get("epoch"), int):
            epochs[epoch["epoch"]] = epoch
    return [epochs[number] for number in sorted(epochs)]


def write_history(folder: Path, history: list[dict[str, Any]]) -> None:
    """Write history.jsonl anew, as a whole: empty, or what a checkpoint remembers."""
    lines = (json.dumps(epoch, allow_nan=False) + "\n" for epoch in history)
    write_whole(folder / "history.jsonl", "".join(lines))


# -- claims: at most one process works on a run -----------------------------------------------------------------------


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Hold the run for this process: claim.json is created atomically and kept alive by its mtime.

    A claim is taken over when its time-out has passed, or when it was made on this host by a process that is gone.

    Raises:
        Claimed: another live process holds it.
    """
    path = folder / "claim.json"
    mine = json.dumps(_self())
    if not _create(path, mine):
        _outlive_former_self(path)
        _take_over(path, mine)
    stop = threading.Event()
    beat = threading.Thread(target=_keep_alive, args=(path, mine, stop), name="fitbench-heartbeat", daemon=True)
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()
        if _read(path) == mine:  # else it was taken over while this computer slept
            path.unlink(missing_ok=True)


def _self() -> dict[str, Any]:
    """Who makes a claim. A Slurm job that is requeued has the same number again, perhaps on another host."""
    claim = {"host": socket.gethostname(), "pid": os.getpid(), "start": _process_start(os.getpid())}
    if "SLURM_JOB_ID" in os.environ:
        claim["job"] = f"{os.environ.get('SLURM_CLUSTER_NAME', '')}:{os.environ['SLURM_JOB_ID']}"
        claim["restarts"] = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    return claim


def _is_former_self(claim: dict[str, Any]) -> bool:
    """Was this claim made by the Slurm job that we are, before it was requeued?"""
    mine = _self()
    return "job" in mine and claim["job"] == mine["job"] and claim["restarts"] < mine["restarts"]


def _outlive_former_self(path: Path) -> None:
    """Wait, as long as it takes to be sure, until our job's process from before it was requeued is silent.

    Slurm has ended it, or has lost its node. Were it left at `Claimed`, nobody would launch this run again.
    """
    deadline = time.monotonic() + 2 * FORMER_SELF_SECONDS
    while time.monotonic() < deadline:
        held = _read(path)
        claim = None if held is None else _parsed(held)
        if claim is None or not _is_former_self(claim) or not _lives(str(held), _age(path)):
            return
        time.sleep(FORMER_SELF_SECONDS / 30)


def claimed(folder: Path) -> bool:
    """Whether a live process holds what this folder stands for."""
    return _alive(folder / "claim.json")


def tidy(folder: Path) -> None:
    """Remove what killed processes left: files that were not whole yet and, of a finished run, the checkpoints.

    Only for the holder of the claim.
    """
    for left in [*folder.glob(UNFINISHED), *folder.glob(f"checkpoint/{UNFINISHED}")]:
        left.unlink(missing_ok=True)
    if (folder / "result.json").exists() and (folder / "checkpoint").exists():
        shutil.rmtree(folder / "checkpoint")


def _create(path: Path, content: str) -> bool:
    """Create the file with this content unless it exists; atomic, also on NFS."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    return True


def _take_over(path: Path, mine: str) -> None:
    """Replace a dead claim by ours. Only the holder of the lock file claim.takeover may do so."""
    held, age = _read(path), _age(path)
    if held is None or age == math.inf:  # released since we looked; somebody else may be faster
        if _create(path, mine):
            return
        raise Claimed(f"{path.parent}: another process works on this run (it has just begun)")
    if _lives(held, age):
        raise Claimed(f"{path.parent}: another process works on this run ({_holder(held)})")
    lock = path.with_name("claim.takeover")
    if not _create(lock, mine):
        owner = _read(lock)
        if owner is not None and not _lives(owner, _age(lock)):  # it died between two system calls
            lock.unlink(missing_ok=True)  # for whoever comes next
        raise Claimed(f"{path.parent}: another process is taking this run over")
    try:
        now_held, age = _read(path), _age(path)
        if now_held != held or age == math.inf or _lives(held, age):  # it changed hands since we looked
            raise Claimed(f"{path.parent}: another process works on this run")
        with beside(path) as new:
            new.write_text(mine)
    finally:
        lock.unlink(missing_ok=True)


def _keep_alive(path: Path, mine: str, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(OSError):  # a network file system may fail now and answer at the next beat
            if _read(path) == mine:
                os.utime(path)


def _alive(path: Path) -> bool:
    """Does the process that made this claim still work on it, as far as one can know from here?"""
    held = _read(path)
    return held is not None and _lives(held, _age(path))


def _lives(held: str, age: float) -> bool:
    """The same of a claim's content and age in seconds."""
    claim = _parsed(held)
    if claim is None:
        return age < HEARTBEAT_SECONDS  # being written at this moment, or its process was killed meanwhile
    if age > (FORMER_SELF_SECONDS if _is_former_self(claim) else CLAIM_TIMEOUT_SECONDS):
        return False
    return claim["host"] != socket.gethostname() or _process_start(claim["pid"]) == claim["start"]


def _parsed(held: str) -> dict[str, Any] | None:
    """What a claim says; None if it is not whole."""
    try:
        claim = json.loads(held)
        return {
            "host": claim["host"],
            "pid": int(claim["pid"]),
            "start": claim["start"],
            "job": claim.get("job"),
            "restarts": int(claim.get("restarts", 0)),
        }
    except (ValueError, KeyError, TypeError):
        return None


def _process_start(pid: int) -> str | None:
    """When a process of this host began (clock ticks since boot), None if there is none: pids are used again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _started_without_proc(pid)
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _started_without_proc(pid: int) -> str | None:
    """Where there is no /proc one can only ask whether the process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "unknown"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return None


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _holder(held: str) -> str:
    claim = _parsed(held)
    return "it has just begun" if claim is None else f"pid {claim['pid']} on {claim['host']}"


def utc_now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
