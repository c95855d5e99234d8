"""The configuration's schema: types, ranges and cross-checks.

YAML holds the values and their defaults (conf/). `reading.from_hydra` makes a `Config` of what Hydra composed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from annotated_types import Ge, Gt, Le, Len, Lt
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    Strict,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from fitbench import metrics, selection, user_metrics
from fitbench.config.annotations import (
    NUMBER,
    NUMBER_NOT_TEXT,
    WHOLE_NUMBER,
    Allowed,
    Cores,
    Count,
    CountFrom0,
    Fraction,
    Interval,
    NonNegative,
    Positive,
)
from fitbench.errors import RequestError
from fitbench.kinds import ARRAYS, IMAGES, KINDS, SERIES, TABLE, TOKENS
from fitbench.metrics import Metric
from fitbench.tasks import TASKS, Task, task_of

AUTO = "auto"  # of `task` and `training.loss`: the targets decide
NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*")
A_NAME = Allowed("a name of letters, digits and . _ + - (it becomes part of a folder's name)")
Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$"), A_NAME]
NameFromPath = Annotated[Name, WithJsonSchema({"type": ["string", "null"]})]  # null in a file: the path gives it
DOTTED = r"^[^\W\d]\w*(\.[^\W\d]\w*)+$"
Dotted = Annotated[str, StringConstraints(pattern=DOTTED, max_length=500)]
UpTo1 = Annotated[float, Ge(0), Le(1), NUMBER]


class Section(BaseModel):
    """A section of the configuration. Every key is required and no other is allowed."""

    model_config = ConfigDict(
        extra="forbid",
        coerce_numbers_to_str=True,
        allow_inf_nan=False,
        ser_json_inf_nan="constants",
        defer_build=True,  # commands that compose nothing start sooner
    )


class SectionOf:
    """Metadata of a field: a dictionary that is checked by a model of pydantic's and stays a dictionary.

    Sections with a free choice of `_target_` are dictionaries, because their other keys depend on the target. Numbers
    stay as they were written, 1 or 1.0.
    """

    def __init__(self, schema: Any) -> None:
        self.schema = schema

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's way to ask for the schema of an annotated type."""

        def check(value: Any, validate: Any) -> dict[str, Any]:
            checked = validate(value).model_dump(mode="json", by_alias=True, exclude_unset=True)
            as_written = {key for key, item in value.items() if item == checked[key] and not isinstance(item, dict)}
            return {str(key): item if key in as_written else checked[key] for key, item in value.items()}

        return core_schema.no_info_wrap_validator_function(
            check,
            handler.generate_schema(self.schema),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )


# -- data -------------------------------------------------------------------------------------------------------------


class Source(StrEnum):
    """Where a data set comes from."""

    mnist_5k = "mnist_5k"
    mnist = "mnist"
    fashion_mnist = "fashion_mnist"
    digits = "digits"
    npz = "npz"
    idx = "idx"
    image_folder = "image_folder"
    csv = "csv"
    sklearn = "sklearn"
    boston_housing = "boston_housing"
    auto_mpg = "auto_mpg"
    signals = "signals"
    ucr = "ucr"
    function = "function"


class Preprocess(StrEnum):
    """What is done to every image before the model, in training and in use."""

    deskew = "deskew"


class Data(Section):
    """A data set.

    `kind` says what its examples are, as a name in `kinds.KINDS`; None where that is known only after they are read.
    `task_is_fixed` says whether it is of one task, which the key `task` cannot change.
    """

    kind: ClassVar[str | None] = IMAGES
    task_is_fixed: ClassVar[bool] = False

    name: Name = Field(description="the name of the data set, which is a part of run_id")
    source: Source = Field(description="where the data come from")
    preprocess: Preprocess | None = Field(
        description="deskew: the model first shears every image upright; null: nothing"
    )

    @property
    def task(self) -> str | None:
        """The task that the data set is known to be of before it is read, unless the key `task` names another."""
        return metrics.CLASSIFICATION if self.kind == IMAGES else None


class NamedData(Data):
    """A data set that fitbench knows by name."""

    task_is_fixed: ClassVar[bool] = True

    source: Literal[Source.mnist_5k, Source.mnist, Source.fashion_mnist, Source.digits]


def _not_empty(path: str) -> str:
    if not path:
        raise ValueError
    return path


PathText = Annotated[
    str, AfterValidator(_not_empty)
]  # pydantic's own check of the length refuses paths that are not UTF-8


def expanded(path: str) -> str:
    """A path with the user's folder in place of ~ at its beginning.

    Raises:
        RequestError: the user has none.
    """
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError as error:
        raise RequestError(f"{path}: the home folder is not known; write the whole path") from error


def _absolute(path: str) -> str:
    return str(Path(expanded(path)).absolute())  # the record must hold from every folder


class FileData(Data):
    """A data set in files of the user's. Its name is taken from its path if it has none."""

    name: NameFromPath = Field(description="the name of the data set, which is a part of run_id; null: after the path")
    source: Literal[Source.npz, Source.idx, Source.image_folder, Source.csv, Source.signals]
    path: Annotated[PathText, Strict(), AfterValidator(_absolute), Allowed("the path of a file or folder")] = Field(
        description="an .npz file, a folder of .npy or IDX files or of image files, a table, or a file of series"
    )
    max_value: Annotated[float, Gt(0), NUMBER, Allowed("a number above 0")] | None = Field(
        None, description="the value of white in the files; null: 255, or 65535 in image files of 16 bits"
    )

    @property
    def paths(self) -> tuple[str, ...]:
        """The files or folders that the data are read from."""
        return (self.path,)

    @model_validator(mode="before")
    @classmethod
    def _name_after_path(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("name") is not None:
            return values
        path = values.get("path")
        if not isinstance(path, str) or not path:
            return {**values, "name": "unnamed"}  # the path itself is refused
        file = Path(_absolute(path))
        is_file = values.get("source") in (Source.csv, Source.signals) or (
            values.get("source") == Source.npz and not os.path.isdir(file)  # noqa: PTH112 - never raises
        )
        name = file.stem if is_file else file.name
        if not NAME.fullmatch(name):
            usable = re.sub(r"[^A-Za-z0-9_.+-]+", "_", name).lstrip(".")
            raise ValueError(
                f"data.path is {path!r}, whose name cannot be part of a folder's name; give the data another of "
                f"letters, digits and . _ + -, such as data.name={usable or 'mine'}"
            )
        return {**values, "name": name}


class IdxFolder(FileData):
    """A folder of four IDX files."""

    source: Literal[Source.idx]


class Standardization(StrEnum):
    """How series are standardised in the first layer of the model."""

    series = "series"
    channel = "channel"


Standardize = Annotated[
    Standardization | None,
    Field(
        description="series: each channel of each series to mean 0 and deviation 1, by its own values; channel: each "
        "channel by the mean and deviation of the training part; null: not at all"
    ),
]


class ArrayData(Data):
    """Examples whose kind their arrays decide, unless a key says it."""

    inputs: Literal["images", "series", "tokens", "arrays"] | None = Field(
        None,
        description="what the examples are: images, series [N, steps, channels], tokens [N, steps] of whole numbers "
        "from 0, or other arrays; null: their type, shape and values decide",
    )
    standardize: Standardize = None
    vocabulary: Count | None = Field(
        None, description="of tokens: how many there are; null: one more than the largest of the training part"
    )
    max_value: Annotated[float, Gt(0), NUMBER, Allowed("a number above 0")] | None = Field(
        None, description="of images: the value of white in the arrays; null: 255"
    )

    @property
    def kind(self) -> str | None:  # type: ignore[override]
        """What the examples are: as `inputs` says, or images if white is given, or tokens if their number is given."""
        if self.inputs is None:
            return IMAGES if self.max_value is not None else TOKENS if self.vocabulary is not None else None
        return self.inputs

    @model_validator(mode="after")
    def _check_keys_of_kinds(self) -> Self:
        for key, kind in (("max_value", IMAGES), ("vocabulary", TOKENS)):
            value = getattr(self, key)
            if value is not None and self.kind != kind:
                other = f"inputs is {self.inputs}" if self.inputs else "max_value, which is for images, is given too"
                raise ValueError(f"data.{key}={value:g} is for {KINDS[kind].plural}, but data.{other}; leave one out")
        return self


class ArrayFiles(FileData, ArrayData):
    """An .npz file, or a folder of .npy files."""

    source: Literal[Source.npz]


class OwnData(ArrayData):
    """What a function of the user's returns. Further keys are arguments of the function."""

    model_config = ConfigDict(extra="allow", serialize_by_alias=True)

    target: Annotated[Dotted, Allowed("the dotted name of a function")] = Field(
        alias="_target_",
        description="a function that returns (x_train, y_train), (x_test, y_test), or a mapping of arrays with the "
        "names of an .npz file",
    )
    name: NameFromPath = Field(description="the name of the data set, which is a part of run_id; null: the function's")
    source: Literal[Source.function] = Field(
        description="where the data come from; a section with a _target_ needs none"
    )
    preprocess: Preprocess | None = Field(
        None, description="deskew: the model first shears every image upright; null: nothing"
    )

    @model_validator(mode="before")
    @classmethod
    def _name_after_function(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("name") is None and isinstance(values.get("_target_"), str):
            return {**values, "name": re.sub(r"[^A-Za-z0-9_.+-]+", "_", values["_target_"])}
        return values

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of the function."""
        return dict(self.model_extra or {})

    @classmethod
    def own_keys(cls) -> tuple[str, ...]:
        """The keys of the section that are no arguments of the function."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())


Side = Annotated[int, Ge(1), Le(4096), WHOLE_NUMBER]


class ImageFolder(FileData):
    """Folders of image files, one folder per class."""

    task_is_fixed: ClassVar[bool] = True

    source: Literal[Source.image_folder]
    image_size: Annotated[list[Side], Len(2, 2), Allowed("[height, width], each from 1 to 4096 pixels")] = Field(
        description="[height, width] that every image is resized to, in pixels"
    )
    color: bool = Field(description="true: red, green and blue; false: grey")
    test_fraction: Annotated[float, Gt(0), Lt(1), NUMBER] | None = Field(
        description="the fraction of the images of each class that becomes the test part; null: there are the folders "
        "train/ and test/"
    )
    skip_bad: bool = Field(description="true: leave out images that cannot be read; false: refuse the data set")


# -- tables -----------------------------------------------------------------------------------------------------------

TestFraction = Annotated[float, Gt(0), Lt(1), NUMBER, Allowed("a number above 0 and below 1")]
SplitSeed = Annotated[int, Ge(0), Lt(2**32), WHOLE_NUMBER, Allowed("a whole number from 0 to 4294967295")]
ColumnName = Annotated[str, StringConstraints(min_length=1), Allowed("the name of a column")]
ListOfNames = Annotated[list[ColumnName], Len(1), Allowed("a list of names of columns")]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int | float) and not isinstance(value, bool) else value


ColumnNames = Annotated[
    ListOfNames,
    BeforeValidator(_as_list, json_schema_input_type=ColumnName | ListOfNames),
    Allowed("the name of a column, or a list of names of columns"),
]


class Missing(StrEnum):
    """What is done about numbers that are missing."""

    mean = "mean"


def _one_name(names: str | list[str]) -> str | list[str]:
    return names[0] if isinstance(names, list) and len(names) == 1 else names  # both are the same setting


class Table(Data):
    """A data set whose examples are the rows of a table."""

    kind: ClassVar[str | None] = TABLE

    preprocess: None = Field(None, exclude=True, description="for images only")


KNOWN_TASKS = {
    "breast_cancer": metrics.CLASSIFICATION,
    "wine": metrics.CLASSIFICATION,
    "iris": metrics.CLASSIFICATION,
    "diabetes": metrics.REGRESSION,
    "boston_housing": metrics.REGRESSION,
    "auto_mpg": metrics.REGRESSION,
}


class PackagedTable(Table):
    """A table that comes with a package."""

    @property
    def table(self) -> str:
        """Which table it is."""
        return self.source.value

    @property
    def task(self) -> str:
        """Known by the table."""
        return KNOWN_TASKS[self.table]


class DividedTable(PackagedTable):
    """A known table whose test part is drawn from its rows."""

    test_fraction: TestFraction = Field(description="the fraction of the rows that becomes the test part")
    split_seed: SplitSeed = Field(description="decides which rows become the test part; it is not the run's seed")


class SklearnTable(DividedTable):
    """A table that comes with scikit-learn."""

    name: Literal["breast_cancer", "diabetes", "wine", "iris"] = Field(
        description="the name of the data set in scikit-learn, which is a part of run_id"
    )
    source: Literal[Source.sklearn]

    @property
    def table(self) -> str:
        """Its name."""
        return self.name


class BostonHousing(PackagedTable):
    """The Boston housing prices, divided into a training and a test part as Keras does it."""

    source: Literal[Source.boston_housing]


class AutoMpg(DividedTable):
    """Fuel consumption of cars."""

    source: Literal[Source.auto_mpg]


class TableFile(FileData, Table):
    """A table in a CSV, TSV or Parquet file of the user's."""

    source: Literal[Source.csv]
    preprocess: None = Field(default=None, exclude=True, description="for images only")
    max_value: None = Field(default=None, exclude=True, description="for images only")
    target: Annotated[ColumnName | ListOfNames, AfterValidator(_one_name)] = Field(
        description="the column to predict, or a list of columns"
    )
    features: ColumnNames | None = Field(
        description="the columns that the model takes; null: all that are not named by another key"
    )
    drop: ColumnNames | None = Field(description="columns that are not read; null: none")
    categorical: ColumnNames | None = Field(
        description="columns of numbers that are names of categories, or of classes if they are targets; null: none. "
        "Texts and booleans always are"
    )
    missing: Missing | None = Field(
        description="mean: a missing number is replaced by the mean of the training part, beside an indicator; null: "
        "missing values are refused"
    )
    weight: ColumnName | None = Field(
        description="the column with the weight of each row in the loss; null: all weigh 1"
    )
    group: ColumnName | None = Field(
        description="a column; the rows of one value of it never spread over two parts of the data; null: none"
    )
    test_path: Annotated[PathText, AfterValidator(_absolute), Allowed("the path of a file")] | None = Field(
        description="a file with the rows of the test part; null: they are drawn from the rows of `path`"
    )
    test_fraction: TestFraction | None = Field(
        description="the fraction of the rows, of each class the same, that becomes the test part; not used with "
        "test_path"
    )
    split_seed: SplitSeed = Field(description="decides which rows become the test part; it is not the run's seed")

    @property
    def paths(self) -> tuple[str, ...]:
        """The file of the rows, and that of the test part if it has one of its own."""
        return (self.path,) if self.test_path is None else (self.path, self.test_path)


# -- series -----------------------------------------------------------------------------------------------------------


class Lengths(StrEnum):
    """How series of different lengths come to the length of the longest one of the training part."""

    linear = "linear"
    cubic = "cubic"


class Series(Data):
    """A data set whose examples are series of one or several channels."""

    kind: ClassVar[str | None] = SERIES

    preprocess: None = Field(None, exclude=True, description="for images only")
    standardize: Standardize
    lengths: Lengths | None = Field(
        description="linear or cubic: series of different lengths are interpolated to the length of the longest of the "
        "training part; null: they are refused"
    )


TEST_WORDS = {"TRAIN": "TEST", "Train": "Test", "train": "test"}
TRAINING_FILE = re.compile(r"TRAIN|(?<![A-Za-z])[Tt]rain(?![A-Za-z])")  # the last two as words: not in 'strain.tsv'


class SeriesFiles(FileData, Series):
    """Files of the UCR and UEA archives: .ts, .tsv or .txt."""

    source: Literal[Source.signals]
    preprocess: None = Field(default=None, exclude=True, description="for images only")
    max_value: None = Field(default=None, exclude=True, description="for images only")
    test_path: Annotated[PathText, AfterValidator(_absolute), Allowed("the path of a file")] | None = Field(
        description="a file with the series of the test part; null: the file beside `path` that has TEST in its name "
        "where that has TRAIN; if its name has no TRAIN, the test part is drawn"
    )
    test_fraction: TestFraction = Field(
        description="the fraction of the series, of each class the same, that becomes the test part where it is drawn"
    )
    split_seed: SplitSeed = Field(
        description="decides which series become a drawn test part, and the order of the training series; it is not "
        "the run's seed"
    )

    @property
    def paths(self) -> tuple[str, ...]:
        """The file of the series, and that of the test part if it has one of its own."""
        return (self.path,) if self.test_path is None else (self.path, self.test_path)

    @model_validator(mode="before")
    @classmethod
    def _after_training_file(cls, values: Any) -> Any:
        """Take the test part, which is recorded, and the name from a file with TRAIN in its name."""
        path = values.get("path") if isinstance(values, Mapping) else None
        file = Path(path) if isinstance(path, str) else Path()
        if not (words := list(TRAINING_FILE.finditer(file.name))):
            return values
        before, word, after = file.name[: words[-1].start()], words[-1][0], file.name[words[-1].end() :]
        beside = str(file.with_name(f"{before}{TEST_WORDS[word]}{after}"))
        set_name = before.rstrip("_-. ") if after == file.suffix else ""
        defaults = {"test_path": beside, "name": set_name if NAME.fullmatch(set_name) else None}
        return {**values, **{key: value for key, value in defaults.items() if values.get(key) is None}}


class UcrSeries(Series):
    """A data set of the UCR and UEA archives by its name."""

    source: Literal[Source.ucr]


AnyData = Annotated[
    NamedData
    | ArrayFiles
    | IdxFolder
    | ImageFolder
    | TableFile
    | SklearnTable
    | BostonHousing
    | AutoMpg
    | SeriesFiles
    | UcrSeries
    | OwnData,
    Field(discriminator="source"),
]


class DataSection(Section):
    """The section `data` alone, for what only reads a data set."""

    data: AnyData


# -- distortion -------------------------------------------------------------------------------------------------------


class NoDistortion(Section):
    """Training images as they are."""

    kind: Literal["none"]


class Affine(Section):
    """A random rotation (degrees), translation and zoom (fractions), each at most, either way."""

    kind: Literal["affine"]
    rotation: Annotated[float, Ge(0), Le(180), NUMBER, Allowed("a number from 0 to 180 degrees")] = Field(
        description="the largest angle in degrees, in both directions"
    )
    translation: Fraction = Field(description="the largest fraction of the height and the width, in both directions")
    zoom: Fraction = Field(description="the largest fraction, in and out")


class LeCun(Section):
    """A random shift, scale, skew and compression (fractions), each at most, either way."""

    kind: Literal["lecun"]
    shift: Fraction = Field(description="the largest fraction of the height and the width, in both directions")
    scale: Fraction = Field(description="the largest fraction, larger and smaller")
    skew: NonNegative = Field(description="the largest horizontal shear in columns per row, in both directions")
    compression: Fraction = Field(
        description="the largest c, where the width is multiplied and the height divided by 1 + c, or the reverse"
    )


class Elastic(Section):
    """Displacements of each pixel, `alpha` times uniform noise smoothed by a Gaussian of `sigma` pixels."""

    kind: Literal["elastic"]
    sigma: Annotated[float, Gt(0), Le(1000), NUMBER, Allowed("a number above 0 and at most 1000 pixels")] = Field(
        description="the standard deviation in pixels of the Gaussian that smooths the displacements"
    )
    alpha: NonNegative = Field(description="the factor of the smoothed noise")


Distortion = Annotated[NoDistortion | Affine | LeCun | Elastic, Field(discriminator="kind")]

# -- model and optimizer ----------------------------------------------------------------------------------------------


class Model(Section):
    """A model builder and its settings, which `builders` checks against the builder's signature."""

    model_config = ConfigDict(extra="allow")

    target: Annotated[Dotted, Allowed("the dotted name of a function")] = Field(
        alias="_target_", description="the builder, a function that returns the model"
    )
    name: Name = Field(description="the name of the model, which is a part of run_id")
    solver: Annotated[Dotted, Allowed("the dotted name of a function")] | None = Field(
        None, description="a function that computes the weights, so that nothing is trained; null: there is none"
    )


class Constant(Section):
    """The learning rate stays as it is."""

    kind: Literal["constant"]


class Cosine(Section):
    """A linear warm-up from 0, then half a cosine down to `final_fraction` of the learning rate."""

    kind: Literal["cosine"]
    warmup_epochs: NonNegative = Field(description="epochs of the rise from 0; fewer than training.epochs")
    final_fraction: UpTo1 = Field(description="the learning rate at the end, as a fraction of the learning rate")


class Step(Section):
    """The learning rate is multiplied by `factor` after every `every_epochs`."""

    kind: Literal["step"]
    every_epochs: Positive = Field(description="epochs between two steps")
    factor: Annotated[float, Gt(0), Le(1), NUMBER] = Field(description="what each step multiplies the learning rate by")


Schedule = Annotated[Constant | Cosine | Step, Field(discriminator="kind")]

# These settings go to Keras as they are; text in their place is a mistake.
OptimizerFraction = Annotated[float, Ge(0), Lt(1), NUMBER_NOT_TEXT]
OptimizerPositive = Annotated[float, Gt(0), NUMBER_NOT_TEXT]
OptimizerNonNegative = Annotated[float, Ge(0), NUMBER_NOT_TEXT]
ABSENT: Any = None  # the default of keys that need not be there


class Optimizer(Section):
    """An optimizer of Keras's or the user's, with the ranges of the settings that Keras's have in common."""

    model_config = ConfigDict(extra="allow")

    target: Annotated[Dotted, Allowed("the dotted name of an optimizer")] = Field(
        alias="_target_", description="the class of the optimizer"
    )
    name: Annotated[Name, Strict()] = Field(description="the name of the optimizer, which is a part of run_id")
    learning_rate: OptimizerPositive = Field(description="the learning rate, which the schedule multiplies")
    momentum: OptimizerFraction = Field(ABSENT, description="the fraction of the last step that the next one repeats")
    beta_1: OptimizerFraction = Field(ABSENT, description="the decay of the running mean of gradients")
    beta_2: OptimizerFraction = Field(ABSENT, description="the decay of the running mean of squared gradients")
    rho: OptimizerFraction = Field(ABSENT, description="the decay of the running mean of squared gradients")
    epsilon: OptimizerPositive | None = Field(ABSENT, description="what is added to a divisor to keep it above 0")
    clipnorm: OptimizerPositive | None = Field(
        ABSENT, description="the largest norm of the gradient of each weight array"
    )
    clipvalue: OptimizerPositive | None = Field(ABSENT, description="the largest absolute value in a gradient")
    global_clipnorm: OptimizerPositive | None = Field(ABSENT, description="the largest norm of all gradients together")
    weight_decay: OptimizerNonNegative | None = Field(
        ABSENT, description="each step also subtracts weight_decay * learning_rate * weight from every weight and bias"
    )
    initial_accumulator_value: OptimizerNonNegative | None = Field(
        ABSENT, description="where the sums of squared gradients begin"
    )
    use_ema: Any = Field(ABSENT, description="it cannot be used: no metric would be that of the averaged weights")
    schedule: Schedule

    @model_validator(mode="after")
    def _refuse_averaged_weights(self) -> Optimizer:
        if self.use_ema:
            raise ValueError(
                "optimizer.use_ema puts averaged weights in place after the last validation, so that no metric would "
                "be theirs; it cannot be used here"
            )
        return self


# -- training ---------------------------------------------------------------------------------------------------------


class EarlyStopping(Section):
    """As `keras.callbacks.EarlyStopping`; the direction is that of the monitored metric."""

    monitor: str = Field(
        description="loss, accuracy, or val_ and any metric, as in history.jsonl; its direction decides what is better"
    )
    patience: CountFrom0 = Field(description="epochs without an improvement before training stops")
    min_delta: NonNegative = Field(description="the smallest change that counts as an improvement")
    restore_best_weights: bool = Field(description="true: the model is that of the best epoch; false: of the last")


class Validation(StrEnum):
    """Which training examples are held back for validation."""

    last = "last"
    stratified = "stratified"
    random = "random"


class Loss(StrEnum):
    """What training makes small."""

    auto = AUTO
    cross_entropy = "cross_entropy"
    mean_squared_error = "mean_squared_error"
    binary_cross_entropy = "binary_cross_entropy"
    mse = "mse"
    mae = "mae"
    huber = "huber"


class DtypePolicy(StrEnum):
    """Keras's names for the precision that layers compute in."""

    float32 = "float32"
    mixed_float16 = "mixed_float16"
    mixed_bfloat16 = "mixed_bfloat16"


def _with_target(callback: dict[str, Any]) -> dict[str, Any]:
    target = callback.get("_target_")
    if not isinstance(target, str) or not re.fullmatch(DOTTED, target):
        raise ValueError("no _target_")
    return callback


Callback = Annotated[
    dict[str, Any],
    AfterValidator(_with_target),
    Allowed("a section with a _target_, the dotted name of a Keras callback"),
]


OwnLoss = Annotated[
    dict[str, Any], AfterValidator(_with_target), Allowed("a section with a _target_, the dotted name of a loss")
]
ClassWeights = Annotated[
    dict[str, Annotated[float, Ge(0), NUMBER]],
    Len(1),
    Allowed("a weight for each class by its name"),
]


class Training(Section):
    """How a model is fitted."""

    epochs: CountFrom0 = Field(description="the largest number of epochs; 0 only for a model with a solver")
    batch_size: Count | None = Field(description="examples per batch; null: the whole training set in one batch")
    validation_split: Fraction = Field(
        description="the fraction of the training examples that is held back for validation; 0: none"
    )
    validation: Validation = Field(
        description="which examples are held back: the last, as in Keras; stratified: the same fraction of each class, "
        "drawn by the seed; random: drawn by the seed"
    )
    early_stopping: EarlyStopping | None = Field(description="when training stops early; null: it trains all epochs")
    loss: Loss | OwnLoss = Field(
        description="what training makes small; auto: the first of the task. Of classes the cross_entropy of the "
        "logits, the mean_squared_error of the outputs and `targets`, or a binary_cross_entropy for each class; of "
        "values mse, mae or huber; of several labels binary_cross_entropy; or a section with a _target_, any loss of "
        "Keras's or a function of your own"
    )
    class_weight: Literal["balanced"] | ClassWeights | None = Field(
        description="the weight of the examples of each class in the training loss: balanced: inversely "
        "proportional to the number of its examples; or a section of weights by the names of the classes; null: all "
        "weigh 1",
    )
    standardize_targets: bool = Field(
        description="for regression: train on targets less their mean over their standard deviation; the saved model "
        "undoes it",
    )
    threshold: Literal["auto"] | Annotated[float, Gt(0), Lt(1), NUMBER] = Field(
        description="for several labels: the probability from which on a label counts as predicted; auto: the one "
        "with the best micro F1 on the validation part",
    )
    targets: Annotated[Interval, Allowed("[wrong, right] with wrong below right, such as [-1, 1]")] | None = Field(
        description="for mean_squared_error: the target of every other class and of the true class; null: [0, 1]"
    )
    label_smoothing: Fraction = Field(
        description="for cross_entropy: the fraction of the target that is spread over all classes"
    )
    dtype_policy: DtypePolicy = Field(description="the precision that layers compute in; mixed_float16 is for GPUs")
    jit_compile: Literal["auto"] | Annotated[bool, Strict()] = Field(
        description="whether XLA compiles the steps; auto: on a GPU, and on a CPU for long runs of models without "
        "convolutions and recurrent layers"
    )
    steps_per_execution: Literal["auto"] | Count = Field(
        description="batches between two calls of the callbacks; auto: an epoch"
    )
    checkpoint_seconds: NonNegative = Field(
        description="seconds between two checkpoints: a killed run loses at most this much work"
    )
    callbacks: dict[str, Callback] = Field(
        description="further Keras callbacks by name, such as {board: {_target_: keras.callbacks.TensorBoard}}"
    )

    @model_validator(mode="after")
    def _check_loss(self) -> Training:
        if self.label_smoothing > 0 and self.loss not in (AUTO, Loss.cross_entropy):
            raise ValueError("training.label_smoothing goes with training.loss=cross_entropy; set it to 0")
        if self.targets is not None and self.loss != Loss.mean_squared_error:
            raise ValueError("training.targets goes with training.loss=mean_squared_error; set it to null")
        if self.threshold == AUTO and self.validation_split == 0:
            raise ValueError(
                "training.threshold=auto is chosen on the validation part, but training.validation_split is 0; "
                "hold some examples back, or give a number"
            )
        return self

    def loss_of(self, task: Task) -> str:
        """The name of the loss of a run of this task: one of ours, or the dotted name of a function or class."""
        if isinstance(self.loss, dict):
            return str(self.loss["_target_"])
        return task.losses[0] if self.loss == AUTO else self.loss.value


# -- the whole --------------------------------------------------------------------------------------------------------


Metrics = Annotated[
    dict[str, Any],  # a name and the user's entry, or null for a metric of fitbench; see `selection`
    BeforeValidator(selection.as_section),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}]}),
    Allowed("a list of names such as [accuracy, macro_f1], or a section with entries of your own"),
]


class Backend(StrEnum):
    """Keras's backends that fitbench runs on."""

    tensorflow = "tensorflow"
    jax = "jax"


class Config(Section):
    """Everything that makes a run what it is. Sections with a free choice of `_target_` are dictionaries."""

    data: AnyData
    model: Annotated[dict[str, Any], SectionOf(Model)]
    optimizer: Annotated[dict[str, Any], SectionOf(Optimizer)]  # with its schedule under `schedule`
    training: Training
    distortion: Distortion

    task: Literal["auto", "classification", "regression", "multilabel"] = Field(
        description="what is predicted: a class, numbers, or several labels; auto: the targets decide"
    )
    metrics: Metrics = Field(
        description="what is recorded for each part of the data, besides the loss; the first is the primary metric; "
        "default stands for the default metrics of the task"
    )
    seed: Annotated[int, Ge(0), Lt(2**32), WHOLE_NUMBER, Allowed("a whole number from 0 to 4294967295")] = Field(
        description="of initial weights, order of batches, dropout, distortion and a drawn validation part"
    )
    study: Name = Field(description="runs are recorded in <outputs>/<study>/<run_id>/")
    backend: Backend = Field(description="Keras's backend")
    device: Annotated[
        str, StringConstraints(pattern=r"^(auto|cpu|gpu(:[0-9]+)?)$"), Allowed("auto, cpu, gpu or gpu:N")
    ] = Field(description="what trains; auto: a GPU if there is one")
    threads: Literal["auto"] | Cores = Field(
        description="CPU threads of a run; auto: one for each core, divided among the workers of a sweep"
    )
    force: bool = Field(description="true: train again although the run is finished")
    code: Literal["recorded", "any"] = Field(
        description="any: take a recorded result, or continue a run, although the code of your own modules has changed"
    )
    retry_failed: bool = Field(description="false: a sweep leaves out runs that failed before")
    fail_fast: bool = Field(description="true: a sweep stops at the first run that fails")
    workers: Cores = Field(
        description="processes on this machine that share the runs of a sweep, a search or a table; each takes about "
        "1 GB of memory"
    )
    outputs: Annotated[PathText, AfterValidator(expanded), Allowed("the path of a folder")] = Field(
        description="the folder of the studies"
    )
    progress: bool = Field(description="whether the terminal shows the progress")

    @model_validator(mode="after")
    def _check_epochs(self) -> Config:
        training = self.training
        if self.model.get("solver") is not None:
            solved = "for a model that is computed by its solver"
            if training.epochs != 0:
                raise ValueError(f"training.epochs is {training.epochs}; it must be 0 {solved}")
            if training.class_weight is not None:
                raise ValueError(f"training.class_weight must be null {solved}, which takes no weights")
            if training.validation_split != 0:
                raise ValueError(
                    f"training.validation_split is {training.validation_split}; it must be 0 {solved}, "
                    "which uses every training example"
                )
        elif training.epochs == 0:
            raise ValueError("training.epochs is 0; it must be at least 1")
        return self

    @property
    def known_task(self) -> Task | None:
        """The task as far as it is known before the data are read; None where their targets decide."""
        name = self.data.task if self.task == AUTO else self.task
        return None if name is None else task_of(name)

    @model_validator(mode="after")
    def _check_task(self) -> Config:
        if self.data.task_is_fixed and self.task not in (AUTO, self.data.task):
            raise ValueError(
                f"task is {self.task}, but data={self.data.name} is for {self.data.task}; set task={self.data.task}"
            )
        task = self.known_task
        if task is None:
            selection.check(self.metrics, None)
        else:
            self.check_for(task)
        return self

    def check_for(self, task: Task) -> None:
        """Refuse what does not go with a task. It is called again when the data have decided the task.

        Raises:
            RequestError: the message names the key.
        """
        settings = self.training
        selection.check(self.metrics, task)
        if isinstance(settings.loss, Loss) and settings.loss not in (AUTO, *task.losses):
            raise RequestError(
                f"training.loss is {settings.loss.value}, but the task is {task.name}; it must be auto, "
                f"{', '.join(task.losses)}, or a section with a _target_"
            )
        for other in TASKS.values():
            for key, unused in other.settings:
                if other is not task and getattr(settings, key) != unused:
                    raise RequestError(
                        f"training.{key} is for the task {other.name}, but the task is {task.name}; set "
                        f"training.{key}={json.dumps(unused)}"
                    )
        if settings.validation is Validation.stratified and not task.has_classes:
            raise RequestError(
                f"training.validation is stratified, which needs classes, but the task is {task.name}; set "
                "training.validation=random"
            )
        if (stopping := settings.early_stopping) is None:
            return
        try:
            part, _ = selection.monitored(stopping.monitor, self.metrics, task)
        except RequestError as error:
            raise RequestError(f"training.early_stopping.monitor: {error}") from None
        if part == "val" and settings.validation_split == 0 and self.model.get("solver") is None:
            raise RequestError(
                f"training.early_stopping.monitor is {stopping.monitor}, but training.validation_split is 0; "
                "hold some examples back, monitor the loss, or set training.early_stopping=null"
            )

    @model_validator(mode="after")
    def _check_groups(self) -> Config:
        if getattr(self.data, "group", None) and self.training.validation is Validation.stratified:
            raise ValueError(
                "training.validation=stratified does not go with data.group, whose rows stay together; set "
                "training.validation=random"
            )
        return self

    @model_validator(mode="after")
    def _check_kind(self) -> Config:
        if self.data.kind is not None:
            self.check_for_kind(self.data.kind)
        return self

    def check_for_kind(self, kind: str) -> None:
        """Refuse what does not go with a kind of examples. It is called again when the arrays have decided the kind.

        Raises:
            RequestError: the message names the key.
        """
        are = f"the examples of data={self.data.name} are {KINDS[kind].plural}"
        if kind != IMAGES and self.distortion.kind != "none":
            raise RequestError(f"distortion={self.distortion.kind} is for images; {are}; set distortion=none")
        if kind != IMAGES and self.data.preprocess is not None:
            raise RequestError(f"data.preprocess={self.data.preprocess} is for images; {are}; set data.preprocess=null")
        if kind not in (SERIES, ARRAYS) and (standardize := getattr(self.data, "standardize", None)) is not None:
            raise RequestError(f"data.standardize={standardize} is for series; {are}; set data.standardize=null")

    @model_validator(mode="after")
    def _check_warmup(self) -> Config:
        warmup, epochs = self.optimizer["schedule"].get("warmup_epochs", 0), self.training.epochs
        if epochs and warmup >= epochs:
            raise ValueError(
                f"optimizer.schedule.warmup_epochs is {warmup}; it must be at least 0 and below training.epochs, "
                f"which is {epochs}"
            )
        return self


def recorded_metrics(
    config: Config,
    task: Task,
    of: Callable[[str, Mapping[str, Any] | None], Metric] = user_metrics.from_config,
) -> dict[str, Metric]:
    """The metrics that a run of this configuration records besides the loss; see `selection.recorded`."""
    stopping = config.training.early_stopping
    return selection.recorded(config.metrics, stopping.monitor if stopping else None, task, of)


SECTIONS = ("data", "model", "optimizer", "training", "distortion")
TOP_LEVEL = tuple(key for key in Config.model_fields if key not in SECTIONS)
