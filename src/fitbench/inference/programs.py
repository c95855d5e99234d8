"""What stands beside an exported model, and what its README.md says, by the kind of examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fitbench.data import image_pixels, resampling, series_text
from fitbench.inference import values
from fitbench.kinds import ARRAYS, IMAGES, SERIES, TABLE, TOKENS

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Program:
    """How an exported program reads examples of a kind.

    Attributes:
        files: what stands beside predict.py, by name: inputs.py, whose `read` reads a file, and what it imports.
        packages: that it needs besides NumPy.
        example: the arguments of predict.py.
        meaning: what the values of the input are.
        included: what the model does, and what the program does not.
    """

    files: Mapping[str, Path]
    packages: tuple[str, ...]
    example: str
    meaning: str
    included: str


_ARRAYS = {"inputs.py": TEMPLATES / "arrays.py", "values.py": Path(values.__file__)}
_SERIES = {
    "inputs.py": TEMPLATES / "series.py",
    "arrays.py": TEMPLATES / "arrays.py",
    "values.py": Path(values.__file__),
    "resampling.py": Path(resampling.__file__),
    "series_text.py": Path(series_text.__file__),
}
_AS_THEY_ARE = "`predict.py` reads arrays of `.npy` and `.npz` files as they are, and refuses other values."
PROGRAMS = {
    IMAGES: Program(
        {"inputs.py": TEMPLATES / "images.py", "image_pixels.py": Path(image_pixels.__file__)},
        ("pillow",),
        "IMAGE..",
        "0 to 255",
        "It includes the scaling of the pixels. `predict.py` resizes images; it does not invert, crop or centre them.",
    ),
    TABLE: Program(
        {"inputs.py": TEMPLATES / "rows.py"},
        (),
        "TABLE.csv",
        "with the columns that `model.json` lists",
        "It includes the standardising of numbers. `predict.py` finds columns by their names, and looks categories up.",
    ),
    SERIES: Program(
        _SERIES,
        (),
        "SERIES.ts",
        "[N, steps, channels]",
        "It includes the standardising of series, if the run standardised them. `predict.py` reads `.ts`, `.tsv`, "
        "`.txt`, `.npy` and `.npz` files. Series of other lengths are interpolated if `lengths` in `model.json` says "
        "how, and else refused.",
    ),
    TOKENS: Program(
        _ARRAYS,
        (),
        "SEQUENCES.npy",
        "whole numbers from 0, below `vocabulary` in `model.json`",
        _AS_THEY_ARE,
    ),
    ARRAYS: Program(_ARRAYS, (), "ARRAYS.npy", "of the scale that the run was trained on", _AS_THEY_ARE),
}
