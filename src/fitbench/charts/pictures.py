"""The pictures in the folder of a run: which ones its task asks for, and what they show."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np

from fitbench.analysis import scores
from fitbench.analysis.drawings import CLASSES, lowest
from fitbench.analysis.run_files import RunFiles, read_run
from fitbench.charts.confusion import draw_confusion
from fitbench.charts.label_scores import draw_label_scores
from fitbench.charts.mistakes import DRAWN, GRID, Mistakes, can_draw, draw_mistakes, nearest
from fitbench.charts.run_curves import draw_run_curves
from fitbench.charts.values import draw_predicted, draw_residuals
from fitbench.errors import NotTrustedError
from fitbench.kinds import IMAGES, KINDS
from fitbench.record import reading
from fitbench.stderr import write_note
from fitbench.tasks import CURVES
from fitbench.text import clean, counted


def write_plots(folder: Path) -> list[Path]:
    """Draw curves.png (where there are epochs), and what its task draws from predictions alone, into a run's folder.

    Raises:
        FitbenchError: a file of the run is absent or damaged.
    """
    run = read_run(folder)
    _check_predictions(run)
    return draw_pictures(run, folder)


def draw_run(run: RunFiles, trust: bool = False) -> list[Path]:
    """Draw curves.png and all that its task draws into a run's folder, as far as the run has what they show.

    Without `trust`, what shows data of a function is left out, because a run may name any function; stderr says so.

    Raises:
        FitbenchError: a file of the run is damaged, or the data set, from which the mistakes come, is not the run's.
    """
    _check_predictions(run)
    drawn = draw_pictures(run, run.folder)
    for name in run.drawings:
        if name not in FROM_DATA:
            continue
        try:
            drawn += FROM_DATA[name](run, trust)
        except NotTrustedError as error:
            write_note(f"left out: {clean(error)}")
    return drawn


def _check_predictions(run: RunFiles) -> None:
    if run.result is not None and run.predictions is None and run.has_test_part:
        reading.read_predictions(run.folder, run.result)  # its message says what is missing


def picture_names(run: RunFiles) -> list[str]:
    """The names of the pictures that `draw_pictures` can draw of a run, such as 'curves'.

    Raises:
        FitbenchError: predictions.npz is damaged.
    """
    return [*[CURVES] * bool(run.history), *(name for name in run.drawings if name in FROM_PREDICTIONS)]


def draw_pictures(run: RunFiles, into: Path, names: Collection[str] | None = None) -> list[Path]:
    """Draw pictures that need no data set into a folder; gives their paths.

    Args:
        run: the run.
        into: the folder.
        names: those of `picture_names` that are drawn; None: all.

    Raises:
        FitbenchError: as `picture_names`.
    """
    drawn = []
    for name in picture_names(run):
        if names is None or name in names:
            path = into / f"{name}.png"
            _draw_curves(run, path) if name == CURVES else FROM_PREDICTIONS[name](run, path)
            drawn.append(path)
    return drawn


def _draw_curves(run: RunFiles, path: Path) -> None:
    draw_run_curves(run.history, run.panels(), path, run.name, run.best_epoch)


def _draw_confusion(run: RunFiles, path: Path) -> None:
    assert run.predictions is not None
    matrix = scores.confusion(run.predictions.targets, run.predictions.outputs)
    draw_confusion(matrix, run.names, path, f"{run.name}, {counted(int(matrix.sum()), 'test example')}")


def _draw_predicted(run: RunFiles, path: Path) -> None:
    _draw_values(run, path, draw_predicted)


def _draw_residuals(run: RunFiles, path: Path) -> None:
    _draw_values(run, path, draw_residuals)


def _draw_values(run: RunFiles, path: Path, draw: Callable[..., None]) -> None:
    assert run.predictions is not None
    targets = run.predictions.targets
    draw(targets, run.predictions.outputs, run.names, path, f"{run.name}, {counted(len(targets), 'test example')}")


def _draw_labels(run: RunFiles, path: Path) -> None:
    assert run.predictions is not None
    targets = run.predictions.targets
    scored = scores.per_label(targets, run.predictions.outputs, run.names, run.threshold)
    title = f"{run.name}, {counted(len(targets), 'test example')}, threshold {run.threshold:.2f}"
    if len(scored) > CLASSES:
        title += f", {CLASSES} of {len(scored):,} labels with the lowest F1"
        scored = lowest(scored, "f1")
    draw_label_scores(scored, path, title)


def _draw_mistakes(run: RunFiles, trust: bool) -> list[Path]:
    """Draw mistakes.png, where examples of the kind can be drawn.

    The examples come from the data set, which must be the one that the run was tested with.
    """
    from fitbench.config import from_values
    from fitbench.data.loading import load_recorded

    assert run.result is not None
    assert run.predictions is not None
    labels, probabilities = run.predictions.targets, run.predictions.outputs
    wrong, config = scores.mistakes(labels, probabilities), from_values(run.config)
    wrong = wrong[scores.classified(probabilities[wrong])]
    if not len(wrong) or config.data.kind not in (None, *DRAWN):
        return []
    purpose = "mistakes.png shows test examples of these data"
    data = load_recorded(config.data, run.result, run.folder, trust, purpose)
    if not can_draw(data.kind, data.inputs.shape):
        return []
    kind = KINDS[data.kind]
    path, worst = run.folder / "mistakes.png", wrong[: GRID * GRID]
    title = f"{run.name}: {counted(len(wrong), 'mistake')} on {len(labels):,} test {kind.nouns}"
    title += f", the {len(worst)} most confident" if len(worst) < len(wrong) else ""
    predicted, confidence = scores.predicted(probabilities[worst]), probabilities[worst].max(axis=1)
    examples = np.asarray(data.x_test[worst])
    has_nearest = kind.name != IMAGES and examples[0].size == len(examples[0])  # one channel
    like = nearest(examples, predicted, data.x_train, data.y_train) if has_nearest else None
    mistakes = Mistakes(worst, examples, labels[worst], predicted, confidence, run.names, like)
    draw_mistakes(kind.name, mistakes, path, title)
    return [path]


# by the names in `Task.drawings`
FROM_PREDICTIONS: Mapping[str, Callable[[RunFiles, Path], None]] = {
    "confusion": _draw_confusion,
    "predicted": _draw_predicted,
    "residuals": _draw_residuals,
    "labels": _draw_labels,
}
FROM_DATA: Mapping[str, Callable[[RunFiles, bool], list[Path]]] = {"mistakes": _draw_mistakes}
