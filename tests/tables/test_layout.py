"""A matrix becomes rows, and a configuration of which several metrics are claimed has a row for each."""

from pathlib import Path

import pytest

from fitbench.errors import RequestError
from fitbench.tables.composing import configurations
from fitbench.tables.definition import Matrix
from fitbench.tables.reading import read

LINES = {
    "softmax": {
        "overrides": ["model=softmax"],
        "notes": "As written.",
        "chosen": {"training.epochs": "source"},
        "deterministic": True,
    },
    "MLP": {"overrides": ["model=mlp"], "seeds": 3, "source": "Nobody 2000"},
}
COLUMNS = {
    "digits": {"overrides": ["data=digits"], "test_examples": 360, "chosen": {"training.epochs": "validation"}},
    "MNIST": {"experiment": "mnist", "test_set": "other", "notes": "Keras downloads it."},
}
CELLS = {
    "MLP": {
        "MNIST": ["1.5", "1.7"],
        "digits": {"claimed": "2.0", "overrides": ["training.epochs=3"]},
    },
    "softmax": {
        "digits": {
            "claimed": "5.2 +/- 0.4",
            "trainings": 5,
            "notes": "Read off a plot.",
            "test_examples": 300,
            "deterministic": False,
        },
    },
}


@pytest.fixture
def matrix(define):
    """Reads a table with a matrix, of which some parts and some keys of the table are changed."""

    def of(table=None, **changed):
        parts = {"down": "network", "lines": LINES, "columns": COLUMNS, "cells": CELLS, **changed}
        return read(define(rows=..., matrix=parts, **(table or {})))

    return of


def test_the_cells_of_a_matrix_are_rows_line_by_line(matrix):
    table = matrix()
    assert table.matrix == Matrix("network", "data set", ("softmax", "MLP"), ("digits", "MNIST"))
    assert [(row.number, row.label, row.cell) for row in table.rows] == [
        (1, "digits, softmax", ("softmax", "digits")),
        (2, "digits, MLP", ("MLP", "digits")),
        (3, "MNIST, MLP", ("MLP", "MNIST")),
    ]
    assert [row.claim.printed for row in table.rows] == ["5.2 ± 0.4", "2.0", "1.5 to 1.7"]


def test_a_cell_has_what_its_line_its_column_and_itself_set(matrix):
    softmax, mlp, mnist = matrix().rows
    assert softmax.overrides == ("model=softmax", "data=digits")
    assert softmax.notes == "As written. Read off a plot."
    assert softmax.chosen == (("training.epochs", "validation"),)  # the column comes after the line
    assert (softmax.claim.test_examples, softmax.claim.trainings) == (300, 5)
    assert (softmax.seeds, softmax.deterministic, softmax.source) == (tuple(range(5)), False, "Somebody 1998, p. 5")
    assert mlp.overrides == ("model=mlp", "data=digits", "training.epochs=3")
    assert (mlp.seeds, mlp.wanted, mlp.source) == ((0, 1, 2), 5, "Nobody 2000")
    assert mlp.claim.test_examples == 360
    assert mnist.overrides == ("+experiment=mnist", "model=mlp")
    assert (mnist.claim.test_set, mnist.claim.test_examples, mnist.notes) == ("other", 10000, "Keras downloads it.")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"cells": {"MPL": {"digits": "2"}}},
            r"matrix.cells has 'MPL'; matrix.lines has softmax, MLP. Did you mean MLP\?",
        ),
        (
            {"cells": {"MLP": {"digts": "2"}}},
            r"matrix.cells.MLP has 'digts'; matrix.columns has .*ean digits\?",
        ),
        ({"cells": {"MLP": {"digits": 2.0}}}, "matrix.cells.MLP.digits: claimed is 2.0; it must be a number in quotes"),
        (
            {"cells": {"MLP": {"digits": None}}},
            "matrix.cells.MLP.digits: it is empty; leave out a cell that has no claim",
        ),
        ({"cells": {"MLP": {"digits": {}}}}, "matrix.cells.MLP.digits: claimed is missing"),
        (
            {"cells": {"MLP": {"digits": {"claim": "2"}}}},
            r"MLP.digits: claim: there is no such key. Did you mean claimed",
        ),
        ({"cells": {"MLP": {}}}, r"matrix.cells.MLP is \{\}"),
        (
            {"lines": {"LSTM": None}, "cells": {"LSTM": {"MNIST": "2"}}, "columns": {"MNIST": {}}},
            "matrix.cells.LSTM.MNIST: overrides is empty",
        ),
        (
            {"columns": {**COLUMNS, "MNIST-1D": {}}},
            "matrix.columns.MNIST-1D: matrix.cells has no cell of it; add one, or leave it out",
        ),
        ({"cells": None}, "matrix.cells is null; it must be the claims by line and column, such as "),
        (
            {"lines": ["MLP"]},
            r"matrix.lines is \['MLP'\]; it must be names, each with what its cells set, such as \{MLP",
        ),
        ({"lines": {**LINES, "MLP": ["model=mlp"]}}, "MLP: it is .*; it must be a section such as {over"),
        ({"lines": {**LINES, "MLP": {"experiment": "a"}}}, r"MLP.MNIST: experiment is 'a' and 'mnist'; a cell has one"),
        (
            {"lines": {**LINES, "MLP": {"claimed": "2"}}},
            "matrix.lines.MLP: claimed: there is no such key; a line or a column ",
        ),
        (
            {"columns": {**COLUMNS, "digits": {"overrides": ["seed=1"]}}},
            "matrix.columns.digits: overrides: seed=1: not here",
        ),
        (
            {
                "lines": {"c": LINES["MLP"], "b, c": LINES["MLP"]},
                "columns": {"a, b": {}, "a": {}},
                "cells": {"c": {"a, b": "2"}, "b, c": {"a": "2"}},
            },
            "matrix: 2 rows have the label 'a, b, c'",
        ),
    ],
)
def test_what_is_wrong_in_a_matrix_is_named_with_its_cell(matrix, changed, message):
    with pytest.raises(RequestError, match=message) as refusal:
        matrix(**changed)
    assert "/table.yaml: " in str(refusal.value)


def test_a_table_has_rows_or_a_matrix(define):
    parts = {"lines": LINES, "columns": COLUMNS, "cells": CELLS}
    with pytest.raises(RequestError, match="a table has either rows or a matrix, not both"):
        read(define(matrix=parts))
    with pytest.raises(RequestError, match="a table has either rows or a matrix; both are missing"):
        read(define(rows=...))


def test_two_cells_of_the_same_configuration_are_refused(matrix):
    lines = {"softmax": LINES["softmax"], "MLP": {"seeds": 3}}
    columns = {"digits": {"overrides": ["data=digits", "model=softmax"]}}
    table = matrix(lines=lines, columns=columns, cells={"softmax": {"digits": "5"}, "MLP": {"digits": "5"}})
    with pytest.raises(RequestError, match="matrix: 'digits, softmax' and 'digits, MLP' have the same configuration"):
        configurations(table, Path("outputs"))


# -- several metrics --------------------------------------------------------------------------------------------------

METRICS = {
    "unit": ...,
    "metrics": [
        {"metric": "accuracy", "unit": "error_percent"},
        {"metric": "val_macro_f1", "unit": "percent", "tolerance": 1.0},
    ],
}


def row(claimed, **changed):
    return {"label": "a", "claimed": claimed, "overrides": ["model=mlp"], **changed}


def test_a_configuration_has_a_row_for_each_metric_that_is_claimed(define):
    both = {"val_macro_f1": "95.0 ± 0.5", "accuracy": "none stated"}
    table = read(define(rows=[row(both), row({"accuracy": "4.0"}, label="b")], trainings=10, **METRICS))
    assert [(each.number, each.label, each.measure.name) for each in table.rows] == [
        (1, "a", "val_macro_f1"), (1, "a", "test_accuracy"), (2, "b", "test_accuracy"),
    ]  # fmt: skip
    f1, none, accuracy = table.rows
    assert none.claim is None
    assert (f1.claim.low, f1.claim.deviation, f1.claim.trainings) == pytest.approx((0.95, 0.005, 10))
    assert (accuracy.claim.low, accuracy.claim.trainings) == (0.96, 10)
    assert (f1.measure.tolerance, accuracy.measure.tolerance) == pytest.approx((0.01, 0.005))
    assert [each.label for each in table.configurations] == ["a", "b"]
    assert table.measures_of("b") == [accuracy.measure]
    assert table.heading == "validation macro F1, %; test error, %"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"rows": [row("4.0")]},
            r"claimed is '4.0'; this table has several metrics; write \{accuracy: .., val_macro_f1",
        ),
        (
            {"rows": [row({"acc": "4.0"})]},
            r"row 1 \(a\): claimed has the metric 'acc'; the table has accuracy, val_macro",
        ),
        ({"rows": [row({"accuracy": 4.0})]}, r"row 1 \(a\): claimed.accuracy is 4.0; it must be a number in quotes"),
        ({"rows": [row({"accuracy": ["1", "2", "3"]})]}, r"claimed.accuracy is \['1', '2', '3'\]; it must be a number"),
        ({"rows": [row({})]}, r"claimed is \{\}; it must be a number in quotes.*one of these for each metric"),
        ({"rows": [row({"accuracy": "4.0"}, metric="accuracy")]}, "the metrics of this row are the keys of claimed"),
        (
            {"rows": [row({"accuracy": "4.0"}, deviation="1")]},
            r"it stands in claimed where that has metrics: \{accuracy",
        ),
        ({"metric": "accuracy"}, "metrics is there, so metric, unit and tolerance stand in its entries"),
        ({"tolerance": 1.0}, "metrics is there, so metric, unit and tolerance stand in its entries"),
        (
            {"metrics": ["accuracy"]},
            r"metrics\[0\] is 'accuracy'; it must be a section such as \{metric: accuracy, unit",
        ),
        ({"metrics": []}, r"metrics is \[\]; it must be a list, each item a section such as"),
        ({"metrics": [{"metric": "accuracy"}]}, r"metrics\[0\].unit is missing; it must be one of accuracy, "),
        ({"metrics": METRICS["metrics"] * 2}, r"metrics\[2\]: metric is 'accuracy', as in another entry"),
        (
            {"metrics": [*METRICS["metrics"], {"metric": "test_accuracy", "unit": "error_percent"}]},
            r"metrics\[2\]: metric is 'test_accuracy', as in another entry",
        ),
        ({"metrics": [{"metric": "macro_f1", "unit": "percent"}]}, r"metrics\[0\]: tolerance is missing"),
        (
            {"metrics": [{"metric": "acc", "unit": "percent"}]},
            r"metrics\[0\]: metric: there is no metric 'acc'; did you",
        ),
    ],
)
def test_what_is_wrong_with_several_metrics_is_named(define, changed, message):
    with pytest.raises(RequestError, match=message):
        read(define(**{**METRICS, "rows": [row({"accuracy": "4.0"})], **changed}))


# -- how settings were chosen, and what explains a row ----------------------------------------------------------------


def test_how_settings_were_chosen_stands_at_the_top_and_in_rows(define):
    rows = [
        row("1", chosen={"optimizer": "first guess", "training.epochs": "validation, 5 trials"}),
        row("1", label="b"),
        row("1", label="c", measured=False, overrides=[]),
    ]
    read_rows = read(define(rows=rows, chosen={"optimizer": "source", "data.preprocess": "source, p. 5"})).rows
    assert [dict(each.chosen) for each in read_rows] == [
        {"optimizer": "first guess", "data.preprocess": "source, p. 5", "training.epochs": "validation, 5 trials"},
        {"optimizer": "source", "data.preprocess": "source, p. 5"},
        {},
    ]


EXPLAINED = {"row": "b", "with": "recipe"}
OTHER = row("1", label="b", overrides=["model=mlp", "training.epochs=9"])


def test_a_row_names_the_row_that_explains_it_and_the_group_of_settings(define):
    table = read(define(rows=[row("1", explained_by=EXPLAINED), OTHER], settings={"recipe": ["optimizer", "training"]}))
    explanation = table.rows[0].explanation
    assert (explanation.label, explanation.group, explanation.keys) == ("b", "recipe", ("optimizer", "training"))
    assert table.rows[1].explanation is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"settings": {}}, r"row 1 \(a\): explained_by.with is 'recipe'; it must be a group of settings at the top"),
        ({"rows": [row("1", explained_by="b"), OTHER]}, "explained_by is 'b'; it must be a section such as {row"),
        ({"rows": [row("1", explained_by={"row": "b"}), OTHER]}, "explained_by.with is missing"),
        ({"rows": [row("1", explained_by={**EXPLAINED, "row": "a"}), OTHER]}, "row is 'a', the row itself"),
        ({"rows": [row("1", explained_by={**EXPLAINED, "row": "c"}), OTHER]}, "is 'c'; no row has this label"),
        ({"rows": [row("1.0", explained_by=EXPLAINED), OTHER]}, "is 'b', whose claimed is 1, not 1.0; a row is"),
        ({"rows": [row("1", explained_by=EXPLAINED), {**OTHER, "trainings": 5}]}, "whose trainings is 5, not 1; a row"),
        ({"rows": [row("1", explained_by=EXPLAINED), {**OTHER, "claimed": "none stated"}]}, "two states no claim"),
        ({"settings": {"recipe": "training"}}, "settings.recipe is 'training'; it must be a list of keys of the conf"),
        ({"settings": ["training"]}, r"settings is \['training'\]; it must be named groups of keys, such as \{recipe"),
        ({"chosen": {"optimizer": "guess"}}, "chosen.optimizer is 'guess'; it must be source, validation or 'first"),
        ({"chosen": {"optimizer": "sources"}}, "chosen.optimizer is 'sources'"),
        ({"chosen": "source"}, "chosen is 'source'; it must be keys of the configuration, each with how it was chosen"),
    ],
)  # fmt: skip
def test_a_wrong_explanation_or_choice_is_named(define, changed, message):
    with pytest.raises(RequestError, match=message):
        read(define(**{
            "rows": [row("1", explained_by=EXPLAINED), OTHER], "settings": {"recipe": ["training"]}, **changed,
        }))  # fmt: skip
