"""What pydantic finds wrong, in one line. The schemas here are those of a file with a list of rows, as tables have."""

from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, MinLen
from pydantic import ConfigDict, Field, model_validator

from fitbench.config import Section, validated
from fitbench.config.annotations import Fraction, Interval, Real
from fitbench.config.describe import describe
from fitbench.config.errors import located
from fitbench.errors import RequestError


class Range(Section):
    low: float
    high: float


class Row(Section):
    model_config = ConfigDict(strict=True)

    label: str
    claimed: float | Range
    seeds: Annotated[list[Annotated[int, Ge(0)]], MinLen(1)]
    scores: dict[str, Fraction] = Field(alias="test")

    @model_validator(mode="after")
    def _check(self) -> "Row":
        if len(self.seeds) > 2:
            raise ValueError(f"row {self.label} has more than two seeds")
        return self


class File(Section):
    title: str
    rows: list[Row]


ROW = {"label": "a", "claimed": 0.5, "seeds": [0, 1], "test": {"accuracy": 0.5}}


def message(changed: dict[str, Any], **changes: Any) -> str:
    values = {
        "title": "x",
        "rows": [ROW, {key: item for key, item in (ROW | changed).items() if item is not ...}],
    } | changes
    with pytest.raises(RequestError) as caught:
        validated(File, values)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"label": 5}, "rows[1].label is 5; it must be text"),
        ({"label": None}, "rows[1].label is null; it must be text"),
        ({"label": ...}, "rows[1].label is missing; it must be text"),
        ({"seeds": []}, "rows[1].seeds is []; it must be a list, each item a whole number of at least 0"),
        ({"seeds": [0, -1]}, "rows[1].seeds is [0, -1]; it must be a list, each item a whole number of at least 0"),
        ({"seeds": [0, 1, 2]}, "row a has more than two seeds"),
        ({"test": {"f1": 2}}, "rows[1].test.f1 is 2; it must be a number of at least 0 and below 1"),
        ({"test": 2}, "rows[1].test is 2; it must be a section with keys of its own"),
        ({"claimed": "much"}, "rows[1].claimed is 'much'; it must be a number or a section with keys of its own"),
        (
            {"lable": "a", "label": ...},
            "rows[1].lable: there is no such key. Did you mean rows[1].label?",
        ),
        ({"label": "x" * 100, "seeds": "x" * 100}, f"rows[1].seeds is '{'x' * 76}...; it must be a list, "),
    ],
)
def test_message_names_key_value_and_what_is_allowed(row, expected):
    assert message(row).startswith(expected)


def test_message_about_the_content_of_a_whole_file():
    assert message({}, rows=3) == "rows is 3; it must be a list, each item a section with keys of its own"
    assert message({}, row=3).startswith("row: there is no such key. Did you mean rows?")
    expected = r"^table\.yaml: it is \[1\]; it must be a section with keys of its own$"
    with pytest.raises(RequestError, match=expected), located("table.yaml"):
        validated(File, [1])


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (bool, "true or false"),
        (Literal["auto"] | bool, "auto, true or false"),
        (Literal["auto"] | Annotated[int, Ge(1)] | None, "auto or a whole number of at least 1, or null"),
        (Literal["deskew"] | None, "deskew, or null"),
        (Annotated[float, Field(gt=0, le=1)], "a number above 0 and at most 1"),
        (list[Literal["a", "b"]], "a list, each item one of a, b"),
        (tuple[int, str], "a list"),
        (Real, "a number"),
        (Interval | None, "[low, high] with low below high, or null"),
        (None, "null"),
        (Any, "a value"),
        (bytes, "a value of the type bytes"),
    ],
)
def test_types_are_described_in_words(annotation, text):
    assert describe(annotation) == text
