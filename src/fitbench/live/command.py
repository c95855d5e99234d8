"""`fitbench report --live`: serves the report of runs while they are trained."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from fitbench.analysis import request
from fitbench.analysis.frame import load_runs
from fitbench.analysis.studies import Which, fitting
from fitbench.errors import RequestError
from fitbench.record.naming import find_folder
from fitbench.stderr import write_note
from fitbench.text import clean
from fitbench.web import server

OUTPUTS = Path("outputs")
SHORTEST, LONGEST = 0.1, 3600  # intervals
ADVICE = "Open this address to watch the runs."


def serve(
    which: Which, by: str | None, metric: str | None, host: str, port: int, interval: float, open_browser: bool
) -> int:
    """Serve the live page until Ctrl-C or SIGTERM, and print the address. Nothing is written.

    Args:
        which: the runs, which may begin later; `every` changes nothing, because every study is on the page.
        by, metric: as of `report`.
        host: the name or address to listen at.
        port: the port; 0 chooses a free one.
        interval: seconds between two looks at the runs.
        open_browser: open the page in a browser.

    Returns:
        The exit status after Ctrl-C, 130. SIGTERM ends the process with status 0.

    Raises:
        RequestError: the interval or a path is wrong, the runs that are there have no such column or metric, or the
            address cannot be used.
    """
    which.check()
    if not SHORTEST <= interval <= LONGEST:  # nor is it nan
        raise RequestError(f"--interval {interval:g}: expected seconds from {SHORTEST} to {LONGEST}")
    which = replace(which, paths=[_located(path) for path in which.paths or (OUTPUTS,)])
    _check(which, by, metric)
    with server.listen(host, port) as listener:
        from fitbench.live.app import make_app
        from fitbench.live.changes import Changes

        app = make_app(Changes(which, by, metric), interval, server.allowed_hosts(listener, host))
        server.announce(listener, ADVICE, open_browser)
        logging.getLogger("uvicorn.error").addFilter(_is_failure)
        return server.run(app, listener, grace=1)


def _is_failure(record: logging.LogRecord) -> bool:
    """Whether a record is more than that an answer was cut off because the server ends: nothing is lost with it."""
    return not str(record.msg).startswith("Cancel ")


def _located(path: str | Path) -> Path:
    """The folder that is meant. One that does not exist is waited for if the folder above it exists, or is `outputs`.

    A name without a / is that of a study or a run, so it must fit one. `outputs` may be made later.

    Raises:
        RequestError: there is neither such a folder nor such a name.
    """
    place = Path(path)
    later = OUTPUTS in (place, place.parent) or (len(place.parts) > 1 and place.parent.is_dir())
    if place.exists() or not later:
        return find_folder(path, OUTPUTS)
    write_note(f"{clean(path)} does not exist yet; runs appear on the page when they begin")
    return place


def _check(which: Which, by: str | None, metric: str | None) -> None:
    """Refuse what does not fit the runs that are there.

    Raises:
        RequestError: there is no such study, column or metric; the message names the nearest.
    """
    if by is None and metric is None and which.where is None and which.study is None:
        return
    try:
        frame = load_runs(*(path for path in which.paths if Path(path).is_dir()))
    except RequestError:  # there are no runs yet
        return
    if frame.empty:
        return
    fitting(frame, which)
    if by is not None:
        request.keys(frame, by)
    if metric is not None and (frame["state"] == "finished").any():
        request.measured(frame, metric)
