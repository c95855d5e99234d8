"""Tables in HTML: what is seen of columns, and texts that are never markup."""

import re

from fitbench.columns import Column, Mark, Note, Table
from fitbench.formats import print_as
from fitbench.html import html

NASTY = "<script>alert('x')</script> & \"quotes\" \x1b[31m"


def body(*tables: Table) -> str:
    """The page without its style."""
    return re.sub(r"<style>.*?</style>", "", html(tables), flags=re.DOTALL)


def test_texts_are_text_wherever_they_stand():
    table = Table(NASTY, [Column(NASTY, [NASTY], over=NASTY, signs=[NASTY])], [Note(NASTY, "yellow")])
    text = body(table)
    assert "<script" not in text
    assert "\x1b" not in text
    assert text.count("&lt;script&gt;") == 7  # with the title of the page


def test_cells_have_side_style_mark_and_sign():
    column = Column("n", ["1", "2"], styles=["bold red", ""], marks=[Mark.BOLD, Mark.UNDERLINE], signs=["+", ""])
    text = body(Table("", [Column("name", ["a", "b"], right=False, key=True), column]))
    assert '<th scope=row>a</th><td class="fitbench-right fitbench-bold fitbench-red"><b>1</b>' in text
    assert '<span class="fitbench-sign">+</span></td>' in text
    assert '<td class="fitbench-right"><u>2</u><span class="fitbench-sign"></span></td>' in text


def test_hidden_columns_are_not_shown_and_neighbours_share_what_stands_over_them():
    columns = [
        Column("", ["x"]),
        *(Column(name, [name], over="all of them") for name in "ab"),
        Column("hidden", [""], visible=False),
    ]
    text = body(Table("title", columns))
    assert '<tr><th colspan=1></th><th class="fitbench-over" colspan=2>all of them</th></tr>' in text
    assert "hidden" not in text
    assert "<caption>title</caption>" in text


def test_rows_that_stand_together_are_a_group_and_notes_alone_are_no_table():
    text = body(Table("", [Column("n", list("1234"))], together=2), Table("", [], [Note("alone")]))
    assert [group.count("<tr>") for group in text.split("<tbody>")[1:]] == [2, 2]
    assert text.count("<table>") == 1
    assert '<p class="fitbench-note fitbench-dim">alone</p>' in text


def test_the_style_has_a_rule_for_each_ground_and_is_for_tables_alone():
    [style] = re.findall(r"<style>(.*?)</style>", html([Table("", [Column("n", ["1"])])]), flags=re.DOTALL)
    assert "prefers-color-scheme: dark" in style
    selectors = re.findall(r"(?:^|[{}])\s*([^{}@]+)\{", style)
    assert selectors
    assert all("fitbench-tables" in part for selector in selectors for part in re.split(r",(?![^(]*\))", selector))


def test_every_command_that_prints_tables_can_print_html(capsys):
    print_as("html", [Table("runs", [Column("n", ["1"])])], [])
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>\n")
