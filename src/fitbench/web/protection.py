"""What protects the pages of a server: the host check, the policy, and the headers of every answer."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fitbench.web.server import ANY_ADDRESS

HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")
REFUSED = (
    "Invalid host header; open the address that fitbench has printed. A server for other computers also answers to its "
    "IP addresses, to the name of its computer, and to the name that --host gives"
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


# What every page forbids itself: other addresses of its links and forms, frames, and ways from a text to markup.
COMMON = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"


def protect(app: Starlette, hosts: Sequence[str], policy: str, cache: str) -> None:
    """Check the host of every request, and add the headers to every answer.

    Args:
        app: the application.
        hosts: the allowed host names in small letters; '*' allows any, and `ANY_ADDRESS` each IP address. This
            protects against DNS rebinding, in which the page of another site points the name of that site at this
            computer.
        policy: the Content Security Policy.
        cache: the value of cache-control, such as 'no-store'.
    """
    headers = HEADERS | {"content-security-policy": policy, "cache-control": cache}

    async def add_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        is_allowed = _is_allowed(request.headers.get("host", ""), hosts)
        response = await answer(request) if is_allowed else JSONResponse({"error": REFUSED}, 400)
        response.headers.update(headers)
        return response

    app.add_middleware(BaseHTTPMiddleware, dispatch=add_headers)


def _is_allowed(header: str, hosts: Sequence[str]) -> bool:
    """Whether a request may have this host header."""
    if "*" in hosts:
        return True
    match = HOST.fullmatch(header.lower())
    return match is not None and (match[1] in hosts or (ANY_ADDRESS in hosts and _is_address(match[1])))


def _is_address(host: str) -> bool:
    """Whether a host is an IP address, which DNS cannot point elsewhere."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
