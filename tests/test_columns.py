import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len
from rich.console import Console

from fitbench.columns import (
    Column,
    Mark,
    Note,
    Table,
    as_csv,
    broken,
    column,
    print_columns,
    print_tables,
    records,
    selected,
    wrapped,
)
from fitbench.latex import latex
from fitbench.markdown import as_markdown, escaped, markdown
from fitbench.tex import GREEK, TEX, tex

from .latex import compiled, needs_latex


def test_columns_are_dropped_where_the_terminal_is_narrow():
    def printed(width):
        out = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
        columns = [
            Column("name", ["a", "b"], right=False, key=True),
            Column("mean", ["0.9", "0.8"]),
            Column("worst", ["0.1", "0.2"], spare=2),
            Column("time", ["1 s", "2 s"], spare=0),
            Column("best", ["0.3", "0.4"], spare=1),
        ]
        dropped = print_columns(out, columns)
        lines = out.file.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        return dropped, lines[1].replace("│", " ").split()

    assert printed(80) == ([], ["name", "mean", "worst", "time", "best"])
    assert printed(30) == (["worst"], ["name", "mean", "time", "best"])
    assert printed(16) == (["time", "best", "worst"], ["name", "mean"])


def test_numbers_stand_below_one_another_with_and_without_a_sign_behind_them():
    out = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    print_columns(out, [Column("mean", ["8.5", "10.25", "9.0"], signs=["(=)", "", "+"])])
    lines = out.file.getvalue().splitlines()[3:6]
    assert lines == ["│   8.5 (=) │", "│ 10.25     │", "│   9.0 +   │"]


def test_headings_of_wide_characters_stand_at_the_right_of_signed_numbers():
    out = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    print_columns(out, [Column("東京データ", ["8.5", "10.25"], signs=["=", ""])])
    lines = out.file.getvalue().splitlines()
    assert {cell_len(line) for line in lines} == {14}
    assert lines[3:5] == ["│      8.5 = │", "│    10.25   │"]


def test_folded_columns_give_way_the_widest_first_and_keep_their_words_whole():
    out = Console(file=io.StringIO(), width=40, force_terminal=True, color_system=None)
    columns = [
        Column("", ["a label of many short words in it"], right=False, folded=True),
        Column("verdict", ["inconclusive so far"], right=False, folded=True),
        Column("mean", ["0.1234"]),
    ]
    assert print_columns(out, columns) == []
    lines = out.file.getvalue().splitlines()
    assert all(38 <= len(line) <= 40 for line in lines)
    words = [line.split("│")[1:3] for line in lines[3:-1]]
    assert " ".join(part.strip() for part, _ in words).split() == columns[0].cells[0].split()
    assert " ".join(part.strip() for _, part in words).split() == columns[1].cells[0].split()


def test_names_are_shortened_where_nothing_can_be_dropped_and_numbers_never():
    out = Console(file=io.StringIO(), width=30, force_terminal=True, color_system=None)
    columns = [
        Column("a_long_head", ["a long name", "b"], right=False, key=True),
        Column("key", ["another name", "c"], right=False, key=True),
        Column("number", ["0.123456", "0.1"]),
    ]
    assert print_columns(out, columns) == []
    lines = out.file.getvalue().splitlines()
    assert {len(line) for line in lines} == {30}
    assert [part.strip() for part in lines[3].split("│")] == ["", "a long …", "ano…", "0.123456", ""]


@pytest.mark.parametrize(
    ("head", "cell", "lines"),
    [
        ("learning_rate", "0.001", ["learning_", "rate"]),
        ("learning_rate", "a longer cell", ["learning_rate"]),
        ("schedule.kind", "-", ["schedule.", "kind"]),
        ("beta_2", "0.9", ["beta_2"]),
        ("seed", "0", ["seed"]),
    ],
)
def test_headings_are_broken_into_words_where_their_cells_are_narrower(head, cell, lines):
    assert broken(head, [cell]).splitlines() == lines


# -- one table in every format ----------------------------------------------------------------------------------------

RUNS = [("a", 0.5, None), ("b, \x1b|c", -0.25, 0.125)]
COLUMNS = [
    column("name", RUNS, lambda run: escaped(run[0]), {"name": lambda run: run[0]}, right=False, key=True),
    column("mean ± sd", RUNS, lambda run: f"{run[1]:.3f} ± 0", {"mean": lambda run: run[1], "sd": lambda run: run[2]}),
    column("hidden", RUNS, lambda _: "never", {"right": lambda run: run[1] > 0}, visible=False),
]


def printed(columns, width=None):
    """What people see: in a terminal of this width, or in a file."""
    out = Console(file=io.StringIO(), width=width or 1000, force_terminal=width is not None, color_system=None)
    print_tables(out, [Table("Title", columns, [Note("A note.")])])
    return out.file.getvalue().splitlines()


def test_people_see_the_cells_of_visible_columns():
    assert printed([Column("name", ["a", "bc"], right=False), Column("n", ["1", "10"])]) == [
        "Title",
        "name    n",
        "a       1",
        "bc     10",
        "A note.",
    ]
    for text in ("\n".join(printed(COLUMNS, 80)), markdown([Table("", COLUMNS)]), latex([Table("", COLUMNS)])):
        assert "never" not in text
        assert "hidden" not in text
        assert "0.500" in text


def test_csv_and_json_hold_every_value_under_its_name():
    assert records(COLUMNS) == [
        {"name": "a", "mean": 0.5, "sd": None, "right": True},
        {"name": "b, \x1b|c", "mean": -0.25, "sd": 0.125, "right": False},
    ]
    assert as_csv(COLUMNS) == 'name,mean,sd,right\na,0.5,,true\n"b, \x1b|c",-0.25,0.125,false\n'
    assert "\x1b" not in as_csv(COLUMNS, ascii)


def test_selected_rows_keep_cells_values_and_styles_together():
    styled = Column("state", ["x", "y", "z"], values={"state": [1, 2, 3]}, styles=["red", "", "bold"])
    (part,) = selected([styled], [2, 0])
    assert (part.cells, part.values, part.styles) == (["z", "x"], {"state": [3, 1]}, ["bold", "red"])
    assert selected(COLUMNS, [0])[0].styles == ()


def test_a_terminal_names_the_columns_that_it_has_no_room_for():
    narrow = [Column("name", ["abc"]), Column("wide", ["x" * 40], spare=0), Column("less", ["y" * 40], spare=1)]
    assert printed(narrow, 60)[-1] == "Too narrow here for: less."
    assert printed(narrow, 45)[-1] == "Too narrow here for: wide, less."
    assert printed(narrow, 120)[-1] == "A note."


def test_a_narrow_column_stays_where_a_more_important_one_has_no_room():
    columns = [Column("name", ["abc"]), Column("wide", ["x" * 40], spare=0), Column("slim", ["y"], spare=1)]
    assert printed(columns, 40)[-1] == "Too narrow here for: wide."


def test_titles_and_notes_are_cleaned_in_every_format():
    hostile = [Table("\x1b[31m_a_", COLUMNS, [Note("\x1b[0m {b} $c$")])]
    out = Console(file=io.StringIO(), force_terminal=True, color_system=None)
    print_tables(out, hostile)
    for text in (out.file.getvalue(), markdown(hostile), latex(hostile)):
        assert "\x1b" not in text
    assert r"\{b\} \$c\$" in latex(hostile)


# -- Markdown ---------------------------------------------------------------------------------------------------------

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown: str) -> list[str]:
    """The texts of the paragraphs and cells that Markdown makes; what is no text in them is named, as in <em>."""
    return [
        "".join(part.content if part.type.startswith("text") else f"<{part.tag or part.type}>" for part in one.children)
        for one in GITHUB.parse(markdown)
        if one.type == "inline"
    ]


def test_markdown_escapes_what_it_must_and_no_more():
    assert escaped("a|b_c*<x>[y]`\n") == r"a\|b_c\*&lt;x>[y]\`\\n"
    assert escaped("$x^2$") == r"\$x^2\$"  # no formula
    assert escaped("val_accuracy of mlp-_x_ [1,2] in [a](b)") == r"val_accuracy of mlp-\_x\_ [1,2] in [a]\(b)"
    assert escaped("[a]: b") == r"\[a]: b"


@given(st.lists(st.text("ab \\`*_~|[](){}<>&!:;/#x1\x1b\n", max_size=12), min_size=1, max_size=3))
def test_markdown_shows_text_as_it_is(texts):
    said = [text.replace("\x1b", r"\x1b").replace("\n", r"\n").strip() for text in texts]
    cells = as_markdown([Column("head", list(texts), right=False), Column("n", ["1"] * len(texts))])
    assert shown(cells) == ["head", "n", *(part for text in said for part in (text, "1"))]
    assert shown(f"A: {escaped(texts[0])}.") == [f"A: {texts[0]}.".replace("\x1b", r"\x1b").replace("\n", r"\n")]


@pytest.mark.parametrize("text", ["[a]: b", "[a]: <b> 'c'", "> a", "[x] a", "![a](b)", "[a][a]", "<b>a</b>", "&lt;a"])
def test_markdown_shows_what_begins_a_line_as_it_is(text):
    assert shown(f"- {escaped(text)}\n\n[a] b") == [text, "[a] b"]


# -- LaTeX ------------------------------------------------------------------------------------------------------------


def test_tex_spells_what_latex_would_read():
    assert tex(r"a\b{c}$&#%_^~<>|") == (
        r"a\textbackslash{}b\{c\}\$\&\#\%\_\textasciicircum{}\textasciitilde{}\textless{}\textgreater{}\textbar{}"
    )
    assert tex("LeNet-5 --- é 数 2±1") == r"LeNet-5 {-}{-}{-} é ? 2$\pm$1"
    assert tex("ε ≤ 0.1, n² ≈ ½ √2 \N{MINUS SIGN}3 x₁") == (
        r"$\epsilon$ $\leq$ 0.1, n$^{2}$ $\approx$ 1/2 $\surd$2 $-$3 x$_{1}$"
    )
    assert tex("it is 'worse' or ('so'), isn't it") == r"it is `worse{'} or (`so{'}), isn{'}t it"
    assert tex("\u03b1=ω, Σς") == r"$\alpha$=$\omega$, $\Sigma$$\varsigma$"


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("-", "--"),
        ("-0.25", "$-0.25$"),
        ("+12,150", "$+12{,}150$"),
        ("-0.25 to +1.5", "$-0.25$ to $+1.5$"),
        ("-0.1 ± 0.2", r"$-0.1$ $\pm$ 0.2"),
        ("1e-05", "1e-05"),
        ("-0.0427 to -1.8e-05", r"$-0.0427$ to $-1.8{\times}10^{-5}$"),
        ("+2e+12", r"$+2{\times}10^{12}$"),
        ("mlp-5", "mlp-5"),
        ("-x", "-x"),
    ],
)
def test_latex_sets_the_sign_of_a_number_as_one(cell, code):
    assert f"  {code} \\\\\n" in latex([Table("", [Column("n", [cell, "a text"])])])


@needs_latex
def test_every_character_that_is_spelled_compiles(tmp_path):
    texts = ["".join(TEX), "".join(GREEK), *map("".join, zip(TEX, GREEK, strict=False))]
    compiled(tmp_path, latex([Table("all", [Column("n", texts, right=False)])]))


def test_latex_has_a_table_for_each_and_names_the_packages_once():
    text = latex([Table("50%", COLUMNS, [Note("One."), Note("Two.")]), Table("", COLUMNS)])
    assert text.count(r"\usepackage{array,booktabs,graphicx,longtable,siunitx}") == 1
    assert text.count(r"\bottomrule") == 2
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1  # without a caption it stands in another
    assert r"\caption{50\%}" in text
    assert text.count(r"\caption") == 1
    assert r"\footnotesize One. Two." in text


def test_latex_names_the_characters_that_it_lacks():
    column = Column("n²", ["Привет ≤", "\N{MINUS SIGN}3"])
    assert "% LaTeX's usual fonts lack: Привет; they are ? here\n" in latex([Table("", [column])])
    assert "% LaTeX" not in latex([Table("", [Column("n²", ["≤", "\N{MINUS SIGN}3"])])])


def test_latex_becomes_smaller_or_leaves_out_what_is_needed_least():
    columns = [Column(str(i), ["-" * (i == 2) or "x" * 30], spare=None if i == 0 else 9 - i) for i in range(5)]
    every, fewer = latex([Table("", columns)]), latex([Table("", columns, shortened=True)])
    assert [str(i) in every.split(r"\midrule")[0].split(r"\toprule")[1] for i in range(5)] == [True] * 5
    assert "% A page has no room for: 1, 2\n" in fewer


@needs_latex
def test_a_table_without_a_caption_stands_in_an_environment_of_the_author(tmp_path):
    body = latex([Table("", COLUMNS)])
    compiled(tmp_path, f"\\begin{{table}}\n{body}\\caption{{mine}}\\label{{mine}}\\end{{table}}\n")


def test_notes_in_latex_that_are_no_sentences_end_with_a_full_stop():
    notes = list(
        map(Note, ["not counted: 1 failed", "Is it? No!", "means over folds (2 to 3)", "Intervals over folds."])
    )
    text = latex([Table("", [Column("n", ["1"])], notes)])
    assert "not counted: 1 failed. Is it? No! means over folds (2 to 3). Intervals over folds.\\par}\n" in text


def test_latex_aligns_columns_of_numbers_at_the_point():
    cells = ["0.9058 ± 0.0029", "12.5", "-", ""]
    text = latex([Table("", [Column("a_b", cells), Column("n", ["12,345", "7", "+1", "-2.5"])])])
    assert r"S[table-format=2.4, table-space-text-post={\,$\pm$\,0.0029}]" in text
    assert "S[table-format=-5.1, group-digits=integer, group-minimum-digits=4]" in text
    assert r"  {a\_b} & {n} \\" in text
    assert [line.strip() for line in text.split("\\midrule\n")[1].splitlines()[:4]] == [
        r"0.9058 {\,$\pm$\,0.0029} & 12345 \\",
        r"12.5 & 7 \\",
        r"{--} & +1 \\",
        r" & -2.5 \\".strip(),
    ]


@pytest.mark.parametrize(
    "cells", [["1", "a"], ["<0.001"], ["1e-05"], ["0.5 to 0.6"], ["1,23"], ["-", ""], ["0.5 ± 1e-05"]]
)
def test_latex_leaves_columns_of_other_texts_as_they_are(cells):
    assert r"\begin{tabular}{@{}r@{}}" in latex([Table("", [Column("n", cells)])])
    assert r"\begin{tabular}{@{}l@{}}" in latex([Table("", [Column("n", ["1", "2"], right=False)])])


# -- marks, and texts over several columns ----------------------------------------------------------------------------

MARKS = [Mark.BOLD, Mark.UNDERLINE, Mark.NONE]
MATRIX = [
    Column("model", ["a", "b", "c"], right=False, key=True),
    Column("x", ["0.9 ± 0.1", "0.8", "-"], marks=MARKS, over="test accuracy"),
    Column("y", ["few", "n < 3", "-"], marks=MARKS, over="test accuracy"),
    Column("x", ["0.125", "0.250", "0.5"], over="loss"),
]


def test_marked_cells_stand_out_in_every_format():
    assert [re.split(" {3,}", line)[1].strip() for line in printed(MATRIX)[3:6]] == ["0.9 ± 0.1 *", "0.8 ~", "-"]
    assert "| a | **0.9 ± 0.1** | **few** |" in markdown([Table("", MATRIX)])
    assert "| b | <u>0.8</u> | <u>n &lt; 3</u> |" in markdown([Table("", MATRIX)])
    text = latex([Table("", MATRIX)])
    assert r"  a & \bfseries 0.9 {\,$\pm$\,0.1} & \textbf{few} & 0.125 \\" in text
    assert r"  b & 0.8 {\llap{\underline{\phantom{\num{0.8}}}}} & \underline{n \textless{} 3} & 0.250 \\" in text
    out = Console(file=io.StringIO(), width=80, force_terminal=True)
    print_columns(out, MATRIX)
    assert "\x1b[1m0.9 ± 0.1\x1b[0m" in out.file.getvalue()
    assert re.search("\x1b\\[4m *0.8\x1b\\[0m", out.file.getvalue())
    assert selected(MATRIX, [2, 0])[1].marks == [Mark.NONE, Mark.BOLD]


def test_texts_over_several_columns_are_above_their_heads():
    head, below = printed(MATRIX)[1:3]
    assert re.split(" {2,}", head.strip()) == ["test accuracy", "test accuracy", "loss"]
    assert below.split() == ["model", "x", "y", "x"]
    assert "| model | test accuracy<br>x | test accuracy<br>y | loss<br>x |" in markdown([Table("", MATRIX)])
    text = latex([Table("", MATRIX)])
    assert r"   & \multicolumn{2}{c}{test accuracy} & \multicolumn{1}{c}{loss} \\" in text
    assert r"\cmidrule(lr){2-3} \cmidrule(lr){4-4}" in text


@pytest.mark.parametrize(
    ("room", "heads"),
    [
        (80, [["model", "x", "y", "x"]]),
        (36, [["model", "x", "y"], ["model", "x"]]),  # the second text starts a table of its own
        (22, [["model", "x"], ["model", "y"], ["model", "x"]]),
        (10, [["model", "x"], ["model", "y"], ["model", "x"]]),
    ],
)
def test_columns_go_on_below_with_the_keys_where_the_terminal_is_narrow(room, heads):
    assert [[column.head for column in part] for part in wrapped(MATRIX, room)] == heads
    out = Console(file=io.StringIO(), width=max(room, 22), force_terminal=True, color_system=None)
    print_tables(out, [Table("", MATRIX, wrapped=True)])
    assert out.file.getvalue().count("model") == len(heads)
    assert "Too narrow" not in out.file.getvalue()
