"""The application of `fitbench serve`: the page to draw on, and the JSON API that the page uses."""

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
    """Create the application. It closes the service when it ends.

    Args:
        service: the models.
        hosts: the allowed host names; None allows any.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="fitbench serve",
        version=__version__,
        description="Models of finished runs that classify images.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_api(app, service)
    _add_pages(app)
    _add_errors(app)
    return Guard(app, service.limits, hosts)


def _add_api(app: FastAPI, service: Service) -> None:
    limits = service.limits

    @app.post(
        "/predict", summary="Classify images", description=api.PREDICT, openapi_extra={"requestBody": api.BODY},
        response_model=api.Predictions, responses={200: api.PREDICT_RESPONSE, **api.PROBLEMS},
    )  # fmt: skip
    async def predict(request: Request, query: Annotated[api.PredictQuery, Query()]) -> Response:
        models = service.choose(query.model)
        images = await bodies.read(request, limits)
        try:
            async with asyncio.timeout(limits.answer_seconds):
                predictions = await _while_connected(
                    request, service.predict(images, models, query.prepare, query.seen)
                )
        except TimeoutError:
            text = f"there was no answer within {limits.answer_seconds:g} s; try again later"
            raise HTTPException(503, text, {"retry-after": "1"}) from None
        service.images += len(images)
        return Response(predictions, media_type="application/json")

    @app.head("/models", include_in_schema=False)
    @app.get("/models", summary="The models")
    async def models() -> api.Models:
        """List the models, the shapes of their images, and the limits of a request."""
        return api.Models(
            models=[_model(name, reader) for name, reader in service.readers.items()],
            limits=api.RequestLimits(bytes=limits.bytes, pixels=limits.pixels, images=limits.images),
            version=__version__,
        )

    @app.head("/health", include_in_schema=False)
    @app.get("/health", summary="The state of the server")
    async def health() -> api.Health:
        """Answer while the server works."""
        seconds = round(time.monotonic() - service.started, 1)
        return api.Health(models=len(service.readers), images=service.images, seconds=seconds)


async def _while_connected(request: Request, answer: Coroutine[None, None, bytes]) -> bytes:
    """Await the answer to a request whose body has been read. Cancel it if the client disconnects.

    Raises:
        ClientDisconnect: the client has disconnected.
    """
    answering = asyncio.ensure_future(answer)
    disconnecting = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((answering, disconnecting), return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise ClientDisconnect
        return answering.result()
    finally:
        answering.cancel()
        disconnecting.cancel()


async def _disconnected(request: Request) -> None:
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
    """Serve the files of the page from memory, so that no requested name reaches the file system."""
    files = {file.name: file.read_bytes() for file in (resources.files("fitbench.inference") / "page").iterdir()}
    files["base.css"] = (
        resources.files("fitbench.report") / "page" / "base.css"
    ).read_bytes()  # shared with the report

    def serve(path: str, name: str) -> None:
        content = files[name]
        media_type = TYPES[name[name.rindex(".") :]]

        @app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
        async def page() -> Response:
            return Response(content, media_type=media_type)

    serve("/", "index.html")
    serve("/docs", "docs.html")
    for name in files:
        serve(f"/page/{name}", name)


def _add_errors(app: FastAPI) -> None:
    """Answer every error with {"error": text}."""

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        text = str(error.detail)
        if text == HTTPStatus(error.status_code).phrase:  # Starlette's default
            text = f"{text}: {request.method} {clean(request.url.path)[:80]}; /docs describes the API"
        return JSONResponse({"error": text}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid_query(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        text = "there is no such parameter" if first["type"] == "extra_forbidden" else first["msg"]
        return JSONResponse({"error": f"{clean(first['loc'][-1])[:80]}: {text}; /docs describes the API"}, 422)

    @app.exception_handler(ClientDisconnect)
    async def disconnected(_: Request, error: ClientDisconnect) -> Response:
        return JSONResponse({"error": "the client has disconnected"}, 400)  # nobody reads it

    @app.exception_handler(Exception)
    async def unexpected_error(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": "the server failed; see its log"}, 500)
