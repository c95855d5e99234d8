import itertools
import json
import subprocess
import sys
import zlib

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image
from typer.testing import CliRunner

from fitbench import load_runs
from fitbench.analysis import statistics
from fitbench.analysis.frame import quantities_of
from fitbench.analysis.groups import group
from fitbench.analysis.mean_curves import MeanCurve
from fitbench.analysis.request import Which
from fitbench.charts import labels, looks, paper
from fitbench.charts.bars import Row, chart_of_bars, draw_rows
from fitbench.charts.columns import scale
from fitbench.charts.curves import Curve, chart_of_curves, draw_curves, in_order
from fitbench.charts.labels import in_two_lines
from fitbench.charts.parallel import apart, chart_of_parallel, draw_parallel, varying_keys
from fitbench.charts.placing import Point
from fitbench.charts.plotting import plot
from fitbench.charts.scatter import chart_of_scatter, draw_scatter, pareto_front
from fitbench.cli import app
from fitbench.errors import FitbenchError, RequestError
from fitbench.quantities import Quantity, of_schema_1, quantities

from ..run_folders import KAPPA, record_metrics

BY = ["model.name", "optimizer.name"]
RECORDED = quantities([of_schema_1()])
ACCURACY = RECORDED["metrics.test_accuracy"]
VALIDATION = RECORDED["metrics.val_accuracy"]
SECONDS = RECORDED["timing.seconds"]
SPEED = RECORDED["timing.examples_per_second"]
UP = Quantity("metrics.test_score", "score", "max", -np.inf)
HOSTILE = ["$\\frac{1}{2$ \x1b[31m</svg><script>", "W" * 300, "W" * 299 + "x", "\u202eabc", "a" * 40 + "_" + "b" * 40]


@pytest.fixture
def record(tmp_path):
    """Writes a finished run with these epochs of val_accuracy below `runs`; gives its folder."""

    def write(model="mlp", optimizer="adam", seed=0, accuracy=0.9, epochs=(0.5, 0.8), fit_seconds=2.0, **changes):
        config = {
            "data": {"name": "mnist_5k"},
            "model": {"name": model} | changes.pop("model_settings", {}),
            "optimizer": {"name": optimizer, "learning_rate": {"adam": 0.001}.get(optimizer, 0.1)},
            "training": {"batch_size": 128},
            "distortion": {"kind": "none"},
        }
        config_id = f"{zlib.crc32(json.dumps(config).encode()):08x}"
        history = [{"epoch": i, "loss": 1 / i, "val_accuracy": value} for i, value in enumerate(epochs, 1)]
        metrics = {"train_loss": 0.5, "train_accuracy": 0.9, "val_loss": 0.5, "val_accuracy": epochs[-1]}
        result = {
            "schema": 1, "run_id": f"x-{config_id}-s{seed}", "config_id": config_id, "seed": seed, "study": "grid",
            "config": config | {"seed": seed, "study": "grid"},
            "metrics": metrics | {"test_loss": 1 - (accuracy or 0), "test_accuracy": accuracy,
                                  "best_epoch": 1, "epochs": len(epochs)},
            "timing": {"fit_seconds": fit_seconds, "seconds": 9.0, "images_per_second": 1000.0 / (fit_seconds or 1)},
            "parameters": 1000,
            "data": {"name": "mnist_5k", "sha256": "ab" * 32, "train": 9, "validation": 1000, "test": 1000,
                     "classes": ["a", "b"]},
            "versions": {}, "git": {}, "device": "cpu", "attempts": 1, "finished_at": "2026-01-02T03:04:05Z",
        } | changes  # fmt: skip
        folder = tmp_path / "runs" / f"{len(list((tmp_path / 'runs').glob('*'))):03}"
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(result))
        (folder / "history.jsonl").write_text("".join(json.dumps(epoch) + "\n" for epoch in history))
        return folder

    return write


def grouped(folder, by=BY, metric="test_accuracy"):
    frame = load_runs(folder)
    return group(frame, by, metric), frame


def lines(figure, gid):
    """The data of the lines of this kind: a list of (x, y)."""
    return [(line.get_xdata(), line.get_ydata()) for line in figure.axes[0].lines if line.get_gid() == gid]


def texts(figure, gid):
    return [text.get_text() for text in figure.findobj(Text) if text.get_gid() == gid]


def assert_nothing_is_cut(figure):
    """All that is drawn is inside of the figure, the legend is above the axes, and these are not squeezed."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    labels = [text for text in figure.findobj(Text) if text.get_gid() == "label"]
    to_inches = figure.dpi_scale_trans.inverted()
    drawn = [
        figure.get_tightbbox(renderer),
        *(text.get_window_extent(renderer).transformed(to_inches) for text in labels),
    ]
    width, height = figure.get_size_inches()
    for box in drawn:
        assert min(box.x0, box.y0) >= -0.01
        assert box.x1 <= width + 0.01
        assert box.y1 <= height + 0.01
    axes = figure.axes[0].get_window_extent(renderer)
    assert axes.width > 0.4 * figure.bbox.width
    assert axes.height > 0.4 * figure.dpi
    for legend in figure.legends:
        assert legend.get_window_extent(renderer).y0 >= axes.y1


# -- the look ---------------------------------------------------------------------------------------------------------


def lightness(colour):
    """CIE L*, 0 for black to 100 for white: what a greyscale print keeps."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    y = np.dot([0.2126, 0.7152, 0.0722], linear)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def test_ten_groups_look_different_and_the_first_three_in_greyscale_too():
    found = looks.looks([(i,) for i in range(looks.MOST)])
    assert len({look.color for look in found}) == len({look.marker for look in found}) == 10
    grey = [lightness(look.color) for look in found]
    assert min(abs(a - b) for a, b in itertools.combinations(grey[:3], 2)) > 20
    assert max(grey) < 75  # on white


def test_of_two_keys_one_is_told_by_colour_and_marker_and_one_by_line_and_filling():
    a, b, c = looks.looks([("mlp", "adam"), ("mlp", "sgd"), ("lenet5", "sgd")])
    assert (a.color, a.marker) == (b.color, b.marker) != (c.color, c.marker)
    assert (b.line, b.filled) == (c.line, c.filled)
    assert a.line != b.line
    assert a.filled != b.filled


def test_a_long_label_is_cut_in_the_middle_and_stays_distinct():
    assert labels.shortened("mlp, adam", 1) == "mlp, adam"
    short = labels.shortened("a" * 40 + "_" + "b" * 40, 1)
    assert short.startswith("aaaa")
    assert short.endswith("bbbb")
    assert "…" in short
    assert labels.shortened("a\x1b\u202e", 1) == "a\\x1b\\u202e"
    first, second = labels.labels(["W" * 300, "W" * 150 + "x" + "W" * 149], 1)
    assert first != second


# -- learning curves --------------------------------------------------------------------------------------------------


def test_a_mean_ends_where_the_first_run_stopped_and_the_others_go_on_alone(record, tmp_path):
    recorded = [[0.5, 0.7, 0.8], [0.4, 0.6, 0.7, 0.9, 0.91], [0.3, 0.8, 0.9, 0.95]]
    for seed, epochs in enumerate(recorded):
        record(seed=seed, epochs=epochs)
    groups, frame = grouped(tmp_path)
    chart = chart_of_curves(groups, frame, VALIDATION, "column")
    ((x, y),) = lines(chart.figure, "mean")
    assert list(x) == [1, 2, 3]
    assert y == pytest.approx(np.mean([epochs[:3] for epochs in recorded], axis=0))
    tails = [(list(x), list(y)) for x, y in lines(chart.figure, "tail")]
    assert tails == [([3, 4, 5], [0.7, 0.9, 0.91]), ([3, 4], [0.9, 0.95])]
    band = chart.figure.axes[0].collections[0].get_paths()[0].vertices
    for epoch in (1, 2, 3):
        low, high = statistics.mean_interval([epochs[epoch - 1] for epochs in recorded], 0, 1)
        at = band[band[:, 0] == epoch, 1]
        assert (at.min(), at.max()) == pytest.approx((low, high))
    assert (chart.runs, chart.groups) == (3, 1)
    assert "thin lines" in chart.caption
    assert "Bands" in chart.caption


def test_two_seeds_have_no_band(record, tmp_path):
    for seed in range(2):
        record(seed=seed)
    groups, frame = grouped(tmp_path)
    chart = chart_of_curves(groups, frame, VALIDATION, "column")
    assert not chart.figure.axes[0].collections
    assert "no band" in chart.caption
    assert "thin lines" not in chart.caption


def test_more_than_five_groups_have_a_bar_at_the_last_epoch_in_place_of_bands():
    epochs = np.arange(1, 4)
    curves = [
        Curve(str(i), (i,), MeanCurve(epochs, epochs + i, epochs + i - 0.2, epochs + i + 0.2, ())) for i in range(6)
    ]
    for count, bands, bars in ((5, 5, 0), (6, 0, 6)):
        axes = draw_curves(curves[:count], "accuracy").axes[0]
        assert len(axes.collections) == bands
        found = [line for line in axes.lines if line.get_gid() == "interval"]
        assert len(found) == bars
        assert all(list(line.get_xdata()) == [3, 3] for line in found)
        places = [line.get_transform().transform([(3, 0)])[0, 0] for line in found]  # pixels
        assert (np.diff(places) > 1.5 * axes.figure.dpi / 72).all()
        assert all(place > axes.transData.transform((3, 0))[0] for place in places)


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ([(0.1,), (0.001,), (0.01,)], [(0.001,), (0.01,), (0.1,)]),
        ([("[300]",), ("[20]",), ("[100, 50]",)], [("[20]",), ("[100, 50]",), ("[300]",)]),
        ([("sgd", 0.1), ("adam", 0.01), ("sgd", 0.01)], [("adam", 0.01), ("sgd", 0.01), ("sgd", 0.1)]),
        ([("mlp",), ("lenet5",), ("cnn",)], [("mlp",), ("lenet5",), ("cnn",)]),  # texts keep the order of their ranks
    ],
)
def test_a_legend_of_numbers_is_in_their_order(values, order):
    empty = np.empty(0)
    curves = [Curve("", value, MeanCurve(empty, empty, empty, empty, ())) for value in values]
    assert [curve.values for curve in in_order(curves)] == order


def test_runs_without_the_metric_in_their_history_are_left_out_and_counted(record, tmp_path):
    record(seed=0)
    (record(seed=1) / "history.jsonl").write_text('{"epoch": 1, "val_accuracy": null}\n')
    (record(seed=2) / "history.jsonl").unlink()
    groups, frame = grouped(tmp_path)
    chart = chart_of_curves(groups, frame, VALIDATION, "column")
    assert chart.runs == 1
    assert chart.left_out["without epochs"] == 2
    with pytest.raises(RequestError, match=r"none of the runs has val_loss in its history"):
        chart_of_curves(groups, frame, RECORDED["metrics.val_loss"], "column")


def test_runs_without_a_common_epoch_have_no_mean():
    empty = np.empty(0)
    tails = [(np.array([1, 2]), np.array([0.5, 0.6])), (np.array([4, 5]), np.array([0.5, 0.6]))]
    figure = draw_curves([Curve("a", ("a",), MeanCurve(empty, empty, empty, empty, tails))], "accuracy")
    assert len(lines(figure, "tail")) == 2
    assert_nothing_is_cut(figure)


def test_of_more_than_ten_groups_the_best_ten_are_shown(record, tmp_path, capsys):
    for i in range(12):
        record(model=f"m{i:02}", accuracy=0.5 + i / 100)
    groups, frame = grouped(tmp_path)
    chart = chart_of_curves(groups, frame, VALIDATION, "column")
    (legend,) = chart.figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {f"m{i:02}, adam" for i in range(2, 12)}
    assert chart.left_out["beyond the best 10 groups"] == 2
    assert capsys.readouterr().err == "fitbench: of 12 groups the best 10 are drawn; --where chooses others\n"


def test_the_legend_is_a_table_of_the_two_keys():
    one = np.array([1.0])
    order = [("a", "sgd"), ("b", "adam"), ("b", "sgd"), ("a", "adam")]
    figure = draw_curves(
        [Curve(", ".join(values), values, MeanCurve(one, one, one, one)) for values in order], "accuracy"
    )
    texts = [text.get_text() for text in figure.legends[0].get_texts()]  # a column after the other
    assert texts == ["a, sgd", "b, sgd", "a, adam", "b, adam"]


# -- means with intervals ---------------------------------------------------------------------------------------------


def test_the_best_mean_is_on_top_with_its_interval_and_its_runs(record, tmp_path):
    values = {"mlp": [0.90, 0.92, 0.94], "lenet5": [0.95, 0.96, 0.97]}
    for (model, accuracies), seed in itertools.product(values.items(), range(3)):
        record(model=model, seed=seed, accuracy=accuracies[seed])
    chart = chart_of_bars(grouped(tmp_path)[0], ACCURACY, "column")
    axes = chart.figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["lenet5, adam", "mlp, adam"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row is above the second
    ((x, y),) = lines(chart.figure, "mean")
    assert x == pytest.approx([0.96, 0.92])
    assert list(y) == [0, 1]
    intervals = [list(x) for x, _ in lines(chart.figure, "interval")]
    assert intervals == [pytest.approx(statistics.mean_interval(values[name], 0, 1)) for name in ("lenet5", "mlp")]
    assert [sorted(x) for x, _ in lines(chart.figure, "run")] == [values["lenet5"], values["mlp"]]
    assert axes.get_xlim()[0] > 0.8  # dots need no zero
    assert axes.get_xlim()[1] <= 1
    assert "(large dots: the axis does not begin at zero)" in chart.caption


def test_bars_begin_at_zero_where_they_tell_the_difference():
    figure = draw_rows([Row("a", 0.2, 0.1, 0.3), Row("b", 0.9, 0.8, 0.95)], "loss")
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.2, 0.9]
    assert axes.get_xlim()[0] == 0
    assert not lines(figure, "mean")
    assert not draw_rows([Row("a", 0.8, 0.7, 0.9), Row("b", 0.9, 0.8, 0.95)], "loss").axes[0].patches


def test_equal_runs_are_as_many_dots_beside_each_other():
    figure = draw_rows([Row("a", 0.9, 0.88, 0.92, [0.9] * 5), Row("b", 0.8, 0.7, 0.9, [0.75, 0.85])], "accuracy")
    first, second = [line.get_ydata() for line in figure.axes[0].lines if line.get_gid() == "run"]
    assert len(set(first)) == 5
    assert 0 < min(first) < max(first) < 0.5
    assert list(second) == [1.25, 1.25]


def test_ticks_that_are_too_close_are_left_out_between_the_ends():
    ticks = [(0.06, "0.002173"), (0.09, "0.00265"), (0.12, "0.003"), (0.5, "0.1"), (0.93, "0.9"), (0.94, "1")]
    assert apart(ticks, 0.05) == [(0.06, "0.002173"), (0.12, "0.003"), (0.5, "0.1"), (0.94, "1")]
    assert apart(ticks[:1], 0.05) == ticks[:1]
    assert apart([], 0.05) == []


def test_an_axis_ends_where_the_metric_does():
    rows = [Row(name, 1.0, 1.0, 1.0, (1.0, 1.0)) for name in "ab"]
    assert draw_rows(rows, "accuracy", limits=(0.0, 1.0)).axes[0].get_xlim()[1] == 1
    assert draw_rows(rows, "loss").axes[0].get_xlim()[1] > 1


def test_keys_are_named_where_their_values_do_not_speak(record, tmp_path):
    for width in (0.1, 0.20000000000000001, 0.3333333333333333, 1234.5):
        record(model_settings={"dropout": width})
    chart = chart_of_bars(grouped(tmp_path, ["model.dropout"])[0], ACCURACY, "column")
    assert chart.figure.get_suptitle() == "dropout"
    shown = [text.get_text() for text in chart.figure.axes[0].get_yticklabels()]
    assert shown == ["0.1", "0.2", "0.333", "1234.5"]
    by_name = chart_of_bars(grouped(tmp_path)[0], ACCURACY, "column")
    assert by_name.figure.get_suptitle() == ""


# -- a metric against a cost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low_x", "low_y"), [(True, True), (True, False), (False, True), (False, False)])
def test_the_pareto_front_is_what_no_point_dominates(low_x, low_y):
    random = np.random.default_rng(0)
    for count in (1, 2, 5, 40):
        x, y = random.integers(0, 6, (2, count)).astype(float)  # with ties and equal points
        a, b = (x if low_x else -x), (y if low_y else -y)
        dominated = [((a <= a[i]) & (b <= b[i]) & ((a < a[i]) | (b < b[i]))).any() for i in range(count)]
        assert (pareto_front(x, y, low_x, low_y) == ~np.array(dominated)).all()


def test_the_front_is_joined_by_a_staircase_and_labelled():
    points = [Point("a", 1, 0.5), Point("b", 2, 0.4), Point("c", 3, 0.9), Point("d", 4, 0.8)]
    figure = draw_scatter(points, SECONDS, UP)
    ((x, y),) = lines(figure, "stairs")
    assert list(zip(x, y, strict=True)) == [(1, 0.5), (3, 0.5), (3, 0.9)]
    ((x, y),) = lines(figure, "front")
    assert list(zip(x, y, strict=True)) == [(1, 0.5), (3, 0.9)]
    ((x, _),) = lines(figure, "dominated")
    assert list(x) == [2, 4]
    assert set(texts(figure, "label")) == {"a", "b", "c", "d"}
    faster = draw_scatter(points, SPEED, UP)
    ((x, y),) = lines(faster, "stairs")
    assert list(zip(x, y, strict=True)) == [(3, 0.9), (3, 0.8), (4, 0.8)]


def test_of_many_points_those_on_the_front_are_labelled():
    points = [Point(f"p{i}", 1 + i % 7, 0.5 + i / 100) for i in range(40)]
    figure = draw_scatter(points, SECONDS, UP)
    on = pareto_front(np.array([p.x for p in points]), np.array([p.y for p in points]), True, False)
    assert set(texts(figure, "label")) == {f"p{i}" for i in np.flatnonzero(on)}
    assert 1 < on.sum() < 8


def test_labels_cover_no_point_and_no_other_label():
    points = [Point(f"model {i}", 1 + i, 0.5 + 0.05 * (i % 3)) for i in range(6)]
    figure = draw_scatter(points, SECONDS, UP)
    renderer = figure.canvas.get_renderer()
    labels = [text for text in figure.findobj(Text) if text.get_gid() == "label"]
    boxes = [text.get_window_extent(renderer) for text in labels]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    dots = figure.axes[0].transData.transform([(point.x, point.y) for point in points])
    assert not any(box.contains(*dot) for box in boxes for dot in dots)


@pytest.mark.parametrize(("largest", "is_log"), [(9e3, False), (1e6, True)])
def test_an_axis_over_a_factor_of_ten_is_logarithmic_with_plain_numbers(largest, is_log):
    figure = draw_scatter([Point("a", 1e3, 0.5), Point("b", largest, 0.6)], SECONDS, UP)
    assert figure.axes[0].get_xscale() == ("log" if is_log else "linear")
    figure.draw_without_rendering()
    shown = {text.get_text() for text in figure.axes[0].get_xticklabels()}
    assert not any("$" in text for text in shown)
    assert "10k" in shown or not is_log


def test_a_scatter_takes_the_runs_that_have_both(record, tmp_path):
    for seed, seconds in enumerate([1.0, 2.0, 4.5, None]):
        record(seed=seed, accuracy=0.8 + seed / 100, fit_seconds=seconds)
    record(model="lenet5", accuracy=0.95, fit_seconds=None)
    groups, frame = grouped(tmp_path)
    cost = RECORDED["timing.fit_seconds"]
    chart = chart_of_scatter(groups, frame, ACCURACY, cost, "column")
    ((x, y),) = lines(chart.figure, "front")
    assert (x[0], y[0]) == pytest.approx((2.5, 0.81))
    assert (chart.runs, chart.groups, chart.left_out) == (3, 1, {"without fit_seconds": 2})
    vertical, across = lines(chart.figure, "interval")
    assert list(vertical[1]) == pytest.approx(statistics.mean_interval([0.8, 0.81, 0.82], 0, 1))
    assert list(across[0]) == pytest.approx(statistics.mean_interval([1.0, 2.0, 4.5], 0, np.inf))


# -- metrics that fitbench does not supply ----------------------------------------------------------------------------


def measured(folder, value, epochs=None, info=KAPPA, primary=None):
    """A run that also records kappa, in its history where `epochs` are given."""
    columns = None if epochs is None else {"val_kappa": epochs}
    return record_metrics(folder, {"kappa": info}, {"test_kappa": value, "val_kappa": value}, columns, primary)


def kappa_of(folder, column="metrics.test_kappa"):
    return quantities_of(load_runs(folder))[column]


def test_curves_of_a_metric_with_a_negative_range(record, tmp_path):
    values = [[-0.9, -0.5], [-0.8, -0.4], [-0.7, -0.6]]
    for seed, epochs in enumerate(values):
        measured(record(seed=seed), epochs[-1], epochs)
    groups, frame = grouped(tmp_path)
    chart = chart_of_curves(groups, frame, kappa_of(tmp_path, "metrics.val_kappa"), "column")
    ((_, y),) = lines(chart.figure, "mean")
    assert list(y) == pytest.approx([-0.8, -0.5])
    band = chart.figure.axes[0].collections[0].get_paths()[0].vertices
    expected = statistics.mean_interval([epochs[1] for epochs in values], -1.0, 1.0)
    at = band[band[:, 0] == 2, 1]
    assert (at.min(), at.max()) == pytest.approx(expected)
    assert chart.figure.axes[0].get_ylabel() == "validation Cohen's kappa"
    assert chart.figure.axes[0].get_ylim()[0] >= -1
    assert chart.caption.startswith("Validation Cohen's kappa by epoch, mean over 3 runs each.")


def test_runs_that_were_evaluated_later_are_named_in_the_caption(record, tmp_path, capsys):
    for seed in range(4):
        measured(record(seed=seed), 0.5, [0.1, 0.2] if seed == 0 else None)
    record(seed=9)  # of schema 1: it has no such metric at all
    plot(Which([tmp_path], every=True), "curves", tmp_path / "chart.png", metric="val_kappa")
    line, caption = capsys.readouterr().out.splitlines()
    assert "1 run in 1 group" in line
    assert "4 left out (1 without val_kappa, 3 without epochs)" in line
    assert caption.endswith(" 3 runs have no history of val_kappa.")


def test_a_band_is_as_wide_as_the_resolution_of_a_proportion(record, tmp_path):
    for seed in range(3):
        record(seed=seed, epochs=(0.5, 0.9))  # all the same, of 1,000 validation examples
    groups, frame = grouped(tmp_path)
    chart = chart_of_curves(groups, frame, VALIDATION, "column")
    band = chart.figure.axes[0].collections[0].get_paths()[0].vertices
    at = band[band[:, 0] == 2, 1]
    assert (at.min(), at.max()) == pytest.approx((0.899, 0.901))


@pytest.mark.parametrize(("direction", "best"), [("max", "big"), ("min", "small")])
def test_the_direction_of_a_metric_decides_what_is_best(direction, best, record, tmp_path):
    info = KAPPA | {"direction": direction}
    for model, value, parameters in (("big", 0.6, 2000), ("small", -0.5, 1000)):
        measured(record(model=model, parameters=parameters), value, info=info)
    groups, frame = grouped(tmp_path, metric=kappa_of(tmp_path))
    bars = chart_of_bars(groups, kappa_of(tmp_path), "column")
    assert bars.figure.axes[0].get_yticklabels()[0].get_text() == f"{best}, adam"
    assert bars.figure.axes[0].get_xlabel() == "test Cohen's kappa"
    scatter = chart_of_scatter(groups, frame, kappa_of(tmp_path), RECORDED["parameters"], "column")
    ((x, _),) = lines(scatter.figure, "front")
    assert list(x) == ([1000, 2000] if direction == "max" else [1000])
    parallel = chart_of_parallel(groups, kappa_of(tmp_path), "full")
    assert f"dark where test Cohen's kappa is {'high' if direction == 'max' else 'low'}" in parallel.caption


@pytest.mark.parametrize(("kind", "axis"), [("bars", "Test Cohen's kappa"), ("curves", "Validation Cohen's kappa")])
def test_the_primary_metric_is_the_default(kind, axis, record, tmp_path, capsys):
    measured(record(), 0.5, [0.1, 0.2], primary="kappa")
    plot(Which([tmp_path], every=True), kind, tmp_path / "chart.png")
    assert capsys.readouterr().out.splitlines()[1].startswith(axis)


@pytest.mark.parametrize("kind", ["bars", "scatter", "curves", "parallel"])
def test_different_definitions_under_one_name_are_refused(kind, record, tmp_path):
    measured(record(), 0.5, [0.1, 0.2])
    measured(record(seed=1), 0.5, [0.1, 0.2], info=KAPPA | {"definition": "other"})
    with pytest.raises(RequestError, match="_kappa has different definitions in these runs"):
        plot(Which([tmp_path], every=True), kind, tmp_path / "chart.png", metric="val_kappa")
    assert not (tmp_path / "chart.png").exists()


def test_the_unit_of_a_metric_stands_on_its_axis(record, tmp_path):
    measured(record(), 12.5, info=KAPPA | {"label": "latency", "unit": "ms", "range": [0.0, None], "direction": "min"})
    chart = chart_of_bars(grouped(tmp_path, metric=kappa_of(tmp_path))[0], kappa_of(tmp_path), "column")
    assert chart.figure.axes[0].get_xlabel() == "test latency (ms)"


# -- parallel coordinates ---------------------------------------------------------------------------------------------


def test_categories_stand_apart_with_their_runs_in_order_of_the_metric():
    axis = scale("model.name", ["b", "a", "b", None], np.array([0.9, 0.5, 0.3, 0.4]))
    assert [text for _, text in axis.ticks] == ["a", "b", "(none)"]
    a, b, none = (place for place, _ in axis.ticks)
    assert a > b > none
    assert axis.places[1] == a
    assert axis.places[3] == none
    assert none < axis.places[2] < b < axis.places[0] < a
    assert axis.places[[0, 2]].mean() == pytest.approx(b)


def test_lists_of_numbers_stand_in_the_order_of_the_numbers():
    axis = scale("model.hidden", ["[128, 8]", "[8, 64]", "[16, 32]"], np.arange(3.0))
    assert [text for _, text in axis.ticks] == ["[8, 64]", "[16, 32]", "[128, 8]"]


def test_numbers_stand_in_order_and_by_decades_where_they_span_a_factor_of_ten():
    by_decades = scale("optimizer.learning_rate", [0.001, 0.01, 0.1], np.arange(3.0)).places
    assert by_decades[1] - by_decades[0] == pytest.approx(by_decades[2] - by_decades[1])
    assert 0 < by_decades[0] < 0.1
    assert 0.9 < by_decades[2] < 1
    linear = scale("training.batch_size", [32, 64, 128], np.arange(3.0))
    assert (linear.places[2] - linear.places[1]) == pytest.approx(2 * (linear.places[1] - linear.places[0]))
    assert [text for _, text in linear.ticks] == ["32", "64", "128"]
    with_zero = scale("model.dropout", [0.0, 0.5, None], np.arange(3.0))
    assert with_zero.places[2] < with_zero.places[0] < with_zero.places[1]
    assert (float(with_zero.places[2]), "(none)") in with_zero.ticks


@pytest.mark.parametrize("values", [[1e299, -1e299, 0], [10**400, 1, 2], [5e-324, 1, 2], [True, False, 1], [7, 7, 7]])
def test_values_of_a_stranger_have_a_place(values):
    places = scale("x", values, np.arange(3.0)).places
    assert np.isfinite(places).all()
    assert (places >= 0).all()
    assert (places <= 1).all()


@pytest.mark.parametrize("higher", [True, False])
def test_the_best_line_is_the_darkest_on_top_and_ends_at_its_metric(higher):
    metric = np.array([0.7, 0.9, 0.8])
    figure = draw_parallel([scale("model.name", ["a", "b", "c"], metric)], metric, UP if higher else SECONDS)
    (drawn,) = [c for c in figure.axes[0].collections if type(c).__name__ == "PathCollection"]
    ends = [path.vertices[-1][1] for path in drawn.get_paths()]
    assert ends == pytest.approx([0, 0.5, 1] if higher else [1, 0.5, 0])
    light = [lightness(colour[:3]) for colour in drawn.get_edgecolors()]
    assert light == sorted(light, reverse=True)
    assert light[0] - light[2] > 50


def test_columns_that_a_name_implies_get_no_axis(record, tmp_path):
    for optimizer, dropout in [("adam", 0.1), ("adam", 0.2), ("sgd", 0.1)]:
        record(optimizer=optimizer, model_settings={"dropout": dropout})
    frame = load_runs(tmp_path)
    assert varying_keys(frame) == ["model.dropout", "optimizer.name"]  # not optimizer.learning_rate
    assert varying_keys(frame[:1]) == BY


def test_too_many_axes_or_texts_are_refused_with_advice(record, tmp_path):
    for i in range(31):
        record(model=f"m{i}", model_settings={f"s{j}": i + j for j in range(10)})
    groups, _ = grouped(tmp_path)
    with pytest.raises(RequestError, match=r"--by model.name has 31 texts and an axis shows 30; .*--where"):
        chart_of_parallel(groups, ACCURACY, "full")
    groups, _ = grouped(tmp_path, [f"model.s{j}" for j in range(10)])
    with pytest.raises(RequestError, match=r"10 columns vary .* show 9; choose with --by from model.s0"):
        chart_of_parallel(groups, ACCURACY, "full")


# -- every kind -------------------------------------------------------------------------------------------------------


def figure_of(kind, names, width="column"):
    if kind == "curves":
        steps = np.arange(1.0, 4)
        return draw_curves(
            [Curve(n, (n,), MeanCurve(steps, steps, steps, steps)) for n in names], "accuracy", names[0], width=width
        )
    if kind == "bars":
        return draw_rows([Row(n, 0.9, 0.8, 0.95) for n in names], "accuracy", names[0], width=width)
    if kind == "scatter":
        return draw_scatter([Point(n, i, i) for i, n in enumerate(names)], SECONDS, UP, width=width)
    metric = np.arange(float(len(names)))
    return draw_parallel([scale(name, names, metric) for name in names[:3]], metric, UP, width)


@pytest.mark.parametrize("kind", ["curves", "bars", "scatter", "parallel"])
@pytest.mark.parametrize("names", [["a"], HOSTILE], ids=["one", "hostile"])
def test_hostile_names_stay_text_inside_of_the_figure(kind, names, tmp_path):
    figure = figure_of(kind, names)
    assert_nothing_is_cut(figure)
    assert figure.get_figwidth() == 3.4
    if kind == "curves":  # a legend makes the figure higher and not the axes lower
        assert figure.axes[0].get_window_extent().height > 1.5 * figure.dpi
    paper.write(figure, tmp_path / "f.svg")
    svg = (tmp_path / "f.svg").read_text()
    assert "<script" not in svg
    assert "\x1b" not in svg
    assert "\u202e" not in svg


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_data_give_the_same_bytes_whatever_matplotlibrc_says(suffix, tmp_path):
    for name, settings in (("a", {}), ("b", {"lines.linewidth": 9, "svg.fonttype": "path", "xtick.direction": "in"})):
        with matplotlib.rc_context(settings):
            paper.write(figure_of("bars", ["$a", "b"]), tmp_path / (name + suffix))
    content = (tmp_path / f"a{suffix}").read_bytes()
    assert content == (tmp_path / f"b{suffix}").read_bytes()
    assert b"Date" not in content
    assert b"dc:date" not in content
    if suffix == ".svg":
        assert b">$a</text>" in content
    elif suffix == ".pdf":
        assert b"/FontFile2" in content  # TrueType
    else:
        with Image.open(tmp_path / "a.png") as image:
            assert image.width == 1020
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_characters_that_the_font_lacks_are_known():
    figure = draw_rows([Row("模 é\n", 0.9, 0.8, 0.95)], "accuracy")
    assert paper.lacking(figure) == "模"


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "suffix", "begins"),
    [
        ("curves", "png", b"\x89PNG"),
        ("bars", "pdf", b"%PDF"),
        ("scatter", "svg", b"<?xml"),
        ("parallel", "PNG", b"\x89PNG"),
    ],
)
def test_a_chart_is_written_and_said(kind, suffix, begins, record, tmp_path):
    for model, seed in itertools.product(["mlp", "lenet5"], range(3)):
        record(model=model, seed=seed, accuracy=0.9 + seed / 100)
    record(seed=9, accuracy=None, metrics=json.loads((record() / "result.json").read_text())["metrics"] | {
        "test_accuracy": None, "val_accuracy": None})  # fmt: skip
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "result.json").write_text("{")
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / f"chart.{suffix}"
    done = CliRunner().invoke(app, ["plot", str(tmp_path / "runs"), "--kind", kind, "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_bytes().startswith(begins)
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    said, caption = done.stdout.splitlines()
    metric = "val_accuracy" if kind == "curves" else "test_accuracy"
    left_out = f"3 left out (1 recorded twice, 1 without {metric}, 1 unreadable)"
    assert said == f"{out}: 6 runs in 2 groups by model.name; {left_out}"
    assert caption.endswith(".")
    assert "fitbench: left out" in done.stderr
    assert "broken: result.json: not JSON" in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "pie"}, "--kind is 'pie'; it must be one of curves, bars, scatter, parallel"),
        ({"output": "chart.gif"}, "the name must end in one of .png, .svg, .pdf"),
        ({"output": "chart"}, "the name must end in one of"),
        ({"output": "missing/chart.png"}, "there is no folder missing; make it first"),
        ({"output": "folder.png"}, "is a folder"),
        ({"output": "link.png"}, "is a link; give the name of a file"),
        ({"x": "parameters"}, "--x goes with --kind scatter alone"),
        ({"width": "wide"}, "--width is 'wide'; it must be one of column, full"),
        ({"where": "seed <"}, "seed <"),
    ],
)
def test_a_wrong_request_is_refused_before_any_run_is_read(change, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to("nothing.png")
    request = {"kind": "bars", "output": "chart.png"} | change
    which = Which([tmp_path / "folder.png"], request.pop("where", None))
    with pytest.raises(RequestError) as caught:
        plot(which, **request | {"output": tmp_path.joinpath(request["output"]).relative_to(tmp_path)})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "test_acuracy"}, "do not record a metric 'test_acuracy'; did you mean test_accuracy"),
        ({"kind": "curves", "metric": "test_accuracy"}, "not recorded every epoch; curves show accuracy, val_accuracy"),
        ({"kind": "curves", "metric": "parameters"}, "not recorded every epoch; curves show accuracy, val_accuracy"),
        ({"kind": "scatter", "x": "param"}, "did you mean parameters"),
    ],
)
def test_metric_that_the_runs_do_not_record_is_refused(change, message, record, tmp_path):
    record()
    with pytest.raises(RequestError) as caught:
        plot(**{"which": Which([tmp_path], every=True), "kind": "bars", "output": tmp_path / "chart.png"} | change)
    assert message in str(caught.value)
    assert not (tmp_path / "chart.png").exists()


def test_a_refusal_loads_nothing_heavy(tmp_path):
    script = (
        "import sys\nfrom pathlib import Path\nfrom fitbench.analysis.request import Which\n"
        "from fitbench.charts.plotting import plot\n"
        "try:\n    plot(Which([], every=True), 'bars', Path('a.gif'))\nexcept Exception as error:\n    print(error)\n"
        "print({'pandas', 'matplotlib', 'scipy', 'keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "-o a.gif: the name must end in one of .png, .svg, .pdf\nset()\n"


def test_nothing_to_draw_is_refused_and_an_old_chart_kept(record, tmp_path):
    record(accuracy=None)
    out = tmp_path / "chart.png"
    out.write_bytes(b"old")
    for change, message in (
        ({}, "none of the runs can be shown: 1 without test_accuracy"),
        ({"where": "seed == 7"}, "--where 'seed == 7' keeps none of the 1 runs"),
        ({"by": "model.nam"}, "model.name"),
    ):
        with pytest.raises(RequestError, match=message):
            plot(Which([tmp_path / "runs"], change.pop("where", None), every=True), "bars", out, **change)
    assert out.read_bytes() == b"old"


def test_a_disk_that_refuses_is_an_error_in_a_line(record, tmp_path, monkeypatch):
    record()

    def refuse(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(paper, "write_whole", refuse)
    with pytest.raises(FitbenchError, match=r"chart.png: cannot be written \(no space left on device\)"):
        plot(Which([tmp_path / "runs"], every=True), "bars", tmp_path / "chart.png")


def test_groups_that_mix_configurations_are_pointed_out(record, tmp_path, capsys):
    record(optimizer="adam")
    record(optimizer="sgd")
    plot(Which([tmp_path / "runs"], every=True), "bars", tmp_path / "chart.png", by="model")
    said = capsys.readouterr().err
    assert "runs of one group by model.name differ in optimizer.name, optimizer.learning_rate; add" in said


def test_a_filter_chooses_and_what_cannot_be_drawn_is_counted(record, tmp_path, capsys):
    for seed, seconds in enumerate([1.0, 1e200, None, 3.0, 4.0]):
        record(seed=seed, fit_seconds=seconds)
    plot(Which([tmp_path], "seed < 4", every=True), "scatter", tmp_path / "chart.png", x="fit_seconds")
    said = capsys.readouterr().out.splitlines()[0]
    left_out = "2 left out (1 too large to draw, 1 without fit_seconds)"
    assert said == f"{tmp_path / 'chart.png'}: 2 runs in 1 group by model.name, optimizer.name; {left_out}"


def test_a_heading_stands_above_a_plane_even_without_a_legend():
    figure = draw_scatter([Point("a", 1, 0.5)], SECONDS, UP, title="what it is")
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "what it is"
    assert [text.get_text() for text in legend.get_texts()] == ["Pareto front"]


def test_a_label_that_is_longer_than_its_axis_has_two_lines():
    label = "validation loss of standardised targets"
    assert in_two_lines(label, 1.7) == "validation loss of\nstandardised targets"
    assert [in_two_lines(text, 0.5) for text in ("accuracy_of_a_long_name", "MAE")] == [
        "accuracy_of_a_long_name",
        "MAE",
    ]
    assert in_two_lines(label, 5) == label
