"""The schemas of the JSON API: requests, responses and errors. FastAPI makes openapi.json of them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, computed_field

from fitbench.inference.prepare import Prepare

SHARED_BYTES = 64_000_000


class PredictQuery(BaseModel):
    """The query parameters of /predict."""

    model_config = ConfigDict(extra="forbid")

    model: list[str] = Field([], description="a run_id from /models; may be repeated; default: all models")
    prepare: Prepare | None = Field(
        None,
        description="for images. auto: find the digit and turn it into an image like MNIST's. none: only resize a "
        "file; an array must have the model's shape. Default: auto for files if the model was trained on MNIST, "
        "otherwise none",
    )
    seen: bool = Field(
        False, description="also return the pixels, or other numbers, that the model saw, 1,000,000 at most"
    )


Level = Annotated[int, Field(ge=0, le=255)]
Image = list[list[Level | list[Level]]]


class Arrays(BaseModel):
    """The body of /predict for images as JSON: one or several. An image has rows of pixels; a pixel may be a list."""

    model_config = ConfigDict(extra="forbid")

    image: Image | None = None
    images: Annotated[list[Image], Field(min_length=1)] | None = None


class Prediction(BaseModel):
    """The prediction of one model for one example. Which keys it has depends on the kind of example and on the task."""

    image: str | None = Field(None, description="for an image: the name of the file; for an array, image or images[3]")
    example: str | None = Field(
        None, description="for other examples: example or examples[3]; for a file of series, its name and the number"
    )
    model: str = Field(description="the run_id")
    label: str | None = Field(None, description="for classification: the most probable class")
    probability: float | None = Field(None, description="for classification: the probability of this class")
    labels: list[str] | None = Field(
        None, description="for several labels: those with a probability of at least the threshold that /models gives"
    )
    probabilities: dict[str, float] | None = Field(
        None, description="the probability of each class or label; the sum over classes is 1"
    )
    values: dict[str, float] | None = Field(None, description="for a regression: the value of each target")
    seen: list[Any] | None = Field(
        None,
        description="what the model saw: rows of pixels, 0 to 255, a colour pixel being [red, green, blue]; the "
        "numbers and codes of a row; or nested lists of numbers",
    )


class Predictions(BaseModel):
    """One prediction per example and model, in the order of the examples, then of the models."""

    predictions: list[Prediction]


class Column(BaseModel):
    """A column of the rows that a model takes."""

    name: str
    kind: str = Field(description="number or category")
    mean: float | None = Field(description="for a number: the mean of the training part")
    optional: bool = Field(description="whether null is accepted")
    choices: list[str] | None = Field(
        description="for a category: the values that training has seen; all others are alike to the model"
    )


class Model(BaseModel):
    """A served model."""

    model: str = Field(description="the run_id")
    name: str = Field(description="the kind of model")
    data: str = Field(description="the data set that it was trained on")
    task: str = Field(description="classification, regression or multilabel")
    outputs: list[str] = Field(description="the names of the classes, targets or labels")
    classes: list[str] | None = Field(description="for classification: the outputs")
    threshold: float | None = Field(description="for several labels: the probability from which on a label applies")
    shape: list[int] = Field(
        description="the shape of one example: height, width and channels of images; columns; or other sides"
    )
    columns: list[Column] = Field(description="for a table: the columns in their order")
    vocabulary: int | None = Field(description="for tokens: how many there are")
    metric: str = Field(description="the run's primary metric, such as accuracy")
    test_value: float | None = Field(description="the value of this metric on the run's test part")
    parameters: int


class RequestLimits(BaseModel):
    """The limits of one request, and of all large requests together."""

    bytes: int = 10_000_000
    pixels: int = Field(
        30_000_000,
        description="the sum over all images, as they are sent and as the models take them; for other "
        "examples, the sum over their numbers",
    )
    images: int = Field(1000, description="images, or other examples")

    @computed_field(  # type: ignore[prop-decorator]
        description="the limit of all requests of more than 100 kB together; further ones are refused with 503"
    )
    @property
    def shared_bytes(self) -> int:
        """The sum of the bytes of all large requests that the server handles at a time."""
        return max(SHARED_BYTES, self.bytes)


class Models(BaseModel):
    """The served models."""

    kind: str = Field(description="the kind of the examples: images, table, series, tokens or arrays")
    examples: str = Field(description="what the examples are called: images, rows, series, sequences or arrays")
    models: list[Model]
    limits: RequestLimits
    version: str = Field(description="the version of fitbench")


class Sample(BaseModel):
    """An example of the test part. The page shows an image at /samples/NUMBER, counted from 0."""

    truth: str | None = Field(description="its class; null where the task has no classes")
    example: Any = Field(description="as the body of /predict has it; null for an image")


class Samples(BaseModel):
    """Examples of the test part of a served run; none if its data are not on this machine."""

    samples: list[Sample]


class Health(BaseModel):
    """The state of the server."""

    status: str = "ok"
    models: int
    images: int = Field(description="images, or other examples, that were answered since the start")
    seconds: float = Field(description="seconds since the start")


class Problem(BaseModel):
    """The body of an error."""

    error: str = Field(description="what is wrong, and what to do")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "malformed JSON or form"},
    404: {"model": Problem, "description": "no such model; the error lists the models"},
    408: {"model": Problem, "description": "the body did not arrive within 30 seconds"},
    411: {"model": Problem, "description": "the request has no Content-Length"},
    413: {"model": Problem, "description": "the request exceeds the limits that /models gives"},
    415: {"model": Problem, "description": "unsupported content type"},
    422: {
        "model": Problem,
        "description": "an example cannot be read or does not fit the model, or a parameter is unknown",
    },
    503: {"model": Problem, "description": "too many connections or large requests at a time; try again in a second"},
}


def json_body(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    """`requestBody` of /predict for examples that come as JSON, each of this schema; `example` is one."""
    several = {"type": "array", "minItems": 1, "items": schema}
    whole = {"type": "object", "properties": {"example": schema, "examples": several}, "additionalProperties": False}
    return {"required": True, "content": {"application/json": {"schema": whole, "example": {"example": example}}}}


# FastAPI cannot derive the body, because it has one of three types.
IMAGES_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {"example": "curl -F image=@seven.png -F image=@two.jpg http://127.0.0.1:8000/predict"},
        "application/json": {
            "schema": Arrays.model_json_schema(),
            "example": {"image": [[0, 0, 0, 84], [0, 0, 185, 159], [0, 38, 254, 109], [0, 57, 137, 39]]},
        },
        "image/*": {"example": "curl -H 'Content-Type: image/png' --data-binary @seven.png ..."},
    },
}
