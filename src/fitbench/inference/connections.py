"""HTTP connections on which nobody can dawdle: with headers that do not come, with answers that are not read."""

from __future__ import annotations

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol(seconds: float) -> type[asyncio.Protocol]:
    """The kind of connection that gives a request's headers, and the reading of an answer, so many seconds.

    The body of a request is the application's to wait for. What is no HTTP is told so in JSON, as all errors are.
    """

    class Connection(H11Protocol):
        """One connection of a client."""

        arriving: asyncio.TimerHandle | None = None
        stalled: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Wait for the first request."""
            super().connection_made(transport)
            self._await_headers()

        def data_received(self, data: bytes) -> None:
            """Read on; where that has not completed a request's headers, wait for the rest of them."""
            super().data_received(data)
            if self.cycle is None or self.cycle.response_complete:
                self._await_headers()
            elif self.arriving:
                self.arriving.cancel()
                self.arriving = None

        def _await_headers(self) -> None:
            self.arriving = self.arriving or self.loop.call_later(seconds, self._give_up)

        def _give_up(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self._refuse(408, f"the request has not arrived within {seconds:g} s")
            self.transport.close()

        def pause_writing(self) -> None:
            """The client does not take its answer."""
            super().pause_writing()
            self.stalled = self.loop.call_later(seconds, self.transport.abort)

        def resume_writing(self) -> None:
            """It does again; or it is gone."""
            super().resume_writing()
            if self.stalled:
                self.stalled.cancel()
                self.stalled = None

        def connection_lost(self, exc: Exception | None) -> None:
            """Nothing is waited for any more."""
            super().connection_lost(exc)
            if self.arriving:
                self.arriving.cancel()

        def send_400_response(self, msg: str) -> None:
            """Answer what is no HTTP."""
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

    return Connection
