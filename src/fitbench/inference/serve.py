"""`fitbench serve`: serves models as a page where digits can be drawn, and as a JSON API."""

from __future__ import annotations

import asyncio
import errno
import http.client
import io
import ipaddress
import logging
import os
import signal
import socket
import sys
import webbrowser
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from fitbench.errors import FitbenchError, RequestError
from fitbench.record.reading import find_run
from fitbench.text import clean

if TYPE_CHECKING:
    from fitbench.inference.reader import Reader

GRACE_SECONDS = 3  # for answering open requests when the server ends


def serve(
    runs: Sequence[str],
    outputs: Path,
    host: str,
    port: int,
    trust: bool,
    open_browser: bool,
    limits: Mapping[str, Any],
) -> int:
    """Serve the models of finished runs until Ctrl-C or SIGTERM, and print the address.

    Args:
        runs: run folders, run_ids, or unambiguous parts of them.
        outputs: the folder that is searched for the runs.
        host: the name or address to listen at.
        port: the port; 0 chooses a free one.
        trust: also load models that have code of their own.
        open_browser: open the page in a browser.
        limits: the values of `limits.Limits`, by name.

    Returns:
        The exit status: 130 after Ctrl-C, 0 after SIGTERM.

    Raises:
        RequestError: a run, the host or the address does not exist, or the extra `serve` is not installed.
        FitbenchError: the port is in use, or a model cannot be loaded.
    """
    folders = [find_run(run, outputs) for run in runs]
    missing = [name for name in ("fastapi", "uvicorn", "python_multipart") if find_spec(name) is None]
    if missing:
        raise RequestError(f"fitbench serve needs {', '.join(missing)}: pip install 'fitbench[serve]'")
    with _bind(host, port) as listener:
        readers = _by_name(_load(folders, trust))
        try:
            _run(readers, listener, host, open_browser, limits)
        except KeyboardInterrupt:
            return 130
    return 0


def _bind(host: str, port: int) -> socket.socket:
    """Bind a socket to the address, before models are loaded. It does not listen yet."""
    try:
        candidates = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise RequestError(
            f"--host {host}: no such host ({getattr(error, 'strerror', error)}); 127.0.0.1 is this computer"
        ) from None
    family, kind, protocol, _, address = min(candidates, key=lambda candidate: candidate[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise RequestError(f"--host {host} is not an address of this computer; 127.0.0.1 is") from None
        raise FitbenchError(
            f"cannot listen at {host}:{port} ({error.strerror}); choose another --port, or 0 for any free port"
        ) from None
    return listener


def _load(folders: Sequence[Path], trust: bool) -> list[Reader]:
    """Load the models. Meanwhile Ctrl-C ends the process at once, because some imports swallow KeyboardInterrupt."""
    previous = signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        from fitbench.inference.reader import open_runs

        return open_runs(folders, trust)
    finally:
        signal.signal(signal.SIGINT, previous)


def _by_name(readers: Sequence[Reader]) -> dict[str, Reader]:
    """Return the readers by run_id. If several have the same run_id, their study precedes it.

    Raises:
        RequestError: a run was given twice.
    """
    count = Counter(reader.run_id for reader in readers)
    by_name: dict[str, Reader] = {}
    for reader in readers:
        name = reader.run_id if count[reader.run_id] == 1 else f"{reader.folder.parent.name}/{reader.run_id}"
        if name in by_name:
            raise RequestError(f"{clean(name)} was given twice; give each run once")
        by_name[name] = reader
    return by_name


def _run(
    readers: Mapping[str, Reader], listener: socket.socket, host: str, open_browser: bool, limits: Mapping[str, Any]
) -> None:
    import uvicorn

    from fitbench.inference.connections import protocol
    from fitbench.inference.limits import Limits
    from fitbench.inference.server import make_app
    from fitbench.inference.service import Service

    address, port = listener.getsockname()[:2]
    loopback = ipaddress.ip_address(address).is_loopback
    service = Service(readers, Limits(**limits))
    app = make_app(service, {"localhost", "127.0.0.1", "::1", host.lower()} if loopback else None)
    url = f"http://{'[' + address + ']' if ':' in address else address}:{port}/"

    class Server(uvicorn.Server):
        """A server that prints its address when it answers requests."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if not self.started:
                return
            await asyncio.to_thread(_warm_up, address, port)
            service.images = 0
            _announce(readers, url, loopback)
            if open_browser:
                webbrowser.open(url)

    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # the client gets the error of a malformed form
    config = uvicorn.Config(
        app,
        http=protocol(service.limits.read_seconds),
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    previous = signal.signal(signal.SIGTERM, _exit)  # uvicorn calls this handler after it has ended
    try:
        Server(config).run(sockets=[listener])
    except SystemExit as ended:
        if ended.code:
            raise
    finally:
        signal.signal(signal.SIGTERM, previous)


def _warm_up(address: str, port: int) -> None:
    """Request a prediction, so that the first request of a client takes no longer than others."""
    from PIL import Image

    file = io.BytesIO()
    Image.radial_gradient("L").resize((84, 84)).save(file, "PNG")
    connection = http.client.HTTPConnection(address, port, timeout=60)
    connection.request("POST", "/predict?seen=true", file.getvalue(), {"Content-Type": "image/png"})
    connection.getresponse().read()
    connection.close()


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _announce(readers: Mapping[str, Reader], url: str, loopback: bool) -> None:
    for name, reader in readers.items():
        height, width, channels = reader.shape
        images = f"{height} x {width} {'grey' if channels == 1 else 'colour'}"
        print(f"{clean(name)}: {images}, {len(reader.classes)} classes", file=sys.stderr)
    if not loopback:
        print("Everyone who can reach this computer can use the server: there is no password.", file=sys.stderr)
    print(url, flush=True)
    print("Open this address to draw; /docs describes the JSON API. Ctrl-C ends the server.", file=sys.stderr)
