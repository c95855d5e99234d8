"""The application behind `fitbench serve`: the page to draw on, and the JSON API that it is a client of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Set
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib import resources
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from fitbench.inference import api, bodies
from fitbench.inference.limits import Guard
from fitbench.inference.reader import Reader
from fitbench.inference.service import Service
from fitbench.text import clean
from fitbench.version import __version__

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def make_app(service: Service, hosts: Set[str] | None = None) -> ASGIApp:
    """The application that serves these models; it closes the service when it ends.

    Args:
        service: the models.
        hosts: the names by which the server may be called; None: by any.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="fitbench serve",
        version=__version__,
        description="Models of finished runs that read images.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    limits = service.limits

    @app.post(
        "/predict", summary="Read images", description=api.PREDICT, openapi_extra={"requestBody": api.BODY},
        response_model=api.Predictions, responses={200: api.PREDICTED, **api.PROBLEMS},
    )  # fmt: skip
    async def predict(request: Request, asked: Annotated[api.Asked, Query()]) -> Response:
        models = service.chosen(asked.model)
        images = await bodies.read(request, limits)
        try:
            async with asyncio.timeout(limits.answer_seconds):
                predictions = await _while_there(request, service.predict(images, models, asked.prepare, asked.seen))
        except TimeoutError:
            text = f"there was no answer within {limits.answer_seconds:g} s; try again later"
            raise HTTPException(503, text, {"retry-after": "1"}) from None
        service.images += len(images)
        return Response(predictions, media_type="application/json")

    @app.head("/models", include_in_schema=False)
    @app.get("/models", summary="The models")
    async def models() -> api.Models:
        """Which models there are, what they take, and how much of it in one request."""
        return api.Models(
            models=[_model(name, reader) for name, reader in service.readers.items()],
            limits=api.LimitsOfARequest(bytes=limits.bytes, pixels=limits.pixels, images=limits.images),
            version=__version__,
        )

    @app.head("/health", include_in_schema=False)
    @app.get("/health", summary="Whether it works")
    async def health() -> api.Health:
        """Answers while the server does."""
        seconds = round(time.monotonic() - service.started, 1)
        return api.Health(models=len(service.readers), images=service.images, seconds=seconds)

    _add_pages(app)
    _add_errors(app)
    return Guard(app, limits, hosts)


async def _while_there(request: Request, answering: Coroutine[None, None, bytes]) -> bytes:
    """The answer to a request whose body has been read; it is cancelled where the client is gone before.

    Raises:
        ClientDisconnect: the client is gone.
    """
    answer = asyncio.ensure_future(answering)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((answer, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        answer.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _model(name: str, reader: Reader) -> api.Model:
    result = reader.result
    return api.Model(
        model=name,
        name=str(result["config"]["model"].get("name", "model")),
        data=result["data"]["name"],
        classes=list(reader.classes),
        shape=list(reader.shape),
        test_accuracy=result["metrics"].get("test_accuracy"),
        parameters=result["parameters"],
    )


def _add_pages(app: FastAPI) -> None:
    """The files of the page, read once: no name that is asked for reaches the file system."""
    files = {file.name: file.read_bytes() for file in (resources.files("fitbench.inference") / "page").iterdir()}
    files["base.css"] = (resources.files("fitbench.report") / "page" / "base.css").read_bytes()  # as of `report`

    def serve(path: str, name: str) -> None:
        content = files[name]
        kind = TYPES[name[name.rindex(".") :]]

        @app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
        async def page() -> Response:
            return Response(content, media_type=kind)

    serve("/", "index.html")
    serve("/docs", "docs.html")
    for name in files:
        serve(f"/page/{name}", name)


def _add_errors(app: FastAPI) -> None:
    """Every error is {"error": text}."""

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> Response:
        text = str(error.detail)
        if text == HTTPStatus(error.status_code).phrase:  # Starlette's own, which says no more
            text = f"{text}: {request.method} {clean(request.url.path)[:80]}; /docs describes what there is"
        return JSONResponse({"error": text}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        text = "there is no such parameter" if first["type"] == "extra_forbidden" else first["msg"]
        return JSONResponse({"error": f"{clean(first['loc'][-1])[:80]}: {text}; /docs describes what there is"}, 422)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, error: ClientDisconnect) -> Response:
        return JSONResponse({"error": "the client is gone"}, 400)  # which nobody reads

    @app.exception_handler(Exception)
    async def unknown(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": "the server has failed here; its log says why"}, 500)
