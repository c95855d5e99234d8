"""Pictures of a run for papers and pages: PNG, 150 dots per inch, colours that the colour-blind and greyscale keep."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis import scores
from fitbench.analysis.run_files import read_run
from fitbench.analysis.scores import confusion
from fitbench.analysis.series import with_capital
from fitbench.charts.paper import COLOURS, GREY, over_epochs
from fitbench.errors import FitbenchError
from fitbench.metrics import history_key
from fitbench.record import reading
from fitbench.record.files import write_whole
from fitbench.text import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fitbench.analysis.run_files import RunFiles

DPI = 150
TRAIN, VALIDATION = COLOURS[0], COLOURS[3]  # blue and vermilion
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear red, green and blue (WCAG 2)
MARKED_EPOCHS = 30  # with more, single epochs get no marker
NUMBERED_CLASSES = 30  # with more, a confusion matrix has no numbers
GRID = 5  # mistakes in a row and in a column


def write_plots(folder: Path) -> list[Path]:
    """Draw curves.png (where there are epochs), and what its task draws from predictions alone, into a run's folder.

    Raises:
        FitbenchError: a file of the run is absent or damaged.
    """
    return _write_plots(read_run(folder))


def draw_run(run: RunFiles) -> list[Path]:
    """Draw curves.png and all that its task draws into a run's folder, as far as the run has what they show.

    Raises:
        FitbenchError: a file of the run is damaged, or the data set, from which the mistakes come, is not the run's.
    """
    if run.result is None:
        return _draw_curves(run)
    return [*_write_plots(run), *(path for name in run.drawings if name in FROM_DATA for path in FROM_DATA[name](run))]


def _write_plots(run: RunFiles) -> list[Path]:
    assert run.result is not None
    if run.predictions is None:
        reading.read_predictions(run.folder, run.result)  # its message says what is missing
    drawn = (path for name in run.drawings if name in FROM_PREDICTIONS for path in FROM_PREDICTIONS[name](run))
    return [*_draw_curves(run), *drawn]


def _draw_curves(run: RunFiles) -> list[Path]:
    if not run.history:
        return []
    path = run.folder / "curves.png"
    draw_curves(run.history, run.panels(), path, run.name, run.best_epoch)
    return [path]


def _draw_confusion(run: RunFiles) -> list[Path]:
    assert run.predictions is not None
    labels, predicted = run.predictions.targets, scores.predicted(run.predictions.outputs)
    path = run.folder / "confusion.png"
    draw_confusion(labels, predicted, run.classes, path, f"{run.name}, {len(labels):,} test images")
    return [path]


def _draw_mistakes(run: RunFiles) -> list[Path]:
    """Draw mistakes.png; its images come from the data set, which must be the one that the run was tested with."""
    from fitbench.config import from_values
    from fitbench.data.loading import load

    assert run.predictions is not None
    labels, probabilities = run.predictions.targets, run.predictions.outputs
    worst = scores.mistakes(labels, probabilities)[: GRID * GRID]
    if not len(worst):
        return []
    data = load(from_values(run.config).data)
    if data.sha256 != run.predictions.data_sha256:
        raise FitbenchError(
            f"{data.source}: these data have SHA-256 {data.sha256[:8]}, the run was tested with "
            f"{run.predictions.data_sha256:.8}; mistakes.png needs the same images"
        )
    path = run.folder / "mistakes.png"
    title = f"{run.name}: the most confident mistakes on {len(labels):,} test images"
    predicted, confidence = scores.predicted(probabilities[worst]), probabilities[worst].max(axis=1)
    draw_mistakes(data.x_test[worst], labels[worst], predicted, confidence, run.classes, path, title)
    return [path]


# by the names in `Task.drawings`
FROM_PREDICTIONS: Mapping[str, Callable[[RunFiles], list[Path]]] = {"confusion": _draw_confusion}
FROM_DATA: Mapping[str, Callable[[RunFiles], list[Path]]] = {"mistakes": _draw_mistakes}


def draw_curves(
    history: Sequence[Mapping[str, Any]],
    panels: Sequence[tuple[str, str]],
    path: Path,
    title: str,
    best_epoch: int | None,
) -> None:
    """Write one or two metrics over the epochs as a PNG of 1350 x 540 pixels, training and validation in each panel.

    `history` has one entry or more, as `reading.read_history` gives them; what is null or absent is not drawn.
    `panels` are pairs of a metric's name and label.
    """
    figure = _figure(9, 3.6)
    epochs = [epoch["epoch"] for epoch in history]
    for column, (name, heading) in enumerate(panels):
        axes = figure.add_axes((0.065 + column * 0.49, 0.145, 0.425, 0.7))
        for key, label, color, line, marker in (
            (history_key("train", name), "train", TRAIN, "-", "o"),
            (history_key("val", name), "validation", VALIDATION, "--", "s"),
        ):
            values = np.array([epoch.get(key) for epoch in history], dtype=float)
            if np.isfinite(values).any():
                size = 4 if len(epochs) <= MARKED_EPOCHS else 0
                axes.plot(epochs, values, line, label=label, color=color, linewidth=1.6, marker=marker, markersize=size)
        if best_epoch is not None and len(epochs) > 1:
            axes.axvline(
                best_epoch, color=GREY, linewidth=1, linestyle=":", zorder=0, label=f"best epoch, {best_epoch}"
            )
        over_epochs(axes, epochs[0], epochs[-1])
        axes.grid(axis="y", color="#dddddd", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(with_capital(clean(heading)), loc="left", fontsize=11, parse_math=False)
        if axes.lines:
            axes.legend(frameon=False, fontsize=9.5)
    figure.suptitle(clean(title), x=0.065, y=0.985, ha="left", fontsize=9.5, color=GREY, parse_math=False)
    _write(figure, path)


def draw_confusion(labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str], path: Path, title: str) -> None:
    """Write the confusion matrix as a PNG: counts, and the errors coloured by their share of the true class.

    `labels` and `predicted` are int [N], positions in `classes`. The diagonal is grey, so that the errors are seen.
    With more than 30 classes the cells hold no numbers.
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.ticker import MaxNLocator

    matrix = confusion(labels, predicted, len(classes))
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    errors = np.ma.masked_array(share, np.eye(len(classes), dtype=bool))
    most = max(float(errors.max()), 0.01)
    ramp = LinearSegmentedColormap.from_list("errors", ["#ffffff", "#f7c9a3", VALIDATION, "#7a3000"])
    colours = ramp.with_extremes(bad="#e6e6e6")

    names = [_shortened(name, 16) for name in classes]
    longest = max(map(len, names))
    cell = 0.42 if len(classes) <= NUMBERED_CLASSES else 12 / len(classes)
    side, margin = max(cell * len(classes), 2.6), 0.5 + max(longest * 0.07, 0.2)
    below = (margin if longest > 3 else 0.6) - 0.05
    width, height = margin + side + 1.0, below + side + 0.4
    figure = _figure(width, height)
    axes = figure.add_axes((margin / width, below / height, side / width, side / height))
    image = axes.imshow(errors, cmap=colours, vmin=0, vmax=most)
    ticks = range(0, len(classes), max(1, len(classes) // 60))
    small = 9 if len(classes) <= NUMBERED_CLASSES else 6
    rotation = 90 if longest > 3 else 0
    axes.set_xticks(ticks, [names[i] for i in ticks], fontsize=small, rotation=rotation, parse_math=False)
    axes.set_yticks(ticks, [names[i] for i in ticks], fontsize=small, parse_math=False)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.spines[:].set_color("#bbbbbb")
    if len(classes) <= NUMBERED_CLASSES:
        _number_cells(axes, matrix, colours(errors / most))
        between = np.arange(len(classes) - 1) + 0.5
        for lines in (axes.hlines, axes.vlines):
            lines(between, -0.5, len(classes) - 0.5, color="#e3e3e3", linewidth=0.5)
    text = figure.text(0.1 / width, 1 - 0.12 / height, clean(title), va="top", fontsize=9, color=GREY)
    text.set_parse_math(False)
    _shrink(text, width)

    tall = min(side, 3.0)
    bar = figure.add_axes(
        ((margin + side + 0.15) / width, (below + (side - tall) / 2) / height, 0.12 / width, tall / height)
    )
    scale = figure.colorbar(image, cax=bar, format=lambda value, _: f"{100 * value:.3g} %", ticks=MaxNLocator(5))
    scale.set_label("errors, share of the true class", fontsize=8, color=GREY)
    scale.ax.tick_params(labelsize=8, length=2, color=GREY, labelcolor=GREY)
    scale.outline.set_visible(False)
    _write(figure, path)


def _number_cells(axes: Axes, matrix: np.ndarray, colours: np.ndarray) -> None:
    """Counts in the cells that are not 0, in black or white on the cells' colours [classes, classes, RGBA]."""
    luminance = np.where(colours <= 0.04, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)[..., :3] @ LUMINANCE
    digits = len(str(matrix.max()))
    size = 8.5 if digits <= 4 else 7 if digits == 5 else 5.5
    for row, column in zip(*matrix.nonzero(), strict=True):
        axes.text(
            column, row, str(matrix[row, column]), ha="center", va="center", fontsize=size,
            color="black" if luminance[row, column] > 0.179 else "white",
        )  # fmt: skip


def draw_mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    confidence: np.ndarray,
    classes: Sequence[str],
    path: Path,
    title: str,
) -> None:
    """Write up to 25 wrongly classified images as a PNG, five in a row, with truth, prediction and probability.

    It has 1050 x 1260 pixels with 25 images, and is less high with fewer rows. `images` are uint8
    [N, height, width, 1 or 3]; `labels` and `predicted` int [N], positions in `classes`; `confidence` float [N], the
    probability of the prediction, perhaps NaN.
    """
    side, across, down, head = 1.12, 1.4, 1.58, 0.5  # inches
    rows = -(-min(len(images), GRID * GRID) // GRID)
    width, height = GRID * across, head + rows * down
    figure = _figure(width, height)
    for i in range(min(len(images), GRID * GRID)):
        row, column = divmod(i, GRID)
        left, bottom = column * across + (across - side) / 2, height - head - (row + 1) * down + 0.25
        axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
        grey = images.shape[-1] == 1
        picture = images[i, ..., 0] if grey else images[i]
        axes.imshow(picture, cmap="gray" if grey else None, vmin=0, vmax=255, interpolation="nearest")
        axes.set_axis_off()
        share = f"{confidence[i]:.3f}" if np.isfinite(confidence[i]) else "-"
        truth = f"true {_shortened(classes[labels[i]], 11)}"
        read = f"read {_shortened(classes[predicted[i]], 11)}  {share}"
        for above, text, colour in ((0.18, truth, TRAIN), (0.04, read, VALIDATION)):
            figure.text(
                *((left + side / 2) / width, (bottom + side + above) / height, text),
                ha="center", va="bottom", fontsize=7.5, color=colour, parse_math=False,
            )  # fmt: skip
    figure.text(0.14 / width, 1 - 0.1 / height, clean(title), va="top", fontsize=9, color=GREY, parse_math=False)
    _write(figure, path)


def _shrink(text: Any, width: float) -> None:
    """Make a line of text small enough for a figure of so many inches."""
    text.set_fontsize(max(5.0, min(text.get_fontsize(), (width - 0.2) * 72 / (0.56 * max(len(text.get_text()), 1)))))


def _shortened(name: str, length: int) -> str:
    name = clean(name)
    return name if len(name) <= length else name[: length - 1] + "…"


def _figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, without pyplot's state and windows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _write(figure: Figure, path: Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI)
    write_whole(path, content.getvalue())
