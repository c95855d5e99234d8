"""`fitbench serve`: draw in the browser and watch models read it; the same as a JSON API."""

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

GRACE = 3  # seconds that requests have to be answered in when the server ends


def serve(
    wanted: Sequence[str],
    outputs: Path,
    host: str,
    port: int,
    trust: bool,
    open_browser: bool,
    limits: Mapping[str, Any],
) -> int:
    """Serve the models of finished runs until Ctrl-C (then 130) or SIGTERM (then 0), and print the address.

    Args:
        wanted: run folders, run_ids, or unambiguous parts of one.
        outputs: where they are looked for.
        host: the name or address to listen at.
        port: 0: one that is free.
        trust: also load models that have code of their own.
        open_browser: open the page in a browser.
        limits: of `limits.Limits`, by name.

    Returns:
        the exit status.

    Raises:
        RequestError: there is no such run, host or address, or the extra `serve` is not installed.
        FitbenchError: the port is taken, or a model cannot be loaded.
    """
    folders = [find_run(text, outputs) for text in wanted]
    missing = [name for name in ("fastapi", "uvicorn", "python_multipart") if find_spec(name) is None]
    if missing:
        raise RequestError(f"fitbench serve needs {', '.join(missing)}: pip install 'fitbench[serve]'")
    with _bound(host, port) as listener:
        readers = _named(_loaded(folders, trust))
        try:
            _run(readers, listener, host, open_browser, limits)
        except KeyboardInterrupt:
            return 130
    return 0


def _bound(host: str, port: int) -> socket.socket:
    """A socket with the address, taken before models are loaded. It does not listen yet."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise RequestError(
            f"--host {host}: no such host ({getattr(error, 'strerror', error)}); 127.0.0.1 is this computer"
        ) from None
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise RequestError(f"--host {host} is no address of this computer; 127.0.0.1 is") from None
        raise FitbenchError(
            f"{host}:{port} cannot be listened at ({error.strerror}); choose another --port, or 0 for any that is free"
        ) from None
    return listener


def _loaded(folders: Sequence[Path], trust: bool) -> list[Reader]:
    """The models. Ctrl-C ends the process at once meanwhile: not every import lets KeyboardInterrupt through."""
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        from fitbench.inference.reader import open_runs

        return open_runs(folders, trust)
    finally:
        signal.signal(signal.SIGINT, before)


def _named(readers: Sequence[Reader]) -> dict[str, Reader]:
    """The readers by run_id; where several have one, with the study before it."""
    count = Counter(reader.run_id for reader in readers)
    named: dict[str, Reader] = {}
    for reader in readers:
        name = reader.run_id if count[reader.run_id] == 1 else f"{reader.folder.parent.name}/{reader.run_id}"
        if name in named:
            raise RequestError(f"{clean(name)} was given twice; once is enough")
        named[name] = reader
    return named


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
        """Says where it is once it answers."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if not self.started:
                return
            await asyncio.to_thread(_warm, address, port)
            service.images = 0
            _announce(readers, url, loopback)
            if open_browser:
                webbrowser.open(url)

    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # of malformed forms the client is told
    config = uvicorn.Config(
        app,
        http=protocol(service.limits.read_seconds),
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    before = signal.signal(signal.SIGTERM, _ended)  # what uvicorn calls when it has ended
    try:
        Server(config).run(sockets=[listener])
    except SystemExit as ended:
        if ended.code:
            raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _warm(address: str, port: int) -> None:
    """Have an image read, so that the first that somebody sends is not read more slowly than the rest."""
    from PIL import Image

    file = io.BytesIO()
    Image.radial_gradient("L").resize((84, 84)).save(file, "PNG")
    connection = http.client.HTTPConnection(address, port, timeout=60)
    connection.request("POST", "/predict?seen=true", file.getvalue(), {"Content-Type": "image/png"})
    connection.getresponse().read()
    connection.close()


def _ended(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _announce(readers: Mapping[str, Reader], url: str, loopback: bool) -> None:
    for name, reader in readers.items():
        height, width, channels = reader.shape
        images = f"{height} x {width} {'grey' if channels == 1 else 'colour'}"
        print(f"{clean(name)}: {images}, {len(reader.classes)} classes", file=sys.stderr)
    if not loopback:
        print("Everyone who can reach this computer can use it: there is no password.", file=sys.stderr)
    print(url, flush=True)
    print("Draw there; /docs describes the JSON API. Ctrl-C ends it.", file=sys.stderr)
