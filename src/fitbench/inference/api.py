"""The schemas of the JSON API for OpenAPI: requests, responses and errors."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from fitbench.inference.prepare import Prepare


class PredictQuery(BaseModel):
    """The query parameters of /predict."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[list[str], Field(description="a run_id from /models; may be repeated; default: all models")] = []
    prepare: Annotated[
        Prepare | None,
        Field(
            description="auto: find the digit and turn it into an image like MNIST's. none: only resize a file; an "
            "array must have the model's shape. Default: auto for files if the model was trained on MNIST, otherwise "
            "none"
        ),
    ] = None
    seen: Annotated[bool, Field(description="also return the pixels that the model saw")] = False


class Prediction(BaseModel):
    """The prediction of one model for one image."""

    image: Annotated[str, Field(description="the name of the file; for an array, image or images[3]")]
    model: Annotated[str, Field(description="the run_id")]
    label: Annotated[str, Field(description="the most probable class")]
    probability: Annotated[float, Field(description="the probability of this class")]
    probabilities: Annotated[dict[str, float], Field(description="the probability of each class; their sum is 1")]
    seen: Annotated[
        list[list[Any]] | None, Field(description="rows of pixels, 0 to 255; a colour pixel is [red, green, blue]")
    ] = None


class Predictions(BaseModel):
    """One prediction per image and model, in the order of the images, then of the models."""

    predictions: list[Prediction]


class Model(BaseModel):
    """A served model."""

    model: Annotated[str, Field(description="the run_id")]
    name: Annotated[str, Field(description="the kind of model")]
    data: Annotated[str, Field(description="the data set that it was trained on")]
    classes: list[str]
    shape: Annotated[list[int], Field(description="height, width and channels of its images")]
    metric: Annotated[str, Field(description="the run's primary metric, such as accuracy")]
    test_value: Annotated[float | None, Field(description="the value of this metric on the run's test images")]
    parameters: int


class RequestLimits(BaseModel):
    """The limits of one request."""

    bytes: int = 10_000_000
    pixels: Annotated[int, Field(description="the sum over all images")] = 30_000_000
    images: int = 1000


class Models(BaseModel):
    """The served models."""

    models: list[Model]
    limits: RequestLimits
    version: Annotated[str, Field(description="the version of fitbench")]


class Health(BaseModel):
    """The state of the server."""

    status: str = "ok"
    models: int
    images: Annotated[int, Field(description="images that were classified since the start")]
    seconds: Annotated[float, Field(description="seconds since the start")]


class Problem(BaseModel):
    """The body of an error."""

    error: Annotated[str, Field(description="what is wrong, and what to do")]


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description}
    for status, description in {
        400: "malformed JSON or form",
        404: "no such model; the error lists the models",
        413: "the request exceeds the limits that /models gives",
        415: "unsupported content type",
        422: "an image cannot be read, an array is invalid, or a parameter is unknown",
    }.items()
} | {503: {"description": "too many connections; the body is plain text; try again later"}}
ROWS = {"type": "array", "items": {"type": "array", "items": {}}}
FILE = {"type": "string", "format": "binary"}
BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "additionalProperties": {"type": "array", "items": FILE}},
            "example": "curl -F image=@seven.png -F image=@two.jpg http://127.0.0.1:8000/predict",
        },
        "application/json": {
            "schema": {
                "oneOf": [
                    {"type": "object", "required": [key], "properties": {key: schema}}
                    for key, schema in {"image": ROWS, "images": {"type": "array", "items": ROWS}}.items()
                ]
            },
            "example": {"image": [[0, 0, 0, 84], [0, 0, 185, 159], [0, 38, 254, 109], [0, 57, 137, 39]]},
        },
        "image/*": {"schema": FILE, "example": "curl -H 'Content-Type: image/png' --data-binary @seven.png ..."},
    },
}
SEVEN = {
    "image": "seven.png",
    "model": "mnist-lenet5-adam-7ba5fe16-s0",
    "label": "7",
    "probability": 0.9999,
    "probabilities": {"0": 0.0, "1": 0.0001, "7": 0.9999},
}
PREDICT_RESPONSE = {"content": {"application/json": {"example": {"predictions": [SEVEN]}}}}
PREDICT = """Classify images: files of a form, one file as the whole body, or arrays of numbers as JSON.

A file is PNG, JPEG, BMP, TIFF, GIF or WebP, of any size within the limits. An array has rows of pixels from 0 (black)
to 255; a pixel of a colour image is [red, green, blue]. It must have the shape that /models gives and, for digits, be
light on dark. If one image of a request cannot be read, the whole request is refused.

The array in the example has only 4 x 4 pixels. A model of another shape accepts it only with ?prepare=auto."""
