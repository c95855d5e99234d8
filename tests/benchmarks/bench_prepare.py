"""What `--prepare auto` makes of test digits as people have them: on paper, photographed, in forms, drawn too finely.

    FITBENCH_DATA=FOLDER python tests/benchmarks/bench_prepare.py RUN [--images 1000] [--outputs outputs]

RUN is a finished run on MNIST. Each way changes the same test digits, chosen at random; printed is how many the run's
model then reads right with auto and with none, and the milliseconds that auto takes for one. It compares ways, and is
not for choosing a model.
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fitbench.data.builtin import read_builtin
from fitbench.inference.decoding import decode
from fitbench.inference.prepare import Prepare, prepare_image
from fitbench.inference.reader import open_run
from fitbench.record.naming import find_run

Random = np.random.Generator
Way = Callable[[np.ndarray, Random], Image.Image]


def placed(digit: np.ndarray, random: Random, width: int = 400, height: int = 300, side: int = 180) -> np.ndarray:
    """How much ink, 0 to 1, [height, width]: the digit, `side` pixels large, somewhere."""
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    ink = np.zeros((height, width), np.float32)
    top, left = random.integers(0, height - side + 1), random.integers(0, width - side + 1)
    ink[top : top + side, left : left + side] = np.asarray(large, np.float32) / 255
    return ink


def on_paper(
    ink: np.ndarray, random: Random, light: int = 200, dark: int = 60, noise: float = 6, falling: int = 40
) -> np.ndarray:
    """Grey levels, uint8, of ink on paper whose light falls from one side to the other, and half as much downwards."""
    rows, columns = (np.linspace(-0.5, 0.5, size) for size in ink.shape)
    paper = light + falling * columns[None, :] + falling / 2 * rows[:, None]
    return np.clip(paper * (1 - ink) + dark * ink + random.normal(0, noise, ink.shape), 0, 255).astype(np.uint8)


def saved(pixels: np.ndarray, format: str = "PNG") -> Image.Image:
    """The image as it comes from a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    file.seek(0)
    return decode(file, "image")


def photo(ink: np.ndarray, random: Random, **paper: float) -> Image.Image:
    """A JPEG of ink on paper."""
    return saved(on_paper(ink, random, **paper), "JPEG")  # type: ignore[arg-type]


def cropped(ink: np.ndarray, margin: int) -> np.ndarray:
    """The ink and so many pixels around it."""
    rows, columns = np.nonzero(ink > 0.3)
    top, left = max(rows.min() - margin, 0), max(columns.min() - margin, 0)
    return ink[top : rows.max() + margin + 1, left : columns.max() + margin + 1]


def fine(ink: np.ndarray) -> np.ndarray:
    """The same with thinner strokes."""
    pixels = Image.fromarray((255 * np.clip(ink, 0, 1)).astype(np.uint8))
    return np.asarray(pixels.filter(ImageFilter.MinFilter(9)), np.float32) / 255


def in_box(digit: np.ndarray, random: Random, tilt: float) -> Image.Image:
    """On paper, in the box of a form, turned by so many degrees."""
    image = Image.fromarray(on_paper(placed(digit, random, 260, 260), random))
    ImageDraw.Draw(image).rectangle([6, 6, 253, 253], outline=70, width=3)
    turned = image.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=int(np.median(np.asarray(image))))
    return saved(np.asarray(turned))


def over_line(digit: np.ndarray, random: Random) -> Image.Image:
    """On ruled paper."""
    pixels = on_paper(placed(digit, random, 260, 260, 160), random)
    pixels[240:243] = 70
    return saved(pixels)


def transparent(digit: np.ndarray, random: Random) -> Image.Image:
    """Black on nothing."""
    alpha = (255 * np.clip(placed(digit, random), 0, 1)).astype(np.uint8)
    return saved(np.dstack([np.zeros((*alpha.shape, 3), np.uint8), alpha]))


WAYS: dict[str, Way] = {
    "as it is": lambda digit, _: saved(digit),
    "black on white": lambda digit, _: saved(255 - digit),
    "anywhere in 400x300": lambda digit, random: saved((255 * placed(digit, random)).astype(np.uint8)),
    "the same in 16 bits": lambda digit, random: saved((65535 * placed(digit, random)).astype(np.uint16)),
    "black on transparent": transparent,
    "photo of it on paper": lambda digit, random: photo(placed(digit, random), random),
    "light falls by 120": lambda digit, random: photo(
        placed(digit, random), random, light=170, dark=50, noise=8, falling=120
    ),
    "pencil": lambda digit, random: photo(placed(digit, random), random, light=220, dark=170, noise=4, falling=30),
    "fine pen": lambda digit, random: photo(fine(placed(digit, random)), random),
    "cropped, 2 around": lambda digit, random: photo(
        cropped(placed(digit, random, 200, 200), 2), random, falling=10
    ),
    "cropped, 20 around": lambda digit, random: photo(cropped(placed(digit, random, 200, 200), 20), random),
    "in a box": lambda digit, random: in_box(digit, random, 0),
    "in a tilted box": lambda digit, random: in_box(digit, random, 2),
    "over a line": over_line,
    "photo of 28x28": lambda digit, random: saved(
        on_paper(digit / np.float32(255), random, light=220, dark=40, noise=4, falling=20)
    ),
}  # fmt: skip


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    asked = parser.parse_args()
    reader = open_run(find_run(asked.run, asked.outputs))
    data = read_builtin("mnist")
    chosen = np.random.default_rng(1).permutation(len(data.y_test))[: asked.images]
    digits, labels = np.asarray(data.x_test[chosen])[..., 0], data.y_test[chosen]
    print(f"{'':22}{'auto':>8}{'none':>8}{'ms':>8}")
    for name, way in WAYS.items():
        random = np.random.default_rng(0)
        images = [way(digit, random) for digit in digits]
        began = time.perf_counter()
        auto = [prepare_image(image, reader.inputs.image_shape, Prepare.auto) for image in images]
        seconds = time.perf_counter() - began
        none = [prepare_image(image, reader.inputs.image_shape, Prepare.none) for image in images]
        right = [np.mean(reader.outputs(np.stack(made)).argmax(axis=1) == labels) for made in (auto, none)]
        print(f"{name:22}{right[0]:8.3f}{right[1]:8.3f}{1e3 * seconds / len(images):8.2f}", flush=True)


if __name__ == "__main__":
    main()
