"""Reads .npy and .npz files as the model beside this file takes them."""

import json
from pathlib import Path

import numpy as np
import values  # type: ignore[import-not-found]  # beside this file

INPUT = json.loads((Path(__file__).resolve().parent / "model.json").read_text(encoding="utf-8"))["input"]


def array_of(path: str) -> np.ndarray:
    """The array of a .npy file; of an .npz file, x_test or the only one.

    Raises OSError, or ValueError if the file has no such array, or one of another shape or type than the model takes.
    """
    if Path(path).suffix.lower() not in (".npy", ".npz"):
        raise ValueError("expected a .npy or .npz file")
    loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return values.fitting(loaded, INPUT)
    with loaded as file:
        name = "x_test" if "x_test" in file.files else file.files[0] if len(file.files) == 1 else None
        if name is None:
            raise ValueError(f"found {', '.join(file.files) or 'nothing'}; expected x_test, or one array")
        return values.fitting(file[name], INPUT)


def named(path: str, inputs: np.ndarray, errors: dict[int, str]) -> tuple[list[str], np.ndarray, list[str], list[str]]:
    """What `read` returns, of all rows of a file and the error messages of some by position."""
    right = [i for i in range(len(inputs)) if i not in errors]
    return [f"{path}[{i}]" for i in right], inputs[right], [f"{path}[{i}]: {text}" for i, text in errors.items()], []


def read(path: str) -> tuple[list[str], np.ndarray, list[str], list[str]]:
    """Read a file: the names of its examples, as the model takes them, which it cannot take, and no notes."""
    try:
        return named(path, *values.checked(array_of(path), INPUT))
    except OSError as error:
        return [], np.empty(0), [f"{path}: cannot be read ({error.strerror or error})"], []
    except (ValueError, EOFError) as error:
        return [], np.empty(0), [f"{path}: {error}"], []
