"""Keeps the connections of a server below the limit of open files."""

from __future__ import annotations

import asyncio
import functools
import logging
import resource
import socket

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS, MAX_BACKLOG = 256, 128
QUEUE = 4096
PROBLEM = b'{"error": "too many connections are open; try again in a second"}'
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: %d\r\nretry-after: 1\r\n"
    b"connection: close\r\n\r\n%s" % (len(PROBLEM), PROBLEM)
)


def limits() -> tuple[int, int]:
    """Return how many connections may be open, and how many the event loop may accept at a time.

    Accepted connections are refused a few turns of the event loop later. Until then they take a file each, so
    `connections + 4 * backlog` stays below the limit of open files. The rest is for what the server reads and receives.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS, MAX_BACKLOG
    return min(MAX_CONNECTIONS, max(1, files // 4)), min(MAX_BACKLOG, max(1, files // 8))


class Server(uvicorn.Server):
    """Uvicorn's server. Clients that connect while it accepts others wait in a longer queue.

    asyncio takes one number, `backlog`, for the queue and for the connections that it accepts at a time. A client that
    finds the queue full would try again after 1, 3 and 7 seconds.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(QUEUE)


class LimitedProtocol(H11Protocol):
    """Uvicorn's protocol, with a limit for connections that send no request.

    Uvicorn applies `limit_concurrency` to requests, and its timeout to connections that had a response. Connections
    that are silent would stay open for ever, and above the limit of open files asyncio would log an error for each.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse the connection with 503 if `limit_concurrency` others are open."""
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            _report(self.limit_concurrency - 1)
            transport.write(REFUSAL)
            transport.close()
        else:
            self._await_request()

    def data_received(self, data: bytes) -> None:
        """Handle what a client sends."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._await_request()

    def _await_request(self) -> None:
        """Close the connection if nothing more arrives for `timeout_keep_alive` seconds."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)


@functools.cache
def _report(count: int) -> None:
    """Log once that connections are refused."""
    logging.getLogger("uvicorn.error").error("%d connections are open; further ones are refused with 503", count)
