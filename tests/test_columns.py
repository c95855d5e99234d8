import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from fitbench.columns import Column, as_markdown, broken, escaped, print_columns


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
    assert printed(16) == (["worst", "best", "time"], ["name", "mean"])


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
