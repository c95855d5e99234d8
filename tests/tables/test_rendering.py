"""Every format holds the same numbers, whatever stands in labels and notes."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from fitbench.errors import RequestError
from fitbench.tables import rendering
from fitbench.tables.cells import claimed, difference, mean_sd, seconds
from fitbench.tables.reading import read
from fitbench.tables.table import table as show_table

from ..latex import compiled, needs_latex

NASTY = r"50% of $x_1$ & \input{/etc/passwd} #1 ~^ <b>a|b</b> -- `x` [1] ± é 数 " + "\x1b[31m"


@pytest.fixture
def nasty(define, measure):
    """A table whose texts try everything, with one complete row, one partial and one quoted."""
    rows = [
        {"label": NASTY, "claimed": "1.60", "overrides": ["model=softmax"]},
        {"label": "mlp", "claimed": ["1.5", "1.7"], "overrides": ["model=mlp"]},
        {"label": "human", "claimed": "none stated", "measured": False},
    ]
    table = read(define(rows=rows, title=NASTY, source=NASTY, seeds=3))
    measure(table, NASTY.replace("  ", " ").strip(), {0: 0.984, 1: 0.985, 2: 0.983})
    measure(table, "mlp", {0: 0.9, 2: 0.91})
    return table


def test_numbers_are_in_the_unit_of_the_table(small, look, measure):
    measure(small, "softmax", {0: 0.90, 1: 0.91, 2: 0.92, 3: 0.91, 4: 0.91})
    line = look(small)[0]
    assert claimed(line.row.claim) == "8.4"
    assert mean_sd(line) == "9.00 ± 0.71"
    assert mean_sd(line, digits=1) == "9.0 ± 0.7"
    assert difference(line) == "+0.55"  # an error that is higher than 8.45, which is printed as 8.4
    cells = {column.head: column.cells[0] for column in rendering.columns(small, [line])}
    low, high = map(float, cells["95% interval"].split(" to "))
    assert low < 9.00 < high
    assert claimed(look(small)[1].row.claim) == "1.5 to 1.7"


def test_a_difference_that_rounds_to_zero_has_no_minus(define, look, measure):
    table = read(
        define(
            unit="error_percent", rows=[{"label": "softmax", "claimed": "8.4", "overrides": ["model=softmax"]}], seeds=2
        )
    )
    measure(table, "softmax", {0: 0.91600001, 1: 0.91600001})
    assert difference(look(table)[0]) == "+0.00"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.28, "0.3 s"), (99.6, "100 s"), (600, "10 min"), (7200, "2.0 h")]
)
def test_times_are_in_the_unit_that_fits(value, text):
    assert seconds(value) == text


def test_markdown_has_a_cell_for_each_column_and_shows_texts_as_they_are(nasty, look):
    text = rendering.text(nasty, look(nasty), "markdown")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {12}
    assert "<b>" not in text.replace(r"\<b\>", "")
    assert "\x1b" not in text
    assert "worse" not in rows[3]
    assert "2 of 3" in rows[3]


def test_latex_is_booktabs_with_as_many_cells_as_columns_and_nothing_to_execute(nasty, look):
    text = rendering.text(nasty, look(nasty), "latex")
    preamble = re.search(r"\\begin\{tabular\}\{@\{\}(.+?)@\{\}\}\n", text, re.DOTALL)[1]
    columns = re.sub(r">\{.*?\}p\{.*?\}", "p", "".join(re.sub(r"S\[.*\]", "S", preamble).split()))
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0].replace(r"\midrule", "")
    rows = [row for row in body.split(r"\\") if row.strip()]
    assert len(rows) == 4
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}
    assert r"\input" not in text
    assert text.isascii() or "é" in text
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 1
    plain = re.sub(r"\\.", "", text.split("\n", 2)[2])
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert not re.search(r"(?<!\\)[#%_^~]", "".join(line for line in text.splitlines() if line[0:1] != "%"))


@needs_latex
def test_latex_compiles(nasty, look, matrix, matrix_outcomes, tmp_path):
    texts = rendering.text(nasty, look(nasty), "latex"), rendering.text(matrix, matrix_outcomes, "latex")
    text = compiled(tmp_path, *texts)
    assert text is None or "inconclusive" in text
    assert text is None or "84.4 ± 0.1 =" in text


LONG = "a network whose label takes more than a line"


@pytest.fixture
def many(define, look):
    """A table of 50 rows, and what is measured of it: nothing."""
    rows = [{"label": f"{LONG}, {i}", "claimed": "1.60", "overrides": ["model=softmax"]} for i in range(50)]
    table = read(define(rows=rows))
    return table, look(table)


def test_latex_of_more_than_a_page_has_the_heads_on_each(many):
    text = rendering.text(*many, "latex", rendering.Look(columns=("#", "claimed", "verdict")))
    assert r"\begin{longtable}" in text
    assert r"\begin{table}" not in text
    assert text.split(r"\endfirsthead")[1].split(r"\endhead")[0].strip() in text.split(r"\endfirsthead")[0]
    few = rendering.text(many[0], many[1][:10], "latex")
    assert r"\begin{table}" in few
    assert r"\begin{longtable}" not in few


def test_latex_names_the_columns_that_a_page_has_no_room_for(many):
    text = rendering.text(*many, "latex")
    assert text.splitlines()[1] == ("% A page has no room for: parameters, difference, per run, 95% interval")
    every = rendering.Look(columns=("claimed", "measured", "95% interval", "difference", "seeds", "per run"))
    assert "% A page" not in rendering.text(*many, "latex", every)


@needs_latex
def test_latex_of_several_pages_compiles(many, tmp_path):
    look = rendering.Look(columns=("#", "claimed", "measured", "difference", "verdict"))
    text = compiled(tmp_path, rendering.text(*many, "latex", look))
    assert text is None or text.count("verdict") > 1
    assert text is None or " 50 " in text


def test_columns_are_chosen_by_their_heads_behind_the_labels(small, look, capsys):
    rendering.print_table(small, look(small), "table", rendering.Look(columns=("verdict", "claimed", "#")))
    assert re.split(r" {3,}", capsys.readouterr().out.splitlines()[1].strip()) == ["#", "verdict", "claimed"]
    rendering.print_table(small, look(small), "table")
    assert "#" not in capsys.readouterr().out
    text = rendering.text(small, look(small), "markdown", rendering.Look(columns=("verdict", "claimed")))
    assert "|  | verdict | claimed |" in text
    assert "95% interval of the mean" not in text


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (("claim",), {}, "--columns: there is no column 'claim'; there are #, claimed, measured, 95% interval, "),
        (("",), {}, "--columns: there is no column ''; there are"),
        (("claimed",), {"check": True}, "leave it out with --check"),
        (("claimed",), {"format": "csv"}, "--columns, --no-caption and --no-notes are for people's formats"),
    ],
)
def test_a_wrong_choice_of_columns_is_refused(small, columns, options, message):
    with pytest.raises(RequestError, match=re.escape(message)):
        show_table(str(small.folder), look=rendering.Look(columns=columns), **options)


def test_a_verdict_that_names_rows_has_their_numbers_beside_it(define, look):
    explained = {"row": "longer", "with": "epochs"}
    first = {"label": "short", "claimed": "8.0", "overrides": ["model=mlp"], "explained_by": explained}
    second = {"label": "longer", "claimed": "8.0", "overrides": ["model=mlp", "training.epochs=9"]}
    table = read(define(rows=[first, second], settings={"epochs": ["training.epochs"]}))
    text = rendering.text(table, look(table), "markdown", rendering.Look(columns=("verdict",)))
    assert "| # |  | verdict |" in text


def test_folders_that_are_not_there_are_refused_unless_something_is_trained(small):
    with pytest.raises(RequestError, match="--outputs nowhere: there is no such folder; leave it out"):
        show_table(str(small.folder), outputs=Path("nowhere"))


def test_a_matrix_has_its_own_columns(matrix):
    with pytest.raises(RequestError, match="--columns is for lists of rows"):
        show_table(str(matrix.folder), look=rendering.Look(columns=("claimed",)))


def test_html_shows_texts_as_they_are_and_loads_nothing(nasty, look):
    text = rendering.text(nasty, look(nasty), "html")
    assert "<b>a|b" not in text
    assert "&lt;b&gt;a|b&lt;/b&gt;" in text
    assert "\x1b" not in text
    assert not re.search(r"<script|<link|src=|url\(|@import", text)
    assert text.count("<tr>") == text.count("</tr>") == 4
    assert text.count('<td class="fitbench-folded">') == 3  # labels, one of which is long; no verdict is


@pytest.mark.parametrize("format", ["markdown", "latex", "html"])
def test_title_and_notes_can_be_left_out(small, look, format):
    title, rule = "A table", "The tolerance is"
    parts = {
        (caption, notes): rendering.text(small, look(small), format, rendering.Look(caption, notes))
        for caption in (True, False)
        for notes in (True, False)
    }
    assert all((title in text, rule in text) == shown for shown, text in parts.items())


def test_csv_and_json_hold_the_numbers_in_full(nasty, look):
    rows = list(csv.DictReader(io.StringIO(rendering.text(nasty, look(nasty), "csv"))))
    content = json.loads(rendering.text(nasty, look(nasty), "json"))
    assert [row["verdict"] for row in rows] == ["reproduced", "inconclusive", "not measured"]
    assert [row["complete"] for row in rows] == ["true", "false", "true"]
    for row, other in zip(rows, content["rows"], strict=True):
        assert row["mean"] == ("" if other["mean"] is None else str(other["mean"]))
    assert float(rows[0]["mean"]) == pytest.approx(1.6)
    assert float(rows[0]["difference_low"]) < 0 < float(rows[0]["difference_high"])
    assert content["rows"][1]["runs"][1] == {
        "seed": 1, "fold": None, "state": "missing", "value": None, "reason": None, "committed": False,
    }  # fmt: skip


def test_json_and_csv_have_the_metric_of_each_row(define, look):
    rows = [
        {"label": "a", "claimed": "1.60", "overrides": ["model=mlp"]},
        {
            "label": "b",
            "claimed": "1.60",
            "overrides": ["model=mlp"],
            "metric": "val_accuracy",
            "folds": 3,
            "test_examples": 40,
        },
    ]
    table = read(define(rows=rows))
    content = json.loads(rendering.text(table, look(table), "json"))
    lines = csv.DictReader(io.StringIO(rendering.text(table, look(table), "csv")))
    assert [(row["metric"], row["folds"]) for row in content["rows"]] == [("test_accuracy", None), ("val_accuracy", 3)]
    assert [(row["metric"], row["folds"]) for row in lines] == [("test_accuracy", ""), ("val_accuracy", "3")]


def test_the_plain_table_is_never_cut_and_says_who_is_missing(nasty, look, capsys):
    rendering.print_table(nasty, look(nasty), "table")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "2 of 3" in out
    assert "mlp: seed 1 not run yet" in out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [44, 48, 60])
def test_numbers_are_whole_where_texts_have_next_to_no_room(nasty, look, monkeypatch, width):
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", str(width))
    rendering.print_table(nasty, look(nasty), "table")
    text = re.sub(r"\x1b\[\d*m", "", terminal.getvalue())
    lines = [line for line in text.splitlines() if line.startswith("│")]
    assert not any("…" in line for line in lines)
    assert any("1.60 ± 0.10" in line for line in lines)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_narrow_terminal_breaks_labels_and_keeps_verdicts(nasty, look, monkeypatch, width):
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", str(width))
    rendering.print_table(nasty, look(nasty), "table")
    lines = re.sub(r"\x1b\[\d*m", "", terminal.getvalue()).splitlines()
    assert max(map(cell_len, lines)) <= width
    below = next(number for number, line in enumerate(lines) if line.startswith("├"))
    heads, grid = (
        [[cell.strip() for cell in line.split("│")[1:-1]] for line in part if line.startswith("│")]
        for part in (lines[:below], lines[below:])
    )
    named = [" ".join(filter(None, lines_of_head)) for lines_of_head in zip(*heads, strict=True)]
    by_head = dict(zip(named, zip(*grid, strict=True), strict=True))
    assert "".join(by_head[""]).replace(" ", "").startswith(nasty.rows[0].label[:40].replace(" ", ""))
    assert "inconclusive so far" in " ".join(by_head["verdict"])
    assert "1.60 ± 0.10" in by_head["measured"]
    assert ("interval of the difference" in by_head) == (width >= 100)
    words = {word for cell in by_head["verdict"] for word in cell.split()}
    assert words <= {"worse", "better", "reproduced", "inconclusive", "so", "far", "not", "measured", "run"}  # whole
