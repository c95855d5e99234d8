"""The application of the live page: the page, what has changed, and the content of one study."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from fitbench.live.changes import Changes
from fitbench.report.report import page
from fitbench.text import clean
from fitbench.web.protection import COMMON, protect

Result = TypeVar("Result")


FRESH_SECONDS = 0.1  # for which a look at the runs counts as one of now, so that pages which ask together share it


class Scans:
    """Looks at the runs when somebody asks, and at most once in `least` seconds for all pages together."""

    def __init__(self, changes: Changes, least: float) -> None:
        self._changes = changes
        self._least = least
        self._began = float("-inf")
        self._lock = asyncio.Lock()

    async def newer(self) -> None:
        """Return when the runs have been looked at since the call, or just before."""
        old = time.monotonic() - min(FRESH_SECONDS, self._least)
        async with self._lock:
            if self._began > old:
                return
            await asyncio.sleep(self._began + self._least - time.monotonic())
            self._began = time.monotonic()
            await in_background(self._changes.scan)


def make_app(changes: Changes, interval: float, hosts: Sequence[str] = ("*",)) -> Starlette:
    """Create the application.

    Args:
        changes: the runs.
        interval: seconds between two questions of a page.
        hosts: the allowed host names; '*' allows any.
    """
    scans = Scans(changes, interval / 2)

    async def show(_: Request) -> Response:
        await scans.newer()
        return HTMLResponse(await in_background(lambda: page({**changes.page(), "live": {"interval": interval}})))

    async def changed(request: Request) -> Response:
        await scans.newer()
        since = request.query_params.get("since")
        return await in_background(lambda: _json(changes.since(since)))

    async def study(request: Request) -> Response:
        name = request.query_params.get("name", "")
        content = await in_background(changes.study, name)
        if content is None:
            raise HTTPException(404, f"no run of the study '{clean(name)[:80]}' has finished")
        return await in_background(_json, content)

    app = Starlette(routes=[Route("/", show), Route("/changes", changed), Route("/study", study)])
    protect(app, hosts, COMMON, cache="no-store")
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failure)
    return app


async def in_background(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in a thread that nobody waits for when the server ends."""
    loop = asyncio.get_running_loop()
    called: asyncio.Future[Result] = loop.create_future()

    def finish(result: Result | None, error: BaseException | None) -> None:
        if called.cancelled():
            return
        if error is not None:
            called.set_exception(error)
        else:
            called.set_result(result)  # type: ignore[arg-type]

    def call() -> None:
        try:
            result, error = function(*arguments), None
        except BaseException as problem:  # noqa: BLE001 - the caller gets it
            result, error = None, problem
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=call, daemon=True).start()
    return await called


def _json(content: Any, status: int = 200) -> Response:
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return Response(text, status, media_type="application/json")


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = error.detail
    if text == HTTPStatus(error.status_code).phrase:  # Starlette's default
        text = f"{text}: {request.method} {clean(request.url.path)[:80]}"
    response = _json({"error": text}, error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _failure(_: Request, error: Exception) -> Response:
    return _json({"error": "the server failed; see what it has printed"}, 500)
