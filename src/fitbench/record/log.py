"""train.log: what is logged while a run is trained, over all its attempts."""

from __future__ import annotations

import logging
from io import TextIOWrapper

from fitbench.untrusted import append_only, naming


class LogFile(logging.FileHandler):
    """A handler that appends to a regular file: anything else in its place could block, or belong to somebody else.

    Raises:
        FitbenchError: when the first message is written, if the file is none.
    """

    def _open(self) -> TextIOWrapper:
        path, encoding, errors = self.baseFilename, self.encoding, self.errors or "backslashreplace"
        with naming(path):
            return open(path, self.mode, encoding=encoding, errors=errors, opener=append_only)  # type: ignore[return-value]
