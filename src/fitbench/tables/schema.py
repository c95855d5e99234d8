"""The schema of table.yaml: keys, types and cross-checks within a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from annotated_types import Ge, Len
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, StringConstraints, model_validator

from fitbench.config.annotations import Allowed, Name
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
Claimed = Annotated[
    Literal["none stated"] | Printed | Annotated[list[Printed], Len(2, 2)],
    Allowed(
        f"a number in quotes, such as '8.40' (YAML drops the last zero of a number without them), a range "
        f"['low', 'high'], or '{NONE_STATED}'"
    ),
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
Overrides = Annotated[
    list[Annotated[str, Strict()]], AfterValidator(_check_overrides), Allowed("a list of texts such as model=mlp")
]


class Section(BaseModel):
    """The table or a row of it. No other key is allowed."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True)


class RowFile(Section):
    """A row of table.yaml."""

    label: Text = Field(description="the name of the row; each row has another")
    claimed: Claimed = Field(
        description="the claimed value as it is printed, in quotes and in the table's unit; or a range of two, or "
        "'none stated'"
    )
    deviation: Printed = Field(ABSENT, description="the standard deviation of the claimed trainings, if it is stated")
    trainings: Count = Field(1, description="the number of trainings whose mean is claimed")
    test_examples: Count = Field(ABSENT, description="as of the table, if it differs in this row")
    test_set: TestSet = Field(ABSENT, description="as of the table, if it differs in this row")
    source: Text = Field(ABSENT, description="where this row is claimed, if not where the table is")
    notes: AnyText = Field("", description="what the reader of the table must know of the row")
    experiment: AnyText = Field("", description="the name of a file in conf/experiment/, which the runs begin with")
    overrides: Overrides = Field([], description="the configuration of the row's runs, after that of the table")
    metric: Text = Field(
        ABSENT, description="the table's metric on another part, as val_mae in a table of test_mae, if it differs"
    )
    seeds: Count = Field(ABSENT, description="the number of seeds, if it differs from the table's")
    folds: Folds = Field(ABSENT, description="the number of folds, if it differs from the table's")
    deterministic: Flag = Field(False, description="true: training has no chance in it, so one seed is enough")
    measured: Flag = Field(True, description="false: the row is only quoted; it has no runs")

    @model_validator(mode="after")
    def _check_claim(self) -> RowFile:
        if self.deviation is None:
            return self
        if float(self.deviation) < 0:
            raise ValueError(f"deviation is {self.deviation!r}; it must be at least 0")
        if self.trainings < 2:
            raise ValueError(
                f"trainings is {self.trainings}; it must be 2 or more, the number of trainings that the deviation is of"
            )
        if isinstance(self.claimed, list):
            raise ValueError("deviation goes with one claimed number, and not with a range")
        return self

    @model_validator(mode="after")
    def _check_runs(self) -> RowFile:
        _refuse_other_runs(self.overrides, self.folds)
        if self.deterministic and self.seeds not in (None, 1):
            raise ValueError(f"seeds is {self.seeds}; a deterministic row has one seed")
        has_configuration = bool(self.overrides or self.experiment.strip())
        if self.measured and not has_configuration:
            raise ValueError(
                "overrides is empty; it must have overrides, or there must be an experiment; a row that is only quoted "
                "has measured: false"
            )
        if not self.measured and has_configuration:
            raise ValueError("measured is false, so there can be neither overrides nor an experiment")
        return self


class TableFile(Section):
    """The whole of table.yaml."""

    title: Text = Field(description="the title of the table")
    about: AnyText = Field("", description="paragraphs in Markdown that stand before the table")
    source: Text = Field(ABSENT, description="where the table is published")
    study: Name = Field(ABSENT, description="the study of the runs; absent: the name of the folder")
    metric: Text = Field(
        DEFAULT,
        description="what is claimed and measured: a metric of the task, such as macro_f1 or mae; of the test part "
        "unless it begins with val_ or train_",
    )
    unit: UnitName = Field(
        description="how the numbers are stated: a share from 0 to 1 (accuracy), 100 times what is missing to 1 "
        "(error_percent), 100 times the value (percent), or the value of a metric that is no share"
    )
    tolerance: Annotated[float, Strict(), Ge(0)] = Field(
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
    rows: Annotated[list[RowFile], Len(1), Allowed("a list of rows")] = Field(description="the rows, see below")

    @model_validator(mode="after")
    def _check_rows(self) -> TableFile:
        _refuse_other_runs(self.overrides, self.folds)
        labels = [row.label for row in self.rows]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"rows: {labels.count(label)} rows have the label {label!r}")
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
