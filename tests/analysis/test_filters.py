import math
import operator
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitbench.analysis.filters import And, Column, Comparison, Contains, Literal, Not, OneOf, Or, Truth, parse, select
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
        ('model.name == "mlp"', [0, 1]),
        ("model.name == 'mlp' and metrics.test_accuracy > 0.97 and seed < 5", [1]),
        ("test_accuracy > 0.97", [1]),  # a metric without its prefix
        ("0.97 < test_accuracy", [1]),
        ("0.91 < test_accuracy <= 0.96", [0]),
        ("train_accuracy > test_accuracy", [0]),
        ("train_accuracy == test_accuracy == 0.91", [2]),
        ("seed in [0, 1] and not model.name in ['mlp']", [2]),
        ("seed not in [0]", [1, 3]),
        ("seed in []", []),
        ("run_id contains 'mlp'", [0, 1]),
        ("run_id not contains 'mlp'", [2, 3]),
        ("run_id contains 'MLP'", []),
        ("run_id contains '.*'", []),  # no regular expression
        ("seed == 1 or seed == 7 and model.name == 'mlp'", [1]),  # and binds closer than or
        ("(seed == 1 or seed == 7) and model.name == 'lenet5'", [3]),
        ("not seed == 0 and seed < 5", [1]),  # not binds closer than and
        ("not not seed == 0", [0, 2]),
        ("not (seed == 0 or seed == 1)", [3]),
        ("fused", [0, 2]),
        ("not fused", [1, 3]),
        ("fused == true", [0, 2]),
        ("fused != git.dirty", [2, 3]),
        ("seed == 0.0", [0, 2]),
        ("seed > -1e-3 and seed < +.7E1 and seed<=1.", [0, 1, 2]),
        ("versions.hydra-core == '1.3.8'", [0, 1, 2]),  # a name may hold a hyphen
        ("seed\n<\t1", [0, 2]),
    ],
)
def test_what_a_filter_keeps(text, rows):
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("optimizer.momentum == null", [2, 3]),
        ("optimizer.momentum != null", [0, 1]),
        ("null == optimizer.momentum", [2, 3]),
        ("optimizer.momentum < 10", [0, 1]),
        ("optimizer.momentum >= 0", [0, 1]),
        ("not optimizer.momentum < 0.5", [0, 2, 3]),  # the opposite, as pandas's ~
        ("optimizer.momentum != 0.9", [1, 2, 3]),
        ("optimizer.momentum not in [0.9]", [1, 2, 3]),
        ("optimizer.momentum in [0.9, null]", [0, 2, 3]),
        ("optimizer.momentum == optimizer.momentum", [0, 1]),
        ("git.dirty", [0]),
        ("not git.dirty", [1, 2, 3]),
        ("git.dirty == false", [1]),
        ("model.hidden == null", [2, 3]),
        ("versions.hydra-core not contains '2'", [0, 1, 2, 3]),
        ("nothing == null", [0, 1, 2, 3]),
        ("nothing > 3 or nothing == 'a' or nothing contains 'a' or nothing or nothing == seed", []),
    ],
)
def test_missing_values(text, rows):
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("model.hidden == [300, 100]", [0]),
        ("[300,100.0] == model.hidden", [0]),
        ("model.hidden != [300, 100]", [1, 2, 3]),
        ("model.hidden == [100, 300]", []),
        ("model.hidden in [[300, 100], [128, 64]]", [0, 1]),
        ("model.hidden == '[300, 100]'", [0]),
        ("model.hidden contains '64'", [1]),
        ("model.pixel_range == [0, 1]", [0, 1, 3]),  # lists by their values
        ("model.pixel_range == [false, true]", []),
    ],
)
def test_lists(text, rows):
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("finished_at >= '2026-11-01'", [1, 2]),
        ("finished_at > '2026-11-01'", [2]),
        ("finished_at < '2026-11-01T02:00+02:00'", [0]),
        ("'2026-11-01' <= finished_at < '2026-11-02'", [1]),
        ("finished_at == '2026-11-02T12:00:00Z'", [2]),
        ("finished_at in ['2026-11-01', '2026-11-02T12:00']", [1, 2]),
        ("finished_at == null", [3]),
    ],
)
def test_dates(text, rows):
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("training.jit_compile == 'auto'", [0]),
        ("training.jit_compile == true", [1]),
        ("training.jit_compile in ['auto', false]", [0, 2]),
        ("training.jit_compile contains 'a'", [0]),
    ],
)
def test_a_column_of_several_kinds(text, rows):
    assert kept(text) == rows


def test_columns_of_several_kinds_compare_where_the_kinds_are_the_same():
    frame = pd.DataFrame({"a": ["x", True, "y", 2, None], "b": ["x", 1, "z", 2.0, None]}, dtype=object)
    assert select(frame, "a == b").index.tolist() == [0, 3]
    assert select(frame, "a <= b").index.tolist() == [3]
    assert select(frame, "a != b").index.tolist() == [1, 2, 4]


def test_1_is_not_true_in_a_column_of_both():
    frame = pd.DataFrame({"steps": [1, True, "auto"]}, dtype=object)
    assert select(frame, "steps == 1").index.tolist() == [0]
    assert select(frame, "steps == true").index.tolist() == [1]
    assert select(frame, "steps < 5").index.tolist() == [0]


def test_the_rows_stay_as_they_are():
    frame = RUNS.iloc[::-1].copy()
    frame.attrs["left_out"] = [("folder", "reason")]
    found = select(frame, "model.name == 'mlp'")
    pd.testing.assert_frame_equal(found, frame[frame["model.name"] == "mlp"])
    assert found.attrs == frame.attrs
    assert select(frame[:0], "model.name == 'mlp' and seed < 5").empty


def test_a_filter_on_runs(make_run, tmp_path):
    for seed in range(3):
        make_run(f"seed={seed}")
    make_run("model.hidden=[8]", finished=False)
    frame = load_runs(tmp_path)
    assert select(frame, "seed < 2 and test_accuracy > 0.5 and finished_at > '2026-01-01'")["seed"].tolist() == [0, 1]
    assert select(frame, "model.hidden == [8]")["state"].tolist() == ["interrupted"]
    assert len(select(frame, "not test_accuracy > 0.5")) == 1
    assert select(frame, "git.dirty").empty


# -- the tree ---------------------------------------------------------------------------------------------------------


def test_the_tree():
    assert parse("a.b == 'x' and not (c in [1, null] or d) or e not contains \"'\"") == Or(
        (
            And(
                (
                    Comparison(Column("a.b"), "==", Literal("x")),
                    Not(Or((OneOf(Column("c"), (Literal(1), Literal(None))), Truth(Column("d"))))),
                )
            ),
            Not(Contains(Column("e"), "'")),
        )
    )
    assert parse("1<x<=2") == And((Comparison(Literal(1), "<", Column("x")), Comparison(Column("x"), "<=", Literal(2))))
    assert parse("x == [1, [true, 'a']]") == Comparison(Column("x"), "==", Literal((1, (True, "a"))))
    assert parse("notable == -0") == Comparison(Column("notable"), "==", Literal(0))  # not is a word, not a beginning


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", "", "the filter is empty"),
        ("  ", "", "the filter is empty"),
        ("seed = 3", "=", "write ==, not ="),
        ("seed === 3", "===", "write =="),
        ("seed <> 3", "<>", "write !="),
        ("seed => 3", "=>", "write >="),
        ("fused && seed < 3", "&&", "write and, not &&"),
        ("fused & seed < 3", "&", "write and, not &"),
        ("fused || seed < 3", "||", "write or"),
        ("!fused", "!", "write not, not !"),
        ("~fused", "~", "write not, not ~"),
        ("run_id =~ 'a'", "=~", "write contains"),
        ("fused AND seed < 3", "AND", "write and"),
        ("fused == True", "True", "write true"),
        ("seed == None", "None", "write null"),
        ("test_accuracy == nan", "nan", "write null"),
        ("seed is null", "is", "write =="),
        ("run_id like 'a'", "like", "write contains"),
        ("model.name == mlp", "mlp", "a text stands in quotes: 'mlp'"),
        ("model.name in [mlp, softmax]", "mlp", "a text stands in quotes: 'mlp'"),
        ("model.name == 'mlp", "'", "no closing '"),
        ('model.name == "mlp', '"', 'no closing "'),
        ("model.name == \u201cmlp\u201d", "\u201c", "straight quotes"),
        ("config_id == 1b42f00c", "1b42f00c", "is no number; a text or a date stands in quotes: '1b42f00c'"),
        ("finished_at > 2026-11-01", "2026-11-01", "'2026-11-01'"),
        ("seed < 1.2.3", "1.2.3", "is no number"),
        ("seed < 1e999", "1e999", "too large"),
        ("seed < " + "9" * 5000, None, "too large"),
        ("seed + 1 < 3", "+", "no arithmetic"),
        ("train_accuracy - test_accuracy > 0.1", "-", "no arithmetic"),
        ("seed < 3 4", "4", "expected 'and', 'or' or the end, found 4"),
        ("seed <", "", "expected a value after <, found the end"),
        ("seed < and fused", "and", "expected a value after <, found and"),
        ("not", "", "expected a column, found the end"),
        ("seed not 3", "3", "expected in or contains after not"),
        ("seed < 3 and", "", "expected a column, found the end"),
        ("(seed < 3", "(", "not closed"),
        ("seed < 3)", ")", "closes nothing"),
        ("(seed < 3]", "]", "expected 'and', 'or' or )"),
        ("seed in [1, 2", "[", "not closed"),
        ("seed in [1 2]", "2", "expected , or ], found 2"),
        ("seed in [1, ]", "]", "expected a value of the list"),
        ("seed in (1, 2)", "(", "a list in brackets"),
        ("seed in 3", "3", "a list in brackets"),
        ("3 in [3]", "3", "expected a column before in"),
        ("3 in seed", "3", "expected a column before in"),
        ("'mlp' in run_id", "'mlp'", "write run_id contains 'mlp'"),
        ("run_id contains 3", "3", "expected a text in quotes"),
        ("'a' contains 'b'", "'a'", "expected a column before contains"),
        ("1 < 2", "1", "expected a column on one side"),
        ("true", "true", "expected a comparison with a column"),
        ("seed 3", "3", "expected a comparison such as"),
        ("seed < null", "<", "null has no order"),
        ("true >= fused", ">=", "true has no order"),
        ("model.hidden < [1]", "<", "a list has no order"),
        ("model.hidden == []", "[]", "write null"),
        ("seed # 3", "#", "means nothing here"),
        ("seed < 'a'", "'a'", "seed holds numbers, 'a' is a text"),
        ("seed == '3'", "'3'", "write 3 without quotes"),
        ("seed == true", "true", "seed holds numbers, true is a truth value"),
        ("seed in [1, 'a']", "'a'", "seed holds numbers"),
        ("model.name < 3", "3", "model.name holds texts, 3 is a number"),
        ("model.name == 5", "5", "write '5'"),
        ("model.name == [5]", "[5]", "model.name holds texts, [5] is a list"),
        ("seed == [5]", "[5]", "seed holds numbers, [5] is a list"),
        ("versions.hydra-core > '1.10'", "'1.10'", "texts have no order"),
        ("model.name < run_id", "run_id", "texts have no order"),
        ("fused < git.dirty", "git.dirty", "truth values have no order"),
        ("fused == 1", "1", "write true or false"),
        ("fused == 0", "0", "write true or false"),
        ("fused == 'true'", "'true'", "write true or false"),
        ("training.jit_compile == 3", "3", "holds texts and truth values"),
        ("model.name == seed", "seed", "model.name holds texts, seed numbers"),
        ("seed", "seed", "seed holds numbers; compare it"),
        ("seed contains '3'", "seed", "seed holds numbers; contains looks for"),
        ("finished_at > 'yesterday'", "'yesterday'", "expected a date in UTC"),
        ("finished_at > '20261101'", "'20261101'", "expected a date in UTC"),
        ("finished_at > '2026-11-31'", "'2026-11-31'", "expected a date in UTC"),
        ("finished_at > '9999-12-31T23:59-10:00'", None, "expected a date in UTC"),
        ("finished_at > 3", "3", "finished_at holds dates, 3 is a number; write a date"),
        ("test_acuracy > 0.9", "test_acuracy", "did you mean metrics.test_accuracy"),
        ("model.nam == 'mlp'", "model.nam", "did you mean model.name"),
        ("seed == sed", "sed", "did you mean seed"),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(text, place, said):
    with pytest.raises(RequestError) as caught:
        select(RUNS, text)
    what, line, carets = str(caught.value).split("\n")
    assert said in what
    start = carets.index("^")
    if place is not None:
        assert line[2:] == text
        assert line[start : start + max(1, len(place))] == place
        assert carets.strip() == "^" * max(1, len(place))


@pytest.mark.parametrize("text", ["model.name == [5]", "model.name == true", "seed == 'a'"])
def test_nothing_is_suggested_where_nothing_is_likely(text):
    with pytest.raises(RequestError) as caught:
        select(RUNS, text)
    assert ";" not in str(caught.value)


def test_a_long_filter_is_shown_around_the_place():
    text = "seed < 5 and " * 1000 + "seed = 5" + " and seed < 5" * 1000
    with pytest.raises(RequestError) as caught:
        parse(text)
    _, line, carets = str(caught.value).split("\n")
    assert line[carets.index("^")] == "="
    assert line.startswith("  ...")
    assert line.endswith("...")
    assert len(line) < 82


def test_the_caret_stands_under_the_place_behind_wide_and_hostile_characters():
    with pytest.raises(RequestError) as caught:
        parse("a == '\u540d\x1b[2J' and b = 3")
    _, line, carets = str(caught.value).split("\n")
    assert line == "  a == '\u540d\\x1b[2J' and b = 3"
    assert carets.index("^") == line.index(" = ") + 2  # a wide character takes two columns, so one more


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "[" * 100_000,
        "not (" * 100_000,
        "a == " + "[" * 100_000,
        "a in " + "[" * 100_000,
        "1" * 100_000 + "a",
        "'" * 100_001,
        "a" * 100_000 + "\u2018",
        "a." * 100_000,
        "- " * 100_000,
        "a < " * 100_000,
        "a and " * 100_000,
        "1." * 100_000,
        "a" * 100_000 + " == 1",
        "seed == " + "a" * 100_000,
        "seed == '" + "a" * 100_000 + "'",
        "'" + "a" * 100_000 + "' in run_id",
        "finished_at > '" + "1" * 100_000 + "'",
    ],
)
def test_a_hostile_text_is_an_error_soon(text):
    start = time.process_time()
    with pytest.raises(RequestError) as caught:
        select(RUNS, text)
    assert time.process_time() - start < 20  # seconds; were it quadratic, minutes
    assert len(str(caught.value)) < 1000


def test_fifty_parentheses_are_allowed_and_no_more():
    assert kept("(" * 50 + "fused" + ")" * 50) == [0, 2]
    assert kept("not " * 100_000 + "fused") == [0, 2]
    assert len(kept("(fused) or " * 1000 + "fused")) == 2
    for begin in ("", "(fused) or " * 60, "seed in [1] or " * 60):
        parse(begin + "(" * 50 + "fused" + ")" * 50)
        with pytest.raises(RequestError, match="more than 50"):
            parse(begin + "(" * 51 + "fused" + ")" * 51)


def test_a_cell_that_only_looks_like_a_list_is_none():
    frame = pd.DataFrame({"hidden": ["[" * 100_000, "[1", "[1]", '["\\ud800"]', "[" + "9" * 5000 + "]"]})
    assert select(frame, "hidden == [1]").index.tolist() == [2]


# -- properties -------------------------------------------------------------------------------------------------------

NUMBERS = [-1.5, 0, 1, 2, 0.1, 1e-7, 3e20]
TEXTS = ["", "a", "b", "ab", "it's", "[1, 2]", "null", "\u00e9"]
DATES = ["2026-01-01", "2026-06-01T12:30", "2026-12-31T23:59:59Z"]
ORDERS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

frames = st.integers(0, 6).flatmap(
    lambda rows: st.fixed_dictionaries(
        {
            name: st.lists(st.sampled_from(values), min_size=rows, max_size=rows)
            for name, values in {
                "whole": [0, 1, 2, 3],
                "real": [*NUMBERS, None],
                "other": [*NUMBERS, None],
                "text": [*TEXTS, None],
                "word": TEXTS,
                "sure": [True, False],
                "maybe": [True, False, None],
                "date": [*DATES, None],
            }.items()
        }
    )
)


def framed(values: dict[str, list]) -> pd.DataFrame:
    frame = pd.DataFrame(values)
    types = {"whole": "int64", "real": "float64", "other": "float64", "text": "str", "word": "str", "sure": "bool"}
    frame = frame.astype(types | {"maybe": "object"})
    frame["date"] = pd.to_datetime(frame["date"], utc=True, format="ISO8601")
    return frame


def spelled(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f'"{value}"' if "'" in value else f"'{value}'"
    return repr(value)


def comparison(names: list[str], values: list, orders: list[str]):
    """(a filter, what pandas says of a frame), of a column and a value, on either side."""

    def pandas_value(name, value):
        return pd.to_datetime(value, utc=True) if name == "date" else value

    def made(name, order, value, turned):
        if turned:
            text = f"{spelled(value)} {order} {name}"
            return text, lambda frame: ORDERS[order](pandas_value(name, value), frame[name])
        return f"{name}{order}{spelled(value)}", lambda frame: ORDERS[order](frame[name], pandas_value(name, value))

    return st.builds(made, st.sampled_from(names), st.sampled_from(orders), st.sampled_from(values), st.booleans())


def among(name: str, values: list, negative: bool):
    text = f"{name} {'not ' * negative}in [{', '.join(map(spelled, values))}]"

    def pandas(frame):
        found = frame[name].isin([value for value in values if value is not None])
        found |= frame[name].isna() if None in values else False
        return ~found if negative else found

    return text, pandas


def containing(name: str, part: str):
    return f"{name} contains {spelled(part)}", lambda frame: frame[name].str.contains(part, regex=False, na=False)


EQUAL = ["==", "!="]
conditions = st.one_of(
    comparison(["whole", "real"], NUMBERS, list(ORDERS)),
    comparison(["text", "word"], TEXTS, EQUAL),
    comparison(["sure", "maybe"], [True, False], EQUAL),
    comparison(["date"], DATES, list(ORDERS)),
    st.builds(among, st.sampled_from(["whole", "real"]), st.lists(st.sampled_from([*NUMBERS, None])), st.booleans()),
    st.builds(among, st.sampled_from(["text", "word"]), st.lists(st.sampled_from([*TEXTS, None])), st.booleans()),
    st.builds(containing, st.sampled_from(["text", "word"]), st.sampled_from(TEXTS)),
    st.sampled_from(["whole", "real", "text", "maybe", "date"]).flatmap(
        lambda name: st.sampled_from(
            [
                (f"{name} == null", lambda frame: frame[name].isna()),
                (f"{name} != null", lambda frame: frame[name].notna()),
            ]
        )
    ),
    st.sampled_from(list(ORDERS)).map(
        lambda order: (f"real {order} other", lambda frame: ORDERS[order](frame["real"], frame["other"]))
    ),
    st.sampled_from(
        [
            ("sure", lambda frame: frame["sure"]),
            ("maybe", lambda frame: frame["maybe"].eq(True)),
            ("0 < whole <= real", lambda frame: (frame["whole"] > 0) & (frame["whole"] <= frame["real"])),
        ]
    ),
)


def combined(parts):
    """Filters of filters, with parentheses around every part."""

    def joined(word, combine, left, right):
        return f"({left[0]}) {word} ({right[0]})", lambda frame: combine(left[1](frame), right[1](frame))

    return st.one_of(
        parts.map(lambda part: (f"not ({part[0]})", lambda frame: ~part[1](frame))),
        st.builds(joined, st.just("and"), st.just(operator.and_), parts, parts),
        st.builds(joined, st.just("or"), st.just(operator.or_), parts, parts),
    )


@settings(max_examples=200, deadline=None)
@given(frames, st.recursive(conditions, combined, max_leaves=6))
def test_the_filter_agrees_with_pandas(values, condition):
    text, pandas = condition
    frame = framed(values)
    assert select(frame, text).index.tolist() == frame.index[pandas(frame).astype(bool)].tolist()


@settings(max_examples=100, deadline=None)
@given(frames, st.lists(st.tuples(st.sampled_from(["and", "or"]), st.booleans(), conditions), min_size=1, max_size=6))
def test_precedence_is_pythons(values, parts):
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
    *("seed", "model.name", "model.hidden", "test_accuracy", "finished_at", "git.dirty", "nowhere"),
    *("1", "-2.5e3", "'mlp'", '"2026-11-01"', "[1, 2]", "true", "null"),
    *("and", "or", "not", "in", "contains", "==", "!=", "<", ">=", "(", ")", "[", "]", ",", "=", "&", "'", "\n"),
]


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join)))
def test_any_text_is_a_filter_or_a_refusal_with_a_place(text):
    try:
        found = select(RUNS, text)
    except RequestError as error:
        _, _, carets = str(error).split("\n")
        assert set(carets) == {" ", "^"}
        assert "\x1b" not in str(error)
    else:
        assert found.index.isin(RUNS.index).all()


def test_a_value_beyond_64_bits_is_a_number():
    frame = pd.DataFrame({"factor": np.array([2**70, 1, None], dtype=object)})
    assert select(frame, "factor > 1e20").index.tolist() == [0]
    assert select(frame, "factor in [1, 2]").index.tolist() == [1]
