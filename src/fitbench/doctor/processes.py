"""Processes that answer a question within a time, or are ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

ERRORS_ONLY = {"TF_CPP_MIN_LOG_LEVEL": "2", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # as in training


class Question:
    """A Python program that prints a JSON list, or a JSON object as its last line. It runs from when this is created.

    Attributes:
        seconds: how long it may take from then on.
    """

    def __init__(self, words: Sequence[str], seconds: float, environ: Mapping[str, str] | None = None) -> None:
        self.seconds = seconds
        self._answer: dict[str, Any] | None = None
        self._deadline = time.monotonic() + seconds
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace",
            env={**ERRORS_ONLY, **(os.environ if environ is None else environ)},
        )  # fmt: skip

    def answer(self) -> dict[str, Any]:
        """Wait for the answer; {"error": text} if there is none, with "late": true if it took too long."""
        if self._answer is None:
            self._answer = self._wait()
        return self._answer

    def _wait(self) -> dict[str, Any]:
        try:
            out, err = self._process.communicate(timeout=max(self._deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            self.end()
            return {"error": f"no answer within {self.seconds:g} s", "late": True}
        if self._process.returncode < 0:
            return {"error": f"it was ended by {signal.Signals(-self._process.returncode).name}"}
        try:
            found = json.loads(out if out.startswith("[") else out.strip().rpartition("\n")[2])
        except ValueError:
            return {"error": (err.strip() or "it printed no answer").splitlines()[-1]}
        return found if isinstance(found, dict) else {"found": found}

    def end(self) -> None:
        """Kill the process if it runs. One that waits for a file system which does not answer is left to end."""
        if self._answer is not None or self._process.poll() is not None:
            return
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=1)
