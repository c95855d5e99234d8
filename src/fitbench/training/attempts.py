"""How often a run was launched: checkpoint/attempts.txt has a line for each attempt since the run began.

The file goes with the checkpoints when the run has finished. So it says nothing of a finished run; result.json does.
"""

from __future__ import annotations

from pathlib import Path

from fitbench.record.files import check_fence, write_whole
from fitbench.record.result import utc_now
from fitbench.untrusted import append_only, naming

FILE = "checkpoint/attempts.txt"


def begin(folder: Path) -> int:
    """Record that an attempt begins, at once: it may be killed at any moment. Gives its number, from 1.

    Only for the holder of the claim.

    Raises:
        FitbenchError: attempts.txt is no regular file.
    """
    path = folder / FILE
    path.parent.mkdir(exist_ok=True)
    with naming(path), open(path, "a+b", opener=append_only) as file:
        file.write(f"{utc_now()}\n".encode())
        file.seek(0)
        return file.read().count(b"\n")


def withdraw(folder: Path) -> None:
    """Forget the attempt that has begun last, as its request was refused. Nothing is left of one that was the first."""
    path = folder / FILE
    check_fence(path)
    earlier = path.read_bytes().splitlines(keepends=True)[:-1]
    if earlier:
        write_whole(path, b"".join(earlier))
        return
    path.unlink()
    if not any(path.parent.iterdir()):
        path.parent.rmdir()
