import numpy as np
import pytest
from PIL import Image

from fitbench.charts.confusion import draw_confusion
from fitbench.charts.mistakes import draw_mistakes
from fitbench.charts.run_curves import Panel, draw_run_curves

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
    draw_confusion(labels, probabilities.argmax(axis=1), names, tmp_path / "confusion.png", "a run")
    width, height = size(tmp_path / "confusion.png")
    assert 0.7 < height / width <= 1
    assert 400 < height < 2600


def test_errors_are_coloured_and_right_answers_are_grey(tmp_path):
    labels = np.array([0] * 50 + [1] * 50)
    predicted = np.array([0] * 30 + [1] * 20 + [1] * 50)
    draw_confusion(labels, predicted, ["a", "b"], tmp_path / "confusion.png", "a run")
    with Image.open(tmp_path / "confusion.png") as image:
        colours = {colour[:3] for _, colour in image.convert("RGB").getcolors(1 << 20)}
    assert (230, 230, 230) in colours  # both cells of the diagonal
    assert any(red > 2 * blue + 50 and red > 100 for red, _, blue in colours)


def test_without_errors_the_matrix_is_drawn(tmp_path):
    labels = np.array([0, 1, 2, 2])
    draw_confusion(labels, labels, CLASSES, tmp_path / "confusion.png", "a run")
    size(tmp_path / "confusion.png")


@pytest.mark.parametrize(("count", "height"), [(3, 416), (25, 1680), (30, 1680)])
def test_mistakes_stand_five_in_a_row(tmp_path, count, height):
    images = np.full((count, 8, 6, 1), 200, np.uint8)
    labels = np.zeros(count, int)
    confidence = np.linspace(1, 0.5, count)
    draw_mistakes(images, labels, labels + 1, confidence, CLASSES, tmp_path / "m.png", "a run")
    assert size(tmp_path / "m.png") == (1400, height)


def test_names_that_are_no_formula_stay_text(tmp_path):
    names = ["$x^{$", "$\\frac$", "[bold]\x1b[31m"]
    labels = np.array([0, 1, 2])
    draw_confusion(labels, labels[::-1], names, tmp_path / "confusion.png", "$\\frac$")
    draw_mistakes(
        np.zeros((3, 4, 4, 3), np.uint8),
        labels,
        labels[::-1],
        np.array([1, np.nan, 0.5]),
        names,
        tmp_path / "m.png",
        "$$$",
    )
    draw_run_curves([{"epoch": 1, "loss": 1}], [Panel("loss", "$\\frac$")], tmp_path / "curves.png", "$\\frac$", None)
    for name in ("confusion.png", "m.png", "curves.png"):
        size(tmp_path / name)
