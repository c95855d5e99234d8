"""Notes about a run, for its log and for whoever launched it."""

import logging

from fitbench.stderr import write_note

log = logging.getLogger(__name__)
_written: set[str] = set()  # those that this process has written to stderr: the runs of a sweep have the same ones


def note(text: str) -> None:
    """Log a line. The first time, this process also writes it to stderr."""
    log.info(text)
    if text not in _written:
        _written.add(text)
        write_note(text)
