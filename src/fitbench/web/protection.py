"""What protects the pages of a server: the host check, the policy, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

REFUSED = "Invalid host header; open the address that fitbench has printed"
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
        hosts: the allowed host names; '*' allows any. This protects against DNS rebinding, in which the page of another
            site points the name of that site at this computer.
        policy: the Content Security Policy.
        cache: the value of cache-control, such as 'no-store'.
    """
    headers = HEADERS | {"content-security-policy": policy, "cache-control": cache}

    async def add_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await answer(request)
        if response.status_code == 400 and response.headers.get("content-type", "").startswith("text/plain"):
            response = JSONResponse({"error": REFUSED}, 400)  # what the host check says; all other errors are JSON
        response.headers.update(headers)
        return response

    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    app.add_middleware(BaseHTTPMiddleware, dispatch=add_headers)
