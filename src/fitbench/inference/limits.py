"""Refuses requests before they reach the application: wrong host, too large, too many, too slow."""

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
    """The limits of requests.

    Attributes:
        bytes: bytes of a request's body, counted while it arrives.
        pixels: pixels of all images of a request, counted before a file is decoded.
        images: images of a request.
        requests: requests at a time. Others are refused with 503.
        read_seconds: time for receiving a request.
        answer_seconds: time for answering a request.
    """

    bytes: int = 10_000_000
    pixels: int = 30_000_000
    images: int = 1000
    requests: int = 256
    read_seconds: float = 10.0
    answer_seconds: float = 30.0


class Guard:
    """ASGI middleware that enforces the limits. Its errors are JSON, {"error": text}, like those of the application."""

    def __init__(self, app: ASGIApp, limits: Limits, hosts: Set[str] | None) -> None:
        """Wrap an application.

        Args:
            app: the application.
            limits: the limits of requests.
            hosts: the allowed host names; None allows any. This protects against DNS rebinding, in which the page of
                another site points the name of that site at this computer.
        """
        self.app = app
        self.limits = limits
        self.hosts = hosts
        self.active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or the lifespan of the application."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        send = _with_headers(send)
        if error := self._check(Headers(scope=scope)):
            return await error(scope, receive, send)
        self.active += 1
        try:
            await self.app(scope, _limited(receive, self.limits), send)
        finally:
            self.active -= 1

    def _check(self, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        if self.hosts is not None and _host_name(host) not in self.hosts:
            return _error(421, f"the host is {host!r:.80}; expected {' or '.join(sorted(self.hosts))}")
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
    """Wrap `receive` so that a body that is too large or too slow raises HTTPException 413 or 408."""
    deadline = asyncio.get_running_loop().time() + limits.read_seconds
    count = 0
    more = True

    async def limited() -> Message:
        nonlocal count, more
        if not more:  # the caller waits for the client to disconnect
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
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return send_with_headers
