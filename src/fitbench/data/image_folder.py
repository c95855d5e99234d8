"""Reads a folder with one folder of images per class as a data set."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from fitbench.config import ImageFolder
from fitbench.data.dataset import Dataset, assembled
from fitbench.data.folder_layout import list_parts
from fitbench.data.image_arrays import read_images
from fitbench.data.image_paths import LeftOut
from fitbench.data.memory_limit import memory_limit
from fitbench.errors import DataError


def read_image_folder(data: ImageFolder, folder: Path) -> Dataset:
    """Read and check the images of the folder.

    Raises:
        RequestError, DataError: as `list_parts`, or images cannot be read; the message names them.
    """
    height, width = data.image_size
    shape = (height, width, 3 if data.color else 1)
    left_out = LeftOut()
    classes, parts = list_parts(folder, data.test_fraction, left_out)
    in_memory = sum(len(paths) for paths, _ in parts.values()) * math.prod(shape) <= memory_limit()
    images, labels, skipped = {}, {}, []
    for part, (paths, numbers) in parts.items():
        images[part], bad = read_images(
            paths,
            shape,
            skip_bad=data.skip_bad,
            in_memory=in_memory,
            max_value=data.max_value,
            where=f"{folder}: the {part} images",
        )
        labels[part] = np.delete(numbers, list(bad))
        skipped += [str(paths[i]) for i in bad]
        for label in np.setdiff1d(numbers, labels[part])[:1]:
            reason = next(error for i, error in bad.items() if numbers[i] == label)
            raise DataError(f"{folder}: class {classes[label]} has no readable {part} image. {reason}") from reason
    dataset = assembled(data.name, images, labels, classes, str(folder), tuple(skipped))
    return replace(dataset, left_out=str(left_out), is_shuffled=True)
