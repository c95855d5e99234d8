import math
import operator
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitbench.analysis.filters import LONGEST, parse, select
from fitbench.analysis.frame import load_runs
from fitbench.errors import RequestError

RUNS = pd.DataFrame(
    {
        "run_id": ["a-mlp-s0", "b-mlp-s1", "c-softmax-s0", "d-lenet5-s0"],
        "seed": [0, 1, 0, 7],
        "model.name": ["mlp", "mlp", "softmax", "lenet5"],
        "model.hidden": ["[300, 100]", "[128, 64]", None, None],
        "model.pixel_range": ["[0.0, 1.0]", "[0, 1]", "[-1, 1.0]", "[0, 1]"],
        "optimizer.momentum": [0.9, 0.0, math.nan, math.nan],
        "training.jit_compile": ["auto", True, False, None],
        "metrics.test_accuracy": [0.96, 0.98, 0.91, math.nan],
        "metrics.train_accuracy": [0.99, 0.97, 0.91, math.nan],
        "git.dirty": [True, False, None, None],
        "fused": [True, False, True, False],
        "versions.hydra-core": ["1.3.8", "1.3.8", "1.3.8", None],
        "nothing": [None, None, None, None],
        "finished_at": pd.to_datetime(
            ["2026-10-31T23:59:59", "2026-11-01T00:00:00", "2026-11-02T12:00:00", None], utc=True
        ),
    }
)


def kept(text: str) -> list[int]:
    return select(RUNS, text).index.tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("model.name == 'mlp'", [0, 1]),
        ('model.name == "mlp" and metrics.test_accuracy > 0.97 and seed < 5', [1]),
        ("test_accuracy > 0.97", [1]),  # a metric without its prefix
        ("model == 'mlp' and hidden != None", [0, 1]),  # short names
        ("0.91 < test_accuracy <= 0.96", [0]),
        ("train_accuracy > test_accuracy", [0]),
        ("seed in [0, 1] and not model.name in ('mlp',)", [2]),
        ("seed not in [0]", [1, 3]),
        ("seed in []", []),
        ("'mlp' in run_id", [0, 1]),
        ("'mlp' not in run_id", [2, 3]),
        ("'MLP' in run_id or '.*' in run_id", []),  # case counts, and a text is no regular expression
        ("seed == 1 or seed == 7 and model.name == 'mlp'", [1]),  # and binds closer than or
        ("not seed == 0 and seed < 5", [1]),  # not binds closer than and
        ("not (seed == 0 or seed == 1)", [3]),
        ("fused", [0, 2]),
        ("not fused", [1, 3]),
        ("fused == True", [0, 2]),
        ("seed == 0.0 and seed > -1e-3", [0, 2]),
        ("versions.hydra_core == '1.3.8'", [0, 1, 2]),  # _ for a character that no name of Python holds
        ("seed\n<\t1", [0, 2]),
    ],
)
def test_what_a_filter_keeps(text, rows):
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("optimizer.momentum == None", [2, 3]),
        ("None != optimizer.momentum", [0, 1]),
        ("optimizer.momentum >= 0", [0, 1]),
        ("not optimizer.momentum < 0.5", [0, 2, 3]),  # the opposite, as pandas's ~
        ("optimizer.momentum != 0.9", [1, 2, 3]),
        ("optimizer.momentum not in [0.9]", [1, 2, 3]),
        ("optimizer.momentum in [0.9, None]", [0, 2, 3]),
        ("git.dirty", [0]),
        ("git.dirty == False", [1]),
        ("'2' not in versions.hydra_core", [0, 1, 2, 3]),
        ("nothing == None", [0, 1, 2, 3]),
        ("nothing > 3 or nothing == 'a' or 'a' in nothing or nothing or nothing == seed", []),
    ],
)
def test_missing_values(text, rows):
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("model.hidden == [300, 100]", [0]),
        ("(300, 100.0) == model.hidden", [0]),
        ("model.hidden != [300, 100]", [1, 2, 3]),
        ("model.hidden in [[300, 100], [128, 64]]", [0, 1]),
        ("64 in model.hidden", [1]),
        ("model.pixel_range == [0, 1]", [0, 1, 3]),  # lists by their values
    ],
)
def test_lists(text, rows):
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("finished_at >= '2026-11-01'", [1, 2]),
        ("finished_at < '2026-11-01T02:00+02:00'", [0]),
        ("'2026-11-01' <= finished_at < '2026-11-02'", [1]),
        ("finished_at in ['2026-11-01', '2026-11-02T12:00']", [1, 2]),
        ("finished_at < '9999-12-31T23:59-10:00'", [0, 1, 2]),
        ("finished_at == None", [3]),
    ],
)
def test_dates(text, rows):
    assert kept(text) == rows


def test_columns_of_several_kinds_compare_where_the_kinds_are_the_same():
    assert kept("training.jit_compile in ['auto', False]") == [0, 2]
    frame = pd.DataFrame({"a": ["x", True, "y", 2, None], "b": ["x", 1, "z", 2.0, 3]}, dtype=object)
    assert select(frame, "a == b").index.tolist() == [0, 3]
    assert select(frame, "a <= b").index.tolist() == [3]
    assert select(frame, "a != b").index.tolist() == [1, 2, 4]
    assert select(frame, "b == 1").index.tolist() == [1]
    assert select(frame, "a == 2 or a == True").index.tolist() == [1, 3]


def test_the_rows_stay_as_they_are():
    frame = RUNS.iloc[::-1].copy()
    frame.attrs["left_out"] = [("folder", "reason")]
    found = select(frame, "model.name == 'mlp'")
    pd.testing.assert_frame_equal(found, frame[frame["model.name"] == "mlp"])
    assert found.attrs == frame.attrs
    assert select(frame[:0], "model.name == 'mlp' and seed < 5").empty


def test_a_run_with_a_mapping_is_none_without_a_value(make_run, tmp_path):
    for seed, value in enumerate(["null", "balanced", "{common: 1, rare: 5}"]):
        make_run(f"seed={seed}", f"training.class_weight={value}")
    runs = load_runs(tmp_path / "outputs")
    for text, seeds in {
        "class_weight == None": [0],
        "class_weight != None": [1, 2],
        "class_weight == '{common:1,rare:5}'": [2],
        "class_weight in [None, 'balanced']": [0, 1],
    }.items():
        assert sorted(select(runs, text)["seed"]) == seeds


def test_a_filter_on_runs(make_run, tmp_path):
    for seed in range(3):
        make_run(f"seed={seed}")
    make_run("model.hidden=[8]", finished=False)
    frame = load_runs(tmp_path)
    assert select(frame, "seed < 2 and test_accuracy > 0.5 and finished_at > '2026-01-01'")["seed"].tolist() == [0, 1]
    assert select(frame, "model.hidden == [8]")["state"].tolist() == ["interrupted"]
    assert len(select(frame, "not test_accuracy > 0.5")) == 1
    assert select(frame, "git.dirty").empty


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("seed = 3", "=", "write ==, not ="),
        ("fused && seed < 3", "&", "write and, not &"),
        ("!fused", "!", "write not, not !"),
        ("seed <> 3", "<>", "invalid syntax; write a condition such as"),
        ("seed <", "", "invalid syntax"),
        ("(seed < 3", "(", "'(' was never closed"),
        ("model.name == 'mlp", "'", "unterminated string"),
        ("config_id == 1b42f00c", "1", "invalid decimal literal"),
        ("run_id contains 'mlp'", None, "write 'mlp' in run_id"),
        ("run_id not contains 'it is'", None, "or 'mlp' not in run_id"),
        ("fused & seed < 3", "fused & seed", "write and, not &"),
        ("fused | seed", "fused | seed", "write or, not |"),
        ("~fused", "~fused", "write not, not ~"),
        ("git.dirty is None", "git.dirty is None", "write ==, not is"),
        ("fused == true", "true", "write True, not true"),
        ("seed == null", "null", "write None, not null"),
        ("finished_at > 2026-11-11", "2026-11-11", "write a date in quotes"),
        ("versions.hydra-core == '1'", "versions.hydra-core", "with _ for -"),
        ("seed + 1 < 3", "seed + 1", "no arithmetic"),
        ("len(run_id) < 3", "len(run_id)", "no functions"),
        ("run_id[0] == 'a'", "run_id[0]", "a filter has columns"),
        ("seed == (yes := 3)", "yes := 3", "a filter has columns"),
        ("seed == 1 if fused else 2", None, "a filter has columns"),
        ("seed == b'3'", "b'3'", "seed (number) and b'3' (bytes) cannot be compared"),
        ("seed == (fused and True)", "fused and True", "expected a column or a value"),
        ("seed in [0, fused and True]", "fused and True", "expected a column or a value"),
        ("3", "3", "expected a condition"),
        ("seed", "seed", "seed (number) is no condition"),
        ("seed < 'a'", "'a'", "seed (number) and 'a' (text) cannot be compared"),
        ("seed in [1, 'a']", "'a'", "seed (number) and 'a' (text)"),
        ("fused == 1", "1", "fused (truth value) and 1 (number)"),
        ("model.name == seed", "seed", "model.name (text) and seed (number)"),
        ("fused and model.name == fused", "fused", "model.name (text) and fused (truth value)"),
        ("training.jit_compile == 3", "3", "training.jit_compile (text or truth value) and 3 (number)"),
        ("model.hidden == 5", "5", "model.hidden (list) and 5 (number)"),
        ("finished_at > 3", "3", "finished_at (date) and 3 (number)"),
        ("versions.hydra_core > '1.10'", "'1.10'", "a text has no order"),
        ("fused < git.dirty", "git.dirty", "a truth value has no order"),
        ("3 in seed", "seed", "3 (number) cannot be in seed (number)"),
        ("3 in run_id", "run_id", "3 (number) cannot be in run_id (text)"),
        ("'64' in model.hidden", "model.hidden", "'64' (text) cannot be in model.hidden (list)"),
        ("finished_at > 'yesterday'", "'yesterday'", "expected a date in UTC"),
        ("finished_at > '2026-11-31'", "'2026-11-31'", "expected a date in UTC"),
        ("test_acuracy > 0.9", "test_acuracy", "did you mean metrics.test_accuracy"),
        ("model.nam == 'mlp'", "model.nam", "did you mean model.name"),
        ("'mlp'.name == seed", "'mlp'.name", "there is no column"),
        ("model.name == mlp", "mlp", "there is no column 'mlp'; a text is written in quotes"),
        ("accuracy > 0.9", "accuracy", "there is no column"),
        ("model.name in [mlp]", "mlp", "a text is written in quotes"),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(text, place, message):
    with pytest.raises(RequestError) as caught:
        select(RUNS, text)
    what, line, carets = str(caught.value).split("\n")
    assert message in what
    assert line[2:] == text
    start = carets.index("^")
    if text.count("fused") == 2:
        assert start == 2 + text.rindex("fused")  # the second one
    if place is not None:
        assert line[start : start + max(1, len(place))] in (place, place[:1])
        assert (len(carets) - start) in (1, max(1, len(place)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  ", "--where: it has 0 characters"),
        ("seed < 5 or " * 1000 + "fused", "--where: it has 12,005 characters"),
        ("seed == '\x00'", "null"),
        ("seed == '\ud800'", "cannot be read"),
        ("seed == " + "9" * 5000, "limit"),
        ("(" * (LONGEST - 1), "nested parentheses"),
        ("not " * 2400 + "fused", "too many conditions within each other"),
        ("-" * (LONGEST - 1) + "1", "too many conditions within each other"),
        ("a" + ".a" * 4000, "too many conditions within each other"),
        ("seed in " + "[" * 190 + "]" * 190, "cannot be compared"),
        ("a" * 9000 + " == 1", "there is no column"),
        ("seed == '" + "a" * 9000 + "'", "cannot be compared"),
    ],
)
def test_a_hostile_text_is_a_short_error_soon(text, message):
    start = time.process_time()
    with pytest.raises(RequestError, match=message) as caught:
        select(RUNS, text)
    assert time.process_time() - start < 10
    assert len(str(caught.value)) < 1000


def test_a_filter_of_many_conditions_is_read():
    assert kept("fused and " * 800 + "fused") == [0, 2]
    assert kept("not " * 100 + "fused") == [0, 2]
    assert kept("seed in [" + "1, " * 3000 + "7]") == [1, 3]


def test_a_long_filter_is_shown_around_the_place():
    with pytest.raises(RequestError) as caught:
        parse("seed < 5 and " * 100 + "seed = 5" + " and seed < 5" * 100)
    _, line, carets = str(caught.value).split("\n")
    assert line[carets.index("^")] == "="
    assert line.startswith("  ...")
    assert line.endswith("...")
    assert len(line) < 90


def test_the_caret_stands_under_the_place_behind_wide_and_hostile_characters():
    with pytest.raises(RequestError) as caught:
        select(RUNS, "run_id == '\u540d\x1b[2J\u00e9' and b == 3")
    _, line, carets = str(caught.value).split("\n")
    assert line == "  run_id == '\u540d\\x1b[2J\u00e9' and b == 3"
    assert carets.index("^") == line.index("b ==") + 1  # a wide character takes two columns


def test_a_cell_that_only_looks_like_a_list_is_a_text():
    frame = pd.DataFrame({"hidden": ["[" * 100_000, "[1", "[1]", "[" + "9" * 5000 + "]"]})
    assert select(frame, "hidden == [1]").index.tolist() == [2]


# -- properties -------------------------------------------------------------------------------------------------------

NUMBERS = [-1.5, 0, 1, 2, 0.1, 1e-7, 3e20]
TEXTS = ["", "a", "b", "ab", "it's", "null", "\u00e9"]
DATES = ["2026-01-01", "2026-06-01T12:30", "2026-12-31T23:59:59Z"]
EQUAL = {"==": operator.eq, "!=": operator.ne}
ORDERS = EQUAL | {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

COLUMNS = {
    "whole": [0, 1, 2, 3],
    "real": [*NUMBERS, None],
    "text": [*TEXTS, None],
    "maybe": [True, False, None],
    "date": [*DATES, None],
}
frames = st.integers(0, 6).flatmap(
    lambda rows: st.fixed_dictionaries(
        {name: st.lists(st.sampled_from(values), min_size=rows, max_size=rows) for name, values in COLUMNS.items()}
    )
)


def framed(values: dict[str, list]) -> pd.DataFrame:
    types = {"whole": "int64", "real": "float64", "text": "str", "maybe": "object"}
    frame = pd.DataFrame(values).astype(types)
    frame["date"] = pd.to_datetime(frame["date"], utc=True, format="ISO8601")
    return frame


def comparison(names: list[str], values: list, orders: dict):
    """(a filter, what pandas says of a frame), of a column and a value, on either side."""

    def condition(name, order, value, turned):
        other = pd.to_datetime(value, utc=True) if name == "date" else value
        if turned:
            return f"{value!r} {order} {name}", lambda frame: ORDERS[order](other, frame[name])
        return f"{name}{order}{value!r}", lambda frame: ORDERS[order](frame[name], other)

    return st.builds(
        condition, st.sampled_from(names), st.sampled_from([*orders]), st.sampled_from(values), st.booleans()
    )


def among(name: str, values: list, negative: bool):
    def pandas(frame):
        found = frame[name].isin([value for value in values if value is not None])
        found |= frame[name].isna() if None in values else False
        return ~found if negative else found

    return f"{name} {'not ' * negative}in {values!r}", pandas


conditions = st.one_of(
    comparison(["whole", "real"], NUMBERS, ORDERS),
    comparison(["text"], TEXTS, EQUAL),
    comparison(["maybe"], [True, False], EQUAL),
    comparison(["date"], DATES, ORDERS),
    st.builds(among, st.sampled_from(["whole", "real"]), st.lists(st.sampled_from([*NUMBERS, None])), st.booleans()),
    st.builds(among, st.just("text"), st.lists(st.sampled_from([*TEXTS, None])), st.booleans()),
    st.sampled_from(TEXTS).map(
        lambda part: (f"{part!r} in text", lambda frame: frame["text"].str.contains(part, regex=False, na=False))
    ),
    st.sampled_from(list(COLUMNS)).map(lambda name: (f"{name} == None", lambda frame: frame[name].isna())),
    st.sampled_from(
        [
            ("maybe", lambda frame: frame["maybe"].eq(True)),
            ("0 < whole <= real", lambda frame: (frame["whole"] > 0) & (frame["whole"] <= frame["real"])),
        ]
    ),
)


@settings(max_examples=150, deadline=None)
@given(frames, st.lists(st.tuples(st.sampled_from(["and", "or"]), st.booleans(), conditions), min_size=1, max_size=6))
def test_the_filter_agrees_with_pandas_and_its_precedence_is_pythons(values, parts):
    """The truth of every part per row, combined by Python, against one flat filter."""
    frame = framed(values)
    text = " ".join(f"{word} {'not ' * negative}{part[0]}" for word, negative, part in parts).partition(" ")[2]
    truths = [part[1](frame).astype(bool).tolist() for _, _, part in parts]
    expected = []
    for row in range(len(frame)):
        python = " ".join(
            f"{word} {'not ' * negative}{truth[row]}" for (word, negative, _), truth in zip(parts, truths, strict=True)
        )
        if eval(python.partition(" ")[2]):
            expected.append(row)
    assert select(frame, text).index.tolist() == expected


PIECES = [
    *("seed", "model.name", "model.hidden", "test_accuracy", "finished_at", "git.dirty", "nowhere", "lambda x:", "f()"),
    *("1", "-", "2.5e3j", "'mlp'", '"2026-11-01"', "[1, 2]", "True", "None", "...", "f'{seed}'", "*", "await", ":="),
    *(
        "and",
        "or",
        "not",
        "in",
        "is",
        "==",
        "!=",
        "<",
        ">=",
        "(",
        ")",
        "[",
        "]",
        ",",
        "=",
        "&",
        "'",
        "\n",
        "{",
        "}",
        "if",
    ),
]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join)))
def test_any_text_is_a_filter_or_a_refusal(text):
    try:
        found = select(RUNS, text)
    except RequestError as error:
        assert str(error).startswith("--where")
        assert "\x1b" not in str(error)
    else:
        assert found.index.isin(RUNS.index).all()


def test_a_value_beyond_64_bits_is_a_number():
    frame = pd.DataFrame({"factor": np.array([2**70, 1, None], dtype=object)})
    assert select(frame, "factor > 1e20").index.tolist() == [0]
    assert select(frame, "factor in [1, 2]").index.tolist() == [1]
