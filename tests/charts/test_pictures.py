from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from fitbench.analysis.scores import confusion, per_label
from fitbench.charts import paper
from fitbench.charts.confusion import draw_confusion
from fitbench.charts.label_scores import draw_label_scores
from fitbench.charts.mistakes import Mistakes, can_draw, draw_mistakes, nearest
from fitbench.charts.run_curves import Panel, draw_run_curves
from fitbench.charts.values import PANELS as TARGETS
from fitbench.charts.values import POINTS, chosen, draw_predicted, draw_residuals
from fitbench.kinds import ARRAYS, IMAGES, SERIES, TABLE, TOKENS

from ..run_folders import close_values, several_labels

CLASSES = ["cat", "dog", "owl"]
PANELS = [Panel("loss", "loss"), Panel("accuracy", "accuracy", (0.0, 1.0))]


def size(path) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
        return image.size


@pytest.mark.parametrize(("epochs", "validation"), [(1, False), (1, True), (40, True), (3, False)])
def test_curves_are_a_picture_of_their_size(make_run, tmp_path, epochs, validation):
    draw_run_curves(make_run.curves(epochs, validation), PANELS, tmp_path / "curves.png", "a run", 1)
    assert size(tmp_path / "curves.png") == (1400, 560)
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_curves_without_accuracy_and_with_gaps_are_drawn(tmp_path):
    history = [{"epoch": 1, "loss": None}, {"epoch": 2, "loss": 0.5}]
    draw_run_curves(history, PANELS, tmp_path / "curves.png", "a run", None)
    assert size(tmp_path / "curves.png") == (1400, 560)


@pytest.mark.parametrize("classes", [2, 10, 40])
def test_a_confusion_matrix_is_nearly_square_and_grows_with_its_classes(make_run, tmp_path, classes):
    labels, probabilities = make_run.predictions(500, classes)
    names = [str(i) for i in range(classes)]
    draw_confusion(confusion(labels, probabilities), names, tmp_path / "confusion.png", "a run")
    width, height = size(tmp_path / "confusion.png")
    assert 0.7 < height / width <= 1
    assert 400 < height < 2600


def test_errors_are_coloured_and_right_answers_are_grey(tmp_path):
    draw_confusion(np.array([[30, 20], [0, 50]]), ["a", "b"], tmp_path / "confusion.png", "a run")
    with Image.open(tmp_path / "confusion.png") as image:
        colours = {colour[:3] for _, colour in image.convert("RGB").getcolors(1 << 20)}
    assert (230, 230, 230) in colours  # both cells of the diagonal
    assert any(red > 2 * blue + 50 and red > 100 for red, _, blue in colours)


def test_without_errors_the_matrix_is_drawn(tmp_path):
    draw_confusion(np.diag([1, 1, 2]), CLASSES, tmp_path / "confusion.png", "a run")
    size(tmp_path / "confusion.png")


@pytest.mark.parametrize(("count", "height"), [(3, 416), (25, 1680), (30, 1680)])
def test_mistakes_stand_five_in_a_row(tmp_path, count, height):
    images = np.full((count, 8, 6, 1), 200, np.uint8)
    labels = np.zeros(count, int)
    confidence = np.linspace(1, 0.5, count)
    mistakes = Mistakes(np.arange(count), images, labels, labels + 1, confidence, CLASSES)
    draw_mistakes(IMAGES, mistakes, tmp_path / "m.png", "a run")
    assert size(tmp_path / "m.png") == (1400, height)


def test_names_that_are_no_formula_stay_text(tmp_path):
    names = ["$x^{$", "$\\frac$", "[bold]\x1b[31m"]
    labels = np.array([0, 1, 2])
    draw_confusion(np.eye(3, dtype=int)[::-1], names, tmp_path / "confusion.png", "$\\frac$")
    images, confidence = np.zeros((3, 4, 4, 3), np.uint8), np.array([1, np.nan, 0.5])
    draw_mistakes(IMAGES, Mistakes(labels, images, labels, labels[::-1], confidence, names), tmp_path / "m.png", "$$$")
    draw_run_curves([{"epoch": 1, "loss": 1}], [Panel("loss", "$\\frac$")], tmp_path / "curves.png", "$\\frac$", None)
    for name in ("confusion.png", "m.png", "curves.png"):
        size(tmp_path / name)


def drawn(monkeypatch, draw, *arguments) -> Figure:
    """The figure that a function would write."""
    figures = []
    monkeypatch.setattr(paper, "write", lambda figure, *_: figures.append(figure))
    draw(*arguments)
    return figures[0]


@pytest.mark.parametrize(("shape", "lines", "key"), [
    ((30,), 2, ["grey: the nearest training example of the predicted class"]),
    ((30, 1), 2, ["grey: the nearest training example of the predicted class"]),
    ((30, 3), 3, ["channel 1", "channel 2", "channel 3"]),
    ((30, 12), 12, []),
])  # fmt: skip
def test_mistakes_on_series_are_lines_with_the_nearest_series_of_the_predicted_class(monkeypatch, shape, lines, key):
    random = np.random.default_rng(0)
    x_train, y_train = random.normal(size=(9, *shape)).astype(np.float32), np.arange(9) % 3
    examples = x_train[[4, 8]] + np.float32(0.01)  # like training series of the classes 1 and 2
    predicted = np.array([1, 2])
    like = nearest(examples, predicted, x_train, y_train)
    np.testing.assert_array_equal(like, x_train[[4, 8]])
    assert not np.array_equal(nearest(examples, predicted[::-1], x_train, y_train), like)
    has_one = examples[0].size == 30
    known = 2 - predicted, predicted, np.array([0.9, 0.8]), CLASSES
    mistakes = Mistakes(np.array([17, 4]), examples, *known, like if has_one else None)
    figure = drawn(monkeypatch, draw_mistakes, SERIES, mistakes, Path("m.png"), "a run")
    for axes, example, other in zip(figure.axes, examples, like, strict=True):
        assert len(axes.lines) == lines
        np.testing.assert_array_equal(axes.lines[-1].get_ydata(), example.reshape(30, -1)[:, -1])
        if has_one:
            np.testing.assert_array_equal(axes.lines[0].get_ydata(), other.ravel())
    titles = ["true dog", "read dog  0.900", "example 17", "true cat", "read owl  0.800", "example 4"]
    assert [text.get_text() for text in figure.texts] == [*titles, "a run", *key]
    of_texts = {text.get_color() for text in figure.texts[:2]}
    assert not of_texts & {line.get_color() for axes in figure.axes for line in axes.lines}
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.texts]
    assert not any(
        a.overlaps(b) for a in boxes[:-1] for b in boxes[len(titles) + 1 :] if a is not b
    )  # those of the key


@pytest.mark.parametrize(("dtype", "far"), [(np.uint8, 16), (np.int32, 2**16)])
def test_the_nearest_series_of_integers_is_that_with_the_least_difference(dtype, far):
    x_train = np.array([[far], [1]], dtype)  # the square of the first is 0 in this type
    found = nearest(np.zeros((1, 1), dtype), np.array([0]), x_train, np.array([0, 0]))
    np.testing.assert_array_equal(found, [[1]])


def test_what_is_no_picture_is_not_drawn():
    assert can_draw(IMAGES, (28, 28, 1)) and can_draw(SERIES, (30, 12)) and can_draw(ARRAYS, (30,))
    assert not any(can_draw(kind, shape) for kind, shape in ((TABLE, (4,)), (TOKENS, (30,)), (ARRAYS, (3, 30))))


# -- regression and several labels ------------------------------------------------------------------------------------


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


@pytest.mark.parametrize(
    ("targets", "shape"), [(1, (680, 560)), (3, (1500, 560)), (6, (1500, 1060)), (20, (1500, 1060))]
)
def test_values_have_a_panel_for_each_target(tmp_path, targets, shape):
    names = [f"$t_{i}$" for i in range(targets)]
    for draw in (draw_predicted, draw_residuals):
        draw(*close_values(40, targets), names, tmp_path / "x.png", "a run")
        assert size(tmp_path / "x.png") == shape


def test_predicted_values_stand_above_the_true_ones_and_errors_above_predictions(monkeypatch):
    true, predicted = close_values(40)
    arguments = (true, predicted, ["price"], None, "a run")
    for draw, x, y, label in (
        (draw_predicted, true, predicted, "true price"),
        (draw_residuals, predicted, predicted - true, "predicted price"),
    ):
        (axes,) = drawn(monkeypatch, draw, *arguments).axes
        (points,) = [line for line in axes.lines if line.get_gid() == "example"]
        assert points.get_xdata() == pytest.approx(x[:, 0])
        assert points.get_ydata() == pytest.approx(y[:, 0], abs=1e-6)
        (equal,) = [line for line in axes.lines if line.get_gid() == "equal"]
        ends = np.array(equal.get_xydata())
        assert (ends[:, 0] == ends[:, 1]).all() if draw is draw_predicted else (ends[:, 1] == 0).all()
        assert axes.get_xlabel() == label


def test_of_many_examples_and_targets_a_picture_says_how_many_it_shows(monkeypatch):
    figure = drawn(
        monkeypatch, draw_predicted, *close_values(POINTS + 100, TARGETS + 3), [f"t{i}" for i in range(9)], None, "run"
    )
    assert "run, 6 of 9 targets, 5,000 of 5,100 examples" in texts(figure)
    assert np.array_equal(chosen(POINTS + 100, POINTS), chosen(POINTS + 100, POINTS))
    assert chosen(7, 10).tolist() == list(range(7))
    assert len(set(chosen(10**6, POINTS).tolist())) == POINTS


@pytest.mark.parametrize("bad", [[np.nan] * 10, [np.inf] * 3 + [1.0] * 7, [-3e38] * 5 + [3e38] * 5])
def test_values_that_are_no_numbers_are_counted_instead(monkeypatch, tmp_path, bad):
    outputs = np.array(bad, np.float32)[:, None]
    arguments = (np.zeros((10, 1), np.float32), outputs, ["y"])
    figure = drawn(monkeypatch, draw_residuals, *arguments, None, "run")
    missing = int((~np.isfinite(outputs)).sum())
    assert any(text.startswith(f"{missing} of 10 are no finite numbers") for text in texts(figure)) == bool(missing)
    monkeypatch.undo()
    for draw in (draw_predicted, draw_residuals):
        draw(*arguments, tmp_path / "x.png", "run")
        size(tmp_path / "x.png")


def test_labels_have_a_row_with_their_scores(monkeypatch, tmp_path):
    scored = per_label(*several_labels(50, 3), ["red", "$green", "blue"], 0.5)
    scored[1] |= {"precision": None, "f1": None}
    figure = drawn(monkeypatch, draw_label_scores, scored, None, "a run")
    (axes,) = figure.axes
    by_name = {line.get_gid(): line.get_xydata().tolist() for line in axes.lines if line.get_gid() in ("recall", "f1")}
    assert by_name["recall"] == [[score["recall"], place] for place, score in enumerate(scored)]
    assert by_name["f1"] == [[scored[0]["f1"], 0], [scored[2]["f1"], 2]]
    assert [label.get_text() for label in axes.get_yticklabels()][1] == f"$green ({scored[1]['support']})"
    monkeypatch.undo()
    draw_label_scores(scored, tmp_path / "x.png", "a run")
    assert size(tmp_path / "x.png")[0] == 1050


def test_lines_of_a_run_are_named_at_their_ends_and_the_best_value_is_written(monkeypatch, tmp_path):
    figures = []
    monkeypatch.setattr("fitbench.charts.paper.write", lambda figure, path, dpi: figures.append(figure))
    history = [{"epoch": epoch, "loss": 1 / epoch, "val_loss": 1 / epoch + 0.01} for epoch in range(1, 4)]
    draw_run_curves(history, [Panel("loss", "loss")], tmp_path / "curves.png", "a run", 2)
    [axes] = figures[0].axes
    assert axes.get_legend() is None
    names = {text.get_text(): text for text in axes.texts if text.get_gid() == "name"}
    assert sorted(names) == ["train", "validation"]
    assert names["validation"].xy[1] - names["train"].xy[1] > 0.05  # apart, although the lines end close together
    assert axes.get_title(loc="right") == "best epoch 2: validation 0.51"


def test_the_recall_of_each_class_stands_at_the_right_of_its_row(monkeypatch, tmp_path):
    figures = []
    monkeypatch.setattr("fitbench.charts.paper.write", lambda figure, path, dpi: figures.append(figure))
    draw_confusion(np.array([[2, 1, 0], [0, 1, 0], [0, 0, 0]]), ["a", "b", "c"], tmp_path / "confusion.png", "a run")
    recall = [text.get_text() for text in figures[0].axes[0].texts if text.get_gid() == "recall"]
    assert recall == ["66.7 %", "100.0 %", "-"]
