"""Rows that another row explains: what the two may differ in, and what is said of them."""

import json

import pytest

from fitbench.errors import RequestError
from fitbench.tables.composing import configurations
from fitbench.tables.explaining import with_explaining
from fitbench.tables.outcome import counts
from fitbench.tables.reading import read
from fitbench.tables.remarks import remarks
from fitbench.tables.table import table as show_table

RECIPE = "the recipe of its source"
BY_THE_BOOK = {
    "label": "by the book", "claimed": "8.4", "overrides": ["model=mlp"],
    "explained_by": {"row": "longer", "with": RECIPE},
}  # fmt: skip
LONGER = {"label": "longer", "claimed": "8.4", "overrides": ["model=mlp", "training.epochs=3"]}
ROWS = [BY_THE_BOOK, LONGER]
SETTINGS = {RECIPE: ["optimizer", "training"]}
WORSE, REPRODUCED = dict.fromkeys(range(5), 0.8), dict.fromkeys(range(5), 0.916)


@pytest.fixture
def explained(define):
    return read(define(ROWS, settings=SETTINGS))


def test_a_worse_row_is_explained_by_a_complete_row_that_is_reproduced(explained, measure, look):
    measure(explained, "by the book", WORSE)
    measure(explained, "longer", REPRODUCED)
    worse, longer = look(explained)
    assert (worse.explained, longer.explained) == (True, False)
    assert worse.verdict == "worse; reproduced by row 2 with the recipe of its source"
    assert counts([worse, longer]) == "2 rows: 1 worse and explained by another row, 1 reproduced"
    assert remarks([worse, longer]) == [
        "by the book; longer: all 5 seeds gave the same result; the interval of the mean reaches one test example to "
        "each side"
    ]


def test_a_row_that_is_no_better_itself_explains_nothing_and_a_remark_says_so(explained, measure, look):
    measure(explained, "by the book", WORSE)
    measure(explained, "longer", WORSE)
    results = look(explained)
    assert (results[0].verdict, results[0].explained) == ("worse", False)
    expected = f"by the book: row 2 (longer) would explain it with {RECIPE}, but is 'worse' itself"
    assert expected in remarks(results)


def test_a_row_with_missing_seeds_explains_nothing_yet(explained, measure, look):
    measure(explained, "by the book", WORSE)
    measure(explained, "longer", dict.fromkeys(range(4), 0.916))
    results = look(explained)
    assert not results[0].explained
    assert any("but is 'reproduced so far' itself" in remark for remark in remarks(results))


def test_a_reproduced_row_needs_no_explanation(explained, measure, look):
    measure(explained, "by the book", REPRODUCED)
    results = look(explained)
    assert (results[0].verdict, results[0].explained) == ("reproduced", False)
    assert not any("would explain" in remark for remark in remarks(results))


def test_json_names_the_explanation_also_where_the_other_row_is_not_shown(explained, measure, tmp_path, capsys):
    measure(explained, "by the book", WORSE)
    measure(explained, "longer", REPRODUCED)
    show_table(str(explained.folder), rows=["by the book"], outputs=tmp_path / "outputs", format="json")
    [row] = json.loads(capsys.readouterr().out)["rows"]
    assert (row["verdict"], row["explained_by"], row["explained"], row["differs_in"]) == (
        "worse", "longer", True, RECIPE
    )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "overrides", "message"),
    [
        (["training"], [], None),
        (["training.epochs", "optimizer"], [], None),  # the optimizers are equal
        (["optimizer"], [], r"row 1 \(by the book\): explained_by is row 2 \(longer\), which differs in more than "
         rf"'{RECIPE}' \(optimizer\): training\.epochs is 2 here and 3 there; make"),
        (["training"], ["model.hidden=[7]", "optimizer=sgd"], r"is row 2 .*: model\.hidden is \[\d.*\] here and \[7\] "
         r"there; optimizer\.\S+ is .* here and .* there"),
        (["training.epoch"], [], r"the group in settings\. Neither row has training\.epoch\. Did you mean "
         r"training\.epochs\?"),
        (["optimiser", "training"], [],
         r"has 'optimiser'; a configuration has no such section\. Did you mean optimizer\?"),
    ],
)  # fmt: skip
def test_rows_differ_in_the_named_group_alone(define, tmp_path, settings, overrides, message):
    other = {**LONGER, "overrides": [*LONGER["overrides"], *overrides]}
    table = read(define([BY_THE_BOOK, other], settings={RECIPE: settings}))
    if message is None:
        assert len(configurations(table, tmp_path)) == 2
        return
    with pytest.raises(RequestError, match=message):
        configurations(table, tmp_path)


def test_rows_of_other_test_files_differ_in_more_than_the_epochs(define, tmp_path):
    rows = [
        {**row, "overrides": [*row["overrides"], "data=csv", "data.target=label", "data.path=d.csv", place]}
        for row, place in ((BY_THE_BOOK, "data.test_path=x.csv"), (LONGER, "data.test_path=y.csv"))
    ]
    with pytest.raises(
        RequestError, match=r"differs in more than .*: data\.test_path is '.*x\.csv' here and '.*y\.csv'"
    ):
        configurations(read(define(rows, settings={RECIPE: ["training.epochs"]})), tmp_path)


def test_a_row_of_the_same_configuration_explains_nothing(define, tmp_path):
    twin = {**LONGER, "overrides": BY_THE_BOOK["overrides"], "seeds": 7}
    with pytest.raises(RequestError, match=r"row 2 \(longer\), which has the same configuration, so it explains noth"):
        configurations(read(define([BY_THE_BOOK, twin], settings={RECIPE: ["training"]})), tmp_path)


def test_rows_that_explain_chosen_ones_are_found(explained):
    from fitbench.tables.choosing import with_rows

    assert with_explaining(explained, with_rows(explained, ["1"])).rows == explained.rows
    assert [row.label for row in with_explaining(explained, with_rows(explained, ["2"])).rows] == ["longer"]


def test_chosen_names_keys_that_the_configuration_has(define, tmp_path):
    row = {**LONGER, "chosen": {"training.epochs": "first guess", "optimizer.learnin_rate": "source"}}
    with pytest.raises(RequestError, match=r"row 'longer': chosen has 'optimizer\.learnin_rate'; .* Did you mean opt"):
        configurations(read(define([row])), tmp_path)
