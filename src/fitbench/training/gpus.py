"""A GPU for each process: workers of a sweep, and sweeps that share a machine, do not all take the first one."""

import os
import sys
import tempfile
from pathlib import Path

_held: list[int] = []  # the descriptor of the lock file, open for as long as the process lives


def take(device: str) -> None:
    """Make one GPU the only one that this process sees, where there are several and `device` is auto.

    It is one that no other process of this user holds; if all are held, processes share them evenly, as they do where
    no temporary file can say which are held. To be called before the backend is imported; later calls change nothing.
    A launcher or a cluster that has given the process a GPU of its own (CUDA_VISIBLE_DEVICES) has chosen already.
    """
    if device != "auto" or _held or "keras" in sys.modules or sys.platform == "win32":
        return
    import fcntl

    names = _visible()
    if len(names) < 2:
        return
    for name in names:
        try:
            path = Path(tempfile.gettempdir()) / f"fitbench-{os.getuid()}-gpu-{name}.lock"
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        except OSError:  # no temporary file can be written
            break
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        _held.append(descriptor)
        os.environ["CUDA_VISIBLE_DEVICES"] = name
        return
    os.environ["CUDA_VISIBLE_DEVICES"] = names[os.getpid() % len(names)]


def _visible() -> list[str]:
    """The names of the GPUs that a CUDA program of this process would see, as CUDA_VISIBLE_DEVICES spells them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    here = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number in range(len(list(here.iterdir())))] if here.is_dir() else []
