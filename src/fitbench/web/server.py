"""A server at an address of this computer: listening, the address that is printed, and answering requests."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import signal
import socket
import sys
import webbrowser
from typing import TYPE_CHECKING

from fitbench.errors import RequestError

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

ANY_ADDRESS = "<address>"  # stands for all IP addresses among the allowed host names
GRACE_SECONDS = 3  # for answering open requests when the server ends


def listen(host: str, port: int) -> socket.socket:
    """Listen at the address; port 0 chooses a free port. Clients that connect before the server runs wait.

    Raises:
        RequestError: the address cannot be used.
    """
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, UnicodeError) as error:
        cause = error.__context__  # `create_server` replaces the error of the system
        of_name = next((each for each in (error, cause) if isinstance(each, socket.gaierror)), None)
        reason = of_name.strerror if of_name else os.strerror(getattr(error, "errno", 22))
        raise RequestError(
            f"cannot listen at --host {host} --port {port} ({reason}); --host 127.0.0.1 is this computer, and --port 0 "
            "is any free port"
        ) from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a client waits 40 ms for the second packet
    return listener


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this computer can reach the server."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def allowed_hosts(listener: socket.socket, host: str) -> tuple[str, ...]:
    """The host names that requests may have, see `protection.protect`. `host` is the name that was listened at."""
    names = ("localhost", host.lower(), _address(listener))
    if is_loopback(listener):
        return (*names, "127.0.0.1", "[::1]")
    return (*names, socket.gethostname().lower(), socket.getfqdn().lower(), ANY_ADDRESS)


def _address(listener: socket.socket) -> str:
    """The address of the server, as a URL has it."""
    address = listener.getsockname()[0]
    return f"[{address}]" if ":" in address else address


def announce(listener: socket.socket, advice: str, open_browser: bool) -> None:
    """Print the address, a warning if other computers can reach it, and advice; open it in a browser if wanted."""
    url = f"http://{_address(listener)}:{listener.getsockname()[1]}/"
    if not is_loopback(listener):
        print("Everyone who can reach this computer can use the server: there is no password.", file=sys.stderr)
    print(url, flush=True)
    print(f"{advice} Ctrl-C ends the server.", file=sys.stderr)
    if open_browser:
        webbrowser.open(url)


def run(app: Starlette, listener: socket.socket, grace: int = GRACE_SECONDS) -> int:
    """Answer requests until Ctrl-C, which gives the exit status 130, or SIGTERM, which ends the process with 0.

    Requests that are open then are answered for `grace` seconds.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        make_server(app, grace).run(sockets=[listener])
    except KeyboardInterrupt:
        return 130
    return 0


def make_server(app: Starlette, grace: int = GRACE_SECONDS) -> uvicorn.Server:
    """Create the server of an application; `run(sockets=[listener])` answers requests until a signal arrives."""
    import uvicorn

    from fitbench.web.connections import LimitedProtocol, Server, limits

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
        timeout_graceful_shutdown=grace,
    )
    return Server(config)


def _is_failure(record: logging.LogRecord) -> bool:
    """Whether a record is more than the traceback of a request that is cancelled because the server ends."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
