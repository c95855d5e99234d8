"""error.txt: the traceback of a failed attempt."""

from __future__ import annotations

import os
import re
from pathlib import Path

from fitbench.record.files import outputs_of
from fitbench.untrusted import Unreadable, guarded, open_file

FILE = "error.txt"
READ_BYTES = 65_536  # from its end
LONGEST = 2_000  # characters of the line
WRAPPER = "hydra.errors.InstantiationException: "  # begins an error that only says where its cause was raised
OWN_ERROR = re.compile(r"^fitbench\.[\w.]+: ")  # whose message says everything without its name
CAUSE = "The above exception was the direct cause of the following exception:"


def error_line(folder: Path) -> str | None:
    """The line of error.txt that says what failed: the first behind the last traceback, else the last line.

    Where Hydra could not create an object, it is that of the error that its exception was raised from.

    None where the file has gone, because the next attempt has begun.
    """
    try:
        with guarded(), open_file(folder / FILE, outputs_of(folder)) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - READ_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except Unreadable as error:
        return f"{FILE}: {error}"
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if not lines:
        return f"{FILE} is empty"
    begins = [i for i, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    found = [next((line for line in lines[i + 1 :] if not line.startswith(" ")), "") for i in begins]
    while len(found) > 1 and found[-1].startswith(WRAPPER) and lines[begins[len(found) - 1] - 1] == CAUSE:
        del found[-1]
    line = found[-1] if found and found[-1] else lines[-1].strip()
    return OWN_ERROR.sub("", line)[:LONGEST]
