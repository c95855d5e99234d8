"""HTTP connections with time-outs for receiving the headers of a request and for sending a response."""

from __future__ import annotations

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol(seconds: float) -> type[asyncio.Protocol]:
    """Return a protocol for uvicorn whose connections have this time-out."""
    return type("TimedConnection", (Connection,), {"seconds": seconds})


class Connection(H11Protocol):
    """A connection that a client cannot keep open by sending headers, or reading responses, too slowly.

    The application has its own time-out for the body of a request. Data that are not HTTP get an error in JSON, as all
    errors do.

    Attributes:
        seconds: the time-out.
        headers_timer: runs while the headers of a request are incomplete.
        writing_timer: runs while the client does not read its response.
    """

    seconds: float
    headers_timer: asyncio.TimerHandle | None = None
    writing_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the headers of the first request."""
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """Read data. Start the timer if the headers of a request are incomplete, otherwise stop it."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._await_headers()
        elif self.headers_timer:
            self.headers_timer.cancel()
            self.headers_timer = None

    def _await_headers(self) -> None:
        self.headers_timer = self.headers_timer or self.loop.call_later(self.seconds, self._time_out)

    def _time_out(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self._refuse(408, f"the request has not arrived within {self.seconds:g} s")
        self.transport.close()

    def pause_writing(self) -> None:
        """Start the timer: the client does not read its response."""
        super().pause_writing()
        self.writing_timer = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer: the client reads again, or has disconnected."""
        super().resume_writing()
        if self.writing_timer:
            self.writing_timer.cancel()
            self.writing_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer for the headers."""
        super().connection_lost(exc)
        if self.headers_timer:
            self.headers_timer.cancel()

    def send_400_response(self, msg: str) -> None:
        """Answer data that are not HTTP."""
        self._refuse(400, msg)
        self.transport.close()

    def _refuse(self, status: int, text: str) -> None:
        body = json.dumps({"error": text}).encode()
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
