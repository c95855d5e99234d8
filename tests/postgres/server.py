"""A real PostgreSQL in a folder of its own, for as long as a block lasts.

    apt-get install --no-install-recommends postgresql

It needs Linux, is reached through a socket in its folder and not over the network, forgets what it holds, and leaves
nothing behind. PostgreSQL refuses to run as root, so root starts it as the user that Debian's package makes.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

USER = "postgres"  # of the system, where root starts the server, and of the database
PROGRAMS = ("setpriv", "initdb", "postgres", "pg_isready")
START_SECONDS = 30
STOP_SECONDS = 20
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "16MB",
}


def missing() -> str | None:
    """Why no PostgreSQL can be started here; None if it can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"no {', '.join(absent)} here; apt-get install postgresql brings them"
    if os.geteuid() == 0 and USER not in (entry.pw_name for entry in pwd.getpwall()):
        return f"PostgreSQL does not run as root, and there is no user {USER}"
    return None


@contextmanager
def postgres() -> Iterator[str]:
    """An empty PostgreSQL for as long as the block lasts; gives the URL of its database.

    The URL has a `=` in it: an override that Hydra reads needs quotes around it.
    Whoever may enter its folder is let in without a password: the user who has started it, and root.

    Raises:
        RuntimeError: it did not start; the message has the end of its log.
    """
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, USER, pwd.getpwnam(USER).pw_gid)
        data, log = folder / "data", folder / "log"
        with log.open("wb") as output:
            make = ["initdb", "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
            if _popen(make, folder, output).wait() != 0:
                raise RuntimeError(_not_started(log))
            settings = [part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")]
            server = _popen(["postgres", "-D", str(data), "-k", str(folder), *settings], folder, output)
        try:
            _wait_for(server, folder, log)
            yield f"postgresql://{USER}@/{USER}?host={folder}"
        finally:
            _stop(server)


def _path() -> str:
    """Where programs are looked for: the PATH, then Debian's folders, the newest version first."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(versions, key=lambda path: float(path.parent.name), reverse=True)
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, newest)])


def _popen(command: list[str], folder: Path, output: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen:
    """A program of PostgreSQL, not as root; it is killed when this process dies."""
    identity = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if os.geteuid() == 0 else []
    program = shutil.which(command[0], path=_path()) or command[0]
    return subprocess.Popen(
        ["setpriv", *identity, "--pdeathsig", "QUIT", program, *command[1:]],
        cwd=folder,  # the caller's may be closed to that user
        env={**os.environ, "PATH": _path(), "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for the tests
    )


def _wait_for(server: subprocess.Popen, folder: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while _popen(["pg_isready", "-q", "-h", str(folder)], folder).wait() != 0:
        if time.monotonic() > deadline or server.poll() is not None:
            raise RuntimeError(_not_started(log))
        time.sleep(0.05)


def _stop(server: subprocess.Popen) -> None:
    """End the server and its connections; it ends by itself or is killed."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.send_signal(signal.SIGQUIT)  # its children end too, as they would not of SIGKILL
        server.wait()


def _not_started(log: Path) -> str:
    return f"PostgreSQL has not started\n{log.read_text(errors='replace')[-2000:]}"
