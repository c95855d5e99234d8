"""The notice that the targets of a regression are large numbers, which a model reaches slowly."""

import numpy as np

from fitbench.config import Loss
from fitbench.text import clean
from fitbench.training.notes import note
from fitbench.training.objective import Scale
from fitbench.training.parts import Parts

LARGE = 100.0  # the outputs of a new model are around 0, and a step of Adam moves them by little


def notice(parts: Parts) -> None:
    """Note that the targets are large where training does not standardise them.

    Targets are large if the mean or the standard deviation of one is above `LARGE`. There is no notice for a loss of
    the user's, which may scale the targets itself.
    """
    settings, data = parts.config.training, parts.data
    if not parts.measures.task.has_values or settings.standardize_targets or not isinstance(settings.loss, Loss):
        return
    scale = Scale.of(data.y_train)
    sizes = np.maximum(np.abs(scale.mean), scale.deviation)
    largest = int(sizes.argmax())
    if sizes[largest] <= LARGE:
        return
    note(
        f"the target {clean(data.names[largest])} has mean {_rounded(scale.mean[largest])} and standard deviation "
        f"{_rounded(scale.deviation[largest])}; training.standardize_targets=true usually trains faster"
    )


def _rounded(value: float) -> str:
    """Three significant digits, without a power of ten below 10**15."""
    size = abs(value)
    return f"{float(f'{value:.3g}'):,.0f}" if 100 <= size < 1e15 else f"{value:.3g}"
