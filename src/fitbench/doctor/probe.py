"""A process of its own that imports a backend, or the packages that fitbench needs, and prints what came of it as JSON.

Importing TensorFlow takes seconds, may hang on a slow file system, and may end the process that does it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
import time
from typing import Any


def tensorflow() -> dict[str, Any]:
    """Import TensorFlow, and Keras on it; the names of the GPUs."""
    import keras  # noqa: F401
    import tensorflow as tf

    return {"gpus": [device.name for device in tf.config.list_physical_devices("GPU")]}


def jax() -> dict[str, Any]:
    """Import JAX, and Keras on it; the names of the GPUs."""
    import jax
    import keras  # noqa: F401

    return {"gpus": [device.device_kind for device in jax.devices() if device.platform == "gpu"]}


def packages(names: list[str]) -> dict[str, Any]:
    """Import packages by the names of their distributions; the errors of those that fail."""
    modules = _modules()
    errors = {}
    for name in names:
        for module in modules.get(_normal(name), []):
            try:
                importlib.import_module(module)
            except Exception as error:  # noqa: BLE001 - a broken package may raise anything; it is reported
                errors[name] = f"{type(error).__name__}: {error}".splitlines()[0]
    return {"errors": errors}


def _modules() -> dict[str, list[str]]:
    """The modules to import of each distribution: that of its own name, else all public ones."""
    found: dict[str, list[str]] = {}
    for module, names in importlib.metadata.packages_distributions().items():
        for name in names:
            found.setdefault(_normal(name), []).append(module)
    return {
        name: [module for module in modules if _normal(module) == name] or [m for m in modules if not m.startswith("_")]
        for name, modules in found.items()
    }


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def main(name: str, *arguments: str) -> None:
    """Print the answer as the last line of stdout: what was found, or `error`."""
    began = time.monotonic()
    if name != "packages":
        os.environ["KERAS_BACKEND"] = name
    try:
        answer = packages(list(arguments)) if name == "packages" else {"tensorflow": tensorflow, "jax": jax}[name]()
    except Exception as error:  # noqa: BLE001 - as above
        answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    print(json.dumps({**answer, "seconds": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
