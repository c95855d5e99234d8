"""The application of `fitbench serve`: the page to try models on, and the JSON API that the page uses."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles

from fitbench import quantities
from fitbench.inference import api, bodies
from fitbench.inference.card import replaces_missing
from fitbench.inference.reader import Reader
from fitbench.inference.service import Service
from fitbench.metrics import join
from fitbench.record.dataset import Column
from fitbench.text import clean
from fitbench.version import __version__
from fitbench.web.protection import COMMON, protect

PAGE = Path(__file__).parent / "page"
SHARED = (  # of the description of /predict
    "\n\nA body must arrive within 30 seconds. Requests of more than 100 kB share the `shared_bytes` that /models "
    "gives; while they are taken, such a request is refused with 503, and can be sent again a second later."
)
POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; {COMMON}"
)


def make_app(service: Service, hosts: Sequence[str] = ("*",)) -> FastAPI:
    """Create the application.

    Args:
        service: the models.
        hosts: the allowed host names; '*' allows any.
    """
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # the client gets the error of a malformed form
    app = FastAPI(
        title="fitbench serve",
        version=__version__,
        description=f"Models of finished runs. They take {service.kind.plural}.",
        docs_url=None,
        redoc_url=None,
    )
    protect(app, hosts, POLICY, cache="no-cache")
    _add_api(app, service)
    _add_samples(app, service)
    _add_pages(app)
    _add_errors(app)
    return app


def _add_api(app: FastAPI, service: Service) -> None:
    served = service.served

    @app.post(
        "/predict", summary=f"Ask models about {service.kind.nouns}", description=served.description + SHARED,
        openapi_extra={"requestBody": served.body}, response_model=api.Predictions, responses=api.PROBLEMS,
    )  # fmt: skip
    async def predict(request: Request, query: Annotated[api.PredictQuery, Query()]) -> Response:
        models = service.choose(query.model)
        with service.budget.reserve(bodies.length(request, service.limits)):
            examples = await bodies.read(request, service.limits, served, models, service.workers)
            predictions = await asyncio.get_running_loop().run_in_executor(
                service.workers, service.predict, examples, models, query.prepare, query.seen
            )
        return Response(predictions, media_type="application/json")

    @app.get("/models", summary="The models")
    async def models() -> api.Models:
        """List the models, what they take, and the limits of a request."""
        return api.Models(
            kind=service.kind.name,
            examples=service.kind.nouns,
            models=[_describe(reader) for reader in service.readers.values()],
            limits=service.limits,
            version=__version__,
        )

    @app.get("/health", summary="The state of the server")
    async def health() -> api.Health:
        """Answer while the server works."""
        seconds = round(time.monotonic() - service.started, 1)
        return api.Health(models=len(service.readers), images=service.answered, seconds=seconds)


def _add_samples(app: FastAPI, service: Service) -> None:
    """Serve examples of the test part to the page: from memory, by number."""

    @app.get("/samples", include_in_schema=False)
    async def samples() -> api.Samples:
        found = await asyncio.to_thread(service.samples.find)
        return api.Samples(samples=[api.Sample(truth=sample.truth, example=sample.value) for sample in found])

    @app.get("/samples/{number}", include_in_schema=False)
    async def picture(number: int) -> Response:
        found = await asyncio.to_thread(service.samples.find)
        if not 0 <= number < len(found) or (png := found[number].png) is None:
            raise HTTPException(404, f"there is no picture {number} of the test part")
        return Response(png, media_type="image/png")


def _describe(reader: Reader) -> api.Model:
    result, primary = reader.result, reader.result["primary"]
    return api.Model(
        model=reader.run_id,
        name=str(result["config"]["model"].get("name", "model")),
        data=result["data"]["name"],
        task=reader.task.name,
        outputs=list(reader.names),
        classes=list(reader.names) if reader.task.has_classes else None,
        threshold=reader.threshold if reader.task.has_threshold else None,
        shape=list(reader.inputs.shape),
        columns=[_describe_column(column, replaces_missing(result)) for column in reader.inputs.columns],
        vocabulary=reader.inputs.vocabulary,
        metric=quantities.from_info(primary, result["metric_info"][primary]).label,
        test_value=result["metrics"].get(join("test", primary)),
        parameters=result["parameters"],
    )


def _describe_column(column: Column, replace_missing: bool) -> api.Column:
    is_category = column.kind == "category"
    return api.Column(
        name=column.name,
        kind=column.kind,
        mean=column.mean,
        optional=is_category or column.missing or replace_missing,
        choices=column.vocabulary if is_category else None,
    )


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def try_out() -> Response:
        return FileResponse(PAGE / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> Response:
        return FileResponse(PAGE / "docs.html")

    # base.css is shared with the report.
    app.mount("/page", StaticFiles(directory=PAGE, packages=[("fitbench.report", "page")]))


def _add_errors(app: FastAPI) -> None:
    """Answer errors with {"error": text}."""

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

    app.add_exception_handler(ClientDisconnect, _answer(400, "the client has disconnected"))
    app.add_exception_handler(Exception, _answer(500, "the server failed; see its log"))


def _answer(status: int, text: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": text}, status)

    return answer
