"""What of comparisons fits on a screen."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from fitbench import cli
from fitbench.analysis.screen import BELOW, FEWEST, LOWEST, Size, room


def terminal(width, height):
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None)


def test_one_long_comparison_gets_all_lines_and_several_share_them():
    assert room(terminal(80, 40), [Size([60], 1)])[:2] == (1, 27)
    assert room(terminal(80, 40), [Size([60, 60], 1)])[:2] == (1, 9)
    assert room(terminal(80, 40), [Size([2], 0)] * 4)[:2] == (4, FEWEST)
    assert room(terminal(80, 40), [Size([2], 0)] * 9)[:2] == (4, FEWEST)
    assert room(terminal(80, 100), [Size([2], 0)] * 9)[0] == 9


@given(
    st.integers(1, 120),
    st.lists(st.builds(Size, st.lists(st.integers(1, 200), min_size=1, max_size=2), st.integers(0, 3)), min_size=1),
)
def test_no_screen_gets_more_than_it_has_lines_for(height, sizes):
    shown, rows, left = room(terminal(80, height), sizes)
    assert 1 <= shown <= len(sizes)
    assert rows >= FEWEST
    fits = sum(size.lines(rows) for size in sizes[:shown]) + BELOW <= max(height, LOWEST)
    assert fits or (shown, rows) == (1, FEWEST)
    assert left == max(0, max(height, LOWEST) - BELOW - sum(size.lines(rows) for size in sizes[:shown]))


def test_six_studies_fit_on_one_screen(make_run, tmp_path, monkeypatch):
    for study, data in enumerate(("digits", "fashion_mnist", "mnist", "mnist_5k", "digits", "mnist_5k")):
        for trial in range(8):
            changes = (f"study=s{study}", f"data={data}", f"optimizer.learning_rate={0.0123456789 * (trial + 1)}")
            make_run(*changes, f"training.batch_size={32 + trial}", sha256=f"{study:02}" * 32)
            make_run(*changes, "seed=1", f"training.batch_size={32 + trial}", sha256=f"{study:02}" * 32)
    out = terminal(80, 40)
    monkeypatch.setattr("fitbench.analysis.compare.console", lambda: out)
    monkeypatch.setattr("fitbench.formats.console", lambda: out)
    CliRunner().invoke(cli.app, ["compare", str(tmp_path / "outputs"), "--all"], catch_exceptions=False)
    lines = out.file.getvalue().splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert any("learning_" in line for line in lines)
    assert "more data sets: " in out.file.getvalue()


def test_data_sets_without_a_table_have_a_line_with_their_best_group(make_run, tmp_path, monkeypatch):
    for number, data in enumerate(("digits", "fashion_mnist", "mnist", "mnist_5k", "mnist")):
        for model in ("mlp", "softmax", "lenet5", "convnet"):
            make_run(f"data={data}", f"model={model}", f"study=s{number}", sha256=f"{number:02}" * 32)
    out = terminal(80, 24)
    monkeypatch.setattr("fitbench.analysis.compare.console", lambda: out)
    monkeypatch.setattr("fitbench.formats.console", lambda: out)
    CliRunner().invoke(cli.app, ["compare", str(tmp_path / "outputs"), "--all"], catch_exceptions=False)
    lines = out.file.getvalue().splitlines()
    assert 14 <= len(lines) <= 24
    best = [line.split(": ")[0] for line in lines if line.endswith("(n = 1), the best of 4 groups")]
    names = ["digits", "fashion_mnist", "mnist (SHA-256 02020202)", "mnist (SHA-256 04040404)", "mnist_5k"]
    assert len(best) == 4
    assert sorted([*best, lines[0].split(": ")[0]]) == names
    assert "and 4 more data sets above without a table; --limit 4 shows all" in lines
