"""What the JSON API speaks of, for OpenAPI: what is asked, what is answered, and what errors mean."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from fitbench.inference.prepare import Prepare


class Asked(BaseModel):
    """What can stand behind the address of /predict."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[list[str], Field(description="a run_id, as /models names it; may be repeated; default: all")] = []
    prepare: Annotated[
        Prepare | None,
        Field(
            description="auto: find the digit and make it look like MNIST's. none: only resize a file; an array must "
            "be of the model's shape. Default: for files auto where the model was trained on MNIST, else none; for "
            "arrays none"
        ),
    ] = None
    seen: Annotated[bool, Field(description="also answer with the pixels that the model saw")] = False


class Prediction(BaseModel):
    """What one model reads in one image."""

    image: Annotated[str, Field(description="the name of the file, or image, or images[3]")]
    model: Annotated[str, Field(description="the run_id")]
    label: Annotated[str, Field(description="the most probable class")]
    probability: Annotated[float, Field(description="of this class")]
    probabilities: Annotated[dict[str, float], Field(description="by class; their sum is 1")]
    seen: Annotated[
        list[list[Any]] | None, Field(description="rows of pixels, 0 to 255; of colour [red, green, blue]")
    ] = None


class Predictions(BaseModel):
    """One prediction per image and model: the images in their order, of each the models in theirs."""

    predictions: list[Prediction]


class Model(BaseModel):
    """A model that is served."""

    model: Annotated[str, Field(description="the run_id")]
    name: Annotated[str, Field(description="of the kind of model")]
    data: Annotated[str, Field(description="the data set that it was trained on")]
    classes: list[str]
    shape: Annotated[list[int], Field(description="height, width, channels of its images")]
    test_accuracy: float | None
    parameters: int


class LimitsOfARequest(BaseModel):
    """What one request may take at most."""

    bytes: int
    pixels: Annotated[int, Field(description="of all its images together")]
    images: int


class Models(BaseModel):
    """All that is served."""

    models: list[Model]
    limits: LimitsOfARequest
    version: Annotated[str, Field(description="of fitbench")]


class Health(BaseModel):
    """That the server works."""

    status: str = "ok"
    models: int
    images: Annotated[int, Field(description="read since the start")]
    seconds: Annotated[float, Field(description="since the start")]


class Problem(BaseModel):
    """What every error looks like."""

    error: Annotated[str, Field(description="what is wrong, and what to do")]


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description}
    for status, description in {
        400: "malformed JSON or form",
        404: "no such model; the error names those that there are",
        408: "the request did not arrive in time",
        413: "larger than the limits that /models tells",
        415: "a content type that is not read",
        422: "an image that cannot be read, pixels or rows that are none, or an unknown parameter",
        503: "too many requests at a time; Retry-After tells when to try again",
    }.items()
}
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
                    {"type": "object", "required": ["image"], "properties": {"image": ROWS}},
                    {
                        "type": "object",
                        "required": ["images"],
                        "properties": {"images": {"type": "array", "items": ROWS}},
                    },
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
PREDICTED = {"content": {"application/json": {"example": {"predictions": [SEVEN]}}}}
PREDICT = """Read images: files of a form, one file as the whole body, or arrays of numbers as JSON.

A file is PNG, JPEG, BMP, TIFF, GIF or WebP, of any size within the limits. An array has rows of pixels from 0 (black)
to 255, of colour images [red, green, blue] each, and is taken as it is: light digits on dark, in the shape that /models
tells. A request in which one image cannot be read is refused as a whole.

The array in the example is of 4 x 4 pixels, to be short: a model of another shape takes it only with ?prepare=auto."""
