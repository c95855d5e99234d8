"""`fitbench serve`: serves models as a page on which people try them, and as a JSON API."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fitbench.errors import RequestError
from fitbench.inference.api import RequestLimits
from fitbench.inference.inputs import recorded_inputs
from fitbench.inference.reader import Reader, finished, open_runs
from fitbench.kinds import IMAGES
from fitbench.record.naming import find_run
from fitbench.text import clean, first_of

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

PACKAGES = ("fastapi", "starlette", "uvicorn", "python_multipart")
GRACE_SECONDS = 3  # for answering open requests when the server ends


def serve(
    runs: Sequence[str], outputs: Path, host: str, port: int, trust: bool, open_browser: bool, limits: RequestLimits
) -> int:
    """Serve the models of finished runs until Ctrl-C or SIGTERM, and print the address.

    Args:
        runs: run folders, run_ids, or unambiguous parts of them.
        outputs: the folder that is searched for the runs.
        host: the name or address to listen at.
        port: the port; 0 chooses a free one.
        trust: also load models that have code of their own.
        open_browser: open the page in a browser.
        limits: the limits of a request.

    Returns:
        The exit status after Ctrl-C, 130. SIGTERM ends the process with status 0.

    Raises:
        RequestError: a run does not exist, two runs have the same run_id or take different examples, the address cannot
            be used, or the extra `serve` is not installed.
        FitbenchError: a model cannot be loaded, or its outputs are not finite.
    """
    folders = _find_runs(runs, outputs)
    from fitbench.inference.server import make_app
    from fitbench.inference.service import Service

    with _listen(host, port) as listener:
        service = Service(open_runs(folders, trust), limits)
        service.warm_up()
        address, port = listener.getsockname()[:2]
        loopback = ipaddress.ip_address(address).is_loopback
        app = make_app(service, ("localhost", "127.0.0.1", "[::1]", host.lower()) if loopback else ("*",))
        url = f"http://{'[' + address + ']' if ':' in address else address}:{port}/"
        _announce(service.readers.values(), url, loopback)
        if open_browser:
            webbrowser.open(url)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            make_server(app).run(sockets=[listener])
        except KeyboardInterrupt:
            return 130
    return 0


def _find_runs(runs: Sequence[str], outputs: Path) -> list[Path]:
    folders = [find_run(run, outputs, finished=True) for run in runs]
    results = [finished(folder) for folder in folders]
    first, *others = [_taken(folder) for folder in folders]
    for folder, taken in zip(folders[1:], others, strict=True):
        if taken != first:
            raise RequestError(
                f"{folder}: takes other examples than {folders[0]}; serve them apart. Runs that are served together "
                "take images, or rows with the same columns, or series or arrays of the same shape"
            )
    names = [result["run_id"] for result in results]
    if len(set(names)) < len(names):
        raise RequestError(f"two of the runs are called the same: {', '.join(map(clean, names))}; serve one of them")
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise RequestError(f"fitbench serve needs {', '.join(missing)}: pip install 'fitbench[serve]'")
    return folders


def _taken(folder: Path) -> tuple[str, tuple[int, ...], tuple[str, ...]]:
    """The kind, shape and columns of the examples that a run takes. Images are resized, so their shape is no part."""
    inputs = recorded_inputs(folder)
    if inputs.kind == IMAGES:
        return IMAGES, (), ()
    return inputs.kind, inputs.shape, tuple(column.name for column in inputs.columns)


def _listen(host: str, port: int) -> socket.socket:
    """Listen at the address. Clients that connect while the models are loaded wait."""
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(getattr(error, "errno", 22))
        raise RequestError(
            f"cannot listen at --host {host} --port {port} ({reason}); --host 127.0.0.1 is this computer, and --port 0 "
            "is any free port"
        ) from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a client waits 40 ms for the second packet
    return listener


def _announce(readers: Iterable[Reader], url: str, loopback: bool) -> None:
    for reader in readers:
        outputs = f"{reader.task.names_key} {first_of(reader.names, 10)}"
        print(clean(f"{reader.run_id}: {reader.inputs.described}, {outputs}"), file=sys.stderr)
    if not loopback:
        print("Everyone who can reach this computer can use the server: there is no password.", file=sys.stderr)
    print(url, flush=True)
    print("Open this address to try the models; /docs describes the JSON API. Ctrl-C ends the server.", file=sys.stderr)


def _is_failure(record: logging.LogRecord) -> bool:
    """Whether a record is more than the traceback of a request that is cancelled because the server ends."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def make_server(app: FastAPI) -> uvicorn.Server:
    """Create the server of an application; `run(sockets=[listener])` answers requests until a signal arrives."""
    import uvicorn

    from fitbench.inference.connections import LimitedProtocol, Server, limits

    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # the client gets the error of a malformed form
    logging.getLogger("uvicorn.error").addFilter(_is_failure)
    connections, backlog = limits()
    config = uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="none",
        log_level="error",  # a warning for each malformed request would fill the log
        access_log=False,
        server_header=False,
        limit_concurrency=connections + 1,  # the connection that reaches the limit is refused
        backlog=backlog,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config)
