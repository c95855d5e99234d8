"""Any table.yaml is a table whose rows compose, or is refused in a few lines. Nothing else is raised."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbench.errors import RequestError
from fitbench.tables.composing import configurations
from fitbench.tables.definition import Table
from fitbench.tables.reading import read

from ..fuzzing import edited, fuzz

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TEXTS = [
    *(file.read_text(encoding="utf-8") for file in sorted(EXPERIMENTS.glob("*/table.yaml"))),
    "title: T\nsource: S\nunit: accuracy\ntest_examples: 10\ntest_set: same\nseeds: 2\noverrides: [data=digits]\n"
    "rows:\n  - {label: a, claimed: '0.92', overrides: [model=softmax]}\n",
]
SIGNS = [*"~=,[]{}'\"\\@:.*-|>&!%#? \t\n\0ä", "${", "_target_", "null", "9" * 400, "+", "\u2028", "1e999", "-1"]
LINES = [
    "a: [", "\tb: 1", "title: 5", "title:", "unit: 3", "unit: loss", "metric: val_macro_f1", "metric: nope",
    "seeds: -1", "seeds: 1e9", "seeds: true", "tolerance: .nan", "tolerance: 1e300", "test_examples: 0",
    "test_set: abcdef12", "overrides: x", "overrides: [seed=1]", "overrides: ['', '=']",
    "overrides: ['data.path=~/a(1)']", "rows: []", "rows: 5", "- 5", "- {}", "- label: a",
    "- {label: a, claimed: none stated, measured: false}", "x: &x [*x]", "<<: {seeds: 3}", "claimed: 0.5",
    "claimed: '-0'", "claimed: ['9', '1']", "deviation: '5'", "trainings: 2", "deterministic: 1", "? [1]",
    "experiment: a b", "experiment: ../x", "label: ''", "5: 1", "null: 1", "2001-01-01: x", "study: ..", "---",
    "x: 1:2:3", "metrics: {a: 5}", "overrides: ['metrics.a={_target_: a.b, direction: max}']", "metric: a",
    "x: !!python/name:os.x",
]  # fmt: skip


def read_or_refused(folder: Path, text: str) -> None:
    (folder / "table.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        table = read(folder)
        assert isinstance(table, Table)
        configurations(replace(table, rows=table.rows[:2]), folder)
    except RequestError as error:
        assert str(error).startswith(f"{folder}/table.yaml: ")
        assert len(str(error)) <= 3000
        assert len(str(error).splitlines()) <= 3


@given(edited(st.sampled_from(TEXTS), SIGNS, LINES))
@fuzz(12)
def test_any_table_is_read_or_refused(tmp_path, text):
    read_or_refused(tmp_path, text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "not YAML (line 2: did not find expected node content)"),
        (
            "a:\n\tb: 1",
            "not YAML (line 2: found character that cannot start any token); lines are indented with spaces",
        ),
        (
            "rows:\n  - label: a\n   claimed: b",
            "not YAML (line 3: did not find expected '-' indicator); the keys of an item",
        ),
        (
            "a: 1\n  b: 2",
            "not YAML (line 2: mapping values are not allowed in this context); keys that belong together",
        ),
        ("title: a: b", "not YAML (line 1: mapping values are not allowed in this context); keys that belong together"),
        ("unit: %", "not YAML (line 1: found character that cannot start any token); a text that begins with %"),
        ("title: " + "[" * 100 + "]" * 100, "line 1: nested more than 64 levels deep"),
        ("seeds: 1" + ":59" * 200_000, "line 1 holds a number of 600,001 characters"),
        (
            "title: &a [" + "x," * 999 + "]\nrows: &b [" + "*a," * 99 + "]",
            "holds too many values: more than 50,000 up to line 2",
        ),
        ("title: x\n5: 1", "the top level has the key 5; a key must be text"),
        ("", "expected keys such as title, metric, unit, seeds and rows"),
        ("title: \udcff", "line 1: not UTF-8 text; save the file in the encoding UTF-8"),
    ],
)
def test_hostile_table_is_refused_with_its_line(tmp_path, content, message):
    (tmp_path / "table.yaml").write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(RequestError) as refusal:
        read(tmp_path)
    assert str(refusal.value).startswith(f"{tmp_path}/table.yaml: {message}")
