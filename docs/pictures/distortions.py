"""The picture of what distortions and deskewing make of images.

The rows are the images as they are, each distortion of conf/distortion, and the deskewed images; the columns one image
of each class of `mnist_5k`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir

from fitbench.charts import paper
from fitbench.composition import conf_folder
from fitbench.config import Config, from_hydra
from fitbench.data.loading import load
from fitbench.training import backend

ROWS = ("lecun", "affine", "elastic")


def draw(path: Path) -> None:
    """Draw the picture into a PNG file."""
    config = _configuration()
    backend.choose(config.backend)
    backend.load(config.backend, config.threads)
    from fitbench.models.distortions import distorting
    from fitbench.training.preparation import prepare_training_examples

    data = load(config.data)
    first = [int(np.flatnonzero(data.y_train == label)[0]) for label in np.unique(data.y_train)]
    images = np.asarray(data.x_train[np.array(first)])
    rows = {"original": images}
    for name in ROWS:
        layer = distorting(_configuration(f"distortion={name}").distortion, config.seed)
        assert layer is not None
        rows[name] = np.asarray(layer(images, training=True)).astype(np.uint8)
    deskewed, _ = prepare_training_examples(data, _configuration("data.preprocess=deskew").data)
    rows["deskew"] = deskewed.x_train[np.array(first)]
    _draw(rows, path)


def _configuration(*overrides: str) -> Config:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return from_hydra(compose("config", overrides=list(overrides)))


def _draw(rows: dict[str, np.ndarray], path: Path) -> None:
    columns = max(map(len, rows.values()))
    with paper.style():
        figure = paper.empty(0.7 * (columns + 1), 0.7 * len(rows))
        places: Any = figure.subplots(len(rows), columns, squeeze=False)
        for line, (name, images) in zip(places, rows.items(), strict=True):
            for place, image in zip(line, images, strict=True):
                place.imshow(image, cmap="gray_r", vmin=0, vmax=255)
                place.set(xticks=[], yticks=[])
                place.spines[:].set_visible(True)
            line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    paper.write(figure, path, paper.SCREEN_DPI)
