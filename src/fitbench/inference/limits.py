"""What the server refuses before the application sees it: strange hosts, too much, too many, too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


@dataclass(frozen=True)
class Limits:
    """What one request may take, and how many requests there may be.

    Attributes:
        bytes: of a request's body, counted while it arrives.
        pixels: of a request's images together; of each asked of its header before it is decoded.
        images: of a request.
        requests: that are being read or answered at a time; others are told to come back.
        read_seconds: until a request has arrived.
        answer_seconds: until it is answered.
    """

    bytes: int = 10_000_000
    pixels: int = 30_000_000
    images: int = 1000
    requests: int = 256
    read_seconds: float = 10.0
    answer_seconds: float = 30.0


class Guard:
    """The application, behind the limits. Errors are JSON of one shape, {"error": text}, here as in the application."""

    def __init__(self, app: ASGIApp, limits: Limits, hosts: Set[str] | None) -> None:
        """`hosts`: the names by which the server may be called; None: by any.

        A page of another site whose name has been pointed at this computer (DNS rebinding) calls it by that name.
        """
        self.app = app
        self.limits = limits
        self.hosts = hosts
        self.active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's lifespan."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        send = _with_headers(send)
        if refused := self._refused(Headers(scope=scope)):
            return await refused(scope, receive, send)
        self.active += 1
        try:
            await self.app(scope, _limited(receive, self.limits), send)
        finally:
            self.active -= 1

    def _refused(self, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        if self.hosts is not None and _host_name(host) not in self.hosts:
            return _error(421, f"the host is {host!r:.80}; this server is called {' or '.join(sorted(self.hosts))}")
        if self.active >= self.limits.requests:
            return _error(503, f"{self.active} requests are being answered; try again", **{"retry-after": "1"})
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > self.limits.bytes:
            return _error(413, _too_large(self.limits), connection="close")
        return None


def _error(status: int, text: str, **headers: str) -> JSONResponse:
    return JSONResponse({"error": text}, status, headers)


def _too_large(limits: Limits) -> str:
    return f"the request is larger than {limits.bytes:,} bytes"


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _limited(receive: Receive, limits: Limits) -> Receive:
    """The body of one request, of so many bytes and in so many seconds; else raises HTTPException 413 or 408."""
    deadline = asyncio.get_running_loop().time() + limits.read_seconds
    count = 0
    more = True

    async def limited() -> Message:
        nonlocal count, more
        if not more:  # only whether the client is still there is asked now
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            text = f"the request has not arrived within {limits.read_seconds:g} s"
            raise HTTPException(408, text, {"connection": "close"}) from None
        count += len(message.get("body", b""))
        more = message.get("more_body", False)
        if count > limits.bytes:
            raise HTTPException(413, _too_large(limits), {"connection": "close"})
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return sending
