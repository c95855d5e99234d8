import itertools

from fitbench.analysis import textplot


def lit(line: str) -> list[int]:
    """The columns of a line that hold dots."""
    return [i for i, character in enumerate(line) if 0x2800 < ord(character) <= 0x28FF]


def drawn(train, validation=None, best=None, width=40, height=6, **options) -> list[str]:
    epochs = list(range(1, len(train) + 1))
    lines = textplot.panel("loss", epochs, train, validation or [None] * len(train), best, width, height, **options)
    assert {line.cell_len for line in lines} == {width}
    assert len(lines) == height + 3
    return [line.plain for line in lines]


def test_a_falling_curve_falls_from_corner_to_corner():
    lines = drawn([4.0, 3.0, 2.0, 1.0])
    starts = [lit(line)[0] for line in lines[1:7]]
    assert starts == sorted(starts)
    assert starts[0] == textplot.MARGIN
    assert lit(lines[6])[-1] == 39


def test_the_axes_have_round_numbers_where_they_are():
    lines = drawn([2.5] * 3 + [0.5] * 9, limits=(0.0, 3.0))
    assert [line.split()[0] for line in lines if "┤" in line] == ["2", "1"]
    assert lines[-1].split() == ["5", "10"]
    assert lines[-1].index("5") == textplot.MARGIN + 31 * 4 // 11
    assert lit(lines[6])[-1] == 39


def test_a_metric_without_bounds_that_spans_decades_is_drawn_by_them():
    falling = [10.0**-i for i in range(4)]
    lines = drawn(falling, height=8)
    assert [line.split()[0] for line in lines if "┤" in line] == ["1", "0.1", "0.01", "0.001"]
    heights = [next(i for i, line in enumerate(lines) if textplot.MARGIN + at in lit(line)) for at in (0, 10, 21, 31)]
    steps = [b - a for a, b in itertools.pairwise(heights)]
    assert max(steps) - min(steps) <= 1
    bounded = drawn(falling, height=8, limits=(0.0, 1.0))
    assert [line.split()[0] for line in bounded if "┤" in line] == ["1.0", "0.5"]


def test_the_best_epoch_is_marked_below_its_point():
    lines = drawn([3.0, 2.0, 1.0, 2.0, 3.0], best=3)
    assert lines[-2].index("▲") in lit(lines[6])
    assert drawn([3.0, 1.0], best=2)[-2][-1] == "▲"


def test_a_missing_value_leaves_a_gap():
    lines = drawn([1.0] * 5 + [None] * 10 + [1.0] * 5)
    columns = sorted({column for line in lines[1:7] for column in lit(line)})
    assert set(range(18, 30)).isdisjoint(columns)
    assert {8, 39} <= set(columns)


def test_constant_and_absent_values_are_drawn_without_failing():
    assert any(lit(line) for line in drawn([0.0, 0.0, 0.0]))
    assert not any(lit(line) for line in drawn([None, None]))


def test_large_and_small_numbers_fit_the_margin():
    for scale in (1e-9, 1e-3, 1.0, 99.9999, 999.99, 9999.9, 1e12):
        drawn([scale, scale / 2, -scale])


def test_the_legend_names_the_lines_that_are_there():
    assert textplot.legend(True, True, 3).plain.split("   ") == [
        "",
        "",
        "  ━━━ train",
        "╍╍╍ validation",
        "▲ best epoch, 3",
    ]
    assert "train" not in textplot.legend(False, True, None).plain
