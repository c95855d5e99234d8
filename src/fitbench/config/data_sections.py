"""The sections `data`: the keys of each source of data sets, their types and ranges."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Len, Lt
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from fitbench import metrics
from fitbench.config.annotations import (
    NAME,
    NUMBER,
    Allowed,
    Count,
    Dotted,
    ImageSize,
    Name,
    PathText,
    Seed,
    Steps,
    as_list,
    expanded,
)
from fitbench.config.section import Section
from fitbench.kinds import ARRAYS, IMAGES, SERIES, TABLE, TOKENS

TestFraction = Annotated[float, Ge(0), Lt(1), NUMBER, Allowed("a number from 0 and below 1")]
NameFromPath = Annotated[Name, WithJsonSchema({"type": ["string", "null"]})]  # null in a file: the path gives it


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


KEYS_OF_KINDS = {  # the kinds of examples that a key of the section is for
    "preprocess": (IMAGES,),
    "max_value": (IMAGES,),
    "vocabulary": (TOKENS,),
    "standardize": (SERIES, ARRAYS),
}


class Standardization(StrEnum):
    """How series are standardised in the first layer of the model."""

    series = "series"
    channel = "channel"


Standardize = Annotated[
    Standardization | None,
    Field(
        description="series: each channel of each series to mean 0 and deviation 1, by its own values; channel: each "
        "channel by the mean and deviation of the training part, with examples that training.validation_split holds "
        "back, but without a validation part of the data set's own; null: not at all"
    ),
]


class ArrayData(Data):
    """Examples of any kind. Their arrays decide the kind, unless a key states it."""

    inputs: Literal["images", "series", "tokens", "arrays"] | None = Field(
        None,
        description="what the examples are: images, series [N, steps, channels], tokens [N, steps] of whole numbers "
        "from 0, or other arrays; null: their type, shape and values decide",
    )
    standardize: Standardize = None
    vocabulary: Count | None = Field(
        None, description="for tokens: how many there are; null: one more than the largest of the training part"
    )
    max_value: Annotated[float, Gt(0), NUMBER, Allowed("a number above 0")] | None = Field(
        None, description="for images: the value of white in the arrays; null: 255"
    )

    @property
    def kind(self) -> str | None:  # type: ignore[override]
        """What the examples are: as `inputs` says, or images if white is given, or tokens if their number is given."""
        if self.inputs is None:
            return IMAGES if self.max_value is not None else TOKENS if self.vocabulary is not None else None
        return self.inputs


class ArrayFiles(FileData, ArrayData):
    """An .npz file, or a folder of .npy files."""

    source: Literal[Source.npz]


class OwnData(ArrayData):
    """What a function of the user's returns. Further keys are arguments of the function."""

    model_config = ConfigDict(extra="allow", serialize_by_alias=True)

    target: Annotated[Dotted, Allowed("the dotted name of a function")] = Field(
        alias="_target_",
        description="a function that returns (x_train, y_train), (x_test, y_test), or a mapping of arrays with the "
        "names of an .npz file; without a test part for folds alone",
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


class ImageFolder(FileData):
    """Folders of image files, one folder per class."""

    task_is_fixed: ClassVar[bool] = True

    source: Literal[Source.image_folder]
    image_size: ImageSize = Field(description="[height, width] that every image is resized to, in pixels")
    color: bool = Field(description="true: red, green and blue; false: grey")
    test_fraction: TestFraction | None = Field(
        description="the fraction of the images of each class that becomes the test part; 0: there is none, for folds; "
        "null: there are the folders train/ and test/"
    )
    skip_bad: bool = Field(description="true: leave out images that cannot be read; false: refuse the data set")


# -- tables -----------------------------------------------------------------------------------------------------------

TEST_FRACTION: Any = Field(
    description="the fraction of the examples, for classes of each class, that becomes the test part; 0: there is "
    "none, for folds; not used where the test part has a file of its own"
)
OF_DRAWING = ("data.test_fraction", "data.split_seed")  # keys that say how a test part is drawn
SPLIT_SEED: Any = Field(
    description="decides which examples become a drawn test part, and the order of training series; it is not the "
    "run's seed"
)


class FileWithTestPart(FileData):
    """A file of the user's whose test part is in another file, or is drawn from its examples."""

    test_path: Annotated[PathText, AfterValidator(_absolute), Allowed("the path of a file")] | None = Field(
        description="a file with the examples of the test part; null: it is drawn from the examples of `path`. For "
        "series in a file with TRAIN in its name, null is the file beside it with TEST in place of TRAIN"
    )
    split_seed: Seed = SPLIT_SEED

    @property
    def paths(self) -> tuple[str, ...]:
        """The file of the examples, and that of the test part if it has one of its own."""
        return (self.path,) if self.test_path is None else (self.path, self.test_path)


ColumnName = Annotated[str, StringConstraints(min_length=1), Allowed("the name of a column")]
ListOfNames = Annotated[list[ColumnName], Len(1), Allowed("a list of names of columns")]


ColumnNames = Annotated[
    ListOfNames,
    BeforeValidator(as_list, json_schema_input_type=ColumnName | ListOfNames),
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

    test_fraction: TestFraction = TEST_FRACTION
    split_seed: Seed = SPLIT_SEED


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


class TableFile(FileWithTestPart, Table):
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
    test_fraction: TestFraction | None = TEST_FRACTION


# -- series -----------------------------------------------------------------------------------------------------------


class Lengths(StrEnum):
    """How series of different lengths come to one length."""

    linear = "linear"
    cubic = "cubic"


class Series(Data):
    """A data set whose examples are series of one or several channels."""

    kind: ClassVar[str | None] = SERIES

    preprocess: None = Field(None, exclude=True, description="for images only")
    standardize: Standardize
    lengths: Lengths | None = Field(
        description="linear or cubic: series of different lengths are interpolated to one, that of `steps`; null: they "
        "are refused"
    )
    steps: Steps | None = Field(
        None,
        description="with `lengths`: the length that all series are interpolated to; null: that of the longest of the "
        "training part",
    )

    @model_validator(mode="after")
    def _check_steps(self) -> Series:
        if self.steps is not None and self.lengths is None:
            raise ValueError(
                f"data.steps={self.steps} goes with data.lengths, but data.lengths is null; set data.lengths=linear or "
                "data.lengths=cubic, or data.steps=null"
            )
        return self


TEST_WORDS = {"TRAIN": "TEST", "Train": "Test", "train": "test"}
TRAINING_FILE = re.compile(r"(?<![A-Za-z])(TRAIN|[Tt]rain)(?![A-Za-z])")  # a word: not in 'strain.tsv'


class SeriesFiles(FileWithTestPart, Series):
    """Files of the UCR and UEA archives: .ts, .tsv or .txt."""

    source: Literal[Source.signals]
    preprocess: None = Field(default=None, exclude=True, description="for images only")
    max_value: None = Field(default=None, exclude=True, description="for images only")
    test_fraction: TestFraction = TEST_FRACTION

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
