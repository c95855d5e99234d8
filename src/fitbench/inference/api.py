"""The schemas of the JSON API for OpenAPI: requests, responses and errors."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from fitbench.inference.prepare import Prepare


class PredictQuery(BaseModel):
    """The query parameters of /predict."""

    model_config = ConfigDict(extra="forbid")

    model: list[str] = Field([], description="a run_id from /models; may be repeated; default: all models")
    prepare: Prepare | None = Field(
        None,
        description="auto: find the digit and turn it into an image like MNIST's. none: only resize a file; an array "
        "must have the model's shape. Default: auto for files if the model was trained on MNIST, otherwise none",
    )
    seen: bool = Field(False, description="also return the pixels that the model saw")


class Prediction(BaseModel):
    """The prediction of one model for one image."""

    image: str = Field(description="the name of the file; for an array, image or images[3]")
    model: str = Field(description="the run_id")
    label: str = Field(description="the most probable class")
    probability: float = Field(description="the probability of this class")
    probabilities: dict[str, float] = Field(description="the probability of each class; their sum is 1")
    seen: list[list[Any]] | None = Field(
        None, description="rows of pixels, 0 to 255; a colour pixel is [red, green, blue]"
    )


class Predictions(BaseModel):
    """One prediction per image and model, in the order of the images, then of the models."""

    predictions: list[Prediction]


class Model(BaseModel):
    """A served model."""

    model: str = Field(description="the run_id")
    name: str = Field(description="the kind of model")
    data: str = Field(description="the data set that it was trained on")
    classes: list[str]
    shape: list[int] = Field(description="height, width and channels of its images")
    metric: str = Field(description="the run's primary metric, such as accuracy")
    test_value: float | None = Field(description="the value of this metric on the run's test images")
    parameters: int


class RequestLimits(BaseModel):
    """The limits of one request."""

    bytes: int = 10_000_000
    pixels: int = Field(30_000_000, description="the sum over all images")
    images: int = 1000


class Models(BaseModel):
    """The served models."""

    models: list[Model]
    limits: RequestLimits
    version: str = Field(description="the version of fitbench")


class Health(BaseModel):
    """The state of the server."""

    status: str = "ok"
    models: int
    images: int = Field(description="images that were classified since the start")
    seconds: float = Field(description="seconds since the start")


class Problem(BaseModel):
    """The body of an error."""

    error: str = Field(description="what is wrong, and what to do")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "malformed JSON or form"},
    404: {"model": Problem, "description": "no such model; the error lists the models"},
    413: {"model": Problem, "description": "the request exceeds the limits that /models gives"},
    415: {"model": Problem, "description": "unsupported content type"},
    422: {"model": Problem, "description": "an image cannot be read, an array is invalid, or a parameter is unknown"},
    503: {"description": "too many connections; the body is plain text"},
}
FILE = {"type": "string", "format": "binary"}
BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "additionalProperties": {"type": "array", "items": FILE}},
            "example": "curl -F image=@seven.png -F image=@two.jpg http://127.0.0.1:8000/predict",
        },
        "application/json": {
            "schema": {"type": "object", "properties": {"image": {"type": "array"}, "images": {"type": "array"}}},
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

A file is PNG, JPEG, BMP, TIFF, GIF or WebP, of any size within the limits. The JSON is {"image": array} or
{"images": [array, ...]}. An array has rows of pixels from 0 (black) to 255; a pixel of a colour image is
[red, green, blue]. It must have the shape that /models gives and, for digits, be light on dark. If one image of a
request cannot be read, the whole request is refused.

The array in the example has only 4 x 4 pixels. A model of another shape accepts it only with ?prepare=auto."""
