"""The schema of table.yaml: keys, types and cross-checks within a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from annotated_types import Ge, Len
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from fitbench.config.annotations import Allowed, Name
from fitbench.tables.definition import CHOICES
from fitbench.tables.metric import DEFAULT
from fitbench.tables.units import UnitName

NONE_STATED = "none stated"
ABSENT: Any = None  # the default of keys that need not be there


def _in_one_line(text: str) -> str:
    if not text.strip():
        raise ValueError("empty")
    return " ".join(text.split())


def _check_overrides(overrides: list[str]) -> list[str]:
    for override in overrides:
        if "=" not in override:
            raise ValueError("no override")
    return overrides


Count = Annotated[int, Strict(), Ge(1)]
Folds = Annotated[int, Strict(), Ge(2)]
Flag = Annotated[bool, Strict()]
AnyText = Annotated[str, Strict(), Allowed("a text")]
Text = Annotated[str, Strict(), AfterValidator(_in_one_line), Allowed("a text")]
Printed = Annotated[
    str,
    Strict(),
    StringConstraints(pattern=r"^-?[0-9]+(\.[0-9]+)?$"),
    Allowed("a number in quotes, such as '8.40': YAML drops the last zero of a number without them"),
]
WithDeviation = Annotated[
    str,
    Strict(),
    StringConstraints(pattern=r"^-?[0-9]+(\.[0-9]+)?( *(±|\+/?-) *[0-9]+(\.[0-9]+)?)?$"),
    AfterValidator(lambda text: text.replace("+/-", "±").replace("+-", "±")),
]
CLAIMED = (
    f"a number in quotes, such as '8.40' (YAML drops the last zero of a number without them), one with its deviation, "
    f"such as '84.3 ± 1.5', a range ['low', 'high'], or '{NONE_STATED}'"
)
OneClaim = Literal["none stated"] | WithDeviation | Annotated[list[Printed], Len(2, 2)]
Claimed = Annotated[
    Annotated[dict[str, Annotated[OneClaim, Allowed(CLAIMED)]], Len(1)] | OneClaim,
    Allowed(f"{CLAIMED}; or one of these for each metric"),
]
TestSet = Annotated[
    str,
    Strict(),
    StringConstraints(pattern=r"^(same|other|[0-9a-f]{8,64})$"),
    Allowed(
        "same or other: whether the claim was measured on the test examples of our data set; or the first 8 to 64 "
        "digits of the data's SHA-256, in quotes"
    ),
]
Tolerance = Annotated[float, Strict(), Ge(0)]
Chosen = Annotated[
    dict[
        str,
        Annotated[
            str,
            Strict(),
            StringConstraints(pattern=rf"^({'|'.join(CHOICES)})(, .+)?$"),
            Allowed(f"{', '.join(CHOICES[:-1])} or '{CHOICES[-1]}', with more behind a comma"),
        ],
    ],
    Allowed("keys of the configuration, each with how it was chosen"),
]
Overrides = Annotated[
    list[Annotated[str, Strict()]], AfterValidator(_check_overrides), Allowed("a list of texts such as model=mlp")
]


class Section(BaseModel):
    """The table or a part of it. No other key is allowed."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True)


class MeasureFile(Section):
    """An entry of `metrics` of table.yaml."""

    metric: Text = Field(description="as `metric` of a table with one metric")
    unit: UnitName = Field(description="as `unit` of a table with one metric")
    tolerance: Tolerance = Field(ABSENT, description="as `tolerance` of a table with one metric")


A_MEASURE = Allowed("a section such as {metric: accuracy, unit: percent}")


class ExplanationFile(Section):
    """`explained_by` of a row."""

    row: Text = Field(description="the label of another row, with the same claim, that is reproduced itself")
    with_: Text = Field(
        alias="with", description="the name of a group of `settings`, in which alone the two rows differ"
    )


class Settings(Section):
    """What a row, a line of a matrix, a column and a cell can set."""

    test_examples: Count = Field(ABSENT, description="as of the table, if it differs here")
    test_set: TestSet = Field(ABSENT, description="as of the table, if it differs here")
    source: Text = Field(ABSENT, description="where this is claimed, if not where the table is")
    notes: AnyText = Field("", description="what the reader of the table must know")
    experiment: AnyText = Field("", description="the name of a file in conf/experiment/, which the runs begin with")
    overrides: Overrides = Field([], description="the configuration of the runs, after that of the table")
    chosen: Chosen = Field(
        {},
        description="how settings that the source leaves open were chosen: a key of the configuration, and source, "
        "validation or 'first guess', with more behind a comma",
    )
    seeds: Count = Field(ABSENT, description="the number of seeds, if it differs from the table's")
    folds: Folds = Field(ABSENT, description="the number of folds, if it differs from the table's")
    deterministic: Flag = Field(False, description="true: training has no chance in it, so one seed is enough")

    @model_validator(mode="after")
    def _check_overrides(self) -> Settings:
        _refuse_other_runs(self.overrides, self.folds)
        if self.deterministic and self.seeds not in (None, 1):
            raise ValueError(f"seeds is {self.seeds}; a deterministic row has one seed")
        return self


class CellFile(Settings):
    """A cell of a matrix; a row without its label."""

    claimed: Claimed = Field(
        description="the claimed value as it is printed, in quotes and in the table's unit; or with its deviation, as "
        "'84.3 ± 1.5'; or a range of two; or 'none stated'; in a table of several metrics, one for each: {METRIC: ..}"
    )
    deviation: Printed = Field(ABSENT, description="the standard deviation of the claimed trainings, if it is stated")
    trainings: Count = Field(
        ABSENT, description="the number of trainings whose mean is claimed, if it differs from the table's"
    )
    metric: Text = Field(
        ABSENT, description="the table's metric on another part, as val_mae in a table of test_mae, if it differs"
    )
    explained_by: Annotated[ExplanationFile, Allowed("a section such as {row: LABEL, with: GROUP}")] = Field(
        ABSENT, description="the row that explains why this one is better or worse: {row: LABEL, with: GROUP}"
    )


class RowFile(CellFile):
    """A row of table.yaml."""

    label: Text = Field(description="the name of the row; each row has another")
    measured: Flag = Field(True, description="false: the row is only quoted; it has no runs")

    @model_validator(mode="after")
    def _check_runs(self) -> RowFile:
        has_configuration = bool(self.overrides or self.experiment.strip())
        if self.measured and not has_configuration:
            raise ValueError(
                "overrides is empty; it must have overrides, or there must be an experiment; a row that is only quoted "
                "has measured: false"
            )
        if not self.measured and has_configuration:
            raise ValueError("measured is false, so there can be neither overrides nor an experiment")
        return self


Line = Annotated[
    Settings,
    BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=Settings | None),
]
Lines = Annotated[
    dict[Text, Line], Len(1), Allowed("names, each with what its cells set, such as {MLP: {overrides: [model=mlp]}}")
]
Cell = Annotated[
    CellFile,
    BeforeValidator(
        lambda value: value if isinstance(value, dict) else {"claimed": value},
        json_schema_input_type=OneClaim | CellFile,
    ),
]


class MatrixFile(Section):
    """`matrix` of table.yaml: lines down, columns across, and a claim in each cell."""

    down: Text = Field("model", description="what the lines are, as network")
    across: Text = Field("data set", description="what the columns are")
    lines: Lines = Field(description="the name of each line, and what its cells set")
    columns: Lines = Field(description="the name of each column, and what its cells set, after the line")
    cells: Annotated[
        dict[Text, Annotated[dict[Text, Cell], Len(1)]],
        Len(1),
        Allowed("the claims by line and column, such as {MLP: {digits: '97.1'}}"),
    ] = Field(
        description="for each line and column the claim, or all keys of a cell; a cell that is absent has no runs"
    )


class TableFile(Section):
    """The whole of table.yaml."""

    title: Text = Field(description="the title of the table")
    about: AnyText = Field("", description="paragraphs in Markdown that stand before the table")
    source: Text = Field(ABSENT, description="where the table is published; needed unless each row names a source")
    study: Name = Field(ABSENT, description="the study of the runs; absent: the name of the folder")
    metrics: Annotated[
        list[Annotated[MeasureFile, A_MEASURE]], Len(1), Allowed(f"a list, each item {A_MEASURE.text}")
    ] = Field(ABSENT, description="several metrics, each with its unit and tolerance, in place of the three keys below")
    metric: Annotated[Text, Allowed("the name of a metric; several of them stand in metrics")] = Field(
        ABSENT,
        description=f"what is claimed and measured: a metric of the task, such as macro_f1 or mae; of the test part "
        f"unless it begins with val_ or train_; absent: {DEFAULT}",
    )
    unit: UnitName = Field(
        ABSENT,
        validate_default=True,
        description="how the numbers are stated: a share from 0 to 1 (accuracy), 100 times what is missing to 1 "
        "(error_percent), 100 times the value (percent), or the value of a metric that is no share",
    )
    tolerance: Tolerance = Field(
        ABSENT,
        description="the difference that does not matter, in the table's unit; absent: half a percentage point, or one "
        "test example where that is more. A metric that is no share needs it",
    )
    test_examples: Count = Field(
        description="the number of examples that the claims were measured on; of a val_ metric those of validation, "
        "with folds those of all folds together"
    )
    test_set: TestSet = Field(description="whether these are the examples that our runs are measured on")
    seeds: Count = Field(description="the number of runs of each row; their seeds are 0, 1, ..")
    trainings: Count = Field(1, description="the number of trainings whose mean each claim is")
    folds: Folds = Field(
        ABSENT,
        description="the number of runs of each seed, each of which holds back another fold of the training examples; "
        "the value of a seed is their mean",
    )
    config_dir: Text = Field(
        ABSENT,
        description="a folder with configurations of your own, such as ../conf, relative to this file; its model/, "
        "data/ and experiment/ are searched besides those of fitbench",
    )
    overrides: Overrides = Field([], description="the configuration that all runs of the table share")
    settings: Annotated[
        dict[Text, Annotated[list[Text], Len(1), Allowed("a list of keys of the configuration")]],
        Allowed("named groups of keys, such as {recipe: [optimizer, training]}"),
    ] = Field(
        {},
        description="named groups of keys, as 'the recipe of its source': [optimizer, training], for explained_by",
    )
    chosen: Chosen = Field({}, description="how open settings of all rows were chosen; see rows")
    rows: Annotated[list[RowFile], Len(1), Allowed("a list with at least one row")] = Field(
        ABSENT, description="the rows, see below"
    )
    matrix: MatrixFile = Field(ABSENT, description="a matrix in place of rows, see below")

    @field_validator("unit", mode="wrap")
    @classmethod
    def _check_unit(cls, unit: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if unit is not ABSENT:
            return check(unit)
        if info.data.get("metrics") is None:
            raise PydanticKnownError("missing")
        return unit

    @model_validator(mode="after")
    def _check_layout(self) -> TableFile:
        _refuse_other_runs(self.overrides, self.folds)
        if (self.rows is None) == (self.matrix is None):
            raise ValueError(
                "a table has either rows or a matrix" + (", not both" if self.rows else "; both are missing")
            )
        if self.metrics is not None and (self.metric, self.unit, self.tolerance) != (None, None, None):
            raise ValueError("metrics is there, so metric, unit and tolerance stand in its entries")
        return self


def _refuse_other_runs(overrides: Sequence[str], folds: int | None) -> None:
    """Refuse overrides of which runs are launched, and how."""
    for override in overrides:
        key, _, value = override.partition("=")
        key = key.lstrip("+~")
        if key in ("seed", "study", "outputs", "force") or key.startswith("hydra"):
            raise ValueError(f"overrides: {override}: not here; seeds and study have keys of their own")
        if key in ("fold", "training.folds") or (key == "training.validation" and (folds or value == "kfold")):
            raise ValueError(f"overrides: {override}: not here; folds: 5 trains 5 folds of each seed")
