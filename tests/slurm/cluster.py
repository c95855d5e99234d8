"""A real Slurm of one node in a folder of its own, for as long as a command takes.

    apt-get install --no-install-recommends slurm-wlm munge
    python tests/slurm/cluster.py fitbench train -m seed=0,1 hydra/launcher=submitit_slurm
    python tests/slurm/cluster.py bash

It needs Linux and root, but neither systemd nor cgroups nor a network, keeps no accounts (`sacct` does not answer), and
leaves nothing behind.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PROGRAMS = ("setpriv", "munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
START_SECONDS = 20
KILL_SECONDS = 5  # between the SIGTERM and the SIGKILL that a job gets; slurmd waits no shorter

CONFIGURATION = """
ClusterName=fitbench
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
# a requeued job waits for as long as its credential is valid, 120 s unless said here
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=2,sched_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MpiDefault=none
ReturnToService=2
KillWait={kill_seconds}
SlurmdParameters=config_overrides
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000000
PartitionName=normal Nodes=localhost Default=YES PriorityTier=1
PartitionName=urgent Nodes=localhost PriorityTier=2
"""


def missing() -> str | None:
    """Why no Slurm can be started here; None if it can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"no {', '.join(absent)} here; apt-get install slurm-wlm munge brings them"
    return None if os.geteuid() == 0 else "Slurm's daemons need root"


@contextmanager
def slurm(folder: Path, cpus: int = 2) -> Iterator[dict[str, str]]:
    """A Slurm for as long as the block lasts; gives the environment in which its commands find it.

    Jobs of the partition `urgent` preempt those of `normal`, the default, which are then requeued. Jobs that are left
    at the end are cancelled.

    Args:
        folder: an empty folder, for what Slurm writes; its path shorter than some 90 characters (it holds a socket).
        cpus: how many CPUs the node gives out, whatever it has.

    Raises:
        RuntimeError: it did not start; the message has the ends of the logs.
    """
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    values = {"folder": folder, "ports": _free_ports(2), "cpus": cpus, "kill_seconds": KILL_SECONDS}
    configuration = folder / "slurm.conf"
    configuration.write_text(CONFIGURATION.format(**values))
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    files = {"key-file": key, "socket": folder / "munge.socket"}
    files |= {f"{name}-file": folder / f"munge.{name}" for name in ("pid", "log", "seed")}
    environment = {**os.environ, "SLURM_CONF": str(configuration), "PATH": _path()}
    with ExitStack() as stack:
        stack.callback(_kill_what_is_left, configuration)
        # forced: a private folder, in which other users' programs could not reach its socket, is what we want
        munged = ["munged", "--foreground", "--force", *(f"--{option}={path}" for option, path in files.items())]
        daemons = [stack.enter_context(_daemon(munged, environment))]
        _wait_for(files["socket"].exists, daemons, folder)
        for command in (["slurmctld", "-D"], ["slurmd", "-D", "-N", "localhost"]):
            daemons.append(stack.enter_context(_daemon(command, environment)))
        idle = ["sinfo", "-h", "-p", "normal", "-o", "%T"]
        _wait_for(lambda: _said(idle, environment) == "idle", daemons, folder)
        stack.callback(_cancel_jobs, environment)
        yield environment


def _path() -> str:
    """Where daemons are looked for too, although the PATH of a user may lack it."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def _daemon(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    """A daemon that ends with the block, or is killed when this process dies."""
    program = shutil.which(command[0], path=environment["PATH"]) or command[0]
    with Path(environment["SLURM_CONF"]).with_name(f"{command[0]}.output.log").open("wb") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", program, *command[1:]],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the command
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(condition: Callable[[], bool], daemons: list[subprocess.Popen], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > deadline or any(daemon.poll() is not None for daemon in daemons):
            ends = (f"{path}:\n{path.read_text(errors='replace')[-2000:]}" for path in sorted(folder.glob("*.log")))
            raise RuntimeError("\n".join(["Slurm has not started", *ends]))
        time.sleep(0.05)


def _said(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip()


def _cancel_jobs(environment: dict[str, str]) -> None:
    """Cancel what is in the queue, and wait until it has ended."""
    deadline = time.monotonic() + 2 * KILL_SECONDS + 5
    while (jobs := _said(["squeue", "-h", "-o", "%A"], environment).split()) and time.monotonic() < deadline:
        _said(["scancel", *jobs], environment)
        time.sleep(0.2)


def _kill_what_is_left(configuration: Path) -> None:
    """Kill the processes of this Slurm that outlived it: slurmd does not take its jobs with it."""
    mark = f"SLURM_CONF={configuration}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if mark in (process / "environ").read_bytes().split(b"\0") and int(process.name) != os.getpid():
                os.kill(int(process.name), signal.SIGKILL)


def main(command: list[str]) -> int:
    """Run a command inside of a Slurm of its own; gives its exit status."""
    if not command:
        print(__doc__)
        return 2
    reason = missing()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, slurm(Path(folder) / "slurm") as environment:
        process = subprocess.Popen(command, env=environment)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the command had it too, and says when it is over
                continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
