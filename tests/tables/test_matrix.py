"""A table that is a matrix: its cells, the best of its columns, its ranks, and how it looks in every format."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest

from fitbench.charts.paper import write
from fitbench.errors import RequestError
from fitbench.tables import rendering
from fitbench.tables.chart import matrix_chart
from fitbench.tables.matrix import blocks
from fitbench.tables.matrix_tables import matrix_tables, sign
from fitbench.tables.record import readme
from fitbench.tables.table import table as show_table
from fitbench.tables.verdict import EvaluationSets, judge


@pytest.fixture
def accuracy(matrix, matrix_outcomes):
    return blocks(matrix, matrix_outcomes)[0]


@pytest.fixture
def plain(matrix, matrix_outcomes, capsys):
    """What a pipe gets, without titles and notes: the rows of each metric."""
    rendering.print_table(matrix, matrix_outcomes, "table", rendering.Look(caption=False, notes=False))
    tables = capsys.readouterr().out.split("\n\n")
    return [[re.split(r" {3,}", line.strip()) for line in table.strip().splitlines()] for table in tables]


def row_below(rows, line):
    """The measured values of a line."""
    return rows[[row[0] for row in rows].index(line) + 1]


def test_each_line_has_a_row_with_claims_and_a_row_with_measurements_and_signs(plain):
    rows = plain[0]
    assert rows[0] == ["network", "GunPoint", "Coffee", "Trace", "OSULeaf", "rank"]
    assert rows[1][:6] == ["FCN", "claimed", "84.3 ± 0.3", "90.0", "70.0", "60.0"]
    measured = ["measured", "84.4 ± 0.1 =", "94.1 ± 0.1 +", "64.1 ± 0.1 -", "not run"]
    assert row_below(rows, "FCN")[:5] == measured
    assert row_below(rows, "MLP")[1:5] == ["84.0 ± 4.0 ?", "90.0 ± 0.1 (?)", "75.0 ± 0.1 =", "-"]


def test_each_metric_has_a_matrix(plain):
    assert len(plain) == 2
    assert row_below(plain[1], "FCN")[1] == "0.834 ± 0.001 +"


def test_ranks_are_over_the_columns_in_which_every_line_has_a_value_and_ties_share_theirs(accuracy):
    assert [accuracy.columns[place] for place in accuracy.claimed.ranked] == ["GunPoint", "Coffee", "Trace"]
    assert accuracy.claimed.averages == pytest.approx([(1 + 1.5 + 2) / 3, (2 + 1.5 + 1) / 3, 3])
    assert [accuracy.columns[place] for place in accuracy.measured.ranked] == ["GunPoint", "Coffee"]
    assert accuracy.measured.averages == pytest.approx([1, 2, 3])


def test_the_best_of_a_column_are_those_of_claims_and_of_measurements(accuracy):
    best = [side.best(1) for side in (accuracy.claimed, accuracy.measured)]
    assert best == [[True, True, False], [True, False, False]]
    assert not any(accuracy.claimed.best(3))  # the only one of its column


def test_the_legend_says_what_stands_in_the_table_and_what_ranks_are_over(matrix, matrix_outcomes):
    text = rendering.text(matrix, matrix_outcomes, "markdown")
    assert "= reproduced, + better, - worse, ? inconclusive; in parentheses: so far" in text
    assert "Claimed ranks of test accuracy, %: over 3 of 4 columns." in text
    assert "Measured ranks of test accuracy, %: over 2 of 4 columns." in text
    only = [one for one in matrix_outcomes if one.row.label == "Trace, MLP"]
    assert "Signs: = reproduced." in rendering.text(matrix, only, "markdown")


def test_a_line_without_claims_does_not_count_in_their_ranks_and_one_without_runs_prevents_those_of_measurements(
    matrix, matrix_outcomes
):
    def changed(one):
        unclaimed = replace(one, row=replace(one.row, claim=None))
        return {
            "softmax": unclaimed,
            "MLP": replace(one, judgement=judge(None, [], 0.01, EvaluationSets(1, True))),
        }.get(one.row.cell[0], one)

    [block, _] = blocks(matrix, list(map(changed, matrix_outcomes)))
    assert block.claimed.averages == [1.5, 1.5, None]
    assert block.measured.averages == [None, None, None]
    text = rendering.text(matrix, list(map(changed, matrix_outcomes)), "markdown")
    assert "Claimed ranks of test accuracy, %: over 3 of 4 columns, without softmax." in text
    assert "Measured ranks of test accuracy, %: none, because no column is complete." in text


def test_ranks_that_are_all_equal_are_not_bold(matrix, matrix_outcomes):
    tied = [replace(one, judgement=judge(None, [0.8] * 3, 0.01, EvaluationSets(1, True))) for one in matrix_outcomes]
    [ranks, _] = [each.columns[-1] for each in matrix_tables(matrix, tied, "markdown")]
    assert [(cell, str(mark)) for cell, mark in zip(ranks.cells, ranks.marks, strict=True)] == [
        ("1.50", "bold"), ("2.00", ""), ("1.50", "bold"), ("2.00", ""), ("3.00", ""), ("2.00", ""),
    ]  # fmt: skip


def test_a_part_of_the_rows_has_their_lines_and_columns_alone(matrix, matrix_outcomes):
    [block, _] = blocks(matrix, [one for one in matrix_outcomes if "Coffee" in one.row.label])
    assert (block.lines, block.columns) == (["FCN", "MLP", "softmax"], ["Coffee"])
    assert not block.has_ranks


def test_parts_of_the_data_are_in_one_matrix_unless_a_cell_has_several(matrix, matrix_outcomes):
    accuracies = [one for one in matrix_outcomes if one.row.measure.name == "test_accuracy"]
    other = replace(
        accuracies[1], row=replace(accuracies[1].row, measure=replace(accuracies[1].row.measure, part="val"))
    )
    [mixed] = blocks(matrix, [accuracies[0], other, *accuracies[2:]])
    assert mixed.heading == "test and validation accuracy, %"
    assert len(blocks(matrix, [*accuracies, other])) == 2


def test_decimals_are_those_of_the_claims_and_of_shares_at_least_three(matrix, matrix_outcomes):
    [one, two] = blocks(matrix, matrix_outcomes)
    assert (one.digits, two.digits) == (1, 3)  # of shares one more than of the claims
    unclaimed = replace(matrix_outcomes[0], row=replace(matrix_outcomes[0].row, claim=None))
    assert blocks(matrix, [unclaimed])[0].digits == unclaimed.row.measure.unit.digits


def test_signs_have_parentheses_as_long_as_seeds_are_missing(matrix_outcomes):
    by_label = {one.row.label: sign(one) for one in matrix_outcomes if one.row.measure.name == "test_accuracy"}
    assert [by_label[label].text for label in ("GunPoint, FCN", "Coffee, MLP", "OSULeaf, FCN")] == ["=", "(?)", ""]
    assert [by_label[f"{column}, FCN"].style for column in ("GunPoint", "Coffee", "Trace", "OSULeaf")] == [
        "green", "cyan", "red", "dim",
    ]  # fmt: skip


def test_csv_and_json_have_a_record_for_each_row_with_its_line_and_column(matrix, matrix_outcomes):
    rows = list(csv.DictReader(io.StringIO(rendering.text(matrix, matrix_outcomes, "csv"))))
    content = json.loads(rendering.text(matrix, matrix_outcomes, "json"))
    assert len(rows) == len(content["rows"]) == len(matrix.rows)
    assert (rows[0]["line"], rows[0]["column"], rows[0]["metric"]) == ("FCN", "GunPoint", "test_accuracy")
    assert (content["rows"][1]["line"], content["rows"][1]["metric"]) == ("FCN", "test_macro_f1")
    [accuracy, macro_f1] = content["matrices"]
    assert accuracy["claimed"]["average_ranks"] == {"FCN": 1.5, "MLP": 1.5, "softmax": 3}
    assert accuracy["measured"] == {
        "columns": ["GunPoint", "Coffee"],
        "average_ranks": {"FCN": 1, "MLP": 2, "softmax": 3},
    }
    assert macro_f1["metrics"] == ["test_macro_f1"]
    of_coffee = [f"Coffee, MLP ({metric}): seed 2 not run yet" for metric in ("test_accuracy", "test_macro_f1")]
    assert [remark for remark in content["remarks"] if "not run" in remark] == of_coffee


def test_a_table_of_rows_has_neither_lines_nor_matrices(small, look):
    content = json.loads(rendering.text(small, look(small), "json"))
    assert "matrices" not in content
    assert "line" not in content["rows"][0]


def test_latex_aligns_numbers_and_spans_the_columns(matrix, matrix_outcomes):
    text = rendering.text(matrix, matrix_outcomes, "latex")
    assert r"\multicolumn{4}{c}{data set}" in text
    assert r"84.4 {\,$\pm$\,0.1\;$=$}" in text
    assert r"90.0 {\,$\pm$\,0.1\;(?)}" in text
    assert text.count("S[table-format=2.1, table-space-text-post") == 3
    assert text.count(r"\addlinespace") == 2 * 2
    assert text.count(r"\begin{table}") == 2


def test_html_has_the_colour_of_each_verdict_and_groups_of_rows(matrix, matrix_outcomes):
    text = rendering.text(matrix, matrix_outcomes, "html")
    cell = '<td class="fitbench-right fitbench-bold fitbench-green"><b>84.4 ± 0.1</b>'
    assert f'{cell}<span class="fitbench-sign">=</span></td>' in text
    assert text.count("<tbody>") == 6
    assert '<th class="fitbench-over" colspan=4>data set</th>' in text


def test_the_matrix_of_a_page_is_markdown_below_its_metrics(matrix, matrix_outcomes):
    text = rendering.matrix_markdown(matrix, matrix_outcomes)
    assert "**test accuracy, %**" in text
    assert "**test macro F1**" in text
    assert "| FCN | claimed | **84.3 ± 0.3** |" in text
    assert "| measured | **84.4 ± 0.1 =** |" in text


def test_the_page_has_the_matrix_above_the_numbered_list(matrix, matrix_outcomes):
    page = readme(matrix, [record for outcome in matrix_outcomes for record in outcome.records])
    assert (
        0 < page.index("![the table](matrix.png)") < page.index("| FCN | claimed |") < page.index("| 1 | GunPoint, FCN")
    )
    assert page.count("| 1 | GunPoint, FCN | test") == 2  # the metrics of a configuration share its number


def test_title_and_notes_are_refused_where_there_are_none(matrix):
    with pytest.raises(
        RequestError, match="--columns, --no-caption and --no-notes are for people's formats; --format is csv"
    ):
        show_table(str(matrix.folder), format="csv", look=rendering.Look(notes=False))


def test_the_picture_has_a_cell_for_each_row_in_the_colour_of_its_verdict(matrix, matrix_outcomes, tmp_path):
    figure = matrix_chart(matrix, matrix_outcomes)
    cells = [patch for axes in figure.axes for patch in axes.patches if patch.get_gid() == "cell"]
    assert len(cells) == len(matrix.rows)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[:2] == ["84.3 ± 0.3", "84.4 ± 0.1 ="]
    colours = {text: tuple(cell.get_facecolor()) for text, cell in zip(texts[1::2], cells, strict=False)}
    assert len({colours[text] for text in ("84.4 ± 0.1 =", "94.1 ± 0.1 +", "64.1 ± 0.1 -", "not run")}) == 4
    write(figure, tmp_path / "matrix.png", dpi=40)
    assert (tmp_path / "matrix.png").stat().st_size > 1000
