"""What is looked at in a model.keras before Keras sees it: it may be a stranger's.

Keras's safe mode refuses code in the file (`Lambda`) and modules that it does not know. Here a file is refused before,
with a message that says what to do, if it asks for anything but Keras's own layers and fitbench's, or for those of
Keras's that read other files.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.text import clean

MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
CONFIG_BYTES = 64 * 2**20
# Keras stores what it saves as it is; packed again, weights shrink a little. A bomb shrinks a thousandfold.
EXPANSION, EXPANDED_BYTES = 100, 16 * 2**20
# Where Keras has what models are made of, below `keras` and, by its own name of the place, below `keras.src`.
PARTS = frozenset(
    {"activations", "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics", "models", "ops"}
    | {"optimizers", "quantizers", "random", "regularizers"}
)
OWN_MODULES = ("fitbench.models.layers", "fitbench.training.layers")  # the latter in models that 0.1 saved
# Of Keras, but they run code from the file, or read files that it names.
REFUSED = frozenset(
    {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "__lambda__", "__typespec__"}
    | {"StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization"}
)
# Not classes, but values: they stand for themselves.
PLAIN = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"})


@dataclass(frozen=True)
class Foreign:
    """A class or function of a model's configuration that is not known to do nothing but compute."""

    module: str
    name: str
    registered_name: str


def foreign(path: Path) -> list[Foreign]:
    """What a model file asks for besides layers of Keras and fitbench that only compute, each once.

    Raises:
        FitbenchError: it cannot be read, or is no model.keras; the message names the file.
    """
    found = {}
    for thing in _objects(_read_config(path), path):
        module, name = str(thing.get("module") or ""), str(thing["class_name"])
        registered = _registered_name(thing)
        if name == "function":
            name = registered
            known = name.startswith("fitbench>") or (module == "builtins" and ">" not in name)
        else:
            known = name in PLAIN or _is_known(module, name, registered)
        if not known:
            found[module, name] = Foreign(module, name, registered)
    return list(found.values())


def names(things: Sequence[Foreign]) -> str:
    """What they are called, for a message."""
    some = ", ".join(f"{thing.module}.{thing.name}".strip(".") for thing in things[:3])
    return f"{clean(some):.200}" + (f" and {len(things) - 3} more" if len(things) > 3 else "")


def has_own_layers(path: Path) -> bool:
    """Whether a model file asks for layers or functions of fitbench's, which plain Keras does not have."""
    return any(_registered_name(thing).startswith("fitbench>") for thing in _objects(_read_config(path), path))


def _registered_name(thing: dict[str, Any]) -> str:
    """The name under which Keras looks for it; a function's stands where a class has its settings."""
    if thing["class_name"] == "function":
        return str(thing.get("config"))
    return str(thing.get("registered_name") or thing["class_name"])


def _is_known(module: str, name: str, registered: str) -> bool:
    if name in REFUSED or "." in name:  # Keras would read the class 'layers.Lambda' of the module keras
        return False
    if registered.startswith("fitbench>"):
        return module in OWN_MODULES
    if module == "keras":
        return True
    keras, _, place = module.partition(".")
    return keras == "keras" and place.removeprefix("src.").partition(".")[0] in PARTS


def _read_config(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            return json.loads(archive.read("config.json"))
    except FileNotFoundError:
        raise FitbenchError(f"{path}: there is no such file; train the run again with force=true") from None
    except RecursionError:
        raise FitbenchError(f"{path}: its config.json is nested too deeply") from None
    except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise FitbenchError(f"{path}: no model that Keras 3 saved, or damaged ({error})") from None


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse an archive that lacks a part, would be unpacked elsewhere, or is much larger than it looks."""
    missing = [name for name in MEMBERS if name not in archive.namelist()]
    if missing:
        raise FitbenchError(f"{path}: has no {', '.join(missing)} in it; expected a model that Keras 3 saved")
    if archive.getinfo("config.json").file_size > CONFIG_BYTES:
        raise FitbenchError(f"{path}: its config.json takes more than {CONFIG_BYTES >> 20} MiB")
    for member in archive.infolist():
        inside = PurePosixPath(member.filename.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts:
            raise FitbenchError(f"{path}: holds {clean(member.filename):.80}, which lies outside of it")
        if member.file_size > max(EXPANDED_BYTES, EXPANSION * member.compress_size):
            raise FitbenchError(
                f"{path}: its {clean(member.filename):.80} would grow from {member.compress_size:,} to "
                f"{member.file_size:,} bytes"
            )


def _objects(config: Any, path: Path) -> Iterator[dict[str, Any]]:
    """All that stands for an object in a configuration, however deep. Not recursive: a stranger chose the depth."""
    left = [config]
    while left:
        here = left.pop()
        if isinstance(here, dict):
            if "class_name" in here:
                if not isinstance(here["class_name"], str):
                    raise FitbenchError(f"{path}: a class_name in its config.json is no text")
                yield here
            left.extend(here.values())
        elif isinstance(here, list):
            left.extend(here)
